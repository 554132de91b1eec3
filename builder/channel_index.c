#include "builder/channel_index.h"

#include "base/archive.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/table.h"
#include "base/work.h"
#include "builder/index_json.h"
#include "builder/index_shards.h"
#include "solver/record.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { ZST_LEVEL = 12 };

/* One package file and its finished record, as compact JSON and for a shard. */
struct item {
	struct str fn;
	bool conda; /* .conda, else .tar.bz2 */
	struct buf record, packed;
};

struct subdir {
	struct str name;
	char *path;
	struct item *items; /* sorted by file name */
	size_t n_items;
	const struct channel_index_options *options;
	bool shards;
	size_t n_shards; /* that were written */
};

static bool is_conda(struct str fn)
{
	return str_ends(fn, STR(".conda"));
}

static bool is_package(struct str fn)
{
	return is_conda(fn) || str_ends(fn, STR(".tar.bz2"));
}

/* --- one package --------------------------------------------------------------------------- */

static int check_name(
	const struct subdir *s, const struct item *item, struct index_json *index, struct err *e)
{
	struct str name, version, build, subdir = index_json_text(index, "subdir");

	if (record_split_fn(item->fn, &name, &version, &build) < 0)
		return err_set(e, ERR_INTEGRITY, "no package's file name: '%s/%.*s'", s->path,
			STR_ARG(item->fn));
	if (!str_eq(name, index_json_text(index, "name")) ||
		!str_eq(version, index_json_text(index, "version")) ||
		!str_eq(build, index_json_text(index, "build"))) {
		err_set(e, ERR_INTEGRITY,
			"'%.*s' is named as another package than it is: %.*s-%.*s-%.*s",
			STR_ARG(item->fn), STR_ARG(index_json_text(index, "name")),
			STR_ARG(index_json_text(index, "version")),
			STR_ARG(index_json_text(index, "build")));
		return err_advise(e, "rename it, or take it out of the channel");
	}
	if (subdir.n && !str_eq(subdir, s->name)) {
		err_set(e, ERR_INTEGRITY, "'%.*s' lies in '%.*s' and is for '%.*s'",
			STR_ARG(item->fn), STR_ARG(s->name), STR_ARG(subdir));
		return err_advise(e, "move it to the channel's folder '%.*s'", STR_ARG(subdir));
	}
	return 0;
}

static int add_sums(struct index_json *index, const char *path, struct err *e)
{
	uint8_t sha256[SHA256_LEN], md5[MD5_LEN];
	char hex[SHA256_HEX + 1];
	struct stat st;

	if (stat(path, &st) < 0)
		return err_sys(e, "cannot read '%s'", path);
	if (file_hash(path, sha256, md5, e) < 0)
		return -1;
	hex_encode(sha256, SHA256_LEN, hex);
	index_json_set_text(index, "sha256", str_of(hex));
	hex_encode(md5, MD5_LEN, hex);
	index_json_set_text(index, "md5", str_of(hex));
	index_json_set_int(index, "size", st.st_size);
	return 0;
}

static void mend_dependencies(
	struct arena *a, const struct subdir *s, const struct item *item, struct index_json *index)
{
	struct str place = arena_strf(a, "%.*s/%.*s", STR_ARG(s->name), STR_ARG(item->fn));
	const struct table *records = s->options->records;
	union table_value *v = records ? table_get(records, place) : NULL;
	const struct record *r = v ? v->ptr : NULL;

	if (!r || (r->n_depends == 0 && r->n_constrains == 0))
		return;
	if (!r->depends_unknown)
		index_json_set_list(index, "depends", r->depends, r->n_depends);
	if (!r->constrains_unknown)
		index_json_set_list(index, "constrains", r->constrains, r->n_constrains);
}

static int read_package(void *ctx, size_t i, struct err *e)
{
	struct subdir *s = ctx;
	struct item *item = &s->items[i];
	CLEANUP_ARENA scratch = {0};
	char *path = path_join(&scratch, s->path, arena_cstr(&scratch, item->fn));
	struct json_out w = {.to = &item->record};
	struct index_json index;

	if (index_json_read(&scratch, path, &index, e) < 0 || check_name(s, item, &index, e) < 0 ||
		add_sums(&index, path, e) < 0)
		return -1;
	index_json_set_text(&index, "subdir", s->name);
	mend_dependencies(&scratch, s, item, &index);
	index_json_write(&index, &w);
	if (s->shards)
		index_json_pack(&index, &item->packed);
	return 0;
}

/* --- one subdir ---------------------------------------------------------------------------- */

static int cmp_item(const void *a, const void *b)
{
	return str_cmp(((const struct item *)a)->fn, ((const struct item *)b)->fn);
}

static int list_packages(struct arena *a, struct subdir *s, struct err *e)
{
	struct {
		struct item *v;
		size_t n, cap;
	} list = {0};
	struct dirent *entry;
	DIR *d = opendir(s->path);

	if (!d)
		return err_sys(e, "cannot read the folder '%s'", s->path);
	while ((entry = readdir(d))) {
		struct str fn = str_of(entry->d_name);

		if (fn.p[0] != '.' && is_package(fn))
			*VEC_PUSH(a, &list) =
				(struct item){.fn = arena_str(a, fn), .conda = is_conda(fn)};
	}
	closedir(d);
	if (list.n)
		qsort(list.v, list.n, sizeof *list.v, cmp_item);
	s->items = list.v;
	s->n_items = list.n;
	return 0;
}

static void write_section(struct buf *to, const char *key, const struct subdir *s, bool conda)
{
	struct json_out w = {.to = to};
	bool first = true;

	buf_printf(to, "\"%s\":{", key);
	for (size_t i = 0; i < s->n_items; i++) {
		if (s->items[i].conda != conda)
			continue;
		if (!first)
			buf_putc(to, ',');
		first = false;
		w.need_comma = false;
		jw_str(&w, s->items[i].fn);
		buf_putc(to, ':');
		buf_str(to, buf_view(&s->items[i].record));
	}
	buf_putc(to, '}');
}

/* repodata.json (CEP 36), keys sorted, without white space. */
static void write_repodata(struct buf *to, const struct subdir *s)
{
	buf_printf(to, "{\"info\":{\"subdir\":\"%.*s\"},", STR_ARG(s->name));
	write_section(to, "packages", s, false);
	buf_putc(to, ',');
	write_section(to, "packages.conda", s, true);
	buf_puts(to, ",\"removed\":[],\"repodata_version\":1}\n");
}

/* The plain file last: it must not be older than the compressed one, which readers would prefer. */
static int save(const struct subdir *s, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_BUF plain = {0}, packed = {0};
	char *path = path_join(&scratch, s->path, "repodata.json");

	write_repodata(&plain, s);
	if (zstd_frame(buf_view(&plain), ZST_LEVEL, &packed, e) < 0 ||
		file_write(arena_printf(&scratch, "%s.zst", path), buf_view(&packed), 0644, e) < 0)
		return -1;
	return file_write(path, buf_view(&plain), 0644, e);
}

static int save_shards(struct arena *a, struct subdir *s, struct err *e)
{
	struct shards_writing w = {
		.dir = s->path, .subdir = s->name, .n_files = s->n_items, .jobs = s->options->jobs};

	w.files = arena_array(a, struct shard_file, s->n_items);
	for (size_t i = 0; i < s->n_items; i++) {
		struct item *item = &s->items[i];
		struct str version, build;

		w.files[i] = (struct shard_file){
			.fn = item->fn, .conda = item->conda, .record = buf_view(&item->packed)};
		record_split_fn(item->fn, &w.files[i].name, &version, &build);
	}
	return index_shards_write(&w, &s->n_shards, e);
}

static int index_subdir(struct arena *a, struct subdir *s, struct err *e)
{
	int rc = list_packages(a, s, e);

	s->shards = s->options->shards || index_has_shards(s->path);
	if (rc == 0)
		rc = work_run(s->options->jobs, s->n_items, read_package, s, e);
	if (rc == 0)
		rc = save(s, e);
	if (rc == 0 && s->shards)
		rc = save_shards(a, s, e);
	for (size_t i = 0; i < s->n_items; i++) {
		buf_release(&s->items[i].record);
		buf_release(&s->items[i].packed);
	}
	return rc;
}

/* --- the folder ---------------------------------------------------------------------------- */

static int misplaced(struct arena *a, const char *dir, const char *fn, struct err *e)
{
	struct index_json index;
	struct str subdir = STR("linux-64");

	if (index_json_read(a, path_join(a, dir, fn), &index, NULL) == 0 &&
		subdir_is_known(index_json_text(&index, "subdir")))
		subdir = index_json_text(&index, "subdir");
	err_set(e, ERR_INPUT, "'%s' lies in the channel's own folder '%s'", fn, dir);
	return err_advise(
		e, "move it to '%s/%.*s' and run the same command again", dir, STR_ARG(subdir));
}

struct subdir_list {
	struct subdir *v;
	size_t n, cap;
};

static void add_subdir(struct arena *a, struct subdir_list *list, const char *dir, const char *name)
{
	*VEC_PUSH(a, list) = (struct subdir){
		.name = str_of(arena_strdup(a, name)), .path = path_join(a, dir, name)};
}

static int find_subdirs(struct arena *a, const char *dir, struct subdir_list *list, struct err *e)
{
	struct dirent *entry;
	DIR *d = opendir(dir);
	int rc = 0;

	if (!d) {
		err_set(e, ERR_INPUT, "cannot read the folder '%s': %s", dir, strerror(errno));
		return -1;
	}
	add_subdir(a, list, dir, "noarch");
	while (rc == 0 && (entry = readdir(d))) {
		struct str name = str_of(entry->d_name);
		struct stat st;

		if (fstatat(dirfd(d), entry->d_name, &st, 0) < 0)
			continue;
		if (S_ISREG(st.st_mode) && name.p[0] != '.' && is_package(name))
			rc = misplaced(a, dir, entry->d_name, e);
		else if (S_ISDIR(st.st_mode) && subdir_is_known(name) && !str_is(name, "noarch"))
			add_subdir(a, list, dir, entry->d_name);
	}
	closedir(d);
	return rc;
}

static int cmp_subdir(const void *a, const void *b)
{
	return str_cmp(((const struct subdir *)a)->name, ((const struct subdir *)b)->name);
}

int channel_index(const char *dir, unsigned jobs, struct channel_index_result *out, struct err *e)
{
	const struct channel_index_options options = {.jobs = jobs};

	return channel_index_as(dir, &options, out, e);
}

int channel_index_as(const char *dir, const struct channel_index_options *options,
	struct channel_index_result *out, struct err *e)
{
	CLEANUP_ARENA a = {0};
	struct subdir_list list = {0};
	struct channel_index_result result = {0};

	if (find_subdirs(&a, dir, &list, e) < 0)
		return -1;
	qsort(list.v, list.n, sizeof *list.v, cmp_subdir);
	for (size_t i = 0; i < list.n; i++) {
		struct subdir *s = &list.v[i];

		s->options = options;
		if (dir_make(s->path, e) < 0 || index_subdir(&a, s, e) < 0)
			return err_wrap(e, "while indexing '%s'", s->path);
		result.packages += s->n_items;
		result.shards += s->n_shards;
		result.subdirs++;
	}
	*out = result;
	return 0;
}
