#include "builder/binaries.h"

#include "base/file.h"
#include "base/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

bool binary_is_of_sysroot(struct str path)
{
	return str_find(path, STR("/sysroot/")) >= 0;
}

bool binary_is_worth_a_look(enum path_type type, uint64_t size, struct str path)
{
	return type == PATH_FILE && size >= 64 && !binary_is_of_sysroot(path);
}

enum { MAX_NAMES = 4000000, MAX_NAME_BYTES = 64 << 20 };

bool binary_names_add(struct binary_names *names, const struct elf *elf)
{
	names->n += elf->n_needed + elf->n_defines + 2 * elf->n_needs;
	for (size_t i = 0; i < elf->n_needed; i++)
		names->bytes += elf->needed[i].n;
	for (size_t i = 0; i < elf->n_defines; i++)
		names->bytes += elf->defines[i].n;
	for (size_t i = 0; i < elf->n_needs; i++)
		names->bytes += elf->needs[i].file.n + elf->needs[i].version.n;
	return names->n <= MAX_NAMES && names->bytes <= MAX_NAME_BYTES;
}

static void copy_list(struct arena *a, struct str **v, size_t n)
{
	struct str *copy = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		copy[i] = arena_str(a, (*v)[i]);
	*v = copy;
}

static void copy_texts(struct arena *a, struct elf *elf)
{
	struct elf_need *needs = arena_array(a, struct elf_need, elf->n_needs);

	elf->interpreter = arena_str(a, elf->interpreter);
	elf->soname = arena_str(a, elf->soname);
	elf->rpath = arena_str(a, elf->rpath);
	elf->runpath = arena_str(a, elf->runpath);
	elf->build_id = arena_str(a, elf->build_id);
	copy_list(a, &elf->needed, elf->n_needed);
	copy_list(a, &elf->defines, elf->n_defines);
	for (size_t i = 0; i < elf->n_needs; i++)
		needs[i] = (struct elf_need){arena_str(a, elf->needs[i].file),
			arena_str(a, elf->needs[i].version), elf->needs[i].weak};
	elf->needs = needs;
}

int binary_read(
	struct arena *a, const char *path, struct str bytes, struct binary *out, struct err *e)
{
	struct binary_names names = {0};
	struct err fault = {0};
	int r;

	*out = (struct binary){.path = str_of(path)};
	r = elf_read(a, path, bytes, &out->elf, &fault);
	if (r < 0)
		out->fault = arena_str(a, str_of(fault.text));
	err_release(&fault);
	if (r == 0)
		return 0;
	if (!binary_names_add(&names, &out->elf))
		return err_set(e, ERR_INTEGRITY, "%s, with '%s'", BINARY_TOO_MANY_NAMES, path);
	copy_texts(a, &out->elf);
	return 1;
}

int binary_read_fd(struct arena *a, struct str path, int fd, struct binary *out, struct err *e)
{
	char magic[4];
	struct str bytes;
	int r;

	if (interrupt_check(e) < 0)
		return -1;
	/* Most files are none; a look costs less than a mapping. */
	if (pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "\177ELF", 4) != 0)
		return 0;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "'%.*s'", STR_ARG(path));
	r = binary_read(a, arena_cstr(a, path), bytes, out, e);
	file_unmap(bytes);
	return r;
}

static int read_file(struct arena *a, const char *dir, const struct package_file *f,
	struct binary *out, struct err *e)
{
	CLEANUP_FD fd =
		open(arena_printf(a, "%s/%.*s", dir, STR_ARG(f->path)), O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open '%s/%.*s'", dir, STR_ARG(f->path));
	return binary_read_fd(a, f->path, fd, out, e);
}

int binaries_compute(struct arena *a, const struct package *p, struct binaries *out, struct err *e)
{
	*out = (struct binaries){.v = arena_array(a, struct binary, p->n_files)};
	memcpy(out->sha256, p->sha256, sizeof out->sha256);
	for (size_t i = 0; i < p->n_files; i++) {
		const struct package_file *f = &p->files[i];
		int r;

		if (!binary_is_worth_a_look(f->type, f->size, f->path))
			continue;
		r = read_file(a, p->dir, f, &out->v[out->n], e);
		if (r < 0)
			return -1;
		out->n += (size_t)r;
	}
	return 0;
}

int binaries_load(struct arena *a, const struct cache *c, const struct known_binaries *known,
	const struct record *r, struct binaries *out, struct err *e)
{
	struct package p;

	(void)known;
	if (package_load(a, c, r, &p, e) < 0 || binaries_compute(a, &p, out, e) < 0)
		return -1;
	return 1;
}

int binaries_symbols(struct arena *a, const struct cache *c, const struct record *r, size_t i,
	struct elf_symbols *out, struct err *e)
{
	(void)a, (void)c, (void)r, (void)i, (void)e;
	*out = (struct elf_symbols){0};
	return 0;
}

int known_binaries_read(struct known_binaries *k, const char *path, struct err *e)
{
	(void)k;
	return err_set(e, ERR_INPUT, "'%s' is no file of facts", path);
}

int binaries_export(struct arena *a, const struct binaries *const *v, size_t n,
	const struct record *const *records, struct buf *to, struct err *e)
{
	(void)a, (void)v, (void)n, (void)records, (void)to;
	return err_set(e, ERR_INPUT, "facts cannot be exported");
}
