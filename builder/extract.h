/*
 * From a package file to a folder: .conda (CEP 35: a stored zip of two tar.zst) and .tar.bz2.
 *
 * Nothing is trusted: see extract_package() for what is refused.  All bytes are hashed on the way,
 * so that nothing is read twice.
 */
#ifndef BUILDER_EXTRACT_H
#define BUILDER_EXTRACT_H

#include "base/hash.h"
#include "base/table.h"
#include "builder/package.h"

struct extracted {
	struct str path;
	enum path_type type;
	mode_t mode;   /* permission bits; what others could write is taken away */
	uint64_t size; /* of a file */
	int64_t mtime;
	uint8_t sha256[32]; /* of a file */
	struct str link;    /* of a symlink */
	bool suspect;       /* scan_suspect() */
};

struct extraction {
	struct arena *arena;
	struct extracted *v; /* in the order of the archive */
	size_t n, cap;
	struct table by_path;
	uint8_t sha256[32], md5[16]; /* of the package file */
	uint64_t size;
};

/*
 * Extracts the package file open at fd (from its start; fd stays the caller's) into the folder
 * root, which is new and empty.  fn is its file name: its ending is the format.  Hashes and size
 * of the file are filled in also on failure, as far as it can be read, so that the caller can
 * tell a damaged file from a hostile one.
 *
 * ERR_INTEGRITY names the package and the member: unsafe path, path through a link, hard link to
 * something outside, device, fifo or socket, a path twice, anything below conda-meta/, over a
 * million members, or more than 1000 times the package's size when unpacked (64 MiB are always
 * allowed, 64 GiB never exceeded).  setuid, setgid and sticky bits are taken away.
 */
int extract_package(
	struct arena *a, int fd, const char *fn, int root, struct extraction *out, struct err *e);

#endif
