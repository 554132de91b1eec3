/*
 * bin/conda-unpack: makes the environment it lies in name its own path.  Static, libc alone.
 */
#include "packer/relocator/host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char USAGE[] =
	"usage: conda-unpack [--prefix PATH]\n"
	"       conda-unpack --check | --check-host | --list | --where | --help\n"
	"\n"
	"Makes the files of this environment name the folder they lie in. Run it after\n"
	"unpacking and after every move; it does nothing where nothing moved.\n"
	"\n"
	"  --prefix PATH  name PATH instead, where the environment will be later\n"
	"  --check        change nothing; are all files as packed, for this place?\n"
	"  --check-host   change nothing; has this host what it was made for?\n"
	"  --list         print the files that name it: script, text or binary, and path\n"
	"  --where        print the folder this environment lies in\n"
	"  --activate     as bin/activate calls it: the host is checked first, and an\n"
	"                 environment of another user is not touched\n"
	"  --help         this text\n"
	"\n"
	"ENVBUILD_SKIP_CHECK=1 takes any host; ENVBUILD_NO_RELOCATE=1 activates as it is.\n"
	"\n"
	"Exit status: 0 done, 1 it cannot be done, 5 files or the index are damaged.\n"
	"\n"
	"Example: tar xf env.tar.gz -C /opt/env && /opt/env/bin/conda-unpack\n";

enum { PATH_ROOM = 2 * RELOCATE_PATH_MAX };

struct arguments {
	const char *prefix; /* NULL: where the environment lies */
	bool check, check_host, list, where, activate, help;
};

static int usage_error(const char *what, const char *argument)
{
	fprintf(stderr, "conda-unpack: %s '%s'; see conda-unpack --help\n", what, argument);
	return -1;
}

static int parse(int argc, char **argv, struct arguments *out)
{
	for (int i = 1; i < argc; i++) {
		const char *a = argv[i];

		if (strcmp(a, "--check") == 0)
			out->check = true;
		else if (strcmp(a, "--check-host") == 0)
			out->check_host = true;
		else if (strcmp(a, "--list") == 0)
			out->list = true;
		else if (strcmp(a, "--where") == 0)
			out->where = true;
		else if (strcmp(a, "--activate") == 0)
			out->activate = true;
		else if (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)
			out->help = true;
		else if (strncmp(a, "--prefix=", 9) == 0)
			out->prefix = a + 9;
		else if (strcmp(a, "--prefix") == 0 && i + 1 < argc)
			out->prefix = argv[++i];
		else
			return usage_error(
				strcmp(a, "--prefix") == 0 ? "no path behind" : "unknown argument",
				a);
	}
	return 0;
}

/* --- where the environment lies ------------------------------------------------------------- */

static bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Absolute, in the name the user goes by: $PWD where it is true, else what the kernel says. */
static int make_absolute(const char *path, char to[PATH_ROOM])
{
	const char *pwd = getenv("PWD");
	char cwd[PATH_ROOM];

	if (path[0] == '/')
		return snprintf(to, PATH_ROOM, "%s", path) < PATH_ROOM ? 0 : -1;
	if (!pwd || pwd[0] != '/' || !same_file(pwd, "."))
		pwd = getcwd(cwd, sizeof cwd);
	if (!pwd)
		return -1;
	return snprintf(to, PATH_ROOM, "%s/%s", pwd, path) < PATH_ROOM ? 0 : -1;
}

/* Removes "." and empty components; false where ".." is in it, which links make ambiguous. */
static bool tidy(char *path)
{
	char *to = path;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && memcmp(p, "..", 2) == 0)
			return false;
		if (n && !(n == 1 && *p == '.')) {
			*to++ = '/';
			memmove(to, p, n);
			to += n;
		}
		p += n;
		p += *p == '/';
	}
	*to = 0;
	return true;
}

/* Cuts "/bin/NAME" off; is what stays an environment of ours? */
static bool is_environment(char *program)
{
	char index[PATH_ROOM + sizeof RELOCATE_INDEX + 1];
	struct stat st;

	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(program, '/');

		if (!slash || slash == program)
			return false;
		*slash = 0;
	}
	snprintf(index, sizeof index, "%s/%s", program, RELOCATE_INDEX);
	return stat(index, &st) == 0;
}

/* From the name it was called by, which keeps the user's own path to it; else from /proc. */
static int find_environment(const char *called, char root[PATH_ROOM])
{
	char *real;
	ssize_t n;

	if (strchr(called, '/') && make_absolute(called, root) == 0) {
		bool tidied = tidy(root);

		if (!tidied && (real = realpath(called, NULL))) {
			snprintf(root, PATH_ROOM, "%s", real);
			free(real);
			tidied = true;
		}
		if (tidied && is_environment(root))
			return 0;
	}
	n = readlink("/proc/self/exe", root, PATH_ROOM - 1);
	if (n > 0) {
		root[n] = 0;
		if (is_environment(root))
			return 0;
	}
	fprintf(stderr,
		"conda-unpack: no environment around '%s': conda-meta/envbuild/relocation is "
		"missing; call it by its path in the environment\n",
		called);
	return -1;
}

/* --- doing it ------------------------------------------------------------------------------- */

static void print_note(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "conda-unpack: %s\n", text);
}

/*
 * The recorded prefix where it is another name of this folder: then nothing has moved.  Returns 1,
 * 0, or -1 on errors.
 */
static int is_alias(int root, char recorded[RELOCATE_PATH_MAX + 1], struct relocate_error *e)
{
	struct stat here, there;
	int rc = relocate_recorded(root, recorded, e);

	if (rc < 0)
		return -1;
	return rc == 1 && fstat(root, &here) == 0 && stat(recorded, &there) == 0 &&
	       here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int finish(const struct arguments *a, int rc, const struct relocate_error *e,
	const struct relocate_counts *counts, const char *prefix)
{
	if (rc < 0) {
		fprintf(stderr, "conda-unpack: %s\n", e->text);
		return e->status;
	}
	if (a->check)
		printf("%llu files hold '%s'\n", (unsigned long long)counts->files, prefix);
	return RELOCATE_OK;
}

static bool is_foreign(int root)
{
	struct stat st;

	return fstat(root, &st) == 0 && st.st_uid != geteuid();
}

static int run(const struct arguments *a, int root, const char *place)
{
	char recorded[RELOCATE_PATH_MAX + 1];
	struct relocate_request request = {
		.root = root, .prefix = place, .check = a->check, .note = print_note};
	struct relocate_counts counts;
	struct relocate_error e = {0};
	int alias = is_alias(root, recorded, &e);

	if (alias < 0)
		return finish(a, -1, &e, &counts, place);
	if (a->prefix)
		request.prefix = a->prefix;
	else if (alias && !a->check)
		return RELOCATE_OK;
	else if (alias)
		request.prefix = recorded;
	if (a->activate && is_foreign(root)) {
		request.check = true;
		request.note = NULL;
		if (relocate_tree(&request, &counts, &e) == 0)
			return RELOCATE_OK;
		fprintf(stderr,
			"conda-unpack: '%s' was moved%s%s%s and belongs to another user: ask its "
			"owner to run '%s/bin/conda-unpack'\n",
			place, recorded[0] ? " from '" : "", recorded, recorded[0] ? "'" : "",
			place);
		return RELOCATE_FAILED;
	}
	return finish(a, relocate_tree(&request, &counts, &e), &e, &counts, request.prefix);
}

/* --- the host ------------------------------------------------------------------------------- */

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

static int check_host(int root)
{
	struct relocate_error e;
	int rc = relocate_host_check(root, &e);

	if (rc != 0)
		fprintf(stderr, "conda-unpack: %s\n", e.text);
	else
		puts("this host has what the environment was made for");
	return rc < 0 ? (int)e.status : RELOCATE_OK;
}

/* What no activation can do without; relocation is not asked for where it is not wanted. */
static int activate(const struct arguments *a, int root, const char *place)
{
	struct relocate_error e;
	int rc;

	if (relocate_host_check(root, &e) < 0) {
		fprintf(stderr, "conda-unpack: %s\n", e.text);
		return e.status;
	}
	if (strchr(place, ':')) {
		fprintf(stderr,
			"conda-unpack: '%s' cannot stand in PATH, because there is a ':' in it; "
			"move the environment to another path\n",
			place);
		return RELOCATE_FAILED;
	}
	if (is_set("ENVBUILD_NO_RELOCATE"))
		return RELOCATE_OK;
	rc = run(a, root, place);
	if (rc != RELOCATE_OK)
		fputs("conda-unpack: ENVBUILD_NO_RELOCATE=1 activates an environment whose files "
		      "do "
		      "not name this place\n",
			stderr);
	return rc;
}

/* Who relocates by hand may prepare a tree for another host: he is told, no more. */
static int relocate(const struct arguments *a, int root, const char *place)
{
	struct relocate_error e;

	if (!a->check && !a->prefix && relocate_host_check(root, &e) < 0)
		fprintf(stderr, "conda-unpack: warning: %s\n", e.text);
	return run(a, root, place);
}

static void print_entries(const struct relocation *index)
{
	struct relocate_entry entry;
	size_t cursor = index->first;

	while (relocation_next(index, &cursor, &entry))
		printf("%s %s\n",
			entry.binary     ? "binary"
			: entry.head_len ? "script"
					 : "text",
			entry.path);
}

/* What does not find its place by itself. */
static int list(int root)
{
	int fd = openat(root, RELOCATE_INDEX, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct relocation index;
	struct relocate_error e = {.status = RELOCATE_OK};
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
		(map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0)) ==
			MAP_FAILED) {
		fprintf(stderr, "conda-unpack: cannot read '%s'\n", RELOCATE_INDEX);
		return RELOCATE_FAILED;
	}
	if (relocation_open(&index, map, (size_t)st.st_size, &e) == 0)
		print_entries(&index);
	else
		fprintf(stderr, "conda-unpack: %s\n", e.text);
	return fflush(stdout) == 0 ? (int)e.status : RELOCATE_FAILED;
}

static int dispatch(const struct arguments *a, int root, const char *place)
{
	if (a->where) {
		puts(place);
		return RELOCATE_OK;
	}
	if (a->list)
		return list(root);
	if (a->check_host)
		return check_host(root);
	return a->activate ? activate(a, root, place) : relocate(a, root, place);
}

int main(int argc, char **argv)
{
	struct arguments a = {0};
	char place[PATH_ROOM], wanted[PATH_ROOM];
	int root;

	if (parse(argc, argv, &a) < 0)
		return RELOCATE_FAILED;
	if (a.help) {
		fputs(USAGE, stdout);
		return RELOCATE_OK;
	}
	if (find_environment(argv[0] ? argv[0] : "", place) < 0)
		return RELOCATE_FAILED;
	if (a.prefix) {
		if (make_absolute(a.prefix, wanted) < 0 || !tidy(wanted)) {
			usage_error("not a plain path:", a.prefix);
			return RELOCATE_FAILED;
		}
		a.prefix = wanted;
	}
	root = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0) {
		fprintf(stderr, "conda-unpack: cannot open '%s': %s\n", place, strerror(errno));
		return RELOCATE_FAILED;
	}
	return dispatch(&a, root, place);
}
