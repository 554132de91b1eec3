#include "builder/scan.h"

const struct str DEFAULT_PLACEHOLDER = STR_INIT("/opt/anaconda1anaconda2anaconda3");

static const struct str SUSPECTS[] = {
	STR_INIT("_placehold_placehold"),
	STR_INIT("/opt/anaconda1anaconda2anaconda3"),
};
enum { N_SUSPECTS = sizeof SUSPECTS / sizeof *SUSPECTS };

/* As str_find, from an offset on; the offset is from the start of data. */
static ptrdiff_t find_from(struct str data, struct str needle, size_t from)
{
	const char *hit;

	if (from >= data.n)
		return -1;
	hit = memmem(data.p + from, data.n - from, needle.p, needle.n);
	return hit ? hit - data.p : -1;
}

size_t scan_offsets(
	struct arena *a, struct str data, struct str needle, bool binary, uint64_t **offsets)
{
	struct {
		uint64_t *v;
		size_t n, cap;
	} list = {0};
	size_t last_nul = data.n;

	if (binary) {
		const char *nul = data.n ? memrchr(data.p, '\0', data.n) : NULL;
		last_nul = nul ? (size_t)(nul - data.p) : 0;
	}
	for (size_t at = 0; needle.n > 0;) {
		ptrdiff_t hit = find_from(data, needle, at);
		if (hit < 0 || (binary && (size_t)hit >= last_nul))
			break;
		*VEC_PUSH(a, &list) = (uint64_t)hit;
		at = (size_t)hit + needle.n;
	}
	*offsets = list.v;
	return list.n;
}

bool scan_suspect(struct str data)
{
	for (size_t i = 0; i < N_SUSPECTS; i++)
		if (find_from(data, SUSPECTS[i], 0) >= 0)
			return true;
	return false;
}

static bool is_component_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("._-+@~", c));
}

/* The path around a hit: from the first slash of its run to the end of the hit's component. */
static struct str path_around(struct str data, size_t hit, size_t n)
{
	size_t from = hit, to = hit + n;

	while (from > 0 && hit - from < 4096 &&
		(is_component_char(data.p[from - 1]) || data.p[from - 1] == '/'))
		from--;
	while (from < hit && data.p[from] != '/')
		from++;
	while (to < data.n && to - hit < 4096 && is_component_char(data.p[to]))
		to++;
	return str_sub(data, from, to);
}

struct str scan_undeclared(struct str data, const uint64_t *offsets, size_t n, size_t length)
{
	struct str first = {0};

	for (size_t s = 0; s < N_SUSPECTS; s++) {
		size_t k = 0, at = 0;
		for (ptrdiff_t hit; (hit = find_from(data, SUSPECTS[s], at)) >= 0;) {
			while (k < n && offsets[k] + length <= (uint64_t)hit)
				k++;
			if (k < n && offsets[k] <= (uint64_t)hit) {
				at = (size_t)offsets[k] + length;
				continue;
			}
			struct str path = path_around(data, (size_t)hit, SUSPECTS[s].n);
			if (!first.p || path.p < first.p)
				first = path;
			break;
		}
	}
	return first;
}
