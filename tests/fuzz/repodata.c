/*
 * repodata.json: any text is refused in words or gives an index whose records can be parsed and
 * solved for, without reading out of bounds.
 */
#include "base/file.h"
#include "solver/universe.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RECORDS_MAX = 200, SOLVES_MAX = 3, LARGEST = 1 << 16 };

static void solve_for(const struct index *ix, const struct channel *channel, struct str name)
{
	const struct str offered[] = {STR_INIT("__glibc=2.17"), STR_INIT("__unix=0")};
	const struct spec_line line = {.text = name, .line = 1, .column = 1};
	const struct solve_request request = {.channels = channel,
		.n_channels = 1,
		.priority = PRIORITY_STRICT,
		.subdir = STR("linux-64"),
		.virtual_packages = offered,
		.n_virtual_packages = 2,
		.specs = &line,
		.n_specs = 1,
		.file = "f",
		.target = "t"};
	struct arena a = {0};
	struct solution s = {0};
	struct err e = {0};

	if (solve_index(&a, &request, ix, &s, &e) == 0)
		assert(s.n > 0);
	else
		assert(e.code == ERR_UNSAT || e.code == ERR_INPUT || e.code == ERR_INTEGRITY);
	err_release(&e);
	arena_release(&a);
}

static void use(const struct index *ix, const struct channel *channel)
{
	struct arena a = {0};

	for (size_t i = 0; i < ix->n_places && i < RECORDS_MAX; i++) {
		struct record r;
		struct err e = {0};

		if (record_parse(&a, ix, &ix->places[i], &r, &e) == 0)
			record_copy(&a, &r);
		else
			assert(e.code == ERR_INTEGRITY && e.text);
		err_release(&e);
	}
	for (size_t i = 0; i < ix->names.n && i < SOLVES_MAX; i++)
		solve_for(ix, channel, ix->names.entries[i].key);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct channel channel = {.name = STR("c"), .url = STR("https://h/c")};
	struct index *ix;
	struct err e = {0};
	char path[64];
	int fd;

	if (size > LARGEST)
		return 0;
	fd = memfd_create("repodata", MFD_CLOEXEC);
	if (fd < 0 || write_full(fd, data, size, NULL) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	ix = index_new();
	if (index_add_file(ix, path, &channel, 0, STR("linux-64"), &e) == 0)
		use(ix, &channel);
	else
		assert(e.code == ERR_INTEGRITY);
	err_release(&e);
	index_free(ix);
	close(fd);
	return 0;
}
