/* Reading what an archive or an unpacked environment carries under conda-meta/envbuild/. */
#include "packer/papers.h"

#include "base/file.h"
#include "packer/archive_in.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

enum { PAPER_MAX = 256 << 20 };

static int read_from_archive(
	struct arena *a, const char *archive, struct str path, struct str *out, struct err *e)
{
	struct archive_in *in = archive_open(archive, e);
	struct member m;
	int rc;

	if (!in)
		return -1;
	while ((rc = archive_next(in, &m, e)) > 0)
		if (m.type == MEMBER_FILE && str_eq(m.path, path)) {
			rc = archive_read_all(in, a, PAPER_MAX, out, e) < 0 ? -1 : 1;
			break;
		}
	archive_close(in);
	return rc;
}

/* The folder is opened without following links below the prefix. */
static int read_from_prefix(
	struct arena *a, const char *prefix, const char *path, struct str *out, struct err *e)
{
	CLEANUP_FD root = open(prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (root < 0)
		return err_sys(e, "cannot open '%s'", prefix);
	if (fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT || errno == ENOTDIR
			       ? 0
			       : err_sys(e, "cannot read '%s/%s'", prefix, path);
	return file_read_at(a, root, path, PAPER_MAX, out, e) < 0 ? -1 : 1;
}

int paper_read(struct arena *a, const char *archive_or_prefix, const char *name, struct str *out,
	struct err *e)
{
	char *path = arena_printf(a, "%s%s", PAPERS_DIR, name);
	struct stat st;

	if (stat(archive_or_prefix, &st) == 0 && S_ISDIR(st.st_mode))
		return read_from_prefix(a, archive_or_prefix, path, out, e);
	return read_from_archive(a, archive_or_prefix, str_of(path), out, e);
}
