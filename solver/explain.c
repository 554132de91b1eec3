#include "solver/explain.h"
int explain(struct universe *u, struct err *e)
{
	return err_set(e, ERR_UNSAT, "%d", (int)u->n_wishes);
}
