/* A comparison for people at a terminal. */
#include "packer/diff_rows.h"

#include "base/log.h"

enum { WIDEST = 40 }; /* of a column; what is longer just sticks out */

/* Characters, not bytes. */
static size_t width_of(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void pad(struct buf *to, struct str s, size_t width)
{
	buf_str(to, s);
	for (size_t n = width_of(s); n < width; n++)
		buf_putc(to, ' ');
}

static void widen(size_t *width, struct str s)
{
	size_t n = width_of(s);

	if (n > *width)
		*width = n < WIDEST ? n : WIDEST;
}

static void put_size(struct buf *to, const struct diff_row *row)
{
	char old[24], new[24];

	format_bytes(row->old_size, old);
	format_bytes(row->new_size, new);
	if (row->old_size && row->new_size)
		buf_printf(to, "  [%s -> %s]", old, new);
	else if (row->old_size || row->new_size)
		buf_printf(to, "  [%s]", row->new_size ? new : old);
}

static void put_row(struct buf *to, const struct diff_row *row, size_t name, size_t old, bool sizes)
{
	bool both = row->old.n && row->new.n;

	buf_puts(to, "  ");
	pad(to, row->name, name);
	buf_puts(to, "  ");
	if (both) {
		pad(to, row->old, old);
		buf_puts(to, " -> ");
	}
	buf_str(to, row->new.n ? row->new : row->old);
	if (row->pip)
		buf_puts(to, "  (pip)");
	if (row->note)
		buf_printf(to, "  (%s)", row->note);
	if (sizes)
		put_size(to, row);
	buf_putc(to, '\n');
}

static void put_section(struct buf *to, const struct diff *d, enum diff_section section)
{
	CLEANUP_ARENA a = {0};
	struct diff_rows rows;
	size_t name = 0, old = 0;
	bool sizes = d->list_paths && section < DIFF_LICENCES;

	diff_section_rows(&a, d, section, &rows);
	if (!rows.n)
		return;
	for (size_t i = 0; i < rows.n; i++) {
		widen(&name, rows.v[i].name);
		widen(&old, rows.v[i].old);
	}
	buf_printf(to, "%s (%zu)\n", diff_section_title(section), rows.n);
	for (size_t i = 0; i < rows.n; i++)
		put_row(to, &rows.v[i], name, old, sizes);
	buf_putc(to, '\n');
}

static void put_paths(struct buf *to, const char *mark, const struct diff_paths *paths)
{
	CLEANUP_ARENA a = {0};

	for (size_t i = 0; i < paths->n; i++)
		buf_printf(to, "  %s %.*s\n", mark, STR_ARG(diff_clean(&a, paths->v[i])));
}

static void put_files(struct buf *to, const struct diff *d)
{
	size_t n = d->files_added.n + d->files_removed.n + d->files_changed.n;

	if (!d->list_paths || !n)
		return;
	buf_printf(to, "Files (%zu)\n", n);
	put_paths(to, "+", &d->files_added);
	put_paths(to, "-", &d->files_removed);
	put_paths(to, "~", &d->files_changed);
	buf_putc(to, '\n');
}

/* --- the sums below --------------------------------------------------------------------------- */

static void put_bytes(struct buf *to, const char *title, uint64_t old, uint64_t new)
{
	char x[24], y[24];

	if (!old || !new)
		return;
	format_bytes(old, x);
	format_bytes(new, y);
	buf_printf(to, "%-12s %s -> %s\n", title, x, y);
}

/* "2.17", "2.17 (as packages declare)", "none" where no file asks for any, "unknown". */
static void put_one_floor(struct buf *to, const struct diff_side *side)
{
	if (side->floor.n)
		buf_printf(to, "%.*s%s", STR_ARG(side->floor),
			side->floor_declared ? " (as packages declare)" : "");
	else
		buf_puts(to, side->has_files ? "none" : "unknown");
}

static void put_floor(struct buf *to, const struct diff_side *old, const struct diff_side *new)
{
	if (!old->floor.n && !new->floor.n)
		return;
	buf_printf(to, "%-12s ", "glibc floor");
	put_one_floor(to, old);
	buf_puts(to, " -> ");
	put_one_floor(to, new);
	buf_putc(to, '\n');
}

static void put_sums(struct buf *to, const struct diff *d)
{
	const struct diff_side *old = d->old, *new = d->new;

	buf_printf(to, "%-12s %zu -> %zu: %zu updated, %zu rebuilt, %zu new, %zu removed\n",
		"packages", old->n_packages, new->n_packages, d->updated.n, d->rebuilt.n,
		d->added.n, d->removed.n);
	if (d->has_files)
		buf_printf(to, "%-12s %zu -> %zu: %zu added, %zu removed, %zu changed\n", "files",
			old->n_files, new->n_files, d->files_added.n, d->files_removed.n,
			d->files_changed.n);
	put_bytes(to, "archive", old->packed, new->packed);
	put_bytes(to, "unpacked", old->unpacked, new->unpacked);
	put_bytes(to, "downloads", old->download, new->download);
	put_floor(to, old, new);
}

/* "old  PATH (NAME VERSION, TARGET)" */
static void put_side(struct buf *to, const char *title, const struct diff_side *side)
{
	CLEANUP_ARENA a = {0};
	struct str name = side->name, target = diff_clean(&a, side->target);

	if (side->version.n)
		name = arena_strf(&a, "%.*s %.*s", STR_ARG(name), STR_ARG(side->version));
	name = diff_clean(&a, name);
	buf_printf(to, "%s  %.*s", title, STR_ARG(diff_clean(&a, side->path)));
	if (name.n || target.n)
		buf_printf(to, " (%.*s%s%.*s)", STR_ARG(name), name.n && target.n ? ", " : "",
			STR_ARG(target));
	buf_putc(to, '\n');
}

void diff_text(const struct diff *d, struct buf *to)
{
	if (d->same) {
		buf_puts(to, "no difference\n");
		return;
	}
	put_side(to, "old", d->old);
	put_side(to, "new", d->new);
	buf_putc(to, '\n');
	for (int s = 0; s < DIFF_SECTIONS; s++)
		put_section(to, d, (enum diff_section)s);
	put_files(to, d);
	put_sums(to, d);
}
