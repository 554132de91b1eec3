/*
 * Reading a zip of stored members as it comes, which is what a .conda is (CEP 35).
 *
 * APPNOTE.TXT 6.3.10 describes the format.  Members are read by their local headers, so that
 * nothing has to wait for the list at the end (the central directory); that list is then held
 * against what was read, so that a program that reads a zip by its list finds the same members.
 * Refused are: compressed and encrypted members, a member whose size stands only behind it (bit 3),
 * sizes that are not those of the data, a list that names other members, sizes, sums or places, a
 * zip in several parts, and bytes before, between or behind.
 */
#ifndef BASE_ZIP_STORED_H
#define BASE_ZIP_STORED_H

#include "base/archive.h"

struct zip_stored;
/* name stands in errors (ERR_INTEGRITY). */
struct zip_stored *zip_stored_open(stream_read *read, void *ctx, const char *name);
void zip_stored_close(struct zip_stored *z); /* NULL is allowed */
/*
 * 1 and the next member's name (valid until the close; not checked, no NUL in it) and size; 0 when
 * all has been read and agrees; -1 with *e set.  What was not read of the member before is passed
 * over, its sum compared.
 */
int zip_stored_next(struct zip_stored *z, struct str *name, uint64_t *size, struct err *e);
/* The current member's bytes: a stream_read. */
ptrdiff_t zip_stored_read(void *zip, void *p, size_t n, struct err *e);

#endif
