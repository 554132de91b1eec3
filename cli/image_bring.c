#include "cli/image_bring.h"

#include "cli/image.h"

static int check_name(const char *name, struct err *e)
{
	if (strcmp(name, "host") != 0)
		return 0;
	err_set(e, ERR_USAGE, "'host' is this machine and needs no image");
	return err_advise(e, "choose another name for it");
}

int bring_open(struct session *s, struct bring *out, struct err *e)
{
	const char *name = s->line.operands[0];
	int known;

	*out = (struct bring){.import = {.store = &out->store, .name = name}};
	if (check_name(name, e) < 0 || session_store(s, &out->store, e) < 0)
		return -1;
	known = image_profile(s, name, &out->profile, e);
	if (known > 0)
		out->import.profile = &out->profile;
	return known < 0 ? -1 : 0;
}
