#include "base/http.h"

#include "base/buf.h"
#include "base/http_credentials.h"
#include "base/http_file.h"
#include "base/log.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { CONNECT_TIMEOUT_S = 20, MAX_REDIRECTS = 10, MAX_RETRY_AFTER_S = 60 };
enum { FIRST_PAUSE_MS = 300, PAUSE_FACTOR = 3, POLL_MS = 1000 };

struct http {
	struct http_options options;
	CURLM *multi;
	struct arena arena; /* the requests' etags, the credentials */
	struct credentials credentials;
	const char *ca_file; /* NULL: libcurl's own */
	bool answered;       /* some server has answered: the network is there */
};

enum state { WAITING, RUNNING, ENDED };

struct transfer {
	struct http *h;
	struct http_request *r;
	enum state state;
	CURL *easy;
	struct curl_slist *headers;
	unsigned attempts;
	uint64_t not_before_ns; /* of the next attempt */
	uint64_t received;
	char detail[CURL_ERROR_SIZE];
	struct err err; /* what the caller's write said */
};

/* --- set-up -------------------------------------------------------------------------------- */

static pthread_once_t global_once = PTHREAD_ONCE_INIT;

static void global_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool is_file(const char *path)
{
	struct stat st;

	return path && *path && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* The library of another distribution looks for certificates at that one's place. */
static const char *find_ca_file(void)
{
	static const char *const variables[] = {
		"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"};
	static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"};

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		if (is_file(getenv(variables[i])))
			return getenv(variables[i]);
	if (is_file(curl_version_info(CURLVERSION_NOW)->cainfo))
		return NULL;
	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
		if (is_file(usual[i]))
			return usual[i];
	return NULL;
}

struct http *http_new(const struct http_options *options)
{
	struct http *h = xcalloc(1, sizeof *h);

	pthread_once(&global_once, global_init);
	h->options = *options;
	if (!h->options.jobs)
		h->options.jobs = 8;
	if (!h->options.per_host)
		h->options.per_host = 6;
	if (!h->options.retries)
		h->options.retries = 3;
	if (!h->options.stall_s)
		h->options.stall_s = 30;
	h->ca_file = find_ca_file();
	h->multi = curl_multi_init();
	if (!h->multi)
		abort(); /* nothing but memory can be missing */
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)h->options.per_host);
	return h;
}

/*
 * libcurl without signals leaves SIGPIPE to us: a secure connection that the server has dropped
 * raises it.  It goes to the thread that writes, so it is blocked and taken back there.
 */
static void block_sigpipe(sigset_t *pipe_only, sigset_t *old)
{
	sigemptyset(pipe_only);
	sigaddset(pipe_only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, pipe_only, old);
}

static void restore_sigpipe(const sigset_t *pipe_only, const sigset_t *old)
{
	struct timespec now = {0};

	if (sigismember(old, SIGPIPE))
		return;
	while (sigtimedwait(pipe_only, NULL, &now) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, old, NULL);
}

void http_free(struct http *h)
{
	sigset_t pipe_only, old;

	if (!h)
		return;
	block_sigpipe(&pipe_only, &old); /* saying goodbye writes, too */
	curl_multi_cleanup(h->multi);
	restore_sigpipe(&pipe_only, &old);
	arena_release(&h->arena);
	free(h);
}

void http_add_credentials(struct http *h, const char *url, const char *fetch_url)
{
	credentials_add(&h->arena, &h->credentials, url, fetch_url);
}

/* --- words --------------------------------------------------------------------------------- */

static const char *status_name(long status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {{400, "bad request"}, {401, "unauthorized"}, {403, "forbidden"},
		{404, "not found"}, {407, "proxy authentication required"},
		{408, "request timeout"}, {410, "gone"}, {416, "range not satisfiable"},
		{429, "too many requests"}, {451, "unavailable for legal reasons"},
		{500, "internal server error"}, {501, "not implemented"}, {502, "bad gateway"},
		{503, "service unavailable"}, {504, "gateway timeout"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].status == status)
			return names[i].name;
	return "not what was asked for";
}

static int fail_status(const char *url, long status, unsigned attempts, struct err *e)
{
	err_set(e, ERR_NETWORK, "cannot fetch '%s': HTTP %ld %s", url, status, status_name(status));
	if (status == 401 || status == 403)
		err_advise(e, "if this server asks who you are, put the credentials into ~/.netrc "
			      "or the URL (https://USER:PASSWORD@... or .../t/TOKEN/...)");
	if (attempts > 1 && e)
		err_advise(e, "it was tried %u times; try again later", attempts);
	return -1;
}

/* The cause in words; libcurl's own where they are as good. */
static void describe(const struct transfer *t, CURLcode rc, struct buf *to)
{
	long os_error = 0;

	curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_error);
	switch ((int)rc) { /* a few of some hundred */
	case CURLE_COULDNT_RESOLVE_HOST:
		buf_puts(to, "could not resolve host");
		break;
	case CURLE_COULDNT_RESOLVE_PROXY:
		buf_puts(to, "could not resolve the proxy's host name");
		break;
	case CURLE_COULDNT_CONNECT:
		buf_puts(to, os_error == ECONNREFUSED ? "connection refused" : "could not connect");
		if (os_error && os_error != ECONNREFUSED)
			buf_printf(to, ": %s", strerror((int)os_error));
		break;
	case CURLE_OPERATION_TIMEDOUT:
		buf_puts(to, "timed out");
		break;
	case CURLE_TOO_MANY_REDIRECTS:
		buf_printf(to, "more than %d redirects", MAX_REDIRECTS);
		break;
	case CURLE_PARTIAL_FILE:
		buf_puts(to, "the connection ended before the file did");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
		buf_puts(to, "a URL or redirect that is not http(s), or leads from https to http");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		buf_printf(to, "no secure connection: %s",
			t->detail[0] ? t->detail : curl_easy_strerror(rc));
		break;
	default:
		buf_puts(to, curl_easy_strerror(rc));
	}
}

static int fail_transfer(struct transfer *t, const char *url, CURLcode rc, struct err *e)
{
	CLEANUP_BUF why = {0};

	describe(t, rc, &why);
	err_set(e, ERR_NETWORK, "cannot fetch '%s': %s", url, why.p);
	if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE)
		err_advise(e, "name a file with the right CA certificates in SSL_CERT_FILE");
	return -1;
}

/* --- one transfer over the network --------------------------------------------------------- */

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
	struct transfer *t = ctx;
	struct http_request *r = t->r;
	long status = 0;

	(void)size;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return n; /* an error page is not the body that was asked for */
	t->received += n;
	if (r->max_bytes && t->received > r->max_bytes) {
		CLEANUP_ARENA scratch = {0};

		err_set(&t->err, ERR_INTEGRITY, "more than the expected %llu bytes from '%s'",
			(unsigned long long)r->max_bytes, http_redact(&scratch, r->url));
		return 0;
	}
	if (r->write && r->write(r->ctx, p, n, &t->err) < 0)
		return 0;
	return n;
}

static void add_header(struct transfer *t, const char *name, const char *value)
{
	CLEANUP_BUF b = {0};

	if (!value || strpbrk(value, "\r\n"))
		return;
	buf_printf(&b, "%s: %s", name, value);
	t->headers = curl_slist_append(t->headers, b.p);
}

/* Programs that we start must not hold our connections. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)ctx;
	(void)purpose;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

static void set_security(struct transfer *t)
{
	bool secure = strncasecmp(t->r->url, "https:", 6) == 0;
	const char *netrc = getenv("NETRC");
	CURL *c = t->easy;

	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_OPTIONAL);
	if (netrc && *netrc)
		curl_easy_setopt(c, CURLOPT_NETRC_FILE, netrc);
	if (t->h->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, t->h->ca_file);
	if (secure)
		curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
}

static void transfer_start(struct transfer *t)
{
	CLEANUP_ARENA scratch = {0};
	CURL *c = t->easy = curl_easy_init();

	if (!c)
		abort(); /* nothing but memory can be missing */
	t->state = RUNNING;
	t->attempts++;
	t->received = 0;
	t->detail[0] = '\0';
	add_header(t, "If-None-Match", t->r->if_none_match);
	add_header(t, "If-Modified-Since", t->r->if_modified_since);
	curl_easy_setopt(
		c, CURLOPT_URL, credentials_apply(&scratch, &t->h->credentials, t->r->url));
	curl_easy_setopt(c, CURLOPT_PRIVATE, t);
	curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "envbuild/" ENVBUILD_VERSION);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->detail);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 1L);
	curl_easy_setopt(c, CURLOPT_MAXREDIRS, (long)MAX_REDIRECTS);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long)t->h->options.stall_s);
	set_security(t);
	curl_multi_add_handle(t->h->multi, c);
}

static void transfer_stop(struct transfer *t)
{
	if (!t->easy)
		return;
	curl_multi_remove_handle(t->h->multi, t->easy);
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	t->easy = NULL;
	t->headers = NULL;
}

static bool may_pass_status(long status)
{
	return status == 408 || status == 429 || (status >= 500 && status != 501);
}

static bool may_pass(const struct http *h, CURLcode rc)
{
	switch ((int)rc) { /* a few of some hundred */
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_SSL_CONNECT_ERROR:
		return true;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_CONNECT:
		return h->answered;
	default:
		return false;
	}
}

/* 0: tried again after a pause; -1: not, with *e set where the caller's restart failed. */
static int plan_retry(struct transfer *t, struct err *e)
{
	uint64_t pause_ms = FIRST_PAUSE_MS;
	curl_off_t asked = 0;

	if (t->attempts > t->h->options.retries || (t->received && !t->r->restart))
		return -1;
	if (t->r->restart && t->r->restart(t->r->ctx, e) < 0)
		return -1;
	for (unsigned i = 1; i < t->attempts; i++)
		pause_ms *= PAUSE_FACTOR;
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &asked);
	if (asked > MAX_RETRY_AFTER_S)
		asked = MAX_RETRY_AFTER_S;
	if ((uint64_t)asked * 1000 > pause_ms)
		pause_ms = (uint64_t)asked * 1000;
	t->not_before_ns = now_ns() + pause_ms * 1000000;
	t->state = WAITING;
	return 0;
}

static char *keep_header(struct transfer *t, const char *name)
{
	struct curl_header *header;

	if (curl_easy_header(t->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
		return NULL;
	return arena_strdup(&t->h->arena, header->value);
}

static int answer(struct transfer *t, long status, struct err *e)
{
	t->r->status = (int)status;
	t->r->etag = keep_header(t, "etag");
	t->r->last_modified = keep_header(t, "last-modified");
	t->state = ENDED;
	return t->r->done ? t->r->done(t->r->ctx, e) : 0;
}

/* The transfer is over for this attempt: an answer, a retry, or -1 with *e set. */
static int transfer_end(struct transfer *t, CURLcode rc, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct http_request *r = t->r;
	char *url = http_redact(&scratch, r->url);
	struct err again = {0};
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	t->h->answered |= status != 0;
	if (t->err.text)
		return err_move(e, &t->err);
	if (rc == CURLE_OK) {
		if (status == 200 || (status == 304 && (r->if_none_match || r->if_modified_since)))
			return answer(t, status, e);
		if (r->allow_missing && (status == 404 || status == 410))
			return answer(t, 404, e);
	}
	if (rc == CURLE_OK ? may_pass_status(status) : may_pass(t->h, rc)) {
		if (plan_retry(t, &again) == 0) {
			log_debug("trying '%s' again", url);
			return 0;
		}
		if (again.text)
			return err_move(e, &again);
	}
	return rc == CURLE_OK ? fail_status(url, status, t->attempts, e)
			      : fail_transfer(t, url, rc, e);
}

/* --- all of them --------------------------------------------------------------------------- */

struct fetch {
	struct http *h;
	struct transfer *v;
	size_t n, left, running;
	size_t first; /* all before it have ended */
};

/* Starts what may start; returns the milliseconds until the next pause is over. */
static int start_ready(struct fetch *f)
{
	uint64_t now = now_ns(), soonest = now + (uint64_t)POLL_MS * 1000000;

	while (f->first < f->n && f->v[f->first].state == ENDED)
		f->first++;
	for (size_t i = f->first; i < f->n && f->running < f->h->options.jobs; i++) {
		struct transfer *t = &f->v[i];

		if (t->state != WAITING)
			continue;
		if (t->not_before_ns > now) {
			if (t->not_before_ns < soonest)
				soonest = t->not_before_ns;
			continue;
		}
		transfer_start(t);
		f->running++;
	}
	return (int)((soonest - now + 999999) / 1000000);
}

static int collect(struct fetch *f, struct err *e)
{
	CURLMsg *message;
	int queued;

	while ((message = curl_multi_info_read(f->h->multi, &queued))) {
		CURLcode rc = message->data.result;
		struct transfer *t;
		int ended;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		ended = transfer_end(t, rc, e);
		transfer_stop(t);
		f->running--;
		if (ended < 0) {
			t->r->failed = true;
			return -1;
		}
		f->left -= t->state == ENDED;
	}
	return 0;
}

static int drive(struct fetch *f, struct err *e)
{
	while (f->left) {
		int wait_ms = start_ready(f), still = 0;
		CURLMcode rc = curl_multi_perform(f->h->multi, &still);

		if (rc == CURLM_OK && collect(f, e) < 0)
			return -1;
		if (rc == CURLM_OK && f->left)
			rc = curl_multi_poll(f->h->multi, NULL, 0, wait_ms, NULL);
		if (rc != CURLM_OK)
			return err_set(e, ERR_FAIL, "libcurl failed: %s", curl_multi_strerror(rc));
	}
	return 0;
}

static int fail_offline(struct http_request *r, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	r->failed = true;
	err_set(e, ERR_NETWORK, "'%s' was not fetched: --offline", http_redact(&scratch, r->url));
	return err_advise(e, "run it once without --offline, so that the cache has it");
}

/* What needs no network, in order; the others become transfers. */
static int sort_out(struct fetch *f, struct http_request *requests, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		struct http_request *r = &requests[i];

		r->status = 0;
		r->failed = false;
		r->etag = r->last_modified = NULL;
		if (strncmp(r->url, "file://", 7) == 0) {
			if (http_fetch_file(r, e) < 0) {
				r->failed = true;
				return -1;
			}
		} else if (f->h->options.offline) {
			return fail_offline(r, e);
		} else {
			f->v[f->n++] = (struct transfer){.h = f->h, .r = r};
		}
	}
	f->left = f->n;
	return 0;
}

int http_fetch(struct http *h, struct http_request *requests, size_t n, struct err *e)
{
	struct fetch f = {.h = h, .v = xcalloc(n, sizeof *f.v)};
	sigset_t pipe_only, old;
	int rc = sort_out(&f, requests, n, e);

	block_sigpipe(&pipe_only, &old);
	if (rc == 0)
		rc = drive(&f, e);
	for (size_t i = 0; i < f.n; i++) {
		transfer_stop(&f.v[i]);
		err_release(&f.v[i].err);
	}
	restore_sigpipe(&pipe_only, &old);
	free(f.v);
	return rc;
}
