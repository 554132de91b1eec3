/*
 * Requirements that are not looked for on an index: wheels and archives at a URL or path, folders
 * of the project, commits of git repositories, and what the metadata of their wheels refers to by
 * URL in turn.  Each becomes a wheel in the cache.
 */
#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "builder/git.h"
#include "builder/layer.h"
#include "builder/pip_lend.h"
#include "builder/wheels.h"
#include "solver/dist_name.h"
#include "solver/source_sum.h"

#include <fcntl.h>
#include <unistd.h>

enum { MAX_DEPTH = 32, MAX_SOURCES = 2000 };

/* Sources that bring no time of their own: the first that a zip can hold, 1980-01-01. */
enum { NO_TIME = 315532800 };

static const char PROJECT[] = "/tmp/project";

/* --- files ------------------------------------------------------------------------------------ */

static int copy_file(
	struct pip_work *w, const char *from, const struct pip_place *to, struct err *e)
{
	CLEANUP_FD in = open(from, O_RDONLY | O_CLOEXEC);

	if (in < 0)
		return err_sys(e, "cannot open '%s'", from);
	if (dir_make(path_dir(w->arena, to->path), e) < 0)
		return -1;
	CLEANUP_FD out = open(to->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out < 0)
		return err_sys(e, "cannot create '%s'", to->path);
	return fd_copy(in, out, e);
}

int pip_describe(struct pip_work *w, const char *path, struct pypi_package *package,
	struct dist *dist, struct err *e)
{
	struct wheel wheel;

	if (wheel_read(w->arena, path, NULL, &w->p->python, &wheel, e) < 0)
		return -1;
	package->name = wheel.dist.name;
	package->version = wheel.dist.version;
	package->requires_dist = wheel.dist.requires_dist;
	package->n_requires_dist = wheel.dist.n_requires_dist;
	package->requires_python = wheel.dist.requires_python;
	if (dist)
		*dist = wheel.dist;
	return 0;
}

/* --- builds ----------------------------------------------------------------------------------- */

static struct str hex_of(struct arena *a, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	return arena_str(a, str_of(hex));
}

static const char *name_for_messages(const struct pip_work *w, const struct requirement *r)
{
	struct arena *a = w->arena;

	if (r->spec.name.n)
		return arena_cstr(a, r->spec.given_name.n ? r->spec.given_name : r->spec.name);
	return r->path.n ? arena_cstr(a, r->path) : http_redact(a, arena_cstr(a, r->url));
}

static int checkout(struct pip_work *w, const struct git_source *git, const char *commit,
	const char *dir, int64_t *time, struct err *e)
{
	struct step step;

	step_begin(&step, "git", 0, 0);
	if (git_checkout(w->arena, w->request->cache, git, commit, dir, time, e) < 0) {
		step_fail(&step);
		return -1;
	}
	step_end(&step, "%s at %.12s", http_redact(w->arena, arena_cstr(w->arena, git->url)),
		commit);
	return 0;
}

int pip_build_git(struct pip_work *w, const struct requirement *r, const char *commit,
	struct pypi_package *package, const char **path, struct err *e)
{
	struct arena *a = w->arena;
	struct git_source git = {r->url, r->rev, !w->request->network, w->request->timeout_s};
	struct requirement unnamed = *r;
	int64_t time = 0;

	unnamed.rev = (struct str){0};
	struct str source = requirement_lock_url(a, &unnamed, str_of(commit));
	if (pip_built_before(w, source, r->build_options, r->n_build_options, package, path))
		return 0;
	struct pip_place dir = pip_place(w, "git", (struct str){0});
	if (pip_host(w, e) < 0 || pip_lend_git(w, e) < 0 ||
		checkout(w, &git, commit, dir.path, &time, e) < 0)
		return -1;
	struct pip_place top = r->subdirectory.n ? pip_place_below(w, &dir, r->subdirectory) : dir;
	struct build b = {.what = name_for_messages(w, r),
		.source_inside = top.inside,
		.epoch = time,
		.options = r->build_options,
		.n_options = r->n_build_options};
	int rc = 0;
	if (!path_exists(top.path))
		rc = err_set(e, ERR_INPUT, "'%s' has no folder '%.*s' at commit %s",
			http_redact(a, arena_cstr(a, r->url)), STR_ARG(r->subdirectory), commit);
	if (rc == 0)
		rc = pip_build(w, &b, source, package, path, e);
	dir_remove(dir.path, NULL);
	return rc;
}

/* A folder may refer to its neighbours, so the whole project is there, as throw-away. */
int pip_build_folder(struct pip_work *w, const struct requirement *r, struct pypi_package *package,
	const char **path, struct err *e)
{
	struct arena *a = w->arena;
	const char *project = w->request->project_dir, *folder = arena_cstr(a, r->url);
	size_t n = project ? strlen(project) : 0;
	bool within = n > 1 && strncmp(folder, project, n) == 0 &&
		      (folder[n] == '/' || folder[n] == '\0');
	struct bind bind = {within ? project : folder, PROJECT, BIND_THROW_AWAY, NULL, 0};
	struct build b = {.what = name_for_messages(w, r),
		.source_inside = within ? arena_printf(a, "%s%s", PROJECT, folder + n) : PROJECT,
		.binds = &bind,
		.n_binds = 1,
		.cwd = PROJECT,
		.epoch = NO_TIME,
		.options = r->build_options,
		.n_options = r->n_build_options};

	if (source_sum(folder, package->source_sha256, e) < 0)
		return -1;
	package->has_source_sha256 = true;
	/* Where it lies decides nothing, but for a project that reads what is beside it. */
	struct str source =
		arena_strf(a, "folder %.*s %.*s", STR_ARG(within ? r->path : (struct str){0}),
			STR_ARG(hex_of(a, package->source_sha256)));
	if (pip_built_before(w, source, r->build_options, r->n_build_options, package, path))
		return 0;
	if (pip_host(w, e) < 0 || pip_lend_git(w, e) < 0)
		return -1;
	return pip_build(w, &b, source, package, path, e);
}

int pip_build_archive(struct pip_work *w, const char *file, struct str name,
	const struct requirement *r, struct pypi_package *package, const char **path, struct err *e)
{
	struct arena *a = w->arena;
	struct str sub = r ? r->subdirectory : (struct str){0};
	const struct str *options = r ? r->build_options : NULL;
	size_t n_options = r ? r->n_build_options : 0;
	struct str source = arena_strf(
		a, "archive %.*s %.*s", STR_ARG(hex_of(a, package->sha256)), STR_ARG(sub));
	struct build b = {.what = arena_cstr(a, name),
		.epoch = NO_TIME,
		.options = options,
		.n_options = n_options};

	if (pip_built_before(w, source, options, n_options, package, path))
		return 0;
	struct pip_place copy = pip_place(w, "archive", name);
	if (pip_host(w, e) < 0 || copy_file(w, file, &copy, e) < 0)
		return -1;
	b.source_inside = copy.inside;
	if (sub.n)
		b.source_inside = arena_printf(a, "%s#egg=%.*s&subdirectory=%.*s",
			url_of_path(a, copy.inside), STR_ARG(r->spec.name), STR_ARG(sub));
	return pip_build(w, &b, source, package, path, e);
}

/* --- one requirement -------------------------------------------------------------------------- */

static int check_hashes(const struct pip_work *w, const struct requirement *r,
	const uint8_t sha256[SHA256_LEN], struct err *e)
{
	static const struct str KIND = STR_INIT("sha256:");
	char hex[SHA256_HEX + 1];
	bool any = false;

	hex_encode(sha256, SHA256_LEN, hex);
	for (size_t i = 0; i < r->n_hashes; i++) {
		if (!str_starts(r->hashes[i], KIND))
			continue;
		any = true;
		if (str_is(str_sub(r->hashes[i], KIND.n, r->hashes[i].n), hex))
			return 0;
	}
	if (r->n_hashes == 0)
		return 0;
	if (!any)
		return err_set(e, ERR_INPUT, "%.*s: of hashes only sha256 can be compared here",
			STR_ARG(r->where));
	return err_set(e, ERR_INTEGRITY,
		"%.*s: '%s' has the sha256 %s, which is none of those given with --hash",
		STR_ARG(r->where), name_for_messages(w, r), hex);
}

/* A wheel or an archive that lies in a file. */
static int take_file(
	struct pip_work *w, const char *file, struct str name, struct pip_source *s, struct err *e)
{
	struct arena *a = w->arena;
	const struct requirement *r = &s->requirement;
	struct dist_name parts;

	s->package.url = requirement_lock_url(a, r, (struct str){0});
	s->package.has_sha256 = true;
	if (check_hashes(w, r, s->package.sha256, e) < 0)
		return -1;
	if (dist_name_parse(a, name, &parts) < 0)
		return err_set(e, ERR_INPUT,
			"%.*s: '%.*s' is neither a wheel nor a source distribution",
			STR_ARG(r->where), STR_ARG(name));
	if (parts.kind == DIST_SOURCE)
		return pip_build_archive(w, file, name, r, &s->package, &s->wheel, e);
	uint8_t sum[SHA256_LEN];
	if (wheel_put(a, w->request->cache, file, name, sum, e) < 0)
		return -1;
	if (memcmp(sum, s->package.sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "'%s' changed while it was read", file);
	s->wheel = cache_find_wheel(a, w->request->cache, sum, name);
	return s->wheel ? 0 : err_set(e, ERR_SYSTEM, "the cache has lost '%.*s'", STR_ARG(name));
}

static int take_url(struct pip_work *w, struct pip_source *s, struct err *e)
{
	struct arena *a = w->arena;
	struct str name = dist_file_of(a, s->requirement.url);

	if (!w->request->network)
		return err_set(e, ERR_NETWORK,
			"%.*s: '%s' would have to be fetched, and the network is off (--offline)",
			STR_ARG(s->requirement.where), name_for_messages(w, &s->requirement));
	if (name.n == 0)
		return err_set(e, ERR_INPUT, "%.*s: no file's name ends the URL '%s'",
			STR_ARG(s->requirement.where),
			http_redact(a, arena_cstr(a, s->requirement.url)));
	struct pip_place place = pip_place(w, "url", name);
	struct pip_fetch fetch = {.url = arena_cstr(a, s->requirement.url), .path = place.path};
	if (pip_fetch(w, &fetch, 1, e) < 0)
		return -1;
	memcpy(s->package.sha256, fetch.sha256, SHA256_LEN);
	return take_file(w, place.path, name, s, e);
}

/* The commit that the lock has for what is asked for, if that is to stay. */
static bool kept_commit(
	struct pip_work *w, const struct requirement *r, char commit[GIT_COMMIT_MAX + 1])
{
	const struct install_request *q = w->request;
	struct str asked = requirement_lock_url(w->arena, r, (struct str){0});

	for (size_t i = 0; q->keep && i < q->keep->n; i++) {
		const struct pypi_package *p = &q->keep->v[i];
		struct pypi_git git;

		if (!str_starts(p->url, asked) || p->url.n == asked.n || p->url.p[asked.n] != '#' ||
			!pip_kept(w, p->name) || pypi_git_split(w->arena, p->url, &git) < 0 ||
			git.commit.n > GIT_COMMIT_MAX)
			continue;
		memcpy(commit, git.commit.p, git.commit.n);
		commit[git.commit.n] = '\0';
		return true;
	}
	return false;
}

static int take_git(struct pip_work *w, struct pip_source *s, struct err *e)
{
	const struct requirement *r = &s->requirement;
	struct git_source git = {r->url, r->rev, !w->request->network, w->request->timeout_s};
	char commit[GIT_COMMIT_MAX + 1];

	if (!kept_commit(w, r, commit) &&
		git_resolve(w->arena, w->request->cache, &git, commit, e) < 0)
		return -1;
	s->package.url = requirement_lock_url(w->arena, r, str_of(commit));
	return pip_build_git(w, r, commit, &s->package, &s->wheel, e);
}

static int take(struct pip_work *w, struct pip_source *s, struct err *e)
{
	const struct requirement *r = &s->requirement;
	const char *file;

	switch (r->kind) {
	case REQUIREMENT_GIT:
		return take_git(w, s, e);
	case REQUIREMENT_URL:
		return take_url(w, s, e);
	case REQUIREMENT_FILE:
		file = arena_cstr(w->arena, r->url);
		if (file_hash(file, s->package.sha256, NULL, e) < 0)
			return -1;
		return take_file(w, file, str_of(path_base(file)), s, e);
	case REQUIREMENT_FOLDER:
		s->package.url = requirement_lock_url(w->arena, r, (struct str){0});
		return pip_build_folder(w, r, &s->package, &s->wheel, e);
	case REQUIREMENT_INDEX:
		break;
	}
	return err_set(e, ERR_FAIL, "'%.*s' is for an index", STR_ARG(r->text));
}

/* --- all of them ------------------------------------------------------------------------------ */

bool pip_add_extras(struct arena *a, struct pip_source *s, const struct str *extras, size_t n)
{
	bool added = false;

	for (size_t i = 0; i < n; i++) {
		bool there = false;

		for (size_t k = 0; k < s->n_extras; k++)
			there |= str_eq(s->extras[k], extras[i]);
		if (there)
			continue;
		struct {
			struct str *v;
			size_t n, cap;
		} list = {s->extras, s->n_extras, s->cap_extras};
		*VEC_PUSH(a, &list) = extras[i];
		s->extras = list.v;
		s->n_extras = list.n;
		s->cap_extras = list.cap;
		added = true;
	}
	return added;
}

static struct pip_source *by_name(struct pip_sources *all, struct str name)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq(all->v[i].package.name, name))
			return &all->v[i];
	return NULL;
}

static bool same_place(struct arena *a, const struct requirement *x, const struct requirement *y)
{
	struct str none = {0};

	return x->kind == y->kind &&
	       str_eq(requirement_lock_url(a, x, none), requirement_lock_url(a, y, none));
}

/* 1: it is there already (and may have got extras); 0: it is new; -1. */
static int already(struct pip_work *w, struct pip_sources *all, const struct requirement *r,
	struct str name, bool *more, struct err *e)
{
	struct pip_source *s = name.n ? by_name(all, name) : NULL;

	if (!s)
		return 0;
	if (!same_place(w->arena, &s->requirement, r)) {
		err_set(e, ERR_UNSAT,
			"'%.*s' is asked for from two places: %.*s says '%s', %.*s '%s'",
			STR_ARG(name), STR_ARG(s->requirement.where),
			name_for_messages(w, &(struct requirement){.url = s->requirement.url}),
			STR_ARG(r->where),
			name_for_messages(w, &(struct requirement){.url = r->url}));
		return err_advise(e, "name one of them in both");
	}
	*more |= pip_add_extras(w->arena, s, r->spec.extras, r->spec.n_extras);
	return 1;
}

static int add(struct pip_work *w, struct pip_sources *all, const struct requirement *r, int depth,
	bool *more, struct err *e)
{
	struct pip_source s = {.requirement = *r, .depth = depth};
	int there = already(w, all, r, r->spec.name, more, e);

	if (there)
		return there < 0 ? -1 : 0;
	if (depth > MAX_DEPTH || all->n >= MAX_SOURCES)
		return err_set(
			e, ERR_INPUT, "%.*s: references by URL lead on and on", STR_ARG(r->where));
	if (take(w, &s, e) < 0 || pip_describe(w, s.wheel, &s.package, &s.dist, e) < 0)
		return err_wrap(e, "%.*s", STR_ARG(r->where));
	if (r->spec.name.n && !str_eq(r->spec.name, s.package.name))
		return err_set(e, ERR_INPUT,
			"%.*s: '%.*s' is asked for, and what lies there is '%.*s'",
			STR_ARG(r->where), STR_ARG(r->spec.name), STR_ARG(s.package.name));
	there = already(w, all, r, s.package.name, more, e);
	if (there)
		return there < 0 ? -1 : 0;
	pip_add_extras(w->arena, &s, r->spec.extras, r->spec.n_extras);
	*VEC_PUSH(w->arena, all) = s;
	*more = true;
	return 0;
}

/* A direct reference in METADATA as a requirement. */
static int referred(struct pip_work *w, const struct pip_source *s, const struct pep508 *spec,
	struct requirement *out, struct err *e)
{
	struct arena *a = w->arena;
	struct str rest = spec->url, url = str_cut(&rest, '#');

	*out = (struct requirement){0};
	if (str_starts(spec->url, STR("git+"))) {
		if (requirement_git_parse(a, spec->url, out, e) < 0)
			return -1;
		out->kind = REQUIREMENT_GIT;
	} else if (str_starts(url, STR("http://")) || str_starts(url, STR("https://"))) {
		out->kind = REQUIREMENT_URL;
		out->url = url;
	} else {
		return err_set(e, ERR_INPUT, "'%.*s' requires '%.*s', whose URL cannot be followed",
			STR_ARG(s->package.name), STR_ARG(spec->name));
	}
	out->spec = *spec;
	out->text = spec->text;
	out->where = arena_strf(
		a, "%.*s, which '%.*s' requires", STR_ARG(spec->name), STR_ARG(s->package.name));
	return 0;
}

static int follow(struct pip_work *w, struct pip_sources *all, size_t i, bool *more, struct err *e)
{
	struct pip_source s = all->v[i]; /* the list may move */

	for (size_t k = 0; k < s.dist.n_requires_dist; k++) {
		struct requirement r;
		struct pep508 spec;

		if (pep508_parse(w->arena, s.dist.requires_dist[k], &spec, e) < 0)
			return err_wrap(e, "in the metadata of '%.*s'", STR_ARG(s.package.name));
		if (spec.url.n == 0 ||
			!marker_holds(spec.marker, &w->markers, s.extras, s.n_extras))
			continue;
		if (referred(w, &s, &spec, &r, e) < 0 || add(w, all, &r, s.depth + 1, more, e) < 0)
			return -1;
	}
	return 0;
}

int pip_sources(struct pip_work *w, struct pip_sources *out, struct err *e)
{
	const struct requirements *all = &w->requirements;
	bool more = false;

	for (size_t i = 0; i < all->n; i++) {
		const struct requirement *r = &all->v[i];

		if (r->kind == REQUIREMENT_INDEX ||
			!marker_holds(r->spec.marker, &w->markers, NULL, 0))
			continue;
		if (add(w, out, r, 0, &more, e) < 0)
			return -1;
	}
	while (more) {
		more = false;
		for (size_t i = 0; i < out->n; i++)
			if (follow(w, out, i, &more, e) < 0)
				return -1;
	}
	return 0;
}
