/* The glibc that wheels ask for by the names of their platforms (PEP 513, 571, 599, 600). */
#include "solver/lock_pip.h"

#include "solver/dist_name.h"

struct glibc {
	uint64_t major, minor;
};

/* "2.17" or what stands before the first "_": "2_17_x86_64". */
static bool parse_glibc(struct str text, char dot, struct glibc *out)
{
	struct str minor = text, major = str_cut(&minor, dot);

	minor = str_cut(&minor, '_');
	minor = str_cut(&minor, '.');
	return str_u64(major, UINT32_MAX, &out->major) == 0 &&
	       str_u64(minor, UINT32_MAX, &out->minor) == 0;
}

/* false: the tag asks for none. */
static bool tag_glibc(struct str tag, struct glibc *out)
{
	static const struct {
		const char *name;
		struct glibc glibc;
	} old[] = {
		{"manylinux1_", {2, 5}}, {"manylinux2010_", {2, 12}}, {"manylinux2014_", {2, 17}}};
	static const struct str prefix = STR_INIT("manylinux_");

	for (size_t i = 0; i < sizeof old / sizeof *old; i++)
		if (str_starts(tag, str_of(old[i].name))) {
			*out = old[i].glibc;
			return true;
		}
	return str_starts(tag, prefix) && parse_glibc(str_sub(tag, prefix.n, tag.n), '_', out);
}

static bool newer(const struct glibc *a, const struct glibc *b)
{
	return a->major != b->major ? a->major > b->major : a->minor > b->minor;
}

/* One tag that fits is enough; *least is what the least of them asks for. */
static bool fits(struct str platform, const struct glibc *have, struct glibc *least)
{
	*least = (struct glibc){UINT32_MAX, 0};
	while (platform.p) {
		struct glibc need;

		if (!tag_glibc(str_cut(&platform, '.'), &need))
			return true;
		if (newer(least, &need))
			*least = need;
	}
	return !newer(least, have);
}

static bool find_glibc(
	struct arena *a, const struct str *virtual_packages, size_t n, struct glibc *out)
{
	for (size_t i = 0; i < n; i++) {
		struct record r;

		if (virtual_package_parse(a, virtual_packages[i], &r, NULL) == 0 &&
			str_is(r.name, "__glibc"))
			return parse_glibc(r.version, '.', out);
	}
	return false;
}

int lock_pip_fits(struct arena *a, const struct lock_target *target,
	const struct str *virtual_packages, size_t n, struct str *reason)
{
	struct glibc have, least;

	if (!find_glibc(a, virtual_packages, n, &have))
		return 1;
	for (size_t i = 0; i < target->pypi.n; i++) {
		const struct pypi_package *p = &target->pypi.v[i];
		struct str file = p->wheel.n ? p->wheel : dist_file_of(a, p->url);
		struct dist_name name;

		if (dist_name_parse(a, file, &name) < 0 || name.kind != DIST_WHEEL ||
			fits(name.platform, &have, &least))
			continue;
		*reason = arena_strf(a, "'%.*s' needs glibc %u.%u and there is %u.%u",
			STR_ARG(file), (unsigned)least.major, (unsigned)least.minor,
			(unsigned)have.major, (unsigned)have.minor);
		return 0;
	}
	return 1;
}
