#include "cli/verify_archive.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/output.h"

#include <stdio.h>
#include <sys/stat.h>

struct looking {
	struct session *s;
	const char *operand;
	struct release release;
	struct archive_found found;
	struct rebuild_result rebuilt;
	bool opened, checked, made_again;
};

bool verify_is_archive(struct session *s, const char *operand)
{
	struct archive_parts parts;
	enum pack_format format;
	struct stat st;

	if (stat(operand, &st) == 0 && S_ISDIR(st.st_mode))
		return false;
	return archive_parts_find(&s->arena, operand, &parts, NULL) == 0 &&
	       pack_format_of_path(parts.whole, &format) == 0;
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
	put_rebuilt(&w, l);
	jw_object_end(&w);
	output_document(&l->s->line.options, &text);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int look(struct looking *l, struct err *e)
{
	const struct options *o = &l->s->line.options;

	if (release_open(&l->s->arena, l->operand, &l->release, e) < 0)
		return -1;
	l->opened = true;
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
