/* The inventory of a root's libraries. */
#include "base/file.h"
#include "images/libc.h"
#include "images/probe.h"

#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	MAX_CONF = 1 << 20,
	MAX_INCLUDES = 8,
	MAX_CONFS = 1000, /* a file that includes itself twice would be read 512 times */
	MAX_FOLDERS = 4096,
	MAX_FOUND = 20000
};

#if defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET "x86_64-linux-gnu"
#endif

static const char *const default_folders[] = {
	"/lib64", "/usr/lib64", "/lib/" TRIPLET, "/usr/lib/" TRIPLET, "/lib", "/usr/lib"};

struct str_list {
	struct str *v;
	size_t n, cap;
};

struct inventory {
	struct arena *a;
	int root;
	struct str_list folders; /* in the loader's order */
	unsigned n_confs;
	struct {
		struct profile_library *v;
		size_t n, cap;
	} found; /* several of a name: the first counts */
};

static void add_folder(struct inventory *in, struct str folder)
{
	if (folder.n == 0 || folder.p[0] != '/' || in->folders.n >= MAX_FOLDERS)
		return;
	*VEC_PUSH(in->a, &in->folders) = arena_str(in->a, folder);
}

/* Names in a folder of the root that match, in byte order; a folder that is not there has none. */
static void list(
	struct inventory *in, const char *folder, const char *pattern, struct str_list *out)
{
	int fd = open_in_root(in->root, folder, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((entry = readdir(d)))
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0)
			*VEC_PUSH(in->a, out) = arena_str(in->a, str_of(entry->d_name));
	closedir(d);
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, str_cmp_qsort);
}

/* --- ld.so.conf --------------------------------------------------------------------------- */

static void read_conf(struct inventory *in, const char *path, int depth);

/* include PATTERN, where only the last part is one, relative to /etc. */
static void include(struct inventory *in, struct str pattern, int depth)
{
	const char *path = path_join(in->a, "/etc", arena_cstr(in->a, pattern));
	const char *folder = path_dir(in->a, path);
	struct str_list names = {0};

	list(in, folder, path_base(path), &names);
	for (size_t i = 0; i < names.n; i++)
		read_conf(in, path_join(in->a, folder, names.v[i].p), depth + 1);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The words of a line: folders, or "include" and patterns, or "hwcap" and what is no folder. */
static void read_conf_line(struct inventory *in, struct str line, int depth)
{
	bool including = false;

	for (size_t from = 0, to; from < line.n; from = to) {
		struct str word;

		while (from < line.n && (is_blank(line.p[from]) || strchr(":,", line.p[from])))
			from++;
		for (to = from; to < line.n && !is_blank(line.p[to]) && !strchr(":,", line.p[to]);)
			to++;
		word = str_sub(line, from, to);
		if (str_is(word, "include"))
			including = true;
		else if (including && word.n)
			include(in, word, depth);
		else
			add_folder(in, str_cut(&word, '=')); /* libc5 marked its own */
	}
}

static void read_conf(struct inventory *in, const char *path, int depth)
{
	CLEANUP_FD fd = -1;
	struct str text;
	struct stat st;
	char *bytes;
	ssize_t n;

	if (in->n_confs >= MAX_CONFS)
		return;
	in->n_confs++;
	fd = open_in_root(in->root, path, O_RDONLY | O_NONBLOCK);
	if (fd < 0 || depth > MAX_INCLUDES || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		st.st_size > MAX_CONF)
		return;
	bytes = arena_alloc(in->a, (size_t)st.st_size + 1);
	n = read_full(fd, bytes, (size_t)st.st_size);
	text = str_n(bytes, n > 0 ? (size_t)n : 0);
	while (text.p) {
		struct str line = str_cut(&text, '\n');

		read_conf_line(in, str_cut(&line, '#'), depth);
	}
}

/* --- libraries ---------------------------------------------------------------------------- */

static void keep_versions(struct arena *a, const struct elf *elf, struct profile_library *to)
{
	size_t n = 0;

	to->versions = arena_array(a, struct str, elf->n_defines);
	for (size_t i = 0; i < elf->n_defines; i++)
		if (profile_is_library_word(elf->defines[i]) &&
			!str_ends(elf->defines[i], STR("_PRIVATE")))
			to->versions[n++] = arena_str(a, elf->defines[i]);
	if (n)
		qsort(to->versions, n, sizeof *to->versions, str_cmp_qsort);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !str_eq(to->versions[i], to->versions[to->n_versions - 1]))
			to->versions[to->n_versions++] = to->versions[i];
}

/* The loader looks for a file that is called as the soname; others are for the linker. */
static void read_library(struct inventory *in, struct str name, struct str bytes)
{
	CLEANUP_ARENA scratch = {0};
	struct elf elf;

	if (elf_read(&scratch, name.p, bytes, &elf, NULL) != 1 || elf.type != ET_DYN ||
		!elf_is_native(&elf) || (elf.soname.n && !str_eq(elf.soname, name)))
		return;
	struct profile_library *to = VEC_PUSH(in->a, &in->found);
	*to = (struct profile_library){.soname = name};
	keep_versions(in->a, &elf, to);
}

static int read_folder(struct inventory *in, const char *folder, const char *pattern, struct err *e)
{
	struct str_list names = {0};

	list(in, folder, pattern, &names);
	for (size_t i = 0; i < names.n; i++) {
		CLEANUP_FD fd = open_in_root(
			in->root, path_join(in->a, folder, names.v[i].p), O_RDONLY | O_NONBLOCK);
		struct str bytes;

		if (in->found.n >= MAX_FOUND)
			return err_set(e, ERR_INPUT, "more than %d libraries", MAX_FOUND);
		if (fd < 0 || !profile_is_library_word(names.v[i]) || fd_map(fd, &bytes, NULL) < 0)
			continue;
		read_library(in, names.v[i], bytes);
		file_unmap(bytes);
	}
	return 0;
}

struct ranked {
	struct profile_library library;
	size_t rank;
};

static int cmp_ranked(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	int c = str_cmp(x->library.soname, y->library.soname);

	return c ? c : (x->rank > y->rank) - (x->rank < y->rank);
}

/* Sorted by name; of several with one name the first that was found. */
static void sort_found(struct inventory *in, struct profile *out)
{
	struct ranked *all = arena_array(in->a, struct ranked, in->found.n);

	for (size_t i = 0; i < in->found.n; i++)
		all[i] = (struct ranked){in->found.v[i], i};
	if (in->found.n)
		qsort(all, in->found.n, sizeof *all, cmp_ranked);
	out->libraries = arena_array(in->a, struct profile_library, in->found.n);
	out->n_libraries = 0;
	for (size_t i = 0; i < in->found.n; i++)
		if (i == 0 || !str_eq(all[i].library.soname, all[i - 1].library.soname))
			out->libraries[out->n_libraries++] = all[i].library;
	out->has_libraries = true;
}

int probe_libraries(struct arena *a, const char *root, struct profile *out, struct err *e)
{
	CLEANUP_FD fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct inventory in = {.a = a, .root = fd};

	if (fd < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	read_conf(&in, "/etc/ld.so.conf", 0);
	for (size_t i = 0; i < sizeof default_folders / sizeof *default_folders; i++)
		add_folder(&in, str_of(default_folders[i]));
	for (size_t i = 0; i < in.folders.n; i++)
		if (read_folder(&in, in.folders.v[i].p, "lib*.so*", e) < 0 ||
			read_folder(&in, in.folders.v[i].p, "ld-*.so*", e) < 0)
			return err_wrap(e, "in the root folder '%s'", root);
	sort_found(&in, out);
	return 0;
}
