#include "solver/lock_export.h"

#include "base/hash.h"
#include "base/http.h"
#include "base/yaml.h"
#include "solver/dist_name.h"
#include "solver/lock_export_form.h"
#include "solver/requirements.h"
#include "solver/solve.h"

struct str export_url(struct arena *a, struct str url)
{
	return str_of(http_redact(a, arena_cstr(a, url)));
}

struct record **export_order(struct arena *a, const struct lock_target *t)
{
	struct record **v = arena_array(a, struct record *, t->n_records);

	if (!t->n_records)
		return v;
	memcpy(v, t->order ? t->order : t->records, t->n_records * sizeof *v);
	if (!t->order)
		records_topological(v, t->n_records);
	return v;
}

int export_check_wheel(
	struct arena *a, const struct pypi_package *p, const char *what, struct err *e)
{
	struct dist_name file;

	if (!p->wheel.n && p->has_sha256 && !str_starts(p->url, STR("git+")) &&
		str_find(p->url, STR("://")) > 0 &&
		dist_name_parse(a, dist_file_of(a, p->url), &file) == 0 && file.kind == DIST_WHEEL)
		return 0;
	err_set(e, ERR_INPUT, "%s has no place for '%.*s', which is not a wheel at a URL", what,
		STR_ARG(p->name));
	return err_advise(e, "'envbuild vault' keeps wheels that were built");
}

static int one_target(size_t n, const char *what, struct err *e)
{
	if (n == 1)
		return 0;
	err_set(e, ERR_INPUT, "%s is for one target, %zu are meant", what, n);
	return err_advise(e, "choose one with -t");
}

/* --- @EXPLICIT ------------------------------------------------------------------------------ */

/* md5 where there is one, as conda and conda-lock write it. */
static void put_explicit(struct arena *a, struct buf *to, const struct record *r)
{
	char hex[SHA256_HEX + 1];

	buf_str(to, export_url(a, r->url));
	if (r->has_md5) {
		hex_encode(r->md5, MD5_LEN, hex);
		buf_printf(to, "#%s", hex);
	} else if (r->has_sha256) {
		hex_encode(r->sha256, SHA256_LEN, hex);
		buf_printf(to, "#sha256:%s", hex);
	}
	buf_putc(to, '\n');
}

static int export_explicit(
	struct arena *a, const struct lock_target *t, struct buf *to, struct err *e)
{
	struct record **v = export_order(a, t);
	char hex[SHA256_HEX + 1];

	buf_printf(to, "# platform: %.*s\n@EXPLICIT\n", STR_ARG(t->subdir));
	for (size_t i = 0; i < t->n_records; i++)
		put_explicit(a, to, v[i]);
	for (size_t i = 0; i < t->pypi.n; i++) {
		const struct pypi_package *p = &t->pypi.v[i];

		if (export_check_wheel(a, p, "an @EXPLICIT file", e) < 0)
			return -1;
		hex_encode(p->sha256, SHA256_LEN, hex);
		buf_printf(to, "# pip %.*s @ %.*s#sha256=%s\n", STR_ARG(p->name),
			STR_ARG(pypi_public_url(a, p->url)), hex);
	}
	return 0;
}

/* --- environment.yml ------------------------------------------------------------------------ */

static void put_entry(struct buf *to, const char *before, struct str text)
{
	buf_puts(to, before);
	yaml_write_scalar(to, text);
	buf_putc(to, '\n');
}

/* A package of an index by its version, another by its place. */
static struct str pip_line(struct arena *a, const struct pypi_package *p)
{
	struct pypi_git git;

	if (pypi_git_split(a, p->url, &git) == 0)
		return arena_strf(a, "%.*s @ git+%.*s@%.*s%s%.*s", STR_ARG(p->name),
			STR_ARG(pypi_public_url(a, git.url)), STR_ARG(git.commit),
			git.subdirectory.n ? "#subdirectory=" : "", STR_ARG(git.subdirectory));
	if (str_find(p->url, STR("://")) < 0)
		return p->url;
	if (p->version.n &&
		(p->index.n || str_starts(p->url, STR("https://files.pythonhosted.org/"))))
		return arena_strf(a, "%.*s==%.*s", STR_ARG(p->name), STR_ARG(p->version));
	return arena_strf(a, "%.*s @ %.*s", STR_ARG(p->name), STR_ARG(pypi_public_url(a, p->url)));
}

static int export_environment(struct arena *a, const struct lock *lock, const struct lock_target *t,
	struct buf *to, struct err *e)
{
	struct str place;

	(void)e;
	buf_puts(to, "channels:\n");
	for (size_t i = 0; i < lock->n_channels; i++)
		put_entry(to, "  - ", export_channel(a, lock->channels[i]));
	/* conda adds its defaults otherwise. */
	buf_puts(to, "  - nodefaults\n");
	buf_puts(to, t->n_records || t->pypi.n ? "dependencies:\n" : "dependencies: []\n");
	for (size_t i = 0; i < t->n_records; i++) {
		const struct record *r = t->records[i];

		put_entry(to, "  - ",
			arena_strf(a, "%.*s=%.*s=%.*s", STR_ARG(r->name), STR_ARG(r->version),
				STR_ARG(r->build)));
	}
	if (t->pypi.n)
		buf_puts(to, "  - pip:\n");
	for (size_t i = 0; i < lock->n_indexes && t->pypi.n; i++) {
		place = export_url(a, lock->indexes[i]);
		put_entry(to, "      - ",
			arena_strf(a, "--%sindex-url %.*s", i ? "extra-" : "", STR_ARG(place)));
	}
	for (size_t i = 0; i < t->pypi.n; i++)
		put_entry(to, "      - ", pip_line(a, &t->pypi.v[i]));
	return 0;
}

/* --- the form ------------------------------------------------------------------------------- */

int lock_export(const struct lock *lock, const struct lock_target *const *targets, size_t n,
	enum lock_format format, struct buf *to, struct err *e)
{
	struct arena a = {0};
	int rc = -1;

	switch (format) {
	case LOCK_AS_EXPLICIT:
		if (one_target(n, "an @EXPLICIT file", e) == 0)
			rc = export_explicit(&a, targets[0], to, e);
		break;
	case LOCK_AS_CONDA_LOCK:
		rc = export_conda_lock(&a, lock, targets, n, to, e);
		break;
	case LOCK_AS_ENVIRONMENT:
		if (one_target(n, "an environment file", e) == 0)
			rc = export_environment(&a, lock, targets[0], to, e);
		break;
	}
	arena_release(&a);
	return rc;
}
