#include "base/yaml.h"

#include "base/table.h"

#include <yaml.h>

enum {
	MAX_TEXT = 64 << 20,
	MAX_DEPTH = 64,
	MAX_NODES = 1000000, /* that aliases and merges expand to */
	LINEAR_KEYS = 16,    /* maps up to here are searched without a table */
};

static const char standard_tag[] = "tag:yaml.org,2002:";

struct anchor {
	struct yaml *node; /* NULL while it is being read */
	size_t size;
};

struct reader {
	yaml_parser_t parser;
	yaml_event_t event;
	struct arena *arena;
	struct arena scratch; /* anchors, tables of keys, growing lists */
	struct table anchors;
	const char *name;
	struct str text;
	size_t aliased; /* nodes that stand there through aliases and merges */
	struct err *e;
};

/* A map or sequence that is being read. */
struct list {
	struct yaml **v;
	size_t n, cap;
};

struct pairs {
	struct list keys, values;
	struct table index; /* of keys, from LINEAR_KEYS on */
};

static int fail_at(struct reader *r, size_t line, size_t column, const char *why)
{
	return err_set(r->e, ERR_INPUT, "%s:%zu:%zu: %s", r->name, line, column, why);
}

static int fail_here(struct reader *r, const char *why)
{
	yaml_mark_t at = r->event.start_mark;

	return fail_at(r, at.line + 1, at.column + 1, why);
}

/* Line and column of an offset; libyaml has no mark for text that it cannot decode. */
static int fail_undecodable(struct reader *r)
{
	struct str before = str_sub(r->text, 0, r->parser.problem_offset);
	ptrdiff_t newline = str_rchr(before, '\n');
	size_t line = 1;

	for (size_t i = 0; i < before.n; i++)
		line += before.p[i] == '\n';
	return fail_at(r, line, before.n - (size_t)newline,
		r->parser.problem ? r->parser.problem : "the text is not UTF-8");
}

static struct str line_of(struct str text, size_t line)
{
	struct str found = {NULL, 0};

	for (size_t i = 0; i <= line && text.p; i++)
		found = str_cut(&text, '\n');
	return found;
}

static bool indented_with_tab(struct str line)
{
	for (size_t i = 0; i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'); i++)
		if (line.p[i] == '\t')
			return true;
	return false;
}

/* What to do about the mistakes that people make. */
static void advise(struct reader *r, const char *problem, yaml_mark_t at)
{
	struct str line = line_of(r->text, at.line), rest = str_sub(line, at.column, line.n);

	if (indented_with_tab(line))
		err_advise(r->e, "YAML allows no tabs for indenting: write spaces there");
	else if (rest.n && strchr("@`%", rest.p[0]) && strstr(problem, "cannot start"))
		err_advise(r->e, "put text that begins with '%c' in quotes", rest.p[0]);
	else if (strstr(problem, "mapping values are not allowed"))
		err_advise(r->e, "put text that holds ': ' in quotes, and look at the "
				 "indenting of this line and the one above");
	else
		err_advise(r->e, "look at the indenting, quotes and brackets there");
}

static int fail_syntax(struct reader *r)
{
	const yaml_parser_t *p = &r->parser;
	const char *problem = p->problem ? p->problem : "not YAML";
	yaml_mark_t at = p->problem_mark;

	if (p->error == YAML_READER_ERROR)
		return fail_undecodable(r);
	if (p->context && p->context_mark.line != at.line)
		err_set(r->e, ERR_INPUT, "%s:%zu:%zu: %s (%s that begins at line %zu)", r->name,
			at.line + 1, at.column + 1, problem, p->context, p->context_mark.line + 1);
	else
		fail_at(r, at.line + 1, at.column + 1, problem);
	advise(r, problem, at);
	return -1;
}

static int next_event(struct reader *r)
{
	yaml_event_delete(&r->event);
	if (yaml_parser_parse(&r->parser, &r->event))
		return 0;
	memset(&r->event, 0, sizeof r->event);
	return fail_syntax(r);
}

/* --- nodes ------------------------------------------------------------------------------ */

static struct yaml *new_node(struct reader *r, enum yaml_kind kind)
{
	struct yaml *y = arena_new(r->arena, struct yaml);

	y->kind = kind;
	y->line = (int)r->event.start_mark.line + 1;
	y->column = (int)r->event.start_mark.column + 1;
	return y;
}

static struct yaml **keep_list(struct reader *r, const struct list *list)
{
	struct yaml **v = arena_array(r->arena, struct yaml *, list->n);

	if (list->n)
		memcpy(v, list->v, list->n * sizeof *v);
	return v;
}

/* Notes an anchor before its node is read, so that an alias within it is seen as such. */
static struct anchor *note_anchor(struct reader *r, const yaml_char_t *name)
{
	struct anchor *a;

	if (!name)
		return NULL;
	a = arena_new(&r->scratch, struct anchor);
	table_put(&r->anchors, arena_str(&r->scratch, str_of((const char *)name)))->ptr = a;
	return a;
}

static int count_aliased(struct reader *r, size_t nodes)
{
	r->aliased += nodes;
	if (r->aliased <= MAX_NODES)
		return 0;
	return fail_here(r, "aliases expand to more than 1,000,000 nodes");
}

static int check_tag(struct reader *r, const yaml_char_t *tag)
{
	struct str s = str_of((const char *)tag);

	if (!tag || str_is(s, "!") || str_starts(s, str_of(standard_tag)))
		return 0;
	return fail_here(r, "unknown tag");
}

static struct yaml *find_key(const struct pairs *pairs, struct str key, size_t *at)
{
	union table_value *hit;

	if (pairs->index.arena) {
		hit = table_get(&pairs->index, key);
		if (!hit)
			return NULL;
		*at = (size_t)hit->num;
		return pairs->keys.v[*at];
	}
	for (size_t i = 0; i < pairs->keys.n; i++) {
		if (str_eq(pairs->keys.v[i]->text, key)) {
			*at = i;
			return pairs->keys.v[i];
		}
	}
	return NULL;
}

static void add_pair(struct reader *r, struct pairs *pairs, struct yaml *key, struct yaml *value)
{
	*VEC_PUSH(&r->scratch, &pairs->keys) = key;
	*VEC_PUSH(&r->scratch, &pairs->values) = value;
	if (pairs->keys.n < LINEAR_KEYS)
		return;
	for (size_t i = pairs->index.arena ? pairs->keys.n - 1 : 0; i < pairs->keys.n; i++) {
		pairs->index.arena = &r->scratch;
		table_put(&pairs->index, pairs->keys.v[i]->text)->num = i;
	}
}

/* The node that the current event begins, and its size with aliases followed. */
static struct yaml *read_node(struct reader *r, int depth, size_t *size);

static struct yaml *read_scalar(struct reader *r)
{
	const yaml_char_t *tag = r->event.data.scalar.tag;
	struct yaml *y;

	if (check_tag(r, tag) < 0)
		return NULL;
	y = new_node(r, YAML_SCALAR);
	y->plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !tag;
	y->text = arena_str(r->arena,
		str_n((const char *)r->event.data.scalar.value, r->event.data.scalar.length));
	return y;
}

static struct yaml *read_sequence(struct reader *r, int depth, size_t *size)
{
	struct yaml *y = new_node(r, YAML_SEQUENCE), *item;
	struct list items = {0};

	for (;;) {
		if (next_event(r) < 0)
			return NULL;
		if (r->event.type == YAML_SEQUENCE_END_EVENT)
			break;
		item = read_node(r, depth, size);
		if (!item)
			return NULL;
		*VEC_PUSH(&r->scratch, &items) = item;
	}
	y->n = items.n;
	y->items = keep_list(r, &items);
	return y;
}

static struct yaml *read_key(struct reader *r, int depth, const struct pairs *pairs, size_t *size)
{
	struct yaml *key = read_node(r, depth, size), *first;
	size_t at;

	if (!key)
		return NULL;
	if (key->kind != YAML_SCALAR) {
		yaml_fail(r->name, key, r->e, "a list or map cannot be a key here");
		return NULL;
	}
	first = find_key(pairs, key->text, &at);
	if (first) {
		yaml_fail(r->name, key, r->e, "duplicate key '%.*s', first given at line %d",
			STR_ARG(str_sub(key->text, 0, 200)), first->line);
		return NULL;
	}
	return key;
}

/* The merge key of YAML 1.1: pairs of another map, where this one does not have the key. */
static int merge_map(struct reader *r, struct pairs *pairs, const struct yaml *from)
{
	size_t at;

	if (from->kind != YAML_MAP)
		return yaml_fail(r->name, from, r->e, "only maps can be merged with '<<'");
	if (count_aliased(r, from->n) < 0)
		return -1;
	for (size_t i = 0; i < from->n; i++)
		if (!find_key(pairs, from->keys[i]->text, &at))
			add_pair(r, pairs, from->keys[i], from->items[i]);
	return 0;
}

static int merge(struct reader *r, struct pairs *pairs, const struct yaml *from)
{
	if (from->kind != YAML_SEQUENCE)
		return merge_map(r, pairs, from);
	for (size_t i = 0; i < from->n; i++)
		if (merge_map(r, pairs, from->items[i]) < 0)
			return -1;
	return 0;
}

static struct yaml *read_map(struct reader *r, int depth, size_t *size)
{
	struct yaml *y = new_node(r, YAML_MAP), *key, *value;
	struct yaml *merged = NULL;
	struct pairs pairs = {0};

	for (;;) {
		if (next_event(r) < 0)
			return NULL;
		if (r->event.type == YAML_MAPPING_END_EVENT)
			break;
		key = read_key(r, depth, &pairs, size);
		if (!key || next_event(r) < 0 || !(value = read_node(r, depth, size)))
			return NULL;
		if (key->plain && str_is(key->text, "<<")) {
			if (merged) {
				yaml_fail(r->name, key, r->e, "duplicate key '<<'");
				return NULL;
			}
			merged = value;
		} else {
			add_pair(r, &pairs, key, value);
		}
	}
	if (merged && merge(r, &pairs, merged) < 0)
		return NULL;
	y->n = pairs.keys.n;
	y->keys = keep_list(r, &pairs.keys);
	y->items = keep_list(r, &pairs.values);
	return y;
}

static struct yaml *read_alias(struct reader *r, size_t *size)
{
	struct str name = str_of((const char *)r->event.data.alias.anchor);
	union table_value *hit = table_get(&r->anchors, name);
	const struct anchor *a = hit ? hit->ptr : NULL;

	if (!a) {
		fail_here(r, "alias to an unknown anchor");
		return NULL;
	}
	if (!a->node) {
		fail_here(r, "alias to a node that contains it");
		return NULL;
	}
	if (count_aliased(r, a->size) < 0)
		return NULL;
	*size += a->size;
	return a->node;
}

static struct yaml *read_collection(struct reader *r, int depth, size_t *size)
{
	bool map = r->event.type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *tag =
		map ? r->event.data.mapping_start.tag : r->event.data.sequence_start.tag;

	if (check_tag(r, tag) < 0)
		return NULL;
	if (depth >= MAX_DEPTH) {
		fail_here(r, "nested over 64 levels");
		return NULL;
	}
	return map ? read_map(r, depth + 1, size) : read_sequence(r, depth + 1, size);
}

static struct yaml *read_node(struct reader *r, int depth, size_t *size)
{
	struct anchor *anchor;
	struct yaml *y;
	size_t own = 1;

	if (r->event.type == YAML_ALIAS_EVENT)
		return read_alias(r, size);
	if (r->event.type == YAML_SCALAR_EVENT) {
		anchor = note_anchor(r, r->event.data.scalar.anchor);
		y = read_scalar(r);
	} else {
		anchor = note_anchor(r, r->event.type == YAML_MAPPING_START_EVENT
						? r->event.data.mapping_start.anchor
						: r->event.data.sequence_start.anchor);
		y = read_collection(r, depth, &own);
	}
	if (y && anchor)
		*anchor = (struct anchor){.node = y, .size = own};
	*size += own;
	return y;
}

/* --- documents -------------------------------------------------------------------------- */

static int read_stream(struct reader *r, struct yaml **out)
{
	struct yaml *root;
	size_t size = 0;

	*out = NULL;
	if (next_event(r) < 0 || next_event(r) < 0) /* stream start, then document start */
		return -1;
	if (r->event.type == YAML_STREAM_END_EVENT)
		return 0;
	if (next_event(r) < 0 || !(root = read_node(r, 0, &size)))
		return -1;
	if (next_event(r) < 0 || next_event(r) < 0) /* document end, then stream end */
		return -1;
	if (r->event.type != YAML_STREAM_END_EVENT)
		return fail_here(r, "a second document in the same file");
	if (!(root->kind == YAML_SCALAR && root->plain && root->text.n == 0))
		*out = root;
	return 0;
}

int yaml_parse(struct arena *a, const char *name, struct str text, struct yaml **out, struct err *e)
{
	struct reader r = {.arena = a, .name = name, .text = text, .e = e};
	int rc;

	if (text.n > MAX_TEXT)
		return err_set(e, ERR_INPUT, "%s: more than 64 MiB of YAML", name);
	if (!yaml_parser_initialize(&r.parser))
		return err_set(e, ERR_FAIL, "%s: no memory for the YAML parser", name);
	yaml_parser_set_input_string(
		&r.parser, (const unsigned char *)(text.n ? text.p : ""), text.n);
	r.anchors.arena = &r.scratch;
	rc = read_stream(&r, out);
	yaml_event_delete(&r.event);
	yaml_parser_delete(&r.parser);
	arena_release(&r.scratch);
	return rc;
}

struct yaml *yaml_get(const struct yaml *map, const char *key)
{
	if (!map || map->kind != YAML_MAP)
		return NULL;
	for (size_t i = 0; i < map->n; i++)
		if (str_is(map->keys[i]->text, key))
			return map->items[i];
	return NULL;
}

bool yaml_is_null(const struct yaml *y)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};

	if (!y)
		return true;
	if (y->kind != YAML_SCALAR || !y->plain)
		return false;
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (str_is(y->text, words[i]))
			return true;
	return false;
}

int yaml_fail(const char *name, const struct yaml *at, struct err *e, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INPUT, fmt, ap);
	va_end(ap);
	return err_wrap(e, "%s:%d:%d", name, at->line, at->column);
}
