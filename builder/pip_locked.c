/*
 * A settled set: each wheel from the cache, else fetched by URL and sum, else built again from its
 * commit, archive or folder.
 */
#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "builder/layer.h"
#include "builder/wheels.h"
#include "solver/dist_name.h"

/* What the lock's URL leads to.  Locks of others say nothing of the wheel that comes of a source. */
enum kind { KIND_WHEEL, KIND_ARCHIVE, KIND_GIT, KIND_FOLDER };

static enum kind kind_of(struct pip_work *w, const struct pypi_package *k)
{
	struct dist_name name;

	if (str_starts(k->url, STR("git+")))
		return KIND_GIT;
	if (k->has_source_sha256 ||
		dist_name_parse(w->arena, dist_file_of(w->arena, k->url), &name) < 0)
		return KIND_FOLDER;
	return name.kind == DIST_WHEEL ? KIND_WHEEL : KIND_ARCHIVE;
}

char *pip_wheel_path(struct pip_work *w, const struct pypi_package *k, struct str *name)
{
	bool built = k->wheel.n > 0;

	*name = k->name;
	if (!built && kind_of(w, k) != KIND_WHEEL)
		return NULL;
	*name = built ? k->wheel : dist_file_of(w->arena, k->url);
	return cache_find_wheel(
		w->arena, w->request->cache, built ? k->wheel_sha256 : k->sha256, *name);
}

/* The URL that a file of the lock is fetched from; folders of the project have none. */
static const char *url_of(struct pip_work *w, const struct pypi_package *k)
{
	struct arena *a = w->arena;
	char *url = arena_cstr(a, k->url);

	if (str_find(k->url, STR("://")) >= 0)
		return url;
	return url_of_path(a, path_join(a, w->request->project_dir, url));
}

/* The line that asked for it: it has credentials and build options. */
static void find_line(struct pip_work *w, const struct pypi_package *k, struct str commit,
	struct requirement *out)
{
	for (size_t i = 0; i < w->requirements.n; i++) {
		const struct requirement *r = &w->requirements.v[i];

		if (r->kind == REQUIREMENT_INDEX ||
			!str_eq(requirement_lock_url(w->arena, r, commit), k->url))
			continue;
		*out = *r;
		return;
	}
}

/* --- building again --------------------------------------------------------------------------- */

static int again_git(struct pip_work *w, const struct pypi_package *k, struct pypi_package *built,
	const char **path, struct err *e)
{
	struct pypi_git git;
	struct requirement r = {.kind = REQUIREMENT_GIT};

	if (pypi_git_split(w->arena, k->url, &git) < 0)
		return err_set(e, ERR_INPUT, "'%.*s' names no commit", STR_ARG(k->url));
	r.url = git.url;
	r.rev = git.rev;
	r.subdirectory = git.subdirectory;
	r.spec.name = r.spec.given_name = k->name;
	find_line(w, k, git.commit, &r);
	return pip_build_git(w, &r, arena_cstr(w->arena, git.commit), built, path, e);
}

static int again_folder(struct pip_work *w, const struct pypi_package *k,
	struct pypi_package *built, const char **path, struct err *e)
{
	struct arena *a = w->arena;
	struct requirement r = {.kind = REQUIREMENT_FOLDER, .path = k->url};

	r.url = str_of(
		path_absolute(a, path_join(a, w->request->project_dir, arena_cstr(a, k->url))));
	r.spec.name = r.spec.given_name = k->name;
	find_line(w, k, (struct str){0}, &r);
	if (pip_build_folder(w, &r, built, path, e) < 0)
		return -1;
	if (!k->has_source_sha256 ||
		memcmp(built->source_sha256, k->source_sha256, SHA256_LEN) == 0)
		return 0;
	err_set(e, w->request->locked ? ERR_STALE : ERR_INTEGRITY,
		"folder '%.*s' is not as it was when it was locked", STR_ARG(k->url));
	return err_advise(e, "'envbuild lock' takes it as it is now");
}

static int again_archive(struct pip_work *w, const struct pypi_package *k, const char *file,
	struct pypi_package *built, const char **path, struct err *e)
{
	struct requirement r = {0};

	r.spec.name = r.spec.given_name = k->name;
	find_line(w, k, (struct str){0}, &r);
	return pip_build_archive(w, file, dist_file_of(w->arena, k->url), &r, built, path, e);
}

/* A build that comes out otherwise is not what was tested. */
static int compare(
	struct pip_work *w, struct pypi_package *k, const struct pypi_package *built, struct err *e)
{
	char want[SHA256_HEX + 1], have[SHA256_HEX + 1];

	if (k->wheel.n == 0) {
		*k = *built;
		return 0;
	}
	if (str_eq(k->wheel, built->wheel) &&
		memcmp(k->wheel_sha256, built->wheel_sha256, SHA256_LEN) == 0)
		return 0;
	hex_encode(k->wheel_sha256, SHA256_LEN, want);
	hex_encode(built->wheel_sha256, SHA256_LEN, have);
	if (w->request->locked) {
		err_set(e, ERR_STALE,
			"'%.*s' was built again and is another wheel: sha256 %s, locked is %s",
			STR_ARG(k->name), have, want);
		return err_advise(
			e, "the tools that build it differ; leave out --locked to lock this one");
	}
	log_warn("'%.*s' was built again and is another wheel than the lock's (sha256 %s, was %s)",
		STR_ARG(k->name), have, want);
	k->wheel = built->wheel;
	memcpy(k->wheel_sha256, built->wheel_sha256, SHA256_LEN);
	return 0;
}

static int build_again(
	struct pip_work *w, struct pypi_package *k, enum kind kind, const char *file, struct err *e)
{
	struct pypi_package built = *k;
	const char *path;
	int rc = 0;

	built.wheel = (struct str){0};
	switch (kind) {
	case KIND_WHEEL:
		return 0;
	case KIND_GIT:
		rc = again_git(w, k, &built, &path, e);
		break;
	case KIND_FOLDER:
		rc = again_folder(w, k, &built, &path, e);
		break;
	case KIND_ARCHIVE:
		rc = again_archive(w, k, file, &built, &path, e);
		break;
	}
	return rc < 0 ? -1 : compare(w, k, &built, e);
}

/* --- all of them ------------------------------------------------------------------------------ */

static bool is_file(enum kind kind)
{
	return kind == KIND_WHEEL || kind == KIND_ARCHIVE;
}

static int fetch_missing(struct pip_work *w, struct pypi_package **missing, size_t n,
	struct pip_fetch *files, struct err *e)
{
	size_t n_files = 0;

	for (size_t i = 0; i < n; i++) {
		struct pypi_package *k = missing[i];
		struct str name = dist_file_of(w->arena, k->url);

		if (!is_file(kind_of(w, k)))
			continue;
		files[n_files++] = (struct pip_fetch){.url = url_of(w, k),
			.path = pip_place(w, "fetch", name).path,
			.want = k->has_sha256 ? k->sha256 : NULL};
	}
	if (n_files && pip_fetch(w, files, n_files, e) < 0) {
		err_wrap(e, "a file of the lock is not in the cache");
		return err_advise(e, "run once without --offline");
	}
	return 0;
}

static int bring(
	struct pip_work *w, struct pypi_package *k, const struct pip_fetch *file, struct err *e)
{
	enum kind kind = kind_of(w, k);
	struct arena *a = w->arena;

	if (file) {
		memcpy(k->sha256, file->sha256, SHA256_LEN);
		k->has_sha256 = true;
	}
	if (kind != KIND_WHEEL)
		return build_again(w, k, kind, file ? file->path : NULL, e);
	return wheel_put(a, w->request->cache, file->path, dist_file_of(a, k->url), k->sha256, e);
}

/* Those that are not in the cache and are wanted now. */
static size_t find_missing(
	struct pip_work *w, struct pypi_set *set, bool builds, struct pypi_package **out)
{
	struct str name;
	size_t n = 0;

	for (size_t i = 0; i < set->n; i++)
		if (!pip_wheel_path(w, &set->v[i], &name) &&
			(builds || kind_of(w, &set->v[i]) == KIND_WHEEL))
			out[n++] = &set->v[i];
	return n;
}

int pip_ensure(struct pip_work *w, struct pypi_set *set, bool builds, struct err *e)
{
	struct arena *a = w->arena;
	const struct install_request *r = w->request;
	struct pypi_package **missing = arena_array(a, struct pypi_package *, set->n);
	struct pip_fetch *files = arena_array(a, struct pip_fetch, set->n);
	size_t n = find_missing(w, set, builds, missing), at = 0;

	if (n == 0)
		return 0;
	if (requirements_read(
		    a, r->pip, r->n_pip, r->pip_file, r->project_dir, &w->requirements, e) < 0)
		return -1;
	pip_lend_credentials(w);
	if (fetch_missing(w, missing, n, files, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct pypi_package *k = missing[i];
		bool fetched = is_file(kind_of(w, k));

		if (bring(w, k, fetched ? &files[at++] : NULL, e) < 0)
			return err_wrap(e, "'%.*s'", STR_ARG(k->name));
	}
	return 0;
}
