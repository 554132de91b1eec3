/* What needs no server: file:// URLs, and a small body into memory. */
#include "base/http_file.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_PIECE = 1 << 20 };

static int fail_file(struct http_request *r, const char *why, struct err *e)
{
	return err_set(e, ERR_NETWORK, "cannot read '%s': %s", r->url, why);
}

static int copy_file(struct http_request *r, int fd, struct err *e)
{
	uint64_t received = 0;
	char *piece = xmalloc(FILE_PIECE);
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read_full(fd, piece, FILE_PIECE)) != 0) {
		if (n < 0) {
			rc = fail_file(r, strerror(errno), e);
			break;
		}
		received += (uint64_t)n;
		if (r->max_bytes && received > r->max_bytes)
			rc = err_set(e, ERR_INTEGRITY, "more than the expected %llu bytes in '%s'",
				(unsigned long long)r->max_bytes, r->url);
		else if (r->write)
			rc = r->write(r->ctx, piece, (size_t)n, e);
	}
	free(piece);
	return rc;
}

int http_fetch_file(struct http_request *r, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	char *path = path_of_url(&scratch, r->url);
	CLEANUP_FD fd = -1;
	struct stat st;

	if (!path)
		return fail_file(r, "no absolute path in this URL", e);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		if (!r->allow_missing || (errno != ENOENT && errno != ENOTDIR))
			return fail_file(r, strerror(errno), e);
		r->status = 404;
		return r->done ? r->done(r->ctx, e) : 0;
	}
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail_file(r, "not a regular file", e);
	if (copy_file(r, fd, e) < 0)
		return -1;
	r->status = 200;
	return r->done ? r->done(r->ctx, e) : 0;
}

static int to_buf(void *ctx, const void *p, size_t n, struct err *e)
{
	if (buf_add(ctx, p, n) < 0)
		return err_set(e, ERR_INTEGRITY, "more bytes than expected");
	return 0;
}

static int clear_buf(void *ctx, struct err *e)
{
	(void)e;
	buf_clear(ctx);
	return 0;
}

int http_get(struct http *h, struct arena *a, const char *url, uint64_t max_bytes, struct str *body,
	struct err *e)
{
	CLEANUP_BUF b = {0};
	struct http_request r = {.url = url,
		.write = to_buf,
		.restart = clear_buf,
		.ctx = &b,
		.max_bytes = max_bytes};

	if (http_fetch(h, &r, 1, e) < 0)
		return -1;
	*body = arena_str(a, buf_view(&b));
	return 0;
}
