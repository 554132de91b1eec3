/*
 * Publishing into a folder: DIR/TAG with the files, notes.md and release.json; DIR/index.json;
 * DIR/latest, a link to the newest.
 *
 * A release appears, or changes, in one rename of a folder made beside it.  What a killed run has left
 * (".publish.*", ".old.TAG") the next one clears away or puts back; index.json and latest follow from
 * what is there, so that they are right again after it, too.
 */
#include "base/date.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "packer/publish_index.h"
#include "packer/publish_set.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { NOTES_FILE_MAX = 4 << 20, ABANDONED_S = 24 * 3600, LOCK_POLL_US = 100000 };

#define STAGE_PREFIX "publish"
#define STAGE_START  ".publish."
#define OLD_START    ".old."

struct dir_publish {
	const struct publish_set *set;
	struct arena *arena;
	struct publish_result *out;
	const char *dir, *tag;
	char *path; /* DIR/TAG */
	int lock;
	bool locked;
	struct dir_index index;
	struct dir_release *old; /* what is published under the tag; NULL: nothing */
	struct dir_release new;
	struct str old_notes;
};

/* --- two at once, and what a killed one left ------------------------------------------------------ */

/* Where locks cannot be had, as on some file systems of networks, renames must do. */
static int take_lock(struct dir_publish *p, struct err *e)
{
	char *path = path_join(p->arena, p->dir, ".publish-lock");
	bool said = false;

	p->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
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

		if ((str_starts(name, STR(STAGE_START)) || (str_starts(name, STR(".index.json.")) &&
								   str_ends(name, STR(".tmp")))) &&
			is_abandoned(p, path))
			rc = dir_remove(path, e);
		else if (str_starts(name, STR(OLD_START)) && is_abandoned(p, path))
			rc = restore_old(p, entry->d_name, e);
	}
	closedir(d);
	return rc;
}

/* --- what is to be done ----------------------------------------------------------------------- */

/* As release.json has it, if the file is still there. */
static const struct dir_file *find_old(const struct dir_publish *p, struct str name)
{
	const struct dir_file *f = p->old ? dir_release_find(p->old, name) : NULL;
	struct stat st;

	if (f && lstat(path_join(p->arena, p->path, arena_cstr(p->arena, name)), &st) == 0 &&
		S_ISREG(st.st_mode) && st.st_size == f->size)
		return f;
	return NULL;
}

static bool is_same(const struct dir_file *f, const struct asset *asset)
{
	return (uint64_t)f->size == asset->size && str_is(f->sha256, asset->sha256);
}

/* Has what is published the same archive as the set, so that only papers can differ? */
static bool has_archive(const struct dir_publish *p, size_t archive)
{
	for (size_t i = 0; i < p->set->n_assets; i++) {
		const struct asset *asset = &p->set->assets[i];
		const struct dir_file *f = find_old(p, str_of(asset->name));

		if (asset->archive == archive && asset->kind == ASSET_ARCHIVE &&
			(!f || !is_same(f, asset)))
			return false;
	}
	return true;
}

static int plan_asset(struct dir_publish *p, const struct asset *asset, enum publish_action *action,
	struct err *e)
{
	const struct dir_file *f = find_old(p, str_of(asset->name));

	if (!f)
		*action = PUBLISH_ADDED;
	else if (is_same(f, asset))
		*action = PUBLISH_SAME;
	else if (p->set->request->overwrite)
		*action = PUBLISH_REPLACED;
	else if (asset->kind == ASSET_PAPER && has_archive(p, asset->archive))
		*action = PUBLISH_KEPT;
	else
		return publish_fail_other(p->tag, asset->name, e);
	return 0;
}

static void keep_file(struct dir_publish *p, const struct dir_file *f)
{
	*VEC_PUSH(p->arena, &p->new.files) = *f;
}

static void add_file(struct dir_publish *p, const struct asset *asset)
{
	*VEC_PUSH(p->arena, &p->new.files) = (struct dir_file){.name = str_of(asset->name),
		.sha256 = str_of(asset->sha256),
		.size = (int64_t)asset->size};
}

/* Files of other archives stay; those of this set that it no longer has go with --overwrite. */
static int plan_others(struct dir_publish *p, struct err *e)
{
	for (size_t i = 0; p->old && i < p->old->files.n; i++) {
		const struct dir_file *f = &p->old->files.v[i];
		struct publish_file *gone;

		if (publish_set_find(p->set, f->name) || !find_old(p, f->name))
			continue;
		if (!publish_set_owns(p->set, f->name)) {
			keep_file(p, f);
			continue;
		}
		if (!p->set->request->overwrite) {
			if (publish_is_archive_name(f->name))
				return publish_fail_other(p->tag, arena_cstr(p->arena, f->name), e);
			keep_file(p, f);
			continue;
		}
		gone = VEC_PUSH(p->arena, &p->out->files);
		*gone = (struct publish_file){.name = arena_cstr(p->arena, f->name),
			.size = (uint64_t)f->size,
			.action = PUBLISH_REMOVED};
		p->out->changed = true;
	}
	return 0;
}

static int plan_files(struct dir_publish *p, struct err *e)
{
	for (size_t i = 0; i < p->set->n_assets; i++) {
		const struct asset *asset = &p->set->assets[i];
		enum publish_action action = PUBLISH_SAME;

		if (plan_asset(p, asset, &action, e) < 0)
			return -1;
		publish_tell(p->arena, p->out, asset, NULL, action);
		if (action == PUBLISH_KEPT)
			keep_file(p, find_old(p, str_of(asset->name)));
		else
			add_file(p, asset);
	}
	return plan_others(p, e);
}

static bool is_of_set(const struct dir_publish *p, struct str name)
{
	for (size_t i = 0; i < p->set->n_archives; i++)
		if (str_is(name, p->set->archives[i].name))
			return true;
	return false;
}

static struct dir_archive archive_entry(struct dir_publish *p, const struct set_archive *x)
{
	char hex[SHA256_HEX + 1];

	hex_encode(x->release.sha256, SHA256_LEN, hex);
	return (struct dir_archive){.name = str_of(x->name),
		.environment = x->release.manifest.name,
		.version = x->release.manifest.version,
		.target = x->release.manifest.target,
		.archive = str_of(path_base(x->release.parts.whole)),
		.sha256 = arena_str(p->arena, str_of(hex)),
		.size = (int64_t)x->release.parts.bytes,
		.tested = x->release.test == RELEASE_TESTED};
}

static uint64_t now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

/* Later than all others, whatever the clock says: the order of releases is that of publishing. */
static uint64_t publishing_time(const struct dir_publish *p)
{
	uint64_t ms = now_ms();

	if (p->index.releases.n && p->index.releases.v[0].published >= ms)
		ms = p->index.releases.v[0].published + 1000;
	return ms;
}

static void describe(struct dir_publish *p)
{
	struct dir_release *new = &p->new;

	new->tag = str_of(p->tag);
	new->published = p->old ? p->old->published : publishing_time(p);
	new->updated = p->old &&now_ms() < new->published ? new->published : now_ms();
	if (!p->old)
		new->updated = new->published;
	new->prerelease = p->old && !p->set->request->overwrite ? p->old->prerelease
								: p->set->request->prerelease;
	for (size_t i = 0; p->old && i < p->old->archives.n; i++)
		if (!is_of_set(p, p->old->archives.v[i].name))
			*VEC_PUSH(p->arena, &new->archives) = p->old->archives.v[i];
	for (size_t i = 0; i < p->set->n_archives; i++)
		*VEC_PUSH(p->arena, &new->archives) = archive_entry(p, &p->set->archives[i]);
}

/* --- notes -------------------------------------------------------------------------------------- */

static const struct dir_file *find_lock(
	const struct dir_publish *p, const struct dir_release *r, size_t i)
{
	const struct dir_file *found = dir_release_find(r, str_of(p->set->archives[i].lock));

	for (size_t k = 0; !found && k < r->files.n; k++)
		if (publish_is_earlier_lock(p->set, i, r->files.v[k].name))
			found = &r->files.v[k];
	return found;
}

/* Of the releases before this one, or it is the one that was asked for. */
static bool may_be_previous(const struct dir_publish *p, const struct dir_release *r)
{
	const char *asked = p->set->request->previous;

	if (asked)
		return str_is(r->tag, asked);
	return r != p->old && (!p->old || r->published < p->old->published) &&
	       (!r->prerelease || p->new.prerelease);
}

static int read_lock(struct dir_publish *p, const struct dir_release *r,
	const struct dir_file *lock, struct earlier_lock *out, struct err *e)
{
	struct arena *a = p->arena;

	out->tag = p->out->previous = arena_cstr(a, r->tag);
	return file_read(a, path_join(a, path_join(a, p->dir, out->tag), arena_cstr(a, lock->name)),
		(size_t)lock->size + 1, &out->text, e);
}

static int find_earlier(struct dir_publish *p, size_t i, struct earlier_lock *out, struct err *e)
{
	const char *asked = p->set->request->previous;

	if (asked && strcmp(asked, "none") == 0)
		return 0;
	for (size_t k = 0; k < p->index.releases.n; k++) {
		const struct dir_release *r = &p->index.releases.v[k];
		const struct dir_file *lock = may_be_previous(p, r) ? find_lock(p, r, i) : NULL;

		if (lock)
			return read_lock(p, r, lock, out, e);
	}
	if (asked)
		return err_set(e, ERR_USAGE, "no release '%s' with a '%s' in '%s'", asked,
			p->set->archives[i].lock, p->dir);
	return 0;
}

static int make_notes(struct dir_publish *p, struct err *e)
{
	struct arena *a = p->arena;
	struct earlier_lock *earlier = arena_array(a, struct earlier_lock, p->set->n_archives + 1);
	char *path = path_join(a, p->path, "notes.md");

	for (size_t i = 0; i < p->set->n_archives; i++)
		if (find_earlier(p, i, &earlier[i], e) < 0)
			return -1;
	if (p->old && path_exists(path) && file_read(a, path, NOTES_FILE_MAX, &p->old_notes, e) < 0)
		return -1;
	if (publish_notes(p->set, p->old_notes, earlier, &p->out->notes, e) < 0)
		return -1;
	p->out->changed |= !str_eq(p->old_notes, p->out->notes);
	return 0;
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
	const struct dir_file *old = find_old(p, f->name);
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

static int release_folder(struct dir_publish *p, struct err *e)
{
	char *temp = dir_temp(p->arena, p->dir, STAGE_PREFIX, e);
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
	char *temp = path_join(
		p->arena, p->dir, arena_printf(p->arena, STAGE_START "latest.%d", (int)getpid()));
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
		char *temp = dir_temp(p->arena, p->dir, STAGE_PREFIX, e);
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

static int plan(struct dir_publish *p, struct err *e)
{
	if (dir_index_read(p->arena, p->dir, &p->index, e) < 0)
		return -1;
	p->old = dir_index_find(&p->index, str_of(p->tag));
	if (!p->old && path_exists(p->path)) {
		err_set(e, ERR_FAIL, "'%s' stands there, and is no release of envbuild", p->path);
		return err_advise(e, "take another tag, or move it away");
	}
	p->out->is_new = !p->old;
	if (plan_files(p, e) < 0)
		return -1;
	describe(p);
	return make_notes(p, e);
}

static int carry_out(struct dir_publish *p, struct err *e)
{
	if (p->out->changed && release_folder(p, e) < 0)
		return -1;
	enter(p);
	if (switch_latest(p, e) < 0 || write_index(p, e) < 0)
		return -1;
	return remove_releases(p, e);
}

static int run(struct dir_publish *p, struct err *e)
{
	if (p->set->request->dry_run) {
		if (plan(p, e) < 0)
			return -1;
		enter(p);
		return 0;
	}
	if (dir_make(p->dir, e) < 0 || take_lock(p, e) < 0 || clear_away(p, e) < 0 ||
		plan(p, e) < 0)
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
