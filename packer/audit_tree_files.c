/* Package files that are on this machine, and single ELF files. */
#include "base/file.h"
#include "builder/beneath.h"
#include "builder/facts.h"
#include "builder/index_json.h"
#include "packer/audit_growing.h"
#include "packer/audit_look.h"
#include "packer/audit_symbols.h"
#include "packer/audit_tree.h"
#include "solver/matchspec.h"

#include <fcntl.h>
#include <unistd.h>

/* --- package files ---------------------------------------------------------------------------- */

struct unpacking {
	struct arena *a;
	struct audit_growing g;
	struct audit_looking buffers;
};

/* What info/index.json says; the sums are the file's. */
static int read_record(struct arena *a, const char *file, const struct extraction *x,
	struct record **out, struct err *e)
{
	struct record *r = arena_new(a, struct record);
	struct index_json index;

	if (index_json_read(a, file, &index, e) < 0)
		return -1;
	*r = (struct record){.name = index_json_text(&index, "name"),
		.version = index_json_text(&index, "version"),
		.build = index_json_text(&index, "build"),
		.subdir = index_json_text(&index, "subdir"),
		.fn = arena_str(a, str_of(path_base(file))),
		.constrains_unknown = true,
		.has_sha256 = true,
		.has_md5 = true,
		.size = x->sums.size};
	r->depends = index_json_list(&index, "depends", &r->n_depends);
	memcpy(r->sha256, x->sums.sha256, sizeof r->sha256);
	memcpy(r->md5, x->sums.md5, sizeof r->md5);
	*out = r;
	return 0;
}

static int look_at(struct unpacking *u, struct beneath *b, const struct package_file *p,
	struct audit_file *f, struct err *e)
{
	char name[256];
	int dir = beneath_parent(b, p->path, name, e);
	CLEANUP_FD fd = dir < 0 ? -1 : openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct audit_subject s = {.path = f->path,
		.size = p->size,
		.mode = p->mode,
		.read = audit_read_fd,
		.ctx = &fd,
		.fd = fd,
		.declared = p->placeholder,
		.binary = p->binary};
	struct audit_look look;

	if (dir < 0)
		return -1;
	if (fd < 0)
		return err_sys(e, "cannot open '%.*s'", STR_ARG(p->path));
	if (audit_look(&u->buffers, u->a, &s, &look, e) < 0)
		return -1;
	audit_look_unpacked(u->a, &look, p->placeholder);
	f->interpreter = look.interpreter;
	f->leftover = look.leftover;
	return look.binary ? audit_growing_binary(&u->g, f, look.binary, e) : 0;
}

static int add_files(
	struct unpacking *u, const struct package *p, ptrdiff_t package, int root, struct err *e)
{
	struct beneath b;
	int rc = 0;

	beneath_init(&b, root, false);
	for (size_t i = 0; i < p->n_files && rc == 0; i++) {
		const struct package_file *from = &p->files[i];
		struct audit_file *f;

		if (from->type == PATH_DIRECTORY)
			continue;
		f = audit_growing_file(&u->g, from->path, package, from->type, from->mode);
		f->link = from->link;
		if (from->type == PATH_FILE && from->size)
			rc = look_at(u, &b, from, f, e);
	}
	beneath_release(&b);
	return rc;
}

static int extract(
	struct unpacking *u, const char *file, int root, struct extraction *x, struct err *e)
{
	CLEANUP_FD fd = open(file, O_RDONLY | O_CLOEXEC);
	struct package_source from = {.read = audit_read_fd, .ctx = &fd};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", file);
	from.size = (uint64_t)st.st_size;
	return extract_package(u->a, &from, path_base(file), root, x, e);
}

static int add_package(struct unpacking *u, const char *file, const char *dir, struct err *e)
{
	struct package *p = arena_new(u->a, struct package);
	struct extraction x;
	struct record *r;

	if (dir_make(dir, e) < 0)
		return -1;
	CLEANUP_FD root = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (root < 0)
		return err_sys(e, "cannot open '%s'", dir);
	if (extract(u, file, root, &x, e) < 0 || read_record(u->a, file, &x, &r, e) < 0 ||
		facts_compute(u->a, &x, dir, root, r, p, e) < 0)
		return -1;
	r->noarch = p->noarch;
	return add_files(u, p, audit_growing_package(&u->g, r), root, e);
}

static bool has_package(const struct audit_tree *t, struct str name)
{
	for (size_t i = 0; i < t->n_packages; i++)
		if (str_eq(t->packages[i].name, name))
			return true;
	return false;
}

/* Does one need another, which may bring what it lacks?  Virtual ones begin with "__". */
static bool lacks_dependencies(const struct audit_tree *t)
{
	for (size_t i = 0; i < t->n_packages; i++) {
		const struct record *r = t->packages[i].record;

		if (!r)
			return true;
		for (size_t k = 0; k < r->n_depends; k++) {
			struct str name = matchspec_name(r->depends[k]);

			if (!str_starts(name, STR("__")) && !has_package(t, name))
				return true;
		}
	}
	return false;
}

int audit_tree_package_files(struct arena *a, const char **files, size_t n, const char *work,
	struct audit_tree *out, struct err *e)
{
	struct unpacking u = {.a = a, .g.a = a};
	const char **roots = arena_array(a, const char *, n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		roots[i] = arena_printf(a, "%s/%zu", work, i);
		rc = add_package(&u, files[i], roots[i], e);
		if (rc < 0)
			err_wrap(e, "in '%s'", files[i]);
	}
	audit_looking_release(&u.buffers);
	if (rc < 0)
		return -1;
	audit_growing_install(&u.g);
	audit_growing_finish(&u.g, n == 1 ? files[0] : arena_printf(a, "%zu packages", n), out);
	out->of_packages = true;
	out->alone = lacks_dependencies(out);
	out->prefix = BINARY_PREFIX;
	audit_symbols_of_packages(a, out, roots);
	return 0;
}

/* --- single files ----------------------------------------------------------------------------- */

static int add_file(struct unpacking *u, const char *path, struct err *e)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct audit_subject s = {
		.path = arena_str(u->a, str_of(path)), .read = audit_read_fd, .ctx = &fd, .fd = fd};
	struct audit_look look = {0};
	struct audit_file *f;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", path);
	s.size = (uint64_t)st.st_size;
	s.mode = st.st_mode;
	if (S_ISREG(st.st_mode) && audit_look(&u->buffers, u->a, &s, &look, e) < 0)
		return err_wrap(e, "'%s'", path);
	if (!look.binary) {
		err_set(e, ERR_USAGE, "'%s' is nothing that can be audited", path);
		return err_advise(e, "archives, folders of environments, .conda and .tar.bz2 "
				     "packages and ELF files can");
	}
	f = audit_growing_file(&u->g, s.path, -1, PATH_FILE, st.st_mode & 0777);
	return audit_growing_binary(&u->g, f, look.binary, e);
}

int audit_tree_files(
	struct arena *a, const char **files, size_t n, struct audit_tree *out, struct err *e)
{
	struct unpacking u = {.a = a, .g.a = a};
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = add_file(&u, files[i], e);
	audit_looking_release(&u.buffers);
	if (rc < 0)
		return -1;
	audit_growing_finish(&u.g, n == 1 ? files[0] : arena_printf(a, "%zu files", n), out);
	out->alone = true;
	audit_symbols_of_paths(a, out);
	return 0;
}
