#include "packer/floor.h"

#include "base/file.h"
#include "base/log.h"
#include "images/elf.h"
#include "images/libc.h"
#include "packer/audit.h"

enum { MAX_NAMES = 1000000, MAX_NAME_BYTES = 64 << 20 };

bool floor_is_elf(struct str head)
{
	return str_starts(head, STR("\177ELF"));
}

static union table_value *slot(struct floor *f, struct table *t, struct str name)
{
	union table_value *known = table_get(t, name);

	if (known)
		return known;
	f->name_bytes += name.n;
	t->arena = f->arena;
	return table_put(t, arena_str(f->arena, name));
}

static void need(struct floor *f, const struct elf_need *n)
{
	struct str number = audit_glibc_number(n->version);
	union table_value *v;
	struct str *newest;

	if (!number.n)
		return;
	v = slot(f, &f->needed, n->file);
	if (!v->ptr)
		v->ptr = arena_new(f->arena, struct str);
	newest = v->ptr;
	if (newest->n == 0 || glibc_cmp(number, *newest) > 0) {
		*newest = arena_str(f->arena, number);
		f->name_bytes += number.n;
	}
}

int floor_add(struct floor *f, struct str path, struct str bytes, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct err broken = {0};
	struct elf elf;
	int r;

	if (binary_is_of_sysroot(path) || !floor_is_elf(bytes))
		return 0;
	r = elf_read(&scratch, arena_cstr(&scratch, path), bytes, &elf, &broken);
	if (r < 0)
		log_debug("%s", broken.text);
	err_release(&broken);
	if (r <= 0 || !elf_is_native(&elf))
		return 0;
	f->n_files++;
	slot(f, &f->brought, audit_library_name(path, &elf))->num = 1;
	for (size_t i = 0; i < elf.n_needs; i++)
		need(f, &elf.needs[i]);
	if (f->needed.n + f->brought.n <= MAX_NAMES && f->name_bytes <= MAX_NAME_BYTES)
		return 0;
	return err_set(e, ERR_INTEGRITY, "too many names of libraries, with '%.*s'", STR_ARG(path));
}

struct str floor_newest(const struct floor *f)
{
	struct str newest = {0};

	for (size_t i = 0; i < f->needed.n; i++) {
		const struct table_entry *t = &f->needed.entries[i];
		struct str number = *(struct str *)t->value.ptr;

		if (!table_get(&f->brought, t->key) &&
			(newest.n == 0 || glibc_cmp(number, newest) > 0))
			newest = number;
	}
	return newest;
}
