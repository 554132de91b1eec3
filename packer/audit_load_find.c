#include "base/buf.h"
#include "packer/audit_load_inside.h"

enum { MAX_LINKS = 40, MAX_PATH = 4096, WORK_FOLDER = 50, WORK_TRY = 5, WORK_HOST = 400 };

/* --- the tree ----------------------------------------------------------------------------- */

/* Packages do not say what folders there are; there, all are. */
static bool has_folder(const struct audit_tree *t, struct str path)
{
	return path.n == 0 || t->of_packages || audit_tree_has_below(t, path);
}

void load_index_sonames(struct audit_world *w)
{
	const struct audit_tree *t = w->tree;

	for (size_t i = 0; t->of_packages && i < t->n_files; i++) {
		const struct audit_file *f = &t->files[i];
		ptrdiff_t slash = str_rchr(f->path, '/');
		union table_value *v;

		if (!f->binary || !f->binary->elf.soname.n)
			continue;
		v = table_put(
			&w->sonames, arena_strf(w->arena, "%.*s%.*s",
					     STR_ARG(str_sub(f->path, 0, (size_t)(slash + 1))),
					     STR_ARG(f->binary->elf.soname)));
		if (!v->ptr)
			v->ptr = (void *)f;
	}
}

struct str load_absolute(const struct audit_world *w, struct arena *a, struct str path)
{
	return arena_strf(a, "%.*s/%.*s", STR_ARG(w->prefix), STR_ARG(path));
}

bool load_inside(const struct audit_world *w, struct str path, struct str *rest)
{
	if (!str_starts(path, w->prefix) || (path.n > w->prefix.n && path.p[w->prefix.n] != '/'))
		return false;
	*rest = str_sub(path, w->prefix.n, path.n);
	return true;
}

/* --- paths, as the kernel walks them ------------------------------------------------------ */

struct walk {
	struct audit_world *w;
	struct arena *a;
	struct str done, rest;
	int links;
};

static struct str folder_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
}

static struct str joined(struct arena *a, struct str folder, struct str name)
{
	return folder.n ? arena_strf(a, "%.*s/%.*s", STR_ARG(folder), STR_ARG(name)) : name;
}

/* 1: go on, with the link's text in front of what is left; else the place where the walk ends. */
static int walk_link(struct walk *k, struct str to, enum load_place *place)
{
	*place = PLACE_NONE;
	if (++k->links > MAX_LINKS || to.n + k->rest.n >= MAX_PATH)
		return 0;
	to = k->rest.p ? arena_strf(k->a, "%.*s/%.*s", STR_ARG(to), STR_ARG(k->rest)) : to;
	if (to.n && to.p[0] == '/') {
		k->done = str_n("", 0);
		if (!load_inside(k->w, to, &to)) {
			k->done = to;
			*place = PLACE_ROOT;
			return 0;
		}
	}
	k->rest = to;
	return 1;
}

static int walk_step(struct walk *k, struct str name, enum load_place *place)
{
	const struct audit_file *f;

	*place = PLACE_NONE;
	if (name.n == 0 || str_is(name, "."))
		return 1;
	if (str_is(name, "..")) {
		if (k->done.n == 0)
			return 0;
		k->done = folder_of(k->done);
		return 1;
	}
	k->done = joined(k->a, k->done, name);
	f = audit_tree_at(k->w->tree, k->done);
	if (f && f->type == PATH_SOFTLINK) {
		k->done = folder_of(k->done);
		return walk_link(k, f->link, place);
	}
	return !k->rest.p || (f ? f->type == PATH_DIRECTORY : has_folder(k->w->tree, k->done));
}

/* Where an absolute path leads to, links in the tree followed.  Above the tree is nothing. */
static enum load_place walk(
	struct audit_world *w, struct arena *a, struct str path, struct str *out)
{
	struct walk k = {.w = w, .a = a, .done = str_n("", 0)};
	enum load_place place;

	if (!load_inside(w, path, &k.rest)) {
		*out = path;
		return PLACE_ROOT;
	}
	while (k.rest.p) {
		struct str name = str_cut(&k.rest, '/');

		if (!walk_step(&k, name, &place)) {
			*out = k.done;
			return place;
		}
	}
	*out = k.done;
	return PLACE_TREE;
}

const struct audit_file *load_follow(struct audit_world *w, const struct audit_file *f)
{
	struct arena scratch = {0};
	struct str path;

	if (f->type == PATH_SOFTLINK) {
		enum load_place place =
			walk(w, &scratch, load_absolute(w, &scratch, f->path), &path);

		f = place == PLACE_TREE ? audit_tree_at(w->tree, path) : NULL;
	}
	arena_release(&scratch);
	return f;
}

/* --- judging a file ----------------------------------------------------------------------- */

static enum load_passed passed(const struct loader *l, const struct elf *elf)
{
	switch (loader_fits(l, elf)) {
	case FIT_MACHINE:
		return PASSED_MACHINE;
	case FIT_KERNEL:
		return PASSED_KERNEL;
	case FIT_FAILS:
		return PASSED_BROKEN;
	case FIT_TAKEN:
		break;
	}
	return PASSED_NONE;
}

enum load_passed load_judge(const struct loader *l, const struct audit_file *f)
{
	return f->binary && !f->binary->fault.n ? passed(l, &f->binary->elf) : PASSED_BROKEN;
}

/* Is there a folder with something in it? */
static bool is_folder(const struct audit_tree *t, struct str path)
{
	return !t->of_packages && path.n != 0 && audit_tree_has_below(t, path);
}

/* It can be opened, and then not be read. */
static int take_folder(struct audit_world *w, struct str path, struct load_hit *out)
{
	out->why = PASSED_FOLDER;
	out->passed = NULL;
	out->folder = arena_str(w->arena, path);
	return 1;
}

/* 1: the search ends here, with or without a file. */
static int take_file(struct audit_world *w, const struct audit_file *f, struct load_hit *out)
{
	if (f->type == PATH_DIRECTORY)
		return take_folder(w, f->path, out);
	if (f->type != PATH_FILE)
		return 0;
	if (!f->binary && binary_is_of_sysroot(f->path))
		return 0;
	out->why = load_judge(w->loader, f);
	if (out->why != PASSED_NONE) {
		out->passed = f;
		return out->why == PASSED_BROKEN;
	}
	out->file = f;
	out->passed = NULL;
	return 1;
}

static int take_library(
	const struct audit_world *w, const struct host_library *l, struct load_hit *out)
{
	out->passed = NULL;
	out->why = PASSED_NONE;
	out->refused = NULL;
	if (l->fault.n)
		out->why = PASSED_BROKEN;
	else if (l->path.n)
		out->why = passed(w->loader, &l->elf);
	if (out->why == PASSED_NONE)
		out->library = l;
	else
		out->refused = l;
	return out->why == PASSED_NONE || out->why == PASSED_BROKEN;
}

/* A path of the tree, whose folder holds no link. */
static int try_entry(struct audit_world *w, struct str path, struct load_hit *out, struct err *e)
{
	const struct audit_file *f = audit_tree_at(w->tree, path);
	const struct host_library *l;
	struct arena scratch = {0};
	union table_value *v;
	int r = 0;

	if (!f && is_folder(w->tree, path))
		return take_folder(w, path, out);
	if (!f && w->tree->of_packages && (v = table_get(&w->sonames, path)))
		f = v->ptr;
	if (f && f->type == PATH_SOFTLINK) {
		struct str to;
		enum load_place place = walk(w, &scratch, load_absolute(w, &scratch, f->path), &to);

		f = place == PLACE_TREE ? audit_tree_at(w->tree, to) : NULL;
		if (place == PLACE_TREE && !f && is_folder(w->tree, to))
			r = take_folder(w, path, out);
		if (place == PLACE_ROOT) {
			r = loader_file(w->loader, to, &l, e);
			if (r > 0)
				r = take_library(w, l, out);
		}
	}
	arena_release(&scratch);
	return f ? take_file(w, f, out) : r;
}

int load_find_path(struct audit_world *w, struct str path, struct load_hit *out, struct err *e)
{
	struct arena scratch = {0};
	const struct host_library *l;
	struct str to;
	int r = 0;

	*out = (struct load_hit){.path = path};
	if (path.n == 0 || path.p[0] != '/')
		return 0;
	switch (walk(w, &scratch, path, &to)) {
	case PLACE_TREE:
		r = try_entry(w, to, out, e);
		break;
	case PLACE_ROOT:
		r = loader_file(w->loader, to, &l, e);
		if (r > 0)
			take_library(w, l, out);
		break;
	case PLACE_NONE:
		break;
	}
	arena_release(&scratch);
	return r < 0 ? -1 : out->file || out->library;
}

/* --- folders ------------------------------------------------------------------------------ */

static struct load_folder *folder_named(struct audit_world *w, struct str name)
{
	union table_value *v = table_get(&w->folders, name);
	const struct str *hwcaps;
	struct load_folder *f;
	size_t n;

	if (v)
		return v->ptr;
	f = arena_new(w->arena, struct load_folder);
	w->work += WORK_FOLDER;
	f->name = arena_str(w->arena, name);
	f->place = walk(w, w->arena, f->name, &f->path);
	if (f->place == PLACE_TREE && !has_folder(w->tree, f->path))
		f->place = PLACE_NONE;
	table_put(&w->folders, f->name)->ptr = f;
	if (f->place != PLACE_TREE)
		return f;
	hwcaps = loader_hwcaps(w->loader, &n);
	f->hwcaps = arena_array(w->arena, struct str, n + 1);
	for (size_t i = 0; i < n && !w->tree->of_packages; i++) {
		struct str sub = str_sub(hwcaps[i], 0, hwcaps[i].n - 1);

		/* links in there are followed when a file is looked for */
		if (has_folder(w->tree, joined(w->arena, f->path, sub)))
			f->hwcaps[f->n_hwcaps++] = hwcaps[i];
	}
	f->hwcaps[f->n_hwcaps++] = str_n("", 0);
	return f;
}

/* $ORIGIN, ${ORIGIN}: the length of the word behind the '$', 0: it is another one. */
static size_t word_at(struct str s, struct str word)
{
	bool curly = s.n && s.p[0] == '{';
	struct str rest = str_sub(s, curly, s.n);
	char next = rest.n > word.n ? rest.p[word.n] : 0;

	if (!str_starts(rest, word))
		return 0;
	if (curly)
		return next == '}' ? word.n + 2 : 0;
	if (next == '_' || (next >= '0' && next <= '9') || (next >= 'A' && next <= 'Z') ||
		(next >= 'a' && next <= 'z'))
		return 0;
	return word.n;
}

/* Of a library it is the folder of the path that it was opened by, links and ".." as they stand. */
static struct str origin_of(const struct process *p, size_t object)
{
	return folder_of(p->objects.v[object].path);
}

struct str load_words(struct process *p, size_t object, struct str text)
{
	struct str words[] = {STR("ORIGIN"), STR("LIB"), STR("PLATFORM")};
	struct str values[] = {origin_of(p, object), loader_lib(p->world->loader),
		loader_platform(p->world->loader)};
	CLEANUP_BUF to = {.max = MAX_PATH};

	if (str_chr(text, '$') < 0)
		return text;
	while (text.n) {
		size_t used = 0;

		for (size_t i = 0; text.p[0] == '$' && i < 3 && !used; i++) {
			used = word_at(str_sub(text, 1, text.n), words[i]);
			if (used)
				buf_str(&to, values[i]);
		}
		if (!used)
			buf_putc(&to, text.p[0]);
		text = str_sub(text, used + 1, text.n);
	}
	return to.overflow ? str_n("", 0) : arena_str(p->arena, buf_view(&to));
}

/* Elements that are relative, or empty, mean the working directory, which nobody promises. */
static void expand_path(struct process *p, size_t object, struct str path, struct load_folders *out)
{
	while (path.n) {
		struct str name = load_words(p, object, str_cut(&path, ':'));
		struct load_folder *folder;

		p->world->work += WORK_TRY;
		while (name.n > 1 && name.p[name.n - 1] == '/')
			name.n--;
		if (name.n == 0 || name.p[0] != '/')
			continue;
		folder = folder_named(p->world, name);
		if (folder->place == PLACE_NONE || folder->in == out)
			continue;
		folder->in = out;
		*VEC_PUSH(p->world->arena, out) = folder;
	}
}

static struct load_folders *expanded(struct process *p, size_t object, struct str path)
{
	struct audit_world *w = p->world;
	CLEANUP_BUF key = {0};
	struct load_folders *out;
	union table_value *v;

	if (!path.n)
		return NULL;
	buf_str(&key, origin_of(p, object));
	buf_putc(&key, 0);
	buf_str(&key, path);
	v = table_get(&w->lists, buf_view(&key));
	if (v)
		return v->ptr;
	out = arena_new(w->arena, struct load_folders);
	out->found.arena = w->arena;
	table_put(&w->lists, arena_str(w->arena, buf_view(&key)))->ptr = out;
	expand_path(p, object, path, out);
	return out;
}

void load_expand(struct process *p, size_t object)
{
	const struct elf *elf = p->objects.v[object].elf;
	struct load_inner *inner = &p->inner.v[object];

	if (inner->expanded)
		return;
	inner->expanded = true;
	if (elf->runpath.n)
		inner->runpath = expanded(p, object, elf->runpath);
	else
		inner->rpath = expanded(p, object, elf->rpath);
}

/* --- searching ---------------------------------------------------------------------------- */

/* The loader knows it by the name of the folder, not by where links led. */
static int try_root(struct audit_world *w, const struct load_folder *f, struct str name,
	struct load_hit *out, struct err *e)
{
	const struct host_library *l;
	struct str folder = f->path;
	int r = loader_find_in(w->loader, folder, name, &l, e);

	w->work += WORK_HOST;
	if (r <= 0)
		return r;
	while (folder.n && folder.p[folder.n - 1] == '/')
		folder.n--;
	out->path = arena_strf(w->arena, "%.*s%.*s", STR_ARG(f->name),
		STR_ARG(str_sub(l->path, folder.n, l->path.n)));
	return take_library(w, l, out);
}

static int try_folder(struct audit_world *w, const struct load_folder *f, struct str name,
	struct load_hit *out, struct err *e)
{
	int r = 0;

	if (f->place == PLACE_NONE)
		return 0;
	if (f->place == PLACE_ROOT)
		return try_root(w, f, name, out, e);
	for (size_t i = 0; i < f->n_hwcaps && r == 0; i++) {
		char place[MAX_PATH];
		size_t n = 0;

		if (f->path.n + f->hwcaps[i].n + name.n + 2 > sizeof place)
			return 0;
		memcpy(place, f->path.p, f->path.n);
		n += f->path.n;
		if (n)
			place[n++] = '/';
		memcpy(place + n, f->hwcaps[i].p, f->hwcaps[i].n);
		n += f->hwcaps[i].n;
		w->work += WORK_TRY;
		memcpy(place + n, name.p, name.n);
		r = try_entry(w, str_n(place, n + name.n), out, e);
		if (r > 0)
			out->path = arena_strf(w->arena, "%.*s/%.*s%.*s", STR_ARG(f->name),
				STR_ARG(f->hwcaps[i]), STR_ARG(name));
	}
	return r;
}

static int search(struct audit_world *w, struct load_folders *folders, struct str name,
	struct load_hit **out, struct err *e)
{
	struct load_hit *hit = arena_new(w->arena, struct load_hit);
	int r = 0;

	for (size_t i = 0; i < folders->n && r == 0; i++)
		r = try_folder(w, folders->v[i], name, hit, e);
	if (r < 0)
		return -1;
	hit->ends = r > 0;
	hit->by_rpath = r > 0;
	table_put(&folders->found, arena_str(w->arena, name))->ptr = *out = hit;
	return 0;
}

/* What was passed over in folders before stays told, where these have nothing of that name. */
static int try_folders(struct process *p, struct load_folders *folders, struct str name,
	struct load_hit *out, struct err *e)
{
	union table_value *v;
	struct load_hit *hit;

	if (!folders || folders->n == 0)
		return 0;
	v = table_get(&folders->found, name);
	hit = v ? v->ptr : NULL;
	if (!hit && search(p->world, folders, name, &hit, e) < 0)
		return -1;
	if (hit->ends || hit->why != PASSED_NONE)
		*out = *hit;
	return hit->ends;
}

/* DT_RPATH of who asks, of those that loaded that one, and of the program in any case. */
static int try_rpaths(
	struct process *p, size_t by, struct str name, struct load_hit *out, struct err *e)
{
	bool program = false;
	int r = 0;

	for (ptrdiff_t i = (ptrdiff_t)by; i >= 0 && r == 0; i = p->objects.v[i].loader) {
		load_expand(p, (size_t)i);
		program = program || i == 0;
		r = try_folders(p, p->inner.v[i].rpath, name, out, e);
	}
	if (r != 0 || program || !p->has_program)
		return r;
	load_expand(p, 0);
	return try_folders(p, p->inner.v[0].rpath, name, out, e);
}

int load_find(struct process *p, size_t by, struct str name, struct load_hit *out, struct err *e)
{
	const struct elf *elf = p->objects.v[by].elf;
	const struct host_library *l;
	int r = 0;

	*out = (struct load_hit){0};
	if (str_chr(name, '/') >= 0)
		return load_find_path(p->world, name, out, e);
	load_expand(p, by);
	if (!elf->runpath.n)
		r = try_rpaths(p, by, name, out, e);
	if (r == 0)
		r = try_folders(p, p->inner.v[by].runpath, name, out, e);
	if (r == 0) {
		r = loader_find(p->world->loader, name, elf->no_default_folders, &l, e);
		p->world->work += r == 0 ? WORK_HOST : 0;
		if (r > 0) {
			out->path = l->path.n ? l->path : name;
			take_library(p->world, l, out);
		}
	}
	return r < 0 ? -1 : out->file || out->library;
}
