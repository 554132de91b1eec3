#include "images/loader.h"

#include "images/libc.h"

struct loader {
	const struct profile *profile;
	struct host_library *listed; /* as profile.libraries */
};

int loader_open(struct arena *a, const char *root, const struct profile *p, struct loader **out,
	struct err *e)
{
	struct loader *l = arena_new(a, struct loader);

	(void)root;
	(void)e;
	*l = (struct loader){.profile = p};
	l->listed = arena_array(a, struct host_library, p->n_libraries);
	for (size_t i = 0; i < p->n_libraries; i++) {
		l->listed[i].soname = l->listed[i].elf.soname = p->libraries[i].soname;
		l->listed[i].elf.defines = p->libraries[i].versions;
		l->listed[i].elf.n_defines = p->libraries[i].n_versions;
	}
	*out = l;
	return 0;
}

void loader_close(struct loader *l)
{
	(void)l;
}

bool loader_has_root(const struct loader *l)
{
	(void)l;
	return false;
}

struct str loader_glibc(const struct loader *l)
{
	return l->profile->glibc;
}

int loader_find(struct loader *l, struct str name, bool no_defaults,
	const struct host_library **out, struct err *e)
{
	const struct profile_library *found = profile_library(l->profile, name);

	(void)no_defaults;
	(void)e;
	if (!found)
		return 0;
	*out = &l->listed[found - l->profile->libraries];
	return 1;
}

int loader_find_in(struct loader *l, struct str folder, struct str name,
	const struct host_library **out, struct err *e)
{
	(void)l, (void)folder, (void)name, (void)out, (void)e;
	return 0;
}

int loader_file(struct loader *l, struct str path, const struct host_library **out, struct err *e)
{
	(void)l, (void)path, (void)out, (void)e;
	return 0;
}

const struct str *loader_hwcaps(const struct loader *l, size_t *n)
{
	(void)l;
	*n = 0;
	return NULL;
}

bool loader_has_path(struct loader *l, struct str path)
{
	(void)l, (void)path;
	return false;
}

int loader_symbols(struct loader *l, const struct host_library *library,
	const struct elf_symbols **out, struct err *e)
{
	(void)l, (void)library, (void)out, (void)e;
	return 0;
}
