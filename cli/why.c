/* envbuild why: why a package is in the solution, or what it would take. */
#include "cli/why.h"

#include "cli/output.h"
#include "cli/unsat.h"

#include <errno.h>
#include <stdio.h>

struct asked {
	struct session *s;
	struct project *p;
	struct str spec;
	struct buf *words;
	struct json_out *json;
	struct err *unsat; /* of the targets that have no solution */
};

/* One more target without a solution: all are looked at before that is an error. */
static void note_unsat(struct asked *w, const struct unsat *unsat, struct err *e)
{
	jw_key(w->json, "answer");
	jw_cstr(w->json, "impossible");
	jw_key(w->json, "error");
	jw_cstr(w->json, e->text);
	jw_key(w->json, "advice");
	jw_cstr(w->json, err_advice(e));
	jw_key(w->json, "unsat");
	json_unsat(w->json, unsat);
	if (w->unsat->text) {
		struct err both = {0};

		err_set(&both, ERR_UNSAT, "%s\n%s", w->unsat->text, e->text);
		err_advise(&both, "%s", err_advice(w->unsat));
		err_move(w->unsat, &both);
		err_release(e);
	} else {
		err_move(w->unsat, e);
	}
}

static int ask_target(struct asked *w, const char *target, struct err *e)
{
	const struct unsat *unsat = NULL;
	struct err inner = {0};
	struct plan plan;
	struct why answer;
	struct why_request r;
	struct why_words words = {.spec = w->spec,
		.only_lock = w->p->lock_is_input,
		.all = w->s->line.options.verbose};

	if (plan_look(w->s, w->p, target, &plan, e) < 0)
		return -1;
	r = (struct why_request){.solve = &plan.request,
		.spec = w->spec,
		.only_lock = w->p->lock_is_input,
		.records = plan.from_lock ? plan.records : NULL,
		.n_records = plan.n_records,
		.pypi = plan.pypi};
	words.target = plan.request.target;
	jw_object(w->json);
	jw_key(w->json, "target");
	jw_str(w->json, plan.profile.name);
	if (why(&w->s->arena, &r, &answer, &unsat, &inner) == 0) {
		if (w->words->n)
			buf_putc(w->words, '\n');
		why_tell(&answer, &words, w->words);
		why_json(w->json, &answer);
	} else if (unsat) {
		note_unsat(w, unsat, &inner);
	} else {
		return err_move(e, &inner);
	}
	jw_object_end(w->json);
	return 0;
}

/* Texts of channels are not to steer the terminal. */
static void defuse(struct buf *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (((unsigned char)b->p[i] < ' ' && b->p[i] != '\n') || b->p[i] == 0x7f)
			b->p[i] = '?';
}

static int put(const struct session *s, struct buf *words, const struct buf *json, struct err *e)
{
	if (s->line.options.json) {
		output_document(&s->line.options, json);
		return 0;
	}
	defuse(words);
	if (fwrite(words->p ? words->p : "", 1, words->n, stdout) != words->n ||
		fflush(stdout) == EOF)
		return err_sys(e, "cannot write to stdout");
	return 0;
}

int command_why(struct session *s, struct err *e)
{
	CLEANUP_BUF words = {0}, text = {0};
	struct json_out json = {.to = &text};
	struct err unsat = {0};
	struct project p;
	struct asked w = {.s = s,
		.p = &p,
		.spec = str_trim(str_of(s->line.operands[0])),
		.words = &words,
		.json = &json,
		.unsat = &unsat};

	if (session_open(s, e) < 0 ||
		project_open(s, s->line.n_operands > 1 ? s->line.operands[1] : NULL, &p, e) < 0)
		return -1;
	jw_object(&json);
	jw_key(&json, "spec");
	jw_str(&json, w.spec);
	jw_key(&json, "targets");
	jw_array(&json);
	for (size_t i = 0; i < p.n_targets; i++)
		if (ask_target(&w, p.targets[i], e) < 0) {
			err_release(&unsat);
			return -1;
		}
	jw_array_end(&json);
	jw_object_end(&json);
	if (put(s, &words, &text, e) < 0) {
		err_release(&unsat);
		return -1;
	}
	return unsat.text ? err_move(e, &unsat) : 0;
}
