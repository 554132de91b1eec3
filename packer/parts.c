#include "packer/parts.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct archive_file {
	const struct archive_parts *parts; /* the caller's */
	int *fds;
};

/* --- which files ------------------------------------------------------------------------------ */

/* Is it the name of a first part, ".../NAME.00"? */
static bool is_first_part(const char *path)
{
	return str_ends(str_of(path), STR(".00"));
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
	out->paths[out->n] = path;
	out->sizes[out->n++] = (uint64_t)st->st_size;
	out->bytes += (uint64_t)st->st_size;
}

/* A part that is missing between two is known by the next one. */
static int check_gap(struct arena *a, const struct archive_parts *parts, struct err *e)
{
	char *next = part_path(a, parts->whole, parts->n + 1);

	if (!path_exists(next))
		return 0;
	err_set(e, ERR_INTEGRITY, "'%s' is missing, but '%s' is there",
		part_path(a, parts->whole, parts->n), next);
	return err_advise(e, "bring all parts into one folder");
}

static int find_parts(struct arena *a, struct archive_parts *out, struct err *e)
{
	struct stat st;

	for (;;) {
		char *path = part_path(a, out->whole, out->n);

		if (out->n == PARTS_MAX)
			return err_set(e, ERR_INTEGRITY, "'%s' has more than %d parts", out->whole,
				PARTS_MAX);
		if (stat(path, &st) < 0 && errno == ENOENT)
			break;
		if (stat(path, &st) < 0)
			return err_sys(e, "cannot read '%s'", path);
		if (!S_ISREG(st.st_mode))
			return err_set(e, ERR_USAGE, "'%s' is no file", path);
		add(a, out, path, &st);
	}
	if (out->n == 0)
		return err_set(e, ERR_USAGE, "nothing stands at '%s'", out->whole);
	return check_gap(a, out, e);
}

int archive_parts_find(
	struct arena *a, const char *operand, struct archive_parts *out, struct err *e)
{
	struct stat st;

	*out = (struct archive_parts){.whole = arena_strdup(a, operand)};
	if (is_first_part(operand)) {
		out->whole = arena_cstr(a, str_n(operand, strlen(operand) - 3));
	} else if (stat(operand, &st) == 0) {
		add(a, out, out->whole, &st);
		return 0;
	} else if (errno != ENOENT) {
		return err_sys(e, "cannot read '%s'", operand);
	}
	out->split = true;
	return find_parts(a, out, e);
}

/* --- as one file ------------------------------------------------------------------------------ */

struct archive_file *archive_file_open(const struct archive_parts *parts, struct err *e)
{
	struct archive_file *f = xcalloc(1, sizeof *f);

	f->parts = parts;
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
	return f;
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
