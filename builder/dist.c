/*
 * What a Python distribution says of itself: METADATA and PKG-INFO (headers as in a mail), and
 * setuptools' requires.txt.
 */
#include "builder/dist.h"

enum { MAX_FIELDS = 20000 };

struct list {
	struct str *v;
	size_t n, cap;
};

static bool same_key(struct str key, const char *name)
{
	return key.n == strlen(name) && strncasecmp(key.p, name, key.n) == 0;
}

/* One header, its continuation lines joined; false at the empty line that ends them. */
static bool next_field(struct arena *a, struct str *rest, struct str *key, struct str *value)
{
	struct str line;

	if (!rest->n)
		return false;
	line = str_cut(rest, '\n');
	if (!str_trim(line).n)
		return false;
	*value = line;
	*key = str_trim(str_cut(value, ':'));
	*value = str_trim(*value);
	while (rest->n && (rest->p[0] == ' ' || rest->p[0] == '\t')) {
		struct str more = str_trim(str_cut(rest, '\n'));

		if (!more.n)
			break;
		*value = arena_strf(a, "%.*s %.*s", STR_ARG(*value), STR_ARG(more));
	}
	return true;
}

/* A value of control characters would break the lines of a lock and of messages. */
static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static void take_field(struct arena *a, struct str key, struct str value, struct dist *out,
	struct list *requires, struct list *extras)
{
	if (same_key(key, "name") && !out->given_name.n)
		out->given_name = value;
	else if (same_key(key, "version") && !out->version.n)
		out->version = value;
	else if (same_key(key, "requires-python") && !out->requires_python.n)
		out->requires_python = value;
	else if (same_key(key, "requires-dist") && value.n)
		*VEC_PUSH(a, requires) = value;
	else if (same_key(key, "provides-extra") && value.n)
		*VEC_PUSH(a, extras) = value;
}

int dist_parse_metadata(
	struct arena *a, const char *what, struct str text, struct dist *out, struct err *e)
{
	struct list requires = {0}, extras = {0};
	struct str rest = text, key, value;

	*out = (struct dist){0};
	if (str_starts(rest, STR("\xef\xbb\xbf")))
		rest = str_sub(rest, 3, rest.n);
	for (size_t n = 0; next_field(a, &rest, &key, &value); n++) {
		if (n == MAX_FIELDS)
			return err_set(e, ERR_INTEGRITY, "too many fields in '%s'", what);
		if (is_text(value))
			take_field(a, key, value, out, &requires, &extras);
	}
	if (!pypi_name_is_valid(out->given_name))
		return err_set(e, ERR_INTEGRITY, "'%s' has no name of a distribution", what);
	if (!out->version.n || out->version.n > PEP440_MAX || str_chr(out->version, '/') >= 0 ||
		str_chr(out->version, ' ') >= 0)
		return err_set(e, ERR_INTEGRITY, "'%s' has no version", what);
	out->name = pypi_normal_name(a, out->given_name);
	out->requires_dist = requires.v;
	out->n_requires_dist = requires.n;
	out->extras = extras.v;
	out->n_extras = extras.n;
	return 0;
}

/* --- requires.txt --------------------------------------------------------------------------- */

/* "[extra:marker]" as the marker that it stands for; empty: none. */
static struct str section_marker(struct arena *a, struct str section, struct list *extras)
{
	struct str marker = section, extra = str_trim(str_cut(&marker, ':'));

	marker = str_trim(marker);
	if (!extra.n)
		return marker;
	*VEC_PUSH(a, extras) = extra;
	if (!marker.n)
		return arena_strf(a, "extra == '%.*s'", STR_ARG(extra));
	return arena_strf(a, "(%.*s) and extra == '%.*s'", STR_ARG(marker), STR_ARG(extra));
}

/* A requirement may bring a marker of its own. */
static struct str with_marker(struct arena *a, struct str requirement, struct str marker)
{
	ptrdiff_t at = str_chr(requirement, ';');
	struct str own;

	if (!marker.n)
		return requirement;
	if (at < 0)
		return arena_strf(a, "%.*s ; %.*s", STR_ARG(requirement), STR_ARG(marker));
	own = str_trim(str_sub(requirement, (size_t)at + 1, requirement.n));
	return arena_strf(a, "%.*s ; (%.*s) and (%.*s)", (int)at, requirement.p, STR_ARG(own),
		STR_ARG(marker));
}

void dist_parse_requires_txt(struct arena *a, struct str text, struct dist *out)
{
	struct list requires = {0}, extras = {0};
	struct str rest = text, marker = {0};

	for (size_t n = 0; rest.n && n < MAX_FIELDS; n++) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (!line.n || line.p[0] == '#' || !is_text(line))
			continue;
		if (line.p[0] == '[' && line.p[line.n - 1] == ']')
			marker = section_marker(a, str_sub(line, 1, line.n - 1), &extras);
		else
			*VEC_PUSH(a, &requires) = with_marker(a, line, marker);
	}
	out->requires_dist = requires.v;
	out->n_requires_dist = requires.n;
	out->extras = extras.v;
	out->n_extras = extras.n;
}

/* --- RECORD --------------------------------------------------------------------------------- */

struct str record_row_path(struct arena *a, struct str row)
{
	char *p;
	size_t n = 0;

	row = str_trim(row);
	if (!row.n || row.p[0] != '"')
		return str_cut(&row, ',');
	p = arena_alloc(a, row.n + 1);
	for (size_t i = 1; i < row.n; i++) {
		if (row.p[i] == '"' && !(i + 1 < row.n && row.p[i + 1] == '"'))
			break;
		if (row.p[i] == '"')
			i++;
		p[n++] = row.p[i];
	}
	return str_n(p, n);
}

struct str prefix_path_resolve(struct arena *a, struct str dir, struct str rel)
{
	struct str parts[128], rest, from[2] = {dir, rel};
	CLEANUP_BUF b = {0};
	size_t n = 0;

	if (!rel.n || rel.p[0] == '/')
		return STR("");
	for (size_t k = 0; k < 2; k++) {
		rest = from[k];
		while (rest.n) {
			struct str part = str_cut(&rest, '/');

			if (!part.n || str_is(part, "."))
				continue;
			if (str_is(part, "..") ? n == 0 : n == sizeof parts / sizeof *parts)
				return STR("");
			if (str_is(part, ".."))
				n--;
			else
				parts[n++] = part;
		}
	}
	for (size_t i = 0; i < n; i++)
		buf_printf(&b, "%s%.*s", i ? "/" : "", STR_ARG(parts[i]));
	return path_is_safe(buf_view(&b)) ? arena_str(a, buf_view(&b)) : STR("");
}
