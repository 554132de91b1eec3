/* envbuild cache info, verify and clean. */
#include "base/hash.h"
#include "base/json.h"
#include "base/log.h"
#include "builder/upkeep.h"
#include "cli/output.h"
#include "cli/session.h"

#include <stdio.h>

/* --- shared ------------------------------------------------------------------------------- */

static void json_bytes(struct json_out *w, const char *key, uint64_t bytes)
{
	jw_key(w, key);
	jw_int(w, (int64_t)bytes);
}

static void json_item(struct json_out *w, const struct cache_item *item)
{
	char hex[SHA256_HEX + 1];

	jw_key(w, "kind");
	jw_cstr(w, CACHE_KIND_NAMES[item->kind]);
	if (item->name.n) {
		jw_key(w, "name");
		jw_str(w, item->name);
		hex_encode(item->key, SHA256_LEN, hex);
		jw_key(w, "sha256");
		jw_cstr(w, hex);
	}
	jw_key(w, "path");
	jw_cstr(w, item->rel);
	json_bytes(w, "bytes", item->bytes);
	jw_key(w, "used");
	jw_int(w, item->used);
	jw_key(w, "locks");
	jw_int(w, (int64_t)item->locks);
}

static void json_items(struct json_out *w, const char *key, const struct cache_items *items)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < items->n; i++) {
		jw_object(w);
		json_item(w, &items->v[i]);
		jw_object_end(w);
	}
	jw_array_end(w);
}

/* What a person calls it. */
static struct str item_name(const struct cache_item *item)
{
	return item->name.n ? item->name : str_of(item->rel);
}

/* --- info --------------------------------------------------------------------------------- */

struct tally {
	uint64_t n, bytes, referenced;
};

static void add_up(const struct cache_survey *s, struct tally by_kind[CACHE_KINDS])
{
	for (size_t i = 0; i < s->items.n; i++) {
		struct tally *t = &by_kind[s->items.v[i].kind];

		t->n++;
		t->bytes += s->items.v[i].bytes;
		t->referenced += s->items.v[i].locks > 0;
	}
}

static void info_json(const struct session *s, const struct cache_survey *survey,
	const struct tally by_kind[CACHE_KINDS])
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, s->cache_dir);
	jw_key(&w, "layers");
	jw_array(&w);
	for (size_t i = 0; i < s->cache.n_layers; i++)
		jw_cstr(&w, s->cache.layers[i]);
	jw_array_end(&w);
	json_bytes(&w, "packages", by_kind[CACHE_PACKAGE].n);
	json_bytes(&w, "bytes", by_kind[CACHE_PACKAGE].bytes);
	json_bytes(&w, "referenced", by_kind[CACHE_PACKAGE].referenced);
	json_bytes(&w, "wheels", by_kind[CACHE_WHEEL].n);
	json_bytes(&w, "wheel_bytes", by_kind[CACHE_WHEEL].bytes);
	json_bytes(&w, "indexes", by_kind[CACHE_INDEX].n);
	json_bytes(&w, "index_bytes", by_kind[CACHE_INDEX].bytes);
	json_bytes(&w, "shards", by_kind[CACHE_SHARD].n);
	json_bytes(&w, "shard_bytes", by_kind[CACHE_SHARD].bytes);
	json_bytes(&w, "segments", by_kind[CACHE_SEGMENT].n);
	json_bytes(&w, "segment_bytes", by_kind[CACHE_SEGMENT].bytes);
	json_bytes(&w, "audits", by_kind[CACHE_AUDIT].n);
	json_bytes(&w, "audit_bytes", by_kind[CACHE_AUDIT].bytes);
	jw_key(&w, "locks");
	jw_array(&w);
	for (size_t i = 0; i < survey->locks.n; i++) {
		jw_object(&w);
		jw_key(&w, "path");
		jw_cstr(&w, survey->locks.v[i].path);
		jw_key(&w, "readable");
		jw_bool(&w, survey->locks.v[i].readable);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	json_items(&w, "items", &survey->items);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_cache_info(struct session *s, struct err *e)
{
	struct tally by_kind[CACHE_KINDS] = {{0}};
	struct cache_survey survey;
	char size[24];

	if (session_open(s, e) < 0 || cache_survey(&s->arena, &s->cache, &survey, e) < 0)
		return -1;
	add_up(&survey, by_kind);
	if (s->line.options.json) {
		info_json(s, &survey, by_kind);
		return 0;
	}
	printf("%s\n", s->cache_dir);
	for (size_t i = 0; i < s->cache.n_layers; i++)
		printf("  below it  %s\n", s->cache.layers[i]);
	for (int kind = 0; kind < CACHE_KINDS; kind++) {
		const struct tally *t = &by_kind[kind];

		if (t->n == 0 && kind != CACHE_PACKAGE && kind != CACHE_INDEX)
			continue;
		printf("  %-9s %llu, %s", CACHE_KIND_NAMES[kind], (unsigned long long)t->n,
			format_bytes(t->bytes, size));
		if (kind == CACHE_PACKAGE || kind == CACHE_WHEEL)
			printf("; known locks refer to %llu", (unsigned long long)t->referenced);
		printf("\n");
	}
	printf("  locks     %zu known\n", survey.locks.n);
	return 0;
}

/* --- verify ------------------------------------------------------------------------------- */

static void verify_json(const struct session *s, const struct cache_verdict *verdict)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, s->cache_dir);
	json_bytes(&w, "entries", verdict->n);
	json_bytes(&w, "files", verdict->files);
	json_bytes(&w, "bytes", verdict->bytes);
	jw_key(&w, "damaged");
	jw_array(&w);
	for (size_t i = 0; i < verdict->damaged.n; i++) {
		jw_object(&w);
		json_item(&w, &verdict->damaged.v[i].item);
		jw_key(&w, "reason");
		jw_cstr(&w, verdict->damaged.v[i].text);
		jw_key(&w, "removed");
		jw_bool(&w, verdict->damaged.v[i].removed);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

int command_cache_verify(struct session *s, struct err *e)
{
	struct cache_verdict verdict;

	if (session_open(s, e) < 0 || cache_verify(&s->arena, &s->cache, s->jobs, &verdict, e) < 0)
		return -1;
	if (s->line.options.json)
		verify_json(s, &verdict);
	for (size_t i = 0; i < verdict.damaged.n; i++) {
		const struct cache_damage *d = &verdict.damaged.v[i];

		log_warn("%.*s is damaged and %s: %s", STR_ARG(item_name(&d->item)),
			d->removed ? "was removed" : "cannot be removed", d->text);
	}
	if (verdict.damaged.n == 0)
		return 0;
	err_set(e, ERR_INTEGRITY, "%zu of %zu entries of the cache '%s' were damaged",
		verdict.damaged.n, verdict.n, s->cache_dir);
	return err_advise(e, "they are removed and fetched anew when next needed; prefixes "
			     "installed from them share their files: 'envbuild verify PREFIX'");
}

/* --- clean -------------------------------------------------------------------------------- */

static void clean_json(const struct session *s, const struct cache_cleaned *done, bool dry_run)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "dir");
	jw_cstr(&w, s->cache_dir);
	jw_key(&w, "dry_run");
	jw_bool(&w, dry_run);
	json_items(&w, "removed", &done->items);
	json_bytes(&w, "bytes", done->bytes);
	json_bytes(&w, "bytes_held_by_prefixes", done->held);
	json_bytes(&w, "bytes_left", done->left);
	json_bytes(&w, "temporaries", done->temporaries);
	json_bytes(&w, "in_use", done->in_use);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

static void say_cleaned(const struct cache_cleaned *done, const struct options *o)
{
	char bytes[24], held[24], left[24];

	if (done->unreadable && !o->all)
		log_warn("packages stay, since it is not known what a lock that cannot be read "
			 "refers to: mend or remove it");
	for (size_t i = 0; o->dry_run && i < done->items.n; i++)
		log_note("would be removed: %.*s, %s", STR_ARG(item_name(&done->items.v[i])),
			format_bytes(done->items.v[i].bytes, bytes));
	log_note("%s%zu entries of %s and %zu temporaries; %s stay",
		o->dry_run ? "would be removed: " : "removed ", done->items.n,
		format_bytes(done->bytes, bytes), done->temporaries,
		format_bytes(done->left, left));
	if (done->held)
		log_note("of these, %s are shared with prefixes and not free while those stand",
			format_bytes(done->held, held));
	if (done->in_use)
		log_note("%zu entries stay because they were used within the last %d minutes",
			done->in_use, CACHE_IN_USE_S / 60);
	if (done->too_large)
		log_warn("%s are left, more than --max-size %s: what known locks refer to goes "
			 "only with --all",
			left, o->max_size);
}

int command_cache_clean(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	struct cache_clean_request r = {.all = o->all,
		.dry_run = o->dry_run,
		.older = o->older,
		.has_max_size = o->max_size != NULL};
	struct cache_cleaned done;

	if (o->max_size && str_bytes(str_of(o->max_size), &r.max_size) < 0)
		return err_set(e, ERR_USAGE,
			"--max-size takes a size such as 500M or 20G, not '%s'", o->max_size);
	if (session_open(s, e) < 0)
		return -1;
	if (!o->dry_run)
		session_sweep(s);
	if (cache_clean(&s->arena, &s->cache, &r, &done, e) < 0)
		return -1;
	if (o->json)
		clean_json(s, &done, o->dry_run);
	say_cleaned(&done, o);
	return 0;
}
