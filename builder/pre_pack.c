/*
 * The pre-pack script: `bash -e` in the target's image, the environment active where it is built, the
 * project at /tmp/project, itself at /tmp/pre-pack.sh.  Content is looked at afterwards, so that what
 * it made, changed or removed is what is packed.
 */
#include "builder/prefix.h"

#include "base/file.h"
#include "builder/active.h"
#include "builder/beneath.h"

#include <errno.h>
#include <unistd.h>

static const char SCRIPT[] = "/tmp/pre-pack.sh", PROJECT[] = "/tmp/project";

/* --- bytecode ----------------------------------------------------------------------------- */

/*
 * Compiled files of ours say that nobody need look at their source (PEP 552): where the script
 * changes a source, the old code would run.
 */
struct watched {
	struct source_pair pair;
	struct stamp stamp; /* of the source */
};

struct watch {
	struct watched *v;
	size_t n, cap;
};

static bool take_stamp(const struct prefix *p, struct str path, struct stamp *out)
{
	struct arena a = {0};
	bool taken = prefix_is_file(p, path) && stamp_take(p->fd, arena_cstr(&a, path), out) == 0;

	arena_release(&a);
	return taken;
}

static void add_watched(struct prefix *p, struct watch *w, struct str source, struct str bytecode)
{
	struct watched one = {.pair = {source, bytecode}};

	if (prefix_is_file(p, bytecode) && take_stamp(p, source, &one.stamp))
		*VEC_PUSH(p->arena, w) = one;
}

/* DIR/__pycache__/NAME.cpython-311.pyc -> DIR/NAME.py */
static struct str source_of(struct arena *a, struct str bytecode)
{
	ptrdiff_t at = str_find(bytecode, STR("__pycache__/"));
	struct str name = str_sub(bytecode, (size_t)(at + 12), bytecode.n);

	if (at < 0)
		return str_sub(bytecode, 0, bytecode.n - 1);
	return arena_strf(a, "%.*s%.*s.py", (int)at, bytecode.p, STR_ARG(str_cut(&name, '.')));
}

static void watch_sources(struct prefix *p, struct watch *w)
{
	for (size_t i = 0; i < p->n; i++)
		if (p->v[i].kind == LINKED_BYTECODE && !p->v[i].absent)
			add_watched(p, w, p->v[i].source, p->v[i].path);
	for (size_t i = 0; p->bytecode && i < p->bytecode->n; i++) {
		struct str code = p->bytecode->entries[i].key;

		add_watched(p, w, source_of(p->arena, code), code);
	}
}

static int remove_file(struct prefix *p, struct str path, struct err *e)
{
	struct beneath b;
	char name[256];
	int dir, rc = 0;

	beneath_init(&b, p->fd, false);
	dir = beneath_parent(&b, path, name, e);
	if (dir < 0)
		rc = -1;
	else if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
		rc = err_sys(e, "cannot remove '%.*s'", STR_ARG(path));
	beneath_release(&b);
	return rc;
}

/* Before Python 3.7 compiled files look at their source's time, and a changed one is compiled in use. */
static bool can_compile(const struct prefix *p)
{
	return p->python.major > 3 || (p->python.major == 3 && p->python.minor >= 7);
}

/* What the script itself removed stays removed. */
static int renew_bytecode(struct prefix *p, const struct watch *w, struct err *e)
{
	struct source_pair *pairs = arena_array(p->arena, struct source_pair, w->n + 1);
	size_t n = 0;

	for (size_t i = 0; i < w->n; i++) {
		const struct source_pair *pair = &w->v[i].pair;
		struct stamp now;
		bool there = take_stamp(p, pair->source, &now);

		if (!prefix_is_file(p, pair->bytecode) ||
			(there && stamp_same(&now, &w->v[i].stamp)))
			continue;
		if (remove_file(p, pair->bytecode, e) < 0)
			return -1;
		if (there && can_compile(p))
			pairs[n++] = *pair;
	}
	return compile_pairs(p, pairs, n, e);
}

/* --- the script ------------------------------------------------------------------------------ */

static const char *const *environment(
	struct arena *a, const struct prefix *p, const struct active *env)
{
	const struct install_request *r = p->request;
	struct {
		const char **v;
		size_t n, cap;
	} list = {0};

	for (const char *const *v = active_variables(a, env); *v; v++)
		*VEC_PUSH(a, &list) = *v;
	for (const char *const *v = active_proxies(a); *v && r->network; v++)
		*VEC_PUSH(a, &list) = *v;
	*VEC_PUSH(a, &list) = arena_printf(a, "ENVIRONMENT_NAME=%s", r->pre_pack->environment);
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

static int run(struct arena *a, struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	const struct pre_pack *script = r->pre_pack;
	struct bind binds[2];
	struct active env;
	size_t n = 0;

	if (active_init(a, r->engine, r->prefix, r->prefix_inside, &env, e) < 0)
		return -1;
	if (script->project_dir)
		binds[n++] = (struct bind){script->project_dir, PROJECT, BIND_THROW_AWAY, NULL, 0};
	binds[n++] = (struct bind){script->script, SCRIPT, BIND_READ_ONLY, NULL, 0};
	const char *const words[] = {env.shell, "-e", SCRIPT, NULL};
	struct command c = {.argv = active_argv(a, &env, "exec \"$@\"", words),
		.env = environment(a, p, &env),
		.binds = binds,
		.n_binds = n,
		.cwd = script->project_dir ? PROJECT : "/tmp",
		.network = r->network,
		.show = true};

	engine_say_network(r->engine, r->network);
	return prefix_run(p, &c, arena_printf(a, "the pre-pack script '%s'", script->name), e);
}

/* Without its record a package would be there and known to nobody. */
static int check_records(struct arena *a, const struct prefix *p, struct err *e)
{
	for (size_t i = 0; i <= p->n_packages; i++) {
		struct str path = STR("conda-meta/history");

		if (i < p->n_packages)
			path = arena_strf(a, "conda-meta/%.*s.json",
				STR_ARG(record_dist(a, p->packages[i].record)));
		if (prefix_is_file(p, path))
			continue;
		err_set(e, ERR_SCRIPT, "the pre-pack script '%s' removed '%.*s'",
			p->request->pre_pack->name, STR_ARG(path));
		return err_advise(e,
			"conda-meta tells what is in the environment; leave packages out in the "
			"environment file");
	}
	return 0;
}

int prefix_pre_pack(struct prefix *p, struct err *e)
{
	struct watch watch = {0};
	struct arena a = {0};
	struct step step;
	int rc;

	if (!p->request->pre_pack)
		return 0;
	p->ran_code = true;
	watch_sources(p, &watch);
	step_begin(&step, "pre-pack", 0, 0);
	rc = run(&a, p, e);
	if (rc == 0)
		rc = check_records(&a, p, e);
	if (rc == 0)
		rc = renew_bytecode(p, &watch, e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%s", p->request->pre_pack->name);
	arena_release(&a);
	return rc;
}
