/*
 * What an audit knows of a lock's packages before anything is installed:
 *
 *	package_facts CACHE LOCK [--facts FILE] [--export FILE] [--symbols]
 *
 * The lock's first target; layers are those of $ENVBUILD_CACHE_LOWER.  Prints "missing N", then a line
 * for each ELF file; --symbols: with a sum over its dynamic symbols, "-" where they are not known.
 */
#include "base/file.h"
#include "base/hash.h"
#include "builder/layer.h"
#include "packer/audit_tree.h"
#include "solver/lock.h"

#include <stdio.h>
#include <stdlib.h>

struct given {
	const char *facts, *export;
	bool symbols;
};

static void put_names(const char *what, const struct str *v, size_t n)
{
	printf(" %s=", what);
	for (size_t i = 0; i < n; i++)
		printf("%s%.*s", i ? "," : "", STR_ARG(v[i]));
}

static void put_binary(const struct binary *b)
{
	const struct elf *elf = &b->elf;

	printf(" soname=%.*s rpath=%.*s runpath=%.*s interpreter=%.*s", STR_ARG(elf->soname),
		STR_ARG(elf->rpath), STR_ARG(elf->runpath), STR_ARG(elf->interpreter));
	put_names("needed", elf->needed, elf->n_needed);
	put_names("defines", elf->defines, elf->n_defines);
	printf(" needs=");
	for (size_t i = 0; i < elf->n_needs; i++)
		printf("%s%.*s:%.*s", i ? "," : "", STR_ARG(elf->needs[i].file),
			STR_ARG(elf->needs[i].version));
	if (b->leftover.n)
		printf(" leftover=%.*s", STR_ARG(b->leftover));
	if (b->fault.n)
		printf(" fault=%.*s", STR_ARG(b->fault));
}

static void add_symbols(struct buf *to, const struct elf_symbol *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(to, "%.*s@%.*s@%.*s %d%d%d\n", STR_ARG(v[i].name), STR_ARG(v[i].version),
			STR_ARG(v[i].file), v[i].weak, v[i].function, v[i].hidden);
}

static int put_symbols(const struct audit_tree *t, size_t file, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	struct elf_symbols s;
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1] = "-";
	int rc = t->symbols(t->ctx, &a, file, &s, e);

	if (rc > 0) {
		add_symbols(&text, s.undefined, s.n_undefined);
		buf_puts(&text, "--\n");
		add_symbols(&text, s.defined, s.n_defined);
		sha256_of(text.p, text.n, sum);
		hex_encode(sum, SHA256_LEN, hex);
	}
	printf(" symbols=%zu+%zu:%s", s.n_undefined, s.n_defined, hex);
	return rc < 0 ? -1 : 0;
}

static int export(struct arena *a, const struct cache *c, const struct known_binaries *known,
	const struct lock_target *t, const char *path, struct err *e)
{
	const struct binaries **v = arena_array(a, const struct binaries *, t->n_records);
	CLEANUP_BUF text = {0};
	size_t n = 0;

	for (size_t i = 0; i < t->n_records; i++) {
		struct binaries *b = arena_new(a, struct binaries);
		int rc = binaries_load(a, c, known, t->records[i], b, e);

		if (rc < 0)
			return -1;
		if (rc > 0)
			v[n++] = b;
	}
	binaries_export(a, v, n, (const struct record *const *)t->records, &text);
	return n == t->n_records ? file_write(path, buf_view(&text), 0644, e)
				 : err_set(e, ERR_FAIL, "not all are known");
}

static int print(struct arena *a, const struct cache *c, const struct known_binaries *known,
	const struct lock_target *t, const struct given *given, struct err *e)
{
	struct audit_tree tree;
	size_t missing;

	if (audit_tree_packages(a, c, known, t->records, t->n_records, &tree, &missing, e) < 0)
		return -1;
	printf("missing %zu\n", missing);
	for (size_t i = 0; i < tree.n_files; i++) {
		const struct audit_file *f = &tree.files[i];

		printf("%.*s %.*s", STR_ARG(f->path), STR_ARG(tree.packages[f->package].dist));
		put_binary(f->binary);
		if (given->symbols && put_symbols(&tree, i, e) < 0)
			return -1;
		putchar('\n');
	}
	return given->export ? export(a, c, known, t, given->export, e) : 0;
}

static int run(struct arena *a, char **argv, const struct given *given, struct err *e)
{
	struct known_binaries known = {.arena = a, .by_sum.arena = a};
	struct cache c;
	struct lock lock;

	if (cache_open(a, argv[1], &c, e) < 0 || lock_read(a, argv[2], &lock, e) < 0)
		return -1;
	cache_add_lower(a, &c, getenv("ENVBUILD_CACHE_LOWER"));
	if (given->facts && known_binaries_read(&known, given->facts, e) < 0)
		return -1;
	return print(a, &c, given->facts ? &known : NULL, &lock.targets[0], given, e);
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct err e = {0};
	struct given given = {0};
	int status = 0;

	for (int i = 3; i < argc; i++) {
		if (strcmp(argv[i], "--symbols") == 0)
			given.symbols = true;
		else if (i + 1 < argc && strcmp(argv[i], "--facts") == 0)
			given.facts = argv[++i];
		else if (i + 1 < argc && strcmp(argv[i], "--export") == 0)
			given.export = argv[++i];
	}
	if (argc < 3 || run(&a, argv, &given, &e) < 0) {
		fprintf(stderr, "error: %s\n", e.text ? e.text : "no cache and lock");
		status = argc < 3 ? 2 : err_exit_status(e.code);
	}
	err_release(&e);
	arena_release(&a);
	return status;
}
