#include "builder/binaries_inside.h"

#include "base/file.h"
#include "base/interrupt.h"

const struct str BINARY_PREFIX = STR_INIT("/ENV");

/* A file itself counts like some names, so that many small ones are bounded too. */
enum { MAX_NAMES = 4000000, MAX_NAME_BYTES = 64 << 20, FILE_NAMES = 32 };

bool binary_is_of_sysroot(struct str path)
{
	return str_find(path, STR("/sysroot/")) >= 0;
}

bool binary_is_worth_a_look(enum path_type type, uint64_t size, struct str path)
{
	return type == PATH_FILE && size >= 64 && !binary_is_of_sysroot(path);
}

bool binary_magic(struct str bytes)
{
	return str_starts(bytes, STR("\177ELF"));
}

bool binary_names_add(struct binary_names *names, const struct binary *b)
{
	const struct elf *elf = &b->elf;

	names->n += FILE_NAMES + elf->n_needed + elf->n_defines + 2 * elf->n_needs;
	names->bytes += b->path.n + b->fault.n + b->leftover.n + elf->interpreter.n +
			elf->soname.n + elf->rpath.n + elf->runpath.n + elf->build_id.n;
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

static void copy(struct arena *a, struct elf *elf)
{
	struct elf_need *needs = arena_array(a, struct elf_need, elf->n_needs);
	struct elf_gpu *gpu = arena_array(a, struct elf_gpu, elf->n_gpu);

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
	if (elf->n_gpu)
		memcpy(gpu, elf->gpu, elf->n_gpu * sizeof *gpu);
	elf->gpu = gpu;
}

int binary_read(
	struct arena *a, const char *path, struct str bytes, struct binary *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct binary_names names = {0};
	struct err fault = {0};
	int r;

	*out = (struct binary){.path = str_of(path)};
	r = elf_read(&scratch, path, bytes, &out->elf, &fault);
	if (r < 0)
		out->fault = arena_str(a, str_of(fault.text));
	err_release(&fault);
	if (r == 0)
		return 0;
	if (!binary_names_add(&names, out))
		return err_set(e, ERR_INTEGRITY, "%s, with '%s'", BINARY_TOO_MANY_NAMES, path);
	copy(a, &out->elf);
	return 1;
}

int binary_begins(int fd, const char *path, struct err *e)
{
	char magic[4];
	ssize_t n = read_full(fd, magic, sizeof magic);

	if (n < 0)
		return err_sys(e, "cannot read '%s'", path);
	return n == sizeof magic && binary_magic(str_n(magic, sizeof magic));
}

int binary_read_fd(struct arena *a, struct str path, int fd, struct binary *out, struct err *e)
{
	char *name = arena_cstr(a, path);
	struct str bytes;
	int r = interrupt_check(e) < 0 ? -1 : binary_begins(fd, name, e);

	/* Most files are none; a look costs less than a mapping. */
	if (r <= 0)
		return r;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "'%s'", name);
	r = binary_read(a, name, bytes, out, e);
	file_unmap(bytes);
	return r;
}

static void copy_symbols(struct arena *a, struct elf_symbol **v, size_t n)
{
	struct elf_symbol *to = arena_array(a, struct elf_symbol, n);

	for (size_t i = 0; i < n; i++) {
		to[i] = (*v)[i];
		to[i].name = arena_str(a, to[i].name);
		to[i].version = arena_str(a, to[i].version);
		to[i].file = arena_str(a, to[i].file);
	}
	*v = to;
}

int binary_read_symbols(
	struct arena *a, const char *name, int fd, struct elf_symbols *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct str bytes;
	int r;

	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "'%s'", name);
	/* That it is broken has been said of the file. */
	r = elf_symbols(&scratch, name, bytes, out, NULL);
	if (r > 0) {
		copy_symbols(a, &out->undefined, out->n_undefined);
		copy_symbols(a, &out->defined, out->n_defined);
	} else {
		*out = (struct elf_symbols){0};
	}
	file_unmap(bytes);
	return r > 0;
}

static struct str replaced(struct arena *a, struct str s, struct str from, struct str to)
{
	CLEANUP_BUF text = {0};
	ptrdiff_t at = str_find(s, from);

	if (at < 0)
		return s;
	for (; at >= 0; at = str_find(s, from)) {
		buf_str(&text, str_sub(s, 0, (size_t)at));
		buf_str(&text, to);
		s = str_sub(s, (size_t)at + from.n, s.n);
	}
	buf_str(&text, s);
	return arena_str(a, buf_view(&text));
}

/* The list is another's too. */
static void replace_names(struct arena *a, struct elf *elf, struct str from, struct str to)
{
	struct str *needed = arena_array(a, struct str, elf->n_needed);

	for (size_t i = 0; i < elf->n_needed; i++)
		needed[i] = replaced(a, elf->needed[i], from, to);
	elf->needed = needed;
}

void binary_replace(struct arena *a, struct binary *b, struct str from, struct str to)
{
	struct elf *elf = &b->elf;

	if (from.n == 0 || from.n < to.n)
		return;
	elf->interpreter = replaced(a, elf->interpreter, from, to);
	elf->soname = replaced(a, elf->soname, from, to);
	elf->rpath = replaced(a, elf->rpath, from, to);
	elf->runpath = replaced(a, elf->runpath, from, to);
	replace_names(a, elf, from, to);
}
