#include "cli/image_bring.h"

#include "cli/image.h"

int bring_open(struct session *s, struct bring *out, struct err *e)
{
	const char *name = s->line.operands[0];
	int known;

	*out = (struct bring){.import = {.store = &out->store, .name = name}};
	if (image_name_check(name, e) < 0 || session_open(s, e) < 0 ||
		session_store(s, &out->store, e) < 0 || session_work(s, e) < 0)
		return -1;
	known = image_profile(s, name, &out->profile, e);
	if (known > 0)
		out->import.profile = &out->profile;
	return known < 0 ? -1 : 0;
}
