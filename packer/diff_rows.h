/* Private to packer/diff_*.c: what text and Markdown say, before it gets its form. */
#ifndef PACKER_DIFF_ROWS_H
#define PACKER_DIFF_ROWS_H

#include "packer/diff.h"

enum diff_section {
	DIFF_UPDATED,
	DIFF_REBUILT,
	DIFF_NEW,
	DIFF_REMOVED,
	DIFF_LICENCES,
	DIFF_CHANNELS,
	DIFF_SECTIONS,
};

struct diff_row {
	struct str name, old, new; /* old or new is empty where there was or is none */
	bool pip;
	const char *note; /* "downgrade", "conda -> pip"; NULL: none */
	uint64_t old_size, new_size;
};

struct diff_rows {
	struct diff_row *v;
	size_t n, cap;
};

/* "Updated", "Rebuilt" and so on. */
const char *diff_section_title(enum diff_section section);
const struct diff_changes *diff_section_changes(const struct diff *d, enum diff_section section);
void diff_section_rows(
	struct arena *a, const struct diff *d, enum diff_section section, struct diff_rows *out);
/* A name from a package or archive: without control characters and broken UTF-8. */
struct str diff_clean(struct arena *a, struct str s);
/* The same, cut to about `max` bytes. */
struct str diff_brief(struct arena *a, struct str s, size_t max);

#endif
