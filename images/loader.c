#include "images/loader.h"

#include "base/file.h"
#include "images/libc.h"
#include "images/loader_inside.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

/* Where hosts have their ld.so, unless they say otherwise. */
#if defined(__aarch64__)
#define LD_SO "/lib/ld-linux-aarch64.so.1"
#else
#define LD_SO "/lib64/ld-linux-x86-64.so.2"
#endif

enum { MAX_CACHE = 64 << 20, MAX_LIBRARY = 1 << 30 };

/* A file of the root, whatever paths lead to it. */
struct content {
	struct str bytes;
	enum loader_fit fit;
	bool no_elf;
	struct elf elf;
	struct str fault;
	int has_symbols; /* -1: not asked for yet */
	struct elf_symbols symbols;
};

struct found {
	struct host_library library; /* the first, so that one leads to the other */
	struct content *content;
};

struct loader {
	struct arena *arena;
	const struct profile *profile;
	int root; /* -1: none */
	struct loader_words words;
	struct str lib;
	bool checks_kernel, insists_on_versions;
	unsigned kernel[3];
	struct host_library *listed; /* as profile.libraries */
	struct table unlisted;       /* loaders by name -> struct host_library * */
	struct str own;              /* path of the host's ld.so */
	struct str cache_bytes;
	struct ld_cache cache;
	struct table by_path;  /* -> struct found *, NULL where there is none */
	struct table by_file;  /* device and inode -> struct content * */
	struct table asked[2]; /* by no_defaults: name -> struct host_library *, NULL: nothing */
	struct table folders;  /* -> bit of each subfolder that there is */
};

/* --- files of the root -------------------------------------------------------------------- */

static void judge(struct loader *l, const char *path, struct content *c)
{
	struct err fault = {0};
	int r = elf_read(l->arena, path, c->bytes, &c->elf, &fault);

	if (r > 0) {
		c->fit = loader_fits(l, &c->elf);
	} else if (r < 0) {
		c->fit = FIT_FAILS;
		c->fault = arena_str(l->arena, str_of(fault.text));
	} else if (str_starts(c->bytes, STR("\177ELF\1"))) {
		c->fit = FIT_MACHINE;
	} else {
		c->fit = FIT_FAILS;
		c->no_elf = true;
		c->fault = arena_strf(l->arena, "'%s' is no ELF file", path);
	}
	err_release(&fault);
}

static struct content *content_of(
	struct loader *l, const char *path, int fd, const struct stat *st, struct err *e)
{
	const uint64_t id[2] = {st->st_dev, st->st_ino};
	struct str key = str_n((const char *)id, sizeof id);
	union table_value *v = table_get(&l->by_file, key);
	struct content *c;

	if (v)
		return v->ptr;
	c = arena_new(l->arena, struct content);
	c->has_symbols = -1;
	if (S_ISREG(st->st_mode) && st->st_size <= MAX_LIBRARY && fd_map(fd, &c->bytes, e) < 0) {
		err_wrap(e, "in '%s' of the root", path);
		return NULL;
	}
	if (S_ISDIR(st->st_mode)) {
		/* it can be opened, and then not be read */
		c->fit = FIT_FAILS;
		c->no_elf = true;
		c->fault = arena_strf(l->arena, "'%s' is a folder", path);
	} else {
		judge(l, path, c);
	}
	table_put(&l->by_file, arena_str(l->arena, key))->ptr = c;
	return c;
}

/* 1, 0 nothing there that can be opened, -1. */
static int at_path(struct loader *l, struct str path, struct found **out, struct err *e)
{
	union table_value *v = table_get(&l->by_path, path);
	CLEANUP_FD fd = -1;
	struct content *c;
	struct found *f;
	struct stat st;

	*out = v ? v->ptr : NULL;
	if (v || l->root < 0 || str_chr(path, 0) >= 0)
		return *out != NULL;
	path = arena_str(l->arena, path);
	table_put(&l->by_path, path)->ptr = NULL;
	fd = open_in_root(l->root, path.p, O_RDONLY | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return 0;
	c = content_of(l, path.p, fd, &st, e);
	if (!c)
		return -1;
	f = arena_new(l->arena, struct found);
	*f = (struct found){{c->elf.soname, path, c->elf, c->fault}, c};
	table_put(&l->by_path, path)->ptr = *out = f;
	return 1;
}

/* As a search of ld.so tries a path: 1 it ends there, 0 it goes on. */
static int try_path(
	struct loader *l, struct str path, const struct host_library **out, struct err *e)
{
	struct found *f;
	int r = at_path(l, path, &f, e);

	if (r <= 0 || f->content->fit == FIT_MACHINE || f->content->fit == FIT_KERNEL)
		return r < 0 ? -1 : 0;
	*out = &f->library;
	return 1;
}

/* --- opening ------------------------------------------------------------------------------ */

static bool numbers_of(struct str version, unsigned out[3])
{
	for (int i = 0; i < 3 && version.p; i++) {
		struct str part = str_cut(&version, '.');
		uint64_t n;

		if (str_u64(part, UINT32_MAX, &n) < 0)
			return i > 0; /* "4.18.0-80" is 4.18 for certain */
		out[i] = (unsigned)n;
	}
	return true;
}

static void read_kernel(struct loader *l)
{
	struct str version = profile_virtual_version(l->profile, "__linux");

	l->checks_kernel = glibc_cmp(l->words.glibc, STR("2.36")) < 0 && version.n &&
			   numbers_of(version, l->kernel);
}

static void read_list(struct loader *l)
{
	const struct profile *p = l->profile;

	l->listed = arena_array(l->arena, struct host_library, p->n_libraries);
	for (size_t i = 0; i < p->n_libraries; i++) {
		l->listed[i].soname = l->listed[i].elf.soname = p->libraries[i].soname;
		l->listed[i].elf.defines = p->libraries[i].versions;
		l->listed[i].elf.n_defines = p->libraries[i].n_versions;
	}
}

static int read_cache(struct loader *l, struct err *e)
{
	CLEANUP_FD fd = open_in_root(l->root, "etc/ld.so.cache", O_RDONLY | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > MAX_CACHE)
		return 0;
	if (fd_map(fd, &l->cache_bytes, e) < 0)
		return err_wrap(e, "in '/etc/ld.so.cache' of the root");
	ld_cache_read(l->arena, l->cache_bytes, &l->cache);
	return 0;
}

/* The libc.so.6 of a root names its ld.so, as a program does. */
static int read_folders(struct loader *l, struct err *e)
{
	const char *place = root_libc_place(l->root);
	struct found *f;
	struct str ld_so = {NULL, 0};

	if (place && at_path(l, arena_strf(l->arena, "/%s", place), &f, e) < 0)
		return -1;
	if (place && f && f->library.elf.interpreter.n)
		l->own = f->library.elf.interpreter;
	if (at_path(l, l->own, &f, e) < 0)
		return -1;
	if (f)
		ld_so = f->content->bytes;
	/* the text of the assertion in check_match(), which has no version of its own */
	l->insists_on_versions =
		str_find(ld_so, STR("! _dl_name_match_p (version->filename, map)")) >= 0;
	loader_folders_of(l->arena, ld_so, str_of(place ? place : ""), &l->words);
	return 0;
}

/*
 * What runs a root's own C library runs the rest of it, whatever the profile says of the kernel: so
 * that library is looked for before kernels count.
 */
static int trust_root(struct loader *l, struct err *e)
{
	const struct host_library *libc;
	int r = loader_find(l, STR("libc.so.6"), false, &libc, e);

	read_kernel(l);
	if (r > 0 && loader_kernel_too_old(l, &libc->elf))
		memcpy(l->kernel, libc->elf.kernel, sizeof l->kernel);
	return r < 0 ? -1 : 0;
}

static int open_root(struct loader *l, const char *root, struct err *e)
{
	struct str glibc, reason;
	int r = root_glibc(l->arena, root, &glibc, &reason, e);

	if (r < 0)
		return -1;
	l->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (l->root < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	loader_words_of(l->arena, l->profile, r > 0 ? glibc : l->profile->glibc, &l->words);
	if (read_cache(l, e) < 0 || read_folders(l, e) < 0)
		return -1;
	l->lib = str_sub(l->words.folders[0], 1, l->words.folders[0].n);
	return trust_root(l, e);
}

int loader_open(struct arena *a, const char *root, const struct profile *p, struct loader **out,
	struct err *e)
{
	struct loader *l = arena_new(a, struct loader);

	*l = (struct loader){.arena = a,
		.profile = p,
		.root = -1,
		.by_path.arena = a,
		.by_file.arena = a,
		.unlisted.arena = a,
		.asked = {{.arena = a}, {.arena = a}},
		.folders.arena = a,
		.own = STR(LD_SO),
		.lib = STR("lib64")};
	*out = l;
	if (root && open_root(l, root, e) < 0) {
		loader_close(l);
		return -1;
	}
	if (root)
		return 0;
	loader_words_of(a, p, p->glibc, &l->words);
	read_kernel(l);
	read_list(l);
	return 0;
}

void loader_close(struct loader *l)
{
	for (size_t i = 0; i < l->by_file.n; i++)
		file_unmap(((struct content *)l->by_file.entries[i].value.ptr)->bytes);
	file_unmap(l->cache_bytes);
	l->by_file.n = 0;
	l->cache_bytes = (struct str){NULL, 0};
	fd_cleanup(&l->root);
	l->root = -1;
}

/* --- what it says ------------------------------------------------------------------------- */

bool loader_has_root(const struct loader *l)
{
	return l->root >= 0;
}

struct str loader_glibc(const struct loader *l)
{
	return l->words.glibc;
}

bool loader_insists_on_versions(const struct loader *l)
{
	return l->insists_on_versions;
}

struct str loader_lib(const struct loader *l)
{
	return l->lib;
}

struct str loader_platform(const struct loader *l)
{
	return l->words.platform;
}

const struct str *loader_hwcaps(const struct loader *l, size_t *n)
{
	*n = l->words.n_hwcaps;
	return l->words.hwcaps;
}

bool loader_kernel_too_old(const struct loader *l, const struct elf *elf)
{
	if (!l->checks_kernel || !elf->has_kernel)
		return false;
	for (int i = 0; i < 3; i++)
		if (elf->kernel[i] != l->kernel[i])
			return elf->kernel[i] > l->kernel[i];
	return false;
}

/* As open_verify() of dl-load.c, which has looked at the machine before the byte order since 2.19. */
enum loader_fit loader_fits(const struct loader *l, const struct elf *elf)
{
	if (elf->bits != 64)
		return FIT_MACHINE;
	if (elf->big_endian && glibc_cmp(l->words.glibc, STR("2.19")) < 0)
		return FIT_FAILS;
	if (elf->big_endian || !elf_is_native(elf))
		return FIT_MACHINE;
	if (elf->type != ET_DYN)
		return FIT_FAILS;
	if (loader_kernel_too_old(l, elf))
		return FIT_KERNEL;
	return elf->dynamic ? FIT_TAKEN : FIT_FAILS;
}

const void *loader_identity(const struct host_library *library)
{
	return library->path.n ? (const void *)((const struct found *)library)->content : library;
}

bool loader_has_path(struct loader *l, struct str path)
{
	CLEANUP_FD fd = -1;
	struct stat st;

	if (l->root < 0 || str_chr(path, 0) >= 0)
		return false;
	fd = open_in_root(l->root, arena_cstr(l->arena, path), O_PATH);
	return fd >= 0 && fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
}

/* --- finding ------------------------------------------------------------------------------ */

static int find_listed(struct loader *l, struct str name, const struct host_library **out)
{
	const struct profile_library *p = profile_library(l->profile, name);

	if (p)
		*out = &l->listed[p - l->profile->libraries];
	return p != NULL;
}

/* Does this glibc, on this processor, take the entry?  Entries of a subfolder are `level` over 0. */
static bool takes(const struct loader *l, const struct ld_cache_entry *x)
{
	if (l->checks_kernel &&
		x->kernel > ((l->kernel[0] & 0xff) << 16 | (l->kernel[1] & 0xff) << 8 |
				    (l->kernel[2] & 0xff)))
		return false;
	if (x->subfolder.n)
		return glibc_cmp(l->words.glibc, STR("2.33")) >= 0 &&
		       loader_has_level(&l->words, x->subfolder);
	return (x->hwcap & ~l->words.legacy) == 0;
}

/* The highest level, then what is for every processor, as they stand. */
static const struct ld_cache_entry *cached(const struct loader *l, struct str name)
{
	const struct ld_cache_entry *best = NULL;

	for (const struct ld_cache_entry *x = ld_cache_first(&l->cache, name); x;
		x = ld_cache_next(&l->cache, x))
		if (takes(l, x) && (!best || str_cmp(x->subfolder, best->subfolder) > 0))
			best = x;
	return best;
}

static bool is_built_in(const struct loader *l, struct str path)
{
	for (size_t i = 0; i < l->words.n_folders; i++) {
		struct str folder = l->words.folders[i];

		if (str_starts(path, folder) && path.n > folder.n && path.p[folder.n] == '/')
			return true;
	}
	return false;
}

static int search(struct loader *l, struct str name, bool no_defaults,
	const struct host_library **out, struct err *e)
{
	const struct ld_cache_entry *x = cached(l, name);
	int r = 0;

	if (x && !(no_defaults && is_built_in(l, x->path)))
		r = try_path(l, x->path, out, e);
	for (size_t i = 0; i < l->words.n_folders && !no_defaults && r == 0; i++)
		r = loader_find_in(l, l->words.folders[i], name, out, e);
	return r;
}

int loader_find(struct loader *l, struct str name, bool no_defaults,
	const struct host_library **out, struct err *e)
{
	struct table *asked = &l->asked[no_defaults];
	const struct host_library *found = NULL;
	union table_value *v;

	if (l->root < 0)
		return find_listed(l, name, out);
	v = table_get(asked, name);
	if (!v) {
		if (search(l, name, no_defaults, &found, e) < 0)
			return -1;
		v = table_put(asked, arena_str(l->arena, name));
		v->ptr = (void *)found;
	}
	if (v->ptr)
		*out = v->ptr;
	return v->ptr != NULL;
}

/* The bit of each of its hwcaps subfolders that is there, and behind them its own. */
static uint64_t subfolders_of(struct loader *l, struct str folder)
{
	union table_value *v = table_get(&l->folders, folder);
	uint64_t bits = 0;

	if (v)
		return v->num;
	for (size_t i = 0; i <= l->words.n_hwcaps; i++) {
		struct str sub = i < l->words.n_hwcaps ? l->words.hwcaps[i] : STR("");
		CLEANUP_FD fd = open_in_root(l->root,
			arena_printf(l->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(sub)),
			O_PATH | O_DIRECTORY);

		if (fd >= 0)
			bits |= UINT64_C(1) << i;
	}
	table_put(&l->folders, arena_str(l->arena, folder))->num = bits;
	return bits;
}

int loader_find_in(struct loader *l, struct str folder, struct str name,
	const struct host_library **out, struct err *e)
{
	uint64_t there;

	if (l->root < 0 || folder.n == 0 || folder.p[0] != '/' || str_chr(name, '/') >= 0)
		return 0;
	while (folder.n && folder.p[folder.n - 1] == '/')
		folder.n--;
	there = subfolders_of(l, folder);
	for (size_t i = 0; i <= l->words.n_hwcaps; i++) {
		struct str sub = i < l->words.n_hwcaps ? l->words.hwcaps[i] : STR("");
		int r;

		if (!(there >> i & 1))
			continue;
		r = try_path(l,
			arena_strf(l->arena, "%.*s/%.*s%.*s", STR_ARG(folder), STR_ARG(sub),
				STR_ARG(name)),
			out, e);

		if (r != 0)
			return r;
	}
	return 0;
}

int loader_file(struct loader *l, struct str path, const struct host_library **out, struct err *e)
{
	struct found *f;
	int r = path.n && path.p[0] == '/' ? at_path(l, path, &f, e) : 0;

	if (r <= 0 || f->content->no_elf)
		return r < 0 ? -1 : 0;
	*out = &f->library;
	return 1;
}

int loader_interpreter(
	struct loader *l, struct str path, const struct host_library **out, struct err *e)
{
	struct host_library *x;
	union table_value *v;
	struct str name;

	if (!path.n)
		path = l->own;
	if (l->root >= 0)
		return loader_file(l, path, out, e);
	name = str_base(path);
	if (find_listed(l, name, out))
		return 1;
	v = table_put(&l->unlisted, arena_str(l->arena, name));
	if (!v->ptr) {
		v->ptr = x = arena_new(l->arena, struct host_library);
		x->soname = x->elf.soname = arena_str(l->arena, name);
	}
	*out = v->ptr;
	return 1;
}

int loader_symbols(struct loader *l, const struct host_library *library,
	const struct elf_symbols **out, struct err *e)
{
	struct content *c;

	(void)e;
	if (!library->path.n)
		return 0;
	c = ((const struct found *)library)->content;
	if (c->has_symbols < 0)
		c->has_symbols = c->fit != FIT_FAILS &&
				 elf_symbols(l->arena, arena_cstr(l->arena, library->path),
					 c->bytes, &c->symbols, NULL) == 1;
	*out = &c->symbols;
	return c->has_symbols;
}
