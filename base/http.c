#include "base/http.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/http_easy.h"
#include "base/http_file.h"
#include "base/http_transfer.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { POLL_MS = 1000, AUTH_MAX = 4 << 20 };

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

const char *http_ca_variable(void)
{
	static const char *const variables[] = {
		"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"};

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		if (is_file(getenv(variables[i])))
			return getenv(variables[i]);
	return NULL;
}

/* The library of another distribution looks for certificates at that one's place. */
static const char *find_ca_file(void)
{
	static const char *const usual[] = {"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"};

	if (http_ca_variable())
		return http_ca_variable();
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
	if (h->options.no_retries)
		h->options.retries = 0;
	if (!h->options.connect_s)
		h->options.connect_s = 20;
	if (!h->options.pause_ms)
		h->options.pause_ms = 300;
	if (!h->options.stall_s)
		h->options.stall_s = 30;
	h->ca_file = find_ca_file();
	h->multi = curl_multi_init();
	if (!h->multi)
		abort(); /* nothing but memory can be missing */
	curl_multi_setopt(h->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)h->options.per_host);
	return h;
}

void http_free(struct http *h)
{
	struct sigpipe pipe;

	if (!h)
		return;
	sigpipe_block(&pipe); /* saying goodbye writes, too */
	curl_multi_cleanup(h->multi);
	sigpipe_restore(&pipe);
	arena_release(&h->arena);
	free(h);
}

void http_add_credentials(struct http *h, const char *url, const char *fetch_url)
{
	credentials_add(&h->arena, &h->credentials, url, fetch_url);
}

int http_read_auth(struct http *h, const char *path, struct err *e)
{
	struct auths auths;
	struct str text;

	if (file_read(&h->arena, path, AUTH_MAX, &text, e) < 0 ||
		auths_parse(&h->arena, path, text, &auths, e) < 0)
		return err_wrap(e, "cannot read the credentials");
	h->auths = auths;
	return 0;
}

void http_add_proxy(struct http *h, const char *beginning, const char *proxy)
{
	struct proxy_rule *rule = VEC_PUSH(&h->arena, &h->proxies);

	rule->beginning = str_of(arena_strdup(&h->arena, beginning));
	rule->proxy = arena_strdup(&h->arena, proxy);
}

void http_only_mirrors(struct http *h, const char *url)
{
	CLEANUP_ARENA scratch = {0};

	mirrors_only(&h->mirrors, http_redact(&scratch, url));
}

void http_add_mirror(struct http *h, const char *url, const char *mirror)
{
	CLEANUP_ARENA scratch = {0};
	char *bare = http_redact(&scratch, mirror);

	mirrors_add(&h->arena, &h->mirrors, http_redact(&scratch, url), bare);
	if (strcmp(bare, mirror) != 0)
		http_add_credentials(h, bare, mirror);
}

void http_distrust(struct http *h, const char *from)
{
	struct mirror *m = mirrors_find(&h->mirrors, from);

	if (m && mirror_failed(&h->mirrors, m))
		log_debug("'%.*s' is asked last from now on", STR_ARG(m->at));
}

unsigned http_set_jobs(struct http *h, unsigned jobs)
{
	unsigned before = h->options.jobs;

	h->options.jobs = jobs;
	return before;
}

void http_wake(struct http *h)
{
	atomic_store(&h->woken, true);
	curl_multi_wakeup(h->multi);
}

void http_wait(struct http *h)
{
	if (!atomic_exchange(&h->woken, false))
		curl_multi_poll(h->multi, NULL, 0, POLL_MS, NULL);
	h->others_wait = true;
	log_refresh();
}

/* --- one place after the other -------------------------------------------------------------- */

static bool is_local(const char *url)
{
	return strncmp(url, "file://", 7) == 0;
}

static int fail_offline(const struct http_request *r, struct err *e)
{
	CLEANUP_ARENA scratch = {0};

	err_set(e, ERR_NETWORK, "'%s' was not fetched: --offline", http_redact(&scratch, r->url));
	return err_advise(e, "run it once without --offline, so that the cache has it");
}

/* Offline those on this machine alone. */
static int find_places(struct transfer *t, struct arena *a, struct err *e)
{
	size_t n, kept = 0;

	t->places = mirrors_places(a, &t->h->mirrors, t->r->url, &n);
	for (size_t i = 0; i < n; i++)
		if (!t->h->options.offline || is_local(t->places[i].url))
			t->places[kept++] = t->places[i];
	if (kept == 0)
		return fail_offline(t->r, e);
	t->n_places = kept;
	t->failures = arena_array(a, struct err, kept);
	return 0;
}

/* What is to be told: a wrong content rather than a server that does not answer. */
static size_t worst_failure(const struct transfer *t)
{
	for (size_t i = t->at; i > 0; i--)
		if (t->failures[i].code == ERR_INTEGRITY)
			return i;
	return t->failures[0].code == ERR_INTEGRITY ? 0 : t->at;
}

static int fail_everywhere(struct transfer *t, struct err *e)
{
	size_t worst = worst_failure(t);
	CLEANUP_BUF text = {0};

	for (size_t i = 0; i <= t->at; i++)
		if (i != worst)
			buf_printf(&text, "; %s", t->failures[i].text);
	if (text.n == 0)
		return err_move(e, &t->failures[worst]);
	err_set(e, t->failures[worst].code, "%s%s", t->failures[worst].text, text.p);
	if (t->failures[worst].advice)
		err_advise(e, "%s", t->failures[worst].advice);
	return -1;
}

/* One that only lacks this file may have all others. */
static void blame(struct transfer *t, const struct err *why)
{
	struct mirror *m = t->places[t->at].mirror;
	const char *next = t->at + 1 < t->n_places ? t->places[t->at + 1].url : NULL;
	CLEANUP_ARENA scratch = {0};

	if (!m || !next)
		return;
	if (!t->missing_here && mirror_failed(&t->h->mirrors, m))
		log_warn("%s; '%s' is asked instead", why->text, http_redact(&scratch, next));
	else
		log_debug("%s; '%s' is asked instead", why->text, http_redact(&scratch, next));
}

/* Has failed at this place: 0 where it goes to the next, or has been answered after all. */
static int leave_place(struct transfer *t, struct err *why, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	const enum err_code code = why->code;

	if (code != ERR_NETWORK && code != ERR_INTEGRITY)
		return err_move(e, why);
	if (t->n_places > 1 && code == ERR_INTEGRITY)
		err_wrap(why, "from '%s'", http_redact(&scratch, transfer_url(t)));
	blame(t, why);
	err_move(&t->failures[t->at], why);
	if (t->at + 1 == t->n_places || (t->begun && !t->r->restart)) {
		if (t->r->allow_missing && t->missing)
			return transfer_answer(t, 404, e);
		return fail_everywhere(t, e);
	}
	if (transfer_restart(t, e) < 0)
		return -1;
	t->r->etag = t->r->last_modified = NULL;
	t->at++;
	t->attempts = 0;
	t->not_before_ns = 0;
	t->continued = t->no_ranges = t->doubted = t->missing_here = false;
	t->state = WAITING;
	return 0;
}

static int read_local(struct transfer *t, struct err *e)
{
	int status = http_read_file(t->r, transfer_url(t), http_wait, t->h, &t->begun, e);

	if (status == 404 && !t->places[t->at].is_origin) {
		t->missing = t->missing_here = true;
		return err_set(e, ERR_NETWORK, "no file '%s'", transfer_url(t));
	}
	return status < 0 ? -1 : transfer_answer(t, status, e);
}

/* --- all of them --------------------------------------------------------------------------- */

struct fetch {
	struct http *h;
	struct transfer *v;
	size_t n, left, running;
	size_t first; /* all before it have ended */
	bool freed;   /* an attempt has ended since libcurl was last let work */
	struct arena arena;
};

/* After an attempt or a file: 0, or -1 when the whole fetch has failed. */
static int settle(struct fetch *f, struct transfer *t, int ended, struct err *why, struct err *e)
{
	if (ended < 0 && leave_place(t, why, e) < 0) {
		t->r->failed = true;
		return -1;
	}
	f->left -= t->state == ENDED;
	return 0;
}

/* Asks the places on this machine, as long as one is next. */
static int read_locals(struct fetch *f, struct transfer *t, struct err *e)
{
	while (t->state == WAITING && is_local(transfer_url(t))) {
		struct err why = {0};
		int ended = read_local(t, &why);

		if (settle(f, t, ended, &why, e) < 0)
			return -1;
	}
	return 0;
}

static int start(struct fetch *f, struct transfer *t, struct err *e)
{
	if (!t->places && find_places(t, &f->arena, e) < 0) {
		t->r->failed = true;
		return -1;
	}
	if (read_locals(f, t, e) < 0)
		return -1;
	if (t->state == WAITING) {
		transfer_start(t);
		f->running++;
	}
	return 0;
}

static int start_ready(struct fetch *f, struct err *e)
{
	uint64_t now = now_ns();

	while (f->first < f->n && f->v[f->first].state == ENDED)
		f->first++;
	for (size_t i = f->first; i < f->n && f->running < f->h->options.jobs; i++) {
		struct transfer *t = &f->v[i];

		if (t->state == WAITING && t->not_before_ns <= now && start(f, t, e) < 0)
			return -1;
	}
	return 0;
}

/* Milliseconds until the next one may start, unless something else comes first. */
static int idle_time(const struct fetch *f)
{
	uint64_t now = now_ns(), soonest = now + (uint64_t)POLL_MS * 1000000;

	for (size_t i = f->first; i < f->n && f->running < f->h->options.jobs; i++) {
		const struct transfer *t = &f->v[i];

		if (t->state == WAITING && t->not_before_ns < soonest)
			soonest = t->not_before_ns;
	}
	return soonest <= now ? 0 : (int)((soonest - now + 999999) / 1000000);
}

/* The attempt of t has ended as libcurl says. */
static int end_attempt(struct fetch *f, struct transfer *t, CURLcode rc, struct err *e)
{
	struct err why = {0};
	int ended = transfer_end(t, (int)rc, &why);

	transfer_stop(t);
	f->running--;
	f->freed = true;
	return settle(f, t, ended, &why, e);
}

static int collect(struct fetch *f, struct err *e)
{
	CURLMsg *message;
	int queued;

	while ((message = curl_multi_info_read(f->h->multi, &queued))) {
		CURLcode rc = message->data.result;
		struct transfer *t;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (end_attempt(f, t, rc, e) < 0)
			return -1;
	}
	for (size_t i = f->first; i < f->n; i++)
		if (transfer_has_stalled(&f->v[i]) &&
			end_attempt(f, &f->v[i], CURLE_OPERATION_TIMEDOUT, e) < 0)
			return -1;
	return 0;
}

/*
 * A connection that has become free is for a transfer that libcurl keeps waiting; where that one
 * stands before the other in its list, it gives it away and then waits for a server to say something.
 */
static CURLMcode wait_for_servers(struct fetch *f)
{
	int timeout_ms = f->freed ? 0 : idle_time(f);
	struct curl_waitfd interrupt = {.fd = interrupt_fd(), .events = CURL_WAIT_POLLIN};
	uint64_t start = now_ns();
	CURLMcode rc =
		curl_multi_poll(f->h->multi, &interrupt, interrupt.fd >= 0, timeout_ms, NULL);

	f->h->waited_ns += now_ns() - start;
	return rc;
}

static void resume_paused(struct fetch *f)
{
	bool woken = atomic_exchange(&f->h->woken, false) || f->h->others_wait;

	f->h->others_wait = false;
	if (!woken)
		return;
	for (size_t i = f->first; i < f->n; i++)
		transfer_resume(&f->v[i]);
}

static int drive(struct fetch *f, struct err *e)
{
	while (f->left) {
		CURLMcode rc;
		int still;

		if (interrupt_check(e) < 0 || start_ready(f, e) < 0)
			return -1;
		resume_paused(f);
		f->freed = false;
		rc = curl_multi_perform(f->h->multi, &still);
		if (rc == CURLM_OK && collect(f, e) < 0)
			return -1;
		log_refresh();
		if (rc == CURLM_OK && f->left)
			rc = wait_for_servers(f);
		if (rc != CURLM_OK)
			return err_set(e, ERR_FAIL, "libcurl failed: %s", curl_multi_strerror(rc));
	}
	return 0;
}

/* What needs no network comes first, in order. */
static int read_files(struct fetch *f, struct err *e)
{
	for (size_t i = 0; i < f->n; i++) {
		struct transfer *t = &f->v[i];

		if (is_local(t->r->url) &&
			(find_places(t, &f->arena, e) < 0 || read_locals(f, t, e) < 0))
			return -1;
	}
	return 0;
}

static void prepare(struct fetch *f, struct http *h, struct http_request *requests, size_t n)
{
	*f = (struct fetch){.h = h, .v = xcalloc(n, sizeof *f->v), .n = n, .left = n};
	for (size_t i = 0; i < n; i++) {
		struct http_request *r = &requests[i];

		r->status = 0;
		r->failed = false;
		r->etag = r->last_modified = r->from = NULL;
		for (size_t k = 0; k < r->n_headers; k++)
			r->headers[k].value = NULL;
		f->v[i] = (struct transfer){.h = h, .r = r, .total = -1};
	}
}

static void release(struct fetch *f)
{
	for (size_t i = 0; i < f->n; i++) {
		struct transfer *t = &f->v[i];

		transfer_stop(t);
		err_release(&t->err);
		for (size_t k = 0; k < t->n_places; k++)
			err_release(&t->failures[k]);
	}
	free(f->v);
	arena_release(&f->arena);
}

int http_fetch(struct http *h, struct http_request *requests, size_t n, struct err *e)
{
	struct sigpipe pipe;
	struct fetch f;
	int rc;

	prepare(&f, h, requests, n);
	rc = read_files(&f, e);
	sigpipe_block(&pipe);
	if (rc == 0)
		rc = drive(&f, e);
	release(&f);
	sigpipe_restore(&pipe);
	return rc;
}
