#include "builder/verify.h"

#include "base/file.h"
#include "base/work.h"
#include "builder/change_busy.h"
#include "builder/prefix_text.h"
#include "builder/verify_items.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

struct checker {
	const struct verify_request *request;
	struct items items;
	struct verify_result *out;
	int fd;
	/* What is there, and should be. */
	struct {
		struct checked {
			struct str path;
			struct item *item;
			const char *why; /* out; NULL: good */
			bool unchecked;  /* out */
		} * v;
		size_t n, cap;
	} there;
	struct table seen;
	struct path_list {
		struct str *v;
		size_t n, cap;
	} others, dists;
};

/* --- one file ----------------------------------------------------------------------------- */

struct look {
	struct checker *c;
	struct str path;
	const char *full;
	struct stat st;
	struct str data; /* of a regular file */
	uint8_t sha256[SHA256_LEN];
	bool unknown; /* nothing tells what its bytes should be */
};

/* Does the package's file, with this prefix in it, have these bytes? */
static bool replaced_alike(const struct look *l, const struct item *item)
{
	struct arena a = {0};
	struct str data = {0};
	struct buf out = {0};
	const struct package_file *f = item->file;
	bool alike = false;

	if (file_map(path_join(&a, item->package->dir, arena_cstr(&a, f->path)), &data, NULL) ==
		0) {
		struct replacement r = {.data = data,
			.offsets = f->offsets,
			.n_offsets = f->n_offsets,
			.old_n = f->placeholder.n,
			.prefix = str_of(l->c->request->prefix),
			.forms = f->forms};
		if (data.n == f->size && replacement_fits(&r, f->binary, NULL) == 0) {
			if (!f->binary)
				replace_text(&r, &out);
			if (!f->binary || replace_binary(&r, &out, NULL) == 0)
				alike = str_eq(buf_view(&out), l->data);
		}
		file_unmap(data);
	}
	buf_release(&out);
	arena_release(&a);
	return alike;
}

static bool sum_is(const struct look *l, const uint8_t *sum)
{
	return memcmp(l->sha256, sum, SHA256_LEN) == 0;
}

/* Records are believed where they say something; facts decide where they say nothing or no. */
static enum verdict content_of(const struct look *l, const struct item *item)
{
	const struct installed_path *p = item->path;
	bool same_everywhere = p->has_sha256 && !p->placeholder.n;

	if (p->has_sha256_in_prefix && sum_is(l, p->sha256_in_prefix))
		return VERDICT_GOOD;
	if (same_everywhere && sum_is(l, p->sha256))
		return VERDICT_GOOD;
	if (item->file && item->file->n_offsets && p->type != INSTALLED_BYTECODE)
		return replaced_alike(l, item) ? VERDICT_GOOD : VERDICT_BAD;
	if (p->has_sha256_in_prefix || same_everywhere)
		return VERDICT_BAD;
	if (item->file)
		return sum_is(l, item->file->sha256) ? VERDICT_GOOD : VERDICT_BAD;
	return VERDICT_UNKNOWN;
}

/* The owner's bits: those of others depend on who installed. */
static bool mode_differs(const struct look *l, const struct item *item)
{
	mode_t mode = l->st.st_mode;

	if (mode & (S_ISUID | S_ISGID))
		return true;
	if (item->path->entry_point && !(mode & S_IXUSR))
		return true;
	return item->file && item->file->type == PATH_FILE && ((mode ^ item->file->mode) & S_IXUSR);
}

static const char *check_regular(struct look *l, const struct item *item, enum verdict judged)
{
	if (item->path->type == INSTALLED_SOFTLINK || item->path->type == INSTALLED_DIRECTORY)
		return "type";
	if (judged == VERDICT_UNKNOWN)
		judged = content_of(l, item);
	l->unknown = judged == VERDICT_UNKNOWN;
	if (judged == VERDICT_BAD)
		return "content";
	return mode_differs(l, item) ? "mode" : NULL;
}

/* --- one link ----------------------------------------------------------------------------- */

/* dir of the link + its text, as a path in the prefix; empty where it leads out. */
static struct str target_of(struct arena *a, struct str path, const char *prefix, struct str text)
{
	struct str dir = str_sub(path, 0, (size_t)(str_rchr(path, '/') + 1)), root = str_of(prefix);
	char *full = text.p[0] == '/' ? path_absolute(a, arena_cstr(a, text))
				      : path_absolute(a, arena_printf(a, "%s/%.*s%.*s", prefix,
								 STR_ARG(dir), STR_ARG(text)));
	struct str out = str_of(full);

	if (!str_starts(out, root) || out.n <= root.n || out.p[root.n] != '/')
		return (struct str){0};
	return str_sub(out, root.n + 1, out.n);
}

/* Is it the sum of what the link's target should be, by any record? */
static bool is_sum_of(const struct items *t, struct str target, const uint8_t *sum)
{
	union table_value *v = target.n ? table_get(&t->index, target) : NULL;

	for (const struct item *i = v ? v->ptr : NULL; i; i = i->next)
		if ((i->path->has_sha256 && memcmp(i->path->sha256, sum, SHA256_LEN) == 0) ||
			(i->path->has_sha256_in_prefix &&
				memcmp(i->path->sha256_in_prefix, sum, SHA256_LEN) == 0))
			return true;
	return false;
}

/* conda and mamba record the sum of what the link leads to, rattler that of its text. */
static enum verdict link_sum(const struct look *l, struct str text, const uint8_t *sum)
{
	struct arena a = {0};
	uint8_t own[SHA256_LEN];
	enum verdict v = VERDICT_BAD;
	struct str target = target_of(&a, l->path, l->c->request->prefix, text);
	struct stat st;

	sha256_of(text.p, text.n, own);
	if (memcmp(own, sum, SHA256_LEN) == 0 || is_sum_of(&l->c->items, target, sum))
		v = VERDICT_GOOD;
	else if (stat(l->full, &st) < 0 || !S_ISREG(st.st_mode))
		v = VERDICT_UNKNOWN; /* it leads out, to a folder, or to what the host lacks */
	else if (file_hash(l->full, own, NULL, NULL) == 0 && memcmp(own, sum, SHA256_LEN) == 0)
		v = VERDICT_GOOD;
	arena_release(&a);
	return v;
}

static const char *check_link(struct look *l, const struct item *item)
{
	const struct installed_path *p = item->path;
	char text[PATH_MAX];
	ssize_t n = readlink(l->full, text, sizeof text);
	enum verdict v = VERDICT_UNKNOWN;

	if (p->type != INSTALLED_SOFTLINK && p->type != INSTALLED_UNKNOWN)
		return "type";
	if (n <= 0 || (size_t)n == sizeof text)
		return "link";
	if (item->file && item->file->type == PATH_SOFTLINK)
		return str_eq(item->file->link, str_n(text, (size_t)n)) ? NULL : "link";
	if (p->has_sha256_in_prefix)
		v = link_sum(l, str_n(text, (size_t)n), p->sha256_in_prefix);
	if (v != VERDICT_GOOD && p->has_sha256)
		v = link_sum(l, str_n(text, (size_t)n), p->sha256);
	l->unknown = v == VERDICT_UNKNOWN;
	return v == VERDICT_BAD ? "link" : NULL;
}

/* --- one path ----------------------------------------------------------------------------- */

static const char *check_item(struct look *l, const struct item *item, enum verdict judged)
{
	if (S_ISREG(l->st.st_mode))
		return check_regular(l, item, judged);
	if (S_ISLNK(l->st.st_mode))
		return check_link(l, item);
	if (S_ISDIR(l->st.st_mode) && item->path->type == INSTALLED_DIRECTORY)
		return NULL;
	return "type";
}

/* Of several packages with one path, one that is satisfied is enough. */
static void check_all_items(struct look *l, struct checked *out)
{
	const struct verify_request *r = l->c->request;
	enum verdict judged = VERDICT_UNKNOWN;

	if (S_ISREG(l->st.st_mode) && r->judge)
		judged = r->judge(r->ctx, l->path, l->data, l->sha256);
	for (const struct item *i = out->item; i; i = i->next) {
		const char *why = check_item(l, i, judged);
		if (!why) {
			out->why = NULL;
			out->unchecked = l->unknown;
			return;
		}
		if (!out->why)
			out->why = why;
	}
}

static int check_one(void *ctx, size_t i, struct err *e)
{
	struct checker *c = ctx;
	struct checked *out = &c->there.v[i];
	struct arena a = {0};
	struct look l = {.c = c, .path = out->path};

	(void)e;
	l.full = path_join(&a, c->request->prefix, arena_cstr(&a, out->path));
	if (lstat(l.full, &l.st) < 0) {
		out->why = "type"; /* somebody removes while we look */
	} else if (S_ISREG(l.st.st_mode) && file_map(l.full, &l.data, NULL) < 0) {
		out->why = "content";
	} else {
		if (S_ISREG(l.st.st_mode))
			sha256_of(l.data.p ? l.data.p : "", l.data.n, l.sha256);
		check_all_items(&l, out);
		if (S_ISREG(l.st.st_mode))
			file_unmap(l.data);
	}
	arena_release(&a);
	return 0;
}

/* --- what nobody owns ------------------------------------------------------------------------- */

/* Bytecode that Python left is no stranger where its source belongs to somebody. */
static bool is_bytecode_of_ours(struct checker *c, struct str path)
{
	struct arena a = {0};
	ptrdiff_t slash = str_rchr(path, '/');
	struct str dir = str_sub(path, 0, (size_t)(slash + 1));
	struct str name = str_sub(path, (size_t)(slash + 1), path.n);
	bool is = false;

	if (!str_ends(name, STR(".pyc")) && !str_ends(name, STR(".pyo")))
		return false;
	if (str_ends(dir, STR("/__pycache__/"))) {
		struct str stem = str_cut(&name, '.');
		dir = str_sub(dir, 0, dir.n - strlen("__pycache__/"));
		is = table_get(&c->items.index,
			     arena_strf(&a, "%.*s%.*s.py", STR_ARG(dir), STR_ARG(stem))) != NULL;
	} else {
		is = table_get(&c->items.index, str_sub(path, 0, path.n - 1)) != NULL;
	}
	arena_release(&a);
	return is;
}

static bool is_own(const struct checker *c, struct str path)
{
	return str_starts(path, STR("conda-meta/")) || installed_is_mark(path) ||
	       (c->items.python.major &&
		       str_is(path, python_externally_managed(c->items.arena, &c->items.python).p));
}

static void add_finding(struct checker *c, enum finding_kind kind, struct str owner,
	struct str path, const char *why)
{
	*VEC_PUSH(c->items.arena, c->out) = (struct finding){kind, owner, path, why};
	switch (kind) {
	case FINDING_MISSING:
		c->out->missing++;
		break;
	case FINDING_CHANGED:
		c->out->changed++;
		break;
	case FINDING_FOREIGN:
		c->out->foreign++;
		break;
	}
}

static void sort_others(struct checker *c)
{
	for (size_t i = 0; i < c->others.n; i++) {
		struct str path = c->others.v[i];
		if (table_get(&c->items.index, path) || is_own(c, path) ||
			is_bytecode_of_ours(c, path))
			continue;
		add_finding(c, FINDING_FOREIGN, (struct str){0}, path, NULL);
	}
}

/* --- all ---------------------------------------------------------------------------------- */

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct checker *c = ctx;
	struct str path = arena_str(c->items.arena, str_of(rel));

	(void)e;
	if (S_ISDIR(st->st_mode) &&
		(str_is(path, TRANSACTION_DIR) ||
			(c->items.in.base && (str_is(path, "pkgs") || str_is(path, "envs")))))
		return DIR_SKIP;
	table_put(&c->seen, path);
	if (S_ISDIR(st->st_mode))
		return 0;
	*VEC_PUSH(c->items.arena, &c->others) = path;
	if (S_ISREG(st->st_mode) && items_is_dist(&c->items, path))
		*VEC_PUSH(c->items.arena, &c->dists) = path;
	return 0;
}

static void collect_there(struct checker *c)
{
	for (size_t i = 0; i < c->items.index.n; i++) {
		struct table_entry *entry = &c->items.index.entries[i];
		struct item *item = entry->value.ptr;
		if (table_get(&c->seen, entry->key))
			*VEC_PUSH(c->items.arena, &c->there) =
				(struct checked){.path = entry->key, .item = item};
		else
			add_finding(c, FINDING_MISSING, item->owner, entry->key, NULL);
	}
}

static int by_owner(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int order;

	if (x->kind != y->kind)
		return (x->kind > y->kind) - (x->kind < y->kind);
	order = str_cmp(x->owner, y->owner);
	return order ? order : str_cmp(x->path, y->path);
}

static int check_everything(struct checker *c, struct err *e)
{
	items_add_packages(&c->items, c->request->cache);
	if (dir_walk(c->fd, visit, c, e) != 0)
		return -1;
	for (size_t i = 0; i < c->dists.n; i++)
		items_add_dist(&c->items, c->fd, c->dists.v[i]);
	items_add_listed(&c->items);
	collect_there(c);
	if (work_run(c->request->jobs, c->there.n, check_one, c, e) < 0)
		return -1;
	for (size_t i = 0; i < c->there.n; i++) {
		const struct checked *k = &c->there.v[i];
		c->out->unchecked += k->unchecked;
		if (k->why)
			add_finding(c, FINDING_CHANGED, k->item->owner, k->path, k->why);
	}
	sort_others(c);
	if (c->out->n)
		qsort(c->out->v, c->out->n, sizeof *c->out->v, by_owner);
	return 0;
}

int verify_prefix(
	struct arena *a, const struct verify_request *r, struct verify_result *out, struct err *e)
{
	struct checker c = {
		.request = r, .out = out, .items = {.arena = a, .request = r}, .seen.arena = a};
	CLEANUP_FD fd = open(r->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*out = (struct verify_result){0};
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", r->prefix);
	c.fd = fd;
	struct err why = {0};
	int rc = installed_read(a, fd, &c.items.in, &why);
	out->unfinished = c.items.in.unfinished || c.items.in.transaction;
	out->at_work = busy_who(a, fd);
	if (out->at_work || (rc < 0 && out->unfinished)) {
		err_release(&why); /* a record that is only begun */
		return 0;
	}
	if (rc < 0) {
		err_wrap(&why, "in '%s'", r->prefix);
		return err_move(e, &why);
	}
	if (!c.items.in.has_history && c.items.in.n == 0 && !out->unfinished) {
		err_set(e, ERR_USAGE, "'%s' is no environment: it has no conda-meta", r->prefix);
		return err_advise(e, "name the folder that an environment was installed into");
	}
	if (check_everything(&c, e) < 0)
		return -1;
	out->packages = c.items.in.n;
	out->dists = c.items.dists;
	out->files = c.there.n;
	return 0;
}
