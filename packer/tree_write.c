#include "packer/tree_write.h"

#include "base/file.h"
#include "base/table.h"
#include "base/work.h"
#include "packer/measure.h"
#include "packer/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree_writer {
	struct arena arena;
	const char *path;
	int64_t epoch;
	unsigned jobs;
	int root;
	struct table folders; /* that were made */
	struct {
		const char **v;
		size_t n, cap;
	} order; /* of them, one before those in it */
	pthread_mutex_t lock;
	uint64_t bytes;
	uint8_t sha256[SHA256_LEN];
	bool finished;
};

/* What the threads of one tree_add share. */
struct adding {
	struct tree_writer *w;
	struct layout *layout;
	struct step *step;
};

/* --- folders ---------------------------------------------------------------------------------- */

static int make_folder(struct tree_writer *w, struct str path, struct err *e)
{
	char *name;

	if (table_get(&w->folders, path))
		return 0;
	name = arena_cstr(&w->arena, path);
	table_put(&w->folders, str_of(name));
	*VEC_PUSH(&w->arena, &w->order) = name;
	/* Whoever writes into them later is not this user. */
	if (mkdirat(w->root, name, 0700) < 0 || fchmodat(w->root, name, 0755, 0) < 0)
		return err_sys(e, "cannot make the folder '%s/%s'", w->path, name);
	return 0;
}

/* Those that it lies in; itself where it is one. */
static int make_folders(struct tree_writer *w, const struct member *m, struct err *e)
{
	for (size_t n = 1; n < m->path.n; n++)
		if (m->path.p[n] == '/' && make_folder(w, str_sub(m->path, 0, n), e) < 0)
			return -1;
	return m->type == MEMBER_DIR ? make_folder(w, m->path, e) : 0;
}

/* --- files ------------------------------------------------------------------------------------ */

static struct timespec time_of(int64_t t)
{
	return (struct timespec){.tv_sec = t};
}

static int write_file(
	const struct tree_writer *w, const struct member *m, struct str data, struct err *e)
{
	struct timespec times[2] = {time_of(m->mtime), time_of(m->mtime)};
	CLEANUP_ARENA a = {0};
	char *name = arena_cstr(&a, m->path);
	CLEANUP_FD fd =
		openat(w->root, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "cannot make '%s/%s'", w->path, name);
	if (write_full(fd, data.p, data.n, e) < 0)
		return err_wrap(e, "cannot write '%s/%s'", w->path, name);
	if (fchmod(fd, m->mode & 0777) < 0 || futimens(fd, times) < 0)
		return err_sys(e, "cannot set mode and time of '%s/%s'", w->path, name);
	return 0;
}

static int add_file(struct adding *s, struct layout_item *item, struct err *e)
{
	struct str data;
	int rc;

	if (!item->source)
		return write_file(s->w, &item->head, item->data, e);
	if (file_map(item->source, &data, e) < 0)
		return -1;
	rc = data.n == item->head.size ? item_measure(s->layout, &s->w->lock, item, data, e)
				       : item_changed(item, e);
	if (rc == 0)
		rc = write_file(s->w, &item->head, data, e);
	file_unmap(data);
	return rc;
}

static int add_link(const struct tree_writer *w, const struct member *m, struct err *e)
{
	struct timespec times[2] = {time_of(m->mtime), time_of(m->mtime)};
	CLEANUP_ARENA a = {0};
	char *name = arena_cstr(&a, m->path);

	if (symlinkat(arena_cstr(&a, m->link), w->root, name) < 0)
		return err_sys(e, "cannot make the link '%s/%s'", w->path, name);
	utimensat(w->root, name, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int add_item(void *ctx, size_t i, struct err *e)
{
	struct adding *s = ctx;
	struct layout_item *item = &s->layout->items.v[i];
	int rc = 0;

	if (item->head.type == MEMBER_FILE)
		rc = add_file(s, item, e);
	else if (item->head.type == MEMBER_SYMLINK)
		rc = add_link(s->w, &item->head, e);
	if (s->step)
		step_tick(s->step, 0, item->head.size);
	return rc;
}

/* --- the whole -------------------------------------------------------------------------------- */

struct tree_writer *tree_begin(const char *path, int64_t epoch, unsigned jobs, struct err *e)
{
	struct tree_writer *w = xcalloc(1, sizeof *w);

	w->path = path;
	w->epoch = epoch < 0 ? 0 : epoch;
	w->jobs = jobs ? jobs : 1;
	w->folders.arena = &w->arena;
	w->root = -1;
	pthread_mutex_init(&w->lock, NULL);
	if (mkdir(path, 0700) < 0) {
		err_sys(e, "cannot make the folder '%s'", path);
		w->finished = true; /* it is not ours to remove */
	} else {
		w->root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (w->root >= 0)
			return w;
		err_sys(e, "cannot open the folder '%s'", path);
	}
	tree_close(w);
	return NULL;
}

int tree_add(struct tree_writer *w, struct layout *l, struct step *step, struct err *e)
{
	struct adding s = {.w = w, .layout = l, .step = step};

	for (size_t i = 0; i < l->items.n; i++)
		if (make_folders(w, &l->items.v[i].head, e) < 0)
			return -1;
	if (work_run(w->jobs, l->items.n, add_item, &s, e) < 0)
		return -1;
	for (size_t i = 0; i < l->items.n; i++) {
		const struct layout_item *item = &l->items.v[i];

		w->bytes += item->head.size;
		if (str_is(item->head.path, SUMS_PATH))
			memcpy(w->sha256, item->sha256, SHA256_LEN);
	}
	return 0;
}

int tree_finish(struct tree_writer *w, struct pack_result *out, struct err *e)
{
	struct timespec times[2] = {time_of(w->epoch), time_of(w->epoch)};

	for (size_t i = w->order.n; i-- > 0;)
		if (utimensat(w->root, w->order.v[i], times, AT_SYMLINK_NOFOLLOW) < 0)
			return err_sys(e, "cannot set the time of '%s/%s'", w->path, w->order.v[i]);
	if (fchmod(w->root, 0755) < 0 || futimens(w->root, times) < 0)
		return err_sys(e, "cannot set mode and time of '%s'", w->path);
	if (disk_sync(w->root, w->path, e) < 0)
		return -1;
	memcpy(out->sha256, w->sha256, SHA256_LEN);
	out->bytes = w->bytes;
	w->finished = true;
	return 0;
}

void tree_close(struct tree_writer *w)
{
	if (!w)
		return;
	fd_cleanup(&w->root);
	if (!w->finished)
		dir_remove(w->path, NULL);
	pthread_mutex_destroy(&w->lock);
	arena_release(&w->arena);
	free(w);
}
