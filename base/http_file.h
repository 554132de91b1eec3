/* The part of base/http.h that reads file:// URLs; for http.c alone. */
#ifndef BASE_HTTP_FILE_H
#define BASE_HTTP_FILE_H

#include "base/http.h"

/*
 * Hands the file to the writer: 200; 404 where it is absent and may be; -1.  `wait` is called while
 * the writer has no room; *begun says whether it has had anything.
 */
int http_read_file(struct http_request *r, const char *url, void (*wait)(struct http *),
	struct http *h, bool *begun, struct err *e);

#endif
