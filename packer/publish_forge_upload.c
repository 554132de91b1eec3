/* Publishing to a forge: the files go up, are looked at and take their places. */
#include "packer/publish_forge.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"

#include <fcntl.h>

static int delete_all(struct forge_publish *p, const struct forge_asset *v, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (interrupt_check(e) < 0 ||
			forge_delete_asset(&p->forge, &p->release, &v[i], e) < 0)
			return -1;
	return 0;
}

static void on_sent(void *ctx, int64_t bytes)
{
	struct forge *f = ctx;

	if (bytes > 0)
		step_tick(f->step, 0, (uint64_t)bytes);
	else
		step_take_back(f->step, (uint64_t)-bytes);
}

static int open_body(const struct asset *asset, int *fd, struct err *e)
{
	if (!asset->path)
		return 0;
	*fd = open(asset->path, O_RDONLY | O_CLOEXEC);
	return *fd < 0 ? err_sys(e, "cannot open '%s'", asset->path) : 0;
}

/* A text is a part of the frame, which stands around it already where there is a form. */
static void add_text(struct arena *a, const struct asset *asset, struct http_sending *s)
{
	if (!asset->path)
		s->body.before =
			arena_strf(a, "%.*s%.*s", STR_ARG(s->body.before), STR_ARG(asset->text));
}

/* 1: it is there; 0: it may be, look; -1. */
static int upload_once(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	struct forge *f = &p->forge;
	CLEANUP_FD fd = -1;
	struct http_sending s = {.method = "POST", .has_body = true, .once = true, .ctx = f};
	struct err why = {0};
	int rc;

	s.sent = on_sent;
	if (f->ops->upload(f, &p->release, asset, &s, e) < 0 || open_body(asset, &fd, e) < 0)
		return -1;
	s.body.fd = fd;
	s.body.size = asset->path ? asset->size : 0;
	add_text(p->arena, asset, &s);
	forge_dress(f, &s);
	rc = http_send(f->http, p->arena, &s, &why);
	if (rc == 0 && (s.status == 201 || s.status == 200))
		return 1;
	if (rc == 0 && (s.status == 429 || (!s.may_pass && !f->ops->is_there(s.status, s.answer))))
		return forge_fail(f, &s, arena_printf(p->arena, "upload '%s'", asset->name), e);
	if (rc < 0)
		err_wrap(&why, "cannot upload '%s'", asset->name);
	if (rc < 0 && !s.may_pass)
		return err_move(e, &why);
	log_debug("'%s' is not up yet: %s", asset->name, why.text ? why.text : "the server failed");
	if (rc == 0)
		forge_fail(
			f, &s, arena_printf(p->arena, "upload '%s'", asset->name), &p->forge.last);
	else
		err_move(&p->forge.last, &why);
	return 0;
}

/* After an upload that may have failed: 1: it is there; 0: what it has left is gone. */
static int look_again(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	int same;

	if (forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	forge_publish_forget(p);
	same = forge_publish_is_same(p, asset, e);
	if (same == 0 && !p->may_change && !p->incoming &&
		forge_publish_find(&p->assets, asset->name))
		return publish_fail_other(p->set->request->tag, asset->name, e);
	for (size_t i = 0; same == 0 && i < p->assets.n; i++)
		if (strcmp(p->assets.v[i].name, asset->name) == 0 &&
			forge_delete_asset(&p->forge, &p->release, &p->assets.v[i], e) < 0)
			return -1;
	return same;
}

static int upload(struct forge_publish *p, const struct asset *asset, struct err *e)
{
	const unsigned tries = http_retries(p->forge.http) + 1;

	for (unsigned i = 1;; i++) {
		int rc = upload_once(p, asset, e);

		if (rc != 0)
			return rc < 0 ? -1 : 0;
		if (i >= tries)
			return err_move(e, &p->forge.last);
		err_release(&p->forge.last);
		if (http_pause(p->forge.http, i, e) < 0)
			return -1;
		rc = look_again(p, asset, e);
		if (rc != 0)
			return rc < 0 ? -1 : 0;
	}
}

static int upload_all(struct forge_publish *p, struct err *e)
{
	uint64_t bytes = 0;
	struct step step;
	int rc = 0;

	for (size_t i = 0; i < p->wanted.n; i++)
		bytes += p->wanted.v[i]->size;
	step_begin(&step, "upload", p->wanted.n, bytes);
	p->forge.step = &step;
	for (size_t i = 0; rc == 0 && i < p->wanted.n; i++)
		if ((rc = interrupt_check(e)) == 0 && (rc = upload(p, p->wanted.v[i], e)) == 0)
			step_tick(&step, 1, 0);
	if (rc < 0)
		step_fail(&step);
	else
		step_end(&step, "%zu files", p->wanted.n);
	return rc;
}

/* What the forge has now, before anybody else sees it. */
static int check_uploaded(struct forge_publish *p, struct err *e)
{
	if (forge_list_assets(&p->forge, &p->release, &p->assets, e) < 0)
		return -1;
	for (size_t i = 0; i < p->wanted.n; i++) {
		const struct asset *asset = p->wanted.v[i];
		const struct forge_asset *there = forge_publish_find(&p->assets, asset->name);

		if (there && there->size == asset->size &&
			(!there->sha256.n || str_is(there->sha256, asset->sha256)))
			continue;
		err_set(e, ERR_INTEGRITY, "'%s' at %s is not what was sent", asset->name,
			p->forge.ops->name);
		return err_advise(e, "has the file changed meanwhile?  Then run it again");
	}
	return 0;
}

/* The uploaded files take the places of the older ones. */
static int switch_over(struct forge_publish *p, struct err *e)
{
	if (!p->incoming)
		return 0;
	if (delete_all(p, p->doomed.v, p->doomed.n, e) < 0)
		return -1;
	for (size_t i = 0; i < p->wanted.n; i++) {
		const char *name = p->wanted.v[i]->name;

		if (forge_rename_asset(&p->forge, &p->release, forge_publish_find(&p->assets, name),
			    arena_printf(p->arena, "%.*s",
				    (int)(strlen(name) - strlen(FORGE_INCOMING)), name),
			    e) < 0)
			return -1;
	}
	return 0;
}

int forge_publish_upload(struct forge_publish *p, struct err *e)
{
	if (delete_all(p, p->rests.v, p->rests.n, e) < 0 ||
		(!p->incoming && delete_all(p, p->doomed.v, p->doomed.n, e) < 0) ||
		(p->wanted.n && (upload_all(p, e) < 0 || check_uploaded(p, e) < 0)))
		return -1;
	return switch_over(p, e);
}
