#include "base/http_range.h"

#include <strings.h>

static bool is_strong_etag(const char *etag)
{
	return etag && etag[0] == '"';
}

const char *range_validator(const struct range_headers *h)
{
	if (h->accept_ranges && strcasecmp(h->accept_ranges, "none") == 0)
		return NULL;
	if (h->etag)
		return is_strong_etag(h->etag) ? h->etag : NULL;
	if (h->last_modified && h->modified >= 0 && h->date > h->modified)
		return h->last_modified;
	return NULL;
}

int range_parse(const char *text, uint64_t *first, uint64_t *last, int64_t *total)
{
	struct str rest = str_of(text), from, to;
	uint64_t whole;

	if (rest.n < 6 || strncasecmp(text, "bytes ", 6) != 0)
		return -1;
	rest = str_trim(str_sub(rest, 6, rest.n));
	from = str_cut(&rest, '-');
	to = str_cut(&rest, '/');
	if (str_u64(from, INT64_MAX, first) < 0 || str_u64(to, INT64_MAX - 1, last) < 0 ||
		*last < *first)
		return -1;
	*total = -1;
	if (str_is(rest, "*"))
		return 0;
	if (str_u64(rest, INT64_MAX, &whole) < 0 || whole <= *last)
		return -1;
	*total = (int64_t)whole;
	return 0;
}

/* An answer need not repeat what was asked for, but must not say otherwise. */
static bool agrees(const char *said, const char *validator)
{
	return !said || strcmp(said, validator) == 0;
}

bool range_continues(const struct range_headers *h, const char *validator, uint64_t from,
	int64_t total, int64_t *whole)
{
	uint64_t first, last;

	if (!h->content_range || range_parse(h->content_range, &first, &last, whole) < 0)
		return false;
	if (first != from || (h->length >= 0 && (uint64_t)h->length != last - first + 1))
		return false;
	if (*whole < 0)
		*whole = total;
	if (total >= 0 && *whole != total)
		return false;
	return agrees(is_strong_etag(validator) ? h->etag : h->last_modified, validator);
}
