/* An installed environment, or an unpacked archive, as a side of a comparison. */
#include "packer/diff_side.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/mapped.h"
#include "builder/dist.h"
#include "builder/dist_rows.h"
#include "builder/python.h"
#include "packer/manifest.h"
#include "packer/sums.h"

#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { SUMS_MAX = 1 << 30, DIRECT_URL_MAX = 1 << 20 };

struct walk {
	struct side_maker *m;
	int fd;
	const char *root;
};

/* --- the tree --------------------------------------------------------------------------------- */

/* A file that cannot be opened tells no floor, and is there all the same. */
static int look_for_floor(struct walk *w, const char *rel, struct err *e)
{
	CLEANUP_FD fd = openat(w->fd, rel, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct str bytes;
	char head[4];
	int r;

	if (fd < 0 || read_full(fd, head, sizeof head) != sizeof head ||
		!floor_is_elf(str_n(head, sizeof head)))
		return 0;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "cannot read '%s/%s'", w->root, rel);
	mapped_guard(bytes);
	r = floor_add(&w->m->floor, str_of(rel), bytes, e);
	if (mapped_was_cut() && r == 0)
		r = err_set(e, ERR_INTEGRITY, "'%s/%s' was cut while it was read", w->root, rel);
	file_unmap(bytes);
	return r;
}

static int visit_link(struct walk *w, const char *rel, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(w->fd, rel, target, sizeof target);
	struct diff_file f = {
		.path = str_of(rel), .is_link = true, .link = str_n(target, n < 0 ? 0 : (size_t)n)};

	return side_add_file(w->m, &f, e);
}

/* conda itself keeps packages and environments below its own. */
static bool is_of_others(const struct walk *w, struct str path)
{
	return w->m->installed.base && (str_is(path, "pkgs") || str_is(path, "envs"));
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct walk *w = ctx;
	struct diff_file f = {.path = str_of(rel), .has_size = true, .size = (uint64_t)st->st_size};

	if (installed_is_mark(f.path) || is_of_others(w, f.path))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (S_ISLNK(st->st_mode))
		return visit_link(w, rel, e);
	if (!S_ISREG(st->st_mode))
		return 0;
	if (interrupt_check(e) < 0 || side_add_file(w->m, &f, e) < 0)
		return -1;
	return st->st_size < 64 ? 0 : look_for_floor(w, rel, e);
}

/* --- sums ------------------------------------------------------------------------------------- */

/* What an unpacked archive was packed with: relocation has changed bytes since. */
static int read_sums(struct walk *w, struct err *e)
{
	struct str text;
	struct stat st;

	if (fstatat(w->fd, SUMS_PATH, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	if (file_read_at(w->m->arena, w->fd, SUMS_PATH, SUMS_MAX, &text, e) < 0)
		return -1;
	return sums_read(&w->m->sums, text, e);
}

/* pip's own sums; of scripts, which hold the prefix, they mean nothing elsewhere. */
static uint8_t *sum_of(struct walk *w, struct str site, const struct dist_row *row)
{
	uint8_t *sum;

	if (!row->has_sha256 || !str_starts(row->path, site))
		return NULL;
	sum = arena_alloc(w->m->arena, SHA256_LEN);
	memcpy(sum, row->sha256, SHA256_LEN);
	return sum;
}

static void read_rows(struct walk *w, struct str site, struct str dist)
{
	const char *path = arena_printf(w->m->arena, "%.*s/RECORD", STR_ARG(dist));
	struct dist_row row;
	struct str text;
	struct stat st;

	if (fstatat(w->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
		file_read_at(w->m->arena, w->fd, path, DIST_RECORD_MAX, &text, NULL) < 0)
		return;
	while (dist_row_next(w->m->arena, &text, site, true, &row))
		if (!table_get(&w->m->rows, row.path))
			table_put(&w->m->rows, row.path)->ptr = sum_of(w, site, &row);
}

/* --- Python distributions --------------------------------------------------------------------- */

/* A text of the distribution's folder; empty where it has none. */
static struct str text_of(struct walk *w, struct str path, size_t max)
{
	const char *rel = arena_cstr(w->m->arena, path);
	struct str text = {0};
	struct stat st;

	if (fstatat(w->fd, rel, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode) ||
		file_read_at(w->m->arena, w->fd, rel, max, &text, NULL) < 0)
		return (struct str){0};
	return text;
}

static void add_dist(struct walk *w, struct str site, const struct installed_dist *d)
{
	struct arena *a = w->m->arena;
	struct side_dist *out = VEC_PUSH(a, &w->m->dists);
	struct str url = arena_strf(a, "%.*s/direct_url.json", STR_ARG(d->path));

	*out = (struct side_dist){.anchor = dist_anchor(w->m->arena, w->fd, d->path),
		.name = d->dist.given_name,
		.version = d->dist.version};
	out->license = side_metadata_license(text_of(w, out->anchor, DIST_TEXT_MAX));
	out->commit = side_direct_commit(a, text_of(w, url, DIRECT_URL_MAX));
	read_rows(w, site, d->path);
}

static int read_dists(struct walk *w, struct err *e)
{
	struct installed_dists dists;
	struct python python;

	if (!installed_python(w->m->arena, &w->m->installed, &python))
		return 0;
	if (dists_installed(w->m->arena, w->fd, python.site_packages, &dists, e) < 0)
		return -1;
	for (size_t i = 0; i < dists.n; i++)
		add_dist(w, python.site_packages, &dists.v[i]);
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int read_papers(struct side_maker *m, const char *path, struct err *e)
{
	struct manifest manifest;
	int there = manifest_read(m->arena, path, &manifest, e);

	if (there > 0) {
		m->side->name = manifest.name;
		m->side->version = manifest.version;
		m->side->target = manifest.target;
	}
	return there;
}

int side_read_prefix(struct arena *a, const char *path, struct diff_side *out, struct err *e)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct side_maker m;
	struct walk w = {&m, fd, path};

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	side_begin(&m, a, path, DIFF_PREFIX, out);
	if (read_papers(&m, path, e) < 0)
		return -1;
	if (installed_read(a, fd, &m.installed, e) < 0 || read_sums(&w, e) < 0 ||
		read_dists(&w, e) < 0 || dir_walk(fd, visit, &w, e) != 0 ||
		side_finish_files(&m, e) < 0)
		return err_wrap(e, "in '%s'", path);
	if (m.installed.unfinished || m.installed.transaction)
		log_warn("a run that changed '%s' did not come to its end", path);
	side_finish(&m);
	return 0;
}
