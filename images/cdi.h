/*
 * Specifications of the Container Device Interface (cncf-tags/container-device-interface, SPEC.md,
 * versions 0.3 to 1.x): what a vendor's device needs in a container.
 *
 *	cdiVersion: 0.5.0
 *	kind: nvidia.com/gpu
 *	containerEdits: {env: [NAME=VALUE], ...}          for each device
 *	devices:
 *	- name: all
 *	  containerEdits:
 *	    deviceNodes: [{path: /dev/nvidia0, hostPath: /dev/nvidia0}]
 *	    mounts: [{hostPath: /usr/lib64/libcuda.so.535.1, containerPath: /usr/lib64/libcuda.so.535.1}]
 *
 * Hooks are programs of this machine, and not run: what they do (links, the loader's cache) is not
 * needed where libraries lie in a default folder of the loader.
 */
#ifndef IMAGES_CDI_H
#define IMAGES_CDI_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct cdi_mount {
	const char *host, *inside; /* absolute, without "." and ".." */
};

struct cdi {
	const char *device; /* "nvidia.com/gpu=all"; NULL: several devices, and none called all */
	struct {
		const char **v; /* below /dev, the same outside and inside */
		size_t n, cap;
	} nodes;
	struct {
		struct cdi_mount *v;
		size_t n, cap;
	} mounts;
	struct {
		const char **v;
		size_t n, cap;
	} env;
};

/*
 * 1: *out is what the device `all`, or else each device, asks for; 0: no specification of a GPU;
 * -1: ERR_INPUT with NAME:LINE:COLUMN.  JSON is read as the YAML that it is.
 */
int cdi_parse(struct arena *a, const char *name, struct str text, struct cdi *out, struct err *e);

#endif
