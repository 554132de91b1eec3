/* What stands in the store for a name and for a tree, as anybody might have written it. */
#include "base/file.h"
#include "images/store.h"

#include <stdlib.h>
#include <unistd.h>

static char dir[] = "/dev/shm/fuzz_paper.XXXXXX";
static const char tree[] = "trees/0000000000000000000000000000000000000000000000000000000000000000";

static void remove_store(void)
{
	struct err e = {0};

	dir_remove(dir, &e);
	err_release(&e);
}

static void make_store(struct arena *a)
{
	struct err e = {0};

	if (dir[sizeof dir - 2] != 'X')
		return;
	if (!mkdtemp(dir) || dir_make(path_join(a, dir, "names"), &e) < 0 ||
		dir_make(path_join(a, dir, tree), &e) < 0)
		abort();
	atexit(remove_store);
}

static void write_paper(struct arena *a, const char *rel, struct str text)
{
	struct err e = {0};

	if (file_write(path_join(a, dir, rel), text, 0600, &e) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	struct err e = {0};
	struct str text = str_n((const char *)data, size);
	struct store store = {.dir = dir};
	struct image image, *all;
	size_t n;

	setenv("ENVBUILD_NO_FSYNC", "1", 1);
	make_store(&a);
	write_paper(&a, "names/x", text);
	write_paper(&a, arena_printf(&a, "%s/facts", tree), text);
	if (store_find(&a, &store, "x", &image, &e) > 0 &&
		(image.digest.n != 71 || !str_is(image.name, "x")))
		abort();
	err_release(&e);
	if (store_list(&a, &store, &all, &n, &e) == 0 && n > 1)
		abort();
	err_release(&e);
	arena_release(&a);
	return 0;
}
