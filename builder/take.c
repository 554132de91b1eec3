#include "builder/take.h"

#include "base/file.h"
#include "base/log.h"
#include "builder/entry.h"
#include "builder/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int cache_clock(const struct cache *c, int64_t *now, struct err *e)
{
	struct arena a = {0};
	char *dir = dir_temp(&a, path_join(&a, c->dir, "tmp"), "clock", e);
	struct stat st;
	int rc = -1;

	if (dir && stat(dir, &st) < 0)
		err_sys(e, "cannot look at '%s'", dir);
	else if (dir)
		rc = 0;
	if (rc == 0)
		*now = st.st_mtime;
	if (dir)
		dir_remove(dir, NULL);
	arena_release(&a);
	return rc;
}

static bool used_since(const char *path, int64_t before)
{
	struct stat st;

	return lstat(path, &st) == 0 && st.st_mtime > before;
}

/* A full disk, which cleaning is to mend, may have no room for a folder of its own. */
static char *without_folder(struct arena *a, const char *tmp, const char *path)
{
	return arena_printf(a, "%s/.gone.%s.%ld", tmp, path_base(path), (long)getpid());
}

enum taken cache_take(const struct cache *c, const char *rel, int64_t before)
{
	struct arena a = {0};
	char *path = path_join(&a, c->dir, rel), *tmp = path_join(&a, c->dir, "tmp"), *temp, *moved;
	enum taken answer = TAKEN_GONE;
	int why = 0;

	if (used_since(path, before)) {
		answer = TAKEN_USED;
	} else {
		temp = dir_temp(&a, tmp, "gone", NULL);
		moved = temp ? path_join(&a, temp, "entry") : without_folder(&a, tmp, path);
		if (rename(path, moved) == 0)
			answer = TAKEN;
		else
			why = errno;
		/* Whoever touched it before the rename thinks that he has it. */
		if (answer == TAKEN && used_since(moved, before) && rename(moved, path) == 0)
			answer = TAKEN_USED;
		dir_remove(temp ? temp : moved, NULL);
	}
	arena_release(&a);
	errno = why;
	return answer;
}

size_t cache_missing(const struct cache *c, struct record *const *records, size_t n, bool *marked)
{
	size_t missing = 0;

	for (size_t i = 0; i < n; i++) {
		struct arena a = {0};
		uint8_t key[SHA256_LEN];
		char hex[SHA256_HEX + 1] = "";

		marked[i] = !entry_key(c, records[i], key);
		if (!marked[i]) {
			hex_encode(key, SHA256_LEN, hex);
			marked[i] = !cache_find(&a, c, arena_printf(&a, "pkgs/%.2s/%s", hex, hex));
		}
		missing += marked[i];
		arena_release(&a);
	}
	return missing;
}

void cache_drop(const struct cache *c, struct record *const *records, const bool *marked, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t key[SHA256_LEN];
		char hex[SHA256_HEX + 1], rel[SHA256_HEX + 16];

		if (!marked[i] || !entry_key(c, records[i], key))
			continue;
		hex_encode(key, SHA256_LEN, hex);
		snprintf(rel, sizeof rel, "pkgs/%.2s/%s", hex, hex);
		cache_take(c, rel, INT64_MAX);
	}
}

/* Of entries that are there: those whose files were changed are taken out; the count. */
static size_t drop_changed(const struct cache *c, struct record *const *records, size_t n)
{
	size_t changed = 0;

	for (size_t i = 0; i < n; i++) {
		if (!entry_usable(c, records[i]) || entry_intact(c, records[i]))
			continue;
		log_warn("package '%.*s' was changed in the cache: it is made anew",
			STR_ARG(records[i]->fn));
		changed++;
	}
	return changed;
}

bool cache_lost(const struct cache *c, struct record *const *records, size_t n, const struct err *e)
{
	struct arena a = {0};
	bool lost;

	if (e->code == ERR_INTEGRITY)
		return drop_changed(c, records, n) > 0;
	/* An entry that was taken and put back again is there by now. */
	lost = e->sys == ENOENT || cache_missing(c, records, n, arena_array(&a, bool, n)) > 0;
	arena_release(&a);
	return lost;
}
