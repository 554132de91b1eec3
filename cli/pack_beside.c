#include "cli/pack_beside.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/proc.h"
#include "cli/pack_papers.h"
#include "packer/attest.h"
#include "packer/sums.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum { SIGNATURE_MAX = 1 << 20 };

#define SUMS        "sha256"
#define ATTESTATION "intoto.jsonl"
#define SIGNED      ".sig"

/* --- the signature ---------------------------------------------------------------------------- */

/* The command gets the bytes on stdin, and for those that want a file its path in the environment. */
static int run_signer(
	const char *command, const char *file, struct str sums, struct buf *to, struct err *e)
{
	const char *argv[] = {"/bin/sh", "-c", command, NULL};
	struct proc p = {
		.argv = argv, .input = sums, .on_stdout = proc_to_buf, .ctx = to, .terminal = true};
	int status = 0;

	setenv("ENVBUILD_FILE", file, 1);
	if (proc_run(&p, &status, e) < 0)
		return -1;
	unsetenv("ENVBUILD_FILE");
	if (status == 0 && to->n && !to->overflow)
		return 0;
	if (status)
		err_set(e, ERR_FAIL, "the command of --sign-with ended with status %d", status);
	else
		err_set(e, ERR_FAIL, "the command of --sign-with wrote %s",
			to->overflow ? "more than a signature" : "no signature to its stdout");
	return err_advise(e, "nothing was released; see 'man envbuild-pack' for what it is given");
}

/* data as NAME.ENDING */
static int sign(struct pack_run *run, const char *ending, struct str data, struct str *signature,
	struct err *e)
{
	struct arena *a = &run->s->arena;
	const char *name = path_base(output_beside(a, &run->output, ending));
	char *dir = path_join(a, run->s->work, "sign"), *file = path_join(a, dir, name);
	CLEANUP_BUF text = {.max = SIGNATURE_MAX};
	struct step step;

	if (dir_make(dir, e) < 0 || file_write(file, data, 0644, e) < 0)
		return -1;
	step_begin(&step, "sign", 0, 0);
	if (run_signer(run->s->line.options.sign_with, file, data, &text, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%s", name);
	*signature = arena_str(a, buf_view(&text));
	return dir_remove(dir, e);
}

/* --- the attestation -------------------------------------------------------------------------- */

struct files {
	struct attest_file v[3];
	size_t n;
};

static void add_byproduct(
	struct pack_run *run, struct files *to, const char *ending, struct str data)
{
	struct attest_file *f = &to->v[to->n++];

	f->name = str_of(path_base(output_beside(&run->s->arena, &run->output, ending)));
	sha256_of(data.p, data.n, f->sha256);
}

/* Where programs ran: an image that is known by its digest, or what else. */
static struct str root_of(const struct pack_run *run)
{
	const char *root = engine_root(run->engine);

	if (run->options.digest)
		return STR("an image");
	return root && !strcmp(root, "/") ? STR("/") : STR("a folder");
}

/* The archive itself, or its parts. */
static int subjects_of(
	struct pack_run *run, struct str sums, struct attest_request *r, struct err *e)
{
	struct table listed = {.arena = &run->s->arena};
	struct attest_file *files;

	if (sums_read(&listed, sums, e) < 0)
		return -1;
	files = arena_array(&run->s->arena, struct attest_file, listed.n + 1);
	for (size_t i = 0; i < listed.n; i++) {
		files[i].name = listed.entries[i].key;
		memcpy(files[i].sha256, listed.entries[i].value.ptr, SHA256_LEN);
	}
	r->subjects = files;
	r->n_subjects = listed.n;
	return 0;
}

static int attest(struct pack_run *run, struct str sums, const struct files *byproducts,
	struct buf *to, struct err *e)
{
	struct pack_paper inputs[PACK_PAPERS_MAX];
	struct attest_request r = {.name = run->plan.name,
		.version = run->version,
		.target = run->plan.profile.name,
		.making = &run->making,
		.rules = &run->rules,
		.dest_prefix = str_of(run->dest_prefix),
		.engine = engine_name(run->engine),
		.image_digest = str_of(run->options.digest),
		.image = root_of(run),
		.inputs = inputs,
		.n_inputs = pack_inputs(run, inputs),
		.packages = run->content.packages,
		.n_packages = run->content.n_packages,
		.pypi = run->plan.pypi,
		.byproducts = byproducts->v,
		.n_byproducts = byproducts->n,
		.started = run->started,
		.finished = time(NULL),
		.test_script = run->has_test ? run->script_name : NULL};

	if (subjects_of(run, sums, &r, e) < 0)
		return -1;
	attest_write(&run->s->arena, &r, to);
	return 0;
}

/* --- both ------------------------------------------------------------------------------------- */

static int write_or_remove(struct pack_run *run, const char *ending, struct str data, struct err *e)
{
	char *path = output_beside(&run->s->arena, &run->output, ending);

	if (data.p)
		return output_write_beside(&run->s->arena, &run->output, ending, data, e);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s' of an earlier release", path);
	return 0;
}

int pack_make_beside(struct pack_run *run, struct pack_beside *b, struct err *e)
{
	const struct options *o = &run->s->line.options;
	struct files byproducts = {0};
	CLEANUP_BUF text = {0};

	add_byproduct(run, &byproducts, "run.json", b->run_json);
	if (b->log.p)
		add_byproduct(run, &byproducts, "test.log", b->log);
	if (o->attest) {
		if (attest(run, b->sums, &byproducts, &text, e) < 0)
			return -1;
		b->attestation = arena_str(&run->s->arena, buf_view(&text));
	}
	if (!o->sign_with)
		return 0;
	if (sign(run, SUMS, b->sums, &b->sums_signature, e) < 0)
		return -1;
	return o->attest ? sign(run, ATTESTATION, b->attestation, &b->attestation_signature, e) : 0;
}

int pack_write_beside(struct pack_run *run, const struct pack_beside *b, struct err *e)
{
	const struct {
		const char *ending;
		struct str data;
	} files[] = {
		{SUMS, b->sums},
		{"run.json", b->run_json},
		{"test.log", b->log},
		{ATTESTATION, b->attestation},
		{SUMS SIGNED, b->sums_signature},
		{ATTESTATION SIGNED, b->attestation_signature},
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (write_or_remove(run, files[i].ending, files[i].data, e) < 0)
			return -1;
	return 0;
}

static void describe(const struct pack_run *run, struct json_out *w, const char *key,
	const char *ending, bool there)
{
	jw_key(w, key);
	if (there)
		jw_cstr(w, path_base(output_beside(&run->s->arena, &run->output, ending)));
	else
		jw_null(w);
}

void pack_describe_beside(const struct pack_run *run, struct json_out *w)
{
	const struct options *o = &run->s->line.options;

	jw_key(w, "version");
	if (run->version.n)
		jw_str(w, run->version);
	else
		jw_null(w);
	jw_key(w, "image");
	jw_cstr(w, run->options.digest);
	describe(run, w, "attestation", ATTESTATION, o->attest);
	describe(run, w, "signature", SUMS SIGNED, o->sign_with != NULL);
}
