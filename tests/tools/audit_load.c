/*
 * What the audit's model of ld.so says of the programs of a folder, for comparison with a real one.
 *
 *	audit_load ROOT PREFIX LEVEL KERNEL [-s] [PROGRAM [MODULE...]]
 *
 * The tree is ROOT/PREFIX, as processes whose root is ROOT see it; without PROGRAM each program in it;
 * PROGRAM "-": modules without a program.  LEVEL is a name of archspec, KERNEL "3.10.0".  -s looks at
 * symbols too.  Lines, tabs between fields:
 *
 *	load PROGRAM [MODULE]
 *	object PATH                 in the order of the scope, without the program
 *	missing NAME BY PASSED      PASSED none, machine, kernel, broken
 *	lacks VERSION IN BY         not where IN has no versions at all
 *	symbol NAME VERSION BY
 *	time MICROSECONDS           of all that, at the end
 */
#include "packer/audit_load.h"
#include "base/file.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

struct growing {
	struct arena *a;
	const char *dir;
	struct {
		struct audit_file *v;
		size_t n, cap;
	} files;
};

static int die(struct err *e)
{
	fprintf(stderr, "audit_load: %s\n", e->text ? e->text : "?");
	err_release(e);
	return 1;
}

static int add_binary(struct growing *g, struct audit_file *f, const char *rel, struct err *e)
{
	struct binary *b = arena_new(g->a, struct binary);
	struct str bytes;
	int r;

	if (file_map(path_join(g->a, g->dir, rel), &bytes, e) < 0)
		return -1;
	r = binary_read(g->a, f->path.p, bytes, b, e);
	file_unmap(bytes);
	if (r > 0)
		f->binary = b;
	return r < 0 ? -1 : 0;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct growing *g = ctx;
	char text[4096];
	struct audit_file f = {.path = arena_str(g->a, str_of(rel)),
		.package = -1,
		.type = S_ISLNK(st->st_mode) ? PATH_SOFTLINK : PATH_FILE,
		.mode = st->st_mode & 0777};
	ssize_t n;

	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return 0;
	if (S_ISLNK(st->st_mode)) {
		n = readlink(path_join(g->a, g->dir, rel), text, sizeof text);
		if (n < 0)
			return err_sys(e, "cannot read '%s'", rel);
		f.link = arena_str(g->a, str_n(text, (size_t)n));
	} else if (add_binary(g, &f, rel, e) < 0) {
		return -1;
	}
	*VEC_PUSH(g->a, &g->files) = f;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct audit_file *)a)->path, ((const struct audit_file *)b)->path);
}

static int read_tree(struct growing *g, struct audit_tree *out, struct err *e)
{
	CLEANUP_FD fd = open(g->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", g->dir);
	if (dir_walk(fd, visit, g, e) != 0)
		return -1;
	if (g->files.n)
		qsort(g->files.v, g->files.n, sizeof *g->files.v, by_path);
	out->what = g->dir;
	out->files = g->files.v;
	out->n_files = g->files.n;
	return 0;
}

static int symbols_of(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	const struct growing *g = ctx;
	const char *path = path_join(a, g->dir, arena_cstr(a, g->files.v[file].path));
	struct str bytes;

	/* kept, as the texts are slices of it */
	if (file_map(path, &bytes, e) < 0)
		return -1;
	return elf_symbols(a, path, bytes, out, e);
}

static void print_load(const struct load *l, struct str program, struct str module)
{
	static const char *const why[] = {"none", "machine", "kernel", "broken"};

	printf("load\t%.*s\t%.*s\n", STR_ARG(program), STR_ARG(module));
	for (size_t i = 1; i < l->n_objects; i++)
		printf("object\t%.*s\n", STR_ARG(l->objects[i].path));
	for (size_t i = 0; i < l->n_misses; i++)
		printf("missing\t%.*s\t%.*s\t%s\n", STR_ARG(l->misses[i].name),
			STR_ARG(l->objects[l->misses[i].by].path), why[l->misses[i].why]);
	for (size_t i = 0; i < l->n_lacks; i++)
		if (!l->lacks[i].unversioned)
			printf("lacks\t%.*s\t%.*s\t%.*s\n", STR_ARG(l->lacks[i].need->version),
				STR_ARG(l->objects[l->lacks[i].in].path),
				STR_ARG(l->objects[l->lacks[i].by].path));
	for (size_t i = 0; i < l->n_symbols; i++)
		printf("symbol\t%.*s\t%.*s\t%.*s\n", STR_ARG(l->symbols[i].name),
			STR_ARG(l->symbols[i].version), STR_ARG(l->objects[l->symbols[i].by].path));
}

struct question {
	struct audit_world *world;
	const struct audit_tree *tree;
	bool symbols;
};

static int answer(const struct question *q, struct arena *a, const struct audit_file *program,
	const struct audit_file *module, struct err *e)
{
	struct load l;

	if (audit_load(q->world, a, program, module, q->symbols, &l, e) < 0)
		return -1;
	print_load(&l, program ? program->path : STR("-"), module ? module->path : STR(""));
	return 0;
}

static const struct audit_file *file_of(const struct audit_tree *t, const char *path)
{
	for (size_t i = 0; i < t->n_files; i++)
		if (str_is(t->files[i].path, path))
			return &t->files[i];
	return NULL;
}

/* words: a program and modules, ended by NULL */
static int answer_words(const struct question *q, struct arena *a, char **words, struct err *e)
{
	const struct audit_file *program = file_of(q->tree, words[0]), *module = NULL;

	if (!program && strcmp(words[0], "-") != 0)
		return err_set(e, ERR_INPUT, "no program '%s'", words[0]);
	do {
		if (words[1] && !(module = file_of(q->tree, *++words)))
			return err_set(e, ERR_INPUT, "no module '%s'", *words);
		if (answer(q, a, program, module, e) < 0)
			return -1;
	} while (words[1] && module);
	return 0;
}

static int answer_all(const struct question *q, struct arena *a, struct err *e)
{
	for (size_t i = 0; i < q->tree->n_files; i++) {
		const struct audit_file *f = &q->tree->files[i];

		if (f->binary && f->binary->elf.interpreter.n && answer(q, a, f, NULL, e) < 0)
			return -1;
	}
	return 0;
}

static long now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000L + t.tv_nsec / 1000;
}

static int run(struct arena *a, char **args, char **words, bool symbols, struct err *e)
{
	struct str virtuals[] = {
		arena_strf(a, "__archspec=1=%s", args[2]), arena_strf(a, "__linux=%s", args[3])};
	struct profile p = {.name = STR("t"),
		.glibc = STR("2.17"),
		.virtual_packages = virtuals,
		.n_virtual_packages = 2};
	struct growing g = {.a = a, .dir = path_join(a, args[0], args[1] + 1)};
	struct audit_tree tree = {.prefix = str_of(args[1]), .symbols = symbols_of, .ctx = &g};
	struct question q = {.tree = &tree, .symbols = symbols};
	struct loader *l;
	long begin;
	int r;

	if (read_tree(&g, &tree, e) < 0)
		return -1;
	begin = now();
	if (loader_open(a, args[0], &p, &l, e) < 0)
		return -1;
	q.world = audit_world_open(a, &tree, l);
	r = *words ? answer_words(&q, a, words, e) : answer_all(&q, a, e);
	printf("time\t%ld\n", now() - begin);
	loader_close(l);
	return r;
}

int main(int argc, char **argv)
{
	CLEANUP_ARENA a = {0};
	struct err e = {0};
	bool symbols = argc > 5 && !strcmp(argv[5], "-s");

	if (argc < 5) {
		fprintf(stderr,
			"usage: audit_load ROOT PREFIX LEVEL KERNEL [-s] [PROGRAM [MODULE...]]\n");
		return 2;
	}
	return run(&a, argv + 1, argv + 5 + symbols, symbols, &e) < 0 ? die(&e) : 0;
}
