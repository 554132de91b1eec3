#include "base/file.h"
#include "base/hash.h"
#include "builder/binaries_file.h"
#include "builder/packed.h"

/*
 * File of ELF facts, version 1 (packed.h).
 *
 *	8 bytes   "ebelffa1"
 *	32 bytes  sha256 of all that follows
 *	32 bytes  sha256 of the package file
 *	u32       number of distinct texts, each a text; below, a name is u32: its number from 1, 0: empty
 *	u32       number of ELF files, each, rising by path:
 *		name path, fault, leftover
 *		u32  type, u32 machine, u8 bits
 *		u32  flags (FLAG_*)
 *		u8   stack (enum elf_stack)
 *		name interpreter, soname, rpath, runpath, build-id (hex)
 *		u32  number of needed libraries, each a name
 *		u32  number of defined versions, each a name
 *		u32  number of needed versions, each: name file, name version, u8 weak
 *		u32 x 3  kernel
 *		u32  isa_needed
 *		u64  tls_size, u64 tls_align
 *		u32  number of GPU codes, each: u32 architecture, u8 ptx
 */
static const char MAGIC[8] = {'e', 'b', 'e', 'l', 'f', 'f', 'a', '1'};
enum { HEADER = sizeof MAGIC + SHA256_LEN };
enum {
	FLAG_BIG_ENDIAN = 1,
	FLAG_DYNAMIC = 2,
	FLAG_KERNEL = 4,
	FLAG_STATIC_TLS = 8,
	FLAG_TEXT_RELOCATIONS = 16,
	FLAG_BIND_NOW = 32,
	FLAG_NO_DEFAULT_FOLDERS = 64,
};
enum { MAX_BUILD_ID = 1024 };

/* --- writing ------------------------------------------------------------------------------ */

struct encoder {
	struct arena arena;
	struct packed_texts texts;
	struct buf body;
};

static void put(struct encoder *en, struct str s)
{
	packed_put_number(&en->body, &en->texts, s);
}

static uint32_t flags_of(const struct elf *elf)
{
	return (elf->big_endian ? FLAG_BIG_ENDIAN : 0u) | (elf->dynamic ? FLAG_DYNAMIC : 0u) |
	       (elf->has_kernel ? FLAG_KERNEL : 0u) | (elf->static_tls ? FLAG_STATIC_TLS : 0u) |
	       (elf->text_relocations ? FLAG_TEXT_RELOCATIONS : 0u) |
	       (elf->bind_now ? FLAG_BIND_NOW : 0u) |
	       (elf->no_default_folders ? FLAG_NO_DEFAULT_FOLDERS : 0u);
}

static void put_build_id(struct encoder *en, struct str id)
{
	size_t n = id.n < MAX_BUILD_ID ? id.n : MAX_BUILD_ID;
	char *hex = arena_alloc(&en->arena, 2 * n + 1);

	hex_encode((const uint8_t *)id.p, n, hex);
	put(en, str_n(hex, 2 * n));
}

static void put_lists(struct encoder *en, const struct elf *elf)
{
	struct buf *to = &en->body;

	packed_put_u32(to, elf->n_needed);
	for (size_t i = 0; i < elf->n_needed; i++)
		put(en, elf->needed[i]);
	packed_put_u32(to, elf->n_defines);
	for (size_t i = 0; i < elf->n_defines; i++)
		put(en, elf->defines[i]);
	packed_put_u32(to, elf->n_needs);
	for (size_t i = 0; i < elf->n_needs; i++) {
		put(en, elf->needs[i].file);
		put(en, elf->needs[i].version);
		packed_put_u8(to, elf->needs[i].weak);
	}
}

static void put_binary(struct encoder *en, const struct binary *b)
{
	const struct elf *elf = &b->elf;
	struct buf *to = &en->body;

	put(en, b->path);
	put(en, b->fault);
	put(en, b->leftover);
	packed_put_u32(to, elf->type);
	packed_put_u32(to, elf->machine);
	packed_put_u8(to, (uint8_t)elf->bits);
	packed_put_u32(to, flags_of(elf));
	packed_put_u8(to, (uint8_t)elf->stack);
	put(en, elf->interpreter);
	put(en, elf->soname);
	put(en, elf->rpath);
	put(en, elf->runpath);
	put_build_id(en, elf->build_id);
	put_lists(en, elf);
	for (size_t i = 0; i < 3; i++)
		packed_put_u32(to, elf->kernel[i]);
	packed_put_u32(to, elf->isa_needed);
	packed_put_u64(to, elf->tls_size);
	packed_put_u64(to, elf->tls_align);
	packed_put_u32(to, elf->n_gpu);
	for (size_t i = 0; i < elf->n_gpu; i++) {
		packed_put_u32(to, elf->gpu[i].architecture);
		packed_put_u8(to, elf->gpu[i].ptx);
	}
}

void binaries_encode(const struct binaries *b, struct buf *to)
{
	struct encoder en = {0};
	uint8_t sum[SHA256_LEN];
	CLEANUP_BUF body = {0};

	en.texts.index.arena = &en.arena;
	for (size_t i = 0; i < b->n; i++)
		put_binary(&en, &b->v[i]);
	buf_add(&body, b->sha256, sizeof b->sha256);
	packed_put_texts(&body, &en.texts);
	packed_put_u32(&body, b->n);
	buf_str(&body, buf_view(&en.body));
	sha256_of(body.p, body.n, sum);
	buf_add(to, MAGIC, sizeof MAGIC);
	buf_add(to, sum, sizeof sum);
	buf_str(to, buf_view(&body));
	buf_release(&en.body);
	arena_release(&en.arena);
}

/* --- reading ------------------------------------------------------------------------------ */

struct decoder {
	struct arena *a;
	struct packed c;
	struct packed_list texts;
};

static struct str take(struct decoder *d)
{
	return packed_number(&d->c, &d->texts);
}

static struct str *take_names(struct decoder *d, size_t *n)
{
	struct str *v;

	*n = packed_count(&d->c, sizeof(uint32_t));
	v = arena_array(d->a, struct str, *n);
	for (size_t i = 0; i < *n; i++)
		v[i] = take(d);
	return v;
}

static void take_lists(struct decoder *d, struct elf *elf)
{
	elf->needed = take_names(d, &elf->n_needed);
	elf->defines = take_names(d, &elf->n_defines);
	elf->n_needs = packed_count(&d->c, 9);
	elf->needs = arena_array(d->a, struct elf_need, elf->n_needs);
	for (size_t i = 0; i < elf->n_needs; i++) {
		elf->needs[i].file = take(d);
		elf->needs[i].version = take(d);
		elf->needs[i].weak = packed_u8(&d->c) & 1;
	}
}

static void take_flags(struct elf *elf, uint32_t flags)
{
	elf->big_endian = flags & FLAG_BIG_ENDIAN;
	elf->dynamic = flags & FLAG_DYNAMIC;
	elf->has_kernel = flags & FLAG_KERNEL;
	elf->static_tls = flags & FLAG_STATIC_TLS;
	elf->text_relocations = flags & FLAG_TEXT_RELOCATIONS;
	elf->bind_now = flags & FLAG_BIND_NOW;
	elf->no_default_folders = flags & FLAG_NO_DEFAULT_FOLDERS;
}

static struct str take_build_id(struct decoder *d)
{
	struct str hex = take(d);
	size_t n = hex.n / 2;
	uint8_t *id = arena_alloc(d->a, n);

	if (n > MAX_BUILD_ID || hex_decode(hex, id, n) < 0)
		d->c.bad = true;
	return d->c.bad || n == 0 ? (struct str){0} : str_n((const char *)id, n);
}

static void take_gpu(struct decoder *d, struct elf *elf)
{
	elf->n_gpu = packed_count(&d->c, 5);
	elf->gpu = arena_array(d->a, struct elf_gpu, elf->n_gpu);
	for (size_t i = 0; i < elf->n_gpu; i++) {
		elf->gpu[i].architecture = packed_u32(&d->c);
		elf->gpu[i].ptx = packed_u8(&d->c) & 1;
	}
}

static void take_binary(struct decoder *d, struct binary *b)
{
	struct packed *c = &d->c;
	struct elf *elf = &b->elf;
	uint8_t stack;

	b->path = take(d);
	b->fault = take(d);
	b->leftover = take(d);
	elf->type = packed_u32(c);
	elf->machine = packed_u32(c);
	elf->bits = packed_u8(c);
	take_flags(elf, packed_u32(c));
	stack = packed_u8(c);
	elf->stack = stack > STACK_EXECUTABLE ? STACK_UNSAID : (enum elf_stack)stack;
	elf->interpreter = take(d);
	elf->soname = take(d);
	elf->rpath = take(d);
	elf->runpath = take(d);
	elf->build_id = take_build_id(d);
	take_lists(d, elf);
	for (size_t i = 0; i < 3; i++)
		elf->kernel[i] = packed_u32(c);
	elf->isa_needed = packed_u32(c);
	elf->tls_size = packed_u64(c);
	elf->tls_align = packed_u64(c);
	take_gpu(d, elf);
	if (stack > STACK_EXECUTABLE || !path_is_safe(b->path))
		c->bad = true;
}

/* What was never written because there would be too much of it is not read either. */
static void take_binaries(struct decoder *d, struct binaries *out)
{
	enum { LEAST = 3 * 4 + 4 + 4 + 1 + 4 + 1 + 5 * 4 + 3 * 4 + 3 * 4 + 4 + 2 * 8 + 4 };
	struct binary_names names = {0};

	out->n = packed_count(&d->c, LEAST);
	out->v = arena_array(d->a, struct binary, out->n);
	for (size_t i = 0; i < out->n && !d->c.bad; i++) {
		take_binary(d, &out->v[i]);
		if (!binary_names_add(&names, &out->v[i]) ||
			(i > 0 && str_cmp(out->v[i - 1].path, out->v[i].path) >= 0))
			d->c.bad = true;
	}
}

int binaries_decode(struct arena *a, struct str text, struct binaries *out, struct err *e)
{
	struct decoder d = {.a = a};
	uint8_t sum[SHA256_LEN];
	const char *sha256;

	*out = (struct binaries){0};
	if (text.n < HEADER || memcmp(text.p, MAGIC, sizeof MAGIC) != 0)
		return err_set(e, ERR_INTEGRITY, "not a file of ELF facts of this version");
	d.c.rest = str_sub(text, HEADER, text.n);
	sha256_of(d.c.rest.p, d.c.rest.n, sum);
	if (memcmp(sum, text.p + sizeof MAGIC, sizeof sum) != 0)
		return err_set(e, ERR_INTEGRITY, "the file of ELF facts is damaged");
	sha256 = packed_take(&d.c, SHA256_LEN);
	if (sha256)
		memcpy(out->sha256, sha256, SHA256_LEN);
	d.texts = packed_read_texts(a, &d.c);
	take_binaries(&d, out);
	if (d.c.bad || d.c.rest.n > 0)
		return err_set(e, ERR_INTEGRITY, "the file of ELF facts is not whole");
	return 0;
}
