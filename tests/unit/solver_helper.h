/*
 * For tests of the solver: files below the project's root, real data, indexes made of a few lines.
 */
#ifndef TESTS_SOLVER_HELPER_H
#define TESTS_SOLVER_HELPER_H

#include "base/archive.h"
#include "base/json.h"
#include "solver/universe.h"
#include "tests/unit/solver_files.h"

#include <unistd.h>

/* A path below the project's root, from any folder in it. */
UNUSED static const char *root_path(struct arena *a, const char *rel)
{
	char *up = arena_strdup(a, "");

	for (int i = 0; i < 16; i++) {
		if (path_exists(arena_printf(a, "%stests/lib.sh", up)))
			return arena_printf(a, "%s%s", up, rel);
		up = arena_printf(a, "%s../", up);
	}
	return rel;
}

/* A path in the shared data, or NULL where that is absent. */
UNUSED static const char *shared_path(struct arena *a, const char *rel)
{
	const char *dir = getenv("ENVBUILD_SHARED_DATA");

	if (!dir || !*dir)
		dir = root_path(a, "../shared/data");
	dir = arena_printf(a, "%s/%s", dir, rel);
	return path_exists(dir) ? dir : NULL;
}

/* Decompresses a file of the shared data into dir; the path of the result. */
UNUSED static char *unpack_index(
	struct arena *a, const char *from, const char *dir, const char *name)
{
	char *to = path_join(a, dir, name), piece[1 << 16];
	struct err e = {0};
	struct unpacker *in = unpacker_open_path(from, &e);
	CLEANUP_FILE_OUT out = {.fd = -1};
	ptrdiff_t n;

	if (!in || file_begin(&out, to, 0644, &e) < 0)
		fail_msg("%s", e.text);
	while ((n = unpacker_read(in, piece, sizeof piece, &e)) > 0)
		if (write_full(out.fd, piece, (size_t)n, &e) < 0)
			n = -1;
	unpacker_close(in);
	if (n < 0 || file_commit(&out, &e) < 0)
		fail_msg("%s", e.text);
	return to;
}

/* Adds text as an index of the channel. */
UNUSED static int add_text(struct index *ix, const char *dir, struct str text,
	const struct channel *channel, unsigned position, const char *subdir, struct err *e)
{
	struct arena a = {0};
	static unsigned counter;
	char *path = arena_printf(&a, "%s/%u.json", dir, ++counter);
	int rc = file_write(path, text, 0644, e);

	if (rc == 0)
		rc = index_add_file(ix, path, channel, position, str_of(subdir), e);
	arena_release(&a);
	return rc;
}

/* All that an index has of a name, with depends. */
UNUSED static size_t records_of(
	struct arena *a, const struct index *ix, struct str name, struct record **out)
{
	struct {
		struct record *v;
		size_t n, cap;
	} all = {0};
	struct err e = {0};

	for (size_t s = 0; s < ix->sources.n; s++) {
		struct index_group g;

		if (index_group(ix, s, name, &g, &e) != 1)
			continue;
		for (size_t i = 0; i < g.n_builds; i++) {
			const struct group_needs list = g.builds[i].depends;
			struct record *r = VEC_PUSH(a, &all);

			group_record(&g, i, r);
			r->n_depends = list.n;
			r->depends = arena_array(a, struct str, list.n);
			for (size_t k = 0; k < list.n; k++)
				if (index_spec(ix, s, g.specs[list.at + k], &r->depends[k], &e) < 0)
					fail_msg("%s", e.text);
		}
	}
	*out = all.v;
	return all.n;
}

/* The words of a text, split at white space. */
struct words {
	struct str *v;
	size_t n, cap;
};
UNUSED static struct words split_words(struct arena *a, struct str text)
{
	struct words w = {0};
	struct str rest = str_trim(text);

	while (rest.p && rest.n) {
		struct str word = str_cut(&rest, ' ');

		if (word.n)
			*VEC_PUSH(a, &w) = word;
	}
	return w;
}

/* Requests made of words, one line each. */
UNUSED static struct spec_line *lines_of(struct arena *a, const struct words *w)
{
	struct spec_line *lines = arena_array(a, struct spec_line, w->n);

	for (size_t i = 0; i < w->n; i++)
		lines[i] = (struct spec_line){w->v[i], (int)i + 1, 5};
	return lines;
}

#endif
