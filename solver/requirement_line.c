/* One requirement: a name (PEP 508), a URL, a repository, or a path. */
#include "solver/requirements_lines.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "solver/dist_name.h"
#include "solver/marker.h"

struct line {
	struct arena *a;
	const struct requirement_place *at;
	struct str text; /* whole */
	struct requirement *out;
};

static int refuse(const struct line *l, struct err *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int refuse(const struct line *l, struct err *e, const char *fmt, ...)
{
	struct str text = http_redact_text(l->a, l->text);
	va_list ap;

	va_start(ap, fmt);
	err_vset(e, ERR_INPUT, fmt, ap);
	va_end(ap);
	return err_wrap(e, "%s: '%.*s'", l->at->where, STR_ARG(text));
}

/* --- pieces --------------------------------------------------------------------------------- */

/* The name and extras of "egg=", of "[extra]" behind a path. */
static int set_name(struct line *l, struct str text, struct err *e)
{
	struct pep508 spec, *to = &l->out->spec;

	if (pep508_parse(l->a, text, &spec, e) < 0)
		return err_wrap(e, "%s", l->at->where);
	if (to->name.n && !str_eq(to->name, spec.name))
		return refuse(l, e, "it is called '%.*s' and '%.*s'", STR_ARG(to->name),
			STR_ARG(spec.name));
	to->name = spec.name;
	to->given_name = spec.given_name;
	if (spec.n_extras) {
		to->extras = spec.extras;
		to->n_extras = spec.n_extras;
	}
	return 0;
}

static int set_subdirectory(struct line *l, struct str value, struct err *e)
{
	struct str dir = percent_decoded(l->a, value);

	while (str_starts(dir, STR("./")))
		dir = str_sub(dir, 2, dir.n);
	while (dir.n && dir.p[dir.n - 1] == '/')
		dir.n--;
	if (dir.n && !str_is(dir, ".") && !path_is_safe(dir))
		return refuse(l, e, "subdirectory '%.*s' leads out of it", STR_ARG(value));
	l->out->subdirectory = str_is(dir, ".") ? STR("") : dir;
	return 0;
}

bool requirement_hash_is_valid(struct str hash)
{
	struct str hex = hash, algorithm = str_cut(&hex, ':');
	uint8_t bytes[64];
	size_t n;

	if (str_is(algorithm, "sha256"))
		n = 32;
	else if (str_is(algorithm, "sha384"))
		n = 48;
	else if (str_is(algorithm, "sha512"))
		n = 64;
	else
		return false;
	return hex.p && hex_decode(hex, bytes, n) == 0;
}

/* Others than these, such as md5, are of no worth. */
static int add_hash(struct line *l, struct str algorithm, struct str hex, struct err *e)
{
	struct requirement *r = l->out;
	struct str *v, hash;

	if (!str_is(algorithm, "sha256") && !str_is(algorithm, "sha384") &&
		!str_is(algorithm, "sha512"))
		return 0;
	hash = arena_strf(l->a, "%.*s:%.*s", STR_ARG(algorithm), STR_ARG(hex));
	if (!requirement_hash_is_valid(hash))
		return refuse(l, e, "'%.*s' is no hash", STR_ARG(hash));
	v = arena_array(l->a, struct str, r->n_hashes + 1);
	for (size_t i = 0; i < r->n_hashes; i++)
		v[i] = r->hashes[i];
	v[r->n_hashes++] = hash;
	r->hashes = v;
	return 0;
}

/* egg=NAME&subdirectory=DIR&sha256=HEX */
static int set_fragment(struct line *l, struct str fragment, struct err *e)
{
	while (fragment.n) {
		struct str value = str_cut(&fragment, '&'), key = str_cut(&value, '=');

		if (!value.n)
			continue;
		if (str_is(key, "egg") && set_name(l, percent_decoded(l->a, value), e) < 0)
			return -1;
		if (str_is(key, "subdirectory") && set_subdirectory(l, value, e) < 0)
			return -1;
		if (add_hash(l, key, value, e) < 0)
			return -1;
	}
	return 0;
}

static struct str cut_fragment(struct str *url)
{
	ptrdiff_t at = str_chr(*url, '#');
	struct str fragment = {0};

	if (at < 0)
		return fragment;
	fragment = str_sub(*url, (size_t)at + 1, url->n);
	url->n = (size_t)at;
	return fragment;
}

static bool has_blank(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == 0x7f)
			return true;
	return false;
}

/* The scheme before the colon, lower case; empty where there is none. */
static struct str scheme_of(struct arena *a, struct str text)
{
	ptrdiff_t colon = str_chr(text, ':');
	char *p;

	if (colon <= 0)
		return STR("");
	p = arena_cstr(a, str_sub(text, 0, (size_t)colon));
	for (ptrdiff_t i = 0; i < colon; i++) {
		if (p[i] >= 'A' && p[i] <= 'Z')
			p[i] = (char)(p[i] | 0x20);
		if (!(p[i] >= 'a' && p[i] <= 'z') && !(i && strchr("0123456789+-.", p[i])))
			return STR("");
	}
	return str_n(p, (size_t)colon);
}

/* --- git ------------------------------------------------------------------------------------ */

/* git@host:path: what ssh and git take for short; "" where it is not that. */
static struct str of_shorthand(struct line *l, struct str url)
{
	ptrdiff_t colon = str_chr(url, ':');
	struct str host, path;

	if (colon <= 0)
		return STR("");
	host = str_sub(url, 0, (size_t)colon);
	path = str_sub(url, (size_t)colon + 1, url.n);
	/* "ext::COMMAND" is git's way to run a program. */
	if (str_chr(host, '/') >= 0 || !path.n || path.p[0] == ':')
		return STR("");
	return arena_strf(l->a, "ssh://%.*s%s%.*s", STR_ARG(host), path.p[0] == '/' ? "" : "/",
		STR_ARG(path));
}

/* "@REV" behind the path of the URL is cut off. */
static int cut_rev(struct line *l, struct str *url, struct err *e)
{
	size_t path = (size_t)str_find(*url, STR("://")) + 3;
	ptrdiff_t at, query;
	struct str tail;

	while (path < url->n && url->p[path] != '/' && url->p[path] != '?')
		path++;
	if (path == url->n || url->p[path] != '/')
		return refuse(l, e, "the URL has no path");
	tail = str_sub(*url, path, url->n);
	query = str_chr(tail, '?');
	if (query >= 0)
		tail.n = (size_t)query;
	at = str_rchr(tail, '@');
	if (at < 0)
		return 0;
	l->out->rev = percent_decoded(l->a, str_sub(tail, (size_t)at + 1, tail.n));
	if (!l->out->rev.n)
		return refuse(l, e, "nothing stands behind '@'");
	/* git would take it for an option. */
	if (l->out->rev.p[0] == '-' || has_blank(l->out->rev))
		return refuse(l, e, "'%.*s' is no branch, tag or commit", STR_ARG(l->out->rev));
	*url = query < 0 ? str_sub(*url, 0, path + (size_t)at)
			 : arena_strf(l->a, "%.*s%.*s", (int)path + (int)at, url->p,
				   STR_ARG(str_sub(*url, path + (size_t)query, url->n)));
	return 0;
}

static bool git_scheme(struct str scheme)
{
	static const char *const schemes[] = {"https", "http", "ssh", "file"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (str_is(scheme, schemes[i]))
			return true;
	return false;
}

/* Behind "://", up to the host's name, stands no dash that ssh would take for an option. */
static bool host_is_safe(struct str url)
{
	struct str rest = str_sub(url, (size_t)str_find(url, STR("://")) + 3, url.n), host;
	ptrdiff_t at;

	host = str_cut(&rest, '/');
	at = str_rchr(host, '@');
	if (host.n && host.p[0] == '-')
		return false;
	host = str_sub(host, (size_t)(at + 1), host.n);
	return !host.n || host.p[0] != '-';
}

static int set_git(struct line *l, struct str url, struct err *e)
{
	struct str fragment, scheme;

	url = str_sub(url, 4, url.n);
	fragment = cut_fragment(&url);
	l->out->kind = REQUIREMENT_GIT;
	if (str_find(url, STR("://")) < 0)
		url = of_shorthand(l, url);
	scheme = scheme_of(l->a, url);
	if (!git_scheme(scheme)) {
		refuse(l, e, "git is asked over https, http, ssh or file only");
		return err_advise(e, "write git+https://HOST/PATH.git@REV");
	}
	if (has_blank(url) || !str_starts(str_sub(url, scheme.n, url.n), STR("://")) ||
		!host_is_safe(url))
		return refuse(l, e, "this is not a URL");
	if (cut_rev(l, &url, e) < 0 || set_fragment(l, fragment, e) < 0)
		return -1;
	l->out->url = arena_str(l->a, url);
	return 0;
}

/* --- paths ---------------------------------------------------------------------------------- */

/* The way from one absolute folder to a path. */
static struct str relative_path(struct arena *a, struct str from, struct str to)
{
	CLEANUP_BUF b = {0};
	size_t same = 0, i;

	for (i = 0; i < from.n && i < to.n && from.p[i] == to.p[i]; i++)
		if (from.p[i] == '/')
			same = i;
	if (i == from.n && (i == to.n || to.p[i] == '/'))
		same = i;
	else if (i == to.n && from.p[i] == '/')
		same = i;
	for (i = same; i < from.n; i++)
		if (from.p[i] == '/' && i + 1 < from.n)
			buf_puts(&b, b.n ? "/.." : "..");
	to = str_sub(to, same, to.n);
	if (!b.n)
		buf_puts(&b, ".");
	buf_str(&b, to.n == 1 ? STR("") : to);
	return arena_str(a, buf_view(&b));
}

static bool below(struct str dir, struct str path)
{
	return str_starts(path, dir) && (path.n == dir.n || path.p[dir.n] == '/');
}

static bool has_file(struct arena *a, const char *dir, const char *name)
{
	return path_exists(path_join(a, dir, name));
}

static int set_folder(struct line *l, const char *path, struct err *e)
{
	l->out->kind = REQUIREMENT_FOLDER;
	if (has_file(l->a, path, "pyproject.toml") || has_file(l->a, path, "setup.py"))
		return 0;
	refuse(l, e, "the folder has neither pyproject.toml nor setup.py");
	return err_advise(e, "name the folder of a Python project");
}

static int set_file(struct line *l, const char *path, struct err *e)
{
	struct dist_name name;

	l->out->kind = REQUIREMENT_FILE;
	if (dist_name_parse(l->a, str_of(path_base(path)), &name) < 0)
		return refuse(l, e,
			"the file's name is neither a wheel's nor a source "
			"distribution's");
	if (name.kind != DIST_WHEEL && l->out->spec.name.n)
		return 0;
	return name.name.n ? set_name(l, name.name, e) : 0;
}

static int set_path(struct line *l, struct str text, struct err *e)
{
	const char *given = arena_cstr(l->a, text);
	const char *path = path_absolute(l->a, path_join(l->a, l->at->project_dir, given));
	struct str project = str_of(path_absolute(l->a, l->at->project_dir));
	struct stat st;

	if (stat(path, &st) < 0 || !(S_ISDIR(st.st_mode) || S_ISREG(st.st_mode))) {
		refuse(l, e, "there is no file or folder '%s'", given);
		return err_advise(
			e, "paths of packages are relative to the folder of the environment file");
	}
	l->out->url = str_of(path);
	l->out->path = given[0] == '/' && !below(project, str_of(path))
			       ? str_of(path)
			       : relative_path(l->a, project, str_of(path));
	return S_ISDIR(st.st_mode) ? set_folder(l, path, e) : set_file(l, path, e);
}

/* file:///path, file://localhost/path, file:path */
static int set_file_url(struct line *l, struct str url, struct err *e)
{
	struct str fragment = cut_fragment(&url), path = str_sub(url, 5, url.n);

	if (str_starts(path, STR("//localhost/")))
		path = str_sub(path, 11, path.n);
	else if (str_starts(path, STR("///")))
		path = str_sub(path, 2, path.n);
	else if (str_starts(path, STR("//")))
		return refuse(l, e, "the file is on another machine");
	path = percent_decoded(l->a, path);
	if (!path.n || str_chr(path, '\0') >= 0)
		return refuse(l, e, "a path is missing");
	if (set_fragment(l, fragment, e) < 0)
		return -1;
	return set_path(l, path, e);
}

/* --- URLs ----------------------------------------------------------------------------------- */

static int set_http(struct line *l, struct str url, struct err *e)
{
	struct str fragment = cut_fragment(&url);
	struct dist_name name;

	l->out->kind = REQUIREMENT_URL;
	if (set_fragment(l, fragment, e) < 0)
		return -1;
	if (!host_is_safe(url) || has_blank(url))
		return refuse(l, e, "this is not a URL");
	l->out->url = arena_str(l->a, url);
	if (dist_name_parse(l->a, dist_file_of(l->a, url), &name) < 0 || !name.name.n)
		return 0;
	/* An archive of a forge is named after its tag: what a line says itself counts. */
	if (name.kind != DIST_WHEEL && (l->out->spec.name.n || !name.version.n))
		return 0;
	return set_name(l, name.name, e);
}

static bool other_vcs(struct str scheme)
{
	static const char *const names[] = {"hg+", "svn+", "bzr+", "hg", "svn", "bzr", "sftp"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (i < 3 ? str_starts(scheme, str_of(names[i])) : str_is(scheme, names[i]))
			return true;
	return false;
}

static int set_url(struct line *l, struct str url, struct err *e)
{
	struct str scheme = scheme_of(l->a, url);

	if (str_starts(url, STR("git+")))
		return set_git(l, url, e);
	if (str_is(scheme, "file"))
		return set_file_url(l, url, e);
	if ((str_is(scheme, "http") || str_is(scheme, "https")) &&
		str_starts(str_sub(url, scheme.n, url.n), STR("://")))
		return set_http(l, url, e);
	if (other_vcs(scheme)) {
		refuse(l, e, "only git is known of version control systems");
		return err_advise(e, "name a release of it, or a wheel's URL");
	}
	if (str_starts(scheme, STR("git"))) {
		refuse(l, e, "a git URL begins with 'git+https://' or the like");
		return err_advise(e, "write git+https://HOST/PATH.git@REV");
	}
	return refuse(l, e, "this is not a URL that is known");
}

static bool is_url(struct line *l, struct str text)
{
	struct str scheme = scheme_of(l->a, text);

	return str_starts(text, STR("git+")) || str_is(scheme, "file") || other_vcs(scheme) ||
	       (scheme.n && str_starts(str_sub(text, scheme.n, text.n), STR("://")));
}

/* --- the line ------------------------------------------------------------------------------- */

/* What stands behind "; " or " ;" of a URL, ";" of a path, is a marker; *text is cut before it. */
static int cut_marker(struct line *l, struct str *text, bool url, struct err *e)
{
	struct pep508 *spec = &l->out->spec;
	const char *why;
	size_t i;

	for (i = 0; i < text->n; i++)
		if (text->p[i] == ';' && (!url || (i + 1 < text->n && text->p[i + 1] == ' ') ||
						 (i && text->p[i - 1] == ' ')))
			break;
	if (i >= text->n)
		return 0;
	spec->marker_text = str_trim(str_sub(*text, i + 1, text->n));
	*text = str_trim(str_sub(*text, 0, i++));
	if (!spec->marker_text.n)
		return 0;
	if (marker_scan(l->a, l->text, &i, &spec->marker, &why) == 0)
		return 0;
	return refuse(l, e, "%s at %zu", why, i + 1);
}

/* Does pip take it for a path: a slash, a dot in front, or the name of an archive that is there? */
static bool is_path(struct line *l, struct str text)
{
	struct dist_name name;
	struct str before;

	text = str_trim(str_cut(&text, ';'));
	if (text.n && (text.p[0] == '.' || text.p[0] == '/'))
		return true;
	before = text;
	before = str_cut(&before, '@');
	if (str_chr(text, '@') >= 0 && str_chr(before, '/') < 0)
		return false;
	if (str_chr(text, '/') >= 0)
		return true;
	return dist_name_parse(l->a, text, &name) == 0 &&
	       path_exists(path_join(l->a, l->at->project_dir, arena_cstr(l->a, text)));
}

/* "./pkg[extra]" */
static int set_path_extras(struct line *l, struct str *text, struct err *e)
{
	ptrdiff_t at = str_rchr(*text, '[');
	struct pep508 extras;

	if (at <= 0 || text->p[text->n - 1] != ']')
		return 0;
	if (pep508_parse(l->a,
		    arena_strf(l->a, "x%.*s", STR_ARG(str_sub(*text, (size_t)at, text->n))),
		    &extras, e) < 0)
		return err_wrap(e, "%s", l->at->where);
	l->out->spec.extras = extras.extras;
	l->out->spec.n_extras = extras.n_extras;
	*text = str_trim(str_sub(*text, 0, (size_t)at));
	return 0;
}

static int parse_named(struct line *l, struct err *e)
{
	struct pep508 *spec = &l->out->spec;

	if (pep508_parse(l->a, l->text, spec, e) < 0)
		return err_wrap(e, "%s", l->at->where);
	l->out->kind = REQUIREMENT_INDEX;
	if (!spec->url.n)
		return 0;
	return set_url(l, spec->url, e);
}

int requirement_parse(struct arena *a, const struct requirement_place *at, struct str text,
	struct requirement *out, struct err *e)
{
	struct line l = {.a = a, .at = at, .text = arena_str(a, str_trim(text)), .out = out};
	struct str rest = l.text;
	bool url = is_url(&l, rest);

	if (!url && !is_path(&l, rest))
		return parse_named(&l, e);
	out->spec.text = l.text;
	if (cut_marker(&l, &rest, url, e) < 0)
		return -1;
	if (url)
		return set_url(&l, rest, e);
	if (set_path_extras(&l, &rest, e) < 0)
		return -1;
	return set_path(&l, rest, e);
}

int requirement_git_parse(struct arena *a, struct str url, struct requirement *out, struct err *e)
{
	struct requirement_place at = {"a direct reference", "/"};
	struct line l = {.a = a, .at = &at, .text = arena_str(a, url), .out = out};

	*out = (struct requirement){.text = l.text};
	if (!str_starts(url, STR("git+")))
		return refuse(&l, e, "a git URL begins with 'git+'");
	return set_git(&l, l.text, e);
}
