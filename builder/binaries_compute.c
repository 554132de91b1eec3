/* From the files of an extracted package to its ELF facts and symbols. */
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"
#include "builder/binaries_inside.h"

#include <fcntl.h>

struct computing {
	struct arena *a;
	const struct package *p;
	const struct compute_options *o;
	bool wants_facts;
	struct {
		struct binary *v;
		size_t n, cap;
	} list;
	struct binary_names names;
};

static int too_many(const struct computing *c, const struct package_file *f, struct err *e)
{
	struct arena a = {0};
	struct str dist = c->p->record ? record_dist(&a, c->p->record) : STR("?");

	err_set(e, ERR_INTEGRITY, "%s, with '%.*s' of package '%.*s'", BINARY_TOO_MANY_NAMES,
		STR_ARG(f->path), STR_ARG(dist));
	arena_release(&a);
	return -1;
}

static int check_sum(const struct package_file *f, struct str bytes, struct err *e)
{
	uint8_t sum[SHA256_LEN];

	sha256_of(bytes.p, bytes.n, sum);
	if (bytes.n == f->size && memcmp(sum, f->sha256, sizeof sum) == 0)
		return 0;
	err_set(e, ERR_INTEGRITY, "'%.*s' was changed in the cache: its content is another",
		STR_ARG(f->path));
	return err_advise(e, "'envbuild cache verify' takes it out; then run the command again");
}

/* What is read of a file is not what it is about, if it is broken: that is told by its facts. */
static void add_symbols(struct computing *c, const struct package_file *f, struct str bytes)
{
	struct arena scratch = {0};
	struct elf_symbols symbols;

	if (elf_symbols(&scratch, "", bytes, &symbols, NULL) == 1)
		symbols_add(c->o->symbols, f->path, &symbols);
	arena_release(&scratch);
}

static int add_binary(
	struct computing *c, const struct package_file *f, struct str bytes, struct err *e)
{
	struct binary b;
	struct err own = {0};
	int r = binary_read(c->a, arena_cstr(c->a, f->path), bytes, &b, &own);

	err_release(&own);
	if (r <= 0)
		return r < 0 ? too_many(c, f, e) : 0;
	/* What the scanner of the package found is not looked for again. */
	if (f->undeclared)
		b.leftover = f->undeclared_prefix;
	binary_replace(c->a, &b, f->placeholder, BINARY_PREFIX);
	if (!binary_names_add(&c->names, &b))
		return too_many(c, f, e);
	*VEC_PUSH(c->a, &c->list) = b;
	return 0;
}

static int take_bytes(
	struct computing *c, const struct package_file *f, struct str bytes, struct err *e)
{
	if (!c->o->x && check_sum(f, bytes, e) < 0)
		return -1;
	if (c->wants_facts && add_binary(c, f, bytes, e) < 0)
		return -1;
	if (c->o->symbols)
		add_symbols(c, f, bytes);
	return 0;
}

static int take_file(struct computing *c, const struct package_file *f, struct err *e)
{
	struct arena scratch = {0};
	char *path = path_join(&scratch, c->p->dir, arena_cstr(&scratch, f->path));
	CLEANUP_FD fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	struct str bytes;
	int r = fd < 0 ? err_sys(e, "cannot open '%s'", path) : binary_begins(fd, path, e);

	if (r > 0 && (r = fd_map(fd, &bytes, e)) == 0) {
		r = take_bytes(c, f, bytes, e);
		file_unmap(bytes);
	}
	arena_release(&scratch);
	return r < 0 ? -1 : 0;
}

/* Extraction has seen how files begin. */
static bool is_wanted(const struct computing *c, const struct package_file *f)
{
	const struct extraction *x = c->o->x;
	union table_value *v;

	if (!binary_is_worth_a_look(f->type, f->size, f->path) ||
		(c->o->only.n && !str_eq(c->o->only, f->path)))
		return false;
	v = x ? table_get(&x->by_path, f->path) : NULL;
	return !v || x->v[v->num].may_be_elf;
}

int binaries_read(struct arena *a, const struct package *p, const struct compute_options *o,
	struct binaries *out, struct err *e)
{
	struct computing c = {.a = a, .p = p, .o = o, .wants_facts = out != NULL};

	for (size_t i = 0; i < p->n_files; i++)
		if (is_wanted(&c, &p->files[i]) &&
			(interrupt_check(e) < 0 || take_file(&c, &p->files[i], e) < 0))
			return -1;
	if (out) {
		*out = (struct binaries){.v = c.list.v, .n = c.list.n};
		memcpy(out->sha256, p->sha256, sizeof out->sha256);
	}
	return 0;
}

int binaries_compute(struct arena *a, const struct package *p, struct binaries *out, struct err *e)
{
	return binaries_read(a, p, &(struct compute_options){0}, out, e);
}
