/* A lock as a side of a comparison. */
#include "packer/diff_side.h"

#include "base/log.h"
#include "images/libc.h"
#include "solver/dist_name.h"

/* "__glibc >=2.17,<3.0.a0": the number behind ">=". */
static struct str declared_glibc(struct str spec)
{
	static const struct str name = STR_INIT("__glibc");
	ptrdiff_t at = str_find(spec, STR(">="));
	size_t n = 0;

	if (!str_starts(spec, name) || at < (ptrdiff_t)name.n)
		return (struct str){0};
	spec = str_sub(spec, (size_t)at + 2, spec.n);
	while (n < spec.n && ((spec.p[n] >= '0' && spec.p[n] <= '9') || spec.p[n] == '.'))
		n++;
	while (n && spec.p[n - 1] == '.')
		n--;
	spec = str_sub(spec, 0, n);
	return version_is_numeric(spec) ? spec : (struct str){0};
}

/* The commit at the end of git+URL?rev=ASKED#COMMIT. */
static struct str commit_of(struct str url)
{
	ptrdiff_t hash = str_rchr(url, '#');
	struct str rest;

	if (!str_starts(url, STR("git+")) || hash < 0)
		return (struct str){0};
	rest = str_sub(url, (size_t)hash + 1, url.n);
	return str_cut(&rest, '&');
}

/* Locks of others may leave the version to the name of the file. */
static struct str pypi_version(struct arena *a, const struct pypi_package *p)
{
	struct dist_name file;

	if (p->version.n || dist_name_parse(a, dist_file_of(a, p->url), &file) < 0)
		return p->version;
	return file.version;
}

int side_read_lock(
	struct arena *a, const char *path, const struct lock_target *target, struct diff_side *out)
{
	struct side_maker m;

	side_begin(&m, a, path, DIFF_LOCK, out);
	out->target = target->name;
	out->floor_declared = true;
	if (target->n_skipped)
		log_warn("%s: %zu packages of '%.*s' are not conda's and are left out", path,
			target->n_skipped, STR_ARG(target->name));
	for (size_t i = 0; i < target->n_records; i++) {
		const struct record *r = target->records[i];

		side_add_record(&m, r, 0);
		for (size_t k = 0; k < r->n_depends; k++)
			side_raise_floor(out, declared_glibc(str_trim(r->depends[k])));
	}
	for (size_t i = 0; i < target->pypi.n; i++) {
		const struct pypi_package *p = &target->pypi.v[i];

		side_add_pip(&m, p->name, pypi_version(a, p))->build = commit_of(p->url);
	}
	side_finish(&m);
	return 0;
}
