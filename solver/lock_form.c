#include "solver/lock_form.h"

struct derived derive_from_url(struct str url)
{
	ptrdiff_t slash = str_rchr(url, '/'), scheme = str_find(url, STR("://")), before;
	struct derived d = {.fn = str_sub(url, (size_t)(slash + 1), url.n)};
	struct str last;

	record_split_fn(d.fn, &d.name, &d.version, &d.build);
	/* Of a path nothing more is derived. */
	if (slash <= 0 || scheme < 0)
		return d;
	url = str_sub(url, 0, (size_t)slash);
	before = str_rchr(url, '/');
	last = str_sub(url, (size_t)(before + 1), url.n);
	while (before > 0 && url.p[before - 1] == '/')
		before--;
	/* Nor of what lies in no folder of a host, or in none of the root's. */
	if (before <= scheme + 3)
		return d;
	d.channel = str_sub(url, 0, (size_t)before);
	if (subdir_is_known(last))
		d.subdir = last;
	return d;
}

uint64_t derive_build_number(struct str build)
{
	size_t from = build.n;
	uint64_t n = 0;

	while (from && build.p[from - 1] >= '0' && build.p[from - 1] <= '9')
		from--;
	str_u64(str_sub(build, from, build.n), UINT64_MAX, &n);
	return n;
}

enum noarch derive_noarch(struct str subdir, struct str build)
{
	if (!str_is(subdir, "noarch"))
		return NOARCH_NONE;
	return str_find(build, STR("py")) >= 0 ? NOARCH_PYTHON : NOARCH_GENERIC;
}
