#include "packer/audit_tree.h"

#include "base/file.h"
#include "base/interrupt.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

struct growing {
	struct arena *a;
	struct audit_package *packages;
	size_t n_packages;
	struct {
		struct audit_file *v;
		size_t n, cap;
	} files;
};

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct audit_file *)a)->path, ((const struct audit_file *)b)->path);
}

static void finish(struct growing *g, const char *what, struct audit_tree *out)
{
	if (g->files.n)
		qsort(g->files.v, g->files.n, sizeof *g->files.v, by_path);
	*out = (struct audit_tree){.what = what,
		.packages = g->packages,
		.n_packages = g->n_packages,
		.files = g->files.v,
		.n_files = g->files.n};
}

static void add_package(struct growing *g, const struct record *r)
{
	g->packages[g->n_packages++] = (struct audit_package){.name = r->name,
		.version = r->version,
		.build = r->build,
		.dist = record_dist(g->a, r),
		.record = r};
}

int audit_tree_packages(struct arena *a, const struct cache *c, const struct known_binaries *known,
	struct record *const *records, size_t n, struct audit_tree *out, size_t *missing,
	struct err *e)
{
	struct growing g = {.a = a, .packages = arena_array(a, struct audit_package, n)};

	*missing = 0;
	for (size_t i = 0; i < n; i++) {
		struct binaries b;
		int r = binaries_load(a, c, known, records[i], &b, e);

		if (r < 0)
			return -1;
		*missing += r == 0;
		add_package(&g, records[i]);
		for (size_t k = 0; r > 0 && k < b.n; k++)
			*VEC_PUSH(a, &g.files) = (struct audit_file){.path = b.v[k].path,
				.package = (ptrdiff_t)i,
				.type = PATH_FILE,
				.mode = 0755,
				.binary = &b.v[k]};
	}
	finish(&g, "the packages", out);
	out->of_packages = true;
	return 0;
}

static int read_binary(struct growing *g, struct audit_file *f, const char *source, struct err *e)
{
	struct binary *b = arena_new(g->a, struct binary);
	CLEANUP_FD fd = open(source, O_RDONLY | O_CLOEXEC);
	char magic[4];
	struct str bytes;
	int r;

	if (interrupt_check(e) < 0)
		return -1;
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", source);
	if (pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "\177ELF", 4) != 0)
		return 0;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "%s", source);
	r = binary_read(g->a, arena_cstr(g->a, f->path), bytes, b, e);
	file_unmap(bytes);
	if (r > 0)
		f->binary = b;
	return r < 0 ? -1 : 0;
}

int audit_tree_content(struct arena *a, const struct cache *c, const struct content *content,
	struct audit_tree *out, struct err *e)
{
	struct growing g = {
		.a = a, .packages = arena_array(a, struct audit_package, content->n_packages)};

	(void)c;
	for (size_t i = 0; i < content->n_packages; i++)
		add_package(&g, content->packages[i].record);
	for (size_t i = 0; i < content->n_entries; i++) {
		const struct content_entry *f = &content->entries[i];
		struct audit_file *to = VEC_PUSH(a, &g.files);

		*to = (struct audit_file){.path = f->path,
			.package = f->package,
			.type = f->type,
			.mode = f->mode,
			.link = f->link};
		if (binary_is_worth_a_look(f->type, f->size, f->path) &&
			read_binary(&g, to, f->source, e) < 0)
			return -1;
	}
	finish(&g, "the environment", out);
	return 0;
}

struct walk {
	struct growing *g;
	int fd;
	const char *root;
};

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct walk *w = ctx;
	struct arena *a = w->g->a;
	struct audit_file *f;

	if (S_ISDIR(st->st_mode) || (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode)))
		return 0;
	f = VEC_PUSH(a, &w->g->files);
	*f = (struct audit_file){.path = arena_str(a, str_of(rel)),
		.package = -1,
		.type = S_ISLNK(st->st_mode) ? PATH_SOFTLINK : PATH_FILE,
		.mode = st->st_mode & 0777};
	if (!binary_is_worth_a_look(f->type, (uint64_t)st->st_size, f->path))
		return 0;
	return read_binary(w->g, f, path_join(a, w->root, rel), e);
}

int audit_tree_prefix(struct arena *a, const struct cache *c, const char *prefix, unsigned jobs,
	struct audit_tree *out, struct err *e)
{
	CLEANUP_FD fd = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct growing g = {.a = a};
	struct walk w = {&g, fd, prefix};

	(void)c;
	(void)jobs;
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (dir_walk(fd, visit, &w, e) != 0)
		return -1;
	finish(&g, prefix, out);
	out->prefix = str_of(prefix);
	return 0;
}

static int not_yet(const char *what, struct err *e)
{
	return err_set(e, ERR_USAGE, "'%s' cannot be audited", what);
}

int audit_tree_archive(struct arena *a, const char *archive, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	return not_yet(archive, e);
}

int audit_tree_package(
	struct arena *a, const char *file, const char *work, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	(void)work;
	return not_yet(file, e);
}

int audit_tree_files(
	struct arena *a, const char **files, size_t n, struct audit_tree *out, struct err *e)
{
	(void)a;
	(void)out;
	(void)n;
	return not_yet(files[0], e);
}
