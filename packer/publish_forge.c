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
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "packer/forge.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define INCOMING ".incoming"
enum { SMALL_MAX = 64 << 20 };

struct forge_publish {
	const struct publish_set *set;
	struct arena *arena;
	struct publish_result *out;
	struct forge forge;
	struct forge_releases all; /* the newest first, drafts too */
	struct forge_release release;
	bool found;      /* there is a release of the tag, maybe a draft */
	bool may_change; /* a draft, or --overwrite */
	struct forge_assets assets;
	struct {
		struct forge_asset *v;
		size_t n, cap;
	} rests, doomed; /* what killed runs have left; what gives way */
	bool incoming;   /* uploads have that ending until all are there */
	struct {
		const struct asset **v;
		size_t n, cap;
	} wanted;               /* what is to be uploaded */
	signed char *sums_same; /* of each archive: is NAME.sha256 ours?  -1: not known yet */
	struct str notes;
};

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

/* --- what is the same ---------------------------------------------------------------------------- */

static const struct forge_asset *find_asset(const struct forge_assets *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].name, name) == 0 && list->v[i].whole)
			return &list->v[i];
	return NULL;
}

/* 1, 0, -1 */
static int has_same_bytes(struct forge_publish *p, const struct forge_asset *there,
	const struct asset *asset, struct err *e)
{
	uint8_t sha256[SHA256_LEN];
	char hex[SHA256_HEX + 1];
	struct str text;

	if (asset->size > SMALL_MAX)
		return 0;
	if (forge_download(&p->forge, &p->release, there, asset->size + 1, &text, e) < 0)
		return -1;
	sha256_of(text.p, text.n, sha256);
	hex_encode(sha256, SHA256_LEN, hex);
	return strcmp(hex, asset->sha256) == 0;
}

static void forget_sums(struct forge_publish *p)
{
	memset(p->sums_same, -1, p->set->n_archives);
}

/* The archive's NAME.sha256; asked for once. */
static int are_sums_same(struct forge_publish *p, size_t archive, struct err *e)
{
	int same = p->sums_same[archive];

	for (size_t i = 0; same < 0 && i < p->set->n_assets; i++) {
		const struct asset *sums = &p->set->assets[i];
		const struct forge_asset *there = find_asset(&p->assets, sums->name);

		if (sums->archive != archive || sums->kind != ASSET_SUMS)
			continue;
		same = there && there->size == sums->size ? has_same_bytes(p, there, sums, e) : 0;
		if (same < 0)
			return -1;
		p->sums_same[archive] = (signed char)same;
	}
	return same;
}

/* Is it there, the same?  1, 0, -1. */
static int is_same(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	const struct forge_asset *there = find_asset(&p->assets, asset->name);

	if (!there || there->size != asset->size)
		return 0;
	if (there->sha256.n)
		return str_is(there->sha256, asset->sha256);
	if (asset->kind == ASSET_ARCHIVE || asset->kind == ASSET_SUMS)
		return are_sums_same(p, asset->archive, e);
	return has_same_bytes(p, there, asset, e);
}

static int has_archive(struct forge_publish *p, size_t archive, struct err *e)
{
	int same = 1;

	for (size_t i = 0; same > 0 && i < p->set->n_assets; i++) {
		const struct asset *asset = &p->set->assets[i];

		if (asset->archive == archive && asset->kind == ASSET_ARCHIVE)
			same = is_same(p, asset, e);
	}
	return same;
}

/* --- the plan ------------------------------------------------------------------------------------ */

static int plan_asset(struct forge_publish *p, const struct asset *asset,
	enum publish_action *action, struct err *e)
{
	const struct forge_asset *there = find_asset(&p->assets, asset->name);
	int same = is_same(p, asset, e);

	*action = there ? PUBLISH_REPLACED : PUBLISH_ADDED;
	if (same)
		*action = PUBLISH_SAME;
	if (same || !there || p->may_change)
		return same < 0 ? -1 : 0;
	if (asset->kind == ASSET_PAPER) {
		*action = PUBLISH_KEPT;
		same = has_archive(p, asset->archive, e);
	}
	if (same == 0)
		return publish_fail_other(p->set->request->tag, asset->name, e);
	return same < 0 ? -1 : 0;
}

/* NAME.incoming of a file of the set's archives. */
static bool is_incoming(const struct forge_publish *p, struct str name)
{
	return str_ends(name, STR(INCOMING)) &&
	       publish_set_owns(p->set, str_sub(name, 0, name.n - strlen(INCOMING)));
}

/* The asset as it is uploaded. */
static const struct asset *as_sent(const struct forge_publish *p, const struct asset *asset)
{
	struct asset *sent;

	if (!p->incoming)
		return asset;
	sent = arena_new(p->arena, struct asset);
	*sent = *asset;
	sent->name = arena_printf(p->arena, "%s" INCOMING, asset->name);
	return sent;
}

static void doom(struct forge_publish *p, const struct forge_asset *asset)
{
	*VEC_PUSH(p->arena, &p->doomed) = *asset;
}

/* All of that name: Gitea may have several. */
static void doom_name(struct forge_publish *p, const char *name)
{
	for (size_t i = 0; i < p->assets.n; i++)
		if (p->assets.v[i].whole && strcmp(p->assets.v[i].name, name) == 0)
			doom(p, &p->assets.v[i]);
}

/* What uploads have left that broke off, and files of the set's archives that it no longer has. */
static int plan_others(struct forge_publish *p, struct err *e)
{
	for (size_t i = 0; i < p->assets.n; i++) {
		const struct forge_asset *there = &p->assets.v[i];
		bool ours = publish_set_owns(p->set, str_of(there->name));

		if ((!there->whole && ours) || is_incoming(p, str_of(there->name))) {
			*VEC_PUSH(p->arena, &p->rests) = *there;
			continue;
		}
		if (!ours || publish_set_find(p->set, str_of(there->name)))
			continue;
		if (!p->may_change && publish_is_archive_name(str_of(there->name)))
			return publish_fail_other(p->set->request->tag, there->name, e);
		if (!p->may_change)
			continue;
		doom(p, there);
		*VEC_PUSH(p->arena, &p->out->files) = (struct publish_file){
			.name = there->name, .size = there->size, .action = PUBLISH_REMOVED};
		p->out->changed = true;
	}
	return 0;
}

static int plan_files(struct forge_publish *p, struct err *e)
{
	if (p->found && forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	for (size_t i = 0; i < p->set->n_assets; i++) {
		const struct asset *asset = &p->set->assets[i];
		const struct forge_asset *there = find_asset(&p->assets, asset->name);
		enum publish_action action = PUBLISH_ADDED;

		if (plan_asset(p, asset, &action, e) < 0)
			return -1;
		publish_tell(p->arena, p->out, asset, there ? there->url : NULL, action);
		if (action == PUBLISH_REPLACED)
			doom_name(p, asset->name);
		if (action == PUBLISH_REPLACED || action == PUBLISH_ADDED)
			*VEC_PUSH(p->arena, &p->wanted) = as_sent(p, asset);
	}
	return plan_others(p, e);
}

/* --- notes ---------------------------------------------------------------------------------------- */

static const struct forge_asset *find_lock(
	const struct forge_publish *p, const struct forge_release *r, size_t i)
{
	const struct forge_asset *found = find_asset(&r->assets, p->set->archives[i].lock);

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
		return forge_download(&p->forge, r, lock, SMALL_MAX, &out->text, e);
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

static int delete_all(struct forge_publish *p, const struct forge_asset *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (interrupt_check(e) < 0 ||
			forge_delete_asset(&p->forge, &p->release, &v[i], e) < 0)
			return -1;
	return 0;
}

static void on_sent(void *ctx, int64_t bytes)
{
	struct forge *f = ctx;

	if (bytes > 0)
		step_tick(f->step, 0, (uint64_t)bytes);
	else
		step_take_back(f->step, (uint64_t)-bytes);
}

static int open_body(const struct asset *asset, int *fd, struct err *e)
{
	if (!asset->path)
		return 0;
	*fd = open(asset->path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "cannot open '%s'", asset->path) : 0;
}

/* A text is a part of the frame, which stands around it already where there is a form. */
static void add_text(struct arena *a, const struct asset *asset, struct http_sending *s)
{
	if (!asset->path)
		s->body.before =
			arena_strf(a, "%.*s%.*s", STR_ARG(s->body.before), STR_ARG(asset->text));
}

/* 1: it is there; 0: it may be, look; -1. */
static int upload_once(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	struct forge *f = &p->forge;
	CLEANUP_FD fd = -1;
	struct http_sending s = {.method = "POST", .has_body = true, .once = true, .ctx = f};
	struct err why = {0};
	int rc;

	s.sent = on_sent;
	if (f->ops->upload(f, &p->release, asset, &s, e) < 0 || open_body(asset, &fd, e) < 0)
		return -1;
	s.body.fd = fd;
	s.body.size = asset->path ? asset->size : 0;
	add_text(p->arena, asset, &s);
	forge_dress(f, &s);
	rc = http_send(f->http, p->arena, &s, &why);
	if (rc == 0 && (s.status == 201 || s.status == 200))
		return 1;
	if (rc == 0 && (s.status == 429 || (!s.may_pass && !f->ops->is_there(s.status, s.answer))))
		return forge_fail(f, &s, arena_printf(p->arena, "upload '%s'", asset->name), e);
	if (rc < 0)
		err_wrap(&why, "cannot upload '%s'", asset->name);
	if (rc < 0 && !s.may_pass)
		return err_move(e, &why);
	log_debug("'%s' is not up yet: %s", asset->name, why.text ? why.text : "the server failed");
	if (rc == 0)
		forge_fail(
			f, &s, arena_printf(p->arena, "upload '%s'", asset->name), &p->forge.last);
	else
		err_move(&p->forge.last, &why);
	return 0;
}

/* After an upload that may have failed: 1: it is there; 0: what it has left is gone. */
static int look_again(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	int same;

	if (forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	forget_sums(p);
	same = is_same(p, asset, e);
	if (same == 0 && !p->may_change && !p->incoming && find_asset(&p->assets, asset->name))
		return publish_fail_other(p->set->request->tag, asset->name, e);
	for (size_t i = 0; same == 0 && i < p->assets.n; i++)
		if (strcmp(p->assets.v[i].name, asset->name) == 0 &&
			forge_delete_asset(&p->forge, &p->release, &p->assets.v[i], e) < 0)
			return -1;
	return same;
}

static int upload(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	const unsigned tries = http_retries(p->forge.http) + 1;

	for (unsigned i = 1;; i++) {
		int rc = upload_once(p, asset, e);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (i >= tries)
			return err_move(e, &p->forge.last);
		err_release(&p->forge.last);
		if (http_pause(p->forge.http, i, e) < 0)
			return -1;
		rc = look_again(p, asset, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
}

static int upload_all(struct forge_publish *p, struct err *e)
{
	uint64_t bytes = 0;
	struct step step;
	int rc = 0;

	for (size_t i = 0; i < p->wanted.n; i++)
		bytes += p->wanted.v[i]->size;
	step_begin(&step, "upload", p->wanted.n, bytes);
	p->forge.step = &step;
	for (size_t i = 0; rc == 0 && i < p->wanted.n; i++)
		if ((rc = interrupt_check(e)) == 0 && (rc = upload(p, p->wanted.v[i], e)) == 0)
			step_tick(&step, 1, 0);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files", p->wanted.n);
	return rc;
}

/* What the forge has now, before anybody else sees it. */
static int check_uploaded(struct forge_publish *p, struct err *e)
{
	if (forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	for (size_t i = 0; i < p->wanted.n; i++) {
		const struct asset *asset = p->wanted.v[i];
		const struct forge_asset *there = find_asset(&p->assets, asset->name);

		if (there && there->size == asset->size &&
			(!there->sha256.n || str_is(there->sha256, asset->sha256)))
			continue;
		err_set(e, ERR_INTEGRITY, "'%s' at %s is not what was sent", asset->name,
			p->forge.ops->name);
		return err_advise(e, "has the file changed meanwhile?  Then run it again");
	}
	return 0;
}

/* The uploaded files take the places of the older ones. */
static int switch_over(struct forge_publish *p, struct err *e)
{
	if (!p->incoming)
		return 0;
	if (delete_all(p, p->doomed.v, p->doomed.n, e) < 0)
		return -1;
	for (size_t i = 0; i < p->wanted.n; i++) {
		const char *name = p->wanted.v[i]->name;

		if (forge_rename_asset(&p->forge, &p->release, find_asset(&p->assets, name),
			    arena_printf(
				    p->arena, "%.*s", (int)(strlen(name) - strlen(INCOMING)), name),
			    e) < 0)
			return -1;
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
		const struct forge_asset *there = find_asset(&p->assets, p->out->files.v[i].name);

		if (there && p->out->files.v[i].action != PUBLISH_REMOVED)
			p->out->files.v[i].url = there->url;
	}
}

static int carry_out(struct forge_publish *p, struct err *e)
{
	bool was_public = p->found && !p->release.draft;

	if (make_release(p, e) < 0 || delete_all(p, p->rests.v, p->rests.n, e) < 0 ||
		(!p->incoming && delete_all(p, p->doomed.v, p->doomed.n, e) < 0) ||
		(p->wanted.n && (upload_all(p, e) < 0 || check_uploaded(p, e) < 0)) ||
		switch_over(p, e) < 0 || make_public(p, e) < 0 ||
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
	if (plan_files(p, e) < 0 || make_notes(p, e) < 0)
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
	forget_sums(&p);
	rc = run(&p, e);
	err_release(&p.forge.last);
	return rc;
}
