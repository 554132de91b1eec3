/* Logins of indexes for pip (pip_netrc.c). */
#ifndef BUILDER_PIP_NETRC_H
#define BUILDER_PIP_NETRC_H

#include "builder/pip.h"

/*
 * Takes user names and passwords out of the URLs and writes them into the netrc of the run's home.
 * What netrc cannot say stays in its URL: another login of one host, strange characters, a name alone.
 */
int pip_netrc(struct pip_work *w, struct pip_options *options, struct err *e);

#endif
