/* envbuild verify: a prefix against what its packages, pip and its archive say. */
#include "cli/environment.h"
#include "cli/output.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/verify.h"
#include "packer/relocator/relocate.h"
#include "packer/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MAX_LIST = 1 << 30 };

/* What an unpacked archive carries: the sums of its files, and where they hold a prefix. */
struct archive {
	struct arena *arena;
	struct table sums;
	struct str index;
	struct table relocated; /* path -> struct relocate_entry */
	char prefix[RELOCATE_PATH_MAX + 1];
	bool has_prefix;
};

static int read_index(struct archive *ar, const char *prefix, struct err *e)
{
	struct relocate_error why = {0};
	struct relocation r;
	struct relocate_entry entry;
	size_t cursor;

	ar->relocated.arena = ar->arena;
	if (file_map(path_join(ar->arena, prefix, RELOCATE_INDEX), &ar->index, e) < 0)
		return -1;
	if (relocation_open(&r, ar->index.p, ar->index.n, &why) < 0)
		return err_set(e, ERR_INTEGRITY, "%s", why.text);
	cursor = r.first;
	while (relocation_next(&r, &cursor, &entry)) {
		struct relocate_entry *copy = arena_new(ar->arena, struct relocate_entry);
		*copy = entry;
		table_put(&ar->relocated, str_of(entry.path))->ptr = copy;
	}
	return 0;
}

/* 1: it was unpacked from an archive of ours; 0; -1 */
static int open_archive(struct archive *ar, const char *prefix, struct err *e)
{
	struct relocate_error why = {0};
	struct str text;
	struct stat st;
	CLEANUP_FD root = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (fstatat(root, SUMS_PATH, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(root, RELOCATE_INDEX, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	ar->sums.arena = ar->arena;
	if (file_read_at(ar->arena, root, SUMS_PATH, MAX_LIST, &text, e) < 0 ||
		sums_read(&ar->sums, text, e) < 0 || read_index(ar, prefix, e) < 0)
		return -1;
	int rc = relocate_recorded(root, ar->prefix, &why);
	if (rc < 0)
		return err_set(e, why.status == RELOCATE_DAMAGED ? ERR_INTEGRITY : ERR_SYSTEM, "%s",
			why.text);
	ar->has_prefix = rc > 0;
	return 1;
}

static enum verdict judge(
	void *ctx, struct str path, struct str data, const uint8_t sha256[SHA256_LEN])
{
	const struct archive *ar = ctx;
	union table_value *moved = table_get(&ar->relocated, path);
	union table_value *sum = table_get(&ar->sums, path);
	bool good;

	if (sum && memcmp(sum->ptr, sha256, SHA256_LEN) == 0)
		return VERDICT_GOOD;
	if (moved && ar->has_prefix)
		good = relocate_holds(moved->ptr, data.p, data.n, ar->prefix);
	else
		return sum ? VERDICT_BAD : VERDICT_UNKNOWN;
	return good ? VERDICT_GOOD : VERDICT_BAD;
}

/* Whoever adds a package later writes into history. */
static void list_files(const struct archive *ar, struct verify_request *r)
{
	struct str *v = arena_array(ar->arena, struct str, ar->sums.n + 1);

	for (size_t i = 0; i < ar->sums.n; i++)
		if (!str_is(ar->sums.entries[i].key, "conda-meta/history"))
			v[r->n_listed++] = ar->sums.entries[i].key;
	r->listed = v;
	r->listed_by = STR("the archive");
	r->judge = judge;
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

static void put_number(struct json_out *w, const char *key, size_t n)
{
	jw_key(w, key);
	jw_int(w, (int64_t)n);
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
	put_number(&w, "packages", v->packages);
	put_number(&w, "pip", v->dists);
	put_number(&w, "files", v->files);
	put_number(&w, "unchecked", v->unchecked);
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
		err_set(e, ERR_USAGE, "'%s' is an archive", operand);
		return err_advise(e, "'envbuild unpack' checks it; then verify the folder");
	case ENVIRONMENT_FILE:
		if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
			return 0; /* an environment that is only begun may lack conda-meta */
		break;
	}
	err_set(e, ERR_USAGE, "'%s' is no environment", operand);
	return err_advise(e, "name the folder that an environment was installed into");
}

int command_verify(struct session *s, struct err *e)
{
	struct verify_request r = {0};
	struct verify_result result;
	struct archive archive = {.arena = &s->arena};
	struct err no_cache = {0};
	int rc;

	if (check_operand(s->line.operands[0], e) < 0)
		return -1;
	/* The cache knows modes and links; without it the rest is compared. */
	if (session_open(s, &no_cache) == 0)
		r.cache = &s->cache;
	err_release(&no_cache);
	r.prefix = path_absolute(&s->arena, s->line.operands[0]);
	r.jobs = s->jobs;
	rc = open_archive(&archive, r.prefix, e);
	r.ctx = &archive;
	if (rc > 0)
		list_files(&archive, &r);
	if (rc >= 0)
		rc = verify_prefix(&s->arena, &r, &result, e);
	file_unmap(archive.index);
	if (rc < 0)
		return -1;
	if (s->line.options.json)
		put_document(&s->line.options, r.prefix, &result);
	else
		print_findings(&result);
	return judge_result(r.prefix, &result, e);
}
