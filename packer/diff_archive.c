/* An archive as a side of a comparison: one pass over its members, nothing is unpacked. */
#include "packer/diff_side.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "packer/archive_pass.h"
#include "packer/papers.h"
#include "packer/sums.h"

enum {
	AUDIT_MAX = 256 << 20,
	SUMS_MAX = 1 << 30,
	DIRECT_URL_MAX = 1 << 20,
	CHUNK = 1 << 16,
};
/* Of a binary file, which is held in memory. */
static const uint64_t ELF_MAX = UINT64_C(4) << 30;

struct reading {
	struct side_maker m;
	struct archive_pass pass;
	struct buf body;
	bool has_manifest, has_sums, audited;
};

/* --- papers and records ----------------------------------------------------------------------- */

static int read_manifest(struct reading *r, struct err *e)
{
	struct manifest manifest;

	if (archive_pass_manifest(&r->pass, &manifest, e) < 0)
		return -1;
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
	if (archive_pass_text(&r->pass, SUMS_MAX, &text, e) < 0)
		return -1;
	return sums_read(&r->m.sums, text, e) < 0 ? archive_pass_error(&r->pass, e) : 0;
}

/* What packages' files need stands there; the files that are of no package come after the records. */
static int read_audit(struct reading *r, struct err *e)
{
	struct str text, floor;

	if (archive_pass_text(&r->pass, AUDIT_MAX, &text, e) < 0)
		return -1;
	floor = side_audit_floor(r->m.arena, text);
	side_raise_floor(r->m.side, floor);
	r->audited = floor.n > 0;
	return 0;
}

/* --- Python distributions --------------------------------------------------------------------- */

static int read_metadata(struct reading *r, struct str path, struct side_dist *d, struct err *e)
{
	struct arena *a = r->m.arena;
	struct dist dist;
	struct str text;
	int rc = archive_pass_metadata(&r->pass, &dist, &text, e);

	if (rc <= 0)
		return rc;
	d->anchor = arena_str(a, path);
	d->name = arena_str(a, dist.given_name);
	d->version = arena_str(a, dist.version);
	d->license = arena_str(a, side_metadata_license(text));
	return 0;
}

static int read_dist_file(struct reading *r, struct str path, struct str folder, struct err *e)
{
	bool url = str_is(str_sub(path, folder.n, path.n), "/direct_url.json");
	struct side_dist *d;
	struct str text;
	void *kept;

	if (!url && !archive_pass_is_metadata(path, folder))
		return 0;
	if (archive_pass_dist(&r->pass, folder, sizeof *d, &kept, e) < 0)
		return -1;
	d = kept;
	if (!url)
		return read_metadata(r, path, d, e);
	if (archive_pass_text(&r->pass, DIRECT_URL_MAX, &text, e) < 0)
		return -1;
	d->commit = side_direct_commit(r->m.arena, text);
	return 0;
}

/* Folders that turned out to have no METADATA are none. */
static void add_dists(struct reading *r)
{
	for (size_t i = 0; i < r->pass.dists.n; i++) {
		const struct side_dist *d = r->pass.dists.entries[i].value.ptr;

		if (d->name.n)
			*VEC_PUSH(r->m.arena, &r->m.dists) = *d;
	}
}

/* --- members ---------------------------------------------------------------------------------- */

static int look_for_floor(struct reading *r, const struct member *m, struct err *e)
{
	struct str path;
	ptrdiff_t n = 0;

	arena_reset(&r->pass.scratch);
	path = arena_str(&r->pass.scratch, m->path);
	buf_clear(&r->body);
	do {
		char *room = buf_room(&r->body, CHUNK);

		if (interrupt_check(e) < 0 || (n = archive_read(r->pass.in, room, CHUNK, e)) < 0)
			return -1;
		r->body.n += (size_t)n;
		if (r->body.n >= 4 && !floor_is_elf(buf_view(&r->body)))
			return 0;
	} while (n > 0 && r->body.n <= ELF_MAX);
	if (n == 0)
		return floor_add(&r->m.floor, path, buf_view(&r->body), e);
	log_warn("'%.*s' in '%s' is too large to be looked at for the glibc that it needs",
		STR_ARG(path), r->pass.path);
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
	if (archive_pass_is_record(path))
		return archive_pass_record(&r->pass, path, e);
	if (folder.n)
		return read_dist_file(r, path, folder, e);
	if (m->size < 64 || (r->audited && r->m.installed.n == 0))
		return 0;
	return look_for_floor(r, m, e);
}

static int take_member(void *ctx, const struct member *m, struct err *e)
{
	struct reading *r = ctx;
	struct diff_file f = {.path = m->path};

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
	if (archive_pass_members(&r->pass, take_member, r, e) < 0)
		return -1;
	if (r->has_manifest && !r->has_sums)
		return err_set(e, ERR_INTEGRITY,
			"'%s' ends before '" SUMS_PATH "': it is not whole", r->pass.path);
	if (r->m.installed.n == 0 && !r->has_manifest) {
		err_set(e, ERR_USAGE, "no environment is in '%s': no record in conda-meta",
			r->pass.path);
		return err_advise(e, "name archives, locks or folders of environments");
	}
	return installed_sort(&r->m.installed, e) < 0 ? archive_pass_error(&r->pass, e) : 0;
}

static int add_bytes(struct reading *r, struct err *e)
{
	struct archive_parts parts;

	if (archive_parts_find(r->m.arena, r->pass.path, &parts, e) < 0)
		return -1;
	r->m.side->packed = parts.bytes;
	return 0;
}

int side_read_archive(struct arena *a, const char *path, struct diff_side *out, struct err *e)
{
	struct reading r = {0};
	int rc = -1;

	side_begin(&r.m, a, path, DIFF_ARCHIVE, out);
	if (archive_pass_begin(&r.pass, a, path, &r.m.installed, e) == 0 &&
		read_members(&r, e) == 0) {
		add_dists(&r);
		rc = side_finish_files(&r.m, e);
	}
	if (rc == 0)
		rc = add_bytes(&r, e);
	if (rc == 0)
		side_finish(&r.m);
	archive_pass_end(&r.pass);
	buf_release(&r.body);
	return rc;
}
