/*
 * The page: a frame (audit_html.html) whose marks are filled in.  It needs nothing else and asks for
 * nothing: its policy allows its own style and its own script, by their sums, and no more.  Whatever
 * comes from packages goes through report_markup.
 */
#include "packer/audit_html_inside.h"

#include "base/hash.h"
#include "images/embed.h"

EMBED_FILE(audit_html_frame, "packer/audit_html.html");
EMBED_FILE(audit_html_style, "packer/audit_html.css");
EMBED_FILE(audit_html_script, "packer/audit_html.js");

static const struct embedded {
	const char *begin, *end;
} frame = {audit_html_frame_begin, audit_html_frame_end},
  style = {audit_html_style_begin, audit_html_style_end},
  script = {audit_html_script_begin, audit_html_script_end};

static struct str text_of(const struct embedded *file)
{
	return str_n(file->begin, (size_t)(file->end - file->begin));
}

struct page {
	struct arena *a;
	const struct audit *audit;
	struct buf *to;
};

/* --- what browsers compare ---------------------------------------------------------------------- */

static void put_base64(struct buf *to, const uint8_t *p, size_t n)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)p[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			v |= p[i + 2];
		buf_putc(to, digits[v >> 18]);
		buf_putc(to, digits[v >> 12 & 63]);
		buf_putc(to, i + 1 < n ? digits[v >> 6 & 63] : '=');
		buf_putc(to, i + 2 < n ? digits[v & 63] : '=');
	}
}

static void put_sum(struct page *p, struct str text)
{
	uint8_t sum[SHA256_LEN];

	sha256_of(text.p, text.n, sum);
	put_base64(p->to, sum, sizeof sum);
}

static void put_style_sum(struct page *p)
{
	put_sum(p, text_of(&style));
}

static void put_script_sum(struct page *p)
{
	put_sum(p, text_of(&script));
}

static void put_style(struct page *p)
{
	buf_str(p->to, text_of(&style));
}

static void put_script(struct page *p)
{
	buf_str(p->to, text_of(&script));
}

/* --- the head of the page ------------------------------------------------------------------------ */

static void put_title(struct page *p)
{
	buf_puts(p->to, "Audit for target ");
	report_markup(p->to, p->audit->profile->name);
}

static void put_verdict_class(struct page *p)
{
	buf_puts(p->to, p->audit->n_of[LEVEL_ERROR] ? "failed" : "passed");
}

static bool is_all_seen(const struct audit *audit)
{
	for (size_t i = 0; i < audit->n_findings; i++)
		if (audit->findings[i].rule == RULE_UNREAD)
			return false;
	return true;
}

static void put_verdict(struct page *p)
{
	const struct audit *audit = p->audit;

	if (audit->n_of[LEVEL_ERROR])
		buf_printf(p->to, "%.*s: not all of it can load on hosts of this target",
			STR_ARG(report_count(p->a, audit->n_of[LEVEL_ERROR], "error")));
	else
		buf_puts(p->to, is_all_seen(audit) ? "Nothing stands against hosts of this target"
						   : "Nothing that could be read stands against "
						     "hosts of this target");
}

static void put_against(struct page *p)
{
	const struct audit *audit = p->audit;

	buf_puts(p->to, "Held against ");
	if (audit->against_root)
		buf_puts(p->to, "the target's image");
	else if (audit->profile->has_libraries)
		buf_puts(p->to, "the libraries that the target's profile lists");
	else
		buf_puts(p->to, "the target's version of glibc alone");
	buf_puts(p->to, "; hosts have glibc ");
	report_markup(p->to, audit->glibc);
	buf_puts(p->to, ".");
	if (!audit->n_floors)
		return;
	buf_puts(p->to, " The environment needs glibc ");
	report_markup(p->to, audit->floors[0].glibc);
	buf_puts(p->to, ": ");
	report_markup(p->to, report_package(audit, audit->floors[0].package));
	buf_puts(p->to, " sets that.");
}

static void put_tile(struct page *p, const char *class, const char *name, struct str value)
{
	buf_printf(p->to, "<div class=\"%s\"><dt>%s</dt><dd>", class, name);
	report_markup(p->to, value);
	buf_puts(p->to, "</dd></div>\n");
}

static void put_number(struct page *p, const char *class, const char *name, size_t n)
{
	put_tile(p, n ? class : "none", name, arena_strf(p->a, "%zu", n));
}

static void put_tiles(struct page *p)
{
	const struct audit *audit = p->audit;

	put_number(p, "error", "Errors", audit->n_of[LEVEL_ERROR]);
	put_number(p, "warning", "Warnings", audit->n_of[LEVEL_WARNING]);
	put_number(p, "info", "Infos", audit->n_of[LEVEL_INFO]);
	put_number(p, "some", "Ignored", audit->n_ignored);
	put_tile(p, "some", "Needs glibc", audit->n_floors ? audit->floors[0].glibc : STR("none"));
	put_tile(p, "some", "Hosts have", audit->glibc);
	put_number(p, "some", "Packages", audit->tree->n_packages);
	put_number(p, "some", "Binary files", audit->n_binaries);
	put_number(p, "some", "Processes", audit->n_processes);
}

static void put_floors(struct page *p)
{
	html_floors(p->a, p->audit, p->to);
}

static void put_findings(struct page *p)
{
	html_findings(p->a, p->audit, p->to);
}

/* --- the frame ------------------------------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*put)(struct page *p);
} marks[] = {
	{"style-sum", put_style_sum},
	{"script-sum", put_script_sum},
	{"style", put_style},
	{"script", put_script},
	{"title", put_title},
	{"verdict-class", put_verdict_class},
	{"verdict", put_verdict},
	{"against", put_against},
	{"tiles", put_tiles},
	{"floors", put_floors},
	{"findings", put_findings},
};

static void fill(struct page *p, struct str mark)
{
	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		if (str_is(mark, marks[i].name))
			marks[i].put(p);
}

void audit_html(struct arena *a, const struct audit *audit, struct buf *to)
{
	struct page p = {.a = a, .audit = audit, .to = to};
	struct str rest = text_of(&frame);
	ptrdiff_t at, end;

	while ((at = str_find(rest, STR("{{"))) >= 0 && (end = str_find(rest, STR("}}"))) > at) {
		buf_str(to, str_sub(rest, 0, (size_t)at));
		fill(&p, str_sub(rest, (size_t)at + 2, (size_t)end));
		rest = str_sub(rest, (size_t)end + 2, rest.n);
	}
	buf_str(to, rest);
}
