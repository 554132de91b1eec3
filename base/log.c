#include "base/log.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/http.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
	REDRAW_NS = 1000000000 / 6,
	BAR_CELLS = 20,
	NAME_COLUMNS = 10,
	TEXT_COLUMNS = 42,
	DEFAULT_WIDTH = 80,
	RATE_MEMORY_S = 3,  /* what is older hardly counts for the speed */
	SHOW_LEFT_S = 10,   /* a shorter time left is not worth reading */
	FAR_S = 100 * 3600, /* a longer one is no forecast */
};

/* The speed of a shorter step is chance. */
static const double SHOW_SPEED_S = 0.2;

/* One state for the process, as there is one terminal. */
static struct {
	pthread_mutex_t lock;
	struct log_options options;
	bool terminal; /* stderr is one that can redraw a line */
	bool drawn;    /* a progress line stands on the cursor's line */
	bool mid_line; /* raw output ended without a new line */
	struct step *step;
	const char **warnings;
	size_t n_warnings;
	struct step_time *times;
	size_t n_times;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

char *format_bytes(uint64_t bytes, char out[24])
{
	static const char units[][3] = {"kB", "MB", "GB", "TB", "PB", "EB"};
	double v = (double)bytes / 1000;
	size_t unit = 0;

	if (bytes < 1000) {
		snprintf(out, 24, "%u B", (unsigned)bytes);
		return out;
	}
	/* 999.95 would be written as 1000.0. */
	while (v >= 999.95 && unit + 1 < sizeof units / sizeof *units) {
		v /= 1000;
		unit++;
	}
	snprintf(out, 24, "%.1f %s", v, units[unit]);
	return out;
}

void log_setup(struct log_options options)
{
	const char *term = getenv("TERM");

	pthread_mutex_lock(&state.lock);
	state.options = options;
	state.terminal = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
	pthread_mutex_unlock(&state.lock);
}

/* --- lines (the lock is held) ----------------------------------------------------------- */

/* One write, so that lines of several processes do not mix; a closed stderr is no error. */
static void put(struct str s)
{
	while (s.n) {
		ssize_t n = write(STDERR_FILENO, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		s = str_sub(s, (size_t)n, s.n);
	}
}

static void erase(void)
{
	if (state.drawn)
		put(STR("\r\033[K"));
	else if (state.mid_line)
		put(STR("\n"));
	state.drawn = state.mid_line = false;
}

/* Names from packages reach messages: they must not steer the terminal. */
static void defuse(struct buf *b, size_t from)
{
	for (size_t i = from; i < b->n; i++) {
		unsigned char c = (unsigned char)b->p[i];

		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			b->p[i] = '?';
	}
}

/* What a user wrote, or a program said, may have passwords in URLs wherever it is quoted. */
static void put_line(const char *prefix, const char *text)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF b = {0};

	buf_puts(&b, prefix);
	buf_str(&b, http_redact_text(&scratch, str_of(text)));
	defuse(&b, 0);
	buf_putc(&b, '\n');
	erase();
	put(buf_view(&b));
}

static void say(const char *prefix, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
static void say(const char *prefix, const char *fmt, va_list ap)
{
	CLEANUP_BUF b = {0};

	buf_vprintf(&b, fmt, ap);
	put_line(prefix, b.p ? b.p : "");
}

/* --- messages --------------------------------------------------------------------------- */

void log_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&state.lock);
	if (!state.options.quiet)
		say("envbuild: ", fmt, ap);
	pthread_mutex_unlock(&state.lock);
	va_end(ap);
}

void log_debug(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&state.lock);
	if (!state.options.quiet && state.options.verbose > 0)
		say("envbuild: debug: ", fmt, ap);
	pthread_mutex_unlock(&state.lock);
	va_end(ap);
}

static bool is_warned(const char *text)
{
	for (size_t i = 0; i < state.n_warnings; i++)
		if (!strcmp(state.warnings[i], text))
			return true;
	return false;
}

void log_warn(const char *fmt, ...)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	char *text = arena_cstr(&scratch, http_redact_text(&scratch, buf_view(&b)));
	pthread_mutex_lock(&state.lock);
	if (!is_warned(text)) {
		state.warnings =
			xrealloc(state.warnings, (state.n_warnings + 1) * sizeof *state.warnings);
		state.warnings[state.n_warnings++] = xstrdup(text);
		if (!state.options.quiet)
			put_line("envbuild: warning: ", state.warnings[state.n_warnings - 1]);
	}
	pthread_mutex_unlock(&state.lock);
}

size_t log_warnings(const char *const **texts)
{
	size_t n;

	pthread_mutex_lock(&state.lock);
	*texts = state.warnings;
	n = state.n_warnings;
	pthread_mutex_unlock(&state.lock);
	return n;
}

void log_error(const struct err *e)
{
	pthread_mutex_lock(&state.lock);
	put_line("envbuild: error: ", e->text ? e->text : "unknown");
	if (err_advice(e))
		put_line("envbuild: hint: ", err_advice(e));
	pthread_mutex_unlock(&state.lock);
}

void log_output(struct str bytes)
{
	pthread_mutex_lock(&state.lock);
	if (!state.options.quiet && bytes.n) {
		if (state.drawn)
			erase();
		put(bytes);
		state.mid_line = bytes.p[bytes.n - 1] != '\n';
	}
	pthread_mutex_unlock(&state.lock);
}

void log_unseen_output(struct str bytes)
{
	pthread_mutex_lock(&state.lock);
	if (state.options.quiet && bytes.n) {
		put(bytes);
		if (bytes.p[bytes.n - 1] != '\n')
			put(STR("\n"));
	}
	pthread_mutex_unlock(&state.lock);
}

/* --- steps ------------------------------------------------------------------------------ */

static double seconds_since(uint64_t start_ns)
{
	return (double)(now_ns() - start_ns) / 1e9;
}

static size_t terminal_width(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return DEFAULT_WIDTH;
	return size.ws_col;
}

static void add_bar(struct buf *b, uint64_t done, uint64_t total)
{
	uint64_t full =
		done >= total ? BAR_CELLS : (uint64_t)((double)done / (double)total * BAR_CELLS);

	buf_putc(b, '[');
	for (uint64_t i = 0; i < BAR_CELLS; i++)
		buf_putc(b, i < full ? '=' : i == full ? '>' : ' ');
	buf_puts(b, "] ");
}

/* "34.2/120.0 MB": one unit for both, that of the total. */
static void add_bytes(struct buf *b, uint64_t done, uint64_t total)
{
	char text[24];
	const char *unit = strchr(format_bytes(total, text), ' ');
	double scale = (double)total / strtod(text, NULL);

	if (total < 1000)
		buf_printf(b, "  %ju/%s", (uintmax_t)done, text);
	else
		buf_printf(
			b, "  %.1f/%.*s%s", (double)done / scale, (int)(unit - text), text, unit);
}

static void add_left(struct buf *b, const struct step *s, uint64_t done)
{
	double left = s->rate > 0 && s->bytes > done ? (double)(s->bytes - done) / s->rate : 0;
	unsigned seconds;

	if (left < SHOW_LEFT_S || left > FAR_S)
		return;
	seconds = (unsigned)left;
	if (seconds >= 3600)
		buf_printf(
			b, "  %u:%02u:%02u left", seconds / 3600, seconds / 60 % 60, seconds % 60);
	else
		buf_printf(b, "  %u:%02u left", seconds / 60, seconds % 60);
}

/* What came since the last time counts the more, the longer that was ago. */
static void reckon_rate(struct step *s, uint64_t bytes)
{
	uint64_t now = now_ns();
	double seconds = (double)(now - s->rate_ns) / 1e9, weight, latest;

	if (seconds < 0.1)
		return;
	latest = bytes > s->rate_bytes ? (double)(bytes - s->rate_bytes) / seconds : 0;
	weight = s->rate_ns == s->start_ns ? 1 : seconds / (seconds + RATE_MEMORY_S);
	s->rate += weight * (latest - s->rate);
	s->rate_ns = now;
	s->rate_bytes = bytes;
}

static void add_counts(struct buf *b, const struct step *s, uint64_t bytes)
{
	uint64_t items = s->done_items;
	char text[24];

	if (s->items)
		buf_printf(b, "%ju/%ju", (uintmax_t)items, (uintmax_t)s->items);
	else if (items)
		buf_printf(b, "%ju", (uintmax_t)items);
	if (bytes && s->bytes)
		add_bytes(b, bytes, s->bytes);
	else if (bytes)
		buf_printf(b, "  %s", format_bytes(bytes, text));
	if (bytes && s->rate_ns > s->start_ns)
		buf_printf(b, "  %s/s", format_bytes((uint64_t)s->rate, text));
	add_left(b, s, bytes);
}

static void draw(struct step *s)
{
	CLEANUP_BUF b = {0};
	uint64_t bytes = s->done_bytes;
	size_t width = terminal_width();

	if (!state.terminal || state.options.quiet || state.mid_line)
		return;
	reckon_rate(s, bytes);
	buf_printf(&b, "  %-*s ", NAME_COLUMNS, s->name);
	if (s->bytes)
		add_bar(&b, bytes, s->bytes);
	else if (s->items)
		add_bar(&b, s->done_items, s->items);
	add_counts(&b, s, bytes);
	if (b.n >= width)
		b.n = width - 1; /* a line that wraps cannot be redrawn */
	put(STR("\r\033[K"));
	put(buf_view(&b));
	state.drawn = true;
	atomic_store(&s->drawn_ns, now_ns());
}

void step_begin(struct step *s, const char *name, uint64_t items, uint64_t bytes)
{
	s->name = name;
	s->items = items;
	s->bytes = bytes;
	atomic_store(&s->done_items, 0);
	atomic_store(&s->done_bytes, 0);
	s->start_ns = now_ns();
	atomic_store(&s->drawn_ns, s->start_ns);
	s->rate_ns = s->start_ns;
	s->rate_bytes = 0;
	s->rate = 0;
	pthread_mutex_lock(&state.lock);
	state.step = s;
	draw(s);
	pthread_mutex_unlock(&state.lock);
}

/* One thread of many draws, and none too often. */
static bool is_due(struct step *s)
{
	uint64_t drawn = atomic_load(&s->drawn_ns), now = now_ns();

	return now - drawn >= REDRAW_NS &&
	       atomic_compare_exchange_strong(&s->drawn_ns, &drawn, now);
}

void step_tick(struct step *s, uint64_t items, uint64_t bytes)
{
	atomic_fetch_add(&s->done_items, items);
	atomic_fetch_add(&s->done_bytes, bytes);
	if (!is_due(s))
		return;
	pthread_mutex_lock(&state.lock);
	if (state.step == s)
		draw(s);
	pthread_mutex_unlock(&state.lock);
}

void step_take_back(struct step *s, uint64_t bytes)
{
	atomic_fetch_sub(&s->done_bytes, bytes);
}

void log_refresh(void)
{
	pthread_mutex_lock(&state.lock);
	if (state.step && is_due(state.step))
		draw(state.step);
	pthread_mutex_unlock(&state.lock);
}

static void finish(struct step *s, const char *text)
{
	double seconds = seconds_since(s->start_ns);
	CLEANUP_BUF words = {0}, line = {0};
	uint64_t bytes = atomic_load(&s->done_bytes);
	char size[24];

	buf_puts(&words, text);
	if (bytes)
		buf_printf(&words, "%s%s", words.n ? ", " : "", format_bytes(bytes, size));
	if (bytes && seconds >= SHOW_SPEED_S)
		buf_printf(
			&words, ", %s/s", format_bytes((uint64_t)((double)bytes / seconds), size));
	buf_printf(&line, "%-*s %-*s %7.1f s", NAME_COLUMNS, s->name, TEXT_COLUMNS,
		words.p ? words.p : "", seconds);
	pthread_mutex_lock(&state.lock);
	state.step = NULL;
	state.times = xrealloc(state.times, (state.n_times + 1) * sizeof *state.times);
	state.times[state.n_times++] = (struct step_time){.name = s->name, .seconds = seconds};
	if (!state.options.quiet)
		put_line("  ", line.p);
	pthread_mutex_unlock(&state.lock);
}

void step_end(struct step *s, const char *fmt, ...)
{
	CLEANUP_BUF b = {0};
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&b, fmt, ap);
	va_end(ap);
	finish(s, b.p ? b.p : "");
}

void step_fail(struct step *s)
{
	finish(s, "failed");
}

size_t log_steps(const struct step_time **times)
{
	size_t n;

	pthread_mutex_lock(&state.lock);
	*times = state.times;
	n = state.n_times;
	pthread_mutex_unlock(&state.lock);
	return n;
}
