/* envbuild vault. */
#include "builder/vault.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/upkeep.h"
#include "cli/mirrors.h"
#include "cli/output.h"
#include "cli/session.h"

enum { LOCK_MAX = 256 << 20 };

/* Our own lock has no credentials; a channel given with -c lends it its own. */
static int lend_credentials(struct session *s, const struct lock *lock, struct err *e)
{
	const struct options *o = &s->line.options;
	struct channel_list list = {0};

	for (size_t i = 0; i < o->channels.n; i++)
		if (channel_add(&s->arena, &list, str_of(o->channels.v[i]), &s->rules, ".", e) < 0)
			return -1;
	for (size_t i = 0; i < list.n; i++)
		if (!str_is(list.v[i].url, list.v[i].fetch_url))
			http_add_credentials(
				s->http, arena_cstr(&s->arena, list.v[i].url), list.v[i].fetch_url);
	for (size_t i = 0; i < lock->credentials.n; i++)
		http_add_credentials(s->http, arena_cstr(&s->arena, lock->credentials.v[i].url),
			lock->credentials.v[i].fetch_url);
	return 0;
}

/* Those of -t, else all. */
static int choose_targets(struct session *s, const char *path, const struct lock *lock,
	struct vault_request *r, struct err *e)
{
	const struct text_list *given = &s->line.options.targets;
	const struct lock_target **chosen;

	r->n_targets = given->n ? given->n : lock->n_targets;
	r->targets = chosen = arena_array(&s->arena, const struct lock_target *, r->n_targets);
	for (size_t i = 0; i < r->n_targets; i++) {
		chosen[i] = given->n ? lock_find(lock, str_of(given->v[i])) : &lock->targets[i];
		if (!chosen[i])
			return err_set(e, ERR_INPUT, "the lock '%s' has no target '%s'", path,
				given->v[i]);
	}
	return 0;
}

static void say(struct session *s, const char *dir, const struct vault_result *done)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};
	char size[24];

	log_note("%s: %zu packages and %zu wheels, %zu new (%s)", dir, done->packages, done->wheels,
		done->added, format_bytes(done->bytes, size));
	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, dir);
	jw_key(&w, "packages");
	jw_int(&w, (int64_t)done->packages);
	jw_key(&w, "wheels");
	jw_int(&w, (int64_t)done->wheels);
	jw_key(&w, "added");
	jw_int(&w, (int64_t)done->added);
	jw_key(&w, "bytes");
	jw_int(&w, (int64_t)done->bytes);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_vault(struct session *s, struct err *e)
{
	const char *path = s->line.operands[0];
	struct vault_request r = {
		.dir = path_absolute(&s->arena, s->line.operands[1]),
		.offline = s->line.options.offline,
	};
	struct vault_result done;
	struct lock lock;

	if (session_open(s, e) < 0 || file_read(&s->arena, path, LOCK_MAX, &r.lock_text, e) < 0 ||
		lock_parse(&s->arena, path, r.lock_text, &lock, e) < 0 ||
		choose_targets(s, path, &lock, &r, e) < 0 || lend_credentials(s, &lock, e) < 0 ||
		mirrors_declare(s, NULL, ".", e) < 0)
		return -1;
	cache_note_lock(&s->cache, path_absolute(&s->arena, path));
	r.cache = &s->cache;
	r.http = s->http;
	r.jobs = s->jobs;
	if (vault_fill(&r, &done, e) < 0)
		return -1;
	say(s, s->line.operands[1], &done);
	return 0;
}
