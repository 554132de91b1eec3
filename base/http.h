/*
 * Fetching over http(s):// and file:// with libcurl's multi interface.
 *
 *	struct http *h = http_new(&options);
 *	http_add_mirror(h, "https://conda.anaconda.org/conda-forge", "https://mirror/conda-forge");
 *	http_fetch(h, requests, n, &e);
 *	http_free(h);
 *
 * Up to `jobs` transfers at once over at most `per_host` connections to one host (HTTP/2 shares
 * one); redirects are followed (10 at most, never from http(s) to file, never from https to http).
 * User name and password in a URL, /t/TOKEN/ and query strings never appear in a message:
 * http_redact().
 *
 * A transfer that failed for a reason that may pass (5xx, 408, 429, a dropped or stalled
 * connection) is tried again up to `retries` times with a growing pause; an attempt that brought
 * bytes which need not be fetched again begins a new count.  What was received is kept where the
 * server can go on (RFC 9110 section 14: a strong ETag, or a Last-Modified that is as good, sent as
 * If-Range), else everything is fetched anew.  A refused connection or an unknown host is tried
 * again only where this http has had an answer before, so that a machine without network hears it
 * at once.
 *
 * A URL with mirrors is asked for at one place after the other, until one has given it whole and
 * its writer has accepted it; docs/design/download.md has the rules.
 *
 * Credentials come from the URL, http_add_credentials(), http_read_auth() or netrc ($NETRC, else
 * ~/.netrc), the first of these that has some.  A redirect to another host takes none along.  Proxies
 * come from http_add_proxy(), else from the usual variables; certificates from $SSL_CERT_FILE, $CURL_CA_BUNDLE or
 * $REQUESTS_CA_BUNDLE, else the system's.  One thread at a time, but for http_wake().
 */
#ifndef BASE_HTTP_H
#define BASE_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct http;

struct http_options {
	unsigned jobs;     /* 0: 8 */
	unsigned per_host; /* 0: 6 */
	unsigned retries;  /* 0: 3 */
	bool no_retries;
	unsigned stall_s;   /* less than a kilobyte in so long: dropped; 0: 30 */
	unsigned connect_s; /* until a connection stands; 0: 20 */
	unsigned pause_ms;  /* before the first retry; 0: 300 */
	bool offline;       /* anything but file:// fails at once with ERR_NETWORK */
};

enum { HTTP_FULL = 1 };

struct http_header {
	const char *name;
	char *value; /* of several of that name all, with ", " between; NULL: not sent */
};

struct http_request {
	const char *url;
	/* Conditional: sent when not NULL. */
	const char *if_none_match, *if_modified_since;
	/*
	 * Headers, sent when not NULL.  The second goes to the URL's own host alone, no mirror and no
	 * other host that it redirects to, and instead of all credentials that are known for it.
	 */
	const char *accept, *authorization;
	/*
	 * Called with the body's bytes in order.  HTTP_FULL: there is no room now, and the same bytes
	 * come again after http_wake(); the other transfers go on meanwhile, and a server that waits is
	 * not taken for one that stalls.  -1 with *e set ends this transfer; ERR_INTEGRITY only at this
	 * place, if there are others that may have it.
	 */
	int (*write)(void *ctx, const void *p, size_t n, struct err *e);
	/*
	 * Takes everything back: the body begins again.  Also after `write` or `done` has failed with
	 * ERR_INTEGRITY, before another place (or the same, once more) is asked.  NULL: what has begun
	 * is not begun again.
	 */
	int (*restart)(void *ctx, struct err *e);
	/*
	 * Called when all has been received (also 304, 404 with allow_missing); -1 as for `write`.  May
	 * be NULL.
	 */
	int (*done)(void *ctx, struct err *e);
	void *ctx;
	uint64_t max_bytes; /* more is ERR_INTEGRITY; 0: no limit */
	bool allow_missing; /* 404 and 410 (file://: absent) are an answer, not an error */
	/*
	 * So are other statuses from 400 to 499 that do not pass by themselves: some stores say 403 of
	 * what is absent, and what they do not know.
	 */
	bool allow_refused;
	/* So is 401 of the host that was asked, none that it redirects to, as 401: for who answers its
	 * challenge. */
	bool allow_unauthorized;
	/* Headers of the answer that are wanted; the values are in the http's memory until http_free. */
	struct http_header *headers;
	size_t n_headers;
	/* Answers, valid after http_fetch. */
	bool failed; /* this is the one that ended the fetch */
	/* 200, 304, 404 (absent), 401, 403 (otherwise refused); file:// gives 200 or 404; 0: not ended */
	int status;
	/* In the http's memory until http_free; NULL if not sent. */
	char *etag, *last_modified;
	char *from; /* the URL that gave it, a mirror's maybe; no credentials */
};

struct http *http_new(const struct http_options *options);
void http_free(struct http *h);
/* The file of certificates that the caller names in these variables, or NULL; static. */
const char *http_ca_variable(void);
/*
 * fetch_url is url with credentials; they go with each later request for what lies below url and
 * brings none of its own.  Of several the longest url counts, of the same url the last.
 */
void http_add_credentials(struct http *h, const char *url, const char *fetch_url);
/*
 * Reads a file of credentials by host (http_auth.h).  ERR_INPUT; what it holds is in no message.
 */
int http_read_auth(struct http *h, const char *path, struct err *e);
/*
 * What begins with "http://HOST" or "https://HOST" is asked for over this proxy ("": none), unless
 * no_proxy has the host.
 */
void http_add_proxy(struct http *h, const char *beginning, const char *proxy);
/*
 * What lies below url may be fetched below mirror (http, https or file; with its own credentials),
 * too.  Several are asked in the order in which they were added, the url itself first.
 */
void http_add_mirror(struct http *h, const char *url, const char *mirror);
/* The url itself is not asked, only its mirrors, unless it is among them: add it before or after. */
void http_only_mirrors(struct http *h, const char *url);
/* What `from` gave was wrong: later requests ask it last. */
void http_distrust(struct http *h, const char *from);
/* How many transfers may run at once from now on; returns what was so far. */
unsigned http_set_jobs(struct http *h, unsigned jobs);
/* From any thread: the writers that said HTTP_FULL may have room again. */
void http_wake(struct http *h);
/* Runs all; ends at the first that failed for good (ERR_NETWORK; the text names URL and cause). */
int http_fetch(struct http *h, struct http_request *requests, size_t n, struct err *e);
/* One small body into memory. */
int http_get(struct http *h, struct arena *a, const char *url, uint64_t max_bytes, struct str *body,
	struct err *e);
/* The URL without credentials and query; a file:// URL and what is no URL are left as they are. */
char *http_redact(struct arena *a, const char *url);
/* The text without user names and passwords in its http(s) URLs; all else stays. */
struct str http_redact_text(struct arena *a, struct str text);
/* file:// URL of an absolute path (percent-encoded), and back (NULL: not file://, or relative). */
char *url_of_path(struct arena *a, const char *absolute);
char *path_of_url(struct arena *a, const char *url);
/* A URL path component, percent-encoded as conda does for file names. */
char *url_encode(struct arena *a, struct str component);
/* Adds it with all but letters, digits and "-._~" percent-encoded: right in each part of a URL. */
void url_escape(struct buf *to, struct str s);
/* dir + "/" + rel with exactly one slash between. */
char *url_join(struct arena *a, const char *base, const char *rel);
/*
 * What a reference in the document at `base` means (RFC 3986, section 5.2): absolute, or relative
 * to the base's folder, host or scheme; "." and ".." are resolved.  NULL where the base is needed and
 * not absolute.
 */
char *url_resolve(struct arena *a, const char *base, struct str reference);
/* Have both the same scheme, host and port, as they are written? */
bool url_same_host(const char *a, const char *b);

#endif
