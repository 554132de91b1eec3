/* The squashfs reader over any bytes: it ends, and never gives a member that breaks its promises. */
#include "packer/squashfs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MAX_MEMBERS = 1000, MAX_BODY = 1 << 20 };

static void check(const struct member *m)
{
	if (!m->path.p || m->path.n == 0 || memchr(m->path.p, '\0', m->path.n))
		abort();
	if (m->type == MEMBER_SYMLINK && !m->link.p)
		abort();
	if (m->mode & ~07777u)
		abort();
}

static void read_members(struct squashfs_reader *r, struct err *e)
{
	static char piece[10000];
	struct member m;
	size_t n = 0;

	while (r && n++ < MAX_MEMBERS && squashfs_next(r, &m, e) > 0) {
		uint64_t size = 0;
		ptrdiff_t got = 0;

		check(&m);
		while (size < MAX_BODY && (got = squashfs_read(r, piece, sizeof piece, e)) > 0)
			size += (uint64_t)got;
		if (got < 0)
			break;
		if (m.type == MEMBER_FILE && (got == 0 ? size != m.size : size > m.size))
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_ARENA a = {0};
	struct err e = {0};
	struct archive_parts parts;
	struct archive_file *f = NULL;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (archive_parts_find(&a, arena_printf(&a, "/proc/self/fd/%d", fd), &parts, &e) == 0)
		f = archive_file_open(&parts, &e);
	if (f) {
		struct squashfs_reader *r = squashfs_open(f, "fuzz", &e);

		read_members(r, &e);
		squashfs_reader_close(r);
	}
	archive_file_close(f);
	err_release(&e);
	close(fd);
	return 0;
}
