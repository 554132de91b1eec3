/* Why a transfer failed, for people; for base/http*.c alone. */
#ifndef BASE_HTTP_WORDS_H
#define BASE_HTTP_WORDS_H

#include "base/err.h"

#include <stdbool.h>

/* Each sets ERR_NETWORK; url is without credentials. */
int http_fail_status(const char *url, long status, unsigned attempts, struct err *e);
/*
 * rc is a CURLcode, os_error CURLINFO_OS_ERRNO, detail CURLOPT_ERRORBUFFER, max_redirects what was
 * allowed; verb is what could not be done: "fetch".
 */
int http_fail_transfer(const char *verb, const char *url, int rc, long os_error, const char *detail,
	int max_redirects, struct err *e);
/* May it be otherwise a moment later?  Of a status; of a CURLcode, a connection once there was one. */
bool http_status_may_pass(long status);
bool http_may_pass(int rc);

#endif
