#include "images/gpu.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/proc.h"
#include "images/cdi.h"
#include "images/gpu_files.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

enum { MAX_SPEC = 4 << 20, MAX_LISTING = 4 << 20, LIST_SECONDS = 10 };

/* What a profile's `gpu:` leaves out, and a target without one, asked for with --gpu require. */
static const char *const usual_nodes[] = {"/dev/nvidiactl", "/dev/nvidia-uvm",
	"/dev/nvidia-uvm-tools", "/dev/nvidia-modeset", "/dev/nvidia[0-9]*", "/dev/nvidia-caps/*",
	NULL};
static const char *const usual_libraries[] = {"libcuda.so.1", "libnvidia-ml.so.1",
	"libnvidia-ptxjitcompiler.so.1", "libnvidia-nvvm.so.*", "libnvidia-gpucomp.so.*", NULL};
static const char *const usual_programs[] = {"nvidia-smi", NULL};

struct search {
	struct arena *a;
	const struct profile *profile;
	struct gpu_files files;
	struct gpu *out;
};

static const char *const *patterns_of(
	struct arena *a, const struct str *given, size_t n, const char *const *usual)
{
	const char **v;

	if (n == 0)
		return usual;
	v = arena_array(a, const char *, n + 1);
	for (size_t i = 0; i < n; i++)
		v[i] = arena_cstr(a, given[i]);
	return v;
}

/* --- a CDI specification ------------------------------------------------------------------- */

static void take_spec(struct search *s, const struct cdi *cdi)
{
	for (size_t i = 0; i < cdi->nodes.n; i++)
		gpu_files_add(&s->files, cdi->nodes.v[i], "");
	for (size_t i = 0; i < cdi->mounts.n; i++)
		gpu_files_add(&s->files, cdi->mounts.v[i].host, path_base(cdi->mounts.v[i].inside));
	s->out->env = cdi->env.v;
	s->out->n_env = cdi->env.n;
	s->out->device = cdi->device;
	s->out->source = "CDI";
}

/* 1: its GPU is here; 0; -1. */
static int try_spec(struct search *s, const char *path, struct err *e)
{
	struct str text;
	struct cdi cdi;
	int r;

	if (file_read(s->a, path, MAX_SPEC, &text, e) < 0)
		return -1;
	r = cdi_parse(s->a, path, text, &cdi, e);
	if (r <= 0)
		return r;
	take_spec(s, &cdi);
	if (s->files.nodes.n)
		return 1;
	log_debug("'%s' names no device that is here", path);
	return 0;
}

struct specs {
	struct arena *a;
	const char *dir;
	struct {
		const char **v;
		size_t n, cap;
	} list;
};

static int visit_spec(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct specs *s = ctx;
	struct str name = str_of(rel);

	(void)e;
	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	if (str_ends(name, STR(".json")) || str_ends(name, STR(".yaml")) ||
		str_ends(name, STR(".yml")))
		*VEC_PUSH(s->a, &s->list) = path_join(s->a, s->dir, rel);
	return 0;
}

/* The folders as the CDI library has them; what is made at boot wins over what was written once. */
static int try_cdi(struct search *s, struct err *e)
{
	const char *given = getenv("CDI_SPEC_DIRS");
	struct str rest = given && *given ? str_of(given) : STR("/var/run/cdi:/etc/cdi");

	while (rest.p) {
		struct specs specs = {.a = s->a, .dir = arena_cstr(s->a, str_cut(&rest, ':'))};
		CLEANUP_FD fd = open(specs.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		int r = fd < 0 ? 0 : dir_walk(fd, visit_spec, &specs, e);

		for (size_t i = 0; i < specs.list.n && r == 0; i++)
			r = try_spec(s, specs.list.v[i], e);
		if (r)
			return r;
	}
	return 0;
}

/* --- nvidia-container-cli ------------------------------------------------------------------ */

/* 1 where it says what there is, one path a line; its failure is another way's turn. */
static int try_container_cli(struct search *s)
{
	static const char program[] = "nvidia-container-cli";
	const char *const argv[] = {program, "list", NULL};
	CLEANUP_BUF text = {.max = MAX_LISTING};
	struct proc p = {
		.argv = argv, .on_stdout = proc_to_buf, .ctx = &text, .timeout_s = LIST_SECONDS};
	struct err failed = {0};
	struct str rest;
	int status = 0, r;

	if (!proc_find(program))
		return 0;
	r = proc_run(&p, &status, &failed);
	if (r < 0 || status != 0)
		log_debug("'%s list' fails (status %d)", program, status);
	err_release(&failed);
	rest = r == 0 && status == 0 && !text.overflow ? buf_view(&text) : (struct str){NULL, 0};
	while (rest.p) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (line.n && path_is_safe(str_sub(line, 1, line.n)))
			gpu_files_add(&s->files, arena_cstr(s->a, line),
				path_base(arena_cstr(s->a, line)));
	}
	s->out->source = program;
	return s->files.nodes.n > 0;
}

/* --- by hand ------------------------------------------------------------------------------- */

static void add_matches(struct search *s, const char *pattern)
{
	glob_t found;

	if (pattern[0] == '/' && glob(pattern, 0, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			gpu_files_add(&s->files, found.gl_pathv[i], path_base(found.gl_pathv[i]));
		globfree(&found);
	}
}

/* An archive brings its profile along, and a pattern for all of /dev would hand out uinput, too. */
static bool is_for_gpus(const char *path)
{
	static const struct str begins[] = {STR_INIT("/dev/nvidia"), STR_INIT("/dev/dri/"),
		STR_INIT("/dev/kfd"), STR_INIT("/dev/dxg")};
	struct stat st;
	/* of the memory devices those that do no harm are let through later */
	bool is = lstat(path, &st) == 0 && S_ISCHR(st.st_mode) && major(st.st_rdev) == 1;

	for (size_t i = 0; i < sizeof begins / sizeof *begins; i++)
		is |= str_starts(str_of(path), begins[i]);
	return is;
}

static void add_node_matches(struct search *s, const char *pattern)
{
	glob_t found;

	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (is_for_gpus(found.gl_pathv[i]))
			gpu_files_add(&s->files, found.gl_pathv[i], "");
		else
			log_debug("'%s' is not a device of a GPU and stays outside",
				found.gl_pathv[i]);
	globfree(&found);
}

/* Lines of `ldconfig -p`: "\tlibcuda.so.1 (libc6,x86-64) => /usr/lib64/libcuda.so.1". */
static void add_cached(struct search *s, struct str listing, const char *pattern)
{
	while (listing.p) {
		struct str line = str_trim(str_cut(&listing, '\n'));
		ptrdiff_t arrow = str_find(line, STR(" => "));
		const char *name, *path;

		if (arrow < 0)
			continue;
		path = arena_cstr(s->a, str_sub(line, (size_t)arrow + 4, line.n));
		name = arena_cstr(s->a, str_cut(&line, ' '));
		if (fnmatch(pattern, name, FNM_PATHNAME) == 0)
			gpu_files_add(&s->files, path, name);
	}
}

static void read_loader_cache(struct buf *text)
{
	static const char *const places[] = {"/sbin/ldconfig", "/usr/sbin/ldconfig"};
	struct err ignored = {0};
	int status;

	for (size_t i = 0; i < sizeof places / sizeof *places && text->n == 0; i++) {
		const char *const argv[] = {places[i], "-p", NULL};
		struct proc p = {.argv = argv,
			.on_stdout = proc_to_buf,
			.ctx = text,
			.timeout_s = LIST_SECONDS};

		if (access(places[i], X_OK) == 0)
			proc_run(&p, &status, &ignored);
		err_release(&ignored);
	}
}

/* As the loader does: LD_LIBRARY_PATH, its cache, the usual folders. */
static void add_libraries(struct search *s, const char *const *patterns)
{
	const char *given = getenv("LD_LIBRARY_PATH");
	struct str usual =
		STR("/usr/lib64:/usr/lib64/nvidia:/usr/lib/x86_64-linux-gnu:"
		    "/usr/lib/aarch64-linux-gnu:/usr/lib/x86_64-linux-gnu/nvidia/current");
	CLEANUP_BUF cache = {.max = MAX_LISTING};

	read_loader_cache(&cache);
	for (; *patterns; patterns++) {
		struct str first = given ? str_of(given) : (struct str){NULL, 0}, rest = usual;

		if (strchr(*patterns, '/'))
			continue;
		while (first.p)
			add_matches(s,
				path_join(s->a, arena_cstr(s->a, str_cut(&first, ':')), *patterns));
		add_cached(s, buf_view(&cache), *patterns);
		while (rest.p)
			add_matches(s,
				path_join(s->a, arena_cstr(s->a, str_cut(&rest, ':')), *patterns));
	}
}

static int try_by_hand(struct search *s)
{
	const struct profile_gpu *g = &s->profile->gpu;
	const char *const *nodes =
		patterns_of(s->a, g->device_nodes, g->n_device_nodes, usual_nodes);
	const char *const *programs = patterns_of(s->a, g->programs, g->n_programs, usual_programs);

	s->out->source = "profile";
	for (; *nodes; nodes++)
		if (str_starts(str_of(*nodes), STR("/dev/")))
			add_node_matches(s, *nodes);
	if (s->files.nodes.n == 0)
		return 0;
	add_libraries(s, patterns_of(s->a, g->libraries, g->n_libraries, usual_libraries));
	for (; *programs; programs++) {
		const char *path = strchr(*programs, '/') ? NULL : proc_find(*programs);

		if (path)
			gpu_files_add(&s->files, arena_strdup(s->a, path), *programs);
	}
	return 1;
}

/* --- all of them --------------------------------------------------------------------------- */

static const char *first_of(struct arena *a, const struct str *v, size_t n, const char *usual)
{
	return n ? arena_cstr(a, v[0]) : usual;
}

/* Why there is none: the first of what is missing. */
static const char *missing(const struct search *s)
{
	const struct profile_gpu *g = &s->profile->gpu;

	if (s->files.nodes.n == 0 && s->files.denied)
		return arena_printf(s->a, "this user may not open '%s'", s->files.denied);
	if (s->files.nodes.n == 0)
		return arena_printf(s->a, "there is no device '%s' here",
			first_of(s->a, g->device_nodes, g->n_device_nodes, usual_nodes[0]));
	if (s->files.n_libraries == 0)
		return arena_printf(s->a, "there is no driver library '%s' here",
			first_of(s->a, g->libraries, g->n_libraries, usual_libraries[0]));
	return NULL;
}

static int none_here(const struct search *s, enum gpu_mode mode, const char *why, struct err *e)
{
	static const char remedy[] = "install the GPU's driver, run on a machine that has one";

	if (mode == GPU_AUTO) {
		log_warn("target '%.*s' has a GPU and this machine has none: %s (%s, or say "
			 "--gpu none)",
			STR_ARG(s->profile->name), why, remedy);
		return 0;
	}
	err_set(e, ERR_SANDBOX, "no GPU for target '%.*s': %s", STR_ARG(s->profile->name), why);
	return err_advise(e, "%s, or leave out --gpu require", remedy);
}

static int search(struct search *s, enum gpu_mode mode, struct err *e)
{
	const char *why;
	int r = try_cdi(s, e);

	if (r < 0)
		return err_advise(e, "correct or remove that CDI file, or say --gpu none");
	if (r == 0) {
		*s->out = (struct gpu){0};
		r = try_container_cli(s);
	}
	if (r == 0)
		try_by_hand(s);
	why = missing(s);
	if (why)
		return none_here(s, mode, why, e);
	s->out->nodes = s->files.nodes.v;
	s->out->n_nodes = s->files.nodes.n;
	s->out->files = s->files.files.v;
	s->out->n_files = s->files.files.n;
	log_debug("GPU by %s: %zu devices, %zu files", s->out->source, s->out->n_nodes,
		s->out->n_files);
	return 1;
}

int gpu_find(struct arena *a, const struct profile *p, const char *root, enum gpu_mode mode,
	struct gpu *out, struct err *e)
{
	struct search s = {.a = a, .profile = p, .out = out, .files = {.a = a, .root = -1}};
	int r;

	*out = (struct gpu){0};
	if (mode == GPU_NONE || (mode == GPU_AUTO && !p->gpu.wanted))
		return 0;
	r = gpu_files_open(&s.files, root, e);
	if (r == 0)
		r = search(&s, mode, e);
	gpu_files_close(&s.files);
	if (r <= 0)
		*out = (struct gpu){0};
	return r;
}
