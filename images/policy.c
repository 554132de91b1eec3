#include "images/policy.h"

static const struct {
	const char *name, *about;
} rules[AUDIT_RULES] = {
	[RULE_VERSION] = {"version-not-found", "a library lacks a symbol version"},
	[RULE_LIBRARY] = {"library-not-found", "a library is not there"},
	[RULE_SHADOWED] = {"shadowed-library",
		"the host's library is taken, not the environment's"},
	[RULE_MACHINE] = {"wrong-architecture", "for another kind of machine"},
	[RULE_ISA] = {"isa-level", "for newer CPUs than the target's"},
	[RULE_KERNEL] = {"kernel-too-new", "for a newer kernel than the target's"},
	[RULE_STATIC_TLS] = {"static-tls", "more static TLS than the loader has room for"},
	[RULE_STACK] = {"executable-stack", "wants an executable stack"},
	[RULE_TEXT] = {"text-relocations", "writes to its own code when it is loaded"},
	[RULE_RPATH] = {"foreign-rpath", "looks for libraries at a path of another machine"},
	[RULE_PREFIX] = {"leftover-prefix", "holds a path of the machine that built it"},
	[RULE_DRIVER] = {"driver-library", "needs a library of the GPU driver"},
	[RULE_GPU] = {"gpu-architecture", "has no code for the target's GPUs"},
	[RULE_INTERPRETER] = {"interpreter-not-found", "what should run it is not there"},
	[RULE_LINK] = {"dangling-link", "a link that leads nowhere"},
	[RULE_COPIES] = {"two-copies", "one process would load one library twice"},
	[RULE_SYMBOL] = {"symbol-not-found", "no library has the symbol"},
	[RULE_BROKEN] = {"broken-elf", "no proper ELF file"},
	[RULE_UNREAD] = {"not-audited", "it could not be read"},
};

static const char *const levels[] = {[LEVEL_OFF] = "off",
	[LEVEL_INFO] = "info",
	[LEVEL_WARNING] = "warning",
	[LEVEL_ERROR] = "error"};

enum audit_rule audit_rule_of(struct str name)
{
	int i = 0;

	while (i < AUDIT_RULES && !str_is(name, rules[i].name))
		i++;
	return (enum audit_rule)i;
}

const char *audit_rule_name(enum audit_rule rule)
{
	return rules[rule].name;
}

const char *audit_rule_about(enum audit_rule rule)
{
	return rules[rule].about;
}

bool audit_level_of(struct str name, enum audit_level *out)
{
	for (int i = 0; i <= LEVEL_ERROR; i++)
		if (str_is(name, levels[i])) {
			*out = (enum audit_level)i;
			return true;
		}
	return false;
}

const char *audit_level_name(enum audit_level level)
{
	return levels[level];
}

struct str audit_rule_names(struct arena *a)
{
	struct str all = {0};

	for (int i = 0; i < AUDIT_RULES; i++)
		all = arena_strf(a, "%.*s%s%s", STR_ARG(all), i ? ", " : "", rules[i].name);
	return all;
}

int audit_ignore_of(struct str rule, struct str pattern, struct str reason,
	struct audit_ignore *out, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	bool option = out->place[0] == '-';
	enum err_code code = option ? ERR_USAGE : ERR_INPUT;

	out->rule = audit_rule_of(rule);
	out->pattern = pattern;
	out->reason = str_trim(reason);
	if (out->rule == AUDIT_RULES && !str_is(rule, "*"))
		err_set(e, code, "the audit has no rule '%.*s'; there are %.*s", STR_ARG(rule),
			STR_ARG(audit_rule_names(&scratch)));
	else if (!pattern.n || !out->reason.n)
		err_set(e, code, "what is ignored needs a pattern and a reason");
	else
		return 0;
	return option ? -1 : err_wrap(e, "%s", out->place);
}

int audit_ignore_parse(struct str text, struct audit_ignore *out, struct err *e)
{
	struct str rest = text, rule = str_cut(&rest, ':');
	ptrdiff_t at = rest.p ? str_chr(rest, '=') : -1;

	if (at <= 0 || (size_t)at + 1 >= rest.n) {
		err_set(e, ERR_USAGE, "'%.*s' is not RULE:PATTERN=REASON", STR_ARG(text));
		return err_advise(e, "for example library-not-found:lib/libfoo.so=not used here");
	}
	out->place = "--ignore";
	return audit_ignore_of(
		rule, str_sub(rest, 0, (size_t)at), str_sub(rest, (size_t)at + 1, rest.n), out, e);
}

const char *audit_ignore_rule(const struct audit_ignore *ignore)
{
	return ignore->rule == AUDIT_RULES ? "*" : rules[ignore->rule].name;
}
