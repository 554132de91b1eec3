/* envbuild cache info. */
#include "base/json.h"
#include "base/log.h"
#include "cli/output.h"
#include "cli/session.h"

#include <stdio.h>

static void print_json(const struct session *s, const struct cache_info *info)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, s->cache_dir);
	jw_key(&w, "packages");
	jw_int(&w, (int64_t)info->packages);
	jw_key(&w, "bytes");
	jw_int(&w, (int64_t)info->bytes);
	jw_key(&w, "indexes");
	jw_int(&w, (int64_t)info->indexes);
	jw_key(&w, "index_bytes");
	jw_int(&w, (int64_t)info->index_bytes);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_cache_info(struct session *s, struct err *e)
{
	struct cache_info info;
	char size[24], index_size[24];

	if (session_open(s, e) < 0 || cache_info(&s->cache, &info, e) < 0)
		return -1;
	if (s->line.options.json) {
		print_json(s, &info);
		return 0;
	}
	printf("%s\n  packages  %llu, %s\n  indexes   %llu, %s\n", s->cache_dir,
		(unsigned long long)info.packages, format_bytes(info.bytes, size),
		(unsigned long long)info.indexes, format_bytes(info.index_bytes, index_size));
	return 0;
}
