/* Release notes: a section for each archive, between two comment lines by which it is found again. */
#include "packer/publish_set.h"

#include "base/file.h"
#include "base/log.h"
#include "packer/diff.h"

#include <ctype.h>

/* GitHub takes 125,000 characters. */
enum { SECTIONS_MAX = 100000 };

/* --- which lock is of an earlier version -------------------------------------------------------- */

/* Is `name` the stem with something else, a version, in the place of `pivot`, and then ".lock"? */
static bool differs_in(struct str stem, struct str pivot, struct str name)
{
	ptrdiff_t at = pivot.n ? str_find(stem, pivot) : -1;
	struct str before, behind, middle;

	if (at < 0 || !str_ends(name, STR(".lock")))
		return false;
	name.n -= 5;
	before = str_sub(stem, 0, (size_t)at);
	behind = str_sub(stem, (size_t)at + pivot.n, stem.n);
	if (!str_starts(name, before) || !str_ends(name, behind) || name.n <= before.n + behind.n)
		return false;
	middle = str_sub(name, before.n, name.n - behind.n);
	for (size_t i = 0; i < middle.n; i++)
		if (isdigit((unsigned char)middle.p[i]))
			return true;
	return false;
}

bool publish_is_earlier_lock(const struct publish_set *set, size_t i, struct str name)
{
	const struct set_archive *x = &set->archives[i];
	struct str stem = str_of(x->name), tag = str_of(set->request->tag);

	if (str_is(name, x->lock) || differs_in(stem, x->release.manifest.version, name) ||
		differs_in(stem, tag, name))
		return true;
	return tag.p[0] == 'v' && differs_in(stem, str_sub(tag, 1, tag.n), name);
}

/* --- one section -------------------------------------------------------------------------------- */

/* What an archive says of itself, as one line that is no mark-up. */
static void add_words(struct str words, struct buf *to)
{
	for (size_t i = 0; i < words.n; i++)
		buf_putc(to, (unsigned char)words.p[i] < ' ' || strchr("<>`|#\\", words.p[i])
				     ? ' '
				     : words.p[i]);
}

static void add_title(const struct set_archive *x, struct buf *to)
{
	const struct manifest *m = &x->release.manifest;

	buf_puts(to, "# ");
	add_words(m->name.n ? m->name : str_of(x->name), to);
	if (m->version.n)
		buf_putc(to, ' ');
	add_words(m->version, to);
	if (m->target.n)
		buf_puts(to, " for ");
	add_words(m->target, to);
	buf_puts(to, "\n\n");
}

static void add_files(const struct publish_set *set, size_t i, struct buf *to)
{
	buf_puts(to, "| File | Size | sha256 |\n|---|---|---|\n");
	for (size_t k = 0; k < set->n_assets; k++) {
		const struct asset *asset = &set->assets[k];
		char size[24];

		if (asset->archive == i && asset->kind == ASSET_ARCHIVE)
			buf_printf(to, "| %s | %s | `%s` |\n", asset->name,
				format_bytes(asset->size, size), asset->sha256);
	}
	if (set->archives[i].release.test != RELEASE_TESTED)
		buf_puts(to, "\nIt was not tested.\n");
	buf_putc(to, '\n');
}

static int add_changes(const struct publish_set *set, size_t i, const struct earlier_lock *earlier,
	struct buf *to, struct err *e)
{
	const struct set_archive *x = &set->archives[i];
	struct arena *a = set->arena;
	char *old = path_join(a, set->request->work, arena_printf(a, "old-%zu.lock", i));
	char *new = path_join(a, set->request->work, arena_printf(a, "new-%zu.lock", i));
	struct diff_side sides[2];
	struct err why = {0};
	struct diff d;

	if (file_write(old, earlier->text, 0600, e) < 0 ||
		file_write(new, x->lock_text, 0600, e) < 0)
		return -1;
	if (diff_read_both(a, old, new, NULL, sides, &why) < 0) {
		log_warn("the notes do not compare '%s' with '%s': %s", x->name, earlier->tag,
			why.text);
		err_release(&why);
		return 0;
	}
	diff_make(a, &sides[0], &sides[1], &d);
	buf_printf(to, "Since %s:\n\n", earlier->tag);
	if (d.same)
		buf_puts(to, "No package has changed.\n");
	else
		diff_markdown(&d, to);
	return 0;
}

/* What is too long is cut behind a line. */
static void shorten(struct buf *text, size_t max)
{
	if (text->n <= max)
		return;
	while (max && text->p[max - 1] != '\n')
		max--;
	text->n = max;
	buf_puts(text, "\n(The rest is too long for these notes; see `envbuild diff`.)\n");
}

static int make_section(const struct publish_set *set, size_t i, const struct earlier_lock *earlier,
	struct buf *to, struct err *e)
{
	add_title(&set->archives[i], to);
	add_files(set, i, to);
	if (earlier->text.n && set->archives[i].lock_text.n) {
		if (add_changes(set, i, earlier, to, e) < 0)
			return -1;
	} else {
		buf_printf(to, "%zu packages.\n", set->archives[i].release.manifest.n_packages);
	}
	shorten(to, SECTIONS_MAX / set->n_archives);
	return 0;
}

/* --- putting it in ------------------------------------------------------------------------------ */

/* The same but for the line ends: what a web form has been through. */
static bool is_same_text(struct str a, struct str b)
{
	size_t i = 0, k = 0;

	for (;;) {
		while (i < a.n && a.p[i] == '\r')
			i++;
		while (k < b.n && b.p[k] == '\r')
			k++;
		if (i == a.n || k == b.n)
			return i == a.n && k == b.n;
		if (a.p[i++] != b.p[k++])
			return false;
	}
}

/* Puts "BEGIN TEXT END" in the place of the older one; first: before, else behind all there is. */
static void put_in(
	struct arena *a, struct str *notes, const char *what, struct str text, bool first)
{
	struct str begin = arena_strf(a, "<!-- envbuild: %s -->", what);
	struct str end = arena_strf(a, "<!-- /envbuild: %s -->", what);
	struct str section =
		arena_strf(a, "%.*s\n%.*s%.*s", STR_ARG(begin), STR_ARG(text), STR_ARG(end));
	ptrdiff_t at = str_find(*notes, begin), length = -1;

	if (at >= 0)
		length = str_find(str_sub(*notes, (size_t)at, notes->n), end);
	if (length >= 0) {
		size_t behind = (size_t)(at + length) + end.n;

		if (!is_same_text(str_sub(*notes, (size_t)at, behind), section))
			*notes = arena_strf(a, "%.*s%.*s%.*s",
				STR_ARG(str_sub(*notes, 0, (size_t)at)), STR_ARG(section),
				STR_ARG(str_sub(*notes, behind, notes->n)));
	} else if (first) {
		*notes = arena_strf(
			a, "%.*s\n%s%.*s", STR_ARG(section), notes->n ? "\n" : "", STR_ARG(*notes));
	} else {
		*notes = arena_strf(a, "%.*s%s%.*s\n", STR_ARG(*notes),
			notes->n == 0                 ? ""
			: str_ends(*notes, STR("\n")) ? "\n"
						      : "\n\n",
			STR_ARG(section));
	}
}

bool publish_keeps_section(
	const struct publish_set *set, const struct publish_result *planned, size_t i)
{
	if (set->request->overwrite || set->request->previous)
		return false;
	for (size_t k = 0; k < set->n_assets; k++)
		if (set->assets[k].archive == i && set->assets[k].kind == ASSET_ARCHIVE &&
			planned->files.v[k].action != PUBLISH_SAME)
			return false;
	return true;
}

static bool has_section(struct arena *a, struct str notes, const char *name)
{
	return str_find(notes, arena_strf(a, "<!-- envbuild: %s -->", name)) >= 0;
}

int publish_notes(const struct publish_set *set, struct str old, const struct earlier_lock *earlier,
	struct str *out, struct err *e)
{
	struct str notes = old, before = set->notes_before;

	for (size_t i = 0; i < set->n_archives; i++) {
		CLEANUP_BUF text = {0};

		if (earlier[i].keep && has_section(set->arena, notes, set->archives[i].name))
			continue;
		if (make_section(set, i, &earlier[i], &text, e) < 0)
			return -1;
		put_in(set->arena, &notes, set->archives[i].name, buf_view(&text), false);
	}
	if (before.n)
		put_in(set->arena, &notes, "notes/",
			arena_strf(set->arena, "%.*s\n", STR_ARG(str_trim(before))), true);
	*out = notes;
	return 0;
}
