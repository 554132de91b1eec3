/* envbuild image probe. */
#include "images/probe.h"

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "cli/image_root.h"
#include "cli/output.h"
#include "cli/session.h"
#include "images/compare.h"

#include <stdio.h>

static int print(struct str text, struct err *e)
{
	if (fwrite(text.p, 1, text.n, stdout) != text.n)
		return err_sys(e, "cannot write to stdout");
	return 0;
}

static void print_profile(const struct profile *p, const struct probe_notes *notes)
{
	CLEANUP_BUF text = {0};

	probe_write(&text, p, notes);
	printf("%s", text.p);
}

/* Of --image, else of this machine. */
static int probe(struct session *s, struct profile *out, struct probe_notes *notes, struct err *e)
{
	const struct options *o = &s->line.options;
	struct engine_options place = {0};

	if (o->image && image_root(s, &place, e) < 0)
		return -1;
	if (o->image)
		return probe_root(&s->arena, place.root, o->name, out, e);
	if (probe_host(&s->arena, o->name, out, notes, e) < 0)
		return -1;
	for (size_t i = 0; i < notes->n; i++)
		log_warn("%s", notes->v[i]);
	return 0;
}

/* --- --union ------------------------------------------------------------------------------ */

static int unite(struct session *s, struct err *e)
{
	size_t n = s->line.n_operands;
	struct profile *all = arena_array(&s->arena, struct profile, n), whole;
	const struct profile **v = arena_array(&s->arena, const struct profile *, n);
	const char *name = s->line.options.name ? s->line.options.name : "union";

	for (size_t i = 0; i < n; i++) {
		if (profile_find(&s->arena, s->line.operands[i], ".", &all[i], e) < 0)
			return -1;
		all[i].source = s->line.operands[i];
		v[i] = &all[i];
	}
	if (profile_union(&s->arena, name, v, n, &whole, e) < 0)
		return -1;
	print_profile(&whole, NULL);
	return 0;
}

/* --- --check ------------------------------------------------------------------------------ */

static void drift_json(
	const struct session *s, const struct profile *said, const struct drifts *drifts)
{
	CLEANUP_BUF text = {0};
	struct json_out w = {.to = &text};

	jw_object(&w);
	jw_key(&w, "target");
	jw_str(&w, said->name);
	jw_key(&w, "image");
	jw_cstr(&w, s->line.options.image);
	jw_key(&w, "satisfied");
	jw_bool(&w, drifts->lacking == 0);
	jw_key(&w, "drift");
	jw_array(&w);
	for (size_t i = 0; i < drifts->n; i++) {
		const struct drift *d = &drifts->v[i];

		jw_object(&w);
		jw_key(&w, "what");
		jw_cstr(&w, d->what);
		jw_key(&w, "lacks");
		jw_bool(&w, d->lacks);
		jw_key(&w, "profile");
		jw_cstr(&w, *d->said ? d->said : NULL);
		jw_key(&w, "host");
		jw_cstr(&w, *d->has ? d->has : NULL);
		jw_object_end(&w);
	}
	jw_array_end(&w);
	jw_object_end(&w);
	output_document(&s->line.options, &text);
}

static void drift_words(const struct session *s, const struct drifts *drifts)
{
	const char *who = s->line.options.image ? "image" : "host";

	for (size_t i = 0; i < drifts->n; i++) {
		const struct drift *d = &drifts->v[i];

		printf("%s %s: profile %s, %s %s\n", d->lacks ? "lacks" : "more ", d->what,
			*d->said ? d->said : "-", who, *d->has ? d->has : "-");
	}
}

static int check(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	const char *who = o->image ? "the image" : "this host";
	struct probe_notes notes = {0};
	struct drifts drifts = {0};
	struct profile said, has;

	if (profile_find(&s->arena, o->check_profile, ".", &said, e) < 0 ||
		probe(s, &has, &notes, e) < 0)
		return -1;
	profile_drift(&s->arena, &said, &has, o->image != NULL, &drifts);
	if (o->json)
		drift_json(s, &said, &drifts);
	else
		drift_words(s, &drifts);
	if (drifts.lacking == 0) {
		log_note("%s has all that target '%.*s' promises", who, STR_ARG(said.name));
		return 0;
	}
	err_set(e, ERR_FAIL, "%s has less than target '%.*s' promises, in %zu respect%s", who,
		STR_ARG(said.name), drifts.lacking, drifts.lacking == 1 ? "" : "s");
	if (o->image)
		return err_advise(e, "take an image of the target, or mend the profile");
	return err_advise(e, "update the host, or make the profile what all hosts have: "
			     "'envbuild image probe --union FILE...'");
}

/* --- the command -------------------------------------------------------------------------- */

static int check_words(const struct command_line *line, struct err *e)
{
	const struct options *o = &line->options;

	if (o->unite + o->script + (o->check_profile != NULL) > 1)
		err_set(e, ERR_USAGE, "--union, --check and --script exclude each other");
	else if (o->unite && line->n_operands == 0)
		err_set(e, ERR_USAGE, "--union needs the files that probes printed");
	else if (!o->unite && line->n_operands > 0)
		err_set(e, ERR_USAGE, "'%s' is one word too many without --union",
			line->operands[0]);
	else if (o->image && (o->unite || o->script))
		err_set(e, ERR_USAGE, "--image goes with a probe or --check only");
	else if (o->json && !o->check_profile)
		err_set(e, ERR_USAGE, "--json goes with --check only: a probe prints a profile");
	else if (o->name && !profile_name_is_good(str_of(o->name)))
		err_set(e, ERR_USAGE,
			"a target's name has letters, digits, '.', '_' and '-', not '%s'", o->name);
	else
		return 0;
	return err_advise(e, "see 'envbuild image probe --help'");
}

int command_image_probe(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	struct probe_notes notes = {0};
	struct profile found;

	if (check_words(&s->line, e) < 0)
		return -1;
	if (o->script)
		return print(probe_script(), e);
	if (o->unite)
		return unite(s, e);
	if (o->check_profile)
		return check(s, e);
	if (probe(s, &found, &notes, e) < 0)
		return -1;
	print_profile(&found, &notes);
	return 0;
}
