/*
 * Bytecode of what pip brought.  pip is told not to compile, since its bytecode depends on times;
 * ours is entered in the dist-info/RECORD that lists the source (PEP 376, PEP 627), as pip would.
 */
#include "builder/prefix.h"

#include "base/buf.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_RECORD = 256 << 20 };

struct pip_record {
	struct str path; /* in the prefix */
	struct str text;
	size_t first, n; /* its pairs */
};

struct finder {
	struct prefix *p;
	struct table ours; /* paths of packages */
	struct {
		struct pip_record *v;
		size_t n, cap;
	} records;
	struct {
		struct source_pair *v;
		size_t n, cap;
	} pairs;
};

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct finder *f = ctx;
	struct arena *a = f->p->arena;
	struct str path = arena_strf(a, "%.*s/%s", STR_ARG(f->p->python.site_packages), rel);

	(void)e;
	if (S_ISREG(st->st_mode) && str_ends(path, STR(".dist-info/RECORD")) &&
		!table_get(&f->ours, path) && prefix_is_file(f->p, path))
		VEC_PUSH(a, &f->records)->path = path;
	return 0;
}

/* The first field of a CSV row, which pip quotes only where it holds a comma or a quote. */
static struct str first_field(struct str row)
{
	if (row.n > 0 && row.p[0] == '"') {
		struct str rest = str_sub(row, 1, row.n);
		return str_cut(&rest, '"');
	}
	return str_cut(&row, ',');
}

/* Sources below site-packages that the record lists. */
static void collect(struct finder *f, struct pip_record *r)
{
	struct prefix *p = f->p;
	struct str rest = r->text;

	r->first = f->pairs.n;
	while (rest.n > 0) {
		struct str row = first_field(str_trim(str_cut(&rest, '\n')));
		if (!path_is_safe(row) || !str_ends(row, STR(".py")))
			continue;
		struct str source = arena_strf(
			p->arena, "%.*s/%.*s", STR_ARG(p->python.site_packages), STR_ARG(row));
		struct str code = python_bytecode_path(p->arena, &p->python, source);
		if (!path_is_safe(code) || table_get(&f->ours, source) ||
			table_get(&f->ours, code) || table_put(p->bytecode, code)->num++)
			continue;
		*VEC_PUSH(p->arena, &f->pairs) = (struct source_pair){source, code};
	}
	r->n = f->pairs.n - r->first;
}

/* Adds "PATH,," for what was compiled. */
static int enter(struct finder *f, const struct pip_record *r, struct err *e)
{
	struct prefix *p = f->p;
	struct str site = p->python.site_packages;
	CLEANUP_BUF text = {0};

	buf_str(&text, r->text);
	if (text.n && text.p[text.n - 1] != '\n')
		buf_putc(&text, '\n');
	for (size_t i = r->first; i < r->first + r->n; i++) {
		struct str code = f->pairs.v[i].bytecode;
		int keep = bytecode_keep(p, code, e);
		if (keep < 0)
			return -1;
		if (!keep)
			continue;
		struct str rel = str_sub(code, site.n + 1, code.n);
		const char *quote = str_chr(rel, ',') >= 0 ? "\"" : "";
		buf_printf(&text, "%s%.*s%s,,\n", quote, STR_ARG(rel), quote);
	}
	if (!prefix_is_file(p, r->path))
		return err_set(e, ERR_INTEGRITY, "'%.*s' changed while bytecode was made",
			STR_ARG(r->path));
	return file_write(
		path_join(p->arena, p->request->prefix, r->path.p), buf_view(&text), 0644, e);
}

static int compile(struct finder *f, struct err *e)
{
	struct prefix *p = f->p;

	for (size_t i = 0; i < f->records.n; i++) {
		struct pip_record *r = &f->records.v[i];
		if (file_read_at(p->arena, p->fd, r->path.p, MAX_RECORD, &r->text, e) < 0)
			return -1;
		collect(f, r);
	}
	if (compile_pairs(p, f->pairs.v, f->pairs.n, e) < 0)
		return -1;
	for (size_t i = 0; i < f->records.n; i++)
		if (f->records.v[i].n && enter(f, &f->records.v[i], e) < 0)
			return -1;
	return 0;
}

/*
 * From Python 3.7 on only: before, the source's time would have to stand in the file, and an
 * archive gives what pip made one common time.
 */
int prefix_compile_pip(struct prefix *p, struct err *e)
{
	struct finder f = {.p = p, .ours.arena = p->arena};

	if (!p->request->compile || p->python.major < 3 ||
		(p->python.major == 3 && p->python.minor < 7))
		return 0;
	for (size_t i = 0; i < p->n; i++)
		table_put(&f.ours, p->v[i].path);
	CLEANUP_FD fd = openat(p->fd, arena_cstr(p->arena, p->python.site_packages),
		O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	if (dir_walk(fd, visit, &f, e) != 0)
		return -1;
	return compile(&f, e);
}
