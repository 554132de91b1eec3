#include "packer/audit_learn.h"

size_t audit_learn(struct arena *a, const struct audit *audit, struct learned_list *list)
{
	(void)a;
	(void)audit;
	(void)list;
	return 0;
}
