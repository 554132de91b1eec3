/* Channel indexes: asked for, revalidated, or read in place. */
#include "solver/channel.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "solver/channel_cache.h"
#include "solver/index_stream.h"

#include <dirent.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

enum { N_ENDINGS = 3, SETTLED_S = 3 };
static const uint64_t max_download = (uint64_t)2 << 30;
static const struct str endings[N_ENDINGS] = {STR_INIT(".zst"), STR_INIT(".bz2"), STR_INIT("")};

/* One request on its way: several questions until one is answered. */
struct job {
	struct index_request *r;
	struct index_entry entry;
	struct str order[N_ENDINGS]; /* of the files to ask for */
	unsigned at;                 /* in order */
	bool fresh;                  /* ask without a condition: what is here is damaged */
	bool ended;
	struct http *http;
	struct file_out download;
	struct hash *hash; /* of what was downloaded */
	uint64_t size;
	struct index_stream *stream; /* reads it; NULL: nothing has come */
	struct index_origin origin;  /* of the download */
	struct err err;              /* of a damaged download */
};

static char *subdir_url(struct arena *a, const char *base, struct str subdir)
{
	return url_join(a, base, arena_cstr(a, subdir));
}

static int wrap(const struct job *j, struct err *e)
{
	return err_wrap(e, "cannot read the index of channel '%.*s'", STR_ARG(j->r->channel->name));
}

static int unreachable(const struct job *j, struct err *e)
{
	wrap(j, e);
	if (e && e->code == ERR_NETWORK)
		err_advise(e, "is the network up? `make demo` builds a local demo channel to try "
			      "envbuild without one; --offline uses what the cache has");
	return -1;
}

/* --- file:// channels ---------------------------------------------------------------------- */

static int64_t time_of(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

/* The plain file unless a compressed one is newer. */
static void find_local(struct arena *a, struct job *j, const char *channel_dir)
{
	const char *plain = path_join(
		a, path_join(a, channel_dir, arena_cstr(a, j->r->subdir)), "repodata.json");
	struct stat st, best = {0};

	if (stat(plain, &best) == 0)
		j->r->file.path = (char *)plain;
	for (size_t i = 0; i < N_ENDINGS - 1; i++) {
		char *packed = arena_printf(a, "%s%.*s", plain, STR_ARG(endings[i]));

		if (stat(packed, &st) == 0 && (!j->r->file.path || time_of(&st) > time_of(&best))) {
			j->r->file.path = packed;
			best = st;
		}
	}
	j->r->file.name = j->r->file.path;
}

static bool is_package(struct str name)
{
	return str_ends(name, STR(".conda")) || str_ends(name, STR(".tar.bz2"));
}

static bool holds_packages(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	bool found = false;

	while (d && !found && (entry = readdir(d)))
		found = is_package(str_of(entry->d_name));
	if (d)
		closedir(d);
	return found;
}

/* None of the subdirs asked for has an index: say what would make it a channel. */
static int no_local_index(struct arena *a, const struct job *j, const char *dir, struct err *e)
{
	const char *name = arena_cstr(a, j->r->channel->name);
	struct stat st;

	if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode)) {
		err_set(e, ERR_NETWORK, "no such folder: channel '%s' is '%s'", name, dir);
		return err_advise(e, "check the path; `make demo` builds the demo channel that the "
				     "examples use");
	}
	err_set(e, ERR_NETWORK, "no index in channel '%s': '%s' has no repodata.json for '%.*s'",
		name, dir, STR_ARG(j->r->subdir));
	if (holds_packages(dir))
		return err_advise(e,
			"move the packages to '%s/linux-64' or '%s/noarch', then run "
			"`envbuild channel index %s`",
			dir, dir, dir);
	return err_advise(
		e, "`envbuild channel index %s` makes a folder of packages a channel", dir);
}

static int check_local(struct arena *a, struct job *jobs, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *dir = path_of_url(a, jobs[i].r->channel->fetch_url);
		bool found = false;

		for (size_t k = 0; dir && k < n && !found; k++)
			found = str_eq(jobs[k].r->channel->url, jobs[i].r->channel->url) &&
				(jobs[k].r->file.path || jobs[k].r->file.shards);
		if (dir && !found)
			return no_local_index(a, &jobs[i], dir, e);
	}
	return 0;
}

/* --- http(s) channels ---------------------------------------------------------------------- */

static void take_kept(struct job *j)
{
	struct index_file *file = &j->r->file;

	j->ended = true;
	file->path = j->entry.path;
	file->kept = true;
	memcpy(file->sha256, j->entry.sha256, SHA256_LEN);
}

static int use_cache(struct job *j, struct err *e)
{
	j->ended = true;
	if (j->entry.whole)
		take_kept(j);
	if (j->entry.whole || j->entry.missing)
		return 0;
	err_set(e, ERR_NETWORK, "no index of channel '%.*s' in the cache: '%s'",
		STR_ARG(j->r->channel->name), j->entry.url);
	return err_advise(e, "run it once without --offline");
}

static void name_file(struct arena *a, struct job *j, struct str ending)
{
	j->r->file.name = arena_printf(a, "%s/repodata.json%.*s", j->entry.url, STR_ARG(ending));
}

/* First the file that the channel had the last time. */
static void set_order(struct job *j)
{
	const struct str last = j->entry.origin.ending;
	size_t n = 0;

	for (size_t i = 0; i < N_ENDINGS; i++)
		if (j->entry.whole && str_eq(last, endings[i]))
			j->order[n++] = endings[i];
	for (size_t i = 0; i < N_ENDINGS; i++)
		if (n == 0 || !str_eq(j->order[0], endings[i]))
			j->order[n++] = endings[i];
}

static void has_room(void *http)
{
	http_wake(http);
}

/* Not before there is something to write: mostly nothing has changed. */
static int begin_stream(struct job *j, struct err *e)
{
	if (j->download.fd < 0 && index_entry_download(&j->entry, &j->download, e) < 0)
		return -1;
	j->hash = hash_new(HASH_SHA256);
	j->stream = index_stream_begin(j->r->file.name, has_room, j->http, e);
	return j->stream ? 0 : -1;
}

static int write_download(void *ctx, const void *p, size_t n, struct err *e)
{
	struct job *j = ctx;

	if (!j->stream && begin_stream(j, e) < 0)
		return -1;
	if (!index_stream_write(j->stream, p, n))
		return HTTP_FULL;
	hash_update(j->hash, p, n);
	j->size += n;
	return write_full(j->download.fd, p, n, e);
}

static void drop_stream(struct job *j)
{
	index_stream_abort(j->stream);
	hash_free(j->hash);
	j->stream = NULL;
	j->hash = NULL;
	j->size = 0;
}

static int restart_download(void *ctx, struct err *e)
{
	struct job *j = ctx;

	drop_stream(j);
	if (j->download.fd < 0)
		return 0;
	if (ftruncate(j->download.fd, 0) < 0 || lseek(j->download.fd, 0, SEEK_SET) < 0)
		return err_sys(e, "cannot empty '%s'", j->download.temp);
	return 0;
}

static void prepare(struct arena *a, struct job *j, struct http_request *r)
{
	const struct index_origin *known = &j->entry.origin;
	char *dir = subdir_url(a, j->r->channel->fetch_url, j->r->subdir);
	bool ask_changed = j->entry.whole && !j->fresh && str_eq(known->ending, j->order[j->at]);

	file_abort(&j->download);
	drop_stream(j);
	name_file(a, j, j->order[j->at]);
	*r = (struct http_request){
		.url = arena_printf(a, "%s/repodata.json%.*s", dir, STR_ARG(j->order[j->at])),
		.write = write_download,
		.restart = restart_download,
		.ctx = j,
		.max_bytes = max_download,
		.allow_missing = true,
	};
	if (ask_changed && known->etag.n)
		r->if_none_match = arena_cstr(a, known->etag);
	if (ask_changed && known->last_modified.n)
		r->if_modified_since = arena_cstr(a, known->last_modified);
}

/* Takes an answer that needs no more work; a body (200) is left for end_stream(). */
static int take_answer(struct job *j, const struct http_request *r, struct err *e)
{
	if (r->status == 304) {
		take_kept(j);
	} else if (r->status == 404 && ++j->at == N_ENDINGS) {
		j->ended = true;
		return index_entry_store_missing(&j->entry, e);
	} else if (r->status == 200) {
		j->origin = (struct index_origin){.ending = j->order[j->at],
			.etag = str_of(r->etag),
			.last_modified = str_of(r->last_modified)};
	}
	return 0;
}

struct round {
	struct job **jobs;
	struct http_request *requests;
	size_t n;
};

static int store(struct job *j, struct err *e)
{
	uint8_t sha256[SHA256_LEN];

	j->r->file.groups = index_stream_end(j->stream, e);
	j->stream = NULL;
	if (!j->r->file.groups)
		return -1;
	hash_final(j->hash, sha256);
	if (index_entry_store(&j->entry, &j->download, sha256, j->size, &j->origin, e) < 0)
		return -1;
	take_kept(j);
	return 0;
}

/* Waits until a body is read to its end; a damaged one is asked for once more, from the start. */
static int end_stream(struct job *j, const struct http_request *r, struct err *e)
{
	if (r->status != 200)
		return 0;
	if (!j->stream)
		err_set(&j->err, ERR_INTEGRITY, "%s: an empty file", j->r->file.name);
	else if (store(j, &j->err) == 0)
		return 0;
	if (j->err.code != ERR_INTEGRITY || j->fresh) {
		err_move(e, &j->err);
		return wrap(j, e);
	}
	log_debug("%s: asking again", j->err.text);
	err_release(&j->err);
	j->fresh = true;
	http_distrust(j->http, r->from);
	return 0;
}

static int run_round(struct arena *a, struct http *http, struct round *round, struct err *e)
{
	for (size_t i = 0; i < round->n; i++)
		prepare(a, round->jobs[i], &round->requests[i]);
	if (http_fetch(http, round->requests, round->n, e) < 0) {
		for (size_t i = 0; i < round->n; i++)
			if (round->requests[i].failed)
				return unreachable(round->jobs[i], e);
		return -1;
	}
	for (size_t i = 0; i < round->n; i++)
		if (take_answer(round->jobs[i], &round->requests[i], e) < 0)
			return -1;
	for (size_t i = 0; i < round->n; i++)
		if (end_stream(round->jobs[i], &round->requests[i], e) < 0)
			return -1;
	return 0;
}

static int fetch_remote(
	struct arena *a, struct http *http, struct job *jobs, size_t n, struct err *e)
{
	struct round round = {.jobs = arena_array(a, struct job *, n),
		.requests = arena_array(a, struct http_request, n)};

	for (;;) {
		round.n = 0;
		for (size_t i = 0; i < n; i++)
			if (!jobs[i].ended)
				round.jobs[round.n++] = &jobs[i];
		if (round.n == 0)
			return 0;
		if (run_round(a, http, &round, e) < 0)
			return -1;
	}
}

/* --- index files --------------------------------------------------------------------------- */

/*
 * Of a body in the cache, its sha256; of a channel's own file, all that changes when it is written
 * to.  -1 where it is younger than the step of a file system's clock can be.
 */
static int describe(struct arena *a, const struct job *j, char **out)
{
	char hex[SHA256_HEX + 1];
	struct stat st;

	if (j->r->file.kept) {
		hex_encode(j->entry.sha256, SHA256_LEN, hex);
		*out = arena_printf(a, "%s sha256 %s", j->entry.url, hex);
		return 0;
	}
	if (stat(j->r->file.path, &st) < 0 || st.st_ctim.tv_sec + SETTLED_S > time(NULL))
		return -1;
	*out = arena_printf(a, "%s file %ju %ju %jd %jd %jd.%09ld", j->entry.url,
		(uintmax_t)st.st_dev, (uintmax_t)st.st_ino, (intmax_t)st.st_size,
		(intmax_t)time_of(&st), (intmax_t)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return 0;
}

static void name_image(struct arena *a, const struct job *j)
{
	struct index_file *file = &j->r->file;
	char *text;

	file->image = NULL;
	if (!file->path || describe(a, j, &text) < 0)
		return;
	sha256_of(text, strlen(text), file->key);
	file->image = j->entry.image;
}

/* --- both ---------------------------------------------------------------------------------- */

static int begin(struct arena *a, struct job *j, const char *cache_dir, bool offline, struct err *e)
{
	char *dir = path_of_url(a, j->r->channel->fetch_url);
	char *url = subdir_url(a, arena_cstr(a, j->r->channel->url), j->r->subdir);

	j->ended = j->r->file.shards != NULL;
	if (j->ended)
		return 0;
	j->r->file = (struct index_file){0};
	if (index_entry_load(a, cache_dir, url, &j->entry, e) < 0)
		return -1;
	set_order(j);
	name_file(a, j, j->order[0]);
	if (!dir)
		return offline ? use_cache(j, e) : 0;
	j->ended = true;
	find_local(a, j, dir);
	return 0;
}

int channel_fetch_indexes(struct arena *a, struct http *http, const char *cache_dir, bool offline,
	struct index_request *requests, size_t n, struct err *e)
{
	struct job *jobs = arena_array(a, struct job, n);
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		jobs[i] = (struct job){.r = &requests[i], .http = http, .download = {.fd = -1}};
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = begin(a, &jobs[i], cache_dir, offline, e);
	if (rc == 0)
		rc = check_local(a, jobs, n, e);
	if (rc == 0)
		rc = fetch_remote(a, http, jobs, n, e);
	for (size_t i = 0; i < n && rc == 0; i++)
		name_image(a, &jobs[i]);
	for (size_t i = 0; i < n; i++) {
		file_abort(&jobs[i].download);
		drop_stream(&jobs[i]);
		err_release(&jobs[i].err);
		if (rc < 0) {
			groups_free(requests[i].file.groups);
			requests[i].file.groups = NULL;
		}
	}
	return rc;
}

void channel_forget_index(
	struct arena *a, const char *cache_dir, const struct index_request *request)
{
	char *url = subdir_url(a, arena_cstr(a, request->channel->url), request->subdir);
	struct index_entry entry;

	if (index_entry_load(a, cache_dir, url, &entry, NULL) == 0)
		index_entry_forget(&entry);
}
