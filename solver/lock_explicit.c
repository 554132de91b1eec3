/*
 * @EXPLICIT files (CEP 23): a URL or path of a package a line, with "#md5", "#sha256" or
 * "#sha256:..." behind it.  Of the comments "# platform: SUBDIR" says what it is for, as conda and
 * conda-lock write it, and "# pip NAME @ URL#sha256=..." is conda-lock's line for a wheel.
 */
#include "solver/lock_reader.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "solver/lock_form.h"

#include <stdlib.h>

struct explicit
{
	struct lock_reader *r;
	struct lock_listing listing;
	struct table channels;
	int line, column; /* of what is being read */
};

static struct str significant(struct str *text)
{
	while (text->p) {
		struct str line = str_trim(str_cut(text, '\n'));

		if (line.n && line.p[0] != '#')
			return line;
	}
	return (struct str){0};
}

bool lock_is_explicit(struct str text)
{
	return str_is(significant(&text), "@EXPLICIT");
}

static int refuse(const struct explicit *x, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct explicit *x, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INPUT, fmt, ap);
	va_end(ap);
	return err_wrap(e, "%s:%d:%d", x->r->name, x->line, x->column);
}

/* --- the location --------------------------------------------------------------------------- */

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_';
}

/* The variable that "$NAME" or "${NAME}" at the front of s means; its length in *n, 0: none. */
static const char *variable_at(struct arena *a, struct str s, size_t *n)
{
	bool brace = s.n > 1 && s.p[1] == '{';
	size_t from = brace ? 2 : 1, to = from;

	while (to < s.n && word_char(s.p[to]))
		to++;
	*n = 0;
	if (to == from || (brace && (to == s.n || s.p[to] != '}')))
		return NULL;
	*n = to + brace;
	return getenv(arena_cstr(a, str_sub(s, from, to)));
}

/* As conda: "~/", "$NAME" and "${NAME}" where it is set. */
static char *expand_path(struct arena *a, struct str path)
{
	CLEANUP_BUF out = {0};
	const char *home = getenv("HOME");

	if (str_starts(path, STR("~/")) && home) {
		buf_puts(&out, home);
		path = str_sub(path, 1, path.n);
	}
	while (path.n) {
		size_t n = 0;
		const char *value = path.p[0] == '$' ? variable_at(a, path, &n) : NULL;

		if (value)
			buf_puts(&out, value);
		else
			buf_str(&out, str_sub(path, 0, n ? n : 1));
		path = str_sub(path, n ? n : 1, path.n);
	}
	return path_absolute(a, arena_cstr(a, buf_view(&out)));
}

static int take_location(struct explicit *x, struct str text, struct record *out, struct err *e)
{
	struct arena *a = x->r->a;

	for (size_t i = 0, n; i < text.n; i += n) {
		n = utf8_sequence(str_sub(text, i, text.n));
		if (n == 0 || (unsigned char)text.p[i] <= ' ' || text.p[i] == 0x7f) {
			x->column += (int)i;
			return refuse(x, e, "neither a URL nor a path");
		}
	}
	if (str_find(text, STR("://")) > 0)
		out->url = lock_public_url(x->r, text);
	else
		out->url = str_of(url_of_path(a, expand_path(a, text)));
	lock_derive(a, out);
	if (!lock_file_word(out->fn) || !lock_file_word(out->name) ||
		!lock_file_word(out->version) || !lock_file_word(out->build))
		return refuse(x, e, "'%.*s' is not a package: NAME-VERSION-BUILD.conda or .tar.bz2",
			STR_ARG(out->fn));
	return 0;
}

/* --- sums ----------------------------------------------------------------------------------- */

static int take_sum(struct explicit *x, struct str sum, struct record *out, struct err *e)
{
	bool named = str_starts(sum, STR("sha256:"));

	if (named)
		sum = str_sub(sum, strlen("sha256:"), sum.n);
	if (!named && sum.n == MD5_HEX && hex_decode(sum, out->md5, MD5_LEN) == 0)
		out->has_md5 = true;
	else if (hex_decode(sum, out->sha256, SHA256_LEN) == 0)
		out->has_sha256 = true;
	else
		return refuse(x, e, "behind '#' stands neither an md5 nor a sha256");
	return 0;
}

/* --- lines ---------------------------------------------------------------------------------- */

static int check_subdir(struct explicit *x, struct record *record, struct err *e)
{
	struct str *subdir = &x->listing.subdir;

	if (!record->subdir.n)
		record->subdir = subdir->n ? *subdir : STR("linux-64");
	if (str_is(record->subdir, "noarch"))
		return 0;
	if (!subdir->n)
		*subdir = record->subdir;
	if (!str_eq(*subdir, record->subdir))
		return refuse(x, e, "'%.*s' is for %.*s, the file is for %.*s", STR_ARG(record->fn),
			STR_ARG(record->subdir), STR_ARG(*subdir));
	return 0;
}

static int take_package(struct explicit *x, struct str line, struct err *e)
{
	struct record *record = arena_new(x->r->a, struct record);
	ptrdiff_t hash = str_rchr(line, '#');
	struct str location = hash < 0 ? line : str_sub(line, 0, (size_t)hash);

	if (take_location(x, location, record, e) < 0)
		return -1;
	if (hash >= 0) {
		x->column += (int)hash + 1;
		if (take_sum(x, str_sub(line, (size_t)hash + 1, line.n), record, e) < 0)
			return -1;
	}
	if (check_subdir(x, record, e) < 0)
		return -1;
	record->noarch = derive_noarch(record->subdir, record->build);
	record->depends_unknown = record->constrains_unknown = true;
	if (record->channel.n)
		table_put(&x->channels, record->channel);
	*VEC_PUSH(x->r->a, &x->listing.records) = record;
	return 0;
}

/* "NAME @ URL#sha256=HEX"; what has no URL, or no sum, is counted. */
static void take_wheel(struct explicit *x, struct str text)
{
	struct pypi_package p = {0};
	ptrdiff_t at = str_find(text, STR(" @ ")), sum = str_find(text, STR("#sha256="));
	size_t behind = (size_t)sum + strlen("#sha256=");

	if (at > 0 && sum > at) {
		p.name = str_trim(str_sub(text, 0, (size_t)at));
		p.url = str_trim(str_sub(text, (size_t)at + 3, (size_t)sum));
		p.has_sha256 = hex_decode(str_trim(str_sub(text, behind, text.n)), p.sha256,
				       SHA256_LEN) == 0;
	}
	lock_list_wheel(x->r, &x->listing, p);
}

static int take_comment(struct explicit *x, struct str line, struct err *e)
{
	static const struct str platform = STR_INIT("# platform:"), pip = STR_INIT("# pip ");
	struct str value;

	if (str_starts(line, pip))
		take_wheel(x, str_sub(line, pip.n, line.n));
	if (!str_starts(line, platform))
		return 0;
	value = str_trim(str_sub(line, platform.n, line.n));
	if (!subdir_is_known(value) || str_is(value, "noarch"))
		return refuse(x, e, "'%.*s' is not a known platform", STR_ARG(value));
	if (x->listing.subdir.n && !str_eq(x->listing.subdir, value))
		return refuse(x, e, "the file is for %.*s and for %.*s", STR_ARG(x->listing.subdir),
			STR_ARG(value));
	x->listing.subdir = value;
	return 0;
}

static int take_line(struct explicit *x, struct str whole, struct err *e)
{
	struct str line = str_trim(whole);

	x->line++;
	if (!line.n || str_is(line, "@EXPLICIT"))
		return 0;
	x->column = 1 + (int)(line.p - whole.p);
	return line.p[0] == '#' ? take_comment(x, line, e) : take_package(x, line, e);
}

int lock_read_explicit(struct lock_reader *r, struct str text, struct err *e)
{
	struct explicit x = {.r = r, .channels = {.arena = r->a}};
	struct str twice;

	while (text.p)
		if (take_line(&x, str_cut(&text, '\n'), e) < 0)
			return -1;
	if (!x.listing.subdir.n)
		x.listing.subdir = STR("linux-64");
	r->out->channels = arena_array(r->a, struct str, x.channels.n);
	for (size_t i = 0; i < x.channels.n; i++)
		r->out->channels[r->out->n_channels++] = x.channels.entries[i].key;
	if (lock_enter_listing(r, &x.listing, &twice) < 0)
		return err_set(e, ERR_INPUT, "%s: '%.*s' is there twice", r->name, STR_ARG(twice));
	return 0;
}
