/* What a running machine says of its CPU, kernel, file systems and limits. */
#include "base/file.h"
#include "images/host.h"
#include "images/probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { MAX_CPUINFO = 16 << 20, MAX_MOUNTS = 16 << 20 };

/* --- CPU and kernel ----------------------------------------------------------------------- */

/* Flags of each level beyond the one before, as /proc/cpuinfo spells them (x86-64 psABI). */
static const char *const level_flags[][12] = {
	{"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"},
	{"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
	{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
};

static bool has_flag(struct str flags, const char *name)
{
	while (flags.p)
		if (str_is(str_cut(&flags, ' '), name))
			return true;
	return false;
}

const char *x86_64_level(struct str flags)
{
	int level;

	for (level = 0; level < 3; level++)
		for (const char *const *f = level_flags[level]; *f; f++)
			if (!has_flag(flags, *f))
				return cpu_level_name(level);
	return cpu_level_name(level);
}

const char *probe_cpu(struct arena *a, const char *machine)
{
	struct str text, line = {NULL, 0};

	if (strcmp(machine, "x86_64") != 0)
		return arena_strdup(a, machine);
	if (file_read(a, "/proc/cpuinfo", MAX_CPUINFO, &text, NULL) < 0)
		return cpu_level_name(0);
	while (text.p && !str_starts(line, STR("flags")))
		line = str_cut(&text, '\n');
	str_cut(&line, ':');
	return x86_64_level(str_trim(line));
}

struct str kernel_version(struct str release)
{
	size_t n = 0, dots = 0;

	while (n < release.n && ((release.p[n] >= '0' && release.p[n] <= '9') ||
					(release.p[n] == '.' && dots < 3))) {
		dots += release.p[n] == '.';
		n++;
	}
	while (n > 0 && release.p[n - 1] == '.')
		n--;
	return str_sub(release, 0, n);
}

struct str machine_subdir(void)
{
	static _Thread_local char other[80];
	struct utsname u;

	if (uname(&u) < 0 || !strcmp(u.machine, "x86_64"))
		return STR("linux-64");
	if (!strcmp(u.machine, "i686"))
		return STR("linux-32");
	snprintf(other, sizeof other, "linux-%s", u.machine);
	return str_of(other);
}

/* --- limits ------------------------------------------------------------------------------- */

static uint64_t limit_of(int resource)
{
	struct rlimit l;

	if (getrlimit((unsigned)resource, &l) < 0)
		return 0;
	return l.rlim_cur == RLIM_INFINITY ? PROFILE_UNLIMITED : (uint64_t)l.rlim_cur;
}

void probe_limits(struct profile_limits *out)
{
	out->open_files = limit_of(RLIMIT_NOFILE);
	out->processes = limit_of(RLIMIT_NPROC);
	out->stack = limit_of(RLIMIT_STACK);
}

/* --- file systems ------------------------------------------------------------------------- */

static bool touch(const char *path)
{
	CLEANUP_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd >= 0;
}

/* Tried in a folder of our own; where there can be none, nothing is said. */
static enum profile_case names_differ(struct arena *a)
{
	const char *tmp = getenv("TMPDIR");
	char *dir = path_join(a, tmp && *tmp ? tmp : "/tmp", "envbuild-probe.XXXXXX");
	enum profile_case found = CASE_UNSAID;
	char *file;

	if (!mkdtemp(dir))
		return CASE_UNSAID;
	file = path_join(a, dir, "case");
	if (touch(file)) {
		found = path_exists(path_join(a, dir, "CASE")) ? CASE_INSENSITIVE : CASE_SENSITIVE;
		unlink(file);
	}
	rmdir(dir);
	return found;
}

static bool is_below(struct str path, struct str folder)
{
	if (str_is(folder, "/"))
		return path.n > 0 && path.p[0] == '/';
	return str_starts(path, folder) && (path.n == folder.n || path.p[folder.n] == '/');
}

static bool has_option(struct str options, const char *name)
{
	while (options.p)
		if (str_is(str_cut(&options, ','), name))
			return true;
	return false;
}

/* The place where the file system of a folder is mounted, if noexec; of several the last. */
static struct str noexec_mount(struct str mounts, struct str folder)
{
	struct str best = {NULL, 0};
	bool noexec = false;

	while (mounts.p) {
		struct str line = str_cut(&mounts, '\n'), place;

		str_cut(&line, ' ');
		place = str_cut(&line, ' ');
		str_cut(&line, ' ');
		if (!is_below(folder, place) || place.n < best.n)
			continue;
		best = place;
		noexec = has_option(str_cut(&line, ' '), "noexec");
	}
	return noexec ? best : (struct str){NULL, 0};
}

struct noexec {
	struct arena *a;
	struct str mounts;
	struct {
		struct str *v;
		size_t n, cap;
	} list;
};

/* named: the folder itself is what others know it by; else the place of its file system. */
static void look_at(struct noexec *to, const char *folder, bool named)
{
	char *real = folder ? realpath(folder, NULL) : NULL;
	struct str where = {NULL, 0};

	if (real)
		where = noexec_mount(to->mounts, arena_str(to->a, str_of(real)));
	free(real);
	/* a place with \040 for a space in it is nobody's usual one */
	if (where.n == 0 || str_chr(where, '\\') >= 0)
		return;
	where = named ? str_of(folder) : where;
	for (size_t i = 0; i < to->list.n; i++)
		if (str_eq(to->list.v[i], where))
			return;
	*VEC_PUSH(to->a, &to->list) = where;
}

void probe_file_system(struct arena *a, struct profile_file_system *out)
{
	struct noexec to = {.a = a};

	out->said = true;
	out->names = names_differ(a);
	if (file_read(a, "/proc/self/mounts", MAX_MOUNTS, &to.mounts, NULL) < 0)
		return;
	look_at(&to, "/tmp", true);
	look_at(&to, "/var/tmp", true);
	look_at(&to, "/dev/shm", true);
	look_at(&to, getenv("HOME"), false);
	look_at(&to, ".", false);
	if (to.list.n)
		qsort(to.list.v, to.list.n, sizeof *to.list.v, str_cmp_qsort);
	out->noexec = to.list.v;
	out->n_noexec = to.list.n;
}
