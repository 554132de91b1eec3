/*
 * pip of any age tells no URLs: they are found on the pages that it read, by the file's name, and
 * what a page says of the file's sum must be so.
 */
#include "builder/pip.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/http.h"
#include "builder/simple_index.h"

#include <unistd.h>

static const char PYPI[] = "https://pypi.org/simple";

struct search {
	struct pip_work *w;
	struct str file;
	const uint8_t *sha256;
	struct str url;  /* found */
	struct str liar; /* a page that has the file with another sum */
	bool sure;       /* the page gave the sum */
};

static int page_of(
	struct pip_work *w, const char *url, const struct simple_page **out, struct err *e)
{
	union table_value *v = table_get(&w->pages, str_of(url));
	struct simple_page *page = v ? v->ptr : NULL;
	struct str body;

	if (!page) {
		page = arena_new(w->arena, struct simple_page);
		if (http_get(w->request->http, w->arena, url, SIMPLE_PAGE_MAX, &body, e) < 0 ||
			simple_page_parse(w->arena, url, body, page, e) < 0)
			return -1;
		table_put(&w->pages, str_of(url))->ptr = page;
	}
	*out = page;
	return 0;
}

static void look_at(struct search *s, const char *url)
{
	struct err e = {0};
	const struct simple_page *page;
	const struct simple_file *f;

	if (s->sure)
		return;
	if (page_of(s->w, url, &page, &e) < 0) {
		/* pip may have found it elsewhere */
		log_debug("%s", e.text);
		err_release(&e);
		return;
	}
	f = simple_page_find(page, s->file);
	if (!f)
		return;
	if (f->has_sha256 && memcmp(f->sha256, s->sha256, SHA256_LEN) != 0) {
		s->liar = str_of(http_redact(s->w->arena, url));
		return;
	}
	if (s->url.n && !f->has_sha256)
		return;
	s->url = f->url;
	s->sure = f->has_sha256;
}

/* A folder of --find-links: as the lock names files of the project, else by its URL. */
static void look_in(struct search *s, const char *folder)
{
	struct arena *a = s->w->arena;
	const char *project = s->w->request->project_dir;
	char *path = path_join(a, folder, arena_cstr(a, s->file));
	size_t n = project ? strlen(project) : 0;
	uint8_t sum[SHA256_LEN];

	if (s->sure || access(path, R_OK) < 0 || file_hash(path, sum, NULL, NULL) < 0 ||
		memcmp(sum, s->sha256, SHA256_LEN) != 0)
		return;
	s->sure = true;
	if (n && strncmp(path, project, n) == 0 && path[n] == '/')
		s->url = arena_strf(a, ".%s", path + n);
	else
		s->url = str_of(url_of_path(a, path));
}

static void look_at_links(struct search *s, struct str text)
{
	struct arena *a = s->w->arena;
	const char *url = arena_cstr(a, text);
	char *path = text.n && text.p[0] == '/' ? arena_strdup(a, url) : path_of_url(a, url);
	struct stat st;

	if (path && stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		look_in(s, path);
	else if (path)
		look_at(s, url_of_path(a, path));
	else
		look_at(s, url);
}

static const char *index_page(struct pip_work *w, struct str index, struct str name)
{
	char *url = simple_page_url(w->arena, arena_cstr(w->arena, index), name);
	char *path = path_of_url(w->arena, url);

	return path ? url_of_path(w->arena, path_join(w->arena, path, "index.html")) : url;
}

int pip_locate(struct pip_work *w, struct str name, struct str file,
	const uint8_t sha256[SHA256_LEN], struct str *url, struct err *e)
{
	const struct pip_options *o = &w->requirements.options;
	struct search s = {.w = w, .file = file, .sha256 = sha256};

	for (size_t i = 0; i < o->n_find_links; i++)
		look_at_links(&s, o->find_links[i]);
	if (!o->no_index)
		look_at(&s, index_page(w, o->index_url.n ? o->index_url : str_of(PYPI), name));
	for (size_t i = 0; !o->no_index && i < o->n_extra_index_urls; i++)
		look_at(&s, index_page(w, o->extra_index_urls[i], name));
	if (s.url.n) {
		*url = str_of(http_redact(w->arena, arena_cstr(w->arena, s.url)));
		return 0;
	}
	if (s.liar.n)
		return err_set(e, ERR_INTEGRITY,
			"'%.*s' is not the file that '%.*s' gives the sum of", STR_ARG(file),
			STR_ARG(s.liar));
	return err_set(e, ERR_NETWORK,
		"pip downloaded '%.*s', and none of its indexes has it on the page of '%.*s'",
		STR_ARG(file), STR_ARG(name));
}
