/*
 * The environment's variables, from JSON to words of each shell, because no shell reads JSON.
 *
 * conda's order: etc/conda/env_vars.d/NAME.json by name, each {"NAME": "value"}; then
 * conda-meta/state, {"env_vars": {"NAME": "value"}}; the later wins; the value "***unset***" or
 * null takes a variable away (conda/core/prefix_data.py, conda/activate.py).
 */
#include "packer/papers.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/table.h"

enum { STATE_MAX = 4 << 20 };

/* A value and the prefix that can stand in it. */
struct variable {
	struct str value, prefix;
};

struct variables {
	struct arena arena;
	struct table table; /* name -> struct variable, NULL: taken away */
};

static bool is_identifier(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && !(i > 0 && c >= '0' && c <= '9'))
			return false;
	}
	return s.n > 0;
}

static int put(struct variables *v, struct str name, enum json_type type, struct str value,
	const struct content_entry *entry)
{
	struct variable *kept = NULL;

	if (!is_identifier(name)) {
		log_warn("'%.*s' sets '%.*s', which is no name for a variable: left out",
			STR_ARG(entry->path), STR_ARG(name));
		return 0;
	}
	if (type == JSON_STRING && str_chr(value, 0) >= 0) {
		log_warn("'%.*s' gives '%.*s' a value with a zero byte in it: left out",
			STR_ARG(entry->path), STR_ARG(name));
		return 0;
	}
	if (type == JSON_STRING && !str_is(value, "***unset***")) {
		kept = arena_new(&v->arena, struct variable);
		*kept = (struct variable){arena_str(&v->arena, value), entry->prefix};
	}
	table_put(&v->table, name)->ptr = kept;
	return 0;
}

static int read_map(
	struct variables *v, struct json *j, const struct content_entry *entry, struct err *e)
{
	enum json_type type;

	while ((type = json_next(j)) == JSON_KEY) {
		struct str name = arena_str(&v->arena, json_text(j));

		type = json_next(j);
		if (type != JSON_STRING && type != JSON_NULL)
			return type == JSON_ERROR
				       ? json_error(j, e)
				       : json_fail(j, e, "the value of a variable is no text");
		if (put(v, name, type, json_text(j), entry) < 0)
			return -1;
	}
	return type == JSON_OBJECT_END ? 0 : json_error(j, e);
}

/* {"env_vars": {...}, ...} */
static int read_state(
	struct variables *v, struct json *j, const struct content_entry *entry, struct err *e)
{
	enum json_type type;

	while ((type = json_next(j)) == JSON_KEY) {
		bool wanted = str_is(json_text(j), "env_vars");

		if (!wanted) {
			if (json_skip(j) < 0)
				return json_error(j, e);
			continue;
		}
		if ((type = json_next(j)) != JSON_OBJECT)
			return type == JSON_ERROR ? json_error(j, e)
						  : json_fail(j, e, "'env_vars' is no map");
		if (read_map(v, j, entry, e) < 0)
			return -1;
	}
	return type == JSON_OBJECT_END ? 0 : json_error(j, e);
}

static int read_entry(
	struct variables *v, const struct content_entry *entry, bool state, struct err *e)
{
	struct str text;
	struct json *j;
	enum json_type type;
	int rc;

	if (entry->type != PATH_FILE)
		return 0;
	if (file_read(&v->arena, entry->source, STATE_MAX, &text, e) < 0)
		return -1;
	j = json_open_text(text, arena_cstr(&v->arena, entry->path));
	type = json_next(j);
	if (type == JSON_OBJECT)
		rc = state ? read_state(v, j, entry, e) : read_map(v, j, entry, e);
	else
		rc = type == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "not a map");
	json_close(j);
	return rc;
}

static bool is_env_vars(struct str path)
{
	struct str dir = STR("etc/conda/env_vars.d/");

	return str_starts(path, dir) && str_ends(path, STR(".json")) &&
	       str_chr(str_sub(path, dir.n, path.n), '/') < 0;
}

/* --- as shell --------------------------------------------------------------------------------- */

/* How a shell writes a text: between single quotes, but for some characters. */
struct dialect {
	const char *quoted; /* each of these is put as escape says */
	const char *(*escape)(char c);
};

static const char *escape_sh(char c)
{
	(void)c;
	return "'\\''";
}

/* History and line ends are looked for in quotes, too. */
static const char *escape_csh(char c)
{
	return c == '!' ? "\\!" : c == '\n' ? "\\\n" : "'\\''";
}

static const char *escape_fish(char c)
{
	return c == '\\' ? "\\\\" : "\\'";
}

static const struct dialect SH = {"'", escape_sh}, CSH = {"'!\n", escape_csh},
			    FISH = {"'\\", escape_fish};

static void quote_literal(struct buf *to, const struct dialect *d, struct str s)
{
	if (s.n == 0)
		return;
	buf_putc(to, '\'');
	for (size_t i = 0; i < s.n; i++) {
		if (strchr(d->quoted, s.p[i]))
			buf_puts(to, d->escape(s.p[i]));
		else
			buf_putc(to, s.p[i]);
	}
	buf_putc(to, '\'');
}

static void quote_value(struct buf *to, const struct dialect *d, const struct variable *v)
{
	struct str value = v->value;
	ptrdiff_t at;

	if (value.n == 0)
		buf_puts(to, "''");
	while (v->prefix.n && (at = str_find(value, v->prefix)) >= 0) {
		quote_literal(to, d, str_sub(value, 0, (size_t)at));
		buf_puts(to, "\"$CONDA_PREFIX\"");
		value = str_sub(value, (size_t)at + v->prefix.n, value.n);
	}
	quote_literal(to, d, value);
}

static void write_names(struct variables *v, const char *before, struct buf *to)
{
	for (size_t i = 0; i < v->table.n; i++)
		if (v->table.entries[i].value.ptr)
			buf_printf(to, "%s%.*s", before, STR_ARG(v->table.entries[i].key));
}

static void write_values(
	struct variables *v, const struct dialect *d, const char *set, char between, struct buf *to)
{
	for (size_t i = 0; i < v->table.n; i++) {
		const struct variable *variable = v->table.entries[i].value.ptr;

		if (!variable)
			continue;
		buf_printf(to, "\t%s %.*s%c", set, STR_ARG(v->table.entries[i].key), between);
		quote_value(to, d, variable);
		buf_putc(to, '\n');
	}
}

static const char ABOUT[] = "# The environment's name and variables, for bin/activate";

static void write_sh(struct variables *v, struct str name, struct buf *to)
{
	buf_printf(to, "%s.\n_envbuild_name=", ABOUT);
	quote_literal(to, &SH, name);
	buf_puts(to, "\n_envbuild_names='");
	write_names(v, " ", to);
	buf_puts(to, "'\n_envbuild_set_variables() {\n\t:\n");
	write_values(v, &SH, "export", '=', to);
	buf_puts(to, "}\n");
}

/* It has no functions: read once for the names, and a second time for the values. */
static void write_csh(struct variables *v, struct str name, struct buf *to)
{
	buf_printf(to, "%s.csh.\nset _envbuild_name = ''", ABOUT);
	quote_literal(to, &CSH, name);
	buf_puts(to, "\nset _envbuild_names = (");
	write_names(v, " ", to);
	buf_puts(to, " )\nif ($_envbuild_set) then\n");
	write_values(v, &CSH, "setenv", ' ', to);
	buf_puts(to, "endif\n");
}

static void write_fish(struct variables *v, struct str name, struct buf *to)
{
	buf_printf(to, "%s.fish.\nset -g _envbuild_name ''", ABOUT);
	quote_literal(to, &FISH, name);
	buf_puts(to, "\nset -g _envbuild_names");
	write_names(v, " ", to);
	buf_puts(to, "\nfunction _envbuild_set_variables\n");
	write_values(v, &FISH, "set -gx", ' ', to);
	buf_puts(to, "end\n");
}

void variables_text_release(struct variables_text *v)
{
	buf_release(&v->sh);
	buf_release(&v->csh);
	buf_release(&v->fish);
}

int variables_write(
	const struct content *c, struct str name, struct variables_text *to, struct err *e)
{
	struct variables v = {0};
	int rc = 0;

	v.table.arena = &v.arena;
	for (size_t i = 0; rc == 0 && i < c->n_entries; i++)
		if (is_env_vars(c->entries[i].path))
			rc = read_entry(&v, &c->entries[i], false, e);
	for (size_t i = 0; rc == 0 && i < c->n_entries; i++)
		if (str_is(c->entries[i].path, "conda-meta/state"))
			rc = read_entry(&v, &c->entries[i], true, e);
	if (rc == 0) {
		write_sh(&v, name, &to->sh);
		write_csh(&v, name, &to->csh);
		write_fish(&v, name, &to->fish);
	}
	arena_release(&v.arena);
	return rc;
}
