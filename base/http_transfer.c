#include "base/http_transfer.h"

#include "base/buf.h"
#include "base/http_easy.h"
#include "base/http_range.h"
#include "base/http_words.h"
#include "base/log.h"

#include <curl/curl.h>
#include <stdlib.h>

enum { MAX_REDIRECTS = 10, MAX_RETRY_AFTER_S = 60 };
enum { PAUSE_FACTOR = 3, PATIENCE_S = 5 };
/* An attempt that kept as much is not counted: so a large file ends on any line that does. */
enum { PROGRESS_BYTES = 64 << 10 };
/* Fewer within the time limit count as silence. */
enum { HEARD_BYTES = 1024 };
enum { ERROR_PAGE_MAX = 1 << 20 };

_Static_assert(DETAIL_MAX >= CURL_ERROR_SIZE, "libcurl writes as much");

/* --- the body ------------------------------------------------------------------------------ */

static const char *header(struct transfer *t, const char *name)
{
	struct curl_header *found;

	if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &found) != CURLHE_OK)
		return NULL;
	return found->value;
}

static char *keep_header(struct transfer *t, const char *name)
{
	const char *value = header(t, name);

	return value ? arena_strdup(&t->h->arena, value) : NULL;
}

/* All of that name; NULL: none. */
static char *keep_headers(struct transfer *t, const char *name)
{
	struct curl_header *found;
	CLEANUP_BUF all = {0};

	for (size_t i = 0;
		curl_easy_header(t->easy, name, i, CURLH_HEADER, -1, &found) == CURLHE_OK; i++)
		buf_printf(&all, "%s%s", i ? ", " : "", found->value);
	return all.p ? arena_strdup(&t->h->arena, all.p) : NULL;
}

static time_t header_time(struct transfer *t, const char *name)
{
	const char *text = header(t, name);

	return text ? curl_getdate(text, NULL) : -1;
}

static struct range_headers range_headers(struct transfer *t)
{
	struct range_headers h = {.etag = header(t, "etag"),
		.last_modified = header(t, "last-modified"),
		.accept_ranges = header(t, "accept-ranges"),
		.content_range = header(t, "content-range"),
		.modified = header_time(t, "last-modified"),
		.date = header_time(t, "date")};
	curl_off_t length = -1;

	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
	h.length = length;
	return h;
}

static void forget_body(struct transfer *t)
{
	t->begun = t->continued = false;
	t->received = 0;
	t->total = -1;
	t->validator = NULL;
}

int transfer_restart(struct transfer *t, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	if (t->begun && !t->r->restart)
		return err_set(e, ERR_NETWORK,
			"cannot fetch '%s': it broke off and the server does not go on",
			http_redact(&scratch, transfer_url(t)));
	if (t->begun && t->r->restart(t->r->ctx, e) < 0)
		return -1;
	forget_body(t);
	return 0;
}

static enum body begin_whole(struct transfer *t)
{
	struct range_headers h = range_headers(t);
	const char *validator = range_validator(&h);

	if (transfer_restart(t, &t->err) < 0)
		return BODY_FAILED;
	t->total = h.length;
	t->validator = validator ? arena_strdup(&t->h->arena, validator) : NULL;
	return BODY_TAKEN;
}

static enum body go_on(struct transfer *t)
{
	struct range_headers h = range_headers(t);
	int64_t whole;

	if (!range_continues(&h, t->validator, t->asked_from, t->total, &whole))
		return BODY_REFUSED;
	t->total = whole;
	t->continued = true;
	return BODY_TAKEN;
}

/* Once per attempt, when the headers of the last answer are there. */
static void judge(struct transfer *t, long status)
{
	if (t->body != BODY_NOT_SEEN)
		return;
	if (status == 200)
		t->body = begin_whole(t);
	else if (status == 206 && t->asked_from)
		t->body = go_on(t);
}

static int fail_too_long(struct transfer *t)
{
	CLEANUP_ARENA scratch = {0};

	return err_set(&t->err, ERR_INTEGRITY, "more than the expected %llu bytes from '%s'",
		(unsigned long long)t->r->max_bytes, http_redact(&scratch, transfer_url(t)));
}

/* --- a server that stalls ------------------------------------------------------------------ */

/*
 * libcurl's own limit (CURLOPT_LOW_SPEED_TIME) counts the time in which a writer had no room, and a
 * transfer that is still in its queue must not count at all.
 */
static void hear(struct transfer *t, size_t bytes)
{
	t->heard_bytes += bytes;
	if (bytes && t->heard_bytes < HEARD_BYTES)
		return;
	t->heard_at = t->h->waited_ns;
	t->heard_bytes = 0;
}

static int on_request(void *ctx, char *to, char *from, int to_port, int from_port)
{
	struct transfer *t = ctx;

	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	t->asked = true;
	hear(t, 0);
	return CURL_PREREQFUNC_OK;
}

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
	(void)p;
	(void)size;
	hear(ctx, n);
	return n;
}

bool transfer_has_stalled(const struct transfer *t)
{
	uint64_t silent = t->h->waited_ns - t->heard_at;

	return t->state == RUNNING && t->asked && !t->paused &&
	       silent > (uint64_t)t->h->options.stall_s * 1000000000;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct http_request *r = t->r;
	long status = 0;
	int rc = 0;

	(void)size;
	hear(t, n);
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	judge(t, status);
	if (t->body == BODY_NOT_SEEN) /* an error page's: read, so that the connection is kept */
		return (t->ignored += n) <= ERROR_PAGE_MAX ? n : 0;
	if (t->body != BODY_TAKEN)
		return 0;
	if (r->max_bytes && t->received + n > r->max_bytes) {
		fail_too_long(t);
		return 0;
	}
	t->begun = true;
	if (r->write)
		rc = r->write(r->ctx, p, n, &t->err);
	if (rc == HTTP_FULL) {
		t->paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	if (rc < 0)
		return 0;
	t->received += n;
	return n;
}

void transfer_resume(struct transfer *t)
{
	if (!t->easy || !t->paused)
		return;
	t->paused = false;
	hear(t, 0);
	curl_easy_pause(t->easy, CURLPAUSE_CONT); /* may write, and find no room, at once */
}

/* --- an attempt ---------------------------------------------------------------------------- */

static void add_header(struct transfer *t, const char *name, const char *value)
{
	http_easy_header(&t->headers, name, value);
}

static bool can_go_on(const struct transfer *t)
{
	return t->received && t->validator && !t->no_ranges && !strpbrk(t->validator, "\r\n");
}

/* Conditions of the caller's belong to a whole body: a part has its own. */
static void add_headers(struct transfer *t)
{
	char range[40];

	add_header(t, "Accept", t->r->accept);
	t->asked_from = 0;
	if (!can_go_on(t)) {
		add_header(t, "If-None-Match", t->r->if_none_match);
		add_header(t, "If-Modified-Since", t->r->if_modified_since);
		return;
	}
	t->asked_from = t->received;
	snprintf(range, sizeof range, "bytes=%llu-", (unsigned long long)t->asked_from);
	add_header(t, "Range", range);
	add_header(t, "If-Range", t->validator);
}

static void set_netrc(struct transfer *t)
{
	const char *netrc = getenv("NETRC");

	curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (netrc && *netrc)
		curl_easy_setopt(t->easy, CURLOPT_NETRC_FILE, netrc);
}

/* Libcurl sends an Authorization to the first host alone (and port, and protocol). */
static void add_bearer(struct transfer *t, const struct auth *auth)
{
	CLEANUP_BUF b = {0};

	if (!auth || auth->kind != AUTH_BEARER)
		return;
	buf_printf(&b, "Bearer %.*s", STR_ARG(auth->token));
	add_header(t, "Authorization", b.p);
}

/* The URL with what is known of who we are there. */
static const char *url_with_credentials(struct transfer *t, struct arena *a)
{
	const char *url = transfer_url(t);
	const struct auth *auth;

	if (t->r->authorization && t->places[t->at].is_origin) {
		add_header(t, "Authorization", t->r->authorization);
		return url;
	}
	url = credentials_apply(a, &t->h->credentials, url);
	auth = auths_find(&t->h->auths, url);
	add_bearer(t, auth);
	return auth_apply(a, auth, url);
}

void transfer_start(struct transfer *t)
{
	CLEANUP_ARENA scratch = {0};
	CURL *c = t->easy = curl_easy_init();

	if (!c)
		abort(); /* nothing but memory can be missing */
	t->state = RUNNING;
	t->attempts++;
	t->body = BODY_NOT_SEEN;
	t->ignored = 0;
	t->paused = t->asked = false;
	t->detail[0] = '\0';
	add_headers(t);
	curl_easy_setopt(c, CURLOPT_URL, url_with_credentials(t, &scratch));
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(c, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(c, CURLOPT_PREREQFUNCTION, on_request);
	curl_easy_setopt(c, CURLOPT_PREREQDATA, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	http_easy_prepare(t->h, c, transfer_url(t));
	set_netrc(t);
	curl_multi_add_handle(t->h->multi, c);
}

void transfer_stop(struct transfer *t)
{
	if (!t->easy)
		return;
	curl_multi_remove_handle(t->h->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	t->easy = NULL;
	t->headers = NULL;
}

/* --- its end ------------------------------------------------------------------------------- */

/* Is there another place to ask that has not failed anybody? */
static bool is_mirror_left(const struct transfer *t)
{
	return t->at + 1 < t->n_places && !t->places[t->at + 1].mirror->failed;
}

static bool may_pass(const struct transfer *t, int rc)
{
	if (rc == CURLE_COULDNT_RESOLVE_HOST || rc == CURLE_COULDNT_CONNECT)
		return t->h->answered && !is_mirror_left(t);
	return http_may_pass(rc);
}

/* Seconds that the server asks us to wait, within reason. */
static uint64_t asked_pause_s(const struct transfer *t)
{
	curl_off_t asked = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked);
	return asked < 0 ? 0 : asked > MAX_RETRY_AFTER_S ? MAX_RETRY_AFTER_S : (uint64_t)asked;
}

static void wait_a_little(struct transfer *t)
{
	uint64_t pause_ms = t->h->options.pause_ms, asked_ms = asked_pause_s(t) * 1000;

	for (unsigned i = 1; i < t->attempts; i++)
		pause_ms *= PAUSE_FACTOR;
	if (asked_ms > pause_ms)
		pause_ms = asked_ms;
	t->not_before_ns = now_ns() + pause_ms * 1000000;
	t->state = WAITING;
}

static bool has_failed_others(const struct transfer *t)
{
	const struct mirror *m = t->places[t->at].mirror;

	return m && m->failed;
}

/* Less patience where a mirror may have it at once. */
static unsigned retries_here(const struct transfer *t)
{
	if (!is_mirror_left(t))
		return t->h->options.retries;
	return has_failed_others(t) || asked_pause_s(t) > PATIENCE_S ? 0 : 1;
}

/* True: it is tried again here after a pause. */
static bool plan_retry(struct transfer *t)
{
	CLEANUP_ARENA scratch = {0};
	char *url = http_redact(&scratch, transfer_url(t));

	if (can_go_on(t) && t->received - t->asked_from >= PROGRESS_BYTES)
		t->attempts = 0;
	if (t->attempts > retries_here(t))
		return false;
	if (t->begun && !can_go_on(t) && !t->r->restart)
		return false;
	wait_a_little(t);
	if (can_go_on(t))
		log_debug("'%s' broke off, going on at byte %llu", url,
			(unsigned long long)t->received);
	else
		log_debug("trying '%s' again", url);
	return true;
}

int transfer_answer(struct transfer *t, int status, struct err *e)
{
	struct http_request *r = t->r;

	if (status != 200 && transfer_restart(t, e) < 0)
		return -1;
	r->status = status;
	r->from = http_redact(&t->h->arena, transfer_url(t));
	t->begun = true;
	t->state = ENDED;
	return r->done ? r->done(r->ctx, e) : 0;
}

/*
 * The content is not right.  Where that may be because of how it came here, in pieces of what may
 * be two versions or without a word of its length, it is fetched once more and in one piece.
 */
static int doubt(struct transfer *t, struct err *e)
{
	struct err again = {0};

	if (e->code != ERR_INTEGRITY || t->doubted || !t->r->restart)
		return -1;
	if (transfer_restart(t, &again) < 0)
		return err_move(e, &again);
	log_debug("%s: fetching it anew", e->text);
	err_release(e);
	t->doubted = t->no_ranges = true;
	wait_a_little(t);
	return 0;
}

static int end_well(struct transfer *t, long status, struct err *e)
{
	struct http_request *r = t->r;
	bool in_doubt = t->continued || t->total < 0;
	struct err why = {0};

	r->etag = keep_header(t, "etag");
	r->last_modified = keep_header(t, "last-modified");
	for (size_t i = 0; i < r->n_headers; i++)
		r->headers[i].value = keep_headers(t, r->headers[i].name);
	if (transfer_answer(t, (int)status, &why) == 0 || (in_doubt && doubt(t, &why) == 0))
		return 0;
	return err_move(e, &why);
}

static bool is_refusal(long status)
{
	return status >= 400 && status < 500 && status != 404 && status != 410 &&
	       !http_status_may_pass(status);
}

/* Did a redirect lead elsewhere?  Who asks there who we are is not who was asked. */
static bool is_led_away(const struct transfer *t)
{
	char *url = NULL;

	curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
	return !url || !url_same_host(transfer_url(t), url);
}

static bool is_answer(const struct transfer *t, long status)
{
	const struct http_request *r = t->r;

	if (status == 304)
		return !t->asked_from && (r->if_none_match || r->if_modified_since);
	if (is_refusal(status))
		return (r->allow_refused ||
			       (r->allow_unauthorized && status == 401 && !is_led_away(t))) &&
		       t->places[t->at].is_origin;
	return r->allow_missing && t->places[t->at].is_origin && (status == 404 || status == 410);
}

/* One number for each kind of answer. */
static long answer_of(const struct transfer *t, long status)
{
	if (status == 401 && t->r->allow_unauthorized)
		return 401;
	if (is_refusal(status))
		return 403;
	return status == 304 ? 304 : 404;
}

/* What libcurl takes for an end, as it is for us. */
static int true_result(struct transfer *t, int rc, long status)
{
	if (rc == CURLE_WRITE_ERROR && t->body == BODY_NOT_SEEN)
		return CURLE_OK; /* an error page without an end: its status says it */
	if (rc == CURLE_OK)
		judge(t, status);
	if (t->body == BODY_REFUSED || (t->asked_from && status == 416)) {
		t->no_ranges = true;
		return CURLE_RANGE_ERROR;
	}
	if (rc == CURLE_OK && t->body == BODY_TAKEN && t->total >= 0 &&
		t->received < (uint64_t)t->total)
		return CURLE_PARTIAL_FILE;
	return rc;
}

static int fail(struct transfer *t, int rc, long status, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	char *url = http_redact(&scratch, transfer_url(t));
	long os_error = 0;

	if (rc == CURLE_OK)
		return http_fail_status(url, status, t->attempts, e);
	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
	return http_fail_transfer("fetch", url, rc, os_error, t->detail, MAX_REDIRECTS, e);
}

int transfer_end(struct transfer *t, int rc, struct err *e)
{
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->h->answered |= status != 0;
	rc = true_result(t, rc, status);
	if (t->err.text)
		return t->continued && doubt(t, &t->err) == 0 ? 0 : err_move(e, &t->err);
	if (rc == CURLE_OK && t->body == BODY_TAKEN)
		return end_well(t, 200, e);
	if (rc == CURLE_OK && is_answer(t, status))
		return end_well(t, answer_of(t, status), e);
	if ((rc == CURLE_OK ? http_status_may_pass(status) : may_pass(t, rc)) && plan_retry(t))
		return 0;
	t->missing_here = rc == CURLE_OK && (status == 404 || status == 410);
	t->missing |= t->missing_here;
	return fail(t, rc, status, e);
}
