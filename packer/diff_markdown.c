/*
 * A comparison as the Markdown of release notes (GitHub's dialect, as Gitea and Forgejo take it).
 */
#include "packer/diff_rows.h"

#include "base/log.h"

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/*
 * Whatever a package is called, it stays text: no table is torn, nobody is mentioned, no issue or
 * address becomes a link.  "_" between letters is none of Markdown's.
 */
static void put_escaped(struct buf *to, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool inside = i > 0 && i + 1 < s.n && is_word(s.p[i - 1]) && is_word(s.p[i + 1]);
		bool address = c == ':' && str_starts(str_sub(s, i, s.n), STR("://"));

		if (c == '&' || c == '@' || c == '#' || address) {
			buf_printf(to, "&#%d;", c);
			continue;
		}
		if (strchr("\\|`*[]~<>$", c) || (c == '_' && !inside))
			buf_putc(to, '\\');
		buf_putc(to, c);
	}
}

static void put_row(struct buf *to, const struct diff_row *row)
{
	buf_puts(to, "| ");
	put_escaped(to, row->name);
	buf_puts(to, row->pip ? " (pip) | " : " | ");
	put_escaped(to, row->old);
	buf_puts(to, row->old.n ? " | " : "| ");
	put_escaped(to, row->new);
	if (row->note)
		buf_printf(to, " (%s)", row->note);
	buf_puts(to, row->new.n ? " |\n" : "|\n");
}

static void put_section(struct buf *to, const struct diff *d, enum diff_section section)
{
	CLEANUP_ARENA a = {0};
	struct diff_rows rows;

	diff_section_rows(&a, d, section, &rows);
	if (!rows.n)
		return;
	buf_printf(to, "\n## %s\n\n| Package | Old | New |\n|---|---|---|\n",
		diff_section_title(section));
	for (size_t i = 0; i < rows.n; i++)
		put_row(to, &rows.v[i]);
}

/* --- the line above --------------------------------------------------------------------------- */

static void put_bytes(struct buf *to, const char *title, uint64_t old, uint64_t new)
{
	char x[24], y[24];

	if (!new)
		return;
	format_bytes(new, x);
	format_bytes(old, y);
	buf_printf(to, " %s %s", title, x);
	if (old && strcmp(x, y) != 0)
		buf_printf(to, " (was %s)", y);
	buf_putc(to, '.');
}

static void put_files(struct buf *to, const struct diff *d)
{
	if (d->has_files)
		buf_printf(to, " Files: %zu (%zu added, %zu removed, %zu changed).",
			d->new->n_files, d->files_added.n, d->files_removed.n, d->files_changed.n);
}

static void put_floor(struct buf *to, const struct diff_side *old, const struct diff_side *new)
{
	if (!new->floor.n)
		return;
	buf_printf(to, " Needs glibc %.*s%s", STR_ARG(new->floor),
		new->floor_declared ? " as its packages declare" : "");
	if (old->floor.n && old->floor_declared == new->floor_declared &&
		!str_eq(old->floor, new->floor))
		buf_printf(to, " (was %.*s)", STR_ARG(old->floor));
	buf_putc(to, '.');
}

static void put_summary(struct buf *to, const struct diff *d)
{
	buf_printf(to, "Packages: %zu (%zu updated, %zu rebuilt, %zu new, %zu removed).",
		d->new->n_packages, d->updated.n, d->rebuilt.n, d->added.n, d->removed.n);
	put_files(to, d);
	put_bytes(to, "Archive:", d->old->packed, d->new->packed);
	put_bytes(to, "Unpacked:", d->old->unpacked, d->new->unpacked);
	put_bytes(to, "Downloads:", d->old->download, d->new->download);
	put_floor(to, d->old, d->new);
	buf_putc(to, '\n');
}

void diff_markdown(const struct diff *d, struct buf *to)
{
	if (d->same)
		buf_puts(to, "No difference.\n\n");
	put_summary(to, d);
	for (int s = 0; s < DIFF_SECTIONS; s++)
		put_section(to, d, (enum diff_section)s);
}
