#include "base/bzip2.h"

#include "base/bzip2_block.h"

#include <endian.h>
#include <pthread.h>
#include <stdlib.h>

/*
 * The format around the blocks:
 *	"BZh", level '1'-'9'                     at a byte
 *	blocks, each: BLOCK_MAGIC, u32 crc ...   at any bit
 *	END_MAGIC, u32 crc of the stream, zero bits up to a byte
 * and again, or the end.
 */
static const uint64_t BLOCK_MAGIC = 0x314159265359, END_MAGIC = 0x177245385090;
static const uint64_t MAGIC_MASK = 0xffffffffffff;
enum { MAGIC_BITS = 48, CRC_BITS = 32, HEADER = 4 };

enum {
	PIECE = 64 << 10,    /* read at once */
	MAX_BLOCK = 5 << 19, /* compressed: 900,000 symbols of 20 bits, tables and selectors */
	OUT_STEP = 1 << 20,
	MAX_OUT = 4 << 20, /* of a block that the crew decodes; what is larger is decoded again */
	MAX_PLACES = 1 << 16, /* that look like a magic, ahead of the block that is read */
};

/* --- the crew ----------------------------------------------------------------------------- */

enum job_state { JOB_IDLE, JOB_QUEUED, JOB_RUNNING, JOB_DONE };

/* One place that looks like a block, with a copy of the bits up to the next such place. */
struct job {
	struct job *next;
	enum job_state state;
	uint64_t bit;  /* of the magic in the whole input */
	unsigned from; /* of the magic in `in` */
	int level;
	uint8_t *in;
	size_t in_n, in_cap;
	/* Answers. */
	enum bz_result result;
	bool large; /* over MAX_OUT: nothing of it is in out */
	uint8_t *out;
	size_t out_n, out_cap;
	uint32_t crc, crc_is;
	uint64_t end_bit; /* in the whole input */
};

struct bunzip_crew {
	pthread_mutex_t lock;
	pthread_cond_t more, done;
	struct job *first, **last; /* queued */
	pthread_t *threads;
	unsigned n_threads, wanted; /* blocks that are queued, decoded, or not yet read */
	bool stop;
};

static bool grow_out(struct job *j)
{
	if (j->out_n < j->out_cap)
		return true;
	if (j->out_cap >= MAX_OUT)
		return false;
	j->out_cap += OUT_STEP;
	j->out = xrealloc(j->out, j->out_cap);
	return true;
}

static void decode(struct job *j, struct bz_block *block)
{
	size_t n = 1;

	j->out_n = 0;
	j->large = false;
	j->result = bz_block_read(block, j->in, j->in_n, j->from, j->level);
	if (j->result != BZ_BLOCK_OK)
		return;
	j->end_bit = j->bit + block->end_bit - j->from;
	while (n > 0 && j->result == BZ_BLOCK_OK) {
		if (!grow_out(j)) {
			j->large = true;
			return;
		}
		if (!bz_block_write(block, j->out + j->out_n, j->out_cap - j->out_n, &n))
			j->result = BZ_BLOCK_BAD;
		j->out_n += n;
		if (block->left == 0 && block->repeat == 0)
			break;
	}
	j->crc = block->crc;
	j->crc_is = ~block->crc_is;
}

static void *crew_main(void *ctx)
{
	struct bunzip_crew *c = ctx;
	struct bz_block block = {0};

	pthread_mutex_lock(&c->lock);
	for (;;) {
		while (!c->stop && !c->first)
			pthread_cond_wait(&c->more, &c->lock);
		if (c->stop)
			break;
		struct job *j = c->first;
		c->first = j->next;
		if (!c->first)
			c->last = &c->first;
		j->state = JOB_RUNNING;
		pthread_mutex_unlock(&c->lock);
		decode(j, &block);
		pthread_mutex_lock(&c->lock);
		j->state = JOB_DONE;
		pthread_cond_broadcast(&c->done);
	}
	pthread_mutex_unlock(&c->lock);
	bz_block_release(&block);
	return NULL;
}

struct bunzip_crew *bunzip_crew_new(unsigned threads)
{
	struct bunzip_crew *c = xcalloc(1, sizeof *c);

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->more, NULL);
	pthread_cond_init(&c->done, NULL);
	c->last = &c->first;
	c->threads = xcalloc(threads ? threads : 1, sizeof *c->threads);
	while (c->n_threads < threads &&
		pthread_create(&c->threads[c->n_threads], NULL, crew_main, c) == 0)
		c->n_threads++;
	return c;
}

void bunzip_crew_free(struct bunzip_crew *c)
{
	if (!c)
		return;
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->more);
	pthread_mutex_unlock(&c->lock);
	while (c->n_threads > 0)
		pthread_join(c->threads[--c->n_threads], NULL);
	pthread_cond_destroy(&c->done);
	pthread_cond_destroy(&c->more);
	pthread_mutex_destroy(&c->lock);
	free(c->threads);
	free(c);
}

static void crew_add(struct bunzip_crew *c, struct job *j)
{
	pthread_mutex_lock(&c->lock);
	j->state = JOB_QUEUED;
	j->next = NULL;
	*c->last = j;
	c->last = &j->next;
	c->wanted++;
	pthread_cond_signal(&c->more);
	pthread_mutex_unlock(&c->lock);
}

/* May a reader that has a block under way ask for one more? */
static bool crew_has_room(struct bunzip_crew *c)
{
	pthread_mutex_lock(&c->lock);
	bool room = c->wanted < 2 * c->n_threads + 2;
	pthread_mutex_unlock(&c->lock);
	return room;
}

/* Waits until the job is done, or takes it back where nobody has begun it. */
static void crew_finish(struct bunzip_crew *c, struct job *j, bool needed)
{
	pthread_mutex_lock(&c->lock);
	if (j->state == JOB_QUEUED && !needed) {
		struct job **at = &c->first;
		while (*at != j)
			at = &(*at)->next;
		*at = j->next;
		if (!j->next)
			c->last = at;
		j->state = JOB_DONE;
	}
	while (j->state != JOB_DONE)
		pthread_cond_wait(&c->done, &c->lock);
	c->wanted--;
	pthread_mutex_unlock(&c->lock);
}

/* --- the input ---------------------------------------------------------------------------- */

/* A bit at which one of the two magics stands. */
struct place {
	uint64_t bit;
	bool end;
};

struct bunzip {
	struct bunzip_crew *crew;
	stream_read *read;
	void *ctx;
	char *name;
	/* The input from byte `base` on, with BZ_PAD bytes of room behind it. */
	uint8_t *in;
	size_t in_n, in_cap;
	uint64_t base, scanned; /* bytes of the whole input */
	bool eof;
	/* Magics from `at` on; those below places.first are behind it. */
	struct {
		struct place *v;
		size_t n, cap, first;
	} places;
	/* Where the reader stands: at a magic, unless `between` streams. */
	uint64_t at;
	bool between, any, ended;
	int level;
	uint32_t crc; /* of the stream so far */
	/* Blocks ahead in the order of the input; jobs[0] may be the one that is given out. */
	struct job **jobs;
	size_t n_jobs, cap_jobs, next_place; /* the first place without a job */
	struct job *spare;
	struct job *now; /* given out; NULL: none */
	size_t given;
	struct bz_block large; /* for blocks over MAX_OUT, and where there is no crew */
	bool streaming;        /* `large` is what is given out */
};

static int fail(struct bunzip *b, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "damaged archive '%s': %s", b->name, why);
}

/* Lets go of the input before the reader's place. */
static void drop_input(struct bunzip *b)
{
	size_t n = (size_t)(b->at / 8 - b->base);

	/* Moving what is left costs less than what was read. */
	if (n < b->in_n / 2 && n < MAX_BLOCK)
		return;
	memmove(b->in, b->in + n, b->in_n - n);
	b->in_n -= n;
	b->base += n;
}

/* Reads one more piece: 1, or 0 at the end. */
static int read_more(struct bunzip *b, struct err *e)
{
	if (b->eof)
		return 0;
	drop_input(b);
	if (b->in_n + PIECE + BZ_PAD > b->in_cap) {
		b->in_cap = (b->in_n + PIECE) * 3 / 2 + BZ_PAD;
		b->in = xrealloc(b->in, b->in_cap);
	}
	ptrdiff_t got = b->read(b->ctx, b->in + b->in_n, PIECE, e);
	if (got < 0)
		return -1;
	b->in_n += (size_t)got;
	memset(b->in + b->in_n, 0, BZ_PAD);
	b->eof = got == 0;
	return got > 0;
}

static uint64_t input_bits(const struct bunzip *b)
{
	return (b->base + b->in_n) * 8;
}

/* n bits (at most 56) at a place that is in the input. */
static uint64_t peek(const struct bunzip *b, uint64_t bit, unsigned n)
{
	uint64_t v;

	memcpy(&v, b->in + (bit / 8 - b->base), sizeof v);
	return be64toh(v) << bit % 8 >> (64 - n);
}

/* --- looking for magics ------------------------------------------------------------------- */

/*
 * Wherever a magic stands, the five bytes behind the one in which it begins are known (for each of
 * eight shifts); four pairs of neighbours are in them, one of which begins at a multiple of four.
 * So of every four bytes one pair is looked up here, and only where it is one of these 64 the bits
 * around are compared.
 */
static uint8_t pairs[65536 / 8];
static pthread_once_t pairs_once = PTHREAD_ONCE_INIT;

static void add_pairs(uint64_t magic)
{
	for (unsigned shift = 0; shift < 8; shift++) {
		uint64_t bits = magic
				<< (16 - shift); /* the byte in which it begins is the highest */
		for (unsigned i = 1; i <= 4; i++) {
			unsigned pair = bits >> (48 - 8 * i) & 0xffff;
			pairs[pair / 8] |= (uint8_t)(1 << pair % 8);
		}
	}
}

static void make_pairs(void)
{
	add_pairs(BLOCK_MAGIC);
	add_pairs(END_MAGIC);
}

static void add_place(struct bunzip *b, uint64_t bit, bool end)
{
	if (bit < b->at)
		return;
	if (b->places.n == b->places.cap) {
		b->places.cap = b->places.cap ? b->places.cap * 2 : 64;
		b->places.v = xrealloc(b->places.v, b->places.cap * sizeof *b->places.v);
	}
	b->places.v[b->places.n++] = (struct place){bit, end};
}

/* Compares the bits that begin in the byte at `byte` of the whole input. */
static void compare_byte(struct bunzip *b, uint64_t byte)
{
	for (unsigned shift = 0; shift < 8; shift++) {
		uint64_t v = peek(b, byte * 8 + shift, MAGIC_BITS) & MAGIC_MASK;
		if (v == BLOCK_MAGIC || v == END_MAGIC)
			add_place(b, byte * 8 + shift, v == END_MAGIC);
	}
}

/* Looks through what has been read; at the end of the input, through all of it. */
static void scan(struct bunzip *b)
{
	uint64_t end = b->base + b->in_n, i = b->scanned;

	if (!b->eof)
		end = end > 8 ? end - 8 : 0;
	if (i < b->base)
		i = (b->base + 3) / 4 * 4;
	for (; i < end; i += 4) {
		const uint8_t *p = b->in + (i - b->base);
		unsigned pair = (unsigned)p[0] << 8 | p[1];
		if (!(pairs[pair / 8] >> pair % 8 & 1))
			continue;
		for (uint64_t byte = i >= 4 ? i - 4 : 0; byte < i; byte++)
			if (byte >= b->base)
				compare_byte(b, byte);
	}
	b->scanned = i;
}

/* Forgets the places that are behind the reader, now and then. */
static void drop_places(struct bunzip *b)
{
	while (b->places.first < b->places.n && b->places.v[b->places.first].bit < b->at)
		b->places.first++;
	if (b->next_place < b->places.first)
		b->next_place = b->places.first;
	if (b->places.first < 32 || b->places.first < b->places.n / 2)
		return;
	size_t n = b->places.first;
	memmove(b->places.v, b->places.v + n, (b->places.n - n) * sizeof *b->places.v);
	b->places.n -= n;
	b->next_place -= n;
	b->places.first = 0;
}

/*
 * Reads until the i-th place is known: 1, or 0 where it is not within a block's length (of input
 * that is `from` on), or the input has ended.
 */
static int find_place(struct bunzip *b, size_t i, uint64_t from, struct err *e)
{
	while (b->places.n <= i) {
		if (input_bits(b) > from + (uint64_t)MAX_BLOCK * 8 || b->eof)
			return 0;
		if (read_more(b, e) < 0)
			return -1;
		scan(b);
	}
	return 1;
}

/* --- blocks ahead ------------------------------------------------------------------------- */

static struct job *new_job(struct bunzip *b)
{
	struct job *j = b->spare;

	if (!j)
		return xcalloc(1, sizeof *j);
	b->spare = j->next;
	return j;
}

static void free_job(struct job *j)
{
	free(j->in);
	free(j->out);
	free(j);
}

/* Kept for the next block. */
static void put_back(struct bunzip *b, struct job *j)
{
	if (b->spare) {
		free_job(j);
		return;
	}
	if (j->out_cap > OUT_STEP) {
		free(j->out);
		j->out = NULL;
		j->out_cap = 0;
	}
	j->next = NULL;
	b->spare = j;
}

/* A stream's level where its header stands right before the block, else that of the last one. */
static int guess_level(const struct bunzip *b, uint64_t bit)
{
	if (bit % 8 == 0 && bit / 8 >= b->base + HEADER) {
		const uint8_t *p = b->in + (bit / 8 - b->base - HEADER);
		if (memcmp(p, "BZh", 3) == 0 && p[3] >= '1' && p[3] <= '9')
			return p[3] - '0';
	}
	return b->level;
}

static void copy_input(struct bunzip *b, struct job *j, uint64_t bit, uint64_t end)
{
	size_t from = (size_t)(bit / 8 - b->base), to = (size_t)((end + 7) / 8 - b->base);

	if (to > b->in_n)
		to = b->in_n;
	j->bit = bit;
	j->from = bit % 8;
	j->in_n = to - from;
	if (j->in_n + BZ_PAD > j->in_cap) {
		j->in_cap = j->in_n + BZ_PAD;
		free(j->in);
		j->in = xmalloc(j->in_cap);
	}
	memcpy(j->in, b->in + from, j->in_n);
	memset(j->in + j->in_n, 0, BZ_PAD);
}

/* Hands the next block to the crew: 1, or 0 where none is in sight. */
static int ask_for_block(struct bunzip *b, struct err *e)
{
	int rc = find_place(b, b->next_place, b->at, e);

	while (rc > 0 && b->places.v[b->next_place].end) {
		b->next_place++;
		rc = find_place(b, b->next_place, b->at, e);
	}
	if (rc <= 0 || b->next_place - b->places.first > MAX_PLACES)
		return rc < 0 ? -1 : 0;
	uint64_t bit = b->places.v[b->next_place].bit;
	rc = find_place(b, b->next_place + 1, bit, e);
	if (rc < 0)
		return -1;
	struct job *j = new_job(b);
	copy_input(b, j, bit, rc ? b->places.v[b->next_place + 1].bit : input_bits(b));
	j->level = guess_level(b, bit);
	b->next_place++;
	if (b->n_jobs == b->cap_jobs) {
		b->cap_jobs = b->cap_jobs ? b->cap_jobs * 2 : 8;
		b->jobs = xrealloc(b->jobs, b->cap_jobs * sizeof(struct job *));
	}
	b->jobs[b->n_jobs++] = j;
	crew_add(b->crew, j);
	return 1;
}

static int ask_ahead(struct bunzip *b, struct err *e)
{
	int rc = 1;

	while (rc > 0 && (b->n_jobs == 0 || crew_has_room(b->crew)))
		rc = ask_for_block(b, e);
	return rc < 0 ? -1 : 0;
}

/* The first of the jobs, done or given up. */
static struct job *take_job(struct bunzip *b, bool needed)
{
	struct job *j = b->jobs[0];

	crew_finish(b->crew, j, needed);
	memmove(b->jobs, b->jobs + 1, --b->n_jobs * sizeof(struct job *));
	return j;
}

/* The crew's answer for the block at the reader's place; NULL where it has none that is right. */
static struct job *crew_block(struct bunzip *b, struct err *e)
{
	while (b->n_jobs > 0 && b->jobs[0]->bit < b->at)
		put_back(b, take_job(b, false));
	if (ask_ahead(b, e) < 0)
		return NULL;
	if (b->n_jobs == 0 || b->jobs[0]->bit != b->at)
		return NULL;
	struct job *j = take_job(b, true);
	if (j->result == BZ_BLOCK_OK && !j->large && j->level == b->level)
		return j;
	put_back(b, j);
	return NULL;
}

/* --- the row of blocks -------------------------------------------------------------------- */

/* Makes sure of n bits at the reader's place: 1, or 0 where the input ends before. */
static int need_bits(struct bunzip *b, uint64_t n, struct err *e)
{
	while (input_bits(b) < b->at + n) {
		int rc = read_more(b, e);
		if (rc <= 0)
			return rc;
		scan(b);
	}
	return 1;
}

/* Reads the block at the reader's place in this thread. */
static int own_block(struct bunzip *b, struct err *e)
{
	if (need_bits(b, (uint64_t)MAX_BLOCK * 8, e) < 0)
		return -1;
	size_t from = (size_t)(b->at / 8 - b->base);
	switch (bz_block_read(&b->large, b->in + from, b->in_n - from, b->at % 8, b->level)) {
	case BZ_BLOCK_OK:
		b->streaming = true;
		b->at += b->large.end_bit - b->at % 8;
		return 0;
	case BZ_BLOCK_SHORT:
		return fail(b, e, "cut short");
	case BZ_BLOCK_BAD:
		break;
	}
	return fail(b, e, "a block that cannot be decoded");
}

static int begin_block(struct bunzip *b, struct err *e)
{
	struct err failed = {0};

	if (b->crew && b->crew->n_threads > 0) {
		b->now = crew_block(b, &failed);
		if (failed.code != ERR_NONE)
			return err_move(e, &failed);
	}
	if (!b->now)
		return own_block(b, e);
	b->given = 0;
	b->at = b->now->end_bit;
	return 0;
}

static int end_block(struct bunzip *b, struct err *e)
{
	uint32_t said = b->now ? b->now->crc : b->large.crc;
	uint32_t is = b->now ? b->now->crc_is : ~b->large.crc_is;

	if (b->now)
		put_back(b, b->now);
	b->now = NULL;
	b->streaming = false;
	if (said != is)
		return fail(b, e, "the sum of a block is wrong");
	b->crc = (b->crc << 1 | b->crc >> 31) ^ is;
	return 0;
}

/* "BZh9", the end of all, or what follows and does not matter. */
static int next_stream(struct bunzip *b, struct err *e)
{
	static const char MAGIC[] = "BZh";
	int rc = need_bits(b, HEADER * 8, e);

	if (rc < 0)
		return -1;
	const uint8_t *p = b->in + (b->at / 8 - b->base);
	size_t n = (size_t)((input_bits(b) - b->at) / 8);
	bool like = memcmp(p, MAGIC, n < 3 ? n : 3) == 0;
	if (n >= HEADER && like && p[3] >= '1' && p[3] <= '9') {
		b->level = p[3] - '0';
		b->at += HEADER * 8;
		b->crc = 0;
		b->between = false;
		b->any = true;
		return 0;
	}
	if (!b->any && (n >= HEADER || !like))
		return fail(b, e, "it is not compressed with bzip2");
	if (!b->any || (n > 0 && n < HEADER && like))
		return fail(b, e, "cut short");
	b->ended = true;
	return 0;
}

static int end_stream(struct bunzip *b, struct err *e)
{
	int rc = need_bits(b, MAGIC_BITS + CRC_BITS, e);

	if (rc <= 0)
		return rc < 0 ? -1 : fail(b, e, "cut short");
	if (peek(b, b->at + MAGIC_BITS, CRC_BITS) != b->crc)
		return fail(b, e, "the sum of a stream is wrong");
	b->at = (b->at + MAGIC_BITS + CRC_BITS + 7) / 8 * 8;
	b->between = true;
	return 0;
}

/* Goes on until there is something to give out, or the end. */
static int advance(struct bunzip *b, struct err *e)
{
	while (!b->now && !b->streaming && !b->ended) {
		drop_places(b);
		if (b->between) {
			if (next_stream(b, e) < 0)
				return -1;
			continue;
		}
		int rc = need_bits(b, MAGIC_BITS, e);
		if (rc <= 0)
			return rc < 0 ? -1 : fail(b, e, "cut short");
		uint64_t magic = peek(b, b->at, MAGIC_BITS);
		if (magic != BLOCK_MAGIC && magic != END_MAGIC)
			return fail(b, e, "no block where one must begin");
		if ((magic == END_MAGIC ? end_stream(b, e) : begin_block(b, e)) < 0)
			return -1;
	}
	return 0;
}

/* --- outside ------------------------------------------------------------------------------ */

struct bunzip *bunzip_open(struct bunzip_crew *crew, stream_read *read, void *ctx, const char *name)
{
	struct bunzip *b = xcalloc(1, sizeof *b);

	pthread_once(&pairs_once, make_pairs);
	b->crew = crew;
	b->read = read;
	b->ctx = ctx;
	b->name = xstrdup(name);
	b->between = true;
	b->in_cap = PIECE + BZ_PAD;
	b->in = xcalloc(1, b->in_cap);
	return b;
}

/* Bytes of the block that is given out; 0 when it is at its end. */
static ptrdiff_t give(struct bunzip *b, uint8_t *p, size_t n, struct err *e)
{
	size_t got;

	if (b->now) {
		got = b->now->out_n - b->given < n ? b->now->out_n - b->given : n;
		memcpy(p, b->now->out + b->given, got);
		b->given += got;
		return (ptrdiff_t)got;
	}
	if (!bz_block_write(&b->large, p, n, &got))
		return fail(b, e, "a block ends within a run");
	return (ptrdiff_t)got;
}

ptrdiff_t bunzip_read(void *bunzip, void *p, size_t n, struct err *e)
{
	struct bunzip *b = bunzip;

	while (n > 0 && !b->ended) {
		if (b->now || b->streaming) {
			ptrdiff_t got = give(b, p, n, e);
			if (got != 0)
				return got;
			if (end_block(b, e) < 0)
				return -1;
		}
		if (advance(b, e) < 0)
			return -1;
	}
	return 0;
}

void bunzip_close(struct bunzip *b)
{
	if (!b)
		return;
	while (b->n_jobs > 0)
		free_job(take_job(b, false));
	if (b->now)
		free_job(b->now);
	if (b->spare)
		free_job(b->spare);
	bz_block_release(&b->large);
	free(b->places.v);
	free(b->jobs);
	free(b->in);
	free(b->name);
	free(b);
}
