/*
 * Whose signature is it?  verify --signer FILE[:WHO].
 *
 * What FILE holds decides: OpenPGP public keys (gpg), allowed signers of ssh (ssh-keygen), a public key
 * in PEM (cosign).  Nothing that a signature says of itself is believed, and no keyring or configuration
 * of the user's is asked.
 */
#ifndef CLI_SIGNER_H
#define CLI_SIGNER_H

#include "cli/session.h"

/* The namespace of ssh-keygen -Y: -n. */
#define SIGNER_NAMESPACE "envbuild"

enum signer_kind { SIGNER_OPENPGP, SIGNER_SSH, SIGNER_COSIGN };

struct signer {
	enum signer_kind kind;
	char *file; /* absolute */
	char *who;  /* NULL: any of the file's */
};

/* ERR_USAGE where the file is not there or of none of these kinds; ERR_FAIL: its program is missing. */
int signer_open(struct session *s, const char *text, struct signer *out, struct err *e);
/*
 * Did the signer sign data, of the file called name?  *by (in the arena) says who it was.
 * ERR_INTEGRITY where not.  The session has a work folder.
 */
int signer_check(struct session *s, const struct signer *signer, const char *name, struct str data,
	struct str signature, struct str *by, struct err *e);

#endif
