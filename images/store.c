#include "images/store.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "images/image_json.h"
#include "images/profile.h"
#include "images/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

enum { MAX_PAPER = 1 << 20, VERSION = 1 };

/* --- places --------------------------------------------------------------------------------- */

static struct str hex_of(struct str digest)
{
	ptrdiff_t colon = str_chr(digest, ':');

	return str_sub(digest, (size_t)(colon + 1), digest.n);
}

static char *tree_path(struct arena *a, const struct store *s, struct str digest)
{
	struct str hex = hex_of(digest);

	return arena_printf(a, "%s/trees/%.*s", s->dir, STR_ARG(hex));
}

static char *names_path(struct arena *a, const struct store *s)
{
	return path_join(a, s->dir, "names");
}

static char *name_path(struct arena *a, const struct store *s, const char *name)
{
	return path_join(a, names_path(a, s), name);
}

/* --- papers --------------------------------------------------------------------------------- */

/*
 * A flat object of texts and whole numbers:
 *	facts   {"version": 1, "digest": TEXT, "glibc": TEXT, "bytes": N, "files": N}
 *	a name  {"version": 1, "digest": TEXT, "origin": TEXT, "imported": N}
 */
static void write_paper(struct buf *to, const struct image *i, bool facts)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	jw_key(&w, "version");
	jw_int(&w, VERSION);
	jw_key(&w, "digest");
	jw_str(&w, i->digest);
	jw_key(&w, facts ? "glibc" : "origin");
	jw_str(&w, facts ? i->glibc : i->origin);
	jw_key(&w, facts ? "bytes" : "imported");
	jw_int(&w, facts ? (int64_t)i->bytes : i->imported);
	if (facts) {
		jw_key(&w, "files");
		jw_int(&w, (int64_t)i->files);
	}
	jw_object_end(&w);
	buf_putc(to, '\n');
}

static struct str *text_of(struct image *i, struct str key)
{
	if (str_is(key, "digest"))
		return &i->digest;
	if (str_is(key, "glibc"))
		return &i->glibc;
	return str_is(key, "origin") ? &i->origin : NULL;
}

static void take_number(struct image *i, struct str key, int64_t n, int64_t *version)
{
	if (str_is(key, "bytes"))
		i->bytes = (uint64_t)n;
	else if (str_is(key, "files"))
		i->files = (uint64_t)n;
	else if (str_is(key, "imported"))
		i->imported = n;
	else if (str_is(key, "version"))
		*version = n;
}

static int take_value(
	struct arena *a, struct json *j, struct image *i, int64_t *version, struct err *e)
{
	struct str key = arena_str(a, json_text(j)), *text = text_of(i, key);
	enum json_type t = json_next(j);
	int64_t n;

	if (t == JSON_STRING && text)
		*text = arena_str(a, json_text(j));
	else if (t == JSON_NUMBER && json_int(j, &n) == 0 && n >= 0)
		take_number(i, key, n, version);
	else if (t == JSON_ERROR || json_skip_rest(j, t) < 0)
		return json_error(j, e);
	return 0;
}

static int parse_paper(struct arena *a, struct json *j, struct image *i, struct err *e)
{
	int64_t version = 0;
	enum json_type t = json_next(j);

	if (t != JSON_OBJECT)
		return t == JSON_ERROR ? json_error(j, e) : json_fail(j, e, "no object");
	while ((t = json_next(j)) == JSON_KEY)
		if (take_value(a, j, i, &version, e) < 0)
			return -1;
	if (t == JSON_ERROR)
		return json_error(j, e);
	if (version != VERSION)
		return json_fail(j, e, "of version %lld, which this envbuild does not know",
			(long long)version);
	if (!oci_digest_is_valid(i->digest))
		return json_fail(j, e, "no usable digest");
	return 0;
}

/* 1, 0 where there is no such file, or -1. */
static int read_paper(struct arena *a, const char *path, struct image *i, struct err *e)
{
	struct err why = {0};
	struct str text;
	struct json *j;
	int r;

	if (file_read(a, path, MAX_PAPER, &text, &why) < 0) {
		if (why.sys != ENOENT && why.sys != ENOTDIR)
			return err_move(e, &why);
		err_release(&why);
		return 0;
	}
	j = json_open_text(text, path);
	r = parse_paper(a, j, i, e);
	json_close(j);
	if (r < 0)
		return err_advise(e, "remove the image ('envbuild image rm') and import it again");
	return 1;
}

static int write_name(struct arena *a, const struct store *s, const struct state *work,
	const struct image *i, struct err *e)
{
	CLEANUP_BUF text = {0};
	CLEANUP_FILE_OUT out = {.fd = -1};
	const char *path = name_path(a, s, arena_cstr(a, i->name));

	write_paper(&text, i, false);
	if (dir_make(names_path(a, s), e) < 0 ||
		file_begin_in(&out, path, work->dir, 0644, e) < 0 ||
		write_full(out.fd, text.p, text.n, e) < 0)
		return -1;
	return file_commit(&out, e);
}

/* --- reading -------------------------------------------------------------------------------- */

int store_tree(
	struct arena *a, const struct store *s, struct str digest, struct image *out, struct err *e)
{
	char *path = tree_path(a, s, digest);
	int r = read_paper(a, path_join(a, path, "facts"), out, e);

	if (r > 0) {
		out->digest = arena_str(a, digest);
		out->root = path_join(a, path, "root");
	}
	return r > 0 ? path_exists(out->root) : r;
}

bool store_has_trees(const struct store *s)
{
	struct arena a = {0};
	struct stat st;
	/* "." and "..", and a link back from each folder, where the file system counts so */
	bool has = stat(path_join(&a, s->dir, "trees"), &st) == 0 && st.st_nlink != 2;

	arena_release(&a);
	return has;
}

int store_find(
	struct arena *a, const struct store *s, const char *name, struct image *out, struct err *e)
{
	int r;

	*out = (struct image){0};
	if (!profile_name_is_good(str_of(name)))
		return 0;
	r = read_paper(a, name_path(a, s, name), out, e);
	if (r > 0)
		r = store_tree(a, s, out->digest, out, e);
	if (r < 0)
		return err_wrap(e, "image '%s'", name);
	out->name = str_of(arena_strdup(a, name));
	return r;
}

struct listing {
	struct arena *a;
	const struct store *s;
	struct {
		struct image *v;
		size_t n, cap;
	} images;
};

static int visit_name(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct listing *l = ctx;
	struct image image;
	int r;

	if (S_ISDIR(st->st_mode))
		return DIR_SKIP;
	r = store_find(l->a, l->s, rel, &image, e);
	if (r > 0)
		*VEC_PUSH(l->a, &l->images) = image;
	return r < 0 ? -1 : 0;
}

int store_list(struct arena *a, const struct store *s, struct image **out, size_t *n, struct err *e)
{
	struct listing l = {.a = a, .s = s};
	CLEANUP_FD fd = open(names_path(a, s), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno != ENOENT)
		return err_sys(e, "cannot read the images in '%s'", s->dir);
	if (fd >= 0 && dir_walk(fd, visit_name, &l, e) < 0)
		return -1;
	*out = l.images.v;
	*n = l.images.n;
	return 0;
}

int store_hold(const struct image *image, struct err *e)
{
	CLEANUP_FD fd = open(image->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat held, st;

	/* who removes it locks it, moves it and only then lets go */
	if (fd >= 0 && (flock(fd, LOCK_SH) == 0 || errno != EINTR) && fstat(fd, &held) == 0 &&
		stat(image->root, &st) == 0 && held.st_ino == st.st_ino)
		return steal_fd(&fd);
	err_set(e, ERR_FAIL, "the image '%.*s' has just been removed", STR_ARG(image->name));
	return err_advise(e, "import it again");
}

/* --- changing ------------------------------------------------------------------------------- */

/* 1 locked, 0 where the file system refuses locks, or -1. */
static int lock_store(struct arena *a, const struct store *s, int *fd, struct err *e)
{
	const char *path = path_join(a, s->dir, "lock");

	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	if (*fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	if (flock(*fd, LOCK_EX) == 0)
		return 1;
	if (errno != ENOLCK && errno != EOPNOTSUPP && errno != ENOSYS)
		return err_sys(e, "cannot lock '%s'", path);
	return 0;
}

struct sweep {
	struct arena *a;
	const struct store *s;
	const struct state *work;
	struct {
		struct str *v;
		size_t n, cap;
	} used; /* digests */
	bool some_held;
};

/* Every file there counts, also one that cannot be read: then nothing is swept. */
static int visit_used(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct sweep *w = ctx;
	struct image image = {0};

	(void)st;
	if (rel[0] == '.')
		return 0;
	if (read_paper(w->a, name_path(w->a, w->s, rel), &image, e) < 0)
		return -1;
	*VEC_PUSH(w->a, &w->used) = hex_of(image.digest);
	return 0;
}

/* Into the work folder, so that the tree is there as a whole or not at all. */
static int remove_tree(struct sweep *w, const char *hex, struct err *e)
{
	char *path = arena_printf(w->a, "%s/trees/%s", w->s->dir, hex);
	CLEANUP_FD fd = open(
		path_join(w->a, path, "root"), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK) {
		log_debug("'%s' is in use and stays for now", path);
		return 0;
	}
	if (rename(path, path_join(w->a, w->work->dir, hex)) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", path);
	return 0;
}

static int visit_tree(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct sweep *w = ctx;

	for (size_t i = 0; i < w->used.n; i++)
		if (str_is(w->used.v[i], rel))
			return DIR_SKIP;
	if (remove_tree(w, rel, e) < 0)
		return -1;
	return S_ISDIR(st->st_mode) ? DIR_SKIP : 0;
}

static int walk_part(struct sweep *w, const char *part, dir_visitor *visit, struct err *e)
{
	CLEANUP_FD fd = open(path_join(w->a, w->s->dir, part), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_sys(e, "cannot read '%s/%s'", w->s->dir, part);
	return dir_walk(fd, visit, w, e);
}

/* Trees without a name, under the store's lock; what cannot be swept is said and stays. */
static void sweep_trees(const struct store *s, const struct state *work)
{
	struct arena a = {0};
	struct sweep w = {.a = &a, .s = s, .work = work};
	struct err e = {0};

	if (walk_part(&w, "names", visit_used, &e) < 0 ||
		walk_part(&w, "trees", visit_tree, &e) < 0)
		log_warn("images that nobody needs stay: %s", e.text);
	err_release(&e);
	arena_release(&a);
}

int store_work(const struct store *s, struct state *work, struct err *e)
{
	struct arena a = {0};
	int r = state_open(work, path_join(&a, s->dir, "work"), e);

	arena_release(&a);
	if (r == 0)
		return 0;
	err_wrap(e, "in the images' folder '%s'", s->dir);
	return err_advise(e, "ENVBUILD_DATA names another folder for images");
}

/* Under the lock.  1 where a tree came to stand there or did. */
static int place_tree(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e)
{
	char *to = tree_path(a, s, image->digest);

	if (dir_make(path_dir(a, to), e) < 0)
		return -1;
	/* somebody has removed what is in it by hand */
	if ((!path_exists(path_join(a, to, "root")) || !path_exists(path_join(a, to, "facts"))) &&
		rename(to, path_join(a, work->dir, "rest")) < 0 && errno != ENOENT)
		return err_sys(e, "cannot remove '%s'", to);
	if (rename(path_join(a, work->dir, "tree"), to) < 0 && errno != EEXIST &&
		errno != ENOTEMPTY)
		return err_sys(e, "cannot make '%s'", to);
	return dir_sync(path_dir(a, to), e);
}

static int give_name(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e)
{
	struct str name = image->name, origin = image->origin;
	int r = store_tree(a, s, image->digest, image, e);

	if (r <= 0)
		return r;
	image->name = name;
	image->origin = origin;
	image->imported = time(NULL);
	return write_name(a, s, work, image, e) < 0 ? -1 : 1;
}

static int change(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, bool publish, struct err *e)
{
	CLEANUP_FD lock = -1;
	int locked = lock_store(a, s, &lock, e), r;

	if (locked < 0 || (publish && place_tree(a, s, work, image, e) < 0))
		return -1;
	r = give_name(a, s, work, image, e);
	if (r > 0 && locked)
		sweep_trees(s, work);
	return r;
}

int store_adopt(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e)
{
	return change(a, s, work, image, false, e);
}

static int write_facts(struct arena *a, const char *tree, const struct image *image, struct err *e)
{
	CLEANUP_BUF text = {0};
	CLEANUP_FD fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	write_paper(&text, image, true);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", tree);
	if (file_write(path_join(a, tree, "facts"), buf_view(&text), 0644, e) < 0)
		return -1;
	return disk_sync(fd, tree, e);
}

int store_publish(struct arena *a, const struct store *s, const struct state *work,
	struct image *image, struct err *e)
{
	int r = write_facts(a, path_join(a, work->dir, "tree"), image, e);

	if (r == 0)
		r = change(a, s, work, image, true, e);
	if (r == 0)
		return err_set(e, ERR_FAIL, "the image '%.*s' was removed while it was imported",
			STR_ARG(image->name));
	return r < 0 ? -1 : 0;
}

/* Where locks are refused, the tree of that name alone goes, if no other name stands for it. */
static int remove_own_tree(struct arena *a, const struct store *s, const struct state *work,
	const struct image *image, struct err *e)
{
	struct sweep w = {.a = a, .s = s, .work = work};
	struct str hex = hex_of(image->digest);

	if (walk_part(&w, "names", visit_used, e) < 0)
		return -1;
	for (size_t i = 0; i < w.used.n; i++)
		if (str_eq(w.used.v[i], hex))
			return 0;
	return remove_tree(&w, arena_cstr(a, hex), e);
}

static int remove_name(struct arena *a, const struct store *s, const struct state *work,
	const char *name, struct err *e)
{
	CLEANUP_FD lock = -1;
	struct image image = {0};
	const char *path = name_path(a, s, name);
	int locked = lock_store(a, s, &lock, e), r;

	if (locked < 0)
		return -1;
	r = read_paper(a, path, &image, NULL);
	if (r == 0)
		return 0;
	if (unlink(path) < 0)
		return err_sys(e, "cannot remove '%s'", path);
	if (locked)
		sweep_trees(s, work);
	else if (r > 0 && remove_own_tree(a, s, work, &image, e) < 0)
		return -1;
	return 1;
}

int store_remove(struct arena *a, const struct store *s, const char *name, struct err *e)
{
	struct state work;
	int r;

	if (!profile_name_is_good(str_of(name)) || !path_exists(name_path(a, s, name)))
		return 0;
	r = store_work(s, &work, e);
	if (r == 0)
		r = remove_name(a, s, &work, name, e);
	state_close(&work);
	return r;
}
