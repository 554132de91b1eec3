#include "base/http_send.h"

#include "base/http_easy.h"
#include "base/http_words.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { REDIRECTS_MAX = 5, POLL_MS = 1000, ANSWER_MAX = 1 << 20, PAUSE_FACTOR = 3 };
/* When all has been sent, a server may have much to do before it answers. */
enum { ANSWER_PATIENCE = 4 };

struct sender {
	struct http *h;
	struct http_sending *s;
	struct arena *arena;
	const char *url;  /* where a redirect has led to */
	const char *name; /* the same for people */
	bool away;        /* to another host */
	/* One attempt. */
	CURL *easy;
	void *headers;
	uint64_t total, at; /* bytes of the body */
	bool asked;         /* the connection stands: from now on something is to happen */
	uint64_t heard_ns;
	struct buf answer;
	char detail[DETAIL_MAX];
	struct err err;
};

/* --- the body ---------------------------------------------------------------------------------- */

static uint64_t body_size(const struct http_sending *s)
{
	return s->body.before.n + s->body.size + s->body.after.n;
}

static size_t from_text(char *to, size_t n, struct str text, uint64_t at)
{
	struct str rest = str_sub(text, (size_t)at, text.n);

	if (rest.n < n)
		n = rest.n;
	memcpy(to, rest.p, n);
	return n;
}

static ssize_t from_file(struct sender *r, char *to, size_t n, uint64_t at)
{
	const uint64_t left = r->s->body.size - at;
	ssize_t got;

	do
		got = pread(r->s->body.fd, to, left < n ? (size_t)left : n, (off_t)at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		err_sys(&r->err, "cannot read the file that is sent");
	else if (got == 0)
		err_set(&r->err, ERR_INTEGRITY, "the file became shorter while it was sent");
	return got;
}

/* Of before, file, after. */
static ssize_t body_piece(struct sender *r, char *to, size_t n)
{
	const struct http_sending *s = r->s;
	uint64_t at = r->at;

	if (at < s->body.before.n)
		return (ssize_t)from_text(to, n, s->body.before, at);
	at -= s->body.before.n;
	if (at < s->body.size)
		return from_file(r, to, n, at);
	return (ssize_t)from_text(to, n, s->body.after, at - s->body.size);
}

static void tell_sent(const struct sender *r, int64_t bytes)
{
	if (r->s->sent && bytes)
		r->s->sent(r->s->ctx, bytes);
}

static size_t on_read(char *to, size_t size, size_t n, void *ctx)
{
	struct sender *r = ctx;
	ssize_t got;

	if (r->at == r->total)
		return 0;
	got = body_piece(r, to, size * n);
	if (got <= 0)
		return CURL_READFUNC_ABORT;
	r->at += (uint64_t)got;
	r->heard_ns = now_ns();
	tell_sent(r, got);
	return (size_t)got;
}

static int on_seek(void *ctx, curl_off_t to, int whence)
{
	struct sender *r = ctx;

	if (whence != SEEK_SET || to < 0 || (uint64_t)to > r->total)
		return CURL_SEEKFUNC_FAIL;
	tell_sent(r, (int64_t)to - (int64_t)r->at);
	r->at = (uint64_t)to;
	return CURL_SEEKFUNC_OK;
}

/* --- the answer -------------------------------------------------------------------------------- */

static size_t on_write(char *p, size_t size, size_t n, void *ctx)
{
	struct sender *r = ctx;

	r->heard_ns = now_ns();
	if (buf_add(&r->answer, p, size * n) == 0)
		return size * n;
	err_set(&r->err, ERR_INTEGRITY, "the answer is longer than %zu bytes", r->answer.max);
	return 0;
}

static int on_request(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct sender *r = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	r->asked = true;
	r->heard_ns = now_ns();
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	(void)p;
	((struct sender *)ctx)->heard_ns = now_ns();
	return size * n;
}

static char *answer_header(struct sender *r, const char *name)
{
	struct curl_header *found;

	if (curl_easy_header(r->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return NULL;
	return arena_strdup(r->arena, found->value);
}

/* --- one attempt ------------------------------------------------------------------------------- */

static void set_method(struct sender *r)
{
	const struct http_sending *s = r->s;
	CURL *c = r->easy;

	r->total = s->has_body ? body_size(s) : 0;
	if (s->has_body) {
		curl_easy_setopt(c, CURLOPT_POST, 1L);
		curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->total);
		curl_easy_setopt(c, CURLOPT_READFUNCTION, on_read);
		curl_easy_setopt(c, CURLOPT_READDATA, r);
		curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, on_seek);
		curl_easy_setopt(c, CURLOPT_SEEKDATA, r);
		curl_easy_setopt(c, CURLOPT_UPLOAD_BUFFERSIZE, 512L << 10);
	}
	/* On a connection that was used before, libcurl by itself sends again what had no answer. */
	if (s->once)
		curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	if (strcmp(s->method, "GET") != 0)
		curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, s->method);
}

static void add_headers(struct sender *r)
{
	const struct http_sending *s = r->s;

	http_easy_header(&r->headers, "Accept", s->accept);
	if (s->has_body)
		http_easy_header(&r->headers, "Content-Type", s->content_type);
	if (r->away)
		return;
	http_easy_header(&r->headers, "Authorization", s->authorization);
	for (size_t i = 0; i < s->n_fields; i++)
		http_easy_header(&r->headers, s->fields[i].name, s->fields[i].value);
}

static void open_attempt(struct sender *r)
{
	CURL *c = r->easy = curl_easy_init();

	if (!c)
		abort(); /* nothing but memory can be missing */
	r->at = 0;
	r->asked = false;
	r->detail[0] = '\0';
	r->answer.max = r->s->max_answer ? (size_t)r->s->max_answer : ANSWER_MAX;
	buf_clear(&r->answer);
	curl_easy_setopt(c, CURLOPT_URL, r->url);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_write);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, r);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->detail);
	http_easy_prepare(r->h, c, r->url);
	set_method(r);
	add_headers(r);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, r->headers);
	curl_multi_add_handle(r->h->multi, c);
}

static void close_attempt(struct sender *r)
{
	if (!r->easy)
		return;
	curl_multi_remove_handle(r->h->multi, r->easy);
	curl_easy_cleanup(r->easy);
	curl_slist_free_all(r->headers);
	r->easy = NULL;
	r->headers = NULL;
}

static int poll_network(struct http *h, int timeout_ms, struct err *e)
{
	struct curl_waitfd interrupt = {.fd = interrupt_fd(), .events = CURL_WAIT_POLLIN};
	CURLMcode rc = curl_multi_poll(h->multi, &interrupt, interrupt.fd >= 0, timeout_ms, NULL);

	log_refresh();
	if (rc != CURLM_OK)
		return err_set(e, ERR_FAIL, "libcurl failed: %s", curl_multi_strerror(rc));
	return interrupt_check(e);
}

static bool has_stalled(const struct sender *r)
{
	uint64_t limit_s = r->h->options.stall_s;

	if (r->at == r->total)
		limit_s *= ANSWER_PATIENCE;
	return r->asked && now_ns() - r->heard_ns > limit_s * 1000000000;
}

/* Until it has ended: *rc is how. */
static int drive(struct sender *r, CURLcode *rc, struct err *e)
{
	for (;;) {
		CURLMsg *message;
		int still, queued;
		CURLMcode multi = curl_multi_perform(r->h->multi, &still);

		if (multi != CURLM_OK)
			return err_set(
				e, ERR_FAIL, "libcurl failed: %s", curl_multi_strerror(multi));
		while ((message = curl_multi_info_read(r->h->multi, &queued)))
			if (message->msg == CURLMSG_DONE && message->easy_handle == r->easy) {
				*rc = message->data.result;
				return 0;
			}
		if (has_stalled(r)) {
			*rc = CURLE_OPERATION_TIMEDOUT;
			return 0;
		}
		if (poll_network(r->h, POLL_MS, e) < 0)
			return -1;
	}
}

/* --- what comes of it -------------------------------------------------------------------------- */

enum outcome { OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_AGAIN, OUTCOME_MOVED };

static int fail_redirect(const struct sender *r, const char *to, const char *why, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	return err_set(
		e, ERR_NETWORK, "'%s' leads to '%s', %s", r->name, http_redact(&scratch, to), why);
}

static int follow(struct sender *r, struct err *e)
{
	char *location = answer_header(r, "location");
	char *to = location ? url_resolve(r->arena, r->url, str_of(location)) : NULL;
	bool away;

	if (!to)
		return err_set(e, ERR_NETWORK, "'%s' leads nowhere", r->name);
	away = !url_same_host(r->url, to);
	if (strncasecmp(r->url, "https:", 6) == 0 && strncasecmp(to, "https:", 6) != 0)
		return fail_redirect(r, to, "from https to http", e);
	if (away && strcmp(r->s->method, "GET") != 0) {
		fail_redirect(r, to, "elsewhere, where nothing is sent", e);
		return err_advise(e, "if that is right, give that address itself");
	}
	r->away |= away;
	r->url = to;
	r->name = http_redact(r->arena, to);
	return 0;
}

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 307 || status == 308;
}

/* Seconds until a limit ends, as GitHub tells it; -1: it does not. */
static int64_t rate_limit_s(struct sender *r)
{
	char *left = answer_header(r, "x-ratelimit-remaining");
	char *reset = answer_header(r, "x-ratelimit-reset");
	uint64_t at;
	int64_t wait;

	if (!left || strcmp(left, "0") != 0 || !reset ||
		str_u64(str_of(reset), INT64_MAX / 2, &at) < 0)
		return -1;
	wait = (int64_t)at - (int64_t)time(NULL);
	return wait < 0 ? 0 : wait + 1;
}

/* Seconds that the server wants us to wait before it does it; -1: it does not say so. */
static int64_t asked_pause_s(struct sender *r, long status)
{
	curl_off_t asked = 0;

	if (status != 403 && status != 429 && status != 503)
		return -1;
	curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &asked);
	if (asked > 0 || answer_header(r, "retry-after"))
		return asked;
	return rate_limit_s(r);
}

static int take_answer(struct sender *r, long status, struct err *e)
{
	struct http_sending *s = r->s;

	if (status < 100 || status > 599)
		return err_set(e, ERR_NETWORK, "no status in the answer of '%s'", r->name);
	s->status = (int)status;
	s->answer = arena_str(r->arena, buf_view(&r->answer));
	s->link = answer_header(r, "link");
	s->may_pass = http_status_may_pass(status);
	return 0;
}

static int fail_transfer(struct sender *r, CURLcode rc, struct err *e)
{
	long os_error = 0;

	if (r->err.text) {
		r->s->may_pass = false;
		return err_move(e, &r->err);
	}
	curl_easy_getinfo(r->easy, CURLINFO_OS_ERRNO, &os_error);
	return http_fail_transfer(r->s->has_body ? "send to" : "fetch", r->name, rc, os_error,
		r->detail, REDIRECTS_MAX, e);
}

/* *pause_s: -1 unless the server has said how long. */
static enum outcome judge(struct sender *r, CURLcode rc, int64_t *pause_s, struct err *e)
{
	long status = 0;

	*pause_s = -1;
	curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
	r->h->answered |= status != 0;
	if (rc != CURLE_OK) {
		r->s->may_pass =
			http_may_pass(rc) || (r->h->answered && rc == CURLE_COULDNT_CONNECT);
		fail_transfer(r, rc, e);
		return r->s->may_pass && !r->s->once ? OUTCOME_AGAIN : OUTCOME_FAILED;
	}
	log_debug("%s '%s': %ld", r->s->method, r->name, status);
	if (is_redirect(status))
		return follow(r, e) < 0 ? OUTCOME_FAILED : OUTCOME_MOVED;
	if (take_answer(r, status, e) < 0)
		return OUTCOME_FAILED;
	*pause_s = asked_pause_s(r, status);
	if (*pause_s >= 0)
		return OUTCOME_AGAIN;
	return r->s->may_pass && !r->s->once ? OUTCOME_AGAIN : OUTCOME_DONE;
}

static int wait_ms(struct http *h, uint64_t ms, struct err *e)
{
	uint64_t end = now_ns() + ms * 1000000, now;

	while ((now = now_ns()) < end) {
		uint64_t left = (end - now) / 1000000 + 1;

		if (poll_network(h, left < POLL_MS ? (int)left : POLL_MS, e) < 0)
			return -1;
	}
	return 0;
}

static uint64_t growing_pause_ms(const struct http *h, unsigned attempts)
{
	uint64_t ms = h->options.pause_ms;

	for (unsigned i = 1; i < attempts && ms < HTTP_SEND_PATIENCE_S * 1000; i++)
		ms *= PAUSE_FACTOR;
	return ms;
}

/* 1: again; 0: what there is, is the answer; -1: `why` is the failure. */
static int plan_retry(
	struct sender *r, unsigned attempts, int64_t pause_s, struct err *why, struct err *e)
{
	if (pause_s > HTTP_SEND_PATIENCE_S) {
		err_set(e, ERR_NETWORK, "'%s' wants to be asked again in %lld seconds", r->name,
			(long long)pause_s);
		return err_advise(e, "run it again then: what is done already is not done twice");
	}
	if (attempts > r->h->options.retries)
		return why->text ? err_move(e, why) : 0;
	if (pause_s > 1)
		log_note("the server wants to be asked again in %lld seconds", (long long)pause_s);
	err_release(why);
	if (wait_ms(r->h,
		    pause_s >= 0 ? (uint64_t)pause_s * 1000 : growing_pause_ms(r->h, attempts),
		    e) < 0)
		return -1;
	return 1;
}

static int attempt(
	struct sender *r, enum outcome *outcome, int64_t *pause_s, struct err *why, struct err *e)
{
	CURLcode rc = CURLE_OK;

	open_attempt(r);
	if (drive(r, &rc, e) < 0) {
		close_attempt(r);
		return -1;
	}
	*outcome = judge(r, rc, pause_s, why);
	if (*outcome != OUTCOME_DONE)
		tell_sent(r, -(int64_t)r->at);
	close_attempt(r);
	return 0;
}

static int run(struct sender *r, struct err *e)
{
	unsigned attempts = 0, redirects = 0;
	enum outcome outcome;
	int64_t pause_s;

	for (;;) {
		struct err why = {0};
		int again;

		attempts++;
		if (attempt(r, &outcome, &pause_s, &why, e) < 0)
			return -1;
		switch (outcome) {
		case OUTCOME_DONE:
			return 0;
		case OUTCOME_FAILED:
			return err_move(e, &why);
		case OUTCOME_MOVED:
			if (++redirects > REDIRECTS_MAX)
				return err_set(e, ERR_NETWORK, "more than %d redirects from '%s'",
					REDIRECTS_MAX, r->name);
			attempts--;
			break;
		case OUTCOME_AGAIN:
			again = plan_retry(r, attempts, pause_s, &why, e);
			if (again <= 0)
				return again;
		}
	}
}

int http_send(struct http *h, struct arena *a, struct http_sending *s, struct err *e)
{
	struct sender r = {
		.h = h, .s = s, .arena = a, .url = s->url, .name = http_redact(a, s->url)};
	struct sigpipe pipe;
	int rc;

	s->status = 0;
	s->link = NULL;
	s->may_pass = false;
	s->answer = (struct str){0};
	if (h->options.offline)
		return err_set(e, ERR_NETWORK, "'%s' was not asked: --offline", r.name);
	sigpipe_block(&pipe);
	rc = run(&r, e);
	sigpipe_restore(&pipe);
	buf_release(&r.answer);
	err_release(&r.err);
	return rc;
}

unsigned http_retries(const struct http *h)
{
	return h->options.retries;
}

int http_pause(struct http *h, unsigned attempts, struct err *e)
{
	return wait_ms(h, growing_pause_ms(h, attempts), e);
}
