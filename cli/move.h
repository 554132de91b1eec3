/* One package before and now, as commands tell what came of solving anew. */
#ifndef CLI_MOVE_H
#define CLI_MOVE_H

#include "base/json.h"

/* In words; an empty text: not there. */
struct move {
	struct str name, from, to;
};

/* "zlib 1.2.11 -> 1.2.13", "zlib 1.2.13 is new", "zlib 1.2.11 leaves" */
void move_say(const struct move *m, struct buf *to);
/* {"name", "from", "to"}; what is not there is null. */
void move_tell(const struct move *m, struct json_out *w);

#endif
