/*
 * What is learnt of an item of a layout while its bytes are read.
 */
#ifndef PACKER_MEASURE_H
#define PACKER_MEASURE_H

#include "packer/layout.h"

#include <pthread.h>

/* A source that is not what it was when the layout was made: sets *e, returns -1. */
int item_changed(const struct layout_item *item, struct err *e);
/*
 * The file's sum, which must be the wanted one, and where it holds a prefix its relocation.  Several
 * threads may measure items of one layout; the lock guards its arena.
 */
int item_measure(struct layout *l, pthread_mutex_t *lock, struct layout_item *item, struct str data,
	struct err *e);

#endif
