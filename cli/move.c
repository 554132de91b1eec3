#include "cli/move.h"

void move_say(const struct move *m, struct buf *to)
{
	if (!m->from.n)
		buf_printf(to, "%.*s %.*s is new", STR_ARG(m->name), STR_ARG(m->to));
	else if (!m->to.n)
		buf_printf(to, "%.*s %.*s leaves", STR_ARG(m->name), STR_ARG(m->from));
	else
		buf_printf(to, "%.*s %.*s -> %.*s", STR_ARG(m->name), STR_ARG(m->from),
			STR_ARG(m->to));
}

void move_tell(const struct move *m, struct json_out *w)
{
	jw_object(w);
	jw_pair(w, "name", m->name);
	jw_pair_or_null(w, "from", m->from);
	jw_pair_or_null(w, "to", m->to);
	jw_object_end(w);
}
