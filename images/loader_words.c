#include "base/buf.h"
#include "images/libc.h"
#include "images/loader_inside.h"

#include <string.h>

static const char *const levels[] = {NULL, "x86-64-v2", "x86-64-v3", "x86-64-v4"};

/* Processors that glibc up to 2.36 has a folder for: it asks for Intel, not for what they can. */
static const char *const intel[] = {"haswell", "broadwell", "skylake", "skylake_avx512",
	"cannonlake", "cascadelake", "icelake", "sapphirerapids"};

enum { MAX_PARTS = 4, LEVEL_AVX512 = 3 };

/* Bits of an entry in a cache (dl-procinfo.h): of a subfolder "tls", of processors, of a platform. */
#define BIT_TLS     (UINT64_C(1) << 63)
#define BIT_X86_64  (UINT64_C(1) << 1)
#define BIT_AVX512  (UINT64_C(1) << 2)
#define BIT_HASWELL (UINT64_C(1) << 48)

static bool at_least(struct str glibc, const char *version)
{
	return glibc_cmp(glibc, str_of(version)) >= 0;
}

static bool is_intel(struct str archspec)
{
	for (size_t i = 0; i < sizeof intel / sizeof *intel; i++)
		if (str_is(archspec, intel[i]))
			return true;
	return false;
}

bool loader_has_level(const struct loader_words *w, struct str subfolder)
{
	for (int i = 1; i <= w->level; i++)
		if (str_is(subfolder, levels[i]))
			return true;
	return false;
}

static void add_hwcaps(struct arena *a, struct loader_words *w, struct str subfolder)
{
	for (size_t i = 0; i < w->n_hwcaps; i++)
		if (str_eq(w->hwcaps[i], subfolder))
			return;
	w->hwcaps[w->n_hwcaps++] = arena_str(a, subfolder);
}

/* Every choice of the parts, the longest and the last ones first. */
static void add_legacy(
	struct arena *a, const char *const *parts, unsigned n, struct loader_words *w)
{
	for (unsigned choice = (1u << n) - 1; choice > 0; choice--) {
		CLEANUP_BUF name = {0};

		for (unsigned i = n; i-- > 0;)
			if (choice & (1u << i))
				buf_printf(&name, "%s/", parts[i]);
		add_hwcaps(a, w, buf_view(&name));
	}
}

static void legacy_hwcaps(struct arena *a, struct str archspec, struct loader_words *w)
{
	const char *parts[MAX_PARTS];
	unsigned n = 0;

	w->legacy = BIT_TLS;
#if !defined(__aarch64__)
	if (at_least(w->glibc, "2.26")) {
		parts[n++] = "x86_64";
		w->legacy |= BIT_X86_64;
		if (w->level == LEVEL_AVX512 && is_intel(archspec)) {
			parts[n++] = "avx512_1";
			w->legacy |= BIT_AVX512;
		}
	}
	if (is_intel(archspec) && at_least(w->glibc, "2.26"))
		w->legacy |= BIT_HASWELL;
#endif
	(void)archspec;
	parts[n++] = arena_cstr(a, w->platform);
	parts[n++] = "tls";
	add_legacy(a, parts, n, w);
}

void loader_words_of(
	struct arena *a, const struct profile *p, struct str glibc, struct loader_words *out)
{
	struct str archspec = profile_virtual_build(p, "__archspec");
	int level = cpu_level_of(archspec);

	*out = (struct loader_words){.glibc = glibc, .level = level < 0 ? 0 : level};
	out->hwcaps = arena_array(a, struct str, (1u << MAX_PARTS) + LEVEL_AVX512);
#if defined(__aarch64__)
	out->platform = STR("aarch64");
#else
	out->platform =
		is_intel(archspec) && at_least(glibc, "2.26") ? STR("haswell") : STR("x86_64");
#endif
	for (int i = at_least(glibc, "2.33") ? out->level : 0; i > 0; i--)
		add_hwcaps(a, out, arena_strf(a, "glibc-hwcaps/%s/", levels[i]));
	if (!at_least(glibc, "2.37"))
		legacy_hwcaps(a, archspec, out);
}

/* --- folders ------------------------------------------------------------------------------ */

/* The length of "/usr/lib64/" and its NUL at the beginning of s; 0: there is none. */
static size_t folder_at(struct str s)
{
	size_t n = 0;

	while (n < s.n && n < 256 && s.p[n] > ' ' && s.p[n] < 0x7f && s.p[n] != ':')
		n++;
	if (n < 4 || n == s.n || s.p[n] != 0 || s.p[0] != '/' || s.p[n - 1] != '/')
		return 0;
	return str_find(str_sub(s, 0, n), STR("/lib")) >= 0 ? n + 1 : 0;
}

/* At least two of them in a row, as nothing else in an ld.so is. */
static bool folders_at(struct arena *a, struct str s, struct loader_words *out)
{
	size_t n = 0, at = 0, used;

	while (n < 8 && (used = folder_at(str_sub(s, at, s.n))) > 0) {
		at += used;
		n++;
	}
	if (n < 2)
		return false;
	out->folders = arena_array(a, struct str, n);
	for (at = 0; out->n_folders < n; at += used) {
		used = folder_at(str_sub(s, at, s.n));
		out->folders[out->n_folders++] = arena_str(a, str_sub(s, at, at + used - 2));
	}
	return true;
}

void loader_folders_of(
	struct arena *a, struct str ld_so, struct str place, struct loader_words *out)
{
	const char *slash = ld_so.p;
	ptrdiff_t last = str_rchr(place, '/');
	struct str own = str_sub(place, 0, last < 0 ? 0 : (size_t)last);

	for (; slash && (slash = memchr(slash, '/', (size_t)(ld_so.p + ld_so.n - slash))); slash++)
		if (folders_at(a, str_n(slash, (size_t)(ld_so.p + ld_so.n - slash)), out))
			return;
	if (str_starts(own, STR("usr/")))
		own = str_sub(own, 4, own.n);
	if (own.n == 0)
		own = STR("lib64");
	out->folders = arena_array(a, struct str, 4);
	out->folders[out->n_folders++] = arena_strf(a, "/%.*s", STR_ARG(own));
	out->folders[out->n_folders++] = arena_strf(a, "/usr/%.*s", STR_ARG(own));
	if (!str_starts(own, STR("lib/")))
		return;
	out->folders[out->n_folders++] = STR("/lib");
	out->folders[out->n_folders++] = STR("/usr/lib");
}
