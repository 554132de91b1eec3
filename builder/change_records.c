/*
 * conda-meta of a prefix that is changed: the wishes noted in records that stay, the variables, and
 * a revision of history that conda can read (conda/history.py).
 */
#include "builder/change.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>

enum { MAX_STATE = 16 << 20, MAX_HISTORY = 256 << 20 };

/* --- editing JSON in place ------------------------------------------------------------------ */

struct span {
	size_t from, to;
	bool found;
};

/* Where the value of a key of the top object stands, from behind the key. */
static struct span find_value(struct str text, const char *key)
{
	struct json *j = json_open_text(text, "record");
	struct span s = {0};

	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			bool it = str_is(json_text(j), key);
			s.from = json_offset(j);
			if (json_skip(j) < 0)
				break;
			if (it) {
				s.to = json_offset(j);
				s.found = true;
				break;
			}
		}
	json_close(j);
	return s;
}

/* The text with another value of the key, which is entered first where it was not there. */
static struct str set_value(struct arena *a, struct str text, const char *key, struct str value)
{
	struct span s = find_value(text, key);
	ptrdiff_t open = str_chr(text, '{');

	if (s.found)
		return arena_strf(a, "%.*s: %.*s%.*s", (int)s.from, text.p, STR_ARG(value),
			STR_ARG(str_sub(text, s.to, text.n)));
	if (open < 0)
		return text;
	struct str rest = str_sub(text, (size_t)open + 1, text.n), after = str_trim(rest);
	const char *comma = after.n && after.p[0] == '}' ? "\n" : ",";
	return arena_strf(a, "{\n  \"%s\": %.*s%s%.*s", key, STR_ARG(value), comma, STR_ARG(rest));
}

static void add_rewrite(struct change *c, struct str path, struct str text)
{
	struct {
		struct rewrite *v;
		size_t n, cap;
	} list = {c->rewrites, c->n_rewrites, c->cap_rewrites};

	*VEC_PUSH(c->arena, &list) = (struct rewrite){path, text};
	c->rewrites = list.v;
	c->n_rewrites = list.n;
	c->cap_rewrites = list.cap;
}

/* --- requested_specs ------------------------------------------------------------------------ */

static struct str specs_text(struct arena *a, const struct str *v, size_t n)
{
	struct buf text = {0};
	struct json_out w = {.to = &text, .indent = 2, .depth = 1, .after_key = true};

	jw_array(&w);
	for (size_t i = 0; i < n; i++)
		jw_str(&w, v[i]);
	jw_array_end(&w);
	struct str out = arena_str(a, buf_view(&text));
	buf_release(&text);
	return out;
}

static bool same_texts(const struct str *a, size_t n, const struct str *b, size_t m)
{
	for (size_t i = 0; i < n && n == m; i++)
		if (!str_eq(a[i], b[i]))
			return false;
	return n == m;
}

static void check_requested(struct change *c, const struct installed_record *k)
{
	const struct install_request *r = c->wanted;
	struct str *specs = arena_array(c->arena, struct str, r->n_requested + 1);
	struct str text = k->text, one = STR("\"None\"");
	size_t n = 0;

	for (size_t i = 0; i < r->n_requested; i++)
		if (spec_asks_for(c->arena, &r->requested[i], k->record.name))
			specs[n++] = r->requested[i].text;
	if (same_texts(specs, n, k->requested_specs, k->n_requested_specs))
		return;
	if (n) {
		one = str_trim(specs_text(c->arena, specs, 1));
		one = str_trim(str_sub(one, 1, one.n - 1));
	}
	text = set_value(c->arena, text, "requested_specs", specs_text(c->arena, specs, n));
	text = set_value(c->arena, text, "requested_spec", one);
	add_rewrite(c, k->file, text);
}

/* --- state -------------------------------------------------------------------------------- */

/* What stands under env_vars, as written by whoever; NULL: no file. */
static int read_state(struct change *c, struct str *text, struct table *vars, struct err *e)
{
	struct json *j;
	struct stat st;
	enum json_type t;

	vars->arena = c->arena;
	if (fstatat(c->fd, "conda-meta/state", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot read 'conda-meta/state'");
	if (file_read_at(c->arena, c->fd, "conda-meta/state", MAX_STATE, text, e) < 0)
		return -1;
	struct span s = find_value(*text, "env_vars");
	struct str value = str_trim(str_sub(*text, s.from, s.to));
	if (!s.found || value.n == 0)
		return 0;
	value = str_trim(str_sub(value, 1, value.n)); /* the colon */
	j = json_open_text(value, "conda-meta/state");
	if (json_next(j) == JSON_OBJECT)
		while (json_next(j) == JSON_KEY) {
			struct str name = arena_str(c->arena, json_text(j));
			t = json_next(j);
			if (t == JSON_STRING)
				table_put(vars, name)->ptr = arena_cstr(c->arena, json_text(j));
			else if (json_skip_rest(j, t) < 0)
				break;
		}
	json_close(j);
	return 0;
}

static bool same_variables(const struct install_request *r, const struct table *vars)
{
	if (vars->n != r->n_variables)
		return false;
	for (size_t i = 0; i < r->n_variables; i++) {
		union table_value *v = table_get(vars, r->variables[i].name);
		if (!v || !v->ptr || !str_is(r->variables[i].value, v->ptr))
			return false;
	}
	return true;
}

static struct str variables_text(struct change *c)
{
	const struct install_request *r = c->wanted;
	struct buf text = {0};
	struct json_out w = {.to = &text, .indent = 2, .depth = 1, .after_key = true};

	jw_object(&w);
	for (size_t i = 0; i < r->n_variables; i++) {
		jw_key_str(&w, r->variables[i].name);
		jw_str(&w, r->variables[i].value);
	}
	jw_object_end(&w);
	struct str out = arena_str(c->arena, buf_view(&text));
	buf_release(&text);
	return out;
}

/* The environment file is the whole truth of variables as of packages; a lock knows of none. */
static int check_state(struct change *c, struct err *e)
{
	const struct install_request *r = c->wanted;
	struct str text = {0};
	struct table vars = {0};

	if (read_state(c, &text, &vars, e) < 0)
		return -1;
	if ((r->n_requested == 0 && r->n_variables == 0) || same_variables(r, &vars))
		return 0;
	for (size_t i = 0; i < vars.n; i++) {
		bool stays = false;
		for (size_t k = 0; k < r->n_variables; k++)
			stays |= str_eq(r->variables[k].name, vars.entries[i].key);
		if (!stays)
			log_warn("the variable '%.*s' is not in the environment file: it goes",
				STR_ARG(vars.entries[i].key));
	}
	if (text.n == 0)
		text = STR("{}\n");
	add_rewrite(c, STR("conda-meta/state"),
		set_value(c->arena, text, "env_vars", variables_text(c)));
	return 0;
}

int change_records(struct change *c, struct err *e)
{
	for (size_t i = 0; i < c->n_kept && c->wanted->n_requested; i++)
		check_requested(c, c->kept[i]);
	return check_state(c, e);
}

/* --- writing ------------------------------------------------------------------------------ */

/*
 * "channel/subdir::name-version-build" as the latest line that linked it has it: conda takes a
 * package off its list only under the text it was entered with.
 */
static struct str dist_in_history(
	struct change *c, struct str history, const struct installed_record *r)
{
	struct str dist = record_dist(c->arena, &r->record), found = {0};
	struct str tail = arena_strf(c->arena, "::%.*s", STR_ARG(dist));

	while (history.p) {
		struct str line = str_trim(str_cut(&history, '\n'));
		if (line.n < 2 || line.p[0] != '+')
			continue;
		line = str_sub(line, 1, line.n);
		if (str_eq(line, dist) || str_ends(line, tail))
			found = line;
	}
	if (found.n)
		return found;
	return arena_strf(c->arena, "%.*s%s%.*s", STR_ARG(r->record.channel),
		r->record.channel.n ? "::" : "", STR_ARG(dist));
}

static int write_history(struct change *c, struct prefix *p, struct err *e)
{
	struct str *gone = arena_array(c->arena, struct str, c->n_going + 1), text = {0};
	CLEANUP_BUF out = {0};
	struct stat st;

	/* Its old text was moved out of the way. */
	if (fstatat(c->fd, TRANSACTION_DIR "/old/conda-meta/history", &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		file_read_at(c->arena, c->fd, TRANSACTION_DIR "/old/conda-meta/history",
			MAX_HISTORY, &text, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n_going; i++)
		gone[i] = dist_in_history(c, text, c->going[i]);
	buf_str(&out, text);
	if (text.n && text.p[text.n - 1] != '\n')
		buf_putc(&out, '\n');
	history_revision(p, gone, c->n_going, &out);
	return prefix_put(p, "conda-meta/history", buf_view(&out), 0644, e);
}

int change_write_records(struct change *c, struct prefix *p, struct err *e)
{
	if (prefix_write_records(p, e) < 0 || write_history(c, p, e) < 0)
		return -1;
	for (size_t i = 0; i < c->n_rewrites; i++)
		if (prefix_put(p, arena_cstr(c->arena, c->rewrites[i].path), c->rewrites[i].text,
			    0644, e) < 0)
			return -1;
	return 0;
}
