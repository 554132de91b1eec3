/*
 * What an audit looks at, as JSON.
 *
 *	audit_tree prefix FOLDER [CACHE [JOBS]]
 *	audit_tree archive FILE
 *	audit_tree packages WORK FILE...
 *	audit_tree files FILE...
 *
 * With AUDIT_SYMBOLS in the environment each ELF file tells how many dynamic symbols it has.
 */
#include "packer/audit_tree.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>

static void put_binary(struct json_out *w, const struct binary *b)
{
	jw_key(w, "elf");
	jw_object(w);
	jw_pair(w, "path", b->path);
	jw_pair(w, "fault", b->fault);
	jw_pair(w, "leftover", b->leftover);
	jw_pair(w, "interpreter", b->elf.interpreter);
	jw_pair(w, "soname", b->elf.soname);
	jw_pair(w, "rpath", b->elf.rpath);
	jw_pair(w, "runpath", b->elf.runpath);
	jw_pair_strs(w, "needed", b->elf.needed, b->elf.n_needed);
	jw_pair_strs(w, "defines", b->elf.defines, b->elf.n_defines);
	jw_object_end(w);
}

static void put_symbols(struct json_out *w, const struct audit_tree *t, size_t i)
{
	struct arena a = {0};
	struct elf_symbols symbols;
	int known = t->symbols ? t->symbols(t->ctx, &a, i, &symbols, NULL) : 0;

	jw_key(w, "symbols");
	jw_int(w, known > 0 ? (int64_t)(symbols.n_undefined + symbols.n_defined) : known - 1);
	arena_release(&a);
}

static void put_file(struct json_out *w, const struct audit_tree *t, size_t i)
{
	static const char *const types[] = {
		[PATH_FILE] = "file", [PATH_SOFTLINK] = "link", [PATH_DIRECTORY] = "folder"};
	const struct audit_file *f = &t->files[i];

	jw_object(w);
	jw_pair(w, "path", f->path);
	jw_pair(w, "package", f->package < 0 ? STR("") : t->packages[f->package].dist);
	jw_pair(w, "type", str_of(types[f->type]));
	jw_key(w, "mode");
	jw_int(w, f->mode);
	jw_pair(w, "link", f->link);
	jw_pair(w, "interpreter", f->interpreter);
	jw_pair(w, "leftover", f->leftover);
	if (f->binary)
		put_binary(w, f->binary);
	if (f->binary && getenv("AUDIT_SYMBOLS"))
		put_symbols(w, t, i);
	jw_object_end(w);
}

static void put_package(struct json_out *w, const struct audit_package *p)
{
	jw_object(w);
	jw_pair(w, "dist", p->dist);
	jw_pair(w, "name", p->name);
	jw_pair(w, "version", p->version);
	jw_pair(w, "build", p->build);
	jw_pair(w, "url", p->record ? p->record->url : STR(""));
	jw_key(w, "conda");
	jw_bool(w, p->record != NULL);
	jw_object_end(w);
}

static void print_tree(const struct audit_tree *t)
{
	struct buf text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_pair(&w, "what", str_of(t->what));
	jw_pair(&w, "prefix", t->prefix);
	jw_key(&w, "of_packages");
	jw_bool(&w, t->of_packages);
	jw_key(&w, "alone");
	jw_bool(&w, t->alone);
	jw_key(&w, "packages");
	jw_array(&w);
	for (size_t i = 0; i < t->n_packages; i++)
		put_package(&w, &t->packages[i]);
	jw_array_end(&w);
	jw_key(&w, "files");
	jw_array(&w);
	for (size_t i = 0; i < t->n_files; i++)
		put_file(&w, t, i);
	jw_array_end(&w);
	jw_object_end(&w);
	printf("%s\n", text.p);
	buf_release(&text);
}

static int read_prefix(
	struct arena *a, char **argv, int argc, struct audit_tree *out, struct err *e)
{
	struct cache cache;

	if (argc > 1 && cache_open(a, argv[1], &cache, e) < 0)
		return -1;
	return audit_tree_prefix(a, argc > 1 ? &cache : NULL, argv[0],
		argc > 2 ? (unsigned)atoi(argv[2]) : 2, out, e);
}

static int read_tree(struct arena *a, char **argv, int argc, struct audit_tree *out, struct err *e)
{
	const char *kind = argv[1];
	const char **rest = (const char **)argv + 2;

	if (!strcmp(kind, "prefix"))
		return read_prefix(a, argv + 2, argc - 2, out, e);
	if (!strcmp(kind, "archive"))
		return audit_tree_archive(a, rest[0], out, e);
	if (!strcmp(kind, "packages"))
		return audit_tree_package_files(a, rest + 1, (size_t)argc - 3, rest[0], out, e);
	return audit_tree_files(a, rest, (size_t)argc - 2, out, e);
}

int main(int argc, char **argv)
{
	struct arena a = {0};
	struct audit_tree tree;
	struct err e = {0};
	int rc = 0;

	log_setup((struct log_options){.verbose = 1});
	if (argc < 3)
		return 2;
	if (read_tree(&a, argv, argc, &tree, &e) < 0) {
		log_error(&e);
		rc = err_exit_status(e.code);
		err_release(&e);
	} else {
		print_tree(&tree);
	}
	arena_release(&a);
	return rc;
}
