/* Unpacking of archives that have no pieces to work on at once: other programs' and older ones. */
#ifndef PACKER_UNPACK_ROW_H
#define PACKER_UNPACK_ROW_H

#include "packer/place.h"

/* As chunked_unpack(): the archive is that of the place. */
int unpack_row(const struct place *place, const char *prefix, struct err *e);

#endif
