/*
 * How fast JSON is read: json_speed FILE[.zst|.bz2|.gz]...
 *
 * Prints MB/s for three ways through each file, from memory and, as an index arrives, from a
 * callback: every token, one value skipped whole, and record after record (names read, records
 * skipped).  Not a test: figures are for people.
 */
#include "base/archive.h"
#include "base/json.h"
#include "base/log.h"
#include "tests/memory.h"

#include <stdio.h>

enum { ROUNDS = 5 };

static bool every_token(struct json *j)
{
	enum json_type t;

	do
		t = json_next(j);
	while (t != JSON_END && t != JSON_ERROR);
	return t == JSON_END;
}

static bool one_skip(struct json *j)
{
	json_next(j);
	return json_skip(j) == 0 && json_next(j) == JSON_END;
}

/* {"packages": {NAME: record...}, ...} */
static bool each_record(struct json *j)
{
	enum json_type t;

	json_next(j);
	while ((t = json_next(j)) == JSON_KEY) {
		t = json_next(j);
		while (t == JSON_OBJECT && json_next(j) == JSON_KEY)
			if (json_skip(j) < 0)
				return false;
		if (t != JSON_OBJECT && json_skip_rest(j, t) < 0)
			return false;
	}
	return t == JSON_OBJECT_END && json_next(j) == JSON_END;
}

static void measure(const char *what, bool (*way)(struct json *), struct str text)
{
	double best[2] = {0, 0};

	bool good = true;

	for (int i = 0; i < 2 * ROUNDS; i++) {
		struct memory s = {.rest = text};
		struct json *j =
			i % 2 ? json_open(read_memory, &s, "f") : json_open_text(text, "f");
		uint64_t start = now_ns();
		double speed;

		good = way(j) && good;
		speed = (double)text.n * 1000 / (double)(now_ns() - start + 1);
		if (speed > best[i % 2])
			best[i % 2] = speed;
		json_close(j);
	}
	if (!good)
		printf("  (it was not read to its end)\n");
	printf("  %-12s %6.0f MB/s from memory, %6.0f MB/s from a callback\n", what, best[0],
		best[1]);
}

static int load(const char *path, struct buf *text, struct err *e)
{
	struct unpacker *u = unpacker_open_path(path, e);
	ptrdiff_t n = -1;

	while (u && (n = unpacker_read(u, buf_room(text, 1 << 20), 1 << 20, e)) > 0)
		text->n += (size_t)n;
	unpacker_close(u);
	return n < 0 ? -1 : 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		CLEANUP_BUF text = {0};
		struct err e = {0};

		if (load(argv[i], &text, &e) < 0) {
			log_error(&e);
			err_release(&e);
			return 1;
		}
		printf("%s: %.1f MB\n", argv[i], (double)text.n / 1e6);
		measure("tokens", every_token, buf_view(&text));
		measure("skip", one_skip, buf_view(&text));
		measure("records", each_record, buf_view(&text));
	}
	return 0;
}
