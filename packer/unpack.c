/*
 * Unpacking an archive, ours or anybody's: nothing it says is believed.
 *
 * Every member is made below one descriptor, component by component, following no link; a path
 * that occurs twice, leaves the folder or lies behind a link is ERR_INTEGRITY (packer/place.h).
 */
#include "base/file.h"
#include "packer/chunked.h"
#include "packer/manifest.h"
#include "packer/pack.h"
#include "packer/relocator/relocate.h"
#include "packer/site.h"
#include "packer/unpack_row.h"

#include <fcntl.h>
#include <sys/stat.h>

/* Too long even where a file has the prefix in an encoding of one unit for each character? */
static int check_length(const struct unpack_request *r, struct err *e)
{
	CLEANUP_ARENA a = {0};
	ptrdiff_t units = text_units(str_of(r->prefix), TEXT_UTF32LE);
	struct manifest m;

	/* So that nothing is unpacked in vain; the relocation index has the last word. */
	if (manifest_read(&a, r->archive, &m, NULL) <= 0 || units < 0 ||
		(size_t)units <= m.longest_prefix)
		return 0;
	err_set(e, ERR_FAIL, "path too long: '%s' has %zu bytes, and '%.*s' has room for %zu",
		r->prefix, strlen(r->prefix), STR_ARG(m.longest_prefix_path), m.longest_prefix);
	return err_advise(e, "unpack for a path of at most %zu bytes", m.longest_prefix);
}

/* Any folder can be named by mistake: it is not copied as a whole to find that out. */
static int check_folder(const struct unpack_request *r, struct err *e)
{
	CLEANUP_FD folder = open(r->archive, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (folder < 0 || fstatat(folder, RELOCATE_INDEX, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	return place_no_index(r->archive, e);
}

static bool has(void *ctx, struct str path)
{
	return chunked_has(ctx, path);
}

/* c: NULL where there are no pieces. */
static int unpack_to_site(const struct unpack_request *r, struct chunked *c, struct err *e)
{
	struct site s = {.place = {.archive = r->archive, .path = r->prefix ? r->prefix : r->dir}};
	uint8_t id[SHA256_LEN];
	int rc;

	if (c)
		chunked_identity(c, r->prefix, id);
	rc = site_open(&s, r->dir, c ? id : NULL, has, c, e);
	if (rc == 0) {
		rc = c ? chunked_unpack(c, &s.place, r->prefix, r->jobs, e)
		       : unpack_row(&s.place, r->prefix, e);
		if (rc == 0)
			rc = site_finish(&s, e);
		if (rc < 0)
			site_undo(&s);
	}
	site_close(&s);
	return rc;
}

int unpack(const struct unpack_request *r, struct err *e)
{
	struct chunked *c = NULL;
	int rc;

	if (r->prefix && !relocate_prefix_is_good(r->prefix))
		return err_set(e, ERR_USAGE,
			"'%s' is no path for an environment: absolute, not '/', without a newline",
			r->prefix);
	if (r->prefix && (check_folder(r, e) < 0 || check_length(r, e) < 0))
		return -1;
	if (chunked_open(r->archive, &c, e) < 0)
		return -1;
	rc = unpack_to_site(r, c, e);
	chunked_close(c);
	return rc;
}
