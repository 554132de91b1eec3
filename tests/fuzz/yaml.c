/*
 * YAML: any text gives a tree or an error with a place, and a scalar that was written is read back
 * as the same text.
 */
#include "base/yaml.h"

#include "base/buf.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_utf8(struct str s)
{
	while (s.n) {
		size_t n = utf8_sequence(s);

		if (n == 0)
			return false;
		s = str_sub(s, n, s.n);
	}
	return true;
}

static struct yaml *must_parse(struct arena *a, struct buf *b)
{
	struct err e = {0};
	struct yaml *y = NULL;

	if (yaml_parse(a, "written", buf_view(b), &y, &e) < 0)
		abort();
	return y;
}

/* As the value of a key, and as an item of a list. */
static void round_trip(struct arena *a, struct str s)
{
	CLEANUP_BUF b = {0};
	struct yaml *y;

	buf_puts(&b, "key: ");
	yaml_write_scalar(&b, s);
	buf_puts(&b, "\nlist:\n- ");
	yaml_write_scalar(&b, s);
	buf_putc(&b, '\n');
	y = must_parse(a, &b);
	if (!y || y->n != 2 || !str_eq(y->items[0]->text, s) || y->items[1]->n != 1 ||
		!str_eq(y->items[1]->items[0]->text, s))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str text = str_n((const char *)data, size);
	struct arena a = {0};
	struct err e = {0};
	struct yaml *y = NULL;

	if (yaml_parse(&a, "fuzz", text, &y, &e) < 0 && strncmp(e.text, "fuzz:", 5) != 0)
		abort();
	err_release(&e);
	if (size < 4096 && is_utf8(text))
		round_trip(&a, text);
	arena_release(&a);
	return 0;
}
