#include "cli/output.h"

#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes temporaries of path that no living run holds a lock on. */
static void sweep(struct arena *a, const char *path)
{
	char *dir_path = path_dir(a, path);
	char *start = arena_printf(a, ".%s.", path_base(path));
	DIR *dir = opendir(dir_path);
	struct dirent *entry;

	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		struct str name = str_of(entry->d_name);
		CLEANUP_FD fd = -1;

		if (!str_starts(name, str_of(start)) || !str_ends(name, STR(".tmp")))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	}
	closedir(dir);
}

/* The ending of -o decides; without it --format, then envbuild.yml, then the profile. */
static int choose_format(const struct options *o, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e)
{
	struct str set = p->settings.format.n ? p->settings.format : plan->profile.pack_format;
	enum pack_format asked = PACK_TAR_GZ;

	if (o->format && pack_format_parse(str_of(o->format), &asked) < 0)
		return err_set(e, ERR_USAGE, "no format '%s': there are tar.gz, tar.zst and tar",
			o->format);
	if (!o->format && set.n && pack_format_parse(set, &asked) < 0)
		return err_set(e, ERR_INPUT, "%s: no format '%.*s'",
			p->settings.format.n ? p->settings.path : plan->profile.source,
			STR_ARG(set));
	out->format = asked;
	if (!o->output)
		return 0;
	if (pack_format_of_path(o->output, &out->format) < 0) {
		err_set(e, ERR_USAGE, "'%s' has no ending of an archive", o->output);
		return err_advise(e, "end it in .tar.gz, .tar.zst or .tar");
	}
	if (o->format && asked != out->format)
		return err_set(e, ERR_USAGE, "--format %s and the name '%s' disagree", o->format,
			o->output);
	return 0;
}

static char *default_path(
	struct arena *a, const struct plan *plan, bool several, enum pack_format format)
{
	if (several)
		return arena_printf(a, "%.*s-%.*s.%s", STR_ARG(plan->name),
			STR_ARG(plan->profile.name), pack_format_name(format));
	return arena_printf(a, "%.*s.%s", STR_ARG(plan->name), pack_format_name(format));
}

static int open_temp(struct arena *a, struct output *out, struct err *e)
{
	char *full = path_absolute(a, out->path);

	out->temp = path_join(a, path_dir(a, full),
		arena_printf(a, ".%s.%d.tmp", path_base(full), (int)getpid()));
	out->lock = open(out->temp, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (out->lock < 0 || (flock(out->lock, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK)) {
		err_sys(e, "cannot write '%s'", out->path);
		return err_advise(
			e, "the folder must exist and be writable; -o names another place");
	}
	return 0;
}

int output_begin(struct session *s, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e)
{
	const struct options *o = &s->line.options;
	struct stat st;

	*out = (struct output){.lock = -1};
	if (choose_format(o, p, plan, out, e) < 0)
		return -1;
	out->path = o->output ? arena_strdup(&s->arena, o->output)
			      : default_path(&s->arena, plan, p->n_targets > 1, out->format);
	if (stat(out->path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "a folder stands at '%s'", out->path);
	out->stem = arena_cstr(&s->arena, (struct str){out->path, pack_stem_length(out->path)});
	sweep(&s->arena, out->path);
	return open_temp(&s->arena, out, e);
}

int output_release(struct output *out, struct err *e)
{
	CLEANUP_FD fd = open(out->temp, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || fsync(fd) < 0 || rename(out->temp, out->path) < 0)
		return err_sys(e, "cannot finish '%s'", out->path);
	fd_cleanup(&out->lock);
	out->lock = -1;
	out->temp = NULL;
	return 0;
}

void output_abort(struct output *out)
{
	if (!out->temp)
		return;
	unlink(out->temp);
	fd_cleanup(&out->lock);
	*out = (struct output){.lock = -1};
}

char *output_beside(struct arena *a, const struct output *out, const char *ending)
{
	return arena_printf(a, "%s.%s", out->stem, ending);
}

char *output_work_path(struct arena *a, const struct session *s, const char *name)
{
	return path_join(a, s->work, name);
}

char *output_padded_prefix(struct arena *a, const char *dir, size_t length)
{
	size_t n = strlen(dir);
	char *padded;

	if (n + 2 > length)
		return arena_strdup(a, dir);
	padded = arena_alloc(a, length + 1);
	memset(padded, '_', length);
	memcpy(padded, dir, n);
	padded[n] = '/';
	return padded;
}

void output_document(const struct options *o, const struct buf *text)
{
	if (o->json)
		printf("%.*s\n", STR_ARG(buf_view(text)));
}

void output_json_documents(struct str lines, size_t n)
{
	bool first = true;

	if (n == 1) {
		printf("%.*s", STR_ARG(lines));
		return;
	}
	putchar('[');
	while (lines.n) {
		struct str line = str_cut(&lines, '\n');

		printf("%s%.*s", first ? "" : ",\n", STR_ARG(line));
		first = false;
	}
	puts("]");
}
