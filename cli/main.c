/* envbuild: finds the command, runs it, reports. */
#include "base/interrupt.h"
#include "base/log.h"
#include "cli/session.h"
#include "cli/unsat.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int command_status;

static const enum option_id pack_options[] = {OPT_CHANNEL, OPT_OVERRIDE_CHANNELS, OPT_CHANNEL_ALIAS,
	OPT_CHANNEL_PRIORITY, OPT_AS_OF, OPT_CONDARC, OPT_TARGET, OPT_IMAGE, OPT_NAME, OPT_OUTPUT,
	OPT_TEST, OPT_NO_TEST, OPT_PROJECT, OPT_TEST_SHELL, OPT_LOCKED, OPT_FORMAT, OPT_LEVEL,
	OPT_SPLIT, OPT_DEST_PREFIX, OPT_VERSION, OPT_ATTEST, OPT_SIGN_WITH, OPT_NO_COMPILE,
	OPT_ALLOW_CLOBBER, OPT_FROZEN, OPT_EXTERNALLY_MANAGED, OPT_EXCLUDE, OPT_INCLUDE, OPT_DROP,
	OPT_RENAME, OPT_ADD, OPT_PRE_PACK, OPT_ARCHIVE_MAX, OPT_SIZE_REPORT, OPT_VAULT, OPT_MIRROR,
	OPT_LOW_DISK, OPT_FORCE, OPT_IGNORE, OPT_FACTS, OPT_REPORT, OPT_AUDIT_SOLVE,
	OPT_NO_AUDIT_SOLVE, OPT_ENGINE, OPT_TIMEOUT, OPT_QUOTA, OPT_MAX_PROCESSES, OPT_GPU,
	OPT_JOBS, OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id lock_options[] = {OPT_CHANNEL, OPT_OVERRIDE_CHANNELS, OPT_CHANNEL_ALIAS,
	OPT_CHANNEL_PRIORITY, OPT_AS_OF, OPT_CONDARC, OPT_TARGET, OPT_IMAGE, OPT_OUTPUT, OPT_CHECK,
	OPT_UPDATE, OPT_ALLOW_CLOBBER, OPT_IGNORE, OPT_FACTS, OPT_REPORT, OPT_AUDIT_SOLVE,
	OPT_NO_AUDIT_SOLVE, OPT_VAULT, OPT_MIRROR, OPT_ENGINE, OPT_TIMEOUT, OPT_JOBS, OPT_OFFLINE,
	OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id install_options[] = {OPT_PREFIX, OPT_CHANNEL, OPT_OVERRIDE_CHANNELS,
	OPT_CHANNEL_ALIAS, OPT_CHANNEL_PRIORITY, OPT_AS_OF, OPT_CONDARC, OPT_TARGET, OPT_IMAGE,
	OPT_LOCKED, OPT_NO_DEPS, OPT_COPY, OPT_NO_COMPILE, OPT_ALLOW_CLOBBER, OPT_FROZEN,
	OPT_EXTERNALLY_MANAGED, OPT_VAULT, OPT_MIRROR, OPT_ENGINE, OPT_TIMEOUT, OPT_JOBS,
	OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id test_options[] = {OPT_TEST, OPT_PROJECT, OPT_TEST_SHELL, OPT_TARGET,
	OPT_IMAGE, OPT_NAME, OPT_ENGINE, OPT_TIMEOUT, OPT_QUOTA, OPT_MAX_PROCESSES, OPT_GPU,
	OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id run_options[] = {OPT_CHANNEL, OPT_OVERRIDE_CHANNELS, OPT_CHANNEL_ALIAS,
	OPT_CHANNEL_PRIORITY, OPT_AS_OF, OPT_CONDARC, OPT_TARGET, OPT_IMAGE, OPT_LOCKED,
	OPT_ALLOW_CLOBBER, OPT_VAULT, OPT_MIRROR, OPT_ENGINE, OPT_TIMEOUT, OPT_QUOTA,
	OPT_MAX_PROCESSES, OPT_GPU, OPT_JOBS, OPT_OFFLINE, OPT_QUIET, OPT_VERBOSE, OPT_HELP,
	OPT_NONE};
static const enum option_id unpack_options[] = {
	OPT_PREFIX, OPT_JOBS, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id index_options[] = {
	OPT_SHARDS, OPT_JOBS, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id verify_options[] = {OPT_REBUILD, OPT_SIGNER, OPT_VAULT, OPT_MIRROR,
	OPT_CHANNEL, OPT_CHANNEL_ALIAS, OPT_CONDARC, OPT_IMAGE, OPT_PROJECT, OPT_ENGINE,
	OPT_TIMEOUT, OPT_MAX_PROCESSES, OPT_JOBS, OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE,
	OPT_HELP, OPT_NONE};
static const enum option_id audit_options[] = {OPT_TARGET, OPT_IMAGE, OPT_SYMBOLS, OPT_IGNORE,
	OPT_REPORT, OPT_FACTS, OPT_EXPORT_FACTS, OPT_OFFLINE, OPT_JOBS, OPT_JSON, OPT_QUIET,
	OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id check_options[] = {
	OPT_JOBS, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id vault_options[] = {OPT_TARGET, OPT_CHANNEL, OPT_CHANNEL_ALIAS,
	OPT_CONDARC, OPT_MIRROR, OPT_JOBS, OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP,
	OPT_NONE};
static const enum option_id publish_options[] = {OPT_TAG, OPT_TO, OPT_OVERWRITE, OPT_UNTESTED,
	OPT_KEEP, OPT_NOTES, OPT_PREVIOUS, OPT_COMMIT, OPT_PRERELEASE, OPT_DRY_RUN, OPT_JSON,
	OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id export_options[] = {
	OPT_EXPORT_FORMAT, OPT_TARGET, OPT_OUTPUT, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id diff_options[] = {OPT_DIFF_FORMAT, OPT_TARGET, OPT_OUTPUT, OPT_JSON,
	OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id why_options[] = {OPT_CHANNEL, OPT_OVERRIDE_CHANNELS, OPT_CHANNEL_ALIAS,
	OPT_CHANNEL_PRIORITY, OPT_AS_OF, OPT_CONDARC, OPT_TARGET, OPT_MIRROR, OPT_OFFLINE, OPT_JSON,
	OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id pull_options[] = {
	OPT_PLAIN_HTTP, OPT_OFFLINE, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id build_options[] = {OPT_DOCKERFILE, OPT_TOOL, OPT_BUILD_TIMEOUT,
	OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id clean_options[] = {OPT_OLDER, OPT_MAX_SIZE, OPT_ALL, OPT_DRY_RUN,
	OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id image_options[] = {
	OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id info_options[] = {OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};
static const enum option_id probe_options[] = {OPT_PROBE_NAME, OPT_IMAGE, OPT_UNION,
	OPT_CHECK_PROFILE, OPT_SCRIPT, OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};

static const enum option_id deploy_options[] = {OPT_VERSION, OPT_TICKET, OPT_STAGE, OPT_DEV_RECORD,
	OPT_KEEP, OPT_ROLLBACK, OPT_UNTESTED, OPT_DEPLOY_NO_TEST, OPT_PROJECT, OPT_TEST_SHELL,
	OPT_DRY_RUN, OPT_ENGINE, OPT_TIMEOUT, OPT_QUOTA, OPT_MAX_PROCESSES, OPT_GPU, OPT_JOBS,
	OPT_JSON, OPT_QUIET, OPT_VERBOSE, OPT_HELP, OPT_NONE};

const struct command commands[] = {
	{"pack", "[ENV]", "environment.yml to a tested, relocatable archive",
		"Solves ENV (environment.yml) for the target, installs it in a sandbox, packs\n"
		"it, unpacks the archive elsewhere and runs the test script there. Only then\n"
		"does NAME.tar.gz appear, with NAME.sha256 and NAME.run.json beside it, and\n"
		"envbuild.lock beside ENV.",
		"envbuild pack environment.yml -t rhel7 --test run-test.sh", 0, 1, false,
		pack_options, command_pack},
	{"lock", "[ENV]", "solve for each target, write envbuild.lock",
		"Solves ENV (environment.yml) for each target and writes envbuild.lock beside\n"
		"it: a rattler lock file, version 7. Entries of other targets stay.",
		"envbuild lock environment.yml -t rhel7 -t debian12", 0, 1, false, lock_options,
		command_lock},
	{"install", "[ENV]", "install an environment into a folder",
		"Installs ENV (environment.yml, or a lock file) into the folder given with -p,\n"
		"from the lock where it fits. The folder is new, empty or an environment, which\n"
		"is changed into the wanted one; a change that fails is undone.",
		"envbuild install environment.yml -p ./env", 0, 1, false, install_options,
		command_install},
	{"test", "ARCHIVE|PREFIX", "run the test script in the target's image",
		"Unpacks the archive (or takes the installed folder) and runs the test script\n"
		"in it, as pack does. Without --test the script in the archive is run.",
		"envbuild test demo.tar.gz --test run-test.sh", 1, 1, false, test_options,
		command_test},
	{"run", "ENV|LOCK|ARCHIVE|PREFIX", "run a command in an environment",
		"Brings the environment up in the target's image, active, with the working\n"
		"folder, and runs COMMAND. What it writes into the environment is thrown away.\n"
		"Without COMMAND it is 'envbuild shell'.",
		"envbuild run demo.tar.gz -- python -V", 1, 1, true, run_options, command_run},
	{"shell", "ENV|LOCK|ARCHIVE|PREFIX", "a shell in an environment",
		"Brings the environment up in the target's image and gives a prompt there: the\n"
		"environment active, a private /tmp, the working folder mounted. What is written\n"
		"into the environment is thrown away.",
		"envbuild shell demo.tar.gz", 1, 1, false, run_options, command_shell},
	{"unpack", "ARCHIVE DIR", "unpack an archive and relocate it",
		"Unpacks into DIR, which must be new or empty, and relocates the environment\n"
		"for that path, or for the one given with --prefix.",
		"envbuild unpack demo.tar.gz ./demo", 2, 2, false, unpack_options, command_unpack},
	{"verify", "ARCHIVE|PREFIX", "is an archive or environment as it was made?",
		"Holds every file of the archive against what it lists and what stands beside it,\n"
		"with --rebuild against what its lock gives; or every file of the installed\n"
		"environment against what its packages say.",
		"envbuild verify demo.tar.gz --rebuild", 1, 1, false, verify_options,
		command_verify},
	{"audit", "ARCHIVE|PREFIX|FILE...", "can every binary file load on the target?",
		"Looks at each ELF file, script and link of an archive, an environment (of conda,\n"
		"mamba or conda-pack, too), packages or single files, and says what hosts of the\n"
		"target lack. Nothing is run. Exit status 7 where something cannot load.",
		"envbuild audit demo.tar.gz -t rhel7 --report audit.html", 0, SIZE_MAX, false,
		audit_options, command_audit},
	{"deploy", "ARCHIVE ROOT", "bring a release onto a production host",
		"Unpacks the archive to ROOT/NAME-VERSION, verifies every file, checks the host,\n"
		"runs the packed test there, takes write permission, switches the link\n"
		"ROOT/current and appends to ROOT/deployments.jsonl. With --rollback ROOT alone\n"
		"the link goes back. No network is used.",
		"envbuild deploy demo.tar.gz /opt/demo --version 1.2 --ticket OPS-7", 1, 2, false,
		deploy_options, command_deploy},
	{"publish", "ARCHIVE...", "put archives under a release tag",
		"Makes the archives, with their sums and papers, the release TAG of a repository\n"
		"on GitHub, Gitea or Forgejo, or the folder DIR/TAG. What was not tested is\n"
		"refused; what is published already is not done twice and not overwritten.",
		"envbuild publish demo.tar.gz --tag v1.2 --to github:me/demo", 1, SIZE_MAX, false,
		publish_options, command_publish},
	{"vault", "LOCK DIR", "keep all packages of a lock in a folder",
		"Puts every package and wheel of the lock into DIR, an indexed channel from\n"
		"which pack and install work without a network (--offline --vault DIR).",
		"envbuild vault envbuild.lock ./vault", 2, 2, false, vault_options, command_vault},
	{"export", "LOCK", "write a lock in another form",
		"Writes the lock as an @EXPLICIT file, a conda-lock.yml or an environment.yml\n"
		"whose packages are pinned. Reads every kind of lock that install takes.",
		"envbuild export envbuild.lock --format explicit -t rhel7", 1, 1, false,
		export_options, command_export},
	{"diff", "OLD NEW", "what differs between two environments",
		"Compares two environments, each an archive, a lock or an installed folder (of\n"
		"conda or micromamba, too): packages, builds, licences, files, sizes and the\n"
		"glibc they need. --format markdown is made for release notes.",
		"envbuild diff demo-1.0.tar.gz demo-1.1.tar.gz", 2, 2, false, diff_options,
		command_diff},
	{"why", "SPEC [ENV|LOCK]", "why a package is in, or cannot be",
		"Shows by which lines and packages SPEC gets into the solution of ENV\n"
		"(environment.yml, or a lock file) and what keeps it from being newer; else what\n"
		"would change if it was added, or why that is not possible.",
		"envbuild why 'numpy>=2' environment.yml -t rhel7", 1, 2, false, why_options,
		command_why},
	{"channel index", "DIR", "make a folder of packages a channel",
		"Writes repodata.json and repodata.json.zst for each subdir of DIR\n"
		"(DIR/linux-64/*.conda, DIR/noarch/*.tar.bz2 and so on).",
		"envbuild channel index ./channel", 1, 1, false, index_options,
		command_channel_index},
	{"image import", "NAME FILE|DIR|-", "keep a root file system as a target's image",
		"Takes a tar of a root file system (plain, gzip, xz, zstd, bzip2), an archive of\n"
		"'docker save', an OCI archive or layout, or a folder, and keeps it as NAME: the\n"
		"image of the target that is called so. FILE:REFERENCE chooses one of several.",
		"envbuild image import rhel7 centos7.tar.xz", 2, 2, false, image_options,
		command_image_import},
	{"image list", "", "targets and images",
		"Lists the targets that are known here, what they offer and whether their image\n"
		"is at hand, and then images that no target is called by.",
		"envbuild image list", 0, 0, false, image_options, command_image_list},
	{"image show", "NAME", "a target's profile and its image",
		"Prints the profile of the target NAME (a file, too) and what is known of the\n"
		"image of that name.",
		"envbuild image show rhel7", 1, 1, false, image_options, command_image_show},
	{"image rm", "NAME...", "remove images",
		"Removes the images; a root file system that has other names stays for these.",
		"envbuild image rm rhel7", 1, SIZE_MAX, false, image_options, command_image_rm},
	{"image pull", "NAME [REFERENCE]", "get an image from a registry",
		"Fetches the image REFERENCE (the target's own, where NAME is a target) from its\n"
		"registry and keeps its root file system as NAME. Layers that are here already\n"
		"are not fetched again.",
		"envbuild image pull debian12", 1, 2, false, pull_options, command_image_pull},
	{"image build", "NAME", "build an image from a Dockerfile",
		"Builds the target's Dockerfile with buildah, podman or docker and keeps the root\n"
		"file system as NAME.",
		"envbuild image build rhel7", 1, 1, false, build_options, command_image_build},
	{"image probe", "[FILE...]", "what this host offers, as a target profile",
		"Prints a profile of this host (or of a root file system) for -t FILE.yml:\n"
		"C library, kernel, CPU, CUDA driver, libraries, file systems, limits. With\n"
		"--union the weakest of the profiles in FILE... For hosts where envbuild does\n"
		"not run, there are --script and the static envbuild-probe.",
		"envbuild image probe > targets/node17.yml", 0, SIZE_MAX, false, probe_options,
		command_image_probe},
	{"cache info", "", "what the package cache holds",
		"Shows where the cache is, how many packages and indexes it holds and how\n"
		"large they are.",
		"envbuild cache info", 0, 0, false, info_options, command_cache_info},
	{"cache verify", "", "check every file of the package cache",
		"Compares every file of the cache with the sums its package had, and removes\n"
		"packages that are damaged: they are fetched anew when next needed.",
		"envbuild cache verify", 0, 0, false, check_options, command_cache_verify},
	{"cache clean", "", "remove what is not needed from the package cache",
		"Removes what killed runs left and packages that no known lock refers to.\n"
		"With --older or --max-size only those that were not used lately.",
		"envbuild cache clean --older 30d", 0, 0, false, clean_options,
		command_cache_clean},
	{0}};

static void help(void)
{
	printf("usage: envbuild COMMAND [OPTION]...\n\n"
	       "environment.yml and a declared production target in, a tested, relocatable,\n"
	       "reproducible release archive out.\n\n");
	for (const struct command *c = commands; c->name; c++)
		printf("  %-14s %s\n", c->name, c->summary);
	printf("\n'envbuild COMMAND --help' shows a command's options.\n"
	       "\nexample:\n  envbuild pack environment.yml -t rhel7 --test run-test.sh\n");
}

/* The command named by the first one or two words; *words says how many they were. */
static const struct command *find_command(int argc, char **argv, int *words)
{
	for (const struct command *c = commands; c->name; c++) {
		struct str rest = str_of(c->name);
		int n = 0;

		while (rest.p && n + 1 < argc && str_is(str_cut(&rest, ' '), argv[n + 1]))
			n++;
		if (n > 0 &&
			str_of(c->name).n == strlen(argv[1]) + (n == 2 ? 1 + strlen(argv[2]) : 0)) {
			*words = n;
			return c;
		}
	}
	return NULL;
}

static int dispatch(int argc, char **argv, struct session *s, struct err *e)
{
	const struct command *command;
	int words = 0;

	command = find_command(argc, argv, &words);
	if (!command)
		return err_set(e, ERR_USAGE, "no command '%s'", argv[1]);
	if (options_parse(&s->arena, command, argc - words, argv + words, &s->line, e) < 0)
		return -1;
	if (s->line.options.help) {
		options_help(command);
		return 0;
	}
	log_setup((struct log_options){.quiet = s->line.options.quiet || s->line.options.json,
		.verbose = (int)s->line.options.verbose});
	return command->run(s, e);
}

/*
 * Where whoever started us closed one of the standard streams, the next file opened would take its
 * number and get what is meant for the terminal.  stdout is held by what cannot be written to, so
 * that a result nobody gets is an error still.
 */
static int hold_standard_streams(void)
{
	for (int fd = 0; fd < 3; fd++)
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
			open("/dev/null", fd == STDERR_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

static int run_command(int argc, char **argv)
{
	struct session s = {.work_lock = -1};
	struct err e = {0};
	int status;

	if (dispatch(argc, argv, &s, &e) < 0) {
		log_error(&e);
		if (s.unsat && (e.code == ERR_UNSAT || e.code == ERR_AUDIT))
			unsat_document(&s.line.options, s.unsat, &e);
		status = err_exit_status(e.code);
	} else {
		status = command_status;
	}
	err_release(&e);
	session_close(&s);
	return status;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (hold_standard_streams() < 0)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN); /* a file over the limit is an error that write() tells */
	interrupt_setup();
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		help();
		status = argc < 2 ? 2 : 0;
	} else if (strcmp(argv[1], "--version") == 0) {
		puts("envbuild " ENVBUILD_VERSION);
	} else {
		status = run_command(argc, argv);
	}
	interrupt_end();
	if (fflush(stdout) == EOF) {
		perror("envbuild: cannot write to stdout");
		return status ? status : 1;
	}
	return status;
}
