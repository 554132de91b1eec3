/*
 * Fills a package cache and makes prefixes through builder/, for the tests:
 *
 *	install_one CACHE < commands
 *
 * Commands are lines of fields separated by tabs:
 *	record NAME VERSION BUILD NUMBER SUBDIR CHANNEL FN URL SHA256 MD5 SIZE TIMESTAMP NOARCH SITE
 *	       adds a record; they are numbered from 0; "-" stands for nothing
 *	fill   makes sure that all records so far are in the cache
 *	install PREFIX INSIDE FLAGS NUMBERS
 *	       FLAGS of compile, pack, copy, engine, content, link (no scripts), frozen, managed;
 *	       NUMBERS as "3,0"
 *	pip LINE, variable NAME VALUE, project DIR, request SPEC, allow PATTERN: for each install
 *	test PREFIX NAME SCRIPT LOG     test_run
 *	info   what the cache holds
 * Each but record and those for each install is answered by one line: "ok ...", or "error STATUS TEXT" with
 * newlines as "|".  "content" lists each entry as "entry ..." before.
 */
#include "base/file.h"
#include "base/hash.h"
#include "builder/entry.h"
#include "builder/prefix.h"
#include "builder/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct session {
	struct arena arena;
	struct cache cache;
	struct http *http;
	struct engine *engine;
	struct profile profile;
	struct {
		struct record **v;
		size_t n, cap;
	} records;
	struct {
		struct spec_line *v;
		size_t n, cap;
	} pip, requested;
	struct {
		const char **v;
		size_t n, cap;
	} allow;
	struct {
		struct env_variable *v;
		size_t n, cap;
	} variables;
	const char *project;
};

static void answer_error(struct err *e)
{
	printf("error %d ", err_exit_status(e->code));
	for (const char *p = e->text; p && *p; p++)
		putchar(*p == '\n' ? '|' : *p);
	putchar('\n');
	err_release(e);
}

static struct str field(struct session *s, struct str *line)
{
	struct str text = str_cut(line, '\t');

	return str_is(text, "-") ? (struct str){0} : arena_str(&s->arena, text);
}

static uint64_t number(struct session *s, struct str *line)
{
	uint64_t n = 0;

	str_u64(field(s, line), UINT64_MAX, &n);
	return n;
}

static void add_record(struct session *s, struct str line)
{
	struct record *r = arena_new(&s->arena, struct record);

	r->name = field(s, &line);
	r->version = field(s, &line);
	r->build = field(s, &line);
	r->build_number = number(s, &line);
	r->subdir = field(s, &line);
	r->channel = field(s, &line);
	r->fn = field(s, &line);
	r->url = field(s, &line);
	r->has_sha256 = hex_decode(field(s, &line), r->sha256, SHA256_LEN) == 0;
	r->has_md5 = hex_decode(field(s, &line), r->md5, MD5_LEN) == 0;
	r->size = number(s, &line);
	r->timestamp = number(s, &line);
	field(s, &line);
	r->python_site_packages_path = field(s, &line);
	*VEC_PUSH(&s->arena, &s->records) = r;
}

static int open_engine(struct session *s, struct err *e)
{
	struct engine_options options = {
		.profile = &s->profile, .state_dir = path_join(&s->arena, s->cache.dir, "engine")};

	if (s->engine)
		return 0;
	if (profile_find(&s->arena, "host", ".", &s->profile, e) < 0)
		return -1;
	return engine_open(&s->engine, &options, e);
}

/* The stages without link scripts, which need more than the package alone. */
static int link_only(struct session *s, const struct install_request *r, struct err *e)
{
	struct table bytecode = {.arena = &s->arena};
	struct prefix p = {.arena = &s->arena, .request = r, .bytecode = &bytecode};
	int rc;

	if (dir_make(r->prefix, e) < 0)
		return -1;
	CLEANUP_FD fd = open(r->prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	p.fd = fd;
	rc = prefix_plan(&p, e);
	if (rc == 0)
		rc = prefix_link(&p, 0, p.n_packages, NULL, e);
	if (rc == 0)
		rc = prefix_write_records(&p, e);
	return rc == 0 ? prefix_write_history(&p, e) : rc;
}

static const char *type_name(enum path_type t)
{
	switch (t) {
	case PATH_FILE:
		return "file";
	case PATH_SOFTLINK:
		return "link";
	case PATH_DIRECTORY:
		return "dir";
	}
	return "?";
}

static void print_content(const struct content *c)
{
	for (size_t i = 0; i < c->n_entries; i++) {
		const struct content_entry *x = &c->entries[i];
		printf("entry\t%.*s\t%s\t%o\t%s\t%td\t%s\t%zu\t%s\t%.*s\n", STR_ARG(x->path),
			type_name(x->type), (unsigned)x->mode,
			x->generated ? "generated" : "package", x->package,
			x->binary ? "binary" : "text", x->n_offsets, x->source ? x->source : "",
			STR_ARG(x->undeclared));
	}
	printf("limit\t%zd\t%.*s\n", (ssize_t)c->longest_prefix, STR_ARG(c->longest_prefix_path));
}

static bool has_flag(struct str flags, const char *flag)
{
	while (flags.p)
		if (str_is(str_cut(&flags, ','), flag))
			return true;
	return false;
}

static int do_install(struct session *s, struct str line, struct err *e)
{
	struct content content;
	const char *prefix = arena_cstr(&s->arena, field(s, &line));
	const char *inside = arena_cstr(&s->arena, field(s, &line));
	struct str flags = field(s, &line), numbers = field(s, &line);
	struct record **records = arena_array(&s->arena, struct record *, s->records.n + 1);
	size_t n = 0;

	while (numbers.p && n < s->records.n) {
		uint64_t i;
		if (str_u64(str_cut(&numbers, ','), s->records.n - 1, &i) == 0)
			records[n++] = s->records.v[i];
	}
	if (has_flag(flags, "engine") && open_engine(s, e) < 0)
		return -1;
	struct install_request r = {.cache = &s->cache,
		.records = records,
		.n_records = n,
		.prefix = prefix,
		.prefix_inside = inside[0] ? inside : prefix,
		.engine = has_flag(flags, "engine") ? s->engine : NULL,
		.pip = s->pip.v,
		.n_pip = s->pip.n,
		.project_dir = s->project,
		.requested = s->requested.v,
		.n_requested = s->requested.n,
		.allow_clobber = s->allow.v,
		.n_allow_clobber = s->allow.n,
		.frozen = has_flag(flags, "frozen"),
		.externally_managed = has_flag(flags, "managed"),
		.variables = s->variables.v,
		.n_variables = s->variables.n,
		.compile = has_flag(flags, "compile"),
		.for_pack = has_flag(flags, "pack"),
		.copy = has_flag(flags, "copy"),
		.jobs = 2};
	if (str_is(str_of(inside), "BUILD_PREFIX"))
		r.prefix_inside = BUILD_PREFIX;
	if (has_flag(flags, "link"))
		return link_only(s, &r, e);
	bool want = has_flag(flags, "content");
	if (install(&s->arena, &r, want ? &content : NULL, e) < 0)
		return -1;
	if (want)
		print_content(&content);
	return 0;
}

static int do_test(struct session *s, struct str line, struct err *e)
{
	struct test_request r = {.prefix = arena_cstr(&s->arena, field(s, &line)),
		.name = arena_cstr(&s->arena, field(s, &line)),
		.script = arena_cstr(&s->arena, field(s, &line)),
		.project_dir = s->project};
	struct str log = field(s, &line);
	struct test_result result;

	r.log_path = log.n ? log.p : NULL;
	if (open_engine(s, e) < 0)
		return -1;
	r.engine = s->engine;
	int rc = test_run(&s->arena, &r, &result, e);
	for (size_t i = 0; i < result.n_changed_environment; i++)
		printf("changed %.*s\n", STR_ARG(result.changed_environment[i]));
	for (size_t i = 0; i < result.n_changed_project; i++)
		printf("project %.*s\n", STR_ARG(result.changed_project[i]));
	return rc;
}

static int do_info(struct session *s, struct err *e)
{
	struct cache_info info;

	if (cache_info(&s->cache, &info, e) < 0)
		return -1;
	printf("packages %llu bytes %llu\n", (unsigned long long)info.packages,
		(unsigned long long)info.bytes);
	return 0;
}

/* One command; commands that only gather give 1. */
static int command(struct session *s, struct str name, struct str line, struct err *e)
{
	if (str_is(name, "record"))
		add_record(s, line);
	else if (str_is(name, "pip"))
		*VEC_PUSH(&s->arena, &s->pip) = (struct spec_line){.text = field(s, &line)};
	else if (str_is(name, "request"))
		*VEC_PUSH(&s->arena, &s->requested) = (struct spec_line){.text = field(s, &line)};
	else if (str_is(name, "allow"))
		*VEC_PUSH(&s->arena, &s->allow) = arena_cstr(&s->arena, field(s, &line));
	else if (str_is(name, "project"))
		s->project = arena_cstr(&s->arena, field(s, &line));
	else if (str_is(name, "variable")) {
		struct env_variable *v = VEC_PUSH(&s->arena, &s->variables);
		v->name = field(s, &line);
		v->value = field(s, &line);
	} else if (str_is(name, "fill"))
		return cache_fill(&s->cache, s->http, s->records.v, s->records.n, 2, false, e);
	else if (str_is(name, "install"))
		return do_install(s, line, e);
	else if (str_is(name, "test"))
		return do_test(s, line, e);
	else if (str_is(name, "info"))
		return do_info(s, e);
	else
		return err_set(e, ERR_USAGE, "unknown command '%.*s'", STR_ARG(name));
	return 1;
}

int main(int argc, char **argv)
{
	struct session s = {0};
	struct err e = {0};
	char *text = NULL;
	size_t cap = 0;
	ssize_t n;

	if (argc != 2) {
		fprintf(stderr, "usage: install_one CACHE < commands\n");
		return 2;
	}
	log_setup((struct log_options){.quiet = true});
	s.http = http_new(&(struct http_options){0});
	if (cache_open(&s.arena, argv[1], &s.cache, &e) < 0) {
		answer_error(&e);
		return 1;
	}
	while ((n = getline(&text, &cap, stdin)) > 0) {
		struct str line = str_n(text, (size_t)n - (text[n - 1] == '\n'));
		struct str name = str_cut(&line, '\t');
		int rc = command(&s, name, line, &e);
		if (rc < 0)
			answer_error(&e);
		else if (rc == 0)
			puts("ok");
		fflush(stdout);
	}
	free(text);
	engine_close(s.engine);
	http_free(s.http);
	arena_release(&s.arena);
	return 0;
}
