/*
 * One run of publishing to a forge: what publish_forge.c, publish_forge_plan.c and publish_forge_upload.c
 * share.
 */
#ifndef PACKER_PUBLISH_FORGE_H
#define PACKER_PUBLISH_FORGE_H

#include "packer/forge.h"

#define FORGE_INCOMING ".incoming"
enum { FORGE_SMALL_MAX = 64 << 20 }; /* what is read whole */

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
};

/* The file of that name; not what an upload that broke off has left.  NULL: none. */
const struct forge_asset *forge_publish_find(const struct forge_assets *list, const char *name);
/* Is the asset among p->assets, the same?  1, 0, -1. */
int forge_publish_is_same(struct forge_publish *p, const struct asset *asset, struct err *e);
/* p->assets is another list now. */
void forge_publish_forget(struct forge_publish *p);
/* Lists the release's files and fills rests, doomed, wanted and the result.  ERR_FAIL. */
int forge_publish_plan(struct forge_publish *p, struct err *e);
/* The files of the release, which is there, become those that were planned. */
int forge_publish_upload(struct forge_publish *p, struct err *e);

#endif
