/*
 * From a built prefix to an archive (docs/design/archive.md), and back.
 */
#ifndef PACKER_PACK_H
#define PACKER_PACK_H

#include "builder/content.h"
#include "images/profile.h"

enum pack_format { PACK_TAR_GZ, PACK_TAR_ZST, PACK_TAR, PACK_SQUASHFS, PACK_DIR };
/* As messages list them. */
#define PACK_FORMATS "tar.gz, tar.zst, tar, squashfs and dir"

/*
 * -1 where the text names none; pack_format_of_path looks at the ending, also that of a part
 * (NAME.tar.gz.00); one that ends in a slash is a folder.
 */
int pack_format_parse(struct str text, enum pack_format *out);
int pack_format_of_path(const char *path, enum pack_format *out);
/* Characters of the path before the ending that pack_format_of_path knows; all without one. */
size_t pack_stem_length(const char *path);
const char *pack_format_name(enum pack_format f);

/* A file that goes under conda-meta/envbuild/: environment file, lock, profile, test script. */
struct pack_paper {
	const char *name; /* "environment.yml" */
	struct str text;
};

struct pack_making;
struct audit;

struct pack_request {
	struct arena *arena; /* for the result's parts */
	const struct content *content;
	/* Of the archive; written there directly: the caller gives a temporary name and renames. */
	const char *path;
	enum pack_format format;
	int level;      /* 0: the format's default */
	bool zstd;      /* a squashfs may be compressed with it: the target's kernel mounts that */
	uint64_t split; /* bytes of each part path.00, path.01 ...; 0: one file */
	unsigned jobs;
	int64_t epoch;   /* mtime of generated files, seconds */
	struct str name; /* of the environment, for the manifest and activate */
	struct str target;
	const struct profile *profile; /* what hosts of the target have; NULL: nothing is known */
	struct str version;            /* the release's; empty: none was given */
	struct pack_making
		*making; /* for the manifest, settled here; NULL: it says nothing of it */
	const struct pack_paper *papers;
	size_t n_papers;
	/* What made the content what it is, for the manifest (rules.h, sizes.h); NULL: nothing told. */
	const struct rules *rules;
	const struct sizes *sizes;
	const struct audit *audit; /* what it ignored, for the manifest; NULL: nothing told */
	struct str dest_prefix;    /* absolute: all files hold it already; empty: as packaged */
	const struct cache *cache; /* whose compressed segments are used; NULL: none */
	bool keep_segments;        /* new ones go there (--low-disk: none) */
};

struct pack_part {
	uint64_t bytes;
	uint8_t sha256[32];
};

struct pack_result {
	uint8_t sha256[32]; /* of the whole, split or not */
	uint64_t bytes, unpacked_bytes;
	size_t files;
	struct pack_part *parts; /* of a split one, in the request's arena; else NULL */
	size_t n_parts;
	size_t segments_reused, segments_made; /* found in the cache; put there */
};

/* The same content gives the same bytes, whatever jobs, user, path or time. */
int pack_write(const struct pack_request *r, struct pack_result *out, struct err *e);

struct unpack_request {
	const char *archive;
	const char *dir;    /* new or empty */
	const char *prefix; /* relocated for this path; NULL: leave it to activate / conda-unpack */
	unsigned jobs;
};
/*
 * Every path is checked, nothing is written outside, no link is followed, set-user-id bits and
 * owners are dropped; ERR_INTEGRITY.  A folder that was not there appears whole or not at all; on
 * failure what was made is removed.
 */
int unpack(const struct unpack_request *r, struct err *e);

/*
 * Reads the papers of an archive or of an unpacked prefix: the text of conda-meta/envbuild/NAME.
 * 1 found, 0 not there, -1 error.
 */
int paper_read(struct arena *a, const char *archive_or_prefix, const char *name, struct str *out,
	struct err *e);

#endif
