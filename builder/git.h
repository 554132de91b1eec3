/*
 * Commits of git repositories, by the builder's own git: the images' are too old, or absent.
 *
 *	git_resolve(a, cache, &source, commit, e);      asks `git ls-remote`
 *	git_checkout(a, cache, &source, commit, dir, &time, e);
 *
 * A repository is kept as a bare mirror in CACHE/git/KEY, so that a commit that was here once needs
 * no network.  git asks nobody for a password; credentials come from the URL, the user's credential
 * helpers, ssh and netrc, and appear in no message.  Of the user's configuration only what is needed
 * to reach a repository counts: hooks, line endings and templates do not.
 */
#ifndef BUILDER_GIT_H
#define BUILDER_GIT_H

#include "builder/package.h"

enum { GIT_COMMIT_MAX = 64 };

struct git_source {
	struct str url; /* https, http, ssh or file; may hold credentials */
	struct str rev; /* branch, tag, commit, ref; empty: HEAD */
	bool offline;   /* only what is in the cache */
	unsigned timeout_s;
};

/* 40 or 64 hex digits? */
bool git_is_commit(struct str rev);
/*
 * The commit that rev names now.  A whole commit is taken at its word; a branch goes before a tag of
 * its name.  Offline, the answer is that of the last time (ERR_NETWORK where there was none).
 */
int git_resolve(struct arena *a, const struct cache *c, const struct git_source *s,
	char commit[GIT_COMMIT_MAX + 1], struct err *e);
/*
 * Makes the folder dir (missing) a checkout of the commit with its submodules and .git, sharing
 * nothing with the cache.  *time: of the commit, seconds.
 */
int git_checkout(struct arena *a, const struct cache *c, const struct git_source *s,
	const char *commit, const char *dir, int64_t *time, struct err *e);

#endif
