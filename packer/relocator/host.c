#include "packer/relocator/host.h"

#include "images/libc_places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static const char SKIP[] = "ENVBUILD_SKIP_CHECK";

/* What runs this code; uname may tell another story under setarch(8). */
#if defined(__x86_64__)
static const char MACHINE[] = "x86_64", LOADER[] = "/lib64/ld-linux-x86-64.so.2";
enum { ELF_MACHINE = 62 };
#elif defined(__aarch64__)
static const char MACHINE[] = "aarch64", LOADER[] = "/lib/ld-linux-aarch64.so.1";
enum { ELF_MACHINE = 183 };
#else
#error "which machine is this?"
#endif

/* --- versions ------------------------------------------------------------------------------ */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The bytes that a version takes at the start of n bytes; 0: none. */
static size_t version_length(const char *p, size_t n)
{
	size_t at = 0, end = 0;

	for (int parts = 0; parts < 4; parts++) {
		size_t digits = 0;

		while (at + digits < n && is_digit(p[at + digits]))
			digits++;
		if (digits == 0 || digits > 9)
			break;
		end = at += digits;
		if (at == n || p[at] != '.')
			break;
		at++;
	}
	return end;
}

/* The number at *p, which goes behind it; what is no number is 0. */
static unsigned long next_number(const char **p)
{
	unsigned long v = 0;

	while (is_digit(**p) && v < 1000000000)
		v = v * 10 + (unsigned long)(*(*p)++ - '0');
	return v;
}

int relocate_host_version_cmp(const char *a, const char *b)
{
	while (*a || *b) {
		unsigned long x = next_number(&a), y = next_number(&b);

		if (x != y)
			return x < y ? -1 : 1;
		/* What is neither number nor dot ends a version. */
		a = *a == '.' ? a + 1 : "";
		b = *b == '.' ? b + 1 : "";
	}
	return 0;
}

/* --- what is needed ------------------------------------------------------------------------ */

static int damaged(struct relocate_error *e, const char *what)
{
	return relocate_fail(e, RELOCATE_DAMAGED, "damaged '" RELOCATE_HOST "': %s", what);
}

static bool is_printable(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return false;
	return n > 0;
}

static int put_level(struct relocate_host *out, const char *value)
{
	if (strcmp(value, "x86_64") == 0)
		out->level = 1;
	else if (strncmp(value, "x86_64_v", 8) == 0 && value[8] >= '2' && value[8] <= '4' &&
		 !value[9])
		out->level = (unsigned)(value[8] - '0');
	else
		return -1;
	return 0;
}

static int put_value(struct relocate_host *out, const char *word, size_t word_len,
	const char *value, size_t n, unsigned *seen)
{
	static const char *const words[] = {
		"target", "machine", "glibc", "kernel", "cuda", "level"};
	char *const places[] = {out->target, out->machine, out->glibc, out->kernel, out->cuda};
	char level[RELOCATE_HOST_VALUE] = "";

	for (unsigned i = 0; i < sizeof words / sizeof *words; i++) {
		bool is_version = i >= 2 && i <= 4;
		char *to = i < 5 ? places[i] : level;

		if (strlen(words[i]) != word_len || memcmp(words[i], word, word_len) != 0)
			continue;
		if (*seen & 1u << i || (is_version && version_length(value, n) != n))
			return -1;
		*seen |= 1u << i;
		memcpy(to, value, n);
		to[n] = 0;
		return i < 5 ? 0 : put_level(out, level);
	}
	return 0;
}

int relocate_host_parse(
	const char *text, size_t n, struct relocate_host *out, struct relocate_error *e)
{
	const char *const end = text + n;
	unsigned seen = 0;
	bool first = true;

	*out = (struct relocate_host){0};
	if (n > RELOCATE_HOST_MAX)
		return damaged(e, "too long");
	for (const char *line = text, *next; line < end; line = next + 1, first = false) {
		const char *blank;

		next = memchr(line, '\n', (size_t)(end - line));
		if (!next || !is_printable(line, (size_t)(next - line)))
			return damaged(e, "not lines of text");
		blank = memchr(line, ' ', (size_t)(next - line));
		if (first) {
			if ((size_t)(next - line) != sizeof RELOCATE_HOST_MAGIC - 1 ||
				memcmp(line, RELOCATE_HOST_MAGIC, (size_t)(next - line)) != 0)
				return damaged(e, "of a form that is not known here");
			continue;
		}
		if (!blank || blank == line || blank + 1 == next ||
			next - blank - 1 >= RELOCATE_HOST_VALUE ||
			put_value(out, line, (size_t)(blank - line), blank + 1,
				(size_t)(next - blank - 1), &seen) < 0)
			return damaged(e, "a line that cannot be read");
	}
	return first ? damaged(e, "empty") : 0;
}

/* --- the C library ------------------------------------------------------------------------- */

struct libc {
	const char *p;
	size_t n;
};

/* An ELF file of 64 bits for this machine? */
static bool is_native(const struct libc *x)
{
	static const char magic[] = "\177ELF\2\1";

	return x->n > 64 && memcmp(x->p, magic, 6) == 0 &&
	       ((unsigned char)x->p[18] | (unsigned char)x->p[19] << 8) == ELF_MACHINE;
}

/* 0 with the file mapped, or -1: none of a C library for this machine. */
static int map_libc(const char *path, struct libc *out)
{
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	void *p = MAP_FAILED;

	if (fd < 0)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= 64 << 20)
		p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (p == MAP_FAILED)
		return -1;
	*out = (struct libc){p, (size_t)st.st_size};
	if (is_native(out))
		return 0;
	munmap(p, out->n);
	return -1;
}

static int find_libc(const char *root, struct libc *out)
{
	char path[PATH_MAX], *slash;

	for (size_t i = 0; i < sizeof libc_places / sizeof *libc_places; i++)
		if (snprintf(path, sizeof path, "%s/%s", root, libc_places[i]) < (int)sizeof path &&
			map_libc(path, out) == 0)
			return 0;
	/* Beside the loader that programs ask for. */
	if (!*root && realpath(LOADER, path) && (slash = strrchr(path, '/')) &&
		(size_t)(slash - path) < sizeof path - sizeof "/libc.so.6") {
		memcpy(slash, "/libc.so.6", sizeof "/libc.so.6");
		return map_libc(path, out);
	}
	return -1;
}

/* The highest version that stands behind `mark` anywhere; the search ends where it is enough. */
static void find_version(const struct libc *x, const char *mark, const char *enough, char *best)
{
	const char *end = x->p + x->n, *p = x->p;
	size_t mark_len = strlen(mark);

	while (relocate_host_version_cmp(best, enough) < 0 &&
		(p = memmem(p, (size_t)(end - p), mark, mark_len))) {
		char found[RELOCATE_HOST_VALUE];
		size_t n;

		p += mark_len;
		n = version_length(p, (size_t)(end - p));
		if (n == 0 || n >= sizeof found)
			continue;
		memcpy(found, p, n);
		found[n] = 0;
		if (relocate_host_version_cmp(found, best) > 0)
			memcpy(best, found, n + 1);
	}
}

/*
 * The C library's version, read from its file: the newest symbol version that it defines, which
 * stands near its start; or, because 2.19 to 2.21 brought none, what its banner says.  false: none.
 */
static bool glibc_version(const char *root, const char *enough, char version[RELOCATE_HOST_VALUE])
{
	struct libc x;

	version[0] = 0;
	if (find_libc(root, &x) < 0)
		return false;
	find_version(&x, "GLIBC_", enough, version);
	if (relocate_host_version_cmp(version, enough) < 0)
		find_version(&x, "release version ", enough, version);
	munmap((void *)x.p, x.n);
	return version[0] != 0;
}

/* --- the rest of the host ------------------------------------------------------------------ */

/*
 * The level of the CPU and what the system lets programs use of it (x86-64 psABI): of each level
 * what no CPU has without the rest.
 */
static unsigned cpu_level(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("ssse3") || !__builtin_cpu_supports("sse4.2") ||
		!__builtin_cpu_supports("popcnt"))
		return 1;
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi") ||
		!__builtin_cpu_supports("bmi2") || !__builtin_cpu_supports("fma"))
		return 2;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
		!__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
		!__builtin_cpu_supports("avx512vl"))
		return 3;
	return 4;
#else
	return 0;
#endif
}

/* "this environment, made for rocky8, needs WHAT VERSION, and this host has HAS; ..." */
static int lacks(const struct relocate_host *need, const char *what, const char *version,
	const char *has, struct relocate_error *e)
{
	return relocate_fail(e, RELOCATE_FAILED,
		"this environment%s%s%s needs %s%s, and this host has %s; use a host that has it, "
		"or an archive made for this one; %s=1 goes on without looking",
		need->target[0] ? ", made for " : "", need->target, need->target[0] ? "," : "",
		what, version, has, SKIP);
}

static int compare_glibc(
	const struct relocate_host *need, const char *root, struct relocate_error *e)
{
	char version[RELOCATE_HOST_VALUE], has[RELOCATE_HOST_VALUE + 8];

	if (!need->glibc[0])
		return 0;
	if (!glibc_version(root, need->glibc, version))
		return lacks(need, "glibc ", need->glibc,
			"none (no libc.so.6 of glibc where they usually lie)", e);
	if (relocate_host_version_cmp(version, need->glibc) >= 0)
		return 0;
	snprintf(has, sizeof has, "glibc %s", version);
	return lacks(need, "glibc ", need->glibc, has, e);
}

static int compare_level(const struct relocate_host *need, struct relocate_error *e)
{
	unsigned level = cpu_level();
	char wanted[24], has[32];

	if (level == 0 || level >= need->level)
		return 0;
	snprintf(wanted, sizeof wanted, "x86_64_v%u", need->level);
	snprintf(has, sizeof has, "one of x86_64_v%u", level);
	return lacks(need, "a CPU of the level ", wanted, level == 1 ? "one of x86_64" : has, e);
}

static bool has_nvidia_driver(void)
{
	return access("/proc/driver/nvidia/version", F_OK) == 0 ||
	       access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
}

int relocate_host_compare(
	const struct relocate_host *need, const char *root, struct relocate_error *e)
{
	struct utsname u;

	if (need->machine[0] && strcmp(need->machine, MACHINE) != 0)
		return lacks(need, "a machine of kind ", need->machine, MACHINE, e);
	if (compare_glibc(need, root, e) < 0 || compare_level(need, e) < 0)
		return -1;
	if (need->kernel[0] && uname(&u) == 0 &&
		relocate_host_version_cmp(u.release, need->kernel) < 0)
		return lacks(need, "a kernel from ", need->kernel, u.release, e);
	if (!need->cuda[0] || has_nvidia_driver())
		return 0;
	relocate_fail(e, RELOCATE_OK,
		"some packages were chosen for CUDA %s, and this host has no NVIDIA driver: what "
		"needs a GPU fails here",
		need->cuda);
	return 1;
}

int relocate_host_check(int root, struct relocate_error *e)
{
	const char *skip = getenv(SKIP);
	struct relocate_host need;
	char text[RELOCATE_HOST_MAX + 1];
	size_t n = 0;
	ssize_t got = 1;
	int fd;

	if (skip && *skip && strcmp(skip, "0") != 0)
		return 0;
	fd = openat(root, RELOCATE_HOST, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	while (fd >= 0 && n < sizeof text && (got = read(fd, text + n, sizeof text - n)) > 0)
		n += (size_t)got;
	if (fd < 0 || got < 0) {
		relocate_fail(
			e, RELOCATE_FAILED, "cannot read '" RELOCATE_HOST "': %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	close(fd);
	return relocate_host_parse(text, n, &need, e) < 0 ? -1
							  : relocate_host_compare(&need, "", e);
}
