/*
 * The stages of `envbuild pack` that make an archive of a plan: `pack` walks through them, and
 * `verify --rebuild` makes an archive once more by them.
 */
#ifndef CLI_PACK_STAGES_H
#define CLI_PACK_STAGES_H

#include "base/json.h"
#include "builder/install.h"
#include "builder/test.h"
#include "cli/output.h"
#include "cli/plan.h"
#include "cli/unchanged.h"
#include "images/engine.h"
#include "packer/making.h"
#include "packer/pack.h"
#include "packer/rules.h"
#include "packer/sizes.h"

#include <time.h>

/* One target on its way. */
struct pack_run {
	struct session *s;
	struct project *project;
	struct plan plan;
	struct engine_options options;
	struct engine *engine;
	struct content content;
	struct rules rules;
	struct pre_pack pre_pack;
	struct sizes sizes;
	struct output output;
	struct inputs inputs;
	struct str version;        /* of the release; empty: none was given */
	struct pack_making making; /* the options that decide bytes */
	const struct audit *audit; /* of what is packed; NULL: not made yet */
	const struct pack_paper
		*given; /* papers that are inputs, as they are; NULL: made of the plan */
	size_t n_given;
	struct pack_result packed;
	struct test_result tested;
	bool unchanged;     /* what lies there says so: packed and tested are its */
	const char *script; /* a copy of the test script as it was found; NULL: not tested */
	const char *script_name, *project_dir;
	struct str script_text;
	bool has_test;
	const char *dest_prefix; /* NULL: none */
	bool keep_segments;      /* there is room for them */
	time_t started;
};

/* run->version and run->making, from the command line and envbuild.yml. */
int pack_choose_making(struct pack_run *run, struct err *e);
/* Fills the cache and installs the plan into WORK/build: run->content tells what is there. */
int pack_build(struct pack_run *run, struct err *e);
/* Writes run->content with its papers to run->output.temp: run->packed. */
int pack_archive(struct pack_run *run, struct err *e);

/* Do kernels of the target mount images of zstd? Those from 4.14 on do. */
bool pack_mounts_zstd(const struct profile *p);

#endif
