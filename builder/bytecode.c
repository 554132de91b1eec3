/*
 * Bytecode, made by the environment's own Python in the engine.
 *
 * The same bytes everywhere: hash seed 0, the name in the code is relative to the prefix, each file
 * is compiled by a process that has compiled nothing before (what is interned shows in the bytes),
 * and from Python 3.7 on the file says "unchecked hash" (PEP 552) instead of the source's time.
 * Before, time and size of the source stand in it, and those are the package's own.
 *
 * What a package's files compile to depends on the package and the Python package alone, so it is
 * made from the package cache and kept there (bytecode_cache.h).  The Python that does it runs from
 * its own package: nothing of another package can have a say in what is kept.  Files that hold the
 * prefix are compiled in the prefix.
 */
#include "builder/prefix.h"

#include "base/file.h"
#include "builder/beneath.h"
#include "builder/compile.h"
#include "builder/entry.h"
#include "builder/layer.h"
#include "builder/take.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Packages whose folders are bound at once. */
enum { BATCH = 64 };

/* What one package compiles to. */
struct wanted {
	const struct package *package;
	struct linked **v; /* in the order of their sources */
	size_t n, cap;
	struct bytecode_entry entry;
};

struct bytecode_work {
	struct prefix *p;
	struct arena *a; /* the prefix's: entries live on in it */
	struct wanted *all;
	struct wanted **missing;
	size_t n_missing;
	struct step step;
};

/* --- what the cache has -------------------------------------------------------------------- */

static int by_source(const void *a, const void *b)
{
	const struct linked *x = *(struct linked *const *)a, *y = *(struct linked *const *)b;

	return str_cmp(x->file->path, y->file->path);
}

/* Sorts by package what does not depend on the prefix. */
static void collect(struct bytecode_work *w)
{
	struct prefix *p = w->p;

	w->all = arena_array(w->a, struct wanted, p->n_packages + 1);
	for (size_t i = 0; i < p->n; i++) {
		struct linked *l = &p->v[i];
		if (l->kind == LINKED_BYTECODE && l->file->n_offsets == 0)
			*VEC_PUSH(w->a, &w->all[l->package]) = l;
	}
	for (size_t i = 0; i < p->n_packages; i++) {
		struct wanted *want = &w->all[i];
		if (!want->n)
			continue;
		want->package = &p->packages[i];
		qsort(want->v, want->n, sizeof *want->v, by_source);
		bytecode_entry_init(&want->entry, want->package, &p->packages[p->python.package],
			p->python.site_packages);
	}
}

/* Does the compiled file look as it did when it was made? */
static bool is_intact(int files, const struct bytecode *code, int64_t mtime)
{
	struct stat st;

	return fstatat(files, code->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       (uint64_t)st.st_size == code->size && (st.st_mode & 07777) == BYTECODE_MODE &&
	       st.st_mtim.tv_sec == mtime && st.st_mtim.tv_nsec == 0;
}

/* Takes what the entry says; false where it does not know a source or a file was changed. */
static bool take_entry(struct wanted *w, const struct bytecode_entry *entry, const char *dir)
{
	struct arena a = {0};
	CLEANUP_FD files =
		open(path_join(&a, dir, "files"), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	bool good = files >= 0;

	for (size_t i = 0; i < w->n && good; i++) {
		const struct bytecode *code = bytecode_entry_find(entry, w->v[i]->file->path);
		good = code && (code->absent || is_intact(files, code, w->v[i]->file->mtime));
		if (!good)
			break;
		w->v[i]->code = code->absent ? NULL : code;
		w->v[i]->absent = code->absent;
	}
	arena_release(&a);
	return good;
}

/* In the cache or in one below it; a damaged entry in the cache makes room. */
static bool find_in_cache(struct bytecode_work *w, struct wanted *want)
{
	const struct cache *c = w->p->request->cache;
	const char *rel = bytecode_entry_rel(w->a, want->entry.key);
	char *dir = cache_find(w->a, c, rel);
	struct bytecode_entry *entry = arena_new(w->a, struct bytecode_entry);

	if (!dir)
		return false;
	entry_touch(dir);
	if (bytecode_entry_read(w->a, dir, entry, NULL) == 0 && take_entry(want, entry, dir))
		return true;
	for (size_t i = 0; i < want->n; i++) {
		want->v[i]->code = NULL;
		want->v[i]->absent = false;
	}
	log_debug("compiled files '%s' were changed: they are made anew", dir);
	cache_take(c, rel, INT64_MAX);
	return false;
}

/* --- making it in the cache ---------------------------------------------------------------- */

/* TEMP/K/files gets what came out for package K of the batch. */
static int take_compiled(struct bytecode_work *w, struct compile_job *job, struct wanted *want,
	size_t k, struct err *e)
{
	struct arena *a = w->a;
	char *files = arena_printf(a, "%s/%zu/files", job->dir, k);

	if (dir_make(files, e) < 0)
		return -1;
	CLEANUP_FD dir = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(e, "cannot open '%s'", files);
	want->entry.n_files = want->n;
	want->entry.files = arena_array(a, struct bytecode, want->n);
	for (size_t i = 0; i < want->n; i++) {
		struct bytecode *f = &want->entry.files[i];
		f->source = want->v[i]->file->path;
		struct compiled c = {.mtime = want->v[i]->file->mtime};
		int rc = compile_take(job, arena_printf(a, "%zu-%zu", k, i), &c, e);
		if (rc < 0)
			return -1;
		f->absent = rc == 0;
		if (f->absent)
			continue;
		f->size = c.size;
		memcpy(f->sha256, c.sha256, SHA256_LEN);
		if (compile_move(job, arena_printf(a, "%zu-%zu", k, i), dir,
			    arena_printf(a, "%zu", i), e) < 0)
			return -1;
	}
	return 0;
}

static int publish(struct bytecode_work *w, struct compile_job *job, struct wanted **batch,
	size_t n, struct err *e)
{
	for (size_t k = 0; k < n; k++)
		if (take_compiled(w, job, batch[k], k, e) < 0)
			return -1;
	CLEANUP_FD fd = open(job->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", job->dir);
	if (disk_sync(fd, job->dir, e) < 0)
		return -1;
	for (size_t k = 0; k < n; k++) {
		char *draft = arena_printf(w->a, "%s/%zu", job->dir, k);
		if (bytecode_entry_publish(w->p->request->cache, draft, &batch[k]->entry, e) < 0)
			return -1;
		if (!find_in_cache(w, batch[k]))
			return err_set(e, ERR_FAIL,
				"compiled files of package '%.*s' are gone from the cache",
				STR_ARG(batch[k]->package->record->fn));
		step_tick(&w->step, batch[k]->n, 0);
	}
	return 0;
}

/* A Python that does not start from its package alone compiles in the prefix. */
static int compile_batch(struct bytecode_work *w, struct compile_job *job, struct wanted **batch,
	size_t n, struct err *e)
{
	struct prefix *p = w->p;
	struct err refused = {0};

	const char *python = compile_bind(job, p->packages[p->python.package].dir);
	job->program = arena_printf(w->a, "%s/%.*s", python, STR_ARG(p->python.program));
	for (size_t k = 0; k < n; k++) {
		const char *dir = compile_bind(job, batch[k]->package->dir);
		for (size_t i = 0; i < batch[k]->n; i++)
			compile_add(job,
				arena_strf(
					w->a, "%s/%.*s", dir, STR_ARG(batch[k]->v[i]->file->path)),
				batch[k]->v[i]->source, arena_printf(w->a, "%zu-%zu", k, i));
	}
	if (compile_run(job, &refused) == 0)
		return publish(w, job, batch, n, e);
	if (refused.code != ERR_SCRIPT)
		return err_move(e, &refused);
	log_debug("%s: it is tried in the prefix", refused.text);
	err_release(&refused);
	return 0;
}

static int make_batch(struct bytecode_work *w, struct wanted **batch, size_t n, struct err *e)
{
	struct compile_job job = {.p = w->p, .arena = w->a, .without_prefix = true};
	struct arena scratch = {0};
	int rc = -1;

	job.dir = dir_temp(w->a, path_join(&scratch, w->p->request->cache->dir, "tmp"), "code", e);
	if (job.dir) {
		rc = compile_batch(w, &job, batch, n, e);
		compile_release(&job);
		dir_remove(job.dir, NULL);
	}
	arena_release(&scratch);
	return rc;
}

static int make_missing(struct bytecode_work *w, struct err *e)
{
	size_t n_files = 0;
	int rc = 0;

	for (size_t i = 0; i < w->n_missing; i++)
		n_files += w->missing[i]->n;
	step_begin(&w->step, "compile", n_files, 0);
	for (size_t i = 0; i < w->n_missing && rc == 0; i += BATCH)
		rc = make_batch(
			w, w->missing + i, w->n_missing - i < BATCH ? w->n_missing - i : BATCH, e);
	if (rc < 0)
		step_fail(&w->step);
	else
		step_end(&w->step, "%zu files of %zu packages", n_files, w->n_missing);
	return rc;
}

int prefix_find_bytecode(struct prefix *p, struct err *e)
{
	struct bytecode_work w = {.p = p, .a = p->arena};

	collect(&w);
	w.missing = arena_array(w.a, struct wanted *, p->n_packages + 1);
	for (size_t i = 0; i < p->n_packages; i++)
		if (w.all[i].n && !find_in_cache(&w, &w.all[i]))
			w.missing[w.n_missing++] = &w.all[i];
	return w.n_missing ? make_missing(&w, e) : 0;
}

/* --- in the prefix ------------------------------------------------------------------------- */

/* Moves what came out to its place; what stands there already is replaced. */
static int put_pair(struct compile_job *job, struct beneath *b, const struct source_pair *pair,
	size_t i, struct err *e)
{
	struct arena a = {0};
	char *from = arena_printf(&a, "%zu", i), name[256];
	struct compiled c = {.keep_time = true};
	int rc = compile_take(job, from, &c, e);

	if (rc > 0) {
		int dir = beneath_parent(b, pair->bytecode, name, e);
		rc = dir < 0 ? -1 : compile_move(job, from, dir, name, e);
	}
	arena_release(&a);
	return rc < 0 ? -1 : 0;
}

static int run_pairs(
	struct compile_job *job, const struct source_pair *pairs, size_t n, struct err *e)
{
	struct prefix *p = job->p;
	const char *in = p->request->prefix_inside;
	struct beneath b;
	int rc = 0;

	job->program = arena_printf(job->arena, "%s/%.*s", in, STR_ARG(p->python.program));
	for (size_t i = 0; i < n; i++)
		compile_add(job, arena_strf(job->arena, "%s/%.*s", in, STR_ARG(pairs[i].source)),
			pairs[i].source, arena_printf(job->arena, "%zu", i));
	if (compile_run(job, e) < 0)
		return -1;
	beneath_init(&b, p->fd, true);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = put_pair(job, &b, &pairs[i], i, e);
	beneath_release(&b);
	return rc;
}

int compile_pairs(struct prefix *p, const struct source_pair *pairs, size_t n, struct err *e)
{
	struct arena a = {0};
	struct compile_job job = {.p = p, .arena = &a};
	int rc = n ? -1 : 0;

	if (n && (job.dir = dir_temp(&a, p->request->prefix, "envbuild-compile", e))) {
		rc = run_pairs(&job, pairs, n, e);
		compile_release(&job);
		if (dir_remove(job.dir, rc < 0 ? NULL : e) < 0)
			rc = -1;
	}
	arena_release(&a);
	return rc;
}

int bytecode_keep(struct prefix *p, struct str path, struct err *e)
{
	(void)e;
	return prefix_is_file(p, path);
}

/* Looks at what was made. */
static int take(struct prefix *p, struct linked *l, struct err *e)
{
	struct arena a = {0};
	char *full = path_join(&a, p->request->prefix, arena_cstr(&a, l->path));
	int rc = 0;

	l->absent = !prefix_is_file(p, l->path);
	l->how = HOW_COPY;
	if (!l->absent) {
		rc = file_hash(full, l->sha256, NULL, e);
		if (rc == 0 && stamp_take(AT_FDCWD, full, &l->stamp) < 0)
			rc = err_sys(e, "cannot look at '%s'", full);
		l->size = (uint64_t)l->stamp.size;
	}
	arena_release(&a);
	return rc;
}

static bool is_left(const struct linked *l)
{
	return l->kind == LINKED_BYTECODE && !l->code && !l->absent;
}

int prefix_compile(struct prefix *p, struct err *e)
{
	struct {
		struct source_pair *v;
		size_t n, cap;
	} pairs = {0};
	struct step step;
	int rc;

	for (size_t i = 0; i < p->n; i++)
		if (is_left(&p->v[i]))
			*VEC_PUSH(p->arena, &pairs) =
				(struct source_pair){p->v[i].source, p->v[i].path};
	if (!pairs.n)
		return 0;
	step_begin(&step, "compile", pairs.n, 0);
	rc = compile_pairs(p, pairs.v, pairs.n, e);
	for (size_t i = 0; i < p->n && rc == 0; i++)
		if (is_left(&p->v[i]))
			rc = take(p, &p->v[i], e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files in the prefix", pairs.n);
	return rc;
}
