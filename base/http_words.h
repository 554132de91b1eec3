/* Why a transfer failed, for people; for http.c alone. */
#ifndef BASE_HTTP_WORDS_H
#define BASE_HTTP_WORDS_H

#include "base/err.h"

/* Each sets ERR_NETWORK; url is without credentials. */
int http_fail_status(const char *url, long status, unsigned attempts, struct err *e);
/*
 * rc is a CURLcode, os_error CURLINFO_OS_ERRNO, detail CURLOPT_ERRORBUFFER, max_redirects what was
 * allowed.
 */
int http_fail_transfer(const char *url, int rc, long os_error, const char *detail,
	int max_redirects, struct err *e);

#endif
