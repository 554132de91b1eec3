#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"

#include <fcntl.h>
#include <unistd.h>

static const uint64_t MAX_FILE = 16ull << 30;

struct download {
	struct pip_fetch *file;
	struct arena *a;
	int fd; /* -1: nothing came yet */
	struct hash *hash;
	struct step *step;
};

static int begin(struct download *d, struct err *e)
{
	if (d->fd >= 0)
		return 0;
	d->fd = open(d->file->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (d->fd < 0)
		return err_sys(e, "cannot create '%s'", d->file->path);
	d->hash = hash_new(HASH_SHA256);
	return 0;
}

static void end(struct download *d)
{
	fd_cleanup(&d->fd);
	d->fd = -1;
	hash_free(d->hash);
	d->hash = NULL;
}

static int on_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct download *d = ctx;

	if (begin(d, e) < 0 || write_full(d->fd, p, n, e) < 0)
		return -1;
	hash_update(d->hash, p, n);
	step_tick(d->step, 0, n);
	return 0;
}

static int on_restart(void *ctx, struct err *e)
{
	(void)e;
	end(ctx);
	return 0;
}

static int on_done(void *ctx, struct err *e)
{
	struct download *d = ctx;
	char want[SHA256_HEX + 1], have[SHA256_HEX + 1];

	if (begin(d, e) < 0)
		return -1;
	hash_final(d->hash, d->file->sha256);
	end(d);
	step_tick(d->step, 1, 0);
	if (!d->file->want || memcmp(d->file->want, d->file->sha256, SHA256_LEN) == 0)
		return 0;
	hex_encode(d->file->want, SHA256_LEN, want);
	hex_encode(d->file->sha256, SHA256_LEN, have);
	return err_set(e, ERR_INTEGRITY, "'%s' has the sha256 %s, expected %s",
		http_redact(d->a, d->file->url), have, want);
}

int pip_fetch(struct pip_work *w, struct pip_fetch *files, size_t n, struct err *e)
{
	struct arena *a = w->arena;
	struct http_request *requests = arena_array(a, struct http_request, n);
	struct download *downloads = arena_array(a, struct download, n);
	struct step step;
	int rc = 0;

	step_begin(&step, "wheels", n, 0);
	for (size_t i = 0; i < n && rc == 0; i++) {
		downloads[i] =
			(struct download){.file = &files[i], .a = a, .fd = -1, .step = &step};
		requests[i] = (struct http_request){.url = files[i].url,
			.write = on_write,
			.restart = on_restart,
			.done = on_done,
			.ctx = &downloads[i],
			.max_bytes = MAX_FILE};
		rc = dir_make(path_dir(a, files[i].path), e);
	}
	if (rc == 0)
		rc = http_fetch(w->request->http, requests, n, e);
	for (size_t i = 0; i < n; i++)
		end(&downloads[i]);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files", n);
	return rc;
}

/* "https://user:password@host/simple" lends for all of "https://host". */
static void lend(struct pip_work *w, struct str url)
{
	struct arena *a = w->arena;
	ptrdiff_t at = str_find(url, STR("://"));
	struct str rest, authority;

	if (at < 0 || !str_starts(url, STR("http")))
		return;
	rest = str_sub(url, (size_t)at + 3, url.n);
	authority = str_cut(&rest, '/');
	ptrdiff_t user = str_rchr(authority, '@');
	if (user < 0)
		return;
	struct str scheme = str_sub(url, 0, (size_t)at + 3);
	http_add_credentials(w->request->http,
		arena_printf(a, "%.*s%.*s", STR_ARG(scheme),
			STR_ARG(str_sub(authority, (size_t)user + 1, authority.n))),
		arena_printf(a, "%.*s%.*s", STR_ARG(scheme), STR_ARG(authority)));
}

void pip_lend_credentials(struct pip_work *w)
{
	const struct pip_options *o = &w->requirements.options;

	lend(w, o->index_url);
	for (size_t i = 0; i < o->n_extra_index_urls; i++)
		lend(w, o->extra_index_urls[i]);
	for (size_t i = 0; i < o->n_find_links; i++)
		lend(w, o->find_links[i]);
}
