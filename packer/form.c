#include "packer/form.h"

/* libdeflate 6 is smaller than gzip -6 in 0.4 of its time; zstd gains little beyond 10
 * (docs/design/archive.md). */
enum { GZIP_LEVEL = 6, GZIP_LEVEL_MAX = 12, ZSTD_LEVEL = 10, ZSTD_LEVEL_MAX = 19 };

static int level_max(const struct pack_request *r)
{
	switch (r->format) {
	case PACK_TAR_ZST:
		return ZSTD_LEVEL_MAX;
	case PACK_SQUASHFS:
		return r->zstd ? SQUASHFS_ZSTD_LEVEL_MAX : SQUASHFS_GZIP_LEVEL_MAX;
	case PACK_TAR_GZ:
	case PACK_TAR:
	case PACK_DIR:
		break;
	}
	return GZIP_LEVEL_MAX;
}

int form_level(const struct pack_request *r, int *level, struct err *e)
{
	bool zstd = r->format == PACK_TAR_ZST || (r->format == PACK_SQUASHFS && r->zstd);
	int max = level_max(r);

	if (r->level >= 0 && r->level <= max) {
		*level = r->level ? r->level : zstd ? ZSTD_LEVEL : GZIP_LEVEL;
		return 0;
	}
	return err_set(e, ERR_USAGE, "no level %d for %s: 1 to %d", r->level,
		pack_format_name(r->format), max);
}

static void begin_stream(struct form *f, int level)
{
	const struct pack_request *r = f->request;

	f->stream = (struct stream){.sink = f->sink,
		.format = r->format,
		.level = level,
		.jobs = r->jobs ? r->jobs : 1,
		.cache = r->cache,
		.keep = r->keep_segments};
}

static int begin_squashfs(struct form *f, int level, struct err *e)
{
	const struct pack_request *r = f->request;
	struct squashfs_options options = {.compressor = r->zstd ? SQUASHFS_ZSTD : SQUASHFS_GZIP,
		.level = level,
		.jobs = r->jobs,
		.epoch = r->epoch};

	f->squashfs = squashfs_begin(f->sink, &options, e);
	return f->squashfs ? 0 : -1;
}

int form_begin(struct form *f, const struct pack_request *r, struct err *e)
{
	int level;

	*f = (struct form){.request = r};
	if (form_level(r, &level, e) < 0)
		return -1;
	if (r->format == PACK_DIR) {
		f->tree = tree_begin(r->path, r->epoch, r->jobs, e);
		return f->tree ? 0 : -1;
	}
	f->sink = sink_open(r->path, r->split, e);
	if (!f->sink)
		return -1;
	begin_stream(f, level);
	if (r->format != PACK_SQUASHFS || begin_squashfs(f, level, e) == 0)
		return 0;
	form_close(f);
	return -1;
}

int form_write(struct form *f, struct layout *l, struct err *e)
{
	if (f->tree)
		return tree_add(f->tree, l, f->step, e);
	if (f->squashfs)
		return squashfs_add(f->squashfs, l, f->step, e);
	f->stream.step = f->step;
	return stream_write(&f->stream, l, e);
}

int form_finish(struct form *f, struct pack_result *out, struct err *e)
{
	if (f->tree)
		return tree_finish(f->tree, out, e);
	if (f->squashfs && squashfs_finish(f->squashfs, e) < 0)
		return -1;
	if (!f->squashfs && stream_end(&f->stream, e) < 0)
		return -1;
	out->segments_reused = f->stream.reused;
	out->segments_made = f->stream.made;
	return sink_finish(f->sink, f->request->arena, out, e);
}

void form_close(struct form *f)
{
	tree_close(f->tree);
	squashfs_close(f->squashfs);
	sink_close(f->sink);
	buf_release(&f->stream.frames);
	*f = (struct form){0};
}
