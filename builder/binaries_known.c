/* Reads what binaries_export wrote, or anybody. */
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "builder/binaries_inside.h"

/* What a text of that size can ask for in memory is bounded: names and files of the whole. */
enum { MAX_TEXT = 256 << 20, MAX_NAMES = 16000000, FILE_NAMES = 32 };

struct reading {
	struct arena *a;
	struct json *json;
	size_t names;
	struct err *e;
};

static int unexpected(struct reading *r, enum json_type type, const char *what)
{
	return json_unexpected(r->json, type, what, r->e);
}

static int count(struct reading *r, size_t n)
{
	r->names += n;
	return r->names > MAX_NAMES ? json_fail(r->json, r->e, "too many names") : 0;
}

static int skip(struct reading *r)
{
	return json_skip(r->json) < 0 ? json_error(r->json, r->e) : 0;
}

/* --- values ------------------------------------------------------------------------------- */

/* The bytes of hex digits, as they stand in the last token. */
static int take_hex(struct reading *r, struct str *out)
{
	struct str hex = json_text(r->json);
	uint8_t *bytes = arena_alloc(r->a, hex.n / 2 + 1);

	if (hex_decode(hex, bytes, hex.n / 2) < 0)
		return json_fail(r->json, r->e, "no hex digits");
	*out = str_n((const char *)bytes, hex.n / 2);
	return 0;
}

static int read_hex(struct reading *r, struct str *out)
{
	enum json_type t = json_next(r->json);

	return t == JSON_STRING ? take_hex(r, out) : unexpected(r, t, "hex digits");
}

/* {"hex": "..."}, whose brace has been read. */
static int read_bytes(struct reading *r, struct str *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_KEY || !str_is(json_text(r->json), "hex"))
		return unexpected(r, t, "the key 'hex'");
	if (read_hex(r, out) < 0)
		return -1;
	t = json_next(r->json);
	return t == JSON_OBJECT_END ? 0 : unexpected(r, t, "the end of it");
}

static int take_text(struct reading *r, enum json_type t, struct str *out)
{
	if (t == JSON_STRING)
		*out = arena_str(r->a, json_text(r->json));
	else if (t != JSON_OBJECT)
		return unexpected(r, t, "a text");
	else if (read_bytes(r, out) < 0)
		return -1;
	if (str_chr(*out, 0) >= 0)
		return json_fail(r->json, r->e, "a text with a NUL");
	return 0;
}

static int read_text(struct reading *r, struct str *out)
{
	return take_text(r, json_next(r->json), out);
}

static int read_u64(struct reading *r, uint64_t max, uint64_t *out)
{
	enum json_type t = json_next(r->json);
	int64_t n = 0;

	if (t != JSON_NUMBER)
		return unexpected(r, t, "a number");
	if (json_int(r->json, &n) < 0 || n < 0 || (uint64_t)n > max)
		return json_fail(r->json, r->e, "a number that is out of range");
	*out = (uint64_t)n;
	return 0;
}

static int read_flag(struct reading *r, bool *out)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_TRUE && t != JSON_FALSE)
		return unexpected(r, t, "true or false");
	*out = t == JSON_TRUE;
	return 0;
}

static int read_stack(struct reading *r, enum elf_stack *out)
{
	struct str name;

	if (read_text(r, &name) < 0)
		return -1;
	for (int i = STACK_PLAIN; i <= STACK_EXECUTABLE; i++)
		if (str_is(name, BINARY_STACKS[i])) {
			*out = (enum elf_stack)i;
			return 0;
		}
	return json_fail(r->json, r->e, "no kind of stack");
}

static int read_kernel(struct reading *r, struct elf *elf)
{
	struct str rest;
	uint64_t n;

	if (read_text(r, &rest) < 0)
		return -1;
	for (size_t i = 0; i < 3; i++) {
		if (str_u64(str_cut(&rest, '.'), UINT32_MAX, &n) < 0)
			return json_fail(r->json, r->e, "no version of Linux");
		elf->kernel[i] = (unsigned)n;
	}
	if (rest.p)
		return json_fail(r->json, r->e, "no version of Linux");
	elf->has_kernel = true;
	return 0;
}

/* --- lists -------------------------------------------------------------------------------- */

struct names {
	struct str *v;
	size_t n, cap;
};

static int read_names(struct reading *r, struct names *list)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return unexpected(r, t, "a list");
	while ((t = json_next(r->json)) != JSON_ARRAY_END)
		if (count(r, 1) < 0 || take_text(r, t, VEC_PUSH(r->a, list)) < 0)
			return -1;
	return 0;
}

static int read_need(struct reading *r, struct elf_need *need)
{
	enum json_type t;

	*need = (struct elf_need){0};
	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str key = json_text(r->json);
		int rc;

		if (str_is(key, "file"))
			rc = read_text(r, &need->file);
		else if (str_is(key, "version"))
			rc = read_text(r, &need->version);
		else if (str_is(key, "weak"))
			rc = read_flag(r, &need->weak);
		else
			rc = skip(r);
		if (rc < 0)
			return -1;
	}
	return t == JSON_OBJECT_END ? 0 : unexpected(r, t, "a key");
}

static int read_needs(struct reading *r, struct elf *elf)
{
	struct {
		struct elf_need *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return unexpected(r, t, "a list");
	while ((t = json_next(r->json)) == JSON_OBJECT)
		if (count(r, 2) < 0 || read_need(r, VEC_PUSH(r->a, &list)) < 0)
			return -1;
	elf->needs = list.v;
	elf->n_needs = list.n;
	return t == JSON_ARRAY_END ? 0 : unexpected(r, t, "a map");
}

static bool gpu_parse(struct str name, struct elf_gpu *out)
{
	struct str kind = str_cut(&name, '_');
	uint64_t n;

	out->ptx = str_is(kind, "compute");
	if ((!out->ptx && !str_is(kind, "sm")) || str_u64(name, UINT32_MAX, &n) < 0)
		return false;
	out->architecture = (unsigned)n;
	return true;
}

static int read_gpu(struct reading *r, struct elf *elf)
{
	struct names names = {0};

	if (read_names(r, &names) < 0)
		return -1;
	elf->gpu = arena_array(r->a, struct elf_gpu, names.n);
	for (size_t i = 0; i < names.n; i++)
		if (!gpu_parse(names.v[i], &elf->gpu[i]))
			return json_fail(r->json, r->e, "no architecture of a GPU");
	elf->n_gpu = names.n;
	return 0;
}

/* --- files and packages ------------------------------------------------------------------- */

static int read_value(struct reading *r, const struct binary_field *f, struct binary *b)
{
	char *at = (char *)b + f->offset;
	struct names names = {0};
	uint64_t n;

	switch (f->kind) {
	case KIND_TEXT:
		return read_text(r, (struct str *)at);
	case KIND_HEX:
		return read_hex(r, (struct str *)at);
	case KIND_UNSIGNED:
		if (read_u64(r, UINT32_MAX, &n) < 0)
			return -1;
		*(unsigned *)at = (unsigned)n;
		return 0;
	case KIND_U64:
		return read_u64(r, INT64_MAX, (uint64_t *)at);
	case KIND_FLAG:
		return read_flag(r, (bool *)at);
	case KIND_STACK:
		return read_stack(r, &b->elf.stack);
	case KIND_KERNEL:
		return read_kernel(r, &b->elf);
	case KIND_NAMES:
		if (read_names(r, &names) < 0)
			return -1;
		*(struct str **)at = names.v;
		*(size_t *)((char *)b + f->count) = names.n;
		return 0;
	case KIND_NEEDS:
		return read_needs(r, &b->elf);
	case KIND_GPU:
		return read_gpu(r, &b->elf);
	}
	return 0;
}

/* What a later version adds is passed over, as long as the number is the same. */
static int read_field(struct reading *r, struct binary *b)
{
	struct str key = json_text(r->json);

	for (const struct binary_field *f = BINARY_FIELDS; f->key; f++)
		if (str_is(key, f->key))
			return read_value(r, f, b);
	return skip(r);
}

static int read_file(struct reading *r, struct binary *b)
{
	enum json_type t;

	*b = (struct binary){0};
	while ((t = json_next(r->json)) == JSON_KEY)
		if (read_field(r, b) < 0)
			return -1;
	if (t != JSON_OBJECT_END)
		return unexpected(r, t, "a key");
	if (!path_is_safe(b->path))
		return json_fail(r->json, r->e, "a file without a usable path");
	return 0;
}

static int read_files(struct reading *r, struct binaries *out)
{
	struct {
		struct binary *v;
		size_t n, cap;
	} list = {0};
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return unexpected(r, t, "a list");
	while ((t = json_next(r->json)) == JSON_OBJECT) {
		if (count(r, FILE_NAMES) < 0 || read_file(r, VEC_PUSH(r->a, &list)) < 0)
			return -1;
		if (list.n > 1 && str_cmp(list.v[list.n - 2].path, list.v[list.n - 1].path) >= 0)
			return json_fail(r->json, r->e, "files that are not sorted by path");
	}
	out->v = list.v;
	out->n = list.n;
	return t == JSON_ARRAY_END ? 0 : unexpected(r, t, "a map");
}

static int read_package(struct reading *r, struct binaries *out)
{
	struct str sum = {0};
	bool files = false;
	enum json_type t;

	while ((t = json_next(r->json)) == JSON_KEY) {
		bool is_sum = str_is(json_text(r->json), "sha256");
		bool is_files = str_is(json_text(r->json), "files");

		files = files || is_files;
		if ((is_sum ? read_hex(r, &sum) : is_files ? read_files(r, out) : skip(r)) < 0)
			return -1;
	}
	if (t != JSON_OBJECT_END)
		return unexpected(r, t, "a key");
	if (sum.n != sizeof out->sha256 || !files)
		return json_fail(r->json, r->e, "a package without sha256 or files");
	memcpy(out->sha256, sum.p, sizeof out->sha256);
	return 0;
}

static int read_packages(struct reading *r, struct known_binaries *k)
{
	enum json_type t = json_next(r->json);

	if (t != JSON_ARRAY)
		return unexpected(r, t, "a list");
	while ((t = json_next(r->json)) == JSON_OBJECT) {
		struct binaries *b = arena_new(r->a, struct binaries);

		if (count(r, FILE_NAMES) < 0 || read_package(r, b) < 0)
			return -1;
		table_put(&k->by_sum, str_n((const char *)b->sha256, sizeof b->sha256))->ptr = b;
	}
	return t == JSON_ARRAY_END ? 0 : unexpected(r, t, "a map");
}

static int read_version(struct reading *r, bool *known)
{
	uint64_t version;

	if (read_u64(r, INT64_MAX, &version) < 0)
		return -1;
	*known = version == EXPORT_VERSION;
	return *known ? 0
		      : json_fail(r->json, r->e,
				"facts of version %llu; this envbuild reads version %d",
				(unsigned long long)version, EXPORT_VERSION);
}

static int read_all(struct reading *r, struct known_binaries *k)
{
	bool known = false;
	enum json_type t = json_next(r->json);

	if (t != JSON_OBJECT)
		return unexpected(r, t, "a map");
	while ((t = json_next(r->json)) == JSON_KEY) {
		struct str key = json_text(r->json);

		if ((str_is(key, "envbuild_facts")    ? read_version(r, &known)
			    : str_is(key, "packages") ? read_packages(r, k)
						      : skip(r)) < 0)
			return -1;
	}
	if (t != JSON_OBJECT_END)
		return unexpected(r, t, "a key");
	if (!known)
		return json_fail(
			r->json, r->e, "it is no file of facts: 'envbuild_facts' is missing");
	t = json_next(r->json);
	return t == JSON_END ? 0 : unexpected(r, t, "the end");
}

int known_binaries_parse(struct known_binaries *k, const char *name, struct str text, struct err *e)
{
	struct err own = {0};
	struct reading r = {.a = k->arena, .json = json_open_text(text, name), .e = &own};
	int rc = read_all(&r, k);

	json_close(r.json);
	if (rc == 0)
		return 0;
	own.code = ERR_INPUT;
	err_move(e, &own);
	return err_advise(e, "'envbuild audit --export-facts FILE' writes such a file");
}

int known_binaries_read(struct known_binaries *k, const char *path, struct err *e)
{
	struct arena scratch = {0};
	struct str text;
	int rc = file_read(&scratch, path, MAX_TEXT, &text, e);

	if (rc == 0)
		rc = known_binaries_parse(k, path, text, e);
	arena_release(&scratch);
	return rc;
}
