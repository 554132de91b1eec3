#include "images/state.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

enum { MAX_NOTES = 1 << 20 };

/* --- what was put elsewhere ----------------------------------------------------------------- */

static int note(struct state *s, const char *path, const char *target, struct err *e)
{
	struct arena scratch = {0};
	CLEANUP_BUF line = {0};
	CLEANUP_FD fd = open(path_join(&scratch, s->dir, "links"),
		O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

	arena_release(&scratch);
	if (fd < 0)
		return err_sys(e, "cannot note the link '%s'", path);
	buf_add(&line, path, strlen(path) + 1);
	buf_add(&line, target, strlen(target) + 1);
	return write_full(fd, line.p, line.n, e);
}

int state_note_link(struct state *s, const char *path, const char *target, struct err *e)
{
	return note(s, path, target, e);
}

int state_note_folder(struct state *s, const char *path, struct err *e)
{
	return note(s, path, "", e);
}

static void undo_one(const char *path, const char *target)
{
	char now[4096];
	ssize_t n;

	if (!*target) {
		rmdir(path);
		return;
	}
	n = readlink(path, now, sizeof now - 1);
	if (n < 0)
		return;
	now[n] = 0;
	if (!strcmp(now, target))
		unlink(path);
}

/* Last noted, first undone. */
static void undo_notes(const char *dir)
{
	struct {
		struct str *v;
		size_t n, cap;
	} parts = {0};
	struct arena a = {0};
	struct err ignored = {0};
	char *path = path_join(&a, dir, "links");
	struct str text = {NULL, 0};

	if (file_read(&a, path, MAX_NOTES, &text, &ignored) < 0)
		text = (struct str){NULL, 0};
	while (text.n > 0)
		*VEC_PUSH(&a, &parts) = str_cut(&text, 0);
	for (size_t i = parts.n / 2; i-- > 0;)
		undo_one(parts.v[2 * i].p, arena_cstr(&a, parts.v[2 * i + 1]));
	unlink(path);
	err_release(&ignored);
	arena_release(&a);
}

void state_undo_notes(struct state *s)
{
	undo_notes(s->dir);
}

/* --- containers ----------------------------------------------------------------------------- */

static const char note_name[] = "container";

int state_note_container(
	struct arena *a, const char *dir, const char *tool, const char *name, struct err *e)
{
	return file_write(path_join(a, dir, note_name),
		str_of(arena_printf(a, "%s\n%s\n", tool, name)), 0600, e);
}

static void drop(void *ctx, struct str bytes)
{
	(void)ctx;
	(void)bytes;
}

/* That there is none of that name is no error, whatever the tool says. */
void state_remove_container(const char *tool, const char *name)
{
	enum { SECONDS = 60 };
	const char *const argv[] = {tool, "rm", "--force", "--volumes", name, NULL};
	struct proc p = {.argv = argv, .on_stdout = drop, .on_stderr = drop, .timeout_s = SECONDS};
	struct err ignored = {0};
	int status;

	proc_run(&p, &status, &ignored);
	err_release(&ignored);
}

static void end_container(struct arena *a, const char *job)
{
	struct str text, tool, name;

	if (file_read(a, path_join(a, job, note_name), 4096, &text, NULL) < 0)
		return;
	tool = str_cut(&text, '\n');
	name = str_cut(&text, '\n');
	if ((!str_is(tool, "podman") && !str_is(tool, "docker")) ||
		!str_starts(name, STR("envbuild-")))
		return;
	log_debug("removing container '%.*s', left by a killed run", STR_ARG(name));
	state_remove_container(arena_cstr(a, tool), arena_cstr(a, name));
}

/* Those of jobs that have ended have no folder any more. */
static void end_containers(const char *dir)
{
	struct arena a = {0};
	DIR *d = opendir(dir);
	struct dirent *entry;

	while (d && (entry = readdir(d)))
		if (entry->d_name[0] != '.')
			end_container(&a, path_join(&a, dir, entry->d_name));
	if (d)
		closedir(d);
	arena_release(&a);
}

/* --- folders -------------------------------------------------------------------------------- */

static void remove_folder(const char *path)
{
	struct err e = {0};

	undo_notes(path);
	end_containers(path);
	if (dir_remove(path, &e) < 0)
		log_warn("a folder of the sandbox stays behind: %s", e.text);
	err_release(&e);
}

/*
 * Takes the lock of a folder that nobody works in.  Where the file system refuses locks, the caller
 * must know that it is so (is_dead).
 */
static bool is_free(int fd, bool is_dead)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || (is_dead && errno != EWOULDBLOCK);
}

/* Locks that a file system refuses (some on the network do) only mean that more is left behind. */
static int lock(int fd, int how, const char *path, struct err *e)
{
	if (flock(fd, how) < 0 && errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS)
		return err_sys(e, "cannot lock '%s'", path);
	return 0;
}

/* Removes what killed processes left: their locks are gone. */
static void remove_stale(const char *state, bool is_dead)
{
	struct arena a = {0};
	DIR *d = opendir(state);
	struct dirent *entry;

	while (d && (entry = readdir(d))) {
		char *path = path_join(&a, state, entry->d_name);
		CLEANUP_FD fd = -1;

		if (strncmp(entry->d_name, "run.", 4) != 0)
			continue;
		fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0 || !is_free(fd, is_dead))
			continue;
		log_debug("removing '%s', left by a killed run", path);
		remove_folder(path);
	}
	if (d)
		closedir(d);
	arena_release(&a);
}

static char *default_dir(struct arena *a)
{
	const char *tmp = getenv("TMPDIR");

	return path_join(a, tmp && *tmp == '/' ? tmp : "/tmp",
		arena_printf(a, "envbuild-%u", (unsigned)geteuid()));
}

/* A folder in a shared /tmp must be ours and no link to one, or somebody could have prepared it. */
static int open_state(const char *dir, bool is_default, int *fd, struct err *e)
{
	struct stat st;

	if (is_default)
		mkdir(dir, 0700);
	else if (dir_make(dir, e) < 0)
		return -1;
	*fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (is_default ? O_NOFOLLOW : 0));
	if (*fd < 0 || fstat(*fd, &st) < 0) {
		err_sys(e, "cannot open the folder '%s'", dir);
		return is_default ? err_advise(e, "remove what is there, or set TMPDIR") : -1;
	}
	if (st.st_uid != geteuid())
		return err_set(e, ERR_FAIL, "the folder '%s' belongs to somebody else", dir);
	return 0;
}

/*
 * The folder and its lock appear together for everybody who cleans up: making takes the state
 * folder's lock shared, cleaning takes it alone.
 */
static int make_run(struct state *s, const char *state, struct err *e)
{
	char *template = arena_printf(&s->arena, "%s/run.%d.XXXXXX", state, (int)getpid());

	if (!mkdtemp(template))
		return err_sys(e, "cannot make a folder in '%s'", state);
	s->dir = template;
	s->lock = open(template, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->lock < 0)
		return err_sys(e, "cannot open the folder '%s'", template);
	return lock(s->lock, LOCK_EX, template, e);
}

static int open_once(struct state *s, const char *dir, struct err *e)
{
	CLEANUP_FD fd = -1;
	char *real;

	if (open_state(dir, s->is_default, &fd, e) < 0)
		return -1;
	real = realpath(dir, NULL);
	if (!real)
		return err_sys(e, "cannot resolve the folder '%s'", dir);
	s->parent = arena_strdup(&s->arena, real);
	free(real);
	if (is_free(fd, false))
		remove_stale(s->parent, false);
	if (lock(fd, LOCK_SH, s->parent, e) < 0)
		return -1;
	return make_run(s, s->parent, e);
}

int state_open(struct state *s, const char *dir, struct err *e)
{
	struct err first = {0};

	*s = (struct state){.lock = -1, .is_default = !dir};
	if (!dir)
		dir = default_dir(&s->arena);
	if (open_once(s, dir, &first) == 0)
		return 0;
	if (!s->is_default || path_exists(dir))
		return err_move(e, &first);
	/* somebody closed, and removed, the folder just then */
	err_release(&first);
	return open_once(s, dir, e);
}

void state_sweep(const char *dir)
{
	CLEANUP_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() && is_free(fd, true))
		remove_stale(dir, true);
}

void state_close(struct state *s)
{
	if (s->dir)
		remove_folder(s->dir);
	if (s->lock >= 0)
		close(s->lock);
	if (s->is_default && s->parent)
		rmdir(s->parent);
	arena_release(&s->arena);
	*s = (struct state){.lock = -1};
}

char *state_job(struct state *s, struct arena *a, struct err *e)
{
	char *path = arena_printf(a, "%s/%u", s->dir, s->n_jobs++);

	if (mkdir(path, 0700) < 0) {
		err_sys(e, "cannot make the folder '%s'", path);
		return NULL;
	}
	return path;
}
