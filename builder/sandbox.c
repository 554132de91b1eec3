#include "builder/prefix.h"

#include "base/file.h"

#include <stdlib.h>

enum { MAX_OUTPUT = 4 << 20, SHOWN_OUTPUT = 4096 };

int64_t prefix_epoch(const struct prefix *p)
{
	uint64_t newest = 0;

	for (size_t i = 0; i < p->n_packages; i++)
		if (p->packages[i].record->timestamp > newest)
			newest = p->packages[i].record->timestamp;
	return (int64_t)(newest / 1000);
}

struct output {
	struct buf text;
	bool show;
};

static void on_output(void *ctx, struct str bytes)
{
	struct output *o = ctx;

	buf_str(&o->text, bytes);
	if (o->show)
		log_output(bytes);
}

/* The same for everything that runs while a prefix is made: nothing of this machine. */
static const char **environment(struct arena *a, const struct prefix *p, const char *const *more)
{
	const char *in = p->request->prefix_inside;
	const char *const usual[] = {
		arena_printf(a, "PATH=%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", in),
		arena_printf(a, "CONDA_PREFIX=%s", in),
		arena_printf(a, "SOURCE_DATE_EPOCH=%lld", (long long)prefix_epoch(p)),
		"HOME=/tmp",
		"TMPDIR=/tmp",
		"LANG=C.UTF-8",
		"PYTHONHASHSEED=0",
		"PYTHONNOUSERSITE=1",
		"PYTHONDONTWRITEBYTECODE=1",
	};
	struct {
		const char **v;
		size_t n, cap;
	} list = {0};
	struct table index = {.arena = a};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		struct str rest = str_of(usual[i]);
		table_put(&index, str_cut(&rest, '='))->num = list.n;
		*VEC_PUSH(a, &list) = usual[i];
	}
	for (; more && *more; more++) {
		struct str rest = str_of(*more);
		union table_value *v = table_get(&index, str_cut(&rest, '='));
		if (v)
			list.v[v->num] = *more;
		else
			*VEC_PUSH(a, &list) = *more;
	}
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

static int fail(
	const struct output *o, const struct job *job, int status, const char *what, struct err *e)
{
	struct str text = str_trim(buf_view(&o->text));
	struct str tail =
		text.n > SHOWN_OUTPUT ? str_sub(text, text.n - SHOWN_OUTPUT, text.n) : text;
	const char *colon = tail.n && !o->show ? ":\n" : "";

	if (o->show) {
		log_unseen_output(tail);
		tail = (struct str){0};
	}
	if (status == 124 && job->timeout_s)
		return err_set(e, ERR_SCRIPT, "%s took more than %u seconds%s%.*s", what,
			job->timeout_s, colon, STR_ARG(tail));
	err_set(e, ERR_SCRIPT, "%s failed with status %d%s%.*s", what, status, colon,
		STR_ARG(tail));
	if (job->full)
		err_advise(e, "it had written all that --quota allows: give more");
	return -1;
}

int prefix_run(struct prefix *p, const struct command *c, const char *what, struct err *e)
{
	const struct install_request *r = p->request;
	struct arena a = {0};
	struct output output = {.text.max = MAX_OUTPUT, .show = c->show};
	struct bind *binds = arena_array(&a, struct bind, c->n_binds + 1);
	size_t n = 0;
	int status = 0, rc;

	if (!r->engine)
		return err_set(e, ERR_SANDBOX, "%s needs an engine to run in", what);
	if (!c->without_prefix)
		binds[n++] = (struct bind){r->prefix, r->prefix_inside,
			c->read_only ? BIND_READ_ONLY : BIND_READ_WRITE, NULL, 0};
	if (c->n_binds)
		memcpy(binds + n, c->binds, c->n_binds * sizeof *binds);
	struct job job = {.argv = c->argv,
		.env = environment(&a, p, c->env),
		.cwd = c->cwd ? c->cwd : "/",
		.binds = binds,
		.n_binds = n + c->n_binds,
		.network = c->network,
		.timeout_s = r->timeout_s,
		.on_output = on_output,
		.ctx = &output,
		.arena = &a};
	rc = engine_run(r->engine, &job, &status, e);
	if (rc < 0)
		err_wrap(e, "cannot run %s", what);
	else if (status != 0)
		rc = fail(&output, &job, status, what, e);
	buf_release(&output.text);
	arena_release(&a);
	return rc;
}
