/* Publishing to a forge: what is there and what is to be there. */
#include "packer/publish_forge.h"

/* --- what is the same ---------------------------------------------------------------------------- */

const struct forge_asset *forge_publish_find(const struct forge_assets *list, const char *name)
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

	if (asset->size > FORGE_SMALL_MAX)
		return 0;
	if (forge_download(&p->forge, &p->release, there, asset->size + 1, &text, e) < 0)
		return -1;
	sha256_of(text.p, text.n, sha256);
	hex_encode(sha256, SHA256_LEN, hex);
	return strcmp(hex, asset->sha256) == 0;
}

void forge_publish_forget(struct forge_publish *p)
{
	memset(p->sums_same, -1, p->set->n_archives);
}

/* The archive's NAME.sha256; asked for once. */
static int are_sums_same(struct forge_publish *p, size_t archive, struct err *e)
{
	int same = p->sums_same[archive];

	for (size_t i = 0; same < 0 && i < p->set->n_assets; i++) {
		const struct asset *sums = &p->set->assets[i];
		const struct forge_asset *there = forge_publish_find(&p->assets, sums->name);

		if (sums->archive != archive || sums->kind != ASSET_SUMS)
			continue;
		same = there && there->size == sums->size ? has_same_bytes(p, there, sums, e) : 0;
		if (same < 0)
			return -1;
		p->sums_same[archive] = (signed char)same;
	}
	return same;
}

int forge_publish_is_same(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	const struct forge_asset *there = forge_publish_find(&p->assets, asset->name);

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
			same = forge_publish_is_same(p, asset, e);
	}
	return same;
}

/* --- the plan ------------------------------------------------------------------------------------ */

static int plan_asset(struct forge_publish *p, const struct asset *asset,
	enum publish_action *action, struct err *e)
{
	const struct forge_asset *there = forge_publish_find(&p->assets, asset->name);
	int same = forge_publish_is_same(p, asset, e);

	*action = there ? PUBLISH_REPLACED : PUBLISH_ADDED;
	if (!there && publish_is_of_kept(p->out, asset))
		*action = PUBLISH_KEPT;
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
	return str_ends(name, STR(FORGE_INCOMING)) &&
	       publish_set_owns(p->set, str_sub(name, 0, name.n - strlen(FORGE_INCOMING)));
}

/* The asset as it is uploaded. */
static const struct asset *as_sent(const struct forge_publish *p, const struct asset *asset)
{
	struct asset *sent;

	if (!p->incoming)
		return asset;
	sent = arena_new(p->arena, struct asset);
	*sent = *asset;
	sent->name = arena_printf(p->arena, "%s" FORGE_INCOMING, asset->name);
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

int forge_publish_plan(struct forge_publish *p, struct err *e)
{
	if (p->found && forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	for (size_t i = 0; i < p->set->n_assets; i++) {
		const struct asset *asset = &p->set->assets[i];
		const struct forge_asset *there = forge_publish_find(&p->assets, asset->name);
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
