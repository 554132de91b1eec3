/* From layers to a tree. */
#include "base/file.h"
#include "images/importing.h"
#include "images/layer.h"
#include "images/libc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const uint64_t FREE_BYTES = 1ull << 30, MAX_RATIO = 200, MAX_BYTES = 256ull << 30;
static const uint64_t FREE_ENTRIES = 200000, BYTES_PER_ENTRY = 64, MAX_ENTRIES = 4000000;

uint64_t unpacked_limit(uint64_t bytes)
{
	uint64_t limit = bytes > MAX_BYTES / MAX_RATIO ? MAX_BYTES : bytes * MAX_RATIO;

	return limit < FREE_BYTES ? FREE_BYTES : limit;
}

static uint64_t entry_limit(uint64_t bytes)
{
	uint64_t limit = bytes / BYTES_PER_ENTRY;

	limit = limit < FREE_ENTRIES ? FREE_ENTRIES : limit;
	return limit > MAX_ENTRIES ? MAX_ENTRIES : limit;
}

int importing_begin(struct importing *i, struct arena *a, const struct import_request *r,
	struct image *out, struct err *e)
{
	*i = (struct importing){.a = a, .r = r, .out = out, .work = {.lock = -1}};
	*out = (struct image){.name = str_of(r->name), .origin = str_of(r->origin)};
	if (!profile_name_is_good(out->name)) {
		err_set(e, ERR_USAGE, "'%s' cannot be the name of an image", r->name);
		return err_advise(e,
			"a name has letters, digits, '.', '_' and '-', and begins with neither "
			"'.' nor '-'");
	}
	return store_work(r->store, &i->work, e);
}

void importing_end(struct importing *i)
{
	state_close(&i->work);
}

/* --- agreement with the target -------------------------------------------------------------- */

static int check_glibc(const struct importing *i, struct str glibc, struct err *e)
{
	const struct profile *p = i->r->profile;

	if (!p) {
		if (glibc.n == 0)
			log_warn("the image '%s' has no glibc: nothing of conda-forge runs there",
				i->r->name);
		return 0;
	}
	if (glibc.n && glibc_cmp(glibc, p->glibc) == 0)
		return 0;
	if (glibc.n)
		err_set(e, ERR_USAGE, "the image has glibc %.*s, target '%.*s' says %.*s",
			STR_ARG(glibc), STR_ARG(p->name), STR_ARG(p->glibc));
	else
		err_set(e, ERR_USAGE, "the image has no glibc, target '%.*s' says %.*s",
			STR_ARG(p->name), STR_ARG(p->glibc));
	return err_advise(e,
		"import it under another NAME, or write a profile for it: targets/NAME.yml "
		"(docs/design/profile.md)");
}

int importing_adopt(struct importing *i, struct str digest, struct err *e)
{
	struct image tree = {0};
	int r = store_tree(i->a, i->r->store, digest, &tree, e);

	if (r <= 0)
		return r;
	if (check_glibc(i, tree.glibc, e) < 0)
		return -1;
	i->out->digest = digest;
	r = store_adopt(i->a, i->r->store, &i->work, i->out, e);
	i->was_there = r > 0;
	return r;
}

/* --- what was made -------------------------------------------------------------------------- */

/* Of a file with several names its part. */
static int count(void *ctx, const char *rel, const struct stat *st, struct err *e)
{
	struct image *image = ctx;

	(void)rel;
	(void)e;
	if (S_ISDIR(st->st_mode))
		return 0;
	image->files++;
	if (S_ISREG(st->st_mode))
		image->bytes += (uint64_t)st->st_size / (uint64_t)st->st_nlink;
	return 0;
}

int importing_publish(struct importing *i, struct str digest, struct err *e)
{
	char *root = arena_printf(i->a, "%s/tree/root", i->work.dir);
	struct str why;
	CLEANUP_FD fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	i->out->digest = digest;
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", root);
	if (dir_walk(fd, count, i->out, e) < 0 ||
		root_glibc(i->a, root, &i->out->glibc, &why, e) < 0 ||
		check_glibc(i, i->out->glibc, e) < 0)
		return -1;
	return store_publish(i->a, i->r->store, &i->work, i->out, e);
}

/* --- layers --------------------------------------------------------------------------------- */

/* OCI's ChainID: the first diff_id; then the sum of "BELOW DIFF_ID". */
static struct str chain(struct arena *a, struct str below, struct str diff_id)
{
	struct str text = arena_strf(a, "%.*s %.*s", STR_ARG(below), STR_ARG(diff_id));
	uint8_t sum[SHA256_LEN];

	if (below.n == 0)
		return diff_id;
	sha256_of(text.p, text.n, sum);
	return digest_text(a, sum);
}

/* Empty where a diff_id is not known. */
static struct str chain_of(struct arena *a, const struct blob *layers, size_t n)
{
	struct str digest = {0};

	for (size_t i = 0; i < n; i++) {
		if (layers[i].diff_id.n == 0)
			return (struct str){0};
		digest = chain(a, digest, layers[i].diff_id);
	}
	return digest;
}

static int apply(struct importing *i, struct layering *l, const struct blob *b, struct step *step,
	struct str *diff_id, struct err *e)
{
	/* headers and padding come on top of what the files have */
	struct blob_tar *t = blob_tar_open(b, step, unpacked_limit(b->size), e);
	int r = -1;

	if (t && layer_apply(l, blob_tar_read, t, b->name, e) == 0)
		r = blob_tar_end(t, i->a, diff_id, e);
	blob_tar_close(t);
	return r;
}

static int apply_all(struct importing *i, const struct blob *layers, size_t n, struct layering *l,
	struct str *digest, struct err *e)
{
	struct step step;
	uint64_t bytes = 0;

	for (size_t k = 0; k < n; k++)
		bytes += layers[k].size;
	l->max_bytes = unpacked_limit(bytes);
	l->max_entries = entry_limit(bytes);
	step_begin(&step, "import", 0, bytes);
	for (size_t k = 0; k < n; k++) {
		struct str diff_id;

		if (apply(i, l, &layers[k], &step, &diff_id, e) < 0) {
			step_fail(&step);
			return -1;
		}
		*digest = chain(i->a, *digest, diff_id);
	}
	step_end(&step, "%zu %s", n, n == 1 ? "layer" : "layers");
	return 0;
}

static int make_root(struct importing *i, int *fd, struct err *e)
{
	char *root = arena_printf(i->a, "%s/tree/root", i->work.dir);

	if (dir_make(root, e) < 0)
		return -1;
	*fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*fd < 0 || fchmod(*fd, 0755) < 0)
		return err_sys(e, "cannot open the folder '%s'", root);
	return 0;
}

int importing_layers(struct importing *i, const struct blob *layers, size_t n, struct err *e)
{
	struct str digest = chain_of(i->a, layers, n);
	struct layering l = {0};
	CLEANUP_FD fd = -1;
	int r = digest.n ? importing_adopt(i, digest, e) : 0;

	if (r)
		return r < 0 ? -1 : 0;
	if (n == 0)
		return err_set(e, ERR_INPUT, "the image has no layers");
	if (make_root(i, &fd, e) < 0)
		return -1;
	l.root_fd = fd;
	digest = (struct str){0};
	if (apply_all(i, layers, n, &l, &digest, e) < 0)
		return -1;
	if (l.left_out)
		log_debug("%llu devices, fifos and sockets are left out",
			(unsigned long long)l.left_out);
	return importing_publish(i, digest, e);
}

int image_adopt(struct arena *a, const struct import_request *r, const struct str *diff_ids,
	size_t n, struct image *out, struct err *e)
{
	struct str digest = {0};
	struct importing i;
	int rc;

	for (size_t k = 0; k < n; k++)
		digest = chain(a, digest, diff_ids[k]);
	rc = importing_begin(&i, a, r, out, e);
	if (rc == 0 && digest.n)
		rc = importing_adopt(&i, digest, e);
	importing_end(&i);
	return rc;
}

static int open_layer(const struct layer *layer, struct blob *b, struct err *e)
{
	struct stat st;

	*b = (struct blob){.name = path_base(layer->path), .diff_id = layer->diff_id};
	b->fd = open(layer->path, O_RDONLY | O_CLOEXEC);
	if (b->fd < 0 || fstat(b->fd, &st) < 0)
		return err_sys(e, "cannot open '%s'", layer->path);
	b->size = (uint64_t)st.st_size;
	return 0;
}

int image_import_layers(struct arena *a, const struct import_request *r, const struct layer *layers,
	size_t n, struct image *out, struct err *e)
{
	struct blob *blobs = arena_array(a, struct blob, n + 1);
	struct importing i;
	size_t opened = 0;
	int rc = importing_begin(&i, a, r, out, e);

	while (rc == 0 && opened < n) {
		rc = open_layer(&layers[opened], &blobs[opened], e);
		opened++;
	}
	if (rc == 0)
		rc = importing_layers(&i, blobs, n, e);
	for (size_t k = 0; k < opened; k++)
		fd_cleanup(&blobs[k].fd);
	importing_end(&i);
	return rc;
}
