#include "solver/source_sum.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_FILES = 1000000, PIECE = 64 << 10 };

struct sum {
	struct hash *hash;
	int fd; /* of the folder */
	size_t n;
};

static bool is_one_of(struct str name, const char *const *list)
{
	for (; *list; list++)
		if (str_is(name, *list))
			return true;
	return false;
}

/* Locks, which hold this very sum, and archives are written beside what they are made of. */
static bool is_ours(struct str rel)
{
	static const char *const endings[] = {
		".tar", ".tar.gz", ".tar.zst", ".squashfs", ".sha256", ".run.json"};

	if (str_chr(rel, '/') >= 0)
		return false;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
		if (str_ends(rel, str_of(endings[i])))
			return true;
	return str_is(rel, "envbuild.lock");
}

/* What building, testing and version control leave behind. */
static bool left_out(struct str rel, bool folder)
{
	static const char *const anywhere[] = {".git", ".hg", ".svn", "__pycache__", ".tox", ".nox",
		".venv", ".mypy_cache", ".pytest_cache", NULL};
	static const char *const top[] = {"build", "dist", NULL};
	struct str name = str_base(rel);

	if (!folder)
		return str_ends(name, STR(".pyc")) || str_is(rel, ".git") || is_ours(rel);
	return is_one_of(name, anywhere) || is_one_of(rel, top) || str_ends(name, STR(".egg-info"));
}

static void add_head(struct sum *s, char type, struct str path, uint64_t size)
{
	char head[32];
	int n = snprintf(head, sizeof head, "%llu", (unsigned long long)size);

	hash_update(s->hash, &type, 1);
	hash_update(s->hash, path.p, path.n);
	hash_update(s->hash, "", 1);
	hash_update(s->hash, head, (size_t)n + 1);
}

static int add_content(struct sum *s, const char *rel, uint64_t size, struct err *e)
{
	CLEANUP_FD fd = openat(s->fd, rel, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	char piece[PIECE];
	uint64_t seen = 0;
	ssize_t n;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", rel);
	while ((n = read_full(fd, piece, sizeof piece)) > 0) {
		hash_update(s->hash, piece, (size_t)n);
		seen += (uint64_t)n;
	}
	if (n < 0)
		return err_sys(e, "cannot read '%s'", rel);
	/* The length stands before the content: with another one the sum would be of nothing. */
	if (seen != size)
		return err_set(e, ERR_FAIL, "'%s' changed while it was read", rel);
	return 0;
}

static int add_link(struct sum *s, const char *rel, struct err *e)
{
	char target[4096];
	ssize_t n = readlinkat(s->fd, rel, target, sizeof target);

	if (n < 0)
		return err_sys(e, "cannot read the link '%s'", rel);
	add_head(s, 'l', str_of(rel), (uint64_t)n);
	hash_update(s->hash, target, (size_t)n);
	return 0;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct sum *s = ctx;

	if (left_out(str_of(rel), S_ISDIR(st->st_mode)))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	if (++s->n > MAX_FILES)
		return err_set(e, ERR_INPUT, "over %d files", MAX_FILES);
	if (S_ISLNK(st->st_mode))
		return add_link(s, rel, e);
	add_head(s, st->st_mode & 0100 ? 'x' : 'f', str_of(rel), (uint64_t)st->st_size);
	return add_content(s, rel, (uint64_t)st->st_size, e);
}

int source_sum(const char *folder, uint8_t sha256[32], struct err *e)
{
	CLEANUP_FD fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sum s = {.fd = fd};
	int rc;

	if (fd < 0)
		return err_sys(e, "cannot open the folder '%s'", folder);
	s.hash = hash_new(HASH_SHA256);
	rc = dir_walk(fd, visit, &s, e);
	if (rc == 0)
		hash_final(s.hash, sha256);
	hash_free(s.hash);
	return rc == 0 ? 0 : err_wrap(e, "cannot take the sum of '%s'", folder);
}
