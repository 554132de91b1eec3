/*
 * Link scripts (CEP 32, CEP 34; conda/core/link.py run_script): pre-link runs from the package
 * before its files are linked, post-link from the prefix when all are.
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

int prefix_script(struct prefix *p, size_t package, const char *when, struct err *e)
{
	struct arena a = {0};
	const struct package *k = &p->packages[package];
	const struct record *r = k->record;
	bool pre = strcmp(when, "pre-link") == 0;
	struct str script = pre ? k->pre_link : k->post_link;
	const char *in = p->request->prefix_inside;
	/* With engine none the cache's folder is where it is; the sandbox has a place of its own. */
	bool direct = p->request->engine && engine_kind(p->request->engine) == ENGINE_NONE;
	const char *source = direct ? k->dir : "/tmp/package";
	const char *path = arena_printf(&a, "%s/%.*s", pre ? source : in, STR_ARG(script));
	struct bind bind = {k->dir, source, BIND_READ_ONLY, NULL, 0};
	const char *const argv[] = {find_shell(&a, p), path, NULL};
	const char *const env[] = {
		arena_printf(&a, "PATH=%s:%s/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
			path_dir(&a, path), in),
		arena_printf(&a, "ROOT_PREFIX=%s", in),
		arena_printf(&a, "PREFIX=%s", in),
		arena_printf(&a, "PKG_NAME=%.*s", STR_ARG(r->name)),
		arena_printf(&a, "PKG_VERSION=%.*s", STR_ARG(r->version)),
		arena_printf(&a, "PKG_BUILDNUM=%llu", (unsigned long long)r->build_number),
		pre ? arena_printf(&a, "SOURCE_DIR=%s", source) : NULL,
		NULL,
	};
	struct command c = {
		.argv = argv, .env = env, .binds = &bind, .n_binds = pre ? 1 : 0, .cwd = in};
	int rc = prefix_run(
		p, &c, arena_printf(&a, "%s script of package '%.*s'", when, STR_ARG(r->fn)), e);

	if (rc == 0)
		rc = show_messages(p, r, e);
	arena_release(&a);
	return rc;
}
