#include "packer/compare.h"

#include "base/hash.h"
#include "base/table.h"
#include "packer/archive_in.h"
#include "packer/papers.h"
#include "packer/sums.h"

#include <stdlib.h>

enum { MEMBERS_MAX = 1000000, READ_SIZE = 1 << 17 };

struct one_member {
	struct member head; /* with texts of the arena */
	uint8_t sha256[SHA256_LEN];
};

struct members {
	struct one_member *v;
	size_t n, cap;
	struct table places; /* path -> index + 1 */
};

/* --- reading ---------------------------------------------------------------------------------- */

static int hash_it(struct archive_in *in, struct one_member *m, struct err *e)
{
	struct hash *h = hash_new(HASH_SHA256);
	char *p = xmalloc(READ_SIZE);
	ptrdiff_t n;

	m->head.size = 0;
	while ((n = archive_read(in, p, READ_SIZE, e)) > 0) {
		hash_update(h, p, (size_t)n);
		m->head.size += (uint64_t)n;
	}
	hash_final(h, m->sha256);
	hash_free(h);
	free(p);
	return n < 0 ? -1 : 0;
}

static int read_all(struct arena *a, struct archive_in *in, struct members *out, struct err *e)
{
	struct member m;
	int rc;

	while ((rc = archive_next(in, &m, e)) > 0) {
		struct one_member *copy = VEC_PUSH(a, out);

		*copy = (struct one_member){.head = m};
		copy->head.path = arena_str(a, m.path);
		copy->head.link = arena_str(a, m.link);
		if (out->n > MEMBERS_MAX)
			return err_set(e, ERR_INTEGRITY, "more than %d members", MEMBERS_MAX);
		if (m.type == MEMBER_FILE && hash_it(in, copy, e) < 0)
			return -1;
		table_put(&out->places, copy->head.path)->num = out->n;
	}
	return rc;
}

static int open_and_read(struct arena *a, const char *path, struct members *out, struct err *e)
{
	struct archive_in *in = archive_open(path, e);
	int rc = -1;

	out->places.arena = a;
	if (in)
		rc = read_all(a, in, out, e);
	archive_close(in);
	return rc < 0 ? err_wrap(e, "while reading '%s'", path) : 0;
}

/* --- comparing -------------------------------------------------------------------------------- */

static const char *type_name(enum member_type type)
{
	switch (type) {
	case MEMBER_FILE:
		return "a file";
	case MEMBER_DIR:
		return "a folder";
	case MEMBER_SYMLINK:
		return "a link";
	case MEMBER_HARDLINK:
		return "a hard link";
	case MEMBER_OTHER:
		break;
	}
	return "something else";
}

static int64_t time_of(const struct member *m)
{
	return m->has_mtime ? m->mtime : 0;
}

/* What differs in two members of one path; empty: nothing. */
static struct str compare(
	struct arena *a, const struct one_member *x, const struct one_member *y, const char *there)
{
	const struct member *h = &x->head, *t = &y->head;
	char one[SHA256_HEX + 1], other[SHA256_HEX + 1];

	if (h->type != t->type)
		return arena_strf(
			a, "it is %s here, %s %s", type_name(h->type), type_name(t->type), there);
	if (!str_eq(h->link, t->link))
		return arena_strf(a, "it leads to '%.*s' here, '%.*s' %s", STR_ARG(h->link),
			STR_ARG(t->link), there);
	if (h->type == MEMBER_FILE && h->size != t->size)
		return arena_strf(a, "it has %llu bytes here, %llu %s", (unsigned long long)h->size,
			(unsigned long long)t->size, there);
	if (h->type == MEMBER_FILE && memcmp(x->sha256, y->sha256, SHA256_LEN) != 0) {
		hex_encode(x->sha256, SHA256_LEN, one);
		hex_encode(y->sha256, SHA256_LEN, other);
		return arena_strf(a, "its content has sha256 %s here, %s %s", one, other, there);
	}
	if (h->mode != t->mode)
		return arena_strf(a, "its mode is %04o here, %04o %s", (unsigned)h->mode,
			(unsigned)t->mode, there);
	if (time_of(h) != time_of(t))
		return arena_strf(a, "its time is %lld here, %lld %s", (long long)time_of(h),
			(long long)time_of(t), there);
	return (struct str){0};
}

static const struct one_member *find(const struct members *in, struct str path)
{
	union table_value *place = table_get(&in->places, path);

	return place ? &in->v[place->num - 1] : NULL;
}

static void note(struct difference *out, struct str path, struct str how)
{
	bool of_audit = str_is(path, PAPERS_DIR "audit.json");

	out->only_audit = (out->same || out->only_audit) && (of_audit || str_is(path, SUMS_PATH));
	/* The list of sums differs wherever anything does: that is no news. */
	if (out->same || (str_is(out->path, SUMS_PATH) && out->n == 1)) {
		out->path = path;
		out->how = how;
	}
	out->same = false;
	out->n++;
}

/* The first that is here and not there, or differs; then what is only there; then the order. */
static void compare_all(struct arena *a, const struct members *x, const struct members *y,
	const char *there, struct difference *out)
{
	out->same = true;
	for (size_t i = 0; i < x->n; i++) {
		struct str path = x->v[i].head.path, how;
		const struct one_member *other = find(y, path);

		how = other ? compare(a, &x->v[i], other, there)
			    : arena_strf(a, "it is not %s", there);
		if (how.n)
			note(out, path, how);
	}
	for (size_t i = 0; i < y->n; i++)
		if (!find(x, y->v[i].head.path))
			note(out, y->v[i].head.path, arena_strf(a, "it is only %s", there));
	for (size_t i = 0; out->same && i < x->n; i++)
		if (i >= y->n || !str_eq(x->v[i].head.path, y->v[i].head.path))
			note(out, x->v[i].head.path,
				arena_strf(a, "it has another place %s", there));
	if (out->same && x->n != y->n)
		note(out, y->v[x->n].head.path, arena_strf(a, "it is twice %s", there));
}

int archive_compare(struct arena *a, const char *one, const char *other, const char *there,
	struct difference *out, struct err *e)
{
	struct members x = {0}, y = {0};

	*out = (struct difference){0};
	if (open_and_read(a, one, &x, e) < 0 || open_and_read(a, other, &y, e) < 0)
		return -1;
	compare_all(a, &x, &y, there, out);
	return 0;
}
