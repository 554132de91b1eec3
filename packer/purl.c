#include "packer/purl.h"

#include "base/http.h"

static void add_qualifier(struct buf *to, bool *first, const char *key, struct str value)
{
	if (!value.n)
		return;
	buf_printf(to, "%c%s=", *first ? '?' : '&', key);
	url_escape(to, value);
	*first = false;
}

/* Names that everybody knows; the empty text where nobody else can know it. */
static struct str channel_of(struct str url)
{
	static const char *const known[] = {
		"https://conda.anaconda.org/", "https://repo.anaconda.com/pkgs/"};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (str_starts(url, str_of(known[i])))
			return str_sub(url, strlen(known[i]), url.n);
	return str_starts(url, STR("file:")) || str_find(url, STR("://")) < 0 ? (struct str){0}
									      : url;
}

void purl_conda(const struct record *r, struct buf *to)
{
	bool first = true;

	buf_puts(to, "pkg:conda/");
	url_escape(to, r->name);
	buf_putc(to, '@');
	url_escape(to, r->version);
	add_qualifier(to, &first, "build", r->build);
	add_qualifier(to, &first, "channel", channel_of(r->channel));
	add_qualifier(to, &first, "subdir", r->subdir);
	add_qualifier(to, &first, "type",
		str_ends(r->fn, STR(".tar.bz2")) ? STR("tar.bz2") : STR("conda"));
}

/* "git+https://host/x.git?rev=main#COMMIT" to "git+https://host/x.git@COMMIT". */
static void add_git(struct buf *to, bool *first, struct str url)
{
	struct str rest = url, place = str_cut(&rest, '#'), query = place;
	CLEANUP_BUF text = {0};

	buf_str(&text, str_cut(&query, '?'));
	if (rest.n) {
		buf_putc(&text, '@');
		buf_str(&text, rest);
	}
	add_qualifier(to, first, "vcs_url", buf_view(&text));
}

void purl_pypi(const struct pypi_package *p, struct buf *to)
{
	bool first = true;

	buf_puts(to, "pkg:pypi/");
	url_escape(to, p->name);
	if (p->version.n) {
		buf_putc(to, '@');
		url_escape(to, p->version);
	}
	if (str_starts(p->url, STR("git+")) && str_find(p->url, STR("file:")) < 0)
		add_git(to, &first, p->url);
	else if (!p->index.n &&
		 (str_starts(p->url, STR("https:")) || str_starts(p->url, STR("http:"))) &&
		 !str_starts(p->url, STR("https://files.pythonhosted.org/")))
		add_qualifier(to, &first, "download_url", p->url);
}
