/* Files of a site's own: copied when the run begins, so that what is hashed is what is packed. */
#include "packer/rules.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { ADDED_MAX = 1000000 };

struct capture {
	struct arena *arena;
	struct rules *rules;
	const char *source, *place, *work;
	struct str destination;
	int folder; /* of the source; -1: it is a file */
};

static int copy_bytes(struct capture *c, int from, struct rule_file *f, struct err *e)
{
	char *to = arena_printf(c->arena, "%s/%zu", c->work, c->rules->add.n);
	CLEANUP_FD fd = open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", to);
	if (fd_copy(from, fd, e) < 0 || file_hash(to, f->sha256, NULL, e) < 0)
		return -1;
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at '%s'", to);
	f->size = (uint64_t)st.st_size;
	f->source = to;
	return 0;
}

/* shown: what messages call it. */
static int add_file(struct capture *c, int dir, const char *rel, const char *shown, struct str path,
	struct err *e)
{
	struct rule_file f = {.path = path, .place = c->place};
	CLEANUP_FD fd = openat(dir, rel, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return err_sys(e, "cannot read '%s'", shown);
	if (fstat(fd, &st) < 0)
		return err_sys(e, "cannot look at '%s'", shown);
	if (!S_ISREG(st.st_mode))
		return err_set(e, rule_error(c->place), "%s: '%s' is neither file nor folder",
			c->place, shown);
	f.executable = st.st_mode & S_IXUSR;
	if (copy_bytes(c, fd, &f, e) < 0)
		return -1;
	*VEC_PUSH(c->arena, &c->rules->add) = f;
	return 0;
}

/* Does the text, from a link at rel, lead to something in the folder? */
static bool stays_inside(const char *rel, struct str text)
{
	ptrdiff_t depth = 0;

	if (text.n == 0 || text.p[0] == '/')
		return false;
	for (; *rel; rel++)
		depth += *rel == '/';
	while (text.p) {
		struct str part = str_cut(&text, '/');

		if (str_is(part, ".."))
			depth--;
		else if (part.n && !str_is(part, "."))
			depth++;
		if (depth < 0)
			return false;
	}
	return true;
}

static int add_link(
	struct capture *c, const char *rel, const char *shown, struct str path, struct err *e)
{
	char text[PATH_MAX];
	ssize_t n = readlinkat(c->folder, rel, text, sizeof text);
	struct stat st;

	if (n < 0 || (size_t)n == sizeof text)
		return err_sys(e, "cannot read the link '%s'", shown);
	if (!stays_inside(rel, str_n(text, (size_t)n)) || fstatat(c->folder, rel, &st, 0) < 0) {
		err_set(e, rule_error(c->place), "%s: the link '%s' leads to nothing in '%s'",
			c->place, shown, c->source);
		return err_advise(e, "put the file itself there");
	}
	*VEC_PUSH(c->arena, &c->rules->add) = (struct rule_file){.path = path,
		.place = c->place,
		.link = arena_str(c->arena, str_n(text, (size_t)n))};
	return 0;
}

static int visit(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct capture *c = ctx;
	const char *shown = path_join(c->arena, c->source, rel);
	struct str path = arena_strf(c->arena, "%.*s/%s", STR_ARG(c->destination), rel);

	if (S_ISDIR(st->st_mode))
		return 0;
	if (c->rules->add.n >= ADDED_MAX)
		return err_set(
			e, rule_error(c->place), "%s: more than %d files", c->place, ADDED_MAX);
	if (S_ISLNK(st->st_mode))
		return add_link(c, rel, shown, path, e);
	return add_file(c, c->folder, rel, shown, path, e);
}

static int add_folder(struct capture *c, struct err *e)
{
	size_t before = c->rules->add.n;

	if (dir_walk(c->folder, visit, c, e) != 0)
		return -1;
	if (c->rules->add.n == before)
		return err_set(e, rule_error(c->place), "%s: nothing is in the folder '%s'",
			c->place, c->source);
	return 0;
}

int rules_capture(struct arena *a, const char *source, struct str destination, const char *place,
	const char *work, struct rules *r, struct err *e)
{
	struct capture c = {.arena = a,
		.rules = r,
		.source = source,
		.place = place,
		.work = work,
		.destination = destination};
	struct stat st;

	if (stat(source, &st) < 0) {
		if (errno != ENOENT && errno != ENOTDIR)
			return err_sys(e, "cannot look at '%s'", source);
		return err_set(e, rule_error(place), "%s: no file '%s' to add", place, source);
	}
	if (dir_make(work, e) < 0)
		return -1;
	if (destination.n && destination.p[destination.n - 1] == '/')
		c.destination = arena_strf(a, "%.*s%s", STR_ARG(destination), path_base(source));
	if (!S_ISDIR(st.st_mode))
		return add_file(&c, AT_FDCWD, source, source, c.destination, e);
	CLEANUP_FD folder = open(source, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return err_sys(e, "cannot open '%s'", source);
	c.folder = folder;
	return add_folder(&c, e);
}
