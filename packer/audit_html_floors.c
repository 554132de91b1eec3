/*
 * The picture: a bar for each package up to the newest glibc it needs, and a line where the target's
 * is.  Widths are in percent and heights in pixels, so that text keeps its size at any width.
 */
#include "packer/audit_html_inside.h"

#include "images/libc.h"

enum {
	BARS_MAX = 12,
	TOP = 26, /* for what the target's line says */
	ROW = 34, /* text above, bar below */
	BAR = 10,
	AXIS = 22,
	PLACE_MAX = 80, /* glibc is at 2.4x; a file may claim anything */
};

/* "2.17" is at 17, "2.3.4" at 3.4; what is no glibc 2 is at an end. */
static double place_of(struct str version)
{
	struct str rest = version, minor;
	uint64_t n = 0, patch = 0;

	if (!version_is_numeric(version) || glibc_cmp(version, STR("2")) < 0)
		return 0;
	if (glibc_cmp(version, STR("2.80")) >= 0)
		return PLACE_MAX;
	str_cut(&rest, '.');
	minor = str_cut(&rest, '.');
	str_u64(minor, PLACE_MAX, &n);
	str_u64(str_cut(&rest, '.'), 9, &patch);
	return (double)n + (double)patch / 10;
}

struct picture {
	const struct audit *audit;
	struct buf *to;
	size_t bars;
	double end; /* what 100 % stands for */
	unsigned height;
};

static double percent(const struct picture *p, double place)
{
	return 100 * place / p->end;
}

/* A name that would leave the picture at its right ends at its place. */
static const char *anchor_of(double x)
{
	return x > 60 ? "end" : "start";
}

static void put_axis(struct picture *p)
{
	static const unsigned ticks[] = {5, 12, 17, 28, 34, 41, 60};

	for (size_t i = 0; i < sizeof ticks / sizeof *ticks; i++) {
		double x = percent(p, ticks[i]);

		if (x > 97)
			break;
		buf_printf(p->to,
			"<line class=\"grid\" x1=\"%.1f%%\" x2=\"%.1f%%\" y1=\"%d\" "
			"y2=\"%u\"/><text class=\"axis\" x=\"%.1f%%\" y=\"%u\" "
			"text-anchor=\"middle\">2.%u</text>\n",
			x, x, TOP, p->height - AXIS, x, p->height - 6, ticks[i]);
	}
}

static const char *class_of(const struct picture *p, size_t i)
{
	return glibc_cmp(p->audit->floors[i].glibc, p->audit->glibc) > 0 ? "over" : "fits";
}

static void put_bar(struct picture *p, size_t i)
{
	const struct audit_floor *f = &p->audit->floors[i];

	buf_printf(p->to,
		"<rect class=\"%s\" x=\"0\" y=\"%u\" width=\"%.1f%%\" height=\"%d\" "
		"rx=\"2\"><title>",
		class_of(p, i), TOP + (unsigned)i * ROW + 20, percent(p, place_of(f->glibc)), BAR);
	report_markup(p->to, f->path);
	buf_puts(p->to, "</title></rect>\n");
}

static void put_label(struct picture *p, size_t i)
{
	const struct audit_floor *f = &p->audit->floors[i];

	buf_printf(p->to, "<text x=\"0\" y=\"%u\"><tspan class=\"version %s\">",
		TOP + (unsigned)i * ROW + 15, class_of(p, i));
	report_markup(p->to, f->glibc);
	buf_puts(p->to, "</tspan> ");
	report_markup(p->to, report_package(p->audit, f->package));
	buf_puts(p->to, "</text>\n");
}

static void put_target(struct picture *p)
{
	double x = percent(p, place_of(p->audit->glibc));

	buf_printf(p->to,
		"<line class=\"target\" x1=\"%.1f%%\" x2=\"%.1f%%\" y1=\"%d\" y2=\"%u\"/>"
		"<text class=\"has\" x=\"%.1f%%\" y=\"14\" text-anchor=\"%s\">",
		x, x, TOP - 6, p->height - AXIS, x, anchor_of(x));
	report_markup(p->to, p->audit->profile->name);
	buf_puts(p->to, " has ");
	report_markup(p->to, p->audit->glibc);
	buf_puts(p->to, "</text>\n");
}

static void put_picture(struct picture *p)
{
	double most = place_of(p->audit->floors[0].glibc), target = place_of(p->audit->glibc);

	p->end = (most > target ? most : target) + 2;
	p->height = TOP + (unsigned)p->bars * ROW + 8 + AXIS;
	buf_printf(p->to,
		"<figure>\n<svg height=\"%u\" role=\"img\" aria-label=\"The newest glibc that "
		"each package needs, beside the target's\">\n",
		p->height);
	put_axis(p);
	for (size_t i = 0; i < p->bars; i++)
		put_bar(p, i);
	put_target(p);
	for (size_t i = 0; i < p->bars; i++)
		put_label(p, i);
	buf_puts(p->to, "</svg>\n</figure>\n");
}

static void put_table(const struct audit *audit, struct buf *to)
{
	buf_puts(to, "<details><summary>All packages</summary>\n<table>\n<thead><tr><th>glibc</th>"
		     "<th>Package</th><th>A file that needs it</th></tr></thead>\n<tbody>\n");
	for (size_t i = 0; i < audit->n_floors; i++) {
		buf_puts(to, "<tr><td>");
		report_markup(to, audit->floors[i].glibc);
		buf_puts(to, "</td><td>");
		report_markup(to, report_package(audit, audit->floors[i].package));
		buf_puts(to, "</td><td>");
		report_markup(to, audit->floors[i].path);
		buf_puts(to, "</td></tr>\n");
	}
	buf_puts(to, "</tbody>\n</table></details>\n");
}

void html_floors(struct arena *a, const struct audit *audit, struct buf *to)
{
	struct picture p = {.audit = audit, .to = to, .bars = audit->n_floors};

	if (!audit->n_floors) {
		buf_puts(to, "<p>No binary file needs a version of glibc.</p>\n");
		return;
	}
	if (p.bars > BARS_MAX)
		p.bars = BARS_MAX;
	put_picture(&p);
	if (p.bars < audit->n_floors) {
		buf_printf(to, "<p class=\"soft\">And %.*s with at most ",
			STR_ARG(report_count(a, audit->n_floors - p.bars, "more package")));
		report_markup(to, audit->floors[p.bars].glibc);
		buf_puts(to, ".</p>\n");
	}
	put_table(audit, to);
}
