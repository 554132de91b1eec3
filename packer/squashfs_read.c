#include "packer/squashfs.h"

#include "base/file.h"
#include "base/table.h"
#include "packer/papers.h"

#include <endian.h>
#include <limits.h>
#include <sqfs/block.h>
#include <sqfs/compressor.h>
#include <sqfs/data_reader.h>
#include <sqfs/dir.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_reader.h>
#include <sqfs/super.h>
#include <stdlib.h>

/* More than any environment has; what is found is kept in memory. */
enum {
	ENTRIES_MAX = 1000000,
	PATHS_MAX = 256 << 20,
	READ_MAX = 1 << 20,
	BLOCKS_MAX = 16 << 20,
	FRAGMENTS_MAX = 1 << 20
};

struct entry {
	struct member member;
	uint64_t ref;              /* of its inode */
	uint64_t place, place_too; /* where its bytes begin: block, then the place in it */
};

/* What libsquashfs reads from. */
struct input {
	sqfs_file_t base;
	struct archive_file *file;
	struct err err; /* of the first call that failed */
};

struct squashfs_reader {
	struct arena arena;
	const char *name;
	struct input in;
	sqfs_super_t super;
	sqfs_compressor_t *compressor;
	sqfs_meta_reader_t *inodes, *folders;
	sqfs_frag_table_t *fragments;
	sqfs_data_reader_t *data;
	struct table seen; /* inodes of folders: one that is met twice holds itself */
	size_t path_bytes; /* links' targets included */
	struct {
		struct entry *v;
		size_t n, cap;
	} entries;
	size_t next;
	sqfs_inode_generic_t *inode; /* of the current file, once it is read */
	uint64_t at;
};

/* --- the file as libsquashfs sees it ---------------------------------------------------------- */

static int read_at(sqfs_file_t *file, sqfs_u64 at, void *p, size_t n)
{
	struct input *in = (struct input *)file;
	struct err e = {0};
	ptrdiff_t got = archive_file_pread(in->file, p, n, at, &e);

	if (got >= 0)
		return (size_t)got == n ? 0 : SQFS_ERROR_OUT_OF_BOUNDS;
	if (in->err.code == ERR_NONE)
		err_move(&in->err, &e);
	err_release(&e);
	return SQFS_ERROR_IO;
}

static int refuse_write(sqfs_file_t *file, sqfs_u64 at, const void *p, size_t n)
{
	(void)file;
	(void)at;
	(void)p;
	(void)n;
	return SQFS_ERROR_UNSUPPORTED;
}

static sqfs_u64 get_size(const sqfs_file_t *file)
{
	return archive_file_size(((const struct input *)file)->file);
}

static int refuse_size(sqfs_file_t *file, sqfs_u64 size)
{
	(void)file;
	(void)size;
	return SQFS_ERROR_UNSUPPORTED;
}

static int damaged(const struct squashfs_reader *r, const char *why, struct err *e)
{
	return err_set(e, ERR_INTEGRITY, "damaged squashfs '%s': %s", r->name, why);
}

static const char *words_of(int rc)
{
	switch (rc) {
	case SQFS_ERROR_UNSUPPORTED:
		return "of a kind that is not known here";
	case SQFS_ERROR_COMPRESSOR:
		return "a block cannot be decompressed";
	case SQFS_ERROR_OUT_OF_BOUNDS:
	case SQFS_ERROR_OVERFLOW:
	case SQFS_ERROR_ALLOC:
		return "something in it points outside";
	}
	return "it is not consistent";
}

/* Of what a call of libsquashfs returned: 0, or -1 with *e set. */
static int check(struct squashfs_reader *r, int rc, struct err *e)
{
	if (rc >= 0)
		return 0;
	if (r->in.err.code != ERR_NONE)
		return err_move(e, &r->in.err);
	return damaged(r, words_of(rc), e);
}

static int need(struct squashfs_reader *r, const void *made, struct err *e)
{
	return check(r, made ? 0 : SQFS_ERROR_ALLOC, e);
}

/* --- what is in it ---------------------------------------------------------------------------- */

static int read_numbers(struct squashfs_reader *r, void *p, size_t n, struct err *e)
{
	return check(r, sqfs_meta_reader_read(r->inodes, p, n), e);
}

/* What stands behind an inode has a size that libsquashfs allocates before it reads: a file's list
 * of blocks. */
static int check_blocks(struct squashfs_reader *r, uint64_t size, struct err *e)
{
	return size / r->super.block_size > BLOCKS_MAX ? damaged(r, "a file is too large", e) : 0;
}

/* A folder's names by which it is searched. */
static int check_names(struct squashfs_reader *r, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		uint32_t index[3]; /* place in the list, block, bytes of the name less one */
		char name[NAME_MAX + 1];

		if (read_numbers(r, index, sizeof index, e) < 0)
			return -1;
		if (le32toh(index[2]) >= sizeof name)
			return damaged(r, "a name is too long", e);
		if (read_numbers(r, name, le32toh(index[2]) + 1, e) < 0)
			return -1;
	}
	return 0;
}

/*
 * Refuses sizes beyond all reason.  The layout of inodes is that of the kernel's
 * fs/squashfs/squashfs_fs.h.
 */
static int check_sizes(struct squashfs_reader *r, uint64_t ref, struct err *e)
{
	struct {
		uint16_t type, mode, uid, gid;
		uint32_t mtime, number;
	} base;
	union {
		struct {
			uint32_t start, fragment, offset, size;
		} file;
		struct {
			uint64_t start, size;
		} long_file;
		struct {
			uint32_t links, size;
		} link;
		struct {
			uint32_t links, size, start, parent;
			uint16_t n_names, offset;
			uint32_t attributes;
		} long_folder;
	} u;

	if (check(r,
		    sqfs_meta_reader_seek(
			    r->inodes, r->super.inode_table_start + (ref >> 16), ref & 0xffff),
		    e) < 0 ||
		read_numbers(r, &base, sizeof base, e) < 0)
		return -1;
	switch (le16toh(base.type)) {
	case SQFS_INODE_FILE:
		return read_numbers(r, &u, sizeof u.file, e) < 0
			       ? -1
			       : check_blocks(r, le32toh(u.file.size), e);
	case SQFS_INODE_EXT_FILE:
		return read_numbers(r, &u, sizeof u.long_file, e) < 0
			       ? -1
			       : check_blocks(r, le64toh(u.long_file.size), e);
	case SQFS_INODE_SLINK:
	case SQFS_INODE_EXT_SLINK:
		if (read_numbers(r, &u, sizeof u.link, e) < 0)
			return -1;
		return le32toh(u.link.size) < PATH_MAX ? 0 : damaged(r, "a link is too long", e);
	case SQFS_INODE_EXT_DIR:
		return read_numbers(r, &u, sizeof u.long_folder, e) < 0
			       ? -1
			       : check_names(r, le16toh(u.long_folder.n_names), e);
	}
	return 0;
}

static int read_inode(
	struct squashfs_reader *r, uint64_t ref, sqfs_inode_generic_t **out, struct err *e)
{
	if (check_sizes(r, ref, e) < 0)
		return -1;
	return check(r,
		sqfs_meta_reader_read_inode(r->inodes, &r->super, ref >> 16, ref & 0xffff, out), e);
}

static int describe_file(struct squashfs_reader *r, const sqfs_inode_generic_t *inode,
	struct entry *out, struct err *e)
{
	uint32_t index = UINT32_MAX, offset = 0;
	uint64_t start = 0;
	sqfs_fragment_t fragment;

	out->member.type = MEMBER_FILE;
	sqfs_inode_get_file_size(inode, &out->member.size);
	sqfs_inode_get_file_block_start(inode, &start);
	out->place = start;
	if (sqfs_inode_get_file_block_count(inode) || out->member.size == 0)
		return 0;
	sqfs_inode_get_frag_location(inode, &index, &offset);
	if (check(r, sqfs_frag_table_lookup(r->fragments, index, &fragment), e) < 0)
		return -1;
	out->place = fragment.start_offset;
	out->place_too = offset;
	return 0;
}

static void describe_link(
	struct squashfs_reader *r, const sqfs_inode_generic_t *inode, struct entry *out)
{
	uint32_t n = inode->base.type == SQFS_INODE_SLINK ? inode->data.slink.target_size
							  : inode->data.slink_ext.target_size;

	out->member.type = MEMBER_SYMLINK;
	out->member.link = arena_str(&r->arena, str_n((const char *)inode->extra, n));
	r->path_bytes += n;
}

static int describe(struct squashfs_reader *r, const sqfs_inode_generic_t *inode, struct entry *out,
	struct err *e)
{
	out->member.mode = inode->base.mode & 07777;
	out->member.mtime = inode->base.mod_time;
	out->member.has_mtime = true;
	switch (inode->base.type) {
	case SQFS_INODE_DIR:
	case SQFS_INODE_EXT_DIR:
		out->member.type = MEMBER_DIR;
		return 0;
	case SQFS_INODE_FILE:
	case SQFS_INODE_EXT_FILE:
		return describe_file(r, inode, out, e);
	case SQFS_INODE_SLINK:
	case SQFS_INODE_EXT_SLINK:
		describe_link(r, inode, out);
		return 0;
	}
	out->member.type = MEMBER_OTHER;
	return 0;
}

/* What no file system could hold is refused here, what leaves the folder by who unpacks. */
static int join_path(struct squashfs_reader *r, struct str folder, const sqfs_dir_entry_t *found,
	struct str *out, struct err *e)
{
	struct str name = str_n((const char *)found->name, (size_t)found->size + 1);

	if (str_chr(name, '/') >= 0 || str_chr(name, 0) >= 0 || str_is(name, ".") ||
		str_is(name, ".."))
		return damaged(r, "a name that cannot be one", e);
	*out = folder.n ? arena_strf(&r->arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(name))
			: arena_str(&r->arena, name);
	r->path_bytes += out->n;
	if (out->n >= PATH_MAX || r->path_bytes > PATHS_MAX)
		return damaged(r, "its paths are too long", e);
	if (r->entries.n == ENTRIES_MAX)
		return damaged(r, "too many members", e);
	return 0;
}

static int add_entry(struct squashfs_reader *r, struct str folder, const sqfs_dir_entry_t *found,
	uint64_t ref, struct err *e)
{
	struct entry entry = {.ref = ref};
	sqfs_inode_generic_t *inode;
	int rc;

	if (join_path(r, folder, found, &entry.member.path, e) < 0 ||
		read_inode(r, ref, &inode, e) < 0)
		return -1;
	rc = describe(r, inode, &entry, e);
	sqfs_free(inode);
	if (rc == 0)
		*VEC_PUSH(&r->arena, &r->entries) = entry;
	return rc;
}

static int read_folder(struct squashfs_reader *r, struct str path, uint64_t ref, struct err *e)
{
	union table_value *seen =
		table_put(&r->seen, arena_str(&r->arena, str_n((char *)&ref, sizeof ref)));
	sqfs_inode_generic_t *inode;
	sqfs_readdir_state_t state;
	sqfs_dir_entry_t *found;
	uint64_t child;
	int rc;

	if (seen->ptr)
		return damaged(r, "a folder stands at two places", e);
	seen->ptr = r;
	if (read_inode(r, ref, &inode, e) < 0)
		return -1;
	rc = check(r, sqfs_readdir_state_init(&state, &r->super, inode), e);
	sqfs_free(inode);
	while (rc == 0) {
		int more = sqfs_meta_reader_readdir(r->folders, &state, &found, NULL, &child);

		if (more > 0)
			break;
		rc = check(r, more, e);
		if (rc == 0) {
			rc = add_entry(r, path, found, child, e);
			sqfs_free(found);
		}
	}
	return rc;
}

/* Each folder appends what it holds, so that those below it come to be read, too. */
static int read_all(struct squashfs_reader *r, struct err *e)
{
	if (read_folder(r, STR(""), r->super.root_inode_ref, e) < 0)
		return -1;
	for (size_t i = 0; i < r->entries.n; i++) {
		const struct entry *entry = &r->entries.v[i];

		if (entry->member.type == MEMBER_DIR &&
			read_folder(r, entry->member.path, entry->ref, e) < 0)
			return -1;
	}
	return 0;
}

/* --- in which order --------------------------------------------------------------------------- */

static int rank(const struct entry *x)
{
	if (x->member.type == MEMBER_DIR)
		return 0;
	return str_starts(x->member.path, STR(PAPERS_DIR)) ? 1 : 2;
}

static int cmp(uint64_t x, uint64_t y)
{
	return x < y ? -1 : x > y;
}

/* A folder's path sorts before the paths below it. */
static int entry_order(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int c = rank(x) - rank(y);

	if (c == 0 && rank(x))
		c = cmp(x->place, y->place);
	if (c == 0 && rank(x))
		c = cmp(x->place_too, y->place_too);
	return c ? c : str_cmp(x->member.path, y->member.path);
}

/* --- opening ---------------------------------------------------------------------------------- */

bool squashfs_is(struct str begin)
{
	return str_starts(begin, STR("hsqs"));
}

static int open_tables(struct squashfs_reader *r, struct err *e)
{
	sqfs_file_t *file = &r->in.base;
	const sqfs_super_t *super = &r->super;

	r->inodes = sqfs_meta_reader_create(
		file, r->compressor, super->inode_table_start, super->directory_table_start);
	r->folders = sqfs_meta_reader_create(
		file, r->compressor, super->directory_table_start, super->id_table_start);
	r->fragments = sqfs_frag_table_create(0);
	r->data = sqfs_data_reader_create(file, super->block_size, r->compressor, 0);
	if (need(r, r->inodes, e) < 0 || need(r, r->folders, e) < 0 ||
		need(r, r->fragments, e) < 0 || need(r, r->data, e) < 0)
		return -1;
	if (super->flags & SQFS_FLAG_NO_FRAGMENTS)
		return 0;
	if (check(r, sqfs_frag_table_read(r->fragments, file, super, r->compressor), e) < 0)
		return -1;
	return check(r, sqfs_data_reader_load_fragment_table(r->data, super), e);
}

static int open_image(struct squashfs_reader *r, struct err *e)
{
	sqfs_compressor_config_t config;

	if (check(r, sqfs_super_read(&r->super, &r->in.base), e) < 0)
		return -1;
	if (r->super.fragment_entry_count > FRAGMENTS_MAX)
		return damaged(r, "too many fragments", e);
	if (r->super.bytes_used > get_size(&r->in.base))
		return err_set(e, ERR_INTEGRITY, "'%s' is cut off", r->name);
	if (check(r,
		    sqfs_compressor_config_init(&config, (SQFS_COMPRESSOR)r->super.compression_id,
			    r->super.block_size, SQFS_COMP_FLAG_UNCOMPRESS),
		    e) < 0 ||
		check(r, sqfs_compressor_create(&config, &r->compressor), e) < 0)
		return -1;
	if (r->super.flags & SQFS_FLAG_COMPRESSOR_OPTIONS &&
		check(r, r->compressor->read_options(r->compressor, &r->in.base), e) < 0)
		return -1;
	return open_tables(r, e);
}

struct squashfs_reader *squashfs_open(struct archive_file *f, const char *name, struct err *e)
{
	struct squashfs_reader *r = xcalloc(1, sizeof *r);

	r->name = name;
	r->seen.arena = &r->arena;
	r->in = (struct input){.file = f,
		.base = {.read_at = read_at,
			.write_at = refuse_write,
			.get_size = get_size,
			.truncate = refuse_size}};
	if (open_image(r, e) == 0 && read_all(r, e) == 0) {
		if (r->entries.n)
			qsort(r->entries.v, r->entries.n, sizeof *r->entries.v, entry_order);
		return r;
	}
	squashfs_reader_close(r);
	return NULL;
}

/* --- reading ---------------------------------------------------------------------------------- */

static void drop_inode(struct squashfs_reader *r)
{
	if (r->inode)
		sqfs_free(r->inode);
	r->inode = NULL;
	r->at = 0;
}

int squashfs_next(struct squashfs_reader *r, struct member *m, struct err *e)
{
	(void)e;
	drop_inode(r);
	if (r->next == r->entries.n)
		return 0;
	*m = r->entries.v[r->next++].member;
	return 1;
}

ptrdiff_t squashfs_read(struct squashfs_reader *r, void *p, size_t n, struct err *e)
{
	const struct entry *entry = r->next ? &r->entries.v[r->next - 1] : NULL;
	sqfs_s32 got;

	if (!entry || entry->member.type != MEMBER_FILE || r->at == entry->member.size)
		return 0;
	if (!r->inode && read_inode(r, entry->ref, &r->inode, e) < 0)
		return -1;
	got = sqfs_data_reader_read(
		r->data, r->inode, r->at, p, (sqfs_u32)(n < READ_MAX ? n : READ_MAX));
	if (check(r, got, e) < 0)
		return -1;
	if (got == 0)
		return damaged(r, "a file is shorter than it says", e);
	r->at += (uint64_t)got;
	return got;
}

void squashfs_reader_close(struct squashfs_reader *r)
{
	if (!r)
		return;
	drop_inode(r);
	sqfs_destroy(r->data);
	sqfs_destroy(r->fragments);
	sqfs_destroy(r->folders);
	sqfs_destroy(r->inodes);
	sqfs_destroy(r->compressor);
	err_release(&r->in.err);
	arena_release(&r->arena);
	free(r);
}
