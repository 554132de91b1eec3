#include "builder/dist_rows.h"

#include "builder/dist.h"

/* A field of a CSV row (RFC 4180): plain, or quoted with "" for a quote. */
static struct str csv_field(struct arena *a, struct str *row)
{
	struct str rest;

	if (row->n == 0 || row->p[0] != '"')
		return str_cut(row, ',');
	char *out = arena_alloc(a, row->n + 1);
	size_t n = 0, i = 1;
	for (; i < row->n; i++) {
		if (row->p[i] == '"' && (i + 1 == row->n || row->p[++i] != '"'))
			break;
		out[n++] = row->p[i];
	}
	rest = str_sub(*row, i, row->n);
	str_cut(&rest, ',');
	*row = rest;
	return str_n(out, n);
}

static int base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* "sha256=" and 43 characters of URL-safe base64 without padding (PEP 376, PEP 427). */
static bool parse_sum(struct str text, uint8_t sum[SHA256_LEN])
{
	uint32_t bits = 0;
	unsigned have = 0;
	size_t n = 0;

	if (!str_starts(text, STR("sha256=")))
		return false;
	text = str_sub(text, strlen("sha256="), text.n);
	while (text.n && text.p[text.n - 1] == '=')
		text.n--;
	if (text.n != 43)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		int v = base64_value(text.p[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have >= 8 && n < SHA256_LEN) {
			have -= 8;
			sum[n++] = (uint8_t)(bits >> have);
		}
	}
	return n == SHA256_LEN;
}

bool dist_row_next(
	struct arena *a, struct str *text, struct str base, bool csv, struct dist_row *out)
{
	struct str row = {0};

	while (text->n && row.n == 0)
		row = str_trim(str_cut(text, '\n'));
	if (row.n == 0)
		return false;
	*out = (struct dist_row){0};
	out->path = prefix_path_resolve(a, base, csv ? csv_field(a, &row) : row);
	if (csv)
		out->has_sha256 = parse_sum(csv_field(a, &row), out->sha256);
	return true;
}
