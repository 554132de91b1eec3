/*
 * One project's page of a Python package index: HTML (PEP 503, 592, 629) or JSON (PEP 691), and
 * plain pages of links as --find-links takes them.
 */
#ifndef BUILDER_SIMPLE_INDEX_H
#define BUILDER_SIMPLE_INDEX_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct simple_file {
	struct str name; /* last component of the URL, percent-decoded (JSON: filename) */
	struct str url;  /* absolute, without fragment */
	uint8_t sha256[32];
	bool has_sha256;
	struct str requires_python; /* empty: any */
	bool yanked;
};

struct simple_page {
	struct simple_file *v; /* in the page's order */
	size_t n, cap;
};

enum { SIMPLE_PAGE_MAX = 64 << 20 }; /* bytes of a page worth fetching */

/*
 * page_url: where the page was found, which relative URLs are relative to (a <base href> before
 * the first link is heeded).  JSON is known by its first character.  Links whose last component is
 * no file's name are passed over; a sha256 that is no sha256 and broken JSON are ERR_INTEGRITY.
 */
int simple_page_parse(struct arena *a, const char *page_url, struct str body,
	struct simple_page *out, struct err *e);
/* NULL where the page does not have it.  Of several with one name, the first. */
const struct simple_file *simple_page_find(const struct simple_page *page, struct str file);
/* INDEX/NAME/, with the name normalized; credentials and all stay. */
char *simple_page_url(struct arena *a, const char *index_url, struct str name);

#endif
