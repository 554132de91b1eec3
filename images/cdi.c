#include "images/cdi.h"

#include "base/file.h"
#include "base/log.h"
#include "base/yaml.h"

enum { MAX_NODES = 1024, MAX_MOUNTS = 4096, MAX_ENV = 256, MAX_DEVICES = 1024 };

struct reading {
	struct arena *a;
	const char *file;
	struct cdi *out;
};

/* --- words -------------------------------------------------------------------------------- */

/* A list that may be absent; *n is 0 then. */
static int list_of(const struct reading *r, const struct yaml *map, const char *key,
	struct yaml ***items, size_t *n, size_t max, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	*n = 0;
	if (yaml_is_null(y))
		return 0;
	if (y->kind != YAML_SEQUENCE)
		return yaml_fail(r->file, y, e, "'%s' must be a list", key);
	if (y->n > max)
		return yaml_fail(
			r->file, y, e, "'%s' has %zu items, more than %zu", key, y->n, max);
	*items = y->items;
	*n = y->n;
	return 0;
}

/* An absolute path whose components are all names; NULL where the key is absent, -1 on error. */
static int path_of(const struct reading *r, const struct yaml *map, const char *key,
	const char **out, struct err *e)
{
	const struct yaml *y = yaml_get(map, key);

	*out = NULL;
	if (yaml_is_null(y))
		return 0;
	if (y->kind != YAML_SCALAR || y->text.p[0] != '/' ||
		!path_is_safe(str_sub(y->text, 1, y->text.n)) || memchr(y->text.p, '\n', y->text.n))
		return yaml_fail(
			r->file, y, e, "'%s' must be an absolute path without '.' and '..'", key);
	*out = arena_cstr(r->a, y->text);
	return 0;
}

static bool is_device_path(const char *path)
{
	return str_starts(str_of(path), STR("/dev/"));
}

/* --- edits -------------------------------------------------------------------------------- */

static int read_node(const struct reading *r, const struct yaml *y, struct err *e)
{
	const char *path, *host;

	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e, "a device node must be a map");
	if (path_of(r, y, "path", &path, e) < 0 || path_of(r, y, "hostPath", &host, e) < 0)
		return -1;
	if (!path)
		return yaml_fail(r->file, y, e, "a device node has no 'path'");
	if (!is_device_path(path) || (host && strcmp(host, path) != 0))
		return yaml_fail(r->file, y, e,
			"a device node must lie below '/dev', at the same path on this machine");
	if (r->out->nodes.n >= MAX_NODES)
		return yaml_fail(r->file, y, e, "more than %d device nodes", MAX_NODES);
	*VEC_PUSH(r->a, &r->out->nodes) = path;
	return 0;
}

static int read_mount(const struct reading *r, const struct yaml *y, struct err *e)
{
	struct cdi_mount m;

	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e, "a mount must be a map");
	if (path_of(r, y, "hostPath", &m.host, e) < 0 ||
		path_of(r, y, "containerPath", &m.inside, e) < 0)
		return -1;
	if (!m.host || !m.inside)
		return yaml_fail(r->file, y, e, "a mount needs 'hostPath' and 'containerPath'");
	if (r->out->mounts.n >= MAX_MOUNTS)
		return yaml_fail(r->file, y, e, "more than %d mounts", MAX_MOUNTS);
	*VEC_PUSH(r->a, &r->out->mounts) = m;
	return 0;
}

/* What steers a GPU's libraries; PATH, LD_PRELOAD and the like are the job's own. */
static bool is_env_allowed(struct str text)
{
	static const struct str begins[] = {STR_INIT("NVIDIA_"), STR_INIT("CUDA_"),
		STR_INIT("HSA_"), STR_INIT("HIP_"), STR_INIT("ROCR_")};
	bool allowed = false;

	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		allowed |= str_starts(text, begins[i]);
	return allowed && str_chr(text, '=') > 0 && !memchr(text.p, 0, text.n) &&
	       !memchr(text.p, '\n', text.n);
}

static int read_env(const struct reading *r, const struct yaml *y, struct err *e)
{
	if (y->kind != YAML_SCALAR)
		return yaml_fail(r->file, y, e, "a variable must read NAME=VALUE");
	if (!is_env_allowed(y->text)) {
		log_debug("%s:%d: the variable '%.*s' is left out", r->file, y->line,
			STR_ARG(y->text));
		return 0;
	}
	if (r->out->env.n >= MAX_ENV)
		return yaml_fail(r->file, y, e, "more than %d variables", MAX_ENV);
	*VEC_PUSH(r->a, &r->out->env) = arena_cstr(r->a, y->text);
	return 0;
}

static int read_edits(const struct reading *r, const struct yaml *edits, struct err *e)
{
	static const struct {
		const char *key;
		int (*read)(const struct reading *, const struct yaml *, struct err *);
		size_t max;
	} kinds[] = {{"deviceNodes", read_node, MAX_NODES}, {"mounts", read_mount, MAX_MOUNTS},
		{"env", read_env, MAX_ENV}};
	struct yaml **items = NULL;
	size_t n;

	if (yaml_is_null(edits))
		return 0;
	if (edits->kind != YAML_MAP)
		return yaml_fail(r->file, edits, e, "'containerEdits' must be a map");
	for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
		if (list_of(r, edits, kinds[k].key, &items, &n, kinds[k].max, e) < 0)
			return -1;
		for (size_t i = 0; i < n; i++)
			if (kinds[k].read(r, items[i], e) < 0)
				return -1;
	}
	if (!yaml_is_null(yaml_get(edits, "hooks")))
		log_debug("%s: its hooks are not run", r->file);
	return 0;
}

/* --- the specification -------------------------------------------------------------------- */

/* 1, 0 where it is of another class of devices, -1. */
static int check_head(
	const struct reading *r, const struct yaml *top, struct str *kind, struct err *e)
{
	const struct yaml *version = yaml_get(top, "cdiVersion"), *k = yaml_get(top, "kind");
	struct str rest, major;

	if (top->kind != YAML_MAP || !version || version->kind != YAML_SCALAR || !k ||
		k->kind != YAML_SCALAR)
		return yaml_fail(r->file, top, e, "a CDI file has 'cdiVersion' and 'kind'");
	rest = version->text;
	major = str_cut(&rest, '.');
	if (!str_is(major, "0") && !str_is(major, "1"))
		return yaml_fail(r->file, version, e, "unknown version '%.*s' of CDI",
			STR_ARG(version->text));
	*kind = k->text;
	return str_ends(*kind, STR("/gpu"));
}

static struct str name_of(const struct yaml *device)
{
	const struct yaml *name = yaml_get(device, "name");

	return name && name->kind == YAML_SCALAR ? name->text : (struct str){NULL, 0};
}

static int read_devices(
	const struct reading *r, const struct yaml *top, struct str kind, struct err *e)
{
	struct yaml **items = NULL, *all = NULL;
	size_t n;

	if (list_of(r, top, "devices", &items, &n, MAX_DEVICES, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (items[i]->kind != YAML_MAP || name_of(items[i]).n == 0)
			return yaml_fail(r->file, items[i], e, "a device has a 'name'");
		if (str_is(name_of(items[i]), "all"))
			all = items[i];
	}
	if (n == 0)
		return yaml_fail(r->file, top, e, "a CDI file has 'devices'");
	if (all || n == 1)
		r->out->device = arena_printf(
			r->a, "%.*s=%.*s", STR_ARG(kind), STR_ARG(name_of(all ? all : items[0])));
	for (size_t i = 0; i < n; i++)
		if ((!all || items[i] == all) &&
			read_edits(r, yaml_get(items[i], "containerEdits"), e) < 0)
			return -1;
	return 0;
}

int cdi_parse(struct arena *a, const char *name, struct str text, struct cdi *out, struct err *e)
{
	struct reading r = {a, name, out};
	struct yaml *top;
	struct str kind;
	int rc;

	*out = (struct cdi){0};
	if (yaml_parse(a, name, text, &top, e) < 0)
		return -1;
	if (!top)
		return err_set(e, ERR_INPUT, "%s:1:1: the CDI file is empty", name);
	rc = check_head(&r, top, &kind, e);
	if (rc <= 0)
		return rc;
	if (read_edits(&r, yaml_get(top, "containerEdits"), e) < 0 ||
		read_devices(&r, top, kind, e) < 0)
		return -1;
	return 1;
}
