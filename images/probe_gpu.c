/*
 * The CUDA driver.  Its library and its program may crash, hang or start threads: each is asked in a
 * child process, with a time limit.
 */
#include "base/file.h"
#include "images/probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, MAX_ANSWER = 64 << 10, MAX_DEVICES = 1024 };
enum { CU_MAJOR = 75, CU_MINOR = 76 }; /* CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_* */

/* --- asking a child ----------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Reads to the end, a full buffer or the limit: bytes; *late where the limit came first. */
static size_t gather(int fd, int64_t end, char *to, size_t room, bool *late)
{
	size_t n = 0;

	while (n < room) {
		struct pollfd wait = {.fd = fd, .events = POLLIN};
		int64_t left = end - now_ms();
		ssize_t got;
		int r = left > 0 ? poll(&wait, 1, (int)left) : 0;

		if (r < 0 && errno == EINTR)
			continue;
		*late = r == 0;
		if (r <= 0)
			return n;
		got = read(fd, to + n, room - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return n;
		n += (size_t)got;
	}
	return n;
}

/* What has said all may still not end. */
static bool has_ended(pid_t pid, int64_t end)
{
	for (useconds_t pause = 50;; pause = pause < 1000 ? 2 * pause : 1000) {
		siginfo_t ended = {.si_pid = 0};

		if (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT | WNOHANG) == 0 &&
			ended.si_pid == pid)
			return true;
		if (now_ms() >= end)
			return false;
		usleep(pause);
	}
}

struct answer {
	char bytes[MAX_ANSWER];
	size_t n;
	bool late;
	int signal; /* that it died of; 0: none */
};

typedef void child_function(const void *ctx, int out);

static void ask(child_function *child, const void *ctx, struct answer *out)
{
	int64_t end = now_ms() + LIMIT_MS;
	int ends[2], status = 0;
	siginfo_t ended;
	bool full;
	pid_t pid;

	out->n = 0;
	out->late = false;
	out->signal = 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return;
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* an interrupt does not reach its group */
		child(ctx, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	if (pid > 0) {
		out->n = gather(ends[0], end, out->bytes, sizeof out->bytes, &out->late);
		/* a full buffer holds what is looked for, and the rest would not be read */
		full = out->n == sizeof out->bytes;
		if (!out->late && !full)
			out->late = !has_ended(pid, end);
		if (out->late || full)
			kill(pid, SIGKILL);
		while (waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR)
			;
		kill(-pid, SIGKILL); /* what it started; as a zombie it still holds the number */
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (!out->late && !full && WIFSIGNALED(status))
			out->signal = WTERMSIG(status);
	}
	close(ends[0]);
}

static void add_note(struct arena *a, struct probe_notes *notes, const char *text)
{
	*VEC_PUSH(a, notes) = text;
}

/* --- libcuda ------------------------------------------------------------------------------ */

/* What the child says, in this order; it may die in between. */
struct cuda_facts {
	int version;    /* of cuDriverGetVersion: 12040 */
	int capability; /* 80 is 8.0; 0: no device */
};

/* dlsym gives an object pointer where a function's is needed. */
static bool symbol(void *lib, const char *name, void *function)
{
	void *p = dlsym(lib, name);

	memcpy(function, &p, sizeof p);
	return p != NULL;
}

static int capability_of(void *lib)
{
	int (*init)(unsigned), (*count)(int *), (*get)(int *, int), (*attribute)(int *, int, int);
	int n = 0, least = 0;

	if (!symbol(lib, "cuInit", &init) || !symbol(lib, "cuDeviceGetCount", &count) ||
		!symbol(lib, "cuDeviceGet", &get) ||
		!symbol(lib, "cuDeviceGetAttribute", &attribute) || init(0) != 0 || count(&n) != 0)
		return 0;
	for (int i = 0; i < n && i < MAX_DEVICES; i++) {
		int device = i, major = 0, minor = 0;

		if (get(&device, i) != 0 || attribute(&major, CU_MAJOR, device) != 0 ||
			attribute(&minor, CU_MINOR, device) != 0 || major < 1 || major > 99 ||
			minor < 0 || minor > 9)
			continue;
		if (!least || major * 10 + minor < least)
			least = major * 10 + minor;
	}
	return least;
}

static void say(int out, int number)
{
	if (write(out, &number, sizeof number) != sizeof number)
		_exit(1);
}

static void cuda_child(const void *ctx, int out)
{
	int (*get_version)(int *), version = 0;
	void *lib;

	/* an empty one would hide the devices, and on some drivers the version too */
	unsetenv("CUDA_VISIBLE_DEVICES");
	lib = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!lib || !symbol(lib, "cuDriverGetVersion", &get_version) || get_version(&version) != 0)
		return;
	say(out, version);
	if (*(const bool *)ctx)
		say(out, capability_of(lib));
	_exit(0); /* not through the library's destructors */
}

/* Notes what went wrong; a library that is not there is nothing wrong. */
static struct cuda_facts ask_libcuda(
	struct arena *a, bool devices, struct answer *answer, struct probe_notes *notes)
{
	struct cuda_facts facts = {0};

	ask(cuda_child, &devices, answer);
	if (answer->n >= sizeof facts.version)
		memcpy(&facts.version, answer->bytes, sizeof facts.version);
	if (answer->n >= sizeof facts)
		memcpy(&facts.capability, answer->bytes + sizeof facts.version,
			sizeof facts.capability);
	if (answer->late)
		add_note(a, notes, "libcuda.so.1 did not answer within 10 s");
	if (answer->signal)
		add_note(a, notes,
			arena_printf(a, "libcuda.so.1 died of signal %d when it was asked",
				answer->signal));
	if (facts.version < 1000 || facts.version > 999999)
		facts = (struct cuda_facts){0};
	return facts;
}

/* --- nvidia-smi and /proc ----------------------------------------------------------------- */

static void smi_child(const void *ctx, int out)
{
	const char *const *argv = ctx;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 2) < 0 || dup2(out, 1) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* "12.4" at the begin of s, or nothing. */
static struct str number_at(struct str s)
{
	size_t n = 0;

	s = str_trim(s);
	while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || s.p[n] == '.'))
		n++;
	s = str_sub(s, 0, n);
	return str_chr(s, '.') > 0 && s.p[n - 1] != '.' ? s : (struct str){NULL, 0};
}

static void smi_version(struct arena *a, struct answer *answer, struct probe_cuda *out)
{
	static const char *const argv[] = {"nvidia-smi", NULL};
	struct str mark = STR("CUDA Version:"), text;
	ptrdiff_t at;

	ask(smi_child, argv, answer);
	text = str_n(answer->bytes, answer->n);
	at = str_find(text, mark);
	if (at >= 0)
		out->version = arena_str(a, number_at(str_sub(text, (size_t)at + mark.n, text.n)));
}

static int capability_number(struct str s)
{
	struct str major = str_cut(&s, '.');
	uint64_t x, y;

	if (str_u64(major, 99, &x) < 0 || str_u64(s, 9, &y) < 0)
		return 0;
	return (int)(x * 10 + y);
}

static void smi_capability(struct arena *a, struct answer *answer, struct probe_cuda *out)
{
	static const char *const argv[] = {
		"nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader", NULL};
	struct str text;
	int least = 0;

	ask(smi_child, argv, answer);
	text = str_n(answer->bytes, answer->n);
	while (text.p) {
		int n = capability_number(str_trim(str_cut(&text, '\n')));

		if (n > 0 && (!least || n < least))
			least = n;
	}
	if (least)
		out->capability = arena_strf(a, "%d.%d", least / 10, least % 10);
}

/* CUDA of a driver's branch (release notes of the CUDA toolkit); images/probe.sh has the same. */
static const struct {
	unsigned branch;
	const char *cuda;
} branches[] = {{580, "13.0"}, {575, "12.9"}, {570, "12.8"}, {565, "12.7"}, {560, "12.6"},
	{555, "12.5"}, {550, "12.4"}, {545, "12.3"}, {535, "12.2"}, {530, "12.1"}, {525, "12.0"},
	{520, "11.8"}, {515, "11.7"}, {510, "11.6"}, {495, "11.5"}, {470, "11.4"}, {465, "11.3"},
	{460, "11.2"}, {455, "11.1"}, {450, "11.0"}, {440, "10.2"}, {418, "10.1"}, {410, "10.0"},
	{396, "9.2"}, {390, "9.1"}, {384, "9.0"}, {367, "8.0"}, {352, "7.5"}, {346, "7.0"}};

/* "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.14  ..." */
struct str cuda_of_driver(struct str version_file)
{
	struct str line = str_cut(&version_file, '\n');

	while (line.p) {
		struct str word = str_cut(&line, ' '), rest = word;
		uint64_t branch;

		if (str_chr(word, '.') < 0 || str_u64(str_cut(&rest, '.'), 9999, &branch) < 0)
			continue;
		for (size_t i = 0; i < sizeof branches / sizeof *branches; i++)
			if (branch >= branches[i].branch)
				return str_of(branches[i].cuda);
		break;
	}
	return (struct str){NULL, 0};
}

static void ask_others(struct arena *a, bool devices, struct answer *answer, struct probe_cuda *out,
	struct probe_notes *notes)
{
	struct str text;

	smi_version(a, answer, out);
	if (out->version.n) {
		if (devices)
			smi_capability(a, answer, out);
		add_note(
			a, notes, "CUDA is what nvidia-smi says, since libcuda.so.1 was not asked");
		return;
	}
	if (access("/dev/nvidiactl", F_OK) < 0 ||
		file_read(a, "/proc/driver/nvidia/version", MAX_ANSWER, &text, NULL) < 0)
		return;
	out->version = cuda_of_driver(text);
	if (out->version.n)
		add_note(a, notes,
			"CUDA is what drivers of this version offer (/proc/driver/nvidia/version)");
}

void probe_cuda(struct arena *a, bool devices, struct probe_cuda *out, struct probe_notes *notes)
{
	struct answer *answer = arena_new(a, struct answer);
	struct cuda_facts facts = ask_libcuda(a, devices, answer, notes);

	*out = (struct probe_cuda){0};
	if (!facts.version) {
		ask_others(a, devices, answer, out, notes);
		return;
	}
	out->version = arena_strf(a, "%d.%d", facts.version / 1000, facts.version % 1000 / 10);
	if (facts.capability > 0)
		out->capability =
			arena_strf(a, "%d.%d", facts.capability / 10, facts.capability % 10);
}

/* --- what jobs need of it ----------------------------------------------------------------- */

static const char *const node_patterns[] = {"/dev/nvidiactl", "/dev/nvidia-uvm",
	"/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia[0-9]*", "/dev/nvidia-caps/*"};

/* Of the driver, for computing. */
static const char *const library_patterns[] = {"libcuda.so.1", "libcudadebugger.so.1",
	"libnvidia-allocator.so.1", "libnvidia-cfg.so.1", "libnvidia-fatbinaryloader.so.*",
	"libnvidia-gpucomp.so.*", "libnvidia-ml.so.1", "libnvidia-nvvm.so.4",
	"libnvidia-opencl.so.1", "libnvidia-pkcs11-openssl3.so.*", "libnvidia-pkcs11.so.*",
	"libnvidia-ptxjitcompiler.so.1"};

enum { N_LIBRARY_PATTERNS = sizeof library_patterns / sizeof *library_patterns };

static const char *const programs[] = {"nvidia-cuda-mps-control", "nvidia-cuda-mps-server",
	"nvidia-debugdump", "nvidia-persistenced", "nvidia-smi"};

struct list {
	struct str *v;
	size_t n, cap;
};

static void find_nodes(struct arena *a, struct profile_gpu *gpu)
{
	struct list found = {0};

	for (size_t i = 0; i < sizeof node_patterns / sizeof *node_patterns; i++) {
		glob_t matches;

		if (glob(node_patterns[i], 0, NULL, &matches) == 0) {
			*VEC_PUSH(a, &found) = str_of(node_patterns[i]);
			globfree(&matches);
		}
	}
	gpu->device_nodes = found.v;
	gpu->n_device_nodes = found.n;
}

static bool is_of_driver(const char *soname)
{
	for (size_t i = 0; i < N_LIBRARY_PATTERNS; i++)
		if (fnmatch(library_patterns[i], soname, 0) == 0)
			return true;
	return false;
}

static void find_libraries(struct arena *a, struct profile *p)
{
	struct list found = {0};

	for (size_t i = 0; !p->has_libraries && i < N_LIBRARY_PATTERNS; i++)
		*VEC_PUSH(a, &found) = str_of(library_patterns[i]);
	for (size_t i = 0; i < p->n_libraries; i++)
		if (is_of_driver(arena_cstr(a, p->libraries[i].soname)))
			*VEC_PUSH(a, &found) = p->libraries[i].soname;
	p->gpu.libraries = found.v;
	p->gpu.n_libraries = found.n;
}

static bool on_path(struct arena *a, const char *name)
{
	struct str dirs = str_of(getenv("PATH"));

	while (dirs.p) {
		struct str dir = str_cut(&dirs, ':');

		if (dir.n && access(path_join(a, arena_cstr(a, dir), name), X_OK) == 0)
			return true;
	}
	return false;
}

static void find_programs(struct arena *a, struct profile_gpu *gpu)
{
	struct list found = {0};

	for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
		if (on_path(a, programs[i]))
			*VEC_PUSH(a, &found) = str_of(programs[i]);
	gpu->programs = found.v;
	gpu->n_programs = found.n;
}

void probe_gpu(struct arena *a, const struct probe_cuda *cuda, struct profile *p)
{
	if (cuda->version.n == 0)
		return;
	p->gpu.wanted = true;
	p->gpu.compute_capability = cuda->capability;
	find_nodes(a, &p->gpu);
	find_libraries(a, p);
	find_programs(a, &p->gpu);
}
