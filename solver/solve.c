#include "solver/explain.h"
#include "solver/pool.h"

#include "base/http.h"

static const struct candidate *chosen_of(
	const struct candidate_list *chosen, const struct package *p)
{
	for (size_t i = 0; i < chosen->n; i++)
		if (chosen->v[i]->package == p)
			return chosen->v[i];
	return NULL;
}

int attempt(
	struct universe *u, struct candidate_list *chosen, struct conflict_list *why, struct err *e)
{
	attempt_begin(u);
	if (reach(u, e) < 0)
		return -1;
	prune(u);
	if (wish_hopeless(u))
		return 0;
	rank(u);
	reduce(u);
	return pool_choose(u, NULL, chosen, why);
}

/* --- the answer ---------------------------------------------------------------------------- */

/* Sees to it that nothing is handed out that does not hold: libsolv is trusted, our use checked. */
static int check_requirement(const struct candidate_list *chosen, const struct requirement *r,
	const struct candidate *of, bool needed, struct err *e)
{
	const struct candidate *c = chosen_of(chosen, r->package);

	if (r->package->is_virtual)
		c = r->package->candidates.n ? r->package->candidates.v[0] : NULL;
	if (c ? requirement_matches(r, c) : !needed)
		return 0;
	return err_set(e, ERR_FAIL, "the solver's answer does not meet '%.*s' of '%.*s'",
		STR_ARG(r->text), STR_ARG(of ? of->record->fn : STR("the request")));
}

static int check_solution(
	const struct universe *u, const struct candidate_list *chosen, struct err *e)
{
	for (size_t i = 0; i < u->n_wishes; i++)
		if (check_requirement(chosen, u->wishes[i].requirement, NULL, true, e) < 0)
			return -1;
	for (size_t i = 0; i < chosen->n; i++) {
		const struct candidate *c = chosen->v[i];

		if (chosen_of(chosen, c->package) != c)
			return err_set(e, ERR_FAIL, "the solver's answer holds '%.*s' twice",
				STR_ARG(c->package->name));
		for (size_t k = 0; k < c->n_depends; k++)
			if (check_requirement(chosen, c->depends[k], c, true, e) < 0)
				return -1;
		for (size_t k = 0; k < c->n_constrains; k++)
			if (check_requirement(chosen, c->constrains[k], c, false, e) < 0)
				return -1;
	}
	return 0;
}

static struct record *finish_record(struct arena *a, const struct candidate *c)
{
	struct record *r = record_copy(a, c->record);

	/* A channel's base_url is the channel's to write, but nothing secret enters a lock. */
	r->url = str_of(http_redact(
		a, url_join(a, arena_cstr(a, c->source->base_url), url_encode(a, r->fn))));
	return r;
}

static void hand_out(struct arena *a, const struct candidate_list *chosen, struct solution *out)
{
	out->n = chosen->n;
	out->records = arena_array(a, struct record *, chosen->n);
	for (size_t i = 0; i < chosen->n; i++)
		out->records[i] = finish_record(a, chosen->v[i]);
	records_topological(out->records, out->n);
}

static int solve_universe(struct arena *a, struct universe *u, struct solution *out, struct err *e)
{
	struct candidate_list chosen = {0};
	int rc = attempt(u, &chosen, NULL, e);

	if (rc < 0)
		return -1;
	if (rc == 0)
		return explain(u, e);
	improve(u, &chosen);
	if (check_solution(u, &chosen, e) < 0)
		return -1;
	hand_out(a, &chosen, out);
	return 0;
}

int solve_index(struct arena *a, const struct solve_request *r, const struct index *ix,
	struct solution *out, struct err *e)
{
	struct universe u;
	int rc = universe_init(&u, r, ix, e);

	if (rc == 0)
		rc = solve_universe(a, &u, out, e);
	out->n_index_records = ix->n_places;
	universe_release(&u);
	return rc;
}

/* --- from channels ------------------------------------------------------------------------- */

/* Two requests a channel: its own subdir, and noarch. */
static int fetch(struct arena *a, const struct solve_request *r, struct index_request *requests,
	struct err *e)
{
	for (size_t i = 0; i < r->n_channels; i++) {
		requests[2 * i] = (struct index_request){&r->channels[i], r->subdir, {0}};
		requests[2 * i + 1] = (struct index_request){&r->channels[i], STR("noarch"), {0}};
	}
	return channel_fetch_indexes(
		a, r->http, r->cache_dir, r->offline, requests, 2 * r->n_channels, e);
}

static int add_channel(
	struct index *ix, const struct index_request *requests, unsigned position, struct err *e)
{
	const struct channel *channel = requests[0].channel;
	bool any = false;

	for (size_t i = 0; i < 2; i++) {
		if (!requests[i].file.path || (i == 1 && str_is(requests[0].subdir, "noarch")))
			continue;
		any = true;
		if (index_add_file(ix, requests[i].file.path, channel, position, requests[i].subdir,
			    e) < 0)
			return -1;
	}
	if (any)
		return 0;
	err_set(e, ERR_NETWORK, "no index in channel '%.*s' for %.*s or noarch (%.*s)",
		STR_ARG(channel->name), STR_ARG(requests[0].subdir), STR_ARG(channel->url));
	return err_advise(e, "check the channel's name; a folder of packages becomes a channel by "
			     "`envbuild channel index DIR`");
}

int solve(struct arena *a, const struct solve_request *r, struct solution *out, struct err *e)
{
	struct arena scratch = {0};
	struct index_request *requests =
		arena_array(&scratch, struct index_request, 2 * r->n_channels);
	struct index *ix = index_new();
	int rc = fetch(&scratch, r, requests, e);

	for (size_t i = 0; rc == 0 && i < r->n_channels; i++)
		rc = add_channel(ix, &requests[2 * i], (unsigned)i, e);
	if (rc == 0)
		rc = solve_index(a, r, ix, out, e);
	index_free(ix);
	arena_release(&scratch);
	return rc;
}
