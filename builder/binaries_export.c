/* Facts that are handed on; docs/design/audit.md says what is in the file. */
#include "base/hash.h"
#include "base/json.h"
#include "builder/binaries_inside.h"

#include <stddef.h>
#include <stdlib.h>

#define AT(name) offsetof(struct binary, name)

const struct binary_field BINARY_FIELDS[] = {
	{"path", KIND_TEXT, AT(path), 0},
	{"fault", KIND_TEXT, AT(fault), 0},
	{"type", KIND_UNSIGNED, AT(elf.type), 0},
	{"machine", KIND_UNSIGNED, AT(elf.machine), 0},
	{"bits", KIND_UNSIGNED, AT(elf.bits), 0},
	{"big_endian", KIND_FLAG, AT(elf.big_endian), 0},
	{"dynamic", KIND_FLAG, AT(elf.dynamic), 0},
	{"interpreter", KIND_TEXT, AT(elf.interpreter), 0},
	{"soname", KIND_TEXT, AT(elf.soname), 0},
	{"rpath", KIND_TEXT, AT(elf.rpath), 0},
	{"runpath", KIND_TEXT, AT(elf.runpath), 0},
	{"needed", KIND_NAMES, AT(elf.needed), AT(elf.n_needed)},
	{"defines", KIND_NAMES, AT(elf.defines), AT(elf.n_defines)},
	{"needs", KIND_NEEDS, AT(elf.needs), AT(elf.n_needs)},
	{"kernel", KIND_KERNEL, AT(elf.kernel), 0},
	{"isa_needed", KIND_UNSIGNED, AT(elf.isa_needed), 0},
	{"tls_size", KIND_U64, AT(elf.tls_size), 0},
	{"tls_align", KIND_U64, AT(elf.tls_align), 0},
	{"static_tls", KIND_FLAG, AT(elf.static_tls), 0},
	{"text_relocations", KIND_FLAG, AT(elf.text_relocations), 0},
	{"bind_now", KIND_FLAG, AT(elf.bind_now), 0},
	{"no_default_folders", KIND_FLAG, AT(elf.no_default_folders), 0},
	{"stack", KIND_STACK, AT(elf.stack), 0},
	{"build_id", KIND_HEX, AT(elf.build_id), 0},
	{"gpu", KIND_GPU, AT(elf.gpu), AT(elf.n_gpu)},
	{"leftover", KIND_TEXT, AT(leftover), 0},
	{NULL, KIND_TEXT, 0, 0},
};

const char *const BINARY_STACKS[STACK_EXECUTABLE + 1] = {
	[STACK_PLAIN] = "plain", [STACK_EXECUTABLE] = "executable"};

static void put_hex(struct json_out *w, struct str s)
{
	CLEANUP_BUF hex = {0};
	char *digits = buf_room(&hex, 2 * s.n);

	hex_encode((const uint8_t *)s.p, s.n, digits);
	jw_str(w, str_n(digits, 2 * s.n));
}

/* Bytes that are no UTF-8 are {"hex": "..."}: names of files and libraries may be any. */
static void put_text(struct json_out *w, struct str s)
{
	if (str_is_utf8(s)) {
		jw_str(w, s);
		return;
	}
	jw_object(w);
	jw_key(w, "hex");
	put_hex(w, s);
	jw_object_end(w);
}

static void put_needs(struct json_out *w, const struct elf *elf)
{
	jw_array(w);
	for (size_t i = 0; i < elf->n_needs; i++) {
		const struct elf_need *need = &elf->needs[i];

		jw_object(w);
		jw_key(w, "file");
		put_text(w, need->file);
		jw_key(w, "version");
		put_text(w, need->version);
		if (need->weak) {
			jw_key(w, "weak");
			jw_bool(w, true);
		}
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void put_names(struct json_out *w, const struct str *v, size_t n)
{
	jw_array(w);
	for (size_t i = 0; i < n; i++)
		put_text(w, v[i]);
	jw_array_end(w);
}

static void put_gpu(struct json_out *w, const struct elf *elf)
{
	jw_array(w);
	for (size_t i = 0; i < elf->n_gpu; i++) {
		CLEANUP_BUF name = {0};

		buf_printf(&name, "%s_%u", elf->gpu[i].ptx ? "compute" : "sm",
			elf->gpu[i].architecture);
		jw_str(w, buf_view(&name));
	}
	jw_array_end(w);
}

static void put_kernel(struct json_out *w, const struct elf *elf)
{
	CLEANUP_BUF text = {0};

	buf_printf(&text, "%u.%u.%u", elf->kernel[0], elf->kernel[1], elf->kernel[2]);
	jw_str(w, buf_view(&text));
}

/* What is empty, zero or false is not written. */
static bool is_said(const struct binary_field *f, const struct binary *b)
{
	const char *at = (const char *)b + f->offset;

	switch (f->kind) {
	case KIND_TEXT:
	case KIND_HEX:
		return ((const struct str *)at)->n > 0;
	case KIND_UNSIGNED:
		return *(const unsigned *)at != 0;
	case KIND_U64:
		return *(const uint64_t *)at != 0;
	case KIND_FLAG:
		return *(const bool *)at;
	case KIND_STACK:
		return b->elf.stack != STACK_UNSAID;
	case KIND_KERNEL:
		return b->elf.has_kernel;
	case KIND_NAMES:
	case KIND_NEEDS:
	case KIND_GPU:
		return *(const size_t *)((const char *)b + f->count) > 0;
	}
	return false;
}

static void put_field(struct json_out *w, const struct binary_field *f, const struct binary *b)
{
	const char *at = (const char *)b + f->offset;
	uint64_t n;

	if (!is_said(f, b))
		return;
	jw_key(w, f->key);
	switch (f->kind) {
	case KIND_TEXT:
		put_text(w, *(const struct str *)at);
		break;
	case KIND_HEX:
		put_hex(w, *(const struct str *)at);
		break;
	case KIND_UNSIGNED:
		jw_int(w, *(const unsigned *)at);
		break;
	case KIND_U64:
		/* As far as numbers of JSON are exact for us; no memory is that large. */
		n = *(const uint64_t *)at;
		jw_int(w, n > INT64_MAX ? INT64_MAX : (int64_t)n);
		break;
	case KIND_FLAG:
		jw_bool(w, true);
		break;
	case KIND_STACK:
		jw_cstr(w, BINARY_STACKS[b->elf.stack]);
		break;
	case KIND_KERNEL:
		put_kernel(w, &b->elf);
		break;
	case KIND_NAMES:
		put_names(
			w, *(struct str *const *)at, *(const size_t *)((const char *)b + f->count));
		break;
	case KIND_NEEDS:
		put_needs(w, &b->elf);
		break;
	case KIND_GPU:
		put_gpu(w, &b->elf);
		break;
	}
}

/* A file a line, so that two exports can be compared. */
static void put_package(
	struct json_out *w, struct arena *a, const struct binaries *b, const struct record *r)
{
	jw_object(w);
	jw_key(w, "sha256");
	put_hex(w, str_n((const char *)b->sha256, sizeof b->sha256));
	if (r)
		jw_pair(w, "name", record_dist(a, r));
	jw_key(w, "files");
	jw_array(w);
	for (size_t i = 0; i < b->n; i++) {
		buf_putc(w->to, '\n');
		jw_object(w);
		for (const struct binary_field *f = BINARY_FIELDS; f->key; f++)
			put_field(w, f, &b->v[i]);
		jw_object_end(w);
	}
	jw_array_end(w);
	jw_object_end(w);
	buf_putc(w->to, '\n');
}

struct exported {
	const struct binaries *b;
	const struct record *r;
};

static int by_sum(const void *a, const void *b)
{
	return memcmp(((const struct exported *)a)->b->sha256,
		((const struct exported *)b)->b->sha256, SHA256_LEN);
}

void binaries_export(struct arena *a, const struct binaries *const *v, size_t n,
	const struct record *const *records, struct buf *to)
{
	struct exported *sorted = arena_array(a, struct exported, n);
	struct json_out w = {.to = to};

	for (size_t i = 0; i < n; i++)
		sorted[i] = (struct exported){v[i], records[i]};
	if (n)
		qsort(sorted, n, sizeof *sorted, by_sum);
	jw_object(&w);
	jw_key(&w, "envbuild_facts");
	jw_int(&w, EXPORT_VERSION);
	jw_key(&w, "packages");
	jw_array(&w);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || by_sum(&sorted[i - 1], &sorted[i]) != 0)
			put_package(&w, a, sorted[i].b, sorted[i].r);
	jw_array_end(&w);
	jw_object_end(&w);
	buf_putc(to, '\n');
}
