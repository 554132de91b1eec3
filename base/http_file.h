/* The part of base/http.h that reads file:// URLs; for http.c alone. */
#ifndef BASE_HTTP_FILE_H
#define BASE_HTTP_FILE_H

#include "base/http.h"

/* Reads it in place and gives the answers that http_fetch gives. */
int http_fetch_file(struct http_request *r, struct err *e);

#endif
