/* The Python distributions that lie in a prefix. */
#include "builder/dist.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct reader {
	struct arena *a;
	int fd; /* of site-packages */
	struct str site_packages;
	struct installed_dists *out;
};

static bool is_file(int fd, const char *rel)
{
	struct stat st;

	return fstatat(fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(int fd, const char *rel)
{
	struct stat st;

	return fstatat(fd, rel, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* 1 read, 0 not there. */
static int read_text(struct reader *r, const char *rel, size_t max, struct str *out, struct err *e)
{
	if (!is_file(r->fd, rel))
		return 0;
	return file_read_at(r->a, r->fd, rel, max, out, e) < 0 ? -1 : 1;
}

/* dir: what the paths are relative to, in the prefix. */
static void set_files(
	struct reader *r, struct str text, struct str dir, bool csv, struct installed_dist *out)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};
	struct str rest = text;

	while (rest.n) {
		struct str line = str_trim(str_cut(&rest, '\n'));
		struct str path = csv ? record_row_path(r->a, line) : line;

		path = prefix_path_resolve(r->a, dir, path);
		if (path.n)
			*VEC_PUSH(r->a, &list) = path;
	}
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, str_cmp_qsort);
	out->files = list.v;
	out->n_files = list.n;
}

static int read_dist_info(
	struct reader *r, const char *name, struct installed_dist *out, struct err *e)
{
	const char *metadata = path_join(r->a, name, "METADATA");
	struct str text;
	int there = read_text(r, metadata, DIST_TEXT_MAX, &text, e);

	if (there <= 0)
		return there;
	if (dist_parse_metadata(r->a, metadata, text, &out->dist, e) < 0)
		return -1;
	there = read_text(r, path_join(r->a, name, "RECORD"), DIST_RECORD_MAX, &text, e);
	if (there > 0)
		set_files(r, text, r->site_packages, true, out);
	return there < 0 ? -1 : 1;
}

static int read_egg_info(
	struct reader *r, const char *name, struct installed_dist *out, struct err *e)
{
	bool folder = is_folder(r->fd, name);
	const char *info = folder ? path_join(r->a, name, "PKG-INFO") : name;
	struct str text;
	int there = read_text(r, info, DIST_TEXT_MAX, &text, e);

	if (there <= 0)
		return there;
	if (dist_parse_metadata(r->a, info, text, &out->dist, e) < 0)
		return -1;
	if (!folder)
		return 1;
	there = read_text(r, path_join(r->a, name, "requires.txt"), DIST_TEXT_MAX, &text, e);
	if (there > 0)
		dist_parse_requires_txt(r->a, text, &out->dist);
	if (there >= 0)
		there = read_text(
			r, path_join(r->a, name, "installed-files.txt"), DIST_RECORD_MAX, &text, e);
	if (there > 0)
		set_files(r, text, out->path, false, out);
	return there < 0 ? -1 : 1;
}

static void read_one(struct reader *r, const char *name)
{
	struct installed_dist dist = {0};
	struct err e = {0};
	int there = 0;

	dist.path = prefix_path_resolve(r->a, r->site_packages, str_of(name));
	if (!dist.path.n)
		return;
	if (str_ends(str_of(name), STR(".dist-info")))
		there = read_dist_info(r, name, &dist, &e);
	else
		there = read_egg_info(r, name, &dist, &e);
	if (there > 0)
		*VEC_PUSH(r->a, r->out) = dist;
	if (there < 0)
		log_warn("not a Python distribution: %s", e.text);
	err_release(&e);
}

struct str dist_anchor(struct arena *a, int fd, struct str path)
{
	if (str_ends(path, STR(".dist-info")))
		return arena_strf(a, "%.*s/METADATA", STR_ARG(path));
	return is_folder(fd, arena_cstr(a, path)) ? arena_strf(a, "%.*s/PKG-INFO", STR_ARG(path))
						  : path;
}

struct str dist_folder_of(struct str path)
{
	struct str rest = path, folder, lib = str_cut(&rest, '/'), python = str_cut(&rest, '/'),
		   site = str_cut(&rest, '/'), name = str_cut(&rest, '/');

	if (!str_is(lib, "lib") || !str_starts(python, STR("python")) ||
		!str_is(site, "site-packages"))
		return (struct str){0};
	if (!str_ends(name, STR(".dist-info")) && !str_ends(name, STR(".egg-info")))
		return (struct str){0};
	folder = str_sub(path, 0, (size_t)(name.p + name.n - path.p));
	return rest.p && str_chr(rest, '/') >= 0 ? (struct str){0} : folder;
}

static int cmp_path(const void *a, const void *b)
{
	return str_cmp(
		((const struct installed_dist *)a)->path, ((const struct installed_dist *)b)->path);
}

int dists_installed(struct arena *a, int prefix_fd, struct str site_packages,
	struct installed_dists *out, struct err *e)
{
	struct reader r = {.a = a, .site_packages = site_packages, .out = out};
	CLEANUP_FD fd =
		openat(prefix_fd, arena_cstr(a, site_packages), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	DIR *dir;
	int again;

	*out = (struct installed_dists){0};
	if (fd < 0 && errno == ENOENT)
		return 0;
	again = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	dir = again < 0 ? NULL : fdopendir(again);
	if (!dir) {
		if (again >= 0)
			close(again);
		return err_sys(e, "cannot read the folder '%.*s'", STR_ARG(site_packages));
	}
	r.fd = fd;
	while ((entry = readdir(dir))) {
		struct str name = str_of(entry->d_name);

		if (str_ends(name, STR(".dist-info")) || str_ends(name, STR(".egg-info")))
			read_one(&r, arena_strdup(a, entry->d_name));
	}
	closedir(dir);
	if (out->n)
		qsort(out->v, out->n, sizeof *out->v, cmp_path);
	return 0;
}
