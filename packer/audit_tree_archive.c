/* An archive of envbuild or conda-pack: one pass over its members, nothing is unpacked. */
#include "base/file.h"
#include "builder/dist_rows.h"
#include "packer/archive_pass.h"
#include "packer/audit_look.h"
#include "packer/audit_owners.h"
#include "packer/audit_symbols.h"
#include "packer/audit_tree.h"
#include "packer/papers.h"
#include "packer/sums.h"

/* A Python distribution while its files come, in whatever order. */
struct half_dist {
	struct str anchor, name, version;
	struct {
		struct str *v;
		size_t n, cap;
	} files;
};

/* A hard link: what its target is it is as well. */
struct hard_link {
	struct str path, target;
	mode_t mode;
};

struct reading {
	struct archive_pass pass;
	struct audit_looking buffers;
	struct audit_growing g;
	struct {
		struct audit_look *v;
		size_t n, cap;
	} looks; /* of each file of g */
	struct audit_owners owners;
	struct installed installed;
	struct {
		struct hard_link *v;
		size_t n, cap;
	} links;
	struct manifest manifest;
	bool has_manifest, has_sums, has_target;
};

/* --- what it says of itself ------------------------------------------------------------------- */

static int read_metadata(struct reading *r, struct str path, struct half_dist *d, struct err *e)
{
	struct arena *a = r->pass.a;
	struct dist dist;
	struct str text;
	int rc = archive_pass_metadata(&r->pass, &dist, &text, e);

	if (rc <= 0)
		return rc;
	d->anchor = arena_str(a, path);
	d->name = arena_str(a, dist.given_name);
	d->version = arena_str(a, dist.version);
	return 0;
}

static int read_rows(struct reading *r, struct str folder, struct half_dist *d, struct err *e)
{
	struct str site = str_sub(folder, 0, (size_t)str_rchr(folder, '/')), text;
	struct dist_row row;

	if (archive_pass_text(&r->pass, DIST_RECORD_MAX, &text, e) < 0)
		return -1;
	while (dist_row_next(&r->pass.scratch, &text, site, true, &row))
		if (row.path.n)
			*VEC_PUSH(r->pass.a, &d->files) = arena_str(r->pass.a, row.path);
	return 0;
}

/* 1: it was one of those files; its bytes are used up. */
static int read_dist_file(struct reading *r, struct str path, struct err *e)
{
	struct str folder = dist_folder_of(path);
	bool rows = str_ends(folder, STR(".dist-info")) &&
		    str_is(str_sub(path, folder.n, path.n), "/RECORD");
	void *d;

	if (!folder.n || (!rows && !archive_pass_is_metadata(path, folder)))
		return 0;
	if (archive_pass_dist(&r->pass, folder, sizeof(struct half_dist), &d, e) < 0 ||
		(rows ? read_rows(r, folder, d, e) : read_metadata(r, path, d, e)) < 0)
		return -1;
	return 1;
}

/* As read_dist_file(). */
static int read_paper(struct reading *r, struct str path, struct err *e)
{
	if (str_is(path, PAPERS_DIR "manifest.json")) {
		r->has_manifest = true;
		return archive_pass_manifest(&r->pass, &r->manifest, e) < 0 ? -1 : 1;
	}
	if (str_is(path, SUMS_PATH)) {
		r->has_sums = true;
		return 1;
	}
	r->has_target |= str_is(path, PAPERS_DIR "profile.yml");
	if (!str_starts(path, STR("conda-meta/")))
		return read_dist_file(r, path, e);
	if (archive_pass_is_record(path))
		return archive_pass_record(&r->pass, path, e) < 0 ? -1 : 1;
	return 1;
}

/* --- members ---------------------------------------------------------------------------------- */

static struct audit_look *add_file(
	struct reading *r, struct str path, enum path_type type, mode_t mode, struct str link)
{
	audit_growing_file(&r->g, path, -1, type, mode)->link = link;
	*VEC_PUSH(r->pass.a, &r->looks) = (struct audit_look){0};
	return &r->looks.v[r->looks.n - 1];
}

static int read_file(struct reading *r, const struct member *m, struct str path, struct err *e)
{
	struct audit_subject s = {.path = path,
		.size = m->size == UINT64_MAX ? 0 : m->size,
		.mode = m->mode,
		.read = archive_read,
		.ctx = r->pass.in,
		.fd = -1,
		.declared_later = true};
	struct audit_look *look;
	int paper = read_paper(r, path, e);

	if (paper < 0)
		return -1;
	if (str_starts(path, STR("conda-meta/")))
		return 0;
	look = add_file(r, path, PATH_FILE, m->mode & 0777, (struct str){0});
	return paper || m->size == 0 ? 0 : audit_look(&r->buffers, r->pass.a, &s, look, e);
}

static int take_member(void *ctx, const struct member *m, struct err *e)
{
	struct reading *r = ctx;
	struct str path = arena_str(r->pass.a, m->path);

	if (m->type == MEMBER_FILE)
		return read_file(r, m, path, e);
	if (m->type == MEMBER_HARDLINK)
		*VEC_PUSH(r->pass.a, &r->links) =
			(struct hard_link){path, arena_str(r->pass.a, m->link), m->mode & 0777};
	else
		add_file(r, path, PATH_SOFTLINK, 0777, arena_str(r->pass.a, m->link));
	return 0;
}

static int read_members(struct reading *r, struct err *e)
{
	if (archive_pass_members(&r->pass, take_member, r, e) < 0)
		return -1;
	if (r->has_manifest && !r->has_sums)
		return archive_cut_off(r->pass.in, SUMS_PATH, e);
	if (r->installed.n == 0 && !r->has_manifest) {
		err_set(e, ERR_USAGE, "no environment is in '%s': no record in conda-meta",
			r->pass.path);
		return err_advise(e, "envbuild and conda-pack make archives with records");
	}
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void add_packages(struct reading *r)
{
	audit_owners_begin(&r->owners, &r->g);
	audit_owners_installed(&r->owners, &r->installed);
	for (size_t i = 0; i < r->pass.dists.n; i++) {
		const struct half_dist *d = r->pass.dists.entries[i].value.ptr;

		if (d->name.n)
			audit_owners_dist(
				&r->owners, d->anchor, d->name, d->version, d->files.v, d->files.n);
	}
}

/* Placeholders that stand for the place unpacked to, by path. */
static void find_declared(const struct reading *r, struct table *declared)
{
	declared->arena = r->pass.a;
	for (size_t i = 0; i < r->installed.n; i++)
		for (size_t k = 0; k < r->installed.v[i].n_paths; k++) {
			struct installed_path *p = &r->installed.v[i].paths[k];

			if (p->placeholder.n)
				table_put(declared, p->path)->ptr = p;
		}
}

static void leave_out_own(struct str *leftover, struct str behind, struct str own)
{
	if (str_starts(*leftover, own))
		*leftover = str_starts(behind, own) ? (struct str){0} : behind;
}

static int settle_file(struct reading *r, size_t i, const struct table *declared, struct err *e)
{
	struct audit_file *f = &r->g.files.v[i];
	struct audit_look *look = &r->looks.v[i];
	const union table_value *v = table_get(declared, f->path);
	struct str own = v ? ((const struct installed_path *)v->ptr)->placeholder : (struct str){0};

	if (own.n)
		leave_out_own(look->binary ? &look->binary->leftover : &look->leftover,
			look->behind, own);
	audit_look_unpacked(r->pass.a, look, own);
	audit_look_unpacked(r->pass.a, look, r->manifest.build_prefix);
	audit_look_unpacked(r->pass.a, look, r->manifest.dest_prefix);
	f->package = audit_owners_of(&r->owners, f->path);
	f->interpreter = look->interpreter;
	f->leftover = look->leftover;
	return look->binary ? audit_growing_binary(&r->g, f, look->binary, e) : 0;
}

/* As tar makes them: one leads to what came before it, be it a link itself. */
static int settle_links(struct reading *r, struct err *e)
{
	struct table by_path = {.arena = r->pass.a};

	for (size_t i = 0; r->links.n && i < r->g.files.n; i++)
		table_put(&by_path, r->g.files.v[i].path)->num = i + 1;
	for (size_t i = 0; i < r->links.n; i++) {
		const struct hard_link *l = &r->links.v[i];
		const union table_value *v = table_get(&by_path, l->target);
		const struct audit_file *target = v ? &r->g.files.v[v->num - 1] : NULL;
		struct audit_look look;

		if (!target) {
			err_set(e, ERR_INTEGRITY,
				"'%.*s' is a hard link to '%.*s', which is not there",
				STR_ARG(l->path), STR_ARG(l->target));
			return archive_pass_error(&r->pass, e);
		}
		look = r->looks.v[v->num - 1];
		*add_file(r, l->path, target->type, l->mode, target->link) = look;
		table_put(&by_path, l->path)->num = r->g.files.n;
	}
	return 0;
}

static int finish(struct reading *r, struct audit_tree *out, struct err *e)
{
	struct table declared = {0};
	size_t n;

	if (installed_sort(&r->installed, e) < 0)
		return archive_pass_error(&r->pass, e);
	add_packages(r);
	find_declared(r, &declared);
	if (settle_links(r, e) < 0)
		return -1;
	for (size_t i = 0; i < r->g.files.n; i++)
		if (settle_file(r, i, &declared, e) < 0)
			return archive_pass_error(&r->pass, e);
	n = r->g.files.n;
	audit_growing_finish(&r->g, r->pass.path, out);
	if (out->n_files != n) {
		err_set(e, ERR_INTEGRITY, "a path occurs twice");
		return archive_pass_error(&r->pass, e);
	}
	out->prefix = BINARY_PREFIX;
	out->has_target = r->has_target;
	return 0;
}

int audit_tree_archive(struct arena *a, const char *archive, struct audit_tree *out, struct err *e)
{
	struct reading r = {.g.a = a};
	int rc = -1;

	if (archive_pass_begin(&r.pass, a, archive, &r.installed, e) == 0 &&
		read_members(&r, e) == 0)
		rc = finish(&r, out, e);
	archive_pass_end(&r.pass);
	audit_looking_release(&r.buffers);
	if (rc == 0)
		audit_symbols_of_archive(a, out, archive);
	return rc;
}
