/* What can be said of rules before there is any content. */
#include "packer/rules_pattern.h"

#include <stdlib.h>

bool rules_any(const struct rules *r)
{
	bool any = r->exclude.n || r->include.n || r->rename.n || r->add.n || r->max_size ||
		   r->has_pre_pack || r->n_removed || r->n_changed;

	for (int i = 0; i < N_DROPS; i++)
		any |= r->drop[i].asked;
	return any;
}

bool rules_compile(const struct rules *r)
{
	return !r->drop[DROP_BYTECODE].asked || r->include.n;
}

static int prepare_all(struct arena *a, struct rule_patterns *list, struct err *e)
{
	for (size_t i = 0; i < list->n; i++)
		if (pattern_prepare(a, &list->v[i], e) < 0)
			return -1;
	return 0;
}

static int check_rename(struct arena *a, struct rule_rename *r, struct err *e)
{
	struct arena scratch = {0};
	ptrdiff_t star = str_chr(r->to, '*');
	const char *why = NULL;

	if (pattern_prepare(a, &r->from, e) < 0)
		return -1;
	if (star >= 0 && str_rchr(r->to, '*') != star)
		why = "has more than one '*'";
	else if (r->to.n && r->to.p[r->to.n - 1] == '/')
		why = "names a folder; write '*' behind the slash for the file's own name";
	else
		why = path_complaint(rename_target(&scratch, r->to, STR("x")));
	arena_release(&scratch);
	if (!why)
		return 0;
	return err_set(e, rule_error(r->from.place), "%s: '%.*s' cannot become '%.*s', which %s",
		r->from.place, STR_ARG(r->from.text), STR_ARG(r->to), why);
}

static int by_path(const void *a, const void *b)
{
	return str_cmp(((const struct rule_file *)a)->path, ((const struct rule_file *)b)->path);
}

static int check_added(struct rules *r, struct err *e)
{
	if (r->add.n)
		qsort(r->add.v, r->add.n, sizeof *r->add.v, by_path);
	for (size_t i = 0; i < r->add.n; i++) {
		const struct rule_file *f = &r->add.v[i];
		const char *why = path_complaint(f->path);

		if (why)
			return err_set(e, rule_error(f->place), "%s: '%.*s' %s", f->place,
				STR_ARG(f->path), why);
		if (i && str_eq(r->add.v[i - 1].path, f->path))
			return err_set(e, rule_error(f->place), "%s: two files are added as '%.*s'",
				f->place, STR_ARG(f->path));
	}
	return 0;
}

int rules_check(struct arena *a, struct rules *r, struct err *e)
{
	if (r->exclude.n + r->include.n + r->rename.n > RULES_MAX)
		return err_set(e, ERR_USAGE, "more than %d patterns", RULES_MAX);
	if (prepare_all(a, &r->exclude, e) < 0 || prepare_all(a, &r->include, e) < 0)
		return -1;
	for (size_t i = 0; i < r->rename.n; i++)
		if (check_rename(a, &r->rename.v[i], e) < 0)
			return -1;
	return check_added(r, e);
}
