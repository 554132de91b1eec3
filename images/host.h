/* What the running machine offers: the built-in profile `host`. */
#ifndef IMAGES_HOST_H
#define IMAGES_HOST_H

#include "images/profile.h"

/*
 * glibc from libc.so.6 itself (this program may bring another one along), the kernel from uname,
 * the CPU level from /proc/cpuinfo, the CUDA driver's version from libcuda.so.1 loaded in a child
 * process with a time limit.  CONDA_OVERRIDE_GLIBC, _LINUX, _CUDA and _ARCHSPEC are honoured
 * (CEP 30); an empty one means "not there".
 */
int host_profile(struct arena *a, struct profile *out, struct err *e);

/* "linux-64": what this machine runs; of one that nobody has named, "linux-MACHINE".  Static. */
struct str machine_subdir(void);

/* The x86-64 level that a "flags" line of /proc/cpuinfo reaches: "x86_64" to "x86_64_v4". */
const char *x86_64_level(struct str flags);
/* The upstream part of a kernel release, "5.14.0" of "5.14.0-70.el9": CEP 30. */
struct str kernel_version(struct str release);

#endif
