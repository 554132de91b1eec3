#include "solver/dist_name.h"

#include "base/file.h"
#include "base/hash.h"
#include "solver/pep508.h"

static const char *const endings[] = {
	".tar.gz", ".tgz", ".zip", ".tar.bz2", ".tbz", ".tar.xz", ".tar"};

static bool is_tag(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    c == '_' || c == '.'))
			return false;
	}
	return s.n > 0;
}

static bool is_version(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] == '/' || s.p[i] == 0x7f)
			return false;
	return s.n > 0;
}

/* NAME-VERSION[-BUILD]-PYTHON-ABI-PLATFORM */
static int parse_wheel(struct arena *a, struct str stem, struct dist_name *out)
{
	struct str parts[7];
	size_t n = 0;

	while (stem.p && n < 7)
		parts[n++] = str_cut(&stem, '-');
	if ((n != 5 && n != 6) || !pypi_name_is_valid(parts[0]) || !is_version(parts[1]))
		return -1;
	*out = (struct dist_name){.kind = DIST_WHEEL,
		.name = pypi_normal_name(a, parts[0]),
		.version = parts[1],
		.python = parts[n - 3],
		.abi = parts[n - 2],
		.platform = parts[n - 1]};
	if (n == 6)
		out->build = parts[2];
	if (!is_tag(out->python) || !is_tag(out->abi) || !is_tag(out->platform) ||
		(n == 6 && !(out->build.n && out->build.p[0] >= '0' && out->build.p[0] <= '9')))
		return -1;
	return 0;
}

/* Names of old have dashes: the version begins at the last dash that a digit follows. */
static void split_source(struct arena *a, struct str stem, struct dist_name *out)
{
	size_t at = 0;

	for (size_t i = 1; i + 1 < stem.n; i++)
		if (stem.p[i] == '-' && stem.p[i + 1] >= '0' && stem.p[i + 1] <= '9')
			at = i;
	if (at) {
		out->version = str_sub(stem, at + 1, stem.n);
		stem = str_sub(stem, 0, at);
	}
	if (pypi_name_is_valid(stem))
		out->name = pypi_normal_name(a, stem);
}

int dist_name_parse(struct arena *a, struct str file, struct dist_name *out)
{
	if (!path_is_safe(file) || str_chr(file, '/') >= 0)
		return -1;
	if (str_ends(file, STR(".whl")))
		return parse_wheel(a, str_sub(file, 0, file.n - 4), out);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		struct str ending = str_of(endings[i]);

		if (file.n <= ending.n || !str_ends(file, ending))
			continue;
		*out = (struct dist_name){.kind = DIST_SOURCE};
		split_source(a, str_sub(file, 0, file.n - ending.n), out);
		return 0;
	}
	return -1;
}

struct str percent_decoded(struct arena *a, struct str s)
{
	char *p = arena_cstr(a, s);
	size_t n = 0;
	uint8_t byte;

	for (size_t i = 0; i < s.n; i++) {
		p[n++] = s.p[i];
		if (s.p[i] == '%' && hex_decode(str_sub(s, i + 1, i + 3), &byte, 1) == 0) {
			p[n - 1] = (char)byte;
			i += 2;
		}
	}
	return str_n(p, n);
}

struct str dist_file_of(struct arena *a, struct str url)
{
	bool is_url = str_find(url, STR("://")) >= 0;

	for (size_t i = 0; is_url && i < url.n; i++)
		if (url.p[i] == '?' || url.p[i] == '#')
			url.n = i;
	url = str_base(url);
	if (is_url)
		url = percent_decoded(a, url);
	for (size_t i = 0; i < url.n; i++)
		if ((unsigned char)url.p[i] < ' ' || url.p[i] == 0x7f || url.p[i] == '/')
			return STR("");
	return path_is_safe(url) ? url : STR("");
}
