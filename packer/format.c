/* The names of the archive formats. */
#include "packer/pack.h"

static const struct {
	enum pack_format format;
	const char *name;
} formats[] = {
	{PACK_TAR_GZ, "tar.gz"},
	{PACK_TAR_ZST, "tar.zst"},
	{PACK_TAR, "tar"},
	{PACK_TAR_GZ, "tgz"},
	{PACK_TAR_ZST, "tzst"},
};
enum { N_FORMATS = sizeof formats / sizeof *formats };

int pack_format_parse(struct str text, enum pack_format *out)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (str_is(text, formats[i].name)) {
			*out = formats[i].format;
			return 0;
		}
	return -1;
}

int pack_format_of_path(const char *path, enum pack_format *out)
{
	struct str p = str_of(path);

	for (size_t i = 0; i < N_FORMATS; i++) {
		struct str ending = str_of(formats[i].name);

		if (p.n > ending.n + 1 && str_ends(p, ending) && p.p[p.n - ending.n - 1] == '.') {
			*out = formats[i].format;
			return 0;
		}
	}
	return -1;
}

size_t pack_stem_length(const char *path)
{
	struct str p = str_of(path);
	size_t longest = 0;
	enum pack_format format;

	if (pack_format_of_path(path, &format) < 0)
		return p.n;
	for (size_t i = 0; i < N_FORMATS; i++)
		if (str_ends(p, str_of(formats[i].name)) && strlen(formats[i].name) > longest)
			longest = strlen(formats[i].name);
	return p.n - longest - 1;
}

const char *pack_format_name(enum pack_format f)
{
	for (size_t i = 0; i < N_FORMATS; i++)
		if (formats[i].format == f)
			return formats[i].name;
	return "";
}
