#include "cli/unchanged.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/yaml.h"
#include "packer/check.h"
#include "packer/papers.h"
#include "packer/sums.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	FOLDER_MAX = 20000,     /* entries of a folder; one of more is looked at by nobody */
	CONTENT_MAX = 64 << 20, /* bytes of a file that are read; of a larger one its times are */
	SETTINGS_MAX = 64 << 20,
	SUMS_MAX = 1 << 20,
};

/* These change no byte of an archive, and not what its test sees. */
static const enum option_id without_effect[] = {
	OPT_JOBS, OPT_QUIET, OPT_VERBOSE, OPT_JSON, OPT_FORCE, OPT_LOW_DISK, OPT_REPORT};
/*
 * These name no file, or one that is summed up elsewhere (targets, image, project), or what is
 * written, or folders of packages, of which the lock says what is taken.
 */
static const enum option_id not_read[] = {OPT_CHANNEL, OPT_MIRROR, OPT_VAULT, OPT_OUTPUT, OPT_NAME,
	OPT_FORMAT, OPT_DEST_PREFIX, OPT_ENGINE, OPT_TARGET, OPT_IMAGE, OPT_PROJECT};
/* What lies beside an archive; a command that writes another file there adds its ending. */
static const char *const beside[] = {
	".sha256", ".run.json", ".test.log", ".intoto.jsonl", ".sha256.sig", ".intoto.jsonl.sig"};

struct summing {
	const struct inputs_request *r;
	struct arena arena;
	struct hash *hash;
	bool known;
};

/* --- pieces ------------------------------------------------------------------------------- */

static void add(struct summing *s, const char *what, struct str text)
{
	char head[32];

	snprintf(head, sizeof head, "%zu", text.n);
	hash_update(s->hash, what, strlen(what) + 1);
	hash_update(s->hash, head, strlen(head) + 1);
	hash_update(s->hash, text.p, text.n);
}

static void add_number(struct summing *s, const char *what, int64_t v)
{
	char text[32];

	snprintf(text, sizeof text, "%" PRId64, v);
	add(s, what, str_of(text));
}

static void add_times(struct summing *s, const struct stat *st)
{
	add_number(s, "mode", st->st_mode);
	add_number(s, "size", st->st_size);
	add_number(s, "changed", st->st_mtim.tv_sec);
	add_number(s, "ns", st->st_mtim.tv_nsec);
	add_number(s, "inode changed", st->st_ctim.tv_sec);
	add_number(s, "ns", st->st_ctim.tv_nsec);
}

static bool is_in(enum option_id id, const enum option_id *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == id)
			return true;
	return false;
}
#define IS_IN(id, list) is_in(id, list, sizeof(list) / sizeof *(list))

/* --- folders ------------------------------------------------------------------------------ */

struct walk {
	struct summing *s;
	const char *dir;
	bool is_project; /* what the test sees; else all of it may be packed */
	size_t n;
};

/* Is the name the stem's, with the ending of an archive, of a part of one, or of what lies beside? */
static bool is_beside(struct arena *a, struct str name, struct str stem)
{
	ptrdiff_t dot = str_rchr(name, '.');
	enum pack_format format;
	uint64_t part;
	char *path;

	if (!str_starts(name, stem))
		return false;
	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++)
		if (str_eq(str_sub(name, stem.n, name.n), str_of(beside[i])))
			return true;
	if (dot > 0 && str_u64(str_sub(name, (size_t)dot + 1, name.n), PARTS_MAX, &part) == 0)
		name = str_sub(name, 0, (size_t)dot);
	path = arena_cstr(a, name);
	return pack_format_of_path(path, &format) == 0 && pack_stem_length(path) == stem.n;
}

/* What this command writes, for this target or for others of the same run. */
static bool is_output(const struct walk *w, const char *rel)
{
	const struct inputs_request *r = w->s->r;
	struct arena *a = &w->s->arena;
	char *full = path_join(a, w->dir, rel);
	struct str name = str_of(path_base(full)), env = r->plan->name, stem;
	ptrdiff_t dot;

	if (strcmp(full, path_absolute(a, r->project->lock_path)) == 0 ||
		(r->output->format == PACK_DIR &&
			strcmp(full, path_absolute(a, r->output->path)) == 0))
		return true;
	if (strcmp(path_dir(a, full), path_dir(a, path_absolute(a, r->output->path))) != 0)
		return false;
	stem = str_of(path_base(r->output->stem));
	dot = str_chr(name, '.');
	if (r->project->n_targets > 1 && name.n > env.n && str_starts(name, env) &&
		name.p[env.n] == '-') {
		if (path_exists(path_join(a, full, PAPERS_DIR "manifest.json")))
			return true;
		if (dot > (ptrdiff_t)env.n)
			stem = str_sub(name, 0, (size_t)dot);
	}
	return is_beside(a, name, stem);
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct walk *w = ctx;
	struct str path = str_of(rel);

	(void)e;
	if (w->is_project && (str_is(str_of(path_base(rel)), ".git") || is_output(w, rel)))
		return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
	if (++w->n > FOLDER_MAX)
		return 1;
	add(w->s, "path", path);
	/* A folder's times change with what is written into it, which may be ours. */
	if (S_ISDIR(st->st_mode))
		add_number(w->s, "mode", st->st_mode);
	else
		add_times(w->s, st);
	return 0;
}

static void add_folder(struct summing *s, const char *dir, bool is_project)
{
	CLEANUP_FD fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk w = {.s = s, .dir = path_absolute(&s->arena, dir), .is_project = is_project};

	if (fd < 0 || dir_walk(fd, visit, &w, NULL) != 0)
		s->known = false;
	add_number(s, "entries", (int64_t)w.n);
}

/* --- words -------------------------------------------------------------------------------- */

/* Where a word is the path of something, that too. */
static void add_named(struct summing *s, const char *dir, struct str word)
{
	char *path = path_join(&s->arena, dir, arena_cstr(&s->arena, word));
	struct stat st;
	struct str text;

	if (word.n == 0 || str_chr(word, 0) >= 0 || word.n > 4096 || stat(path, &st) < 0)
		return;
	if (S_ISDIR(st.st_mode))
		add_folder(s, path, false);
	else if (!S_ISREG(st.st_mode) || st.st_size > CONTENT_MAX)
		add_times(s, &st);
	else if (file_read(&s->arena, path, CONTENT_MAX, &text, NULL) == 0) {
		add(s, "content", text);
		add_number(s, "mode", st.st_mode); /* an added file is a program or not */
	} else {
		s->known = false;
	}
}

/* The word, and what stands before and behind a "=" or ":" in it. */
static void add_word(struct summing *s, const char *dir, struct str word)
{
	add(s, "word", word);
	add_named(s, dir, word);
	for (size_t i = 0; i < word.n; i++)
		if (word.p[i] == '=' || word.p[i] == ':') {
			add_named(s, dir, str_trim(str_sub(word, 0, i)));
			add_named(s, dir, str_trim(str_sub(word, i + 1, word.n)));
		}
}

static void add_options(struct summing *s)
{
	const struct command_line *line = &s->r->s->line;

	for (size_t i = 0; i < line->given.n; i++) {
		const struct given_option *o = &line->given.v[i];
		struct str value = str_of(o->value ? o->value : "");

		if (IS_IN(o->id, without_effect))
			continue;
		add(s, "option", str_of(option_name(o->id)));
		if (IS_IN(o->id, not_read))
			add(s, "value", value);
		else
			add_word(s, ".", value);
	}
	for (size_t i = 0; i < line->n_operands; i++)
		add(s, "operand", str_of(line->operands[i]));
}

static void add_yaml(struct summing *s, const char *dir, const struct yaml *y)
{
	if (!y)
		return;
	switch (y->kind) {
	case YAML_SCALAR:
		add_word(s, dir, y->text);
		break;
	case YAML_SEQUENCE:
		for (size_t i = 0; i < y->n; i++)
			add_yaml(s, dir, y->items[i]);
		break;
	case YAML_MAP:
		for (size_t i = 0; i < y->n; i++) {
			add_word(s, dir, y->keys[i]->text);
			/* Of channels and mirrors the lock says what is taken. */
			if (!str_is(y->keys[i]->text, "channels") &&
				!str_is(y->keys[i]->text, "mirrors"))
				add_yaml(s, dir, y->items[i]);
		}
		break;
	}
}

static void add_settings(struct summing *s)
{
	const struct project *p = s->r->project;
	struct yaml *root = NULL;
	struct str text;

	if (!p->settings.path)
		return;
	if (file_read(&s->arena, p->settings.path, SETTINGS_MAX, &text, NULL) < 0 ||
		yaml_parse(&s->arena, p->settings.path, text, &root, NULL) < 0) {
		s->known = false;
		return;
	}
	add(s, "settings", text);
	add_yaml(s, p->dir, root);
}

/* --- the whole ---------------------------------------------------------------------------- */

static void add_variables(struct summing *s)
{
	static const char *const always[] = {"SOURCE_DATE_EPOCH"};
	static const char *const for_tests[] = {"LANG", "LC_ALL", "TZ"}; /* builder/active.c */
	const char *value;

	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if ((value = getenv(always[i])))
			add(s, always[i], str_of(value));
	for (size_t i = 0; s->r->has_test && i < sizeof for_tests / sizeof *for_tests; i++)
		if ((value = getenv(for_tests[i])))
			add(s, for_tests[i], str_of(value));
}

static void add_target(struct summing *s)
{
	const struct profile *p = &s->r->plan->profile;

	add(s, "target", p->name);
	add(s, "profile", p->text);
	for (size_t i = 0; i < p->n_virtual_packages; i++)
		add(s, "virtual package", p->virtual_packages[i]);
	/* What a folder holds, nobody knows; that of `host` is the machine. */
	if (s->r->engine->digest)
		add(s, "image", str_of(s->r->engine->digest));
	else if (s->r->engine->root || p->root || !p->host)
		s->known = false;
}

static void add_environment(struct summing *s)
{
	const struct project *p = s->r->project;
	struct str text = {0};
	struct stat st;

	/* What comes through a pipe is gone by now. */
	if (stat(p->path, &st) < 0 || !S_ISREG(st.st_mode) ||
		file_read(&s->arena, p->path, SETTINGS_MAX, &text, NULL) < 0)
		s->known = false;
	add(s, "environment", p->lock_is_input ? (struct str){0} : text);
	add(s, "name", s->r->plan->name);
}

static void add_test(struct summing *s)
{
	add_number(s, "test", s->r->has_test);
	if (s->r->has_test)
		add(s, "script", s->r->script);
	if (!s->r->has_test && !s->r->has_hook)
		return;
	add(s, "project", str_of(s->r->project_dir));
	add_folder(s, s->r->project_dir, true);
}

void inputs_take(const struct inputs_request *r, struct inputs *out)
{
	struct summing s = {.r = r, .hash = hash_new(HASH_SHA256), .known = true};

	add(&s, "envbuild", STR(ENVBUILD_VERSION));
	add(&s, "archive", str_of(r->output->path));
	add(&s, "format", str_of(pack_format_name(r->output->format)));
	add(&s, "gzip", str_of(gzip_version()));
	add(&s, "zstd", str_of(zstd_version()));
	add_environment(&s);
	add_options(&s);
	add_settings(&s);
	add_target(&s);
	add_variables(&s);
	add_test(&s);
	hash_final(s.hash, out->sha256);
	hash_free(s.hash);
	out->known = s.known;
	arena_release(&s.arena);
}

void inputs_finish(struct inputs *inputs, struct str lock)
{
	struct hash *hash = hash_new(HASH_SHA256);

	hash_update(hash, inputs->sha256, SHA256_LEN);
	hash_update(hash, lock.p, lock.n);
	hash_final(hash, inputs->sha256);
	hash_free(hash);
}

/* --- what lies there ---------------------------------------------------------------------- */

static struct str time_of(struct arena *a, const struct stat *st)
{
	return arena_strf(a, "%lld.%09ld", (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

void inputs_tell(
	struct arena *a, const struct inputs *inputs, const char *archive, struct json_out *w)
{
	char hex[SHA256_HEX + 1];
	struct stat st;

	jw_key(w, "inputs");
	if (!inputs->known) {
		jw_null(w);
		return;
	}
	hex_encode(inputs->sha256, SHA256_LEN, hex);
	jw_object(w);
	jw_key(w, "sha256");
	jw_cstr(w, hex);
	if (stat(archive, &st) == 0) {
		jw_key(w, "archive_time");
		jw_str(w, time_of(a, &st));
	}
	jw_object_end(w);
}

/* NAME.sha256 lists this with the sum that was released. */
static bool is_listed(struct arena *a, const struct output *output, struct str listed,
	const struct release_run *run)
{
	struct str sums, sum;
	uint8_t there[SHA256_LEN];

	if (file_read(a, output_beside(a, output, "sha256"), SUMS_MAX, &sums, NULL) < 0)
		return false;
	sum = str_cut(&sums, ' ');
	return hex_decode(sum, there, SHA256_LEN) == 0 &&
	       memcmp(there, run->sha256, SHA256_LEN) == 0 && str_eq(str_trim(sums), listed);
}

/* An archive in one file that nobody wrote to since, by its size and time. */
static bool is_untouched(
	struct arena *a, const struct output *output, const struct release_run *run)
{
	struct stat st;

	return lstat(output->path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == run->bytes &&
	       str_eq(run->archive_time, time_of(a, &st)) &&
	       is_listed(a, output, str_of(path_base(output->path)), run);
}

/* A folder is what its list says, and that is what was released. */
static bool is_whole_folder(
	struct arena *a, const struct output *output, const struct release_run *run)
{
	uint8_t sum[SHA256_LEN];
	struct archive_found found;

	return file_hash(path_join(a, output->path, SUMS_PATH), sum, NULL, NULL) == 0 &&
	       memcmp(sum, run->sha256, SHA256_LEN) == 0 &&
	       is_listed(a, output, arena_strf(a, "%s/" SUMS_PATH, path_base(output->path)), run) &&
	       archive_check(a, output->path, &found, NULL) == 0;
}

static bool is_whole(struct arena *a, const struct output *output, const struct release_run *run)
{
	struct release r;

	if (output->format == PACK_DIR)
		return is_whole_folder(a, output, run);
	return is_untouched(a, output, run) ||
	       (release_open(a, output->path, &r, NULL) == 0 && r.sums &&
		       memcmp(r.sha256, run->sha256, SHA256_LEN) == 0);
}

/* Of the files beside it exactly those that this run would write. */
static bool is_beside_as_asked(struct arena *a, const struct inputs_request *r)
{
	const struct options *o = &r->s->line.options;
	const struct {
		const char *ending;
		bool asked;
	} files[] = {
		{"test.log", r->has_test},
		{"intoto.jsonl", o->attest},
		{"sha256.sig", o->sign_with},
		{"intoto.jsonl.sig", o->attest && o->sign_with},
	};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (path_exists(output_beside(a, r->output, files[i].ending)) != files[i].asked)
			return false;
	return true;
}

bool unchanged(const struct inputs_request *r, const struct inputs *inputs, struct release_run *run)
{
	struct arena *a = &r->s->arena;
	const char *path = output_beside(a, r->output, "run.json");
	struct inputs now = *inputs;

	if (!now.known || !r->plan->from_lock || r->s->line.options.force || !path_exists(path) ||
		release_run_read(a, path, run, NULL) < 0)
		return false;
	inputs_finish(&now, plan_lock_text(r->s, r->project, r->plan));
	return run->has_inputs && run->has_sha256 &&
	       memcmp(run->inputs, now.sha256, SHA256_LEN) == 0 && run->tested == r->has_test &&
	       (!r->has_test || run->status == 0) && is_beside_as_asked(a, r) &&
	       is_whole(a, r->output, run);
}
