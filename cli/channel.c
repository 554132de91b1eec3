/* envbuild channel index. */
#include "base/json.h"
#include "base/log.h"
#include "base/work.h"
#include "builder/channel_index.h"
#include "cli/output.h"
#include "cli/session.h"

int command_channel_index(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	const struct channel_index_options how = {
		.jobs = o->jobs ? o->jobs : work_cores(), .shards = o->shards};
	struct channel_index_result result;

	if (channel_index_as(s->line.operands[0], &how, &result, e) < 0)
		return -1;
	log_note("%s: %zu packages in %zu subdirs", s->line.operands[0], result.packages,
		result.subdirs);
	if (result.shards)
		log_note("%s: %zu shards", s->line.operands[0], result.shards);
	jw_object(&w);
	jw_key(&w, "packages");
	jw_int(&w, (int64_t)result.packages);
	jw_key(&w, "subdirs");
	jw_int(&w, (int64_t)result.subdirs);
	jw_key(&w, "shards");
	jw_int(&w, (int64_t)result.shards);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
	return 0;
}
