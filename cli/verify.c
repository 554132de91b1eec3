/*
 * envbuild verify: a prefix against what its packages, pip and its archive say; an archive:
 * verify_archive.c.
 */
#include "cli/environment.h"
#include "cli/output.h"
#include "cli/verify_archive.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/verify.h"
#include "packer/unpacked.h"

#include <stdio.h>

/* Whoever adds a package later writes into history. */
static void list_files(const struct unpacked *u, struct verify_request *r)
{
	size_t n_more;
	const struct str *more = rules_paths(u->arena, &u->rules, &n_more);
	struct str *v = arena_array(u->arena, struct str, u->sums.n + n_more + 1);

	for (size_t i = 0; i < u->sums.n; i++)
		if (!str_is(u->sums.entries[i].key, "conda-meta/history"))
			v[r->n_listed++] = u->sums.entries[i].key;
	for (size_t i = 0; i < n_more; i++)
		v[r->n_listed++] = more[i];
	r->listed = v;
	r->listed_by = STR("the archive");
	r->judge = unpacked_judge;
	r->left_out = unpacked_left_out;
}

/* --- words -------------------------------------------------------------------------------- */

static const char *kind_name(enum finding_kind kind)
{
	switch (kind) {
	case FINDING_MISSING:
		return "missing";
	case FINDING_CHANGED:
		return "changed";
	case FINDING_FOREIGN:
		return "foreign";
	}
	return "";
}

static void print_findings(const struct verify_result *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct finding *f = &v->v[i];
		printf("%s  %.*s", kind_name(f->kind), STR_ARG(f->path));
		if (f->why)
			printf("  (%s)", f->why);
		if (f->owner.n)
			printf("  %.*s", STR_ARG(f->owner));
		putchar('\n');
	}
}

static void put_findings(struct json_out *w, const struct verify_result *v, enum finding_kind kind)
{
	jw_key(w, kind_name(kind));
	jw_array(w);
	for (size_t i = 0; i < v->n; i++) {
		const struct finding *f = &v->v[i];
		if (f->kind != kind)
			continue;
		jw_object(w);
		jw_key(w, "path");
		jw_str(w, f->path);
		if (f->owner.n) {
			jw_key(w, "owner");
			jw_str(w, f->owner);
		}
		if (f->why) {
			jw_key(w, "why");
			jw_cstr(w, f->why);
		}
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void put_document(const struct options *o, const char *prefix, const struct verify_result *v)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "prefix");
	jw_cstr(&w, prefix);
	jw_pair_int(&w, "packages", (int64_t)v->packages);
	jw_pair_int(&w, "pip", (int64_t)v->dists);
	jw_pair_int(&w, "files", (int64_t)v->files);
	jw_pair_int(&w, "unchecked", (int64_t)v->unchecked);
	jw_key(&w, "unfinished");
	jw_bool(&w, v->unfinished);
	put_findings(&w, v, FINDING_MISSING);
	put_findings(&w, v, FINDING_CHANGED);
	put_findings(&w, v, FINDING_FOREIGN);
	jw_object_end(&w);
	output_document(o, &text);
}

static int judge_result(const char *prefix, const struct verify_result *v, struct err *e)
{
	if (v->at_work)
		return err_set(
			e, ERR_FAIL, "another envbuild works in '%s': %s", prefix, v->at_work);
	if (v->unfinished) {
		err_set(e, ERR_INTEGRITY, "a run that changed '%s' did not come to its end",
			prefix);
		return err_advise(e, "'envbuild install -p %s' completes or undoes it", prefix);
	}
	if (v->missing || v->changed) {
		err_set(e, ERR_INTEGRITY,
			"files of '%s' are not as installed: %zu missing, %zu changed", prefix,
			v->missing, v->changed);
		return err_advise(e, "install into a new folder, or make the environment again");
	}
	log_note("%s: %zu files of %zu packages are as they were installed", prefix, v->files,
		v->packages + v->dists);
	if (v->unchecked)
		log_note("of %zu of them nothing tells what should be in them", v->unchecked);
	if (v->foreign)
		log_note("%zu files are of no package", v->foreign);
	return 0;
}

static int check_operand(const char *operand, struct err *e)
{
	enum environment_kind kind;
	struct stat st;

	if (environment_kind(operand, &kind, e) < 0)
		return -1;
	switch (kind) {
	case ENVIRONMENT_PREFIX:
		return 0;
	case ENVIRONMENT_ARCHIVE:
	case ENVIRONMENT_FILE:
		if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
			return 0; /* an environment that is only begun may lack conda-meta */
		break;
	}
	err_set(e, ERR_USAGE, "'%s' is no environment", operand);
	return err_advise(
		e, "name an archive, or the folder that an environment was installed into");
}

static int refuse_options(const struct options *o, struct err *e)
{
	if (o->rebuild || o->signer)
		return err_set(e, ERR_USAGE, "--%s is about an archive, not about a folder",
			o->rebuild ? "rebuild" : "signer");
	return 0;
}

int command_verify(struct session *s, struct err *e)
{
	struct verify_request r = {0};
	struct verify_result result;
	struct unpacked archive = {.arena = &s->arena};
	struct err no_cache = {0};
	int rc;

	if (verify_is_archive(s, s->line.operands[0]))
		return verify_archive(s, s->line.operands[0], e);
	if (check_operand(s->line.operands[0], e) < 0 || refuse_options(&s->line.options, e) < 0)
		return -1;
	/* The cache knows modes and links; without it the rest is compared. */
	if (session_open(s, &no_cache) == 0)
		r.cache = &s->cache;
	err_release(&no_cache);
	r.prefix = path_absolute(&s->arena, s->line.operands[0]);
	r.jobs = s->jobs;
	rc = unpacked_open(&archive, r.prefix, e);
	r.ctx = &archive;
	if (rc > 0)
		list_files(&archive, &r);
	if (rc >= 0)
		rc = verify_prefix(&s->arena, &r, &result, e);
	unpacked_close(&archive);
	if (rc < 0)
		return -1;
	if (s->line.options.json)
		put_document(&s->line.options, r.prefix, &result);
	else
		print_findings(&result);
	return judge_result(r.prefix, &result, e);
}
