/*
 * The pip section of environment.yml: resolved and installed by the environment's own pip, in the
 * engine, beside conda's packages (docs/design/pip.md).
 */
#include "builder/pip.h"

static bool have_pip(const struct prefix *p)
{
	for (size_t i = 0; i < p->n_packages; i++)
		if (str_is(p->packages[i].record->name, "pip"))
			return true;
	return false;
}

static bool is_settled(const struct install_request *r)
{
	return r->pypi && r->pypi->settled;
}

bool prefix_has_pip(const struct prefix *p)
{
	const struct install_request *r = p->request;

	return r->n_pip > 0 || (is_settled(r) && r->pypi->n > 0);
}

int prefix_check_pip(const struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	CLEANUP_ARENA a = {0};
	struct requirements ignored;

	if (!prefix_has_pip(p))
		return 0;
	if (!p->python.major || !have_pip(p)) {
		err_set(e, ERR_INPUT, "%s and no pip",
			r->n_pip ? "the environment file has a pip section"
				 : "the lock has packages of PyPI");
		return err_advise(e, "add 'pip' to conda's dependencies");
	}
	return requirements_read(&a, r->pip, r->n_pip, r->pip_file, r->project_dir, &ignored, e);
}

/* A request need not have a place for the answer. */
static struct pypi_set *set_of(struct prefix *p, struct pypi_set *own)
{
	return p->request->pypi ? p->request->pypi : own;
}

static int settle(struct pip_work *w, struct pypi_set *set, struct err *e)
{
	if (set->settled)
		return pip_ensure(w, set, true, e);
	return pip_resolve(w, set, e);
}

/* Before anything is made, or locked, that could not be installed. */
static int settle_and_check(struct pip_work *w, struct pypi_set *set, struct err *e)
{
	return settle(w, set, e) < 0 ? -1 : pip_check_paths(w, set, e);
}

int prefix_settle_pip(struct prefix *p, struct err *e)
{
	const struct install_request *r = p->request;
	struct pypi_set own = {0};
	struct pip_work w;
	int rc;

	if (!prefix_has_pip(p) || (r->for_pack && !is_settled(r)))
		return 0;
	rc = pip_work_open(p, &w, e);
	if (rc == 0 && r->for_pack)
		rc = pip_ensure(&w, r->pypi, false, e);
	else if (rc == 0)
		rc = settle_and_check(&w, set_of(p, &own), e);
	pip_work_close(&w);
	return rc;
}

static int run(struct prefix *p, struct pip_work *w, struct err *e)
{
	struct pypi_set own = {0}, *set = set_of(p, &own);

	if (p->request->resolve_only)
		return settle_and_check(w, set, e);
	return settle(w, set, e) < 0 ? -1 : pip_install(w, set, e);
}

int prefix_pip(struct prefix *p, struct err *e)
{
	struct pip_work w;
	int rc;

	if (!prefix_has_pip(p))
		return 0;
	rc = pip_work_open(p, &w, e);
	if (rc == 0)
		rc = run(p, &w, e);
	pip_work_close(&w);
	return rc < 0 || p->request->resolve_only ? rc : prefix_compile_pip(p, e);
}
