/*
 * A whole package from any bytes: extracted into a folder, its facts computed, as the cache does it.
 * The first byte says what the others are: 'c' a .conda, 'b' a .tar.bz2, 't' the tar of a .conda's
 * files, 'p' its info/paths.json.
 */
#include "base/file.h"
#include "builder/facts.h"
#include "tests/memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static void add_member(struct buf *tar, const char *name, struct str data)
{
	struct member m = {.path = str_of(name), .mode = 0644, .size = data.n};

	tar_header(tar, &m);
	buf_str(tar, data);
	tar_pad(tar, data.n);
}

/* A .conda around a tar of files, or around a list of some. */
static void make_conda(struct str files, struct str listing, struct buf *to)
{
	CLEANUP_BUF info = {0};
	CLEANUP_BUF pkg_zst = {0};
	CLEANUP_BUF info_zst = {0};
	struct err e = {0};

	add_member(&info, "info/index.json",
		STR("{\"name\":\"x\",\"version\":\"1\",\"build\":\"0\"}"));
	add_member(&info, "info/paths.json", listing);
	tar_end(&info);
	zstd_frame(buf_view(&info), 1, &info_zst, &e);
	zstd_frame(files, 1, &pkg_zst, &e);
	struct zip_part parts[] = {{STR("pkg-x-1-0.tar.zst"), buf_view(&pkg_zst)},
		{STR("info-x-1-0.tar.zst"), buf_view(&info_zst)}};
	zip_store(parts, 2, to, &e);
	err_release(&e);
}

static void extract(struct str bytes, const char *fn, const char *dir)
{
	struct arena a = {0};
	struct err e = {0};
	struct memory in = {.rest = bytes};
	const struct package_source from = {.read = read_memory, .ctx = &in, .size = bytes.n};
	const struct record r = {
		.name = STR("x"), .version = STR("1"), .build = STR("0"), .fn = str_of(fn)};
	char *files = path_join(&a, dir, "files");
	struct extraction x;
	struct package p;

	dir_make(files, &e);
	int root = open(files, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (extract_package(&a, &from, fn, root, &x, &e) == 0 &&
		facts_compute(&a, &x, files, root, &r, &p, &e) == 0) {
		struct package again;
		CLEANUP_BUF facts = {0};
		facts_encode(&p, &facts);
		if (facts_decode(&a, buf_view(&facts), &again, &e) < 0)
			abort();
	}
	close(root);
	err_release(&e);
	arena_release(&a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena a = {0};
	CLEANUP_BUF conda = {0};
	CLEANUP_BUF files = {0};
	struct err e = {0};
	const char *temp = getenv("TMPDIR");

	if (size == 0)
		return 0;
	struct str rest = str_n((const char *)data + 1, size - 1);
	if (data[0] == 't')
		make_conda(rest, STR("{\"paths\":[]}"), &conda);
	add_member(&files, "a", STR("/opt/anaconda1anaconda2anaconda3/bin/python"));
	tar_end(&files);
	if (data[0] == 'p')
		make_conda(buf_view(&files), rest, &conda);
	char *dir = dir_temp(&a, temp ? temp : "/tmp", "fuzz", &e);
	if (!dir)
		abort();
	extract(conda.n ? buf_view(&conda) : rest, data[0] == 'b' ? "x-1-0.tar.bz2" : "x-1-0.conda",
		dir);
	dir_remove(dir, NULL);
	arena_release(&a);
	return 0;
}
