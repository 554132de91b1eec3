#include "packer/squashfs.h"

#include "base/file.h"
#include "base/table.h"
#include "packer/measure.h"

#include <sqfs/block_processor.h>
#include <sqfs/block_writer.h>
#include <sqfs/compressor.h>
#include <sqfs/dir_writer.h>
#include <sqfs/error.h>
#include <sqfs/frag_table.h>
#include <sqfs/id_table.h>
#include <sqfs/inode.h>
#include <sqfs/io.h>
#include <sqfs/meta_writer.h>
#include <sqfs/super.h>
#include <stdio.h>
#include <stdlib.h>

/* gzip and zstd at these levels: docs/design/archive.md */
enum { BLOCK_SIZE = 128 << 10, BACKLOG = 10, NO_XATTR = -1 };

/* A file, link or folder of the image. */
struct node {
	struct str name; /* the last component */
	struct node *parent;
	enum member_type type;
	uint32_t mode, mtime;
	struct str link;
	sqfs_inode_generic_t *inode; /* of a file: filled until the blocks are finished */
	struct {
		struct node **v;
		size_t n, cap;
	} children;
	uint32_t number;
	uint64_t ref; /* where its inode lies */
};

/* What libsquashfs writes to. */
struct output {
	sqfs_file_t base;
	struct sink *sink;
	struct err err; /* of the first call that failed */
};

struct squashfs_writer {
	struct arena arena;
	struct squashfs_options options;
	struct output out;
	struct table folders; /* path -> node */
	struct node *root;
	struct {
		struct node **v;
		size_t n, cap;
	} files;
	pthread_mutex_t lock;
	sqfs_super_t super;
	sqfs_compressor_t *compressor, *decompressor;
	sqfs_block_writer_t *blocks;
	sqfs_frag_table_t *fragments;
	sqfs_block_processor_t *processor;
	sqfs_id_table_t *ids;
	sqfs_meta_writer_t *inodes, *entries;
	sqfs_dir_writer_t *dirs;
	uint32_t n_inodes;
};

/* --- the sink as libsquashfs sees it ---------------------------------------------------------- */

static int told(struct output *out, int rc, struct err *e)
{
	if (rc == 0)
		return 0;
	if (out->err.code == ERR_NONE)
		err_move(&out->err, e);
	err_release(e);
	return SQFS_ERROR_IO;
}

static int read_at(sqfs_file_t *file, sqfs_u64 at, void *p, size_t n)
{
	struct output *out = (struct output *)file;
	struct err e = {0};

	return told(out, sink_pread(out->sink, p, n, at, &e), &e);
}

static int write_at(sqfs_file_t *file, sqfs_u64 at, const void *p, size_t n)
{
	struct output *out = (struct output *)file;
	struct err e = {0};

	return told(out, sink_pwrite(out->sink, p, n, at, &e), &e);
}

static sqfs_u64 get_size(const sqfs_file_t *file)
{
	return sink_size(((const struct output *)file)->sink);
}

/* To grow is to write zeros. */
static int set_size(sqfs_file_t *file, sqfs_u64 size)
{
	struct output *out = (struct output *)file;
	static const char zeros[4096];
	struct err e = {0};
	int rc = 0;

	while (rc == 0 && sink_size(out->sink) < size) {
		uint64_t at = sink_size(out->sink), n = size - at;

		rc = sink_pwrite(
			out->sink, zeros, n < sizeof zeros ? (size_t)n : sizeof zeros, at, &e);
	}
	if (rc == 0 && size < sink_size(out->sink))
		rc = sink_truncate(out->sink, size, &e);
	return told(out, rc, &e);
}

/* Of what a call of libsquashfs returned: 0, or -1 with *e set. */
static int check(struct squashfs_writer *w, int rc, struct err *e)
{
	const char *path = sink_path(w->out.sink);

	if (rc >= 0)
		return 0;
	if (w->out.err.code != ERR_NONE)
		return err_move(e, &w->out.err);
	return err_set(e, ERR_FAIL, "cannot write '%s': libsquashfs gives error %d", path, rc);
}

static int need(struct squashfs_writer *w, const void *made, struct err *e)
{
	return check(w, made ? 0 : SQFS_ERROR_ALLOC, e);
}

/* --- the tree --------------------------------------------------------------------------------- */

static struct node *add_node(
	struct squashfs_writer *w, struct node *parent, struct str name, enum member_type type)
{
	struct node *node = arena_new(&w->arena, struct node);

	node->name = name;
	node->parent = parent;
	node->type = type;
	*VEC_PUSH(&w->arena, &parent->children) = node;
	return node;
}

static uint32_t time_of(int64_t t)
{
	return t < 0 ? 0 : t > UINT32_MAX ? UINT32_MAX : (uint32_t)t;
}

static struct str folder_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, 0, slash < 0 ? 0 : (size_t)slash);
}

static struct str name_of(struct str path)
{
	ptrdiff_t slash = str_rchr(path, '/');

	return str_sub(path, (size_t)(slash + 1), path.n);
}

/* The folder of that path, made with those above it where it is new; "" is the root. */
static struct node *folder(struct squashfs_writer *w, struct str path)
{
	struct node *above = w->root, *node = w->root;
	union table_value *known;

	for (size_t n = 0; n <= path.n && path.n; n++) {
		struct str at = str_sub(path, 0, n);

		if (n < path.n && path.p[n] != '/')
			continue;
		known = table_get(&w->folders, at);
		node = known ? known->ptr : add_node(w, above, name_of(at), MEMBER_DIR);
		if (!known) {
			node->mode = 0755;
			node->mtime = time_of(w->options.epoch);
			table_put(&w->folders, at)->ptr = node;
		}
		above = node;
	}
	return node;
}

/* --- bytes of files --------------------------------------------------------------------------- */

static int append(struct squashfs_writer *w, struct node *node, struct str data, struct err *e)
{
	*VEC_PUSH(&w->arena, &w->files) = node;
	if (check(w, sqfs_block_processor_begin_file(w->processor, &node->inode, NULL, 0), e) < 0)
		return -1;
	if (data.n && check(w, sqfs_block_processor_append(w->processor, data.p, data.n), e) < 0)
		return -1;
	return check(w, sqfs_block_processor_end_file(w->processor), e);
}

static int add_file(struct squashfs_writer *w, struct layout *l, struct layout_item *item,
	struct node *node, struct err *e)
{
	struct str data;
	int rc;

	if (!item->source)
		return append(w, node, item->data, e);
	if (file_map(item->source, &data, e) < 0)
		return -1;
	rc = data.n == item->head.size ? item_measure(l, &w->lock, item, data, e)
				       : item_changed(item, e);
	if (rc == 0)
		rc = append(w, node, data, e);
	file_unmap(data);
	return rc;
}

static int add_item(
	struct squashfs_writer *w, struct layout *l, struct layout_item *item, struct err *e)
{
	struct str path = item->head.path;
	struct node *node;

	if (item->head.type == MEMBER_DIR) {
		folder(w, path);
		return 0;
	}
	node = add_node(w, folder(w, folder_of(path)), name_of(path), item->head.type);
	node->mode = item->head.mode & 07777;
	node->mtime = time_of(item->head.mtime);
	node->link = item->head.link;
	return item->head.type == MEMBER_FILE ? add_file(w, l, item, node, e) : 0;
}

int squashfs_add(struct squashfs_writer *w, struct layout *l, struct step *step, struct err *e)
{
	for (size_t i = 0; i < l->items.n; i++) {
		if (add_item(w, l, &l->items.v[i], e) < 0)
			return -1;
		if (step)
			step_tick(step, 0, l->items.v[i].head.size);
	}
	return 0;
}

/* --- inodes and folders ----------------------------------------------------------------------- */

static int node_order(const void *a, const void *b)
{
	const struct node *const *x = a, *const *y = b;

	return str_cmp((*x)->name, (*y)->name);
}

/* Sorts what folders hold, and numbers it: those of one folder in a row. */
static void number(struct squashfs_writer *w, struct node *dir)
{
	if (dir->children.n)
		qsort(dir->children.v, dir->children.n, sizeof *dir->children.v, node_order);
	for (size_t i = 0; i < dir->children.n; i++)
		dir->children.v[i]->number = ++w->n_inodes;
	for (size_t i = 0; i < dir->children.n; i++)
		if (dir->children.v[i]->type == MEMBER_DIR)
			number(w, dir->children.v[i]);
}

static sqfs_inode_generic_t *make_link(const struct node *node)
{
	sqfs_inode_generic_t *inode = xcalloc(1, sizeof *inode + node->link.n + 1);

	inode->base.type = SQFS_INODE_SLINK;
	inode->data.slink.nlink = 1;
	inode->data.slink.target_size = (uint32_t)node->link.n;
	inode->payload_bytes_available = inode->payload_bytes_used = (uint32_t)node->link.n;
	memcpy(inode->extra, node->link.p, node->link.n);
	return inode;
}

static int write_inode(
	struct squashfs_writer *w, struct node *node, sqfs_inode_generic_t *inode, struct err *e)
{
	uint64_t block;
	uint32_t offset;

	inode->base.mode = (uint16_t)node->mode;
	inode->base.mod_time = node->mtime;
	inode->base.inode_number = node->number;
	sqfs_meta_writer_get_position(w->inodes, &block, &offset);
	node->ref = block << 16 | offset;
	return check(w, sqfs_meta_writer_write_inode(w->inodes, inode), e);
}

static int write_leaf(struct squashfs_writer *w, struct node *node, struct err *e)
{
	sqfs_inode_generic_t *link;
	int rc;

	if (node->type == MEMBER_FILE)
		return write_inode(w, node, node->inode, e);
	link = make_link(node);
	rc = write_inode(w, node, link, e);
	free(link);
	return rc;
}

static uint16_t kind_of(const struct node *node)
{
	return node->type == MEMBER_DIR    ? SQFS_INODE_MODE_DIR
	       : node->type == MEMBER_FILE ? SQFS_INODE_MODE_REG
					   : SQFS_INODE_MODE_LNK;
}

static int write_entries(struct squashfs_writer *w, const struct node *dir, struct err *e)
{
	if (check(w, sqfs_dir_writer_begin(w->dirs, 0), e) < 0)
		return -1;
	for (size_t i = 0; i < dir->children.n; i++) {
		const struct node *child = dir->children.v[i];
		char name[256];

		snprintf(name, sizeof name, "%.*s", STR_ARG(child->name));
		if (check(w,
			    sqfs_dir_writer_add_entry(w->dirs, name, child->number, child->ref,
				    (uint16_t)(kind_of(child) | child->mode)),
			    e) < 0)
			return -1;
	}
	return check(w, sqfs_dir_writer_end(w->dirs), e);
}

/* What it holds comes before it. */
static int write_folder(struct squashfs_writer *w, struct node *dir, struct err *e)
{
	sqfs_inode_generic_t *inode;
	size_t links = 2;
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < dir->children.n; i++)
		if (dir->children.v[i]->type == MEMBER_DIR) {
			rc = write_folder(w, dir->children.v[i], e);
			links++;
		}
	for (size_t i = 0; rc == 0 && i < dir->children.n; i++)
		if (dir->children.v[i]->type != MEMBER_DIR)
			rc = write_leaf(w, dir->children.v[i], e);
	if (rc < 0 || write_entries(w, dir, e) < 0)
		return -1;
	/* The root's parent has a number that no inode has, as mksquashfs writes it. */
	inode = sqfs_dir_writer_create_inode(w->dirs, links, (uint32_t)NO_XATTR,
		dir->parent ? dir->parent->number : w->n_inodes + 1);
	if (need(w, inode, e) < 0)
		return -1;
	rc = write_inode(w, dir, inode, e);
	sqfs_free(inode);
	return rc;
}

static int write_tree(struct squashfs_writer *w, struct err *e)
{
	w->root->number = w->n_inodes = 1;
	number(w, w->root);
	w->super.inode_count = w->n_inodes;
	w->super.inode_table_start = get_size(&w->out.base);
	if (write_folder(w, w->root, e) < 0 || check(w, sqfs_meta_writer_flush(w->inodes), e) < 0 ||
		check(w, sqfs_meta_writer_flush(w->entries), e) < 0)
		return -1;
	w->super.root_inode_ref = w->root->ref;
	w->super.directory_table_start = get_size(&w->out.base);
	return check(w, sqfs_meta_write_write_to_file(w->entries), e);
}

/* --- the whole -------------------------------------------------------------------------------- */

static int make_compressors(struct squashfs_writer *w, struct err *e)
{
	const struct squashfs_options *o = &w->options;
	bool zstd = o->compressor == SQUASHFS_ZSTD;
	SQFS_COMPRESSOR id = zstd ? SQFS_COMP_ZSTD : SQFS_COMP_GZIP;
	sqfs_compressor_config_t config;

	if (check(w, sqfs_compressor_config_init(&config, id, BLOCK_SIZE, 0), e) < 0)
		return -1;
	config.level = (uint32_t)o->level;
	if (check(w, sqfs_compressor_create(&config, &w->compressor), e) < 0)
		return -1;
	config.flags |= SQFS_COMP_FLAG_UNCOMPRESS;
	if (check(w, sqfs_compressor_create(&config, &w->decompressor), e) < 0)
		return -1;
	return check(w, sqfs_super_init(&w->super, BLOCK_SIZE, time_of(o->epoch), id), e);
}

/* The super block stands first and is written again when all is known. */
static int begin_file(struct squashfs_writer *w, struct err *e)
{
	int rc;

	if (check(w, sqfs_super_write(&w->super, &w->out.base), e) < 0)
		return -1;
	rc = w->compressor->write_options(w->compressor, &w->out.base);
	if (rc > 0)
		w->super.flags |= SQFS_FLAG_COMPRESSOR_OPTIONS;
	return check(w, rc, e);
}

static int make_writers(struct squashfs_writer *w, struct err *e)
{
	unsigned jobs = w->options.jobs ? w->options.jobs : 1;
	sqfs_block_processor_desc_t d = {
		.size = sizeof d,
		.max_block_size = BLOCK_SIZE,
		.num_workers = jobs,
		.max_backlog = BACKLOG * jobs,
		.cmp = w->compressor,
		.file = &w->out.base,
		.uncmp = w->decompressor,
	};

	d.wr = w->blocks = sqfs_block_writer_create(&w->out.base, SQFS_DEVBLK_SIZE, 0);
	d.tbl = w->fragments = sqfs_frag_table_create(0);
	w->ids = sqfs_id_table_create(0);
	w->inodes = sqfs_meta_writer_create(&w->out.base, w->compressor, 0);
	w->entries = sqfs_meta_writer_create(
		&w->out.base, w->compressor, SQFS_META_WRITER_KEEP_IN_MEMORY);
	if (need(w, w->blocks, e) < 0 || need(w, w->fragments, e) < 0 || need(w, w->ids, e) < 0 ||
		need(w, w->inodes, e) < 0 || need(w, w->entries, e) < 0)
		return -1;
	w->dirs = sqfs_dir_writer_create(w->entries, 0);
	if (need(w, w->dirs, e) < 0)
		return -1;
	return check(w, sqfs_block_processor_create_ex(&d, &w->processor), e);
}

struct squashfs_writer *squashfs_begin(
	struct sink *sink, const struct squashfs_options *options, struct err *e)
{
	struct squashfs_writer *w = xcalloc(1, sizeof *w);

	w->options = *options;
	w->out = (struct output){.sink = sink,
		.base = {.read_at = read_at,
			.write_at = write_at,
			.get_size = get_size,
			.truncate = set_size}};
	pthread_mutex_init(&w->lock, NULL);
	w->folders.arena = &w->arena;
	w->root = arena_new(&w->arena, struct node);
	w->root->type = MEMBER_DIR;
	w->root->mode = 0755;
	w->root->mtime = time_of(options->epoch);
	if (make_compressors(w, e) == 0 && begin_file(w, e) == 0 && make_writers(w, e) == 0)
		return w;
	squashfs_close(w);
	return NULL;
}

/* Padded to what a block device can hold. */
static int pad(struct squashfs_writer *w)
{
	uint64_t size = get_size(&w->out.base);

	return set_size(
		&w->out.base, (size + SQFS_DEVBLK_SIZE - 1) / SQFS_DEVBLK_SIZE * SQFS_DEVBLK_SIZE);
}

int squashfs_finish(struct squashfs_writer *w, struct err *e)
{
	uint16_t owner; /* the only one has the index 0, as every inode says */

	if (check(w, sqfs_block_processor_finish(w->processor), e) < 0 ||
		check(w, sqfs_id_table_id_to_index(w->ids, 0, &owner), e) < 0 ||
		write_tree(w, e) < 0 ||
		check(w,
			sqfs_frag_table_write(w->fragments, &w->out.base, &w->super, w->compressor),
			e) < 0 ||
		check(w, sqfs_id_table_write(w->ids, &w->out.base, &w->super, w->compressor), e) <
			0)
		return -1;
	w->super.bytes_used = get_size(&w->out.base);
	if (check(w, sqfs_super_write(&w->super, &w->out.base), e) < 0)
		return -1;
	return check(w, pad(w), e);
}

void squashfs_close(struct squashfs_writer *w)
{
	if (!w)
		return;
	sqfs_destroy(w->processor); /* its threads use all of the others */
	sqfs_destroy(w->dirs);
	sqfs_destroy(w->entries);
	sqfs_destroy(w->inodes);
	sqfs_destroy(w->ids);
	sqfs_destroy(w->fragments);
	sqfs_destroy(w->blocks);
	sqfs_destroy(w->decompressor);
	sqfs_destroy(w->compressor);
	for (size_t i = 0; i < w->files.n; i++)
		sqfs_free(w->files.v[i]->inode);
	pthread_mutex_destroy(&w->lock);
	err_release(&w->out.err);
	arena_release(&w->arena);
	free(w);
}
