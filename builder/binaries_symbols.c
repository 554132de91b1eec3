#include "base/hash.h"
#include "builder/binaries_file.h"
#include "builder/packed.h"

/*
 * File of dynamic symbols, version 1 (packed.h).
 *
 *	8 bytes   "ebsymbo1"
 *	32 bytes  sha256 of the head
 *	u32       bytes of the head
 *	head:
 *		32 bytes  sha256 of the package file
 *		u32       number of parts, each, rising by path:
 *			text path
 *			u64  offset behind the head, u64 size
 *			32 bytes  sha256 of the part
 *	parts, each:
 *		u32       number of distinct texts, each a text; a name is u32: its number from 1, 0: empty
 *		u32       number of undefined symbols, each: name name, version, file, u8 bits (BIT_*)
 *		u32       number of defined symbols, each the same
 *
 * Who asks for one file's symbols reads the head and that part.
 */
static const char MAGIC[8] = {'e', 'b', 's', 'y', 'm', 'b', 'o', '1'};
enum { HEADER = sizeof MAGIC + SHA256_LEN + 4 };
enum { BIT_WEAK = 1, BIT_FUNCTION = 2, BIT_HIDDEN = 4 };
enum { SYMBOL_BYTES = 3 * 4 + 1 };

/* --- writing ------------------------------------------------------------------------------ */

static void put_symbols(
	struct buf *to, struct packed_texts *texts, const struct elf_symbol *v, size_t n)
{
	packed_put_u32(to, n);
	for (size_t i = 0; i < n; i++) {
		packed_put_number(to, texts, v[i].name);
		packed_put_number(to, texts, v[i].version);
		packed_put_number(to, texts, v[i].file);
		packed_put_u8(to,
			(uint8_t)((v[i].weak ? BIT_WEAK : 0) | (v[i].function ? BIT_FUNCTION : 0) |
				  (v[i].hidden ? BIT_HIDDEN : 0)));
	}
}

void symbols_add(struct symbols_writer *w, struct str path, const struct elf_symbols *symbols)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF body = {0};
	struct packed_texts texts = {.index.arena = &scratch};
	uint64_t offset = w->bytes.n;

	put_symbols(&body, &texts, symbols->undefined, symbols->n_undefined);
	put_symbols(&body, &texts, symbols->defined, symbols->n_defined);
	packed_put_texts(&w->bytes, &texts);
	buf_str(&w->bytes, buf_view(&body));
	*VEC_PUSH(w->arena, &w->parts) =
		(struct symbols_part){arena_str(w->arena, path), offset, w->bytes.n - offset};
}

void symbols_encode(const struct symbols_writer *w, const uint8_t sha256[32], struct buf *to)
{
	CLEANUP_BUF head = {0};
	uint8_t sum[SHA256_LEN];

	buf_add(&head, sha256, SHA256_LEN);
	packed_put_u32(&head, w->parts.n);
	for (size_t i = 0; i < w->parts.n; i++) {
		const struct symbols_part *p = &w->parts.v[i];

		packed_put_text(&head, p->path);
		packed_put_u64(&head, p->offset);
		packed_put_u64(&head, p->size);
		sha256_of(w->bytes.p + p->offset, p->size, sum);
		buf_add(&head, sum, sizeof sum);
	}
	sha256_of(head.p, head.n, sum);
	buf_add(to, MAGIC, sizeof MAGIC);
	buf_add(to, sum, sizeof sum);
	packed_put_u32(to, head.n);
	buf_str(to, buf_view(&head));
	buf_str(to, buf_view(&w->bytes));
}

/* --- reading ------------------------------------------------------------------------------ */

struct listed_part {
	struct str path;
	struct str bytes;
	const char *sum;
};

struct symbols_file {
	struct packed head; /* behind its count */
	struct str bytes;   /* of the parts */
	size_t n;
};

static int not_whole(struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "the file of symbols is not whole");
}

static int open_file(
	struct str text, const uint8_t sha256[32], struct symbols_file *out, struct err *e)
{
	struct packed c = {.rest = str_sub(text, sizeof MAGIC + SHA256_LEN, text.n)};
	uint8_t sum[SHA256_LEN];
	struct str head;
	const char *own;

	if (text.n < HEADER || memcmp(text.p, MAGIC, sizeof MAGIC) != 0)
		return err_set(e, ERR_INTEGRITY, "not a file of symbols of this version");
	head = packed_text(&c);
	sha256_of(head.p ? head.p : "", head.n, sum);
	if (c.bad || memcmp(sum, text.p + sizeof MAGIC, sizeof sum) != 0)
		return err_set(e, ERR_INTEGRITY, "the file of symbols is damaged");
	*out = (struct symbols_file){.head.rest = head, .bytes = c.rest};
	own = packed_take(&out->head, SHA256_LEN);
	out->n = packed_count(&out->head, 4 + 8 + 8 + SHA256_LEN);
	if (out->head.bad)
		return not_whole(e);
	if (memcmp(own, sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY, "the symbols are another package's");
	return 0;
}

static int next_part(struct symbols_file *f, struct listed_part *out, struct err *e)
{
	uint64_t offset, size;

	out->path = packed_text(&f->head);
	offset = packed_u64(&f->head);
	size = packed_u64(&f->head);
	out->sum = packed_take(&f->head, SHA256_LEN);
	if (f->head.bad || offset > f->bytes.n || size > f->bytes.n - offset)
		return not_whole(e);
	out->bytes = str_sub(f->bytes, (size_t)offset, (size_t)(offset + size));
	return 0;
}

static int check_part(const struct listed_part *part, struct err *e)
{
	uint8_t sum[SHA256_LEN];

	sha256_of(part->bytes.p ? part->bytes.p : "", part->bytes.n, sum);
	if (memcmp(sum, part->sum, sizeof sum) == 0)
		return 0;
	return err_set(e, ERR_INTEGRITY, "the symbols of '%.*s' are damaged", STR_ARG(part->path));
}

static struct elf_symbol *take_symbols(
	struct arena *a, struct packed *c, const struct packed_list *texts, size_t *n)
{
	struct elf_symbol *v;

	*n = packed_count(c, SYMBOL_BYTES);
	v = arena_array(a, struct elf_symbol, *n);
	for (size_t i = 0; i < *n; i++) {
		v[i].name = packed_number(c, texts);
		v[i].version = packed_number(c, texts);
		v[i].file = packed_number(c, texts);
		uint8_t bits = packed_u8(c);
		v[i].weak = bits & BIT_WEAK;
		v[i].function = bits & BIT_FUNCTION;
		v[i].hidden = bits & BIT_HIDDEN;
	}
	return v;
}

static int decode_part(struct arena *a, struct str bytes, struct elf_symbols *out, struct err *e)
{
	struct packed c = {.rest = arena_str(a, bytes)};
	struct packed_list texts = packed_read_texts(a, &c);

	out->undefined = take_symbols(a, &c, &texts, &out->n_undefined);
	out->defined = take_symbols(a, &c, &texts, &out->n_defined);
	return c.bad || c.rest.n > 0 ? not_whole(e) : 0;
}

int symbols_find(struct arena *a, struct str text, const uint8_t sha256[32], struct str path,
	struct elf_symbols *out, struct err *e)
{
	struct symbols_file f;
	struct listed_part part;

	*out = (struct elf_symbols){0};
	if (open_file(text, sha256, &f, e) < 0)
		return -1;
	for (size_t i = 0; i < f.n; i++) {
		if (next_part(&f, &part, e) < 0)
			return -1;
		if (!str_eq(part.path, path))
			continue;
		return check_part(&part, e) < 0 || decode_part(a, part.bytes, out, e) < 0 ? -1 : 1;
	}
	return 0;
}

int symbols_check(struct str text, const uint8_t sha256[32], struct err *e)
{
	struct symbols_file f;
	struct listed_part part;

	if (open_file(text, sha256, &f, e) < 0)
		return -1;
	for (size_t i = 0; i < f.n; i++)
		if (next_part(&f, &part, e) < 0 || check_part(&part, e) < 0)
			return -1;
	return f.head.rest.n > 0 ? not_whole(e) : 0;
}
