#include "packer/audit_look.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/mapped.h"
#include "builder/scan.h"

#include <errno.h>
#include <unistd.h>

enum {
	CHUNK = 256 << 10,
	WINDOW = 16 << 20,    /* bytes in memory at once, but for ELF files */
	OVERLAP = 2 * 4096,   /* a path that ends one window begins the next */
	SCRIPT_LINE_MAX = 256 /* what Linux reads of a script */
};
/* Of an ELF file that comes as a stream; of any other file; where paths are looked for in the former. */
static const uint64_t ELF_MAX = UINT64_C(4) << 30, OTHER_MAX = 256 << 20, PATHS_MAX = 1 << 30;

void audit_looking_release(struct audit_looking *l)
{
	buf_release(&l->body);
}

ptrdiff_t audit_read_fd(void *ctx, void *p, size_t n, struct err *e)
{
	ssize_t got;

	do
		got = read(*(const int *)ctx, p, n);
	while (got < 0 && errno == EINTR);
	return got < 0 ? err_sys(e, "cannot read a file") : got;
}

/* Until `to` bytes are there, or the end: 1, 0 the end, -1. */
static int fill(struct audit_looking *l, const struct audit_subject *s, uint64_t to, struct err *e)
{
	while (l->body.n < to) {
		/* A file that is smaller than a piece should not cost one. */
		size_t want =
			s->size && s->size < CHUNK && l->body.n == 0 ? (size_t)s->size + 1 : CHUNK;
		char *room = buf_room(&l->body, want);
		ptrdiff_t n;

		if (interrupt_check(e) < 0 || (n = s->read(s->ctx, room, want, e)) < 0)
			return -1;
		if (n == 0)
			return 0;
		l->body.n += (size_t)n;
	}
	return 1;
}

static bool is_elf(const struct audit_looking *l)
{
	return l->body.n >= 4 && memcmp(l->body.p, "\177ELF", 4) == 0;
}

/* --- paths of build machines ------------------------------------------------------------------ */

/* More places than anybody can mean are left over: *out stays. */
static void leave_out(
	struct arena *a, struct str data, struct str declared, bool binary, struct str *out)
{
	CLEANUP_ARENA scratch = {0};
	struct places places = {0};

	if (scan_prefix(&scratch, data, declared, binary, SCAN_PLACES_MAX, &places, NULL) == 0)
		*out = arena_str(a, scan_build_path(&scratch, data, &places, declared.n));
}

static void look_for_paths(struct arena *a, struct str data, const struct audit_subject *s,
	struct str *leftover, struct str *behind)
{
	CLEANUP_ARENA scratch = {0};

	*behind = (struct str){0};
	*leftover = arena_str(a, scan_build_path(&scratch, data, &(struct places){0}, 0));
	if (!leftover->n)
		return;
	if (s->declared.n)
		leave_out(a, data, s->declared, s->binary, leftover);
	else if (s->declared_later)
		leave_out(a, data, *leftover, false, behind);
}

/* --- ELF files -------------------------------------------------------------------------------- */

static void fault(struct arena *a, struct binary *b, const struct audit_subject *s, const char *why)
{
	*b = (struct binary){.path = s->path, .fault = arena_str(a, str_of(why))};
}

static void take_elf(
	struct arena *a, const struct audit_subject *s, struct str bytes, struct audit_look *out)
{
	struct binary *b = arena_new(a, struct binary);
	struct err why = {0};

	if (binary_read(a, s->path.p, bytes, b, &why) < 0)
		fault(a, b, s, why.text);
	err_release(&why);
	b->path = s->path;
	look_for_paths(a, str_sub(bytes, 0, PATHS_MAX), s, &b->leftover, &out->behind);
	out->binary = b;
}

/* Somebody may write to what is looked at. */
static int take_mapped(
	struct arena *a, const struct audit_subject *s, struct audit_look *out, struct err *e)
{
	struct str bytes;
	bool cut;

	if (fd_map(s->fd, &bytes, e) < 0)
		return -1;
	mapped_guard(bytes);
	take_elf(a, s, bytes, out);
	cut = mapped_was_cut();
	file_unmap(bytes);
	if (!cut)
		return 0;
	errno = EIO;
	return err_sys(e, "it was cut while it was read");
}

/* What is larger than a window is not copied, where it need not be. */
static int look_at_elf(struct audit_looking *l, struct arena *a, const struct audit_subject *s,
	bool whole, struct audit_look *out, struct err *e)
{
	if (whole) {
		take_elf(a, s, buf_view(&l->body), out);
		return 0;
	}
	if (s->fd >= 0)
		return take_mapped(a, s, out, e);
	int more = fill(l, s, ELF_MAX, e);
	if (more < 0)
		return -1;
	if (more == 0) {
		take_elf(a, s, buf_view(&l->body), out);
		return 0;
	}
	struct binary *b = arena_new(a, struct binary);
	fault(a, b, s, "it is too large to be looked at");
	out->binary = b;
	return 0;
}

/* --- other files ------------------------------------------------------------------------------ */

static bool may_be_script(const struct audit_subject *s)
{
	return (s->mode & 0111) || str_starts(s->path, STR("bin/")) ||
	       str_find(s->path, STR("/bin/")) >= 0;
}

static struct str interpreter_of(struct arena *a, struct str head, const struct audit_subject *s)
{
	struct str line = str_sub(head, 0, SCRIPT_LINE_MAX);

	if (!may_be_script(s) || !str_starts(line, STR("#!")))
		return (struct str){0};
	line = str_cut(&line, '\n');
	return arena_str(a, str_trim(str_sub(line, 2, line.n)));
}

static int look_at_other(struct audit_looking *l, struct arena *a, const struct audit_subject *s,
	bool whole, struct audit_look *out, struct err *e)
{
	uint64_t seen = l->body.n;
	int more = !whole;

	out->interpreter = interpreter_of(a, buf_view(&l->body), s);
	for (;;) {
		size_t keep = l->body.n < OVERLAP ? l->body.n : OVERLAP;

		look_for_paths(a, buf_view(&l->body), s, &out->leftover, &out->behind);
		if (!more || out->leftover.n || seen >= OTHER_MAX)
			return 0;
		memmove(l->body.p, l->body.p + l->body.n - keep, keep);
		l->body.n = keep;
		more = fill(l, s, WINDOW, e);
		if (more < 0)
			return -1;
		seen += l->body.n - keep;
	}
}

int audit_look(struct audit_looking *l, struct arena *a, const struct audit_subject *s,
	struct audit_look *out, struct err *e)
{
	int more;

	*out = (struct audit_look){0};
	buf_clear(&l->body);
	if (binary_is_of_sysroot(s->path))
		return 0;
	more = fill(l, s, WINDOW, e);
	if (more < 0)
		return -1;
	if (is_elf(l) && binary_is_worth_a_look(PATH_FILE, l->body.n, s->path))
		return look_at_elf(l, a, s, !more, out, e);
	return look_at_other(l, a, s, !more, out, e);
}

void audit_look_unpacked(struct arena *a, struct audit_look *look, struct str own)
{
	struct str rest = str_sub(look->interpreter, own.n, look->interpreter.n);

	if (own.n && str_starts(look->interpreter, own) && str_starts(rest, STR("/")))
		look->interpreter =
			arena_strf(a, "%.*s%.*s", STR_ARG(BINARY_PREFIX), STR_ARG(rest));
	if (look->binary)
		binary_replace(a, look->binary, own, BINARY_PREFIX);
}
