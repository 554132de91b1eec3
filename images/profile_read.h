/* Between the files that read a profile (profile.c, profile_parts.c, profile_audit.c): for nobody else. */
#ifndef IMAGES_PROFILE_READ_H
#define IMAGES_PROFILE_READ_H

#include "base/yaml.h"
#include "images/profile.h"

struct profile_reading {
	struct arena *a;
	const char *file; /* stands in errors */
	struct profile *out;
};

/* A key of a map and what reads its value. */
struct profile_key {
	const char *name;
	int (*read)(const struct profile_reading *, const struct yaml *, struct err *);
};

/* Letters, digits and what else stands in `more`; neither empty nor over 255 bytes. */
bool profile_is_word(struct str s, const char *more);
/* A text of one line, copied. */
int profile_scalar(const struct profile_reading *r, const struct yaml *y, const char *key,
	struct str *out, struct err *e);
/* A map of known keys, ended by a NULL name; `what` stands in errors. */
int profile_read_map(const struct profile_reading *r, const struct yaml *y, const char *what,
	const struct profile_key *keys, struct err *e);

int profile_read_gpu(const struct profile_reading *r, const struct yaml *y, struct err *e);
int profile_read_libraries(const struct profile_reading *r, const struct yaml *y, struct err *e);
int profile_read_file_system(const struct profile_reading *r, const struct yaml *y, struct err *e);
int profile_read_limits(const struct profile_reading *r, const struct yaml *y, struct err *e);
int profile_read_audit(const struct profile_reading *r, const struct yaml *y, struct err *e);
/* __archspec's build is the name of a CPU. */
int profile_check_cpu(
	const struct profile_reading *r, const struct yaml *y, struct str name, struct err *e);

#endif
