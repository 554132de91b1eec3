/*
 * An archive or a lock from any bytes, compared with nothing and with itself, and all that is said
 * of it.  '=' and the bytes of a file; else "NAME\0TEXT\0" in a row, of which a tar is made, since
 * mutated headers would hardly ever have the right sum.
 */
#include "packer/diff.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static struct str cut(struct str *in)
{
	return in->p ? str_cut(in, '\0') : (struct str){"", 0};
}

static void make_tar(struct buf *tar, struct str in)
{
	while (in.n) {
		struct str name = cut(&in), text = cut(&in);
		struct member m = {.path = name, .mode = 0644, .size = text.n};

		if (name.n == 0 || name.n > 4000)
			continue;
		if (name.p[0] == '>') { /* a link */
			m.type = MEMBER_SYMLINK;
			m.path = str_sub(name, 1, name.n);
			m.link = text;
			m.size = 0;
		}
		tar_header(tar, &m);
		if (m.type == MEMBER_FILE)
			buf_str(tar, text);
		tar_pad(tar, m.size);
	}
	tar_end(tar);
}

static void check_json(struct str text)
{
	struct json *j = json_open_text(text, "diff");
	enum json_type t;

	while ((t = json_next(j)) != JSON_END)
		if (t == JSON_ERROR)
			abort();
	json_close(j);
}

static void check_plain(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if ((unsigned char)text.p[i] < 0x20 && text.p[i] != '\n')
			abort();
}

static void say_all(
	struct arena *a, const struct diff_side *x, const struct diff_side *y, bool same)
{
	void (*const say[])(const struct diff *, struct buf *) = {
		diff_text, diff_markdown, diff_json};
	struct diff d;

	diff_make(a, x, y, &d);
	d.list_paths = true;
	if (same && !d.same)
		abort();
	for (size_t i = 0; i < 3; i++) {
		CLEANUP_BUF text = {0};

		say[i](&d, &text);
		check_plain(buf_view(&text));
		if (i == 2)
			check_json(buf_view(&text));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str in = str_n((const char *)data, size);
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF tar = {0};
	CLEANUP_FD fd = memfd_create("diff", MFD_CLOEXEC);
	struct diff_side none = {.kind = DIFF_LOCK}, side;
	struct err e = {0};
	char path[64];

	log_setup((struct log_options){.quiet = true});
	if (size && data[0] == '=')
		buf_str(&tar, str_sub(in, 1, in.n));
	else
		make_tar(&tar, in);
	if (fd < 0 || write_full(fd, tar.p, tar.n, &e) < 0)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (diff_read(&a, path, NULL, &side, &e) == 0) {
		say_all(&a, &side, &side, true);
		say_all(&a, &none, &side, false);
		say_all(&a, &side, &none, false);
	}
	err_release(&e);
	return 0;
}
