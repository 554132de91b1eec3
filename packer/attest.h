/*
 * NAME.intoto.jsonl: what a release was made of and that it was tested, as in-toto statements
 * (in-toto Attestation Framework, Statement v1), one to a line.
 *
 *	line 1	predicate https://slsa.dev/provenance/v1: environment file, options, every package
 *	line 2	predicate https://in-toto.io/attestation/test-result/v0.1, where it was tested
 *
 * The subjects of each are the files that make up the archive.  docs/design/papers.md says what each
 * field means.
 */
#ifndef PACKER_ATTEST_H
#define PACKER_ATTEST_H

#include "base/hash.h"
#include "builder/content.h"
#include "packer/making.h"
#include "packer/rules.h"
#include "solver/pypi.h"

#define ATTEST_STATEMENT  "https://in-toto.io/Statement/v1"
#define ATTEST_PROVENANCE "https://slsa.dev/provenance/v1"
#define ATTEST_TEST       "https://in-toto.io/attestation/test-result/v0.1"
/* Names of envbuild's own; there is nothing to be fetched there. */
#define ATTEST_BUILD_TYPE "https://envbuild.example/pack/v1"
#define ATTEST_BUILDER    "https://envbuild.example/builder/local"

struct attest_file {
	struct str name;
	uint8_t sha256[SHA256_LEN];
};

struct attest_request {
	const struct attest_file *subjects;
	size_t n_subjects;
	struct str name, version, target; /* version empty: none */
	const struct pack_making *making;
	const struct rules *rules; /* NULL: none */
	struct str dest_prefix;    /* empty: packed for no path */
	const char *engine;
	struct str image_digest; /* "sha256:HEX"; empty: the root is no image of ours */
	struct str image;        /* how it is called, or what the root is then: "/", "a folder" */
	const struct pack_paper *inputs; /* environment.yml, envbuild.lock, profile.yml, scripts */
	size_t n_inputs;
	const struct package *packages;
	size_t n_packages;
	const struct pypi_set *pypi;
	const struct attest_file *byproducts;
	size_t n_byproducts;
	int64_t started, finished; /* seconds since 1970 */
	const char *test_script;   /* its name; NULL: not tested */
};

void attest_write(struct arena *a, const struct attest_request *r, struct buf *to);

struct attest_statement {
	struct str predicate_type;
	struct attest_file *subjects;
	size_t n_subjects;
	struct str result; /* of a test: "PASSED"; empty: it says none */
};

/*
 * Reads such a file.  What a predicate holds is passed over but for a test's result.  where stands in
 * errors: ERR_INTEGRITY.  Texts live in the arena.
 */
int attest_parse(struct arena *a, struct str text, const char *where, struct attest_statement **out,
	size_t *n, struct err *e);

#endif
