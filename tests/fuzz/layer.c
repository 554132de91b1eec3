/*
 * Layers over each other: whatever they bring, nothing outside the root changes, and what is in it is
 * the caller's to read, change and remove.
 *
 * The input is layers as "TYPE MODE NAME\0LINK\0" in a row ('+': the next layer), of which a tar is
 * made, since mutated headers would hardly ever have the right sum; one that begins with '=' is a tar.
 */
#include "images/layer.h"
#include "base/file.h"
#include "tests/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_MEMBERS = 64, MAX_BYTES = 1 << 16 };

static char dir[] = "/dev/shm/fuzz_layer.XXXXXX";
static int outside = -1, root = -1;

static void remove_outside(void)
{
	struct err e = {0};

	fd_cleanup(&outside);
	dir_remove(dir, &e);
	err_release(&e);
}

static void make_outside(void)
{
	struct err e = {0};

	if (outside >= 0)
		return;
	atexit(remove_outside);
	if (!mkdtemp(dir) || (outside = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		abort();
	if (mkdirat(outside, "there", 0755) < 0)
		abort();
	CLEANUP_FD fd = openat(outside, "there/a", O_WRONLY | O_CREAT | O_CLOEXEC, 0444);
	if (fd < 0 || write_full(fd, "mine", 4, &e) < 0)
		abort();
}

static int count(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	int *n = ctx;

	(void)rel;
	(void)st;
	(void)e;
	++*n;
	return 0;
}

static void check_outside(void)
{
	struct arena a = {0};
	struct stat st;
	struct str text;
	struct err e = {0};
	int n = 0;

	if (file_read_at(&a, outside, "there/a", 10, &text, &e) < 0 || !str_is(text, "mine") ||
		fstatat(outside, "there/a", &st, 0) < 0 || st.st_nlink != 1 ||
		(st.st_mode & 07777) != 0444 || dir_walk(outside, count, &n, &e) < 0 || n != 2)
		abort();
	arena_release(&a);
}

static int check_entry(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	mode_t want = S_ISDIR(st->st_mode) ? 0700 : S_ISREG(st->st_mode) ? 0600 : 0;

	(void)ctx;
	(void)rel;
	(void)e;
	if ((st->st_mode & want) != want || st->st_uid != geteuid() ||
		(st->st_mode & (S_ISUID | S_ISGID) && !S_ISLNK(st->st_mode)) ||
		(!S_ISDIR(st->st_mode) && !S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)))
		abort();
	return 0;
}

static struct str cut(struct str *in)
{
	return in->p ? str_cut(in, '\0') : (struct str){"", 0};
}

/* One layer's tar from the entries up to the next '+'. */
static void make_tar(struct buf *tar, struct str *in)
{
	for (int n = 0; in->n > 2 && n < MAX_MEMBERS; n++) {
		char type = in->p[0];
		struct member m = {.mode = (uint32_t)(uint8_t)in->p[1] << 4, .mtime = 1};

		*in = str_sub(*in, 2, in->n);
		if (type == '+')
			break;
		m.has_mtime = true;
		m.type = type == 'd'   ? MEMBER_DIR
			 : type == 'l' ? MEMBER_SYMLINK
			 : type == 'h' ? MEMBER_HARDLINK
				       : MEMBER_FILE;
		m.path = cut(in);
		m.link = cut(in);
		if (m.path.n == 0 || m.path.n > 4000)
			continue;
		m.size = m.type == MEMBER_FILE ? m.link.n : 0;
		tar_header(tar, &m);
		if (m.type == MEMBER_FILE)
			buf_str(tar, m.link);
		tar_pad(tar, m.size);
	}
	tar_end(tar);
}

static void apply(struct layering *l, struct str tar)
{
	struct memory in = {.rest = tar, .step = 4000};
	struct err e = {0};

	layer_apply(l, read_memory, &in, "fuzz", &e);
	err_release(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n((const char *)data, size);
	struct layering l = {.max_bytes = MAX_BYTES, .max_entries = MAX_MEMBERS};
	struct buf tar = {0};
	struct err e = {0};

	make_outside();
	if (mkdirat(outside, "root", 0755) < 0)
		abort();
	root = openat(outside, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	l.root_fd = root;
	if (size && data[0] == '=') {
		apply(&l, str_sub(in, 1, in.n));
	} else {
		for (int n = 0; n < 4 && in.n > 2; n++) {
			buf_clear(&tar);
			make_tar(&tar, &in);
			apply(&l, buf_view(&tar));
		}
	}
	if (dir_walk(root, check_entry, NULL, &e) < 0 && e.code != ERR_INTEGRITY)
		abort();
	err_release(&e);
	fd_cleanup(&root);
	if (dir_remove_at(outside, "root", &e) < 0)
		abort();
	check_outside();
	buf_release(&tar);
	return 0;
}
