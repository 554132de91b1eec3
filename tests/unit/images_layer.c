/* Layers of images: each case is what the layers bring, and what is then in the root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "images/layer.h"
#include "images/whiteout.h"
#include "tests/memory.h"

enum { LAYERS = 4, TIME = 1000000000 };

/*
 * Entries stand in lines: "d PATH", "f PATH TEXT", "l PATH TARGET", "h PATH TARGET", each with a mode
 * before it where that is not 755 or 644.  tree: "d PATH", "f PATH TEXT", "l PATH TARGET", with the
 * mode where it is another, "=N" for files of the N-th inode that has several names.  error: a part of the message.
 */
struct layer_case {
	const char *name;
	const char *layers[LAYERS];
	const char *tree;
	const char *error;
};

#define LONG(x) x x x x x x x x x x x x x x x x
#define NAME_255                \
	LONG("aaaaaaaaaaaaaaa") \
	"aaaaaaaaaaaaaaa"

static const struct layer_case cases[] = {
	{"a layer", {"d a\nf a/b one\nl c a/b\nh d a/b"}, "d a\nf a/b one =1\nl c a/b\nf d one =1",
		NULL},
	{"folders that no entry names", {"f a/b/c one"}, "d a\nd a/b\nf a/b/c one", NULL},
	{"two layers", {"f a one\nf b two", "f a three"}, "f a three\nf b two", NULL},
	{"a whiteout", {"f a one\nd b\nf b/c two", "f .wh.a\nf b/.wh.c"}, "d b", NULL},
	{"of a folder", {"f a/b/c one\nf d two", "f .wh.a"}, "f d two", NULL},
	{"of nothing", {"f a one", "f .wh.b\nf c/.wh.d\nf a/.wh.e"}, "f a one", NULL},
	{"in the first layer", {"f a one\nf .wh.a"}, "f a one", NULL},
	{"before what the layer brings", {"f a one", "f .wh.a\nf a two"}, "f a two", NULL},
	{"after it", {"f a one", "f a two\nf .wh.a"}, "f a two", NULL},
	{"of a folder after part of it", {"f a/b one\nf a/c two", "f a/b three\nf .wh.a"},
		"d a\nf a/b three", NULL},
	{"of a folder that the layer names", {"f a/b one", "d a\nf .wh.a"}, "d a", NULL},
	{"of what lies below deep", {"f a/b/c/d one\nf a/b/e two", "f a/b/c/n x\nf .wh.a"},
		"d a\nd a/b\nd a/b/c\nf a/b/c/n x", NULL},
	{"a file for a folder", {"f a/b one", "f a two"}, "f a two", NULL},
	{"a folder for a file", {"f a one", "d a\nf a/b two"}, "d a\nf a/b two", NULL},
	{"a folder for a link to one", {"d b\nf b/c one\nl a b", "d a\nf a/d two"},
		"d a\nf a/d two\nd b\nf b/c one", NULL},
	{"a link for a folder", {"f a/b one", "l a c"}, "l a c", NULL},
	{"a hard link for a folder", {"f a/b one\nf c two", "h a c"}, "f a two =1\nf c two =1",
		NULL},
	{"an opaque folder", {"f a/b one\nf c two", "d a\nf a/.wh..wh..opq\nf a/d three"},
		"d a\nf a/d three\nf c two", NULL},
	{"opaque at last", {"f a/b one", "d a\nf a/d three\nf a/.wh..wh..opq"}, "d a\nf a/d three",
		NULL},
	{"opaque with a folder of both",
		{"f a/b/c one\nf a/b/d two", "f a/b/e three\nf a/.wh..wh..opq"},
		"d a\nd a/b\nf a/b/e three", NULL},
	{"the whole root opaque", {"f a/b one\nf c two", "f .wh..wh..opq\nf d three"}, "f d three",
		NULL},
	{"opaque where nothing is", {"f a one", "f b/.wh..wh..opq"}, "f a one", NULL},
	{"opaque a second time", {"f a/b one", "f a/.wh..wh..opq\nf a/c two", "f a/d three"},
		"d a\nf a/c two\nf a/d three", NULL},
	{"marks of old drivers", {"f a one", "f .wh..wh.aufs\nd .wh..wh.plnk\nf .wh..wh.plnk/1.2"},
		"f a one", NULL},
	{"through a link", {"d usr/bin\nl bin usr/bin\nf bin/sh x"},
		"l bin usr/bin\nd usr\nd usr/bin\nf usr/bin/sh x", NULL},
	{"through a link of a lower layer", {"d usr/lib\nl lib usr/lib", "f lib/a x"},
		"l lib usr/lib\nd usr\nd usr/lib\nf usr/lib/a x", NULL},
	{"through a link that leads nowhere", {"l lib usr/lib\nf lib/a x"},
		"l lib usr/lib\nd usr\nd usr/lib\nf usr/lib/a x", NULL},
	{"through an absolute link", {"l out /etc\nf out/x y"}, "d etc\nf etc/x y\nl out /etc",
		NULL},
	{"through a link upwards", {"l out ../../../etc\nf out/x y"},
		"d etc\nf etc/x y\nl out ../../../etc", NULL},
	{"a whiteout through a link", {"f usr/bin/sh x\nl bin usr/bin", "f bin/.wh.sh"},
		"l bin usr/bin\nd usr\nd usr/bin", NULL},
	{"owned through a link", {"f usr/bin/sh x\nl bin usr/bin", "f bin/sh y\nf usr/bin/.wh.sh"},
		"l bin usr/bin\nd usr\nd usr/bin\nf usr/bin/sh y", NULL},
	{"a file for a link", {"f b one\nl a b", "f a two"}, "f a two\nf b one", NULL},
	{"one of two names replaced", {"f a one\nh b a", "f a two"}, "f a two\nf b one", NULL},
	{"a hard link to a lower layer", {"f a one", "h b a"}, "f a one =1\nf b one =1", NULL},
	{"a hard link to itself", {"f a one\nh a a"}, "f a one", NULL},
	{"a hard link to its own twin", {"f a one\nh b a\nh b a"}, "f a one =1\nf b one =1", NULL},
	{"a hard link to a symlink", {"l a /etc/passwd\nh b a"}, "l a /etc/passwd\nl b /etc/passwd",
		NULL},
	{"a hard link through a link", {"f usr/a one\nl u usr\nh b u/a"},
		"f b one =1\nl u usr\nd usr\nf usr/a one =1", NULL},
	{"a path twice", {"f a one\nf a two"}, "f a two", NULL},
	{"modes", {"4755 f a\n2755 d b\n1777 d c\n000 f e\n000 d g\nf g/h x\n6711 f i"},
		"755 f a\nd b\n1777 d c\n600 f e\n700 d g\nf g/h x\n711 f i", NULL},
	{"a mode of a folder anew", {"d a\nf a/b x", "700 d a"}, "700 d a\nf a/b x", NULL},
	{"a name of 255 bytes", {"f " NAME_255 " x"}, "f " NAME_255 " x", NULL},
	{"names that look alike", {"f .whx one\nf .wh 1\nf a.wh.b two"},
		"f .wh 1\nf .whx one\nf a.wh.b two", NULL},

	{"a name upwards", {"f ../a x"}, NULL, "unsafe path: '../a'"},
	{"upwards within", {"f a/../b x"}, NULL, "unsafe path"},
	{"an absolute name", {"f /a x"}, NULL, "unsafe path: '/a'"},
	{"an absolute folder", {"d /a"}, NULL, "unsafe path: '/a'"},
	{"a name of 256 bytes", {"f a" NAME_255 " x"}, NULL, "unsafe path"},
	{"a hard link to nothing", {"h a b"}, NULL, "a hard link to what is not there: 'a'"},
	{"a hard link upwards", {"h a ../b"}, NULL, "a hard link to an unsafe path: 'a'"},
	{"an absolute hard link", {"h a /etc/passwd"}, NULL, "a hard link to an unsafe path"},
	{"a hard link out through a link", {"l x /etc\nh a x/passwd"}, NULL,
		"a hard link to what is not there"},
	{"a hard link to a folder", {"d b\nh a b"}, NULL, "a hard link to a folder"},
	{"a hard link that its place held", {"f a/b x\nh a a/b"}, NULL,
		"a hard link to what is not there"},
	{"a path through a file", {"f a x\nf a/b y"}, NULL, "leads through a file"},
	{"a path in circles", {"l a b\nl b a\nf a/c x"}, NULL, "in circles"},
	{"a whiteout of nothing", {"f a x", "f .wh."}, NULL, "a whiteout of nothing"},
	{"a whiteout of the folder itself", {"f a/b x", "f a/.wh.."}, NULL,
		"a whiteout of nothing"},
	{"a whiteout of what is above", {"f a/b x", "f a/.wh..."}, NULL, "a whiteout of nothing"},
	{"a file in a whiteout", {"f a/b x", "f .wh.a/b y"}, NULL, "a whiteout of nothing"},
};

/* --- a tar from lines ------------------------------------------------------------------------- */

static enum member_type type_of(struct str word)
{
	assert_int_equal(word.n, 1);
	switch (word.p[0]) {
	case 'd':
		return MEMBER_DIR;
	case 'l':
		return MEMBER_SYMLINK;
	case 'h':
		return MEMBER_HARDLINK;
	default:
		assert_int_equal(word.p[0], 'f');
		return MEMBER_FILE;
	}
}

static void add_line(struct buf *tar, struct str line)
{
	struct member m = {.has_mtime = true, .mtime = TIME};
	struct str word = str_cut(&line, ' ');
	unsigned long mode = 0;

	if (word.p[0] >= '0' && word.p[0] <= '9') {
		mode = strtoul(word.p, NULL, 8);
		m.mode = (uint32_t)mode;
		word = str_cut(&line, ' ');
	} else {
		m.mode = word.p[0] == 'd' ? 0755 : 0644;
	}
	m.type = type_of(word);
	m.path = str_cut(&line, ' ');
	if (m.type == MEMBER_FILE)
		m.size = line.n;
	else
		m.link = line;
	tar_header(tar, &m);
	if (m.type == MEMBER_FILE) {
		buf_str(tar, line);
		tar_pad(tar, line.n);
	}
}

static void make_tar(struct buf *tar, const char *lines)
{
	struct str rest = str_of(lines);

	while (rest.n > 0)
		add_line(tar, str_cut(&rest, '\n'));
	tar_end(tar);
}

/* --- a tree as lines -------------------------------------------------------------------------- */

struct listing {
	int fd;
	struct buf text;
	ino_t linked[16];
	size_t n_linked;
};

static size_t number_of(struct listing *l, ino_t ino)
{
	for (size_t i = 0; i < l->n_linked; i++)
		if (l->linked[i] == ino)
			return i + 1;
	l->linked[l->n_linked++] = ino;
	return l->n_linked;
}

static void add_mode(struct listing *l, const struct stat *st, mode_t usual)
{
	if ((st->st_mode & 07777) != usual)
		buf_printf(&l->text, "%o ", (unsigned)st->st_mode & 07777);
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct listing *l = ctx;
	struct arena a = {0};
	struct str text = {0};
	char target[256];
	ssize_t n;

	if (l->text.n)
		buf_putc(&l->text, '\n');
	assert_int_equal(st->st_uid, geteuid());
	if (S_ISDIR(st->st_mode)) {
		add_mode(l, st, 0755);
		buf_printf(&l->text, "d %s", rel);
	} else if (S_ISLNK(st->st_mode)) {
		n = readlinkat(l->fd, rel, target, sizeof target);
		assert_true(n > 0);
		buf_printf(&l->text, "l %s %.*s", rel, (int)n, target);
	} else {
		assert_true(S_ISREG(st->st_mode));
		add_mode(l, st, 0644);
		assert_int_equal(file_read_at(&a, l->fd, rel, 1000, &text, e), 0);
		assert_int_equal(st->st_mtim.tv_sec, TIME);
		buf_printf(&l->text, "f %s%s%.*s", rel, text.n ? " " : "", STR_ARG(text));
		if (st->st_nlink > 1)
			buf_printf(&l->text, " =%zu", number_of(l, st->st_ino));
	}
	arena_release(&a);
	return 0;
}

/* --- the cases -------------------------------------------------------------------------------- */

static int apply(struct layering *l, const char *lines, struct err *e)
{
	CLEANUP_BUF tar = {0};
	struct memory in = {.step = 7000};

	make_tar(&tar, lines);
	in.rest = buf_view(&tar);
	return layer_apply(l, read_memory, &in, "layer", e);
}

static struct layering layering_at(int fd)
{
	return (struct layering){.root_fd = fd, .max_bytes = 1 << 20, .max_entries = 100};
}

static void check(const struct layer_case *c, const char *root)
{
	CLEANUP_FD fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct layering l = layering_at(fd);
	struct listing tree = {.fd = fd};
	struct err e = {0};
	int r = 0;

	for (size_t i = 0; i < LAYERS && c->layers[i] && r == 0; i++)
		r = apply(&l, c->layers[i], &e);
	if (c->error) {
		if (r == 0 || e.code != ERR_INTEGRITY || !strstr(e.text, c->error))
			fail_msg("%s: '%s' was expected, not '%s'", c->name, c->error, e.text);
		err_release(&e);
		return;
	}
	if (r < 0)
		fail_msg("%s: %s", c->name, e.text);
	assert_int_equal(dir_walk(fd, visit, &tree, &e), 0);
	if (strcmp(tree.text.p ? tree.text.p : "", c->tree) != 0)
		fail_msg("%s:\n%s\nshould be\n%s", c->name, tree.text.p, c->tree);
	buf_release(&tree.text);
}

/* What lies beside the root is there, and only that. */
static void check_beside(const char *dir, const char *name)
{
	struct arena a = {0};
	CLEANUP_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct str text;
	struct err e = {0};

	if (file_read_at(&a, fd, "a", 10, &text, &e) < 0 || !str_is(text, "mine") ||
		unlinkat(fd, "a", 0) < 0 || rmdir(dir) < 0)
		fail_msg("%s: something happened outside", name);
	err_release(&e);
	arena_release(&a);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char dir[] = "/tmp/images_layer.XXXXXX";
		struct arena a = {0};
		struct err e = {0};
		char *root;

		assert_non_null(mkdtemp(dir));
		root = path_join(&a, dir, "root");
		assert_int_equal(mkdir(root, 0755), 0);
		assert_int_equal(file_write(path_join(&a, dir, "a"), STR("mine"), 0644, &e), 0);
		check(&cases[i], root);
		assert_int_equal(dir_remove(root, &e), 0);
		check_beside(dir, cases[i].name);
		arena_release(&a);
	}
}

static void limit(const struct layering *start, const char *lines, const char *error)
{
	char dir[] = "/tmp/images_layer.XXXXXX";
	struct layering l = *start;
	struct err e = {0};

	assert_non_null(mkdtemp(dir));
	l.root_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(apply(&l, lines, &e), error ? -1 : 0);
	if (error && (e.code != ERR_INTEGRITY || !strstr(e.text, error)))
		fail_msg("'%s' was expected, not '%s'", error, e.text);
	err_release(&e);
	fd_cleanup(&l.root_fd);
	assert_int_equal(dir_remove(dir, &e), 0);
}

static void test_limits(void **state)
{
	CLEANUP_BUF deep = {0};

	(void)state;
	limit(&(struct layering){.max_bytes = 6, .max_entries = 2}, "f a one\nf b two", NULL);
	limit(&(struct layering){.max_bytes = 5, .max_entries = 2}, "f a one\nf b two",
		"unpacks to more than is allowed: 'b'");
	limit(&(struct layering){.max_bytes = 6, .max_entries = 1}, "f a one\nf b two",
		"more members than are allowed: 'b'");
	buf_puts(&deep, "d a");
	for (int i = 1; i < LAYER_DEPTH_MAX; i++)
		buf_puts(&deep, "/a");
	limit(&(struct layering){.max_bytes = 6, .max_entries = 2}, deep.p, NULL);
	buf_puts(&deep, "/a");
	limit(&(struct layering){.max_bytes = 6, .max_entries = 2}, deep.p, "nested too deep");
}

/* Chains of links lead deeper than any one path: no stack or descriptor runs out. */
static void test_links_deeper(void **state)
{
	CLEANUP_BUF lines = {0};

	(void)state;
	buf_puts(&lines, "d a");
	for (int i = 1; i < 200; i++)
		buf_puts(&lines, "/a");
	buf_puts(&lines, "\nl l1 ");
	for (int i = 0; i < 199; i++)
		buf_puts(&lines, "a/");
	buf_puts(&lines, "a\nd l1");
	for (int i = 1; i < 200; i++)
		buf_puts(&lines, "/a");
	limit(&(struct layering){.max_bytes = 6, .max_entries = 9}, lines.p,
		"leads through a file, in circles or too deep");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_links_deeper),
	};

	umask(022);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
