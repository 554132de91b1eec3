#include "cli/verify_archive.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "base/table.h"
#include "cli/output.h"
#include "cli/signer.h"
#include "packer/sums.h"

#include <stdio.h>
#include <sys/stat.h>

enum { PAPER_MAX = 64 << 20, SIGNATURE_MAX = 1 << 20 };

struct looking {
	struct session *s;
	const char *operand;
	struct release release;
	struct archive_found found;
	struct rebuild_result rebuilt;
	struct str signed_by; /* empty: nobody was asked for */
	bool opened, checked, made_again;
};

bool verify_is_archive(struct session *s, const char *operand)
{
	struct archive_parts parts;
	enum pack_format format;
	struct err e = {0};
	struct stat st;

	if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
		return false;
	if (archive_parts_find(&s->arena, operand, &parts, &e) < 0) {
		bool damaged = e.code == ERR_INTEGRITY; /* a part between two is missing */

		err_release(&e);
		return damaged;
	}
	return pack_format_of_path(parts.whole, &format) == 0;
}

/* --- words ------------------------------------------------------------------------------------ */

static const char *test_name(enum release_test test)
{
	switch (test) {
	case RELEASE_TESTED:
		return "tested";
	case RELEASE_TEST_FAILED:
		return "its test failed";
	case RELEASE_NOT_TESTED:
		break;
	}
	return "not tested";
}

static void say(const struct looking *l)
{
	const struct archive_found *f = &l->found;
	const char *whole = l->release.parts.whole;

	log_note("%s: %zu files of %zu packages are as they were packed, for %.*s, %s", whole,
		f->files, f->manifest.n_packages, STR_ARG(f->manifest.target),
		test_name(l->release.test));
	if (!l->release.sums)
		log_note("there is no '%s' beside it to hold the whole against",
			path_base(release_beside(&l->s->arena, &l->release, "sha256")));
	if (l->signed_by.n)
		log_note("signed by %.*s", STR_ARG(l->signed_by));
	if (!l->made_again)
		return;
	if (l->rebuilt.identical)
		log_note("made again from its lock: the same bytes");
	else
		log_note("made again from its lock: the same members; %.*s compressed it, here it "
			 "is "
			 "%.*s, so their uncompressed bytes were compared",
			STR_ARG(l->rebuilt.compressor_there), STR_ARG(l->rebuilt.compressor_here));
}

static void put_int(struct json_out *w, const char *key, size_t n)
{
	jw_key(w, key);
	jw_int(w, (int64_t)n);
}

static void put_str(struct json_out *w, const char *key, struct str text)
{
	jw_key(w, key);
	if (text.n)
		jw_str(w, text);
	else
		jw_null(w);
}

static void put_found(struct json_out *w, const struct looking *l)
{
	const struct archive_found *f = &l->found;
	char hex[SHA256_HEX + 1];

	hex_encode(l->release.sha256, SHA256_LEN, hex);
	put_str(w, "sha256", str_of(hex));
	jw_key(w, "sums");
	jw_bool(w, l->release.sums != NULL);
	put_int(w, "parts", l->release.parts.n);
	jw_key(w, "tested");
	jw_bool(w, l->release.test == RELEASE_TESTED);
	if (!l->checked)
		return;
	put_str(w, "name", f->manifest.name);
	put_str(w, "version", f->manifest.version);
	put_str(w, "target", f->manifest.target);
	put_int(w, "packages", f->manifest.n_packages);
	put_int(w, "files", f->files);
	put_int(w, "links", f->links);
	put_int(w, "relocated", f->relocated);
	jw_key(w, "bytes");
	jw_int(w, (int64_t)f->bytes);
}

static void put_rebuilt(struct json_out *w, const struct looking *l)
{
	jw_key(w, "rebuilt");
	if (!l->made_again)
		jw_null(w);
	else
		jw_cstr(w, l->rebuilt.identical ? "identical" : "same members");
}

static void put_document(const struct looking *l, const struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	put_str(&w, "archive", str_of(l->opened ? l->release.parts.whole : l->operand));
	jw_key(&w, "good");
	jw_bool(&w, !e->code);
	put_str(&w, "fault", str_of(e->text));
	if (l->opened)
		put_found(&w, l);
	put_str(&w, "signed_by", l->signed_by);
	put_rebuilt(&w, l);
	jw_object_end(&w);
	output_document(&l->s->line.options, &text);
}

/* --- the whole -------------------------------------------------------------------------------- */

/* Does a text list exactly the bytes that were read of the archive? */
static int lists_parts(struct looking *l, struct str sums, struct err *e)
{
	const struct release *r = &l->release;
	struct table listed = {.arena = &l->s->arena};
	bool good = sums_read(&listed, sums, NULL) == 0 && listed.n == r->parts.n;

	for (size_t i = 0; good && i < r->parts.n; i++) {
		union table_value *sum = table_get(&listed, str_of(path_base(r->parts.paths[i])));

		good = sum && memcmp(sum->ptr, r->part_sha256[i], SHA256_LEN) == 0;
	}
	return good ? 0
		    : err_set(e, ERR_INTEGRITY, "what is signed are not the sums of '%s'",
			      r->parts.whole);
}

/* NAME.ENDING and the signature beside it; p is NULL where it is not there. */
static int read_signed(struct looking *l, const char *ending, struct str *data,
	struct str *signature, struct err *e)
{
	struct arena *a = &l->s->arena;
	char *path = release_beside(a, &l->release, ending);
	char *sig = arena_printf(a, "%s.sig", path);

	*data = *signature = (struct str){0};
	if (!path_exists(path))
		return 0;
	if (file_read(a, path, PAPER_MAX, data, e) < 0)
		return -1;
	if (path_exists(sig))
		return file_read(a, sig, SIGNATURE_MAX, signature, e);
	err_set(e, ERR_INTEGRITY, "'%s' is not signed: there is no '%s'", path, path_base(sig));
	return err_advise(e, "bring it from where the release was made");
}

/* NAME.sha256, which tells of every byte of the archive, and the attestation where there is one. */
static int check_signatures(struct looking *l, struct err *e)
{
	struct session *s = l->s;
	struct str data, signature, by;
	struct signer signer;

	if (signer_open(s, s->line.options.signer, &signer, e) < 0 ||
		read_signed(l, "sha256", &data, &signature, e) < 0)
		return -1;
	if (!data.p)
		return err_set(e, ERR_INTEGRITY, "there is no '%s', which would be signed",
			release_beside(&s->arena, &l->release, "sha256"));
	if (signer_check(s, &signer, path_base(release_beside(&s->arena, &l->release, "sha256")),
		    data, signature, &by, e) < 0 ||
		lists_parts(l, data, e) < 0 ||
		read_signed(l, "intoto.jsonl", &data, &signature, e) < 0)
		return -1;
	l->signed_by = by;
	return data.p ? signer_check(s, &signer,
				path_base(release_beside(&s->arena, &l->release, "intoto.jsonl")),
				data, signature, &by, e)
		      : 0;
}

static int look(struct looking *l, struct err *e)
{
	const struct options *o = &l->s->line.options;

	if (release_open(&l->s->arena, l->operand, &l->release, e) < 0)
		return -1;
	l->opened = true;
	if ((o->rebuild || o->signer) && (session_open(l->s, e) < 0 || session_work(l->s, e) < 0))
		return -1;
	if (o->signer && check_signatures(l, e) < 0)
		return -1;
	if (archive_check(&l->s->arena, l->release.parts.whole, &l->found, e) < 0)
		return -1;
	l->checked = true;
	if (!o->rebuild)
		return 0;
	if (verify_rebuild(l->s, &l->release, &l->found, &l->rebuilt, e) < 0)
		return -1;
	l->made_again = true;
	return 0;
}

int verify_archive(struct session *s, const char *operand, struct err *e)
{
	struct looking l = {.s = s, .operand = operand};
	int rc = look(&l, e);

	/* What a fault is told of is an archive that is not good; all else are errors of ours. */
	if (rc == 0 || e->code == ERR_INTEGRITY)
		put_document(&l, e);
	if (rc == 0)
		say(&l);
	return rc;
}
