/* release.json of any bytes: its names lead nowhere else, and it is read again as it was written. */
#include "base/file.h"
#include "base/http.h"
#include "base/http_netrc.h"
#include "packer/publish_index.h"
#include "packer/publish_set.h"

#include <stdlib.h>

static void check_again(struct arena *a, const struct dir_release *r)
{
	CLEANUP_BUF once = {0}, twice = {0};
	struct dir_release again;

	dir_release_write(r, &once);
	if (dir_release_parse(a, buf_view(&once), "r", &again, NULL) < 0)
		abort();
	dir_release_write(&again, &twice);
	if (!str_eq(buf_view(&once), buf_view(&twice)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct dir_release r;
	struct arena a = {0};
	struct err e = {0};

	if (dir_release_parse(&a, text, "r", &r, &e) == 0) {
		for (size_t i = 0; i < r.files.n; i++)
			if (!path_is_safe(r.files.v[i].name) ||
				str_chr(r.files.v[i].name, '/') >= 0)
				abort();
		check_again(&a, &r);
	} else if (e.code != ERR_INTEGRITY) {
		abort();
	}
	err_release(&e);
	publish_tag_is_good(arena_cstr(&a, text));
	netrc_find(&a, text, "git.example");
	arena_release(&a);
	return 0;
}
