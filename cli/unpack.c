/* envbuild unpack: verify, extract, relocate. */
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/work.h"
#include "cli/output.h"
#include "cli/session.h"
#include "packer/pack.h"

int command_unpack(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct unpack_request r = {
		.archive = s->line.operands[0], .jobs = o->jobs ? o->jobs : work_cores()};
	struct step step;

	r.dir = path_absolute(&s->arena, s->line.operands[1]);
	r.prefix = o->prefix ? path_absolute(&s->arena, o->prefix) : r.dir;
	step_begin(&step, "unpack", 0, 0);
	if (unpack(&r, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%s for %s", r.archive, r.prefix);
	if (strchr(r.prefix, ':'))
		log_warn("with its ':' the path '%s' cannot stand in PATH: activating is refused",
			r.prefix);
	else
		log_note("'source %s/bin/activate' activates it", r.prefix);
	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, r.dir);
	jw_key(&w, "prefix");
	jw_cstr(&w, r.prefix);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
	return 0;
}
