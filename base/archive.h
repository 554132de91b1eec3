/*
 * Reading and writing compressed streams, tar and zip, over libarchive, libzstd and libdeflate.
 *
 * Readers are hostile-input safe: they never touch the file system by themselves, the caller
 * decides for each member what to do with it.
 */
#ifndef BASE_ARCHIVE_H
#define BASE_ARCHIVE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* Up to n bytes into p; 0 at the end; -1 with *e set. */
typedef ptrdiff_t stream_read(void *ctx, void *p, size_t n, struct err *e);

/*
 * --- decompression: gz, bz2, xz, zst by their magic, else the bytes as they are ----------
 *
 * A stream cut short is noticed in all of them, a flipped bit in bz2, xz and zst: libarchive does
 * not compare gzip's checksum.  Who reads gzip from afar compares hashes of what comes out.
 */

struct unpacker;
/* name stands in errors (ERR_INTEGRITY). */
struct unpacker *unpacker_open(stream_read *read, void *ctx, const char *name, struct err *e);
struct unpacker *unpacker_open_path(const char *path, struct err *e);
/* fd stays the caller's. */
struct unpacker *unpacker_open_fd(int fd, const char *name, struct err *e);
ptrdiff_t unpacker_read(void *unpacker, void *p, size_t n, struct err *e); /* a stream_read */
void unpacker_close(struct unpacker *u);                                   /* NULL is allowed */

/*
 * Whole zstd frames that are in memory.  One reader serves many, one thread at a time.  Appends what
 * they hold to `to`, at most max bytes; a frame that says it holds more is refused before anything
 * is allocated.  name stands in errors: ERR_INTEGRITY, also for bytes that are no zstd.
 */
struct zstd_reader;
struct zstd_reader *zstd_reader_new(void);
void zstd_reader_free(struct zstd_reader *z); /* NULL is allowed */
int zstd_unpack(struct zstd_reader *z, struct str data, size_t max, const char *name,
	struct buf *to, struct err *e);

/* One whole gzip member that is in memory.  One reader serves many, one thread at a time. */
struct gzip_reader;
struct gzip_reader *gzip_reader_new(void);
void gzip_reader_free(struct gzip_reader *g); /* NULL is allowed */
/*
 * Its n bytes, no more and no less, to `to`; the member's own sum and length are compared.  name
 * stands in errors: ERR_INTEGRITY.
 */
int gzip_unpack(struct gzip_reader *g, struct str member, char *to, size_t n, const char *name,
	struct err *e);

/* --- tar, possibly compressed ------------------------------------------------------------- */

enum member_type {
	MEMBER_FILE,
	MEMBER_DIR,
	MEMBER_SYMLINK,
	MEMBER_HARDLINK,
	MEMBER_OTHER, /* device, fifo, socket */
};

struct member {
	struct str path; /* as stored, less "./" in front and a folder's "/" behind; not checked */
	struct str link; /* symlink target, as stored; hard link name, as path */
	enum member_type type;
	uint32_t mode; /* permission bits with setuid, setgid, sticky */
	uint64_t size; /* of a file; may be unknown in a zip: UINT64_MAX */
	int64_t mtime; /* seconds */
	bool has_mtime;
};

struct tar_reader; /* also reads zip: a .conda is a stored zip of two tar.zst */
struct tar_reader *tar_open(stream_read *read, void *ctx, const char *name, struct err *e);
struct tar_reader *tar_open_path(const char *path, struct err *e);
/* fd stays the caller's; read from where it stands.  In a regular file bodies that nobody reads are skipped. */
struct tar_reader *tar_open_fd(int fd, const char *name, struct err *e);
struct tar_reader *zip_open(stream_read *read, void *ctx, const char *name, struct err *e);
struct tar_reader *zip_open_path(const char *path, struct err *e);
/*
 * 1 and *m filled (valid until the next call), 0 at the end, -1 with *e set (ERR_INTEGRITY, or
 * what the caller's read gave).  Names are bytes, whatever the locale.  The archive's own root
 * ("./") is passed over.
 */
int tar_next(struct tar_reader *r, struct member *m, struct err *e);
/*
 * Where the bytes of the current member, a file that is not sparse, begin in a tar that is not
 * compressed, before they are read; UINT64_MAX in one that is.
 */
uint64_t tar_offset(const struct tar_reader *r);
/* The current member's bytes: a stream_read. */
ptrdiff_t tar_read(void *reader, void *p, size_t n, struct err *e);
/* The whole current member, at most max bytes. */
int tar_read_all(struct tar_reader *r, struct arena *a, size_t max, struct str *out, struct err *e);
void tar_close(struct tar_reader *r); /* NULL is allowed */

/* --- writing ------------------------------------------------------------------------------ */

/*
 * Tar headers by our own writer, so that the bytes are ours to keep: a ustar header; where a path
 * or link does not fit its field, a GNU long name record in front; a size over 8 GiB in base 256
 * (docs/design/tar.md says why not pax).  uid = gid = 0, no names.  A folder's path gets its
 * slash.  MEMBER_OTHER is not written.  The caller adds the data and then tar_pad(size).
 */
void tar_header(struct buf *to, const struct member *m);
void tar_pad(struct buf *to, uint64_t size);
/* Two zero blocks. */
void tar_end(struct buf *to);

/* One whole gzip member (libdeflate, level 1-12, no name, no time) or zstd frame (with content size
 * and checksum, level 1-19) appended to `to`.  Thread-safe; the bytes depend on input and level. */
int gzip_member(struct str data, int level, struct buf *to, struct err *e);
int zstd_frame(struct str data, int level, struct buf *to, struct err *e);
/*
 * The gzip header has an extra field (RFC 1952, 2.3.1.1) of one subfield, 'E' 'B', 4 bytes: the size
 * of the whole member, header to trailer, little-endian; so a reader hops from member to member.
 *
 * What does that for zstd is a table behind the last frame, a frame that decompressors pass over, in
 * the zstd seekable format (contrib/seekable_format/zstd_seekable_compression_format.md of zstd),
 * without checksums.
 */
struct zstd_seek {
	uint32_t packed, raw; /* sizes of one frame */
};
void zstd_seek_table(const struct zstd_seek *frames, size_t n, struct buf *to);
/* Names and versions of the compressors, for segment keys: "libdeflate 1.14". */
const char *gzip_version(void);
const char *zstd_version(void);

/* A stored (uncompressed) zip from parts, for .conda files in tests and tools. */
struct zip_part {
	struct str name, data;
};
int zip_store(const struct zip_part *parts, size_t n, struct buf *to, struct err *e);

/* CRC-32 as in gzip and zip; crc32_add goes on from the sum of what came before (0: nothing). */
uint32_t crc32_of(struct str data);
uint32_t crc32_add(uint32_t crc, struct str data);

#endif
