/* envbuild image build. */
#include "images/build.h"

#include "cli/image.h"
#include "cli/image_bring.h"

/* Package servers that hang are not waited for all night. */
enum { TIMEOUT_S = 2 * 3600 };

int command_image_build(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	struct build_request r = {.dockerfile = o->dockerfile, .tool = o->tool};
	struct bring bring;
	struct image image;
	bool was_there;

	if (bring_open(s, &bring, e) < 0 || session_open(s, e) < 0 || session_work(s, e) < 0)
		return -1;
	r.import = bring.import;
	r.work = s->work;
	r.timeout_s = o->timeout ? o->timeout : TIMEOUT_S;
	if (image_build(&s->arena, &r, &image, &was_there, e) < 0)
		return -1;
	image_say(s, &image, was_there);
	return 0;
}
