/*
 * conda-meta/envbuild/host: what a host has to have (packer/relocator/host.h has the form).
 *
 * The C library is the target's promise, because that is what the archive was solved, built and
 * tested for.  Kernel, CPU and CUDA are what the packages ask for themselves: images are run on
 * hosts with other kernels all the time, and nothing in the environment may care.
 */
#include "packer/papers.h"
#include "packer/relocator/host.h"

#include "images/libc.h"

/* "2.17" of "__glibc >=2.17,<3.0.a0"; empty: no least version is asked for. */
static struct str least_version(struct str spec)
{
	ptrdiff_t at = str_find(spec, STR(">="));
	struct str v = at < 0 ? (struct str){0} : str_sub(spec, (size_t)at + 2, spec.n);
	size_t n = 0;

	while (n < v.n && ((v.p[n] >= '0' && v.p[n] <= '9') || v.p[n] == '.'))
		n++;
	v.n = n;
	return n && version_is_numeric(v) ? v : (struct str){0};
}

static void raise_to(struct str *most, struct str version)
{
	if (version.n && version.n < RELOCATE_HOST_VALUE &&
		(most->n == 0 || glibc_cmp(version, *most) > 0))
		*most = version;
}

/* "x86_64_v3" of "__archspec 1 x86_64_v3": the last word. */
static int level_of(struct str spec)
{
	ptrdiff_t blank = str_rchr(spec, ' ');

	return blank < 0 ? 0 : cpu_level_of(str_sub(spec, (size_t)blank + 1, spec.n));
}

struct needs {
	struct str kernel, cuda;
	int level;
};

static void add_need(struct needs *n, struct str spec)
{
	if (str_starts(spec, STR("__linux ")))
		raise_to(&n->kernel, least_version(spec));
	else if (str_starts(spec, STR("__cuda")))
		raise_to(&n->cuda, least_version(spec));
	else if (str_starts(spec, STR("__archspec ")) && level_of(spec) > n->level)
		n->level = level_of(spec);
}

static struct needs needs_of(const struct content *c)
{
	struct needs n = {0};

	for (size_t i = 0; i < c->n_packages; i++) {
		const struct record *r = c->packages[i].record;

		for (size_t k = 0; r && k < r->n_depends; k++)
			add_need(&n, r->depends[k]);
	}
	return n;
}

static void add_line(struct buf *to, const char *word, struct str value)
{
	if (value.n && value.n < RELOCATE_HOST_VALUE)
		buf_printf(to, "%s %.*s\n", word, STR_ARG(value));
}

/* "linux-64" -> "x86_64", as uname says it. */
static struct str machine_of(struct str subdir)
{
	struct str os = str_cut(&subdir, '-');

	if (!str_is(os, "linux"))
		return (struct str){0};
	return str_is(subdir, "64") ? STR("x86_64") : subdir;
}

void host_write(const struct pack_request *r, struct buf *to)
{
	struct needs n = needs_of(r->content);

	buf_puts(to, RELOCATE_HOST_MAGIC "\n");
	add_line(to, "target", r->target);
	if (r->profile) {
		add_line(to, "machine", machine_of(r->profile->subdir));
		if (version_is_numeric(r->profile->glibc))
			add_line(to, "glibc", r->profile->glibc);
	}
	add_line(to, "kernel", n.kernel);
	if (n.level > 0)
		add_line(to, "level", str_of(cpu_level_name(n.level)));
	add_line(to, "cuda", n.cuda);
}
