#include "builder/install.h"

#include "base/file.h"
#include "builder/beneath.h"
#include "builder/entry.h"
#include "builder/prefix.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char BUILD_PREFIX[] =
	"/opt/envbuild/prefix"
	"_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuild_envbuil";

_Static_assert(sizeof BUILD_PREFIX - 1 == 100, "length of the build prefix");

/* Stands in a prefix until it is whole: what a killed run left may be cleared away. */
static const char UNFINISHED[] = ".envbuild-unfinished";

/* --- the folder --------------------------------------------------------------------------- */

struct emptiness {
	bool any, unfinished;
};

static int look(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct emptiness *m = ctx;

	(void)e;
	m->any = true;
	if (strcmp(rel, UNFINISHED) == 0)
		m->unfinished = true;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int remove_top(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	if (strcmp(rel, UNFINISHED) == 0)
		return 0;
	if (dir_remove_at(*(int *)ctx, rel, e) < 0)
		return -1;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

/* The mark goes last, so that this too may be killed. */
static int clear(int fd, struct err *e)
{
	if (dir_walk(fd, remove_top, &fd, e) != 0)
		return -1;
	if (unlinkat(fd, UNFINISHED, 0) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", UNFINISHED);
	return 0;
}

static int open_folder(const char *path, struct err *e)
{
	struct emptiness m = {0};

	if (dir_make(path, e) < 0)
		return -1;
	CLEANUP_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (dir_walk(fd, look, &m, e) != 0)
		return -1;
	if (m.any && !m.unfinished) {
		err_set(e, ERR_USAGE, "folder '%s' is not empty", path);
		return err_advise(e, "give a new folder, or remove this one");
	}
	if (m.unfinished) {
		log_note("'%s' is of a run that was interrupted: it is made anew", path);
		if (clear(fd, e) < 0)
			return -1;
	}
	CLEANUP_FD mark = openat(fd, UNFINISHED, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (mark < 0)
		return err_sys(e, "cannot write to '%s'", path);
	return steal_fd(&fd);
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
	if (fd < 0 || write_full(fd, text.p, text.n, e) < 0)
		return -1;
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
static int link_all(struct prefix *p, struct err *e)
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

static int run_scripts(struct prefix *p, struct err *e)
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

static int compile_all(struct prefix *p, struct err *e)
{
	struct step step;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++)
		n += p->v[i].kind == LINKED_BYTECODE;
	if (n == 0)
		return 0;
	step_begin(&step, "compile", n, 0);
	if (prefix_compile(p, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%zu files", n);
	return 0;
}

static int run_pip(struct prefix *p, struct err *e)
{
	struct step step;

	if (p->request->n_pip == 0)
		return 0;
	p->ran_code = true;
	step_begin(&step, "pip", 0, 0);
	if (prefix_pip(p, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%zu requirements", p->request->n_pip);
	return 0;
}

static int make(struct prefix *p, struct content *content, struct err *e)
{
	if (prefix_plan(p, e) < 0 || prefix_check_pip(p, e) < 0 || link_all(p, e) < 0 ||
		run_scripts(p, e) < 0 || compile_all(p, e) < 0 || prefix_write_records(p, e) < 0 ||
		prefix_write_history(p, e) < 0 || run_pip(p, e) < 0)
		return -1;
	if (content && prefix_content(p, content, e) < 0)
		return -1;
	if (!p->request->for_pack && disk_sync(p->fd, p->request->prefix, e) < 0)
		return -1;
	if (unlinkat(p->fd, UNFINISHED, 0) < 0)
		return err_sys(e, "cannot remove '%s'", UNFINISHED);
	return 0;
}

int install(
	struct arena *a, const struct install_request *r, struct content *content, struct err *e)
{
	struct table bytecode = {.arena = a};
	struct install_request request = *r;
	struct prefix p = {.arena = a, .request = &request, .bytecode = &bytecode};
	bool was_there = path_exists(r->prefix);

	request.prefix = path_absolute(a, r->prefix);
	CLEANUP_FD fd = open_folder(request.prefix, e);
	if (fd < 0)
		return -1;
	p.fd = fd;
	int rc = make(&p, content, e);
	if (rc < 0) {
		clear(fd, NULL);
		if (!was_there)
			rmdir(request.prefix);
	}
	return rc;
}
