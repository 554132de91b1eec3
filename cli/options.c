#include "cli/options.h"

#include "base/buf.h"
#include "images/engine.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum kind { FLAG, COUNT, TEXT, LIST, NUMBER, SECONDS, BYTES, PROCESSES };

struct option_info {
	const char *name;
	char letter;
	enum kind kind;
	const char *arg; /* NULL for FLAG and COUNT */
	size_t offset;   /* in struct options */
	const char *help;
};

enum { MAX_PIDS = 4194304 }; /* the kernel's */

#define AT(field) offsetof(struct options, field)

static const struct option_info infos[OPT_COUNT] = {
	[OPT_CHANNEL] = {"channel", 'c', LIST, "CHANNEL", AT(channels),
		"look here first: name, URL or folder (repeatable)"},
	[OPT_OVERRIDE_CHANNELS] = {"override-channels", 0, FLAG, NULL, AT(override_channels),
		"only the channels given with -c"},
	[OPT_CHANNEL_ALIAS] = {"channel-alias", 0, TEXT, "URL", AT(channel_alias),
		"what stands before a channel's name"},
	[OPT_CHANNEL_PRIORITY] = {"channel-priority", 0, TEXT, "RULE", AT(channel_priority),
		"strict (default), flexible or disabled"},
	[OPT_TARGET] = {"target", 't', LIST, "NAME|FILE", AT(targets),
		"production target: a profile's name or file"},
	[OPT_IMAGE] = {"image", 0, TEXT, "NAME|DIR", AT(image),
		"image or root folder (default: the target's image)"},
	[OPT_NAME] = {"name", 'n', TEXT, "NAME", AT(name), "name of the environment"},
	[OPT_PREFIX] = {"prefix", 'p', TEXT, "DIR", AT(prefix), "folder to install into"},
	[OPT_OUTPUT] = {"output", 'o', TEXT, "FILE", AT(output), "file to write"},
	[OPT_TEST] = {"test", 0, TEXT, "SCRIPT", AT(test), "test script to run"},
	[OPT_NO_TEST] = {"no-test", 0, FLAG, NULL, AT(no_test), "make it untested"},
	[OPT_PROJECT] = {"project", 0, TEXT, "DIR", AT(project),
		"what the test finds at /tmp/project"},
	[OPT_TEST_SHELL] = {"test-shell", 0, TEXT, "COMMAND", AT(test_shell),
		"runs the test script (default: bash -e)"},
	[OPT_LOCKED] = {"locked", 0, FLAG, NULL, AT(locked),
		"a lock that does not fit is an error"},
	[OPT_FORMAT] = {"format", 0, TEXT, "FORMAT", AT(format),
		"tar.gz, tar.zst, tar, squashfs or dir"},
	[OPT_DEST_PREFIX] = {"dest-prefix", 0, TEXT, "PATH", AT(dest_prefix),
		"the path it will be used at, as read-only media"},
	[OPT_LEVEL] = {"level", 0, NUMBER, "N", AT(level), "compression level"},
	[OPT_ATTEST] = {"attest", 0, FLAG, NULL, AT(attest),
		"write NAME.intoto.jsonl: inputs and test"},
	[OPT_SIGN_WITH] = {"sign-with", 0, TEXT, "COMMAND", AT(sign_with),
		"signs NAME.sha256: bytes in, signature out"},
	[OPT_SIGNER] = {"signer", 0, TEXT, "FILE[:WHO]", AT(signer),
		"whose signature NAME.sha256 must have"},
	[OPT_REBUILD] = {"rebuild", 0, FLAG, NULL, AT(rebuild),
		"make the archive once more and compare"},
	[OPT_SPLIT] = {"split", 0, BYTES, "SIZE", AT(split), "in parts of that size: 1500M, 2G"},
	[OPT_NO_DEPS] = {"no-deps", 0, FLAG, NULL, AT(no_deps),
		"only what is named, not what it needs"},
	[OPT_COPY] = {"copy", 0, FLAG, NULL, AT(copy), "copy files, make no hard links"},
	[OPT_NO_COMPILE] = {"no-compile", 0, FLAG, NULL, AT(no_compile), "make no Python bytecode"},
	[OPT_ALLOW_CLOBBER] = {"allow-clobber", 0, LIST, "PATTERN", AT(allow_clobber),
		"paths that two packages may bring (repeatable)"},
	[OPT_FROZEN] = {"frozen", 0, FLAG, NULL, AT(frozen), "tell conda not to change it"},
	[OPT_EXTERNALLY_MANAGED] = {"externally-managed", 0, FLAG, NULL, AT(externally_managed),
		"tell pip not to change it"},
	[OPT_EXCLUDE] = {"exclude", 0, LIST, "PATTERN", AT(exclude),
		"leave these paths out (repeatable)"},
	[OPT_INCLUDE] = {"include", 0, LIST, "PATTERN", AT(include),
		"keep these all the same (repeatable)"},
	[OPT_DROP] = {"drop", 0, LIST, "KIND", AT(drop),
		"leave out e.g. headers or bytecode (repeatable)"},
	[OPT_RENAME] = {"rename", 0, LIST, "OLD=NEW", AT(rename),
		"pack a file under another name (repeatable)"},
	[OPT_ADD] = {"add", 0, LIST, "FILE=PATH", AT(add),
		"pack a file or folder of your own (repeatable)"},
	[OPT_PRE_PACK] = {"pre-pack", 0, TEXT, "SCRIPT", AT(pre_pack),
		"run this in the environment before packing"},
	[OPT_ARCHIVE_MAX] = {"max-size", 0, BYTES, "SIZE", AT(archive_max),
		"what the archive may have: 500M, 2G"},
	[OPT_SIZE_REPORT] = {"size-report", 0, FLAG, NULL, AT(size_report),
		"list the packages by size"},
	[OPT_VAULT] = {"vault", 0, TEXT, "DIR", AT(vault), "take packages from this folder first"},
	[OPT_MIRROR] = {"mirror", 0, LIST, "CHANNEL=URL", AT(mirrors),
		"where else a channel's files lie (repeatable)"},
	[OPT_LOW_DISK] = {"low-disk", 0, FLAG, NULL, AT(low_disk),
		"need less space, take more time"},
	[OPT_FORCE] = {"force", 0, FLAG, NULL, AT(force), "make it again, though nothing changed"},
	[OPT_OLDER] = {"older", 0, SECONDS, "TIME", AT(older), "not used for so long: 12h, 30d"},
	[OPT_MAX_SIZE] = {"max-size", 0, TEXT, "SIZE", AT(max_size),
		"oldest first until it fits: 500M, 20G"},
	[OPT_ALL] = {"all", 0, FLAG, NULL, AT(all), "also what known locks refer to"},
	[OPT_DRY_RUN] = {"dry-run", 0, FLAG, NULL, AT(dry_run), "say what would be done"},
	[OPT_CHECK] = {"check", 0, FLAG, NULL, AT(check), "only say whether the lock still fits"},
	[OPT_UPDATE] = {"update", 0, LIST, "NAME", AT(update),
		"move only these and what they force (repeatable)"},
	[OPT_AS_OF] = {"as-of", 0, TEXT, "DATE", AT(as_of), "pass over packages newer than that"},
	[OPT_CONDARC] = {"condarc", 0, TEXT, "FILE", AT(condarc),
		"a configuration file of conda to heed"},
	[OPT_EXPORT_FORMAT] = {"format", 0, TEXT, "FORMAT", AT(as),
		"explicit, conda-lock or environment"},
	[OPT_DIFF_FORMAT] = {"format", 0, TEXT, "FORMAT", AT(as),
		"text (default), markdown or json"},
	[OPT_SHARDS] = {"shards", 0, FLAG, NULL, AT(shards), "also in shards, one for each name"},
	[OPT_PLAIN_HTTP] = {"plain-http", 0, FLAG, NULL, AT(plain_http),
		"ask the registry over http, not https"},
	[OPT_DOCKERFILE] = {"dockerfile", 0, TEXT, "FILE", AT(dockerfile),
		"build this one, with its folder as context"},
	[OPT_TOOL] = {"tool", 0, TEXT, "TOOL", AT(tool),
		"buildah, podman or docker (default: what is there)"},
	[OPT_BUILD_TIMEOUT] = {"timeout", 0, SECONDS, "TIME", AT(timeout),
		"for the build: 90, 30m, 2h (default)"},
	[OPT_PROBE_NAME] = {"name", 0, TEXT, "NAME", AT(name), "name of the target"},
	[OPT_UNION] = {"union", 0, FLAG, NULL, AT(unite), "the weakest of several probes"},
	[OPT_CHECK_PROFILE] = {"check", 0, TEXT, "NAME|FILE", AT(check_profile),
		"compare with a target's profile"},
	[OPT_SCRIPT] = {"script", 0, FLAG, NULL, AT(script),
		"print a shell script that does the same"},
	[OPT_VERSION] = {"version", 0, TEXT, "VERSION", AT(version), "version of the release"},
	[OPT_TICKET] = {"ticket", 0, TEXT, "ID", AT(ticket), "what asked for it, for the record"},
	[OPT_STAGE] = {"stage", 0, TEXT, "STAGE", AT(stage), "dev or prod"},
	[OPT_DEV_RECORD] = {"dev-record", 0, TEXT, "FILE", AT(dev_record),
		"where the deployment for dev is recorded"},
	[OPT_KEEP] = {"keep", 0, NUMBER, "N", AT(keep), "remove all but the last N releases"},
	[OPT_ROLLBACK] = {"rollback", 0, FLAG, NULL, AT(rollback),
		"switch back to the release before"},
	[OPT_UNTESTED] = {"untested", 0, FLAG, NULL, AT(untested),
		"also where no test of it is known"},
	[OPT_DEPLOY_NO_TEST] = {"no-test", 0, FLAG, NULL, AT(no_test), "do not test it here"},
	[OPT_ENGINE] = {"engine", 0, TEXT, "ENGINE", AT(engine), "builtin, none, podman or docker"},
	[OPT_TIMEOUT] = {"timeout", 0, SECONDS, "TIME", AT(timeout),
		"for each script: 90, 30m, 2h"},
	[OPT_QUOTA] = {"quota", 0, BYTES, "SIZE", AT(quota),
		"what each script may write: 500M, 2G"},
	[OPT_MAX_PROCESSES] = {"max-processes", 0, PROCESSES, "N", AT(max_processes),
		"of each script at a time (default: 4096)"},
	[OPT_GPU] = {"gpu", 0, TEXT, "WHEN", AT(gpu), "auto (default), none or require"},
	[OPT_TAG] = {"tag", 0, TEXT, "TAG", AT(tag), "the release's tag"},
	[OPT_TO] = {"to", 0, TEXT, "PLACE", AT(to),
		"github:OWNER/REPO, gitea:URL/OWNER/REPO or folder"},
	[OPT_OVERWRITE] = {"overwrite", 0, FLAG, NULL, AT(overwrite),
		"replace what the tag has (nightly builds)"},
	[OPT_NOTES] = {"notes", 0, TEXT, "FILE", AT(notes), "text that goes before the notes"},
	[OPT_PREVIOUS] = {"previous", 0, TEXT, "TAG|none", AT(previous),
		"the release that the notes compare with"},
	[OPT_COMMIT] = {"commit", 0, TEXT, "SHA", AT(commit), "the commit that the tag names"},
	[OPT_PRERELEASE] = {"prerelease", 0, FLAG, NULL, AT(prerelease),
		"it is not to be the latest"},
	[OPT_IGNORE] = {"ignore", 0, LIST, "RULE:PATTERN=REASON", AT(ignore),
		"findings that do not count (repeatable)"},
	[OPT_SYMBOLS] = {"symbols", 0, FLAG, NULL, AT(symbols), "look for every undefined symbol"},
	[OPT_FACTS] = {"facts", 0, LIST, "FILE", AT(facts),
		"what --export-facts wrote (repeatable)"},
	[OPT_EXPORT_FACTS] = {"export-facts", 0, TEXT, "FILE", AT(export_facts),
		"write what is known of the packages"},
	[OPT_REPORT] = {"report", 0, LIST, "FILE", AT(reports),
		"write the audit: .html .xml .json .txt"},
	[OPT_AUDIT_SOLVE] = {"audit-solve", 0, FLAG, NULL, AT(audit_solve),
		"solve again without what cannot load"},
	[OPT_NO_AUDIT_SOLVE] = {"no-audit-solve", 0, FLAG, NULL, AT(no_audit_solve),
		"what cannot load is an error at once"},
	[OPT_JOBS] = {"jobs", 'j', NUMBER, "N", AT(jobs), "threads (default: cores)"},
	[OPT_OFFLINE] = {"offline", 0, FLAG, NULL, AT(offline), "use no network"},
	[OPT_JSON] = {"json", 0, FLAG, NULL, AT(json), "one JSON document on stdout"},
	[OPT_QUIET] = {"quiet", 'q', FLAG, NULL, AT(quiet), "say nothing but errors"},
	[OPT_VERBOSE] = {"verbose", 'v', COUNT, NULL, AT(verbose), "say more"},
	[OPT_HELP] = {"help", 'h', FLAG, NULL, AT(help), "show this help"},
};

int parse_seconds(const char *text, unsigned *out)
{
	struct str s = str_of(text);
	uint64_t unit = 1, n;

	if (str_ends(s, STR("d")))
		unit = 24 * 3600;
	else if (str_ends(s, STR("h")))
		unit = 3600;
	else if (str_ends(s, STR("m")))
		unit = 60;
	if (unit > 1 || str_ends(s, STR("s")))
		s.n--;
	if (str_u64(s, 1000000, &n) < 0 || n == 0 || n * unit > UINT32_MAX)
		return -1;
	*out = (unsigned)(n * unit);
	return 0;
}

static int set_value(
	struct arena *a, struct options *o, enum option_id id, const char *text, struct err *e)
{
	const struct option_info *info = &infos[id];
	void *field = (char *)o + info->offset;
	uint64_t n;

	switch (info->kind) {
	case FLAG:
		*(bool *)field = true;
		return 0;
	case COUNT:
		++*(unsigned *)field;
		return 0;
	case TEXT:
		*(const char **)field = text;
		return 0;
	case LIST:
		*VEC_PUSH(a, (struct text_list *)field) = text;
		return 0;
	case NUMBER:
		if (str_u64(str_of(text), 1024, &n) < 0 || n == 0)
			return err_set(e, ERR_USAGE, "--%s takes a whole number from 1, not '%s'",
				info->name, text);
		*(unsigned *)field = (unsigned)n;
		return 0;
	case SECONDS:
		if (parse_seconds(text, field) < 0)
			return err_set(e, ERR_USAGE,
				"--%s takes a time such as 90, 30m or 2h, not '%s'", info->name,
				text);
		return 0;
	case BYTES:
		if (str_bytes(str_of(text), field) < 0 || *(uint64_t *)field == 0)
			return err_set(e, ERR_USAGE,
				"--%s takes a size such as 500M or 2G, not '%s'", info->name, text);
		return 0;
	case PROCESSES:
		if (str_u64(str_of(text), MAX_PIDS, &n) < 0 || n < ENGINE_MIN_PROCESSES)
			return err_set(e, ERR_USAGE,
				"--%s takes a whole number from %d to %d, not '%s'", info->name,
				ENGINE_MIN_PROCESSES, MAX_PIDS, text);
		*(unsigned *)field = (unsigned)n;
		return 0;
	}
	return 0;
}

const char *option_name(enum option_id id)
{
	return infos[id].name;
}

bool option_is_taken(const struct command *command, enum option_id id)
{
	for (const enum option_id *p = command->options; *p; p++)
		if (*p == id)
			return true;
	return false;
}

/* getopt's two descriptions of the options that this command takes. */
static void describe(const struct command *command, struct option *longs, struct buf *shorts)
{
	buf_putc(shorts, ':');
	for (const enum option_id *id = command->options; *id; id++) {
		const struct option_info *info = &infos[*id];

		*longs++ = (struct option){info->name, info->arg ? required_argument : no_argument,
			NULL, 256 + (int)*id};
		if (info->letter)
			buf_printf(shorts, "%c%s", info->letter, info->arg ? ":" : "");
	}
	*longs = (struct option){0};
}

static enum option_id id_of(int value)
{
	if (value >= 256)
		return (enum option_id)(value - 256);
	for (int i = 1; i < OPT_COUNT; i++)
		if (infos[i].letter == value)
			return (enum option_id)i;
	return OPT_NONE;
}

static int bad_option(const struct command *command, int value, char **argv, struct err *e)
{
	const char *word = argv[optind - 1];

	if (value == ':')
		err_set(e, ERR_USAGE, "option '%s' needs a value", word);
	else if (optopt && optopt < 256)
		err_set(e, ERR_USAGE, "no option '-%c' in 'envbuild %s'", optopt, command->name);
	else
		err_set(e, ERR_USAGE, "no option '%s' in 'envbuild %s'", word, command->name);
	return err_advise(e, "see 'envbuild %s --help'", command->name);
}

static int check_operands(const struct command_line *line, struct err *e)
{
	const struct command *c = line->command;

	if (line->options.help)
		return 0;
	if (line->n_operands < c->min_operands)
		err_set(e, ERR_USAGE, "'envbuild %s' needs %s", c->name, c->operands);
	else if (line->n_operands > c->max_operands)
		err_set(e, ERR_USAGE, "'%s' is one word too many for 'envbuild %s'",
			line->operands[c->max_operands], c->name);
	else if (line->program && !c->takes_command)
		err_set(e, ERR_USAGE, "'envbuild %s' takes no command behind '--'", c->name);
	else
		return 0;
	return err_advise(e, "see 'envbuild %s --help'", c->name);
}

int options_parse(struct arena *a, const struct command *command, int argc, char **argv,
	struct command_line *out, struct err *e)
{
	struct option longs[OPT_COUNT];
	CLEANUP_BUF shorts = {0};
	int words = argc, value;

	*out = (struct command_line){.command = command};
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--") == 0) {
			words = i;
			out->program = (const char **)(argv + i + 1);
			break;
		}
	describe(command, longs, &shorts);
	opterr = 0;
	optind = 0;
	while ((value = getopt_long(words, argv, shorts.p, longs, NULL)) != -1) {
		if (value == '?' || value == ':')
			return bad_option(command, value, argv, e);
		if (set_value(a, &out->options, id_of(value), optarg, e) < 0)
			return err_advise(e, "see 'envbuild %s --help'", command->name);
		*VEC_PUSH(a, &out->given) = (struct given_option){id_of(value), optarg};
	}
	out->operands = (const char **)(argv + optind);
	out->n_operands = (size_t)(words - optind);
	return check_operands(out, e);
}

/* One line of help: the option in a column of its own. */
static void help_line(const struct option_info *info)
{
	char left[64];

	snprintf(left, sizeof left, "%s%c%s--%s%s%s", info->letter ? "-" : " ",
		info->letter ? info->letter : ' ', info->letter ? ", " : "  ", info->name,
		info->arg ? " " : "", info->arg ? info->arg : "");
	printf("  %-27s %s\n", left, info->help);
}

void options_help(const struct command *command)
{
	printf("usage: envbuild %s%s%s [OPTION]...%s\n\n%s\n\n", command->name,
		*command->operands ? " " : "", command->operands,
		command->takes_command ? " [-- COMMAND...]" : "", command->about);
	for (const enum option_id *id = command->options; *id; id++)
		help_line(&infos[*id]);
	printf("\nexample:\n  %s\n", command->example);
}
