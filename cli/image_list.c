/* envbuild image list: targets and images. */
#include "base/buf.h"
#include "cli/image.h"
#include "cli/output.h"

#include <stdio.h>

struct row {
	struct str name, glibc, kernel, cpu, cuda;
	const char *source; /* of the profile; NULL: no target */
	const struct image *image;
};

struct rows {
	struct row *v;
	size_t n, cap;
};

/* Of "__linux=3.10.0": VERSION, or BUILD (the third part); empty where the target lacks it. */
static struct str virtual_part(const struct profile *p, const char *name, bool build)
{
	for (size_t i = 0; i < p->n_virtual_packages; i++) {
		struct str rest = p->virtual_packages[i], version;

		if (!str_is(str_cut(&rest, '='), name))
			continue;
		version = str_cut(&rest, '=');
		return build ? rest : version;
	}
	return (struct str){0};
}

static struct row target_row(const struct profile *p)
{
	return (struct row){.name = p->name,
		.glibc = p->glibc,
		.kernel = virtual_part(p, "__linux", false),
		.cpu = virtual_part(p, "__archspec", true),
		.cuda = virtual_part(p, "__cuda", false),
		.source = p->source};
}

static const struct image *image_of(const struct image *v, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].name, name))
			return &v[i];
	return NULL;
}

static bool has_row(const struct rows *rows, struct str name)
{
	for (size_t i = 0; i < rows->n; i++)
		if (str_eq(rows->v[i].name, name))
			return true;
	return false;
}

static int add_targets(struct session *s, struct rows *rows, struct err *e)
{
	struct str *names;
	size_t n;

	if (profile_names(&s->arena, ".", &names, &n, e) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct profile p;

		if (profile_find(&s->arena, arena_cstr(&s->arena, names[i]), ".", &p, e) < 0)
			return -1;
		*VEC_PUSH(&s->arena, rows) = target_row(&p);
	}
	return 0;
}

static void add_images(struct session *s, struct rows *rows, const struct image *v, size_t n)
{
	for (size_t i = 0; i < rows->n; i++)
		rows->v[i].image = image_of(v, n, rows->v[i].name);
	for (size_t i = 0; i < n; i++)
		if (!has_row(rows, v[i].name))
			*VEC_PUSH(&s->arena, rows) = (struct row){
				.name = v[i].name, .glibc = v[i].glibc, .image = &v[i]};
}

static struct str or_dash(struct str s)
{
	return s.n ? s : STR("-");
}

static void print_rows(const struct rows *rows)
{
	size_t width = strlen("NAME");

	for (size_t i = 0; i < rows->n; i++)
		width = rows->v[i].name.n > width ? rows->v[i].name.n : width;
	printf("%-*s  %-6s %-10s %-10s %-6s %s\n", (int)width, "NAME", "GLIBC", "KERNEL", "CPU",
		"CUDA", "IMAGE");
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];
		struct str from = r->image                  ? r->image->origin
				  : str_is(r->name, "host") ? STR("this machine")
							    : STR("none");

		printf("%-*.*s  %-6.*s %-10.*s %-10.*s %-6.*s %.*s%s\n", (int)width,
			STR_ARG(r->name), STR_ARG(or_dash(r->glibc)), STR_ARG(or_dash(r->kernel)),
			STR_ARG(or_dash(r->cpu)), STR_ARG(or_dash(r->cuda)), STR_ARG(from),
			r->source ? "" : " (no target)");
	}
}

static void text_field(struct json_out *w, const char *key, struct str text)
{
	jw_key(w, key);
	if (text.n)
		jw_str(w, text);
	else
		jw_null(w);
}

static void print_json(struct session *s, const struct rows *rows)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_array(&w);
	for (size_t i = 0; i < rows->n; i++) {
		const struct row *r = &rows->v[i];

		jw_object(&w);
		text_field(&w, "name", r->name);
		jw_key(&w, "target");
		jw_bool(&w, r->source != NULL);
		text_field(&w, "source", str_of(r->source));
		text_field(&w, "glibc", r->glibc);
		text_field(&w, "kernel", r->kernel);
		text_field(&w, "cpu", r->cpu);
		text_field(&w, "cuda", r->cuda);
		jw_key(&w, "image");
		image_json(&w, r->image);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	output_document(&s->line.options, &text);
}

int command_image_list(struct session *s, struct err *e)
{
	struct rows rows = {0};
	struct image *images;
	struct store store;
	size_t n;

	if (session_store(s, &store, e) < 0 || store_list(&s->arena, &store, &images, &n, e) < 0 ||
		add_targets(s, &rows, e) < 0)
		return -1;
	add_images(s, &rows, images, n);
	if (s->line.options.json)
		print_json(s, &rows);
	else
		print_rows(&rows);
	return 0;
}
