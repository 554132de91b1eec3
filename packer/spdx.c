#include "packer/spdx.h"

#include "images/embed.h"

EMBED_FILE(spdx_licenses, "packer/spdx/licenses");
EMBED_FILE(spdx_exceptions, "packer/spdx/exceptions");

enum { MAX_TEXT = 4096, MAX_DEPTH = 32 };

/* --- words ------------------------------------------------------------------------------------ */

/* The lines are in byte order. */
static bool is_listed(const char *begin, const char *end, struct str word)
{
	struct str rest = {begin, (size_t)(end - begin)};

	while (rest.n) {
		struct str line = str_cut(&rest, '\n');

		if (line.n && str_eq(line, word))
			return true;
	}
	return false;
}

static bool is_id_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '+' || c == ':';
}

static bool is_reference(struct str word)
{
	struct str start = STR("LicenseRef-");

	return word.n > start.n && str_starts(word, start) && str_chr(word, ':') < 0 &&
	       str_chr(word, '+') < 0;
}

static bool is_license(struct str word)
{
	if (is_reference(word) || is_listed(spdx_licenses_begin, spdx_licenses_end, word))
		return true;
	return str_ends(word, STR("+")) &&
	       is_listed(spdx_licenses_begin, spdx_licenses_end, str_sub(word, 0, word.n - 1));
}

/* --- grammar ---------------------------------------------------------------------------------- */

struct parser {
	struct str rest;
	int depth;
};

static struct str peek(struct parser *p)
{
	size_t n = 0;

	while (p->rest.n && (*p->rest.p == ' ' || *p->rest.p == '\t'))
		p->rest = str_sub(p->rest, 1, p->rest.n);
	while (n < p->rest.n && is_id_char(p->rest.p[n]))
		n++;
	if (n == 0 && p->rest.n && (*p->rest.p == '(' || *p->rest.p == ')'))
		n = 1;
	return str_sub(p->rest, 0, n);
}

static struct str next(struct parser *p)
{
	struct str word = peek(p);

	p->rest = str_sub(p->rest, word.n, p->rest.n);
	return word;
}

static bool take(struct parser *p, const char *word)
{
	if (!str_is(peek(p), word))
		return false;
	next(p);
	return true;
}

static bool parse_either(struct parser *p);

static bool parse_one(struct parser *p)
{
	bool good;

	if (!take(p, "("))
		return is_license(next(p)) &&
		       (!take(p, "WITH") ||
			       is_listed(spdx_exceptions_begin, spdx_exceptions_end, next(p)));
	if (++p->depth > MAX_DEPTH)
		return false;
	good = parse_either(p) && take(p, ")");
	p->depth--;
	return good;
}

static bool parse_all(struct parser *p)
{
	do {
		if (!parse_one(p))
			return false;
	} while (take(p, "AND"));
	return true;
}

static bool parse_either(struct parser *p)
{
	do {
		if (!parse_all(p))
			return false;
	} while (take(p, "OR"));
	return true;
}

bool spdx_is_expression(struct str text)
{
	struct parser p = {.rest = text};

	return text.n && text.n <= MAX_TEXT && parse_either(&p) && str_trim(p.rest).n == 0;
}
