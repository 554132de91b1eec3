/* Pages of Python package indexes. */
#include "builder/simple_index.h"

#include "base/buf.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "solver/dist_name.h"
#include "solver/pep508.h"

enum { MAX_LINKS = 1000000 };

struct page {
	struct arena *a;
	const char *url;  /* of the page */
	const char *base; /* what links are relative to */
	struct simple_page *out;
	bool any_link;
};

static int bad(const struct page *p, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "bad index page '%s': %s", http_redact(p->a, p->url), why);
}

/* --- URLs ----------------------------------------------------------------------------------- */

char *simple_page_url(struct arena *a, const char *index_url, struct str name)
{
	struct str normal = pypi_normal_name(a, name);

	return arena_printf(a, "%s/", url_join(a, index_url, arena_cstr(a, normal)));
}

/* --- links ---------------------------------------------------------------------------------- */

/* sha256=HEX among the parts of a fragment. */
static int take_fragment(
	const struct page *p, struct str fragment, struct simple_file *out, struct err *e)
{
	while (fragment.n) {
		struct str value = str_cut(&fragment, '&'), key = str_cut(&value, '=');

		if (!str_is(key, "sha256"))
			continue;
		if (hex_decode(value, out->sha256, SHA256_LEN) < 0)
			return bad(p, e, "a sha256 is not 64 hexadecimal digits");
		out->has_sha256 = true;
	}
	return 0;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/* name: empty where the URL tells it. */
static int add_file(
	struct page *p, struct str href, struct str name, struct simple_file file, struct err *e)
{
	struct str url = str_trim(href), fragment = {0};
	ptrdiff_t at = str_chr(url, '#');
	char *absolute;

	if (at >= 0) {
		fragment = str_sub(url, (size_t)at + 1, url.n);
		url.n = (size_t)at;
	}
	if (!is_printable(url))
		return 0;
	absolute = url_resolve(p->a, p->base, url);
	if (!absolute)
		return bad(p, e, "its own URL is not absolute");
	file.url = str_of(absolute);
	file.name = name.n ? name : dist_file_of(p->a, file.url);
	if (!file.name.n)
		return 0;
	if (take_fragment(p, fragment, &file, e) < 0)
		return -1;
	if (p->out->n >= MAX_LINKS)
		return bad(p, e, "too many links");
	*VEC_PUSH(p->a, p->out) = file;
	return 0;
}

/* --- HTML ----------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool same_word(struct str s, const char *word)
{
	return s.n == strlen(word) && strncasecmp(s.p, word, s.n) == 0;
}

static void put_utf8(struct buf *to, uint64_t c)
{
	if (c < 0x80) {
		buf_putc(to, (char)c);
	} else if (c < 0x800) {
		buf_putc(to, (char)(0xc0 | c >> 6));
		buf_putc(to, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		buf_putc(to, (char)(0xe0 | c >> 12));
		buf_putc(to, (char)(0x80 | (c >> 6 & 0x3f)));
		buf_putc(to, (char)(0x80 | (c & 0x3f)));
	} else {
		buf_putc(to, '?');
	}
}

/* &#38; or &#x26; */
static bool put_numbered(struct buf *to, struct str digits)
{
	uint64_t c = 0;

	if (digits.n && (digits.p[0] | 0x20) == 'x') {
		for (size_t i = 1; i < digits.n && digits.n < 8; i++) {
			char d = digits.p[i] | 0x20;
			unsigned v = d >= 'a' && d <= 'f' ? (unsigned)(d - 'a' + 10)
							  : (unsigned)(digits.p[i] - '0');

			if (v > 15)
				return false;
			c = c << 4 | v;
		}
	} else if (str_u64(digits, 0x10ffff, &c) < 0) {
		return false;
	}
	if (!c)
		return false;
	put_utf8(to, c);
	return true;
}

static bool put_entity(struct buf *to, struct str name)
{
	static const struct {
		const char *name;
		char c;
	} known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

	if (name.n && name.p[0] == '#')
		return put_numbered(to, str_sub(name, 1, name.n));
	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (!str_is(name, known[i].name))
			continue;
		buf_putc(to, known[i].c);
		return true;
	}
	return false;
}

static struct str unescaped(struct arena *a, struct str s)
{
	CLEANUP_BUF b = {0};

	if (str_chr(s, '&') < 0)
		return s;
	for (size_t i = 0; i < s.n; i++) {
		struct str rest = str_sub(s, i + 1, i + 12);
		ptrdiff_t end = s.p[i] == '&' ? str_chr(rest, ';') : -1;

		if (end > 0 && put_entity(&b, str_sub(rest, 0, (size_t)end)))
			i += (size_t)end + 1;
		else
			buf_putc(&b, s.p[i]);
	}
	return arena_str(a, buf_view(&b));
}

/* One attribute of a tag; false at its end. */
static bool next_attribute(struct str *tag, struct str *name, struct str *value)
{
	size_t i = 0, from;

	while (i < tag->n && (is_blank(tag->p[i]) || tag->p[i] == '/'))
		i++;
	from = i;
	while (i < tag->n && !is_blank(tag->p[i]) && tag->p[i] != '=')
		i++;
	*name = str_sub(*tag, from, i);
	while (i < tag->n && is_blank(tag->p[i]))
		i++;
	*value = (struct str){0};
	if (i < tag->n && tag->p[i] == '=') {
		i++;
		while (i < tag->n && is_blank(tag->p[i]))
			i++;
		from = i;
		if (i < tag->n && (tag->p[i] == '"' || tag->p[i] == '\'')) {
			char quote = tag->p[i++];

			while (i < tag->n && tag->p[i] != quote)
				i++;
			*value = str_sub(*tag, from + 1, i++);
		} else {
			while (i < tag->n && !is_blank(tag->p[i]))
				i++;
			*value = str_sub(*tag, from, i);
		}
		/* What is given and empty is told from what is not given. */
		if (!value->p)
			*value = STR("");
	}
	*tag = str_sub(*tag, i, tag->n);
	return name->n > 0;
}

static int take_anchor(struct page *p, struct str attributes, struct err *e)
{
	struct simple_file file = {0};
	struct str name, value, href = {0};

	while (next_attribute(&attributes, &name, &value)) {
		if (same_word(name, "href") && !href.p)
			href = unescaped(p->a, value);
		else if (same_word(name, "data-requires-python"))
			file.requires_python = unescaped(p->a, value);
		else if (same_word(name, "data-yanked"))
			file.yanked = true;
	}
	p->any_link = true;
	return href.n ? add_file(p, href, STR(""), file, e) : 0;
}

/* The first <base> counts, and only in front of links. */
static void take_base(struct page *p, struct str attributes)
{
	struct str name, value;

	while (!p->any_link && p->base == p->url && next_attribute(&attributes, &name, &value))
		if (same_word(name, "href") && value.n && is_printable(value)) {
			char *url = url_resolve(p->a, p->url, unescaped(p->a, value));

			p->base = url ? url : p->base;
		}
}

/* Where the tag that begins at text's '<' ends: the '>' outside of quotes. */
static size_t tag_end(struct str text)
{
	char quote = 0;

	for (size_t i = 1; i < text.n; i++) {
		char c = text.p[i];

		if (quote)
			quote = c == quote ? 0 : quote;
		else if ((c == '"' || c == '\'') && i && text.p[i - 1] == '=')
			quote = c;
		else if (c == '>')
			return i;
	}
	return text.n;
}

static int parse_html(struct page *p, struct str rest, struct err *e)
{
	ptrdiff_t at;

	while ((at = str_chr(rest, '<')) >= 0) {
		struct str tag, name;
		size_t end;

		rest = str_sub(rest, (size_t)at, rest.n);
		if (str_starts(rest, STR("<!--"))) {
			at = str_find(rest, STR("-->"));
			rest = at < 0 ? STR("") : str_sub(rest, (size_t)at + 3, rest.n);
			continue;
		}
		end = tag_end(rest);
		tag = str_sub(rest, 1, end);
		rest = str_sub(rest, end + 1, rest.n);
		name.p = tag.p;
		name.n = 0;
		while (name.n < tag.n && !is_blank(tag.p[name.n]))
			name.n++;
		tag = str_sub(tag, name.n, tag.n);
		if (same_word(name, "a") && take_anchor(p, tag, e) < 0)
			return -1;
		if (same_word(name, "base"))
			take_base(p, tag);
	}
	return 0;
}

/* --- JSON ----------------------------------------------------------------------------------- */

static int take_hashes(struct page *p, struct json *j, struct simple_file *file, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return json_skip_rest(j, t);
	while ((t = json_next(j)) == JSON_KEY) {
		bool sha256 = str_is(json_text(j), "sha256");

		t = json_next(j);
		if (!sha256 || t != JSON_STRING) {
			if (json_skip_rest(j, t) < 0)
				return -1;
			continue;
		}
		if (hex_decode(json_text(j), file->sha256, SHA256_LEN) < 0)
			return bad(p, e, "a sha256 is not 64 hexadecimal digits");
		file->has_sha256 = true;
	}
	return t == JSON_OBJECT_END ? 0 : -1;
}

static int take_text(struct page *p, struct json *j, struct str *out)
{
	enum json_type t = json_next(j);

	if (t != JSON_STRING)
		return json_skip_rest(j, t);
	*out = arena_str(p->a, json_text(j));
	return 0;
}

static int take_yanked(struct json *j, bool *out)
{
	enum json_type t = json_next(j);

	*out = t == JSON_TRUE || t == JSON_STRING;
	return json_skip_rest(j, t);
}

static int take_file(struct page *p, struct json *j, struct err *e)
{
	struct simple_file file = {0};
	struct str url = {0}, name = {0};
	enum json_type t;
	int rc;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = json_text(j);

		if (str_is(key, "filename"))
			rc = take_text(p, j, &name);
		else if (str_is(key, "url"))
			rc = take_text(p, j, &url);
		else if (str_is(key, "hashes"))
			rc = take_hashes(p, j, &file, e);
		else if (str_is(key, "requires-python"))
			rc = take_text(p, j, &file.requires_python);
		else if (str_is(key, "yanked"))
			rc = take_yanked(j, &file.yanked);
		else
			rc = json_skip(j);
		if (rc < 0)
			return -1;
	}
	if (t != JSON_OBJECT_END)
		return -1;
	/* It becomes a file's name: no folder may be in it. */
	if (!url.n || !str_eq(dist_file_of(p->a, name), name))
		return 0;
	return add_file(p, url, name, file, e);
}

static int take_files(struct page *p, struct json *j, struct err *e)
{
	enum json_type t = json_next(j);

	if (t != JSON_ARRAY)
		return json_skip_rest(j, t);
	while ((t = json_next(j)) == JSON_OBJECT)
		if (take_file(p, j, e) < 0)
			return -1;
	return t == JSON_ARRAY_END ? 0 : -1;
}

static int parse_json(struct page *p, struct json *j, struct err *e)
{
	enum json_type t;

	if (json_next(j) != JSON_OBJECT)
		return -1;
	while ((t = json_next(j)) == JSON_KEY) {
		int rc = str_is(json_text(j), "files") ? take_files(p, j, e) : json_skip(j);

		if (rc < 0)
			return -1;
	}
	return t == JSON_OBJECT_END && json_next(j) == JSON_END ? 0 : -1;
}

int simple_page_parse(struct arena *a, const char *page_url, struct str body,
	struct simple_page *out, struct err *e)
{
	struct page p = {.a = a, .url = page_url, .base = page_url, .out = out};
	struct err inner = {0};
	struct json *j;
	int rc;

	*out = (struct simple_page){0};
	if (!str_starts(str_trim(body), STR("{")))
		return parse_html(&p, arena_str(a, body), e);
	j = json_open_text(body, http_redact(a, page_url));
	rc = parse_json(&p, j, &inner);
	if (rc < 0 && inner.code)
		err_move(e, &inner);
	else if (rc < 0)
		json_fail(j, e, "this is no page of a package index");
	json_close(j);
	return rc;
}

const struct simple_file *simple_page_find(const struct simple_page *page, struct str file)
{
	for (size_t i = 0; i < page->n; i++)
		if (str_eq(page->v[i].name, file))
			return &page->v[i];
	return NULL;
}
