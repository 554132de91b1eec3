/* Rules out of an archive, with the bytes that go with them. */
#include "packer/rules.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/table.h"
#include "packer/archive_in.h"
#include "packer/papers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { SCRIPT_MAX = 64 << 20, BLOCK = 1 << 17 };

struct taking {
	struct arena *arena;
	struct archive_in *in;
	const char *archive, *work;
	struct rules *out;
	struct table wanted; /* path -> struct rule_file */
	size_t n_left;
};

/* An image may have folders, and other papers, before its manifest: it is read on its own. */
static int read_manifest(struct taking *t, struct err *e)
{
	struct str text;
	int rc = paper_read(t->arena, t->archive, "manifest.json", &text, e);

	if (rc > 0)
		rc = rules_from_manifest(t->arena, text, "manifest.json", t->out, e);
	if (rc > 0 && rules_check(t->arena, t->out, e) < 0)
		rc = -1;
	return rc < 0 ? err_wrap(e, "in '%s'", t->archive) : rc;
}

static int save_to(struct taking *t, int fd, struct rule_file *f, struct err *e)
{
	struct hash *hash = hash_new(HASH_SHA256);
	char *block = xmalloc(BLOCK);
	uint8_t sum[SHA256_LEN];
	ptrdiff_t n;
	int rc = 0;

	while (rc == 0 && (n = archive_read(t->in, block, BLOCK, e)) != 0) {
		rc = n < 0 ? -1 : write_full(fd, block, (size_t)n, e);
		if (rc == 0)
			hash_update(hash, block, (size_t)n);
	}
	hash_final(hash, sum);
	hash_free(hash);
	free(block);
	if (rc == 0 && memcmp(sum, f->sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY,
			"'%.*s' in '%s' is not the file that its manifest says was added",
			STR_ARG(f->path), t->archive);
	return rc;
}

static int save(struct taking *t, struct rule_file *f, struct err *e)
{
	char *path = arena_printf(t->arena, "%s/%zu", t->work, t->n_left);
	CLEANUP_FD fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", path);
	if (save_to(t, fd, f, e) < 0)
		return -1;
	f->source = path;
	t->n_left--;
	return 0;
}

static int take_script(struct taking *t, struct err *e)
{
	struct rules *r = t->out;
	uint8_t sum[SHA256_LEN];

	if (archive_read_all(t->in, t->arena, SCRIPT_MAX, &r->pre_pack, e) < 0)
		return -1;
	sha256_of(r->pre_pack.p, r->pre_pack.n, sum);
	if (memcmp(sum, r->pre_pack_sha256, SHA256_LEN) != 0)
		return err_set(e, ERR_INTEGRITY,
			"the pre-pack script in '%s' is not the one that its manifest names",
			t->archive);
	r->pre_pack_name = PRE_PACK_PAPER;
	t->n_left--;
	return 0;
}

static int take_member(struct taking *t, const struct member *m, struct err *e)
{
	union table_value *v;

	if (m->type != MEMBER_FILE)
		return 0;
	if (t->out->has_pre_pack && !t->out->pre_pack_name &&
		str_is(m->path, PAPERS_DIR PRE_PACK_PAPER))
		return take_script(t, e);
	v = table_get(&t->wanted, m->path);
	if (!v || ((struct rule_file *)v->ptr)->source)
		return 0;
	return save(t, v->ptr, e);
}

static int take_all(struct taking *t, struct err *e)
{
	struct rules *r = t->out;
	struct member m;
	int rc = 1;

	t->n_left = r->has_pre_pack;
	for (size_t i = 0; i < r->add.n; i++)
		if (!r->add.v[i].link.n) {
			table_put(&t->wanted, r->add.v[i].path)->ptr = &r->add.v[i];
			t->n_left++;
		}
	if (t->n_left && dir_make(t->work, e) < 0)
		return -1;
	while (t->n_left && (rc = archive_next(t->in, &m, e)) > 0)
		if (take_member(t, &m, e) < 0)
			return -1;
	if (rc < 0)
		return -1;
	if (t->n_left == 0)
		return 1;
	return err_set(
		e, ERR_INTEGRITY, "'%s' lacks files that its manifest says were added", t->archive);
}

int rules_from_archive(
	struct arena *a, const char *archive, const char *work, struct rules *out, struct err *e)
{
	struct taking t = {
		.arena = a, .archive = archive, .work = work, .out = out, .wanted.arena = a};
	int rc;

	*out = (struct rules){0};
	rc = read_manifest(&t, e);
	if (rc <= 0)
		return rc;
	t.in = archive_open(archive, e);
	rc = t.in ? take_all(&t, e) : -1;
	archive_close(t.in);
	return rc;
}
