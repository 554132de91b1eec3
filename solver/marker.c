/*
 * Environment markers ("Dependency specifiers"):
 *
 *	or   = and ("or" and)*
 *	and  = item ("and" item)*
 *	item = "(" or ")" | side op side
 *	side = VARIABLE | 'text' | "text"
 *	op   = < <= == != >= > ~= === in, not in
 */
#include "solver/marker.h"

enum { MARKER_MAX_DEPTH = 64 };

enum marker_kind { MARKER_OR, MARKER_AND, MARKER_COMPARE };
enum marker_op { OP_VERSION, OP_IN, OP_NOT_IN };

struct side {
	bool is_variable;
	size_t variable; /* index into variables */
	struct str text; /* of a literal */
};

struct marker {
	enum marker_kind kind;
	const struct marker *left, *right; /* of "or" and "and" */
	enum marker_op op;
	enum pep440_op comparison; /* for OP_VERSION */
	struct side lhs, rhs;
};

#define FIELD(f) offsetof(struct marker_env, f)
enum { EXTRA = sizeof(struct marker_env) };

static const struct {
	const char *name;
	size_t field;
} variables[] = {
	{"python_version", FIELD(python_version)},
	{"python_full_version", FIELD(python_full_version)},
	{"os_name", FIELD(os_name)},
	{"sys_platform", FIELD(sys_platform)},
	{"platform_machine", FIELD(platform_machine)},
	{"platform_system", FIELD(platform_system)},
	{"platform_release", FIELD(platform_release)},
	{"platform_version", FIELD(platform_version)},
	{"platform_python_implementation", FIELD(platform_python_implementation)},
	{"implementation_name", FIELD(implementation_name)},
	{"implementation_version", FIELD(implementation_version)},
	{"extra", EXTRA},
	/* As setuptools of old wrote them (PEP 345). */
	{"os.name", FIELD(os_name)},
	{"sys.platform", FIELD(sys_platform)},
	{"platform.version", FIELD(platform_version)},
	{"platform.machine", FIELD(platform_machine)},
	{"platform.python_implementation", FIELD(platform_python_implementation)},
	{"python_implementation", FIELD(platform_python_implementation)},
};

/* --- parsing -------------------------------------------------------------------------------- */

struct scan {
	struct arena *a;
	struct str s;
	size_t i;
	int depth;
	const char *why; /* NULL: fine so far; then i points at what is wrong */
};

static const struct marker *scan_or(struct scan *p);

static void blanks(struct scan *p)
{
	while (p->i < p->s.n && strchr(" \t\r\n", p->s.p[p->i]) && p->s.p[p->i])
		p->i++;
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '.';
}

/* The word at i, empty where there is none. */
static struct str word_at(const struct scan *p)
{
	size_t end = p->i;

	while (end < p->s.n && is_word(p->s.p[end]))
		end++;
	return str_sub(p->s, p->i, end);
}

static bool take_word(struct scan *p, const char *word)
{
	blanks(p);
	if (!str_is(word_at(p), word))
		return false;
	p->i += strlen(word);
	return true;
}

static bool take_char(struct scan *p, char c)
{
	blanks(p);
	if (p->i >= p->s.n || p->s.p[p->i] != c)
		return false;
	p->i++;
	return true;
}

static void scan_literal(struct scan *p, struct side *out)
{
	char quote = p->s.p[p->i];
	struct str rest = str_sub(p->s, p->i + 1, p->s.n);
	ptrdiff_t end = str_chr(rest, quote);

	if (end < 0) {
		p->why = "a quote is not closed";
		return;
	}
	out->text = arena_str(p->a, str_sub(rest, 0, (size_t)end));
	p->i += (size_t)end + 2;
}

static void scan_side(struct scan *p, struct side *out)
{
	struct str word;

	blanks(p);
	if (p->i < p->s.n && (p->s.p[p->i] == '"' || p->s.p[p->i] == '\'')) {
		scan_literal(p, out);
		return;
	}
	word = word_at(p);
	for (size_t k = 0; k < sizeof variables / sizeof *variables; k++) {
		if (!str_is(word, variables[k].name))
			continue;
		out->is_variable = true;
		out->variable = k;
		p->i += word.n;
		return;
	}
	p->why = word.n ? "no marker is called so" : "a marker or a quoted text is missing";
}

static void scan_op(struct scan *p, struct marker *m)
{
	static const char *const texts[] = {"===", "==", "~=", "!=", "<=", ">=", "<", ">"};
	static const enum pep440_op ops[] = {PEP440_SAME, PEP440_EQ, PEP440_COMPAT, PEP440_NE,
		PEP440_LE, PEP440_GE, PEP440_LT, PEP440_GT};

	if (take_word(p, "in")) {
		m->op = OP_IN;
		return;
	}
	if (take_word(p, "not")) {
		m->op = OP_NOT_IN;
		if (!take_word(p, "in"))
			p->why = "'in' is missing behind 'not'";
		return;
	}
	for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) {
		if (!str_starts(str_sub(p->s, p->i, p->s.n), str_of(texts[k])))
			continue;
		m->op = OP_VERSION;
		m->comparison = ops[k];
		p->i += strlen(texts[k]);
		return;
	}
	p->why = "a comparison such as == is missing";
}

static const struct marker *scan_item(struct scan *p)
{
	struct marker *m;

	if (take_char(p, '(')) {
		const struct marker *inner;

		if (++p->depth > MARKER_MAX_DEPTH) {
			p->why = "brackets are nested too deep";
			return NULL;
		}
		inner = scan_or(p);
		if (!p->why && !take_char(p, ')'))
			p->why = "')' is missing";
		p->depth--;
		return inner;
	}
	m = arena_new(p->a, struct marker);
	m->kind = MARKER_COMPARE;
	scan_side(p, &m->lhs);
	if (!p->why)
		scan_op(p, m);
	if (!p->why)
		scan_side(p, &m->rhs);
	return m;
}

static const struct marker *joined(
	struct scan *p, enum marker_kind kind, const struct marker *l, const struct marker *r)
{
	struct marker *m = arena_new(p->a, struct marker);

	m->kind = kind;
	m->left = l;
	m->right = r;
	return m;
}

static const struct marker *scan_and(struct scan *p)
{
	const struct marker *m = scan_item(p);

	while (!p->why && take_word(p, "and"))
		m = joined(p, MARKER_AND, m, scan_item(p));
	return m;
}

static const struct marker *scan_or(struct scan *p)
{
	const struct marker *m = scan_and(p);

	while (!p->why && take_word(p, "or"))
		m = joined(p, MARKER_OR, m, scan_and(p));
	return m;
}

int marker_scan(
	struct arena *a, struct str s, size_t *i, const struct marker **out, const char **why)
{
	struct scan p = {.a = a, .s = s, .i = *i};

	*out = scan_or(&p);
	blanks(&p);
	if (!p.why && p.i < s.n)
		p.why = "this cannot stand here";
	*i = p.i;
	*why = p.why;
	return p.why ? -1 : 0;
}

/* --- evaluation ----------------------------------------------------------------------------- */

struct evaluation {
	struct arena *a; /* scratch */
	const struct marker_env *env;
	struct str extra; /* normalized */
};

static bool is_extra(const struct side *s)
{
	return s->is_variable && variables[s->variable].field == EXTRA;
}

static struct str value(const struct evaluation *ev, const struct side *s, bool normal)
{
	struct str text = s->text;

	if (is_extra(s))
		return ev->extra;
	if (s->is_variable)
		text = *(const struct str *)((const char *)ev->env + variables[s->variable].field);
	return normal ? pypi_normal_name(ev->a, text) : text;
}

/* Order and equality of texts; what has no sense for texts does not hold. */
static bool compare_texts(enum pep440_op op, struct str l, struct str r)
{
	int c = str_cmp(l, r);

	switch (op) {
	case PEP440_EQ:
	case PEP440_SAME:
		return c == 0;
	case PEP440_NE:
		return c != 0;
	case PEP440_LE:
		return c <= 0;
	case PEP440_GE:
		return c >= 0;
	case PEP440_LT:
		return c < 0;
	case PEP440_GT:
		return c > 0;
	case PEP440_COMPAT:
		return false;
	}
	return false;
}

static bool compare(struct arena *a, enum pep440_op op, struct str l, struct str r)
{
	const struct pep440 *version;
	struct pep440_set set;
	struct str clause = arena_strf(a, "%s%.*s", pep440_op_text(op), STR_ARG(r));

	/* A comma would make two clauses of it. */
	if (str_chr(r, ',') < 0 && pep440_set_parse(a, clause, &set, NULL) == 0 &&
		pep440_parse(a, l, &version, NULL) == 0)
		return pep440_set_has(&set, version, PEP440_PRE_YES);
	return compare_texts(op, l, r);
}

static bool holds(const struct evaluation *ev, const struct marker *m)
{
	bool names = is_extra(&m->lhs) || is_extra(&m->rhs);
	struct str l, r;

	if (m->kind == MARKER_OR)
		return holds(ev, m->left) || holds(ev, m->right);
	if (m->kind == MARKER_AND)
		return holds(ev, m->left) && holds(ev, m->right);
	l = value(ev, &m->lhs, names);
	r = value(ev, &m->rhs, names);
	switch (m->op) {
	case OP_IN:
		return str_find(r, l) >= 0;
	case OP_NOT_IN:
		return str_find(r, l) < 0;
	case OP_VERSION:
		return names ? compare_texts(m->comparison, l, r)
			     : compare(ev->a, m->comparison, l, r);
	}
	return false;
}

bool marker_holds(const struct marker *m, const struct marker_env *env, const struct str *extras,
	size_t n_extras)
{
	struct arena scratch = {0};
	struct evaluation ev = {.a = &scratch, .env = env};
	bool yes = !m;

	if (m && !n_extras)
		yes = holds(&ev, m);
	for (size_t i = 0; m && i < n_extras && !yes; i++) {
		ev.extra = pypi_normal_name(&scratch, extras[i]);
		yes = holds(&ev, m);
	}
	arena_release(&scratch);
	return yes;
}

/* --- environments --------------------------------------------------------------------------- */

static const struct {
	const char *subdir, *sys_platform, *system, *machine;
} platforms[] = {
	{"linux-64", "linux", "Linux", "x86_64"},
	{"linux-32", "linux", "Linux", "i686"},
	{"linux-aarch64", "linux", "Linux", "aarch64"},
	{"linux-ppc64le", "linux", "Linux", "ppc64le"},
	{"linux-ppc64", "linux", "Linux", "ppc64"},
	{"linux-s390x", "linux", "Linux", "s390x"},
	{"linux-armv6l", "linux", "Linux", "armv6l"},
	{"linux-armv7l", "linux", "Linux", "armv7l"},
	{"linux-riscv64", "linux", "Linux", "riscv64"},
	{"linux-loongarch64", "linux", "Linux", "loongarch64"},
	{"osx-64", "darwin", "Darwin", "x86_64"},
	{"osx-arm64", "darwin", "Darwin", "arm64"},
	{"win-64", "win32", "Windows", "AMD64"},
	{"win-32", "win32", "Windows", "x86"},
	{"win-arm64", "win32", "Windows", "ARM64"},
};

/* "3.11" of "3.11.4". */
static struct str major_minor(struct str version)
{
	ptrdiff_t dot = str_chr(version, '.'), second;

	if (dot < 0)
		return version;
	second = str_chr(str_sub(version, (size_t)dot + 1, version.n), '.');
	return second < 0 ? version : str_sub(version, 0, (size_t)(dot + 1 + second));
}

void marker_env_of(
	struct arena *a, struct str python_version, struct str subdir, struct marker_env *out)
{
	*out = (struct marker_env){
		.python_full_version = arena_str(a, python_version),
		.implementation_name = STR("cpython"),
		.platform_python_implementation = STR("CPython"),
	};
	out->implementation_version = out->python_full_version;
	out->python_version = major_minor(out->python_full_version);
	for (size_t i = 0; i < sizeof platforms / sizeof *platforms; i++) {
		if (!str_is(subdir, platforms[i].subdir))
			continue;
		out->sys_platform = str_of(platforms[i].sys_platform);
		out->platform_system = str_of(platforms[i].system);
		out->platform_machine = str_of(platforms[i].machine);
		out->os_name = str_starts(subdir, STR("win-")) ? STR("nt") : STR("posix");
	}
	/* Python 2 says "linux2". */
	if (str_is(out->sys_platform, "linux") && str_starts(out->python_version, STR("2.")))
		out->sys_platform = STR("linux2");
}
