#include "packer/parts.h"

#include "base/file.h"
#include "packer/pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct archive_file {
	const struct archive_parts *parts; /* the caller's */
	int *fds;
};

/* --- which files ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* ".00" to ".89" */
static bool ends_short(struct str p)
{
	return p.n > 3 && p.p[p.n - 3] == '.' && is_digit(p.p[p.n - 2]) && p.p[p.n - 2] < '9' &&
	       is_digit(p.p[p.n - 1]);
}

/* ".9000" to ".9899" */
static bool ends_long(struct str p)
{
	return p.n > 5 && p.p[p.n - 5] == '.' && p.p[p.n - 4] == '9' && is_digit(p.p[p.n - 3]) &&
	       p.p[p.n - 3] < '9' && is_digit(p.p[p.n - 2]) && is_digit(p.p[p.n - 1]);
}

size_t part_ending(const char *name)
{
	struct str p = str_of(name);

	return ends_short(p) ? 3 : ends_long(p) ? 5 : 0;
}

bool part_is_of(const char *whole, const char *name)
{
	size_t n = strlen(whole);

	return strncmp(whole, name, n) == 0 && part_ending(name) &&
	       strlen(name) == n + part_ending(name);
}

static size_t part_number(const char *digits)
{
	size_t n = 0;

	for (const char *p = digits; *p; p++)
		n = 10 * n + (size_t)(*p - '0');
	return n < 9000 ? n : n - 9000 + 90;
}

/*
 * A part, or an archive whose name ends like one?  A first part always is one; another where the
 * name without it has an archive's ending.
 */
static bool is_part(const char *path)
{
	enum pack_format format;

	return str_ends(str_of(path), STR(".00")) ||
	       (part_ending(path) && pack_format_of_path(path, &format) == 0);
}

/* As `split -d` counts: 00 to 89, then 9000 to 9899. */
char *part_path(struct arena *a, const char *whole, size_t i)
{
	if (i < 90)
		return arena_printf(a, "%s.%02zu", whole, i);
	return arena_printf(a, "%s.9%03zu", whole, i - 90);
}

static void add(struct arena *a, struct archive_parts *out, char *path, const struct stat *st)
{
	if (out->n % 16 == 0) {
		char **paths = arena_array(a, char *, out->n + 16);
		uint64_t *sizes = arena_array(a, uint64_t, out->n + 16);

		if (out->n) {
			memcpy(paths, out->paths, out->n * sizeof *paths);
			memcpy(sizes, out->sizes, out->n * sizeof *sizes);
		}
		out->paths = paths;
		out->sizes = sizes;
	}
	if (out->n == 0)
		out->first = *st;
	out->paths[out->n] = path;
	out->sizes[out->n++] = (uint64_t)st->st_size;
	out->bytes += (uint64_t)st->st_size;
}

/* A part that is missing before others is known by the next of them. */
static int check_gap(struct arena *a, const struct archive_parts *parts, struct err *e)
{
	struct str base = str_of(path_base(parts->whole));
	char *folder = path_dir(a, parts->whole);
	const char *next = NULL;
	struct dirent *entry;
	DIR *dir = opendir(folder);

	while (dir && (entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (part_is_of(base.p, name) && part_number(name + base.n + 1) > parts->n &&
			(!next || part_number(name + base.n + 1) < part_number(next + base.n + 1)))
			next = arena_strdup(a, name);
	}
	if (dir)
		closedir(dir);
	if (!next)
		return 0;
	err_set(e, ERR_INTEGRITY, "'%s' is missing, but '%s' is there",
		part_path(a, parts->whole, parts->n), next);
	return err_advise(e, "bring all parts into one folder");
}

static int find_parts(struct arena *a, struct archive_parts *out, struct err *e)
{
	struct stat st;

	while (out->n < PARTS_MAX) {
		char *path = part_path(a, out->whole, out->n);

		if (stat(path, &st) < 0 && errno == ENOENT)
			break;
		if (stat(path, &st) < 0)
			return err_sys(e, "cannot read '%s'", path);
		if (!S_ISREG(st.st_mode))
			return err_set(e, ERR_USAGE, "'%s' is no file", path);
		add(a, out, path, &st);
	}
	if (check_gap(a, out, e) < 0)
		return -1;
	return out->n ? 0 : err_set(e, ERR_USAGE, "nothing stands at '%s'", out->whole);
}

int archive_parts_find(
	struct arena *a, const char *operand, struct archive_parts *out, struct err *e)
{
	struct stat st;

	*out = (struct archive_parts){.whole = arena_strdup(a, operand)};
	if (is_part(operand)) {
		out->whole = arena_cstr(a, str_n(operand, strlen(operand) - part_ending(operand)));
		if (!str_ends(str_of(operand), STR(".00"))) {
			err_set(e, ERR_USAGE, "'%s' is not the first part", operand);
			return err_advise(e, "give '%s'", out->whole);
		}
	} else if (stat(operand, &st) == 0) {
		add(a, out, out->whole, &st);
		return 0;
	} else if (errno != ENOENT) {
		return err_sys(e, "cannot read '%s'", operand);
	}
	out->split = true;
	return find_parts(a, out, e);
}

int archive_parts_advise(const struct archive_parts *parts, int rc, struct err *e)
{
	if (rc < 0 && e && e->code == ERR_INTEGRITY && parts->split && parts->n)
		err_advise(e, "'%s' is its last part here: look whether others are missing",
			parts->paths[parts->n - 1]);
	return rc;
}

/* --- as one file ------------------------------------------------------------------------------ */

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * A set that takes the place of another removes its first part before all else and brings its own
 * last: where the first is still the one found before all were opened, they belong together.
 */
static int check_same(const struct archive_parts *parts, int fd, struct err *e)
{
	struct stat there, opened;

	if (!parts->split)
		return 0;
	if (fstat(fd, &opened) == 0 && stat(parts->paths[0], &there) == 0 &&
		is_same(&opened, &parts->first) && is_same(&opened, &there))
		return 0;
	err_set(e, ERR_FAIL, "'%s' is being replaced", parts->whole);
	return err_advise(e, "run the command again");
}

struct archive_file *archive_file_open(const struct archive_parts *parts, struct err *e)
{
	struct archive_file *f = xcalloc(1, sizeof *f);

	f->parts = parts;
	if (!S_ISREG(parts->first.st_mode)) { /* opening a pipe would disturb who writes into it */
		err_set(e, ERR_USAGE, "'%s' is no file", parts->whole);
		free(f);
		return NULL;
	}
	f->fds = xcalloc(parts->n + 1, sizeof *f->fds);
	for (size_t i = 0; i < parts->n; i++)
		f->fds[i] = -1;
	for (size_t i = 0; i < parts->n; i++) {
		f->fds[i] = open(parts->paths[i], O_RDONLY | O_CLOEXEC);
		if (f->fds[i] < 0) {
			err_sys(e, "cannot open '%s'", parts->paths[i]);
			archive_file_close(f);
			return NULL;
		}
	}
	if (check_same(parts, f->fds[0], e) == 0)
		return f;
	archive_file_close(f);
	return NULL;
}

uint64_t archive_file_size(const struct archive_file *f)
{
	return f->parts->bytes;
}

ptrdiff_t archive_file_pread(struct archive_file *f, void *p, size_t n, uint64_t at, struct err *e)
{
	size_t done = 0;

	for (size_t i = 0; i < f->parts->n && done < n; i++) {
		uint64_t size = f->parts->sizes[i];

		while (done < n && at < size) {
			size_t left = n - done;
			ssize_t got = pread(f->fds[i], (char *)p + done,
				size - at < left ? (size_t)(size - at) : left, (off_t)at);

			if (got < 0 && errno == EINTR)
				continue;
			if (got < 0)
				return err_sys(e, "cannot read '%s'", f->parts->paths[i]);
			if (got == 0)
				return err_set(e, ERR_INTEGRITY,
					"'%s' became shorter while it was read",
					f->parts->paths[i]);
			done += (size_t)got;
			at += (uint64_t)got;
		}
		at -= at < size ? at : size;
	}
	return (ptrdiff_t)done;
}

void archive_file_close(struct archive_file *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < f->parts->n; i++)
		if (f->fds[i] >= 0)
			close(f->fds[i]);
	free(f->fds);
	free(f);
}
