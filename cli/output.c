#include "cli/output.h"

#include "base/file.h"
#include "packer/parts.h"
#include "packer/replace.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* Temporaries lie in this folder beside the one that is locked. */
static char *folder_of(struct arena *a, const char *guard)
{
	return arena_printf(a, "%s.d", guard);
}

/* ".NAME.PID.tmp", as open_temp() names it; others may have files of nearly such names. */
static bool is_temp(struct str name, struct str start)
{
	uint64_t pid;

	return str_starts(name, start) && str_ends(name, STR(".tmp")) &&
	       name.n > start.n + strlen(".tmp") &&
	       str_u64(str_sub(name, start.n, name.n - strlen(".tmp")), INT_MAX, &pid) == 0;
}

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
		CLEANUP_FD fd = -1;

		if (!is_temp(str_of(entry->d_name), str_of(start)))
			continue;
		fd = openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
			dir_remove_at(dirfd(dir), folder_of(a, entry->d_name), NULL);
			unlinkat(dirfd(dir), entry->d_name, 0);
		}
	}
	closedir(dir);
}

/* --format, else envbuild.yml's, else the profile's, else tar.gz. */
static int asked_format(const struct options *o, const struct project *p, const struct plan *plan,
	enum pack_format *out, struct err *e)
{
	struct str set = p->settings.format.n ? p->settings.format : plan->profile.pack_format;

	*out = PACK_TAR_GZ;
	if (o->format && pack_format_parse(str_of(o->format), out) < 0)
		return err_set(e, ERR_USAGE, "no format '%s': there are " PACK_FORMATS, o->format);
	if (!o->format && set.n && pack_format_parse(set, out) < 0)
		return err_set(e, ERR_INPUT, "%s: no format '%.*s': there are " PACK_FORMATS,
			p->settings.format.n ? p->settings.path : plan->profile.source,
			STR_ARG(set));
	return 0;
}

/* The ending of -o decides; a folder's name may have any. */
static int choose_format(const struct options *o, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e)
{
	enum pack_format asked;

	if (asked_format(o, p, plan, &asked, e) < 0)
		return -1;
	out->format = asked;
	if (!o->output)
		return 0;
	if (pack_format_of_path(o->output, &out->format) < 0 && asked != PACK_DIR) {
		err_set(e, ERR_USAGE, "'%s' has no ending of an archive", o->output);
		return err_advise(
			e, "end it in .tar.gz, .tar.zst, .tar or .squashfs, a folder in a slash");
	}
	if (part_ending(o->output) && out->format != PACK_DIR) {
		err_set(e, ERR_USAGE, "'%s' is the name of a part", o->output);
		return err_advise(e, "name the whole; --split names the parts");
	}
	if (o->format && asked != out->format)
		return err_set(e, ERR_USAGE, "--format %s and the name '%s' disagree", o->format,
			o->output);
	return 0;
}

static int choose_split(
	const struct options *o, const struct project *p, struct output *out, struct err *e)
{
	if (out->format == PACK_DIR && o->split)
		return err_set(e, ERR_USAGE, "--split cuts files, but a folder is to be made");
	if (out->format != PACK_DIR)
		out->split = o->split ? o->split : p->settings.split;
	return 0;
}

static char *default_path(
	struct arena *a, const struct plan *plan, bool several, enum pack_format format)
{
	const char *dot = format == PACK_DIR ? "" : ".";
	const char *ending = format == PACK_DIR ? "" : pack_format_name(format);

	if (several)
		return arena_printf(a, "%.*s-%.*s%s%s", STR_ARG(plan->name),
			STR_ARG(plan->profile.name), dot, ending);
	return arena_printf(a, "%.*s%s%s", STR_ARG(plan->name), dot, ending);
}

/* The slashes behind a folder's name go. */
static char *given_path(struct arena *a, const char *path, enum pack_format format)
{
	size_t n = strlen(path);

	while (format == PACK_DIR && n > 1 && path[n - 1] == '/')
		n--;
	return arena_cstr(a, str_n(path, n));
}

static int check_place(const struct output *out, struct err *e)
{
	struct str base = str_of(path_base(out->path));
	struct stat st;

	if (out->format == PACK_DIR) {
		if (base.n == 0 || str_is(base, ".") || str_is(base, ".."))
			return err_set(e, ERR_USAGE, "'%s' cannot be made", out->path);
		return replace_check_folder(out->path, e);
	}
	if (stat(out->path, &st) == 0 && S_ISDIR(st.st_mode))
		return err_set(e, ERR_USAGE, "a folder stands at '%s'", out->path);
	return 0;
}

/* What a run that is killed leaves in the folder goes with the next sweep. */
static int open_temp(struct arena *a, struct output *out, struct err *e)
{
	char *full = path_absolute(a, out->path);

	out->temp = path_join(a, path_dir(a, full),
		arena_printf(a, ".%s.%d.tmp", path_base(full), (int)getpid()));
	out->lock = file_make_guard(AT_FDCWD, out->temp, 0644);
	if (out->lock < 0) {
		err_sys(e, "cannot write '%s'", out->path);
		return err_advise(
			e, "the folder must exist and be writable; -o names another place");
	}
	out->guard = out->temp;
	out->folder = folder_of(a, out->guard);
	if (out->split || out->format == PACK_DIR)
		out->temp = path_join(a, out->folder, path_base(full));
	return mkdir(out->folder, 0700) < 0 ? err_sys(e, "cannot make '%s'", out->folder) : 0;
}

int output_name(struct session *s, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e)
{
	const struct options *o = &s->line.options;

	*out = (struct output){.lock = -1};
	if (choose_format(o, p, plan, out, e) < 0 || choose_split(o, p, out, e) < 0)
		return -1;
	out->path = o->output ? given_path(&s->arena, o->output, out->format)
			      : default_path(&s->arena, plan, p->n_targets > 1, out->format);
	if (check_place(out, e) < 0)
		return -1;
	out->stem = out->format == PACK_DIR
			    ? out->path
			    : arena_cstr(&s->arena,
				      (struct str){out->path, pack_stem_length(out->path)});
	return 0;
}

int output_begin(struct session *s, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e)
{
	if (output_name(s, p, plan, out, e) < 0)
		return -1;
	sweep(&s->arena, out->path);
	if (open_temp(&s->arena, out, e) == 0)
		return 0;
	output_abort(out);
	return -1;
}

int output_release(struct output *out, size_t n_parts, struct err *e)
{
	CLEANUP_ARENA a = {0};
	int rc;

	if (out->format == PACK_DIR)
		rc = replace_folder(out->temp, out->path, path_join(&a, out->folder, "older"), e);
	else if (out->split)
		rc = replace_parts(out->temp, n_parts, out->path, e);
	else
		rc = replace_file(out->temp, out->path, e);
	if (rc < 0)
		return -1;
	output_abort(out);
	return 0;
}

/* What was released is no longer there to be removed. */
void output_abort(struct output *out)
{
	if (!out->guard)
		return;
	if (out->folder)
		dir_remove(out->folder, NULL);
	unlink(out->guard);
	fd_cleanup(&out->lock);
	out->guard = out->folder = out->temp = NULL;
}

char *output_beside(struct arena *a, const struct output *out, const char *ending)
{
	return arena_printf(a, "%s.%s", out->stem, ending);
}

int output_write_beside(struct arena *a, const struct output *out, const char *ending,
	struct str text, struct err *e)
{
	CLEANUP_FILE_OUT file = {.fd = -1};

	if (file_begin_in(&file, output_beside(a, out, ending), out->folder, 0644, e) < 0 ||
		write_full(file.fd, text.p, text.n, e) < 0)
		return -1;
	return file_commit(&file, e);
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
