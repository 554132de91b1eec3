#include "solver/selector.h"

/*
 *	or   = and { "or" and }
 *	and  = not { "and" not }
 *	not  = "not" not | "(" or ")" | word
 */
struct parser {
	struct str rest, subdir;
	bool bad;
	unsigned depth;
};

enum { DEPTH_MAX = 32 };

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

static struct str peek(struct parser *p)
{
	size_t n = 0;

	p->rest = str_trim(p->rest);
	while (n < p->rest.n && word_char(p->rest.p[n]))
		n++;
	return str_sub(p->rest, 0, n ? n : 1);
}

static bool accept(struct parser *p, const char *token)
{
	struct str next = peek(p);

	if (!str_is(next, token))
		return false;
	p->rest = str_sub(p->rest, next.n, p->rest.n);
	return true;
}

/* conda-build's words for a platform; the others of its list are known and false here. */
static int word_value(struct str word, struct str subdir)
{
	static const struct {
		const char *word, *subdirs;
	} words[] = {
		{"linux", "linux-"},
		{"linux32", "linux-32"},
		{"linux64", "linux-64"},
		{"unix", "linux- osx- freebsd- emscripten-"},
		{"osx", "osx-"},
		{"osx64", "osx-64"},
		{"win", "win-"},
		{"win32", "win-32"},
		{"win64", "win-64"},
		{"x86", "linux-32 linux-64 osx-64 win-32 win-64"},
		{"x86_64", "linux-64 osx-64 win-64"},
		{"aarch64", "linux-aarch64"},
		{"arm64", "osx-arm64 win-arm64"},
		{"armv6l", "linux-armv6l"},
		{"armv7l", "linux-armv7l"},
		{"ppc64", "linux-ppc64 linux-ppc64le"},
		{"ppc64le", "linux-ppc64le"},
		{"s390x", "linux-s390x"},
		{"riscv64", "linux-riscv64"},
		{"emscripten", "emscripten-"},
		{"freebsd", "freebsd-"},
		{"wasi", "wasi-"},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		struct str rest = str_of(words[i].subdirs);

		if (!str_is(word, words[i].word))
			continue;
		while (rest.p) {
			struct str one = str_cut(&rest, ' ');

			if (str_eq(one, subdir) ||
				(str_ends(one, STR("-")) && str_starts(subdir, one)))
				return 1;
		}
		return 0;
	}
	return -1;
}

static bool eval_or(struct parser *p);

static bool eval_not(struct parser *p)
{
	struct str word;
	bool value;
	int known;

	if (++p->depth > DEPTH_MAX) {
		p->bad = true;
		return false;
	}
	if (accept(p, "not")) {
		value = !eval_not(p);
	} else if (accept(p, "(")) {
		value = eval_or(p);
		p->bad |= !accept(p, ")");
	} else {
		word = peek(p);
		known = word_value(word, p->subdir);
		p->rest = str_sub(p->rest, word.n, p->rest.n);
		p->bad |= known < 0;
		value = known > 0;
	}
	p->depth--;
	return value;
}

static bool eval_and(struct parser *p)
{
	bool value = eval_not(p);

	while (!p->bad && accept(p, "and"))
		value = eval_not(p) && value;
	return value;
}

static bool eval_or(struct parser *p)
{
	bool value = eval_and(p);

	while (!p->bad && accept(p, "or"))
		value = eval_and(p) || value;
	return value;
}

int selector_eval(struct str expression, struct str subdir)
{
	struct parser p = {.rest = expression, .subdir = subdir};
	bool value = eval_or(&p);

	if (p.bad || str_trim(p.rest).n)
		return -1;
	return value;
}

bool selector_of_line(struct str line, int column, struct str *expression)
{
	struct str rest = str_sub(line, column > 0 ? (size_t)column - 1 : 0, line.n), comment;
	ptrdiff_t hash = -1;
	size_t i;

	/* The last one: a quoted text may hold another. */
	for (i = 1; i < rest.n; i++)
		if (rest.p[i] == '#' && (rest.p[i - 1] == ' ' || rest.p[i - 1] == '\t'))
			hash = (ptrdiff_t)i;
	if (hash < 0)
		return false;
	comment = str_trim(str_sub(rest, (size_t)hash + 1, rest.n));
	if (!str_starts(comment, STR("[")) || !str_ends(comment, STR("]")))
		return false;
	*expression = str_sub(comment, 1, comment.n - 1);
	return true;
}
