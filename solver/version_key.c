#include "solver/version_key.h"

#include "solver/version.h"

/* Bytes of the key; see version_key.h. */
enum {
	BELOW = 0x01,    /* text */
	END = 0x02,      /* nothing follows: number 0 for ever */
	POST = 0x03,     /* conda gives "post" the value infinity, among texts */
	TOP = 0x04,      /* bound above everything at a text's place */
	NUMBER = 0x04,   /* + count of digits */
	TOP_INT = 0xff,  /* bound above everything at a number's place */
	LIST_END = 0x80, /* between segments below and above 0 */
	GAP_ONE_BYTE = 125,
	MAX_DIGITS = 240,
	MAX_ATOMS = 2 * VERSION_MAX + 8,
};

enum atom_kind { ATOM_NUMBER, ATOM_TEXT, ATOM_TEXT_TOP, ATOM_POST, ATOM_TOP };

struct atom {
	enum atom_kind kind;
	struct str text; /* a number without leading zeros: empty is 0 */
};

/* One segment's atoms at a time. */
struct segment {
	struct atom atoms[MAX_ATOMS];
	size_t n;
};

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool letter(char c)
{
	return lower(c) >= 'a' && lower(c) <= 'z';
}

/* conda takes dashes for underscores, but not both in one version; CEP 33 says nothing of that. */
static bool separator(char c)
{
	return c == '.' || c == '_' || c == '-';
}

static bool is_word(struct str s, const char *word)
{
	size_t i;

	for (i = 0; i < s.n && word[i]; i++)
		if (lower(s.p[i]) != word[i])
			return false;
	return i == s.n && !word[i];
}

static void put(struct version_key *k, int byte)
{
	k->p[k->n++] = (uint8_t)byte;
}

static void put_text(struct version_key *k, const struct atom *a)
{
	size_t i;

	put(k, BELOW);
	if (is_word(a->text, "dev")) {
		put(k, 'D'), put(k, 'E'), put(k, 'V');
	} else {
		for (i = 0; i < a->text.n; i++)
			put(k, a->text.p[i] == '-' ? '_' : lower(a->text.p[i]));
	}
	if (a->kind == ATOM_TEXT_TOP)
		put(k, 0xff);
	put(k, 0);
}

static void put_number(struct version_key *k, struct str digits)
{
	size_t i = 0;

	put(k, NUMBER + (int)digits.n);
	if (digits.n % 2)
		put(k, digits.p[i++] - '0');
	for (; i < digits.n; i += 2)
		put(k, (digits.p[i] - '0') << 4 | (digits.p[i + 1] - '0'));
}

static void put_word(struct version_key *k, const struct atom *a)
{
	switch (a->kind) {
	case ATOM_TEXT:
	case ATOM_TEXT_TOP:
		put_text(k, a);
		break;
	case ATOM_POST:
		put(k, POST);
		break;
	case ATOM_TOP:
		put(k, TOP);
		break;
	case ATOM_NUMBER:
		break;
	}
}

static bool zero(const struct atom *a)
{
	return a->kind == ATOM_NUMBER && a->text.n == 0;
}

static void put_segment(struct version_key *k, const struct segment *s)
{
	size_t i = 0;

	for (;;) {
		if (i < s->n && s->atoms[i].kind == ATOM_TOP) {
			put(k, TOP_INT);
			return;
		}
		/* A number's place.  A zero is always followed by a word here. */
		if (i < s->n && !zero(&s->atoms[i]))
			put_number(k, s->atoms[i].text);
		i++;
		if (i >= s->n) {
			put(k, END);
			return;
		}
		put_word(k, &s->atoms[i]);
		i++;
		if (i >= s->n) {
			put(k, END);
			return;
		}
	}
}

static void put_gap(struct version_key *k, size_t empty, bool below)
{
	if (empty <= GAP_ONE_BYTE) {
		put(k, below ? 0x01 + (int)empty : 0xff - (int)empty);
		return;
	}
	put(k, below ? 0x7f : 0x81);
	put(k, below ? (int)empty : 0xff - (int)empty);
}

/* Adds one segment, or counts it in *empty where it is nothing but zeros. */
static void end_segment(struct version_key *k, struct segment *s, size_t *empty)
{
	bool below;

	while (s->n && zero(&s->atoms[s->n - 1]))
		s->n--;
	if (!s->n) {
		++*empty;
		return;
	}
	below = zero(&s->atoms[0]) &&
		(s->atoms[1].kind == ATOM_TEXT || s->atoms[1].kind == ATOM_TEXT_TOP);
	put_gap(k, *empty, below);
	put_segment(k, s);
	*empty = 0;
	s->n = 0;
}

static void add_atom(struct segment *s, enum atom_kind kind, struct str text)
{
	s->atoms[s->n++] = (struct atom){kind, text};
}

/* Turns the last segment into the bound of everything that begins like it. */
static void add_bound(struct segment *s, enum key_bound bound)
{
	struct atom *last = &s->atoms[s->n - 1];
	struct str none = {NULL, 0};

	if (bound == KEY_FIRST) {
		/* No version's text begins with a byte as low. */
		if (last->kind != ATOM_NUMBER)
			add_atom(s, ATOM_NUMBER, none);
		add_atom(s, ATOM_TEXT, STR("\x01"));
	} else if (bound == KEY_LAST) {
		/* conda: the last text need only begin the same ("1.0rc*" takes 1.0rcx). */
		if (last->kind == ATOM_TEXT)
			last->kind = ATOM_TEXT_TOP;
		else
			add_atom(s, ATOM_TOP, none);
	}
}

struct parser {
	struct str text;
	const char *origin;
	size_t at;
	struct version_key *key;
	struct segment segment;
};

static int fail(const struct parser *p, struct err *e, const char *what)
{
	err_set(e, ERR_INPUT, "%s at %zu", what, (size_t)(p->text.p - p->origin) + p->at + 1);
	return err_advise(e, "a version is made of digits and letters, with one '.', '_' or '-' "
			     "between two of its parts, such as 1.8.2rc1 or 1!2.0+local.1");
}

static struct str take(struct parser *p, bool (*test)(char), size_t end)
{
	size_t from = p->at;

	while (p->at < end && test(p->text.p[p->at]))
		p->at++;
	return str_n(p->text.p + from, p->at - from);
}

/* One run of letters; an underscore that ends the main part belongs to it (openssl's 1.0.1_). */
static bool word_char(char c)
{
	return letter(c) || c == '_' || c == '-';
}

static struct str take_word(struct parser *p, size_t end, bool glue)
{
	size_t from = p->at;

	take(p, letter, end);
	if (glue && p->at + 1 == end && word_char(p->text.p[p->at]))
		p->at++;
	return str_n(p->text.p + from, p->at - from);
}

static int read_number(struct parser *p, size_t end, struct str *out, struct err *e)
{
	struct str digits = take(p, digit, end);

	while (digits.n && digits.p[0] == '0')
		digits = str_sub(digits, 1, digits.n);
	if (digits.n > MAX_DIGITS)
		return fail(p, e, "number too long");
	*out = digits;
	return 0;
}

/* Atoms up to the next separator or `end`. */
static int read_segment(struct parser *p, size_t end, bool glue, struct err *e)
{
	struct segment *s = &p->segment;
	size_t from = p->at;
	struct str text;

	s->n = 0;
	while (p->at < end) {
		char c = p->text.p[p->at];

		if (digit(c)) {
			if (read_number(p, end, &text, e) < 0)
				return -1;
			add_atom(s, ATOM_NUMBER, text);
			continue;
		}
		if (separator(c) && !(glue && p->at + 1 == end && c != '.'))
			break;
		text = take_word(p, end, glue);
		if (!text.n)
			return fail(p, e,
				"a digit, a letter or a separator is expected: invalid character");
		if (!s->n)
			add_atom(s, ATOM_NUMBER, str_n(NULL, 0));
		add_atom(s, is_word(text, "post") ? ATOM_POST : ATOM_TEXT, text);
	}
	if (p->at == from)
		return fail(p, e, "empty component");
	return 0;
}

/*
 * The segments of text[at, end), the main part or the local one.  A bound ends the key: what
 * comes behind it no longer matters.
 */
static int read_list(struct parser *p, size_t end, bool glue, enum key_bound bound, struct err *e)
{
	size_t empty = 0;

	for (;;) {
		if (read_segment(p, end, glue, e) < 0)
			return -1;
		if (p->at >= end)
			add_bound(&p->segment, bound);
		end_segment(p->key, &p->segment, &empty);
		if (p->at >= end)
			break;
		p->at++;
	}
	put(p->key, LIST_END);
	return 0;
}

static int read_epoch(struct parser *p, struct err *e)
{
	ptrdiff_t mark = str_chr(p->text, '!');
	struct str epoch = {NULL, 0};

	if (mark >= 0) {
		if (read_number(p, (size_t)mark, &epoch, e) < 0)
			return -1;
		if (p->at != (size_t)mark || mark == 0)
			return fail(p, e, "epoch is not a number");
		p->at++;
	}
	if (epoch.n)
		put_number(p->key, epoch);
	else
		put(p->key, END);
	return 0;
}

int version_key_make(struct str text, enum key_bound bound, const char *origin,
	struct version_key *out, struct err *e)
{
	struct parser p = {.text = text, .origin = origin, .key = out};
	ptrdiff_t plus = str_chr(text, '+');
	size_t end = plus < 0 ? text.n : (size_t)plus;

	out->n = 0;
	if (!text.n)
		return err_set(e, ERR_INPUT, "empty version");
	if (text.n > VERSION_MAX)
		return err_set(e, ERR_INPUT, "a version has up to %d characters, not %zu",
			VERSION_MAX, text.n);
	if (read_epoch(&p, e) < 0 || read_list(&p, end, true, plus < 0 ? bound : KEY_EXACT, e) < 0)
		return -1;
	if (plus < 0) {
		put(out, LIST_END);
		return 0;
	}
	p.at = end + 1;
	return read_list(&p, text.n, false, bound, e);
}
