#include "builder/fetch.h"

#include "base/file.h"
#include "builder/entry.h"

#include <fcntl.h>
#include <unistd.h>

static const uint64_t MAX_PACKAGE = 64ull << 30;

/* Sums and descriptor exist only while the transfer runs: there may be hundreds of them. */
static int begin(struct fetch *f, struct err *e)
{
	if (f->fd >= 0)
		return 0;
	f->fd = open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (f->fd < 0)
		return err_sys(e, "cannot create '%s'", f->path);
	f->sha256 = hash_new(HASH_SHA256);
	f->md5 = hash_new(HASH_MD5);
	f->size = 0;
	return 0;
}

static void end(struct fetch *f)
{
	fd_cleanup(&f->fd);
	f->fd = -1;
	hash_free(f->sha256);
	hash_free(f->md5);
	f->sha256 = f->md5 = NULL;
}

static int on_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct fetch *f = ctx;

	if (f->stopped(f->ctx))
		return err_set(e, ERR_FAIL, "stopped");
	if (begin(f, e) < 0 || write_full(f->fd, p, n, e) < 0)
		return -1;
	hash_update(f->sha256, p, n);
	hash_update(f->md5, p, n);
	f->size += n;
	step_tick(f->step, 0, n);
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
	struct fetch *f = ctx;
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];

	if (begin(f, e) < 0)
		return -1;
	hash_final(f->sha256, sha256);
	hash_final(f->md5, md5);
	uint64_t size = f->size;
	end(f);
	if (record_check_sums(f->record, sha256, md5, size, e) < 0)
		return -1;
	f->ready(f->ctx, f);
	return 0;
}

int fetch_all(struct http *http, struct fetch *fetches, size_t n, struct err *e)
{
	struct arena a = {0};
	struct http_request *requests = arena_array(&a, struct http_request, n);

	for (size_t i = 0; i < n; i++) {
		const struct record *r = fetches[i].record;
		fetches[i].fd = -1;
		requests[i] = (struct http_request){.url = arena_cstr(&a, r->url),
			.write = on_write,
			.restart = on_restart,
			.done = on_done,
			.ctx = &fetches[i],
			.max_bytes = r->size ? r->size : MAX_PACKAGE};
	}
	int rc = http_fetch(http, requests, n, e);
	for (size_t i = 0; i < n; i++)
		end(&fetches[i]);
	arena_release(&a);
	return rc;
}
