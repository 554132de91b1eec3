#include "packer/diff_rows.h"

enum { COMMIT_SHOWN = 12, CELL_MAX = 160 };

const char *diff_section_title(enum diff_section section)
{
	switch (section) {
	case DIFF_UPDATED:
		return "Updated";
	case DIFF_REBUILT:
		return "Rebuilt";
	case DIFF_NEW:
		return "New";
	case DIFF_REMOVED:
		return "Removed";
	case DIFF_LICENCES:
		return "Licences";
	case DIFF_CHANNELS:
		return "Channels";
	case DIFF_SECTIONS:
		break;
	}
	return "";
}

const struct diff_changes *diff_section_changes(const struct diff *d, enum diff_section section)
{
	switch (section) {
	case DIFF_UPDATED:
		return &d->updated;
	case DIFF_REBUILT:
		return &d->rebuilt;
	case DIFF_NEW:
		return &d->added;
	case DIFF_REMOVED:
		return &d->removed;
	case DIFF_LICENCES:
		return &d->licences;
	case DIFF_CHANNELS:
	case DIFF_SECTIONS:
		break;
	}
	return &d->channels;
}

struct str diff_clean(struct arena *a, struct str s)
{
	struct buf b = {0};
	struct str out;

	for (size_t i = 0; i < s.n;) {
		size_t n = utf8_sequence(str_sub(s, i, s.n));
		unsigned char c = (unsigned char)s.p[i];
		/* C1 controls are two bytes: C2 80 to C2 9F. */
		bool control = c < 0x20 || c == 0x7f ||
			       (n == 2 && c == 0xc2 && (unsigned char)s.p[i + 1] < 0xa0);

		if (n == 0 || control)
			buf_puts(&b, "?");
		else
			buf_add(&b, s.p + i, n);
		i += n ? n : 1;
	}
	out = arena_str(a, buf_view(&b));
	buf_release(&b);
	return out;
}

struct str diff_brief(struct arena *a, struct str s, size_t max)
{
	size_t n = max;

	s = diff_clean(a, s);
	if (s.n <= max)
		return s;
	while (n && ((unsigned char)s.p[n] & 0xc0) == 0x80)
		n--;
	return arena_strf(a, "%.*s...", (int)n, s.p);
}

/* Of a cell: some packages write their whole licence where its name belongs. */
static struct str shown(struct arena *a, struct str s)
{
	return diff_brief(a, s, CELL_MAX);
}

static struct str version_and_build(struct arena *a, const struct diff_package *p)
{
	struct str build = p->pip ? str_sub(p->build, 0, COMMIT_SHOWN) : p->build;

	if (build.n == 0)
		return p->version;
	return arena_strf(a, "%.*s %.*s", STR_ARG(p->version), STR_ARG(build));
}

static struct str cell(struct arena *a, const struct diff_package *p, enum diff_section section)
{
	if (!p)
		return (struct str){0};
	switch (section) {
	case DIFF_LICENCES:
		return p->license;
	case DIFF_CHANNELS:
		return p->channel;
	case DIFF_REBUILT:
		return version_and_build(a, p);
	case DIFF_UPDATED:
	case DIFF_NEW:
	case DIFF_REMOVED:
	case DIFF_SECTIONS:
		break;
	}
	return p->version;
}

static const char *note_of(const struct diff_change *c, enum diff_section section)
{
	if (section == DIFF_REBUILT && str_eq(c->old->build, c->new->build))
		return "other bytes";
	if (section != DIFF_UPDATED)
		return NULL;
	if (c->old->pip != c->new->pip)
		return c->new->pip ? "conda -> pip" : "pip -> conda";
	return c->downgrade ? "downgrade" : NULL;
}

void diff_section_rows(
	struct arena *a, const struct diff *d, enum diff_section section, struct diff_rows *out)
{
	const struct diff_changes *changes = diff_section_changes(d, section);

	*out = (struct diff_rows){0};
	for (size_t i = 0; i < changes->n; i++) {
		const struct diff_change *c = &changes->v[i];
		const struct diff_package *p = c->new ? c->new : c->old;
		const struct diff_package *o = c->old;

		*VEC_PUSH(a, out) = (struct diff_row){.name = shown(a, p->name),
			.old = shown(a, cell(a, o, section)),
			.new = shown(a, cell(a, c->new, section)),
			.pip = p->pip && (!o || o->pip),
			.note = note_of(c, section),
			.old_size = o ? o->size : 0,
			.new_size = c->new ? c->new->size : 0};
	}
}
