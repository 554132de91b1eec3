/* Work over channels: one solve, or what asks more of them. */
#include "solver/index_open.h"
#include "solver/universe.h"

#include "base/log.h"
#include "base/work.h"

struct solving {
	struct opening *opening;
	struct index *ix;
	solve_task *task;
	void *ctx;
	int rc;
	struct err *err;
};

/* Item 0 is the task, the others make the index files that are missing: at the same time. */
static int work(void *ctx, size_t i, struct err *e)
{
	struct solving *s = ctx;

	(void)e;
	if (i == 0)
		s->rc = s->task(s->ctx, s->ix, s->err);
	else
		opening_keep(s->opening, i - 1);
	return 0;
}

static int solve_once(struct solving *s, bool images, struct err *e)
{
	s->ix = opening_open(s->opening, images, e);
	if (!s->ix)
		return -1;
	s->err = e;
	work_run(work_cores(), opening_stale(s->opening) + 1, work, s, NULL);
	opening_close(s->opening);
	return s->rc;
}

static int solve_fetched(struct solving *s, struct err *e)
{
	struct err first = {0};

	if (solve_once(s, true, &first) == 0)
		return 0;
	if (first.code != ERR_INTEGRITY || !opening_has_images(s->opening))
		return err_move(e, &first);
	/* Damage within an index file shows where it is used. */
	log_debug("%s: reading the channels' own files", first.text);
	err_release(&first);
	return solve_once(s, false, e);
}

int solve_with(const struct solve_request *r, solve_task *task, void *ctx, struct err *e)
{
	struct solving s = {.task = task, .ctx = ctx, .opening = opening_new(r)};
	int rc = solve_fetched(&s, e);

	opening_free(s.opening);
	return rc;
}

struct one_solve {
	struct arena *a;
	const struct solve_request *request;
	struct solution *out;
};

static int solve_one(void *ctx, const struct index *ix, struct err *e)
{
	const struct one_solve *s = ctx;

	return solve_index(s->a, s->request, ix, s->out, e);
}

int solve(struct arena *a, const struct solve_request *r, struct solution *out, struct err *e)
{
	struct one_solve s = {a, r, out};

	return solve_with(r, solve_one, &s, e);
}
