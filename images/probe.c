#include "images/probe.h"

#include "base/file.h"
#include "images/host.h"
#include "images/libc.h"

#include <stdlib.h>
#include <sys/utsname.h>

enum { MAX_VIRTUAL = 5 };

/* A name that a target can have: the host's without its domain; "probe" where nothing is left. */
static struct str clean_name(struct arena *a, struct str name)
{
	struct str first = str_cut(&name, '.');
	char *p = arena_cstr(a, first);

	for (size_t i = 0; i < first.n; i++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-",
			    p[i]))
			p[i] = '-';
	while (*p == '-')
		p++;
	return *p ? str_sub(str_of(p), 0, 64) : STR("probe");
}

static void add_virtual(struct profile *p, struct str text)
{
	p->virtual_packages[p->n_virtual_packages++] = text;
}

static int probe_glibc(struct arena *a, const char *root, struct profile *p, struct err *e)
{
	struct str reason;
	int r = root_glibc(a, root, &p->glibc, &reason, e);

	if (r == 0) {
		err_set(e, ERR_INPUT, "%.*s", STR_ARG(reason));
		return err_advise(e, "a target is a host or a root file system with glibc");
	}
	if (r < 0)
		return -1;
	p->virtual_packages = arena_array(a, struct str, MAX_VIRTUAL);
	add_virtual(p, arena_strf(a, "__glibc=%.*s", STR_ARG(p->glibc)));
	return 0;
}

int probe_host(struct arena *a, const char *name, struct profile *out, struct probe_notes *notes,
	struct err *e)
{
	struct probe_cuda cuda;
	struct utsname u;

	*out = (struct profile){.network = true, .source = "this machine"};
	if (uname(&u) < 0)
		return err_sys(e, "cannot ask for the kernel's version");
	if (probe_glibc(a, "/", out, e) < 0 || probe_libraries(a, "/", out, e) < 0)
		return -1;
	out->name = name ? str_of(name) : clean_name(a, str_of(u.nodename));
	out->subdir = machine_subdir();
	add_virtual(out, arena_strf(a, "__linux=%.*s", STR_ARG(kernel_version(str_of(u.release)))));
	add_virtual(out, STR("__unix=0=0"));
	add_virtual(out, arena_strf(a, "__archspec=1=%s", probe_cpu(a, u.machine)));
	probe_cuda(a, true, &cuda, notes);
	if (cuda.version.n)
		add_virtual(out, arena_strf(a, "__cuda=%.*s", STR_ARG(cuda.version)));
	probe_gpu(a, &cuda, out);
	probe_file_system(a, &out->file_system);
	probe_limits(&out->limits);
	return 0;
}

int probe_root(
	struct arena *a, const char *root, const char *name, struct profile *out, struct err *e)
{
	*out = (struct profile){.network = true, .source = arena_strdup(a, root)};
	if (probe_glibc(a, root, out, e) < 0 || probe_libraries(a, root, out, e) < 0)
		return -1;
	out->name = name ? str_of(name) : clean_name(a, str_of(path_base(path_absolute(a, root))));
	out->subdir = machine_subdir();
	add_virtual(out, STR("__unix=0=0"));
	return 0;
}
