/*
 * ELF facts of any bytes: read or refused; what was read is written, read again and written the same.
 * The first byte says what the others are: 'e' a file of ELF facts behind its sum, 'h' the head of a
 * file of symbols, 's' the symbols of one file, 'j' exported facts.
 */
#include "base/hash.h"
#include "builder/binaries_file.h"

#include <stdlib.h>

static void add_u32(struct buf *to, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		buf_putc(to, (char)(n >> 8 * i & 0xff));
}

static void add_sum(struct buf *to, struct str s)
{
	uint8_t sum[SHA256_LEN];

	sha256_of(s.p ? s.p : "", s.n, sum);
	buf_add(to, sum, sizeof sum);
}

static bool look(struct str s)
{
	return str_chr(s, 0) < 0;
}

static void elf(struct str body)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0}, once = {0}, twice = {0};
	struct binaries b;

	buf_puts(&text, "ebelffa1");
	add_sum(&text, body);
	buf_str(&text, body);
	if (binaries_decode(&a, buf_view(&text), &b, NULL) < 0)
		return;
	for (size_t i = 0; i < b.n; i++)
		if (!look(b.v[i].path) || !look(b.v[i].elf.soname) || !look(b.v[i].elf.rpath))
			abort();
	binaries_encode(&b, &once);
	if (binaries_decode(&a, buf_view(&once), &b, NULL) < 0)
		abort();
	binaries_encode(&b, &twice);
	if (!str_eq(buf_view(&once), buf_view(&twice)))
		abort();
}

static void symbols(struct str head, struct str part)
{
	static const uint8_t SUM[SHA256_LEN];
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {0};
	struct elf_symbols s;
	struct err e = {0};

	buf_puts(&text, "ebsymbo1");
	add_sum(&text, head);
	add_u32(&text, (uint32_t)head.n);
	buf_str(&text, head);
	buf_str(&text, part);
	symbols_check(buf_view(&text), SUM, NULL);
	if (symbols_find(&a, buf_view(&text), SUM, STR("a"), &s, &e) < 0) {
		if (e.code != ERR_INTEGRITY)
			abort();
		err_release(&e);
		return;
	}
	for (size_t i = 0; i < s.n_undefined; i++)
		if (!look(s.undefined[i].name) || !look(s.undefined[i].file))
			abort();
	for (size_t i = 0; i < s.n_defined; i++)
		if (!look(s.defined[i].name) || !look(s.defined[i].version))
			abort();
}

/* The head of a file that has this part alone. */
static void symbols_of_one(struct str part)
{
	CLEANUP_BUF head = {0};
	static const char NONE[SHA256_LEN];

	buf_add(&head, NONE, sizeof NONE);
	add_u32(&head, 1);
	add_u32(&head, 1);
	buf_putc(&head, 'a');
	add_u32(&head, 0);
	add_u32(&head, 0);
	add_u32(&head, (uint32_t)part.n);
	add_u32(&head, 0);
	add_sum(&head, part);
	symbols(buf_view(&head), part);
}

static bool rewrite(struct arena *a, struct str text, struct buf *to)
{
	struct known_binaries k = {.arena = a, .by_sum.arena = a};
	struct err e = {0};

	if (known_binaries_parse(&k, "f", text, &e) < 0) {
		if (e.code != ERR_INPUT)
			abort();
		err_release(&e);
		return false;
	}
	const struct binaries **v = arena_array(a, const struct binaries *, k.by_sum.n);
	const struct record **none = arena_array(a, const struct record *, k.by_sum.n);
	for (size_t i = 0; i < k.by_sum.n; i++)
		v[i] = k.by_sum.entries[i].value.ptr;
	binaries_export(a, v, k.by_sum.n, none, to);
	return true;
}

static void exported(struct str text)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF once = {0}, twice = {0};

	if (!rewrite(&a, text, &once))
		return;
	if (!rewrite(&a, buf_view(&once), &twice) || !str_eq(buf_view(&once), buf_view(&twice)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_n((const char *)data + 1, size ? size - 1 : 0);

	if (size == 0)
		return 0;
	if (data[0] == 'e')
		elf(rest);
	else if (data[0] == 'h')
		symbols(rest, (struct str){0});
	else if (data[0] == 's')
		symbols_of_one(rest);
	else if (data[0] == 'j')
		exported(rest);
	return 0;
}
