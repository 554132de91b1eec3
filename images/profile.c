#include "images/profile.h"

#include "base/buf.h"
#include "base/file.h"
#include "images/host.h"
#include "images/libc.h"
#include "images/profile_read.h"
#include "images/targets.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { MAX_PROFILE = 4 << 20 };

int profile_scalar(const struct profile_reading *r, const struct yaml *y, const char *key,
	struct str *out, struct err *e)
{
	if (y->kind != YAML_SCALAR || y->text.n == 0)
		return yaml_fail(r->file, y, e, "'%s' must be a text", key);
	if (memchr(y->text.p, 0, y->text.n) || memchr(y->text.p, '\n', y->text.n))
		return yaml_fail(r->file, y, e, "'%s' holds a line break or NUL", key);
	*out = arena_str(r->a, y->text);
	return 0;
}

/* --- the parts ---------------------------------------------------------------------------- */

static int read_name(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	if (profile_scalar(r, y, "name", &r->out->name, e) < 0)
		return -1;
	if (!profile_name_is_good(r->out->name))
		return yaml_fail(r->file, y, e,
			"a target's name has letters, digits, '.', '_' and '-', not '%.*s'",
			STR_ARG(r->out->name));
	return 0;
}

static int read_subdir(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	if (profile_scalar(r, y, "subdir", &r->out->subdir, e) < 0)
		return -1;
	if (!profile_is_word(r->out->subdir, "_-") || str_chr(r->out->subdir, '-') <= 0)
		return yaml_fail(r->file, y, e, "a subdir looks like 'linux-64', not '%.*s'",
			STR_ARG(r->out->subdir));
	return 0;
}

static bool same_name(struct str a, struct str b)
{
	return str_eq(str_cut(&a, '='), str_cut(&b, '='));
}

/* NAME=VERSION or NAME=VERSION=BUILD. */
static int check_virtual(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct str rest = y->text, name = str_cut(&rest, '=');
	struct str version = rest.p ? str_cut(&rest, '=') : (struct str){NULL, 0};

	if (!str_starts(name, STR("__")) || !profile_is_word(name, "_"))
		return yaml_fail(r->file, y, e,
			"a virtual package's name begins with '__', as in '__glibc=2.17', not "
			"'%.*s'",
			STR_ARG(y->text));
	if (!profile_is_word(version, "._+!-") || (rest.p && !profile_is_word(rest, "._+-")))
		return yaml_fail(r->file, y, e,
			"a virtual package reads NAME=VERSION or NAME=VERSION=BUILD, not '%.*s'",
			STR_ARG(y->text));
	for (size_t i = 0; i < r->out->n_virtual_packages; i++)
		if (same_name(r->out->virtual_packages[i], y->text))
			return yaml_fail(r->file, y, e, "'%.*s' is given twice", STR_ARG(name));
	if (str_is(name, "__archspec") && rest.p)
		return profile_check_cpu(r, y, rest, e);
	if (!str_is(name, "__glibc"))
		return 0;
	if (!version_is_numeric(version))
		return yaml_fail(r->file, y, e, "a glibc version looks like '2.17', not '%.*s'",
			STR_ARG(version));
	r->out->glibc = arena_str(r->a, version);
	return 0;
}

static int read_virtual_packages(
	const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	if (y->kind != YAML_SEQUENCE)
		return yaml_fail(
			r->file, y, e, "'virtual-packages' must be a list, as in '- __glibc=2.17'");
	r->out->virtual_packages = arena_array(r->a, struct str, y->n);
	for (size_t i = 0; i < y->n; i++) {
		struct str text;

		if (profile_scalar(r, y->items[i], "virtual-packages", &text, e) < 0 ||
			check_virtual(r, y->items[i], e) < 0)
			return -1;
		r->out->virtual_packages[r->out->n_virtual_packages++] = text;
	}
	return 0;
}

static int read_root(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct str text;

	if (profile_scalar(r, y, "root", &text, e) < 0)
		return -1;
	r->out->root = path_absolute(
		r->a, path_join(r->a, path_dir(r->a, r->file), arena_cstr(r->a, text)));
	return 0;
}

static int read_dockerfile(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return profile_scalar(r, y, "dockerfile", &r->out->dockerfile, e);
}

static int read_reference(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	return profile_scalar(r, y, "reference", &r->out->reference, e);
}

static int read_format(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const char *const known[] = {"tar.gz", "tar.zst", "tar", "squashfs", "dir"};

	if (profile_scalar(r, y, "format", &r->out->pack_format, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_is(y->text, known[i]))
			return 0;
	return yaml_fail(r->file, y, e,
		"unknown format '%.*s'; there are tar.gz, tar.zst, tar, squashfs and dir",
		STR_ARG(y->text));
}

static int read_network(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	struct str text;

	if (profile_scalar(r, y, "network", &text, e) < 0)
		return -1;
	if (!str_is(text, "none") && !str_is(text, "host"))
		return yaml_fail(
			r->file, y, e, "'network' is 'none' or 'host', not '%.*s'", STR_ARG(text));
	r->out->network = !str_is(text, "none");
	return 0;
}

/* --- maps with known keys ----------------------------------------------------------------- */

int profile_read_map(const struct profile_reading *r, const struct yaml *y, const char *what,
	const struct profile_key *keys, struct err *e)
{
	if (y->kind != YAML_MAP)
		return yaml_fail(r->file, y, e, "%s must be a map of keys and values", what);
	for (size_t i = 0; i < y->n; i++) {
		const struct profile_key *k = keys;

		while (k->name && !str_is(y->keys[i]->text, k->name))
			k++;
		if (!k->name)
			return yaml_fail(r->file, y->keys[i], e, "unknown key '%.*s' in %s",
				STR_ARG(y->keys[i]->text), what);
		if (k->read(r, y->items[i], e) < 0)
			return -1;
	}
	return 0;
}

static int read_image(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {
		{"dockerfile", read_dockerfile},
		{"reference", read_reference},
		{"root", read_root},
		{NULL, NULL},
	};

	return profile_read_map(r, y, "'image'", keys, e);
}

static int read_pack(const struct profile_reading *r, const struct yaml *y, struct err *e)
{
	static const struct profile_key keys[] = {{"format", read_format}, {NULL, NULL}};

	return profile_read_map(r, y, "'pack'", keys, e);
}

static const struct profile_key profile_keys[] = {
	{"name", read_name},
	{"subdir", read_subdir},
	{"virtual-packages", read_virtual_packages},
	{"image", read_image},
	{"pack", read_pack},
	{"network", read_network},
	{"gpu", profile_read_gpu},
	{"libraries", profile_read_libraries},
	{"file-system", profile_read_file_system},
	{"limits", profile_read_limits},
	{"audit", profile_read_audit},
	{NULL, NULL},
};

/* Solved without __cuda, a GPU host would get the builds for CPUs, and nobody would be told. */
static int check_gpu(const struct profile_reading *r, const struct yaml *top, struct err *e)
{
	if (!r->out->gpu.wanted || profile_virtual(r->out, "__cuda").n > 0)
		return 0;
	yaml_fail(r->file, yaml_get(top, "gpu"), e,
		"target '%.*s' has a GPU, but does not say which CUDA its driver offers",
		STR_ARG(r->out->name));
	return err_advise(e,
		"add '- __cuda=12.4' under 'virtual-packages:', with the CUDA version that "
		"'nvidia-smi' prints on the target");
}

static int check_whole(const struct profile_reading *r, const struct yaml *top, struct err *e)
{
	const struct yaml *at = yaml_get(top, "virtual-packages");

	if (r->out->name.n == 0)
		return yaml_fail(r->file, top, e, "the target has no 'name:'");
	if (r->out->subdir.n == 0) {
		yaml_fail(r->file, top, e, "the target has no 'subdir:'");
		return err_advise(e, "add 'subdir: linux-64'");
	}
	if (r->out->glibc.n > 0 || !str_starts(r->out->subdir, STR("linux-")))
		return check_gpu(r, top, e);
	yaml_fail(r->file, at ? at : top, e, "target '%.*s' does not say which glibc it has",
		STR_ARG(r->out->name));
	if (at)
		return err_advise(e,
			"add '- __glibc=2.17' under 'virtual-packages:', with the version that "
			"'ldd --version' prints on the target");
	return err_advise(e,
		"add 'virtual-packages:' and under it '- __glibc=2.17', with the version that "
		"'ldd --version' prints on the target");
}

int profile_parse(
	struct arena *a, const char *file, struct str text, struct profile *out, struct err *e)
{
	struct profile_reading r = {a, file, out};
	struct yaml *top;

	*out = (struct profile){.text = text, .source = file, .network = true};
	if (yaml_parse(a, file, text, &top, e) < 0)
		return -1;
	if (!top) {
		err_set(e, ERR_INPUT, "%s:1:1: the target profile is empty", file);
		return err_advise(
			e, "begin with 'name:', 'subdir: linux-64' and 'virtual-packages:'");
	}
	if (profile_read_map(&r, top, "the target profile", profile_keys, e) < 0)
		return -1;
	return check_whole(&r, top, e);
}

/* --- finding ------------------------------------------------------------------------------ */

static int read_profile_file(struct arena *a, const char *path, struct profile *out, struct err *e)
{
	struct str text;

	if (file_read(a, path, MAX_PROFILE, &text, e) < 0) {
		if (e && e->code == ERR_SYSTEM)
			e->code = ERR_INPUT;
		return err_wrap(e, "cannot read the target profile");
	}
	return profile_parse(a, arena_strdup(a, path), text, out, e);
}

static int read_shipped(struct arena *a, const char *name, struct profile *out, struct err *e)
{
	for (size_t i = 0; i < N_TARGETS; i++) {
		if (!str_is(target_name(i), name))
			continue;
		if (profile_parse(a, arena_printf(a, "images/targets/%s.yml", name), target_text(i),
			    out, e) < 0)
			return -1;
		out->source = "built-in";
		return 1;
	}
	return 0;
}

static int unknown_target(struct arena *a, const char *name, const char *project_dir, struct err *e)
{
	CLEANUP_BUF list = {0};
	struct str *names;
	size_t n;

	if (profile_names(a, project_dir, &names, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		buf_printf(&list, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
	err_set(e, ERR_USAGE, "unknown target '%s'; known are %.*s", name, (int)list.n, list.p);
	return err_advise(e, "name one of these or a profile file that ends in .yml");
}

bool profile_is_path(const char *name_or_file)
{
	struct str s = str_of(name_or_file);

	return str_chr(s, '/') >= 0 || str_ends(s, STR(".yml")) || str_ends(s, STR(".yaml"));
}

int profile_find(struct arena *a, const char *name_or_file, const char *project_dir,
	struct profile *out, struct err *e)
{
	struct str name = str_of(name_or_file);
	char *path;
	int r;

	if (str_is(name, "host"))
		return host_profile(a, out, e);
	if (profile_is_path(name_or_file))
		return read_profile_file(a, name_or_file, out, e);
	if (project_dir && profile_is_word(name, "._-")) {
		path = path_join(a, path_join(a, project_dir, "targets"),
			arena_printf(a, "%s.yml", name_or_file));
		if (path_exists(path))
			return read_profile_file(a, path, out, e);
	}
	r = read_shipped(a, name_or_file, out, e);
	if (r)
		return r < 0 ? -1 : 0;
	return unknown_target(a, name_or_file, project_dir, e);
}

struct names {
	struct arena *a;
	struct {
		struct str *v;
		size_t n, cap;
	} list;
};

static void add_name(struct names *to, struct str name)
{
	for (size_t i = 0; i < to->list.n; i++)
		if (str_eq(to->list.v[i], name))
			return;
	*VEC_PUSH(to->a, &to->list) = arena_str(to->a, name);
}

static int visit_target(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct str name = str_of(rel);

	(void)e;
	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	if (name.n > 4 && str_ends(name, STR(".yml")))
		add_name(ctx, str_sub(name, 0, name.n - 4));
	return 0;
}

int profile_names(
	struct arena *a, const char *project_dir, struct str **names, size_t *n, struct err *e)
{
	struct names all = {.a = a};
	CLEANUP_FD fd = -1;

	add_name(&all, STR("host"));
	for (size_t i = 0; i < N_TARGETS; i++)
		add_name(&all, target_name(i));
	if (project_dir)
		fd = open(path_join(a, project_dir, "targets"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && dir_walk(fd, visit_target, &all, e) < 0)
		return -1;
	qsort(all.list.v, all.list.n, sizeof *all.list.v, str_cmp_qsort);
	*names = all.list.v;
	*n = all.list.n;
	return 0;
}
