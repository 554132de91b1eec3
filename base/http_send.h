/*
 * Asking a server to do something: any method, with a body from memory or of a file, the answer
 * handed back whatever its status.  For the APIs that publish; what only fetches is in http.h.
 *
 *	struct http_sending s = {.method = "POST", .url = url, .content_type = "application/json",
 *		.authorization = "Bearer ...", .body = {.before = text}, .once = true};
 *	if (http_send(h, &arena, &s, e) == 0 && s.status == 201) ... s.answer ...
 *
 * One at a time and in this thread.  Proxies and certificates are http.h's; netrc and the file of
 * credentials are not asked: who sends knows by what right.
 *
 * A server that asks to come again later (RFC 9110 section 10.2.3: Retry-After in seconds or as a
 * date, with 429, 503 or 403; or GitHub's x-ratelimit-reset with an x-ratelimit-remaining of 0) has
 * not done it: it is asked again then, if that is within HTTP_SEND_PATIENCE_S.  What may pass besides
 * (408, 5xx, a connection that broke or stalled) is tried again unless `once`: then who asked looks
 * first whether it was done.  At most `retries` times, with a growing pause (struct http_options).
 *
 * Redirects (301, 302, 307, 308) keep the method.  One to another host, port or scheme is followed by
 * GET alone, without authorization and fields, and never from https to http.
 */
#ifndef BASE_HTTP_SEND_H
#define BASE_HTTP_SEND_H

#include "base/http.h"

enum { HTTP_SEND_PATIENCE_S = 120 };

struct http_sending {
	const char *method, *url;
	const char *accept, *content_type; /* NULL: not sent */
	const char *authorization;         /* NULL: nobody in particular */
	const struct http_field {
		const char *name, *value;
	} * fields;
	size_t n_fields;
	bool has_body;
	struct {
		struct str before; /* what stands before the file and behind it: a form's frame */
		int fd;            /* its first `size` bytes; stays the caller's */
		uint64_t size;
		struct str after;
	} body;
	bool once;
	uint64_t max_answer; /* 0: 1 MiB; more is ERR_INTEGRITY */
	/* Bytes of the body that went out, negative where they go again.  May be NULL. */
	void (*sent)(void *ctx, int64_t bytes);
	void *ctx;
	/* Answers. */
	int status;        /* any but those above; 5xx and 429 after the last try */
	struct str answer; /* in the caller's arena */
	char *link;        /* the Link header; NULL: none */
	bool may_pass;     /* of a failure, or of this status */
};

/* ERR_NETWORK where no answer came; the text names the URL without its query, and the cause. */
int http_send(struct http *h, struct arena *a, struct http_sending *s, struct err *e);
/* How often what may pass is tried again, for those who send with `once`; and the pause before it. */
unsigned http_retries(const struct http *h);
int http_pause(struct http *h, unsigned attempts, struct err *e);

#endif
