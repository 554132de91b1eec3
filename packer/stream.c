#include "packer/stream.h"

#include "base/file.h"
#include "base/work.h"
#include "packer/measure.h"
#include "packer/segment.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* A compressed chunk that waits for those before it. */
struct slot {
	struct buf data;
	uint64_t raw;
	bool ready;
};

/*
 * What is done with the chunks in their order: written, and hashed.  Each is one thread's at a time,
 * whichever has just handed one in, and neither waits for the other.
 */
enum lane { WRITE, HASH, LANES };

struct pipeline {
	struct stream *stream;
	struct layout *layout;
	pthread_mutex_t lock;
	pthread_cond_t moved;
	struct slot *slots; /* chunk i waits in slot i % n_slots */
	size_t n_slots;
	size_t next[LANES]; /* the chunk that is due */
	bool busy[LANES];   /* some thread is at it, outside the lock */
	bool failed;
	struct segments *segments;
};

/* The part of one tar stream that a chunk is made of. */
struct window {
	uint64_t from, to;
	char *p;
};

/* --- reading --------------------------------------------------------------------------------- */

/* Copies what of [at, at + n) lies in the window. */
static void window_put(const struct window *w, uint64_t at, const char *p, uint64_t n)
{
	uint64_t from = at < w->from ? w->from : at;
	uint64_t to = at + n > w->to ? w->to : at + n;

	if (from < to)
		memcpy(w->p + (from - w->from), p + (from - at), to - from);
}

/* A file that is cut into several chunks is measured whole by the one that its first byte is in. */
static int put_cut_file(
	struct pipeline *p, const struct window *w, struct layout_item *item, struct err *e)
{
	uint64_t at = item->start + item->header;
	struct str data;
	int rc = 0;

	if (file_map(item->source, &data, e) < 0)
		return -1;
	if (data.n != item->head.size)
		rc = item_changed(item, e);
	else
		window_put(w, at, data.p, data.n);
	if (rc == 0 && at >= w->from)
		rc = item_measure(p->layout, &p->lock, item, data, e);
	file_unmap(data);
	return rc;
}

static int put_file(
	struct pipeline *p, const struct window *w, struct layout_item *item, struct err *e)
{
	size_t size = item->head.size;
	CLEANUP_FD fd = open(item->source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *to = w->p + (item->start + item->header - w->from);
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", item->source);
	if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != size)
		return item_changed(item, e);
	n = read_full(fd, to, size);
	if (n < 0)
		return err_sys(e, "cannot read '%s'", item->source);
	if ((size_t)n != size)
		return item_changed(item, e);
	return item_measure(p->layout, &p->lock, item, str_n(to, size), e);
}

static int put_item(
	struct pipeline *p, const struct window *w, struct layout_item *item, struct err *e)
{
	uint64_t at = item->start + item->header;

	if (item->start < w->to && at > w->from) {
		CLEANUP_BUF header = {0};

		tar_header(&header, &item->head);
		window_put(w, item->start, header.p, header.n);
	}
	if (at >= w->to || at + item->head.size <= w->from)
		return 0;
	if (!item->source)
		window_put(w, at, item->data.p, item->data.n);
	else if (at < w->from || at + item->head.size > w->to)
		return put_cut_file(p, w, item, e);
	else
		return put_file(p, w, item, e);
	return 0;
}

/* The first item of the segment that ends behind `at`. */
static size_t item_at(const struct layout *l, const struct layout_segment *s, uint64_t at)
{
	size_t low = s->first, high = s->first + s->n;

	while (low + 1 < high) {
		size_t middle = low + (high - low) / 2;

		if (l->items.v[middle].start <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/* The chunk's bytes; what no item fills, padding and end, is zero. */
static int read_chunk(
	struct pipeline *p, const struct layout_chunk *chunk, struct buf *raw, struct err *e)
{
	const struct layout *l = p->layout;
	const struct layout_segment *s = &l->segments.v[chunk->segment];
	struct window w = {.from = chunk->from, .to = chunk->to};
	size_t n = chunk->to - chunk->from;

	w.p = buf_room(raw, n);
	memset(w.p, 0, n);
	raw->n += n;
	for (size_t i = item_at(l, s, w.from); i < s->first + s->n; i++) {
		if (l->items.v[i].start >= w.to)
			break;
		if (put_item(p, &w, &l->items.v[i], e) < 0)
			return -1;
	}
	return 0;
}

static int compress(const struct stream *s, struct buf *raw, struct buf *to, struct err *e)
{
	switch (s->format) {
	case PACK_TAR_GZ:
		return gzip_member(buf_view(raw), s->level, to, e);
	case PACK_TAR_ZST:
		return zstd_frame(buf_view(raw), s->level, to, e);
	case PACK_SQUASHFS: /* made of no tar: packer/squashfs_write.c, packer/tree_write.c */
	case PACK_DIR:
		break;
	case PACK_TAR:
		*to = *raw;
		*raw = (struct buf){0};
		return 0;
	}
	return -1;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_slot(struct pipeline *p, size_t i, const struct slot *slot, struct err *e)
{
	struct stream *s = p->stream;
	struct zstd_seek frame = {(uint32_t)slot->data.n, (uint32_t)slot->raw};

	if (sink_append(s->sink, slot->data.p, slot->data.n, e) < 0)
		return -1;
	if (s->format == PACK_TAR_ZST)
		buf_add(&s->frames, &frame, sizeof frame);
	segments_put(p->segments, i, buf_view(&slot->data));
	if (s->step)
		step_tick(s->step, 0, slot->raw);
	return 0;
}

static int run_lane(
	struct pipeline *p, enum lane lane, size_t i, const struct slot *slot, struct err *e)
{
	switch (lane) {
	case WRITE:
		return write_slot(p, i, slot, e);
	case HASH:
		sink_hash(p->stream->sink, slot->data.p, slot->data.n);
		break;
	case LANES:
		break;
	}
	return 0;
}

static size_t done_by_all(const struct pipeline *p)
{
	return p->next[WRITE] < p->next[HASH] ? p->next[WRITE] : p->next[HASH];
}

static bool is_due(const struct pipeline *p, enum lane lane)
{
	size_t i = p->next[lane];

	return !p->failed && i - done_by_all(p) < p->n_slots && p->slots[i % p->n_slots].ready;
}

/* Frees what both have done with. */
static void advance(struct pipeline *p, enum lane lane)
{
	size_t before = done_by_all(p);

	p->next[lane]++;
	if (done_by_all(p) > before) {
		buf_release(&p->slots[before % p->n_slots].data);
		p->slots[before % p->n_slots] = (struct slot){0};
		pthread_cond_broadcast(&p->moved);
	}
}

/* Does whatever is due and ready; called with the lock held, which it lets go meanwhile. */
static int flush_lane(struct pipeline *p, enum lane lane, struct err *e)
{
	int rc = 0;

	if (p->busy[lane])
		return 0;
	p->busy[lane] = true;
	while (rc == 0 && is_due(p, lane)) {
		size_t i = p->next[lane];

		pthread_mutex_unlock(&p->lock);
		rc = run_lane(p, lane, i, &p->slots[i % p->n_slots], e);
		pthread_mutex_lock(&p->lock);
		if (rc == 0)
			advance(p, lane);
	}
	p->busy[lane] = false;
	return rc;
}

/* Whoever is at a lane looks again before leaving it: what others hand in meanwhile is done, too. */
static int flush_ready(struct pipeline *p, struct err *e)
{
	if (flush_lane(p, WRITE, e) < 0)
		return -1;
	return flush_lane(p, HASH, e);
}

static int hand_in(struct pipeline *p, size_t i, struct buf *data, uint64_t raw, struct err *e)
{
	int rc = 0;

	pthread_mutex_lock(&p->lock);
	while (!p->failed && i - done_by_all(p) >= p->n_slots)
		pthread_cond_wait(&p->moved, &p->lock);
	if (!p->failed) {
		p->slots[i % p->n_slots] = (struct slot){.data = *data, .raw = raw, .ready = true};
		*data = (struct buf){0};
		rc = flush_ready(p, e);
	}
	pthread_mutex_unlock(&p->lock);
	return rc;
}

static void give_up(struct pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->failed = true;
	pthread_cond_broadcast(&p->moved);
	pthread_mutex_unlock(&p->lock);
}

static int work_on_chunk(void *ctx, size_t i, struct err *e)
{
	struct pipeline *p = ctx;
	const struct layout_chunk *chunk = &p->layout->chunks.v[i];
	CLEANUP_BUF raw = {0};
	CLEANUP_BUF out = {0};

	if ((segments_take(p->segments, i, &out) ||
		    (read_chunk(p, chunk, &raw, e) == 0 &&
			    compress(p->stream, &raw, &out, e) == 0)) &&
		hand_in(p, i, &out, chunk->to - chunk->from, e) == 0)
		return 0;
	give_up(p);
	return -1;
}

int stream_write(struct stream *s, struct layout *l, struct err *e)
{
	struct pipeline p = {
		.stream = s,
		.layout = l,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.moved = PTHREAD_COND_INITIALIZER,
		.n_slots = 2 * (size_t)(s->jobs ? s->jobs : 1),
	};
	int rc;

	p.segments = segments_open(&(struct segments_request){.cache = s->cache,
					   .keep = s->keep,
					   .format = s->format,
					   .level = s->level,
					   .jobs = s->jobs},
		l);
	p.slots = xcalloc(p.n_slots, sizeof *p.slots);
	rc = work_run(s->jobs, l->chunks.n, work_on_chunk, &p, e);
	for (size_t i = 0; i < p.n_slots; i++)
		buf_release(&p.slots[i].data);
	free(p.slots);
	segments_close(p.segments, &s->reused, &s->made);
	pthread_cond_destroy(&p.moved);
	pthread_mutex_destroy(&p.lock);
	return rc;
}

int stream_end(struct stream *s, struct err *e)
{
	CLEANUP_BUF table = {0};

	if (s->format != PACK_TAR_ZST)
		return 0;
	zstd_seek_table((const struct zstd_seek *)s->frames.p,
		s->frames.n / sizeof(struct zstd_seek), &table);
	return sink_write(s->sink, table.p, table.n, e);
}
