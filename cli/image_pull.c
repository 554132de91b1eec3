/* envbuild image pull. */
#include "images/pull.h"

#include "base/log.h"
#include "cli/image.h"
#include "cli/image_bring.h"
#include "images/host.h"

static int refuse_offline(const struct session *s, struct err *e)
{
	if (!s->line.options.offline)
		return 0;
	err_set(e, ERR_USAGE, "--offline: nothing is pulled without a network");
	return err_advise(e,
		"'envbuild image import %s FILE' takes an archive that docker save, podman "
		"save or skopeo copy has made elsewhere",
		s->line.operands[0]);
}

/* The reference that is given, else the target's. */
static int choose_reference(
	struct session *s, const struct profile *p, const char **out, struct err *e)
{
	const char *name = s->line.operands[0];

	if (s->line.n_operands > 1) {
		*out = s->line.operands[1];
		return 0;
	}
	if (p && p->reference.n) {
		*out = arena_cstr(&s->arena, p->reference);
		return 0;
	}
	if (p)
		err_set(e, ERR_USAGE, "target '%s' names no image (image: {reference: ...})", name);
	else
		err_set(e, ERR_USAGE, "'%s' is no target, so that a reference is to be given",
			name);
	return err_advise(e, "envbuild image pull %s docker.io/library/debian:12", name);
}

static int advise_other_way(const char *name, struct err *e)
{
	return err_advise(e,
		"check the reference and the network, and run it again; where there is none, "
		"'envbuild "
		"image import %s FILE' takes what 'docker save' or 'skopeo copy' wrote elsewhere",
		name);
}

int command_image_pull(struct session *s, struct err *e)
{
	struct pull_request r = {.plain_http = s->line.options.plain_http};
	struct bring bring;
	struct image image;
	bool was_there;

	if (refuse_offline(s, e) < 0 || bring_open(s, &bring, e) < 0 || session_open(s, e) < 0 ||
		session_work(s, e) < 0 ||
		choose_reference(s, bring.import.profile, &r.reference, e) < 0)
		return -1;
	r.import = bring.import;
	r.http = s->http;
	r.work = s->work;
	r.subdir = bring.import.profile ? bring.profile.subdir : machine_subdir();
	if (image_pull(&s->arena, &r, &image, &was_there, e) < 0)
		return e->code == ERR_NETWORK ? advise_other_way(bring.import.name, e) : -1;
	log_note("it is '%.*s'", STR_ARG(image.origin));
	image_say(s, &image, was_there);
	return 0;
}
