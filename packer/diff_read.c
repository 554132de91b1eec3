/* What an operand is, and which target of a lock is meant. */
#include "packer/diff_side.h"

#include "base/file.h"
#include "packer/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { LOCK_MAX = 64 << 20 };

/* An operand before its target is known. */
struct operand {
	const char *path;
	enum diff_kind kind;
	struct lock lock;
	const struct lock_target *chosen;
};

/* --- kinds ------------------------------------------------------------------------------------ */

/* Locks are text; whatever an archive is compressed with, its first bytes are not. */
static bool begins_like_archive(const char *path)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC);
	char head[512];
	ssize_t n = fd < 0 ? -1 : read_full(fd, head, sizeof head);
	struct str s = str_n(head, n < 0 ? 0 : (size_t)n);

	return str_chr(s, '\0') >= 0 || str_starts(s, STR("\x1f\x8b")) ||
	       str_starts(s, STR("\x28\xb5\x2f\xfd")) || str_starts(s, STR("BZh")) ||
	       str_starts(s, STR("\xfd"
				 "7zXZ"));
}

static int is_nothing(const char *path, const char *why, struct err *e)
{
	err_set(e, ERR_USAGE, "'%s' %s", path, why);
	return err_advise(e,
		"name archives, locks or folders of environments; 'envbuild lock' makes "
		"the lock of an environment file");
}

static int open_folder(struct arena *a, struct operand *o, struct err *e)
{
	struct stat st;

	o->kind = DIFF_PREFIX;
	if (stat(path_join(a, o->path, "conda-meta"), &st) < 0 || !S_ISDIR(st.st_mode))
		return is_nothing(o->path, "is no environment: it has no folder conda-meta", e);
	return 0;
}

static int open_lock(struct arena *a, struct operand *o, struct err *e)
{
	struct str text;

	o->kind = DIFF_LOCK;
	if (file_read(a, o->path, LOCK_MAX, &text, e) < 0)
		return -1;
	if (!lock_recognize(text))
		return is_nothing(o->path, "is neither an archive nor a lock", e);
	return lock_parse(a, o->path, text, &o->lock, e);
}

static int open_operand(struct arena *a, const char *path, struct operand *o, struct err *e)
{
	enum pack_format format;
	struct stat st;

	*o = (struct operand){.path = path, .kind = DIFF_ARCHIVE};
	if (stat(path, &st) < 0) {
		if (errno != ENOENT)
			return err_sys(e, "cannot read '%s'", path);
		/* It may be there in parts; the archive's reader says what is missing. */
		return 0;
	}
	if (S_ISDIR(st.st_mode))
		return open_folder(a, o, e);
	if (!S_ISREG(st.st_mode))
		return is_nothing(path, "is neither a file nor a folder", e);
	if (pack_format_of_path(path, &format) == 0 || begins_like_archive(path))
		return 0;
	return open_lock(a, o, e);
}

/* --- targets ---------------------------------------------------------------------------------- */

static int no_target(const struct operand *o, const char *target, struct err *e)
{
	CLEANUP_BUF names = {0};

	for (size_t i = 0; i < o->lock.n_targets; i++)
		buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(o->lock.targets[i].name));
	if (target)
		err_set(e, ERR_USAGE, "the lock '%s' has no target '%s'", o->path, target);
	else
		err_set(e, ERR_USAGE, "the lock '%s' has several targets", o->path);
	return err_advise(e, "choose one with -t: %.*s", STR_ARG(buf_view(&names)));
}

static int choose(struct operand *o, const char *target, struct err *e)
{
	if (o->kind != DIFF_LOCK)
		return 0;
	if (o->lock.n_targets == 0)
		return is_nothing(o->path, "has no target", e);
	if (target)
		o->chosen = lock_find(&o->lock, str_of(target));
	/* A lock that knows no targets is called by its subdir. */
	if (!o->chosen && o->lock.n_targets == 1 &&
		(!target || subdir_is_known(o->lock.targets[0].name)))
		o->chosen = &o->lock.targets[0];
	return o->chosen ? 0 : no_target(o, target, e);
}

static bool is_open(const struct operand *o)
{
	return o->kind == DIFF_LOCK && o->lock.n_targets > 1;
}

/* The only target that both locks have; NULL: none or several. */
static const struct lock_target *common_target(const struct operand *x, const struct operand *y)
{
	const struct lock_target *found = NULL;

	for (size_t i = 0; i < x->lock.n_targets; i++) {
		if (!lock_find(&y->lock, x->lock.targets[i].name))
			continue;
		if (found)
			return NULL;
		found = &x->lock.targets[i];
	}
	return found;
}

static int finish(struct arena *a, struct operand *o, struct diff_side *out, struct err *e)
{
	switch (o->kind) {
	case DIFF_ARCHIVE:
		return side_read_archive(a, o->path, out, e);
	case DIFF_PREFIX:
		return side_read_prefix(a, o->path, out, e);
	case DIFF_LOCK:
		break;
	}
	return side_read_lock(a, o->path, o->chosen, out);
}

int diff_read(struct arena *a, const char *operand, const char *target, struct diff_side *out,
	struct err *e)
{
	struct operand o;

	if (open_operand(a, operand, &o, e) < 0 || choose(&o, target, e) < 0)
		return -1;
	return finish(a, &o, out, e);
}

static struct str subdir_of(const struct diff_side *side)
{
	for (size_t i = 0; i < side->n_packages; i++)
		if (side->packages[i].subdir.n && !str_is(side->packages[i].subdir, "noarch"))
			return side->packages[i].subdir;
	return (struct str){0};
}

/* The lock o has several targets: the other side, which is read, was made for one of them. */
static int choose_like(struct operand *o, const struct diff_side *other, struct err *e)
{
	o->chosen = lock_find_for(&o->lock, other->target, subdir_of(other));
	return o->chosen ? 0 : no_target(o, NULL, e);
}

int diff_read_both(struct arena *a, const char *old, const char *new, const char *target,
	struct diff_side out[2], struct err *e)
{
	struct operand o[2];
	bool both;
	size_t first;

	if (open_operand(a, old, &o[0], e) < 0 || open_operand(a, new, &o[1], e) < 0)
		return -1;
	both = !target && is_open(&o[0]) && is_open(&o[1]);
	if (both && common_target(&o[0], &o[1]))
		target = arena_cstr(a, common_target(&o[0], &o[1])->name);
	first = !target && is_open(&o[0]) ? 1 : 0;
	if (choose(&o[first], target, e) < 0 || finish(a, &o[first], &out[first], e) < 0)
		return -1;
	if (!target && is_open(&o[1 - first]) ? choose_like(&o[1 - first], &out[first], e) < 0
					      : choose(&o[1 - first], target, e) < 0)
		return -1;
	return finish(a, &o[1 - first], &out[1 - first], e);
}
