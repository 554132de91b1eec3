/*
 * From a package file to a folder: .conda (CEP 35: a stored zip of two tar.zst) and .tar.bz2.
 *
 * Nothing is trusted: see extract_package() for what is refused.  All bytes are hashed on the way,
 * so that nothing is read twice.
 */
#ifndef BUILDER_EXTRACT_H
#define BUILDER_EXTRACT_H

#include "base/archive.h"
#include "base/bzip2.h"
#include "base/hash.h"
#include "base/table.h"
#include "builder/package.h"

struct package_sums {
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	uint64_t size;
};

/* Where the bytes of a package file come from. */
struct package_source {
	stream_read *read;
	void *ctx;
	uint64_t size; /* of the whole file, as far as it is known; 0: not known */
	/* Whoever gives the bytes sums them up, and gives the last only when these are right; NULL:
	 * extract_package sums. */
	const struct package_sums *sums;
	struct bunzip_crew *crew; /* NULL: one block of bzip2 after the other */
};

/*
 * A time of a member as every file system keeps it: some know none before 1970, some none after
 * 2038, and an entry must keep what its facts say.
 */
static inline int64_t lasting_time(int64_t seconds)
{
	return seconds < 0 ? 0 : seconds > INT32_MAX ? INT32_MAX : seconds;
}

struct extracted {
	struct str path;
	enum path_type type;
	mode_t mode;   /* permission bits; what others could write is taken away */
	uint64_t size; /* of a file */
	int64_t mtime;
	uint8_t sha256[32]; /* of a file */
	struct str link;    /* of a symlink */
	bool suspect;       /* scan_suspect() */
	bool may_be_elf;    /* by its first bytes */
};

struct extraction {
	struct arena *arena;
	struct extracted *v; /* in the order of the archive */
	size_t n, cap;
	struct table by_path;
	struct package_sums sums; /* of the package file, where it is whole */
	bool whole;               /* it was read to its end */
};

/*
 * Extracts a package file into the folder root, which is new and empty.  fn is its file name: its
 * ending is the format.  A file whose content is refused is read to its end all the same, so that
 * the caller can tell a damaged file (its sums are wrong) from a hostile one.
 *
 * ERR_INTEGRITY names the package and the member: unsafe path, a name that is not UTF-8, path
 * through a link, hard link to something outside, device, fifo or socket, a path twice, anything
 * below conda-meta/; more members and folders than one for 64 bytes of the package (10,000 are
 * always allowed, a million never exceeded), or more than 1000 times its size when unpacked (64 MiB
 * are always allowed, 64 GiB never exceeded); for a .conda what zip_stored.h refuses.  setuid,
 * setgid and sticky bits are taken away.
 */
int extract_package(struct arena *a, const struct package_source *from, const char *fn, int root,
	struct extraction *out, struct err *e);

#endif
