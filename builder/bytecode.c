/*
 * Bytecode, made by the environment's own Python in the engine.
 *
 * The same bytes everywhere: hash seed 0, the name in the code is relative to the prefix, and from
 * Python 3.7 on the file says "unchecked hash" (PEP 552) instead of the source's time.  Before,
 * time and size of the source stand in it, and those are the package's own.
 */
#include "builder/prefix.h"

#include "base/file.h"

#include <fcntl.h>
#include <unistd.h>

static const char LISTING[] = ".envbuild-compile";

/* argv: prefix, file with SOURCE NUL BYTECODE NUL ... relative to it.  Python 2.6 to any 3. */
static const char DRIVER[] =
	"import os, sys, py_compile\n"
	"prefix, listing = sys.argv[1:3]\n"
	"with open(listing, 'rb') as f:\n"
	"    names = f.read().split(b'\\0')[:-1]\n"
	"if sys.version_info[0] > 2:\n"
	"    names = [os.fsdecode(n) for n in names]\n"
	"more = {}\n"
	"if hasattr(py_compile, 'PycInvalidationMode'):\n"
	"    more['invalidation_mode'] = py_compile.PycInvalidationMode.UNCHECKED_HASH\n"
	"for source, code in zip(names[::2], names[1::2]):\n"
	"    target = prefix + '/' + code\n"
	"    try:\n"
	"        py_compile.compile(prefix + '/' + source, target, source, True, **more)\n"
	"        os.chmod(target, 420)\n"
	"    except Exception:\n"
	"        pass\n";

static void add_pairs(const struct source_pair *pairs, size_t n, struct buf *to)
{
	for (size_t i = 0; i < n; i++) {
		buf_str(to, pairs[i].source);
		buf_putc(to, '\0');
		buf_str(to, pairs[i].bytecode);
		buf_putc(to, '\0');
	}
}

int compile_pairs(struct prefix *p, const struct source_pair *pairs, size_t n, struct err *e)
{
	struct arena a = {0};
	CLEANUP_BUF listing = {0};
	const char *in = p->request->prefix_inside;
	const char *const argv[] = {
		arena_printf(&a, "%s/%.*s", in, STR_ARG(p->python.program)),
		/* Without site: no .pth file of a package may run here. */
		"-S",
		"-W",
		"ignore",
		"-c",
		DRIVER,
		in,
		arena_printf(&a, "%s/%s", in, LISTING),
		NULL,
	};
	struct command c = {.argv = argv};

	add_pairs(pairs, n, &listing);
	int rc = n ? prefix_put(p, LISTING, buf_view(&listing), 0644, e) : 0;
	if (rc == 0 && n)
		rc = prefix_run(p, &c, "the environment's Python, which compiles bytecode,", e);
	if (n && unlinkat(p->fd, LISTING, 0) < 0 && rc == 0)
		rc = err_sys(e, "cannot remove '%s'", LISTING);
	arena_release(&a);
	return rc;
}

int bytecode_keep(struct prefix *p, struct str path, struct err *e)
{
	struct arena a = {0};
	char *full = path_join(&a, p->request->prefix, arena_cstr(&a, path));
	struct str data;
	int rc = 0;

	if (prefix_is_file(p, path) && (rc = file_map(full, &data, e)) == 0) {
		rc = str_find(data, str_of(p->request->prefix_inside)) < 0;
		file_unmap(data);
		if (rc == 0 && unlink(full) < 0)
			rc = err_sys(e, "cannot remove '%s'", full);
	}
	arena_release(&a);
	return rc;
}

/* Looks at what was made. */
static int take(struct prefix *p, struct linked *l, struct err *e)
{
	struct arena a = {0};
	char *full = path_join(&a, p->request->prefix, arena_cstr(&a, l->path));
	int rc = bytecode_keep(p, l->path, e);

	l->absent = rc <= 0;
	l->how = HOW_COPY;
	if (rc > 0) {
		rc = file_hash(full, l->sha256, NULL, e);
		if (rc == 0 && stamp_take(AT_FDCWD, full, &l->stamp) < 0)
			rc = err_sys(e, "cannot look at '%s'", full);
		l->size = (uint64_t)l->stamp.size;
	}
	arena_release(&a);
	return rc;
}

int prefix_compile(struct prefix *p, struct err *e)
{
	struct {
		struct source_pair *v;
		size_t n, cap;
	} pairs = {0};
	int rc;

	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == LINKED_BYTECODE)
			*VEC_PUSH(p->arena, &pairs) =
				(struct source_pair){p->v[i].source, p->v[i].path};
	rc = compile_pairs(p, pairs.v, pairs.n, e);
	for (size_t i = 0; i < p->n && rc == 0; i++)
		if (p->v[i].kind == LINKED_BYTECODE)
			rc = take(p, &p->v[i], e);
	return rc;
}
