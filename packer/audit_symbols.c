#include "packer/audit_symbols.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/mapped.h"
#include "builder/beneath.h"
#include "packer/archive_in.h"

#include <fcntl.h>
#include <unistd.h>

/* One of the two, or neither. */
struct below {
	const struct audit_file *files;
	const char *root;
	const char *const *roots; /* by package */
};

static int open_below(const struct below *s, const struct audit_file *f, struct err *e)
{
	const char *root = s->roots ? s->roots[f->package] : s->root ? s->root : ".";
	/* Of a package's file that goes elsewhere when it is installed, where it lies now. */
	struct str path = s->roots ? f->binary->path : f->path;
	CLEANUP_FD top = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct beneath b;
	char name[256];
	int dir, fd = -1;

	if (top < 0)
		return err_sys(e, "cannot open '%s'", root);
	if (!s->roots && !s->root)
		return open(path.p, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	beneath_init(&b, top, false);
	dir = beneath_parent(&b, path, name, e);
	if (dir >= 0)
		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (dir >= 0 && fd < 0)
		err_sys(e, "cannot open '%s/%.*s'", root, STR_ARG(path));
	beneath_release(&b);
	return fd;
}

static void copy(struct arena *a, struct elf_symbol *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		v[i].name = arena_str(a, v[i].name);
		v[i].version = arena_str(a, v[i].version);
		v[i].file = arena_str(a, v[i].file);
	}
}

static int take(struct arena *a, struct str path, struct str bytes, struct elf_symbols *out)
{
	if (elf_symbols(a, arena_cstr(a, path), bytes, out, NULL) <= 0)
		return 0;
	copy(a, out->undefined, out->n_undefined);
	copy(a, out->defined, out->n_defined);
	return 1;
}

/* What cannot be read any more is not known: the audit has said so of the file, or says it of others. */
static int read_symbols(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	const struct below *b = ctx;
	const struct audit_file *f = &b->files[file];
	struct err why = {0};
	CLEANUP_FD fd = open_below(b, f, &why);
	struct str bytes;
	int rc = 0;

	(void)e;
	*out = (struct elf_symbols){0};
	if (fd >= 0 && fd_map(fd, &bytes, &why) == 0) {
		mapped_guard(bytes);
		rc = take(a, f->path, bytes, out);
		if (mapped_was_cut()) {
			*out = (struct elf_symbols){0};
			rc = 0;
		}
		file_unmap(bytes);
	}
	err_release(&why);
	return rc;
}

static void set_below(struct arena *a, struct audit_tree *tree, struct below below)
{
	struct below *b = arena_new(a, struct below);

	*b = below;
	b->files = tree->files;
	tree->symbols = read_symbols;
	tree->ctx = b;
}

void audit_symbols_below(struct arena *a, struct audit_tree *tree, const char *root)
{
	set_below(a, tree, (struct below){.root = root});
}

void audit_symbols_of_packages(struct arena *a, struct audit_tree *tree, const char *const *roots)
{
	set_below(a, tree, (struct below){.roots = roots});
}

void audit_symbols_of_paths(struct arena *a, struct audit_tree *tree)
{
	set_below(a, tree, (struct below){0});
}

/* --- archives --------------------------------------------------------------------------------- */

struct packed_symbols {
	struct arena *a;
	const struct audit_file *files;
	size_t n_files;
	const char *archive;
	bool read;
	struct elf_symbols **by_file;
};

static const uint64_t ELF_MAX = UINT64_C(4) << 30;

static const struct audit_file *find(const struct packed_symbols *p, struct str path)
{
	struct audit_tree tree = {.files = p->files, .n_files = p->n_files};

	return audit_tree_find(&tree, path);
}

static int read_member(
	struct packed_symbols *p, struct archive_in *in, const struct member *m, struct err *e)
{
	const struct audit_file *f = find(p, m->path), *target;
	CLEANUP_ARENA scratch = {0};
	struct elf_symbols *symbols;
	struct str bytes;

	if (!f || !f->binary || f->binary->fault.n)
		return 0;
	if (m->type == MEMBER_HARDLINK && (target = find(p, m->link)))
		p->by_file[f - p->files] = p->by_file[target - p->files];
	if (m->type != MEMBER_FILE)
		return 0;
	if (archive_read_all(in, &scratch, ELF_MAX, &bytes, e) < 0)
		return -1;
	symbols = arena_new(p->a, struct elf_symbols);
	if (take(p->a, f->path, bytes, symbols))
		p->by_file[f - p->files] = symbols;
	return 0;
}

static int read_all(struct packed_symbols *p, struct err *e)
{
	struct archive_in *in = archive_open(p->archive, e);
	struct member m;
	int rc = in ? 1 : -1;

	p->by_file = arena_array(p->a, struct elf_symbols *, p->n_files);
	while (rc > 0 && (rc = archive_next(in, &m, e)) > 0)
		if (interrupt_check(e) < 0 || read_member(p, in, &m, e) < 0)
			rc = -1;
	archive_close(in);
	p->read = rc == 0;
	return rc;
}

static int find_symbols(
	void *ctx, struct arena *a, size_t file, struct elf_symbols *out, struct err *e)
{
	struct packed_symbols *p = ctx;

	(void)a;
	*out = (struct elf_symbols){0};
	if (!p->read && read_all(p, e) < 0)
		return -1;
	if (!p->by_file[file])
		return 0;
	*out = *p->by_file[file];
	return 1;
}

void audit_symbols_of_archive(struct arena *a, struct audit_tree *tree, const char *archive)
{
	struct packed_symbols *p = arena_new(a, struct packed_symbols);

	*p = (struct packed_symbols){
		.a = a, .files = tree->files, .n_files = tree->n_files, .archive = archive};
	tree->symbols = find_symbols;
	tree->ctx = p;
}
