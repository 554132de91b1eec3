/*
 * What pip writes of a run into dist-info, made the same for every run: RECORD follows the order of
 * a folder, direct_url.json names a folder of ours, and sums are of files that hold the prefix.
 */
#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/json.h"
#include "builder/dist.h"

#include <stdlib.h>

struct rows {
	struct str *v;
	size_t n, cap;
};

/* PEP 610.  Of others than commits a lock does not tell whether they were named by URL. */
static bool direct_url(struct arena *a, const struct pypi_package *k, struct buf *to)
{
	struct json_out w = {.to = to};
	struct pypi_git git;

	if (pypi_git_split(a, k->url, &git) < 0)
		return false;
	jw_object(&w);
	if (git.subdirectory.n) {
		jw_key(&w, "subdirectory");
		jw_str(&w, git.subdirectory);
	}
	jw_key(&w, "url");
	jw_cstr(&w, http_redact(a, arena_cstr(a, git.url)));
	jw_key(&w, "vcs_info");
	jw_object(&w);
	jw_key(&w, "commit_id");
	jw_str(&w, git.commit);
	if (git.rev.n) {
		jw_key(&w, "requested_revision");
		jw_str(&w, git.rev);
	}
	jw_key(&w, "vcs");
	jw_cstr(&w, "git");
	jw_object_end(&w);
	jw_object_end(&w);
	return true;
}

/* "sha256=" and the sum in URL-safe base64 without padding, as in RECORD (PEP 376, 427). */
static struct str record_sum(struct arena *a, struct str text)
{
	static const char DIGITS[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	enum { TEXT = 43, GROUPS = 11 };
	uint8_t sum[GROUPS * 3] = {0};
	char coded[GROUPS * 4];

	sha256_of(text.p, text.n, sum);
	for (size_t i = 0; i < GROUPS; i++) {
		uint32_t v =
			(uint32_t)sum[3 * i] << 16 | (uint32_t)sum[3 * i + 1] << 8 | sum[3 * i + 2];

		for (size_t m = 0; m < 4; m++)
			coded[4 * i + m] = DIGITS[v >> (18 - 6 * m) & 63];
	}
	return arena_strf(a, "sha256=%.*s", (int)TEXT, coded);
}

/*
 * A row whose file holds the prefix, as it is where the prefix is the usual one: without a sandbox
 * it is another, and an archive does not depend on that.
 */
static struct str usual_row(struct prefix *p, struct str row)
{
	CLEANUP_ARENA scratch = {0};
	const char *prefix = p->request->prefix_inside;
	struct str path = prefix_path_resolve(
		&scratch, p->python.site_packages, record_row_path(&scratch, row));
	ptrdiff_t sum = str_find(row, STR(",sha256="));
	struct str data;

	if (path.n == 0 || sum < 0 || !prefix_is_file(p, path) ||
		strlen(prefix) != strlen(BUILD_PREFIX) ||
		file_read_at(&scratch, p->fd, arena_cstr(&scratch, path), SIZE_MAX, &data, NULL) <
			0 ||
		str_find(data, str_of(prefix)) < 0)
		return row;
	char *text = arena_cstr(&scratch, data), *end = text + data.n;
	for (char *at = text; (at = memmem(at, (size_t)(end - at), prefix, strlen(prefix)));)
		memcpy(at, BUILD_PREFIX, strlen(prefix));
	return arena_strf(p->arena, "%.*s,%.*s,%zu", (int)sum, row.p,
		STR_ARG(record_sum(&scratch, data.n ? str_n(text, data.n) : data)), data.n);
}

static void collect(struct prefix *p, struct str record, struct rows *rows)
{
	bool usual = !p->request->for_pack || strcmp(p->request->prefix_inside, BUILD_PREFIX) == 0;

	while (record.n) {
		struct str line = str_trim(str_cut(&record, '\n'));

		if (line.n == 0 || str_find(line, STR(".dist-info/direct_url.json,")) >= 0)
			continue;
		*VEC_PUSH(p->arena, rows) = usual ? line : usual_row(p, line);
	}
}

static int put(struct prefix *p, struct str path, const struct buf *text, struct err *e)
{
	return file_write(path_join(p->arena, p->request->prefix, arena_cstr(p->arena, path)),
		buf_view(text), 0644, e);
}

int pip_tidy(
	struct pip_work *w, const struct pypi_package *package, struct str dist_info, struct err *e)
{
	struct prefix *p = w->p;
	struct arena *a = w->arena;
	struct str dir =
		arena_strf(a, "%.*s/%.*s", STR_ARG(p->python.site_packages), STR_ARG(dist_info));
	struct str record = arena_strf(a, "%.*s/RECORD", STR_ARG(dir)), text;
	struct str url = arena_strf(a, "%.*s/direct_url.json", STR_ARG(dir));
	CLEANUP_BUF json = {0}, out = {0};
	struct rows rows = {0};

	if (!prefix_is_file(p, record))
		return err_set(e, ERR_INTEGRITY, "pip installed '%.*s' without '%.*s'",
			STR_ARG(package->name), STR_ARG(record));
	if (file_read_at(a, p->fd, record.p, DIST_RECORD_MAX, &text, e) < 0 ||
		dir_remove_at(p->fd, url.p, e) < 0)
		return -1;
	collect(p, text, &rows);
	if (direct_url(a, package, &json)) {
		*VEC_PUSH(a, &rows) = arena_strf(a, "%.*s/direct_url.json,%.*s,%zu",
			STR_ARG(dist_info), STR_ARG(record_sum(a, buf_view(&json))), json.n);
		if (put(p, url, &json, e) < 0)
			return -1;
	}
	if (rows.n)
		qsort(rows.v, rows.n, sizeof *rows.v, str_cmp_qsort);
	for (size_t i = 0; i < rows.n; i++)
		buf_printf(&out, "%.*s\n", STR_ARG(rows.v[i]));
	return put(p, record, &out, e);
}
