/*
 * A whole tree: every file of the index made to hold one prefix.
 *
 * conda-meta/envbuild/prefix records the prefix all files hold; it is written last.  Before the
 * first file is touched the new prefix is added to prefix.pending, which is removed at the end:
 * so a run that follows a killed one knows every prefix a file can hold.  Each file is looked at
 * and moved from whichever it holds.  Kernels from 2.6.32 on have all that is used here.
 */
#include "packer/relocator/relocate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char META[] = "conda-meta/envbuild";
/*
 * Temporaries are named so; what a killed run left is removed by the next.  Each lies in the folder
 * of its file: ext4 hands out inodes near the folder's, and slowly where many were just freed, as
 * all of them would be in one folder.
 */
static const char TEMP_START[] = ".envbuild-relocate.";
static const char TEMP_END[] = ".tmp";

enum { PENDING_MAX = 16 * (RELOCATE_PATH_MAX + 1), SMALL_FILE = 64 << 10 };
/* Files are handed out by the row, for the sake of folders; few are not worth a thread. */
enum { THREADS_MAX = 4, ROW = 16, FILES_PER_THREAD = 64, STACK_SIZE = 4 << 20 };

/* Threads work on copies of it, each with counts, error, folder and temporary of its own. */
struct tree {
	const struct relocate_request *request;
	struct relocate_counts *counts;
	struct relocate_error *e;
	int meta;    /* descriptor of META */
	mode_t mode; /* for what is recorded: who may read the index may read that too */
	bool locked;
	struct relocation index;
	char recorded[RELOCATE_PATH_MAX + 1]; /* empty: none */
	char pending[PENDING_MAX + 1];        /* lines, each ended by NUL instead */
	size_t pending_len;
	char temp[64];
	struct crew *crew; /* NULL: outside handle_all() */
	int dir;           /* the folder of the file before, and its path: files come in order */
	char dir_path[RELOCATE_PATH_MAX + 1];
	char small[SMALL_FILE]; /* the file that is looked at, if it fits: cheaper than a mapping */
};

struct crew {
	const struct tree *tree;
	atomic_ullong next; /* the file that nobody has taken yet */
	atomic_bool stop;
	pthread_mutex_t lock; /* of what follows, and around the caller's note() */
	struct relocate_counts counts;
	unsigned threads;
	uint64_t failed; /* the first file that failed, and why */
	struct relocate_error *e;
};

static int fail_errno(struct relocate_error *e, const char *what, const char *path)
{
	return relocate_fail(e, RELOCATE_FAILED, "cannot %s '%s': %s", what, path, strerror(errno));
}

/* --- opening below the root, no symlink followed ------------------------------------------ */

static int open_dir(int root, const char *path, size_t n)
{
	int fd = dup(root);

	for (size_t from = 0; fd >= 0 && from < n;) {
		size_t len = strcspn(path + from, "/");
		char name[256];
		int next;

		if (len > n - from)
			len = n - from;
		snprintf(name, sizeof name, "%.*s", (int)len, path + from);
		next = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(fd);
		fd = next;
		from += len + 1;
	}
	return fd;
}

static void remove_stale(int folder)
{
	int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *d;

	if (!dir && fd >= 0)
		close(fd);
	while (dir && (d = readdir(dir))) {
		size_t n = strlen(d->d_name), end = sizeof TEMP_END - 1;

		if (strncmp(d->d_name, TEMP_START, sizeof TEMP_START - 1) == 0 && n > end &&
			strcmp(d->d_name + n - end, TEMP_END) == 0)
			unlinkat(folder, d->d_name, 0);
	}
	if (dir)
		closedir(dir);
}

/* The descriptor of the folder that holds path (kept until the next call), and its last part. */
static int folder_of(struct tree *t, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	size_t n = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	if (t->dir >= 0 && strlen(t->dir_path) == n && memcmp(t->dir_path, path, n) == 0)
		return t->dir;
	if (t->dir >= 0)
		close(t->dir);
	t->dir = open_dir(t->request->root, path, n);
	snprintf(t->dir_path, sizeof t->dir_path, "%.*s", (int)n, path);
	return t->dir;
}

/* --- state files --------------------------------------------------------------------------- */

static int fail_record(struct relocate_error *e, const char *name)
{
	return relocate_fail(e, RELOCATE_DAMAGED, "damaged record '%s/%s'", META, name);
}

/* Reads a small file of META: its length, 0 where absent, -1 on errors. */
static ssize_t read_state(
	int meta, const char *name, char *to, size_t max, struct relocate_error *e)
{
	int fd = openat(meta, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t n = 0;
	ssize_t got = 1;

	if (fd < 0 && errno == ENOENT)
		return 0;
	while (fd >= 0 && n < max && got > 0) {
		got = read(fd, to + n, max - n);
		n += got > 0 ? (size_t)got : 0;
	}
	if (fd < 0 || got < 0)
		fail_errno(e, "read a record of this environment:", name);
	if (fd >= 0)
		close(fd);
	return fd < 0 || got < 0 ? -1 : (ssize_t)n;
}

bool relocate_record_parse(const char *text, size_t n, char prefix[RELOCATE_PATH_MAX + 1])
{
	prefix[0] = 0;
	if (n == 0 || n > RELOCATE_PATH_MAX + 1 || text[n - 1] != '\n' || memchr(text, 0, n))
		return false;
	memcpy(prefix, text, n - 1);
	prefix[n - 1] = 0;
	return relocate_prefix_is_good(prefix);
}

/* The one line of META/prefix; 1, 0 where there is none, -1 where it is not one good line. */
static int read_record(int meta, char record[RELOCATE_PATH_MAX + 1], struct relocate_error *e)
{
	char text[RELOCATE_PATH_MAX + 2];
	ssize_t n = read_state(meta, RELOCATE_RECORD, text, sizeof text, e);

	record[0] = 0;
	if (n <= 0)
		return n < 0 ? -1 : 0;
	return relocate_record_parse(text, (size_t)n, record) ? 1 : fail_record(e, RELOCATE_RECORD);
}

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -1;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

/* A temporary of its own: what has its name, a killed run's or somebody's link, is not written to. */
static int open_temp(const struct tree *t, int folder, mode_t mode)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(folder, t->temp, flags, mode);

	if (fd < 0 && errno == EEXIST && unlinkat(folder, t->temp, 0) == 0)
		fd = openat(folder, t->temp, flags, mode);
	return fd;
}

static int write_state(struct tree *t, const char *name, const char *p, size_t n)
{
	int fd = open_temp(t, t->meta, 0644);
	int rc = fd < 0 || fchmod(fd, t->mode) < 0 ? -1 : write_all(fd, p, n);

	if (fd >= 0 && fsync(fd) < 0 && errno != EINVAL && errno != EROFS)
		rc = -1;
	if (fd >= 0 && close(fd) < 0)
		rc = -1;
	if (rc == 0)
		rc = renameat(t->meta, t->temp, t->meta, name);
	if (rc < 0 && fd >= 0) {
		int saved = errno;

		unlinkat(t->meta, t->temp, 0);
		errno = saved;
	}
	return rc;
}

static int load_pending(struct tree *t)
{
	ssize_t n = read_state(t->meta, RELOCATE_PENDING, t->pending, PENDING_MAX + 1, t->e);

	if (n < 0)
		return -1;
	if (n > PENDING_MAX || (n > 0 && t->pending[n - 1] != '\n'))
		return fail_record(t->e, RELOCATE_PENDING);
	t->pending_len = (size_t)n;
	for (size_t i = 0; i < t->pending_len; i++)
		if (t->pending[i] == '\n')
			t->pending[i] = 0;
	return 0;
}

/* Adds the new prefix to the pending ones, on the disk before any file is touched. */
static int add_pending(struct tree *t)
{
	const char *prefix = t->request->prefix;
	size_t n = strlen(prefix) + 1;
	char lines[PENDING_MAX + 1];

	for (size_t i = 0; i < t->pending_len; i += strlen(t->pending + i) + 1)
		if (strcmp(t->pending + i, prefix) == 0)
			return 0;
	if (n > PENDING_MAX - t->pending_len) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(t->pending + t->pending_len, prefix, n);
	t->pending_len += n;
	for (size_t i = 0; i < t->pending_len; i++)
		lines[i] = (char)(t->pending[i] ? t->pending[i] : '\n');
	return write_state(t, RELOCATE_PENDING, lines, t->pending_len);
}

static int write_record(struct tree *t)
{
	char line[RELOCATE_PATH_MAX + 2];
	int n = snprintf(line, sizeof line, "%s\n", t->request->prefix);

	if (write_state(t, RELOCATE_RECORD, line, (size_t)n) < 0 ||
		(unlinkat(t->meta, RELOCATE_PENDING, 0) < 0 && errno != ENOENT))
		return fail_errno(t->e, "record the prefix in", t->request->prefix);
	return 0;
}

/* --- one file ------------------------------------------------------------------------------ */

struct output {
	int fd;
	size_t n;
	char p[1 << 16];
};

static int output_flush(struct output *o)
{
	size_t n = o->n;

	o->n = 0;
	return write_all(o->fd, o->p, n);
}

static int output_emit(void *ctx, const char *p, size_t n)
{
	struct output *o = ctx;

	if (n > sizeof o->p - o->n && output_flush(o) < 0)
		return -1;
	if (n > sizeof o->p)
		return write_all(o->fd, p, n);
	memcpy(o->p + o->n, p, n);
	o->n += n;
	return 0;
}

/* Mode, time and, where we may, owner as they were. */
static int keep_attributes(int fd, const struct stat *st)
{
	struct timespec times[2] = {st->st_atim, st->st_mtim};

	if (geteuid() == 0 && fchown(fd, st->st_uid, st->st_gid) < 0 && errno != EPERM &&
		errno != EINVAL)
		return -1;
	return fchmod(fd, st->st_mode & 0777) < 0 ? -1 : futimens(fd, times);
}

struct file {
	const struct relocate_entry *entry;
	const char *data;
	struct stat st;
	int dir;
	const char *name;
};

static int rewrite(struct tree *t, const struct file *f, const char *from)
{
	struct output out = {.fd = open_temp(t, f->dir, 0600)};
	int rc = -1, saved;

	if (out.fd < 0)
		return fail_errno(t->e, "make a temporary file for", f->entry->path);
	if (relocate_convert(f->entry, f->data, (uint64_t)f->st.st_size, from, t->request->prefix,
		    output_emit, &out) == 0 &&
		output_flush(&out) == 0 && keep_attributes(out.fd, &f->st) == 0)
		rc = 0;
	if (close(out.fd) < 0)
		rc = -1;
	if (rc == 0 && renameat(f->dir, t->temp, f->dir, f->name) == 0) {
		t->counts->rewritten++;
		return 0;
	}
	saved = errno;
	unlinkat(f->dir, t->temp, 0);
	errno = saved;
	return fail_errno(t->e, "write", f->entry->path);
}

/* Which of the prefixes a file can hold does it hold?  NULL: none, somebody changed it. */
static const char *held_prefix(const struct tree *t, const struct file *f)
{
	uint64_t size = (uint64_t)f->st.st_size;
	bool check = t->request->check;

	/* After a move nearly every file holds what is recorded. */
	if (!check && t->recorded[0] && strcmp(t->recorded, t->request->prefix) != 0 &&
		relocate_holds(f->entry, f->data, size, t->recorded))
		return t->recorded;
	if (relocate_holds(f->entry, f->data, size, t->request->prefix))
		return t->request->prefix;
	if (check)
		return NULL;
	if (relocate_holds(f->entry, f->data, size, f->entry->placeholder))
		return f->entry->placeholder;
	for (size_t i = 0; i < t->pending_len; i += strlen(t->pending + i) + 1)
		if (relocate_holds(f->entry, f->data, size, t->pending + i))
			return t->pending + i;
	return NULL;
}

/* A file that is not as it was packed. */
static int odd_file(struct tree *t, const struct file *f, uint64_t *count, const char *what)
{
	char text[RELOCATE_PATH_MAX + 256];

	++*count;
	if (t->request->strict)
		return relocate_fail(t->e, RELOCATE_DAMAGED,
			"'%s' %s: archive and relocation index disagree", f->entry->path, what);
	snprintf(text, sizeof text, "'%s' %s since it was packed%s", f->entry->path, what,
		t->request->check ? "" : "; it is left alone");
	if (t->request->note) {
		pthread_mutex_lock(&t->crew->lock);
		t->request->note(t->request->ctx, text);
		pthread_mutex_unlock(&t->crew->lock);
	}
	return 0;
}

static int handle_data(struct tree *t, const struct file *f)
{
	const char *held = held_prefix(t, f);

	if (!held)
		return odd_file(t, f, &t->counts->changed, "was changed");
	if (held == t->request->prefix)
		return 0;
	return rewrite(t, f, held);
}

static int read_whole(int fd, char *to, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(fd, to + done, n - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		done += (size_t)got;
	}
	return 0;
}

static int handle_open(struct tree *t, struct file *f, int fd)
{
	void *map;
	int rc;

	if (!S_ISREG(f->st.st_mode) || f->st.st_size <= 0)
		return odd_file(t, f, &t->counts->changed, "was changed");
	if (f->st.st_size <= SMALL_FILE && read_whole(fd, t->small, (size_t)f->st.st_size) == 0) {
		f->data = t->small;
		return handle_data(t, f);
	}
	map = mmap(NULL, (size_t)f->st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return fail_errno(t->e, "map", f->entry->path);
	f->data = map;
	rc = handle_data(t, f);
	munmap(map, (size_t)f->st.st_size);
	return rc;
}

static int handle_file(struct tree *t, const struct relocate_entry *entry)
{
	struct file f = {.entry = entry};
	int fd, rc;

	t->counts->files++;
	f.dir = folder_of(t, entry->path, &f.name);
	fd = f.dir < 0 ? -1 : openat(f.dir, f.name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return odd_file(t, &f, &t->counts->missing, "was removed");
	if (fd < 0 && errno == ELOOP)
		return odd_file(t, &f, &t->counts->changed, "was changed");
	if (fd < 0)
		return fail_errno(t->e, "open", entry->path);
	rc = fstat(fd, &f.st) < 0 ? fail_errno(t->e, "look at", entry->path)
				  : handle_open(t, &f, fd);
	close(fd);
	return rc;
}

/* --- all files, on several threads ---------------------------------------------------------- */

/* Rows are taken in rising order and ended, so the failure that is told does not depend on timing. */
static void note_failure(struct crew *c, uint64_t i, const struct relocate_error *e)
{
	atomic_store(&c->stop, true);
	pthread_mutex_lock(&c->lock);
	if (i < c->failed) {
		c->failed = i;
		*c->e = *e;
	}
	pthread_mutex_unlock(&c->lock);
}

/* The files [from, to); *i and *cursor are where the thread is in the index. */
static void handle_row(struct tree *t, uint64_t from, uint64_t to, uint64_t *i, size_t *cursor)
{
	struct relocate_entry entry;

	while (*i < to) {
		/* The index was checked as a whole. */
		if (!relocation_next(&t->index, cursor, &entry))
			return;
		if (++*i > from && handle_file(t, &entry) < 0) {
			note_failure(t->crew, *i, t->e);
			return;
		}
	}
}

static void *work(void *ctx)
{
	struct crew *c = ctx;
	struct tree t = *c->tree;
	struct relocate_counts counts = {0};
	struct relocate_error e = {0};
	uint64_t i = 0, from;
	size_t cursor = t.index.first;

	t.crew = c;
	t.counts = &counts;
	t.e = &e;
	t.dir = -1;
	pthread_mutex_lock(&c->lock);
	snprintf(t.temp, sizeof t.temp, "%s%ld-%u%s", TEMP_START, (long)getpid(), c->threads++,
		TEMP_END);
	pthread_mutex_unlock(&c->lock);
	while (!atomic_load(&c->stop) && (from = atomic_fetch_add(&c->next, ROW)) < t.index.n_files)
		handle_row(&t, from, from + ROW < t.index.n_files ? from + ROW : t.index.n_files,
			&i, &cursor);
	if (t.dir >= 0)
		close(t.dir);
	pthread_mutex_lock(&c->lock);
	c->counts.files += counts.files;
	c->counts.rewritten += counts.rewritten;
	c->counts.changed += counts.changed;
	c->counts.missing += counts.missing;
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

static unsigned threads_for(uint64_t n_files)
{
	uint64_t n = 1 + n_files / FILES_PER_THREAD;
	cpu_set_t cores;

	if (n > THREADS_MAX)
		n = THREADS_MAX;
	if (sched_getaffinity(0, sizeof cores, &cores) < 0)
		return 1;
	return n < (unsigned)CPU_COUNT(&cores) ? (unsigned)n : (unsigned)CPU_COUNT(&cores);
}

static int handle_all(struct tree *t)
{
	struct crew c = {.tree = t, .lock = PTHREAD_MUTEX_INITIALIZER, .failed = UINT64_MAX};
	pthread_t threads[THREADS_MAX];
	unsigned n = 0, want = threads_for(t->index.n_files);
	pthread_attr_t attributes;

	c.e = t->e;
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	/* This one works too; where no more can be had, fewer do. */
	while (n + 1 < want && pthread_create(&threads[n], &attributes, work, &c) == 0)
		n++;
	work(&c);
	while (n > 0)
		pthread_join(threads[--n], NULL);
	pthread_attr_destroy(&attributes);
	*t->counts = c.counts;
	return c.failed == UINT64_MAX ? 0 : -1;
}

/* --- the whole ----------------------------------------------------------------------------- */

static bool is_there(void *ctx, const char *path)
{
	struct tree *t = ctx;
	const char *name;
	struct stat st;
	int dir = folder_of(t, path, &name);

	return dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int check_length(struct tree *t)
{
	return relocate_check_length(&t->index, t->request->prefix, is_there, t, t->e);
}

/* A run before was killed.  Done before there are temporaries of our own. */
static void remove_all_stale(struct tree *t)
{
	char before[RELOCATE_PATH_MAX + 1] = "/"; /* no folder's */
	struct relocate_entry entry;
	size_t cursor = t->index.first;
	const char *name;

	while (relocation_next(&t->index, &cursor, &entry)) {
		int dir = folder_of(t, entry.path, &name);

		if (dir >= 0 && strcmp(before, t->dir_path) != 0)
			remove_stale(dir);
		snprintf(before, sizeof before, "%s", t->dir_path);
	}
}

/* Can nothing be written here because it is not ours to write? */
static bool is_refusal(int error)
{
	return error == EACCES || error == EPERM || error == EROFS;
}

/* A tree we cannot write: right if it holds the prefix already. */
static int settle_unwritable(struct tree *t, int error)
{
	struct relocate_request look = *t->request;
	const struct relocate_request *asked = t->request;
	int rc;

	look.check = true;
	look.note = NULL;
	t->request = &look;
	rc = handle_all(t);
	t->request = asked;
	if (rc < 0 || t->counts->changed + t->counts->missing == 0)
		return rc;
	return relocate_fail(t->e, RELOCATE_FAILED,
		"cannot write '%s' (%s), and its files name %s%s%s", asked->prefix, strerror(error),
		t->recorded[0] ? "'" : "no path yet", t->recorded, t->recorded[0] ? "'" : "");
}

static int move_files(struct tree *t)
{
	if (check_length(t) < 0)
		return -1;
	if (t->locked)
		remove_stale(t->meta);
	if (t->locked && t->pending_len > 0)
		remove_all_stale(t);
	if (add_pending(t) < 0)
		return is_refusal(errno) ? settle_unwritable(t, errno)
					 : fail_errno(t->e, "write in", META);
	if (handle_all(t) < 0)
		return -1;
	return write_record(t);
}

static int check_files(struct tree *t)
{
	if (handle_all(t) < 0)
		return -1;
	if (t->counts->changed + t->counts->missing == 0)
		return 0;
	return relocate_fail(t->e, RELOCATE_DAMAGED,
		"%llu of %llu files do not hold '%s' as packed",
		(unsigned long long)(t->counts->changed + t->counts->missing),
		(unsigned long long)t->counts->files, t->request->prefix);
}

static int run_locked(struct tree *t)
{
	if (read_record(t->meta, t->recorded, t->e) < 0 || load_pending(t) < 0)
		return -1;
	if (t->request->check)
		return check_files(t);
	if (t->pending_len == 0 && strcmp(t->recorded, t->request->prefix) == 0)
		return 0;
	return move_files(t);
}

static int run_with_index(struct tree *t, int fd)
{
	struct stat st;
	void *map;
	int rc;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
		st.st_size > (off_t)1 << 30)
		return relocate_fail(t->e, RELOCATE_DAMAGED,
			"damaged relocation index '%s': not a file of up to 1 GiB", RELOCATE_INDEX);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED)
		return fail_errno(t->e, "map", RELOCATE_INDEX);
	t->mode = (st.st_mode & 0444) | 0600;
	/* Several jobs may activate a tree that was just moved: one works, the others wait. */
	if (!t->request->check)
		t->locked = flock(fd, LOCK_EX) == 0;
	rc = relocation_open(&t->index, map, (size_t)st.st_size, t->e);
	if (rc == 0)
		rc = run_locked(t);
	munmap(map, (size_t)st.st_size);
	return rc;
}

static int open_index(int meta)
{
	/* NFS grants an exclusive lock only to a descriptor open for writing. */
	const int flags = O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(meta, "relocation", O_RDWR | flags);

	return fd >= 0 ? fd : openat(meta, "relocation", O_RDONLY | flags);
}

int relocate_tree(const struct relocate_request *request, struct relocate_counts *counts,
	struct relocate_error *e)
{
	struct tree t = {.request = request, .counts = counts, .e = e, .dir = -1};
	int fd, rc;

	*counts = (struct relocate_counts){0};
	if (!relocate_prefix_is_good(request->prefix))
		return relocate_fail(e, RELOCATE_FAILED,
			"not a path to relocate to: '%s' (it must be absolute, without a newline)",
			request->prefix);
	snprintf(t.temp, sizeof t.temp, "%s%ld%s", TEMP_START, (long)getpid(), TEMP_END);
	t.meta = open_dir(request->root, META, sizeof META - 1);
	fd = t.meta < 0 ? -1 : open_index(t.meta);
	if (fd < 0) {
		rc = fail_errno(e, "open", RELOCATE_INDEX);
	} else {
		rc = run_with_index(&t, fd);
		close(fd);
	}
	if (t.dir >= 0)
		close(t.dir);
	if (t.meta >= 0)
		close(t.meta);
	return rc;
}

int relocate_recorded(int root, char prefix[RELOCATE_PATH_MAX + 1], struct relocate_error *e)
{
	int meta = open_dir(root, META, sizeof META - 1);
	struct stat st;
	int rc;

	prefix[0] = 0;
	if (meta < 0)
		return errno == ENOENT ? 0 : fail_errno(e, "open", META);
	rc = read_record(meta, prefix, e);
	if (rc == 1 && fstatat(meta, RELOCATE_PENDING, &st, AT_SYMLINK_NOFOLLOW) == 0)
		rc = 0;
	close(meta);
	return rc;
}
