#include "builder/extract.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/zip_stored.h"
#include "builder/beneath.h"
#include "builder/binaries.h"
#include "builder/scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum {
	MAX_MEMBERS = 1000000,
	FREE_MEMBERS = 10000,  /* that any package may have */
	BYTES_PER_MEMBER = 64, /* of the package file; the fewest in a real one: 75 */
	CHUNK = 256 << 10,
	MAX_METADATA = 64 << 10,
	ELF_MAGIC = 4, /* bytes */
};
static const uint64_t SIZE_FLOOR = 64ull << 20, SIZE_CEILING = 64ull << 30, MAX_RATIO = 1000;

/* The package file as a stream that is hashed as it is read. */
struct source {
	const struct package_source *from;
	struct hash *sha256, *md5; /* NULL: somebody else sums */
	uint64_t n;
	bool ended;
};

struct extractor {
	const char *fn;
	struct extraction *out;
	struct beneath beneath;
	struct hash *hash; /* of the current member */
	char *chunk;       /* SCAN_CARRY + CHUNK bytes */
	const struct source *source;
	size_t members;  /* and the folders that they lie in, as often as these change */
	struct str last; /* the path before, in the extraction's arena */
	uint64_t bytes;
	bool cleared_bits;
};

static ptrdiff_t source_read(void *ctx, void *p, size_t n, struct err *e)
{
	struct source *s = ctx;
	ptrdiff_t got = interrupt_check(e) < 0 ? -1 : s->from->read(s->from->ctx, p, n, e);

	if (got < 0)
		return -1;
	if (s->sha256) {
		hash_update(s->sha256, p, (size_t)got);
		hash_update(s->md5, p, (size_t)got);
	}
	s->n += (uint64_t)got;
	s->ended = got == 0;
	return got;
}

/* Reads what the archive reader left, so that the sums are those of the whole file. */
static int source_drain(struct source *s, char *chunk, struct err *e)
{
	ptrdiff_t got;

	while ((got = source_read(s, chunk, CHUNK, e)) > 0)
		;
	return got < 0 ? -1 : 0;
}

/* How much may come out of a package; of one whose size nobody knows, out of what was read. */
static uint64_t size_limit(const struct source *s)
{
	uint64_t size = s->n > s->from->size ? s->n : s->from->size;
	uint64_t limit = size > SIZE_CEILING / MAX_RATIO ? SIZE_CEILING : size * MAX_RATIO;

	return limit < SIZE_FLOOR ? SIZE_FLOOR : limit;
}

/* Likewise, how many members: each costs a file, though nearly no bytes. */
static size_t member_limit(const struct source *s)
{
	uint64_t size = s->n > s->from->size ? s->n : s->from->size;
	uint64_t limit = size / BYTES_PER_MEMBER;

	limit = limit < FREE_MEMBERS ? FREE_MEMBERS : limit;
	return limit > MAX_MEMBERS ? MAX_MEMBERS : (size_t)limit;
}

static int refuse(const struct extractor *x, struct str member, struct err *e, const char *why)
{
	return err_set(e, ERR_INTEGRITY, "%s: '%.*s' in package '%s'", why, STR_ARG(member), x->fn);
}

static int wrap_member(const struct extractor *x, struct str member, struct err *e)
{
	return err_wrap(e, "member '%.*s' of package '%s'", STR_ARG(member), x->fn);
}

/* Enters a path; NULL (and *e set) where the package has it already. */
static struct extracted *enter(struct extractor *x, const struct member *m, struct err *e)
{
	struct extraction *out = x->out;
	struct str path = arena_str(out->arena, m->path);

	if (table_get(&out->by_path, path)) {
		refuse(x, path, e, "a path occurs twice");
		return NULL;
	}
	table_put(&out->by_path, path)->num = out->n;
	x->last = path;
	struct extracted *f = VEC_PUSH(out->arena, out);
	*f = (struct extracted){.path = path, .mtime = m->has_mtime ? lasting_time(m->mtime) : 0};
	if (m->mode & 07000)
		x->cleared_bits = true;
	f->mode = (m->mode & 0755) | 0400;
	return f;
}

static int write_data(
	struct extractor *x, struct tar_reader *tar, int fd, struct extracted *f, struct err *e)
{
	char *at = x->chunk + SCAN_CARRY;
	size_t carry = 0;
	ptrdiff_t got;

	while ((got = tar_read(tar, at, CHUNK, e)) > 0) {
		size_t n = (size_t)got;
		x->bytes += n;
		if (x->bytes > size_limit(x->source))
			return refuse(x, f->path, e,
				"it unpacks to more than its size allows, the limit was reached");
		hash_update(x->hash, at, n);
		if (f->size == 0)
			f->may_be_elf = n < ELF_MAGIC || binary_magic(str_n(at, n));
		if (!f->suspect)
			f->suspect = scan_suspect(str_n(at - carry, carry + n));
		if (write_full(fd, at, n, e) < 0)
			return -1;
		f->size += n;
		carry = n < SCAN_CARRY ? n : SCAN_CARRY;
		memmove(at - carry, at + n - carry, carry);
	}
	hash_final(x->hash, f->sha256);
	return got < 0 ? -1 : 0;
}

static int extract_file(
	struct extractor *x, struct tar_reader *tar, const struct member *m, struct err *e)
{
	char name[256];
	struct extracted *f = enter(x, m, e);
	int dir;

	if (!f)
		return -1;
	if ((dir = beneath_parent(&x->beneath, f->path, name, e)) < 0)
		return wrap_member(x, f->path, e);
	CLEANUP_FD fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EEXIST)
		return refuse(x, f->path, e, "a path occurs twice");
	if (fd < 0) {
		err_sys(e, "cannot create it");
		return wrap_member(x, f->path, e);
	}
	if (write_data(x, tar, fd, f, e) < 0) {
		uint8_t forget[SHA256_LEN];
		hash_final(x->hash, forget);
		return wrap_member(x, f->path, e);
	}
	struct timespec times[2] = {{.tv_sec = f->mtime}, {.tv_sec = f->mtime}};
	if (fchmod(fd, f->mode) < 0 || futimens(fd, times) < 0) {
		err_sys(e, "cannot set mode and time");
		return wrap_member(x, f->path, e);
	}
	return 0;
}

static int extract_symlink(struct extractor *x, const struct member *m, struct err *e)
{
	char name[256];
	struct extracted *f = enter(x, m, e);
	int dir;

	if (!f)
		return -1;
	if (m->link.n == 0 || m->link.n > 4095 || str_chr(m->link, '\0') >= 0)
		return refuse(x, f->path, e, "a symlink without a usable target");
	f->type = PATH_SOFTLINK;
	f->mode = 0777;
	f->link = arena_str(x->out->arena, m->link);
	if ((dir = beneath_parent(&x->beneath, f->path, name, e)) < 0)
		return wrap_member(x, f->path, e);
	if (symlinkat(f->link.p, dir, name) == 0)
		return 0;
	if (errno == EEXIST)
		return refuse(x, f->path, e, "a path occurs twice");
	err_sys(e, "cannot create the symlink");
	return wrap_member(x, f->path, e);
}

/* A hard link may only name a regular file that came before it in the same package. */
static int extract_hardlink(struct extractor *x, const struct member *m, struct err *e)
{
	char name[256], to_name[256];
	struct str link = str_starts(m->link, STR("./")) ? str_sub(m->link, 2, m->link.n) : m->link;
	union table_value *to = table_get(&x->out->by_path, link);

	if (!to || x->out->v[to->num].type != PATH_FILE)
		return refuse(x, m->path, e, "a hard link to something that is no file of it");
	struct extracted target = x->out->v[to->num];
	struct extracted *f = enter(x, m, e);
	if (!f)
		return -1;
	struct str path = f->path;
	*f = target;
	f->path = path;
	int dir = beneath_parent(&x->beneath, target.path, to_name, e);
	CLEANUP_FD from = dir < 0 ? -1 : openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 || (dir = beneath_parent(&x->beneath, path, name, e)) < 0)
		return wrap_member(x, path, e);
	if (linkat(from, to_name, dir, name, 0) == 0)
		return 0;
	if (errno == EEXIST)
		return refuse(x, path, e, "a path occurs twice");
	err_sys(e, "cannot create the hard link");
	return wrap_member(x, path, e);
}

/* Folders may be named again and again. */
static int extract_dir(struct extractor *x, const struct member *m, struct err *e)
{
	union table_value *known = table_get(&x->out->by_path, m->path);

	if (known && x->out->v[known->num].type != PATH_DIRECTORY)
		return refuse(x, m->path, e, "a path occurs twice");
	if (!known) {
		struct extracted *f = enter(x, m, e);
		if (!f)
			return -1;
		f->type = PATH_DIRECTORY;
		f->mode = 0755;
	}
	if (beneath_mkdir(&x->beneath, m->path, e) < 0)
		return wrap_member(x, m->path, e);
	return 0;
}

/* The folders of path that it does not share with the one before. */
static size_t new_folders(struct str path, struct str last)
{
	size_t same = 0, n = 0;

	while (same < path.n && same < last.n && path.p[same] == last.p[same])
		same++;
	for (size_t i = same; i < path.n; i++)
		n += path.p[i] == '/';
	return n;
}

/* Refused or passed over (1)? */
static int check_path(const struct extractor *x, const struct member *m, struct err *e)
{
	struct str rest = m->path;

	if (m->type == MEMBER_DIR && (m->path.n == 0 || str_is(m->path, ".")))
		return 1;
	if (!path_is_safe(m->path))
		return refuse(x, m->path, e, "unsafe path");
	if (!str_is_utf8(m->path))
		return refuse(x, m->path, e, "a name that is not UTF-8");
	if (str_is(str_cut(&rest, '/'), "conda-meta"))
		return refuse(x, m->path, e, "a package must not bring files of conda-meta/");
	return str_is(m->path, "info/repodata_record.json") ? 1 : 0;
}

static int extract_member(
	struct extractor *x, struct tar_reader *tar, struct member *m, struct err *e)
{
	while (m->type == MEMBER_DIR && m->path.n > 1 && m->path.p[m->path.n - 1] == '/')
		m->path.n--;
	int pass = check_path(x, m, e);
	if (pass)
		return pass < 0 ? -1 : 0;
	x->members += 1 + new_folders(m->path, x->last);
	if (x->members > member_limit(x->source))
		return refuse(
			x, m->path, e, "more members than its size allows, the limit was reached");
	switch (m->type) {
	case MEMBER_FILE:
		return extract_file(x, tar, m, e);
	case MEMBER_DIR:
		return extract_dir(x, m, e);
	case MEMBER_SYMLINK:
		return extract_symlink(x, m, e);
	case MEMBER_HARDLINK:
		return extract_hardlink(x, m, e);
	case MEMBER_OTHER:
		break;
	}
	return refuse(x, m->path, e, "neither file, folder nor link");
}

static int extract_tar(struct extractor *x, struct tar_reader *tar, struct err *e)
{
	struct member m;
	int rc;

	while ((rc = tar_next(tar, &m, e)) > 0)
		if (extract_member(x, tar, &m, e) < 0)
			return -1;
	if (rc < 0)
		return err_wrap(e, "package '%s'", x->fn);
	return 0;
}

/*
 * metadata.json: {"conda_pkg_format_version": 2} (CEP 35).  An empty one is taken for that: conda
 * does not look at it, and packages that were transmuted carry such.
 */
static int check_metadata(struct extractor *x, struct zip_stored *zip, uint64_t size, struct err *e)
{
	CLEANUP_BUF text = {0};
	char piece[4096];
	ptrdiff_t n;
	int64_t version = 2;

	if (size > MAX_METADATA)
		return err_set(e, ERR_INTEGRITY, "package '%s' has a metadata.json of %llu bytes",
			x->fn, (unsigned long long)size);
	while ((n = zip_stored_read(zip, piece, sizeof piece, e)) > 0)
		buf_add(&text, piece, (size_t)n);
	if (n < 0)
		return err_wrap(e, "package '%s'", x->fn);
	struct json *j = json_open_text(buf_view(&text), "metadata.json");
	enum json_type t;
	while ((t = json_next(j)) != JSON_END && t != JSON_ERROR)
		if (t == JSON_KEY && str_is(json_text(j), "conda_pkg_format_version") &&
			json_next(j) == JSON_NUMBER)
			json_int(j, &version);
	json_close(j);
	if (version != 2)
		return err_set(e, ERR_INTEGRITY,
			"package '%s' has a format that is not version 2 of .conda", x->fn);
	return 0;
}

static int extract_tar_of(struct extractor *x, stream_read *read, void *ctx, struct err *e)
{
	struct tar_reader *tar = tar_open(read, ctx, x->fn, e);

	if (!tar)
		return err_wrap(e, "package '%s'", x->fn);
	int rc = extract_tar(x, tar, e);
	tar_close(tar);
	return rc;
}

static int extract_parts(struct extractor *x, struct zip_stored *zip, struct err *e)
{
	size_t parts[2] = {0};
	struct str name;
	uint64_t size;
	int rc;

	while ((rc = zip_stored_next(zip, &name, &size, e)) > 0) {
		bool info = str_starts(name, STR("info-")), pkg = str_starts(name, STR("pkg-"));
		if (str_is(name, "metadata.json"))
			rc = check_metadata(x, zip, size, e);
		else if ((!info && !pkg) || !str_ends(name, STR(".tar.zst")))
			continue;
		else if (parts[pkg]++)
			rc = refuse(x, name, e, "a part occurs twice");
		else
			rc = extract_tar_of(x, zip_stored_read, zip, e);
		if (rc < 0)
			return -1;
	}
	if (rc < 0)
		return err_wrap(e, "package '%s'", x->fn);
	if (!parts[0] || !parts[1])
		return err_set(e, ERR_INTEGRITY, "package '%s' lacks its '%s-*.tar.zst'", x->fn,
			parts[0] ? "pkg" : "info");
	return 0;
}

static int extract_conda(struct extractor *x, struct source *s, struct err *e)
{
	struct zip_stored *zip = zip_stored_open(source_read, s, x->fn);
	int rc = extract_parts(x, zip, e);

	zip_stored_close(zip);
	return rc;
}

static int extract_tarball(struct extractor *x, struct source *s, struct err *e)
{
	struct bunzip *b = bunzip_open(s->from->crew, source_read, s, x->fn);
	int rc = extract_tar_of(x, bunzip_read, b, e);

	bunzip_close(b);
	return rc;
}

static int extract_format(struct extractor *x, struct source *s, struct err *e)
{
	struct str fn = str_of(x->fn);

	if (str_ends(fn, STR(".conda")))
		return extract_conda(x, s, e);
	if (str_ends(fn, STR(".tar.bz2")))
		return extract_tarball(x, s, e);
	return err_set(e, ERR_INTEGRITY, "'%s' is neither .conda nor .tar.bz2", x->fn);
}

/* Reads what is left of a file that is right so far, or whose content is not. */
static int source_finish(struct source *s, struct extractor *x, int rc, struct err *e)
{
	struct err failed = {0};

	if (s->ended || (rc < 0 && (!e || e->code != ERR_INTEGRITY)))
		return rc;
	if (source_drain(s, x->chunk, &failed) == 0)
		return rc;
	/* What was complained of may be for want of the rest. */
	err_release(e);
	return err_move(e, &failed);
}

int extract_package(struct arena *a, const struct package_source *from, const char *fn, int root,
	struct extraction *out, struct err *e)
{
	struct source s = {.from = from};
	struct extractor x = {.fn = fn, .out = out, .hash = hash_new(HASH_SHA256), .source = &s};
	struct err failed = {0};

	if (!from->sums) {
		s.sha256 = hash_new(HASH_SHA256);
		s.md5 = hash_new(HASH_MD5);
	}
	*out = (struct extraction){.arena = a, .by_path.arena = a};
	x.chunk = arena_alloc(a, SCAN_CARRY + CHUNK);
	beneath_init(&x.beneath, root, true);
	int rc = extract_format(&x, &s, &failed);
	rc = source_finish(&s, &x, rc, &failed);
	out->whole = s.ended;
	if (from->sums) {
		out->sums = *from->sums;
	} else {
		hash_final(s.sha256, out->sums.sha256);
		hash_final(s.md5, out->sums.md5);
		out->sums.size = s.n;
	}
	if (rc == 0 && x.cleared_bits)
		log_debug("setuid, setgid or sticky bits of files in '%s' are left out", fn);
	beneath_release(&x.beneath);
	hash_free(x.hash);
	hash_free(s.sha256);
	hash_free(s.md5);
	return rc < 0 ? err_move(e, &failed) : 0;
}
