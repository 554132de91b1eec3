/*
 * Reading bzip2, several blocks at a time.
 *
 * A .bz2 is a row of streams, each a row of blocks of up to 900 kB that can be decoded by
 * themselves.  Blocks begin at any bit, with 48 bits that hardly ever occur by chance: the reader
 * looks for these, hands what lies between two of them to the threads of a crew, and gives out the
 * results in order.  A place that only looks like the start of a block (anybody can make one) costs
 * time and nothing else: where a block begins is known from the end of the one before it.
 *
 *	struct bunzip_crew *crew = bunzip_crew_new(2);
 *	struct bunzip *b = bunzip_open(crew, read, ctx, "x.tar.bz2");
 *	while ((n = bunzip_read(b, p, size, &e)) > 0) ...
 *	bunzip_close(b);
 *	bunzip_crew_free(crew);
 *
 * What `bzip2 -t` takes is taken: several streams in a row, empty ones, and bytes behind the last
 * that begin no other stream.  The sums of every block and stream are compared.  Refused besides
 * are blocks that bzip2 before 0.9.5 (1999) marked "randomised".
 */
#ifndef BASE_BZIP2_H
#define BASE_BZIP2_H

#include "base/archive.h"

/*
 * Threads that decode for any number of readers, with 4 MB for each thread and some 1.5 MB for
 * each of at most 2 * threads + 2 blocks that are waited for (or one a reader, if these are more).
 */
struct bunzip_crew;
struct bunzip_crew *bunzip_crew_new(unsigned threads);
void bunzip_crew_free(struct bunzip_crew *crew); /* after all its readers; NULL is allowed */

struct bunzip;
/* crew NULL: decodes in the thread that reads.  name stands in errors. */
struct bunzip *bunzip_open(
	struct bunzip_crew *crew, stream_read *read, void *ctx, const char *name);
/* A stream_read; ERR_INTEGRITY for what is damaged, cut short or no bzip2. */
ptrdiff_t bunzip_read(void *bunzip, void *p, size_t n, struct err *e);
void bunzip_close(struct bunzip *b); /* NULL is allowed */

#endif
