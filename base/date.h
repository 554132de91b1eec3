/* Points in time as people and locks write them (RFC 3339), in milliseconds since 1970, UTC. */
#ifndef BASE_DATE_H
#define BASE_DATE_H

#include "base/str.h"

/*
 * "2024-01-31": the last millisecond of that day in UTC; "2024-01-31T12:00:00Z", with a fraction of
 * a second, with an offset such as +01:00, and with a space or "t" for the "T": that moment.
 * -1 where it is neither, no such day exists, or it is before 1970.
 */
int date_parse(struct str text, uint64_t *ms);
enum { DATE_DAY = 11, DATE_TIME = 32 };
/* "2024-01-31" */
void date_day(uint64_t ms, char to[DATE_DAY]);
/* "2024-01-31T23:59:59.999Z"; without the fraction where there is none. */
void date_time(uint64_t ms, char to[DATE_TIME]);

#endif
