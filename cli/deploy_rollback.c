/* envbuild deploy --rollback: the link goes back to what was deployed before. */
#include "cli/deploy.h"

#include "base/file.h"
#include "base/log.h"

static const char *link_of(const struct deploying *d)
{
	const char *stage = d->s->line.options.stage;

	return stage && strcmp(stage, "dev") == 0 ? DEPLOY_DEV : DEPLOY_CURRENT;
}

/* --version names it; else the one before that which the link leads to. */
static const struct deployment *choose(struct deploying *d, struct str now, struct err *e)
{
	const char *version = d->s->line.options.version, *link = link_of(d);
	const struct deployment *found = NULL;

	if (!version) {
		found = deploy_log_before(d->root, &d->log, link, now);
		if (!found) {
			err_set(e, ERR_FAIL, "there is no release before '%.*s' in '%s'",
				STR_ARG(now), d->root);
			err_advise(
				e, "--version names one of those in '%s/" DEPLOY_LOG "'", d->root);
		}
		return found;
	}
	for (size_t i = d->log.n; i-- > 0 && !found;)
		if (str_is(d->log.v[i].version, version))
			found = deploy_log_folder(&d->log, d->log.v[i].folder);
	if (!found)
		err_set(e, ERR_USAGE, "no version '%s' is deployed in '%s'", version, d->root);
	return found;
}

int deploy_rollback(struct deploying *d, struct err *e)
{
	struct arena *a = &d->s->arena;
	const char *link = link_of(d);
	const struct deployment *to;
	struct str now;

	if ((!d->s->line.options.dry_run && deploy_recover(d, e) < 0) ||
		deploy_link_read(a, d->root, link, &now, e) < 0)
		return -1;
	if (now.n == 0)
		return err_set(e, ERR_USAGE, "nothing is deployed in '%s': there is no '%s'",
			d->root, link);
	to = choose(d, now, e);
	if (!to)
		return -1;
	d->dir = path_join(a, d->root, arena_cstr(a, to->folder));
	if (deploy_verify(d->s, d->dir, false, e) < 0)
		return err_wrap(e, "'%.*s' is not switched to", STR_ARG(to->folder));
	d->line.action = STR("rollback");
	d->line.result = STR("ok");
	d->line.name = to->name;
	d->line.version = to->version;
	d->line.folder = to->folder;
	d->line.archive = to->archive;
	d->line.sha256 = to->sha256;
	d->line.target = to->target;
	d->line.links = str_of(link);
	d->line.previous = now;
	if (d->s->line.options.dry_run) {
		log_note("would switch '%s/%s' from %.*s to %.*s", d->root, link, STR_ARG(now),
			STR_ARG(to->folder));
		deploy_say(d);
		return 0;
	}
	if (deploy_write_pending(d, e) < 0 ||
		deploy_link_switch(d->root, link, to->folder, e) < 0 ||
		deploy_log_append(d->root, &d->line, e) < 0 || deploy_end_pending(d, e) < 0)
		return -1;
	log_note("'%s/%s' leads to %.*s again, from %.*s", d->root, link, STR_ARG(to->folder),
		STR_ARG(now));
	deploy_say(d);
	return 0;
}
