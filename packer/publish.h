/*
 * Publishing a set of archives under a tag: as a release of GitHub, of Gitea or Forgejo, or in a
 * folder.  docs/design/publish.md has the rules.
 *
 *	struct publish_request r = {.archives = paths, .n_archives = n, .tag = "v1.2", .to = "DIR"};
 *	publish(&arena, &r, &result, e);
 *
 * Everything is opened, hashed and held against its papers before anything is written or sent.  It
 * may be run again at any time, also after it was killed: what is there is not done twice, and the
 * same result comes of it.
 */
#ifndef PACKER_PUBLISH_H
#define PACKER_PUBLISH_H

#include "base/http.h"

struct publish_request {
	const char *const *archives; /* as archive_parts_find() takes them */
	size_t n_archives;
	const char *tag;
	const char *to;       /* "github:OWNER/REPO", "gitea:URL/OWNER/REPO", or a folder */
	const char *notes;    /* a file that stands before what is made; NULL: none */
	const char *previous; /* compare with this tag, "none": with nothing; NULL: it is found */
	const char *commit;   /* the commit that the tag is to name; NULL: as the server has it */
	bool overwrite;       /* what is published under the tag gives way */
	bool untested;        /* also archives that were not tested, or whose test failed */
	bool prerelease;
	bool dry_run;
	unsigned keep;     /* of a folder: at most so many releases, the newest; 0: all */
	const char *work;  /* an empty folder for what is read in between */
	struct http *http; /* NULL where `to` is a folder */
};

enum publish_action {
	PUBLISH_ADDED,
	PUBLISH_REPLACED,
	PUBLISH_SAME, /* it was there already */
	PUBLISH_KEPT, /* another paper of the same archive is there, and stays (or the file it signs) */
	PUBLISH_REMOVED,
};

struct publish_file {
	char *name; /* there */
	uint64_t size;
	char *sha256; /* in hex; NULL: of a removed one */
	char *url;    /* NULL: a folder's, or not yet there */
	enum publish_action action;
};

struct publish_result {
	bool is_new;    /* the release was not there */
	bool changed;   /* something was done, or would be */
	char *url;      /* of the release; of a folder its path */
	char *previous; /* tag that the notes compare with; NULL: none */
	struct str notes;
	struct {
		struct publish_file *v;
		size_t n, cap;
	} files;
	struct {
		const char **v;
		size_t n, cap;
	} removed; /* releases that --keep removed */
};

const char *publish_action_name(enum publish_action action);
bool publish_is_dir(const char *to);
/*
 * ERR_USAGE for what cannot be a tag or a place, ERR_INTEGRITY where a file is not what its papers
 * say, ERR_TEST for what was not tested, ERR_NETWORK with the server's own words, ERR_FAIL where the
 * tag holds something else.  Texts live in the arena.
 */
int publish(struct arena *a, const struct publish_request *r, struct publish_result *out,
	struct err *e);

#endif
