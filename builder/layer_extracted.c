/*
 * A package that conda or mamba left extracted in its pkgs folder becomes an entry of ours.
 *
 * The package file is not there, so its sum cannot be computed.  What can be held against each
 * other: info/repodata_record.json must name the sum that the channel gives, and every file that
 * info/paths.json lists must have the sum that stands there.  Only these and info/ are taken.
 */
#include "base/file.h"
#include "base/json.h"
#include "builder/beneath.h"
#include "builder/binaries.h"
#include "builder/extract.h"
#include "builder/layer.h"
#include "builder/listing.h"
#include "builder/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_RECORD = 1 << 20, MAX_INFO = 100000 };

struct taking {
	struct extraction *out;
	const char *files; /* the new entry's */
	struct beneath from, to;
	size_t n_info;
};

/* --- is it this package? ------------------------------------------------------------------ */

struct sums {
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	bool has_sha256, has_md5;
};

static int read_sums(struct str text, struct sums *out, struct err *e)
{
	struct json *j = json_open_text(text, "info/repodata_record.json");
	enum json_type t = json_next(j);
	int rc = t == JSON_OBJECT ? 0 : json_fail(j, e, "no object");

	while (rc == 0 && (t = json_next(j)) == JSON_KEY) {
		bool sha256 = str_is(json_text(j), "sha256"), md5 = str_is(json_text(j), "md5");

		t = json_next(j);
		if (sha256 && t == JSON_STRING)
			out->has_sha256 = hex_decode(json_text(j), out->sha256, SHA256_LEN) == 0;
		else if (md5 && t == JSON_STRING)
			out->has_md5 = hex_decode(json_text(j), out->md5, MD5_LEN) == 0;
		else if (json_skip_rest(j, t) < 0)
			break;
	}
	if (rc == 0 && t != JSON_OBJECT_END)
		rc = json_error(j, e);
	json_close(j);
	return rc;
}

static int check_identity(
	struct arena *a, int dir, const struct record *r, struct extraction *out, struct err *e)
{
	struct sums s = {0};
	struct str text;
	int found = info_read(a, dir, "repodata_record.json", MAX_RECORD, &text, e);

	if (found < 0 || (found && read_sums(text, &s, e) < 0))
		return -1;
	if (!s.has_sha256)
		return err_set(e, ERR_INTEGRITY, "info/repodata_record.json names no sha256");
	if (r->has_sha256 ? memcmp(s.sha256, r->sha256, SHA256_LEN) != 0
			  : !r->has_md5 || !s.has_md5 || memcmp(s.md5, r->md5, MD5_LEN) != 0)
		return err_set(
			e, ERR_INTEGRITY, "info/repodata_record.json names another package's sum");
	memcpy(out->sums.sha256, s.sha256, SHA256_LEN);
	return 0;
}

/* --- taking what it holds ----------------------------------------------------------------- */

static struct extracted *enter(struct taking *t, struct str path, const struct stat *st)
{
	struct extraction *x = t->out;

	path = arena_str(x->arena, path);
	table_put(&x->by_path, path)->num = x->n;
	struct extracted *f = VEC_PUSH(x->arena, x);
	*f = (struct extracted){.path = path,
		.mode = (st->st_mode & 0755) | 0400,
		.size = S_ISREG(st->st_mode) ? (uint64_t)st->st_size : 0,
		.mtime = lasting_time(st->st_mtime)};
	return f;
}

/* What is summed is the copy: nobody else writes to it. */
static int sum_copy(struct taking *t, struct extracted *f, struct err *e)
{
	struct arena a = {0};
	struct str data;
	int rc = file_map(path_join(&a, t->files, arena_cstr(&a, f->path)), &data, e);

	if (rc == 0) {
		f->size = data.n;
		f->suspect = scan_suspect(data);
		f->may_be_elf = binary_magic(data);
		sha256_of(data.p, data.n, f->sha256);
		file_unmap(data);
	}
	arena_release(&a);
	return rc;
}

static int take_file(struct taking *t, int from_dir, const char *from_name, int to_dir,
	const char *name, struct extracted *f, struct err *e)
{
	CLEANUP_FD from =
		openat(from_dir, from_name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	CLEANUP_FD to =
		openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	struct timespec times[2] = {{.tv_sec = f->mtime}, {.tv_sec = f->mtime}};

	if (from < 0 || to < 0)
		return err_sys(e, "cannot copy it");
	if (fd_copy(from, to, e) < 0 || sum_copy(t, f, e) < 0)
		return -1;
	if (fchmod(to, f->mode) < 0 || futimens(to, times) < 0)
		return err_sys(e, "cannot set mode and time");
	return 0;
}

static int take_link(int from_dir, const char *from_name, int to_dir, const char *name,
	struct taking *t, struct extracted *f, struct err *e)
{
	char link[BENEATH_PATH_MAX];
	ssize_t n = readlinkat(from_dir, from_name, link, sizeof link - 1);

	if (n <= 0 || n == (ssize_t)sizeof link - 1)
		return err_sys(e, "cannot read the link");
	f->type = PATH_SOFTLINK;
	f->mode = 0777;
	f->link = arena_str(t->out->arena, str_n(link, (size_t)n));
	if (symlinkat(f->link.p, to_dir, name) < 0)
		return err_sys(e, "cannot create the link");
	return 0;
}

/* Copies one path; *out is NULL where it is not there. */
static int take_path(struct taking *t, struct str path, struct extracted **out, struct err *e)
{
	char from_name[256], name[256];
	struct stat st;
	int from = beneath_parent(&t->from, path, from_name, e);

	*out = NULL;
	if (from < 0)
		return -1;
	if (fstatat(from, from_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot look at it");
	if (S_ISDIR(st.st_mode)) {
		*out = enter(t, path, &st);
		(*out)->type = PATH_DIRECTORY;
		(*out)->mode = 0755;
		return beneath_mkdir(&t->to, path, e);
	}
	int to = beneath_parent(&t->to, path, name, e);
	if (to < 0)
		return -1;
	*out = enter(t, path, &st);
	if (S_ISREG(st.st_mode))
		return take_file(t, from, from_name, to, name, *out, e);
	if (S_ISLNK(st.st_mode))
		return take_link(from, from_name, to, name, t, *out, e);
	return err_set(e, ERR_INTEGRITY, "it is neither file, folder nor link");
}

static int take_listed(struct taking *t, const struct listed *l, struct err *e)
{
	struct extracted *f;

	if (take_path(t, l->path, &f, e) < 0)
		return err_wrap(e, "'%.*s'", STR_ARG(l->path));
	if (!f || f->type != PATH_FILE)
		return 0; /* facts_compute() knows what may be missing */
	if (!l->has_sha256 || memcmp(l->sha256, f->sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "'%.*s' is not what info/paths.json lists",
			STR_ARG(l->path));
	return 0;
}

static int visit_info(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct taking *t = ctx;
	struct arena a = {0};
	struct extracted *f;
	int rc = 0;

	if (++t->n_info > MAX_INFO)
		return err_set(e, ERR_INTEGRITY, "over %d files in info/", MAX_INFO);
	/* What conda wrote there is of its own cache, not of the package. */
	if (S_ISREG(st->st_mode) && strcmp(rel, "repodata_record.json") != 0)
		rc = take_path(t, arena_strf(&a, "info/%s", rel), &f, e);
	arena_release(&a);
	return rc;
}

static int take_info(struct taking *t, int dir, struct err *e)
{
	CLEANUP_FD info = openat(dir, "info", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (info < 0)
		return err_sys(e, "cannot open info/");
	return dir_walk(info, visit_info, t, e) != 0 ? -1 : 0;
}

static int take_all(struct arena *a, struct taking *t, int dir, struct err *e)
{
	struct listing listing = {0};
	struct str text;
	int found = info_read(a, dir, "paths.json", 512 << 20, &text, e);

	if (found <= 0)
		return found < 0 ? -1
				 : err_set(e, ERR_INTEGRITY,
					   "it has no info/paths.json to hold its files against");
	if (listing_read(a, dir, &listing, e) < 0 || take_info(t, dir, e) < 0)
		return -1;
	for (size_t i = 0; i < listing.n; i++)
		if (!str_starts(listing.v[i].path, STR("info/")) &&
			take_listed(t, &listing.v[i], e) < 0)
			return -1;
	return 0;
}

int layer_take_extracted(struct arena *a, const struct record *r, const char *dir,
	const char *files, struct extraction *out, struct err *e)
{
	struct taking t = {.out = out, .files = files};

	*out = (struct extraction){.arena = a, .by_path = {.arena = a}};
	CLEANUP_FD from = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD to = open(files, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return err_sys(e, "cannot open '%s'", from < 0 ? dir : files);
	if (check_identity(a, from, r, out, e) < 0)
		return -1;
	beneath_init(&t.from, from, false);
	beneath_init(&t.to, to, true);
	int rc = take_all(a, &t, from, e);
	beneath_release(&t.from);
	beneath_release(&t.to);
	return rc;
}
