/* The dynamic section and the versions of symbols (glibc elf/dl-load.c, elf/dl-version.c). */
#include "images/elf_reading.h"

enum { MAX_DYNAMIC = 1 << 16, MAX_VERSIONS = 1 << 16, MAX_TEXT = 16 << 10 };

static const int64_t tag_numbers[N_TAGS] = {
	[TAG_STRTAB] = DT_STRTAB,
	[TAG_SYMTAB] = DT_SYMTAB,
	[TAG_HASH] = DT_HASH,
	[TAG_GNU_HASH] = DT_GNU_HASH,
	[TAG_VERSYM] = DT_VERSYM,
	[TAG_VERDEF] = DT_VERDEF,
	[TAG_VERNEED] = DT_VERNEED,
	[TAG_RELA] = DT_RELA,
	[TAG_RELASZ] = DT_RELASZ,
	[TAG_JMPREL] = DT_JMPREL,
	[TAG_PLTRELSZ] = DT_PLTRELSZ,
	[TAG_SONAME] = DT_SONAME,
	[TAG_RPATH] = DT_RPATH,
	[TAG_RUNPATH] = DT_RUNPATH,
	[TAG_FLAGS] = DT_FLAGS,
	[TAG_FLAGS_1] = DT_FLAGS_1,
	[TAG_TEXTREL] = DT_TEXTREL,
	[TAG_BIND_NOW] = DT_BIND_NOW,
};

static bool text_at(struct elf_reading *r, uint64_t at, struct str *out)
{
	return elf_text(r, at, MAX_TEXT, &r->text_left, out);
}

static bool push(struct elf_reading *r, struct elf_versions *list, struct elf_version v)
{
	if (r->defines.n + r->needs.n >= MAX_VERSIONS)
		return false;
	*VEC_PUSH(r->a, list) = v;
	return true;
}

/* --- symbol versions ---------------------------------------------------------------------- */

static int read_definitions(struct elf_reading *r, struct str table, struct err *e)
{
	Elf64_Verdef d = {.vd_next = 0};
	uint64_t at = 0;

	do {
		struct elf_version v = {0};
		Elf64_Verdaux aux;

		if (!elf_take(table, at, &d, sizeof d) ||
			!elf_take(table, at + d.vd_aux, &aux, sizeof aux) ||
			!text_at(r, aux.vda_name, &v.need.version))
			return elf_broken(r, "a version definition lies outside of it", e);
		if (d.vd_version != VER_DEF_CURRENT)
			return elf_broken(r, "its version definitions are of another kind", e);
		v.index = d.vd_ndx & 0x7fff;
		/* That of the file itself is no version. */
		if (!(d.vd_flags & VER_FLG_BASE) && !push(r, &r->defines, v))
			return elf_broken(r, "too many versions", e);
		at += d.vd_next;
	} while (d.vd_next != 0);
	return 0;
}

static int read_needs_of(struct elf_reading *r, struct str table, uint64_t at,
	const Elf64_Verneed *need, struct err *e)
{
	struct elf_version v = {0};
	Elf64_Vernaux aux;

	if (!text_at(r, need->vn_file, &v.need.file))
		return elf_broken(r, "a version need names no file", e);
	at += need->vn_aux;
	do {
		if (!elf_take(table, at, &aux, sizeof aux) ||
			!text_at(r, aux.vna_name, &v.need.version))
			return elf_broken(r, "a version need lies outside of it", e);
		v.need.weak = (aux.vna_flags & VER_FLG_WEAK) != 0;
		v.index = aux.vna_other & 0x7fff;
		if (!push(r, &r->needs, v))
			return elf_broken(r, "too many versions", e);
		at += aux.vna_next;
	} while (aux.vna_next != 0);
	return 0;
}

/* Each has at least one version, which ends chains that lead through one entry many times. */
static int read_needs(struct elf_reading *r, struct str table, struct err *e)
{
	Elf64_Verneed need = {.vn_next = 0};
	uint64_t at = 0;

	do {
		if (!elf_take(table, at, &need, sizeof need))
			return elf_broken(r, "a version need lies outside of it", e);
		if (need.vn_version != VER_NEED_CURRENT)
			return elf_broken(r, "its version needs are of another kind", e);
		if (read_needs_of(r, table, at, &need, e) < 0)
			return -1;
		at += need.vn_next;
	} while (need.vn_next != 0);
	return 0;
}

static int read_versions(struct elf_reading *r, struct err *e)
{
	struct str defines, needs;

	if ((r->has_tag[TAG_VERDEF] && !elf_at_address(r, r->tags[TAG_VERDEF], &defines)) ||
		(r->has_tag[TAG_VERNEED] && !elf_at_address(r, r->tags[TAG_VERNEED], &needs)))
		return elf_broken(r, "its symbol versions lie outside of it", e);
	if (r->has_tag[TAG_VERDEF] && read_definitions(r, defines, e) < 0)
		return -1;
	return r->has_tag[TAG_VERNEED] ? read_needs(r, needs, e) : 0;
}

/* --- the section -------------------------------------------------------------------------- */

/* The i-th entry; false at the end. */
static bool entry(struct str table, size_t i, Elf64_Dyn *x)
{
	return i < MAX_DYNAMIC && elf_take(table, i * sizeof *x, x, sizeof *x) &&
	       x->d_tag != DT_NULL;
}

static void remember(struct elf_reading *r, const Elf64_Dyn *x)
{
	for (size_t k = 0; k < N_TAGS; k++)
		if (x->d_tag == tag_numbers[k]) {
			r->tags[k] = x->d_un.d_val;
			r->has_tag[k] = true;
		}
}

static bool read_name(struct elf_reading *r, enum elf_tag tag, struct str *out)
{
	return !r->has_tag[tag] || text_at(r, r->tags[tag], out);
}

static int read_names(struct elf_reading *r, struct str table, struct err *e)
{
	Elf64_Dyn x;

	if (!read_name(r, TAG_SONAME, &r->out->soname) ||
		!read_name(r, TAG_RPATH, &r->out->rpath) ||
		!read_name(r, TAG_RUNPATH, &r->out->runpath))
		return elf_broken(r, "a name lies outside of its strings", e);
	for (size_t i = 0; entry(table, i, &x); i++) {
		struct str name;

		if (x.d_tag != DT_NEEDED)
			continue;
		if (!text_at(r, x.d_un.d_val, &name))
			return elf_broken(r, "a needed library has no name", e);
		*VEC_PUSH(r->a, &r->needed) = name;
	}
	return 0;
}

static void read_flags(struct elf_reading *r)
{
	uint64_t flags = r->tags[TAG_FLAGS], more = r->tags[TAG_FLAGS_1];
	struct elf *out = r->out;

	out->static_tls = (flags & DF_STATIC_TLS) != 0;
	out->text_relocations = (flags & DF_TEXTREL) != 0 || r->has_tag[TAG_TEXTREL];
	out->bind_now =
		(flags & DF_BIND_NOW) != 0 || (more & DF_1_NOW) != 0 || r->has_tag[TAG_BIND_NOW];
	out->no_default_folders = (more & DF_1_NODEFLIB) != 0;
}

/* The loader goes by the address of the section and to its DT_NULL; the texts have no other end than
 * that of their segment. */
int elf_read_dynamic(struct elf_reading *r, struct err *e)
{
	struct str table;
	Elf64_Dyn x;

	if (!elf_at_address(r, r->dynamic, &table))
		return elf_broken(r, "its dynamic section lies outside of it", e);
	for (size_t i = 0; entry(table, i, &x); i++)
		remember(r, &x);
	if (r->has_tag[TAG_STRTAB] && !elf_at_address(r, r->tags[TAG_STRTAB], &r->strings))
		return elf_broken(r, "its strings lie outside of it", e);
	read_flags(r);
	return read_names(r, table, e) < 0 ? -1 : read_versions(r, e);
}
