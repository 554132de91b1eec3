#include "packer/sink.h"

#include "base/file.h"
#include "base/hash.h"
#include "packer/parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { READ_SIZE = 1 << 20 };

struct part {
	int fd;
	char *path;
};

struct sink {
	struct arena arena;
	const char *path;
	uint64_t split, size;
	struct {
		struct part *v;
		size_t n, cap;
	} parts;
	/* Of what sink_hash was given; it shares nothing with who writes. */
	struct {
		struct arena arena;
		struct hash *whole, *part; /* part: of the last part */
		uint64_t bytes;
		struct pack_part *v; /* of each part */
		size_t n, cap;
	} sums;
	bool rewritten; /* what was hashed is no longer all */
	bool finished;
};

/* --- parts ------------------------------------------------------------------------------------ */

static int add_part(struct sink *s, struct err *e)
{
	char *path;
	int fd;

	if (s->parts.n == PARTS_MAX) {
		err_set(e, ERR_USAGE, "'%s' would have more than %d parts", path_base(s->path),
			PARTS_MAX);
		return err_advise(e, "give --split a larger size");
	}
	path = s->split ? part_path(&s->arena, s->path, s->parts.n)
			: arena_strdup(&s->arena, s->path);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return err_sys(e, "cannot write '%s'", path);
	*VEC_PUSH(&s->arena, &s->parts) = (struct part){.fd = fd, .path = path};
	return 0;
}

static void drop_part(struct sink *s)
{
	struct part *p = &s->parts.v[--s->parts.n];

	fd_cleanup(&p->fd);
	unlink(p->path);
}

/* The part that holds the byte at `at`, made if it is the next; *offset in it, *room behind. */
static struct part *part_at(
	struct sink *s, uint64_t at, uint64_t *offset, uint64_t *room, struct err *e)
{
	size_t i = s->split ? (size_t)(at / s->split) : 0;

	*offset = s->split ? at % s->split : at;
	*room = s->split ? s->split - *offset : UINT64_MAX;
	if (i == s->parts.n && add_part(s, e) < 0)
		return NULL;
	return &s->parts.v[i];
}

struct sink *sink_open(const char *path, uint64_t split, struct err *e)
{
	struct sink *s = xcalloc(1, sizeof *s);

	s->path = path;
	s->split = split;
	s->sums.whole = hash_new(HASH_SHA256);
	s->sums.part = hash_new(HASH_SHA256);
	if (add_part(s, e) == 0)
		return s;
	sink_close(s);
	return NULL;
}

const char *sink_path(const struct sink *s)
{
	return s->path;
}

uint64_t sink_size(const struct sink *s)
{
	return s->size;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int put(struct part *p, const char *data, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		ssize_t done = pwrite(p->fd, data, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "cannot write '%s'", p->path);
		data += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

/* The size follows what stands behind it. */
static int put_all(struct sink *s, const char *data, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		uint64_t offset, room;
		struct part *p = part_at(s, at, &offset, &room, e);
		size_t some = n < room ? n : (size_t)room;

		if (!p || put(p, data, some, offset, e) < 0)
			return -1;
		data += some;
		n -= some;
		at += some;
		if (at > s->size)
			s->size = at;
	}
	return 0;
}

int sink_append(struct sink *s, const void *data, size_t n, struct err *e)
{
	return put_all(s, data, n, s->size, e);
}

/* The hash of a part that is full starts over for the next. */
static void hash_part(struct sink *s, const char *data, size_t n, bool full)
{
	struct pack_part *sum;

	if (s->sums.bytes % s->split == 0)
		*VEC_PUSH(&s->sums.arena, &s->sums) = (struct pack_part){0};
	sum = &s->sums.v[s->sums.n - 1];
	hash_update(s->sums.part, data, n);
	sum->bytes += n;
	if (full)
		hash_final(s->sums.part, sum->sha256);
}

void sink_hash(struct sink *s, const void *data, size_t n)
{
	const char *from = data;

	hash_update(s->sums.whole, data, n);
	while (s->split && n) {
		uint64_t room = s->split - s->sums.bytes % s->split;
		size_t some = n < room ? n : (size_t)room;

		hash_part(s, from, some, some == room);
		s->sums.bytes += some;
		from += some;
		n -= some;
	}
}

int sink_write(struct sink *s, const void *data, size_t n, struct err *e)
{
	sink_hash(s, data, n);
	return sink_append(s, data, n, e);
}

int sink_pwrite(struct sink *s, const void *data, size_t n, uint64_t at, struct err *e)
{
	if (at > s->size)
		return err_set(e, ERR_FAIL, "'%s' would have a hole", s->path);
	s->rewritten = true;
	return put_all(s, data, n, at, e);
}

/* --- reading ---------------------------------------------------------------------------------- */

static int get(struct part *p, char *to, size_t n, uint64_t at, struct err *e)
{
	while (n) {
		ssize_t done = pread(p->fd, to, n, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return err_sys(e, "cannot read '%s'", p->path);
		if (done == 0)
			return err_set(e, ERR_FAIL, "'%s' changed while it was written", p->path);
		to += done;
		n -= (size_t)done;
		at += (uint64_t)done;
	}
	return 0;
}

int sink_pread(struct sink *s, void *to, size_t n, uint64_t at, struct err *e)
{
	char *p = to;

	if (at > s->size || n > s->size - at)
		return err_set(e, ERR_FAIL, "'%s' does not reach so far", s->path);
	while (n) {
		uint64_t offset, room;
		struct part *part = part_at(s, at, &offset, &room, e);
		size_t some = n < room ? n : (size_t)room;

		if (!part || get(part, p, some, offset, e) < 0)
			return -1;
		p += some;
		n -= some;
		at += some;
	}
	return 0;
}

int sink_truncate(struct sink *s, uint64_t size, struct err *e)
{
	uint64_t start;
	struct part *last;

	if (size > s->size)
		return err_set(e, ERR_FAIL, "'%s' does not reach so far", s->path);
	s->rewritten = true;
	while (s->parts.n > 1 && (s->parts.n - 1) * s->split >= size)
		drop_part(s);
	last = &s->parts.v[s->parts.n - 1];
	start = (s->parts.n - 1) * s->split;
	if (ftruncate(last->fd, (off_t)(size - start)) < 0)
		return err_sys(e, "cannot write '%s'", last->path);
	s->size = size;
	return 0;
}

/* --- the end ---------------------------------------------------------------------------------- */

static int hash_again(struct sink *s, struct err *e)
{
	char *data = xmalloc(READ_SIZE);
	int rc = 0;

	hash_free(s->sums.whole);
	hash_free(s->sums.part);
	s->sums.whole = hash_new(HASH_SHA256);
	s->sums.part = hash_new(HASH_SHA256);
	s->sums.bytes = s->sums.n = 0;
	for (uint64_t at = 0, n; rc == 0 && at < s->size; at += n) {
		uint64_t offset, room;
		struct part *p = part_at(s, at, &offset, &room, e);

		n = s->size - at < READ_SIZE ? s->size - at : READ_SIZE;
		n = n < room ? n : room;
		rc = p ? get(p, data, (size_t)n, offset, e) : -1;
		if (rc == 0)
			sink_hash(s, data, (size_t)n);
	}
	free(data);
	return rc;
}

static int sync_parts(struct sink *s, struct err *e)
{
	for (size_t i = 0; i < s->parts.n; i++)
		if (fd_sync(s->parts.v[i].fd, s->parts.v[i].path, e) < 0)
			return -1;
	return 0;
}

int sink_finish(struct sink *s, struct arena *a, struct pack_result *out, struct err *e)
{
	if ((s->rewritten && hash_again(s, e) < 0) || sync_parts(s, e) < 0)
		return -1;
	hash_final(s->sums.whole, out->sha256);
	out->bytes = s->size;
	if (s->sums.n) {
		if (s->sums.bytes % s->split)
			hash_final(s->sums.part, s->sums.v[s->sums.n - 1].sha256);
		out->parts = arena_array(a, struct pack_part, s->sums.n);
		memcpy(out->parts, s->sums.v, s->sums.n * sizeof *out->parts);
		out->n_parts = s->sums.n;
	}
	s->finished = true;
	return 0;
}

void sink_close(struct sink *s)
{
	if (!s)
		return;
	while (s->parts.n) {
		if (s->finished)
			fd_cleanup(&s->parts.v[--s->parts.n].fd);
		else
			drop_part(s);
	}
	hash_free(s->sums.whole);
	hash_free(s->sums.part);
	arena_release(&s->sums.arena);
	arena_release(&s->arena);
	free(s);
}
