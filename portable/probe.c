/*
 * `envbuild-probe`: what `envbuild image probe` prints, by a static program for hosts where nothing
 * else of envbuild runs (docs/design/profile.md).  It is linked with musl, so the CUDA driver's
 * library cannot be loaded: nvidia-smi is asked, or /proc.
 */
#include "images/probe.h"

#include <stdio.h>
#include <unistd.h>

static const char usage[] =
	"usage: envbuild-probe [--name NAME] [--image DIR] > PROFILE.yml\n\n"
	"Prints what this host (or the root file system in DIR) offers, as a target profile of\n"
	"envbuild. NAME is the target's; without it, the host's or the folder's.\n";

static int wrong(const char *word)
{
	fprintf(stderr, "envbuild-probe: error: unknown or incomplete option '%s'\n%s", word,
		usage);
	return 2;
}

static int failed(const struct err *e)
{
	const char *advice = err_advice(e);

	fprintf(stderr, "envbuild-probe: error: %s\n", e->text);
	if (advice)
		fprintf(stderr, "envbuild-probe: hint: %s\n", advice);
	return err_exit_status(e->code);
}

static int print(const struct buf *text)
{
	if (fwrite(text->p, 1, text->n, stdout) == text->n && fflush(stdout) == 0)
		return 0;
	perror("envbuild-probe: cannot write to stdout");
	return 1;
}

int main(int argc, char **argv)
{
	const char *name = NULL, *image = NULL;
	struct probe_notes notes = {0};
	struct arena a = {0};
	struct profile p;
	struct buf text = {0};
	struct err e = {0};

	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			fputs(usage, stdout);
			return 0;
		}
		if (i + 1 < argc && !strcmp(argv[i], "--name") &&
			profile_name_is_good(str_of(argv[i + 1])))
			name = argv[++i];
		else if (i + 1 < argc && !strcmp(argv[i], "--image"))
			image = argv[++i];
		else
			return wrong(argv[i]);
	}
	if ((image ? probe_root(&a, image, name, &p, &e) : probe_host(&a, name, &p, &notes, &e)) <
		0)
		return failed(&e);
	probe_write(&text, &p, &notes);
	return print(&text);
}
