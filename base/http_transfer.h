/*
 * One request's way over the network: attempts at one place, going on where the last one broke off.
 * For http.c alone, which decides when an attempt begins and where; here is what it does.
 *
 *	transfer_start -> (libcurl: on_body) -> transfer_end -> transfer_stop -> again, or not
 */
#ifndef BASE_HTTP_TRANSFER_H
#define BASE_HTTP_TRANSFER_H

#include "base/http.h"
#include "base/http_auth.h"
#include "base/http_credentials.h"
#include "base/http_mirrors.h"

#include <stdatomic.h>

enum { DETAIL_MAX = 256 }; /* CURL_ERROR_SIZE */

struct http {
	struct http_options options;
	void *multi;        /* CURLM */
	struct arena arena; /* the requests' etags, the credentials, the mirrors */
	struct credentials credentials;
	struct mirrors mirrors;
	struct auths auths;
	struct {
		struct proxy_rule {
			struct str beginning; /* "https://host" */
			const char *proxy;
		} * v;
		size_t n, cap;
	} proxies;
	const char *ca_file; /* NULL: libcurl's own */
	bool answered;       /* some server has answered: the network is there */
	atomic_bool woken;
	bool others_wait; /* it was woken for a file's writer, and has not looked at the others */
	/* How long it has waited for servers: our own work is not held against them. */
	uint64_t waited_ns;
};

enum state { WAITING, RUNNING, ENDED };

/* What is done with the body of this attempt's answer. */
enum body {
	BODY_NOT_SEEN,
	BODY_TAKEN,
	BODY_REFUSED, /* not the part that was asked for */
	BODY_FAILED,  /* the caller's restart failed, or there is none: `err` */
};

struct transfer {
	struct http *h;
	struct http_request *r;
	enum state state;
	/* Where it is asked for, and what the places before it said. */
	struct place *places;
	size_t n_places, at;
	struct err *failures;
	bool missing;      /* one of them, not the origin, has no such file */
	bool missing_here; /* this one */
	/* What has been received. */
	bool begun;        /* the caller has had some of it */
	uint64_t received; /* by the caller, from the body's beginning */
	int64_t total;     /* of the whole body; -1: not known */
	char *validator;   /* range_validator(); NULL: it cannot go on */
	bool continued;    /* it was put together from several answers */
	bool no_ranges;    /* this place's have been wrong */
	bool doubted;      /* fetched anew because of a wrong content */
	/* The attempts here. */
	unsigned attempts;      /* without bytes that count */
	uint64_t not_before_ns; /* of the next */
	void *easy;             /* CURL */
	void *headers;          /* struct curl_slist */
	uint64_t asked_from;
	enum body body;
	uint64_t ignored; /* bytes of an error page */
	bool paused;
	bool asked;           /* the request is on its way: from now on the server is to answer */
	uint64_t heard_at;    /* http.waited_ns when it last did */
	uint64_t heard_bytes; /* since then */
	char detail[DETAIL_MAX];
	struct err err; /* what the caller's write or restart said */
};

static inline const char *transfer_url(const struct transfer *t)
{
	return t->places[t->at].url;
}

/* Waits for http_wake(), but not for ever. */
void http_wait(struct http *h);
/* Begins an attempt at this place: hands it to libcurl. */
void transfer_start(struct transfer *t);
/* Frees what libcurl has of it. */
void transfer_stop(struct transfer *t);
/*
 * The attempt is over with the CURLcode rc.  0: state is ENDED (answered, the caller's `done` has
 * agreed) or WAITING (to be tried again here); -1: it failed for good at this place.
 */
int transfer_end(struct transfer *t, int rc, struct err *e);
/* Ends it with an answer that needs no more of the body. */
int transfer_answer(struct transfer *t, int status, struct err *e);
/* Begins the body anew; -1 where the caller cannot. */
int transfer_restart(struct transfer *t, struct err *e);
/* Has the server been silent for too long?  Then transfer_end() it, as timed out. */
bool transfer_has_stalled(const struct transfer *t);
/* The writer may have room again. */
void transfer_resume(struct transfer *t);

#endif
