/* The names of the archive formats. */
#include "packer/pack.h"

#include "packer/parts.h"

static const struct {
	enum pack_format format;
	const char *name;
} formats[] = {
	{PACK_TAR_GZ, "tar.gz"},
	{PACK_TAR_ZST, "tar.zst"},
	{PACK_TAR, "tar"},
	{PACK_SQUASHFS, "squashfs"},
	{PACK_DIR, "dir"},
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

static struct str without_part(const char *path)
{
	return (struct str){path, strlen(path) - part_ending(path)};
}

int pack_format_of_path(const char *path, enum pack_format *out)
{
	struct str p = without_part(path);

	if (str_ends(p, STR("/"))) {
		*out = PACK_DIR;
		return 0;
	}
	for (size_t i = 0; i < N_FORMATS; i++) {
		struct str ending = str_of(formats[i].name);

		/* Any name can be a folder's. */
		if (formats[i].format != PACK_DIR && p.n > ending.n + 1 && str_ends(p, ending) &&
			p.p[p.n - ending.n - 1] == '.') {
			*out = formats[i].format;
			return 0;
		}
	}
	return -1;
}

size_t pack_stem_length(const char *path)
{
	struct str p = without_part(path);
	size_t longest = 0;
	enum pack_format format;

	if (pack_format_of_path(path, &format) < 0)
		return strlen(path);
	while (format == PACK_DIR && p.n > 1 && str_ends(p, STR("/")))
		p.n--;
	if (format == PACK_DIR)
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
