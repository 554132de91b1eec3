#include "images/host.h"

#include "base/log.h"
#include "images/libc.h"
#include "images/probe.h"

#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

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

struct building {
	struct arena *a;
	struct profile p;
	struct {
		struct str *v;
		size_t n, cap;
	} virtuals;
};

static void add(struct building *b, const char *name, struct str version, const char *build)
{
	if (version.n == 0)
		return;
	*VEC_PUSH(b->a, &b->virtuals) = arena_strf(
		b->a, "%s=%.*s%s%s", name, STR_ARG(version), build ? "=" : "", build ? build : "");
}

/* The driver's devices are not asked: that takes seconds, and each command begins here. */
static void add_cuda(struct building *b)
{
	const char *value = override_of("CONDA_OVERRIDE_CUDA");
	struct probe_notes notes = {0};
	struct probe_cuda cuda = {0};

	if (value)
		cuda.version = str_of(value);
	else
		probe_cuda(b->a, false, &cuda, &notes);
	for (size_t i = 0; i < notes.n; i++)
		log_debug("%s", notes.v[i]);
	add(b, "__cuda", cuda.version, NULL);
	/* who pretends to have CUDA has no devices to hand on */
	if (!value || access("/dev/nvidiactl", F_OK) == 0)
		probe_gpu(b->a, &cuda, &b->p);
}

static void build(struct building *b, const struct utsname *u, struct str glibc)
{
	const char *kernel = override_of("CONDA_OVERRIDE_LINUX");
	const char *cpu = override_of("CONDA_OVERRIDE_ARCHSPEC");

	b->p.name = STR("host");
	b->p.subdir = machine_subdir();
	add(b, "__glibc", glibc, NULL);
	add(b, "__linux", kernel ? str_of(kernel) : kernel_version(str_of(u->release)), NULL);
	add(b, "__unix", STR("0"), "0");
	if (!cpu)
		add(b, "__archspec", STR("1"), probe_cpu(b->a, u->machine));
	else if (*cpu)
		add(b, "__archspec", STR("1"), cpu);
	add_cuda(b);
	b->p.virtual_packages = b->virtuals.v;
	b->p.n_virtual_packages = b->virtuals.n;
}

int host_profile(struct arena *a, struct profile *out, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct building b = {.a = a};
	struct utsname u;
	struct str glibc;

	if (uname(&u) < 0)
		return err_sys(e, "cannot ask for the kernel's version");
	if (glibc_of_host(a, &glibc, e) < 0)
		return -1;
	build(&b, &u, glibc);
	buf_puts(&text, "# What the machine that built this offers.\n");
	profile_write(&text, &b.p);
	if (profile_parse(a, "target 'host'", arena_str(a, buf_view(&text)), out, e) < 0)
		return -1;
	out->host = true;
	out->source = "built-in";
	return 0;
}
