/* Publishing into a folder: one run at a time, and a release that appears in one step. */
#include "packer/publish_dir.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { ABANDONED_S = 24 * 3600, LOCK_POLL_US = 100000 };

#define OLD_START ".old."

/* --- two at once, and what a killed one left ------------------------------------------------------ */

/* Where locks cannot be had, as on some file systems of networks, renames must do. */
static int take_lock(struct dir_publish *p, struct err *e)
{
	char *path = path_join(p->arena, p->dir, ".publish-lock");
	bool said = false;

	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
	if (p->lock < 0 && errno == EACCES) /* another user's */
		p->lock = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (p->lock < 0)
		return err_sys(e, "cannot write into '%s'", p->dir);
	while (flock(p->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR) {
			log_debug("'%s' cannot be locked: %s", p->dir, strerror(errno));
			return 0;
		}
		if (!said)
			log_note("waiting for another run that publishes into '%s'", p->dir);
		said = true;
		usleep(LOCK_POLL_US);
		if (interrupt_check(e) < 0)
			return -1;
	}
	p->locked = true;
	return 0;
}

static bool is_abandoned(const struct dir_publish *p, const char *path)
{
	struct stat st;

	return p->locked || (lstat(path, &st) == 0 && st.st_mtime + ABANDONED_S < time(NULL));
}

/* A run that was killed between two renames has left the tag's folder under this name. */
static int restore_old(struct dir_publish *p, const char *name, struct err *e)
{
	char *path = path_join(p->arena, p->dir, name);
	char *there = path_join(p->arena, p->dir, name + strlen(OLD_START));

	if (path_exists(there))
		return dir_remove(path, e);
	if (rename(path, there) < 0)
		return err_sys(e, "cannot put '%s' back", there);
	log_note("%s: put back, a run that was to replace it was killed", there);
	return 0;
}

static int clear_away(struct dir_publish *p, struct err *e)
{
	DIR *d = opendir(p->dir);
	struct dirent *entry;
	int rc = 0;

	if (!d)
		return err_sys(e, "cannot read '%s'", p->dir);
	while (rc == 0 && (entry = readdir(d))) {
		struct str name = str_of(entry->d_name);
		char *path = path_join(p->arena, p->dir, entry->d_name);

		if ((str_starts(name, STR(DIR_STAGE_START)) ||
			    (str_starts(name, STR(".index.json.")) &&
				    str_ends(name, STR(".tmp")))) &&
			is_abandoned(p, path))
			rc = dir_remove(path, e);
		else if (str_starts(name, STR(OLD_START)) && is_abandoned(p, path))
			rc = restore_old(p, entry->d_name, e);
	}
	closedir(d);
	return rc;
}

int dir_publish_begin(struct dir_publish *p, struct err *e)
{
	if (dir_make(p->dir, e) < 0 || take_lock(p, e) < 0)
		return -1;
	return clear_away(p, e);
}

/* --- the folder appears --------------------------------------------------------------------------- */

static int copy_bytes(const struct asset *asset, int to, struct err *e)
{
	CLEANUP_FD from = -1;

	if (!asset->path)
		return write_full(to, asset->text.p, asset->text.n, e);
	from = open(asset->path, O_RDONLY | O_CLOEXEC);
	if (from < 0)
		return err_sys(e, "cannot open '%s'", asset->path);
	return fd_copy(from, to, e);
}

/* What is published is what was checked: the copy is read again. */
static int copy_asset(const struct asset *asset, const char *to, struct step *step, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};
	uint8_t sha256[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	if (file_begin(&out, to, 0644, e) < 0 || copy_bytes(asset, out.fd, e) < 0 ||
		file_hash(out.temp, sha256, NULL, e) < 0)
		return err_wrap(e, "while copying '%s'", asset->name);
	hex_encode(sha256, SHA256_LEN, hex);
	if (strcmp(hex, asset->sha256) != 0)
		return err_set(
			e, ERR_INTEGRITY, "'%s' has changed while it was published", asset->name);
	step_tick(step, 1, asset->size);
	return file_commit(&out, e);
}

/* The same file where the file system allows that: published files are never written to. */
static int take_over(const char *from, const char *to, struct err *e)
{
	CLEANUP_FILE_OUT out = {.fd = -1};
	CLEANUP_FD fd = -1;

	if (link(from, to) == 0)
		return 0;
	fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", from);
	if (file_begin(&out, to, 0644, e) < 0 || fd_copy(fd, out.fd, e) < 0)
		return -1;
	return file_commit(&out, e);
}

static int fill_one(struct dir_publish *p, const struct dir_file *f, const char *stage,
	struct step *step, struct err *e)
{
	const struct asset *asset = publish_set_find(p->set, f->name);
	const struct dir_file *old = dir_publish_find(p, f->name);
	char *name = arena_cstr(p->arena, f->name);
	char *to = path_join(p->arena, stage, name);

	if (old && str_eq(old->sha256, f->sha256))
		return take_over(path_join(p->arena, p->path, name), to, e);
	return copy_asset(asset, to, step, e);
}

static uint64_t bytes_to_copy(const struct dir_publish *p, size_t *n)
{
	uint64_t bytes = 0;

	*n = 0;
	for (size_t i = 0; i < p->out->files.n; i++) {
		const struct publish_file *f = &p->out->files.v[i];

		if (f->action == PUBLISH_ADDED || f->action == PUBLISH_REPLACED) {
			bytes += f->size;
			++*n;
		}
	}
	return bytes;
}

static int fill(struct dir_publish *p, const char *stage, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct step step;
	size_t n;
	uint64_t bytes = bytes_to_copy(p, &n);
	int rc = 0;

	step_begin(&step, "publish", n, bytes);
	for (size_t i = 0; rc == 0 && i < p->new.files.n; i++)
		if ((rc = interrupt_check(e)) == 0)
			rc = fill_one(p, &p->new.files.v[i], stage, &step, e);
	dir_release_write(&p->new, &text);
	if (rc == 0)
		rc = file_write(path_join(p->arena, stage, "notes.md"), p->out->notes, 0644, e);
	if (rc == 0)
		rc = file_write(
			path_join(p->arena, stage, "release.json"), buf_view(&text), 0644, e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files", n);
	return rc;
}

/* Where two cannot be exchanged in one step, the older one is out of the way for a moment. */
static int replace_in_two(struct dir_publish *p, const char *stage, struct err *e)
{
	char *old = path_join(p->arena, p->dir, arena_printf(p->arena, "%s%s", OLD_START, p->tag));

	if (rename(p->path, old) < 0)
		return err_sys(e, "cannot replace '%s'", p->path);
	if (rename(stage, p->path) < 0) {
		err_sys(e, "cannot replace '%s'", p->path);
		rename(old, p->path);
		return -1;
	}
	return dir_remove(old, e);
}

static int appear(struct dir_publish *p, const char *stage, struct err *e)
{
	unsigned flags = p->old ? RENAME_EXCHANGE : RENAME_NOREPLACE;

	if (renameat2(AT_FDCWD, stage, AT_FDCWD, p->path, flags) == 0)
		return dir_sync(p->dir, e);
	if (errno != EINVAL && errno != ENOSYS && errno != ENOTSUP)
		return err_sys(e, "cannot publish '%s'", p->path);
	if (p->old)
		return replace_in_two(p, stage, e);
	return rename(stage, p->path) < 0 ? err_sys(e, "cannot publish '%s'", p->path) : 0;
}

int dir_publish_place(struct dir_publish *p, struct err *e)
{
	char *temp = dir_temp(p->arena, p->dir, DIR_STAGE_PREFIX, e);
	char *stage = temp ? path_join(p->arena, temp, p->tag) : NULL;
	struct err again = {0};
	int rc;

	if (!stage)
		return -1;
	rc = dir_make(stage, e);
	if (rc == 0)
		rc = fill(p, stage, e);
	if (rc == 0)
		rc = appear(p, stage, e);
	if (dir_remove(temp, &again) < 0 && rc == 0)
		rc = err_move(e, &again);
	err_release(&again);
	return rc;
}
