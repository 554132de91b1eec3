/*
 * envbuild deploy: a release onto a production file system (docs/design/deploy.md).
 *
 * deploy_release() is the list of stages.  Until the link is switched nothing that is in use changes,
 * and whatever stage fails, the new folder goes and the log says why.
 */
#include "packer/deploy.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/change_busy.h"
#include "builder/disk.h"
#include "builder/test.h"
#include "cli/deploy.h"
#include "cli/output.h"
#include "packer/pack.h"
#include "packer/unpacked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* --- before anything is written ------------------------------------------------------------- */

static int check_name(struct deploying *d, struct str text, const char *what, struct err *e)
{
	if (profile_name_is_good(text))
		return 0;
	return err_set(e, ERR_USAGE,
		"the %s '%.*s' of '%s' cannot be a folder's name: letters, digits, '.', '_' and "
		"'-' can",
		what, STR_ARG(text), d->operand);
}

static int name_folder(struct deploying *d, struct err *e)
{
	const struct options *o = &d->s->line.options;
	struct arena *a = &d->s->arena;
	struct deployment *line = &d->line;

	line->name = d->release.manifest.name;
	line->version = o->version ? str_of(o->version) : d->release.manifest.version;
	if (line->version.n == 0) {
		err_set(e, ERR_USAGE, "'%s' says no version", d->operand);
		return err_advise(e, "give one with --version, here or to 'envbuild pack'");
	}
	if (check_name(d, line->name, "name", e) < 0 ||
		check_name(d, line->version, "version", e) < 0)
		return -1;
	line->folder = arena_strf(a, "%.*s-%.*s", STR_ARG(line->name), STR_ARG(line->version));
	d->dir = path_join(a, d->root, arena_cstr(a, line->folder));
	return 0;
}

static int check_tested(const struct deploying *d, struct err *e)
{
	if (d->release.test == RELEASE_TESTED || d->s->line.options.untested)
		return 0;
	if (d->release.test == RELEASE_TEST_FAILED)
		return err_set(e, ERR_TEST, "'%s' failed its test", d->operand);
	err_set(e, ERR_TEST, "'%s' was not tested, or its run.json is not beside it", d->operand);
	return err_advise(e, "bring NAME.run.json along, or deploy it as it is with --untested");
}

static int open_release(struct deploying *d, struct err *e)
{
	char hex[SHA256_HEX + 1];
	struct step step;

	step_begin(&step, "check", 0, 0);
	if (release_open(&d->s->arena, d->operand, &d->release, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%s", path_base(d->operand));
	hex_encode(d->release.sha256, SHA256_LEN, hex);
	d->line.sha256 = arena_str(&d->s->arena, str_of(hex));
	d->line.archive = str_of(path_base(d->release.parts.whole));
	d->line.target = d->release.manifest.target;
	if (check_tested(d, e) < 0)
		return -1;
	return name_folder(d, e);
}

/* --stage prod: the same bytes have been in use for development. */
static int check_stage(struct deploying *d, struct err *e)
{
	const char *elsewhere = d->s->line.options.dev_record;
	struct deploy_log log = d->log;

	if (!str_is(d->line.stage, "prod"))
		return 0;
	if (deploy_log_stage(&log, d->line.sha256, "dev"))
		return 0;
	if (elsewhere) {
		if (!path_exists(elsewhere))
			return err_set(e, ERR_USAGE, "--dev-record: no file '%s'", elsewhere);
		if (deploy_log_read(&d->s->arena, elsewhere, &log, e) < 0)
			return -1;
		if (deploy_log_stage(&log, d->line.sha256, "dev"))
			return 0;
	}
	err_set(e, ERR_FAIL, "'%s' has no record of a deployment for dev of this very archive",
		elsewhere ? elsewhere : path_join(&d->s->arena, d->root, DEPLOY_LOG));
	return err_advise(e, "deploy it with --stage dev first; --dev-record names the " DEPLOY_LOG
			     " of another folder");
}

/* One name in one root, or `current` would mean nothing. */
static int check_place(struct deploying *d, struct err *e)
{
	const struct deployment *there = deploy_log_folder(&d->log, d->line.folder);

	for (size_t i = 0; i < d->log.n; i++)
		if (str_is(d->log.v[i].result, "ok") && d->log.v[i].name.n &&
			!str_eq(d->log.v[i].name, d->line.name)) {
			err_set(e, ERR_USAGE, "'%s' holds releases of '%.*s', not of '%.*s'",
				d->root, STR_ARG(d->log.v[i].name), STR_ARG(d->line.name));
			return err_advise(e, "give each environment a folder of its own");
		}
	if (!path_exists(d->dir))
		return 0;
	if (!there) {
		err_set(e, ERR_USAGE, "'%s' stands there, and no deployment made it", d->dir);
		return err_advise(e, "move it away, or give another --version");
	}
	if (!str_eq(there->sha256, d->line.sha256)) {
		err_set(e, ERR_USAGE, "'%s' is there already, made of another archive", d->dir);
		return err_advise(e, "a version is never replaced: give another --version");
	}
	d->again = true;
	return 0;
}

static int check_disk(const struct deploying *d, struct err *e)
{
	uint64_t bytes = d->release.unpacked_bytes;
	struct disk_use use = {.path = d->root, .what = "the unpacked release"};

	if (d->again)
		return 0;
	/* Compressed packages grow by about four; of what says nothing, five is assumed. */
	use.bytes = bytes ? bytes + bytes / 20 : d->release.parts.bytes * 5;
	return disk_check(&use, 1, e);
}

/* --- the folder ------------------------------------------------------------------------------- */

static int unpack_release(struct deploying *d, struct err *e)
{
	struct unpack_request r = {.archive = d->release.parts.whole,
		.dir = d->dir,
		.prefix = d->dir,
		.jobs = d->s->jobs};
	struct step step;

	step_begin(&step, "unpack", 0, 0);
	if (unpack(&r, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%.*s", STR_ARG(d->line.folder));
	return 0;
}

/* Files of a release can name one path, and this one is reached by two. */
static int check_prefix(const struct unpacked *u, const char *dir, struct err *e)
{
	if (!u->has_prefix || strcmp(u->prefix, dir) == 0)
		return 0;
	err_set(e, ERR_USAGE, "'%s' was deployed as '%s', which its files name", dir, u->prefix);
	return err_advise(e, "give the root by that name");
}

int deploy_verify(struct session *s, const char *dir, bool at_place, struct err *e)
{
	struct unpacked u = {.arena = &s->arena};
	struct step step;
	int rc;

	step_begin(&step, "verify", 0, 0);
	rc = unpacked_open(&u, dir, e);
	if (rc == 0)
		rc = err_set(e, ERR_INTEGRITY, "'%s' was not unpacked from an archive", dir);
	if (rc > 0)
		rc = unpacked_check(&u, dir, s->jobs, e);
	if (rc == 0 && at_place)
		rc = check_prefix(&u, dir, e);
	unpacked_close(&u);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files", u.sums.n);
	return rc;
}

/* --- the links -------------------------------------------------------------------------------- */

/* Has anything in this root been deployed for production? */
static bool is_production(const struct deploy_log *log)
{
	for (size_t i = 0; i < log->n; i++)
		if (str_is(log->v[i].action, "deploy") && str_is(log->v[i].result, "ok") &&
			!str_is(log->v[i].stage, "dev"))
			return true;
	return false;
}

/* A release for dev takes `current` only where nothing is in production. */
static int choose_links(struct deploying *d, struct err *e)
{
	bool dev = str_is(d->line.stage, "dev");

	d->line.links = STR(DEPLOY_CURRENT);
	if (dev)
		d->line.links = is_production(&d->log) ? STR(DEPLOY_DEV)
						       : STR(DEPLOY_CURRENT " " DEPLOY_DEV);
	return deploy_link_read(&d->s->arena, d->root,
		dev && is_production(&d->log) ? DEPLOY_DEV : DEPLOY_CURRENT, &d->line.previous, e);
}

static int switch_links(struct deploying *d, struct err *e)
{
	struct arena *a = &d->s->arena;
	struct str rest = d->line.links;

	while (rest.n) {
		char *link = arena_cstr(a, str_cut(&rest, ' '));

		if (deploy_link_read(a, d->root, link, &d->before[d->switched], e) < 0)
			return -1;
		d->switched++;
		if (deploy_link_switch(d->root, link, d->line.folder, e) < 0)
			return -1;
	}
	return 0;
}

/* Of two links one may have been switched. */
static void switch_back(struct deploying *d)
{
	struct str rest = d->line.links, now;

	for (size_t i = 0; i < d->switched; i++) {
		char *link = arena_cstr(&d->s->arena, str_cut(&rest, ' '));

		if (deploy_link_read(&d->s->arena, d->root, link, &now, NULL) < 0 ||
			!str_eq(now, d->line.folder) || str_eq(now, d->before[i]))
			continue;
		if (d->before[i].n)
			deploy_link_switch(d->root, link, d->before[i], NULL);
		else
			unlink(path_join(&d->s->arena, d->root, link));
	}
}

/* The folder goes, the log says why; *e is the failure's. */
static int give_up(struct deploying *d, struct err *e)
{
	struct err more = {0};

	switch_back(d);
	d->line.result = arena_str(&d->s->arena, str_of(e->text ? e->text : "failed"));
	d->line.links = (struct str){0};
	if (!d->again && deploy_remove(d->dir, &more) < 0)
		log_warn("what was unpacked could not be removed: %s", more.text);
	err_release(&more);
	if (deploy_log_append(d->root, &d->line, &more) < 0)
		log_warn("the failure could not be recorded: %s", more.text);
	err_release(&more);
	deploy_end_pending(d, NULL);
	return -1;
}

/* --- --keep ----------------------------------------------------------------------------------- */

static int remove_old(struct deploying *d, const struct deployment *old, struct err *e)
{
	char *dir = path_join(&d->s->arena, d->root, arena_cstr(&d->s->arena, old->folder));
	struct deployment line = *old;
	long pid = deploy_user_of(dir);

	if (pid) {
		log_note("'%s' stays: process %ld uses it", dir, pid);
		return 0;
	}
	line.action = STR("remove");
	line.result = STR("ok");
	line.links = line.previous = line.test = line.stage = (struct str){0};
	line.ticket = d->line.ticket;
	deployment_sign(&d->s->arena, &line);
	/* Recorded first: a folder that is only half there is none to go back to. */
	if (deploy_log_append(d->root, &line, e) < 0 || deploy_remove(dir, e) < 0)
		return -1;
	log_note("'%s' is removed", dir);
	return 0;
}

static bool is_there(const struct deploying *d, struct str folder)
{
	struct arena *a = &d->s->arena;

	return path_exists(path_join(a, d->root, arena_cstr(a, folder)));
}

/* The last N releases stay, by when each was deployed last. */
static int keep_some(struct deploying *d, struct err *e)
{
	unsigned keep = d->s->line.options.keep, seen = 0;

	if (!keep)
		return 0;
	if (deploy_read_log(d, e) < 0)
		return -1;
	for (size_t i = d->log.n; i-- > 0;) {
		const struct deployment *old = deploy_log_folder(&d->log, d->log.v[i].folder);

		/* What somebody removed by hand counts for none. */
		if (old != &d->log.v[i] || !is_there(d, old->folder))
			continue;
		if (++seen > keep && !deploy_is_linked(d, old->folder) && remove_old(d, old, e) < 0)
			return err_wrap(e, "while removing an old release");
	}
	return 0;
}

/* --- the way ---------------------------------------------------------------------------------- */

static int make_folder(struct deploying *d, struct err *e)
{
	if (!d->again && (unpack_release(d, e) < 0 || deploy_protect(d->dir, e) < 0))
		return -1;
	return deploy_verify(d->s, d->dir, true, e);
}

/* Permissions keep root from nothing: what a test without a sandbox may have left goes with its folder. */
static int fill_folder(struct deploying *d, struct err *e)
{
	if (make_folder(d, e) < 0 || deploy_test(d, e) < 0)
		return -1;
	if (d->written && (deploy_remove(d->dir, e) < 0 || make_folder(d, e) < 0))
		return -1;
	return switch_links(d, e);
}

static int check_all(struct deploying *d, struct err *e)
{
	if (check_stage(d, e) < 0 || check_place(d, e) < 0 || deploy_check_host(d, e) < 0 ||
		choose_links(d, e) < 0)
		return -1;
	return check_disk(d, e);
}

static void say_plan(const struct deploying *d)
{
	log_note("would deploy %.*s to '%s'%s and switch '%.*s'%s%.*s", STR_ARG(d->line.archive),
		d->dir, d->again ? ", which is there already," : "", STR_ARG(d->line.links),
		d->line.previous.n ? " from " : "", STR_ARG(d->line.previous));
}

void deploy_say(struct deploying *d)
{
	CLEANUP_BUF text = {0};

	deployment_write(&d->line, &text);
	text.n--; /* output_document ends it */
	output_document(&d->s->line.options, &text);
}

/* In a root that is nobody else's meanwhile. */
static int deploy_release(struct deploying *d, struct err *e)
{
	if (deploy_recover(d, e) < 0 || check_all(d, e) < 0)
		return -1;
	d->line.result = STR("ok");
	if (deploy_write_pending(d, e) < 0)
		return -1;
	if (fill_folder(d, e) < 0)
		return give_up(d, e);
	if (deploy_log_append(d->root, &d->line, e) < 0 || deploy_end_pending(d, e) < 0)
		return -1;
	log_note("'%s' is deployed%s, and '%.*s' leads to it", d->dir, d->again ? " again" : "",
		STR_ARG(d->line.links));
	deploy_say(d);
	return keep_some(d, e);
}

static int make_root(struct deploying *d, struct err *e)
{
	char *parent = path_dir(&d->s->arena, d->root);

	if (path_exists(d->root))
		return 0;
	if (!path_exists(parent)) {
		err_set(e, ERR_USAGE, "there is no folder '%s' to make '%s' in", parent, d->root);
		return err_advise(e, "check the path, or make that folder");
	}
	d->made_root = true;
	return dir_make(d->root, e);
}

static int locked(
	struct deploying *d, int (*work)(struct deploying *d, struct err *e), struct err *e)
{
	CLEANUP_FD dir = open(d->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct busy busy = {.mark = -1};
	int rc;

	if (dir < 0)
		return err_sys(e, "cannot open '%s'", d->root);
	if (busy_take(&busy, dir, d->root, e) < 0)
		return -1;
	rc = work(d, e);
	busy_release(&busy);
	if (rc < 0 && d->made_root)
		rmdir(d->root); /* where there is no record in it */
	return rc;
}

static int check_words(const struct command_line *line, struct err *e)
{
	const struct options *o = &line->options;

	if (o->rollback && line->n_operands != 1)
		err_set(e, ERR_USAGE, "--rollback takes ROOT alone");
	else if (!o->rollback && line->n_operands != 2)
		err_set(e, ERR_USAGE, "an archive and a folder are needed");
	else if (!*line->operands[line->n_operands - 1])
		err_set(e, ERR_USAGE, "the folder to deploy to has no name");
	else if (o->stage && strcmp(o->stage, "dev") != 0 && strcmp(o->stage, "prod") != 0)
		err_set(e, ERR_USAGE, "--stage takes dev or prod, not '%s'", o->stage);
	else
		return 0;
	return err_advise(e, "see 'envbuild deploy --help'");
}

static int dry_run(struct deploying *d, struct err *e)
{
	if (check_all(d, e) < 0)
		return -1;
	say_plan(d);
	deploy_say(d);
	return 0;
}

int command_deploy(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	struct deploying d = {.s = s, .operand = s->line.operands[0]};

	if (check_words(&s->line, e) < 0 || session_open(s, e) < 0 || session_work(s, e) < 0)
		return -1;
	d.line = (struct deployment){.action = STR_INIT("deploy")};
	deployment_sign(&s->arena, &d.line);
	d.line.stage = o->stage ? str_of(o->stage) : (struct str){0};
	d.line.ticket = o->ticket ? str_of(o->ticket) : (struct str){0};
	d.root = path_absolute(&s->arena, s->line.operands[o->rollback ? 0 : 1]);
	if (strchr(d.root, ':'))
		return err_set(e, ERR_USAGE,
			"'%s' cannot stand in PATH, because there is a ':' in it", d.root);
	if (deploy_read_log(&d, e) < 0)
		return -1;
	if (o->rollback)
		return o->dry_run ? deploy_rollback(&d, e) : locked(&d, deploy_rollback, e);
	if (open_release(&d, e) < 0 || (!o->dry_run && make_root(&d, e) < 0))
		return -1;
	return o->dry_run ? dry_run(&d, e) : locked(&d, deploy_release, e);
}
