#include "images/plan.h"

#include "base/file.h"
#include "images/throwaway.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { MAX_MOUNTINFO = 16 << 20 };

static char *canonical(struct arena *a, const char *path, struct err *e)
{
	char *real = realpath(path, NULL), *r;

	if (!real) {
		err_sys(e, "cannot bind '%s'", path);
		return NULL;
	}
	r = arena_strdup(a, real);
	free(real);
	return r;
}

static bool is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (!strcmp(dir, "/"))
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == 0);
}

/* Is something mounted below the folder?  An overlay would not take it as its lower one. */
static bool has_mounts(const char *dir)
{
	struct arena a = {0};
	struct err ignored = {0};
	struct str text;
	bool found = false;

	if (file_read(&a, "/proc/self/mountinfo", MAX_MOUNTINFO, &text, &ignored) < 0)
		text = (struct str){NULL, 0};
	while (text.p && !found) {
		struct str line = str_cut(&text, '\n');
		struct str at = {NULL, 0};

		/* id, parent, device, root, mount point; spaces in it are written \040 */
		for (int i = 0; i < 5 && line.p; i++)
			at = str_cut(&line, ' ');
		found = at.n > strlen(dir) && is_below(arena_cstr(&a, at), dir);
	}
	err_release(&ignored);
	arena_release(&a);
	return found;
}

static int visit_foreign(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	(void)ctx;
	(void)rel;
	(void)e;
	/* real root has all groups in the sandbox, but not the right to write to all files */
	return st->st_uid != geteuid() || (geteuid() != 0 && st->st_gid != getegid());
}

/*
 * Does anything in the folder belong to a user or a group that the job has not?  It could not
 * write to it, and an overlay could not even copy it up (EOVERFLOW); a copy is the caller's.
 */
static bool has_foreign(const char *dir)
{
	CLEANUP_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct err ignored = {0};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return false;
	r = visit_foreign(NULL, "", &st, NULL);
	if (r == 0)
		r = dir_walk(fd, visit_foreign, NULL, &ignored);
	err_release(&ignored);
	return r != 0;
}

static int prepare_copy(struct arena *a, struct prepared *p, size_t i, const char *dir,
	const char *state, struct err *e)
{
	struct throwaway *t = &p->throwaway[i];

	t->original = p->binds[i].from;
	t->copy = arena_printf(a, "%s/copy%zu", dir, i);
	p->binds[i].from = t->copy;
	p->binds[i].kind = BIND_READ_WRITE;
	return copy_tree(t->original, t->copy, state, e);
}

static int prepare_overlay(
	struct arena *a, struct prepared *p, size_t i, const char *dir, struct err *e)
{
	char *upper = arena_printf(a, "%s/upper%zu", dir, i);
	char *work = arena_printf(a, "%s/work%zu", dir, i);
	struct stat st;

	if (mkdir(upper, 0755) < 0 || mkdir(work, 0755) < 0)
		return err_sys(e, "cannot make the folder '%s'", upper);
	/* the merged root shows the upper's mode */
	if (stat(p->binds[i].from, &st) == 0 && chmod(upper, (st.st_mode & 07777) | 0700) < 0)
		return err_sys(e, "cannot set the mode of '%s'", upper);
	p->throwaway[i].original = p->binds[i].from;
	p->throwaway[i].upper = p->uppers[i] = upper;
	p->works[i] = work;
	return 0;
}

/* Where the layer of an overlay over this folder can lie; NULL: nowhere. */
static const char *layer_place(const struct place places[2], const char *from)
{
	for (int i = 0; i < 2; i++)
		if (places[i].dir && !is_below(places[i].state, from))
			return places[i].dir;
	return NULL;
}

bool binds_hold(const struct job *job, const char *state)
{
	bool holds = false;

	for (size_t i = 0; i < job->n_binds && !holds; i++) {
		char *real = realpath(job->binds[i].from, NULL);

		holds = real && job->binds[i].kind == BIND_THROW_AWAY && is_below(state, real);
		free(real);
	}
	return holds;
}

/*
 * In the job's tmpfs; what cannot be a lower folder is copied first, and the copy is, for a copy on
 * disk could be filled without an end.
 */
static int prepare_in_quota(
	struct arena *a, struct prepared *p, size_t i, const struct place *place, struct err *e)
{
	struct bind *b = &p->binds[i];
	struct throwaway *t = &p->throwaway[i];

	t->original = b->from;
	t->upper = p->uppers[i] = arena_printf(a, "upper%zu", i);
	p->works[i] = arena_printf(a, "work%zu", i);
	if (p->is_file[i] || (!has_mounts(b->from) && !has_foreign(b->from)))
		return 0;
	b->from = t->copy = arena_printf(a, "%s/copy%zu", place->dir, i);
	return copy_tree(t->original, t->copy, place->state, e);
}

static int prepare_one(struct arena *a, struct prepared *p, size_t i, const struct place places[2],
	enum layers layers, struct err *e)
{
	struct bind *b = &p->binds[i];
	const char *layer;
	struct stat st;

	b->from = canonical(a, b->from, e);
	if (!b->from)
		return -1;
	if (b->to[0] != '/')
		return err_set(e, ERR_FAIL, "'%s' is no absolute path to bind at", b->to);
	if (stat(b->from, &st) < 0)
		return err_sys(e, "cannot bind '%s'", b->from);
	p->is_file[i] = p->throwaway[i].file = !S_ISDIR(st.st_mode);
	if (b->kind != BIND_THROW_AWAY)
		return 0;
	if (layers == LAYERS_QUOTA)
		return prepare_in_quota(a, p, i, &places[0], e);
	layer = layer_place(places, b->from);
	if (layers == LAYERS_NONE || p->is_file[i] || !layer || has_mounts(b->from) ||
		has_foreign(b->from))
		return prepare_copy(a, p, i, places[0].dir, places[0].state, e);
	return prepare_overlay(a, p, i, layer, e);
}

int binds_prepare(struct arena *a, const struct job *job, const struct place places[2],
	enum layers layers, struct prepared *out, struct err *e)
{
	size_t n = job->n_binds;

	*out = (struct prepared){
		.binds = arena_array(a, struct bind, n),
		.uppers = arena_array(a, const char *, n),
		.works = arena_array(a, const char *, n),
		.throwaway = arena_array(a, struct throwaway, n),
		.is_file = arena_array(a, bool, n),
		.n = n,
	};
	for (size_t i = 0; i < n; i++) {
		out->binds[i] = job->binds[i];
		if (prepare_one(a, out, i, places, layers, e) < 0)
			return -1;
	}
	return 0;
}

bool kept_is_full(int kept)
{
	enum { NOTHING = 65536 };
	struct statvfs st;

	return kept >= 0 && fstatvfs(kept, &st) == 0 && st.f_bavail * st.f_bsize < NOTHING;
}

static int answer_one(struct arena *a, const struct throwaway *t, const char *kept,
	const char *state, struct changes *out, struct err *e)
{
	const char *upper = t->upper ? path_join(a, kept, t->upper) : NULL;

	if (upper && !t->file)
		return changes_of_upper(a, t->copy ? t->copy : t->original, upper, out, e);
	if (!t->file)
		return changes_of_copy(a, t->original, t->copy, state, out, e);
	if (!same_file(t->original, upper ? upper : t->copy))
		*VEC_PUSH(a, out) = STR(".");
	return 0;
}

int binds_answer(
	struct job *job, const struct prepared *p, const char *state, int kept, struct err *e)
{
	const char *layers = arena_printf(job->arena, "/proc/self/fd/%d", kept);

	for (size_t i = 0; i < p->n; i++) {
		struct changes changes = {0};

		if (!p->throwaway[i].original)
			continue;
		if (answer_one(job->arena, &p->throwaway[i], layers, state, &changes, e) < 0)
			return err_wrap(e, "while looking for changes in '%s'", job->binds[i].to);
		job->binds[i].changes = changes.v;
		job->binds[i].n_changes = changes.n;
	}
	return 0;
}
