/*
 * What a job needs of this machine's GPU driver: device nodes, and the host's driver libraries and
 * programs at the places where the root's loader looks.
 *
 * Where from, the first that is there: a CDI specification (/etc/cdi, /var/run/cdi), what
 * `nvidia-container-cli list` prints, the lists of the profile's `gpu:`.
 */
#ifndef IMAGES_GPU_H
#define IMAGES_GPU_H

#include "images/profile.h"

enum gpu_mode {
	GPU_AUTO, /* for targets with `gpu:`, where this machine has one; a warning where not */
	GPU_NONE,
	GPU_REQUIRE, /* an error where this machine has none */
};

struct gpu_file {
	const char *from; /* on this machine, canonical */
	const char *to;   /* inside */
};

struct gpu {
	const char **nodes; /* "/dev/nvidia0": the same path inside */
	size_t n_nodes;
	struct gpu_file *files; /* read-only */
	size_t n_files;
	const char **env; /* "NAME=VALUE" */
	size_t n_env;
	const char *device; /* CDI name ("nvidia.com/gpu=all") where it came from CDI, else NULL */
	const char *source; /* "CDI", "nvidia-container-cli" or "profile", for messages */
};

/*
 * 1 with *out in the arena; 0: no GPU for this job (not wanted, or none here under GPU_AUTO, with
 * one warning that names what is missing); -1 with *e set.  root: the target's root folder.
 */
int gpu_find(struct arena *a, const struct profile *p, const char *root, enum gpu_mode mode,
	struct gpu *out, struct err *e);

#endif
