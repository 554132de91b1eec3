/*
 * Link scripts (CEP 32, CEP 34; conda/core/link.py run_script): pre-link runs from the package
 * before its files are linked, post-link from the prefix when all are, pre-unlink while they still
 * are.
 */
#include "builder/prefix.h"

#include "base/file.h"

#include <fcntl.h>

enum { MAX_MESSAGES = 1 << 20 };

/* What a script wants to tell is in PREFIX/.messages.txt. */
static int show_messages(struct prefix *p, const struct record *r, struct err *e)
{
	struct arena a = {0};
	struct str text;
	struct stat st;
	int rc = 0;

	if (fstatat(p->fd, ".messages.txt", &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode) && st.st_size > 0 &&
			file_read_at(&a, p->fd, ".messages.txt", MAX_MESSAGES, &text, NULL) == 0) {
			text = str_trim(text);
			log_note("%.*s: %.*s", STR_ARG(r->name), STR_ARG(text));
		}
		rc = dir_remove_at(p->fd, ".messages.txt", e);
	}
	arena_release(&a);
	return rc;
}

static const char *find_shell(struct arena *a, const struct prefix *p)
{
	const char *root = p->request->engine ? engine_root(p->request->engine) : "/";

	return path_exists(arena_printf(a, "%s/bin/bash", root)) ? "/bin/bash" : "/bin/sh";
}

static int run_script(struct prefix *p, const struct link_script *s, struct err *e)
{
	struct arena a = {0};
	const struct record *r = s->record;
	const char *in = p->request->prefix_inside;
	/* With engine none the cache's folder is where it is; the sandbox has a place of its own. */
	bool direct = p->request->engine && engine_is_direct(p->request->engine);
	const char *source = direct ? s->source_dir : "/tmp/package";
	const char *path =
		arena_printf(&a, "%s/%.*s", s->source_dir ? source : in, STR_ARG(s->path));
	struct bind bind = {s->source_dir, source, BIND_READ_ONLY, NULL, 0};
	const char *const argv[] = {find_shell(&a, p), path, NULL};
	const char *const env[] = {
		arena_printf(&a, "PATH=%s:%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
			path_dir(&a, path), in),
		arena_printf(&a, "ROOT_PREFIX=%s", in),
		arena_printf(&a, "PREFIX=%s", in),
		arena_printf(&a, "PKG_NAME=%.*s", STR_ARG(r->name)),
		arena_printf(&a, "PKG_VERSION=%.*s", STR_ARG(r->version)),
		arena_printf(&a, "PKG_BUILDNUM=%llu", (unsigned long long)r->build_number),
		s->source_dir ? arena_printf(&a, "SOURCE_DIR=%s", source) : NULL,
		NULL,
	};
	struct command c = {.argv = argv,
		.env = env,
		.binds = &bind,
		.n_binds = s->source_dir ? 1 : 0,
		.cwd = in};
	int rc = prefix_run(
		p, &c, arena_printf(&a, "%s script of package '%.*s'", s->when, STR_ARG(r->fn)), e);

	arena_release(&a);
	return rc;
}

/* What it has to tell explains a failure too. */
int link_script_run(struct prefix *p, const struct link_script *s, struct err *e)
{
	int rc = run_script(p, s, e);

	return show_messages(p, s->record, rc < 0 ? NULL : e) < 0 ? -1 : rc;
}

int prefix_script(struct prefix *p, size_t package, const char *when, struct err *e)
{
	const struct package *k = &p->packages[package];
	bool pre = strcmp(when, "pre-link") == 0;
	struct link_script s = {.record = k->record,
		.path = pre ? k->pre_link : k->post_link,
		.when = when,
		.source_dir = pre ? k->dir : NULL};

	return link_script_run(p, &s, e);
}
