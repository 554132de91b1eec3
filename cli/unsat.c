#include "cli/unsat.h"

#include "cli/output.h"

static void json_line(struct json_out *w, const struct unsat_line *l)
{
	jw_key(w, "line");
	if (l->line)
		jw_int(w, l->line);
	else
		jw_null(w);
	jw_pair(w, "text", l->text);
}

static void json_lines(struct json_out *w, const char *key, const struct unsat_line *v, size_t n)
{
	jw_key(w, key);
	jw_array(w);
	for (size_t i = 0; i < n; i++) {
		jw_object(w);
		json_line(w, &v[i]);
		jw_object_end(w);
	}
	jw_array_end(w);
}

void json_date(struct json_out *w, const char *key, uint64_t timestamp)
{
	char date[16];

	jw_pair_or_null(w, key, str_of(record_date(timestamp, date)));
}

static void json_fit(struct json_out *w, const struct unsat_fit *f)
{
	jw_object(w);
	json_line(w, &f->of);
	jw_pair(w, "name", f->name);
	jw_pair_or_null(w, "version", f->version);
	if (f->any) {
		jw_pair(w, "build", f->build);
		jw_pair(w, "channel", f->channel);
		json_date(w, "date", f->timestamp);
		jw_key(w, "with_others");
		jw_bool(w, !f->alone);
	}
	jw_object_end(w);
}

static void json_remedy(struct json_out *w, const struct unsat *unsat)
{
	jw_key(w, "remedy");
	if (!unsat->remedy.name.n) {
		jw_null(w);
		return;
	}
	jw_object(w);
	jw_pair(w, "virtual_package", unsat->remedy.name);
	jw_pair_or_null(w, "from", unsat->remedy.from);
	jw_pair(w, "to", unsat->remedy.to);
	jw_object_end(w);
}

void json_unsat(struct json_out *w, const struct unsat *unsat)
{
	jw_object(w);
	jw_pair_or_null(w, "target", unsat->target);
	jw_key(w, "file");
	jw_cstr(w, unsat->file);
	/* The smallest contradiction: of lines that are impossible each by itself any one. */
	json_lines(w, "contradiction", unsat->lines,
		unsat->each && unsat->n_lines ? 1 : unsat->n_lines);
	json_lines(w, "impossible", unsat->lines, unsat->each ? unsat->n_lines : 0);
	jw_key(w, "smallest");
	jw_bool(w, unsat->smallest);
	jw_key(w, "fits");
	jw_array(w);
	for (size_t i = 0; i < unsat->n_fits; i++)
		json_fit(w, &unsat->fits[i]);
	jw_array_end(w);
	json_lines(w, "solves_without", unsat->without, unsat->n_without);
	json_remedy(w, unsat);
	jw_object_end(w);
}

void unsat_document(const struct options *o, const struct unsat *unsat, const struct err *e)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "error");
	jw_cstr(&w, e->text);
	jw_key(&w, "advice");
	jw_cstr(&w, err_advice(e));
	jw_key(&w, "unsat");
	json_unsat(&w, unsat);
	jw_object_end(&w);
	output_document(o, &text);
}
