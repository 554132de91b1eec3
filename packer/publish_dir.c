/*
 * Publishing into a folder: DIR/TAG with the files, notes.md and release.json; DIR/index.json;
 * DIR/latest, a link to the newest.
 *
 * A release appears, or changes, in one rename of a folder made beside it.  What a killed run has left
 * (".publish.*", ".old.TAG") the next one clears away or puts back; index.json and latest follow from
 * what is there, so that they are right again after it, too.
 */
#include "packer/publish_dir.h"

#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* --- index.json, latest, --keep --------------------------------------------------------------------- */

static int write_index(struct dir_publish *p, struct err *e)
{
	char *path = path_join(p->arena, p->dir, "index.json");
	CLEANUP_BUF text = {0};
	struct str old = {0};

	dir_index_write(&p->index, &text);
	if (path_exists(path) && file_read(p->arena, path, SIZE_MAX / 2, &old, NULL) == 0 &&
		str_eq(old, buf_view(&text)))
		return 0;
	return file_write(path, buf_view(&text), 0644, e);
}

static int switch_latest(struct dir_publish *p, struct err *e)
{
	char *path = path_join(p->arena, p->dir, "latest");
	char *temp = path_join(p->arena, p->dir,
		arena_printf(p->arena, DIR_STAGE_START "latest.%d", (int)getpid()));
	char is[512];
	ssize_t n = readlink(path, is, sizeof is);

	if (n < 0 && errno != ENOENT)
		return err_sys(e, "'%s' is no link", path);
	if (!p->index.latest)
		return n >= 0 && unlink(path) < 0 ? err_sys(e, "cannot remove '%s'", path) : 0;
	if (n >= 0 && str_eq(str_n(is, (size_t)n), p->index.latest->tag))
		return 0;
	if (symlink(arena_cstr(p->arena, p->index.latest->tag), temp) < 0) {
		log_warn("no link '%s': %s", path, strerror(errno));
		return 0;
	}
	if (rename(temp, path) < 0) {
		err_sys(e, "cannot switch '%s'", path);
		unlink(temp);
		return -1;
	}
	return 0;
}

static bool stays(const struct dir_publish *p, size_t i)
{
	const struct dir_release *r = &p->index.releases.v[i];

	return i < p->set->request->keep || r == p->index.latest || str_is(r->tag, p->tag);
}

/* Takes them out of the index; their folders go when it is written. */
static void choose_removed(struct dir_publish *p)
{
	size_t kept = 0;

	if (!p->set->request->keep)
		return;
	for (size_t i = 0; i < p->index.releases.n; i++) {
		struct dir_release *r = &p->index.releases.v[i];

		if (stays(p, i)) {
			struct dir_release copy = *r;

			p->index.releases.v[kept++] = copy;
		} else {
			*VEC_PUSH(p->arena, &p->out->removed) = arena_cstr(p->arena, r->tag);
			p->out->changed = true;
		}
	}
	p->index.releases.n = kept;
	dir_index_sort(&p->index);
}

static int remove_releases(struct dir_publish *p, struct err *e)
{
	for (size_t i = 0; i < p->out->removed.n; i++) {
		const char *tag = p->out->removed.v[i];
		char *temp = dir_temp(p->arena, p->dir, DIR_STAGE_PREFIX, e);
		char *path = path_join(p->arena, p->dir, tag);

		if (!temp)
			return -1;
		if (rename(path, path_join(p->arena, temp, tag)) < 0)
			return err_sys(e, "cannot remove '%s'", path);
		if (dir_remove(temp, e) < 0)
			return -1;
	}
	return 0;
}

/* The index as it is after this run. */
static void enter(struct dir_publish *p)
{
	if (p->out->changed && p->old)
		*p->old = p->new;
	else if (!p->old)
		*VEC_PUSH(p->arena, &p->index.releases) = p->new;
	dir_index_sort(&p->index);
	choose_removed(p);
}

/* --- the whole -------------------------------------------------------------------------------------- */

static int check_tag(const struct dir_publish *p, struct err *e)
{
	if (!strchr(p->tag, '/') && strcmp(p->tag, "latest") != 0 &&
		strcmp(p->tag, "index.json") != 0)
		return 0;
	err_set(e, ERR_USAGE, "the tag '%s' cannot be a folder in '%s'", p->tag, p->dir);
	return err_advise(e, "take one without '/' that is not 'latest' or 'index.json'");
}

static int carry_out(struct dir_publish *p, struct err *e)
{
	if (p->out->changed && dir_publish_place(p, e) < 0)
		return -1;
	enter(p);
	if (switch_latest(p, e) < 0 || write_index(p, e) < 0)
		return -1;
	return remove_releases(p, e);
}

static int run(struct dir_publish *p, struct err *e)
{
	if (p->set->request->dry_run) {
		if (dir_publish_plan(p, e) < 0)
			return -1;
		enter(p);
		return 0;
	}
	if (dir_publish_begin(p, e) < 0 || dir_publish_plan(p, e) < 0)
		return -1;
	return carry_out(p, e);
}

int publish_to_dir(const struct publish_set *set, struct publish_result *out, struct err *e)
{
	struct dir_publish p = {.set = set,
		.arena = set->arena,
		.out = out,
		.dir = set->request->to,
		.tag = set->request->tag,
		.lock = -1};
	int rc = check_tag(&p, e);

	p.path = path_join(p.arena, p.dir, p.tag);
	out->url = p.path;
	if (rc == 0)
		rc = run(&p, e);
	fd_cleanup(&p.lock);
	return rc;
}
