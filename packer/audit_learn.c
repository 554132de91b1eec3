#include "packer/audit_learn.h"

#include "images/libc.h"

/* Of one build: more say nothing that these do not. */
enum { FINDINGS_MAX = 100 };

/* Virtual packages that a finding can be told as. */
enum kind { KIND_GLIBC, KIND_LEVEL, KIND_KERNEL, KINDS, KIND_NONE = KINDS };

/* Relative relocations are no symbol's version; glibc has had them since then. */
static const char relr[] = "GLIBC_ABI_DT_RELR", relr_since[] = "2.36";

/* --- one finding ------------------------------------------------------------------------------ */

/* What glibc is made of: all of it comes from one version. */
static bool is_of_glibc(struct str library)
{
	static const char *const names[] = {"libc.so.6", "libm.so.6", "libpthread.so.0",
		"libdl.so.2", "librt.so.1", "libutil.so.1", "libresolv.so.2", "libanl.so.1",
		"libmvec.so.1", "libnsl.so.1", "libthread_db.so.1", "libBrokenLocale.so.1"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(library, names[i]))
			return true;
	return str_starts(library, STR("ld-linux"));
}

bool learned_glibc(const struct audit_finding *f, struct str *number)
{
	if (f->rule != RULE_VERSION || !is_of_glibc(f->library))
		return false;
	*number = str_is(f->needs, relr) ? str_of(relr_since) : audit_glibc_number(f->needs);
	return number->n > 0;
}

bool learned_can_be(const struct audit_finding *f)
{
	if (f->level != LEVEL_ERROR || f->reason.n || f->package < 0)
		return false;
	switch (f->rule) {
	case RULE_VERSION:
	case RULE_LIBRARY:
	case RULE_MACHINE:
	case RULE_ISA:
	case RULE_KERNEL:
	case RULE_STACK:
	case RULE_TEXT:
	case RULE_DRIVER:
	case RULE_GPU:
	case RULE_INTERPRETER:
	case RULE_SYMBOL:
	case RULE_BROKEN:
		return true;
	case RULE_STATIC_TLS:
		return f->sure == SURE_CERTAIN;
	case RULE_SHADOWED:
	case RULE_COPIES:
	case RULE_RPATH:
	case RULE_PREFIX:
	case RULE_LINK:
	case RULE_UNREAD:
	case AUDIT_RULES:
		break;
	}
	return false;
}

struct str learned_words(struct arena *a, const struct audit_finding *f)
{
	if (f->rule != RULE_VERSION && f->rule != RULE_LIBRARY && f->rule != RULE_ISA &&
		f->rule != RULE_KERNEL && f->rule != RULE_SYMBOL && f->rule != RULE_DRIVER)
		return (struct str){0};
	if (!f->needs.n)
		return (struct str){0};
	if (f->library.n && (f->rule == RULE_VERSION || f->rule == RULE_SYMBOL))
		return arena_strf(a, "needs %.*s of %.*s", STR_ARG(f->needs), STR_ARG(f->library));
	return arena_strf(a, "needs %.*s", STR_ARG(f->needs));
}

/* "x86-64-v3", or "x86_64_v3" as archspec has it, is 2. */
static int level_of(struct arena *a, struct str needs)
{
	char *name = arena_cstr(a, needs);

	for (char *c = name; *c; c++)
		*c = *c == '-' ? '_' : *c;
	return str_starts(str_of(name), STR("x86_64_v")) ? cpu_level_of(str_of(name)) : -1;
}

/*
 * Which of the target's virtual packages is too old for it, and the version that would do.  One that
 * is new enough by what the target declares could not tell the solver anything.
 */
static enum kind kind_of(
	struct arena *a, const struct profile *p, const struct audit_finding *f, struct str *to)
{
	struct str has;
	int level;

	if (learned_glibc(f, to))
		return glibc_cmp(*to, p->glibc) > 0 ? KIND_GLIBC : KIND_NONE;
	if (f->rule == RULE_KERNEL && str_starts(f->needs, STR("Linux "))) {
		*to = str_sub(f->needs, 6, f->needs.n);
		has = profile_virtual_version(p, "__linux");
		if (!version_is_numeric(*to) || (has.n && glibc_cmp(*to, has) <= 0))
			return KIND_NONE;
		return KIND_KERNEL;
	}
	level = f->rule == RULE_ISA ? level_of(a, f->needs) : -1;
	if (level < 0)
		return KIND_NONE;
	has = profile_virtual_build(p, "__archspec");
	*to = str_of(cpu_level_name(level));
	return has.n && cpu_level_of(has) >= level ? KIND_NONE : KIND_LEVEL;
}

/* --- one build -------------------------------------------------------------------------------- */

/* The highest of each kind; what is none rules the build out. */
struct needs {
	const struct audit_finding *of[KINDS + 1];
	struct str version[KINDS + 1];
};

static bool is_higher(enum kind kind, struct str a, struct str than)
{
	return kind == KIND_LEVEL ? str_cmp(a, than) > 0 : glibc_cmp(a, than) > 0;
}

static void collect(struct arena *a, const struct audit *audit, size_t package, struct needs *out)
{
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];
		struct str version = {0};
		enum kind kind;

		if (f->package != (ptrdiff_t)package || !learned_can_be(f))
			continue;
		kind = kind_of(a, audit->profile, f, &version);
		if (out->of[kind] &&
			(kind == KIND_NONE || !is_higher(kind, version, out->version[kind])))
			continue;
		out->of[kind] = f;
		out->version[kind] = version;
	}
}

static struct str clause(struct arena *a, const struct audit_finding *f)
{
	struct str words = learned_words(a, f);

	return words.n ? arena_strf(a, "its %.*s %.*s", STR_ARG(f->path), STR_ARG(words))
		       : arena_str(a, f->text);
}

/* They outlive the audit. */
static void add_finding(struct arena *a, struct learned_from *to, const struct audit_finding *f)
{
	for (size_t i = 0; i < to->n_findings; i++) {
		const struct audit_finding *have = &to->findings[i];

		if (have->rule == f->rule && str_eq(have->needs, f->needs) &&
			str_eq(have->library, f->library))
			return;
	}
	if (to->n_findings == FINDINGS_MAX)
		return;
	to->findings[to->n_findings++] = (struct audit_finding){.rule = f->rule,
		.level = f->level,
		.sure = f->sure,
		.package = -1,
		.path = arena_str(a, f->path),
		.needs = arena_str(a, f->needs),
		.library = arena_str(a, f->library),
		.has = arena_str(a, f->has),
		.text = arena_str(a, f->text),
		.advice = arena_str(a, f->advice)};
}

static struct learned_from copy_findings(struct arena *a, const struct audit *audit, size_t package,
	const struct audit_finding *first)
{
	struct learned_from from = {.record = audit->tree->packages[package].record,
		.findings = arena_array(a, struct audit_finding, FINDINGS_MAX)};

	add_finding(a, &from, first);
	for (size_t i = 0; i < audit->n_findings; i++) {
		const struct audit_finding *f = &audit->findings[i];

		if (f->package == (ptrdiff_t)package && learned_can_be(f))
			add_finding(a, &from, f);
	}
	return from;
}

static void add(struct arena *a, const struct audit *audit, size_t package,
	const struct needs *needs, enum kind kind, struct learned_list *list)
{
	static const char *const form[] = {[KIND_GLIBC] = "__glibc >=",
		[KIND_LEVEL] = "__archspec 1 ",
		[KIND_KERNEL] = "__linux >="};
	const struct record *r = audit->tree->packages[package].record;
	struct learned *l = VEC_PUSH(a, list);

	*l = (struct learned){.has_sha256 = r->has_sha256,
		.url = arena_str(a, r->url),
		.why = clause(a, needs->of[kind])};
	memcpy(l->sha256, r->sha256, sizeof l->sha256);
	if (kind != KIND_NONE)
		l->depends = arena_strf(a, "%s%.*s", form[kind], STR_ARG(needs->version[kind]));
	*VEC_PUSH(a, &list->from) = copy_findings(a, audit, package, needs->of[kind]);
}

/* --- all of them ------------------------------------------------------------------------------ */

bool learned_has(const struct learned_list *list, const struct record *r)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct learned *l = &list->v[i];

		if (l->has_sha256 != r->has_sha256)
			continue;
		if (l->has_sha256 ? memcmp(l->sha256, r->sha256, sizeof l->sha256) == 0
				  : str_eq(l->url, r->url))
			return true;
	}
	return false;
}

static size_t learn(
	struct arena *a, const struct audit *audit, bool alone, struct learned_list *list)
{
	size_t n = 0;

	for (size_t i = 0; i < audit->tree->n_packages; i++) {
		const struct record *r = audit->tree->packages[i].record;
		struct needs needs = {0};
		bool any = false;

		if (!r || learned_has(list, r))
			continue;
		collect(a, audit, i, &needs);
		if (needs.of[KIND_NONE] && !alone) {
			add(a, audit, i, &needs, KIND_NONE, list);
			n++;
			continue;
		}
		for (enum kind k = 0; k < KINDS; k++)
			if (needs.of[k]) {
				add(a, audit, i, &needs, k, list);
				any = true;
			}
		n += any;
	}
	return n;
}

size_t audit_learn(struct arena *a, const struct audit *audit, struct learned_list *list)
{
	return learn(a, audit, false, list);
}

size_t audit_learn_alone(struct arena *a, const struct audit *audit, struct learned_list *list)
{
	return learn(a, audit, true, list);
}
