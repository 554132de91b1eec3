/*
 * Is this host what the environment was made for?
 *
 * conda-meta/envbuild/host says what it needs (packer/host_write.c; docs/design/relocation.md):
 *
 *	envbuild host 1
 *	target rocky8
 *	machine x86_64
 *	glibc 2.28
 *	kernel 4.18
 *	level x86_64_v2
 *	cuda 12
 *
 * After the first line each line is a word, one blank and a value of printable characters; what is
 * not said is not asked, words that are not known here are passed over, a word twice is damage.  A
 * version is one to four numbers of at most nine digits with a dot between them.
 *
 * As all of this folder it is plain C over libc alone, compiled into bin/conda-unpack and into
 * envbuild.  It runs nothing and writes nothing.
 */
#ifndef PACKER_RELOCATOR_HOST_H
#define PACKER_RELOCATOR_HOST_H

#include "packer/relocator/relocate.h"

#define RELOCATE_HOST       "conda-meta/envbuild/host"
#define RELOCATE_HOST_MAGIC "envbuild host 1"
/* Bytes of the file, and of a value with its NUL. */
enum { RELOCATE_HOST_MAX = 4096, RELOCATE_HOST_VALUE = 80 };

/* Empty, or level 0: not asked for. */
struct relocate_host {
	char target[RELOCATE_HOST_VALUE];  /* of the archive, for messages */
	char machine[RELOCATE_HOST_VALUE]; /* as uname says it: "x86_64" */
	char glibc[RELOCATE_HOST_VALUE], kernel[RELOCATE_HOST_VALUE], cuda[RELOCATE_HOST_VALUE];
	unsigned level; /* x86_64_vN: 2 to 4 */
};

/* RELOCATE_DAMAGED where the text is none that the above describes. */
int relocate_host_parse(
	const char *text, size_t n, struct relocate_host *out, struct relocate_error *e);

/*
 * Does the running machine have it, with the C library below `root` ("": the machine's own)?
 *
 * 0: yes.  1: yes, but e->text has a remark: packages were chosen for CUDA, and there is no driver
 * here, which is no error, because much of them works without.  -1 (RELOCATE_FAILED): no; e->text
 * is a sentence with what is needed, what the host has and that ENVBUILD_SKIP_CHECK=1 skips this.
 */
int relocate_host_compare(
	const struct relocate_host *need, const char *root, struct relocate_error *e);

/*
 * The same for the environment whose folder `root` is a descriptor of, and this host.  0 too where
 * ENVBUILD_SKIP_CHECK is set to anything but "0", or the environment does not say what it needs.
 */
int relocate_host_check(int root, struct relocate_error *e);

/* <0, 0 or >0 by the numbers of two versions; what is missing counts as 0. */
int relocate_host_version_cmp(const char *a, const char *b);

#endif
