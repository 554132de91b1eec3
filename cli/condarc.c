#include "cli/condarc.h"

#include "base/hash.h"
#include "base/log.h"
#include "builder/layer.h"

#include <stdlib.h>

static void warn_of_keys(
	const struct condarc *c, const char *what, const struct str *keys, size_t n)
{
	CLEANUP_BUF text = {0};

	for (size_t i = 0; i < n; i++)
		buf_printf(&text, "%s'%.*s'", i ? ", " : "", STR_ARG(keys[i]));
	if (n)
		log_warn("%s: %s %s", c->path, what, text.p);
}

static bool is_set(const char *name)
{
	const char *value = getenv(name);

	return value && *value;
}

/* One of libcurl's two variables of a scheme; http has but the one in small letters. */
static void set_proxy(const char *small, const char *large, const char *proxy)
{
	if (!is_set(small) && !(large && is_set(large)))
		setenv(small, proxy, 1);
}

/* Proxies of whole schemes; pip and git know the same variables. */
static void set_proxies(struct arena *a, const struct condarc *c)
{
	for (size_t i = 0; i < c->n_proxies; i++) {
		const char *proxy = arena_cstr(a, c->proxies[i].proxy);

		if (str_is(c->proxies[i].key, "http"))
			set_proxy("http_proxy", NULL, proxy);
		else if (str_is(c->proxies[i].key, "https"))
			set_proxy("https_proxy", "HTTPS_PROXY", proxy);
		else if (str_is(c->proxies[i].key, "all"))
			set_proxy("all_proxy", "ALL_PROXY", proxy);
	}
}

static int set_ca_file(struct arena *a, const struct condarc *c, struct err *e)
{
	const char *file = arena_cstr(a, c->ca_file);

	if (c->ca_file.n == 0 || http_ca_variable())
		return 0;
	setenv("SSL_CERT_FILE", file, 1);
	if (http_ca_variable())
		return 0;
	err_set(e, ERR_INPUT, "%s: ssl_verify: no file of certificates '%s'", c->path, file);
	return err_advise(
		e, "a folder of certificates is not read: name one file with all of them");
}

int condarc_open(struct session *s, struct err *e)
{
	struct condarc *c = &s->condarc;
	const struct options *o = &s->line.options;

	if (o->condarc && condarc_read(&s->arena, o->condarc, c, e) < 0)
		return -1;
	warn_of_keys(c, "these keys have no effect here:", c->unused, c->n_unused);
	warn_of_keys(c, "these keys are unknown:", c->unknown, c->n_unknown);
	set_proxies(&s->arena, c);
	s->line.options.offline |= c->offline;
	s->rules = c->rules;
	if (o->channel_alias)
		s->rules.alias = o->channel_alias;
	return set_ca_file(&s->arena, c, e);
}

static unsigned whole_seconds(uint64_t ms)
{
	return (unsigned)((ms + 999) / 1000);
}

void condarc_limits(const struct session *s, struct http_options *o)
{
	const struct condarc *c = &s->condarc;

	if (!o->stall_s)
		o->stall_s = whole_seconds(c->read_ms);
	if (!o->retries && c->has_retries) {
		o->retries = c->retries;
		o->no_retries = c->retries == 0;
	}
	o->connect_s = whole_seconds(c->connect_ms);
	o->pause_ms = (unsigned)c->pause_ms;
}

void condarc_lend(struct session *s)
{
	const struct condarc *c = &s->condarc;

	for (size_t i = 0; i < c->n_proxies; i++)
		if (str_find(c->proxies[i].key, STR("://")) > 0)
			http_add_proxy(s->http, arena_cstr(&s->arena, c->proxies[i].key),
				arena_cstr(&s->arena, c->proxies[i].proxy));
	for (size_t i = 0; i < c->n_pkgs_dirs; i++) {
		const char *dir = arena_cstr(&s->arena, c->pkgs_dirs[i]);

		if (!cache_add_layer(&s->arena, &s->cache, dir))
			log_debug("%s: pkgs_dirs: no folder '%s'", c->path, dir);
	}
}

void condarc_tell(const struct session *s, struct json_out *w)
{
	char hex[SHA256_HEX + 1];

	jw_key(w, "condarc");
	if (!s->condarc.path) {
		jw_null(w);
		return;
	}
	hex_encode(s->condarc.sha256, SHA256_LEN, hex);
	jw_object(w);
	jw_key(w, "path");
	jw_cstr(w, s->condarc.path);
	jw_key(w, "sha256");
	jw_cstr(w, hex);
	jw_object_end(w);
}
