/* Wheels over any bytes: read or refused as ERR_INTEGRITY, and every path of one is safe. */
#include "builder/wheel.h"
#include "base/file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_paths(const struct wheel *w)
{
	for (size_t i = 0; i < w->n_paths; i++)
		if (!path_is_safe(w->paths[i]) || (i && str_cmp(w->paths[i - 1], w->paths[i]) >= 0))
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct python py = {.major = 3,
		.minor = 6,
		.site_packages = STR("lib/python3.6/site-packages"),
		.program = STR("bin/python3.6")};
	int fd = memfd_create("wheel", MFD_CLOEXEC);
	struct arena a = {0};
	struct err e = {0};
	struct wheel w;
	char path[64];

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (wheel_read(&a, path, "x-1.0-py3-none-any.whl", &py, &w, &e) == 0)
		check_paths(&w);
	else if (e.code != ERR_INTEGRITY)
		abort();
	err_release(&e);
	arena_release(&a);
	close(fd);
	return 0;
}
