/* envbuild image import, show, rm. */
#include "cli/image.h"
#include "base/buf.h"
#include "base/date.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/image_bring.h"
#include "cli/output.h"

#include <stdio.h>

int image_profile(struct session *s, const char *name, struct profile *out, struct err *e)
{
	struct str *names;
	size_t n;

	if (profile_names(&s->arena, ".", &names, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (str_is(names[i], name))
			return profile_find(&s->arena, name, ".", out, e) < 0 ? -1 : 1;
	return 0;
}

static void describe(struct json_out *w, const struct image *i)
{
	char when[DATE_TIME];

	date_time((uint64_t)i->imported * 1000, when);
	jw_key(w, "name");
	jw_str(w, i->name);
	jw_key(w, "digest");
	jw_str(w, i->digest);
	jw_key(w, "root");
	jw_cstr(w, i->root);
	jw_key(w, "glibc");
	if (i->glibc.n)
		jw_str(w, i->glibc);
	else
		jw_null(w);
	jw_key(w, "bytes");
	jw_int(w, (int64_t)i->bytes);
	jw_key(w, "files");
	jw_int(w, (int64_t)i->files);
	jw_key(w, "origin");
	jw_str(w, i->origin);
	jw_key(w, "imported");
	jw_cstr(w, when);
}

void image_json(struct json_out *w, const struct image *i)
{
	if (!i) {
		jw_null(w);
		return;
	}
	jw_object(w);
	describe(w, i);
	jw_object_end(w);
}

void image_say(struct session *s, const struct image *i, bool was_there)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	char size[24];

	log_note("image '%.*s': %s, %llu files, glibc %.*s%s", STR_ARG(i->name),
		format_bytes(i->bytes, size), (unsigned long long)i->files,
		STR_ARG(i->glibc.n ? i->glibc : STR("none")),
		was_there ? "; it was here already" : "");
	jw_object(&w);
	describe(&w, i);
	jw_key(&w, "was_there");
	jw_bool(&w, was_there);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

/* --- import --------------------------------------------------------------------------------- */

int command_image_import(struct session *s, struct err *e)
{
	const char *path = s->line.operands[1];
	struct bring bring;
	struct image image;
	bool was_there;

	if (bring_open(s, &bring, e) < 0)
		return -1;
	bring.import.origin = strcmp(path, "-") ? path_absolute(&s->arena, path) : "stdin";
	if (image_import_path(&s->arena, &bring.import, path, &image, &was_there, e) < 0)
		return err_wrap(e, "while importing '%s'", bring.import.name);
	image_say(s, &image, was_there);
	return 0;
}

/* --- rm ------------------------------------------------------------------------------------- */

int command_image_rm(struct session *s, struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	struct store store;

	if (session_store(s, &store, e) < 0)
		return -1;
	jw_object(&w);
	jw_key(&w, "removed");
	jw_array(&w);
	for (size_t i = 0; i < s->line.n_operands; i++) {
		int r = store_remove(&s->arena, &store, s->line.operands[i], e);

		if (r < 0)
			return err_wrap(e, "while removing '%s'", s->line.operands[i]);
		if (r == 0) {
			err_set(e, ERR_USAGE, "no image '%s'", s->line.operands[i]);
			return err_advise(e, "'envbuild image list' shows those that there are");
		}
		log_note("image '%s': removed", s->line.operands[i]);
		jw_cstr(&w, s->line.operands[i]);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
	return 0;
}

/* --- show ----------------------------------------------------------------------------------- */

static void show_words(bool known, const struct profile *p, const struct image *i)
{
	char size[24], when[DATE_TIME];

	if (known)
		printf("%.*s", STR_ARG(p->text));
	if (known && p->text.n && p->text.p[p->text.n - 1] != '\n')
		putchar('\n');
	if (!i) {
		printf("# no image is at hand\n");
		return;
	}
	date_time((uint64_t)i->imported * 1000, when);
	printf("# image: %.*s\n", STR_ARG(i->digest));
	printf("#   root: %s\n", i->root);
	printf("#   glibc: %.*s\n", STR_ARG(i->glibc.n ? i->glibc : STR("none")));
	printf("#   size: %s, %llu files\n", format_bytes(i->bytes, size),
		(unsigned long long)i->files);
	printf("#   from: %.*s\n", STR_ARG(i->origin));
	printf("#   imported: %s\n", when);
}

static void show_json(struct session *s, bool known, const struct profile *p, const struct image *i)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "profile");
	if (known)
		jw_str(&w, p->text);
	else
		jw_null(&w);
	jw_key(&w, "source");
	jw_cstr(&w, known ? p->source : NULL);
	jw_key(&w, "image");
	image_json(&w, i);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_image_show(struct session *s, struct err *e)
{
	const char *name = s->line.operands[0];
	struct profile profile = {0};
	struct image image;
	struct store store;
	int known, found;

	if (session_store(s, &store, e) < 0)
		return -1;
	if (profile_is_path(name))
		known = profile_find(&s->arena, name, ".", &profile, e) < 0 ? -1 : 1;
	else
		known = image_profile(s, name, &profile, e);
	if (known < 0)
		return -1;
	found = store_find(
		&s->arena, &store, known ? arena_cstr(&s->arena, profile.name) : name, &image, e);
	if (found < 0)
		return -1;
	if (!known && !found) {
		err_set(e, ERR_USAGE, "neither a target nor an image is called '%s'", name);
		return err_advise(e, "'envbuild image list' shows those that there are");
	}
	if (s->line.options.json)
		show_json(s, known, &profile, found ? &image : NULL);
	else
		show_words(known, &profile, found ? &image : NULL);
	return 0;
}
