/*
 * Publishing to a forge: the release of the tag is found or made as a draft, its files are uploaded and
 * looked at, and only then the draft becomes public, so that nobody sees half of it.
 *
 * What is there is compared by name, size and sum: the forge's own sum of it where it gives one, else,
 * for archives, NAME.sha256 that lies beside them, and for other files their bytes.  NAME.sha256 goes up
 * before its archives and goes away with them, so that it never speaks for others.
 *
 * What goes into a release that is public already is uploaded as NAME.incoming; when all is there, the
 * older files are deleted and the new ones renamed.
 */
#include "packer/publish_forge.h"

#include "base/log.h"

/* --- the release ------------------------------------------------------------------------------- */

static int check_commit(const struct forge_publish *p, struct err *e)
{
	const char *commit = p->set->request->commit;
	uint8_t sum[32];

	if (!commit)
		return 0;
	if (hex_decode(str_of(commit), sum, 20) < 0 && hex_decode(str_of(commit), sum, 32) < 0)
		return err_set(
			e, ERR_USAGE, "--commit takes a whole commit, 40 digits, not '%s'", commit);
	return 0;
}

/* A draft is among the list alone. */
static int find_release(struct forge_publish *p, struct err *e)
{
	int found = forge_find_tag(&p->forge, p->set->request->tag, &p->release, e);

	if (found < 0 || forge_list_releases(&p->forge, &p->all, e) < 0)
		return -1;
	for (size_t i = 0; !found && i < p->all.n; i++) {
		const struct forge_release *r = &p->all.v[i];

		if (r->draft && strcmp(r->tag, p->set->request->tag) == 0) {
			p->release = *r;
			found = 1;
		}
	}
	p->found = found;
	p->may_change = !found || p->release.draft || p->set->request->overwrite;
	return 0;
}

/* --- notes ---------------------------------------------------------------------------------------- */

static const struct forge_asset *find_lock(
	const struct forge_publish *p, const struct forge_release *r, size_t i)
{
	const struct forge_asset *found = forge_publish_find(&r->assets, p->set->archives[i].lock);

	for (size_t k = 0; !found && k < r->assets.n; k++)
		if (r->assets.v[k].whole &&
			publish_is_earlier_lock(p->set, i, str_of(r->assets.v[k].name)))
			found = &r->assets.v[k];
	return found;
}

static bool may_be_previous(const struct forge_publish *p, const struct forge_release *r)
{
	const struct publish_request *request = p->set->request;

	if (request->previous)
		return strcmp(r->tag, request->previous) == 0;
	return !r->draft && publish_tag_is_good(r->tag) && strcmp(r->tag, request->tag) != 0 &&
	       (!r->prerelease || request->prerelease);
}

/* Where in the list those begin that are older than ours. */
static size_t first_older(const struct forge_publish *p)
{
	for (size_t i = 0;
		p->found && !p->release.draft && !p->set->request->previous && i < p->all.n; i++)
		if (p->all.v[i].id == p->release.id)
			return i + 1;
	return 0;
}

static int find_earlier(struct forge_publish *p, size_t i, struct earlier_lock *out, struct err *e)
{
	const char *asked = p->set->request->previous;
	size_t k = first_older(p);

	if (asked && strcmp(asked, "none") == 0)
		return 0;
	for (; k < p->all.n; k++) {
		const struct forge_release *r = &p->all.v[k];
		const struct forge_asset *lock = may_be_previous(p, r) ? find_lock(p, r, i) : NULL;

		if (!lock)
			continue;
		out->tag = p->out->previous = r->tag;
		return forge_download(&p->forge, r, lock, FORGE_SMALL_MAX, &out->text, e);
	}
	if (asked)
		return err_set(e, ERR_USAGE, "no release '%s' with a '%s'", asked,
			p->set->archives[i].lock);
	return 0;
}

static int make_notes(struct forge_publish *p, struct err *e)
{
	struct earlier_lock *earlier =
		arena_array(p->arena, struct earlier_lock, p->set->n_archives + 1);

	for (size_t i = 0; i < p->set->n_archives; i++) {
		earlier[i].keep =
			p->found && !p->release.draft && publish_keeps_section(p->set, p->out, i);
		if (find_earlier(p, i, &earlier[i], e) < 0)
			return -1;
	}
	if (publish_notes(p->set, p->release.body, earlier, &p->out->notes, e) < 0)
		return -1;
	p->out->changed |= !str_eq(p->release.body, p->out->notes);
	return 0;
}

/* --- carrying it out -------------------------------------------------------------------------------- */

static int make_release(struct forge_publish *p, struct err *e)
{
	const struct publish_request *r = p->set->request;
	const struct forge_change c = {.tag = r->tag,
		.title = r->tag,
		.commit = r->commit,
		.body = p->out->notes,
		.draft = true,
		.prerelease = r->prerelease,
		.say_body = true,
		.say_draft = true,
		.say_prerelease = true};

	for (unsigned i = 1; !p->found; i++) {
		p->release = (struct forge_release){0};
		if (forge_put_release(&p->forge, &p->release, &c, e) < 0)
			return -1;
		p->found = p->release.id != 0;
		if (p->found)
			break;
		if (i > http_retries(p->forge.http))
			return err_set(e, ERR_NETWORK,
				"cannot make the release: %s fails, or says that it is there and "
				"does not show it",
				p->forge.ops->name);
		if (http_pause(p->forge.http, i, e) < 0 || find_release(p, e) < 0)
			return -1;
		if (p->found && !p->release.draft && !r->overwrite) {
			err_set(e, ERR_FAIL, "'%s' was just published by another run", r->tag);
			return err_advise(e, "run it again: what is the same is not done twice");
		}
	}
	return 0;
}

static int make_public(struct forge_publish *p, struct err *e)
{
	const struct publish_request *r = p->set->request;
	const bool notes_differ = !str_eq(p->release.body, p->out->notes);
	const struct forge_change c = {.body = p->out->notes,
		.tag = p->release.draft ? r->tag : NULL,
		.commit = p->release.draft ? r->commit : NULL,
		.say_body = notes_differ,
		.say_draft = p->release.draft,
		.prerelease = true,
		.say_prerelease = p->release.draft && r->prerelease};

	if (!notes_differ && !p->release.draft)
		return 0;
	return forge_put_release(&p->forge, &p->release, &c, e);
}

static int place_tag(struct forge_publish *p, bool was_public, struct err *e)
{
	const struct publish_request *r = p->set->request;

	if (!r->commit || !was_public)
		return 0;
	if (r->overwrite)
		return p->forge.ops->move_tag(&p->forge, r->tag, r->commit, e);
	log_note("the tag '%s' stays where it is", r->tag);
	return 0;
}

/* Their places as they are when it is public. */
static void tell_urls(struct forge_publish *p)
{
	p->out->url = p->release.url ? p->release.url : forge_url(&p->forge, "/releases");
	for (size_t i = 0; i < p->out->files.n; i++) {
		const struct forge_asset *there =
			forge_publish_find(&p->assets, p->out->files.v[i].name);

		if (there && p->out->files.v[i].action != PUBLISH_REMOVED)
			p->out->files.v[i].url = there->url;
	}
}

static int carry_out(struct forge_publish *p, struct err *e)
{
	bool was_public = p->found && !p->release.draft;

	if (make_release(p, e) < 0 || forge_publish_upload(p, e) < 0 || make_public(p, e) < 0 ||
		forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	return place_tag(p, was_public, e);
}

static int prepare(struct forge_publish *p, struct err *e)
{
	const struct publish_request *r = p->set->request;

	if (forge_open(p->arena, r->to, r->http, &p->forge, e) < 0 || check_commit(p, e) < 0 ||
		forge_check_sizes(p->forge.ops, p->set, e) < 0)
		return -1;
	if (r->commit && r->overwrite && !p->forge.ops->move_tag) {
		err_set(e, ERR_USAGE, "%s has no way to move a tag", p->forge.ops->name);
		return err_advise(e, "move it with git: git push -f origin %s:refs/tags/%s",
			r->commit, r->tag);
	}
	if (p->forge.token || r->dry_run)
		return 0;
	err_set(e, ERR_USAGE, "no token for '%s'", p->forge.api);
	return err_advise(
		e, "set %s, or put it into netrc as that host's password", p->forge.ops->tokens[1]);
}

static int run(struct forge_publish *p, struct err *e)
{
	if (prepare(p, e) < 0 || find_release(p, e) < 0)
		return -1;
	p->out->is_new = !p->found || p->release.draft;
	p->incoming = !p->out->is_new;
	p->out->changed = p->out->is_new;
	if (forge_publish_plan(p, e) < 0 || make_notes(p, e) < 0)
		return -1;
	if (!p->set->request->dry_run && (p->out->changed || p->rests.n) && carry_out(p, e) < 0)
		return -1;
	tell_urls(p);
	return 0;
}

int publish_to_forge(const struct publish_set *set, struct publish_result *out, struct err *e)
{
	struct forge_publish p = {.set = set, .arena = set->arena, .out = out};
	int rc;

	p.sums_same = arena_alloc(p.arena, set->n_archives + 1);
	forge_publish_forget(&p);
	rc = run(&p, e);
	err_release(&p.forge.last);
	return rc;
}
