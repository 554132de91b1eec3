#include "images/container.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/table.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/* --- what the root is called ------------------------------------------------------------------ */

struct sum {
	struct hash *h;
	int root;
};

/* A folder of somebody's, closed to the caller, is empty for the job. */
static int into(int root, const char *rel)
{
	return faccessat(root, rel, R_OK | X_OK, AT_EACCESS) == 0 ? 0 : DIR_SKIP;
}

static int visit_sum(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct sum *sum = ctx;
	char line[128];
	int n = snprintf(line, sizeof line, "%o %lld %lld.%ld %lld.%ld", (unsigned)st->st_mode,
		(long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec,
		(long long)st->st_ctim.tv_sec, st->st_ctim.tv_nsec);

	(void)e;
	hash_update(sum->h, rel, strlen(rel) + 1);
	hash_update(sum->h, line, (size_t)n + 1);
	return S_ISDIR(st->st_mode) ? into(sum->root, rel) : 0;
}

/* Of a folder of the caller's: whatever is changed in it changes a time. */
static int folder_sum(const char *root, char hex[SHA256_HEX + 1], struct err *e)
{
	CLEANUP_FD fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct sum sum = {.root = fd};
	uint8_t bytes[SHA256_LEN];
	int r;

	if (fd < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	sum.h = hash_new(HASH_SHA256);
	hash_update(sum.h, root, strlen(root) + 1);
	r = dir_walk(fd, visit_sum, &sum, e);
	hash_final(sum.h, bytes);
	hash_free(sum.h);
	hex_encode(bytes, sizeof bytes, hex);
	return r;
}

/* --- its tar ---------------------------------------------------------------------------------- */

struct tar_out {
	struct arena *a;
	int root;
	FILE *to;
	struct table links; /* "DEVICE:INODE" of files with several names -> the first path */
};

static int put(struct tar_out *t, const void *p, size_t n, struct err *e)
{
	return fwrite(p, 1, n, t->to) == n ? 0 : err_sys(e, "cannot write the root's tar");
}

static int put_header(struct tar_out *t, const struct member *m, struct err *e)
{
	CLEANUP_BUF head = {0};

	tar_header(&head, m);
	return put(t, head.p, head.n, e);
}

static int put_file(struct tar_out *t, const char *rel, struct member *m, struct err *e)
{
	CLEANUP_FD fd = openat(t->root, rel, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char bytes[1 << 16];
	uint64_t left = m->size;
	CLEANUP_BUF pad = {0};

	if (fd < 0) {
		log_debug("'%s' of the root cannot be read and is left out", rel);
		return 0;
	}
	if (put_header(t, m, e) < 0)
		return -1;
	while (left) {
		ssize_t n = read_full(fd, bytes, left < sizeof bytes ? left : sizeof bytes);

		if (n <= 0)
			return err_set(
				e, ERR_FAIL, "'%s' of the root changed while it was read", rel);
		if (put(t, bytes, (size_t)n, e) < 0)
			return -1;
		left -= (uint64_t)n;
	}
	tar_pad(&pad, m->size);
	return pad.n ? put(t, pad.p, pad.n, e) : 0;
}

static int put_regular(
	struct tar_out *t, const char *rel, const struct stat *st, struct member *m, struct err *e)
{
	union table_value *first;

	m->type = MEMBER_FILE;
	m->size = (uint64_t)st->st_size;
	if (st->st_nlink == 1)
		return put_file(t, rel, m, e);
	first = table_put(
		&t->links, str_of(arena_printf(t->a, "%llu:%llu", (unsigned long long)st->st_dev,
				   (unsigned long long)st->st_ino)));
	if (!first->ptr) {
		first->ptr = arena_strdup(t->a, rel);
		return put_file(t, rel, m, e);
	}
	m->type = MEMBER_HARDLINK;
	m->size = 0;
	m->link = str_of(first->ptr);
	return put_header(t, m, e);
}

static int visit_put(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct tar_out *t = ctx;
	char target[4096];
	struct member m = {.path = str_of(rel),
		.type = MEMBER_DIR,
		.mode = st->st_mode & 01777, /* no setuid: nobody gains a privilege in there */
		.mtime = st->st_mtim.tv_sec,
		.has_mtime = true};
	ssize_t n;

	if (S_ISDIR(st->st_mode))
		return put_header(t, &m, e) < 0 ? -1 : into(t->root, rel);
	if (S_ISREG(st->st_mode))
		return put_regular(t, rel, st, &m, e);
	if (!S_ISLNK(st->st_mode))
		return 0;
	n = readlinkat(t->root, rel, target, sizeof target);
	if (n < 0 || n == (ssize_t)sizeof target)
		return err_sys(e, "cannot read the link '%s' of the root", rel);
	m.type = MEMBER_SYMLINK;
	m.link = str_n(target, (size_t)n);
	return put_header(t, &m, e);
}

static int write_tar(const char *root, const char *path, struct err *e)
{
	struct arena a = {0};
	struct tar_out t = {.a = &a, .links = {.arena = &a}};
	CLEANUP_FD fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_BUF end = {0};
	int r = -1;

	t.root = fd;
	t.to = fd < 0 ? NULL : fopen(path, "wbxe");
	if (!t.to)
		return err_sys(e, "cannot write the tar '%s' of the root '%s'", path, root);
	tar_end(&end);
	if (dir_walk(fd, visit_put, &t, e) == 0)
		r = put(&t, end.p, end.n, e);
	if (fclose(t.to) != 0 && r == 0)
		r = err_sys(e, "cannot write the root's tar '%s'", path);
	arena_release(&a);
	return r;
}

/* --- docker's images -------------------------------------------------------------------------- */

/* Those of former states of this folder; one that is in use stays. */
static void remove_others(struct engine *en, struct arena *a, const char *label)
{
	const char *const list[] = {"docker", "image", "ls", "--quiet", "--no-trunc", "--filter",
		arena_printf(a, "label=%s", label), NULL};
	const char *const mine[] = {
		"docker", "image", "inspect", "--format", "{{.Id}}", en->image, NULL};
	struct str all, own, ignored;
	struct err none = {0};

	if (container_ask(en, a, mine, &own, &none) == 0 &&
		container_ask(en, a, list, &all, &none) == 0) {
		while (all.n) {
			struct str id = str_cut(&all, '\n');
			const char *const rm[] = {
				"docker", "image", "rm", "--force", arena_cstr(a, id), NULL};

			if (!str_eq(id, own) && container_ask(en, a, rm, &ignored, &none) < 0)
				err_release(&none);
		}
	}
	err_release(&none);
}

static int import(struct engine *en, struct arena *a, const char *dir, struct err *e)
{
	char *tar = path_join(a, dir, "root.tar");
	/* the label names the root without its own letters: a path may hold any */
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	const char *label;
	struct str answer;
	struct step step;
	int r;

	sha256_of(en->root, strlen(en->root), sum);
	hex_encode(sum, sizeof sum, hex);
	label = arena_printf(a, "envbuild.root=%s", hex);
	const char *const argv[] = {"docker", "import", "--change",
		arena_printf(a, "LABEL %s", label), "--message", "a root of envbuild", tar,
		en->image, NULL};
	step_begin(&step, "import", 0, 0);
	r = write_tar(en->root, tar, e);
	if (r == 0)
		r = container_ask(en, a, argv, &answer, e);
	if (r < 0) {
		step_fail(&step);
		return err_wrap(e, "while giving the root '%s' to docker", en->root);
	}
	step_end(&step, "the root '%s' into docker, once", en->root);
	remove_others(en, a, label);
	return 0;
}

static bool is_there(const struct engine *en, struct arena *a)
{
	const char *const argv[] = {
		"docker", "image", "inspect", "--format", "{{.Id}}", en->image, NULL};
	struct err ignored = {0};
	struct str answer;
	bool there = container_ask(en, a, argv, &answer, &ignored) == 0;

	err_release(&ignored);
	return there;
}

int container_image(struct engine *en, struct err *e)
{
	struct arena a = {0};
	char hex[SHA256_HEX + 1];
	const char *given = en->digest ? strchr(en->digest, ':') : NULL;
	char *dir;
	int r = given ? 0 : folder_sum(en->root, hex, e);

	if (r == 0) {
		en->image = arena_printf(&en->arena, "envbuild/root:%s", given ? given + 1 : hex);
		if (!is_there(en, &a)) {
			dir = state_job(&en->state, &a, e);
			r = dir ? import(en, &a, dir, e) : -1;
			if (dir)
				dir_remove(dir, NULL);
		}
	}
	arena_release(&a);
	return r;
}
