/*
 * The command line: one table of options, one list of them per command.
 *
 * Options are named as conda users know them.  An option is described once (cli/options.c) and
 * a command names those it takes, so that help, parsing and the man pages cannot disagree.
 */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/arena.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

struct text_list {
	const char **v;
	size_t n, cap;
};

struct options {
	struct text_list channels, targets, allow_clobber, mirrors, update;
	const char *channel_alias, *channel_priority;
	const char *image, *name, *prefix, *output, *engine, *format, *test, *test_shell, *vault,
		*max_size, *as, *as_of, *condarc, *dockerfile, *version, *ticket, *stage,
		*dev_record, *tool, *project, *check_profile;
	bool override_channels, offline, json, quiet, help, no_test, locked, no_deps, copy,
		no_compile, frozen, externally_managed, low_disk, all, dry_run, check, shards,
		plain_http, unite, script, force, rollback, untested;
	const char *tag, *to, *notes, *previous, *commit; /* publish */
	bool overwrite, prerelease;
	const char *gpu, *dest_prefix;
	struct text_list exclude, include, rename, add, drop;
	const char *pre_pack;
	bool size_report;
	uint64_t archive_max; /* --max-size of pack, in bytes */
	unsigned verbose, jobs, level, timeout, older, max_processes, keep;
	uint64_t quota, split;
	const char *sign_with, *signer;
	bool attest, rebuild;
	struct text_list ignore, facts, reports;
	const char *export_facts;
	bool symbols, audit_solve, no_audit_solve;
};

enum option_id {
	OPT_NONE, /* ends a command's list */
	OPT_CHANNEL,
	OPT_OVERRIDE_CHANNELS,
	OPT_CHANNEL_ALIAS,
	OPT_CHANNEL_PRIORITY,
	OPT_TARGET,
	OPT_IMAGE,
	OPT_NAME,
	OPT_PREFIX,
	OPT_OUTPUT,
	OPT_TEST,
	OPT_NO_TEST,
	OPT_PROJECT,
	OPT_TEST_SHELL,
	OPT_LOCKED,
	OPT_FORMAT,
	OPT_LEVEL,
	OPT_ATTEST,
	OPT_SIGN_WITH,
	OPT_SIGNER,
	OPT_REBUILD,
	OPT_SPLIT,
	OPT_DEST_PREFIX,
	OPT_NO_DEPS,
	OPT_COPY,
	OPT_NO_COMPILE,
	OPT_ALLOW_CLOBBER,
	OPT_FROZEN,
	OPT_EXTERNALLY_MANAGED,
	OPT_EXCLUDE,
	OPT_INCLUDE,
	OPT_DROP,
	OPT_RENAME,
	OPT_ADD,
	OPT_PRE_PACK,
	OPT_ARCHIVE_MAX,
	OPT_SIZE_REPORT,
	OPT_VAULT,
	OPT_MIRROR,
	OPT_LOW_DISK,
	OPT_FORCE,
	OPT_OLDER,
	OPT_MAX_SIZE,
	OPT_ALL,
	OPT_DRY_RUN,
	OPT_CHECK,
	OPT_UPDATE,
	OPT_AS_OF,
	OPT_CONDARC,
	OPT_EXPORT_FORMAT,
	OPT_DIFF_FORMAT,
	OPT_SHARDS,
	OPT_PLAIN_HTTP,
	OPT_DOCKERFILE,
	OPT_TOOL,
	OPT_BUILD_TIMEOUT,
	OPT_PROBE_NAME,
	OPT_UNION,
	OPT_CHECK_PROFILE,
	OPT_SCRIPT,
	OPT_VERSION,
	OPT_TICKET,
	OPT_STAGE,
	OPT_DEV_RECORD,
	OPT_KEEP,
	OPT_ROLLBACK,
	OPT_UNTESTED,
	OPT_DEPLOY_NO_TEST,
	OPT_ENGINE,
	OPT_TIMEOUT,
	OPT_QUOTA,
	OPT_MAX_PROCESSES,
	OPT_GPU,
	OPT_TAG,
	OPT_TO,
	OPT_OVERWRITE,
	OPT_NOTES,
	OPT_PREVIOUS,
	OPT_COMMIT,
	OPT_PRERELEASE,
	OPT_IGNORE,
	OPT_SYMBOLS,
	OPT_FACTS,
	OPT_EXPORT_FACTS,
	OPT_REPORT,
	OPT_AUDIT_SOLVE,
	OPT_NO_AUDIT_SOLVE,
	OPT_JOBS,
	OPT_OFFLINE,
	OPT_JSON,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_COUNT
};

struct session;

struct command {
	const char *name;     /* "pack", "channel index" */
	const char *operands; /* "[ENV]" */
	const char *summary;  /* one line of `envbuild --help` */
	const char *about;    /* a paragraph of its own help */
	const char *example;  /* one command line */
	size_t min_operands, max_operands;
	bool takes_command; /* operands may be followed by -- CMD ARG... */
	const enum option_id *options;
	int (*run)(struct session *s, struct err *e);
};

/* An option as it was given; operands are none of these. */
struct given_option {
	enum option_id id;
	const char *value; /* NULL: it takes none */
};

struct command_line {
	const struct command *command;
	struct {
		struct given_option *v;
		size_t n, cap;
	} given; /* in their order */
	struct options options;
	const char **operands;
	size_t n_operands;
	const char **program; /* what stood after "--", NULL-terminated; NULL: nothing */
};

/*
 * Parses the words behind the command's name.  ERR_USAGE names the word that is wrong and the
 * command's help.  Texts point into argv.
 */
int options_parse(struct arena *a, const struct command *command, int argc, char **argv,
	struct command_line *out, struct err *e);
/* Its long name, without the dashes. */
const char *option_name(enum option_id id);
/* Does the command take this option? */
bool option_is_taken(const struct command *command, enum option_id id);
/* A command's help, in lines of at most 80 columns, on stdout. */
void options_help(const struct command *command);
/* "90", "90s", "30m", "2h", "7d" in seconds; -1 where it is none of them. */
int parse_seconds(const char *text, unsigned *out);

#endif
