/*
 * Reading a profile off a machine or a root file system.
 *
 *	probe_host()   the running machine
 *	probe_root()   a folder: its C library and libraries; it has no kernel, CPU or GPU of its own
 *	profile_write  the YAML of either, which profile_parse() reads
 *
 * The same is done by a static program for hosts where envbuild does not run (portable/probe.c) and
 * by a shell script (images/probe.sh); all three print the same (docs/design/profile.md).  These
 * files therefore use no more of base/ than that program is linked with.
 */
#ifndef IMAGES_PROBE_H
#define IMAGES_PROBE_H

#include "base/buf.h"
#include "images/profile.h"

/* What could not be read as it should be, in words. */
struct probe_notes {
	const char **v;
	size_t n, cap;
};

/*
 * name: of the target; NULL: the machine's or the folder's own, cleaned.  Texts are in the arena,
 * p->text stays empty.  ERR_INPUT where there is no glibc.
 */
int probe_host(struct arena *a, const char *name, struct profile *out, struct probe_notes *notes,
	struct err *e);
int probe_root(
	struct arena *a, const char *root, const char *name, struct profile *out, struct err *e);

/* The YAML of a profile, one form only: lists sorted as in the profile, no image, no pack format. */
void profile_write(struct buf *to, const struct profile *p);
/* profile_write with a line that says where it is from, and the notes, as comments. */
void probe_write(struct buf *to, const struct profile *p, const struct probe_notes *notes);

/* --- its parts ---------------------------------------------------------------------------- */

/*
 * The libraries that the loader of a root finds in its default folders and those of ld.so.conf, by
 * soname, with the symbol versions they define but *_PRIVATE.
 */
int probe_libraries(struct arena *a, const char *root, struct profile *out, struct err *e);
void probe_limits(struct profile_limits *out);
/* The folders that are looked at: /tmp, /var/tmp, /dev/shm, $HOME, the working folder. */
void probe_file_system(struct arena *a, struct profile_file_system *out);
/* The level or machine that __archspec has on this machine. */
const char *probe_cpu(struct arena *a, const char *machine);

/* "12.4", or empty: what the driver offers.  devices: look at these, too, which takes its time. */
struct probe_cuda {
	struct str version;    /* empty: no driver */
	struct str capability; /* of the least of the devices; empty: none, or not asked */
};
void probe_cuda(struct arena *a, bool devices, struct probe_cuda *out, struct probe_notes *notes);
/* `gpu:` of a machine with that driver; its libraries are those of p, or all that drivers bring
 * where p has no inventory.  Without a driver p is left as it is. */
void probe_gpu(struct arena *a, const struct probe_cuda *cuda, struct profile *p);

/* "12.4" of the text of /proc/driver/nvidia/version, by the driver's branch; empty: unknown. */
struct str cuda_of_driver(struct str version_file);

/* The script that does the same; lives as long as the program. */
struct str probe_script(void);

#endif
