#include "builder/fetch.h"

#include "builder/entry.h"

static const uint64_t MAX_PACKAGE = 64ull << 30;

/* Stream and sums exist only while the transfer runs: there may be hundreds of them. */
static bool begin(struct fetch *f)
{
	if (f->stream)
		return true;
	f->stream = f->open(f->ctx, f->record);
	if (!f->stream)
		return false;
	f->sha256 = hash_new(HASH_SHA256);
	f->md5 = hash_new(HASH_MD5);
	f->size = 0;
	return true;
}

static void end(struct fetch *f, bool right)
{
	if (!f->stream)
		return;
	if (right)
		pipe_end(f->stream->pipe);
	else
		pipe_break(f->stream->pipe);
	pipe_leave(f->stream->pipe);
	f->stream = NULL;
	hash_free(f->sha256);
	hash_free(f->md5);
	f->sha256 = f->md5 = NULL;
}

static int on_write(void *ctx, const void *p, size_t n, struct err *e)
{
	struct fetch *f = ctx;

	if (f->stopped(f->ctx))
		return err_set(e, ERR_FAIL, "stopped");
	if (!begin(f) || !pipe_write(f->stream->pipe, p, n))
		return HTTP_FULL;
	hash_update(f->sha256, p, n);
	hash_update(f->md5, p, n);
	f->size += n;
	step_tick(f->step, 0, n);
	return 0;
}

static int on_restart(void *ctx, struct err *e)
{
	struct fetch *f = ctx;

	(void)e;
	end(f, false);
	step_take_back(f->step, f->size);
	f->size = 0;
	return 0;
}

static int on_done(void *ctx, struct err *e)
{
	struct fetch *f = ctx;

	if (!f->stream)
		return err_set(e, ERR_INTEGRITY, "package '%.*s' is empty", STR_ARG(f->record->fn));
	struct package_sums *sums = &f->stream->sums;
	hash_final(f->sha256, sums->sha256);
	hash_final(f->md5, sums->md5);
	sums->size = f->size;
	int rc = record_check_sums(f->record, sums->sha256, sums->md5, sums->size, e);
	if (rc == 0)
		f->complete(f->ctx);
	end(f, rc == 0);
	return rc;
}

int fetch_all(struct http *http, struct fetch *fetches, size_t n, struct err *e)
{
	struct arena a = {0};
	struct http_request *requests = arena_array(&a, struct http_request, n);

	for (size_t i = 0; i < n; i++) {
		const struct record *r = fetches[i].record;
		requests[i] = (struct http_request){.url = arena_cstr(&a, r->url),
			.write = on_write,
			.restart = on_restart,
			.done = on_done,
			.ctx = &fetches[i],
			.max_bytes = r->size ? r->size : MAX_PACKAGE};
	}
	int rc = http_fetch(http, requests, n, e);
	for (size_t i = 0; i < n; i++)
		end(&fetches[i], false);
	arena_release(&a);
	return rc;
}
