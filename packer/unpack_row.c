/* Any archive, member by member in one row, relocated afterwards. */
#include "packer/unpack_row.h"

#include "base/file.h"
#include "base/log.h"
#include "packer/archive_in.h"
#include "packer/relocator/relocate.h"
#include "packer/sums.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { COPY_SIZE = 1 << 17, SUMS_MAX = 256 << 20 };

struct unpacking {
	const struct place *place;
	struct place_folder folder;
	struct archive_in *in;
	char *copy; /* COPY_SIZE bytes */
	struct hash *sha256;
	struct arena arena;
	struct table sums; /* of every file by path: 32 bytes */
};

static int copy_data(struct unpacking *u, struct place_file *to, uint8_t *sum, struct err *e)
{
	ptrdiff_t n;

	while ((n = archive_read(u->in, u->copy, COPY_SIZE, e)) > 0) {
		if (place_file_put(to, u->copy, (size_t)n, e) < 0)
			return -1;
		hash_update(u->sha256, u->copy, (size_t)n);
	}
	hash_final(u->sha256, sum);
	return n < 0 ? err_wrap(e, "while unpacking '%.*s'", STR_ARG(to->path)) : 0;
}

static int make_file(struct unpacking *u, const struct member *m, struct err *e)
{
	struct place_file file;
	uint8_t *sum;

	if (place_file_begin(u->place, &u->folder, m, m->size, &file, e) < 0)
		return -1;
	sum = arena_alloc(&u->arena, SHA256_LEN);
	table_put(&u->sums, arena_str(&u->arena, m->path))->ptr = sum;
	if (copy_data(u, &file, sum, e) == 0)
		return place_file_end(&file, e);
	place_file_drop(&file);
	return -1;
}

static int make_members(struct unpacking *u, struct err *e)
{
	struct place_count n = {0};
	struct member m;
	int rc;

	while ((rc = archive_next(u->in, &m, e)) > 0) {
		if (place_count(&n, u->place->archive, &m, e) < 0)
			return -1;
		if ((m.type == MEMBER_FILE ? make_file(u, &m, e)
					   : place_make(u->place, &u->folder, &m, e)) < 0)
			return -1;
	}
	if (rc == 0 && n.members == 0)
		return err_set(e, ERR_INTEGRITY, "'%s' is empty or no archive", u->place->archive);
	return rc;
}

/* An archive of ours lists its files; one of somebody else has no manifest of ours either. */
static int check_sums(struct unpacking *u, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct str text;

	if (!table_get(&u->sums, STR(SUMS_PATH))) {
		if (!table_get(&u->sums, STR("conda-meta/envbuild/manifest.json")))
			return 0;
		return archive_cut_off(u->in, SUMS_PATH, e);
	}
	if (file_read_at(&a, u->place->root, SUMS_PATH, SUMS_MAX, &text, e) < 0)
		return -1;
	return sums_check(&u->sums, text, e);
}

static enum err_code code_of(enum relocate_status status)
{
	switch (status) {
	case RELOCATE_DAMAGED:
		return ERR_INTEGRITY;
	case RELOCATE_OK:
	case RELOCATE_FAILED:
		break;
	}
	return ERR_FAIL;
}

static int relocate_fresh(const struct place *place, const char *prefix, struct err *e)
{
	struct relocate_request request = {.root = place->root, .prefix = prefix, .strict = true};
	struct relocate_counts counts;
	struct relocate_error why = {0};
	struct stat st;

	if (fstatat(place->root, RELOCATE_INDEX, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
		return place_no_index(place->archive, e);
	if (relocate_tree(&request, &counts, &why) < 0)
		return err_set(e, code_of(why.status), "%s", why.text);
	log_debug("relocated %llu files to '%s'", (unsigned long long)counts.rewritten, prefix);
	return 0;
}

int unpack_row(const struct place *place, const char *prefix, struct err *e)
{
	struct unpacking u = {.place = place, .folder = {.fd = -1}};
	int rc;

	u.in = archive_open(place->archive, e);
	if (!u.in)
		return -1;
	u.copy = xmalloc(COPY_SIZE);
	u.sha256 = hash_new(HASH_SHA256);
	u.sums.arena = &u.arena;
	rc = make_members(&u, e);
	if (rc == 0)
		rc = check_sums(&u, e);
	if (rc == 0 && prefix)
		rc = relocate_fresh(place, prefix, e);
	free(u.copy);
	hash_free(u.sha256);
	arena_release(&u.arena);
	place_folder_release(&u.folder);
	archive_close(u.in);
	return rc;
}
