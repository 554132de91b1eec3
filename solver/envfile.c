#include "solver/envfile.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/http.h"
#include "base/log.h"
#include "base/yaml.h"
#include "solver/matchspec.h"
#include "solver/selector.h"

enum { ENVFILE_MAX = 4 << 20 };

struct spec_list {
	struct spec_line *v;
	size_t n, cap;
};

struct reader {
	struct arena *a;
	struct envfile *out;
	struct str subdir;
	struct str *lines; /* of the file, for the selectors in comments */
	size_t n_lines;
	struct spec_list depends, pip, channels;
};

static int fail(const struct reader *r, const struct yaml *at, struct err *e, const char *what)
{
	return yaml_fail(r->out->path, at, e, "%s", what);
}

static void split_lines(struct reader *r)
{
	struct {
		struct str *v;
		size_t n, cap;
	} list = {0};
	struct str rest = r->out->text;

	while (rest.p)
		*VEC_PUSH(r->a, &list) = str_cut(&rest, '\n');
	r->lines = list.v;
	r->n_lines = list.n;
}

/* Does the comment at the end of the entry's line let it in? */
static bool selected(const struct reader *r, const struct yaml *y)
{
	struct str expression;
	int value;

	if (y->line < 1 || (size_t)y->line > r->n_lines ||
		!selector_of_line(r->lines[y->line - 1], y->column, &expression))
		return true;
	value = selector_eval(expression, r->subdir);
	if (value < 0)
		log_warn("%s:%d:%d: the comment '[%.*s]' is not a selector and is ignored",
			r->out->path, y->line, y->column, STR_ARG(expression));
	return value != 0;
}

static void add(struct reader *r, struct spec_list *list, const struct yaml *y, struct str text)
{
	*VEC_PUSH(r->a, list) = (struct spec_line){text, y->line, y->column};
}

/* --- dependencies ------------------------------------------------------------------------- */

/* 3.6, yes, null: what YAML takes for something else than a text. */
static bool plain_number(const struct yaml *y)
{
	size_t digits = 0, dots = 0;

	if (!y->plain)
		return false;
	for (size_t i = 0; i < y->text.n; i++) {
		digits += y->text.p[i] >= '0' && y->text.p[i] <= '9';
		dots += y->text.p[i] == '.';
	}
	return digits && digits + dots == y->text.n && dots <= 1;
}

static struct str without_comment(struct str text)
{
	for (size_t i = 1; i < text.n; i++)
		if (text.p[i] == '#' && (text.p[i - 1] == ' ' || text.p[i - 1] == '\t'))
			return str_trim(str_sub(text, 0, i));
	return text;
}

/* A spec goes into messages and conda-meta: what it says of a channel says it without credentials. */
static struct str without_credentials(struct arena *a, struct str spec)
{
	ptrdiff_t url = str_find(spec, STR("://"));
	ptrdiff_t token = url < 0 ? -1 : str_find(str_sub(spec, (size_t)url, spec.n), STR("/t/"));
	size_t end;

	if (url < 0)
		return spec;
	if (token >= 0) {
		token += url;
		end = (size_t)token + 3;
		while (end < spec.n && !strchr("/:,]'\" ", spec.p[end]))
			end++;
		spec = arena_strf(
			a, "%.*s%.*s", (int)token, spec.p, STR_ARG(str_sub(spec, end, spec.n)));
	}
	return http_redact_text(a, spec);
}

static int read_spec(struct reader *r, const struct yaml *y, struct err *e)
{
	struct str text = without_comment(str_trim(y->text));
	struct matchspec spec;

	if (yaml_is_null(y))
		return fail(r, y, e, "an entry of 'dependencies' is empty");
	if (plain_number(y)) {
		yaml_fail(
			r->out->path, y, e, "'%.*s' is a number, not a dependency", STR_ARG(text));
		return err_advise(e, "write the package's name before it, such as 'python=%.*s'",
			STR_ARG(text));
	}
	text = without_credentials(r->a, text);
	if (matchspec_parse(r->a, text, &spec, e) < 0)
		return err_wrap(e, "%s:%d:%d", r->out->path, y->line, y->column);
	add(r, &r->depends, y, text);
	return 0;
}

static int read_pip(struct reader *r, const struct yaml *value, struct err *e)
{
	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_SEQUENCE)
		return fail(r, value, e, "'pip' is not a list");
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml *y = value->items[i];

		if (y->kind != YAML_SCALAR || yaml_is_null(y))
			return fail(r, y, e, "an entry of 'pip' is not a text");
		if (selected(r, y))
			add(r, &r->pip, y, str_trim(y->text));
	}
	return 0;
}

static int read_selected(struct reader *r, const struct yaml *value, struct err *e)
{
	if (value->kind == YAML_SCALAR)
		return read_spec(r, value, e);
	if (value->kind != YAML_SEQUENCE)
		return fail(r, value, e, "what a selector lets in is neither a spec nor a list");
	for (size_t i = 0; i < value->n; i++) {
		if (value->items[i]->kind != YAML_SCALAR)
			return fail(r, value->items[i], e, "not a spec");
		if (read_spec(r, value->items[i], e) < 0)
			return -1;
	}
	return 0;
}

/* "pip: [...]", "sel(linux): spec"; anything else is for a tool that is not here (CEP 24). */
static int read_subsection(
	struct reader *r, const struct yaml *key, const struct yaml *value, struct err *e)
{
	int in;

	if (str_is(key->text, "pip"))
		return read_pip(r, value, e);
	if (str_starts(key->text, STR("sel(")) && str_ends(key->text, STR(")"))) {
		in = selector_eval(str_sub(key->text, 4, key->text.n - 1), r->subdir);
		if (in < 0)
			return yaml_fail(r->out->path, key, e,
				"'%.*s' is not a selector, such as sel(linux)", STR_ARG(key->text));
		return in ? read_selected(r, value, e) : 0;
	}
	yaml_fail(r->out->path, key, e, "unknown subsection '%.*s' in 'dependencies'",
		STR_ARG(key->text));
	return err_advise(e, "'pip' is the one that is known; a spec with ': ' in it needs quotes");
}

static int read_dependency(struct reader *r, const struct yaml *y, struct err *e)
{
	switch (y->kind) {
	case YAML_SCALAR:
		return selected(r, y) ? read_spec(r, y, e) : 0;
	case YAML_SEQUENCE:
		return fail(r, y, e, "an entry of 'dependencies' is a list");
	case YAML_MAP:
		for (size_t i = 0; i < y->n; i++)
			if (selected(r, y->keys[i]) &&
				read_subsection(r, y->keys[i], y->items[i], e) < 0)
				return -1;
		return 0;
	}
	return -1;
}

static int read_dependencies(struct reader *r, const struct yaml *value, struct err *e)
{
	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_SEQUENCE)
		return fail(r, value, e, "'dependencies' is not a list");
	for (size_t i = 0; i < value->n; i++)
		if (read_dependency(r, value->items[i], e) < 0)
			return -1;
	return 0;
}

/* --- the other keys ----------------------------------------------------------------------- */

static int read_channels(struct reader *r, const struct yaml *value, struct err *e)
{
	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_SEQUENCE)
		return fail(r, value, e, "'channels' is not a list");
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml *y = value->items[i];

		if (y->kind != YAML_SCALAR || yaml_is_null(y))
			return fail(r, y, e, "an entry of 'channels' is not a text");
		if (selected(r, y))
			add(r, &r->channels, y, str_trim(y->text));
	}
	return 0;
}

static int read_name(struct reader *r, const struct yaml *value, struct err *e)
{
	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_SCALAR)
		return fail(r, value, e, "'name' is not a text");
	/* CEP 24 and conda refuse a space, too; mamba takes it, and files have it. */
	for (size_t i = 0; i < value->text.n; i++) {
		char c = value->text.p[i];

		if (c == '/' || c == ':' || c == '#' || (unsigned char)c < ' ')
			return fail(r, value, e,
				"'name' holds '/', ':', '#' or a control character (CEP 24)");
	}
	if (str_is(value->text, ".") || str_is(value->text, ".."))
		return fail(r, value, e, "'name' is not a name");
	r->out->name = value->text;
	return 0;
}

static bool variable_name(struct str s)
{
	if (!s.n || (s.p[0] >= '0' && s.p[0] <= '9'))
		return false;
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_'))
			return false;
	}
	return true;
}

static int read_variables(struct reader *r, const struct yaml *value, struct err *e)
{
	struct envfile *out = r->out;

	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_MAP)
		return fail(r, value, e, "'variables' is not a map");
	out->variables = arena_array(r->a, struct env_variable, value->n);
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml *key = value->keys[i], *v = value->items[i];

		if (!variable_name(key->text))
			return yaml_fail(out->path, key, e, "'%.*s' is not the name of a variable",
				STR_ARG(key->text));
		if (v->kind != YAML_SCALAR)
			return fail(r, v, e, "the value of a variable is not a text");
		out->variables[out->n_variables++] = (struct env_variable){key->text, v->text};
	}
	return 0;
}

static int read_platforms(struct reader *r, const struct yaml *value, struct err *e)
{
	struct envfile *out = r->out;

	if (yaml_is_null(value))
		return 0;
	if (value->kind != YAML_SEQUENCE)
		return fail(r, value, e, "'platforms' is not a list");
	out->platforms = arena_array(r->a, struct str, value->n);
	for (size_t i = 0; i < value->n; i++) {
		const struct yaml *y = value->items[i];

		if (y->kind != YAML_SCALAR || !subdir_is_known(y->text) ||
			str_is(y->text, "noarch"))
			return fail(r, y, e, "not a platform, such as linux-64");
		out->platforms[out->n_platforms++] = y->text;
	}
	return 0;
}

static int read_text(struct reader *r, const struct yaml *value, struct err *e)
{
	if (value->kind != YAML_SCALAR)
		return fail(r, value, e, "not a text");
	return 0;
}

/* --- the file ----------------------------------------------------------------------------- */

static const struct {
	const char *key;
	int (*read)(struct reader *r, const struct yaml *value, struct err *e);
} keys[] = {
	{"name", read_name},
	{"channels", read_channels},
	{"dependencies", read_dependencies},
	{"variables", read_variables},
	{"platforms", read_platforms},
	{"prefix", read_text},
	{"category", read_text},
};

static int read_key(
	struct reader *r, const struct yaml *key, const struct yaml *value, struct err *e)
{
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
		if (str_is(key->text, keys[i].key))
			return keys[i].read(r, value, e);
	log_warn("%s:%d:%d: unknown key '%.*s' is ignored", r->out->path, key->line, key->column,
		STR_ARG(key->text));
	return 0;
}

static int read_root(struct reader *r, const struct yaml *root, struct err *e)
{
	if (!root || yaml_is_null(root))
		return err_set(e, ERR_INPUT, "%s: the file is empty, 'dependencies:' is missing",
			r->out->path);
	if (root->kind != YAML_MAP)
		return fail(r, root, e, "not a map of keys and values");
	for (size_t i = 0; i < root->n; i++)
		if (read_key(r, root->keys[i], root->items[i], e) < 0)
			return -1;
	if (yaml_get(root, "dependencies"))
		return 0;
	fail(r, root, e, "'dependencies:' is missing");
	return err_advise(e, "list what the environment is to hold under 'dependencies:'");
}

static int read_file(struct reader *r, struct err *e)
{
	struct envfile *out = r->out;

	if (!path_exists(out->path)) {
		err_set(e, ERR_INPUT, "no environment file '%s'", out->path);
		return err_advise(e,
			"name one, or put an environment.yml into this folder; it begins with "
			"'dependencies:'");
	}
	if (file_read(r->a, out->path, ENVFILE_MAX, &out->text, e) < 0)
		return -1;
	out->dir = path_dir(r->a, path_absolute(r->a, out->path));
	return 0;
}

int envfile_read(
	struct arena *a, const char *path, const char *subdir, struct envfile *out, struct err *e)
{
	struct reader r = {.a = a, .out = out, .subdir = str_of(subdir)};
	struct yaml *root;

	*out = (struct envfile){.path = arena_strdup(a, path)};
	if (read_file(&r, e) < 0 || yaml_parse(a, out->path, out->text, &root, e) < 0)
		return -1;
	split_lines(&r);
	if (read_root(&r, root, e) < 0)
		return -1;
	out->depends = r.depends.v;
	out->n_depends = r.depends.n;
	out->pip = r.pip.v;
	out->n_pip = r.pip.n;
	out->channels = r.channels.v;
	out->n_channels = r.channels.n;
	return 0;
}

static struct str replace_all(struct arena *a, struct str text, struct str old, struct str new)
{
	CLEANUP_BUF b = {0};
	ptrdiff_t at;

	while ((at = str_find(text, old)) >= 0) {
		buf_str(&b, str_sub(text, 0, (size_t)at));
		buf_str(&b, new);
		text = str_sub(text, (size_t)at + old.n, text.n);
	}
	buf_str(&b, text);
	return arena_str(a, buf_view(&b));
}

struct str envfile_public_text(struct arena *a, const struct envfile *env)
{
	struct str text = env->text;

	for (size_t i = 0; i < env->n_channels; i++) {
		struct str channel = env->channels[i].text;
		struct str bare = str_of(http_redact(a, arena_cstr(a, channel)));

		if (channel.n && !str_eq(channel, bare))
			text = replace_all(a, text, channel, bare);
	}
	return http_redact_text(a, text);
}
