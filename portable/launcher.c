/*
 * `envbuild` of the portable folder: a static program that starts the real one with the loader and
 * the libraries beside it (docs/design/portable.md).
 *
 *	DIR/envbuild  ->  DIR/lib/ld-linux-x86-64.so.2 --library-path DIR/lib DIR/lib/envbuild ARGS
 *
 * The paths go to the loader as arguments, not through LD_LIBRARY_PATH, so that nothing of it
 * reaches the programs that envbuild starts.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

enum { EXTRA_ARGS = 7, EXIT_FAILED = 1 };

/* The folder this program lies in, links followed; without /proc as the kernel was told. */
static int own_folder(char folder[PATH_MAX])
{
	const char *started = (const char *)getauxval(AT_EXECFN);
	char *slash;

	if (!realpath("/proc/self/exe", folder) && (!started || !realpath(started, folder)))
		return -1;
	slash = strrchr(folder, '/');
	*slash = '\0';
	return 0;
}

static int failed(const char *what)
{
	fprintf(stderr, "envbuild: error: cannot start '%s': %s\n", what, strerror(errno));
	fprintf(stderr, "envbuild: hint: the program and its folder 'lib' must stay together\n");
	return EXIT_FAILED;
}

int main(int argc, char **argv)
{
	static char folder[PATH_MAX], loader[PATH_MAX + 32], libraries[PATH_MAX + 8];
	static char program[PATH_MAX + 16];
	char **args = calloc((size_t)argc + EXTRA_ARGS, sizeof *args);
	int n = 0;

	if (!args || own_folder(folder) < 0)
		return failed(argc > 0 ? argv[0] : "envbuild");
	snprintf(loader, sizeof loader, "%s/lib/ld-linux-x86-64.so.2", folder);
	snprintf(libraries, sizeof libraries, "%s/lib", folder);
	snprintf(program, sizeof program, "%s/lib/envbuild", folder);
	args[n++] = loader;
	args[n++] = "--library-path";
	args[n++] = libraries;
	args[n++] = "--argv0";
	args[n++] = argc > 0 ? argv[0] : program;
	args[n++] = program;
	for (int i = 1; i < argc; i++)
		args[n++] = argv[i];
	execv(loader, args);
	return failed(loader);
}
