#include "images/whiteout.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_DEPTH = 500 }; /* one descriptor a level */

struct owned_key {
	char bytes[sizeof(ino_t) + 256];
	size_t n;
};

/* false where the folder cannot be looked at. */
static bool make_key(struct owned_key *key, int dir, const char *name)
{
	struct stat st;
	size_t n = strlen(name);

	if (fstat(dir, &st) < 0 || n > 255)
		return false;
	memcpy(key->bytes, &st.st_ino, sizeof st.st_ino);
	memcpy(key->bytes + sizeof st.st_ino, name, n);
	key->n = sizeof st.st_ino + n;
	return true;
}

void owned_add(struct owned *o, int dir, const char *name)
{
	struct owned_key key;

	if (!make_key(&key, dir, name) || table_get(&o->table, str_n(key.bytes, key.n)))
		return;
	table_put(&o->table, arena_str(o->table.arena, str_n(key.bytes, key.n)))->num = 1;
}

bool is_owned(const struct owned *o, int dir, const char *name)
{
	struct owned_key key;

	return make_key(&key, dir, name) && table_get(&o->table, str_n(key.bytes, key.n));
}

static int empty(const struct owned *o, int dir, int depth, struct err *e);

static int take(const struct owned *o, int dir, const char *name, int depth, struct err *e)
{
	bool keep = is_owned(o, dir, name);
	CLEANUP_FD fd = -1;
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at '%s'", name);
	if (!S_ISDIR(st.st_mode)) {
		if (keep || unlinkat(dir, name, 0) == 0)
			return 0;
		return err_sys(e, "cannot remove '%s'", name);
	}
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open the folder '%s'", name);
	if (empty(o, fd, depth, e) < 0)
		return -1;
	if (!keep && unlinkat(dir, name, AT_REMOVEDIR) < 0 && errno != ENOTEMPTY && errno != EEXIST)
		return err_sys(e, "cannot remove the folder '%s'", name);
	return 0;
}

struct emptying {
	const struct owned *o;
	int dir, depth;
};

/* Only of the top: what lies deeper is for take(). */
static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	const struct emptying *w = ctx;

	if (take(w->o, w->dir, rel, w->depth + 1, e) < 0)
		return -1;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int empty(const struct owned *o, int dir, int depth, struct err *e)
{
	struct emptying w = {o, dir, depth};

	if (depth > MAX_DEPTH)
		return err_set(e, ERR_INTEGRITY, "folders nested over %d levels", MAX_DEPTH);
	return dir_walk(dir, visit, &w, e);
}

int whiteout_one(const struct owned *o, int dir, const char *name, struct err *e)
{
	return o->table.n == 0 ? dir_remove_at(dir, name, e) : take(o, dir, name, 0, e);
}

int whiteout_all(const struct owned *o, int dir, struct err *e)
{
	CLEANUP_FD fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open the folder");
	return empty(o, fd, 0, e);
}
