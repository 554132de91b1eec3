/*
 * conda-meta/history and state (CEP 32, CEP 24), the marks that tell conda and pip to change
 * nothing (CEP 22, PEP 668), and where packages came from.
 */
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
		return str_base(url);
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

void history_revision(const struct prefix *p, const struct str *gone, size_t n_gone, struct buf *to)
{
	const struct install_request *r = p->request;
	struct arena a = {0};

	add_date(p, to);
	buf_printf(to, "# cmd: envbuild %s\n", r->for_pack ? "pack" : "install");
	buf_puts(to, "# envbuild version: " ENVBUILD_VERSION "\n");
	for (size_t i = 0; i < n_gone; i++)
		buf_printf(to, "-%.*s\n", STR_ARG(gone[i]));
	for (size_t i = 0; i < p->n_packages; i++)
		buf_printf(to, "+%.*s\n",
			STR_ARG(origin_dist(&a, p->packages[i].record, r->for_pack)));
	add_specs(r, to);
	arena_release(&a);
}

static int write_history(struct prefix *p, struct err *e)
{
	CLEANUP_BUF text = {0};

	history_revision(p, NULL, 0, &text);
	return prefix_put(p, "conda-meta/history", buf_view(&text), 0644, e);
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

int prefix_write_history(struct prefix *p, struct err *e)
{
	return write_history(p, e) < 0 ? -1 : write_state(p, e);
}

/* CEP 22: conda and mamba then leave the environment as it was tested. */
static int write_frozen(struct prefix *p, struct err *e)
{
	static const struct str FROZEN =
		STR_INIT("{\"message\": \"envbuild made this environment from a lock: change its "
			 "environment file and make it again.\"}\n");

	return prefix_put(p, "conda-meta/frozen", FROZEN, 0644, e);
}

/* PEP 668: pip shows the text, which goes on in indented lines. */
static int write_externally_managed(struct prefix *p, struct err *e)
{
	static const struct str TEXT = STR_INIT(
		"[externally-managed]\n"
		"Error=envbuild made this environment from a lock, and it was tested as it "
		"is.\n"
		" To change it, add the package to the environment file it was made from\n"
		" (below pip: in dependencies) and make the environment again. To try\n"
		" something out, use a virtual environment on top of it:\n"
		" python -m venv --system-site-packages DIR\n");
	struct str path = python_externally_managed(p->arena, &p->python);

	/* A python package may bring one of its own. */
	return prefix_is_file(p, path) ? 0 : prefix_put(p, path.p, TEXT, 0644, e);
}

int prefix_check_marks(const struct prefix *p, struct err *e)
{
	if (!p->request->externally_managed || p->python.major)
		return 0;
	err_set(e, ERR_USAGE, "an environment without Python cannot be marked for pip");
	return err_advise(e, "leave 'externally-managed' out");
}

int prefix_write_marks(struct prefix *p, struct err *e)
{
	if (p->request->frozen && write_frozen(p, e) < 0)
		return -1;
	return p->request->externally_managed ? write_externally_managed(p, e) : 0;
}
