/* deployments.jsonl: one JSON object a line. */
#include "packer/deploy.h"

#include "base/date.h"
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { LOG_MAX = 256 << 20, PASSWD_MAX = 16 << 10 };

static const struct {
	const char *key;
	size_t offset;
} fields[] = {
	{"time", offsetof(struct deployment, time)},
	{"action", offsetof(struct deployment, action)},
	{"result", offsetof(struct deployment, result)},
	{"name", offsetof(struct deployment, name)},
	{"version", offsetof(struct deployment, version)},
	{"folder", offsetof(struct deployment, folder)},
	{"archive", offsetof(struct deployment, archive)},
	{"sha256", offsetof(struct deployment, sha256)},
	{"target", offsetof(struct deployment, target)},
	{"stage", offsetof(struct deployment, stage)},
	{"ticket", offsetof(struct deployment, ticket)},
	{"links", offsetof(struct deployment, links)},
	{"previous", offsetof(struct deployment, previous)},
	{"test", offsetof(struct deployment, test)},
	{"user", offsetof(struct deployment, user)},
	{"sudo_user", offsetof(struct deployment, sudo_user)},
	{"host", offsetof(struct deployment, host)},
	{"envbuild", offsetof(struct deployment, envbuild)},
};
enum { N_FIELDS = sizeof fields / sizeof *fields };

/* --- reading ---------------------------------------------------------------------------------- */

static struct str *field_of(struct deployment *d, struct str key)
{
	for (size_t i = 0; i < N_FIELDS; i++)
		if (str_is(key, fields[i].key))
			return (struct str *)((char *)d + fields[i].offset);
	return NULL;
}

static int parse_line(struct arena *a, struct json *j, struct deployment *out)
{
	enum json_type t = json_next(j);

	*out = (struct deployment){.uid = -1};
	if (t != JSON_OBJECT)
		return -1;
	while ((t = json_next(j)) == JSON_KEY) {
		struct str *field = field_of(out, json_text(j));
		bool uid = str_is(json_text(j), "uid");

		t = json_next(j);
		if (field && t == JSON_STRING)
			*field = arena_str(a, json_text(j));
		if (uid && t == JSON_NUMBER)
			json_int(j, &out->uid);
		if (json_skip_rest(j, t) < 0)
			return -1;
	}
	/* A folder is used as a path below root. */
	return t == JSON_OBJECT_END && json_next(j) == JSON_END &&
			       (out->folder.n == 0 ||
				       (path_is_safe(out->folder) && str_chr(out->folder, '/') < 0))
		       ? 0
		       : -1;
}

/* Cut off in the middle by a kill or a full disk, and ended by the next writer. */
static bool is_cut_off(struct str line)
{
	line = str_trim(line);
	return line.p[0] == '{' && line.p[line.n - 1] != '}';
}

int deploy_log_parse(
	struct arena *a, struct str text, const char *name, struct deploy_log *out, struct err *e)
{
	*out = (struct deploy_log){0};
	out->torn = text.n && text.p[text.n - 1] != '\n';
	for (size_t line = 1; text.n; line++) {
		struct str one = str_cut(&text, '\n');
		struct json *j;
		int rc;

		if (str_trim(one).n == 0 || (out->torn && text.n == 0) || is_cut_off(one))
			continue;
		j = json_open_text(one, name);
		rc = parse_line(a, j, VEC_PUSH(a, out));
		json_close(j);
		if (rc < 0) {
			err_set(e, ERR_INTEGRITY, "%s:%zu: not a record of a deployment", name,
				line);
			return err_advise(e, "mend or move that line: nothing is deployed while "
					     "it cannot be told what was");
		}
	}
	return 0;
}

int deploy_log_read(struct arena *a, const char *path, struct deploy_log *out, struct err *e)
{
	struct str text = {0};

	*out = (struct deploy_log){0};
	if (!path_exists(path))
		return 0;
	if (file_read(a, path, LOG_MAX, &text, e) < 0)
		return -1;
	return deploy_log_parse(a, text, path, out, e);
}

/* --- writing ---------------------------------------------------------------------------------- */

void deployment_write(const struct deployment *d, struct buf *to)
{
	struct json_out w = {.to = to};

	jw_object(&w);
	for (size_t i = 0; i < N_FIELDS; i++) {
		const struct str *s = (const struct str *)((const char *)d + fields[i].offset);

		if (s->n == 0)
			continue;
		jw_key(&w, fields[i].key);
		jw_str(&w, *s);
	}
	if (d->uid >= 0) {
		jw_key(&w, "uid");
		jw_int(&w, d->uid);
	}
	jw_object_end(&w);
	buf_putc(to, '\n');
}

/* Does the file end in the middle of a line? */
static bool is_torn(int fd)
{
	off_t end = lseek(fd, 0, SEEK_END);
	char last = '\n';

	return end > 0 && pread(fd, &last, 1, end - 1) == 1 && last != '\n';
}

int deploy_log_append(const char *root, const struct deployment *d, struct err *e)
{
	CLEANUP_ARENA a = {0};
	char *path = path_join(&a, root, DEPLOY_LOG);
	CLEANUP_FD fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	CLEANUP_BUF line = {0};

	if (fd < 0)
		return err_sys(e, "cannot write '%s'", path);
	if (is_torn(fd))
		buf_putc(&line, '\n');
	deployment_write(d, &line);
	if (write_full(fd, line.p, line.n, e) < 0)
		return err_wrap(e, "cannot write '%s'", path);
	if (fsync(fd) < 0 && errno != EINVAL)
		return err_sys(e, "cannot write '%s'", path);
	return 0;
}

void deployment_sign(struct arena *a, struct deployment *d)
{
	const char *sudo = getenv("SUDO_USER");
	struct passwd entry, *user = NULL;
	char *time_text = arena_alloc(a, DATE_TIME), *host = arena_alloc(a, 256);

	if (getpwuid_r(getuid(), &entry, arena_alloc(a, PASSWD_MAX), PASSWD_MAX, &user) != 0)
		user = NULL;
	date_time((uint64_t)time(NULL) * 1000, time_text);
	if (gethostname(host, 255) < 0)
		host[0] = 0;
	host[255] = 0;
	d->time = str_of(time_text);
	d->host = str_of(host);
	d->uid = (int64_t)getuid();
	d->user = user ? arena_str(a, str_of(user->pw_name)) : (struct str){0};
	d->sudo_user = sudo ? arena_str(a, str_of(sudo)) : (struct str){0};
	d->envbuild = STR(ENVBUILD_VERSION);
}

/* --- questions -------------------------------------------------------------------------------- */

static bool is_deployed(const struct deployment *d)
{
	return str_is(d->action, "deploy") && str_is(d->result, "ok");
}

/* The latest word on a folder counts: one that was removed is not there. */
const struct deployment *deploy_log_folder(const struct deploy_log *log, struct str folder)
{
	for (size_t i = log->n; i-- > 0;) {
		const struct deployment *d = &log->v[i];

		if (!str_eq(d->folder, folder) || !str_is(d->result, "ok"))
			continue;
		if (str_is(d->action, "remove"))
			return NULL;
		if (is_deployed(d))
			return d;
	}
	return NULL;
}

const struct deployment *deploy_log_stage(
	const struct deploy_log *log, struct str sha256, const char *stage)
{
	for (size_t i = log->n; i-- > 0;)
		if (is_deployed(&log->v[i]) && str_eq(log->v[i].sha256, sha256) &&
			str_is(log->v[i].stage, stage))
			return &log->v[i];
	return NULL;
}

static bool had_link(const struct deployment *d, const char *link)
{
	struct str rest = d->links;

	while (rest.n)
		if (str_is(str_cut(&rest, ' '), link))
			return true;
	return false;
}

const struct deployment *deploy_log_before(
	const char *root, const struct deploy_log *log, const char *link, struct str folder)
{
	CLEANUP_ARENA a = {0};
	size_t i = log->n;

	while (i > 0 && !(is_deployed(&log->v[i - 1]) && had_link(&log->v[i - 1], link) &&
				str_eq(log->v[i - 1].folder, folder)))
		i--;
	while (i-- > 0) {
		const struct deployment *d = &log->v[i];

		if (is_deployed(d) && had_link(d, link) && !str_eq(d->folder, folder) &&
			deploy_log_folder(log, d->folder) &&
			path_exists(path_join(&a, root, arena_cstr(&a, d->folder))))
			return d;
	}
	return NULL;
}
