/* conda-meta/history, state and frozen (CEP 32, CEP 24, CEP 22), and where packages came from. */
#include "builder/prefix.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "builder/origin.h"

static struct str channel_of(const struct record *r, bool hide_local)
{
	struct str url = r->channel;

	while (url.n > 0 && url.p[url.n - 1] == '/')
		url.n--;
	if (hide_local && str_starts(url, STR("file://")))
		return str_sub(url, (size_t)(str_rchr(url, '/') + 1), url.n);
	return url;
}

struct str origin_channel(struct arena *a, const struct record *r, bool hide_local)
{
	return arena_strf(a, "%.*s/%.*s", STR_ARG(channel_of(r, hide_local)), STR_ARG(r->subdir));
}

struct str origin_url(struct arena *a, const struct record *r, bool hide_local)
{
	if (hide_local && str_starts(r->url, STR("file://")))
		return arena_strf(
			a, "%.*s/%.*s", STR_ARG(origin_channel(a, r, true)), STR_ARG(r->fn));
	return r->url;
}

struct str origin_dist(struct arena *a, const struct record *r, bool hide_local)
{
	static const struct str ALIAS = STR_INIT("https://conda.anaconda.org/");
	struct str channel = channel_of(r, hide_local);

	if (str_starts(channel, ALIAS))
		channel = str_sub(channel, ALIAS.n, channel.n);
	return arena_strf(a, "%.*s/%.*s::%.*s", STR_ARG(channel), STR_ARG(r->subdir),
		STR_ARG(record_dist(a, r)));
}

static void add_date(const struct prefix *p, struct buf *to)
{
	time_t t = p->request->for_pack ? (time_t)prefix_epoch(p) : time(NULL);
	char text[32];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
	buf_printf(to, "==> %s <==\n", text);
}

/* conda writes the list as Python prints it. */
static void add_specs(const struct install_request *r, struct buf *to)
{
	buf_puts(to, "# update specs: [");
	for (size_t i = 0; i < r->n_requested; i++) {
		struct str text = r->requested[i].text;
		const char *quote = str_chr(text, '\'') >= 0 ? "\"" : "'";
		buf_printf(to, "%s%s%.*s%s", i ? ", " : "", quote, STR_ARG(text), quote);
	}
	buf_puts(to, "]\n");
}

static int write_history(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	struct arena a = {0};
	CLEANUP_BUF text = {0};

	add_date(p, &text);
	buf_printf(&text, "# cmd: envbuild %s\n", r->for_pack ? "pack" : "install");
	buf_puts(&text, "# envbuild version: " ENVBUILD_VERSION "\n");
	for (size_t i = 0; i < p->n_packages; i++)
		buf_printf(&text, "+%.*s\n",
			STR_ARG(origin_dist(&a, p->packages[i].record, r->for_pack)));
	add_specs(r, &text);
	int rc = prefix_put(p, "conda-meta/history", buf_view(&text), 0644, e);
	arena_release(&a);
	return rc;
}

static int write_state(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text, .indent = 2};

	if (r->n_variables == 0)
		return 0;
	jw_object(&w);
	jw_key(&w, "env_vars");
	jw_object(&w);
	for (size_t i = 0; i < r->n_variables; i++) {
		jw_key_str(&w, r->variables[i].name);
		jw_str(&w, r->variables[i].value);
	}
	jw_object_end(&w);
	jw_object_end(&w);
	buf_putc(&text, '\n');
	return prefix_put(p, "conda-meta/state", buf_view(&text), 0644, e);
}

/* conda and mamba then leave a released environment as it was tested. */
static int write_frozen(struct prefix *p, struct err *e)
{
	static const struct str FROZEN =
		STR_INIT("{\"message\": \"This environment was released by envbuild: change its "
			 "environment file and pack it again.\"}\n");

	return p->request->for_pack ? prefix_put(p, "conda-meta/frozen", FROZEN, 0644, e) : 0;
}

int prefix_write_history(struct prefix *p, struct err *e)
{
	if (write_history(p, e) < 0 || write_state(p, e) < 0)
		return -1;
	return write_frozen(p, e);
}
