#include "packer/relocation_write.h"

#include "base/table.h"
#include "builder/text_encoding.h"

#include <stdlib.h>

static void add_number(struct buf *to, uint64_t v)
{
	while (v >= 0x80) {
		buf_putc(to, (char)(0x80 | (v & 0x7f)));
		v >>= 7;
	}
	buf_putc(to, (char)v);
}

static void add_le64(struct buf *to, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		buf_putc(to, (char)(v & 0xff));
}

static int out_of_place(const struct content_entry *from, uint64_t at, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "placeholder offset %llu of '%.*s' is out of place",
		(unsigned long long)at, STR_ARG(from->path));
}

/* The encoding of place i and, in a binary, where its string ends; past: where the place does. */
static int add_form(const struct content_entry *from, size_t i, uint64_t past, struct buf *to)
{
	uint64_t end = from->forms[i].end;

	buf_putc(to, (char)from->forms[i].encoding);
	if (!from->binary)
		return end ? -1 : 0;
	if (end ? end < past || end > from->size : i + 1 == from->n_offsets)
		return -1;
	add_number(to, end ? 1 + end - past : 0);
	return 0;
}

static int add_places(const struct content_entry *from, struct buf *gaps, struct err *e)
{
	uint64_t past = 0, end = 0;

	for (size_t i = 0; i < from->n_offsets; i++) {
		unsigned encoding = from->forms ? from->forms[i].encoding : TEXT_UTF8;
		uint64_t at = from->offsets[i], n = from->prefix.n;

		if (encoding >= TEXT_ENCODINGS)
			return out_of_place(from, at, e);
		n *= text_unit((enum text_encoding)encoding);
		if (at < past || at < end || at > from->size || n > from->size - at)
			return out_of_place(from, at, e);
		add_number(gaps, at - past);
		past = at + n;
		if (!from->forms)
			continue;
		if (add_form(from, i, past, gaps) < 0)
			return out_of_place(from, at, e);
		end = from->forms[i].end;
	}
	return 0;
}

int relocation_file_make(struct arena *a, const struct content_entry *from,
	struct relocation_file *out, struct err *e)
{
	CLEANUP_BUF gaps = {0};

	*out = (struct relocation_file){.entry = {
						.path = arena_cstr(a, from->path),
						.binary = from->binary,
						.forms = from->forms != NULL,
						.placeholder = arena_cstr(a, from->prefix),
						.placeholder_len = from->prefix.n,
						.size = from->size,
						.n_offsets = from->n_offsets,
					}};
	if (memchr(from->prefix.p, 0, from->prefix.n) ||
		!relocate_prefix_is_good(out->entry.placeholder) ||
		(from->forms && !text_is_ascii(from->prefix)))
		return err_set(e, ERR_INTEGRITY, "placeholder of '%.*s' is no absolute path",
			STR_ARG(from->path));
	if (add_places(from, &gaps, e) < 0)
		return -1;
	out->gaps_len = gaps.n;
	out->entry.gaps = (const unsigned char *)arena_str(a, buf_view(&gaps)).p;
	out->entry.gaps_end = out->entry.gaps + gaps.n;
	return 0;
}

/* The shebang line where a placeholder stands in it, if it is one that the format can keep. */
static struct str find_head(const struct relocate_entry *entry, struct str data)
{
	struct relocate_offsets it = relocate_offsets_of(entry);
	struct str line = str_sub(data, 0, RELOCATE_HEAD_MAX + 1), rest = line;
	struct relocate_place place;
	size_t n = 0;

	line = str_cut(&rest, '\n');
	if (entry->binary || !str_starts(line, STR("#!")) || line.n > RELOCATE_HEAD_MAX ||
		str_chr(line, 0) >= 0)
		return (struct str){0};
	while (relocate_offset_next(&it, &place) && place.at < line.n)
		n++;
	return n == 0 || n > RELOCATE_HEAD_OFFSETS ? (struct str){0} : line;
}

int relocation_file_measure(struct relocation_file *file, struct str data, struct err *e)
{
	struct relocate_entry *entry = &file->entry;
	struct str head = find_head(entry, data);

	entry->head = head.p;
	entry->head_len = head.n;
	if (relocate_measure(entry, data.p, data.n, entry->placeholder, &entry->hash) < 0)
		return err_set(e, ERR_INTEGRITY,
			"'%s' does not hold its placeholder where it should", entry->path);
	return 0;
}

static void add_file(struct buf *to, const struct relocation_file *file, uint64_t placeholder)
{
	const struct relocate_entry *f = &file->entry;

	add_number(to, strlen(f->path));
	buf_add(to, f->path, strlen(f->path) + 1);
	buf_putc(to, f->forms ? (f->binary ? 'B' : 'T') : (f->binary ? 'b' : 't'));
	add_number(to, placeholder);
	add_number(to, f->size);
	add_le64(to, f->hash);
	add_number(to, f->head_len);
	buf_add(to, f->head, f->head_len);
	add_number(to, f->n_offsets);
	buf_add(to, f->gaps, file->gaps_len);
}

/* Every placeholder once, as files bring them; *where gets its place for each file. */
static void add_table(
	struct relocation_file *const *files, size_t n, uint64_t *where, struct buf *to)
{
	struct arena scratch = {0};
	struct table seen = {.arena = &scratch};
	CLEANUP_BUF table = {0};

	for (size_t i = 0; i < n; i++) {
		struct str placeholder =
			str_n(files[i]->entry.placeholder, files[i]->entry.placeholder_len);
		union table_value *known = table_get(&seen, placeholder);

		if (!known) {
			known = table_put(&seen, placeholder);
			known->num = table.n;
			buf_add(&table, placeholder.p, placeholder.n + 1);
		}
		where[i] = known->num;
	}
	add_number(to, table.n);
	buf_str(to, buf_view(&table));
	arena_release(&scratch);
}

/* The encodings are those of builder/text_encoding.h. */
_Static_assert((int)RELOCATE_UTF16LE == TEXT_UTF16LE && (int)RELOCATE_UTF16BE == TEXT_UTF16BE &&
		       (int)RELOCATE_UTF32LE == TEXT_UTF32LE &&
		       (int)RELOCATE_UTF32BE == TEXT_UTF32BE,
	"numbers of the index");

void relocation_write(struct relocation_file *const *files, size_t n, struct buf *to)
{
	uint64_t *where = xcalloc(n + 1, sizeof *where);
	struct relocate_hash sum;
	bool forms = false;

	for (size_t i = 0; i < n; i++)
		forms = forms || files[i]->entry.forms;
	buf_printf(to, RELOCATE_MAGIC "%d\n", forms ? 2 : 1);
	add_table(files, n, where, to);
	add_number(to, n);
	for (size_t i = 0; i < n; i++)
		add_file(to, files[i], where[i]);
	free(where);
	relocate_hash_init(&sum);
	relocate_hash_add(&sum, to->p, to->n);
	add_le64(to, relocate_hash_end(&sum));
}
