/*
 * What is about to be packed.
 *
 * Files that nobody touched since they came out of a package have its facts; the others are read.
 */
#include "base/file.h"
#include "packer/audit_growing.h"
#include "packer/audit_tree.h"

#include <fcntl.h>
#include <stdlib.h>

enum { SCRIPT_LINE_MAX = 256 /* what Linux reads of a script */ };

struct building {
	struct audit_growing growing;
	const struct cache *cache;
	const struct content *content;
	struct facts_of_package {
		bool asked, known;
		struct binaries b;
	} * facts; /* of each package */
};

/* The path of an entry in its package, whose file it still is; empty: it is not. */
static struct str path_in_package(const struct content *c, const struct content_entry *entry)
{
	struct str source = str_of(entry->source), dir;

	if (entry->type != PATH_FILE || entry->generated || entry->package < 0 ||
		(size_t)entry->package >= c->n_packages)
		return (struct str){0};
	dir = str_of(c->packages[entry->package].dir);
	if (dir.n == 0 || !str_starts(source, dir) || source.p[dir.n] != '/')
		return (struct str){0};
	return str_sub(source, dir.n + 1, source.n);
}

/* Those of an entry's package; *out NULL: they are not known. */
static int facts_of(
	struct building *b, ptrdiff_t package, const struct binaries **out, struct err *e)
{
	struct facts_of_package *f = &b->facts[package];
	const struct record *r = b->content->packages[package].record;

	if (!f->asked && r) {
		int rc = binaries_load(b->growing.a, b->cache, NULL, r, &f->b, e);

		if (rc < 0)
			return -1;
		f->known = rc > 0;
	}
	f->asked = true;
	*out = f->known ? &f->b : NULL;
	return 0;
}

static int by_path(const void *key, const void *b)
{
	return str_cmp(*(const struct str *)key, ((const struct binary *)b)->path);
}

/* What was declared is replaced when it is unpacked; texts then have BINARY_PREFIX. */
static int read_source(
	struct building *b, struct audit_file *f, const struct content_entry *entry, struct err *e)
{
	CLEANUP_FD fd = open(entry->source, O_RDONLY | O_CLOEXEC);
	struct binary *own;

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", entry->source);
	if (audit_growing_read(&b->growing, f, fd, e) < 0)
		return -1;
	if (!f->binary)
		return 0;
	own = arena_new(b->growing.a, struct binary);
	*own = *f->binary;
	own->leftover = entry->undeclared;
	binary_replace(b->growing.a, own, entry->prefix, BINARY_PREFIX);
	f->binary = own;
	return 0;
}

static int add_binary(
	struct building *b, struct audit_file *f, const struct content_entry *entry, struct err *e)
{
	struct str path = path_in_package(b->content, entry);
	const struct binaries *facts = NULL;
	const struct binary *found;

	if (path.n && facts_of(b, entry->package, &facts, e) < 0)
		return -1;
	if (!facts)
		return read_source(b, f, entry, e);
	found = facts->n ? bsearch(&path, facts->v, facts->n, sizeof *facts->v, by_path) : NULL;
	return found ? audit_growing_binary(&b->growing, f, found, e) : 0;
}

static bool may_be_script(const struct content_entry *entry)
{
	return entry->type == PATH_FILE &&
	       ((entry->mode & 0111) || str_starts(entry->path, STR("bin/")));
}

static int read_interpreter(
	struct building *b, struct audit_file *f, const struct content_entry *entry, struct err *e)
{
	CLEANUP_FD fd = open(entry->source, O_RDONLY | O_CLOEXEC);
	char head[SCRIPT_LINE_MAX + 4096];
	ssize_t n = fd < 0 ? -1 : read_full(fd, head, sizeof head);
	CLEANUP_BUF line = {0};
	struct str rest, text;
	ptrdiff_t at;

	if (n < 0)
		return err_sys(e, "cannot read '%s'", entry->source);
	rest = str_n(head, (size_t)n);
	if (!str_starts(rest, STR("#!")))
		return 0;
	text = str_cut(&rest, '\n');
	text = str_trim(str_sub(text, 2, text.n));
	at = entry->prefix.n ? str_find(text, entry->prefix) : -1;
	if (at >= 0) {
		buf_str(&line, str_sub(text, 0, (size_t)at));
		buf_str(&line, BINARY_PREFIX);
		buf_str(&line, str_sub(text, (size_t)at + entry->prefix.n, text.n));
		text = buf_view(&line);
	}
	f->interpreter = arena_str(b->growing.a, str_sub(text, 0, SCRIPT_LINE_MAX));
	return 0;
}

static int add_entry(struct building *b, const struct content_entry *entry, struct err *e)
{
	struct audit_file *f = audit_growing_file(
		&b->growing, entry->path, entry->package, entry->type, entry->mode);

	f->link = entry->link;
	if (binary_is_worth_a_look(entry->type, entry->size, entry->path) &&
		add_binary(b, f, entry, e) < 0)
		return -1;
	if (f->binary)
		return 0;
	f->leftover = entry->undeclared;
	return may_be_script(entry) ? read_interpreter(b, f, entry, e) : 0;
}

/* --- symbols ------------------------------------------------------------------------------ */

struct source_of_symbols {
	const struct cache *cache;
	const struct content *content;
	const struct audit_tree *tree;
};

static int entry_by_path(const void *key, const void *b)
{
	return str_cmp(*(const struct str *)key, ((const struct content_entry *)b)->path);
}

static int find_symbols(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	const struct source_of_symbols *s = ctx;
	const struct content *c = s->content;
	const struct content_entry *entry = bsearch(&s->tree->files[file].path, c->entries,
		c->n_entries, sizeof *c->entries, entry_by_path);
	struct str path = entry ? path_in_package(c, entry) : (struct str){0};
	int rc = 0;

	*out = (struct elf_symbols){0};
	if (path.n && c->packages[entry->package].record)
		rc = binaries_symbols(
			a, s->cache, c->packages[entry->package].record, path, out, e);
	if (rc != 0 || !entry)
		return rc;
	CLEANUP_FD fd = open(entry->source, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot open '%s'", entry->source)
		      : binary_read_symbols(a, entry->source, fd, out, e);
}

int audit_tree_content(struct arena *a, const struct cache *c, const struct content *content,
	struct audit_tree *out, struct err *e)
{
	struct source_of_symbols *ctx = arena_new(a, struct source_of_symbols);
	struct building b = {.growing.a = a, .cache = c, .content = content};

	b.facts = arena_array(a, struct facts_of_package, content->n_packages);
	for (size_t i = 0; i < content->n_packages; i++)
		audit_growing_package(&b.growing, content->packages[i].record);
	for (size_t i = 0; i < content->n_entries; i++)
		if (add_entry(&b, &content->entries[i], e) < 0)
			return -1;
	audit_growing_finish(&b.growing, "the environment", out);
	*ctx = (struct source_of_symbols){c, content, out};
	out->prefix = BINARY_PREFIX;
	out->symbols = find_symbols;
	out->ctx = ctx;
	return 0;
}
