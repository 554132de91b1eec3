/* Images in parts: `docker save` and OCI, in an archive or as a folder. */
#include "base/file.h"
#include "base/interrupt.h"
#include "base/table.h"
#include "images/docker_json.h"
#include "images/host.h"
#include "images/image_json.h"
#include "images/importing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* NAME_LONGEST: those of parts are digests with a word or two. */
enum { MAX_PARTS = 100000, NAME_LONGEST = 255, MAX_LINKS = 8, MAX_NESTING = 4, NAMES_SHOWN = 12 };

/* --- the parts ------------------------------------------------------------------------------ */

struct part {
	uint64_t offset, size;
	struct str link; /* of a link: the part's name that it stands for */
};

struct parts {
	struct arena *a;
	const char *name;      /* of the archive or folder, for errors */
	const char *reference; /* NULL: none was given */
	int fd;                /* the archive, or the folder */
	uint64_t size;         /* of the archive */
	bool is_folder;
	struct table table; /* of the archive: name -> struct part */
	struct {
		int *v;
		size_t n, cap;
	} opened; /* of the folder */
};

/* DIR of `of` and `link`, without "." and ".."; empty where that leads out. */
static struct str join_link(struct arena *a, struct str of, struct str link)
{
	ptrdiff_t slash = str_rchr(of, '/');
	char *joined =
		arena_printf(a, "/%.*s/%.*s", (int)(slash < 0 ? 0 : slash), of.p, STR_ARG(link));

	return str_of(path_absolute(a, joined) + 1);
}

static int enter_part(
	struct parts *p, struct tar_reader *tar, const struct member *m, struct err *e)
{
	struct part *part;

	if (p->table.n >= MAX_PARTS)
		return err_set(
			e, ERR_INTEGRITY, "'%s' has more than %d members", p->name, MAX_PARTS);
	if (m->type == MEMBER_DIR || m->type == MEMBER_OTHER || !path_is_safe(m->path) ||
		m->path.n > NAME_LONGEST || m->link.n > NAME_LONGEST)
		return interrupt_check(e);
	part = arena_new(p->a, struct part);
	part->size = m->size;
	part->offset = tar_offset(tar);
	if (m->type == MEMBER_SYMLINK)
		part->link = join_link(p->a, m->path, m->link);
	else if (m->type == MEMBER_HARDLINK)
		part->link = arena_str(p->a, m->link);
	table_put(&p->table, arena_str(p->a, m->path))->ptr = part;
	return interrupt_check(e);
}

static int index_archive(struct parts *p, struct err *e)
{
	struct tar_reader *tar;
	struct member m;
	struct stat st;
	int r = -1;

	if (lseek(p->fd, 0, SEEK_SET) < 0 || fstat(p->fd, &st) < 0)
		return err_sys(e, "cannot read '%s'", p->name);
	p->size = (uint64_t)st.st_size;
	tar = tar_open_fd(p->fd, p->name, e);
	while (tar && (r = tar_next(tar, &m, e)) > 0)
		if ((r = enter_part(p, tar, &m, e)) < 0)
			break;
	tar_close(tar);
	return r;
}

/* A sparse member has more bytes than the archive has of it: they would raise the limits. */
static int open_in_archive(struct parts *p, struct str name, struct blob *out, struct err *e)
{
	union table_value *v = table_get(&p->table, name);

	for (int links = 0; v && ((struct part *)v->ptr)->link.n && links < MAX_LINKS; links++)
		v = table_get(&p->table, ((struct part *)v->ptr)->link);
	if (!v || ((struct part *)v->ptr)->link.n)
		return 0;
	out->fd = p->fd;
	out->offset = ((struct part *)v->ptr)->offset;
	out->size = ((struct part *)v->ptr)->size;
	if (out->offset > p->size || out->size > p->size - out->offset)
		return err_set(e, ERR_INTEGRITY, "'%s' does not have all of '%.*s'", p->name,
			STR_ARG(name));
	return 1;
}

static int open_in_folder(struct parts *p, struct str name, struct blob *out, struct err *e)
{
	const char *rel = arena_cstr(p->a, name);
	CLEANUP_FD fd = openat(p->fd, rel, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return 0;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(e, "cannot open '%s' in '%s'", rel, p->name);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_INTEGRITY, "'%s' in '%s' is no file", rel, p->name);
	out->size = (uint64_t)st.st_size;
	out->fd = *VEC_PUSH(p->a, &p->opened) = steal_fd(&fd);
	return 1;
}

/* 1, 0 where there is no such part, or -1. */
static int open_part(struct parts *p, struct str name, struct blob *out, struct err *e)
{
	*out = (struct blob){.name = arena_printf(p->a, "%s:%.*s", p->name, STR_ARG(name))};
	if (!path_is_safe(name))
		return err_set(
			e, ERR_INTEGRITY, "'%s' names a part '%.*s'", p->name, STR_ARG(name));
	return p->is_folder ? open_in_folder(p, name, out, e) : open_in_archive(p, name, out, e);
}

/* 1, 0 or -1; with the digest checked where it is given. */
static int read_part(struct parts *p, struct str name, struct str digest, size_t max,
	struct str *text, struct err *e)
{
	struct blob b;
	int r = open_part(p, name, &b, e);

	if (r <= 0)
		return r;
	b.digest = digest;
	return blob_read_all(p->a, &b, max, text, e) < 0 ? -1 : 1;
}

static int missing(const struct parts *p, struct str name, struct err *e)
{
	return err_set(
		e, ERR_INTEGRITY, "'%s' has no '%.*s', which it names", p->name, STR_ARG(name));
}

/* --- what both have ------------------------------------------------------------------------- */

static struct str subdir_of(struct importing *i)
{
	return i->r->profile ? i->r->profile->subdir : machine_subdir();
}

/* The configuration says what it is for and what the layers are. */
static int take_config(struct importing *i, struct parts *p, struct str name, struct str digest,
	struct blob *layers, size_t n, struct err *e)
{
	struct oci_config config;
	const char *words = arena_printf(p->a, "%s:%.*s", p->name, STR_ARG(name));
	struct str text;
	int r = read_part(p, name, digest, OCI_CONFIG_MAX, &text, e);

	if (r <= 0)
		return r < 0 ? -1 : missing(p, name, e);
	if (oci_config_parse(p->a, words, text, &config, e) < 0 ||
		oci_config_check(words, &config, subdir_of(i), e) < 0)
		return -1;
	if (config.n_diff_ids != n)
		return err_set(e, ERR_INTEGRITY, "'%s' has %zu layers and %zu diff_ids", p->name, n,
			config.n_diff_ids);
	for (size_t k = 0; k < n; k++)
		layers[k].diff_id = config.diff_ids[k];
	return 0;
}

static void add_name(struct buf *list, size_t i, struct str name)
{
	if (i < NAMES_SHOWN)
		buf_printf(list, "%s%.*s", i ? ", " : "", STR_ARG(name));
}

static int choose_advice(const struct parts *p, struct buf *list, size_t n, struct err *e)
{
	if (n > NAMES_SHOWN)
		buf_printf(list, " and %zu more", n - NAMES_SHOWN);
	err_set(e, ERR_USAGE, "'%s' holds %s: %.*s", p->name,
		p->reference ? "no image of that name, but" : "several images",
		STR_ARG(buf_view(list)));
	return err_advise(e, "choose one: 'FILE:REFERENCE'");
}

/* --- docker save ---------------------------------------------------------------------------- */

/* "a:1" as it stands, with ":latest" left out, or with a registry in front left out. */
static bool is_tag(struct str tag, struct str reference)
{
	ptrdiff_t slash;

	if (str_eq(tag, reference))
		return true;
	if (str_ends(tag, STR(":latest")) &&
		str_eq(str_sub(tag, 0, tag.n - STR(":latest").n), reference))
		return true;
	slash = str_chr(tag, '/');
	return slash >= 0 && is_tag(str_sub(tag, (size_t)slash + 1, tag.n), reference);
}

static bool has_tag(const struct docker_image *image, const char *reference)
{
	for (size_t i = 0; i < image->n_tags; i++)
		if (is_tag(image->tags[i], str_of(reference)))
			return true;
	return false;
}

static int choose_docker(const struct parts *p, const struct docker_image *v, size_t n,
	const struct docker_image **out, struct err *e)
{
	CLEANUP_BUF list = {0};

	*out = NULL;
	for (size_t i = 0; i < n; i++)
		if (p->reference ? has_tag(&v[i], p->reference) : n == 1)
			*out = &v[i];
	if (*out)
		return 0;
	for (size_t i = 0; i < n; i++)
		add_name(&list, i, v[i].n_tags ? v[i].tags[0] : v[i].config);
	return choose_advice(p, &list, n, e);
}

static int import_docker(struct importing *i, struct parts *p, struct str text, struct err *e)
{
	const struct docker_image *image;
	struct docker_image *v;
	struct blob *layers;
	size_t n;

	if (docker_manifest_parse(
		    p->a, arena_printf(p->a, "%s:manifest.json", p->name), text, &v, &n, e) < 0 ||
		choose_docker(p, v, n, &image, e) < 0)
		return -1;
	layers = arena_array(p->a, struct blob, image->n_layers);
	for (size_t k = 0; k < image->n_layers; k++) {
		int r = open_part(p, image->layers[k], &layers[k], e);

		if (r <= 0)
			return r < 0 ? -1 : missing(p, image->layers[k], e);
	}
	if (take_config(i, p, image->config, (struct str){0}, layers, image->n_layers, e) < 0)
		return -1;
	return importing_layers(i, layers, image->n_layers, e);
}

/* --- OCI ------------------------------------------------------------------------------------ */

static struct str blob_path(struct arena *a, struct str digest)
{
	return arena_strf(a, "blobs/sha256/%.*s", STR_ARG(str_sub(digest, 7, digest.n)));
}

static int read_document(
	struct parts *p, const struct descriptor *d, struct oci_document *out, struct err *e)
{
	struct str path = blob_path(p->a, d->digest), text;
	int r = read_part(p, path, d->digest, OCI_MANIFEST_MAX, &text, e);

	if (r <= 0)
		return r < 0 ? -1 : missing(p, path, e);
	return oci_document_parse(p->a, arena_printf(p->a, "%s:%.*s", p->name, STR_ARG(path)), text,
		d->media_type, out, e);
}

/* Of the top list: those of one name, by the reference or because there is one alone. */
static int choose_name(struct parts *p, struct oci_document *list, struct err *e)
{
	CLEANUP_BUF words = {0};
	struct str name = list->n ? list->v[0].ref_name : (struct str){0};
	size_t kept = 0;
	bool several = false;

	for (size_t i = 0; i < list->n; i++) {
		struct str ref = list->v[i].ref_name;

		several = several || !str_eq(ref, name);
		add_name(&words, i, ref.n ? ref : list->v[i].digest);
	}
	for (size_t i = 0; i < list->n; i++)
		if (p->reference ? is_tag(list->v[i].ref_name, str_of(p->reference)) : !several)
			list->v[kept++] = list->v[i];
	if (kept == 0)
		return choose_advice(p, &words, list->n, e);
	list->n = kept;
	return 0;
}

static int find_manifest(
	struct importing *i, struct parts *p, struct oci_document *d, struct err *e)
{
	const struct descriptor *chosen;

	for (int level = 0; d->is_list; level++) {
		if (level > MAX_NESTING)
			return err_set(
				e, ERR_INTEGRITY, "'%s' has lists of lists of manifests", p->name);
		if (level == 0 && choose_name(p, d, e) < 0)
			return -1;
		if (oci_choose(p->name, d, subdir_of(i), &chosen, e) < 0 ||
			read_document(p, chosen, d, e) < 0)
			return -1;
	}
	return 0;
}

static int import_oci(struct importing *i, struct parts *p, struct str text, struct err *e)
{
	struct oci_document d;
	struct blob *layers;

	if (oci_document_parse(p->a, arena_printf(p->a, "%s:index.json", p->name), text,
		    (struct str){0}, &d, e) < 0 ||
		find_manifest(i, p, &d, e) < 0)
		return -1;
	layers = arena_array(p->a, struct blob, d.n + 1);
	for (size_t k = 0; k < d.n; k++) {
		struct str path = blob_path(p->a, d.v[k].digest);
		int r = open_part(p, path, &layers[k], e);

		if (r <= 0)
			return r < 0 ? -1 : missing(p, path, e);
		layers[k].digest = d.v[k].digest;
	}
	if (take_config(i, p, blob_path(p->a, d.config.digest), d.config.digest, layers, d.n, e) <
		0)
		return -1;
	return importing_layers(i, layers, d.n, e);
}

/* --- either --------------------------------------------------------------------------------- */

/* docker save of today writes both; its own names the images. */
static int import_parts(struct importing *i, struct parts *p, struct err *e)
{
	struct str text;
	int r = read_part(p, STR("manifest.json"), (struct str){0}, DOCKER_MANIFEST_MAX, &text, e);

	if (r > 0)
		return import_docker(i, p, text, e);
	if (r == 0)
		r = read_part(p, STR("index.json"), (struct str){0}, OCI_MANIFEST_MAX, &text, e);
	if (r > 0)
		return import_oci(i, p, text, e);
	return r < 0 ? -1 : missing(p, STR("index.json"), e);
}

int importing_archive(
	struct importing *i, int fd, const char *name, const char *reference, struct err *e)
{
	struct parts p = {.a = i->a, .name = name, .reference = reference, .fd = fd};

	p.table.arena = i->a;
	return index_archive(&p, e) < 0 ? -1 : import_parts(i, &p, e);
}

int importing_layout(struct importing *i, const char *path, const char *reference, struct err *e)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct parts p = {
		.a = i->a, .name = path, .reference = reference, .fd = fd, .is_folder = true};
	int r;

	if (fd < 0)
		return err_sys(e, "cannot open the folder '%s'", path);
	r = import_parts(i, &p, e);
	for (size_t k = 0; k < p.opened.n; k++)
		fd_cleanup(&p.opened.v[k]);
	return r;
}
