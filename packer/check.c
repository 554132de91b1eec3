#include "packer/check.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/table.h"
#include "packer/archive_in.h"
#include "packer/papers.h"
#include "packer/place.h"
#include "packer/relocator/relocate.h"
#include "packer/rules.h"
#include "packer/sums.h"

#include <stdlib.h>

enum { READ_SIZE = 1 << 17, PAPER_MAX = 256 << 20 };
/* Of a file that holds a prefix: it is measured in memory. */
#define MEASURED_MAX (UINT64_C(4) << 30)

/* What stands at a path of the archive. */
enum place_kind { PLACE_NONE, PLACE_FILE, PLACE_LINK, PLACE_FOLDER };

struct checking {
	struct arena *a; /* the caller's */
	struct arena own;
	const char *archive;
	struct archive_in *in;
	struct table places; /* path -> enum place_kind */
	struct table sums;   /* of files: 32 bytes */
	struct table papers; /* path below PAPERS_DIR -> struct str */
	char *copy;
	struct hash *sha256;
	const char *held; /* what stands where the index has placeholders; NULL: they themselves */
	struct archive_found *out;
};

static int wrong(const struct checking *c, struct str path, const char *why, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "'%.*s' in '%s' %s", STR_ARG(path), c->archive, why);
}

/* --- the first reading ------------------------------------------------------------------------ */

static enum place_kind place_of(const struct member *m)
{
	switch (m->type) {
	case MEMBER_FILE:
		return PLACE_FILE;
	case MEMBER_SYMLINK:
		return PLACE_LINK;
	case MEMBER_DIR:
		return PLACE_FOLDER;
	case MEMBER_HARDLINK: /* pack writes none */
	case MEMBER_OTHER:
		break;
	}
	return PLACE_NONE;
}

static int check_member(struct checking *c, const struct member *m, struct str path, struct err *e)
{
	enum place_kind place = place_of(m);
	union table_value *known;

	if (!path_is_safe(path))
		return wrong(c, path, "leaves the folder", e);
	if (place == PLACE_NONE)
		return wrong(c, path, "is neither file, folder nor link", e);
	if (place == PLACE_LINK && (!m->link.n || memchr(m->link.p, 0, m->link.n)))
		return wrong(c, path, "is a link without a proper target", e);
	if (m->mode & 07000)
		return wrong(c, path, "has set-user-id or sticky bits", e);
	known = table_put(&c->places, path);
	if (known->num)
		return wrong(c, path, "is there twice", e);
	known->num = place;
	c->out->files += place == PLACE_FILE;
	c->out->links += place == PLACE_LINK;
	c->out->folders += place == PLACE_FOLDER;
	return 0;
}

/* Whatever the order that they came in. */
static int check_parents(const struct checking *c, struct err *e)
{
	for (size_t i = 0; i < c->places.n; i++) {
		struct str path = c->places.entries[i].key;

		for (size_t n = 0; n < path.n; n++) {
			union table_value *above =
				path.p[n] == '/' ? table_get(&c->places, str_sub(path, 0, n))
						 : NULL;

			if (above && above->num != PLACE_FOLDER)
				return wrong(c, path, "lies behind something that is no folder", e);
		}
	}
	return 0;
}

static int hash_member(struct checking *c, uint8_t *sum, struct err *e)
{
	ptrdiff_t n;

	while ((n = archive_read(c->in, c->copy, READ_SIZE, e)) > 0) {
		hash_update(c->sha256, c->copy, (size_t)n);
		c->out->bytes += (uint64_t)n;
	}
	hash_final(c->sha256, sum);
	return (int)n;
}

/* Those that are looked into; the others are files like any. */
static bool is_read(struct str name)
{
	static const char *const names[] = {"envbuild.lock", "environment.yml", "files",
		"manifest.json", PRE_PACK_PAPER, RELOCATE_RECORD, "profile.yml", "relocation",
		"run-test.sh"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(name, names[i]))
			return true;
	return false;
}

static int take_file(struct checking *c, struct str path, struct err *e)
{
	struct str dir = STR(PAPERS_DIR), *text;
	uint8_t *sum = arena_alloc(&c->own, SHA256_LEN);

	table_put(&c->sums, path)->ptr = sum;
	if (!str_starts(path, dir) || !is_read(str_sub(path, dir.n, path.n)))
		return hash_member(c, sum, e);
	text = arena_new(&c->own, struct str);
	if (archive_read_all(c->in, c->a, PAPER_MAX, text, e) < 0)
		return -1;
	sha256_of(text->p, text->n, sum);
	c->out->bytes += text->n;
	table_put(&c->papers, str_sub(path, dir.n, path.n))->ptr = text;
	return 0;
}

static int read_all(struct checking *c, struct err *e)
{
	struct place_count n = {0};
	struct member m;
	int rc;

	while ((rc = archive_next(c->in, &m, e)) > 0) {
		struct str path;

		if (place_count(&n, c->archive, &m, e) < 0)
			return -1;
		path = arena_str(&c->own, m.path);
		if (check_member(c, &m, path, e) < 0)
			return -1;
		if (m.type == MEMBER_FILE && take_file(c, path, e) < 0)
			return err_wrap(e, "while reading '%.*s'", STR_ARG(path));
	}
	if (rc == 0 && n.members == 0)
		return err_set(e, ERR_INTEGRITY, "'%s' is empty or no archive", c->archive);
	return rc < 0 ? -1 : check_parents(c, e);
}

/* --- papers ----------------------------------------------------------------------------------- */

static struct str paper(const struct checking *c, const char *name)
{
	union table_value *v = table_get(&c->papers, str_of(name));

	return v ? *(struct str *)v->ptr : (struct str){0};
}

/* As conda-meta/envbuild/NAME; what is there but empty has a pointer. */
static int need_paper(const struct checking *c, const char *name, struct str *out, struct err *e)
{
	if (table_get(&c->papers, str_of(name))) {
		*out = paper(c, name);
		return 0;
	}
	err_set(e, ERR_INTEGRITY, "no '%s%s' in '%s'", PAPERS_DIR, name, c->archive);
	return err_advise(e, "it is not whole, or 'envbuild pack' did not make it");
}

static int check_files(struct checking *c, struct err *e)
{
	struct str list;

	if (need_paper(c, "manifest.json", &list, e) < 0 || need_paper(c, "files", &list, e) < 0)
		return -1;
	return sums_check(&c->sums, list, e);
}

static const struct record *find_record(
	const struct lock_target *t, const struct manifest_package *p)
{
	for (size_t i = 0; i < t->n_records; i++)
		if (str_eq(t->records[i]->name, p->name))
			return t->records[i];
	return NULL;
}

static bool is_same(const struct record *r, const struct manifest_package *p)
{
	uint8_t sha256[SHA256_LEN];

	return str_eq(r->version, p->version) && str_eq(r->build, p->build) &&
	       str_eq(r->subdir, p->subdir) && str_eq(r->fn, p->file) &&
	       hex_decode(p->sha256, sha256, SHA256_LEN) == 0 &&
	       (!r->has_sha256 || memcmp(r->sha256, sha256, SHA256_LEN) == 0);
}

/* The lock and the manifest must tell of the same packages. */
static int compare_packages(const struct checking *c, struct err *e)
{
	const struct manifest *m = &c->out->manifest;
	const struct lock_target *t = c->out->target;

	for (size_t i = 0; i < m->n_packages; i++) {
		const struct manifest_package *p = &m->packages[i];
		const struct record *r = find_record(t, p);

		if (i && str_cmp(m->packages[i - 1].name, p->name) >= 0)
			return err_set(e, ERR_INTEGRITY,
				"package '%.*s' is twice or out of order in the manifest of '%s'",
				STR_ARG(p->name), c->archive);
		if (!r || !is_same(r, p))
			return err_set(e, ERR_INTEGRITY,
				"package '%.*s' of the manifest is %s in the lock of '%s'",
				STR_ARG(p->file.n ? p->file : p->name), r ? "another" : "not",
				c->archive);
	}
	if (m->n_packages == t->n_records)
		return 0;
	return err_set(e, ERR_INTEGRITY, "the lock of '%s' has %zu packages, its manifest %zu",
		c->archive, t->n_records, m->n_packages);
}

/* What the user's own files may be wrong in is damage here. */
static int damaged(const struct checking *c, const char *name, struct err *e)
{
	if (e && e->code == ERR_INPUT)
		e->code = ERR_INTEGRITY;
	return err_wrap(e, "%s of '%s'", name, c->archive);
}

static int check_papers(struct checking *c, struct err *e)
{
	struct archive_found *out = c->out;
	struct str manifest;

	if (need_paper(c, "manifest.json", &manifest, e) < 0 ||
		need_paper(c, "envbuild.lock", &out->lock_text, e) < 0 ||
		need_paper(c, "profile.yml", &out->profile_text, e) < 0)
		return -1;
	out->environment = paper(c, "environment.yml");
	out->test = paper(c, "run-test.sh");
	out->pre_pack = paper(c, PRE_PACK_PAPER);
	if (manifest_parse(c->a, manifest, "manifest.json", &out->manifest, e) < 0)
		return damaged(c, "the manifest", e);
	if (profile_parse(c->a, "profile.yml", out->profile_text, &out->profile, e) < 0)
		return damaged(c, "the profile", e);
	if (lock_parse(c->a, "envbuild.lock", out->lock_text, &out->lock, e) < 0)
		return damaged(c, "the lock", e);
	if (!str_eq(out->profile.name, out->manifest.target))
		return err_set(e, ERR_INTEGRITY,
			"the profile of '%s' is of target '%.*s', its manifest of '%.*s'",
			c->archive, STR_ARG(out->profile.name), STR_ARG(out->manifest.target));
	out->target = lock_find_for(&out->lock, out->profile.name, out->profile.subdir);
	if (!out->target)
		return err_set(e, ERR_INTEGRITY, "the lock of '%s' has no target '%.*s'",
			c->archive, STR_ARG(out->profile.name));
	return compare_packages(c, e);
}

/* --- the second reading ----------------------------------------------------------------------- */

struct index {
	struct relocation r;
	struct table entries; /* path -> struct relocate_entry */
	size_t n_measured;
};

static int read_index(struct checking *c, struct index *index, struct err *e)
{
	struct relocate_error why = {0};
	struct relocate_entry entry;
	struct str text;
	size_t cursor;

	if (need_paper(c, "relocation", &text, e) < 0)
		return -1;
	if (relocation_open(&index->r, text.p, text.n, &why) < 0)
		return err_set(e, ERR_INTEGRITY, "%s", why.text);
	index->entries.arena = &c->own;
	cursor = index->r.first;
	while (relocation_next(&index->r, &cursor, &entry)) {
		struct str path = str_of(entry.path);
		union table_value *place = table_get(&c->places, path);
		struct relocate_entry *copy = arena_new(&c->own, struct relocate_entry);

		if (!place || place->num != PLACE_FILE)
			return err_set(e, ERR_INTEGRITY,
				"the relocation index of '%s' names '%s', which is no file in it",
				c->archive, entry.path);
		*copy = entry;
		table_put(&index->entries, path)->ptr = copy;
	}
	return 0;
}

/* The path that the archive was packed for, which the manifest and the record must both name. */
static int read_held(struct checking *c, struct err *e)
{
	struct str dest = c->out->manifest.dest_prefix, record = paper(c, RELOCATE_RECORD);

	if (!dest.n && !table_get(&c->papers, STR(RELOCATE_RECORD)))
		return 0;
	c->held = arena_cstr(&c->own, dest);
	if (strlen(c->held) == dest.n && relocate_prefix_is_good(c->held) &&
		str_eq(record, arena_strf(&c->own, "%s\n", c->held)))
		return 0;
	return err_set(e, ERR_INTEGRITY,
		"'" RELOCATE_RECORD_PATH "' and the manifest of '%s' do not name one path that it "
		"was packed for",
		c->archive);
}

/* Does the file stand as the index says, with what it holds in the places of the placeholder? */
static int measure(struct checking *c, const struct member *m, const struct relocate_entry *entry,
	struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct str data;
	const char *held = c->held;

	if (!held && m->size != entry->size)
		return wrong(c, m->path, "is not as long as the relocation index says", e);
	if (m->size > MEASURED_MAX)
		return wrong(c, m->path, "holds a prefix and is too large to be measured", e);
	if (archive_read_all(c->in, &scratch, m->size, &data, e) < 0)
		return -1;
	if (!held)
		held = arena_cstr(&scratch, str_n(entry->placeholder, entry->placeholder_len));
	if (!relocate_holds(entry, data.p ? data.p : "", data.n, held))
		return wrong(c, m->path, "is not what the relocation index says", e);
	return 0;
}

static int measure_all(struct checking *c, struct index *index, struct err *e)
{
	struct member m;
	int rc = 0;

	while (index->n_measured < index->entries.n && (rc = archive_next(c->in, &m, e)) > 0) {
		union table_value *entry =
			m.type == MEMBER_FILE ? table_get(&index->entries, m.path) : NULL;

		if (!entry)
			continue;
		if (measure(c, &m, entry->ptr, e) < 0)
			return -1;
		index->n_measured++;
	}
	if (rc < 0 || index->n_measured == index->entries.n)
		return rc < 0 ? -1 : 0;
	return err_set(e, ERR_INTEGRITY, "'%s' was changed while it was read", c->archive);
}

static int check_relocation(struct checking *c, struct err *e)
{
	struct index index = {0};

	if (read_index(c, &index, e) < 0 || read_held(c, e) < 0)
		return -1;
	c->out->relocated = index.entries.n;
	if (!index.entries.n)
		return 0;
	archive_close(c->in);
	c->in = archive_open(c->archive, e);
	return c->in ? measure_all(c, &index, e) : -1;
}

int archive_check(struct arena *a, const char *operand, struct archive_found *out, struct err *e)
{
	struct checking c = {.a = a, .archive = operand, .out = out};
	int rc = -1;

	*out = (struct archive_found){0};
	c.places.arena = c.sums.arena = c.papers.arena = &c.own;
	c.copy = xmalloc(READ_SIZE);
	c.sha256 = hash_new(HASH_SHA256);
	c.in = archive_open(operand, e);
	if (c.in && read_all(&c, e) == 0 && check_files(&c, e) == 0 && check_papers(&c, e) == 0)
		rc = check_relocation(&c, e);
	archive_close(c.in);
	hash_free(c.sha256);
	free(c.copy);
	arena_release(&c.own);
	return rc;
}
