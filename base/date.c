#include "base/date.h"

#include <stdio.h>
#include <time.h>

static const uint64_t day_ms = UINT64_C(24) * 3600 * 1000;
static const uint64_t last_ms = UINT64_C(253402300799999); /* of the year 9999 */

/* Exactly n digits at *s. */
static bool take_digits(struct str *s, size_t n, int *out)
{
	*out = 0;
	if (s->n < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (s->p[i] < '0' || s->p[i] > '9')
			return false;
		*out = *out * 10 + (s->p[i] - '0');
	}
	*s = str_sub(*s, n, s->n);
	return true;
}

static bool take(struct str *s, const char *any)
{
	if (!s->n || !memchr(any, s->p[0], strlen(any)))
		return false;
	*s = str_sub(*s, 1, s->n);
	return true;
}

/* Digits behind a point, of which three count. */
static bool take_fraction(struct str *s, int *ms)
{
	int weight = 100, digit;
	bool any = false;

	*ms = 0;
	if (!take(s, "."))
		return true;
	while (take_digits(s, 1, &digit)) {
		*ms += digit * weight;
		weight /= 10;
		any = true;
	}
	return any;
}

/* "Z" or "+01:00": minutes to be taken off. */
static bool take_offset(struct str *s, int *minutes)
{
	bool minus = s->n && s->p[0] == '-';
	int h, m;

	*minutes = 0;
	if (take(s, "Zz"))
		return true;
	if (!take(s, "+-") || !take_digits(s, 2, &h) || !take(s, ":") || !take_digits(s, 2, &m) ||
		h > 23 || m > 59)
		return false;
	*minutes = (minus ? -1 : 1) * (h * 60 + m);
	return true;
}

static bool take_day(struct str *s, struct tm *tm)
{
	int year, month, day;

	if (!take_digits(s, 4, &year) || !take(s, "-") || !take_digits(s, 2, &month) ||
		!take(s, "-") || !take_digits(s, 2, &day))
		return false;
	*tm = (struct tm){.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
	return true;
}

static bool take_time(struct str *s, struct tm *tm, int *ms)
{
	return take(s, "Tt ") && take_digits(s, 2, &tm->tm_hour) && take(s, ":") &&
	       take_digits(s, 2, &tm->tm_min) && take(s, ":") && take_digits(s, 2, &tm->tm_sec) &&
	       tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 61 && take_fraction(s, ms);
}

int date_parse(struct str text, uint64_t *out)
{
	int ms = 0, minutes = 0;
	struct tm tm, check;
	int64_t t;

	if (!take_day(&text, &tm))
		return -1;
	check = tm;
	t = (int64_t)timegm(&check); /* the 31st of February becomes another day */
	if (check.tm_mday != tm.tm_mday || check.tm_mon != tm.tm_mon)
		return -1;
	if (text.n == 0) {
		t = t * 1000 + (int64_t)day_ms - 1;
	} else {
		if (!take_time(&text, &tm, &ms) || !take_offset(&text, &minutes) || text.n)
			return -1;
		t = ((int64_t)timegm(&tm) - minutes * 60) * 1000 + ms;
	}
	if (t < 0 || (uint64_t)t > last_ms)
		return -1;
	*out = (uint64_t)t;
	return 0;
}

static struct tm broken_down(uint64_t ms)
{
	time_t t = (time_t)((ms > last_ms ? last_ms : ms) / 1000);
	struct tm tm = {0};

	gmtime_r(&t, &tm);
	return tm;
}

void date_day(uint64_t ms, char to[DATE_DAY])
{
	struct tm tm = broken_down(ms);

	strftime(to, DATE_DAY, "%Y-%m-%d", &tm);
}

void date_time(uint64_t ms, char to[DATE_TIME])
{
	struct tm tm = broken_down(ms);
	size_t n = strftime(to, DATE_TIME, "%Y-%m-%dT%H:%M:%S", &tm);

	if (ms % 1000)
		snprintf(to + n, DATE_TIME - n, ".%03uZ", (unsigned)(ms % 1000));
	else
		snprintf(to + n, DATE_TIME - n, "Z");
}
