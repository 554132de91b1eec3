#include "builder/git.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "base/log.h"
#include "base/proc.h"
#include "solver/dist_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_OUTPUT = 64 << 20, SHOWN_OUTPUT = 2048, MAX_ARGS = 24, MAX_TRIES = 3 };

extern char **environ;

struct git {
	struct arena *a;
	const struct git_source *s;
	const char *url;    /* without user name and password where those are given apart */
	const char *public; /* as messages and checkouts may show it */
	const char *mirror; /* the bare repository in the cache */
	const char **env;
	bool has_credentials;
};

bool git_is_commit(struct str rev)
{
	if (rev.n != 40 && rev.n != 64)
		return false;
	for (size_t i = 0; i < rev.n; i++)
		if (!strchr("0123456789abcdef", rev.p[i]))
			return false;
	return true;
}

/* --- credentials and environment ------------------------------------------------------------ */

/* Nothing of a repository that the caller may stand in: GIT_DIR and its like. */
static bool is_inherited(const char *variable)
{
	static const char *const KEPT[] = {"GIT_SSH=", "GIT_SSH_COMMAND=", "GIT_ASKPASS=",
		"GIT_SSL_", "GIT_PROXY_COMMAND=", "GIT_HTTP_", "GIT_CONFIG_GLOBAL=",
		"GIT_CONFIG_SYSTEM=", "GIT_CONFIG_NOSYSTEM=", "GIT_EXEC_PATH="};

	if (strncmp(variable, "GIT_", 4) != 0)
		return strncmp(variable, "LC_", 3) != 0 && strncmp(variable, "LANG", 4) != 0;
	for (size_t i = 0; i < sizeof KEPT / sizeof *KEPT; i++)
		if (strncmp(variable, KEPT[i], strlen(KEPT[i])) == 0)
			return true;
	return false;
}

static const char **environment(struct arena *a, const char *user, const char *password)
{
	struct {
		const char **v;
		size_t n, cap;
	} list = {0};

	for (char **v = environ; v && *v; v++)
		if (is_inherited(*v))
			*VEC_PUSH(a, &list) = *v;
	*VEC_PUSH(a, &list) = "GIT_TERMINAL_PROMPT=0";
	*VEC_PUSH(a, &list) = "GIT_OPTIONAL_LOCKS=0";
	*VEC_PUSH(a, &list) = "LC_ALL=C";
	if (!getenv("GIT_SSH_COMMAND") && !getenv("GIT_SSH"))
		*VEC_PUSH(a, &list) = "GIT_SSH_COMMAND=ssh -oBatchMode=yes";
	if (!getenv("GIT_SSL_CAINFO") && http_ca_variable())
		*VEC_PUSH(a, &list) = arena_printf(a, "GIT_SSL_CAINFO=%s", http_ca_variable());
	if (user) {
		*VEC_PUSH(a, &list) = arena_printf(a, "ENVBUILD_GIT_USER=%s", user);
		*VEC_PUSH(a, &list) = arena_printf(a, "ENVBUILD_GIT_PASSWORD=%s", password);
	}
	*VEC_PUSH(a, &list) = NULL;
	return list.v;
}

static void take_url(struct git *g)
{
	struct arena *a = g->a;
	struct str url = g->s->url, user = {0}, password = {0};
	ptrdiff_t at = str_find(url, STR("://"));
	bool http = str_starts(url, STR("http://")) || str_starts(url, STR("https://"));
	size_t host = (size_t)at + 3;
	struct str rest = str_sub(url, host, url.n);
	ptrdiff_t slash = str_chr(rest, '/');
	struct str authority = slash < 0 ? rest : str_sub(rest, 0, (size_t)slash);
	ptrdiff_t end = str_rchr(authority, '@');

	if (http && end >= 0) {
		g->has_credentials = true;
		password = str_sub(authority, 0, (size_t)end);
		user = str_cut(&password, ':');
		url = arena_strf(a, "%.*s%.*s", (int)host, url.p,
			STR_ARG(str_sub(rest, (size_t)end + 1, rest.n)));
	}
	g->url = arena_cstr(a, url);
	g->public = http_redact(a, g->url);
	g->env = environment(a, g->has_credentials ? arena_cstr(a, percent_decoded(a, user)) : NULL,
		arena_cstr(a, percent_decoded(a, password)));
}

static int open_git(struct arena *a, const struct cache *c, const struct git_source *s,
	struct git *out, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	*out = (struct git){.a = a, .s = s};
	if (!proc_find("git")) {
		err_set(e, ERR_FAIL, "no program 'git', which '%s' needs",
			http_redact(a, arena_cstr(a, s->url)));
		return err_advise(e, "install git on this machine; the image needs none");
	}
	if (s->url.n && s->url.p[0] == '-')
		return err_set(e, ERR_INPUT, "'%.*s' is no URL", STR_ARG(s->url));
	take_url(out);
	sha256_of(out->url, strlen(out->url), sum);
	hex_encode(sum, SHA256_LEN, hex);
	out->mirror = arena_printf(a, "%s/git/%.32s", c->dir, hex);
	return 0;
}

/* --- running -------------------------------------------------------------------------------- */

static const char CREDENTIALS[] = "credential.helper=!f() { test \"$1\" = get || exit 0; echo "
				  "\"username=$ENVBUILD_GIT_USER\"; "
				  "echo \"password=$ENVBUILD_GIT_PASSWORD\"; }; f";

static size_t add_settings(const struct git *g, const char **argv, size_t n)
{
	static const char *const SETTINGS[] = {"protocol.allow=never",
		"protocol.https.allow=always", "protocol.http.allow=always",
		"protocol.ssh.allow=always", "core.hooksPath=/dev/null", "core.autocrlf=false",
		"core.eol=lf", "core.fsmonitor=false", "core.attributesFile=/dev/null",
		"core.fileMode=true", "core.symlinks=true", "advice.detachedHead=false",
		"gc.auto=0", "http.lowSpeedLimit=1", "http.lowSpeedTime=60"};
	bool local = str_starts(g->s->url, STR("file://"));

	for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++) {
		argv[n++] = "-c";
		argv[n++] = SETTINGS[i];
	}
	/* The mirror is read as a file too; a repository from elsewhere names no local one. */
	argv[n++] = "-c";
	argv[n++] = local ? "protocol.file.allow=always" : "protocol.file.allow=user";
	if (g->has_credentials) {
		argv[n++] = "-c";
		argv[n++] = "credential.helper=";
		argv[n++] = "-c";
		argv[n++] = CREDENTIALS;
	}
	return n;
}

struct output {
	struct buf out, err;
};

static void to_out(void *ctx, struct str bytes)
{
	buf_str(&((struct output *)ctx)->out, bytes);
}

static void to_err(void *ctx, struct str bytes)
{
	buf_str(&((struct output *)ctx)->err, bytes);
}

static int failed(const struct git *g, const char *what, struct str said, struct err *e)
{
	struct str text = str_trim(said);

	if (text.n > SHOWN_OUTPUT)
		text = str_sub(text, text.n - SHOWN_OUTPUT, text.n);
	text = http_redact_text(g->a, text);
	err_set(e, ERR_NETWORK, "cannot %s '%s':\n%.*s", what, g->public, STR_ARG(text));
	return err_advise(
		e, "see whether 'git ls-remote %s' answers here without asking", g->public);
}

/*
 * One git command, its arguments ending with NULL.  what: "read the branches of", for the message.
 * *out: what it printed, in the arena; may be NULL.
 */
static int run(const struct git *g, const char *what, const char *cwd, const char *const *args,
	struct str *out, struct err *e)
{
	struct output o = {.out.max = MAX_OUTPUT, .err.max = MAX_OUTPUT};
	const char *argv[64] = {"git"};
	struct proc p = {.argv = argv,
		.env = g->env,
		.cwd = cwd,
		.on_stdout = to_out,
		.on_stderr = to_err,
		.ctx = &o,
		.timeout_s = g->s->timeout_s};
	size_t n = add_settings(g, argv, 1), k = 0;
	int status = 0, rc;

	while (k < MAX_ARGS && args[k])
		argv[n++] = args[k++];
	argv[n] = NULL;
	rc = proc_run(&p, &status, e);
	if (rc == 0 && status != 0)
		rc = failed(g, what, buf_view(&o.err), e);
	if (rc == 0 && out)
		*out = arena_str(g->a, buf_view(&o.out));
	buf_release(&o.out);
	buf_release(&o.err);
	return rc;
}

/* --- the mirror ----------------------------------------------------------------------------- */

static int make_mirror(const struct git *g, const struct cache *c, struct err *e)
{
	const char *tmp = path_join(g->a, c->dir, "tmp");
	char *dir = dir_temp(g->a, tmp, "git", e);
	const char *const args[] = {"init", "--quiet", "--bare", "--template=", dir, NULL};

	if (!dir || run(g, "make a mirror of", NULL, args, NULL, e) < 0 ||
		dir_make(path_dir(g->a, g->mirror), e) < 0)
		return -1;
	if (rename(dir, g->mirror) < 0 && !path_exists(g->mirror)) {
		err_sys(e, "cannot make '%s'", g->mirror);
		dir_remove(dir, NULL);
		return -1;
	}
	return dir_remove(dir, e); /* somebody else was first */
}

static int fetch(const struct git *g, const char *refspec, struct err *e)
{
	const char *const args[] = {"fetch", "--quiet", "--force", "--no-write-fetch-head",
		"--no-recurse-submodules", "--no-tags", refspec ? "--no-prune" : "--prune", "--",
		g->url, refspec ? refspec : "+refs/heads/*:refs/heads/*",
		refspec ? NULL : "+refs/tags/*:refs/tags/*", NULL};

	return run(g, "fetch", g->mirror, args, NULL, e);
}

/*
 * Brings branches and tags up to date.  Another run may work on the same mirror, and a killed one
 * may have left its locks: what fails twice is thrown away and made anew.
 */
static int update_mirror(const struct git *g, const struct cache *c, struct err *e)
{
	struct err first = {0};

	for (int i = 0; i < MAX_TRIES; i++) {
		err_release(&first);
		if (!path_exists(g->mirror) && make_mirror(g, c, e) < 0)
			return -1;
		if (fetch(g, NULL, &first) == 0)
			return 0;
		if (!first.text || !strstr(first.text, ".lock"))
			break;
		if (i == 1)
			dir_remove(g->mirror, NULL);
		sleep(1);
	}
	return err_move(e, &first);
}

/* The commit that a name stands for in the mirror; false: it is not there. */
static bool in_mirror(const struct git *g, const char *rev, struct str *commit)
{
	const char *const args[] = {"rev-parse", "--verify", "--quiet", "--end-of-options",
		arena_printf(g->a, "%s^{commit}", rev), NULL};
	struct str out;

	if (!path_exists(g->mirror) || run(g, "look into", g->mirror, args, &out, NULL) < 0)
		return false;
	out = str_trim(out);
	if (commit)
		*commit = out;
	return git_is_commit(out);
}

/* --- what a name stands for ----------------------------------------------------------------- */

/* Rank of a ref for this name: 0 best; -1: another's. */
static int rank_of(struct arena *a, struct str ref, struct str rev)
{
	if (rev.n == 0)
		return str_is(ref, "HEAD") ? 0 : -1;
	const struct str names[] = {
		arena_strf(a, "refs/heads/%.*s", STR_ARG(rev)),
		arena_strf(a, "refs/tags/%.*s^{}", STR_ARG(rev)),
		arena_strf(a, "refs/tags/%.*s", STR_ARG(rev)),
		arena_strf(a, "%.*s^{}", STR_ARG(rev)),
		rev,
	};
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_eq(ref, names[i]))
			return (int)i;
	return -1;
}

static bool best_ref(struct arena *a, struct str listing, struct str rev, struct str *commit)
{
	int best = -1;

	while (listing.n) {
		struct str ref = str_cut(&listing, '\n'), sum = str_cut(&ref, '\t');
		int rank = rank_of(a, ref, rev);

		if (rank < 0 || !git_is_commit(sum) || (best >= 0 && best <= rank))
			continue;
		best = rank;
		*commit = sum;
	}
	return best >= 0;
}

/* A short commit is in no list of refs. */
static bool may_be_short(struct str rev)
{
	for (size_t i = 0; i < rev.n; i++)
		if (!strchr("0123456789abcdef", rev.p[i]))
			return false;
	return rev.n >= 4 && rev.n < 40;
}

static int no_such(const struct git *g, struct err *e)
{
	struct str name = g->s->rev.n ? g->s->rev : STR("HEAD");

	err_set(e, ERR_INPUT, "'%s' has no branch, tag or commit '%.*s'", g->public, STR_ARG(name));
	return err_advise(e, "'git ls-remote %s' lists what there is", g->public);
}

static int not_cached(const struct git *g, struct err *e)
{
	err_set(e, ERR_NETWORK, "'%s' is not in the cache, and the network is off (--offline)",
		g->public);
	return err_advise(e, "run once without --offline");
}

static int ask_remote(const struct git *g, const struct cache *c, struct str *commit, struct err *e)
{
	struct str rev = g->s->rev, listing;
	const char *name = rev.n ? arena_cstr(g->a, rev) : "HEAD";
	const char *const args[] = {"ls-remote", "--", g->url, name,
		rev.n ? arena_printf(g->a, "%s^{}", name) : NULL, NULL};

	if (run(g, "read the branches of", NULL, args, &listing, e) < 0)
		return -1;
	if (best_ref(g->a, listing, rev, commit))
		return 0;
	if (may_be_short(rev)) {
		if (in_mirror(g, name, commit))
			return 0;
		if (update_mirror(g, c, e) < 0)
			return -1;
		if (in_mirror(g, name, commit))
			return 0;
	}
	return no_such(g, e);
}

/* Where the last answer is kept, for runs without network. */
static char *answer_path(const struct git *g)
{
	uint8_t sum[SHA256_LEN];
	char hex[SHA256_HEX + 1];

	sha256_of(g->s->rev.p, g->s->rev.n, sum);
	hex_encode(sum, SHA256_LEN, hex);
	return arena_printf(g->a, "%s.%.16s", g->mirror, hex);
}

static int last_answer(const struct git *g, struct str *commit, struct err *e)
{
	const char *path = answer_path(g);

	if (!path_exists(path) || file_read(g->a, path, 256, commit, NULL) < 0)
		return not_cached(g, e);
	*commit = str_trim(*commit);
	return git_is_commit(*commit) ? 0 : not_cached(g, e);
}

static int remember(const struct git *g, struct str commit, struct err *e)
{
	const char *path = answer_path(g);

	if (dir_make(path_dir(g->a, path), e) < 0)
		return -1;
	return file_write(path, arena_strf(g->a, "%.*s\n", STR_ARG(commit)), 0644, e);
}

int git_resolve(struct arena *a, const struct cache *c, const struct git_source *s,
	char commit[GIT_COMMIT_MAX + 1], struct err *e)
{
	struct git g;
	struct str found = s->rev;

	if (open_git(a, c, s, &g, e) < 0)
		return -1;
	if (!git_is_commit(s->rev)) {
		if (s->offline ? last_answer(&g, &found, e) < 0 : ask_remote(&g, c, &found, e) < 0)
			return -1;
		if (!s->offline && remember(&g, found, e) < 0)
			return -1;
	}
	snprintf(commit, GIT_COMMIT_MAX + 1, "%.*s", STR_ARG(found));
	return 0;
}

/* --- a checkout ----------------------------------------------------------------------------- */

/* Branches and tags first; a server may also hand out a commit or a ref of another kind by name. */
static int have_commit(
	const struct git *g, const struct cache *c, const char *commit, struct err *e)
{
	struct str rev = g->s->rev;

	if (in_mirror(g, commit, NULL))
		return 0;
	if (g->s->offline)
		return not_cached(g, e);
	if (update_mirror(g, c, e) < 0)
		return -1;
	if (in_mirror(g, commit, NULL))
		return 0;
	if (str_starts(rev, STR("refs/")))
		fetch(g, arena_printf(g->a, "+%.*s:refs/envbuild/%s", STR_ARG(rev), commit), NULL);
	else
		fetch(g, arena_printf(g->a, "%s:refs/envbuild/%s", commit, commit), NULL);
	if (in_mirror(g, commit, NULL))
		return 0;
	err_set(e, ERR_NETWORK, "'%s' no longer has the commit %s", g->public, commit);
	return err_advise(e, "'envbuild lock' takes the commit that the branch has now");
}

static int submodules(const struct git *g, const char *dir, struct err *e)
{
	const char *const args[] = {
		"submodule", "--quiet", "update", "--init", "--recursive", "--force", NULL};
	CLEANUP_ARENA a = {0};

	if (!path_exists(path_join(&a, dir, ".gitmodules")))
		return 0;
	if (g->s->offline)
		return err_set(e, ERR_NETWORK,
			"'%s' has submodules, and the network is off (--offline)", g->public);
	return run(g, "fetch the submodules of", dir, args, NULL, e);
}

int git_checkout(struct arena *a, const struct cache *c, const struct git_source *s,
	const char *commit, const char *dir, int64_t *time, struct err *e)
{
	struct git g, local;
	struct git_source here;
	struct str out;
	uint64_t seconds = 0;

	if (open_git(a, c, s, &g, e) < 0 || have_commit(&g, c, commit, e) < 0)
		return -1;
	here = *s;
	here.url = STR("file:///");
	local = g;
	local.s = &here;
	const char *const clone[] = {"clone", "--quiet", "--no-hardlinks", "--no-checkout",
		"--template=", "--", g.mirror, dir, NULL};
	const char *const origin[] = {"remote", "set-url", "origin", g.url, NULL};
	const char *const checkout[] = {"checkout", "--quiet", "--force", "--detach", commit, NULL};
	const char *const when[] = {"log", "-1", "--format=%ct", commit, NULL};
	if (run(&local, "copy", NULL, clone, NULL, e) < 0 ||
		run(&local, "name", dir, origin, NULL, e) < 0 ||
		run(&local, "check out", dir, checkout, NULL, e) < 0 ||
		run(&local, "ask for the time of", dir, when, &out, e) < 0 ||
		submodules(&g, dir, e) < 0)
		return -1;
	if (str_u64(str_trim(out), INT64_MAX, &seconds) < 0)
		return err_set(e, ERR_INTEGRITY, "commit %s of '%s' has no time", commit, g.public);
	*time = (int64_t)seconds;
	return 0;
}
