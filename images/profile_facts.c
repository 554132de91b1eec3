/* What can be asked of a profile, however it was made. */
#include "images/libc.h"
#include "images/profile_read.h"

enum { MAX_WORD = 255 };

bool profile_is_word(struct str s, const char *more)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c && strchr(more, c))))
			return false;
	}
	return s.n > 0 && s.n <= MAX_WORD;
}

bool profile_name_is_good(struct str name)
{
	return profile_is_word(name, "._-") && name.p[0] != '.' && name.p[0] != '-';
}

bool profile_is_library_word(struct str s)
{
	return profile_is_word(s, "._+-@~");
}

struct str profile_virtual(const struct profile *p, const char *name)
{
	for (size_t i = 0; i < p->n_virtual_packages; i++) {
		struct str rest = p->virtual_packages[i];

		if (str_is(str_cut(&rest, '='), name))
			return p->virtual_packages[i];
	}
	return (struct str){NULL, 0};
}

struct str profile_virtual_version(const struct profile *p, const char *name)
{
	struct str rest = profile_virtual(p, name);

	str_cut(&rest, '=');
	return str_cut(&rest, '=');
}

struct str profile_virtual_build(const struct profile *p, const char *name)
{
	struct str rest = profile_virtual(p, name);

	str_cut(&rest, '=');
	str_cut(&rest, '=');
	return rest;
}

int profile_cmp_glibc(const void *a, const void *b)
{
	const struct profile *x = a, *y = b;
	int c = glibc_cmp(x->glibc, y->glibc);

	return c ? c : str_cmp(x->name, y->name);
}

const struct profile_library *profile_library(const struct profile *p, struct str soname)
{
	size_t low = 0, high = p->n_libraries;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = str_cmp(p->libraries[middle].soname, soname);

		if (c == 0)
			return &p->libraries[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Of archspec's microarchitectures; the levels are those of the x86-64 psABI. */
static const struct {
	const char *name;
	int level;
} cpus[] = {
	{"x86_64", 0},
	{"x86_64_v2", 1},
	{"x86_64_v3", 2},
	{"x86_64_v4", 3},

	{"nocona", 0},
	{"core2", 0},
	{"k10", 0},

	{"nehalem", 1},
	{"westmere", 1},
	{"sandybridge", 1},
	{"ivybridge", 1},
	{"bulldozer", 1},
	{"piledriver", 1},
	{"steamroller", 1},

	{"haswell", 2},
	{"broadwell", 2},
	{"skylake", 2},
	{"mic_knl", 2},
	{"excavator", 2},
	{"zen", 2},
	{"zen2", 2},
	{"zen3", 2},

	{"skylake_avx512", 3},
	{"cannonlake", 3},
	{"cascadelake", 3},
	{"icelake", 3},
	{"sapphirerapids", 3},
	{"zen4", 3},
	{"zen5", 3},
};

int cpu_level_of(struct str archspec)
{
	for (size_t i = 0; i < sizeof cpus / sizeof *cpus; i++)
		if (str_is(archspec, cpus[i].name))
			return cpus[i].level;
	return -1;
}

const char *cpu_level_name(int level)
{
	return cpus[level].name;
}
