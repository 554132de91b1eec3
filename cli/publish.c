/* envbuild publish: archives under a release tag. */
#include "packer/publish.h"

#include "base/json.h"
#include "base/log.h"
#include "cli/output.h"
#include "cli/session.h"

static size_t count(const struct publish_result *r, enum publish_action action)
{
	size_t n = 0;

	for (size_t i = 0; i < r->files.n; i++)
		n += r->files.v[i].action == action;
	return n;
}

static void say(const struct options *o, const struct publish_result *r)
{
	const char *would = o->dry_run ? "would be " : "";

	for (size_t i = 0; i < r->files.n; i++) {
		const struct publish_file *f = &r->files.v[i];

		if (o->dry_run || f->action == PUBLISH_KEPT || f->action == PUBLISH_REMOVED)
			log_note("%s: %s%s", f->name, would, publish_action_name(f->action));
		else
			log_debug("%s: %s", f->name, publish_action_name(f->action));
	}
	for (size_t i = 0; i < r->removed.n; i++)
		log_note("%s: %sremoved (--keep %u)", r->removed.v[i], would, o->keep);
	if (!r->changed)
		log_note("%s: unchanged", r->url);
	else
		log_note("%s: %s%s; %zu files added, %zu replaced, %zu as they were", r->url, would,
			r->is_new ? "published" : "updated", count(r, PUBLISH_ADDED),
			count(r, PUBLISH_REPLACED),
			count(r, PUBLISH_SAME) + count(r, PUBLISH_KEPT));
}

static void key_text(struct json_out *w, const char *key, const char *value)
{
	jw_key(w, key);
	jw_cstr(w, value);
}

static void write_files(const struct publish_result *r, struct json_out *w)
{
	jw_key(w, "assets");
	jw_array(w);
	for (size_t i = 0; i < r->files.n; i++) {
		const struct publish_file *f = &r->files.v[i];

		jw_object(w);
		key_text(w, "name", f->name);
		key_text(w, "action", publish_action_name(f->action));
		jw_key(w, "size");
		jw_int(w, (int64_t)f->size);
		key_text(w, "sha256", f->sha256);
		key_text(w, "url", f->url);
		jw_object_end(w);
	}
	jw_array_end(w);
}

static void document(const struct options *o, const struct publish_result *r)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	key_text(&w, "tag", o->tag);
	key_text(&w, "to", o->to);
	key_text(&w, "url", r->url);
	key_text(&w, "status", !r->changed ? "unchanged" : r->is_new ? "created" : "updated");
	jw_key(&w, "dry_run");
	jw_bool(&w, o->dry_run);
	key_text(&w, "previous", r->previous);
	write_files(r, &w);
	jw_key(&w, "removed");
	jw_array(&w);
	for (size_t i = 0; i < r->removed.n; i++)
		jw_cstr(&w, r->removed.v[i]);
	jw_array_end(&w);
	jw_key(&w, "notes");
	jw_str(&w, r->notes);
	jw_object_end(&w);
	output_document(o, &text);
}

static int check_options(const struct options *o, struct err *e)
{
	if (!o->tag || !o->to || !*o->to) {
		err_set(e, ERR_USAGE, "--%s is missing", o->tag ? "to" : "tag");
		return err_advise(e, "see 'envbuild publish --help'");
	}
	if (o->keep && !publish_is_dir(o->to))
		return err_set(e, ERR_USAGE, "--keep is for folders alone");
	if (o->commit && publish_is_dir(o->to))
		return err_set(e, ERR_USAGE, "--commit is for releases of repositories alone");
	return 0;
}

int command_publish(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	struct publish_request r = {.archives = s->line.operands,
		.n_archives = s->line.n_operands,
		.tag = o->tag,
		.to = o->to,
		.notes = o->notes,
		.previous = o->previous,
		.commit = o->commit,
		.overwrite = o->overwrite,
		.untested = o->untested,
		.prerelease = o->prerelease,
		.dry_run = o->dry_run,
		.keep = o->keep};
	struct publish_result result;

	if (check_options(o, e) < 0 || session_open(s, e) < 0 || session_work(s, e) < 0)
		return -1;
	r.work = s->work;
	r.http = s->http;
	if (publish(&s->arena, &r, &result, e) < 0)
		return -1;
	say(o, &result);
	document(o, &result);
	return 0;
}
