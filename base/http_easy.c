#include "base/http_easy.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>

/* Programs that we start must not hold our connections. */
static int on_socket(void *ctx, curl_socket_t fd, curlsocktype purpose)
{
	(void)ctx;
	(void)purpose;
	return fcntl(fd, F_SETFD, FD_CLOEXEC) < 0 ? CURL_SOCKOPT_ERROR : CURL_SOCKOPT_OK;
}

/* The longest beginning counts. */
static void set_proxy(const struct http *h, CURL *c, const char *with_credentials)
{
	CLEANUP_ARENA scratch = {0};
	struct str url = str_of(http_redact(&scratch, with_credentials));
	const struct proxy_rule *best = NULL;

	for (size_t i = 0; i < h->proxies.n; i++) {
		const struct proxy_rule *r = &h->proxies.v[i];

		if (str_starts(url, r->beginning) && url.n > r->beginning.n &&
			strchr(":/", url.p[r->beginning.n]) &&
			(!best || r->beginning.n > best->beginning.n))
			best = r;
	}
	if (best)
		curl_easy_setopt(c, CURLOPT_PROXY, best->proxy);
}

void http_easy_prepare(const struct http *h, void *c, const char *url)
{
	bool secure = strncasecmp(url, "https:", 6) == 0;

	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 256L << 10);
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, (long)h->options.connect_s);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "envbuild/" ENVBUILD_VERSION);
	curl_easy_setopt(c, CURLOPT_SOCKOPTFUNCTION, on_socket);
	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(c, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
	if (h->ca_file)
		curl_easy_setopt(c, CURLOPT_CAINFO, h->ca_file);
	if (secure)
		curl_easy_setopt(c, CURLOPT_PIPEWAIT, 1L);
	set_proxy(h, c, url);
}

void http_easy_header(void **list, const char *name, const char *value)
{
	CLEANUP_BUF b = {0};

	if (!value || strpbrk(value, "\r\n"))
		return;
	buf_printf(&b, "%s: %s", name, value);
	*list = curl_slist_append(*list, b.p);
}

void sigpipe_block(struct sigpipe *s)
{
	sigemptyset(&s->only);
	sigaddset(&s->only, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &s->only, &s->old);
}

void sigpipe_restore(const struct sigpipe *s)
{
	struct timespec now = {0};

	if (sigismember(&s->old, SIGPIPE))
		return;
	while (sigtimedwait(&s->only, NULL, &now) < 0 && errno == EINTR)
		;
	pthread_sigmask(SIG_SETMASK, &s->old, NULL);
}
