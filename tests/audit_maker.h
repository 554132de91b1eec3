/*
 * An audit made by hand, with a finding of each kind, for what tests reports: unit tests and
 * tests/tools/audit_page.c.  Its names are as hostile as names of files can be.
 */
#ifndef TESTS_AUDIT_MAKER_H
#define TESTS_AUDIT_MAKER_H

#include "packer/audit.h"

#define MADE_SCRIPT "<script>document.title='owned'</script>"
#define MADE_IMAGE  "\"><img src=x onerror=\"document.title='owned'\">'"
#define MADE_BYTES                                     \
	"a\x01\x1b[31m\xff\xfe]]>\xef\xbf\xbf\xc2\x85" \
	"b"

enum { MADE_PACKAGES = 6, MADE_FINDINGS = 9 };

struct made_audit {
	struct audit_package *packages;
	struct audit_tree tree;
	struct profile profile;
	struct audit audit;
};

static inline void made_packages(struct arena *a, struct made_audit *m)
{
	static const struct audit_package some[MADE_PACKAGES] = {
		{.name = STR_INIT("zlib"), .dist = STR_INIT("zlib-1.2.11-0")},
		{.name = STR_INIT("numpy"), .dist = STR_INIT("numpy-1.19.2-py36_0")},
		{.name = STR_INIT("openssl"), .dist = STR_INIT("openssl-1.1.1-h7b6447c_0")},
		{.name = STR_INIT("evil"), .dist = STR_INIT("evil" MADE_SCRIPT "-1-0")},
		{.name = STR_INIT("pytorch"), .dist = STR_INIT("pytorch-1.4.0-cuda101_0")},
		{.name = STR_INIT("tables"), .dist = STR_INIT("tables==3.6.1")},
	};

	m->packages = arena_array(a, struct audit_package, MADE_PACKAGES);
	memcpy(m->packages, some, sizeof some);
	m->tree = (struct audit_tree){.what = "/home/ann/env",
		.prefix = STR("/home/ann/env"),
		.packages = m->packages,
		.n_packages = MADE_PACKAGES};
}

/* long: one table of findings */
static inline void made_findings(struct arena *a, struct made_audit *m, size_t more)
{
	static const struct str processes[] = {
		STR_INIT("bin/python3.6"), STR_INIT("bin/f2py"), STR_INIT("bin/" MADE_BYTES)};
	static const struct audit_finding first[] = {
		{.rule = RULE_VERSION,
			.level = LEVEL_ERROR,
			.sure = SURE_CERTAIN,
			.package = 1,
			.path = STR_INIT("lib/core.so"),
			.needs = STR_INIT("GLIBC_2.28"),
			.library = STR_INIT("libc.so.6"),
			.has = STR_INIT("GLIBC_2.17"),
			.processes = processes,
			.n_processes = 3,
			.text = STR_INIT("'lib/core.so' needs GLIBC_2.28 of libc.so.6"),
			.advice = STR_INIT("ask for an older build")},
		{.rule = RULE_VERSION,
			.level = LEVEL_ERROR,
			.sure = SURE_CERTAIN,
			.package = 1,
			.path = STR_INIT("lib/core.so"),
			.needs = STR_INIT("GLIBC_2.30"),
			.library = STR_INIT("libc.so.6"),
			.has = STR_INIT("GLIBC_2.17"),
			.text = STR_INIT("'lib/core.so' needs GLIBC_2.30 of libc.so.6"),
			.advice = STR_INIT("ask for an older build")},
		{.rule = RULE_ISA,
			.level = LEVEL_ERROR,
			.sure = SURE_LIKELY,
			.package = 3,
			.path = STR_INIT("lib/" MADE_IMAGE),
			.needs = STR_INIT("x86-64-v3"),
			.has = STR_INIT("x86-64-v2"),
			.text = STR_INIT("'lib/" MADE_IMAGE "' is for x86-64-v3"),
			.advice = STR_INIT("ask for <b>another</b> build & hope")},
		{.rule = RULE_LINK,
			.level = LEVEL_ERROR,
			.sure = SURE_CERTAIN,
			.package = -1,
			.path = STR_INIT("bin/" MADE_BYTES),
			.needs = STR_INIT("gone"),
			.text = STR_INIT("'bin/" MADE_BYTES "' leads nowhere")},
	};
	static const struct audit_finding last[] = {
		{.rule = RULE_LIBRARY,
			.level = LEVEL_WARNING,
			.sure = SURE_POSSIBLE,
			.package = 2,
			.path = STR_INIT("lib/libssl.so"),
			.needs = STR_INIT("libz.so.9"),
			.text = STR_INIT("'lib/libssl.so' needs libz.so.9, which is not there"),
			.advice = STR_INIT("ask for an older build")},
		{.rule = RULE_BROKEN,
			.level = LEVEL_WARNING,
			.sure = SURE_LIKELY,
			.package = 3,
			.path = STR_INIT("lib/" MADE_SCRIPT),
			.text = STR_INIT("'lib/" MADE_SCRIPT "' is no proper ELF file")},
		{.rule = RULE_DRIVER,
			.level = LEVEL_INFO,
			.sure = SURE_CERTAIN,
			.package = 4,
			.path = STR_INIT("lib/libtorch.so"),
			.needs = STR_INIT("libcuda.so.1"),
			.text = STR_INIT("'lib/libtorch.so' needs libcuda.so.1 of the driver")},
		{.rule = RULE_RPATH,
			.level = LEVEL_WARNING,
			.sure = SURE_CERTAIN,
			.package = 2,
			.path = STR_INIT("lib/libcrypto.so"),
			.needs = STR_INIT("/build"),
			.text = STR_INIT("'lib/libcrypto.so' looks for libraries in /build"),
			.reason = STR_INIT("never loaded <i>here</i>")},
		{.rule = RULE_RPATH,
			.level = LEVEL_WARNING,
			.sure = SURE_CERTAIN,
			.package = 4,
			.path = STR_INIT("lib/libc10.so"),
			.needs = STR_INIT("/build"),
			.text = STR_INIT("'lib/libc10.so' looks for libraries in /build"),
			.reason = STR_INIT("never loaded <i>here</i>")},
	};
	struct audit_finding *v = arena_array(a, struct audit_finding, MADE_FINDINGS + more);
	size_t n = 0;

	memcpy(v, first, sizeof first);
	n = sizeof first / sizeof *first;
	for (size_t i = 0; i < more; i++)
		v[n++] = (struct audit_finding){.rule = RULE_SHADOWED,
			.level = LEVEL_WARNING,
			.sure = SURE_LIKELY,
			.package = 5,
			.path = arena_strf(a, "lib/python3.6/site-packages/tables/part%zu.so", i),
			.needs = arena_strf(a, "libhdf5.so.%zu", (i * 7919) % 10007),
			.text = arena_strf(a, "part %zu is shadowed", i),
			.advice = STR("put the environment's folder first")};
	memcpy(v + n, last, sizeof last);
	m->audit.findings = v;
	m->audit.n_findings = n + sizeof last / sizeof *last;
	m->audit.n_of[LEVEL_ERROR] = 4;
	m->audit.n_of[LEVEL_WARNING] = 2 + more;
	m->audit.n_of[LEVEL_INFO] = 1;
	m->audit.n_ignored = 2;
}

/* The findings of a target with glibc 2.17, `more` warnings among them. */
static inline void made_audit(struct arena *a, size_t more, struct made_audit *m)
{
	static struct audit_floor floors[] = {
		{1, STR_INIT("2.30"), STR_INIT("lib/core.so")},
		{4, STR_INIT("2.17"), STR_INIT("lib/libtorch.so")},
		{3, STR_INIT("2.14"), STR_INIT("lib/" MADE_IMAGE)},
		{2, STR_INIT("2.3.4"), STR_INIT("lib/libssl.so")},
		{-1, STR_INIT("2.2.5"), STR_INIT("bin/own")},
	};

	*m = (struct made_audit){0};
	made_packages(a, m);
	m->profile =
		(struct profile){.name = STR("rhel7"), .glibc = STR("2.17"), .has_libraries = true};
	m->audit = (struct audit){.tree = &m->tree,
		.profile = &m->profile,
		.glibc = STR("2.17"),
		.n_binaries = 412,
		.n_processes = 150,
		.floors = floors,
		.n_floors = sizeof floors / sizeof *floors};
	made_findings(a, m, more);
}

#endif
