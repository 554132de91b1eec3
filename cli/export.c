/* envbuild export: a lock in the forms that other tools read. */
#include "solver/lock_export.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/session.h"

#include <errno.h>
#include <stdio.h>

static int parse_format(const char *text, enum lock_format *out, struct err *e)
{
	static const char *const names[] = {[LOCK_AS_EXPLICIT] = "explicit",
		[LOCK_AS_CONDA_LOCK] = "conda-lock",
		[LOCK_AS_ENVIRONMENT] = "environment"};

	for (size_t i = 0; text && i < sizeof names / sizeof *names; i++)
		if (strcmp(text, names[i]) == 0) {
			*out = (enum lock_format)i;
			return 0;
		}
	if (!text)
		return err_set(e, ERR_USAGE,
			"export needs --format explicit, conda-lock or "
			"environment");
	return err_set(
		e, ERR_USAGE, "--format is explicit, conda-lock or environment, not '%s'", text);
}

/* Those of -t, else all. */
static int choose(struct session *s, const char *path, const struct lock *lock,
	const struct lock_target ***out, size_t *n, struct err *e)
{
	const struct text_list *given = &s->line.options.targets;

	*n = given->n ? given->n : lock->n_targets;
	*out = arena_array(&s->arena, const struct lock_target *, *n);
	for (size_t i = 0; i < *n; i++) {
		(*out)[i] = given->n ? lock_find(lock, str_of(given->v[i])) : &lock->targets[i];
		if (!(*out)[i])
			return err_set(e, ERR_INPUT, "the lock '%s' has no target '%s'", path,
				given->v[i]);
	}
	return 0;
}

static void warn_left_out(const char *path, const struct lock_target *const *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (v[i]->n_skipped)
			log_warn("%s: %zu packages of '%.*s' are not conda's and are left out",
				path, v[i]->n_skipped, STR_ARG(v[i]->name));
		if (v[i]->n_optional)
			log_note("%s: %zu packages of other categories than 'main' are left out",
				path, v[i]->n_optional);
	}
}

int command_export(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	const char *path = s->line.operands[0];
	const struct lock_target **targets;
	CLEANUP_BUF text = {0};
	enum lock_format format = LOCK_AS_EXPLICIT;
	struct lock lock;
	size_t n;

	if (parse_format(o->as, &format, e) < 0 || lock_read(&s->arena, path, &lock, e) < 0 ||
		choose(s, path, &lock, &targets, &n, e) < 0)
		return -1;
	warn_left_out(path, targets, n);
	if (lock_export(&lock, targets, n, format, &text, e) < 0)
		return -1;
	if (o->output)
		return file_write(o->output, buf_view(&text), 0644, e);
	if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) == EOF)
		return err_sys(e, "cannot write to stdout");
	return 0;
}
