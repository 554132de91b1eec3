/*
 * Sorting what a GPU needs by its path: device nodes, libraries and programs; all else is left out.
 * Paths come from others, so nothing takes a place that is the root's: libraries go to the folder
 * of the root's own C library, programs to /usr/bin, nodes keep their path below /dev.
 */
#ifndef IMAGES_GPU_FILES_H
#define IMAGES_GPU_FILES_H

#include "images/gpu.h"

struct gpu_files {
	struct arena *a;
	int root;              /* the root's folder, open */
	const char *libraries; /* inside: "/usr/lib64"; NULL: the root has no C library */
	struct {
		const char **v;
		size_t n, cap;
	} nodes;
	struct {
		struct gpu_file *v;
		size_t n, cap;
	} files;
	size_t n_libraries; /* those that the root has already are counted, too */
	const char *denied; /* a node that this user may not open; NULL: none */
};

/* *g.a is set by the caller. */
int gpu_files_open(struct gpu_files *g, const char *root, struct err *e);
void gpu_files_close(struct gpu_files *g);
/* A path on this machine, absolute; name: what it is called inside.  What is missing is left out. */
void gpu_files_add(struct gpu_files *g, const char *path, const char *name);

#endif
