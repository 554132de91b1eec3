#include "images/ld_cache.h"

#include "images/elf_reading.h"

#include <string.h>

/* What ld.so takes: FLAG_ELF_LIBC6 with the bits of the machine. */
#if defined(__aarch64__)
enum { WANTED_FLAGS = 0x0a03 };
#else
enum { WANTED_FLAGS = 0x0303 };
#endif

enum {
	MAX_ENTRIES = 1 << 20,
	MAX_PATH = 4095,
	MAX_SECTIONS = 64,
	/* of the header's flags, two bits: 0 is of an old ldconfig */
	ENDIAN_MASK = 3,
	ENDIAN_LITTLE = 2,
	SECTION_HWCAPS = 1,
};
#define EXTENSION_MAGIC UINT32_C(0xeaa42174)
/* In the upper half of an entry's hwcap: the lower half is an index into the extension's names.  The
 * ISA level that may stand beside it says no more than the subfolder does. */
#define HWCAP_IS_INDEX (UINT32_C(1) << 30)
#define HWCAP_ISA_MASK UINT32_C(0x3ff)

struct old_header {
	char magic[12];
	uint32_t n;
};
struct old_entry {
	int32_t flags;
	uint32_t name, path;
};
struct new_header {
	char magic[20];
	uint32_t n, strings;
	uint8_t flags, padding[3];
	uint32_t extension, unused[3];
};
struct new_entry {
	int32_t flags;
	uint32_t name, path, kernel;
	uint64_t hwcap;
};
struct section {
	uint32_t tag, flags, offset, size;
};

struct reading {
	struct arena *a;
	struct str file;    /* whole */
	struct str strings; /* what offsets of texts are counted from */
	struct str hwcaps;  /* offsets of names */
	struct ld_cache *out;
};

static bool text_at(struct str strings, uint32_t at, struct str *out)
{
	struct str rest = str_sub(strings, at, (size_t)at + MAX_PATH + 1);
	ptrdiff_t n = str_chr(rest, 0);

	*out = str_sub(rest, 0, n < 0 ? 0 : (size_t)n);
	return n > 0;
}

/*
 * Names of subfolders are looked for from the beginning of the file, as ld.so does.  Behind an older
 * format ldconfig counts them from the header, and so no loader finds what is in them.
 */
static void add(struct reading *r, const struct new_entry *x)
{
	struct ld_cache_entry entry = {.kernel = x->kernel};
	uint32_t at;

	if (x->flags != WANTED_FLAGS || !text_at(r->strings, x->name, &entry.name) ||
		!text_at(r->strings, x->path, &entry.path) || entry.path.p[0] != '/')
		return;
	if (((uint32_t)(x->hwcap >> 32) & ~HWCAP_ISA_MASK) != HWCAP_IS_INDEX)
		entry.hwcap = x->hwcap;
	else if (!elf_take(r->hwcaps, (x->hwcap & UINT32_MAX) * sizeof at, &at, sizeof at) ||
		 !text_at(r->file, at, &entry.subfolder))
		return;
	*VEC_PUSH(r->a, r->out) = entry;
}

/* --- the newer format --------------------------------------------------------------------- */

/* Offsets of the extension, unlike those of texts, are counted from the beginning of the file. */
static void read_extension(struct reading *r, uint32_t at)
{
	struct {
		uint32_t magic, n;
	} head;
	struct section s;

	if (at == 0 || !elf_take(r->file, at, &head, sizeof head) || head.magic != EXTENSION_MAGIC)
		return;
	for (uint32_t i = 0; i < head.n && i < MAX_SECTIONS; i++) {
		if (!elf_take(r->file, at + sizeof head + i * sizeof s, &s, sizeof s))
			return;
		if (s.tag == SECTION_HWCAPS)
			r->hwcaps = str_sub(r->file, s.offset, (size_t)s.offset + s.size);
	}
}

static bool read_new(struct reading *r, uint64_t at)
{
	struct new_header h;
	struct new_entry x;

	if (!elf_take(r->file, at, &h, sizeof h) ||
		memcmp(h.magic, "glibc-ld.so.cache1.1", sizeof h.magic) != 0)
		return false;
	if ((h.flags & ENDIAN_MASK) != 0 && (h.flags & ENDIAN_MASK) != ENDIAN_LITTLE)
		return false;
	if (h.n > MAX_ENTRIES || h.n > (r->file.n - at - sizeof h) / sizeof x)
		return false;
	r->strings = str_sub(r->file, (size_t)at, r->file.n);
	read_extension(r, h.extension);
	for (uint32_t i = 0; i < h.n; i++)
		if (elf_take(r->file, at + sizeof h + i * sizeof x, &x, sizeof x))
			add(r, &x);
	return true;
}

/* --- the older one, and what may lie behind it ---------------------------------------------- */

static bool read_old(struct reading *r)
{
	struct old_header h;
	struct old_entry x;
	uint64_t end, align = _Alignof(struct new_entry);

	if (!elf_take(r->file, 0, &h, sizeof h) || memcmp(h.magic, "ld.so-1.7.0", 11) != 0)
		return false;
	if (h.n > MAX_ENTRIES || h.n > (r->file.n - sizeof h) / sizeof x)
		return false;
	end = sizeof h + h.n * sizeof x;
	if (read_new(r, (end + align - 1) / align * align))
		return true;
	r->strings = str_sub(r->file, (size_t)end, r->file.n);
	for (uint32_t i = 0; i < h.n; i++)
		if (elf_take(r->file, sizeof h + i * sizeof x, &x, sizeof x))
			add(r, &(struct new_entry){x.flags, x.name, x.path, 0, 0});
	return true;
}

int ld_cache_read(struct arena *a, struct str bytes, struct ld_cache *out)
{
	struct reading r = {.a = a, .file = bytes, .out = out};

	*out = (struct ld_cache){.by_name.arena = a};
	if (!read_new(&r, 0) && !read_old(&r))
		return 0;
	for (size_t i = out->n; i-- > 0;) {
		union table_value *first = table_put(&out->by_name, out->v[i].name);

		out->v[i].next = (uint32_t)first->num;
		first->num = i + 1;
	}
	return 1;
}

const struct ld_cache_entry *ld_cache_first(const struct ld_cache *c, struct str name)
{
	const union table_value *first = table_get(&c->by_name, name);

	return first ? &c->v[first->num - 1] : NULL;
}

const struct ld_cache_entry *ld_cache_next(
	const struct ld_cache *c, const struct ld_cache_entry *entry)
{
	return entry->next ? &c->v[entry->next - 1] : NULL;
}
