#include "packer/publish_set.h"

#include "base/file.h"
#include "packer/pack.h"

#include <ctype.h>
#include <stdlib.h>

enum { TAG_MAX = 200, NAME_MAX_BYTES = 200, NOTES_MAX = 64 << 10, LOCK_MAX = 64 << 20 };

const char *publish_action_name(enum publish_action action)
{
	switch (action) {
	case PUBLISH_ADDED:
		return "added";
	case PUBLISH_REPLACED:
		return "replaced";
	case PUBLISH_SAME:
		return "same";
	case PUBLISH_KEPT:
		return "kept";
	case PUBLISH_REMOVED:
		return "removed";
	}
	return "";
}

bool publish_is_dir(const char *to)
{
	return !str_starts(str_of(to), STR("github:")) && !str_starts(str_of(to), STR("gitea:"));
}

/* A typing error must not become a folder. */
static int check_place(const char *to, struct err *e)
{
	size_t n = strspn(to, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-.");
	CLEANUP_ARENA scratch = {0};

	if (!publish_is_dir(to) || n == 0 || to[n] != ':' || to[0] == '.')
		return 0;
	err_set(e, ERR_USAGE, "'%s' is no place to publish to", http_redact(&scratch, to));
	return err_advise(e,
		"github:OWNER/REPO, gitea:https://HOST/OWNER/REPO or a folder is one; a "
		"folder of that name is './%s'",
		http_redact(&scratch, to));
}

/* --- names ------------------------------------------------------------------------------------- */

static bool is_plain(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
	       (c && strchr("._-+", c));
}

bool publish_tag_is_good(const char *tag)
{
	struct str rest = str_of(tag);

	if (rest.n == 0 || rest.n > TAG_MAX || tag[0] == '-' || tag[rest.n - 1] == '.' ||
		str_find(rest, STR("..")) >= 0)
		return false;
	while (rest.p) {
		struct str part = str_cut(&rest, '/');

		if (part.n == 0 || part.p[0] == '.' || str_ends(part, STR(".lock")))
			return false;
		for (size_t i = 0; i < part.n; i++)
			if (!is_plain(part.p[i]))
				return false;
	}
	return true;
}

/* GitHub changes other names silently, and then they are not those that NAME.sha256 lists. */
static int check_name(const char *name, struct err *e)
{
	size_t n = strlen(name);
	bool good = n && n <= NAME_MAX_BYTES && name[0] != '.' && name[0] != '-';

	for (size_t i = 0; i < n; i++)
		good = good && is_plain(name[i]);
	if (good)
		return 0;
	err_set(e, ERR_USAGE, "'%s' cannot be the name of a published file", name);
	return err_advise(e, "letters, digits, '.', '_', '-' and '+' can be in it, at most %d",
		NAME_MAX_BYTES);
}

static int check_tag(const char *tag, struct err *e)
{
	if (publish_tag_is_good(tag))
		return 0;
	err_set(e, ERR_USAGE, "'%s' cannot be a tag", tag);
	return err_advise(e, "letters, digits, '.', '_', '-', '+' and '/' can be in one");
}

/* --- the files --------------------------------------------------------------------------------- */

struct filling {
	struct publish_set *set;
	size_t cap;
};

static struct asset *push(struct filling *f, enum asset_kind kind, size_t archive, char *name)
{
	struct publish_set *set = f->set;

	if (set->n_assets == f->cap)
		set->assets = arena_grow(
			set->arena, set->assets, set->n_assets, &f->cap, sizeof *set->assets);
	set->assets[set->n_assets] = (struct asset){.kind = kind, .archive = archive, .name = name};
	return &set->assets[set->n_assets++];
}

static void set_sum(struct asset *asset, const uint8_t sha256[SHA256_LEN])
{
	hex_encode(sha256, SHA256_LEN, asset->sha256);
}

static void push_text(
	struct filling *f, enum asset_kind kind, size_t archive, char *name, struct str text)
{
	struct asset *asset = push(f, kind, archive, name);
	uint8_t sha256[SHA256_LEN];

	sha256_of(text.p, text.n, sha256);
	set_sum(asset, sha256);
	asset->text = text;
	asset->size = text.n;
}

static int push_file(
	struct filling *f, enum asset_kind kind, size_t archive, const char *path, struct err *e)
{
	struct asset *asset = push(f, kind, archive, arena_strdup(f->set->arena, path_base(path)));
	uint8_t sha256[SHA256_LEN];
	struct stat st;

	asset->path = arena_strdup(f->set->arena, path);
	if (stat(path, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_USAGE, "'%s' is no file", path);
	asset->size = (uint64_t)st.st_size;
	if (file_hash(path, sha256, NULL, e) < 0)
		return -1;
	set_sum(asset, sha256);
	return 0;
}

/* An archive without NAME.sha256 gets one. */
static int push_sums(struct filling *f, size_t i, struct err *e)
{
	struct set_archive *x = &f->set->archives[i];
	struct arena *a = f->set->arena;
	CLEANUP_BUF text = {0};
	char hex[SHA256_HEX + 1];

	if (x->release.sums)
		return push_file(f, ASSET_SUMS, i, x->release.sums, e);
	for (size_t k = 0; k < x->release.parts.n; k++) {
		hex_encode(x->release.part_sha256[k], SHA256_LEN, hex);
		buf_printf(&text, "%s  %s\n", hex, path_base(x->release.parts.paths[k]));
	}
	push_text(f, ASSET_SUMS, i, arena_printf(a, "%s.sha256", x->name),
		arena_str(a, buf_view(&text)));
	return 0;
}

static void push_parts(struct filling *f, size_t i)
{
	const struct release *r = &f->set->archives[i].release;

	for (size_t k = 0; k < r->parts.n; k++) {
		const char *name = path_base(r->parts.paths[k]);
		struct asset *asset = push(f, ASSET_ARCHIVE, i, arena_strdup(f->set->arena, name));

		asset->path = r->parts.paths[k];
		asset->size = r->parts.sizes[k];
		set_sum(asset, r->part_sha256[k]);
	}
}

/* Whatever of these lies beside the archive. */
static const char *const papers[] = {
	"run.json", "test.log", "intoto.jsonl", "intoto.jsonl.sig", "sha256.sig", "sha256.asc"};

static int push_papers(struct filling *f, size_t i, struct err *e)
{
	struct set_archive *x = &f->set->archives[i];

	for (size_t k = 0; k < sizeof papers / sizeof *papers; k++) {
		char *path = release_beside(f->set->arena, &x->release, papers[k]);
		struct stat st;

		/* GitHub takes no empty file. */
		if (stat(path, &st) == 0 && st.st_size > 0 &&
			push_file(f, ASSET_PAPER, i, path, e) < 0)
			return -1;
	}
	if (x->lock_text.n)
		push_text(f, ASSET_LOCK, i, x->lock, x->lock_text);
	return 0;
}

static int cmp_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int check_names(const struct publish_set *set, struct err *e)
{
	const char **names = arena_array(set->arena, const char *, set->n_assets + 1);

	for (size_t i = 0; i < set->n_assets; i++) {
		names[i] = set->assets[i].name;
		if (check_name(names[i], e) < 0)
			return -1;
	}
	qsort(names, set->n_assets, sizeof *names, cmp_names);
	for (size_t i = 1; i < set->n_assets; i++)
		if (strcmp(names[i - 1], names[i]) == 0) {
			err_set(e, ERR_USAGE, "two of the archives have a file '%s'", names[i]);
			return err_advise(e, "in one release every name is there once");
		}
	return 0;
}

static int list_assets(struct publish_set *set, struct err *e)
{
	struct filling f = {.set = set};

	for (size_t i = 0; i < set->n_archives; i++)
		if (push_sums(&f, i, e) < 0)
			return -1;
	for (size_t i = 0; i < set->n_archives; i++)
		push_parts(&f, i);
	for (size_t i = 0; i < set->n_archives; i++)
		if (push_papers(&f, i, e) < 0)
			return -1;
	return check_names(set, e);
}

/* --- the set ----------------------------------------------------------------------------------- */

static int refuse_untested(const struct release *r, struct err *e)
{
	switch (r->test) {
	case RELEASE_TESTED:
		return 0;
	case RELEASE_TEST_FAILED:
		err_set(e, ERR_TEST, "the test of '%s' failed", r->parts.whole);
		break;
	case RELEASE_NOT_TESTED:
		err_set(e, ERR_TEST, "'%s' was not tested", r->parts.whole);
	}
	return err_advise(e, "pack it with --test SCRIPT; --untested publishes it as it is");
}

static int open_archive(struct publish_set *set, size_t i, struct err *e)
{
	struct set_archive *x = &set->archives[i];
	struct arena *a = set->arena;
	int found;

	if (release_open(a, set->request->archives[i], &x->release, e) < 0)
		return -1;
	if (!set->request->untested && refuse_untested(&x->release, e) < 0)
		return -1;
	x->name = arena_strdup(a, path_base(x->release.stem));
	x->lock = arena_printf(a, "%s.lock", x->name);
	found = paper_read(a, x->release.parts.whole, "envbuild.lock", &x->lock_text, e);
	if (found < 0)
		return -1;
	if (!found)
		x->lock_text = (struct str){0};
	if (x->lock_text.n > LOCK_MAX)
		return err_set(e, ERR_INTEGRITY, "the lock in '%s' is larger than any",
			x->release.parts.whole);
	return 0;
}

int publish_set_open(
	struct arena *a, const struct publish_request *r, struct publish_set *out, struct err *e)
{
	*out = (struct publish_set){.request = r, .arena = a, .n_archives = r->n_archives};
	if (check_tag(r->tag, e) < 0 ||
		(r->previous && strcmp(r->previous, "none") != 0 && check_tag(r->previous, e) < 0))
		return -1;
	if (r->notes && file_read(a, r->notes, NOTES_MAX, &out->notes_before, e) < 0)
		return -1;
	out->archives = arena_array(a, struct set_archive, r->n_archives + 1);
	for (size_t i = 0; i < r->n_archives; i++)
		if (open_archive(out, i, e) < 0)
			return -1;
	return list_assets(out, e);
}

const struct asset *publish_set_find(const struct publish_set *set, struct str name)
{
	for (size_t i = 0; i < set->n_assets; i++)
		if (str_is(name, set->assets[i].name))
			return &set->assets[i];
	return NULL;
}

/* Is it "tar.gz" or the like, or that with a part's number behind it? */
static bool is_archive_ending(struct str ending)
{
	static const char *const formats[] = {"tar", "tar.gz", "tar.zst", "squashfs", "sqfs"};
	size_t digits = 0;

	while (digits < ending.n && isdigit((unsigned char)ending.p[ending.n - 1 - digits]))
		digits++;
	if (digits >= 2 && str_ends(str_sub(ending, 0, ending.n - digits), STR(".")))
		ending.n -= digits + 1;
	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (str_is(ending, formats[i]))
			return true;
	return false;
}

bool publish_is_archive_name(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] == '.' && is_archive_ending(str_sub(name, i + 1, name.n)))
			return true;
	return false;
}

/* What follows NAME in names of its own: an archive's ending, with a part's number, or a paper's. */
static bool is_ending(struct str ending)
{
	for (size_t i = 0; i < sizeof papers / sizeof *papers; i++)
		if (str_is(ending, papers[i]))
			return true;
	return str_is(ending, "sha256") || str_is(ending, "lock") || is_archive_ending(ending);
}

bool publish_set_owns(const struct publish_set *set, struct str name)
{
	for (size_t i = 0; i < set->n_archives; i++) {
		struct str stem = str_of(set->archives[i].name);

		if (str_starts(name, stem) && name.n > stem.n && name.p[stem.n] == '.' &&
			is_ending(str_sub(name, stem.n + 1, name.n)))
			return true;
	}
	return false;
}

bool publish_is_of_kept(const struct publish_result *planned, const struct asset *asset)
{
	struct str name = str_of(asset->name);

	if (asset->kind != ASSET_PAPER || !str_ends(name, STR(".sig")))
		return false;
	name.n -= strlen(".sig");
	for (size_t i = 0; i < planned->files.n; i++)
		if (str_is(name, planned->files.v[i].name))
			return planned->files.v[i].action == PUBLISH_KEPT;
	return false;
}

void publish_tell(struct arena *a, struct publish_result *out, const struct asset *asset,
	const char *url, enum publish_action action)
{
	struct publish_file *f = VEC_PUSH(a, &out->files);

	*f = (struct publish_file){.name = asset->name,
		.size = asset->size,
		.sha256 = arena_strdup(a, asset->sha256),
		.url = url ? arena_strdup(a, url) : NULL,
		.action = action};
	out->changed |= action == PUBLISH_ADDED || action == PUBLISH_REPLACED;
}

int publish_fail_other(const char *tag, const char *name, struct err *e)
{
	err_set(e, ERR_FAIL, "'%s' is published already, with another '%s'", tag, name);
	return err_advise(e, "take a new tag; --overwrite replaces what is published");
}

int publish(
	struct arena *a, const struct publish_request *r, struct publish_result *out, struct err *e)
{
	struct publish_set set;

	*out = (struct publish_result){0};
	if (check_place(r->to, e) < 0 || publish_set_open(a, r, &set, e) < 0)
		return -1;
	return publish_is_dir(r->to) ? publish_to_dir(&set, out, e)
				     : publish_to_forge(&set, out, e);
}
