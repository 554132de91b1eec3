#include "builder/change.h"

#include "base/file.h"

#include <fcntl.h>

/* --- Python ------------------------------------------------------------------------------- */

/* As installed_python, of the wanted records. */
static int wanted_python(struct change *c, struct err *e)
{
	const struct install_request *r = c->wanted;

	for (size_t i = 0; i < r->n_records; i++) {
		struct package package = {.record = r->records[i]};
		const struct installed_record *have;

		if (!str_is(package.record->name, "python"))
			continue;
		have = installed_find(&c->in, package.record->name);
		if (have && installed_is(have, package.record)) {
			c->new_python = c->old_python;
			return 0;
		}
		return python_find(c->arena, &package, 1, &c->new_python, e);
	}
	return 0;
}

static bool same_python(const struct python *a, const struct python *b)
{
	return a->major == b->major && a->minor == b->minor &&
	       str_eq(a->site_packages, b->site_packages);
}

/* --- what stays, goes and comes ------------------------------------------------------------- */

static bool stays(
	const struct change *c, const struct installed_record *have, const struct record *wanted)
{
	bool for_any_python =
		have->record.noarch == NOARCH_PYTHON || wanted->noarch == NOARCH_PYTHON;

	return installed_is(have, wanted) && !(c->python_moved && for_any_python);
}

static void sort_out(struct change *c)
{
	const struct install_request *r = c->wanted;
	struct table staying = {.arena = c->arena};

	c->coming = arena_array(c->arena, struct record *, r->n_records + 1);
	c->kept = arena_array(c->arena, const struct installed_record *, c->in.n + 1);
	c->going = arena_array(c->arena, const struct installed_record *, c->in.n + 1);
	for (size_t i = 0; i < r->n_records; i++) {
		struct record *w = r->records[i];
		const struct installed_record *have = installed_find(&c->in, w->name);
		if (have && stays(c, have, w))
			table_put(&staying, w->name);
		else
			c->coming[c->n_coming++] = w;
	}
	for (size_t i = 0; i < c->in.n; i++) {
		const struct installed_record *have = &c->in.v[i];
		if (table_get(&staying, have->record.name))
			c->kept[c->n_kept++] = have;
		else
			c->going[c->n_going++] = have;
	}
}

/* --- order -------------------------------------------------------------------------------- */

enum { MAX_DEPTH = 2000 };

struct sorter {
	struct change *c;
	struct table index; /* name -> index into going, + 1; visited: cleared */
	const struct installed_record **sorted;
	size_t n;
};

/* After those it depends on, as far as they go too; a loop is cut where it is met. */
static void visit(struct sorter *s, struct str name, int depth)
{
	union table_value *v = table_get(&s->index, name);

	if (!v || !v->num || depth > MAX_DEPTH)
		return;
	const struct installed_record *r = s->c->going[v->num - 1];
	v->num = 0;
	for (size_t i = 0; i < r->record.n_depends; i++) {
		struct str rest = r->record.depends[i];
		visit(s, str_cut(&rest, ' '), depth + 1);
	}
	s->sorted[s->n++] = r;
}

/* Dependents first. */
static void sort_going(struct change *c)
{
	struct sorter s = {.c = c, .index.arena = c->arena};

	s.sorted = arena_array(c->arena, const struct installed_record *, c->n_going + 1);
	for (size_t i = 0; i < c->n_going; i++)
		table_put(&s.index, c->going[i]->record.name)->num = i + 1;
	for (size_t i = 0; i < c->n_going; i++)
		visit(&s, c->going[i]->record.name, 0);
	for (size_t i = 0; i < s.n; i++)
		c->going[i] = s.sorted[s.n - 1 - i];
	c->n_going = s.n;
}

/* --- what is not to be touched -------------------------------------------------------------- */

static bool has_folder(const struct change *c, const char *name)
{
	struct stat st;

	return fstatat(c->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* Taking conda away from its own installation would leave all of its environments orphaned. */
static int check_base(const struct change *c, struct err *e)
{
	for (size_t i = 0; i < c->n_going; i++)
		if (str_is(c->going[i]->record.name, "conda") && has_folder(c, "condabin")) {
			err_set(e, ERR_USAGE,
				"'%s' is the base environment of a conda installation",
				c->wanted->prefix);
			return err_advise(e, "install into a folder of its own");
		}
	return 0;
}

int change_diff(struct change *c, struct err *e)
{
	if (installed_read(c->arena, c->fd, &c->in, e) < 0)
		return -1;
	if (c->in.from_archive) {
		err_set(e, ERR_USAGE, "'%s' was unpacked from an archive", c->wanted->prefix);
		return err_advise(e, "install into a new folder, or pack the changed environment");
	}
	installed_python(c->arena, &c->in, &c->old_python);
	if (wanted_python(c, e) < 0)
		return -1;
	c->python_moved = !same_python(&c->old_python, &c->new_python);
	sort_out(c);
	sort_going(c);
	return check_base(c, e);
}
