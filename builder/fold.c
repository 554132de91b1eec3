#include "builder/fold.h"

#include "base/file.h"
#include "base/table.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool has_upper(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (is_upper(s.p[i]))
			return true;
	return false;
}

static struct str folded(struct arena *a, struct str s)
{
	char *p = arena_alloc(a, s.n + 1);

	for (size_t i = 0; i < s.n; i++)
		p[i] = is_upper(s.p[i]) ? (char)(s.p[i] + ('a' - 'A')) : s.p[i];
	return str_n(p, s.n);
}

/*
 * Most paths have no capital and are their own folded form, so only the others are entered in a
 * table; capitals come first in the order of bytes, so that the pair is seen at the later path.
 */
size_t fold_pairs(
	const struct str *paths, size_t n, void (*found)(void *ctx, size_t a, size_t b), void *ctx)
{
	CLEANUP_ARENA a = {0};
	struct table seen = {.arena = &a};
	size_t pairs = 0;

	for (size_t i = 0; i < n; i++) {
		bool upper = has_upper(paths[i]);
		struct str key = upper ? folded(&a, paths[i]) : paths[i];
		union table_value *v = table_get(&seen, key);

		if (v) {
			pairs++;
			found(ctx, v->num, i);
		} else if (upper) {
			table_put(&seen, key)->num = i;
		}
	}
	return pairs;
}

bool fold_is_done_by(int dir)
{
	char name[64], other[64];
	struct stat st;

	snprintf(name, sizeof name, ".envbuild-Case-%ld", (long)getpid());
	snprintf(other, sizeof other, ".envbuild-cASE-%ld", (long)getpid());
	CLEANUP_FD fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return false;
	bool folds = fstatat(dir, other, &st, AT_SYMLINK_NOFOLLOW) == 0;
	unlinkat(dir, name, 0);
	return folds;
}
