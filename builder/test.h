/*
 * Running the user's test script in the target image, as the old images did:
 * the environment active, the project at /tmp/project, the environment file at
 * /tmp/environment.yml, the script at /tmp/run-test.sh, ENVIRONMENT_NAME set, `bash -e`.
 */
#ifndef BUILDER_TEST_H
#define BUILDER_TEST_H

#include "images/engine.h"

struct test_request {
	struct engine *engine;
	const char *prefix;      /* unpacked environment on this machine */
	bool in_use;             /* it is somebody's, where it lies: nothing of it may change */
	bool at_place;           /* it is seen where it lies, not at /tmp/NAME */
	const char *name;        /* ENVIRONMENT_NAME; else it is bound at /tmp/NAME */
	const char *project_dir; /* NULL: none */
	const char *environment_file; /* NULL: none */
	const char *script;           /* path on this machine */
	const char *script_name;      /* what messages call it; NULL: script */
	const char *shell;            /* NULL: "bash -e" */
	const char *log_path;         /* NAME.test.log; NULL: none */
	bool network;
	unsigned timeout_s;
};

struct test_result {
	int status; /* of the script */
	bool full;  /* it had written all of its quota */
	double seconds;
	struct str *changed_environment, *changed_project; /* what it changed, in the arena */
	size_t n_changed_environment, n_changed_project;
	struct str output_tail; /* the last 16 KiB */
};

/* ERR_TEST with the exit status where the script failed; its output was passed to log_output. */
int test_run(struct arena *a, const struct test_request *r, struct test_result *out, struct err *e);

#endif
