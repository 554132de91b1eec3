/* The parts of `envbuild deploy`: the way (deploy.c), the host and its test (deploy_host.c), what a
 * killed run left (deploy_recover.c), going back (deploy_rollback.c). */
#ifndef CLI_DEPLOY_H
#define CLI_DEPLOY_H

#include "cli/session.h"
#include "packer/deploy.h"
#include "packer/release.h"

struct deploying {
	struct session *s;
	const char *operand; /* the archive, or of a rollback the root */
	char *root;          /* absolute */
	char *dir;           /* ROOT/NAME-VERSION */
	struct release release;
	struct deploy_log log;
	struct deployment line; /* what the log will say */
	struct str before[2];   /* what the links led to that were switched */
	size_t switched;
	bool made_root; /* it was not there */
	bool again;     /* the folder is there, made of this very archive */
	bool written;   /* the test may have written into it */
};

/*
 * Does this machine have what the archive's target promises?  ERR_FAIL names the first thing of its
 * virtual packages that it lacks; a library or limit that it lacks is warned of.  With
 * ENVBUILD_SKIP_CHECK all of it is.
 */
int deploy_check_host(struct deploying *d, struct err *e);
/* Runs the test that the release carries on this machine, at its place. */
int deploy_test(struct deploying *d, struct err *e);
/* Every file of the folder against what its archive listed; at_place: they name this very path. */
int deploy_verify(struct session *s, const char *dir, bool at_place, struct err *e);
/*
 * Before anything else in a root: a run that was killed is ended, and what it left removed.  Reads the
 * log (again).
 */
int deploy_recover(struct deploying *d, struct err *e);
int deploy_read_log(struct deploying *d, struct err *e);
/* Does a link of the root lead to that folder? */
bool deploy_is_linked(struct deploying *d, struct str folder);
/* The line that will be appended, for as long as it is not. */
int deploy_write_pending(const struct deploying *d, struct err *e);
int deploy_end_pending(const struct deploying *d, struct err *e);
/* Switches the link back. */
int deploy_rollback(struct deploying *d, struct err *e);
/* Under --json: the line that the log has. */
void deploy_say(struct deploying *d);

#endif
