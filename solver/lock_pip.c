/*
 * Does a lock hold what the pip section asks for?  Requirements are met by locked packages of PyPI
 * and by distributions in conda's packages: those that their purls name.  A lock in which no record
 * has purls is one that knew of none: there a conda package counts as the distribution of its name.
 */
#include "solver/lock_pip.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/table.h"
#include "solver/requirements.h"
#include "solver/source_sum.h"

#include <stdarg.h>

/* A distribution that the environment has. */
struct have {
	struct str name, version;
	const struct pep440 *parsed;        /* NULL: not readable */
	const struct pypi_package *package; /* NULL: conda's */
	bool reached;
	bool direct;        /* asked for by its URL, repository or path */
	struct str *extras; /* asked for so far */
	size_t n_extras;
	bool queued;
};

struct check {
	struct arena *a;
	const struct lock_target *target;
	const struct solve_request *request;
	struct marker_env env;
	struct table have; /* normalized name -> struct have */
	struct have **queue;
	size_t n_queue, cap_queue;
	bool find_links;     /* files of the project may be found by name */
	bool unknown_extras; /* of a conda package: what they ask for is not in the lock */
	struct str reason;
};

static bool no(struct check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool no(struct check *c, const char *fmt, ...)
{
	CLEANUP_BUF b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	c->reason = http_redact_text(c->a, buf_view(&b));
	return false;
}

/* --- what there is -------------------------------------------------------------------------- */

static void enter(
	struct check *c, struct str name, struct str version, const struct pypi_package *package)
{
	struct have *have = arena_new(c->a, struct have);

	have->name = pypi_normal_name(c->a, name);
	have->version = version;
	have->package = package;
	if (pep440_parse(c->a, version, &have->parsed, NULL) < 0)
		have->parsed = NULL;
	table_put(&c->have, have->name)->ptr = have;
}

/* pkg:pypi/NAME@VERSION?QUALIFIERS#SUBPATH */
static void enter_purl(struct check *c, const struct record *r, struct str purl)
{
	static const struct str prefix = STR_INIT("pkg:pypi/");
	struct str name, version;

	if (!str_starts(purl, prefix))
		return;
	for (size_t i = 0; i < purl.n; i++)
		if (purl.p[i] == '?' || purl.p[i] == '#')
			purl.n = i;
	version = str_sub(purl, prefix.n, purl.n);
	name = str_cut(&version, '@');
	enter(c, name, version.n ? version : r->version, NULL);
}

static void enter_all(struct check *c)
{
	const struct lock_target *t = c->target;
	bool purls = false;

	for (size_t i = 0; i < t->n_records; i++)
		purls = purls || t->records[i]->has_purls;
	for (size_t i = 0; i < t->n_records; i++) {
		const struct record *r = t->records[i];

		for (size_t k = 0; k < r->n_purls; k++)
			enter_purl(c, r, r->purls[k]);
		if (!purls && pypi_name_is_valid(r->name))
			enter(c, r->name, r->version, NULL);
	}
	/* What pip put over conda's is what is there in the end. */
	for (size_t i = 0; i < t->pypi.n; i++)
		enter(c, t->pypi.v[i].name, t->pypi.v[i].version, &t->pypi.v[i]);
}

static bool find_python(struct check *c)
{
	for (size_t i = 0; i < c->target->n_records; i++) {
		const struct record *r = c->target->records[i];

		if (!str_is(r->name, "python"))
			continue;
		marker_env_of(c->a, r->version, c->target->subdir, &c->env);
		return true;
	}
	return no(c, "there is a pip section and the lock has no python");
}

static struct have *find(const struct check *c, struct str name)
{
	union table_value *slot = table_get(&c->have, name);

	return slot ? slot->ptr : NULL;
}

/* --- reaching ------------------------------------------------------------------------------- */

static bool add_extras(struct check *c, struct have *have, const struct str *extras, size_t n)
{
	bool any = false;

	for (size_t i = 0; i < n; i++) {
		struct str *v;
		size_t k = 0;

		while (k < have->n_extras && !str_eq(have->extras[k], extras[i]))
			k++;
		if (k < have->n_extras)
			continue;
		v = arena_array(c->a, struct str, have->n_extras + 1);
		for (k = 0; k < have->n_extras; k++)
			v[k] = have->extras[k];
		v[have->n_extras++] = extras[i];
		have->extras = v;
		any = true;
	}
	return any;
}

/* A package is looked at again when it is asked for with more extras. */
static void reach(struct check *c, struct have *have, const struct pep508 *spec)
{
	bool more = add_extras(c, have, spec->extras, spec->n_extras);

	if (!have->package) {
		c->unknown_extras = c->unknown_extras || spec->n_extras > 0;
		return;
	}
	if ((have->reached && !more) || have->queued)
		return;
	have->reached = have->queued = true;
	if (c->n_queue == c->cap_queue)
		c->queue = arena_grow(
			c->a, c->queue, c->n_queue, &c->cap_queue, sizeof(struct have *));
	c->queue[c->n_queue++] = have;
}

/* who: what asks, in words: "'requests>=2' is asked for", "'flask' needs 'jinja2>=3'". */
static bool meet_name(struct check *c, const struct pep508 *spec, struct str who)
{
	struct have *have = find(c, spec->name);

	if (!have)
		return no(c, "%.*s and the lock has nothing of that name", STR_ARG(who));
	if (spec->versions.n && have->version.n &&
		!(have->parsed && pep440_set_has(&spec->versions, have->parsed, PEP440_PRE_YES)))
		return no(c, "%.*s and the lock has %.*s %.*s", STR_ARG(who), STR_ARG(have->name),
			STR_ARG(have->version));
	reach(c, have, spec);
	return true;
}

static bool same_git(struct check *c, const struct requirement *r, struct str lock_url)
{
	struct pypi_git git, asked;
	struct str url = requirement_lock_url(c->a, r, STR(""));

	return pypi_git_split(c->a, lock_url, &git) == 0 &&
	       pypi_git_split(c->a, url, &asked) == 0 && str_eq(git.url, asked.url) &&
	       str_eq(git.rev, asked.rev) && str_eq(git.subdirectory, asked.subdirectory);
}

static struct have *find_direct(struct check *c, const struct requirement *r)
{
	struct str url = requirement_lock_url(c->a, r, STR(""));

	for (size_t i = 0; i < c->target->pypi.n; i++) {
		const struct pypi_package *p = &c->target->pypi.v[i];

		if (r->spec.name.n && !str_eq(r->spec.name, p->name))
			continue;
		if (r->kind == REQUIREMENT_GIT ? same_git(c, r, p->url) : str_eq(p->url, url))
			return find(c, p->name);
	}
	return NULL;
}

/* Is what was built, or taken, of this machine still the same? */
static bool same_source(struct check *c, const struct requirement *r, const struct pypi_package *p)
{
	const char *path = arena_cstr(c->a, r->url);
	uint8_t sum[SHA256_LEN];
	struct err e = {0};
	bool given = r->kind == REQUIREMENT_FOLDER ? p->has_source_sha256 : p->has_sha256;
	int rc;

	if (!given)
		return no(c, "the lock does not say what '%.*s' was", STR_ARG(r->path));
	rc = r->kind == REQUIREMENT_FOLDER ? source_sum(path, sum, &e)
					   : file_hash(path, sum, NULL, &e);
	if (rc < 0) {
		no(c, "%s", e.text);
		err_release(&e);
		return false;
	}
	if (memcmp(sum, r->kind == REQUIREMENT_FOLDER ? p->source_sha256 : p->sha256, sizeof sum))
		return no(c, "'%.*s' has changed", STR_ARG(r->path));
	return true;
}

static bool meet_direct(struct check *c, const struct requirement *r, struct str who)
{
	struct have *have = find_direct(c, r);

	if (!have)
		return no(c, "%.*s and the lock does not have it from there", STR_ARG(who));
	if ((r->kind == REQUIREMENT_FOLDER || r->kind == REQUIREMENT_FILE) &&
		!same_source(c, r, have->package))
		return false;
	have->direct = true;
	reach(c, have, &r->spec);
	return true;
}

/* --- what is asked for ---------------------------------------------------------------------- */

static bool hash_fits(struct check *c, const struct requirement *r)
{
	const struct have *have = r->spec.name.n ? find(c, r->spec.name) : NULL;
	char hex[SHA256_HEX + 1];
	bool any = false;

	if (!have || !have->package || !have->package->has_sha256)
		return true;
	hex_encode(have->package->sha256, SHA256_LEN, hex);
	for (size_t i = 0; i < r->n_hashes; i++) {
		struct str value = r->hashes[i], kind = str_cut(&value, ':');

		if (!str_is(kind, "sha256"))
			return true;
		any = true;
		if (value.n == SHA256_HEX && strncasecmp(value.p, hex, SHA256_HEX) == 0)
			return true;
	}
	return any ? no(c, "the lock's '%.*s' has none of the hashes that are asked for",
			     STR_ARG(have->name))
		   : true;
}

static bool meet_requirement(struct check *c, const struct requirement *r)
{
	struct str who = arena_strf(c->a, "'%.*s' is asked for", STR_ARG(r->text));

	if (!marker_holds(r->spec.marker, &c->env, NULL, 0))
		return true;
	if (r->kind == REQUIREMENT_INDEX ? !meet_name(c, &r->spec, who) : !meet_direct(c, r, who))
		return false;
	return hash_fits(c, r);
}

/* Constraints are for what pip chose; conda's packages were chosen without them. */
static bool meet_constraint(struct check *c, const struct requirement *r)
{
	const struct have *have = r->spec.name.n ? find(c, r->spec.name) : NULL;

	if (!have || !have->package || !have->parsed || !r->spec.versions.n ||
		!marker_holds(r->spec.marker, &c->env, NULL, 0))
		return true;
	if (pep440_set_has(&r->spec.versions, have->parsed, PEP440_PRE_YES))
		return true;
	return no(c, "the constraint '%.*s' holds and the lock has %.*s %.*s", STR_ARG(r->text),
		STR_ARG(have->name), STR_ARG(have->version));
}

static bool meet_section(struct check *c)
{
	const struct solve_request *r = c->request;
	struct requirements list;
	struct err e = {0};

	if (requirements_read(c->a, r->pip, r->n_pip, r->file, r->project_dir, &list, &e) < 0) {
		no(c, "%s", e.text);
		err_release(&e);
		return false;
	}
	c->find_links = list.options.n_find_links > 0;
	for (size_t i = 0; i < list.n; i++)
		if (!meet_requirement(c, &list.v[i]))
			return false;
	for (size_t i = 0; i < list.n_constraints; i++)
		if (!meet_constraint(c, &list.constraints[i]))
			return false;
	return true;
}

/* --- what packages ask for ------------------------------------------------------------------ */

/* "name @ URL" in a package's metadata. */
static bool meet_reference(struct check *c, const struct pep508 *spec, struct str who)
{
	struct requirement r = {.kind = REQUIREMENT_URL, .url = spec->url};

	if (str_starts(spec->url, STR("git+")) &&
		requirement_git_parse(c->a, spec->url, &r, NULL) < 0)
		return no(c, "%.*s and that is no git URL", STR_ARG(who));
	r.spec = *spec;
	return meet_direct(c, &r, who);
}

/*
 * Metadata of old has versions that PEP 440 does not know, and pip took them as they were: what is
 * there of that name was asked for.
 */
static void meet_legacy(struct check *c, struct str text)
{
	struct pep508 spec = {0};
	struct have *have;
	size_t n = 0;

	while (n < text.n && !strchr(" \t([<>=!~;@", text.p[n]))
		n++;
	have = find(c, pypi_normal_name(c->a, str_sub(text, 0, n)));
	if (have)
		reach(c, have, &spec);
}

static bool meet_dependency(struct check *c, const struct have *from, struct str text)
{
	struct str who =
		arena_strf(c->a, "'%.*s' needs '%.*s'", STR_ARG(from->name), STR_ARG(text));
	struct pep508 spec;

	if (pep508_parse(c->a, text, &spec, NULL) < 0) {
		meet_legacy(c, text);
		return true;
	}
	if (!marker_holds(spec.marker, &c->env, from->extras, from->n_extras))
		return true;
	if (spec.url.n)
		return meet_reference(c, &spec, who);
	return meet_name(c, &spec, who);
}

static bool python_fits(struct check *c, const struct pypi_package *p)
{
	struct pep440_set set;
	const struct pep440 *python;

	if (!p->requires_python.n || pep440_set_parse(c->a, p->requires_python, &set, NULL) < 0 ||
		pep440_parse(c->a, c->env.python_full_version, &python, NULL) < 0 ||
		pep440_set_has(&set, python, PEP440_PRE_YES))
		return true;
	return no(c, "'%.*s' needs Python %.*s and the lock has %.*s", STR_ARG(p->name),
		STR_ARG(p->requires_python), STR_ARG(c->env.python_full_version));
}

static bool meet_dependencies(struct check *c)
{
	for (size_t i = 0; i < c->n_queue; i++) {
		struct have *have = c->queue[i];

		have->queued = false;
		if (!python_fits(c, have->package))
			return false;
		for (size_t k = 0; k < have->package->n_requires_dist; k++)
			if (!meet_dependency(c, have, have->package->requires_dist[k]))
				return false;
	}
	return true;
}

/* Only a line that names it leads to a commit, a folder, or, but for --find-links, a file. */
static bool is_direct(const struct check *c, const struct pypi_package *p)
{
	if (str_starts(p->url, STR("git+")) || p->has_source_sha256)
		return true;
	return str_find(p->url, STR("://")) < 0 && !c->find_links;
}

static bool all_asked_for(struct check *c)
{
	for (size_t i = 0; i < c->target->pypi.n; i++) {
		const struct pypi_package *p = &c->target->pypi.v[i];
		const struct have *have = find(c, p->name);

		if (!have->reached && !c->unknown_extras)
			return no(c, "nothing asks for '%.*s' any more", STR_ARG(p->name));
		if (have->reached && !have->direct && is_direct(c, p))
			return no(c, "nothing asks for '%.*s' from '%.*s' any more",
				STR_ARG(p->name), STR_ARG(p->url));
	}
	return true;
}

int lock_pip_current(struct arena *a, const struct lock_target *target,
	const struct solve_request *r, struct str *reason)
{
	struct check c = {.a = a, .target = target, .request = r, .have.arena = a};

	if (!r->n_pip) {
		if (!target->pypi.n)
			return 1;
		no(&c, "it has packages of PyPI and there is no pip section any more");
	} else if (find_python(&c)) {
		enter_all(&c);
		if (meet_section(&c) && meet_dependencies(&c) && all_asked_for(&c))
			return 1;
	}
	*reason = c.reason;
	return 0;
}
