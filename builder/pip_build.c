/*
 * Building a wheel with `pip wheel` in the host, and making its bytes depend on its content alone.
 */
#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "builder/layer.h"
#include "builder/wheels.h"
#include "images/libc.h"
#include "solver/dist_name.h"

#include <dirent.h>
#include <stdlib.h>

/*
 * LISTING OLD NEW all|some: each line of LISTING is FROM, TO and a time, with tabs between.  Members
 * sorted, RECORD written anew and last, one time, modes 0644 or 0755, and the prefix OLD replaced by
 * NEW (in binary members with NULs behind it, as conda does).  some: only wheels that hold OLD.
 * Python 2.6 to any 3.
 */
static const char REWRITE[] =
	"import base64, csv, hashlib, io, re, sys, time, zipfile\n"
	"listing, old, new, some = sys.argv[1:5]\n"
	"old, new = old.encode(), new.encode()\n"
	"def replaced(name, data):\n"
	"    if old == new or old not in data:\n"
	"        return data\n"
	"    if b'\\0' not in data:\n"
	"        return data.replace(old, new)\n"
	"    if len(new) > len(old):\n"
	"        sys.exit('%s holds the path it was built at, and %s is longer by %d bytes' % (\n"
	"            name, new.decode(), len(new) - len(old)))\n"
	"    def one(m):\n"
	"        s = m.group(0)\n"
	"        return s.replace(old, new) + b'\\0' * (s.count(old) * (len(old) - len(new)))\n"
	"    return re.sub(re.escape(old) + b'[^\\0]*', one, data)\n"
	"def rewrite(src, dst, epoch):\n"
	"    when = time.gmtime(max(int(epoch), 315532800))[:6]\n"
	"    z = zipfile.ZipFile(src)\n"
	"    infos = {}\n"
	"    for i in z.infolist():\n"
	"        if not i.filename.endswith('/'):\n"
	"            infos[i.filename] = i\n"
	"    if some == 'some' and not [n for n in infos if old in z.read(n)]:\n"
	"        return\n"
	"    found = [n for n in infos if re.match(r'[^/]+\\.dist-info/RECORD$', n)]\n"
	"    if len(found) != 1:\n"
	"        sys.exit('%s: no dist-info/RECORD' % src)\n"
	"    record = found[0]\n"
	"    folder = record[:-6]\n"
	"    names = sorted(n for n in infos if n != record)\n"
	"    names.sort(key=lambda n: n.startswith(folder))\n"
	"    out = zipfile.ZipFile(dst, 'w', zipfile.ZIP_DEFLATED, True)\n"
	"    def put(name, data, mode):\n"
	"        i = zipfile.ZipInfo(name, when)\n"
	"        i.compress_type = zipfile.ZIP_DEFLATED\n"
	"        i.create_system = 3\n"
	"        i.external_attr = (0x8000 | mode) << 16\n"
	"        out.writestr(i, data)\n"
	"    rows = []\n"
	"    for n in names:\n"
	"        data = replaced(n, z.read(n))\n"
	"        mode = infos[n].external_attr >> 16\n"
	"        put(n, data, 0x1ed if mode & 0x49 else 0x1a4)\n"
	"        if n in (folder + 'RECORD.jws', folder + 'RECORD.p7s'):\n"
	"            rows.append((n, '', ''))\n"
	"            continue\n"
	"        digest = "
	"base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip('=')\n"
	"        rows.append((n, 'sha256=' + digest, str(len(data))))\n"
	"    rows.sort()\n"
	"    rows.append((record, '', ''))\n"
	"    text = io.StringIO() if sys.version_info[0] > 2 else io.BytesIO()\n"
	"    csv.writer(text, lineterminator='\\n').writerows(rows)\n"
	"    text = text.getvalue()\n"
	"    put(record, text if isinstance(text, bytes) else text.encode('utf-8'), 0x1a4)\n"
	"    out.close()\n"
	"with open(listing) as f:\n"
	"    for line in f.read().splitlines():\n"
	"        rewrite(*line.split('\\t'))\n";

int pip_rewrite(struct pip_work *w, const struct pip_rewrite *wheels, size_t n, const char *old,
	const char *new, const struct bind_list *binds, bool install, struct err *e)
{
	struct pip_place listing = pip_place(w, "rewrite", (struct str){0});
	const char *const args[] = {
		"-S", "-c", REWRITE, listing.inside, old, new, install ? "some" : "all", NULL};
	struct pip_command c = {.args = args,
		.binds = binds ? binds->v : NULL,
		.n_binds = binds ? binds->n : 0,
		.install = install};
	CLEANUP_BUF text = {0};

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s\t%s\t%lld\n", wheels[i].from, wheels[i].to,
			(long long)wheels[i].epoch);
	if (file_write(listing.path, buf_view(&text), 0644, e) < 0)
		return -1;
	return pip_run(w, &c, "the environment's Python, which rewrites wheels,", e);
}

/* --- what decides a wheel --------------------------------------------------------------------- */

static struct str root_version(struct pip_work *w)
{
	struct str version = {0}, reason;

	if (!w->request->engine ||
		root_glibc(w->arena, engine_root(w->request->engine), &version, &reason, NULL) < 1)
		return (struct str){0};
	return version;
}

/* A compiled wheel also depends on what it was compiled against. */
static void add_packages(const struct prefix *p, struct buf *to)
{
	for (size_t i = 0; i < p->n_packages; i++)
		buf_printf(to, "package %.*s\n", STR_ARG(p->packages[i].record->fn));
}

struct str pip_build_key(struct pip_work *w, struct str source, const struct str *options,
	size_t n_options, bool whole)
{
	const struct prefix *p = w->p;
	CLEANUP_BUF b = {0};

	buf_printf(&b, "wheel 1\nsource %.*s\nsubdir %.*s\nglibc %.*s\n", STR_ARG(source),
		STR_ARG(w->request->subdir), STR_ARG(root_version(w)));
	for (size_t i = 0; i < p->n_packages; i++)
		if (str_is(p->packages[i].record->name, "python"))
			buf_printf(&b, "python %.*s\n", STR_ARG(p->packages[i].record->fn));
	for (size_t i = 0; i < n_options; i++)
		buf_printf(&b, "option %.*s\n", STR_ARG(options[i]));
	if (whole)
		add_packages(p, &b);
	return arena_str(w->arena, buf_view(&b));
}

static bool is_pure(struct arena *a, struct str wheel)
{
	struct dist_name name;

	return dist_name_parse(a, wheel, &name) == 0 && str_is(name.platform, "any");
}

int pip_built_before(struct pip_work *w, struct str source, const struct str *options,
	size_t n_options, struct pypi_package *package, const char **path)
{
	struct arena *a = w->arena;

	for (int whole = 0; whole < 2; whole++) {
		struct str key = pip_build_key(w, source, options, n_options, whole);

		if (!wheel_built_find(
			    a, w->request->cache, key, &package->wheel, package->wheel_sha256))
			continue;
		*path = cache_find_wheel(
			a, w->request->cache, package->wheel_sha256, package->wheel);
		if (*path)
			return 1;
	}
	package->wheel = (struct str){0};
	return 0;
}

/* --- building --------------------------------------------------------------------------------- */

static int only_wheel(
	struct pip_work *w, const char *dir, const char *what, struct str *name, struct err *e)
{
	DIR *d = opendir(dir);
	struct dirent *entry;
	size_t n = 0;

	if (!d)
		return err_sys(e, "cannot open '%s'", dir);
	while ((entry = readdir(d)))
		if (str_ends(str_of(entry->d_name), STR(".whl"))) {
			*name = str_of(arena_strdup(w->arena, entry->d_name));
			n++;
		}
	closedir(d);
	if (n != 1)
		return err_set(e, ERR_SCRIPT, "pip made %zu wheels of '%s', not one", n, what);
	return 0;
}

/* A requirements file: options, then the one line.  Hashes are for what is downloaded. */
static int write_lines(struct pip_work *w, const struct build *b, const struct pip_place *file,
	struct bind_list *binds, struct err *e)
{
	struct pip_options options;
	CLEANUP_BUF text = {0};

	if (pip_options_inside(w, &w->requirements.options, &options, binds, e) < 0)
		return -1;
	options.require_hashes = false;
	requirements_write_options(&options, &text);
	buf_puts(&text, b->source_inside);
	for (size_t i = 0; i < b->n_options; i++)
		buf_printf(&text, " %.*s", STR_ARG(b->options[i]));
	buf_putc(&text, '\n');
	return file_write(file->path, buf_view(&text), 0600, e);
}

static int run_build(
	struct pip_work *w, const struct build *b, const struct pip_place *dir, struct err *e)
{
	struct arena *a = w->arena;
	struct pip_place lines = pip_place_below(w, dir, STR("requirements.txt"));
	struct bind_list binds = {0};
	const char *const env[] = {
		arena_printf(a, "SOURCE_DATE_EPOCH=%lld", (long long)b->epoch), NULL};
	const char *const args[] = {"wheel", "--no-deps", "--wheel-dir",
		pip_place_below(w, dir, STR("out")).inside, "--requirement", lines.inside, NULL};

	for (size_t i = 0; i < b->n_binds; i++)
		*VEC_PUSH(a, &binds) = b->binds[i];
	if (write_lines(w, b, &lines, &binds, e) < 0)
		return -1;
	struct pip_command c = {.args = args,
		.binds = binds.v,
		.n_binds = binds.n,
		.env = env,
		.cwd = b->cwd,
		.network = w->request->network};
	return pip_run_pip(w, &c, arena_printf(a, "building a wheel of '%s'", b->what), e);
}

static int take_wheel(struct pip_work *w, const struct build *b, const struct pip_place *dir,
	struct str source, struct pypi_package *package, const char **path, struct err *e)
{
	struct pip_place out = pip_place_below(w, dir, STR("out"));
	struct pip_place clean = pip_place_below(w, dir, STR("clean.whl"));
	struct cache *cache = w->request->cache;
	struct str name;

	if (only_wheel(w, out.path, b->what, &name, e) < 0)
		return -1;
	struct pip_rewrite rewrite = {
		pip_place_below(w, &out, name).inside, clean.inside, b->epoch};
	if (pip_rewrite(w, &rewrite, 1, w->host->request->prefix_inside, BUILD_PREFIX, NULL, false,
		    e) < 0)
		return -1;
	struct str key =
		pip_build_key(w, source, b->options, b->n_options, !is_pure(w->arena, name));
	package->wheel = name;
	if (wheel_put(w->arena, cache, clean.path, name, package->wheel_sha256, e) < 0 ||
		wheel_built_put(w->arena, cache, key, name, package->wheel_sha256, e) < 0)
		return -1;
	*path = cache_find_wheel(w->arena, cache, package->wheel_sha256, name);
	if (!*path)
		return err_set(
			e, ERR_SYSTEM, "the wheel '%.*s' went from the cache", STR_ARG(name));
	return 0;
}

int pip_build(struct pip_work *w, const struct build *b, struct str source,
	struct pypi_package *package, const char **path, struct err *e)
{
	struct step step;
	int rc;

	if (pip_host(w, e) < 0)
		return -1;
	struct pip_place dir = pip_place(w, "build", (struct str){0});
	step_begin(&step, "build", 0, 0);
	rc = dir_make(pip_place_below(w, &dir, STR("out")).path, e);
	if (rc == 0)
		rc = run_build(w, b, &dir, e);
	if (rc == 0)
		rc = take_wheel(w, b, &dir, source, package, path, e);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%.*s", STR_ARG(package->wheel));
	dir_remove(dir.path, NULL);
	return rc;
}
