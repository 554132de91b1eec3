#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ahead.h"
#include "base/pipe.h"
#include "base/zip_stored.h"
#include "tests/memory.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

/* --- zip_stored --------------------------------------------------------------------------- */

/* Reads every second member's bytes, passes over the others: members, or -1. */
static int read_all(struct str zip, size_t step, struct buf *out, struct err *e)
{
	struct memory m = {.rest = zip, .step = step};
	struct zip_stored *z = zip_stored_open(read_memory, &m, "x.conda");
	struct str name;
	uint64_t size;
	int rc, members = 0;

	while ((rc = zip_stored_next(z, &name, &size, e)) > 0) {
		char piece[333];
		ptrdiff_t n = 0;
		buf_printf(out, "%.*s %llu ", STR_ARG(name), (unsigned long long)size);
		while (members % 2 == 0 && (n = zip_stored_read(z, piece, sizeof piece, e)) > 0)
			buf_add(out, piece, (size_t)n);
		members++;
		if (n < 0)
			break;
	}
	zip_stored_close(z);
	return e->text ? -1 : members;
}

static void make_zip(struct buf *zip)
{
	static char large[40000];
	struct err e = {0};

	memset(large, 'x', sizeof large);
	struct zip_part parts[] = {{STR("a"), STR("first")}, {STR("b"), str_n(large, sizeof large)},
		{STR("empty"), STR("")}, {STR("c"), STR("last")}};
	assert_int_equal(zip_store(parts, 4, zip, &e), 0);
}

static void test_members(void **state)
{
	CLEANUP_BUF zip = {0};

	(void)state;
	make_zip(&zip);
	for (size_t step = 0; step < 300; step += 37) {
		CLEANUP_BUF out = {0};
		struct err e = {0};
		assert_int_equal(read_all(buf_view(&zip), step, &out, &e), 4);
		assert_string_equal(out.p, "a 5 firstb 40000 empty 0 c 4 ");
	}
}

/* Every byte matters: a zip with another one is refused, but for times, versions and attributes. */
static void test_every_byte(void **state)
{
	CLEANUP_BUF zip = {0};
	size_t taken = 0;

	(void)state;
	make_zip(&zip);
	for (size_t i = 0; i<zip.n; i += i> 200 && i < 40000 ? 997 : 1) {
		CLEANUP_BUF out = {0};
		struct err e = {0};
		zip.p[i] = (char)(zip.p[i] ^ 0x41);
		int rc = read_all(buf_view(&zip), 0, &out, &e);
		taken += rc >= 0;
		zip.p[i] = (char)(zip.p[i] ^ 0x41);
		assert_true(rc == 4 || e.code == ERR_INTEGRITY);
		err_release(&e);
	}
	/* 4 local headers: version, time, date, other flags; 4 entries: versions, time, date,
	 * attributes, other flags; the end: 2 numbers of parts. */
	assert_true(taken <= 4 * (2 + 4 + 2) + 4 * (4 + 4 + 2 + 6) + 4);
}

static void test_every_length(void **state)
{
	CLEANUP_BUF zip = {0};

	(void)state;
	make_zip(&zip);
	for (size_t n = 0; n<zip.n; n += n> 200 && n < 40000 ? 997 : 1) {
		CLEANUP_BUF out = {0};
		struct err e = {0};
		assert_int_equal(read_all(str_n(zip.p, n), 0, &out, &e), -1);
		assert_int_equal(e.code, ERR_INTEGRITY);
		err_release(&e);
	}
}

/* --- pipe --------------------------------------------------------------------------------- */

struct ends {
	struct pipe *pipe;
	pthread_mutex_t lock;
	pthread_cond_t room;
	bool has_room;
	enum pipe_state ends_as;
};

static void on_room(void *ctx)
{
	struct ends *s = ctx;

	pthread_mutex_lock(&s->lock);
	s->has_room = true;
	pthread_cond_signal(&s->room);
	pthread_mutex_unlock(&s->lock);
}

enum { TOTAL = 3000000 };

/* Bytes that tell their place, in pieces of all lengths up to more than the pipe holds. */
static void *write_main(void *ctx)
{
	struct ends *s = ctx;
	static char piece[5000];
	uint32_t x = 1;

	for (size_t at = 0, n; at < TOTAL; at += n) {
		x = x * 1664525 + 1013904223;
		n = (x >> 8) % sizeof piece + 1;
		n = n < TOTAL - at ? n : TOTAL - at;
		for (size_t i = 0; i < n; i++)
			piece[i] = (char)((at + i) * 2654435761u >> 13);
		while (!pipe_write(s->pipe, piece, n)) {
			pthread_mutex_lock(&s->lock);
			while (!s->has_room)
				pthread_cond_wait(&s->room, &s->lock);
			s->has_room = false;
			pthread_mutex_unlock(&s->lock);
		}
	}
	if (s->ends_as == PIPE_ENDED)
		pipe_end(s->pipe);
	else
		pipe_break(s->pipe);
	pipe_leave(s->pipe);
	return NULL;
}

static void run_pipe(enum pipe_state ends_as)
{
	struct ends s = {.lock = PTHREAD_MUTEX_INITIALIZER,
		.room = PTHREAD_COND_INITIALIZER,
		.ends_as = ends_as};
	struct pipe *p = s.pipe = pipe_new(4096, on_room, &s);
	struct err e = {0};
	pthread_t writer;
	char piece[1777];
	ptrdiff_t n;
	size_t at = 0;

	assert_int_equal(pthread_create(&writer, NULL, write_main, &s), 0);
	while ((n = pipe_read(p, piece, sizeof piece, &e)) > 0)
		for (ptrdiff_t i = 0; i < n; i++, at++)
			if (piece[i] != (char)(at * 2654435761u >> 13))
				fail_msg("another byte at %zu", at);
	pthread_join(writer, NULL);
	assert_int_equal(pipe_state(p), ends_as);
	if (ends_as == PIPE_ENDED)
		assert_int_equal(at, TOTAL);
	assert_int_equal(n, ends_as == PIPE_ENDED ? 0 : -1);
	pipe_leave(p);
	err_release(&e);
}

static void test_pipe(void **state)
{
	(void)state;
	run_pipe(PIPE_ENDED);
	run_pipe(PIPE_BROKEN);
}

/* --- reading ahead ------------------------------------------------------------------------- */

/* Bytes that tell their place, in pieces of odd lengths; at the end, or an error there. */
struct counting {
	size_t at, n;
	bool fails;
};

static unsigned char byte_at(size_t i)
{
	return (unsigned char)(i * 31 ^ i >> 8);
}

static ptrdiff_t count_up(void *ctx, void *p, size_t n, struct err *e)
{
	struct counting *c = ctx;
	unsigned char *to = p;

	if (n > 1 + c->at % 50021)
		n = 1 + c->at % 50021;
	if (n > c->n - c->at)
		n = c->n - c->at;
	if (n == 0 && c->fails)
		return err_set(e, ERR_NETWORK, "the line went dead");
	for (size_t i = 0; i < n; i++)
		to[i] = byte_at(c->at++);
	return (ptrdiff_t)n;
}

/* Reads up to `take` bytes of it and leaves; the bytes must be right. */
static ptrdiff_t read_through(struct counting *c, size_t take, struct err *e)
{
	struct ahead *a = ahead_open(count_up, c, e);
	unsigned char piece[4099];
	size_t at = 0;
	ptrdiff_t n = 0;

	assert_non_null(a);
	while (at < take && (n = ahead_read(a, piece, sizeof piece, e)) > 0)
		for (ptrdiff_t i = 0; i < n; i++)
			assert_int_equal(piece[i], byte_at(at++));
	if (n == 0 && at < take)
		assert_int_equal(ahead_read(a, piece, 1, e), 0);
	ahead_close(a);
	return n < 0 ? -1 : (ptrdiff_t)at;
}

static void test_ahead(void **state)
{
	static const size_t lengths[] = {0, 1, 4099, 256 << 10, (256 << 10) + 1, 3 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		struct counting whole = {.n = lengths[i]},
				broken = {.n = lengths[i], .fails = true};
		struct counting left = {.n = 64 << 20};
		struct err e = {0};

		assert_int_equal(read_through(&whole, SIZE_MAX, &e), lengths[i]);
		assert_int_equal(read_through(&broken, SIZE_MAX, &e), -1);
		assert_int_equal(e.code, ERR_NETWORK);
		assert_string_equal(e.text, "the line went dead");
		err_release(&e);
		/* Who leaves early does not wait for the rest. */
		read_through(&left, lengths[i], &e);
		assert_true(left.at < lengths[i] + (8 << 20));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_pipe),
		cmocka_unit_test(test_ahead),
	};
	return cmocka_run_group_tests_name("streams", tests, NULL, NULL);
}
