#include "base/http_words.h"

#include "base/buf.h"

#include <curl/curl.h>
#include <errno.h>

static const char *status_name(long status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {{206, "partial content, which was not asked for"}, {400, "bad request"},
		{401, "unauthorized"}, {403, "forbidden"}, {404, "not found"},
		{407, "proxy authentication required"}, {408, "request timeout"}, {410, "gone"},
		{416, "range not satisfiable"}, {429, "too many requests"},
		{451, "unavailable for legal reasons"}, {500, "internal server error"},
		{501, "not implemented"}, {502, "bad gateway"}, {503, "service unavailable"},
		{504, "gateway timeout"}};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].status == status)
			return names[i].name;
	return "not what was asked for";
}

int http_fail_status(const char *url, long status, unsigned attempts, struct err *e)
{
	err_set(e, ERR_NETWORK, "cannot fetch '%s': HTTP %ld %s", url, status, status_name(status));
	if (status == 401 || status == 403)
		err_advise(e, "if this server asks who you are, put the credentials into ~/.netrc, "
			      "the file that ENVBUILD_AUTH_FILE names, or the URL (USER:PASSWORD@ "
			      "before the host, or /t/TOKEN/ before the path)");
	if (attempts > 1)
		err_advise(e, "it was tried %u times; try again later", attempts);
	return -1;
}

static void describe(int rc, long os_error, const char *detail, int max_redirects, struct buf *to)
{
	switch (rc) { /* a few of some hundred */
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
		buf_printf(to, "more than %d redirects", max_redirects);
		break;
	case CURLE_PARTIAL_FILE:
		buf_puts(to, "the connection ended before the file did");
		break;
	case CURLE_RANGE_ERROR:
		buf_puts(to, "the server sent another part of the file than was asked for");
		break;
	case CURLE_UNSUPPORTED_PROTOCOL:
		buf_puts(to, "a URL or redirect that is not http(s), or leads from https to http");
		break;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
		buf_printf(to, "no secure connection: %s",
			*detail ? detail : curl_easy_strerror((CURLcode)rc));
		break;
	default:
		buf_puts(to, curl_easy_strerror((CURLcode)rc));
	}
}

bool http_status_may_pass(long status)
{
	return status == 408 || status == 429 || (status >= 500 && status != 501);
}

bool http_may_pass(int rc)
{
	switch (rc) { /* a few of some hundred */
	case CURLE_OPERATION_TIMEDOUT:
	case CURLE_PARTIAL_FILE:
	case CURLE_RANGE_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
	case CURLE_SSL_CONNECT_ERROR:
		return true;
	default:
		return false;
	}
}

int http_fail_transfer(const char *verb, const char *url, int rc, long os_error, const char *detail,
	int max_redirects, struct err *e)
{
	CLEANUP_BUF why = {0};

	describe(rc, os_error, detail, max_redirects, &why);
	err_set(e, ERR_NETWORK, "cannot %s '%s': %s", verb, url, why.p);
	if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE)
		err_advise(e, "name a file with the right CA certificates in SSL_CERT_FILE");
	return -1;
}
