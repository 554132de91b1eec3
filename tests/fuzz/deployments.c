/* The log of deployments: any bytes are read or refused; what was read is written and read again. */
#include "packer/deploy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct deploy_log log, again;
	struct err e = {0};
	CLEANUP_BUF text = {0};

	if (deploy_log_parse(&a, str_n((const char *)data, size), "fuzz", &log, &e) == 0) {
		for (size_t i = 0; i < log.n; i++)
			deployment_write(&log.v[i], &text);
		if (deploy_log_parse(&a, buf_view(&text), "again", &again, &e) < 0 ||
			again.n != log.n || again.torn)
			abort();
	} else if (e.code != ERR_INTEGRITY) {
		abort();
	}
	err_release(&e);
	arena_release(&a);
	return 0;
}
