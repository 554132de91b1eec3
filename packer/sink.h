/*
 * Where the bytes of an archive go: one file, or parts of `split` bytes each, named as `split -d`
 * names them; hashed while they are written.
 *
 *	struct sink *s = sink_open(path, split, e);
 *	sink_write(s, p, n, e);
 *	sink_finish(s, arena, &result, e);
 *	sink_close(s);
 *
 * A squashfs is not written from its begin to its end; it uses sink_pread, sink_pwrite and
 * sink_truncate, and what they wrote is hashed by reading it once more.
 */
#ifndef PACKER_SINK_H
#define PACKER_SINK_H

#include "packer/pack.h"

struct sink;

/* split: bytes of a part, the last has the rest; 0: one file.  path stays the caller's. */
struct sink *sink_open(const char *path, uint64_t split, struct err *e);
const char *sink_path(const struct sink *s);
/* Bytes that stand in it. */
uint64_t sink_size(const struct sink *s);

/*
 * Behind all that stands there.  ERR_USAGE where a part would be needed that has no name.  What is
 * appended has to be hashed too, in the same order; the two may be at work at the same time.
 */
int sink_append(struct sink *s, const void *p, size_t n, struct err *e);
void sink_hash(struct sink *s, const void *p, size_t n);
/* Both. */
int sink_write(struct sink *s, const void *p, size_t n, struct err *e);

/* At any place up to its end. */
int sink_pwrite(struct sink *s, const void *p, size_t n, uint64_t at, struct err *e);
/* All n bytes; ERR_FAIL where fewer stand there. */
int sink_pread(struct sink *s, void *p, size_t n, uint64_t at, struct err *e);
int sink_truncate(struct sink *s, uint64_t size, struct err *e);

/* Makes it last, and tells its size and sums: sha256, bytes and parts of *out.  Parts live in the
 * arena. */
int sink_finish(struct sink *s, struct arena *a, struct pack_result *out, struct err *e);
/* Files of one that was not finished are removed.  NULL is allowed. */
void sink_close(struct sink *s);

#endif
