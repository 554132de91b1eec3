/* What learning says: two lines a round, the error at its end, and JSON. */
#include "cli/learn.h"

#include "base/log.h"

enum { CHANGES_SHOWN = 5, FOUND_SHOWN = 5 };

/* "'lib/libdemo.so.1' needs GLIBC_2.28 of libc.so.6, hosts have GLIBC_2.17" */
static struct str told(struct arena *a, const struct audit_finding *f)
{
	struct str words = learned_words(a, f);

	if (!words.n)
		return f->text;
	return arena_strf(a, "'%.*s' %.*s%s%.*s", STR_ARG(f->path), STR_ARG(words),
		f->has.n ? ", hosts have " : "", STR_ARG(f->has));
}

/* Builds; one of several kinds of needs stands there once for each. */
static size_t count_builds(const struct learn_round *round, bool known)
{
	size_t n = 0;

	for (size_t i = 0; i < round->rejects.n; i++)
		n += round->rejects.v[i].known == known &&
		     (i == 0 || round->rejects.v[i].record != round->rejects.v[i - 1].record);
	return n;
}

void learn_say_found(struct session *s, const struct plan *plan, const struct learn_round *round)
{
	struct arena *a = &s->arena;
	const struct learn_reject *first = &round->rejects.v[0];
	size_t others = count_builds(round, false) - 1;
	struct str more = {0};

	if (others)
		more = arena_strf(a, " (and %zu more package%s)", others, others == 1 ? "" : "s");
	log_note("audit: %.*s cannot load on %.*s: %.*s%.*s",
		STR_ARG(record_dist(a, first->record)), STR_ARG(plan->profile.name),
		STR_ARG(told(a, first->finding)), STR_ARG(more));
}

/* What was ruled out comes first. */
static bool is_of_round(const struct learn_round *round, const struct move *m)
{
	for (size_t i = 0; i < round->rejects.n; i++)
		if (!round->rejects.v[i].known && str_eq(round->rejects.v[i].record->name, m->name))
			return true;
	return false;
}

static void put_changes(struct buf *to, const struct learn_round *round)
{
	size_t shown = 0;

	for (int first = 1; first >= 0; first--)
		for (size_t i = 0; i < round->n_changes && shown < CHANGES_SHOWN; i++) {
			if (is_of_round(round, &round->changes[i]) != first)
				continue;
			if (shown++)
				buf_puts(to, ", ");
			move_say(&round->changes[i], to);
		}
	if (round->n_changes > shown)
		buf_printf(to, " and %zu more", round->n_changes - shown);
}

void learn_say_solved(const struct learn_round *round)
{
	CLEANUP_BUF text = {0};
	size_t known = count_builds(round, true);

	buf_printf(
		&text, "solved again without %s", count_builds(round, false) == 1 ? "it" : "them");
	if (known)
		buf_printf(&text, " and %zu other build%s whose facts are known", known,
			known == 1 ? "" : "s");
	buf_puts(&text, ": ");
	put_changes(&text, round);
	log_note("audit: %.*s", STR_ARG(buf_view(&text)));
}

/* --- nothing is left -------------------------------------------------------------------------- */

/* The finding of the build that would have been taken, then those of others that rounds have found. */
static void put_found(struct arena *a, struct buf *to, const struct plan *plan)
{
	const struct record *last = plan->learned.from.v[0].record;
	size_t n = 0;

	buf_str(to, plan->learned.from.v[0].findings[0].text);
	for (size_t i = 0; i < plan->rounds.n; i++)
		for (size_t k = 0; k < plan->rounds.v[i].rejects.n; k++) {
			const struct learn_reject *r = &plan->rounds.v[i].rejects.v[k];

			if (r->known || r->record == last)
				continue;
			last = r->record;
			if (++n <= FOUND_SHOWN)
				buf_printf(to, "\n%.*s: %.*s", STR_ARG(record_dist(a, last)),
					STR_ARG(told(a, r->finding)));
		}
	if (n > FOUND_SHOWN)
		buf_printf(to, "\nand %zu more builds", n - FOUND_SHOWN);
}

/* What is known of the trouble itself comes first. */
static int advise(const struct plan *plan, const struct profile *nearest, struct err *e)
{
	const struct learned_from *from = &plan->learned.from.v[0];
	const struct audit_finding *first = &from->findings[0];
	const struct str name = from->record->name;
	CLEANUP_BUF text = {0};

	if (first->advice.n && audit_is_known_trouble(first))
		buf_printf(&text, "%.*s; or ", STR_ARG(first->advice));
	if (nearest)
		buf_printf(&text, "make it for that target with -t %.*s", STR_ARG(nearest->name));
	else
		buf_puts(&text, "choose a newer target");
	return err_advise(e,
		"%.*s, or ask for something else than '%.*s' ('envbuild why %.*s' says what asks "
		"for it)",
		STR_ARG(buf_view(&text)), STR_ARG(name), STR_ARG(name));
}

int learn_fail(struct session *s, const struct project *p, const struct plan *plan, struct err *e)
{
	CLEANUP_BUF text = {.max = 64 << 10};
	struct err fault = {0};
	struct profile nearest;
	int found = learn_nearest(s, p, plan, &nearest, &fault);

	if (fault.code == ERR_INTERRUPTED) {
		err_release(e);
		return err_move(e, &fault);
	}
	err_release(&fault);
	put_found(&s->arena, &text, plan);
	buf_printf(&text, "\nand there is %s", e->text);
	if (found > 0)
		buf_printf(&text, "\nthe nearest target it would run on is %.*s (glibc %.*s)",
			STR_ARG(nearest.name), STR_ARG(nearest.glibc));
	else if (found == 0)
		buf_puts(&text, "\nthere is no target known by name that it would run on");
	err_release(e);
	err_set(e, ERR_AUDIT, "%.*s", STR_ARG(buf_view(&text)));
	return advise(plan, found > 0 ? &nearest : NULL, e);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void json_reject(struct json_out *w, const struct learn_reject *r)
{
	jw_object(w);
	jw_pair(w, "name", r->record->name);
	jw_pair(w, "version", r->record->version);
	jw_pair(w, "build", r->record->build);
	jw_pair(w, "rule", str_of(audit_rule_name(r->finding->rule)));
	jw_pair(w, "path", r->finding->path);
	jw_pair_or_null(w, "needs", r->finding->needs);
	jw_pair_or_null(w, "library", r->finding->library);
	jw_pair_or_null(w, "has", r->finding->has);
	jw_pair(w, "text", r->finding->text);
	jw_pair_or_null(w, "learned", r->depends);
	jw_key(w, "known");
	jw_bool(w, r->known);
	jw_object_end(w);
}

static void json_round(struct json_out *w, const struct learn_round *round)
{
	jw_object(w);
	jw_key(w, "rejected");
	jw_array(w);
	for (size_t i = 0; i < round->rejects.n; i++)
		json_reject(w, &round->rejects.v[i]);
	jw_array_end(w);
	jw_key(w, "changes");
	jw_array(w);
	for (size_t i = 0; i < round->n_changes; i++)
		move_tell(&round->changes[i], w);
	jw_array_end(w);
	jw_object_end(w);
}

void learn_tell(struct json_out *w, const struct plan *plan)
{
	jw_key(w, "audit");
	jw_object(w);
	jw_key(w, "rounds");
	jw_array(w);
	for (size_t i = 0; i < plan->rounds.n; i++)
		json_round(w, &plan->rounds.v[i]);
	jw_array_end(w);
	jw_object_end(w);
}
