/*
 * The host: where pip and builds run.  Its path inside the engine is always the same, or of the same
 * length, so that what a compiler puts into a wheel of it can be replaced by any other prefix's.
 */
#include "builder/pip.h"

#include "base/file.h"

#include <fcntl.h>

/* Without a sandbox the path is one of this machine, as long as the usual one if it can be. */
static const char *padded(struct arena *a, const char *dir)
{
	size_t n = strlen(dir), want = strlen(BUILD_PREFIX);
	char *out;

	if (n + 2 > want)
		return dir;
	out = arena_alloc(a, want + 1);
	memcpy(out, dir, n);
	out[n] = '/';
	memset(out + n + 1, '_', want - n - 1);
	return out;
}

/* conda's packages once more, in a folder of our own; links into the cache, which is only read. */
static int make_host(struct pip_work *w, struct err *e)
{
	struct arena *a = w->arena;
	bool direct = engine_is_direct(w->request->engine);
	struct install_request *r = arena_new(a, struct install_request);
	struct prefix *host = arena_new(a, struct prefix);
	const char *dir = path_join(a, w->dir, "host");

	*r = *w->request;
	r->prefix = direct ? padded(a, dir) : dir;
	r->prefix_inside = direct ? r->prefix : BUILD_PREFIX;
	r->for_pack = true;
	r->pip = NULL;
	r->n_pip = 0;
	r->pypi = NULL;
	r->frozen = r->externally_managed = r->resolve_only = false;
	r->copy = direct;
	if (install(a, r, NULL, e) < 0)
		return err_wrap(e, "while making a prefix to build wheels in");
	*host = *w->p;
	host->request = r;
	w->host = host;
	return 0;
}

int pip_host(struct pip_work *w, struct err *e)
{
	if (w->host)
		return 0;
	if (!w->request->engine)
		return err_set(e, ERR_SANDBOX, "pip needs an engine to run in");
	if (!w->request->for_pack)
		return make_host(w, e);
	w->host = w->p;
	return 0;
}
