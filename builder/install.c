#include "builder/install.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "builder/beneath.h"
#include "builder/change.h"
#include "builder/change_busy.h"
#include "builder/entry.h"
#include "builder/traps.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char BUILD_PREFIX[] =
	"/opt/envbuild/prefix"
	"_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuil";

_Static_assert(sizeof BUILD_PREFIX - 1 == 100, "length of the build prefix");

/* --- the folder --------------------------------------------------------------------------- */

struct look {
	bool any, unfinished, environment;
};

static int look(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct look *l = ctx;
	struct str name = str_of(rel);

	(void)e;
	if (str_is(name, UNFINISHED_MARK))
		l->unfinished = true;
	else if (str_is(name, "conda-meta/history"))
		l->environment = true;
	else if (!installed_is_mark(name))
		l->any = true;
	return S_ISDIR(st->st_mode) && !str_is(name, "conda-meta") ? DIR_SKIP : 0;
}

static int remove_top(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	if (installed_is_mark(str_of(rel)))
		return 0;
	if (dir_remove_at(*(int *)ctx, rel, e) < 0)
		return -1;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

/* The mark goes last, so that this too may be killed. */
static int clear(int fd, struct err *e)
{
	interrupt_hold();
	int rc = dir_walk(fd, remove_top, &fd, e) == 0 ? 0 : -1;
	if (rc == 0 && unlinkat(fd, UNFINISHED_MARK, 0) < 0 && errno != ENOENT)
		rc = err_sys(e, "cannot remove '%s'", UNFINISHED_MARK);
	interrupt_release();
	return rc;
}

/* What a killed run left. */
static int recover(int fd, const char *path, struct err *e)
{
	enum journal_state state;
	bool ran_code;

	if (journal_recover(fd, &state, &ran_code, e) < 0)
		return err_wrap(e, "cannot recover '%s' from a run that was interrupted", path);
	switch (state) {
	case JOURNAL_NONE:
		break;
	case JOURNAL_UNDONE:
		log_note("'%s': a change that was interrupted was undone", path);
		if (ran_code)
			log_warn("scripts had run in it: what they made or changed may be left");
		break;
	case JOURNAL_COMPLETED:
		log_note("'%s': a change that was interrupted was completed", path);
		break;
	}
	return 0;
}

static int refuse(const char *path, struct err *e)
{
	err_set(e, ERR_USAGE, "folder '%s' is not empty, and no environment", path);
	return err_advise(e, "give a new folder, or remove this one");
}

/* 1: an environment that is to be changed; 0: empty now, and marked as unfinished; -1 */
static int prepare(int fd, const char *path, bool new_only, struct err *e)
{
	struct look l = {0};

	if (recover(fd, path, e) < 0 || dir_walk(fd, look, &l, e) != 0)
		return -1;
	if (l.environment && !l.unfinished && !new_only)
		return 1;
	if (l.any && !l.unfinished)
		return refuse(path, e);
	if (l.unfinished) {
		log_note("'%s' is of a run that was interrupted: it is made anew", path);
		if (clear(fd, e) < 0)
			return -1;
	}
	CLEANUP_FD mark =
		openat(fd, UNFINISHED_MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (mark < 0)
		return err_sys(e, "cannot write to '%s'", path);
	return 0;
}

int prefix_put(struct prefix *p, const char *rel, struct str text, mode_t mode, struct err *e)
{
	struct beneath b;
	char name[256];

	beneath_init(&b, p->fd, true);
	int dir = beneath_parent(&b, str_of(rel), name, e);
	CLEANUP_FD fd =
		dir < 0 ? -1
			: openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
				  0600);
	if (dir >= 0 && fd < 0)
		err_sys(e, "cannot create '%s' in the prefix", rel);
	beneath_release(&b);
	if (fd < 0)
		return -1;
	if (write_full(fd, text.p, text.n, e) < 0)
		return err_wrap(e, "'%s' in the prefix", rel);
	if (fchmod(fd, mode) < 0)
		return err_sys(e, "cannot set the mode of '%s'", rel);
	return 0;
}

bool prefix_is_file(const struct prefix *p, struct str path)
{
	struct beneath b;
	struct stat st;
	char name[256];

	beneath_init(&b, p->fd, false);
	int dir = beneath_parent(&b, path, name, NULL);
	bool is = dir >= 0 && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		  S_ISREG(st.st_mode);
	beneath_release(&b);
	return is;
}

/* --- stages ------------------------------------------------------------------------------- */

/* Packages before one with a pre-link script are whole when it runs. */
int prefix_link_all(struct prefix *p, struct err *e)
{
	struct step step;
	size_t from = 0;
	int rc = 0;

	step_begin(&step, "link", p->n, 0);
	for (size_t i = 0; i < p->n_packages && rc == 0; i++) {
		if (!p->packages[i].pre_link.n)
			continue;
		rc = prefix_link(p, from, i, &step, e);
		from = i;
		p->ran_code = true;
		if (rc == 0)
			rc = prefix_script(p, i, "pre-link", e);
	}
	if (rc == 0)
		rc = prefix_link(p, from, p->n_packages, &step, e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu packages, %zu files", p->n_packages, p->n);
	return rc;
}

int prefix_run_scripts(struct prefix *p, struct err *e)
{
	struct step step;
	size_t n = 0, done = 0;
	int rc = 0;

	for (size_t i = 0; i < p->n_packages; i++)
		n += p->packages[i].post_link.n > 0;
	if (n == 0)
		return 0;
	p->ran_code = true;
	step_begin(&step, "scripts", n, 0);
	for (size_t i = 0; i < p->n_packages && rc == 0; i++) {
		if (!p->packages[i].post_link.n)
			continue;
		rc = prefix_script(p, i, "post-link", e);
		done++;
		step_tick(&step, 1, 0);
	}
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu link scripts", done);
	return rc;
}

static int run_pip(struct prefix *p, struct err *e)
{
	p->ran_code |= prefix_has_pip(p);
	return prefix_pip(p, e);
}

static int make(struct prefix *p, struct content *content, struct err *e)
{
	if (prefix_plan(p, e) < 0 || prefix_check_pip(p, e) < 0 || prefix_check_marks(p, e) < 0 ||
		prefix_settle_pip(p, e) < 0 || prefix_find_bytecode(p, e) < 0 ||
		prefix_link_all(p, e) < 0 || prefix_run_scripts(p, e) < 0 ||
		prefix_compile(p, e) < 0 || prefix_write_records(p, e) < 0 ||
		prefix_write_history(p, e) < 0 || run_pip(p, e) < 0 || prefix_pre_pack(p, e) < 0 ||
		prefix_write_marks(p, e) < 0)
		return -1;
	if (content && prefix_content(p, content, e) < 0)
		return -1;
	if (!p->request->for_pack && disk_sync(p->fd, p->request->prefix, e) < 0)
		return -1;
	if (unlinkat(p->fd, UNFINISHED_MARK, 0) < 0)
		return err_sys(e, "cannot remove '%s'", UNFINISHED_MARK);
	if (!content)
		prefix_say_longest(p);
	return 0;
}

static int make_new(struct arena *a, const struct install_request *r, int fd,
	struct content *content, struct err *e)
{
	struct table bytecode = {.arena = a};
	struct prefix p = {.arena = a, .request = r, .fd = fd, .bytecode = &bytecode};

	if (r->counts)
		*r->counts = (struct install_counts){.linked = r->n_records};
	if (make(&p, content, e) == 0)
		return 0;
	clear(fd, NULL);
	return -1;
}

static int install_into(struct arena *a, const struct install_request *r, int fd,
	struct content *content, struct err *e)
{
	int kind = prepare(fd, r->prefix, content || r->for_pack, e);
	bool changed = false;

	if (kind < 0)
		return -1;
	if (kind == 0)
		return make_new(a, r, fd, content, e);
	if (change_prefix(a, r, fd, &changed, e) < 0)
		return -1;
	if (!changed)
		log_note("'%s' is as it should be: nothing to do", r->prefix);
	return 0;
}

int install_needed(struct arena *a, const struct install_request *r, struct record **needed,
	size_t *n, struct err *e)
{
	CLEANUP_FD fd = open(r->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	/* A folder to be recovered first may come to need any of them. */
	if (fd >= 0 && fstatat(fd, "conda-meta/history", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		fstatat(fd, TRANSACTION_DIR, &st, AT_SYMLINK_NOFOLLOW) < 0 &&
		fstatat(fd, UNFINISHED_MARK, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return change_needed(a, r, fd, needed, n, e);
	*n = r->n_records;
	if (r->n_records)
		memcpy(needed, r->records, r->n_records * sizeof *needed);
	return 0;
}

int install(
	struct arena *a, const struct install_request *r, struct content *content, struct err *e)
{
	struct install_request request = *r;
	struct busy busy = {.mark = -1};
	bool was_there = path_exists(r->prefix);

	request.prefix = path_absolute(a, r->prefix);
	if (dir_make(request.prefix, e) < 0)
		return -1;
	CLEANUP_FD fd = open(request.prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", request.prefix);
	if (busy_take(&busy, fd, request.prefix, e) < 0)
		return -1;
	int rc = install_into(a, &request, fd, content, e);
	busy_release(&busy);
	if (rc < 0 && !was_there)
		rmdir(request.prefix);
	return rc;
}
