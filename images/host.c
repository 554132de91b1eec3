#include "images/host.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "images/libc.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CUDA_LIMIT_MS = 10000, MAX_CPUINFO = 16 << 20 };

/* --- CPU ---------------------------------------------------------------------------------- */

/* Flags of each level beyond the one before, as /proc/cpuinfo spells them (x86-64 psABI). */
static const char *const level_flags[][12] = {
	{"cx16", "lahf_lm", "popcnt", "pni", "ssse3", "sse4_1", "sse4_2"},
	{"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"},
	{"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"},
};
static const char *const level_names[] = {"x86_64", "x86_64_v2", "x86_64_v3", "x86_64_v4"};

static bool has_flag(struct str flags, const char *name)
{
	while (flags.p)
		if (str_is(str_cut(&flags, ' '), name))
			return true;
	return false;
}

const char *x86_64_level(struct str flags)
{
	size_t level;

	for (level = 0; level < 3; level++)
		for (const char *const *f = level_flags[level]; *f; f++)
			if (!has_flag(flags, *f))
				return level_names[level];
	return level_names[level];
}

static const char *cpu_level(struct arena *a, const char *machine)
{
	struct str text, line = {NULL, 0};
	struct err ignored = {0};

	if (strcmp(machine, "x86_64") != 0)
		return machine;
	if (file_read(a, "/proc/cpuinfo", MAX_CPUINFO, &text, &ignored) < 0) {
		log_debug("the CPU level is taken to be x86_64: %s", ignored.text);
		err_release(&ignored);
		return "x86_64";
	}
	while (text.p && !str_starts(line, STR("flags")))
		line = str_cut(&text, '\n');
	str_cut(&line, ':');
	return x86_64_level(str_trim(line));
}

/* --- kernel ------------------------------------------------------------------------------- */

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

/* --- CUDA --------------------------------------------------------------------------------- */

/* In the child: a driver library may crash, hang or start threads. */
static _Noreturn void cuda_child(int out)
{
	int (*get_version)(int *) = NULL;
	void *lib, *symbol;
	int version = 0;

	/* an empty one would hide the devices, and on some drivers the version too */
	unsetenv("CUDA_VISIBLE_DEVICES");
	lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	symbol = lib ? dlsym(lib, "cuDriverGetVersion") : NULL;
	memcpy(&get_version, &symbol, sizeof symbol);
	if (!get_version || get_version(&version) != 0)
		version = 0;
	if (write(out, &version, sizeof version) != sizeof version)
		_exit(1);
	_exit(0);
}

/* cuDriverGetVersion's number (12040 is 12.4), 0 where there is none. */
static int cuda_version(void)
{
	int ends[2], version = 0;
	struct pollfd wait;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		cuda_child(ends[1]);
	close(ends[1]);
	wait = (struct pollfd){.fd = ends[0], .events = POLLIN};
	if (pid > 0) {
		if (poll(&wait, 1, CUDA_LIMIT_MS) <= 0)
			log_debug("libcuda.so.1 did not answer within 10 s");
		else if (read(ends[0], &version, sizeof version) != sizeof version)
			version = 0;
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	close(ends[0]);
	return version > 0 && version < 1000000 ? version : 0;
}

/* --- the profile -------------------------------------------------------------------------- */

/* The value of an override, said in the log; NULL where it is not set. */
static const char *override_of(const char *variable)
{
	const char *value = getenv(variable);

	if (value)
		log_debug("%s=%s overrides what this machine offers", variable, value);
	return value;
}

static int glibc_of_host(struct arena *a, struct str *version, struct err *e)
{
	const char *value = override_of("CONDA_OVERRIDE_GLIBC");
	struct str reason;
	int r;

	*version = (struct str){NULL, 0};
	if (value) {
		*version = arena_str(a, str_of(value));
		return 0;
	}
	r = root_glibc(a, "/", version, &reason, e);
	if (r != 0)
		return r < 0 ? -1 : 0;
	err_set(e, ERR_INPUT, "target 'host' needs glibc: %.*s", STR_ARG(reason));
	return err_advise(e, "name another target with --target, and its root with --image DIR");
}

static void add(struct buf *b, const char *name, struct str version, const char *build)
{
	if (version.n == 0)
		return;
	buf_printf(
		b, "- %s=%.*s%s%s\n", name, STR_ARG(version), build ? "=" : "", build ? build : "");
}

static void add_cuda(struct arena *a, struct buf *b)
{
	const char *value = override_of("CONDA_OVERRIDE_CUDA");
	int v;

	if (value) {
		add(b, "__cuda", str_of(value), NULL);
		return;
	}
	v = cuda_version();
	if (v)
		add(b, "__cuda", arena_strf(a, "%d.%d", v / 1000, v % 1000 / 10), NULL);
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

static void host_text(struct arena *a, struct buf *b, const struct utsname *u, struct str glibc)
{
	const char *kernel = override_of("CONDA_OVERRIDE_LINUX");
	const char *cpu = override_of("CONDA_OVERRIDE_ARCHSPEC");

	buf_puts(b, "# What the machine that built this offers.\nname: host\n");
	buf_printf(b, "subdir: %.*s\n", STR_ARG(machine_subdir()));
	buf_puts(b, "virtual-packages:\n");
	add(b, "__glibc", glibc, NULL);
	add(b, "__linux", kernel ? str_of(kernel) : kernel_version(str_of(u->release)), NULL);
	buf_puts(b, "- __unix=0=0\n");
	if (!cpu)
		add(b, "__archspec", STR("1"), cpu_level(a, u->machine));
	else if (*cpu)
		add(b, "__archspec", STR("1"), cpu);
	add_cuda(a, b);
}

int host_profile(struct arena *a, struct profile *out, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct utsname u;
	struct str glibc;

	if (uname(&u) < 0)
		return err_sys(e, "cannot ask for the kernel's version");
	if (glibc_of_host(a, &glibc, e) < 0)
		return -1;
	host_text(a, &text, &u, glibc);
	if (profile_parse(a, "target 'host'", arena_str(a, buf_view(&text)), out, e) < 0)
		return -1;
	out->host = true;
	out->source = "built-in";
	return 0;
}
