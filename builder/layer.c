#include "builder/layer.h"

#include "base/bzip2.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/table.h"
#include "base/work.h"
#include "builder/entry.h"
#include "builder/facts.h"

#include <pthread.h>
#include <stdlib.h>

static const uint64_t GROUP_BYTES = 256ull << 20;

/* --- which there are ---------------------------------------------------------------------- */

static bool is_dir(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static void add(struct arena *a, struct cache *c, const char *dir, bool first)
{
	char **old = c->layers;

	c->layers = arena_array(a, char *, c->n_layers + 1);
	if (c->n_layers)
		memcpy(c->layers + first, old, c->n_layers * sizeof *old);
	c->layers[first ? 0 : c->n_layers] = path_absolute(a, dir);
	c->n_layers++;
}

int cache_add_vault(struct arena *a, struct cache *c, const char *dir, struct err *e)
{
	if (!is_dir(dir)) {
		err_set(e, ERR_USAGE, "no vault '%s'", dir);
		return err_advise(e, "'envbuild vault LOCK DIR' makes one");
	}
	add(a, c, dir, true);
	return 0;
}

bool cache_add_layer(struct arena *a, struct cache *c, const char *dir)
{
	if (!is_dir(dir))
		return false;
	add(a, c, dir, false);
	return true;
}

void cache_add_lower(struct arena *a, struct cache *c, const char *list)
{
	struct str rest = str_of(list);

	while (rest.p) {
		char *dir = arena_cstr(a, str_cut(&rest, ':'));

		if (*dir && is_dir(dir))
			add(a, c, dir, false);
		else if (*dir)
			log_warn("ENVBUILD_CACHE_LOWER names '%s', which is no folder", dir);
	}
}

/* --- looking ------------------------------------------------------------------------------ */

static bool is_file(const char *path, uint64_t size)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) &&
	       (size == 0 || (uint64_t)st.st_size == size);
}

char *cache_find(struct arena *a, const struct cache *c, const char *rel)
{
	char *path = path_join(a, c->dir, rel);

	for (size_t i = 0; !path_exists(path); i++) {
		if (i == c->n_layers)
			return NULL;
		path = path_join(a, c->layers[i], rel);
	}
	return path;
}

static bool has_sum(const char *path, const uint8_t sha256[SHA256_LEN])
{
	uint8_t is[SHA256_LEN];

	if (!is_file(path, 0) || file_hash(path, is, NULL, NULL) < 0)
		return false;
	if (memcmp(is, sha256, SHA256_LEN) == 0)
		return true;
	log_warn("'%s' is passed over: its sha256 is another", path);
	return false;
}

char *cache_find_wheel(
	struct arena *a, const struct cache *c, const uint8_t sha256[32], struct str name)
{
	char hex[SHA256_HEX + 1];
	char *path;

	if (!path_is_safe(name) || str_chr(name, '/') >= 0)
		return NULL;
	hex_encode(sha256, SHA256_LEN, hex);
	char *cached = arena_printf(a, "wheels/%.2s/%s/%.*s", hex, hex, STR_ARG(name));
	char *kept = arena_printf(a, "wheels/%s/%.*s", hex, STR_ARG(name));
	path = path_join(a, c->dir, cached);
	if (has_sum(path, sha256)) {
		entry_touch(path_dir(a, path));
		return path;
	}
	for (size_t i = 0; i < c->n_layers; i++) {
		path = path_join(a, c->layers[i], cached);
		if (has_sum(path, sha256))
			return path;
		path = path_join(a, c->layers[i], kept);
		if (has_sum(path, sha256))
			return path;
	}
	return NULL;
}

/*
 * Where mamba keeps what comes from a URL: "https://host:8000/channel/noarch" is the folder
 * https/host_8000/channel/noarch.
 */
static char *mamba_folder(struct arena *a, const struct record *r)
{
	ptrdiff_t scheme = str_find(r->url, STR("://")), slash = str_rchr(r->url, '/');

	if (scheme <= 0 || slash < scheme + 3)
		return NULL;
	char *folder = arena_printf(a, "%.*s/%.*s", (int)scheme, r->url.p,
		(int)(slash - scheme - 3), r->url.p + scheme + 3);
	for (char *p = folder; *p; p++)
		if (*p == ':' || *p == '\\')
			*p = '_';
	return path_is_safe(str_of(folder)) ? folder : NULL;
}

enum { PLACES = 3 }; /* in one layer */

/* The folder of one layer that may hold the package; NULL: that form is not for this record. */
static char *place(struct arena *a, const struct cache *c, const struct record *r, size_t at)
{
	const char *dir = c->layers[at / PLACES];

	switch (at % PLACES) {
	case 0:
		return path_is_safe(r->subdir) ? path_join(a, dir, arena_cstr(a, r->subdir)) : NULL;
	case 1:
		return arena_strdup(a, dir);
	}
	char *folder = mamba_folder(a, r);
	return folder ? path_join(a, dir, folder) : NULL;
}

static bool is_one_name(struct str fn)
{
	return path_is_safe(fn) && str_chr(fn, '/') < 0;
}

char *layer_package_file(struct arena *a, const struct cache *c, const struct record *r, size_t *at)
{
	while (is_one_name(r->fn) && *at < c->n_layers * PLACES) {
		char *dir = place(a, c, r, (*at)++);
		char *path = dir ? path_join(a, dir, arena_cstr(a, r->fn)) : NULL;

		if (path && is_file(path, r->size))
			return path;
	}
	return NULL;
}

/* The same for a package that lies extracted. */
static char *layer_extracted(
	struct arena *a, const struct cache *c, const struct record *r, size_t *at)
{
	struct str dist = record_dist(a, r);

	while (is_one_name(dist) && *at < c->n_layers * PLACES) {
		char *dir = place(a, c, r, (*at)++);
		char *path = dir ? path_join(a, dir, arena_cstr(a, dist)) : NULL;

		if (path && path_exists(path_join(a, path, "info/repodata_record.json")))
			return path;
	}
	return NULL;
}

/* --- bringing in -------------------------------------------------------------------------- */

struct import {
	struct cache *cache;
	const struct record **records;
	size_t n;
	struct arena *arena; /* under the lock */
	pthread_mutex_t lock;
	struct {
		struct entry_draft *v;
		size_t n, cap;
	} drafts;
	uint64_t draft_bytes;
	size_t taken;
	struct bunzip_crew *crew;
	struct step step;
};

/* Says why; false where it is no fault of the layer's. */
static bool pass_over(const char *path, struct err *e)
{
	bool go_on = e->code != ERR_INTERRUPTED;

	if (go_on)
		log_warn("'%s' is passed over: %s", path, e->text);
	err_release(e);
	return go_on;
}

static bool from_file(
	struct arena *a, const struct import *im, const struct record *r, struct entry_draft *out)
{
	size_t at = 0;
	char *path;

	while ((path = layer_package_file(a, im->cache, r, &at))) {
		struct err e = {0};

		if (entry_make(a, im->cache, r, path, im->crew, out, &e) == 0) {
			log_debug("%.*s is taken from '%s'", STR_ARG(r->fn), path);
			return true;
		}
		if (!pass_over(path, &e))
			return false;
	}
	return false;
}

static bool from_folder(
	struct arena *a, const struct import *im, const struct record *r, struct entry_draft *out)
{
	size_t at = 0;
	char *path;

	while ((path = layer_extracted(a, im->cache, r, &at))) {
		struct err e = {0};

		if (entry_take_extracted(a, im->cache, r, path, out, &e) == 0) {
			log_debug("%.*s is taken from '%s'", STR_ARG(r->fn), path);
			return true;
		}
		if (!pass_over(path, &e))
			return false;
	}
	return false;
}

/* Publishes what is finished, if it is enough. */
static int publish(struct import *im, uint64_t at_least, struct err *e)
{
	struct entry_draft *drafts = NULL;
	size_t n = 0;

	pthread_mutex_lock(&im->lock);
	if (im->draft_bytes >= at_least) {
		drafts = im->drafts.v;
		n = im->drafts.n;
		im->taken += n;
		im->drafts.v = NULL;
		im->drafts.n = im->drafts.cap = 0;
		im->draft_bytes = 0;
	}
	pthread_mutex_unlock(&im->lock);
	return entry_publish(im->cache, drafts, n, e);
}

static void add_draft(struct import *im, const struct entry_draft *draft)
{
	pthread_mutex_lock(&im->lock);
	struct entry_draft *to = VEC_PUSH(im->arena, &im->drafts);
	*to = *draft;
	to->dir = arena_strdup(im->arena, draft->dir);
	im->draft_bytes += draft->bytes;
	pthread_mutex_unlock(&im->lock);
}

static int import_one(void *ctx, size_t i, struct err *e)
{
	struct import *im = ctx;
	const struct record *r = im->records[i];
	struct arena a = {0};
	struct entry_draft draft;
	int rc = interrupt_check(e);

	if (rc == 0 && (from_file(&a, im, r, &draft) || from_folder(&a, im, r, &draft))) {
		add_draft(im, &draft);
		rc = publish(im, GROUP_BYTES, e);
	}
	step_tick(&im->step, 1, 0);
	arena_release(&a);
	return rc < 0 ? rc : interrupt_check(e);
}

/* Is there anything of this record in a layer that must be brought in? */
static bool is_in_layer(const struct cache *c, const struct record *r)
{
	struct arena a = {0};
	size_t file = 0, folder = 0;
	bool is = layer_package_file(&a, c, r, &file) || layer_extracted(&a, c, r, &folder);

	arena_release(&a);
	return is;
}

static void choose(struct import *im, struct record *const *records, size_t n)
{
	struct table seen = {.arena = im->arena};

	im->records = arena_array(im->arena, const struct record *, n);
	for (size_t i = 0; i < n; i++)
		if (!table_put(&seen, records[i]->url)->num++ &&
			is_in_layer(im->cache, records[i]) && !entry_usable(im->cache, records[i]))
			im->records[im->n++] = records[i];
}

static int larger_first(const void *a, const void *b)
{
	const struct record *x = *(const struct record *const *)a,
			    *y = *(const struct record *const *)b;

	if (x->size != y->size)
		return x->size < y->size ? 1 : -1;
	return str_cmp(x->url, y->url);
}

static int import_all(struct import *im, unsigned jobs, struct err *e)
{
	int rc;

	qsort(im->records, im->n, sizeof *im->records, larger_first);
	im->crew = bunzip_crew_new(jobs);
	step_begin(&im->step, "layers", im->n, 0);
	rc = work_run(jobs, im->n, import_one, im, e);
	/* What is whole is kept, also when something else failed. */
	if (publish(im, 0, rc < 0 ? NULL : e) < 0)
		rc = -1;
	if (rc < 0)
		step_fail(&im->step);
	else
		step_end(&im->step, "%zu of %zu packages were in them", im->taken, im->n);
	bunzip_crew_free(im->crew);
	return rc;
}

int cache_fill_from_layers(
	struct cache *c, struct record *const *records, size_t n, unsigned jobs, struct err *e)
{
	struct arena a = {0};
	struct import im = {.cache = c, .arena = &a, .lock = PTHREAD_MUTEX_INITIALIZER};
	int rc = 0;

	if (c->n_layers)
		choose(&im, records, n);
	if (im.n)
		rc = import_all(&im, jobs, e);
	pthread_mutex_destroy(&im.lock);
	arena_release(&a);
	return rc;
}
