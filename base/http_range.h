/* Going on where a transfer broke off (RFC 9110, sections 8.8, 13.1.5 and 14); no network here. */
#ifndef BASE_HTTP_RANGE_H
#define BASE_HTTP_RANGE_H

#include "base/str.h"

#include <time.h>

/* What an answer said about the bytes that came with it; NULL: nothing. */
struct range_headers {
	const char *etag, *last_modified, *accept_ranges, *content_range;
	time_t modified, date; /* Last-Modified and Date, -1: not said */
	int64_t length;        /* of this body; -1: not said */
};

/*
 * What proves that the bytes of a later answer belong to those of this one: the ETag unless it is
 * weak, else the Last-Modified if the file was then a second old, so that no other version can bear
 * the same.  NULL: nothing does, or the server has no ranges.
 */
const char *range_validator(const struct range_headers *h);

/* "bytes FIRST-LAST/TOTAL"; *total is -1 for "*".  -1: it is no such text, or contradicts itself. */
int range_parse(const char *text, uint64_t *first, uint64_t *last, int64_t *total);

/*
 * Does this 206 go on at byte `from` of what `validator` stands for, `total` bytes long (-1: not
 * known)?  Then *whole is the length of the whole, or -1.
 */
bool range_continues(const struct range_headers *h, const char *validator, uint64_t from,
	int64_t total, int64_t *whole);

#endif
