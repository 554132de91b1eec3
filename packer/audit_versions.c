#include "base/buf.h"
#include "images/libc.h"
#include "packer/audit_inside.h"

struct str audit_version_number(struct str version, struct str *family)
{
	size_t i = 0;

	while (i < version.n && (version.p[i] < '0' || version.p[i] > '9'))
		i++;
	*family = str_sub(version, 0, i);
	return str_sub(version, i, version.n);
}

struct str audit_glibc_number(struct str version)
{
	struct str family, number = audit_version_number(version, &family);

	if (!str_is(family, "GLIBC_") || !version_is_numeric(number))
		return (struct str){0};
	return number;
}

bool audit_has_version(const struct str *defines, size_t n, struct str version)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(defines[i], version))
			return true;
	return false;
}

struct str audit_best_version(
	struct auditing *au, const struct str *defines, size_t n, struct str version)
{
	struct str family, best = {0};
	CLEANUP_BUF key = {0};
	union table_value *v;
	size_t at = 0;

	audit_version_number(version, &family);
	buf_printf(&key, "%p %.*s", (const void *)defines, STR_ARG(family));
	v = table_get(&au->best, buf_view(&key));
	if (v)
		return v->num ? defines[v->num - 1] : best;
	for (size_t i = 0; i < n; i++) {
		struct str other, unused, number = audit_version_number(defines[i], &other);

		if (str_eq(family, other) &&
			(!at || glibc_cmp(number, audit_version_number(best, &unused)) > 0)) {
			best = defines[i];
			at = i + 1;
		}
	}
	table_put(&au->best, arena_str(au->a, buf_view(&key)))->num = at;
	return best;
}

void audit_count_floor(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	struct audit_floor *floor = &au->floors[f->package + 1];

	for (size_t i = 0; i < elf->n_needs; i++) {
		struct str number = audit_glibc_number(elf->needs[i].version);

		if (!number.n || table_get(&au->brought, elf->needs[i].file) ||
			(floor->glibc.n && glibc_cmp(number, floor->glibc) <= 0))
			continue;
		*floor = (struct audit_floor){f->package, number, f->path};
	}
}
