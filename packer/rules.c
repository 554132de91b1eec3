/*
 * Rules at work on a content: leave out, rename, add; then whether it can be packed, and links that
 * lead to what went.
 */
#include "packer/rules.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/table.h"
#include "packer/rules_pattern.h"

#include <stdlib.h>

enum { SHOWN = 5 };

/* An entry that stays, and how it came to its path. */
struct kept {
	struct content_entry entry;
	struct str from; /* renamed; empty: not */
	bool added;
};

struct worker {
	struct arena *arena;
	struct rules *rules;
	struct content *content;
	struct buf path; /* of the entry at hand, with a NUL behind */
	struct table sources, gone;
	struct {
		struct kept *v;
		size_t n, cap;
	} kept;
};

/* --- leaving out -------------------------------------------------------------------------- */

/* Compiled code of a package that brings no sources is no cache of them. */
static bool has_source(const struct worker *w, struct str path)
{
	return str_find(path, STR("__pycache__/")) >= 0 ||
	       table_get(&w->sources, str_sub(path, 0, path.n - 1));
}

static bool is_dropped(const struct worker *w, enum rules_drop drop, struct str path)
{
	return w->rules->drop[drop].asked && drop_matches(drop, path) &&
	       (drop != DROP_BYTECODE || has_source(w, path));
}

/* The first that matches; all of them are told that they do. */
static struct rule_pattern *first_match(struct rule_patterns *list, const char *path)
{
	struct rule_pattern *first = NULL;

	for (size_t i = 0; i < list->n; i++)
		if (pattern_matches(&list->v[i], path)) {
			list->v[i].matched = true;
			if (!first)
				first = &list->v[i];
		}
	return first;
}

static void count(const struct content_entry *entry, size_t *files, uint64_t *bytes)
{
	if (entry->type == PATH_DIRECTORY)
		return;
	++*files;
	*bytes += entry->type == PATH_FILE ? entry->size : 0;
}

/* Include is asked only about what would go, so that one which keeps nothing is found out. */
static bool leave_out(struct worker *w, const struct content_entry *entry)
{
	struct rules *r = w->rules;
	struct rule_pattern *by = first_match(&r->exclude, w->path.p), *keep;
	int drop = 0;

	while (drop < N_DROPS && !is_dropped(w, (enum rules_drop)drop, entry->path))
		drop++;
	if (!by && drop == N_DROPS)
		return false;
	keep = first_match(&r->include, w->path.p);
	if (keep)
		count(entry, &keep->files, &keep->bytes);
	else if (by)
		count(entry, &by->files, &by->bytes);
	else
		count(entry, &r->drop[drop].files, &r->drop[drop].bytes);
	return !keep;
}

/* --- renaming ----------------------------------------------------------------------------- */

static struct str folder_of(struct str path)
{
	return str_sub(path, 0, (size_t)(str_rchr(path, '/') + 1));
}

/* dir + rel without "." and ".."; a NULL text where it leads out or is absolute. */
static struct str resolve(struct arena *a, struct str dir, struct str rel)
{
	struct str rest = arena_strf(a, "%.*s%.*s", STR_ARG(dir), STR_ARG(rel));
	char *out = arena_alloc(a, rest.n + 2);
	size_t n = 0;

	if (rel.n && rel.p[0] == '/')
		return (struct str){0};
	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 || str_is(part, "."))
			continue;
		if (str_is(part, "..")) {
			if (n == 0)
				return (struct str){0};
			while (n > 0 && out[--n] != '/')
				;
			continue;
		}
		if (n)
			out[n++] = '/';
		memcpy(out + n, part.p, part.n);
		n += part.n;
	}
	return str_n(out, n);
}

/* What a link leads to, as a path in the environment; empty where it leads elsewhere. */
static struct str link_target(
	struct arena *a, const struct content *c, struct str path, struct str link)
{
	struct str prefix = c->build_prefix;

	if (prefix.n && str_starts(link, prefix) && link.n > prefix.n + 1 &&
		link.p[prefix.n] == '/')
		return resolve(a, (struct str){0}, str_sub(link, prefix.n + 1, link.n));
	return resolve(a, folder_of(path), link);
}

/* A link that moves to another folder goes on leading where it led. */
static void mend_link(struct worker *w, struct content_entry *entry, struct str from)
{
	struct str target, to = folder_of(entry->path);
	CLEANUP_BUF b = {0};

	if (entry->type != PATH_SOFTLINK || str_eq(to, folder_of(from)))
		return;
	if (entry->link.n && entry->link.p[0] == '/')
		return;
	target = link_target(w->arena, w->content, from, entry->link);
	if (!target.n)
		return;
	for (size_t i = 0; i < to.n; i++)
		if (to.p[i] == '/')
			buf_puts(&b, "../");
	buf_str(&b, target);
	entry->link = arena_str(w->arena, buf_view(&b));
}

static int rename_to(struct worker *w, struct rule_rename *rule, struct kept *k, struct err *e)
{
	struct str from = k->entry.path, to = rename_target(w->arena, rule->to, from);
	const char *why = path_complaint(to);

	if (why)
		return err_set(e, rule_error(rule->from.place),
			"%s: '%.*s' cannot become '%.*s', which %s", rule->from.place,
			STR_ARG(from), STR_ARG(to), why);
	if (str_eq(from, to))
		return 0;
	*VEC_PUSH(w->arena, &rule->done) = (struct renamed_file){from, to};
	table_put(&w->gone, from)->num = 1;
	k->from = from;
	k->entry.path = to;
	mend_link(w, &k->entry, from);
	return 0;
}

/* The first that matches the file itself. */
static struct rule_rename *find_rename(struct worker *w, const struct content_entry *entry)
{
	struct rule_rename *first = NULL;

	if (entry->type == PATH_DIRECTORY)
		return NULL;
	for (size_t i = 0; i < w->rules->rename.n; i++) {
		struct rule_rename *r = &w->rules->rename.v[i];

		if (!pattern_is(&r->from, w->path.p))
			continue;
		r->from.matched = true;
		if (!first)
			first = r;
	}
	return first;
}

/* --- all entries -------------------------------------------------------------------------- */

static int take_entry(struct worker *w, const struct content_entry *entry, struct err *e)
{
	struct kept k = {.entry = *entry};
	struct rule_rename *rename;

	buf_clear(&w->path);
	buf_str(&w->path, entry->path);
	if (!path_is_kept(entry->path)) {
		if (leave_out(w, entry)) {
			table_put(&w->gone, entry->path)->num = 1;
			return 0;
		}
		rename = find_rename(w, entry);
		if (rename && rename_to(w, rename, &k, e) < 0)
			return -1;
	}
	*VEC_PUSH(w->arena, &w->kept) = k;
	return 0;
}

static void add_files(struct worker *w)
{
	const struct rules *r = w->rules;

	for (size_t i = 0; i < r->add.n; i++) {
		const struct rule_file *f = &r->add.v[i];
		struct kept *k = VEC_PUSH(w->arena, &w->kept);

		*k = (struct kept){.added = true};
		k->entry = (struct content_entry){.path = f->path,
			.type = f->link.n ? PATH_SOFTLINK : PATH_FILE,
			.mode = f->executable ? 0755 : 0644,
			.size = f->link.n ? 0 : f->size,
			.link = f->link,
			.source = f->source ? arena_strdup(w->arena, f->source) : NULL,
			.sha256 = f->link.n ? NULL : f->sha256,
			.package = -1,
			.generated = true};
	}
}

/* --- can it be packed? -------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct kept *)a)->entry.path, ((const struct kept *)b)->entry.path);
}

static struct str describe(const struct worker *w, const struct kept *k)
{
	const struct content *c = w->content;
	ptrdiff_t package = k->entry.package;
	struct str path = k->from.n ? k->from : k->entry.path;

	if (k->added)
		return arena_strf(w->arena, "what is added as '%.*s'", STR_ARG(path));
	if (package >= 0 && (size_t)package < c->n_packages)
		return arena_strf(w->arena, "'%.*s' of package '%.*s'", STR_ARG(path),
			STR_ARG(c->packages[package].record->fn));
	return arena_strf(w->arena, "'%.*s'", STR_ARG(path));
}

static int refuse(const struct worker *w, const struct kept *a, const struct kept *b, struct err *e)
{
	struct str first = describe(w, a), second = describe(w, b), path = b->entry.path;

	if (str_eq(a->entry.path, path))
		err_set(e, ERR_USAGE, "two files would be '%.*s': %.*s and %.*s", STR_ARG(path),
			STR_ARG(first), STR_ARG(second));
	else
		err_set(e, ERR_USAGE, "%.*s would lie in '%.*s', which is no folder but %.*s",
			STR_ARG(second), STR_ARG(a->entry.path), STR_ARG(first));
	return err_advise(e, "leave one out with 'exclude', or give another name");
}

/* Only what rules moved or added can be in the way. */
static int check(struct worker *w, struct err *e)
{
	struct table leaves = {.arena = w->arena};

	for (size_t i = 0; i < w->kept.n; i++) {
		struct kept *k = &w->kept.v[i];

		if (i && str_eq(k[-1].entry.path, k->entry.path))
			return refuse(w, k - 1, k, e);
		if (k->entry.type != PATH_DIRECTORY)
			table_put(&leaves, k->entry.path)->ptr = k;
	}
	for (size_t i = 0; i < w->kept.n; i++) {
		struct str path = w->kept.v[i].entry.path;

		for (size_t n = 0; n < path.n; n++) {
			union table_value *v =
				path.p[n] == '/' ? table_get(&leaves, str_sub(path, 0, n)) : NULL;
			if (v)
				return refuse(w, v->ptr, &w->kept.v[i], e);
		}
	}
	return 0;
}

/* --- what is said ------------------------------------------------------------------------- */

static void warn_unmatched(const struct rule_patterns *list, const char *what)
{
	for (size_t i = 0; i < list->n; i++)
		if (!list->v[i].matched)
			log_warn("%s: '%.*s' %s", list->v[i].place, STR_ARG(list->v[i].text), what);
}

static bool is_folder(const struct content *c, struct str path)
{
	while (path.n && path.p[path.n - 1] == '/')
		path.n--;
	for (size_t i = 0; i < c->n_entries; i++) {
		struct str p = c->entries[i].path;

		if (str_starts(p, path) && p.n > path.n && p.p[path.n] == '/')
			return true;
	}
	return false;
}

static int check_matched(const struct worker *w, struct err *e)
{
	const struct rules *r = w->rules;

	warn_unmatched(&r->exclude, "matches nothing");
	warn_unmatched(&r->include, "keeps nothing: it matches nothing that would be left out");
	for (size_t i = 0; i < r->rename.n; i++) {
		const struct rule_pattern *p = &r->rename.v[i].from;

		if (p->matched)
			continue;
		if (is_folder(w->content, p->text)) {
			err_set(e, rule_error(p->place),
				"%s: '%.*s' is a folder, and files are renamed", p->place,
				STR_ARG(p->text));
			return err_advise(e, "'%.*s/*' matches what lies in it", STR_ARG(p->text));
		}
		log_warn("%s: '%.*s' matches no file", p->place, STR_ARG(p->text));
	}
	return 0;
}

static void put_with_folders(struct table *t, struct str path)
{
	ptrdiff_t slash;

	table_put(t, path);
	while ((slash = str_rchr(path, '/')) > 0) {
		path = str_sub(path, 0, (size_t)slash);
		table_put(t, path);
	}
}

/* Links that led to something before, and lead nowhere now. */
static void warn_dangling(const struct worker *w)
{
	struct arena a = {0};
	struct table there = {.arena = &a}, gone = {.arena = &a};
	size_t n = 0;

	for (size_t i = 0; i < w->gone.n; i++)
		put_with_folders(&gone, w->gone.entries[i].key);
	for (size_t i = 0; i < w->kept.n && gone.n; i++)
		put_with_folders(&there, w->kept.v[i].entry.path);
	for (size_t i = 0; i < w->kept.n && gone.n; i++) {
		const struct content_entry *entry = &w->kept.v[i].entry;
		struct str to = entry->type == PATH_SOFTLINK
					? link_target(&a, w->content, entry->path, entry->link)
					: (struct str){0};

		if (to.n == 0 || !table_get(&gone, to) || table_get(&there, to) || n++ >= SHOWN)
			continue;
		log_warn("the link '%.*s' leads to '%.*s', which is not packed under that name",
			STR_ARG(entry->path), STR_ARG(to));
	}
	if (n > SHOWN)
		log_warn("and %zu more links lead nowhere", n - SHOWN);
	arena_release(&a);
}

/* --- all ---------------------------------------------------------------------------------- */

static void give_back(struct worker *w)
{
	struct content *c = w->content;

	c->entries = arena_array(w->arena, struct content_entry, w->kept.n + 1);
	c->n_entries = w->kept.n;
	for (size_t i = 0; i < w->kept.n; i++)
		c->entries[i] = w->kept.v[i].entry;
	content_limit(c);
}

static int apply(struct worker *w, struct err *e)
{
	const struct content *c = w->content;

	if (w->rules->drop[DROP_BYTECODE].asked)
		for (size_t i = 0; i < c->n_entries; i++)
			if (str_ends(c->entries[i].path, STR(".py")))
				table_put(&w->sources, c->entries[i].path);
	for (size_t i = 0; i < c->n_entries; i++)
		if (take_entry(w, &c->entries[i], e) < 0)
			return -1;
	if (check_matched(w, e) < 0)
		return -1;
	add_files(w);
	if (w->kept.n)
		qsort(w->kept.v, w->kept.n, sizeof *w->kept.v, by_path);
	if (check(w, e) < 0)
		return -1;
	warn_dangling(w);
	give_back(w);
	return 0;
}

/* Of what was read from a manifest. */
static void forget_done(struct rules *r)
{
	struct rule_patterns *const lists[] = {&r->exclude, &r->include};

	for (size_t k = 0; k < 2; k++)
		for (size_t i = 0; i < lists[k]->n; i++) {
			lists[k]->v[i].files = lists[k]->v[i].bytes = 0;
			lists[k]->v[i].matched = false;
		}
	for (int i = 0; i < N_DROPS; i++)
		r->drop[i].files = r->drop[i].bytes = 0;
	for (size_t i = 0; i < r->rename.n; i++) {
		r->rename.v[i].done.n = 0;
		r->rename.v[i].from.matched = false;
	}
}

int rules_apply(struct arena *a, struct rules *r, struct content *content, struct err *e)
{
	struct worker w = {
		.arena = a, .rules = r, .content = content, .sources.arena = a, .gone.arena = a};
	int rc;

	forget_done(r);
	r->removed = content->removed;
	r->n_removed = content->n_removed;
	r->changed = content->changed;
	r->n_changed = content->n_changed;
	if (!rules_any(r))
		return 0;
	rc = apply(&w, e);
	buf_release(&w.path);
	return rc;
}

static bool lists(const struct str *v, size_t n, struct str path)
{
	return n && bsearch(&path, v, n, sizeof *v, str_cmp_qsort);
}

/* By an exclude or a named drop, and no include keeps it. */
static bool is_left_out(const struct rules *r, struct str path, const char *text)
{
	bool out = false;

	for (size_t i = 0; i < r->exclude.n && !out; i++)
		out = pattern_matches(&r->exclude.v[i], text);
	for (int i = 0; i < N_DROPS && !out; i++)
		out = r->drop[i].asked && drop_matches((enum rules_drop)i, path);
	for (size_t i = 0; i < r->include.n && out; i++)
		out = !pattern_matches(&r->include.v[i], text);
	return out;
}

static bool is_renamed(const struct rules *r, const char *text)
{
	for (size_t i = 0; i < r->rename.n; i++)
		if (pattern_is(&r->rename.v[i].from, text))
			return true;
	return false;
}

bool rules_leave_out(const struct rules *r, struct str path)
{
	CLEANUP_ARENA a = {0};
	const char *text = arena_cstr(&a, path);

	if (path_is_kept(path))
		return false;
	return lists(r->removed, r->n_removed, path) || lists(r->changed, r->n_changed, path) ||
	       is_renamed(r, text) || is_left_out(r, path, text);
}

const struct str *rules_paths(struct arena *a, const struct rules *r, size_t *n)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};

	for (size_t i = 0; i < r->rename.n; i++)
		for (size_t k = 0; k < r->rename.v[i].done.n; k++)
			*VEC_PUSH(a, &list) = r->rename.v[i].done.v[k].to;
	for (size_t i = 0; i < r->add.n; i++)
		*VEC_PUSH(a, &list) = r->add.v[i].path;
	for (size_t i = 0; i < r->n_changed; i++) {
		const char *text = arena_cstr(a, r->changed[i]);

		if (path_is_kept(r->changed[i]) ||
			(!is_renamed(r, text) && !is_left_out(r, r->changed[i], text)))
			*VEC_PUSH(a, &list) = r->changed[i];
	}
	*n = list.n;
	return list.v;
}
