/* envbuild diff: what differs between two environments. */
#include "packer/diff.h"

#include "base/file.h"
#include "cli/session.h"

#include <stdio.h>

typedef void writer(const struct diff *d, struct buf *to);

static int choose_writer(const struct options *o, writer **out, struct err *e)
{
	static const struct {
		const char *name;
		writer *write;
	} forms[] = {{"text", diff_text}, {"markdown", diff_markdown}, {"json", diff_json}};
	const char *given = o->as ? o->as : o->json ? "json" : "text";

	if (o->json && strcmp(given, "json") != 0)
		return err_set(e, ERR_USAGE, "--json and --format %s contradict each other", given);
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++)
		if (strcmp(given, forms[i].name) == 0) {
			*out = forms[i].write;
			return 0;
		}
	return err_set(e, ERR_USAGE, "--format is text, markdown or json, not '%s'", given);
}

static int one_target(const struct options *o, const char **out, struct err *e)
{
	*out = o->targets.n ? o->targets.v[0] : NULL;
	if (o->targets.n <= 1)
		return 0;
	return err_set(e, ERR_USAGE, "'envbuild diff' takes -t once");
}

int command_diff(struct session *s, struct err *e)
{
	const struct options *o = &s->line.options;
	const char **operands = s->line.operands;
	struct diff_side sides[2];
	CLEANUP_BUF text = {0};
	writer *write = NULL;
	const char *target;
	struct diff d;

	if (choose_writer(o, &write, e) < 0 || one_target(o, &target, e) < 0 ||
		diff_read_both(&s->arena, operands[0], operands[1], target, sides, e) < 0)
		return -1;
	diff_make(&s->arena, &sides[0], &sides[1], &d);
	d.list_paths = o->verbose > 0;
	write(&d, &text);
	if (o->output)
		return file_write(o->output, buf_view(&text), 0644, e);
	if (fwrite(text.p, 1, text.n, stdout) != text.n || fflush(stdout) == EOF)
		return err_sys(e, "cannot write to stdout");
	return 0;
}
