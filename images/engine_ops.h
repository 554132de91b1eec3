/* What an engine has to offer to images/engine.c; one table for each. */
#ifndef IMAGES_ENGINE_OPS_H
#define IMAGES_ENGINE_OPS_H

#include "images/plan.h"

enum engine_kind { ENGINE_BUILTIN, ENGINE_NONE, ENGINE_PODMAN, ENGINE_DOCKER };

struct engine_ops {
	enum engine_kind kind;
	const char *name;
	bool direct;  /* jobs see this machine as it is: only '/' can be the root */
	bool imports; /* any root but '/', which is no folder to hand to others */
	bool quota;   /* it can hold one */
	/* Can it work here?  Found out by doing it.  Sets en->overlay. NULL: always. */
	int (*open)(struct engine *en, struct err *e);
	/* places[0] is the job's own folder. */
	int (*run)(struct engine *en, struct arena *a, struct job *job,
		const struct place places[2], int *status, struct err *e);
};

extern const struct engine_ops none_ops;   /* none.c */
extern const struct engine_ops podman_ops; /* container.c */
extern const struct engine_ops docker_ops;

struct engine {
	struct arena arena;
	const struct engine_ops *ops;
	const struct profile *profile;
	const char *digest; /* of the root's image; NULL: a folder of the caller's */
	char *root;
	struct state state;
	struct state spare; /* opened when a job throws a folder away that holds the state folder */
	bool overlay;       /* overlays work here */
	struct gpu gpu;     /* without nodes: none */
	unsigned max_processes;
	uint64_t max_bytes;
	/* podman and docker */
	char *image;       /* docker's name for the root */
	bool maps_user;    /* root inside is the caller outside */
	bool knows_gpu;    /* it can be asked for a GPU by name, if there is one */
	bool bounds_tasks; /* it can limit the number of processes */
};

#endif
