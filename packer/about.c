#include "packer/about.h"

#include "base/file.h"
#include "base/http.h"
#include "base/json.h"

#include <errno.h>
#include <fcntl.h>

enum { ABOUT_MAX = 16 << 20, WORD_MAX = 256, URL_MAX = 2048 };

static bool is_hex(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!((s.p[i] >= '0' && s.p[i] <= '9') || (s.p[i] >= 'a' && s.p[i] <= 'f')))
			return false;
	return s.n == 40 || s.n == 64;
}

static bool is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.n > 0;
}

static void take(struct arena *a, struct str key, struct str value, struct about *out)
{
	if (str_is(key, "sha") && is_hex(value))
		out->sha = arena_str(a, value);
	if (str_is(key, "flow_run_id") && value.n <= WORD_MAX && is_printable(value))
		out->flow_run_id = arena_str(a, value);
	if (str_is(key, "remote_url") && value.n <= URL_MAX && is_printable(value) &&
		(str_starts(value, STR("https://")) || str_starts(value, STR("http://"))))
		out->remote_url = str_of(http_redact(a, arena_cstr(a, value)));
}

static int read_extra(struct arena *a, struct json *j, struct about *out)
{
	enum json_type t;

	while ((t = json_next(j)) == JSON_KEY) {
		struct str key = arena_str(a, json_text(j));

		t = json_next(j);
		if (t == JSON_STRING)
			take(a, key, json_text(j), out);
		if (json_skip_rest(j, t) < 0)
			return -1;
	}
	return t == JSON_OBJECT_END ? 0 : -1;
}

int about_parse(struct arena *a, struct str text, struct about *out, struct err *e)
{
	struct json *j = json_open_text(text, "about.json");
	enum json_type t = json_next(j);
	int rc = t == JSON_OBJECT ? 0 : -1;

	*out = (struct about){0};
	while (rc == 0 && (t = json_next(j)) == JSON_KEY) {
		bool extra = str_is(json_text(j), "extra");

		t = json_next(j);
		rc = extra && t == JSON_OBJECT ? read_extra(a, j, out) : json_skip_rest(j, t);
	}
	if (rc == 0 && t != JSON_OBJECT_END)
		rc = -1;
	if (rc < 0)
		json_error(j, e);
	json_close(j);
	return rc;
}

/* 1 with the file's text, 0 where there is none. */
static int read_text(struct arena *a, const char *dir, struct str *out, struct err *e)
{
	CLEANUP_FD folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP_FD info = -1;
	struct stat st;

	if (folder < 0)
		return err_sys(e, "cannot open '%s'", dir);
	info = openat(folder, "info", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (info < 0 || fstatat(info, "about.json", &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == ELOOP
			       ? 0
			       : err_sys(e, "cannot read '%s/info/about.json'", dir);
	if (!S_ISREG(st.st_mode) || st.st_size > ABOUT_MAX)
		return 0;
	return file_read_at(a, info, "about.json", ABOUT_MAX, out, e) < 0 ? -1 : 1;
}

int about_read(struct arena *a, const char *dir, struct about *out, struct err *e)
{
	struct str text;
	int rc;

	*out = (struct about){0};
	rc = read_text(a, dir, &text, e);
	if (rc > 0 && about_parse(a, text, out, NULL) < 0)
		*out = (struct about){0};
	return rc < 0 ? -1 : 0;
}
