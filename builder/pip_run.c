/*
 * The environment's Python and pip in the engine: the work folder and the prefix are bound, pip
 * finds the builder's certificates, proxies and git, and nothing else of this machine.
 */
#include "builder/pip_netrc.h"

#include "base/file.h"
#include "base/http.h"
#include "builder/active.h"
#include "images/libc.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_BUNDLE = 64 << 20 };

/* --- the work folder -------------------------------------------------------------------------- */

struct pip_place pip_place(struct pip_work *w, const char *what, struct str name)
{
	char *leaf = arena_printf(
		w->arena, "%s%zu%s%.*s", what, w->n_made++, name.n ? "/" : "", STR_ARG(name));

	return (struct pip_place){
		path_join(w->arena, w->dir, leaf), path_join(w->arena, w->inside, leaf)};
}

struct pip_place pip_place_below(struct pip_work *w, const struct pip_place *dir, struct str name)
{
	char *leaf = arena_cstr(w->arena, name);

	return (struct pip_place){
		path_join(w->arena, dir->path, leaf), path_join(w->arena, dir->inside, leaf)};
}

static struct str python_version(const struct prefix *p)
{
	for (size_t i = 0; i < p->n_packages; i++)
		if (str_is(p->packages[i].record->name, "python"))
			return p->packages[i].record->version;
	return (struct str){0};
}

/*
 * PEP 600: which wheels fit the target, whatever C library the root has in which pip runs.  The
 * attributes are what pip before 20.3 asks for (PEP 513, 571, 599).
 */
static int write_manylinux(struct pip_work *w, struct err *e)
{
	struct str rest = w->request->glibc, major = str_cut(&rest, '.');
	struct str minor = str_cut(&rest, '.');
	uint64_t a, b;

	if (str_u64(major, 99, &a) < 0 || str_u64(minor, 999, &b) < 0)
		return 0;
	struct str text = arena_strf(w->arena,
		"glibc = (%d, %d)\n"
		"manylinux1_compatible = glibc >= (2, 5)\n"
		"manylinux2010_compatible = glibc >= (2, 12)\n"
		"manylinux2014_compatible = glibc >= (2, 17)\n"
		"def manylinux_compatible(major, minor, arch):\n"
		"    return glibc >= (major, minor)\n",
		(int)a, (int)b);
	return file_write(path_join(w->arena, w->dir, "python/_manylinux.py"), text, 0644, e);
}

/* Old images know none of the authorities that sign today, and old pips bring old ones. */
static int copy_certificates(struct pip_work *w, struct err *e)
{
	const char *const places[] = {http_ca_variable(), "/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
	struct str text;

	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		if (!places[i] || access(places[i], R_OK) < 0)
			continue;
		if (file_read(w->arena, places[i], MAX_BUNDLE, &text, e) < 0)
			return -1;
		return file_write(path_join(w->arena, w->dir, "ca.pem"), text, 0644, e);
	}
	return 0;
}

int pip_work_open(struct prefix *p, struct pip_work *out, struct err *e)
{
	static const char *const FOLDERS[] = {"home", "tmp", "python", "bin"};
	const struct install_request *r = p->request;
	struct arena *a = p->arena;
	const char *parent = r->work_dir ? r->work_dir : path_join(a, r->cache->dir, "tmp");

	*out = (struct pip_work){.arena = a, .p = p, .request = r, .pages.arena = a};
	marker_env_of(a, python_version(p), r->subdir, &out->markers);
	out->dir = dir_temp(a, parent, "pip", e);
	if (!out->dir)
		return -1;
	/* Without a sandbox there is no other place than where it is. */
	out->inside = r->engine && engine_is_direct(r->engine) ? out->dir : "/tmp/envbuild-pip";
	for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
		if (dir_make(path_join(a, out->dir, FOLDERS[i]), e) < 0)
			return -1;
	if (write_manylinux(out, e) < 0 || (r->network && copy_certificates(out, e) < 0))
		return -1;
	return 0;
}

void pip_work_close(struct pip_work *w)
{
	struct err e = {0};

	if (w->dir && dir_remove(w->dir, &e) < 0)
		log_warn("a folder of pip stays behind: %s", e.text);
	err_release(&e);
}

/* --- running ---------------------------------------------------------------------------------- */

struct env_list {
	const char **v;
	size_t n, cap;
};

static const char **environment(
	struct pip_work *w, const struct prefix *in, const struct pip_command *c)
{
	struct arena *a = w->arena;
	struct env_list list = {0};
	const char *inside = w->inside, *prefix = in->request->prefix_inside;

	*VEC_PUSH(a, &list) = arena_printf(a, "HOME=%s/home", inside);
	*VEC_PUSH(a, &list) = arena_printf(a, "TMPDIR=%s/tmp", inside);
	*VEC_PUSH(a, &list) = arena_printf(a, "PYTHONPATH=%s/python", inside);
	*VEC_PUSH(a, &list) = "PIP_CONFIG_FILE=/dev/null";
	*VEC_PUSH(a, &list) = "PIP_DISABLE_PIP_VERSION_CHECK=1";
	*VEC_PUSH(a, &list) = arena_printf(a,
		"PATH=%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:%s/bin", prefix, inside);
	if (path_exists(path_join(a, w->dir, "ca.pem"))) {
		*VEC_PUSH(a, &list) = arena_printf(a, "PIP_CERT=%s/ca.pem", inside);
		*VEC_PUSH(a, &list) = arena_printf(a, "SSL_CERT_FILE=%s/ca.pem", inside);
		*VEC_PUSH(a, &list) = arena_printf(a, "REQUESTS_CA_BUNDLE=%s/ca.pem", inside);
	}
	if (c->network)
		for (const char *const *proxy = active_proxies(a); *proxy; proxy++)
			*VEC_PUSH(a, &list) = *proxy;
	for (const char *const *more = c->env; more && *more; more++)
		*VEC_PUSH(a, &list) = *more;
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

int pip_run(struct pip_work *w, const struct pip_command *c, const char *what, struct err *e)
{
	struct arena *a = w->arena;
	struct prefix *in = c->install ? w->p : w->host;
	struct bind *binds = arena_array(a, struct bind, c->n_binds + 1);
	size_t n = 1;
	const char **argv;

	for (n = 0; c->args[n]; n++)
		;
	argv = arena_array(a, const char *, n + 2);
	argv[0] =
		arena_printf(a, "%s/%.*s", in->request->prefix_inside, STR_ARG(in->python.program));
	memcpy(argv + 1, c->args, n * sizeof *argv);
	binds[0] = (struct bind){w->dir, w->inside, BIND_READ_WRITE, NULL, 0};
	if (c->n_binds)
		memcpy(binds + 1, c->binds, c->n_binds * sizeof *binds);
	struct command command = {.argv = argv,
		.env = environment(w, in, c),
		.binds = binds,
		.n_binds = c->n_binds + 1,
		.cwd = c->cwd ? c->cwd : w->inside,
		.network = c->network,
		.read_only = !c->install};
	return prefix_run(in, &command, what, e);
}

/* pip's exit status says nothing, its words do; the first that is found counts. */
static void classify(struct err *e)
{
	static const struct {
		const char *words;
		enum err_code code;
	} KINDS[] = {
		{"DO NOT MATCH THE HASHES", ERR_INTEGRITY},
		{"Failed to establish a new connection", ERR_NETWORK},
		{"connection broken by", ERR_NETWORK},
		{"Could not fetch URL", ERR_NETWORK},
		{"No matching distribution found", ERR_UNSAT},
		{"ResolutionImpossible", ERR_UNSAT},
	};

	for (size_t i = 0; e && e->text && i < sizeof KINDS / sizeof *KINDS; i++)
		if (e->code == ERR_SCRIPT && strstr(e->text, KINDS[i].words))
			e->code = KINDS[i].code;
}

int pip_run_pip(struct pip_work *w, const struct pip_command *c, const char *what, struct err *e)
{
	struct arena *a = w->arena;
	struct {
		const char **v;
		size_t n, cap;
	} args = {0};
	struct pip_command full = *c;

	*VEC_PUSH(a, &args) = "-m";
	*VEC_PUSH(a, &args) = "pip";
	*VEC_PUSH(a, &args) = c->args[0];
	*VEC_PUSH(a, &args) = "--isolated";
	*VEC_PUSH(a, &args) = "--no-input";
	*VEC_PUSH(a, &args) = "--disable-pip-version-check";
	*VEC_PUSH(a, &args) = "--no-cache-dir";
	if (c->network && path_exists(path_join(a, w->dir, "ca.pem"))) {
		*VEC_PUSH(a, &args) = "--cert";
		*VEC_PUSH(a, &args) = arena_printf(a, "%s/ca.pem", w->inside);
	}
	for (size_t i = 1; c->args[i]; i++)
		*VEC_PUSH(a, &args) = c->args[i];
	*VEC_PUSH(a, &args) = NULL;
	full.args = args.v;
	if (pip_run(w, &full, what, e) == 0)
		return 0;
	classify(e);
	if (!c->network && !c->install)
		err_advise(e, "pip ran without the network: leave out --offline, or give it a "
			      "folder with --find-links");
	return -1;
}

/* --- options ---------------------------------------------------------------------------------- */

/* A folder of this machine as it is called inside, bound there; anything else as it is. */
static struct str inside_name(struct pip_work *w, struct str text, struct bind_list *binds)
{
	struct arena *a = w->arena;
	const char *c_text = arena_cstr(a, text);
	bool url = str_starts(text, STR("file://"));
	char *path = url ? path_of_url(a, c_text) : path_absolute(a, c_text);
	char *to;
	struct stat st;

	if (!path || (!url && (text.n == 0 || text.p[0] != '/')) || stat(path, &st) < 0)
		return text;
	if (engine_is_direct(w->request->engine))
		return text;
	to = arena_printf(a, "/tmp/envbuild-links/%zu", w->n_made++);
	if (!S_ISDIR(st.st_mode)) { /* a page of links */
		*VEC_PUSH(a, binds) = (struct bind){path_dir(a, path), to, BIND_READ_ONLY, NULL, 0};
		to = path_join(a, to, path_base(path));
	} else {
		*VEC_PUSH(a, binds) = (struct bind){path, to, BIND_READ_ONLY, NULL, 0};
	}
	return url ? str_of(url_of_path(a, to)) : str_of(to);
}

static struct str *inside_names(
	struct pip_work *w, const struct str *v, size_t n, struct bind_list *binds)
{
	struct str *out = arena_array(w->arena, struct str, n);

	for (size_t i = 0; i < n; i++)
		out[i] = inside_name(w, v[i], binds);
	return out;
}

int pip_options_inside(struct pip_work *w, const struct pip_options *options,
	struct pip_options *out, struct bind_list *binds, struct err *e)
{
	*out = *options;
	if (out->index_url.n)
		out->index_url = inside_name(w, out->index_url, binds);
	out->extra_index_urls =
		inside_names(w, options->extra_index_urls, options->n_extra_index_urls, binds);
	out->find_links = inside_names(w, options->find_links, options->n_find_links, binds);
	return pip_netrc(w, out, e);
}
