#include "packer/unpacked.h"

#include "base/file.h"
#include "base/log.h"
#include "base/work.h"
#include "packer/pack.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { MAX_LIST = 1 << 30 };

static int read_index(struct unpacked *u, const char *prefix, struct err *e)
{
	struct relocate_error why = {0};
	struct relocation r;
	struct relocate_entry entry;
	size_t cursor;

	u->relocated.arena = u->arena;
	if (file_map(path_join(u->arena, prefix, RELOCATE_INDEX), &u->index, e) < 0)
		return -1;
	if (relocation_open(&r, u->index.p, u->index.n, &why) < 0)
		return err_set(e, ERR_INTEGRITY, "%s", why.text);
	cursor = r.first;
	while (relocation_next(&r, &cursor, &entry)) {
		struct relocate_entry *copy = arena_new(u->arena, struct relocate_entry);
		*copy = entry;
		table_put(&u->relocated, str_of(entry.path))->ptr = copy;
	}
	return 0;
}

static void read_rules(struct unpacked *u, const char *prefix)
{
	const struct str *paths;
	struct err e = {0};
	struct str text;
	size_t n;

	if (paper_read(u->arena, prefix, "manifest.json", &text, &e) > 0 &&
		(rules_from_manifest(u->arena, text, "manifest.json", &u->rules, &e) < 0 ||
			rules_check(u->arena, &u->rules, &e) < 0)) {
		log_debug("the rules of '%s' cannot be read: %s", prefix, e.text);
		u->rules = (struct rules){0};
	}
	err_release(&e);
	u->root = arena_strdup(u->arena, prefix);
	u->brought.arena = u->arena;
	paths = rules_paths(u->arena, &u->rules, &n);
	for (size_t i = 0; i < n; i++)
		table_put(&u->brought, paths[i]);
}

int unpacked_open(struct unpacked *u, const char *prefix, struct err *e)
{
	struct relocate_error why = {0};
	struct str text;
	struct stat st;
	CLEANUP_FD root = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (root < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (fstatat(root, SUMS_PATH, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		fstatat(root, RELOCATE_INDEX, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	u->sums.arena = u->arena;
	if (file_read_at(u->arena, root, SUMS_PATH, MAX_LIST, &text, e) < 0 ||
		sums_read(&u->sums, text, e) < 0 || read_index(u, prefix, e) < 0)
		return -1;
	int rc = relocate_recorded(root, u->prefix, &why);
	if (rc < 0)
		return err_set(e, why.status == RELOCATE_DAMAGED ? ERR_INTEGRITY : ERR_SYSTEM, "%s",
			why.text);
	u->has_prefix = rc > 0;
	read_rules(u, prefix);
	return 1;
}

enum verdict unpacked_judge(
	void *ctx, struct str path, struct str data, const uint8_t sha256[SHA256_LEN])
{
	const struct unpacked *u = ctx;
	union table_value *moved = table_get(&u->relocated, path);
	union table_value *sum = table_get(&u->sums, path);
	bool good;

	if (sum && memcmp(sum->ptr, sha256, SHA256_LEN) == 0)
		return VERDICT_GOOD;
	/* Of an archive packed for a path; that the files hold what it says is asked of them. */
	if (sum && str_is(path, RELOCATE_RECORD_PATH))
		good = u->has_prefix;
	else if (moved && u->has_prefix)
		good = relocate_holds(moved->ptr, data.p, data.n, u->prefix);
	else
		return sum ? VERDICT_BAD : VERDICT_UNKNOWN;
	return good ? VERDICT_GOOD : VERDICT_BAD;
}

bool unpacked_left_out(void *ctx, struct str path)
{
	const struct unpacked *u = ctx;

	if (!rules_leave_out(&u->rules, path))
		return false;
	if (table_get(&u->sums, path) || table_get(&u->brought, path))
		return true;
	return !path_exists(path_join(u->arena, u->root, arena_cstr(u->arena, path)));
}

void unpacked_close(struct unpacked *u)
{
	file_unmap(u->index);
	u->index = (struct str){0};
}

/* --- all of it -------------------------------------------------------------------------------- */

struct checking {
	struct unpacked *unpacked;
	int root;
	bool *bad;
};

/* What cannot be read need not be damaged. */
static int judge_file(struct checking *c, struct str path, bool *good, struct err *e)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_FD fd = openat(
		c->root, arena_cstr(&a, path), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	uint8_t sha256[SHA256_LEN];
	struct stat st;
	struct str data;

	*good = false;
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot read '%.*s'", STR_ARG(path));
	if (!S_ISREG(st.st_mode))
		return 0;
	if (fd_map(fd, &data, e) < 0)
		return err_wrap(e, "cannot read '%.*s'", STR_ARG(path));
	sha256_of(data.p, data.n, sha256);
	*good = unpacked_judge(c->unpacked, path, data, sha256) == VERDICT_GOOD;
	file_unmap(data);
	return 0;
}

static int check_one(void *ctx, size_t i, struct err *e)
{
	struct checking *c = ctx;
	struct str path = c->unpacked->sums.entries[i].key;
	bool good = false;

	if (path_is_safe(path) && judge_file(c, path, &good, e) < 0)
		return -1;
	c->bad[i] = !good;
	return 0;
}

int unpacked_check(struct unpacked *u, const char *prefix, unsigned jobs, struct err *e)
{
	CLEANUP_FD root = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct checking c = {.unpacked = u, .root = root};
	size_t n = 0, first = 0;

	if (root < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	c.bad = arena_array(u->arena, bool, u->sums.n + 1);
	if (work_run(jobs, u->sums.n, check_one, &c, e) < 0)
		return err_wrap(e, "in '%s'", prefix);
	for (size_t i = u->sums.n; i-- > 0;)
		if (c.bad[i]) {
			first = i;
			n++;
		}
	if (n == 0)
		return 0;
	return err_set(e, ERR_INTEGRITY,
		"'%.*s' in '%s' is missing or not as it was packed (%zu of %zu files)",
		STR_ARG(u->sums.entries[first].key), prefix, n, u->sums.n);
}
