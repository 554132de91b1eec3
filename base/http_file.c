/* What needs no server: file:// URLs, and a small body into memory. */
#include "base/http_file.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { FILE_PIECE = 1 << 20 };

struct reading {
	struct http_request *r;
	const char *url;
	void (*wait)(struct http *);
	struct http *h;
	bool *begun;
};

static int fail_file(const char *url, const char *why, struct err *e)
{
	return err_set(e, ERR_NETWORK, "cannot read '%s': %s", url, why);
}

static int hand_over(struct reading *f, const char *piece, size_t n, struct err *e)
{
	int rc = 0;

	*f->begun = true;
	while (f->r->write && (rc = f->r->write(f->r->ctx, piece, n, e)) == HTTP_FULL) {
		f->wait(f->h);
		if (interrupt_check(e) < 0)
			return -1;
	}
	return rc;
}

static int copy_file(struct reading *f, int fd, struct err *e)
{
	const uint64_t max = f->r->max_bytes;
	uint64_t received = 0;
	char *piece = xmalloc(FILE_PIECE);
	ssize_t n;
	int rc = 0;

	while (rc == 0 && (n = read_full(fd, piece, FILE_PIECE)) != 0) {
		if (n < 0) {
			rc = fail_file(f->url, strerror(errno), e);
			break;
		}
		received += (uint64_t)n;
		if (max && received > max)
			rc = err_set(e, ERR_INTEGRITY, "more than the expected %llu bytes in '%s'",
				(unsigned long long)max, f->url);
		else
			rc = hand_over(f, piece, (size_t)n, e);
	}
	free(piece);
	return rc;
}

int http_read_file(struct http_request *r, const char *url, void (*wait)(struct http *),
	struct http *h, bool *begun, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct reading f = {.r = r, .url = url, .wait = wait, .h = h, .begun = begun};
	char *path = path_of_url(&scratch, url);
	CLEANUP_FD fd = -1;
	struct stat st;

	if (!path)
		return fail_file(url, "no absolute path in this URL", e);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && r->allow_missing && (errno == ENOENT || errno == ENOTDIR))
		return 404;
	if (fd < 0)
		return fail_file(url, strerror(errno), e);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return fail_file(url, "not a regular file", e);
	return copy_file(&f, fd, e) < 0 ? -1 : 200;
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
