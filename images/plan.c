#include "images/plan.h"

#include "base/file.h"
#include "images/libc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Where systems keep the certificates of those they trust, and where programs look for them. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static void add_default(struct arena *a, struct plan *plan, const char *from, const char *to)
{
	char *real = realpath(from, NULL);

	if (!real)
		return;
	plan->binds[plan->n_binds++] =
		(struct plan_bind){.kind = PLAN_DEFAULT, .from = arena_strdup(a, real), .to = to};
	free(real);
}

/* Does the root trust anybody already? Looked up inside it, as its programs would. */
static bool has_bundle(int root)
{
	for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++) {
		CLEANUP_FD fd = open_in_root(root, bundles[i], O_PATH);

		if (fd >= 0)
			return true;
	}
	return false;
}

static void add_certificates(struct arena *a, struct plan *plan)
{
	CLEANUP_FD root = open(plan->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const char *ours = NULL;

	for (size_t i = 0; i < sizeof bundles / sizeof *bundles && !ours; i++)
		if (access(bundles[i], R_OK) == 0)
			ours = bundles[i];
	if (!ours || root < 0 || has_bundle(root))
		return;
	for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++)
		add_default(a, plan, ours, bundles[i]);
}

static void add_binds(struct plan *plan, const struct prepared *p)
{
	static const enum plan_kind kinds[] = {
		[BIND_READ_ONLY] = PLAN_READ_ONLY,
		[BIND_READ_WRITE] = PLAN_READ_WRITE,
		[BIND_THROW_AWAY] = PLAN_OVERLAY,
	};

	for (size_t i = 0; i < p->n; i++)
		plan->binds[plan->n_binds++] = (struct plan_bind){
			.kind = p->is_file[i] && p->uppers[i] ? PLAN_COPY : kinds[p->binds[i].kind],
			.from = p->binds[i].from,
			.to = p->binds[i].to,
			.upper = p->uppers[i],
			.work = p->works[i],
			.folder = !p->is_file[i],
		};
}

unsigned plan_max_processes(void)
{
	enum { PER_CORE = 256 };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	return cores > ENGINE_MAX_PROCESSES / PER_CORE ? (unsigned)cores * PER_CORE
						       : ENGINE_MAX_PROCESSES;
}

uint64_t plan_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);

	return pages > 0 && size > 0 ? (uint64_t)pages * (uint64_t)size : UINT64_C(2) << 30;
}

void plan_add_gpu(struct arena *a, struct plan *plan, const struct gpu *gpu)
{
	struct plan_bind *binds =
		arena_array(a, struct plan_bind, plan->n_binds + gpu->n_nodes + gpu->n_files);

	memcpy(binds, plan->binds, plan->n_binds * sizeof *binds);
	plan->binds = binds;
	for (size_t i = 0; i < gpu->n_nodes; i++)
		binds[plan->n_binds++] = (struct plan_bind){
			.kind = PLAN_DEVICE, .from = gpu->nodes[i], .to = gpu->nodes[i]};
	for (size_t i = 0; i < gpu->n_files; i++)
		binds[plan->n_binds++] = (struct plan_bind){
			.kind = PLAN_READ_ONLY, .from = gpu->files[i].from, .to = gpu->files[i].to};
}

int plan_make(struct arena *a, const char *root, const char *dir, bool overlay,
	const struct prepared *p, bool network, struct plan *out, struct err *e)
{
	enum { MAX_DEFAULTS = 8 };
	struct utsname system = {.release = ""};
	struct stat st;
	bool is_host = !strcmp(root, "/");

	uname(&system);
	*out = (struct plan){.root = root,
		.dir = dir,
		.overlay = overlay,
		.hide_homes = is_host,
		.full_map = geteuid() == 0,
		.max_processes = plan_max_processes(),
		.limit = limit_way(system.release, geteuid() == 0),
		.max_bytes = plan_memory() / 2};
	if (stat(root, &st) < 0)
		return err_sys(e, "cannot open the root folder '%s'", root);
	/* nobody can make a mount point in a root that belongs to somebody else */
	out->whole = !is_host && (geteuid() == 0 || st.st_uid == geteuid());
	out->binds = arena_array(a, struct plan_bind, p->n + MAX_DEFAULTS);
	if (network) {
		add_default(a, out, "/etc/resolv.conf", "/etc/resolv.conf");
		add_default(a, out, "/etc/hosts", "/etc/hosts");
		add_certificates(a, out);
	}
	add_binds(out, p);
	return 0;
}
