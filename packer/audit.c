#include "packer/audit.h"

#include "base/file.h"
#include "base/interrupt.h"
#include "base/table.h"
#include "images/elf.h"
#include "images/libc.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * A file of a few bytes can name much: the same text again and again, or each end of one.  What real
 * packages name is far below this.
 */
enum { MAX_NAMES = 4000000, MAX_NAME_BYTES = 64 << 20 };

/* A binary file of a package; texts are copies, for the file is mapped only while it is read. */
struct binary {
	const struct record *record;
	struct str path;
	struct str *needed;
	size_t n_needed;
	struct elf_need *needs;
	size_t n_needs;
};

struct auditing {
	struct arena *a;
	const struct profile *profile;
	struct audit *out;
	struct table names; /* all texts, each once: its struct str */
	size_t n_names, name_bytes;
	struct table brought;  /* sonames of the packages */
	struct table unlisted; /* index into the list below */
	struct {
		struct binary *v;
		size_t n, cap;
	} binaries;
	struct {
		struct audit_finding *v;
		size_t n, cap;
	} findings;
	struct {
		struct audit_unlisted *v;
		size_t n, cap;
	} missing;
};

/* --- reading -------------------------------------------------------------------------------- */

bool audit_is_of_sysroot(struct str path)
{
	return str_find(path, STR("/sysroot/")) >= 0;
}

struct str audit_library_name(struct str path, const struct elf *elf)
{
	if (elf->soname.n)
		return elf->soname;
	return str_sub(path, (size_t)(str_rchr(path, '/') + 1), path.n);
}

static bool is_worth_a_look(enum path_type type, uint64_t size, struct str path)
{
	return type == PATH_FILE && size >= 64 && !audit_is_of_sysroot(path);
}

static struct str keep(struct auditing *au, struct str name)
{
	union table_value *known = table_get(&au->names, name);

	au->n_names++;
	if (!known) {
		struct str *copy = arena_new(au->a, struct str);

		*copy = arena_str(au->a, name);
		au->name_bytes += name.n;
		known = table_put(&au->names, *copy);
		known->ptr = copy;
	}
	return *(struct str *)known->ptr;
}

static bool is_too_much(const struct auditing *au)
{
	return au->n_names > MAX_NAMES || au->name_bytes > MAX_NAME_BYTES;
}

static int keep_names(struct auditing *au, const struct elf *elf, struct binary *b, struct err *e)
{
	b->needed = arena_array(au->a, struct str, elf->n_needed);
	b->needs = arena_array(au->a, struct elf_need, elf->n_needs);
	for (size_t i = 0; i < elf->n_needed && !is_too_much(au); i++)
		b->needed[b->n_needed++] = keep(au, elf->needed[i]);
	for (size_t i = 0; i < elf->n_needs && !is_too_much(au); i++)
		b->needs[b->n_needs++] = (struct elf_need){keep(au, elf->needs[i].file),
			keep(au, elf->needs[i].version), elf->needs[i].weak};
	if (!is_too_much(au))
		return 0;
	return err_set(e, ERR_INTEGRITY,
		"too many names of libraries and symbol versions, with '%.*s' of package '%.*s'",
		STR_ARG(b->path), STR_ARG(b->record ? record_dist(au->a, b->record) : STR("none")));
}

static int take_binary(struct auditing *au, const struct record *r, struct str path,
	const struct elf *elf, struct err *e)
{
	struct binary *b = VEC_PUSH(au->a, &au->binaries);

	*b = (struct binary){.record = r, .path = arena_str(au->a, path)};
	table_put(&au->brought, keep(au, audit_library_name(b->path, elf)))->num = 1;
	return keep_names(au, elf, b, e);
}

/* The file at `path`, which is `name` in the environment. */
static int read_binary(struct auditing *au, const struct record *record, struct str name,
	const char *path, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	CLEANUP_FD fd = -1;
	char magic[4];
	struct elf elf;
	struct str bytes;
	int r;

	if (interrupt_check(e) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, "cannot open '%s'", path);
	/* Most files are none; a look costs less than a mapping. */
	if (pread(fd, magic, sizeof magic, 0) == sizeof magic && memcmp(magic, "\177ELF", 4) != 0)
		return 0;
	if (fd_map(fd, &bytes, e) < 0)
		return err_wrap(e, "%s", path);
	r = elf_read(&scratch, path, bytes, &elf, e);
	if (r > 0 && elf_is_native(&elf))
		r = take_binary(au, record, name, &elf, e);
	file_unmap(bytes);
	return r < 0 ? -1 : 0;
}

static int read_package(
	struct auditing *au, const struct cache *cache, const struct record *r, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct package p;

	if (package_load(&scratch, cache, r, &p, e) < 0)
		return -1;
	for (size_t i = 0; i < p.n_files; i++) {
		const struct package_file *f = &p.files[i];

		if (is_worth_a_look(f->type, f->size, f->path) &&
			read_binary(au, r, f->path,
				arena_printf(&scratch, "%s/%.*s", p.dir, STR_ARG(f->path)), e) < 0)
			return -1;
	}
	return 0;
}

static int read_content(struct auditing *au, const struct content *c, struct err *e)
{
	for (size_t i = 0; i < c->n_entries; i++) {
		const struct content_entry *f = &c->entries[i];
		bool packaged = f->package >= 0 && (size_t)f->package < c->n_packages;

		if (is_worth_a_look(f->type, f->size, f->path) &&
			read_binary(au, packaged ? c->packages[f->package].record : NULL, f->path,
				f->source, e) < 0)
			return -1;
	}
	return 0;
}

/* --- judging -------------------------------------------------------------------------------- */

/* "GLIBCXX_3.4.20" is of the family "GLIBCXX_", its number is "3.4.20". */
static struct str number_of(struct str version, struct str *family)
{
	size_t i = 0;

	while (i < version.n && (version.p[i] < '0' || version.p[i] > '9'))
		i++;
	*family = str_sub(version, 0, i);
	return str_sub(version, i, version.n);
}

static bool is_glibc(struct str family)
{
	return str_is(family, "GLIBC_");
}

/* The newest version of the same family. */
static struct str best_of(const struct profile_library *l, struct str version)
{
	struct str family, best = {NULL, 0};

	number_of(version, &family);
	for (size_t i = 0; i < l->n_versions; i++) {
		struct str other, number = number_of(l->versions[i], &other), unused;

		if (str_eq(family, other) &&
			(best.n == 0 || glibc_cmp(number, number_of(best, &unused)) > 0))
			best = l->versions[i];
	}
	return best;
}

static bool defines(const struct profile_library *l, struct str version)
{
	for (size_t i = 0; i < l->n_versions; i++)
		if (str_eq(l->versions[i], version))
			return true;
	return false;
}

static void add_finding(
	struct auditing *au, const struct binary *b, const struct elf_need *need, struct str best)
{
	*VEC_PUSH(au->a, &au->findings) =
		(struct audit_finding){b->record, b->path, need->file, need->version, best};
}

static void raise_floor(struct auditing *au, const struct binary *b, struct str number)
{
	if (au->out->floor.n && glibc_cmp(number, au->out->floor) <= 0)
		return;
	au->out->floor = number;
	au->out->floor_record = b->record;
}

static void judge_need(struct auditing *au, const struct binary *b, const struct elf_need *need)
{
	const struct profile_library *l = profile_library(au->profile, need->file);
	struct str family, number = number_of(need->version, &family);
	bool known = is_glibc(family) && number.n > 0;

	if (table_get(&au->brought, need->file))
		return;
	if (known)
		raise_floor(au, b, number);
	if (need->weak || (l && defines(l, need->version)))
		return;
	if (l)
		add_finding(au, b, need, best_of(l, need->version));
	else if (known && glibc_cmp(number, au->profile->glibc) > 0)
		add_finding(
			au, b, need, arena_strf(au->a, "GLIBC_%.*s", STR_ARG(au->profile->glibc)));
}

/* What the driver brings is there where there is a GPU. */
static bool is_of_driver(struct auditing *au, struct str library)
{
	for (size_t i = 0; i < au->profile->gpu.n_libraries; i++)
		if (fnmatch(arena_cstr(au->a, au->profile->gpu.libraries[i]),
			    arena_cstr(au->a, library), 0) == 0)
			return true;
	return false;
}

static void judge_needed(struct auditing *au, const struct binary *b, struct str library)
{
	union table_value *known;

	if (!au->profile->has_libraries || table_get(&au->brought, library) ||
		profile_library(au->profile, library) || is_of_driver(au, library))
		return;
	known = table_put(&au->unlisted, library);
	if (known->num == 0) {
		*VEC_PUSH(au->a, &au->missing) =
			(struct audit_unlisted){library, b->record, b->path, 0};
		known->num = au->missing.n;
	}
	au->missing.v[known->num - 1].n_files++;
}

static int by_library(const void *a, const void *b)
{
	const struct audit_unlisted *x = a, *y = b;

	return str_cmp(x->library, y->library);
}

static void judge(struct auditing *au)
{
	struct audit *out = au->out;

	for (size_t i = 0; i < au->binaries.n; i++) {
		const struct binary *b = &au->binaries.v[i];

		for (size_t k = 0; k < b->n_needs; k++)
			judge_need(au, b, &b->needs[k]);
		for (size_t k = 0; k < b->n_needed; k++)
			judge_needed(au, b, b->needed[k]);
	}
	if (au->missing.n)
		qsort(au->missing.v, au->missing.n, sizeof *au->missing.v, by_library);
	out->n_files = au->binaries.n;
	out->findings = au->findings.v;
	out->n_findings = au->findings.n;
	out->unlisted = au->missing.v;
	out->n_unlisted = au->missing.n;
}

static struct auditing begin(struct arena *a, const struct profile *profile, struct audit *out)
{
	*out = (struct audit){0};
	return (struct auditing){.a = a,
		.profile = profile,
		.out = out,
		.names.arena = a,
		.brought.arena = a,
		.unlisted.arena = a};
}

int audit_packages(struct arena *a, const struct cache *cache, struct record *const *records,
	size_t n, const struct profile *profile, struct audit *out, struct err *e)
{
	struct auditing au = begin(a, profile, out);

	for (size_t i = 0; i < n; i++)
		if (read_package(&au, cache, records[i], e) < 0)
			return -1;
	judge(&au);
	return 0;
}

int audit_content(struct arena *a, const struct content *c, const struct profile *profile,
	struct audit *out, struct err *e)
{
	struct auditing au = begin(a, profile, out);

	if (read_content(&au, c, e) < 0)
		return -1;
	judge(&au);
	return 0;
}
