#include "solver/record.h"

#include "solver/version.h"

#include <time.h>

struct str record_dist(struct arena *a, const struct record *r)
{
	return arena_strf(
		a, "%.*s-%.*s-%.*s", STR_ARG(r->name), STR_ARG(r->version), STR_ARG(r->build));
}

int record_split_fn(struct str fn, struct str *name, struct str *version, struct str *build)
{
	struct str stem = fn;
	ptrdiff_t dash, before;

	if (str_ends(fn, STR(".conda")))
		stem.n -= strlen(".conda");
	else if (str_ends(fn, STR(".tar.bz2")))
		stem.n -= strlen(".tar.bz2");
	else
		return -1;
	dash = str_rchr(stem, '-');
	before = dash < 0 ? -1 : str_rchr(str_sub(stem, 0, (size_t)dash), '-');
	if (before <= 0 || dash == before + 1 || (size_t)dash + 1 == stem.n)
		return -1;
	*name = str_sub(stem, 0, (size_t)before);
	*version = str_sub(stem, (size_t)before + 1, (size_t)dash);
	*build = str_sub(stem, (size_t)dash + 1, stem.n);
	return 0;
}

int record_cmp_name(const struct record *a, const struct record *b)
{
	int c = str_cmp(a->name, b->name);

	if (!c)
		c = str_cmp(a->version, b->version);
	if (!c)
		c = str_cmp(a->build, b->build);
	if (!c)
		c = str_cmp(a->subdir, b->subdir);
	if (!c)
		c = str_cmp(a->url, b->url);
	return c;
}

bool subdir_is_known(struct str s)
{
	static const char *const known[] = {
		"noarch",
		"linux-32",
		"linux-64",
		"linux-aarch64",
		"linux-armv6l",
		"linux-armv7l",
		"linux-loong64",
		"linux-ppc64",
		"linux-ppc64le",
		"linux-riscv32",
		"linux-riscv64",
		"linux-s390x",
		"osx-64",
		"osx-arm64",
		"win-32",
		"win-64",
		"win-arm64",
		"freebsd-64",
		"emscripten-wasm32",
		"wasi-wasm32",
		"zos-z",
	};
	size_t i;

	for (i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (str_is(s, known[i]))
			return true;
	return false;
}

/* --- virtual packages --------------------------------------------------------------------- */

static bool word_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("._-+!", c));
}

/* The next word behind spaces and one "=" or "=="; empty at the end. */
static struct str next_word(struct str *rest)
{
	struct str word;
	size_t n = 0, signs = 0;

	while (n < rest->n && (rest->p[n] == ' ' || (rest->p[n] == '=' && signs < 2)))
		signs += rest->p[n++] == '=';
	*rest = str_sub(*rest, n, rest->n);
	for (n = 0; n < rest->n && word_char(rest->p[n]);)
		n++;
	word = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return word;
}

uint64_t record_milliseconds(uint64_t t)
{
	const uint64_t last_second = UINT64_C(253402300799);

	return t <= last_second && t * 1000 > last_second ? t * 1000 : t;
}

int virtual_package_parse(struct arena *a, struct str text, struct record *out, struct err *e)
{
	struct str rest = str_trim(text), whole = rest;
	const struct version *version;

	*out = (struct record){0};
	if (rest.n && rest.p[0] != '=')
		out->name = next_word(&rest);
	out->version = next_word(&rest);
	out->build = next_word(&rest);
	if (!str_starts(out->name, STR("__")) || out->name.n < 3 || rest.n) {
		err_set(e, ERR_INPUT, "invalid virtual package '%.*s'", STR_ARG(whole));
		return err_advise(e, "write it as __name=version or __name=version=build, such as "
				     "__glibc=2.17");
	}
	if (!out->version.n)
		out->version = STR("0");
	if (!out->build.n)
		out->build = STR("0");
	if (version_parse(a, out->version, &version, e) < 0)
		return err_wrap(e, "invalid virtual package '%.*s'", STR_ARG(whole));
	return 0;
}

static struct str *copy_list(struct arena *a, const struct str *from, size_t n)
{
	struct str *to = arena_array(a, struct str, n);

	for (size_t i = 0; i < n; i++)
		to[i] = arena_str(a, from[i]);
	return to;
}

struct record *record_copy(struct arena *a, const struct record *r)
{
	struct record *c = arena_new(a, struct record);

	*c = *r;
	c->name = arena_str(a, r->name);
	c->version = arena_str(a, r->version);
	c->build = arena_str(a, r->build);
	c->license = arena_str(a, r->license);
	c->license_family = arena_str(a, r->license_family);
	c->python_site_packages_path = arena_str(a, r->python_site_packages_path);
	c->subdir = arena_str(a, r->subdir);
	c->channel = arena_str(a, r->channel);
	c->fn = arena_str(a, r->fn);
	c->url = arena_str(a, r->url);
	c->track_features = arena_str(a, r->track_features);
	c->features = arena_str(a, r->features);
	c->flags = arena_str(a, r->flags);
	c->depends = copy_list(a, r->depends, r->n_depends);
	c->constrains = copy_list(a, r->constrains, r->n_constrains);
	c->extras = copy_list(a, r->extras, r->n_extras);
	return c;
}

bool extra_char_is_valid(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (c && strchr("_.+-", c));
}

bool extra_name_is_valid(struct str name)
{
	for (size_t i = 0; i < name.n; i++)
		if (!extra_char_is_valid(name.p[i]))
			return false;
	return name.n > 0 && name.n <= EXTRA_NAME_MAX;
}

const struct record *record_named(struct record *const *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i]->name, name))
			return v[i];
	return NULL;
}

const char *record_date(uint64_t timestamp, char out[16])
{
	time_t seconds = (time_t)(timestamp / 1000);
	struct tm t;

	if (!timestamp || !gmtime_r(&seconds, &t) || strftime(out, 16, "%Y-%m-%d", &t) == 0)
		out[0] = 0;
	return out;
}
