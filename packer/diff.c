#include "packer/diff.h"

#include "base/table.h"
#include "images/libc.h"
#include "solver/pep440.h"
#include "solver/version.h"

#include <stdlib.h>

/* --- versions --------------------------------------------------------------------------------- */

static int cmp_pip(struct arena *a, struct str old, struct str new, bool *known)
{
	const struct pep440 *x, *y;

	*known = pep440_parse(a, old, &x, NULL) == 0 && pep440_parse(a, new, &y, NULL) == 0;
	return *known ? pep440_cmp(x, y) : 0;
}

static int cmp_conda(struct arena *a, struct str old, struct str new, bool *known)
{
	const struct version *x, *y;

	*known = version_parse(a, old, &x, NULL) == 0 && version_parse(a, new, &y, NULL) == 0;
	return *known ? version_cmp(x, y) : 0;
}

static bool is_downgrade(
	struct arena *a, const struct diff_package *old, const struct diff_package *new)
{
	bool known = false;
	int c = old->pip && new->pip ? cmp_pip(a, old->version, new->version, &known) : 0;

	if (!known)
		c = cmp_conda(a, old->version, new->version, &known);
	return known && c > 0;
}

/* pip's "1.0-RC1" and "1.0rc1" are one version; of conda's each text is its own. */
static bool is_same_version(
	struct arena *a, const struct diff_package *old, const struct diff_package *new)
{
	const struct pep440 *x, *y;

	if (str_eq(old->version, new->version))
		return true;
	return (old->pip || new->pip) && pep440_parse(a, old->version, &x, NULL) == 0 &&
	       pep440_parse(a, new->version, &y, NULL) == 0 &&
	       str_eq(pep440_text(x), pep440_text(y));
}

/* --- packages --------------------------------------------------------------------------------- */

static void add(struct arena *a, struct diff_changes *to, const struct diff_package *old,
	const struct diff_package *new)
{
	*VEC_PUSH(a, to) = (struct diff_change){.old = old, .new = new};
}

static bool both_and_differ(struct str x, struct str y)
{
	return x.n && y.n && !str_eq(x, y);
}

static bool is_rebuilt(const struct diff_package *old, const struct diff_package *new)
{
	if (old->pip)
		return !str_eq(old->build, new->build);
	if (both_and_differ(old->build, new->build))
		return true;
	return old->has_sha256 && new->has_sha256 &&str_eq(old->fn, new->fn) &&
	       str_eq(old->channel, new->channel) && str_eq(old->subdir, new->subdir) &&
	       memcmp(old->sha256, new->sha256, SHA256_LEN) != 0;
}

static void compare(struct arena *a, struct diff *d, const struct diff_package *old,
	const struct diff_package *new)
{
	if (!is_same_version(a, old, new)) {
		add(a, &d->updated, old, new);
		d->updated.v[d->updated.n - 1].downgrade = is_downgrade(a, old, new);
	} else if (old->pip != new->pip) {
		add(a, &d->updated, old, new);
	} else if (is_rebuilt(old, new)) {
		add(a, &d->rebuilt, old, new);
	}
	if (both_and_differ(old->license, new->license))
		add(a, &d->licences, old, new);
	if (both_and_differ(old->channel, new->channel))
		add(a, &d->channels, old, new);
}

static int cmp_packages(const struct diff_package *x, const struct diff_package *y)
{
	if (x->pip != y->pip)
		return x->pip ? 1 : -1;
	return x->pip ? str_cmp(x->key, y->key) : str_cmp(x->name, y->name);
}

struct rest {
	const struct diff_package **v;
	size_t n, cap;
};

/* Both are sorted; what has no partner of the same kind is left for match_kinds. */
static void match(struct arena *a, struct diff *d, struct rest *gone, struct rest *come)
{
	const struct diff_side *old = d->old, *new = d->new;
	size_t i = 0, k = 0;

	while (i < old->n_packages || k < new->n_packages) {
		int c = i == old->n_packages   ? 1
			: k == new->n_packages ? -1
					       : cmp_packages(&old->packages[i], &new->packages[k]);

		if (c == 0)
			compare(a, d, &old->packages[i++], &new->packages[k++]);
		else if (c < 0)
			*VEC_PUSH(a, gone) = &old->packages[i++];
		else
			*VEC_PUSH(a, come) = &new->packages[k++];
	}
}

/* The same distribution, brought by pip here and by conda there. */
static void match_kinds(
	struct arena *a, struct diff *d, const struct rest *gone, const struct rest *come)
{
	struct table by_name = {.arena = a};

	for (size_t i = 0; i < gone->n; i++)
		table_put(&by_name, gone->v[i]->pypi)->num = i + 1;
	for (size_t k = 0; k < come->n; k++) {
		union table_value *v = table_get(&by_name, come->v[k]->pypi);

		if (v && v->num && gone->v[v->num - 1]->pip != come->v[k]->pip) {
			compare(a, d, gone->v[v->num - 1], come->v[k]);
			gone->v[v->num - 1] = NULL;
			v->num = 0;
		} else {
			add(a, &d->added, NULL, come->v[k]);
		}
	}
	for (size_t i = 0; i < gone->n; i++)
		if (gone->v[i])
			add(a, &d->removed, gone->v[i], NULL);
}

static int by_key(const void *x, const void *y)
{
	const struct diff_change *a = x, *b = y;
	const struct diff_package *p = a->new ? a->new : a->old, *q = b->new ? b->new : b->old;
	int c = str_cmp(p->key, q->key);

	return c ? c : str_cmp(p->name, q->name);
}

static void sort(struct diff_changes *changes)
{
	if (changes->n)
		qsort(changes->v, changes->n, sizeof *changes->v, by_key);
}

/* --- files ------------------------------------------------------------------------------------ */

static bool is_same_file(const struct diff_file *x, const struct diff_file *y)
{
	if (x->is_link || y->is_link)
		return x->is_link && y->is_link && str_eq(x->link, y->link);
	if (x->has_sha256 && y->has_sha256)
		return memcmp(x->sha256, y->sha256, SHA256_LEN) == 0;
	return !x->has_size || !y->has_size || x->size == y->size;
}

static void match_files(struct arena *a, struct diff *d)
{
	const struct diff_side *old = d->old, *new = d->new;
	size_t i = 0, k = 0;

	while (i < old->n_files || k < new->n_files) {
		int c = i == old->n_files   ? 1
			: k == new->n_files ? -1
					    : str_cmp(old->files[i].path, new->files[k].path);

		if (c < 0)
			*VEC_PUSH(a, &d->files_removed) = old->files[i].path;
		else if (c > 0)
			*VEC_PUSH(a, &d->files_added) = new->files[k].path;
		else if (!is_same_file(&old->files[i], &new->files[k]))
			*VEC_PUSH(a, &d->files_changed) = new->files[k].path;
		i += c <= 0;
		k += c >= 0;
	}
}

/* --- the whole -------------------------------------------------------------------------------- */

/* What packages say and what files need are not the same kind of answer. */
static bool is_same_floor(const struct diff_side *old, const struct diff_side *new)
{
	return !old->floor.n || !new->floor.n || old->floor_declared != new->floor_declared ||
	       glibc_cmp(old->floor, new->floor) == 0;
}

void diff_make(
	struct arena *a, const struct diff_side *old, const struct diff_side *new, struct diff *out)
{
	struct rest gone = {0}, come = {0};

	*out = (struct diff){.old = old, .new = new, .has_files = old->has_files &&new->has_files};
	match(a, out, &gone, &come);
	match_kinds(a, out, &gone, &come);
	sort(&out->updated);
	sort(&out->rebuilt);
	sort(&out->added);
	sort(&out->removed);
	sort(&out->licences);
	sort(&out->channels);
	if (out->has_files)
		match_files(a, out);
	out->same = !out->updated.n && !out->rebuilt.n && !out->added.n && !out->removed.n &&
		    !out->licences.n && !out->channels.n && !out->files_added.n &&
		    !out->files_removed.n && !out->files_changed.n && is_same_floor(old, new);
}
