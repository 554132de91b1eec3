/* An archive as a side of a comparison: one pass over its members, nothing is unpacked. */
#include "packer/diff_side.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "builder/dist.h"
#include "packer/archive_in.h"
#include "packer/manifest.h"
#include "packer/papers.h"
#include "packer/sums.h"

#include <stdlib.h>

enum {
	MEMBERS_MAX = 1000000,
	RECORD_MAX = 256 << 20,
	RECORDS_MAX = 100000,
	PAPER_MAX = 256 << 20,
	SUMS_MAX = 1 << 30,
	DISTS_MAX = 100000,
	DIRECT_URL_MAX = 1 << 20,
	CHUNK = 1 << 16,
};
/* Of a binary file, which is held in memory. */
static const uint64_t ELF_MAX = UINT64_C(4) << 30;

struct reading {
	struct side_maker m;
	struct archive_in *in;
	const char *path;
	struct arena scratch; /* of one member */
	struct table dists;   /* folder -> index into m.dists and 1 */
	struct buf body;
	bool has_manifest, has_sums, audited;
};

/* Errors of the archive's reader name it already. */
static int in_archive(const struct reading *r, struct err *e)
{
	return err_wrap(e, "in '%s'", r->path);
}

static int too_many(const struct reading *r, int max, const char *what, struct err *e)
{
	err_set(e, ERR_INTEGRITY, "more than %d %s", max, what);
	return in_archive(r, e);
}

static int text_of(struct reading *r, size_t max, struct str *out, struct err *e)
{
	arena_reset(&r->scratch);
	return archive_read_all(r->in, &r->scratch, max, out, e);
}

/* --- papers and records ----------------------------------------------------------------------- */

static int read_manifest(struct reading *r, struct err *e)
{
	struct manifest manifest;
	struct str text;

	if (text_of(r, PAPER_MAX, &text, e) < 0)
		return -1;
	if (manifest_parse(r->m.arena, text, "manifest.json", &manifest, e) < 0)
		return in_archive(r, e);
	r->has_manifest = true;
	r->m.side->name = manifest.name;
	r->m.side->version = manifest.version;
	r->m.side->target = manifest.target;
	return 0;
}

static int read_sums(struct reading *r, struct err *e)
{
	struct str text;

	r->has_sums = true;
	if (text_of(r, SUMS_MAX, &text, e) < 0)
		return -1;
	return sums_read(&r->m.sums, text, e) < 0 ? in_archive(r, e) : 0;
}

/* What packages' files need stands there; the files that are of no package come after the records. */
static int read_audit(struct reading *r, struct err *e)
{
	struct str text, floor;

	if (text_of(r, PAPER_MAX, &text, e) < 0)
		return -1;
	floor = side_audit_floor(r->m.arena, text);
	side_raise_floor(r->m.side, floor);
	r->audited = floor.n > 0;
	return 0;
}

static int read_record(struct reading *r, struct str path, struct err *e)
{
	struct installed *in = &r->m.installed;
	struct str text;

	if (in->n == RECORDS_MAX)
		return too_many(r, RECORDS_MAX, "records in conda-meta", e);
	if (text_of(r, RECORD_MAX, &text, e) < 0)
		return -1;
	if (installed_parse(r->m.arena, arena_cstr(r->m.arena, path), text,
		    VEC_PUSH(r->m.arena, in), e) < 0)
		return in_archive(r, e);
	in->v[in->n - 1].text = (struct str){0};
	return 0;
}

/* --- Python distributions --------------------------------------------------------------------- */

static int dist_of(struct reading *r, struct str folder, struct side_dist **out, struct err *e)
{
	union table_value *v = table_get(&r->dists, folder);

	if (!v) {
		if (r->m.dists.n == DISTS_MAX)
			return too_many(r, DISTS_MAX, "Python distributions", e);
		*VEC_PUSH(r->m.arena, &r->m.dists) = (struct side_dist){0};
		v = table_put(&r->dists, arena_str(r->m.arena, folder));
		v->num = r->m.dists.n;
	}
	*out = &r->m.dists.v[v->num - 1];
	return 0;
}

/* What is no distribution although it is called like one is passed over, as in a prefix. */
static int read_metadata(struct reading *r, struct str path, struct side_dist *d, struct err *e)
{
	struct arena *a = r->m.arena;
	struct dist dist;
	struct str text;

	if (text_of(r, DIST_TEXT_MAX, &text, e) < 0)
		return -1;
	if (dist_parse_metadata(&r->scratch, "METADATA", text, &dist, NULL) < 0)
		return 0;
	d->anchor = arena_str(a, path);
	d->name = arena_str(a, dist.given_name);
	d->version = arena_str(a, dist.version);
	d->license = arena_str(a, side_metadata_license(text));
	return 0;
}

static int read_dist_file(struct reading *r, struct str path, struct str folder, struct err *e)
{
	struct str name = str_sub(path, folder.n, path.n), text;
	bool egg = str_ends(folder, STR(".egg-info"));
	bool url = str_is(name, "/direct_url.json");
	struct side_dist *d = NULL;

	if (!url && !str_is(name, egg ? "/PKG-INFO" : "/METADATA") && !(egg && name.n == 0))
		return 0;
	if (dist_of(r, folder, &d, e) < 0)
		return -1;
	if (!url)
		return read_metadata(r, path, d, e);
	if (text_of(r, DIRECT_URL_MAX, &text, e) < 0)
		return -1;
	d->commit = side_direct_commit(r->m.arena, text);
	return 0;
}

/* Folders that turned out to have no METADATA are dropped. */
static void settle_dists(struct reading *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->m.dists.n; i++)
		if (r->m.dists.v[i].name.n)
			r->m.dists.v[n++] = r->m.dists.v[i];
	r->m.dists.n = n;
}

/* --- members ---------------------------------------------------------------------------------- */

static int look_for_floor(struct reading *r, const struct member *m, struct err *e)
{
	struct str path;
	ptrdiff_t n = 0;

	arena_reset(&r->scratch);
	path = arena_str(&r->scratch, m->path);
	buf_clear(&r->body);
	do {
		char *room = buf_room(&r->body, CHUNK);

		if (interrupt_check(e) < 0 || (n = archive_read(r->in, room, CHUNK, e)) < 0)
			return -1;
		r->body.n += (size_t)n;
		if (r->body.n >= 4 && !floor_is_elf(buf_view(&r->body)))
			return 0;
	} while (n > 0 && r->body.n <= ELF_MAX);
	if (n == 0)
		return floor_add(&r->m.floor, path, buf_view(&r->body), e);
	log_warn("'%.*s' in '%s' is too large to be looked at for the glibc that it needs",
		STR_ARG(path), r->path);
	return 0;
}

static int read_body(struct reading *r, const struct member *m, struct err *e)
{
	struct str path = m->path, folder = dist_folder_of(path);

	if (str_is(path, PAPERS_DIR "manifest.json"))
		return read_manifest(r, e);
	if (str_is(path, PAPERS_DIR "audit.json"))
		return read_audit(r, e);
	if (str_is(path, SUMS_PATH))
		return read_sums(r, e);
	if (str_starts(path, STR("conda-meta/")) && str_ends(path, STR(".json")) &&
		str_chr(str_sub(path, strlen("conda-meta/"), path.n), '/') < 0)
		return read_record(r, path, e);
	if (folder.n)
		return read_dist_file(r, path, folder, e);
	if (m->size < 64 || (r->audited && r->m.installed.n == 0))
		return 0;
	return look_for_floor(r, m, e);
}

static int take_member(struct reading *r, const struct member *m, struct err *e)
{
	struct diff_file f = {.path = m->path};

	if (interrupt_check(e) < 0)
		return -1;
	if (!path_is_safe(m->path))
		return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' leaves the folder",
			STR_ARG(m->path), r->path);
	if (m->type == MEMBER_DIR || m->type == MEMBER_OTHER)
		return 0;
	f.is_link = m->type == MEMBER_SYMLINK;
	if (f.is_link)
		f.link = m->link;
	if (m->type == MEMBER_FILE && m->size != UINT64_MAX) {
		f.has_size = true;
		f.size = m->size;
	}
	if (side_add_file(&r->m, &f, e) < 0)
		return -1;
	return m->type == MEMBER_FILE ? read_body(r, m, e) : 0;
}

static int read_members(struct reading *r, struct err *e)
{
	struct member m;
	int rc;

	for (size_t n = 0; (rc = archive_next(r->in, &m, e)) > 0; n++) {
		if (n == MEMBERS_MAX)
			return too_many(r, MEMBERS_MAX, "members", e);
		if (take_member(r, &m, e) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	if (r->has_manifest && !r->has_sums)
		return err_set(e, ERR_INTEGRITY,
			"'%s' ends before '" SUMS_PATH "': it is not whole", r->path);
	if (r->m.installed.n == 0 && !r->has_manifest) {
		err_set(e, ERR_USAGE, "no environment is in '%s': no record in conda-meta",
			r->path);
		return err_advise(e, "name archives, locks or folders of environments");
	}
	return installed_sort(&r->m.installed, e) < 0 ? in_archive(r, e) : 0;
}

static int add_bytes(struct reading *r, struct err *e)
{
	struct archive_parts parts;

	if (archive_parts_find(r->m.arena, r->path, &parts, e) < 0)
		return -1;
	r->m.side->packed = parts.bytes;
	return 0;
}

int side_read_archive(struct arena *a, const char *path, struct diff_side *out, struct err *e)
{
	struct reading r = {.path = path, .dists.arena = a};
	int rc = -1;

	side_begin(&r.m, a, path, DIFF_ARCHIVE, out);
	r.in = archive_open(path, e);
	if (!r.in)
		return -1;
	if (read_members(&r, e) == 0) {
		settle_dists(&r);
		rc = side_finish_files(&r.m, e);
	}
	if (rc == 0)
		rc = add_bytes(&r, e);
	if (rc == 0)
		side_finish(&r.m);
	archive_close(r.in);
	buf_release(&r.body);
	arena_release(&r.scratch);
	return rc;
}
