/* Publishing into a folder: what is there, what is to be there, and the notes. */
#include "packer/publish_dir.h"

#include "base/file.h"

#include <time.h>

enum { NOTES_FILE_MAX = 4 << 20 };

/* --- what is to be done ----------------------------------------------------------------------- */

const struct dir_file *dir_publish_find(const struct dir_publish *p, struct str name)
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
		const struct dir_file *f = dir_publish_find(p, str_of(asset->name));

		if (asset->archive == archive && asset->kind == ASSET_ARCHIVE &&
			(!f || !is_same(f, asset)))
			return false;
	}
	return true;
}

static int plan_asset(struct dir_publish *p, const struct asset *asset, enum publish_action *action,
	struct err *e)
{
	const struct dir_file *f = dir_publish_find(p, str_of(asset->name));

	if (!f)
		*action = publish_is_of_kept(p->out, asset) ? PUBLISH_KEPT : PUBLISH_ADDED;
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

		if (publish_set_find(p->set, f->name) || !dir_publish_find(p, f->name))
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
		if (action != PUBLISH_KEPT)
			add_file(p, asset);
		else if (dir_publish_find(p, str_of(asset->name)))
			keep_file(p, dir_publish_find(p, str_of(asset->name)));
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

	for (size_t i = 0; i < p->set->n_archives; i++) {
		earlier[i].keep = p->old && publish_keeps_section(p->set, p->out, i);
		if (find_earlier(p, i, &earlier[i], e) < 0)
			return -1;
	}
	if (p->old && path_exists(path) && file_read(a, path, NOTES_FILE_MAX, &p->old_notes, e) < 0)
		return -1;
	if (publish_notes(p->set, p->old_notes, earlier, &p->out->notes, e) < 0)
		return -1;
	p->out->changed |= !str_eq(p->old_notes, p->out->notes);
	return 0;
}

/* --- the whole ---------------------------------------------------------------------------------- */

int dir_publish_plan(struct dir_publish *p, struct err *e)
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
