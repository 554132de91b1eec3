#include "cli/rules.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/output.h"

enum { SCRIPT_MAX = 64 << 20, LARGEST = 5 };

struct collector {
	struct session *s;
	const struct project *project;
	struct rules *out;
	const char *work;
};

/* --- one rule ----------------------------------------------------------------------------- */

static int add_rename(
	struct collector *c, struct str from, struct str to, const char *place, struct err *e)
{
	(void)e;
	*VEC_PUSH(&c->s->arena, &c->out->rename) =
		(struct rule_rename){.from = {.text = from, .place = place}, .to = to};
	return 0;
}

/* Whoever comes first gives a path its file. */
static int add_file(struct collector *c, const char *folder, struct str from, struct str to,
	const char *place, struct err *e)
{
	struct arena *a = &c->s->arena;
	char *source = path_absolute(a, path_join(a, folder, arena_cstr(a, from)));

	return rules_capture(a, source, to, place, c->work, c->out, e);
}

static void add_pattern(
	struct collector *c, struct rule_patterns *list, struct str text, const char *place)
{
	*VEC_PUSH(&c->s->arena, list) = (struct rule_pattern){.text = text, .place = place};
}

static int add_drop(struct collector *c, struct str name, const char *place, struct err *e)
{
	enum rules_drop drop;

	if (rules_drop_parse(name, &drop) < 0)
		return err_set(e, rule_error(place),
			"%s: nothing to drop is called '%.*s': there are static-libraries, "
			"headers, bytecode and documentation",
			place, STR_ARG(name));
	c->out->drop[drop].asked = true;
	return 0;
}

/* --- options ------------------------------------------------------------------------------ */

/* OLD=NEW at its last '=', which a path in an environment hardly ever has. */
static int split(
	const char *text, const char *option, struct str *left, struct str *right, struct err *e)
{
	struct str all = str_of(text);
	ptrdiff_t at = str_rchr(all, '=');

	if (at <= 0 || (size_t)at + 1 == all.n)
		return err_set(e, ERR_USAGE, "%s takes two names with a '=' between, not '%s'",
			option, text);
	*left = str_sub(all, 0, (size_t)at);
	*right = str_sub(all, (size_t)at + 1, all.n);
	return 0;
}

static int from_options(struct collector *c, struct err *e)
{
	const struct options *o = &c->s->line.options;
	struct str left, right;

	for (size_t i = 0; i < o->exclude.n; i++)
		add_pattern(c, &c->out->exclude, str_of(o->exclude.v[i]), "--exclude");
	for (size_t i = 0; i < o->include.n; i++)
		add_pattern(c, &c->out->include, str_of(o->include.v[i]), "--include");
	for (size_t i = 0; i < o->drop.n; i++)
		if (add_drop(c, str_of(o->drop.v[i]), "--drop", e) < 0)
			return -1;
	for (size_t i = 0; i < o->rename.n; i++)
		if (split(o->rename.v[i], "--rename", &left, &right, e) < 0 ||
			add_rename(c, left, right, "--rename", e) < 0)
			return -1;
	for (size_t i = 0; i < o->add.n; i++)
		if (split(o->add.v[i], "--add", &left, &right, e) < 0 ||
			add_file(c, ".", left, right, "--add", e) < 0)
			return -1;
	c->out->max_size = o->archive_max;
	return 0;
}

/* --- envbuild.yml ------------------------------------------------------------------------- */

static int from_settings(struct collector *c, struct err *e)
{
	const struct settings *set = &c->project->settings;

	for (size_t i = 0; i < set->exclude.n; i++)
		add_pattern(c, &c->out->exclude, set->exclude.v[i].text, set->exclude.v[i].place);
	for (size_t i = 0; i < set->include.n; i++)
		add_pattern(c, &c->out->include, set->include.v[i].text, set->include.v[i].place);
	for (size_t i = 0; i < set->drop.n; i++)
		if (add_drop(c, set->drop.v[i].text, set->drop.v[i].place, e) < 0)
			return -1;
	for (size_t i = 0; i < set->rename.n; i++)
		if (add_rename(c, set->rename.v[i].text, set->rename.v[i].to,
			    set->rename.v[i].place, e) < 0)
			return -1;
	for (size_t i = 0; i < set->add.n; i++)
		if (add_file(c, c->project->dir, set->add.v[i].text, set->add.v[i].to,
			    set->add.v[i].place, e) < 0)
			return -1;
	if (!c->out->max_size)
		c->out->max_size = set->max_size;
	return 0;
}

/* --- the script --------------------------------------------------------------------------- */

static const char *script_path(const struct collector *c)
{
	struct arena *a = &c->s->arena;
	const char *given = c->s->line.options.pre_pack;
	struct str set = c->project->settings.pre_pack;

	if (given)
		return path_absolute(a, given);
	return set.n ? path_join(a, c->project->dir, arena_cstr(a, set)) : NULL;
}

/* What runs and what the archive carries are the same bytes, whatever becomes of the file. */
static int take_script(struct collector *c, struct err *e)
{
	struct rules *r = c->out;
	const char *path = script_path(c);

	if (!path)
		return 0;
	if (!path_exists(path))
		return err_set(e, ERR_USAGE, "no pre-pack script '%s'", path);
	if (file_read(&c->s->arena, path, SCRIPT_MAX, &r->pre_pack, e) < 0)
		return -1;
	r->has_pre_pack = true;
	r->pre_pack_name = path_base(path);
	sha256_of(r->pre_pack.p, r->pre_pack.n, r->pre_pack_sha256);
	return 0;
}

int rules_collect(struct session *s, const struct project *p, struct rules *out, struct err *e)
{
	struct collector c = {
		.s = s, .project = p, .out = out, .work = output_work_path(&s->arena, s, "added")};

	*out = (struct rules){0};
	/* Of the target before. */
	if (dir_remove(c.work, e) < 0 || from_options(&c, e) < 0 || from_settings(&c, e) < 0 ||
		take_script(&c, e) < 0)
		return -1;
	return rules_check(&s->arena, out, e);
}

int rules_fill_install(struct session *s, const struct rules *r, const struct plan *plan,
	const char *project_dir, struct pre_pack *hook, struct install_request *request,
	struct err *e)
{
	struct arena *a = &s->arena;

	request->compile = request->compile && rules_compile(r);
	if (!r->has_pre_pack)
		return 0;
	*hook = (struct pre_pack){.script = output_work_path(a, s, PRE_PACK_PAPER),
		.name = r->pre_pack_name,
		.project_dir = project_dir,
		.environment = arena_cstr(a, plan->name)};
	request->pre_pack = hook;
	/* It may write into what it finds; a hard link would carry that into the cache. */
	request->copy = true;
	return file_write(hook->script, r->pre_pack, 0755, e);
}

/* --- sizes -------------------------------------------------------------------------------- */

static void say_size(const struct size_row *row)
{
	char size[24];

	log_note("  %10s  %6zu files  %.*s%s", format_bytes(row->bytes, size), row->files,
		STR_ARG(row->name), row->kind == SIZE_PIP ? " (pip)" : "");
}

static void report(const struct sizes *sizes, size_t n)
{
	char size[24];

	log_note("unpacked, %s:", format_bytes(sizes->bytes, size));
	for (size_t i = 0; i < n && i < sizes->n; i++)
		say_size(&sizes->v[i]);
}

int rules_run(struct session *s, struct rules *r, struct content *content, struct sizes *out,
	struct err *e)
{
	if (rules_apply(&s->arena, r, content, e) < 0 ||
		sizes_measure(&s->arena, content, r, out, e) < 0)
		return -1;
	if (s->line.options.size_report)
		report(out, out->n);
	return 0;
}

static void name_largest(const struct sizes *sizes, struct buf *to)
{
	char size[24];

	for (size_t i = 0; i < sizes->n && i < LARGEST; i++)
		buf_printf(to, "%s'%.*s' (%s)", i ? ", " : "", STR_ARG(sizes->v[i].name),
			format_bytes(sizes->v[i].bytes, size));
}

int rules_check_size(
	const struct rules *r, const struct sizes *sizes, uint64_t bytes, struct err *e)
{
	CLEANUP_BUF largest = {0};
	char is[24], may[24];

	if (!r->max_size || bytes <= r->max_size)
		return 0;
	name_largest(sizes, &largest);
	err_set(e, ERR_FAIL,
		"the archive has %s (%llu bytes), and --max-size allows %s (%llu); unpacked, the "
		"largest are %.*s",
		format_bytes(bytes, is), (unsigned long long)bytes, format_bytes(r->max_size, may),
		(unsigned long long)r->max_size, STR_ARG(buf_view(&largest)));
	return err_advise(e, "--size-report lists all; --drop and --exclude leave files out");
}
