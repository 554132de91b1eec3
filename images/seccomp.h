/* The system calls a sandboxed job is refused. */
#ifndef IMAGES_SECCOMP_H
#define IMAGES_SECCOMP_H

/*
 * Installs the filter for this process and all that come from it; needs no_new_privs.  It allocates
 * nothing.  0, or -1 with errno.
 */
int seccomp_install(void);

#endif
