/* envbuild deploy: its log, and what a run that was killed left. */
#include "cli/deploy.h"

#include "base/file.h"
#include "base/log.h"
#include "packer/site.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static char *pending_path(const struct deploying *d)
{
	return path_join(&d->s->arena, d->root, DEPLOY_PENDING);
}

int deploy_write_pending(const struct deploying *d, struct err *e)
{
	CLEANUP_BUF text = {0};

	deployment_write(&d->line, &text);
	return file_write(pending_path(d), buf_view(&text), 0644, e);
}

int deploy_end_pending(const struct deploying *d, struct err *e)
{
	if (unlink(pending_path(d)) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", pending_path(d));
	return 0;
}

/* --- what a killed run left ------------------------------------------------------------------- */

bool deploy_is_linked(struct deploying *d, struct str folder)
{
	static const char *const links[] = {DEPLOY_CURRENT, DEPLOY_DEV};
	struct str now;

	for (size_t i = 0; i < 2; i++)
		if (deploy_link_read(&d->s->arena, d->root, links[i], &now, NULL) < 0 ||
			str_eq(now, folder))
			return true;
	return false;
}

/* Of releases that --keep was removing when it was killed. */
static int remove_rests(struct deploying *d, struct err *e)
{
	for (size_t i = 0; i < d->log.n; i++) {
		struct str folder = d->log.v[i].folder;
		char *dir = path_join(&d->s->arena, d->root, arena_cstr(&d->s->arena, folder));

		if (folder.n && str_is(d->log.v[i].action, "remove") &&
			!deploy_log_folder(&d->log, folder) && !deploy_is_linked(d, folder) &&
			deploy_remove(dir, e) < 0)
			return -1;
	}
	return 0;
}

static bool is_recorded(const struct deploy_log *log, const struct deployment *line)
{
	CLEANUP_BUF text = {0};
	bool same = false;

	deployment_write(line, &text);
	for (size_t i = log->n; i-- > 0 && !same;) {
		CLEANUP_BUF there = {0};

		deployment_write(&log->v[i], &there);
		same = str_eq(buf_view(&there), buf_view(&text));
	}
	return same;
}

/* Its first link leads to it: so do the others from now on, and the log says so. */
static int complete(struct deploying *d, const struct deployment *line, struct err *e)
{
	struct str rest = line->links;

	if (is_recorded(&d->log, line))
		return 0;
	log_note("the %.*s of '%.*s' that was cut off is recorded",
		STR_ARG(str_is(line->action, "deploy") ? STR("deployment") : line->action),
		STR_ARG(line->folder));
	while (rest.n) {
		struct str link = str_cut(&rest, ' ');
		bool ours = str_is(link, DEPLOY_CURRENT) || str_is(link, DEPLOY_DEV);

		if (ours && deploy_link_switch(
				    d->root, arena_cstr(&d->s->arena, link), line->folder, e) < 0)
			return -1;
	}
	return deploy_log_append(d->root, line, e);
}

/* What it had switched is recorded, what it had begun is removed. */
static int end_killed(struct deploying *d, const struct deployment *line, struct err *e)
{
	struct arena *a = &d->s->arena;
	struct str first = line->links, now;

	first = str_cut(&first, ' ');
	if (deploy_link_read(a, d->root, arena_cstr(a, first), &now, e) < 0)
		return -1;
	if (first.n && str_eq(now, line->folder) && !str_eq(now, line->previous))
		return complete(d, line, e);
	if (deploy_log_folder(&d->log, line->folder))
		return 0;
	log_note("what a deployment of '%.*s' that was cut off left is removed",
		STR_ARG(line->folder));
	return deploy_remove(path_join(a, d->root, arena_cstr(a, line->folder)), e);
}

int deploy_read_log(struct deploying *d, struct err *e)
{
	struct arena *a = &d->s->arena;

	return deploy_log_read(a, path_join(a, d->root, DEPLOY_LOG), &d->log, e);
}

/* In a folder of several users it may be another's: nothing is done that could not be recorded. */
static int check_log(struct deploying *d, struct err *e)
{
	char *path = path_join(&d->s->arena, d->root, DEPLOY_LOG);

	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0 || errno == ENOENT)
		return 0;
	return err_sys(e, "cannot write '%s'", path);
}

int deploy_recover(struct deploying *d, struct err *e)
{
	struct arena *a = &d->s->arena;
	struct deploy_log pending;

	/* Another run may have been at work while the archive was read. */
	if (check_log(d, e) < 0 || deploy_read_log(d, e) < 0)
		return -1;
	deploy_sweep(d->root);
	if (d->line.name.n)
		site_sweep(d->root, arena_strf(a, "%.*s-", STR_ARG(d->line.name)), d->line.folder);
	if (!path_exists(pending_path(d)))
		return remove_rests(d, e);
	if (deploy_log_read(a, pending_path(d), &pending, e) < 0)
		return -1;
	if (pending.n == 1 && pending.v[0].folder.n && end_killed(d, &pending.v[0], e) < 0)
		return -1;
	if (deploy_end_pending(d, e) < 0 || deploy_read_log(d, e) < 0)
		return -1;
	return remove_rests(d, e);
}
