/* An environment as it lies in a folder; what was read of it before is not read again. */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/work.h"
#include "builder/beneath.h"
#include "builder/dist.h"
#include "builder/prefix_cache.h"
#include "builder/scan.h"
#include "packer/audit_look.h"
#include "packer/audit_owners.h"
#include "packer/audit_symbols.h"
#include "packer/audit_tree.h"
#include "packer/audit_walk.h"
#include "packer/relocator/relocate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdatomic.h>
#include <unistd.h>

enum { SAID = 5 };

/* A file with what is known of it. */
struct item {
	const struct kept_file *before; /* what was kept of this path; NULL: nothing */
	bool holds;                     /* and it is unchanged */
	struct str link;                /* where a link leads */
	struct audit_look look;
	int error; /* it could not be read: errno */
};

struct looking {
	struct arena *a;
	int fd;
	const char *prefix; /* absolute */
	unsigned jobs;
	int64_t horizon;
	bool base;           /* conda itself */
	struct str declared; /* the folder's own path, where it looks like one of a build machine */
	struct walk_result files;
	struct item *items; /* one for each */
	struct kept_prefix kept;
	bool owners_hold, changed;
	bool doubtful; /* something was said of the owners: it is to be said the next time as well */
	struct arena *arenas; /* one for each worker */
	atomic_size_t next;
	struct audit_growing g;
	struct audit_owners owners;
};

/* --- what lies there -------------------------------------------------------------------------- */

/* conda itself keeps packages and environments below its own. */
static bool is_of_others(const void *ctx, struct str path)
{
	const struct looking *l = ctx;

	return installed_is_mark(path) ||
	       (l->base && (str_is(path, "pkgs") || str_is(path, "envs")));
}

static void tell_unread(const struct looking *l)
{
	const struct walk_result *w = &l->files;

	for (size_t i = 0; i < w->n_unread && i < SAID; i++)
		log_warn("the folder '%s%s%.*s' is not audited: %s", l->prefix,
			w->unread[i].path.n ? "/" : "", STR_ARG(w->unread[i].path),
			strerror(w->unread[i].error));
	if (w->n_unread > SAID)
		log_warn("%zu more folders cannot be read", w->n_unread - SAID);
}

static int walk(struct looking *l, struct err *e)
{
	struct walk_request r = {
		.fd = l->fd, .root = l->prefix, .jobs = l->jobs, .skip = is_of_others, .ctx = l};
	struct stat st;

	l->base = fstatat(l->fd, "condabin", &st, AT_SYMLINK_NOFOLLOW) == 0;
	if (audit_walk(l->a, &r, &l->files, e) < 0)
		return -1;
	l->items = arena_array(l->a, struct item, l->files.n);
	tell_unread(l);
	return 0;
}

/* --- what is known of it ---------------------------------------------------------------------- */

/* Both lists rise by path. */
static void match(struct looking *l)
{
	const struct kept_prefix *kept = &l->kept;
	size_t k = 0, same = 0;

	l->owners_hold = kept->n_files > 0;
	for (size_t i = 0; i < l->files.n; i++) {
		const struct walked *w = &l->files.v[i];
		struct item *item = &l->items[i];

		for (; k < kept->n_files && str_cmp(kept->files[k].path, w->path) < 0; k++)
			l->owners_hold &= !audit_owners_paper(kept->files[k].path);
		if (k < kept->n_files && str_eq(kept->files[k].path, w->path))
			item->before = &kept->files[k++];
		item->holds = item->before && item->before->read &&
			      file_stamp_same(&item->before->stamp, &w->stamp);
		same += item->holds;
		l->owners_hold &= item->before && (item->holds || !audit_owners_paper(w->path));
	}
	for (; k < kept->n_files; k++)
		l->owners_hold &= !audit_owners_paper(kept->files[k].path);
	l->changed = same != l->files.n || same != kept->n_files || !l->owners_hold;
}

/* --- what has to be read ---------------------------------------------------------------------- */

static bool is_looked_at(const struct looking *l, size_t i)
{
	const struct walked *w = &l->files.v[i];

	return !l->items[i].holds && S_ISREG(w->stamp.mode) && w->stamp.size > 0 &&
	       !str_starts(w->path, STR("conda-meta/"));
}

static void read_link(struct arena *a, struct beneath *b, struct str path, struct item *out)
{
	char name[256], target[PATH_MAX];
	int dir = beneath_parent(b, path, name, NULL);
	ssize_t n = dir < 0 ? -1 : readlinkat(dir, name, target, sizeof target);

	if (n < 0)
		out->error = ENOENT;
	else
		out->link = arena_str(a, str_n(target, (size_t)n));
}

static int open_at(struct beneath *b, struct str path, struct err *e)
{
	char name[256];
	int dir = beneath_parent(b, path, name, e), fd;

	if (dir < 0)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? err_sys(e, "cannot open it") : fd;
}

/* Any error of one file is this file's: the others are looked at all the same. */
static int look_at(struct looking *l, struct audit_looking *buffers, struct arena *a,
	struct beneath *b, size_t i)
{
	const struct walked *w = &l->files.v[i];
	struct err why = {0};
	struct stat st;
	CLEANUP_FD fd = open_at(b, w->path, &why);
	struct audit_subject s = {.path = w->path,
		.size = w->stamp.size,
		.mode = w->stamp.mode,
		.read = audit_read_fd,
		.ctx = &fd,
		.fd = fd,
		.declared = l->declared};
	int rc = 0;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		audit_look(buffers, a, &s, &l->items[i].look, &why) < 0) {
		l->items[i].error = why.sys ? why.sys : EINVAL;
		rc = why.code == ERR_INTERRUPTED ? -1 : 0;
	}
	err_release(&why);
	return rc;
}

static int work(void *ctx, size_t i, struct err *e)
{
	struct looking *l = ctx;
	struct audit_looking buffers = {0};
	struct beneath b;
	size_t k;
	int rc = 0;

	beneath_init(&b, l->fd, false);
	while (rc == 0 && (k = atomic_fetch_add(&l->next, 1)) < l->files.n) {
		if (is_looked_at(l, k) && look_at(l, &buffers, &l->arenas[i], &b, k) < 0)
			rc = interrupt_check(e);
		if (!l->items[k].holds && S_ISLNK(l->files.v[k].stamp.mode))
			read_link(&l->arenas[i], &b, l->files.v[k].path, &l->items[k]);
	}
	beneath_release(&b);
	audit_looking_release(&buffers);
	return rc;
}

/* What went while we looked is not there, and nothing to tell. */
static void tell_errors(const struct looking *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->files.n; i++)
		if (l->items[i].error && l->items[i].error != ENOENT && ++n <= SAID)
			log_warn("'%s/%.*s' is not audited: %s", l->prefix,
				STR_ARG(l->files.v[i].path), strerror(l->items[i].error));
	if (n > SAID)
		log_warn("%zu more files cannot be read", n - SAID);
}

static int read_changed(struct looking *l, struct err *e)
{
	size_t n = 0;
	int rc;

	l->arenas = arena_array(l->a, struct arena, l->jobs);
	rc = work_run(l->jobs, l->jobs, work, l, e);
	for (unsigned i = 0; i < l->jobs; i++)
		arena_join(l->a, &l->arenas[i]);
	for (size_t i = 0; i < l->files.n; i++)
		n += is_looked_at(l, i);
	log_debug("'%s': %zu files, %zu of them read", l->prefix, l->files.n, n);
	if (rc == 0)
		tell_errors(l);
	return rc;
}

/* --- owners ----------------------------------------------------------------------------------- */

static void add_dists(struct looking *l, const struct installed *in)
{
	struct installed_dists dists;
	struct python python;
	struct err why = {0};

	if (!installed_python(l->a, in, &python))
		return;
	l->doubtful = dists_installed(l->a, l->fd, python.site_packages, &dists, &why) < 0;
	if (l->doubtful)
		log_warn("what pip brought to '%s' is not known: %s", l->prefix, why.text);
	else
		for (size_t i = 0; i < dists.n; i++) {
			const struct installed_dist *d = &dists.v[i];

			audit_owners_dist(&l->owners, dist_anchor(l->a, l->fd, d->path),
				d->dist.given_name, d->dist.version, d->files, d->n_files);
		}
	err_release(&why);
}

/* Binaries can be audited without knowing whose they are. */
static void read_owners(struct looking *l)
{
	struct installed *in = arena_new(l->a, struct installed);
	struct err why = {0};

	if (installed_read(l->a, l->fd, in, &why) < 0) {
		log_warn("which packages '%s' has is not known: %s", l->prefix, why.text);
		err_release(&why);
		l->doubtful = true;
		return;
	}
	if (in->unfinished || in->transaction)
		log_warn("a run that changed '%s' did not come to its end", l->prefix);
	audit_owners_installed(&l->owners, in);
	add_dists(l, in);
}

static void keep_owners(struct looking *l)
{
	for (size_t i = 0; i < l->kept.n_packages; i++) {
		const struct kept_package *p = &l->kept.packages[i];

		*VEC_PUSH(l->a, &l->g.packages) = (struct audit_package){.name = p->name,
			.version = p->version,
			.build = p->build,
			.dist = p->dist,
			.record = p->record};
	}
}

/* Where owners hold, each file that is there was there. */
static ptrdiff_t owner_of(const struct looking *l, size_t i)
{
	return l->owners_hold ? l->items[i].before->package
			      : audit_owners_of(&l->owners, l->files.v[i].path);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* What was kept of a file that has not changed is as good as a look. */
static void recall(struct looking *l)
{
	for (size_t i = 0; i < l->files.n; i++) {
		struct item *item = &l->items[i];

		if (!item->holds)
			continue;
		item->link = item->before->link;
		item->look = (struct audit_look){.interpreter = item->before->interpreter,
			.leftover = item->before->leftover,
			.binary = item->before->binary};
	}
}

/* Whose files are in them is not asked: they may be anybody's. */
static void add_unread_folders(struct looking *l)
{
	for (size_t i = 0; l->files.n_unread && i < l->g.packages.n; i++)
		l->g.packages.v[i].covered = true;
	for (size_t i = 0; i < l->files.n_unread; i++) {
		const struct walk_unread *u = &l->files.unread[i];

		audit_growing_file(&l->g, u->path.n ? u->path : STR("."), -1, PATH_DIRECTORY, 0)
			->unread = strerror(u->error);
	}
}

static int add_files(struct looking *l, struct err *e)
{
	/* As many as there can be: an array that grows leaves its old ones behind. */
	l->g.files.cap = l->files.n + l->files.n_unread;
	l->g.files.v = arena_array(l->a, struct audit_file, l->g.files.cap);
	for (size_t i = 0; i < l->files.n; i++) {
		const struct walked *w = &l->files.v[i];
		const struct item *item = &l->items[i];
		struct audit_file *f;

		if (str_starts(w->path, STR("conda-meta/")) || item->error == ENOENT)
			continue;
		f = audit_growing_file(&l->g, w->path, owner_of(l, i),
			S_ISLNK(w->stamp.mode) ? PATH_SOFTLINK : PATH_FILE, w->stamp.mode & 0777);
		f->link = item->link;
		f->interpreter = item->look.interpreter;
		f->leftover = item->look.leftover;
		f->unread = item->error ? strerror(item->error) : NULL;
		if (f->unread && f->package >= 0)
			l->g.packages.v[f->package].covered = true;
		if (item->look.binary && audit_growing_binary(&l->g, f, item->look.binary, e) < 0)
			return -1;
	}
	add_unread_folders(l);
	return 0;
}

static void keep_packages(struct looking *l, struct kept_prefix *to)
{
	to->n_packages = l->g.packages.n;
	to->packages = arena_array(l->a, struct kept_package, to->n_packages);
	for (size_t i = 0; i < to->n_packages; i++) {
		const struct audit_package *p = &l->g.packages.v[i];

		to->packages[i] =
			(struct kept_package){p->name, p->version, p->build, p->dist, p->record};
	}
}

static void keep(struct looking *l, const struct cache *c)
{
	struct kept_prefix to = {
		.files = arena_array(l->a, struct kept_file, l->files.n), .n_files = l->files.n};

	keep_packages(l, &to);
	for (size_t i = 0; i < l->files.n; i++) {
		const struct walked *w = &l->files.v[i];
		const struct item *item = &l->items[i];

		to.files[i] = (struct kept_file){
			.path = w->path, .stamp = w->stamp, .package = owner_of(l, i)};
		/* What cannot be told from a later version of it is read again. */
		if (item->error || (l->doubtful && audit_owners_paper(w->path)) ||
			!(item->holds || file_stamp_lasts(&w->stamp, l->horizon)))
			continue;
		to.files[i].read = true;
		to.files[i].link = item->link;
		to.files[i].interpreter = item->look.interpreter;
		to.files[i].leftover = item->look.leftover;
		to.files[i].binary = item->look.binary;
	}
	prefix_cache_save(c, l->prefix, &to);
}

/* What lies there and what was kept of it are found out at the same time. */
struct opening {
	struct looking *l;
	const struct cache *cache;
	struct arena arena; /* of what was kept */
};

static int open_half(void *ctx, size_t i, struct err *e)
{
	struct opening *o = ctx;

	if (i == 0)
		return walk(o->l, e);
	prefix_cache_load(&o->arena, o->cache, o->l->prefix, &o->l->kept);
	return 0;
}

/* A run that changes it, or has changed it by half. */
static bool is_marked(int fd)
{
	struct stat st;

	return fstatat(fd, UNFINISHED_MARK, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	       fstatat(fd, TRANSACTION_DIR, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static int look(struct looking *l, const struct cache *c, struct err *e)
{
	struct opening opening = {.l = l, .cache = c};
	int rc;

	l->horizon = prefix_cache_horizon(l->fd);
	rc = work_run(l->jobs, c ? 2 : 1, open_half, &opening, e);
	arena_join(l->a, &opening.arena);
	if (rc < 0)
		return -1;
	match(l);
	l->owners_hold &= !is_marked(l->fd);
	if (read_changed(l, e) < 0)
		return -1;
	recall(l);
	audit_owners_begin(&l->owners, &l->g);
	if (l->owners_hold)
		keep_owners(l);
	else
		read_owners(l);
	if (add_files(l, e) < 0)
		return -1;
	if (c && l->changed)
		keep(l, c);
	return 0;
}

/* What was unpacked for another place has that in its files. */
static struct str meant_prefix(const struct looking *l)
{
	char recorded[RELOCATE_PATH_MAX + 1];
	struct relocate_error why = {0};

	if (relocate_recorded(l->fd, recorded, &why) == 1)
		return arena_str(l->a, str_of(recorded));
	return str_of(l->prefix);
}

int audit_tree_prefix(struct arena *a, const struct cache *c, const char *prefix, unsigned jobs,
	struct audit_tree *out, struct err *e)
{
	CLEANUP_FD fd = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct looking l = {.a = a,
		.fd = fd,
		.prefix = path_absolute(a, prefix),
		.jobs = jobs ? jobs : 1,
		.g.a = a};

	if (fd < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (scan_build_path(a, str_of(l.prefix), &(struct places){0}, 0).n)
		l.declared = str_of(l.prefix);
	if (look(&l, c, e) < 0)
		return err_wrap(e, "in '%s'", prefix);
	audit_growing_finish(&l.g, prefix, out);
	out->prefix = meant_prefix(&l);
	audit_symbols_below(a, out, l.prefix);
	return 0;
}
