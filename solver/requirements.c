/* Requirements files: options, files that name others, and what is refused. */
#include "solver/requirements_lines.h"

#include "base/file.h"
#include "base/http.h"

#include <stdlib.h>

enum {
	MAX_FILE = 4 << 20,
	MAX_DEPTH = 32,
	MAX_FILES = 1000, /* files that name the same others again and again */
	MAX_REQUIREMENTS = 100000,
};

struct texts {
	struct str *v;
	size_t n, cap;
};

struct requirement_list {
	struct requirement *v;
	size_t n, cap;
};

/* A file that is being read, or the pip section itself. */
struct source {
	const struct source *parent; /* NULL: the pip section */
	const char *name;            /* for messages */
	const char *path;            /* absolute; NULL: the pip section */
	const char *dir;             /* absolute: what -r and -c are relative to */
	bool constraints;
	unsigned depth;
};

struct reader {
	struct arena *a;
	struct requirements *out;
	const char *project_dir;
	struct requirement_list requirements, constraints;
	struct texts extra_index_urls, find_links, trusted_hosts, no_binary, only_binary, features,
		files;
};

/* One logical line while its options are read. */
struct current {
	const struct source *source;
	const struct logical_line *line;
	const char *where;               /* "FILE:LINE" */
	struct requirement *requirement; /* NULL: a line of options alone */
};

static int read_lines(struct reader *r, const struct source *source,
	const struct physical_line *lines, size_t n, struct err *e);

static int refuse(struct reader *r, const struct current *c, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int refuse(struct reader *r, const struct current *c, struct err *e, const char *fmt, ...)
{
	struct str text = http_redact_text(r->a, c->line->written);
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INPUT, fmt, ap);
	va_end(ap);
	return err_wrap(e, "%s: '%.*s'", c->where, STR_ARG(text));
}

/* --- files that files name ------------------------------------------------------------------ */

static bool being_read(const struct source *s, const char *path)
{
	for (; s; s = s->parent)
		if (s->path && strcmp(s->path, path) == 0)
			return true;
	return false;
}

/* Below the project's folder the rest of the path, else the whole. */
static const char *short_name(struct reader *r, const char *path)
{
	struct str dir = str_of(path_absolute(r->a, r->project_dir));

	if (str_starts(str_of(path), dir) && path[dir.n] == '/')
		return path + dir.n + 1;
	return path;
}

static int find_file(
	struct reader *r, const struct current *c, struct str value, char **path, struct err *e)
{
	struct str rest = value;

	if (str_starts(value, STR("file:"))) {
		rest = str_sub(value, 5, value.n);
		if (str_starts(rest, STR("//localhost/")))
			rest = str_sub(rest, 11, rest.n);
		while (str_starts(rest, STR("//")))
			rest = str_sub(rest, 1, rest.n);
	} else if (str_find(value, STR("://")) >= 0) {
		refuse(r, c, e, "a requirements file at a URL is not read");
		return err_advise(e, "put a copy of it beside the environment file");
	}
	if (!rest.n)
		return refuse(r, c, e, "the name of a file is missing");
	*path = path_absolute(r->a, path_join(r->a, c->source->dir, arena_cstr(r->a, rest)));
	if (being_read(c->source, *path))
		return refuse(r, c, e, "'%s' would be read within itself", short_name(r, *path));
	if (c->source->depth >= MAX_DEPTH || r->files.n >= MAX_FILES)
		return refuse(r, c, e, "too many files name each other");
	return 0;
}

static int read_file(struct reader *r, const struct current *c, struct str value, bool constraints,
	struct err *e)
{
	struct source source = {
		.parent = c->source, .constraints = constraints, .depth = c->source->depth + 1};
	struct physical_line *lines;
	struct str text;
	char *path = NULL;
	struct stat st;
	size_t n;

	if (find_file(r, c, value, &path, e) < 0)
		return -1;
	source.path = path;
	source.dir = path_dir(r->a, path);
	source.name = short_name(r, path);
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode)) {
		refuse(r, c, e, "there is no file '%s'", path);
		return err_advise(e, "files are relative to the file that names them");
	}
	if (file_read(r->a, path, MAX_FILE, &text, e) < 0)
		return err_wrap(e, "%s", c->where);
	*VEC_PUSH(r->a, &r->files) = str_of(path);
	if (lines_split(r->a, source.name, text, &lines, &n, e) < 0)
		return err_wrap(e, "%s", c->where);
	return read_lines(r, &source, lines, n, e);
}

/* --- options -------------------------------------------------------------------------------- */

enum option {
	OPT_INDEX_URL,
	OPT_EXTRA_INDEX_URL,
	OPT_NO_INDEX,
	OPT_FIND_LINKS,
	OPT_NO_BINARY,
	OPT_ONLY_BINARY,
	OPT_PREFER_BINARY,
	OPT_REQUIRE_HASHES,
	OPT_PRE,
	OPT_TRUSTED_HOST,
	OPT_FEATURE,
	OPT_REQUIREMENT,
	OPT_CONSTRAINT,
	OPT_EDITABLE,
	OPT_HASH,
	OPT_BUILD,
};

static const struct option_name {
	const char *name;
	enum option option;
	bool value;
	bool of_requirement; /* goes with a requirement; else on a line of options */
} options[] = {
	{"-i", OPT_INDEX_URL, true, false},
	{"--index-url", OPT_INDEX_URL, true, false},
	{"--pypi-url", OPT_INDEX_URL, true, false},
	{"--extra-index-url", OPT_EXTRA_INDEX_URL, true, false},
	{"--no-index", OPT_NO_INDEX, false, false},
	{"-f", OPT_FIND_LINKS, true, false},
	{"--find-links", OPT_FIND_LINKS, true, false},
	{"--no-binary", OPT_NO_BINARY, true, false},
	{"--only-binary", OPT_ONLY_BINARY, true, false},
	{"--prefer-binary", OPT_PREFER_BINARY, false, false},
	{"--require-hashes", OPT_REQUIRE_HASHES, false, false},
	{"--pre", OPT_PRE, false, false},
	{"--trusted-host", OPT_TRUSTED_HOST, true, false},
	{"--use-feature", OPT_FEATURE, true, false},
	{"-r", OPT_REQUIREMENT, true, false},
	{"--requirement", OPT_REQUIREMENT, true, false},
	{"--requirements", OPT_REQUIREMENT, true, false},
	{"-c", OPT_CONSTRAINT, true, false},
	{"--constraint", OPT_CONSTRAINT, true, false},
	{"--constraints", OPT_CONSTRAINT, true, false},
	{"-e", OPT_EDITABLE, true, false},
	{"--editable", OPT_EDITABLE, true, false},
	{"--hash", OPT_HASH, true, true},
	{"--global-option", OPT_BUILD, true, true},
	{"--install-option", OPT_BUILD, true, true},
	{"--config-settings", OPT_BUILD, true, true},
	{"--config-setting", OPT_BUILD, true, true},
	{"-C", OPT_BUILD, true, true},
};

static struct str *appended(struct arena *a, struct str *old, size_t *n, struct str text)
{
	struct str *v = arena_array(a, struct str, *n + 1);

	for (size_t i = 0; i < *n; i++)
		v[i] = old[i];
	v[(*n)++] = text;
	return v;
}

static int add_hash(struct reader *r, const struct current *c, struct str value, struct err *e)
{
	if (!requirement_hash_is_valid(value))
		return refuse(r, c, e,
			"'--hash' is sha256, sha384 or sha512, a colon and that many hexadecimal "
			"digits");
	c->requirement->hashes =
		appended(r->a, c->requirement->hashes, &c->requirement->n_hashes, value);
	return 0;
}

/* A folder or page: relative to the file that names it, or to the project's folder. */
static struct str find_links(struct reader *r, const struct current *c, struct str value)
{
	const char *dirs[] = {c->source->dir, r->project_dir};

	if (str_find(value, STR("://")) >= 0)
		return value;
	for (size_t i = 0; i < 2; i++) {
		char *path = path_absolute(r->a, path_join(r->a, dirs[i], arena_cstr(r->a, value)));

		if (path_exists(path))
			return str_of(path);
	}
	return value;
}

static int editable(struct reader *r, const struct current *c, struct err *e)
{
	refuse(r, c, e,
		"editable pip requirement: the environment would only point to the project's "
		"folder");
	return err_advise(e, "leave out the option: pip then installs it");
}

static int apply(struct reader *r, const struct current *c, const struct option_name *o,
	struct str value, struct err *e)
{
	struct pip_options *to = &r->out->options;

	switch (o->option) {
	case OPT_INDEX_URL:
		to->index_url = value;
		return 0;
	case OPT_EXTRA_INDEX_URL:
		*VEC_PUSH(r->a, &r->extra_index_urls) = value;
		return 0;
	case OPT_NO_INDEX:
		to->no_index = true;
		return 0;
	case OPT_FIND_LINKS:
		*VEC_PUSH(r->a, &r->find_links) = find_links(r, c, value);
		return 0;
	case OPT_NO_BINARY:
		*VEC_PUSH(r->a, &r->no_binary) = value;
		return 0;
	case OPT_ONLY_BINARY:
		*VEC_PUSH(r->a, &r->only_binary) = value;
		return 0;
	case OPT_PREFER_BINARY:
		to->prefer_binary = true;
		return 0;
	case OPT_REQUIRE_HASHES:
		to->require_hashes = true;
		return 0;
	case OPT_PRE:
		to->pre = true;
		return 0;
	case OPT_TRUSTED_HOST:
		*VEC_PUSH(r->a, &r->trusted_hosts) = value;
		return 0;
	case OPT_FEATURE:
		*VEC_PUSH(r->a, &r->features) = value;
		return 0;
	case OPT_REQUIREMENT:
		return read_file(r, c, value, false, e);
	case OPT_CONSTRAINT:
		return read_file(r, c, value, true, e);
	case OPT_EDITABLE:
		return editable(r, c, e);
	case OPT_HASH:
		return add_hash(r, c, value, e);
	case OPT_BUILD:
		c->requirement->build_options = appended(r->a, c->requirement->build_options,
			&c->requirement->n_build_options,
			arena_strf(r->a, "%s=%.*s",
				strcmp(o->name, "-C") == 0 ? "--config-settings" : o->name,
				STR_ARG(value)));
		return 0;
	}
	return 0;
}

/* --name, --name=value, -x, -xvalue; *value is what the word itself holds, p NULL: nothing. */
static const struct option_name *find_option(struct str word, struct str *value)
{
	*value = (struct str){0};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct str name = str_of(options[i].name);

		if (!str_starts(word, name))
			continue;
		if (word.n == name.n)
			return &options[i];
		if (name.n == 2)
			*value = str_sub(word, 2, word.n);
		else if (word.p[name.n] == '=')
			*value = str_sub(word, name.n + 1, word.n);
		else
			continue;
		return &options[i];
	}
	return NULL;
}

static int take_option(struct reader *r, const struct current *c, const struct words *words,
	size_t *i, struct err *e)
{
	struct str word = words->v[(*i)++], value;
	const struct option_name *o = find_option(word, &value);

	if (!o) {
		refuse(r, c, e, "'%.*s' is no option of a requirements file", STR_ARG(word));
		return err_advise(e, "an entry of the pip section is a requirement, or an option "
				     "as in pip's requirements files");
	}
	if (o->option == OPT_EDITABLE)
		return editable(r, c, e);
	if (!o->value && value.p)
		return refuse(r, c, e, "'%s' takes no value", o->name);
	if (o->value && !value.p && *i < words->n)
		value = words->v[(*i)++];
	if (o->value && !value.n)
		return refuse(r, c, e, "'%s' wants a value", o->name);
	if (o->of_requirement && !c->requirement)
		return refuse(r, c, e, "'%s' goes behind a requirement", o->name);
	if (!o->of_requirement && c->requirement)
		return refuse(r, c, e, "'%s' goes on a line of its own", o->name);
	return apply(r, c, o, value, e);
}

/* --- lines ---------------------------------------------------------------------------------- */

/* Options begin at the first word with a dash, wherever that is: markers are not split by words. */
static size_t options_at(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (text.p[i] == '-' && (!i || text.p[i - 1] == ' ' || text.p[i - 1] == '\t'))
			return i;
	return text.n;
}

static bool is_text(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (((unsigned char)s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return false;
	return true;
}

static int read_line(struct reader *r, const struct source *source, const struct logical_line *line,
	struct err *e)
{
	struct current c = {.source = source, .line = line};
	struct requirement_place place = {NULL, r->project_dir};
	size_t at = options_at(line->text);
	struct str text = str_trim(str_sub(line->text, 0, at));
	struct requirement requirement = {.text = line->written};
	struct words words = {0};

	c.where = place.where = arena_printf(r->a, "%s:%d", source->name, line->line);
	requirement.where = str_of(c.where);
	if (!is_text(line->text))
		return err_set(e, ERR_INPUT, "%s: a control character in the line", c.where);
	if (words_split(r->a, str_sub(line->text, at, line->text.n), &words) < 0)
		return refuse(r, &c, e, "a quote is not closed");
	if (text.n) {
		c.requirement = &requirement;
		if (requirement_parse(r->a, &place, text, &requirement, e) < 0)
			return -1;
	}
	for (size_t i = 0; i < words.n;)
		if (take_option(r, &c, &words, &i, e) < 0)
			return -1;
	if (r->requirements.n + r->constraints.n >= MAX_REQUIREMENTS)
		return refuse(r, &c, e, "too many requirements");
	if (text.n)
		*VEC_PUSH(r->a, source->constraints ? &r->constraints : &r->requirements) =
			requirement;
	return 0;
}

static int read_lines(struct reader *r, const struct source *source,
	const struct physical_line *lines, size_t n, struct err *e)
{
	struct logical_lines list = {0};

	lines_join(r->a, lines, n, &list);
	for (size_t i = 0; i < list.n; i++)
		if (read_line(r, source, &list.v[i], e) < 0)
			return -1;
	return 0;
}

/* An entry of the section may be a text of several lines; all keep the entry's number. */
static struct physical_line *section_lines(
	struct arena *a, const struct spec_line *lines, size_t n, size_t *n_out)
{
	struct {
		struct physical_line *v;
		size_t n, cap;
	} list = {0};

	for (size_t i = 0; i < n; i++) {
		struct str rest = lines[i].text;

		while (rest.p)
			*VEC_PUSH(a, &list) =
				(struct physical_line){str_cut(&rest, '\n'), lines[i].line};
	}
	*n_out = list.n;
	return list.v;
}

int requirements_read(struct arena *a, const struct spec_line *lines, size_t n, const char *file,
	const char *project_dir, struct requirements *out, struct err *e)
{
	struct reader r = {.a = a, .out = out, .project_dir = project_dir ? project_dir : "/"};
	struct source section = {.name = file ? file : "pip section", .dir = r.project_dir};
	struct physical_line *all;
	size_t n_all;

	*out = (struct requirements){0};
	all = section_lines(a, lines, n, &n_all);
	if (read_lines(&r, &section, all, n_all, e) < 0)
		return -1;
	out->v = r.requirements.v;
	out->n = r.requirements.n;
	out->constraints = r.constraints.v;
	out->n_constraints = r.constraints.n;
	out->files = r.files.v;
	out->n_files = r.files.n;
	out->options.extra_index_urls = r.extra_index_urls.v;
	out->options.n_extra_index_urls = r.extra_index_urls.n;
	out->options.find_links = r.find_links.v;
	out->options.n_find_links = r.find_links.n;
	out->options.trusted_hosts = r.trusted_hosts.v;
	out->options.n_trusted_hosts = r.trusted_hosts.n;
	out->options.no_binary = r.no_binary.v;
	out->options.n_no_binary = r.no_binary.n;
	out->options.only_binary = r.only_binary.v;
	out->options.n_only_binary = r.only_binary.n;
	out->options.features = r.features.v;
	out->options.n_features = r.features.n;
	return 0;
}
