/* What an environment needs of its host: what is read stays within its limits, and can be compared. */
#include "packer/relocator/host.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *p)
{
	size_t n = strnlen(p, RELOCATE_HOST_VALUE);

	if (n == RELOCATE_HOST_VALUE || strchr(p, '\n'))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct relocate_error e;
	struct relocate_host need;
	const char *const texts[] = {need.target, need.machine, need.glibc, need.kernel, need.cuda};

	if (relocate_host_parse((const char *)data, size, &need, &e) < 0) {
		if (e.status != RELOCATE_DAMAGED)
			abort();
		return 0;
	}
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		check_text(texts[i]);
	if (need.level > 4 || size > RELOCATE_HOST_MAX)
		abort();
	if (relocate_host_version_cmp(need.glibc, need.glibc) != 0 ||
		relocate_host_version_cmp(need.glibc, need.kernel) !=
			-relocate_host_version_cmp(need.kernel, need.glibc))
		abort();
	relocate_host_compare(&need, "/nonexistent", &e);
	return 0;
}
