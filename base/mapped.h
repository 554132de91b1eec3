/*
 * Reading a mapped file that somebody may cut meanwhile, or whose disk fails: what is gone would kill
 * the program (SIGBUS).
 *
 *	mapped_guard(bytes);
 *	... read them ...
 *	if (mapped_was_cut()) the bytes behind some place were zeros
 */
#ifndef BASE_MAPPED_H
#define BASE_MAPPED_H

#include "base/str.h"

#include <stdbool.h>

/* Of this thread, one mapping at a time; until mapped_was_cut(), before it is unmapped. */
void mapped_guard(struct str bytes);
/* Ends the guard: is something missing that was read? */
bool mapped_was_cut(void);

#endif
