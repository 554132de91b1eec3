/*
 * What is published: the archives of one call with their papers, opened and checked, as a list of
 * files; and the rules that hold at every place.  For packer/publish*.c and packer/forge*.c alone.
 */
#ifndef PACKER_PUBLISH_SET_H
#define PACKER_PUBLISH_SET_H

#include "packer/publish.h"
#include "packer/release.h"

enum asset_kind {
	ASSET_SUMS,    /* NAME.sha256 */
	ASSET_ARCHIVE, /* the archive, or one of its parts */
	ASSET_PAPER,   /* what tells of one run: another run's differs for the same archive */
	ASSET_LOCK,    /* NAME.lock, the lock inside: what notes are made from */
};

struct asset {
	enum asset_kind kind;
	char *name;
	char *path;      /* NULL: `text` */
	struct str text; /* of what lies in no file */
	uint64_t size;
	char sha256[SHA256_HEX + 1];
	size_t archive; /* which of the set's */
};

struct set_archive {
	struct release release;
	char *name;           /* the stem's last component: NAME of NAME.tar.gz */
	char *lock;           /* NAME.lock */
	struct str lock_text; /* empty: the archive has none */
};

struct publish_set {
	const struct publish_request *request;
	struct arena *arena;
	struct set_archive *archives;
	size_t n_archives;
	/* NAME.sha256 of all, then archives, then the other papers: the order they are published in. */
	struct asset *assets;
	size_t n_assets;
	struct str notes_before; /* of the request's file */
};

/* Opens and checks everything; as publish(). */
int publish_set_open(
	struct arena *a, const struct publish_request *r, struct publish_set *out, struct err *e);
/*
 * May it be a tag?  As git-check-ref-format(1) has it for what stands behind refs/tags/, in letters,
 * digits and "._-+/" alone, at most 200 bytes.
 */
bool publish_tag_is_good(const char *tag);
const struct asset *publish_set_find(const struct publish_set *set, struct str name);
/*
 * Is it the name of a file of one of the set's archives, NAME.tar.gz.03 or NAME.test.log, whether or
 * not the set has it?
 */
bool publish_set_owns(const struct publish_set *set, struct str name);
/* Does the name end as an archive's, or one of its parts', does? */
bool publish_is_archive_name(struct str name);
/* Adds a file to the result. */
void publish_tell(struct arena *a, struct publish_result *out, const struct asset *asset,
	const char *url, enum publish_action action);
/* Is it the signature of a file of which another is there, and stays?  It says nothing of that. */
bool publish_is_of_kept(const struct publish_result *planned, const struct asset *asset);
/* "TAG holds another 'NAME'"; -1. */
int publish_fail_other(const char *tag, const char *name, struct err *e);

/* --- notes ------------------------------------------------------------------------------------- */

/* The lock of an earlier release; text empty: it has none for that archive. */
struct earlier_lock {
	const char *tag; /* NULL: there is no earlier release */
	struct str text;
	bool keep; /* a section that is there stays: nothing about its archive is new */
};

/*
 * The notes of a release whose text so far is `old` (empty: none): for each archive of the set the
 * section between its two comment lines is put in, in place of its older self or at the end; all
 * else stays.  New notes begin with what the request's file has.  earlier: one for each archive.
 * The same input gives the same text.
 */
int publish_notes(const struct publish_set *set, struct str old, const struct earlier_lock *earlier,
	struct str *out, struct err *e);

/*
 * Is archive i there already, the same, so that its section stays?  So notes do not depend on what was
 * published later.  Not with --overwrite, nor where somebody says what to compare with.
 */
bool publish_keeps_section(
	const struct publish_set *set, const struct publish_result *planned, size_t i);
/*
 * Is the name that of the lock of an earlier version of archive i: NAME.lock, or what NAME.lock is
 * with another version (or tag) in it?
 */
bool publish_is_earlier_lock(const struct publish_set *set, size_t i, struct str name);

/* --- places ------------------------------------------------------------------------------------ */

int publish_to_dir(const struct publish_set *set, struct publish_result *out, struct err *e);
int publish_to_forge(const struct publish_set *set, struct publish_result *out, struct err *e);

#endif
