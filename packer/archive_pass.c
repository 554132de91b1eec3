#include "packer/archive_pass.h"

#include "base/interrupt.h"

enum {
	MEMBERS_MAX = 1000000,
	RECORD_MAX = 256 << 20,
	RECORDS_MAX = 100000,
	MANIFEST_MAX = 256 << 20,
	DISTS_MAX = 100000,
};

int archive_pass_begin(struct archive_pass *p, struct arena *a, const char *path,
	struct installed *installed, struct err *e)
{
	*p = (struct archive_pass){.a = a,
		.path = path,
		.in = archive_open(path, e),
		.installed = installed,
		.dists.arena = a};
	return p->in ? 0 : -1;
}

void archive_pass_end(struct archive_pass *p)
{
	archive_close(p->in);
	arena_release(&p->scratch);
}

int archive_pass_error(const struct archive_pass *p, struct err *e)
{
	return err_wrap(e, "in '%s'", p->path);
}

static int too_many(const struct archive_pass *p, int max, const char *what, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "more than %d %s", max, what);
	return archive_pass_error(p, e);
}

static int take_member(struct archive_pass *p, const struct member *m, archive_taker *take,
	void *ctx, struct err *e)
{
	if (interrupt_check(e) < 0)
		return -1;
	if (!path_is_safe(m->path))
		return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' leaves the folder",
			STR_ARG(m->path), p->path);
	if (m->type == MEMBER_DIR || m->type == MEMBER_OTHER)
		return 0;
	return take(ctx, m, e);
}

int archive_pass_members(struct archive_pass *p, archive_taker *take, void *ctx, struct err *e)
{
	struct member m;
	int rc;

	for (size_t n = 0; (rc = archive_next(p->in, &m, e)) > 0; n++) {
		if (n == MEMBERS_MAX)
			return too_many(p, MEMBERS_MAX, "members", e);
		if (take_member(p, &m, take, ctx, e) < 0)
			return -1;
	}
	return rc;
}

int archive_pass_text(struct archive_pass *p, size_t max, struct str *out, struct err *e)
{
	arena_reset(&p->scratch);
	return archive_read_all(p->in, &p->scratch, max, out, e);
}

int archive_pass_manifest(struct archive_pass *p, struct manifest *out, struct err *e)
{
	struct str text;

	if (archive_pass_text(p, MANIFEST_MAX, &text, e) < 0)
		return -1;
	if (manifest_parse(p->a, text, "manifest.json", out, e) < 0)
		return archive_pass_error(p, e);
	return 0;
}

bool archive_pass_is_record(struct str path)
{
	return str_starts(path, STR("conda-meta/")) && str_ends(path, STR(".json")) &&
	       str_chr(str_sub(path, strlen("conda-meta/"), path.n), '/') < 0;
}

int archive_pass_record(struct archive_pass *p, struct str path, struct err *e)
{
	struct installed *in = p->installed;
	struct str text;

	if (in->n == RECORDS_MAX)
		return too_many(p, RECORDS_MAX, "records in conda-meta", e);
	if (archive_pass_text(p, RECORD_MAX, &text, e) < 0)
		return -1;
	if (installed_parse(p->a, arena_cstr(p->a, path), text, VEC_PUSH(p->a, in), e) < 0)
		return archive_pass_error(p, e);
	in->v[in->n - 1].text = (struct str){0};
	return 0;
}

bool archive_pass_is_metadata(struct str path, struct str folder)
{
	struct str name = str_sub(path, folder.n, path.n);

	if (!str_ends(folder, STR(".egg-info")))
		return str_is(name, "/METADATA");
	return str_is(name, "/PKG-INFO") || name.n == 0;
}

int archive_pass_metadata(struct archive_pass *p, struct dist *out, struct str *text, struct err *e)
{
	if (archive_pass_text(p, DIST_TEXT_MAX, text, e) < 0)
		return -1;
	return dist_parse_metadata(&p->scratch, "METADATA", *text, out, NULL) == 0;
}

int archive_pass_dist(
	struct archive_pass *p, struct str folder, size_t size, void **out, struct err *e)
{
	union table_value *v = table_get(&p->dists, folder);

	if (!v) {
		if (p->dists.n == DISTS_MAX)
			return too_many(p, DISTS_MAX, "Python distributions", e);
		v = table_put(&p->dists, arena_str(p->a, folder));
		v->ptr = arena_alloc(p->a, size);
	}
	*out = v->ptr;
	return 0;
}
