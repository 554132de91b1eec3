/* Environment files and envbuild.yml: any bytes are read or refused as ERR_INPUT. */
#include "solver/envfile.h"
#include "base/file.h"
#include "base/log.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_FD fd = memfd_create("environment.yml", MFD_CLOEXEC);
	struct settings settings;
	struct arena a = {0};
	struct envfile env;
	struct err e = {0};
	char *path;

	log_setup((struct log_options){.quiet = true});
	if (fd < 0 || write_full(fd, data, size, NULL) < 0)
		abort();
	path = arena_printf(&a, "/proc/self/fd/%d", fd);
	if (envfile_read(&a, path, "linux-64", &env, &e) < 0 && e.code != ERR_INPUT)
		abort();
	err_release(&e);
	if (settings_read(&a, path, &settings, &e) < 0 && e.code != ERR_INPUT)
		abort();
	err_release(&e);
	arena_release(&a);
	return 0;
}
