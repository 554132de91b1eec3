#include "base/http_netrc.h"

#include "base/buf.h"
#include "base/file.h"

#include <stdlib.h>
#include <strings.h>

enum { NETRC_MAX = 1 << 20 };

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Up to the next word; false where there is none. */
static bool skip_to_word(struct str *rest)
{
	while (rest->n) {
		if (rest->p[0] == '#')
			str_cut(rest, '\n');
		else if (is_space(rest->p[0]))
			*rest = str_sub(*rest, 1, rest->n);
		else
			return true;
	}
	return false;
}

static struct str quoted_word(struct arena *a, struct str *rest)
{
	CLEANUP_BUF word = {0};
	size_t i = 1;

	for (; i < rest->n && rest->p[i] != '"'; i++) {
		char c = rest->p[i];

		if (c == '\\' && i + 1 < rest->n) {
			c = rest->p[++i];
			c = (char)(c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c);
		}
		buf_putc(&word, c);
	}
	*rest = str_sub(*rest, i + 1, rest->n);
	return arena_str(a, buf_view(&word));
}

static bool next_word(struct arena *a, struct str *rest, struct str *word)
{
	size_t n = 0;

	if (!skip_to_word(rest))
		return false;
	if (rest->p[0] == '"') {
		*word = quoted_word(a, rest);
		return true;
	}
	while (n < rest->n && !is_space(rest->p[n]))
		n++;
	*word = str_sub(*rest, 0, n);
	*rest = str_sub(*rest, n, rest->n);
	return true;
}

/* A macro ends at an empty line. */
static void skip_macro(struct str *rest)
{
	ptrdiff_t at = str_find(*rest, STR("\n\n"));

	*rest = str_sub(*rest, at < 0 ? rest->n : (size_t)at + 2, rest->n);
}

static bool is_host(struct str word, const char *host)
{
	return word.n == strlen(host) && strncasecmp(word.p, host, word.n) == 0;
}

char *netrc_find(struct arena *a, struct str text, const char *host)
{
	bool ours = false;
	struct str word, value;

	while (next_word(a, &text, &word)) {
		if (str_is(word, "default")) {
			ours = false;
		} else if (str_is(word, "macdef")) {
			skip_macro(&text);
		} else if (str_is(word, "machine")) {
			if (!next_word(a, &text, &value))
				break;
			ours = is_host(value, host);
		} else if (str_is(word, "password")) {
			if (!next_word(a, &text, &value))
				break;
			if (ours)
				return arena_cstr(a, value);
		} else if (!next_word(a, &text, &value)) { /* login, account */
			break;
		}
	}
	return NULL;
}

char *netrc_password(struct arena *a, const char *host)
{
	const char *path = getenv("NETRC"), *home = getenv("HOME");
	struct str text;

	if ((!path || !*path) && home && *home)
		path = path_join(a, home, ".netrc");
	if (!path || !*path || file_read(a, path, NETRC_MAX, &text, NULL) < 0)
		return NULL;
	return netrc_find(a, text, host);
}
