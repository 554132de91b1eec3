#include "base/tar_blocks.h"

/* Of a path or a link's target, with its NUL: what PATH_MAX allows. */
enum { NAME_BYTES_MAX = 4096 };

/* A field's text up to its end or a NUL. */
static struct str text_of(const char *field, size_t width)
{
	const char *nul = memchr(field, 0, width);

	return str_n(field, nul ? (size_t)(nul - field) : width);
}

/* Octal digits and a NUL over the whole width, or GNU's base 256: below 2^62 either way from 0. */
static int number_of(const char *field, size_t width, int64_t *out)
{
	const unsigned char *p = (const unsigned char *)field;
	int64_t v = p[0] == 0xff ? -1 : 0;

	if (p[0] == 0x80 || p[0] == 0xff) {
		for (size_t i = 1; i < width; i++) {
			if (v >= (int64_t)1 << 54 || v < -((int64_t)1 << 54))
				return -1;
			v = v * 256 + p[i];
		}
	} else {
		for (size_t i = 0; i + 1 < width; i++) {
			if (p[i] < '0' || p[i] > '7')
				return -1;
			v = v * 8 + (p[i] - '0');
		}
		if (p[width - 1])
			return -1;
	}
	*out = v;
	return 0;
}

static bool sum_is_right(const char *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned sum = 8 * ' ', want = 0;

	for (size_t i = 0; i < TAR_BLOCK; i++)
		sum += i >= 148 && i < 156 ? 0 : p[i];
	for (size_t i = 148; i < 154; i++) {
		if (p[i] < '0' || p[i] > '7')
			return false;
		want = want << 3 | (unsigned)(p[i] - '0');
	}
	return sum == want && p[154] == 0;
}

static bool is_zero(const char *block)
{
	return block[0] == 0 && memcmp(block, block + 1, TAR_BLOCK - 1) == 0;
}

/* The text of an 'L' or 'K' record, which ends with its only NUL. */
static int add_name(struct tar_blocks *t, const char *block)
{
	size_t n = t->name_left < TAR_BLOCK ? (size_t)t->name_left : TAR_BLOCK;

	buf_add(t->into, block, n);
	t->name_left -= n;
	if (t->name_left)
		return 0;
	t->into->n--;
	return memchr(t->into->p, 0, t->into->n + 1) == t->into->p + t->into->n ? 0 : -1;
}

static int begin_name(struct tar_blocks *t, const char *h, bool *is_long, struct buf *into)
{
	int64_t n;

	if (*is_long || number_of(h + 124, 12, &n) < 0 || n < 2 || n > NAME_BYTES_MAX)
		return -1;
	t->name_left = (uint64_t)n;
	*is_long = true;
	t->into = into;
	buf_clear(into);
	return 0;
}

static int type_of(char flag, enum member_type *type)
{
	switch (flag) {
	case '0':
		*type = MEMBER_FILE;
		return 0;
	case '1':
		*type = MEMBER_HARDLINK;
		return 0;
	case '2':
		*type = MEMBER_SYMLINK;
		return 0;
	case '5':
		*type = MEMBER_DIR;
		return 0;
	default:
		return -1;
	}
}

static void take_path(struct tar_blocks *t, const char *h)
{
	struct str folder = text_of(h + 345, 155);

	if (t->long_path)
		return;
	buf_clear(&t->path);
	if (folder.n) {
		buf_str(&t->path, folder);
		buf_putc(&t->path, '/');
	}
	buf_str(&t->path, text_of(h, 100));
}

static int take_link(struct tar_blocks *t, const char *h)
{
	bool is_link = t->member.type == MEMBER_SYMLINK || t->member.type == MEMBER_HARDLINK;

	if (!t->long_link) {
		buf_clear(&t->link);
		buf_str(&t->link, text_of(h + 157, 100));
	}
	t->member.link = is_link ? buf_view(&t->link) : (struct str){0};
	return is_link || t->link.n == 0 ? 0 : -1;
}

static int take_member(struct tar_blocks *t, const char *h)
{
	struct member *m = &t->member;
	int64_t mode, size;

	*m = (struct member){.has_mtime = true};
	if (type_of(h[156], &m->type) < 0 || number_of(h + 100, 8, &mode) < 0 ||
		number_of(h + 124, 12, &size) < 0 || number_of(h + 136, 12, &m->mtime) < 0 ||
		mode < 0 || size < 0 || (size && m->type != MEMBER_FILE))
		return -1;
	m->size = (uint64_t)size;
	m->mode = mode & 07777;
	take_path(t, h);
	if (take_link(t, h) < 0)
		return -1;
	m->path = buf_view(&t->path);
	if (m->type == MEMBER_DIR && m->path.n > 1 && m->path.p[m->path.n - 1] == '/')
		m->path.n--;
	t->long_path = t->long_link = false;
	return m->path.n ? 1 : -1;
}

int tar_block(struct tar_blocks *t, const char block[TAR_BLOCK])
{
	if (t->name_left)
		return add_name(t, block);
	if (is_zero(block)) {
		t->zeros++;
		return t->long_path || t->long_link ? -1 : 0;
	}
	if (t->zeros || !sum_is_right(block) || memcmp(block + 257, "ustar", 5) != 0)
		return -1;
	if (block[156] == 'L')
		return begin_name(t, block, &t->long_path, &t->path);
	if (block[156] == 'K')
		return begin_name(t, block, &t->long_link, &t->link);
	return take_member(t, block);
}

bool tar_blocks_between(const struct tar_blocks *t)
{
	return !t->name_left && !t->long_path && !t->long_link;
}

void tar_blocks_release(struct tar_blocks *t)
{
	buf_release(&t->path);
	buf_release(&t->link);
}
