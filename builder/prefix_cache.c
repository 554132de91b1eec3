#include "builder/prefix_cache.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "builder/binaries_file.h"
#include "builder/entry.h"
#include "builder/packed.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <time.h>

/*
 * A kept look, version 1 (packed.h).
 *
 *	8 bytes   "ebaudit1"
 *	u32       CRC-32 of all that follows
 *	text      the folder
 *	u32       number of packages, each: text name, version, build, dist
 *		u8   1 of conda | 2 sha256 | 4 md5; with the bit 1 only:
 *		text subdir, channel, fn, url
 *		32 bytes sha256, 16 bytes md5
 *	u32       number of files, each, rising by path:
 *		text path
 *		u64  device, inode, size, mtime, ctime; u32 mode
 *		u32  number of its package + 1, 0: none
 *		u8   1 read | 2 link | 4 script | 8 leftover
 *		text for each of the bits 2, 4 and 8
 *	the ELF files among them, as binaries_encode() writes them, to the end
 *
 * CRC-32 finds what disks and kills do; who means harm could change what is looked at as well.
 */
static const char MAGIC[8] = {'e', 'b', 'a', 'u', 'd', 'i', 't', '1'};
enum { HEADER = sizeof MAGIC + 4, KEPT_MAX = 1 << 30 };
enum { BIT_CONDA = 1, BIT_SHA256 = 2, BIT_MD5 = 4 };
enum { BIT_READ = 1, BIT_LINK = 2, BIT_SCRIPT = 4, BIT_LEFTOVER = 8 };

/* --- stamps ------------------------------------------------------------------------------- */

static int64_t nanoseconds(struct timespec t)
{
	return (int64_t)((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

void file_stamp_of(const struct stat *st, struct file_stamp *out)
{
	*out = (struct file_stamp){.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = nanoseconds(st->st_mtim),
		.ctime = nanoseconds(st->st_ctim),
		.mode = st->st_mode};
}

bool file_stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->mtime == b->mtime &&
	       a->ctime == b->ctime && a->mode == b->mode;
}

static bool is_one_of(uint32_t type, const uint32_t *types, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (types[i] == type)
			return true;
	return false;
}

/*
 * The kernel's clock of files goes by its ticks, at most 10 ms; a server's by itself.  Times of an
 * image are those that it was made with, and another one may be mounted at its place.
 */
int64_t prefix_cache_horizon(int fd)
{
	static const uint32_t local[] = {0xef53 /* ext */, 0x58465342 /* xfs */,
		0x9123683e /* btrfs */, 0x01021994 /* tmpfs */, 0x794c7630 /* overlayfs */,
		0x2fc12fc1 /* zfs */, 0xf2f52010 /* f2fs */};
	static const uint32_t images[] = {0x73717368 /* squashfs */, 0xe0f5e1e2 /* erofs */,
		0x9660 /* iso9660 */, 0x28cd3d45 /* cramfs */, 0x7275 /* romfs */};
	static const int64_t tick = 100000000, apart = INT64_C(60000000000);
	struct timespec now;
	struct statfs fs;
	bool known = fstatfs(fd, &fs) == 0;

	if (known && is_one_of((uint32_t)fs.f_type, images, sizeof images / sizeof *images))
		return INT64_MIN / 2;
	clock_gettime(CLOCK_REALTIME, &now);
	known = known && is_one_of((uint32_t)fs.f_type, local, sizeof local / sizeof *local);
	return nanoseconds(now) - (known ? tick : apart);
}

bool file_stamp_lasts(const struct file_stamp *s, int64_t horizon)
{
	static const int64_t second = 1000000000;
	int64_t latest = s->ctime > s->mtime ? s->ctime : s->mtime;

	/* So it is of images below FUSE and overlays; else of few files. */
	if (s->ctime == s->mtime && s->ctime % second == 0)
		return false;
	/* Old file systems count whole seconds, or two. */
	return latest < horizon - (latest % second == 0 ? 2 * second : 0);
}

/* --- writing ------------------------------------------------------------------------------ */

static void put_package(struct buf *to, const struct kept_package *p)
{
	const struct record *r = p->record;

	packed_put_text(to, p->name);
	packed_put_text(to, p->version);
	packed_put_text(to, p->build);
	packed_put_text(to, p->dist);
	packed_put_u8(to, (uint8_t)(r ? BIT_CONDA | (r->has_sha256 ? BIT_SHA256 : 0) |
						    (r->has_md5 ? BIT_MD5 : 0)
				      : 0));
	if (!r)
		return;
	packed_put_text(to, r->subdir);
	packed_put_text(to, r->channel);
	packed_put_text(to, r->fn);
	packed_put_text(to, r->url);
	buf_add(to, r->sha256, sizeof r->sha256);
	buf_add(to, r->md5, sizeof r->md5);
}

static void put_file(struct buf *to, const struct kept_file *f)
{
	packed_put_text(to, f->path);
	packed_put_u64(to, f->stamp.dev);
	packed_put_u64(to, f->stamp.ino);
	packed_put_u64(to, f->stamp.size);
	packed_put_u64(to, (uint64_t)f->stamp.mtime);
	packed_put_u64(to, (uint64_t)f->stamp.ctime);
	packed_put_u32(to, f->stamp.mode);
	packed_put_u32(to, (uint64_t)(f->package + 1));
	packed_put_u8(to, (uint8_t)((f->read ? BIT_READ : 0) | (f->link.n ? BIT_LINK : 0) |
				    (f->interpreter.n ? BIT_SCRIPT : 0) |
				    (f->leftover.n ? BIT_LEFTOVER : 0)));
	if (f->link.n)
		packed_put_text(to, f->link);
	if (f->interpreter.n)
		packed_put_text(to, f->interpreter);
	if (f->leftover.n)
		packed_put_text(to, f->leftover);
}

static void put_binaries(struct buf *to, const struct kept_prefix *p)
{
	CLEANUP_ARENA scratch = {0};
	struct {
		struct binary *v;
		size_t n, cap;
	} list = {0};

	for (size_t i = 0; i < p->n_files; i++)
		if (p->files[i].binary)
			*VEC_PUSH(&scratch, &list) = *p->files[i].binary;
	binaries_encode(&(struct binaries){.v = list.v, .n = list.n}, to);
}

void prefix_cache_encode(struct str prefix, const struct kept_prefix *p, struct buf *to)
{
	size_t sum_at = to->n + sizeof MAGIC;
	CLEANUP_BUF sum = {0};

	buf_add(to, MAGIC, sizeof MAGIC);
	packed_put_u32(to, 0);
	packed_put_text(to, prefix);
	packed_put_u32(to, p->n_packages);
	for (size_t i = 0; i < p->n_packages; i++)
		put_package(to, &p->packages[i]);
	packed_put_u32(to, p->n_files);
	for (size_t i = 0; i < p->n_files; i++)
		put_file(to, &p->files[i]);
	put_binaries(to, p);
	packed_put_u32(&sum, crc32_of(str_sub(buf_view(to), sum_at + 4, to->n)));
	memcpy(to->p + sum_at, sum.p, sum.n);
}

/* --- reading ------------------------------------------------------------------------------ */

static void take_record(struct arena *a, struct packed *c, struct kept_package *p, uint8_t bits)
{
	struct record *r = arena_new(a, struct record);
	const char *sums;

	*r = (struct record){.name = p->name,
		.version = p->version,
		.build = p->build,
		.depends_unknown = true,
		.constrains_unknown = true,
		.has_sha256 = bits & BIT_SHA256,
		.has_md5 = bits & BIT_MD5};
	r->subdir = packed_text(c);
	r->channel = packed_text(c);
	r->fn = packed_text(c);
	r->url = packed_text(c);
	sums = packed_take(c, sizeof r->sha256 + sizeof r->md5);
	if (sums) {
		memcpy(r->sha256, sums, sizeof r->sha256);
		memcpy(r->md5, sums + sizeof r->sha256, sizeof r->md5);
	}
	p->record = r;
}

static void take_packages(struct arena *a, struct packed *c, struct kept_prefix *out)
{
	enum { LEAST = 4 * 4 + 1 };

	out->n_packages = packed_count(c, LEAST);
	out->packages = arena_array(a, struct kept_package, out->n_packages);
	for (size_t i = 0; i < out->n_packages && !c->bad; i++) {
		struct kept_package *p = &out->packages[i];
		uint8_t bits;

		p->name = packed_text(c);
		p->version = packed_text(c);
		p->build = packed_text(c);
		p->dist = packed_text(c);
		bits = packed_u8(c);
		if (bits & BIT_CONDA)
			take_record(a, c, p, bits);
	}
}

static void take_file(struct packed *c, struct kept_file *f, size_t n_packages, struct str before)
{
	uint32_t package;
	uint8_t bits;

	f->path = packed_text(c);
	f->stamp.dev = packed_u64(c);
	f->stamp.ino = packed_u64(c);
	f->stamp.size = packed_u64(c);
	f->stamp.mtime = (int64_t)packed_u64(c);
	f->stamp.ctime = (int64_t)packed_u64(c);
	f->stamp.mode = packed_u32(c);
	package = packed_u32(c);
	f->package = (ptrdiff_t)package - 1;
	bits = packed_u8(c);
	f->read = bits & BIT_READ;
	if (bits & BIT_LINK)
		f->link = packed_text(c);
	if (bits & BIT_SCRIPT)
		f->interpreter = packed_text(c);
	if (bits & BIT_LEFTOVER)
		f->leftover = packed_text(c);
	if (package > n_packages || !path_is_safe(f->path) || str_cmp(before, f->path) >= 0)
		c->bad = true;
}

static void take_files(struct arena *a, struct packed *c, struct kept_prefix *out)
{
	enum { LEAST = 4 + 5 * 8 + 4 + 4 + 1 };
	struct str before = {0};

	out->n_files = packed_count(c, LEAST);
	out->files = arena_array(a, struct kept_file, out->n_files);
	for (size_t i = 0; i < out->n_files && !c->bad; i++) {
		take_file(c, &out->files[i], out->n_packages, before);
		before = out->files[i].path;
	}
}

/* Both lists rise: each ELF file must find its file. */
static int take_binaries(struct arena *a, struct str text, struct kept_prefix *out)
{
	struct binaries b;
	size_t k = 0;

	if (binaries_decode(a, text, &b, NULL) < 0)
		return -1;
	for (size_t i = 0; i < out->n_files && k < b.n; i++)
		if (out->files[i].read && str_eq(out->files[i].path, b.v[k].path))
			out->files[i].binary = &b.v[k++];
	return k == b.n ? 0 : -1;
}

int prefix_cache_decode(
	struct arena *a, struct str text, struct str prefix, struct kept_prefix *out)
{
	struct packed c = {.rest = str_sub(text, sizeof MAGIC, text.n)};
	uint32_t sum = packed_u32(&c);

	*out = (struct kept_prefix){0};
	if (text.n < HEADER || memcmp(text.p, MAGIC, sizeof MAGIC) != 0 ||
		sum != crc32_of(c.rest) || !str_eq(packed_text(&c), prefix))
		return -1;
	take_packages(a, &c, out);
	take_files(a, &c, out);
	return c.bad ? -1 : take_binaries(a, c.rest, out);
}

/* --- files -------------------------------------------------------------------------------- */

static char *path_of(struct arena *a, const struct cache *c, struct str prefix)
{
	char hex[SHA256_HEX + 1];
	uint8_t key[SHA256_LEN];

	sha256_of(prefix.p, prefix.n, key);
	hex_encode(key, SHA256_LEN, hex);
	return arena_printf(a, "%s/audit/%.2s/%s", c->dir, hex, hex);
}

static int read_kept(struct arena *a, const char *path, struct str *out)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	char *text;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > KEPT_MAX)
		return -1;
	text = arena_alloc(a, (size_t)st.st_size + 1);
	if (read_full(fd, text, (size_t)st.st_size) != st.st_size)
		return -1;
	*out = str_n(text, (size_t)st.st_size);
	return 0;
}

bool prefix_cache_load(
	struct arena *a, const struct cache *c, const char *prefix, struct kept_prefix *out)
{
	char *path = path_of(a, c, str_of(prefix));
	struct str text;

	*out = (struct kept_prefix){0};
	if (read_kept(a, path, &text) < 0)
		return false;
	if (prefix_cache_decode(a, text, str_of(prefix), out) == 0) {
		entry_touch(path);
		return true;
	}
	log_warn("'%s' is damaged: all files of '%s' are read", path, prefix);
	*out = (struct kept_prefix){0};
	return false;
}

static int write_kept(const struct cache *c, const char *path, struct str text)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_FILE_OUT file = {.fd = -1};

	if (dir_make(path_dir(&a, path), NULL) < 0 ||
		file_begin_in(&file, path, path_join(&a, c->dir, "tmp"), 0600, NULL) < 0 ||
		write_full(file.fd, text.p, text.n, NULL) < 0)
		return -1;
	return file_commit_unsynced(&file, NULL);
}

void prefix_cache_save(const struct cache *c, const char *prefix, const struct kept_prefix *p)
{
	CLEANUP_ARENA a = {0};
	CLEANUP_BUF text = {.max = KEPT_MAX};
	char *path = path_of(&a, c, str_of(prefix));

	prefix_cache_encode(str_of(prefix), p, &text);
	if (text.overflow || write_kept(c, path, buf_view(&text)) < 0)
		log_debug("nothing of '%s' is kept in the cache", prefix);
}

int prefix_cache_verify(const char *path, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct kept_prefix kept;
	struct packed c = {0};
	struct str text, prefix;

	if (read_kept(&a, path, &text) < 0)
		return err_set(e, ERR_INTEGRITY, "it cannot be read");
	c.rest = str_sub(text, HEADER, text.n);
	prefix = packed_text(&c);
	if (prefix_cache_decode(&a, text, prefix, &kept) < 0)
		return err_set(e, ERR_INTEGRITY, "it is cut or damaged");
	return 0;
}
