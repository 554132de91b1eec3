#include "packer/audit_walk.h"

#include "base/interrupt.h"
#include "base/work.h"
#include "builder/beneath.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * Each thread takes a folder that was found and not yet listed, until there is none and no other
 * thread may find one: no thread waits for one that lists a large folder.  In a folder names are
 * sorted as if folders ended in a slash; so what is in them comes in the order of whole paths, and
 * nothing has to be sorted at the end.
 */
struct name {
	struct walked file;    /* its path is the key: whole, of a folder with a slash behind it */
	struct folder *folder; /* NULL: a file or link */
};

struct folder {
	struct str path; /* empty: the top */
	struct name *names;
	size_t n;
	int error;           /* it could not be read: errno */
	struct folder *next; /* to be listed after this one */
};

struct walking {
	const struct walk_request *r;
	struct arena *arenas; /* one for each worker */
	atomic_size_t files;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t more;
	struct folder *found; /* and not yet taken by anybody */
	size_t listing;       /* folders that somebody has taken */
	bool failed;
};

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct name *)a)->file.path, ((const struct name *)b)->file.path);
}

/* --- one folder ------------------------------------------------------------------------------- */

struct names {
	struct name *v;
	size_t n, cap;
};

static struct str path_of(struct arena *a, const struct folder *f, const char *name)
{
	size_t above = f->path.n ? f->path.n + 1 : 0, n = strlen(name);
	char *path = arena_alloc(a, above + n + 1);

	if (above) {
		memcpy(path, f->path.p, f->path.n);
		path[f->path.n] = '/';
	}
	memcpy(path + above, name, n);
	return str_n(path, above + n);
}

static void add_folder(struct arena *a, struct str path, struct names *to)
{
	struct folder *folder = arena_new(a, struct folder);

	folder->path = path;
	*VEC_PUSH(a, to) =
		(struct name){.file.path = arena_strf(a, "%.*s/", STR_ARG(path)), .folder = folder};
}

/* What has gone since it was listed is not there.  A folder may be listed and nothing in it looked at. */
static void add(struct walking *w, struct arena *a, struct folder *f, int fd,
	const struct dirent64 *entry, struct names *to)
{
	struct str path = path_of(a, f, entry->d_name);
	struct name *out;
	struct stat st;

	if (w->r->skip && w->r->skip(w->r->ctx, path))
		return;
	/* Many file systems tell folders without being asked for each. */
	if (entry->d_type == DT_DIR) {
		add_folder(a, path, to);
		return;
	}
	if (fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno != ENOENT)
			f->error = errno;
		return;
	}
	if (S_ISDIR(st.st_mode))
		add_folder(a, path, to);
	if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode))
		return;
	out = VEC_PUSH(a, to);
	*out = (struct name){.file.path = path};
	file_stamp_of(&st, &out->file.stamp);
}

/* As the kernel gives them: getdents64(2).  fd stands at the folder's beginning. */
static void list(struct walking *w, struct arena *a, struct folder *f, int fd)
{
	_Alignas(struct dirent64) char bytes[32 << 10];
	struct names names = {0};
	ssize_t n;

	while ((n = getdents64(fd, bytes, sizeof bytes)) > 0)
		for (ssize_t at = 0; at < n;) {
			const struct dirent64 *entry = (const void *)(bytes + at);

			if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
				add(w, a, f, fd, entry, &names);
			at += entry->d_reclen;
		}
	if (n < 0)
		f->error = errno;
	if (names.n)
		qsort(names.v, names.n, sizeof *names.v, by_path);
	f->names = names.v;
	f->n = names.n;
}

static void read_folder(struct walking *w, struct arena *a, struct beneath *b, struct folder *f)
{
	struct str inside = path_of(a, f, "x");
	struct err why = {0};
	char name[256];
	int fd;

	fd = beneath_parent(b, inside, name, &why);
	if (fd < 0)
		f->error = why.sys ? why.sys : ELOOP;
	else
		list(w, a, f, fd);
	err_release(&why);
}

/* --- all of them ------------------------------------------------------------------------------ */

/* The next folder to list; NULL: there is none, nor will there be. */
static struct folder *take(struct walking *w)
{
	struct folder *f;

	pthread_mutex_lock(&w->lock);
	while (!w->found && w->listing && !w->failed)
		pthread_cond_wait(&w->more, &w->lock);
	f = w->failed ? NULL : w->found;
	if (f) {
		w->found = f->next;
		w->listing++;
	}
	pthread_mutex_unlock(&w->lock);
	return f;
}

/* f has been listed: the folders in it are next. */
static void give(struct walking *w, const struct folder *f, bool failed)
{
	pthread_mutex_lock(&w->lock);
	for (size_t i = f->n; i-- > 0;)
		if (f->names[i].folder) {
			f->names[i].folder->next = w->found;
			w->found = f->names[i].folder;
		}
	w->listing--;
	w->failed |= failed;
	if (w->found || !w->listing || failed)
		pthread_cond_broadcast(&w->more);
	pthread_mutex_unlock(&w->lock);
}

static int work(void *ctx, size_t i, struct err *e)
{
	struct walking *w = ctx;
	struct beneath b;
	struct folder *f;
	int rc = 0;

	beneath_init(&b, w->r->fd, false);
	while (rc == 0 && (f = take(w))) {
		rc = interrupt_check(e);
		if (rc == 0)
			read_folder(w, &w->arenas[i], &b, f);
		if (rc == 0 && atomic_fetch_add(&w->files, f->n) + f->n > WALK_FILES_MAX)
			rc = err_set(e, ERR_INTEGRITY, "more than %d files in '%s'",
				(int)WALK_FILES_MAX, w->r->root);
		give(w, f, rc < 0);
	}
	beneath_release(&b);
	return rc;
}

struct gathering {
	struct arena *a;
	struct walked *files; /* with room for all */
	size_t n_files;
	struct {
		struct walk_unread *v;
		size_t n, cap;
	} unread;
};

/* As deep as a path has components, which beneath_parent() bounds. */
static void gather(struct gathering *g, const struct folder *f)
{
	/* What has gone since is not there. */
	if (f->error && f->error != ENOENT)
		*VEC_PUSH(g->a, &g->unread) = (struct walk_unread){f->path, f->error};
	for (size_t i = 0; i < f->n; i++)
		if (f->names[i].folder)
			gather(g, f->names[i].folder);
		else
			g->files[g->n_files++] = f->names[i].file;
}

int audit_walk(
	struct arena *a, const struct walk_request *r, struct walk_result *out, struct err *e)
{
	struct folder top = {0};
	struct walking w = {.r = r,
		.arenas = arena_array(a, struct arena, r->jobs),
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.found = &top};
	struct gathering g = {.a = a};
	int rc = work_run(r->jobs, r->jobs, work, &w, e);

	*out = (struct walk_result){0};
	for (unsigned i = 0; i < r->jobs; i++)
		arena_join(a, &w.arenas[i]);
	if (rc < 0)
		return -1;
	g.files = arena_array(a, struct walked, atomic_load(&w.files));
	gather(&g, &top);
	*out = (struct walk_result){g.files, g.n_files, g.unread.v, g.unread.n};
	return 0;
}
