#include "images/gpu_files.h"

#include "base/file.h"
#include "base/log.h"
#include "images/libc.h"

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int gpu_files_open(struct gpu_files *g, const char *root, struct err *e)
{
	const char *libc;

	g->root = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (g->root < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	libc = root_libc_place(g->root);
	if (libc)
		g->libraries = path_join(g->a, "/", path_dir(g->a, libc));
	return 0;
}

void gpu_files_close(struct gpu_files *g)
{
	fd_cleanup(&g->root);
}

/* --- device nodes ------------------------------------------------------------------------- */

/*
 * No disk, no memory, no terminal: a device that is no GPU's would be a way out.  Of the memory
 * devices (major 1) null, zero, full, random and urandom do no harm.
 */
static bool is_harmless(const struct stat *st)
{
	unsigned number = minor(st->st_rdev);

	switch (major(st->st_rdev)) {
	case 1:
		return number == 3 || number == 5 || (number >= 7 && number <= 9);
	case 4: /* terminals */
	case 5:
	case 7:  /* their content */
	case 21: /* SCSI */
		return false;
	default:
		return true;
	}
}

static void add_node(struct gpu_files *g, const char *path)
{
	struct stat st;

	if (!path_is_safe(str_of(path + 1)) || lstat(path, &st) < 0 || S_ISDIR(st.st_mode))
		return;
	if (!S_ISCHR(st.st_mode) || !is_harmless(&st)) {
		log_debug("'%s' is not a device of a GPU and stays outside", path);
		return;
	}
	if (access(path, R_OK | W_OK) < 0) {
		g->denied = arena_strdup(g->a, path);
		return;
	}
	for (size_t i = 0; i < g->nodes.n; i++)
		if (!strcmp(g->nodes.v[i], path))
			return;
	*VEC_PUSH(g->a, &g->nodes) = arena_strdup(g->a, path);
}

/* --- a library's own name ----------------------------------------------------------------- */

/* 1: a library of this machine, with its name or without; 0: none. */
static int read_soname(struct arena *a, const char *path, const char **soname)
{
	struct err ignored = {0};
	struct arena scratch = {0};
	struct str bytes;
	struct elf elf;
	int r = file_map(path, &bytes, &ignored) < 0 ? -1 : 0;

	if (r == 0) {
		r = elf_read(&scratch, path, bytes, &elf, &ignored) == 1 && elf_is_native(&elf) &&
		    elf.type == ET_DYN;
		if (r)
			*soname = arena_cstr(a, elf.soname);
		file_unmap(bytes);
	}
	err_release(&ignored);
	arena_release(&scratch);
	return r > 0;
}

/* --- files -------------------------------------------------------------------------------- */

static bool is_driver_name(struct str name)
{
	static const struct str begins[] = {STR_INIT("libcuda.so"), STR_INIT("libcudadebugger."),
		STR_INIT("libnvidia-"), STR_INIT("libnvcuvid."), STR_INIT("libnvoptix."),
		STR_INIT("nvidia-")};

	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		if (str_starts(name, begins[i]))
			return true;
	return false;
}

/* Where the root's programs find programs and libraries: a new name in one would hide another's. */
static const char *const *places_of(struct gpu_files *g, const char *dir)
{
	static const char *const programs[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin", NULL};
	const char **v;

	if (dir != g->libraries)
		return programs;
	v = arena_array(g->a, const char *, 3);
	v[0] = dir;
	v[1] = str_starts(str_of(dir), STR("/usr/")) ? dir + strlen("/usr")
						     : arena_printf(g->a, "/usr%s", dir);
	return v;
}

/*
 * A name that the root has already is replaced only where it is a driver's: images carry empty or
 * older ones of these.  The same file needs nothing.
 */
static bool is_free(struct gpu_files *g, const char *dir, const char *name, const struct stat *from)
{
	for (const char *const *place = places_of(g, dir); *place; place++) {
		CLEANUP_FD fd = open_in_root(g->root, path_join(g->a, *place, name), O_PATH);
		struct stat st;

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		if ((st.st_dev == from->st_dev && st.st_ino == from->st_ino) ||
			!is_driver_name(str_of(name)) || !S_ISREG(st.st_mode))
			return false;
	}
	return true;
}

static void add_file(struct gpu_files *g, const char *real, const struct stat *st, const char *dir,
	const char *name)
{
	const char *to = path_join(g->a, dir, name);

	if (!path_is_safe(str_of(name)) || strchr(name, '/'))
		return;
	for (size_t i = 0; i < g->files.n; i++)
		if (!strcmp(g->files.v[i].to, to))
			return;
	if (!is_free(g, dir, name, st)) {
		log_debug("'%s' is in the root already and stays as it is", name);
		return;
	}
	*VEC_PUSH(g->a, &g->files) = (struct gpu_file){arena_strdup(g->a, real), to};
}

static bool is_library_name(const char *name)
{
	const char *so = strstr(name, ".so");

	return so && (so[3] == 0 || so[3] == '.');
}

/* Under its file's name, the one that it was found by and the one that programs ask for. */
static void add_library(
	struct gpu_files *g, const char *real, const struct stat *st, const char *name)
{
	const char *soname = "";

	if (!g->libraries || !read_soname(g->a, real, &soname)) {
		log_debug("'%s' is no library for this root", real);
		return;
	}
	g->n_libraries++;
	add_file(g, real, st, g->libraries, name);
	if (is_library_name(path_base(real)))
		add_file(g, real, st, g->libraries, path_base(real));
	if (is_library_name(soname))
		add_file(g, real, st, g->libraries, soname);
	/* many programs load it by this name, which only a developer's machine has */
	if (!strcmp(soname, "libcuda.so.1"))
		add_file(g, real, st, g->libraries, "libcuda.so");
}

static bool is_in_bin(struct arena *a, const char *path)
{
	const char *folder = path_base(path_dir(a, path));

	return !strcmp(folder, "bin") || !strcmp(folder, "sbin");
}

void gpu_files_add(struct gpu_files *g, const char *path, const char *name)
{
	char *real = NULL;
	struct stat st;

	if (path[0] != '/')
		return;
	if (str_starts(str_of(path), STR("/dev/"))) {
		add_node(g, path);
		return;
	}
	real = realpath(path, NULL);
	if (!real || stat(real, &st) < 0 || !S_ISREG(st.st_mode))
		log_debug("'%s' is not a file here", path);
	else if (is_library_name(name))
		add_library(g, real, &st, name);
	else if (is_in_bin(g->a, path) && (st.st_mode & 0111))
		add_file(g, real, &st, "/usr/bin", name);
	else
		log_debug("'%s' is neither a library nor a program", path);
	free(real);
}
