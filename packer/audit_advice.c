/*
 * What to do about a finding.  Troubles that people have met before are in a table, by what is
 * missing; the rest is said by rule.
 */
#include "images/libc.h"
#include "images/targets.h"
#include "packer/audit_inside.h"

#include <fnmatch.h>
#include <stdlib.h>

static const struct trouble {
	enum audit_rule rule;
	const char *pattern; /* of what is needed (fnmatch) */
	const char *advice;
} troubles[] = {
	{RULE_LIBRARY, "libGL.so.1",
		"install mesa-libGL (Debian: libgl1) on the hosts and in the image, or add 'libgl' "
		"to "
		"the environment"},
	{RULE_LIBRARY, "libEGL.so.1",
		"install mesa-libEGL (Debian: libegl1) on the hosts and in the image, or add "
		"'libegl' "
		"to the environment"},
	{RULE_LIBRARY, "libOpenGL.so.0",
		"install libglvnd-opengl (Debian: libopengl0) on the hosts and in the image, or "
		"add "
		"'libopengl' to the environment"},
	{RULE_LIBRARY, "libX*.so.*",
		"hosts without a screen lack the libraries of X: install them there and in the "
		"image, or add the 'xorg-' package that brings it to the environment"},
	{RULE_LIBRARY, "libxcb*.so.*",
		"hosts without a screen lack the libraries of X: install them there and in the "
		"image, or add 'libxcb' to the environment"},
	{RULE_LIBRARY, "libcrypt.so.1",
		"newer hosts have libcrypt.so.2: install libxcrypt-compat there, or add "
		"'libxcrypt1' "
		"to the environment"},
	{RULE_LIBRARY, "libnsl.so.1",
		"newer hosts have it no longer: install libnsl there, or add 'libnsl' to the "
		"environment"},
	{RULE_LIBRARY, "libtinfo.so.5",
		"newer hosts have libtinfo.so.6: install ncurses-compat-libs there, or take a "
		"build "
		"that needs the environment's 'ncurses'"},
	{RULE_LIBRARY, "libgomp.so.1", "add 'libgomp' to the environment"},
	{RULE_LIBRARY, "libgfortran.so.*",
		"add the 'libgfortran' that brings this version to the environment"},
	{RULE_LIBRARY, "libstdc++.so.6", "add 'libstdcxx-ng' to the environment"},
	{RULE_LIBRARY, "libgcc_s.so.1", "add 'libgcc-ng' to the environment"},
	{RULE_LIBRARY, "libtbb.so.*",
		"add 'tbb' to the environment; numba goes on without it, with its other threads"},
	{RULE_LIBRARY, "libc.musl-*",
		"it is for another C library, musl: where one for glibc lies beside it, that is "
		"taken"},
	{RULE_LIBRARY, "libssl.so.1*",
		"it was built against the OpenSSL of one distribution: take a build that needs the "
		"environment's 'openssl'"},
	{RULE_LIBRARY, "libcrypto.so.1*",
		"it was built against the OpenSSL of one distribution: take a build that needs the "
		"environment's 'openssl'"},
	{RULE_VERSION, "GLIBCXX_*",
		"add 'libstdcxx-ng' to the environment (a newer one, where it has it), whose "
		"libstdc++.so.6 is newer than the host's"},
	{RULE_VERSION, "CXXABI_*",
		"add 'libstdcxx-ng' to the environment (a newer one, where it has it), whose "
		"libstdc++.so.6 is newer than the host's"},
	{RULE_VERSION, "GCC_*",
		"add 'libgcc-ng' to the environment, whose libgcc_s.so.1 is newer than the host's"},
	{RULE_KERNEL, "*",
		"take an older build; or take the note away in a pre-pack script, where the "
		"program "
		"does without what newer kernels have: strip --remove-section=.note.ABI-tag FILE"},
	{RULE_ISA, "*",
		"take a build for any x86-64, or say in the target's profile which CPUs its hosts "
		"have at least (__archspec)"},
	{RULE_DRIVER, "*",
		"take the build for CPUs ('*cpu*'), or a target that has a GPU, as 'rocky9-gpu' "
		"has"},
	{RULE_STATIC_TLS, "static TLS aligned*",
		"have it loaded first, with LD_PRELOAD in a script of etc/conda/activate.d, or "
		"take "
		"a build that was not compiled with -ftls-model=initial-exec"},
	{RULE_GPU, "*",
		"take a build for another version of CUDA, which has code for the target's GPUs; "
		"or "
		"say in the target's profile which GPUs its hosts have at least"},
	{RULE_TEXT, "*", "take a build that was compiled with -fPIC"},
	{RULE_STACK, "*",
		"take the mark away in a pre-pack script: patchelf --clear-execstack FILE, or "
		"execstack -c FILE; what assemblers make needs it hardly ever"},
	{RULE_SHADOWED, "*",
		"let it look in the environment first, in a pre-pack script: patchelf --set-rpath "
		"'$ORIGIN/../lib' FILE, as far up as it lies deep; or take another build"},
	{RULE_RPATH, "*", "set another path in a pre-pack script: patchelf --set-rpath DIR FILE"},
	{RULE_COPIES, "*",
		"have one of both only: take builds that share the library; or import the one "
		"first "
		"that needs the newer copy"},
	{RULE_INTERPRETER, "*python2*",
		"RHEL 8 and Debian 12 have no Python 2: leave the script out (--exclude), or add "
		"'python=2.7' to an environment of its own"},
	{RULE_INTERPRETER, "python",
		"newer hosts have no 'python', only 'python3': add 'python' to the environment, or "
		"leave the script out (--exclude)"},
	{RULE_INTERPRETER, "*ld-musl*",
		"it was built for another C library, musl: take a build for glibc"},
};

/* Advice of a known trouble; NULL: it is none. */
static const char *known(struct arena *a, const struct audit_finding *f)
{
	const char *needs = arena_cstr(a, f->needs);

	for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++)
		if (troubles[i].rule == f->rule && fnmatch(troubles[i].pattern, needs, 0) == 0)
			return troubles[i].advice;
	return NULL;
}

static struct str package_of(const struct auditing *au, const struct audit_finding *f)
{
	return f->package < 0 ? (struct str){0} : au->tree->packages[f->package].name;
}

/* --- the nearest target --------------------------------------------------------------------- */

static const struct profile *shipped(struct auditing *au, size_t *n)
{
	struct profile *all = au->shipped;

	if (!all) {
		all = au->shipped = arena_array(au->a, struct profile, N_TARGETS);
		for (size_t i = 0; i < N_TARGETS; i++)
			if (profile_parse(au->a, "", target_text(i), &all[au->n_shipped], NULL) ==
				0)
				au->n_shipped++;
		qsort(all, au->n_shipped, sizeof *all, profile_cmp_glibc);
	}
	*n = au->n_shipped;
	return all;
}

static bool promises(const struct profile *p, struct str library, struct str version)
{
	const struct profile_library *l = profile_library(p, library);

	return l && audit_has_version(l->versions, l->n_versions, version);
}

/* The oldest shipped target of the same kind that has the version, and all that the package needs. */
static struct str nearest(struct auditing *au, const struct audit_finding *f)
{
	struct str floor = au->floors[f->package + 1].glibc;
	const struct profile *all;
	size_t n;

	all = shipped(au, &n);
	for (size_t i = 0; i < n; i++)
		if (all[i].gpu.wanted == au->profile->gpu.wanted &&
			str_eq(all[i].subdir, au->profile->subdir) &&
			promises(&all[i], f->library, f->needs) &&
			(!floor.n || glibc_cmp(floor, all[i].glibc) <= 0))
			return all[i].name;
	return (struct str){0};
}

static struct str of_version(struct auditing *au, const struct audit_finding *f)
{
	struct str name = package_of(au, f), target = nearest(au, f);
	struct str newer = STR("choose a newer target");

	if (target.n)
		newer = arena_strf(au->a,
			"choose a newer target: '%.*s' is the nearest that it would run on",
			STR_ARG(target));
	if (!name.n)
		return newer;
	return arena_strf(au->a,
		"ask for an older build of '%.*s' in the environment file ('envbuild why %.*s' "
		"says "
		"what asks for it), or %.*s",
		STR_ARG(name), STR_ARG(name), STR_ARG(newer));
}

/* --- by rule -------------------------------------------------------------------------------- */

static struct str of_static_tls(struct auditing *au, const struct audit_finding *f)
{
	struct str glibc = au->out->glibc;

	if (glibc.n && glibc_cmp(glibc, STR("2.32")) >= 0)
		return STR("start the program with "
			   "GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096");
	return arena_strf(au->a,
		"have it loaded first: LD_PRELOAD=$CONDA_PREFIX/%.*s in a script of "
		"etc/conda/activate.d, or import what needs it before everything else; or leave "
		"out "
		"what brings a second OpenMP (with 'nomkl', libgomp.so.1 alone is left)",
		STR_ARG(f->path));
}

static struct str of_library(struct auditing *au, const struct audit_finding *f)
{
	if (au->tree->alone)
		return (struct str){0};
	return arena_strf(au->a,
		"add the package that brings %.*s to the environment, or install it on the hosts "
		"and "
		"in the target's image; where nobody uses what needs it: --ignore "
		"%s:%.*s=REASON",
		STR_ARG(f->needs), audit_rule_name(f->rule), STR_ARG(f->needs));
}

static struct str by_rule(struct auditing *au, const struct audit_finding *f)
{
	struct str name = package_of(au, f);

	switch (f->rule) {
	case RULE_VERSION:
		return of_version(au, f);
	case RULE_LIBRARY:
		return of_library(au, f);
	case RULE_STATIC_TLS:
		return of_static_tls(au, f);
	case RULE_INTERPRETER:
		return arena_strf(au->a,
			"add a package that brings '%.*s' to the environment, install it on the "
			"hosts, or leave the file out (--exclude '%.*s')",
			STR_ARG(f->needs), STR_ARG(f->path));
	case RULE_LINK:
		return f->level == LEVEL_INFO ? (struct str){0}
					      : arena_strf(au->a, "leave it out (--exclude '%.*s')",
							STR_ARG(f->path));
	case RULE_BROKEN:
	case RULE_MACHINE:
	case RULE_SYMBOL:
		if (f->level == LEVEL_INFO)
			return (struct str){0};
		return name.n ? arena_strf(au->a, "ask for another build of '%.*s'", STR_ARG(name))
			      : STR("build it again");
	case RULE_UNREAD:
		return STR("audit it as a user who may read all of it");
	case RULE_PREFIX:
	case RULE_SHADOWED:
	case RULE_ISA:
	case RULE_KERNEL:
	case RULE_STACK:
	case RULE_TEXT:
	case RULE_RPATH:
	case RULE_DRIVER:
	case RULE_GPU:
	case RULE_COPIES:
	case AUDIT_RULES:
		break;
	}
	return (struct str){0};
}

bool audit_is_known_trouble(const struct audit_finding *f)
{
	CLEANUP_ARENA scratch = {0};

	return f->rule == RULE_STATIC_TLS || f->rule == RULE_LIBRARY ||
	       f->rule == RULE_INTERPRETER || known(&scratch, f);
}

void audit_advise(struct auditing *au, struct audit_finding *f)
{
	CLEANUP_ARENA scratch = {0};
	const char *advice = known(&scratch, f);

	f->advice = advice ? str_of(advice) : by_rule(au, f);
}
