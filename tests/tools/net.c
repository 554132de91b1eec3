/*
 * What base/ and solver/ do with networks, archives and channels, as a program for tests.
 *
 *	net get [-r RETRIES] [-s STALL] [-m MAX] [-o] [-e ETAG] [-a] [-w PAUSE] [-j JOBS] [-p PER_HOST]
 *	    [-M URL=MIRROR]... [-x SHA256] [-f] [-F MS] URL...
 *		one line per URL: STATUS BYTES SHA256 ETAG RESTARTS FROM
 *		-x: what has another sum is refused; -f: writers have no room three times of four, and
 *		are asked again every millisecond (-F MS)
 *	net index [-o] CACHE CHANNEL
 *		a line for linux-64 and one for noarch: RECORDS SHA256-OF-NAMES, or "missing"
 *	net channel-index DIR JOBS
 *	net list ARCHIVE
 *		one line per member: TYPE MODE MTIME SIZE SHA256 PATH LINK, the texts in hex
 *	net write-tar
 *		a tar with members at the borders of the format
 *	net write-header SIZE
 *		the header of a file 'large' of that size
 *
 * An error goes to stderr as "TEXT" and "hint: ADVICE"; the exit status is the documented one.
 */
#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "builder/channel_index.h"
#include "solver/index_open.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int report(struct err *e)
{
	int status = err_exit_status(e->code);

	fprintf(stderr, "%s\n", e->text);
	if (err_advice(e))
		fprintf(stderr, "hint: %s\n", err_advice(e));
	err_release(e);
	return status;
}

/* --- get ----------------------------------------------------------------------------------- */

struct sum {
	struct hash *hash;
	uint64_t n;
	unsigned restarts, calls;
	const char *want; /* NULL: any */
	bool often_full;
	const struct http_request *request;
	uint8_t sha256[SHA256_LEN]; /* when it has ended */
};

static int add_to_sum(void *ctx, const void *p, size_t n, struct err *e)
{
	struct sum *s = ctx;

	(void)e;
	hash_update(s->hash, p, n);
	s->n += n;
	return 0;
}

static int add_if_room(void *ctx, const void *p, size_t n, struct err *e)
{
	struct sum *s = ctx;

	if (s->often_full && s->calls++ % 4 < 3)
		return HTTP_FULL;
	return add_to_sum(ctx, p, n, e);
}

static int restart_sum(void *ctx, struct err *e)
{
	struct sum *s = ctx;

	(void)e;
	hash_free(s->hash);
	s->hash = hash_new(HASH_SHA256);
	s->n = 0;
	s->restarts++;
	return 0;
}

static int end_sum(void *ctx, struct err *e)
{
	struct sum *s = ctx;
	char hex[SHA256_HEX + 1];

	hash_final(s->hash, s->sha256);
	hex_encode(s->sha256, SHA256_LEN, hex);
	if (s->want && s->request->status == 200 && strcmp(hex, s->want) != 0)
		return err_set(e, ERR_INTEGRITY, "sha256 is %s, not %s", hex, s->want);
	return 0;
}

static void print_sum(struct sum *s, const struct http_request *r)
{
	char hex[SHA256_HEX + 1];

	hex_encode(s->sha256, SHA256_LEN, hex);
	printf("%d %llu %s %s %u %s\n", r->status, (unsigned long long)s->n, hex,
		r->etag ? r->etag : "-", s->restarts, r->from);
}

enum { MAX_MIRRORS = 8 };

struct text_pairs {
	char *v[MAX_MIRRORS];
	size_t n;
};

struct waker {
	struct http *http;
	pthread_t thread;
	unsigned pause_ms;
	atomic_bool ended;
};

static void *wake_often(void *arg)
{
	struct waker *w = arg;

	while (!atomic_load(&w->ended)) {
		usleep(w->pause_ms * 1000);
		http_wake(w->http);
	}
	return NULL;
}

struct get {
	struct http_request common;
	const char *want;
	unsigned full_ms; /* 0: there is always room */
};

static int fetch_all(struct http *http, char **urls, size_t n, const struct get *get)
{
	struct http_request *requests = xcalloc(n, sizeof *requests);
	struct sum *sums = xcalloc(n, sizeof *sums);
	struct waker waker = {.http = http, .pause_ms = get->full_ms};
	struct err e = {0};
	int rc;

	for (size_t i = 0; i < n; i++) {
		sums[i] = (struct sum){.hash = hash_new(HASH_SHA256),
			.want = get->want,
			.request = &requests[i],
			.often_full = get->full_ms > 0};
		requests[i] = get->common;
		requests[i].url = urls[i];
		requests[i].write = add_if_room;
		requests[i].restart = restart_sum;
		requests[i].done = end_sum;
		requests[i].ctx = &sums[i];
	}
	if (get->full_ms)
		pthread_create(&waker.thread, NULL, wake_often, &waker);
	rc = http_fetch(http, requests, n, &e) < 0 ? report(&e) : 0;
	atomic_store(&waker.ended, true);
	if (get->full_ms)
		pthread_join(waker.thread, NULL);
	for (size_t i = 0; i < n; i++) {
		if (rc == 0)
			print_sum(&sums[i], &requests[i]);
		hash_free(sums[i].hash);
	}
	free(requests);
	free(sums);
	return rc;
}

static bool read_get_option(
	int c, struct get *get, struct http_options *options, struct text_pairs *mirrors)
{
	switch (c) {
	case 'r':
		options->retries = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 's':
		options->stall_s = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'w':
		options->pause_ms = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'j':
		options->jobs = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'p':
		options->per_host = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'm':
		get->common.max_bytes = strtoull(optarg, NULL, 10);
		return true;
	case 'o':
		options->offline = true;
		return true;
	case 'e':
		get->common.if_none_match = optarg;
		return true;
	case 'a':
		get->common.allow_missing = true;
		return true;
	case 'x':
		get->want = optarg;
		return true;
	case 'f':
		get->full_ms = 1;
		return true;
	case 'F':
		get->full_ms = (unsigned)strtoul(optarg, NULL, 10);
		return true;
	case 'M':
		if (mirrors->n == MAX_MIRRORS || !strchr(optarg, '='))
			return false;
		mirrors->v[mirrors->n++] = optarg;
		return true;
	}
	return false;
}

static int cmd_get(int argc, char **argv)
{
	struct http_options options = {0};
	struct text_pairs mirrors = {0};
	struct get get = {0};
	struct http *http;
	int c, rc;

	while ((c = getopt(argc, argv, "r:s:m:oe:aw:j:p:x:fF:M:")) != -1)
		if (!read_get_option(c, &get, &options, &mirrors))
			return 2;
	http = http_new(&options);
	for (size_t i = 0; i < mirrors.n; i++) {
		char *mirror = strchr(mirrors.v[i], '=');

		*mirror = '\0';
		http_add_mirror(http, mirrors.v[i], mirror + 1);
	}
	rc = fetch_all(http, argv + optind, (size_t)(argc - optind), &get);
	http_free(http);
	return rc;
}

/* --- index --------------------------------------------------------------------------------- */

static int cmp_names(const void *va, const void *vb)
{
	return str_cmp(*(const struct str *)va, *(const struct str *)vb);
}

/* How many records there are, and the sum of the names, each with a line end behind it. */
static void print_groups(const struct groups *g)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	size_t n = groups_names(g);
	struct str *names = arena_array(&a, struct str, n);
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	for (size_t i = 0; i < n; i++)
		names[i] = groups_name_at(g, i);
	if (n)
		qsort(names, n, sizeof *names, cmp_names);
	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%.*s\n", STR_ARG(names[i]));
	sha256_of(text.p, text.n, sum);
	hex_encode(sum, sizeof sum, hex);
	printf("%zu %s\n", groups_records(g), hex);
}

static void print_index(const struct index *ix, struct str subdir)
{
	for (size_t i = 0; i < ix->sources.n; i++)
		if (str_eq(ix->sources.v[i]->subdir, subdir)) {
			print_groups(ix->sources.v[i]->groups);
			return;
		}
	puts("missing");
}

static int open_index(
	const char *cache, const struct channel_list *list, bool offline, struct err *e)
{
	struct http *http = http_new(&(struct http_options){.offline = offline, .retries = 1});
	const struct solve_request request = {.channels = list->v,
		.n_channels = list->n,
		.subdir = STR("linux-64"),
		.cache_dir = cache,
		.http = http,
		.offline = offline};
	struct opening *o = opening_new(&request);
	const struct index *ix = opening_open(o, false, e);

	if (ix) {
		print_index(ix, STR("linux-64"));
		print_index(ix, STR("noarch"));
	}
	opening_free(o);
	http_free(http);
	return ix ? 0 : -1;
}

static int cmd_index(int argc, char **argv)
{
	CLEANUP_ARENA a = {0};
	struct channel_list list = {0};
	bool offline = argc > 1 && strcmp(argv[1], "-o") == 0;
	struct err e = {0};

	argv += offline;
	argc -= offline;
	if (argc != 3)
		return 2;
	if (channel_add(&a, &list, str_of(argv[2]), NULL, ".", &e) < 0 ||
		open_index(argv[1], &list, offline, &e) < 0)
		return report(&e);
	return 0;
}

static int cmd_channel_index(int argc, char **argv)
{
	struct channel_index_result result;
	struct err e = {0};

	if (argc != 3)
		return 2;
	if (channel_index(argv[1], (unsigned)strtoul(argv[2], NULL, 10), &result, &e) < 0)
		return report(&e);
	printf("%zu packages, %zu subdirs\n", result.packages, result.subdirs);
	return 0;
}

/* --- list and write ------------------------------------------------------------------------ */

static void print_hex(struct str s)
{
	putchar(' ');
	for (size_t i = 0; i < s.n; i++)
		printf("%02x", (unsigned char)s.p[i]);
	if (s.n == 0)
		putchar('-');
}

static int print_member(struct tar_reader *r, const struct member *m, struct err *e)
{
	struct sum s = {.hash = hash_new(HASH_SHA256)};
	uint8_t sha256[SHA256_LEN];
	char hex[SHA256_HEX + 1], piece[16384];
	ptrdiff_t n = 0;

	while (m->type == MEMBER_FILE && (n = tar_read(r, piece, sizeof piece, e)) > 0)
		add_to_sum(&s, piece, (size_t)n, e);
	hash_final(s.hash, sha256);
	hash_free(s.hash);
	hex_encode(sha256, SHA256_LEN, hex);
	printf("%c %04o %lld %llu %s", "fdlho"[m->type], m -> mode, (long long)m -> mtime,
		(unsigned long long)s.n, hex);
	print_hex(m->path);
	print_hex(m->link);
	putchar('\n');
	return n < 0 ? -1 : 0;
}

static int cmd_list(int argc, char **argv)
{
	bool zip = argc == 2 && str_ends(str_of(argv[1]), STR(".conda"));
	struct tar_reader *r;
	struct member m;
	struct err e = {0};
	int rc = -1;

	if (argc != 2)
		return 2;
	r = zip ? zip_open_path(argv[1], &e) : tar_open_path(argv[1], &e);
	while (r && (rc = tar_next(r, &m, &e)) > 0 && print_member(r, &m, &e) == 0)
		;
	tar_close(r);
	return rc == 0 && !e.text ? 0 : report(&e);
}

static struct member member(enum member_type type, struct str path, struct str link)
{
	return (struct member){.path = path,
		.link = link,
		.type = type,
		.mode = type == MEMBER_DIR ? 0755 : 0640,
		.mtime = 1234567890,
		.has_mtime = true};
}

static void add(struct buf *tar, struct member m, struct str data)
{
	m.size = data.n;
	tar_header(tar, &m);
	if (m.type == MEMBER_FILE) {
		buf_str(tar, data);
		tar_pad(tar, data.n);
	}
}

static struct str letters(struct arena *a, char c, size_t n)
{
	char *p = arena_alloc(a, n + 1);

	memset(p, c, n);
	return str_n(p, n);
}

static int cmd_write_tar(void)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0};
	struct str deep = arena_strf(
		&a, "%.*s/%.*s", STR_ARG(letters(&a, 'p', 155)), STR_ARG(letters(&a, 'n', 100)));
	struct str longer = arena_strf(&a, "%.*s/%.*s/%.*s", STR_ARG(letters(&a, 'x', 120)),
		STR_ARG(letters(&a, 'y', 120)), STR_ARG(letters(&a, 'z', 120)));
	struct err e = {0};

	add(&tar, member(MEMBER_DIR, STR("dir"), STR("")), STR(""));
	add(&tar, member(MEMBER_FILE, STR("dir/file"), STR("")), STR("some bytes\n"));
	add(&tar, member(MEMBER_FILE, letters(&a, 'n', 100), STR("")), STR("hundred"));
	add(&tar, member(MEMBER_FILE, letters(&a, 'm', 101), STR("")), STR("hundred and one"));
	add(&tar, member(MEMBER_FILE, deep, STR("")), STR("prefix and name are full"));
	add(&tar, member(MEMBER_FILE, longer, STR("")), STR("nothing fits"));
	add(&tar, member(MEMBER_FILE, STR("caf\xc3\xa9"), STR("")), STR("utf-8"));
	add(&tar, member(MEMBER_FILE, STR("empty"), STR("")), STR(""));
	add(&tar, member(MEMBER_SYMLINK, STR("dir/link"), STR("../dir/file")), STR(""));
	add(&tar, member(MEMBER_SYMLINK, STR("longlink"), longer), STR(""));
	add(&tar, member(MEMBER_HARDLINK, STR("hard"), STR("dir/file")), STR(""));
	add(&tar, member(MEMBER_HARDLINK, STR("longhard"), longer), STR(""));
	tar_end(&tar);
	return write_full(1, tar.p, tar.n, &e) < 0 ? report(&e) : 0;
}

static int cmd_write_header(int argc, char **argv)
{
	struct member m = member(MEMBER_FILE, STR("large"), STR(""));
	CLEANUP_BUF tar = {0};
	struct err e = {0};

	if (argc != 2)
		return 2;
	m.size = strtoull(argv[1], NULL, 10);
	tar_header(&tar, &m);
	return write_full(1, tar.p, tar.n, &e) < 0 ? report(&e) : 0;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "get") == 0)
		return cmd_get(argc - 1, argv + 1);
	if (strcmp(argv[1], "index") == 0)
		return cmd_index(argc - 1, argv + 1);
	if (strcmp(argv[1], "channel-index") == 0)
		return cmd_channel_index(argc - 1, argv + 1);
	if (strcmp(argv[1], "list") == 0)
		return cmd_list(argc - 1, argv + 1);
	if (strcmp(argv[1], "write-header") == 0)
		return cmd_write_header(argc - 1, argv + 1);
	return strcmp(argv[1], "write-tar") == 0 ? cmd_write_tar() : 2;
}
