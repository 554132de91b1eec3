#include "packer/sums.h"

static bool needs_escape(struct str path)
{
	return str_chr(path, '\n') >= 0 || str_chr(path, '\\') >= 0 || str_chr(path, '\r') >= 0;
}

void sums_add(struct buf *to, struct str path, const uint8_t sha256[SHA256_LEN])
{
	char hex[SHA256_HEX + 1];

	hex_encode(sha256, SHA256_LEN, hex);
	if (!needs_escape(path)) {
		buf_printf(to, "%s  %.*s\n", hex, STR_ARG(path));
		return;
	}
	buf_printf(to, "\\%s  ", hex);
	for (size_t i = 0; i < path.n; i++) {
		switch (path.p[i]) {
		case '\n':
			buf_puts(to, "\\n");
			break;
		case '\r':
			buf_puts(to, "\\r");
			break;
		case '\\':
			buf_puts(to, "\\\\");
			break;
		default:
			buf_putc(to, path.p[i]);
		}
	}
	buf_putc(to, '\n');
}

/* The path of a line whose first byte is a backslash. */
static int unescape(struct str text, struct buf *to)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];

		if (c == '\\') {
			c = ++i < text.n ? text.p[i] : 0;
			c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? c : 0);
			if (c == 0)
				return -1;
		}
		buf_putc(to, c);
	}
	return 0;
}

/* "HEX  PATH" or "\HEX  PATH" */
static int parse_line(struct str line, uint8_t sha256[SHA256_LEN], struct buf *path)
{
	bool escaped = str_starts(line, STR("\\"));

	line = str_sub(line, escaped, line.n);
	if (hex_decode(str_sub(line, 0, SHA256_HEX), sha256, SHA256_LEN) < 0 ||
		!str_starts(str_sub(line, SHA256_HEX, line.n), STR("  ")))
		return -1;
	line = str_sub(line, SHA256_HEX + 2, line.n);
	return escaped ? unescape(line, path) : buf_str(path, line);
}

static int differs(struct str path, const uint8_t *want, const uint8_t *have, struct err *e)
{
	char a[SHA256_HEX + 1], b[SHA256_HEX + 1];

	hex_encode(want, SHA256_LEN, a);
	hex_encode(have, SHA256_LEN, b);
	return err_set(e, ERR_INTEGRITY, "'%.*s' is damaged: sha256 %s, packed as %s",
		STR_ARG(path), b, a);
}

static int check_line(struct table *files, struct str line, size_t *n, struct err *e)
{
	CLEANUP_BUF path = {0};
	uint8_t sha256[SHA256_LEN];
	union table_value *have;

	if (parse_line(line, sha256, &path) < 0)
		return err_set(e, ERR_INTEGRITY, "damaged list of files '" SUMS_PATH "'");
	have = table_get(files, buf_view(&path));
	if (!have || str_is(buf_view(&path), SUMS_PATH))
		return err_set(e, ERR_INTEGRITY, "'%.*s' is missing in the archive",
			STR_ARG(buf_view(&path)));
	if (!have->ptr)
		return err_set(e, ERR_INTEGRITY, "'%.*s' is twice in '" SUMS_PATH "'",
			STR_ARG(buf_view(&path)));
	if (memcmp(have->ptr, sha256, SHA256_LEN) != 0)
		return differs(buf_view(&path), sha256, have->ptr, e);
	have->ptr = NULL;
	++*n;
	return 0;
}

/* Neither the archive nor the list has a path twice: as many good lines as files mean all
 * of them. */
int sums_check(struct table *files, struct str text, struct err *e)
{
	size_t n = 0, others = table_get(files, STR(SUMS_PATH)) ? 1 : 0;

	while (text.n) {
		struct str line = str_cut(&text, '\n');

		if (check_line(files, line, &n, e) < 0)
			return -1;
	}
	if (n != files->n - others)
		return err_set(e, ERR_INTEGRITY, "the archive holds %zu files, its list %zu",
			files->n - others, n);
	return 0;
}

int sums_read(struct table *out, struct str text, struct err *e)
{
	while (text.n) {
		struct str line = str_cut(&text, '\n');
		CLEANUP_BUF path = {0};
		uint8_t *sha256 = arena_alloc(out->arena, SHA256_LEN);

		if (parse_line(line, sha256, &path) < 0)
			return err_set(e, ERR_INTEGRITY, "damaged list of files '" SUMS_PATH "'");
		table_put(out, arena_str(out->arena, buf_view(&path)))->ptr = sha256;
	}
	return 0;
}
