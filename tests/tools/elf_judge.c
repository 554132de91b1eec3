/*
 * What images/elf.h says of ELF files, and whether libelf says the same:
 *
 *	elf_judge print FILE             all of it, a fact a line
 *	elf_judge compare SECONDS <LIST  "fail FILE: ..." for each that differs; then what was compared
 *
 * images/elf.h goes by segments and addresses, as the loader does.  Here everything is looked up in
 * sections, so that one reader's mistake is not the other's.  GPU code is looked for wherever its
 * first bytes lie, and not from one container to the next.
 */
#include "base/buf.h"
#include "base/file.h"
#include "images/elf.h"

#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { INDEX = 0x7fff };

static void line(struct buf *to, const char *key, struct str value)
{
	buf_printf(to, "%s %.*s\n", key, STR_ARG(value));
}

static void hex(struct buf *to, const char *key, struct str bytes)
{
	if (bytes.n == 0)
		return;
	buf_printf(to, "%s ", key);
	for (size_t i = 0; i < bytes.n; i++)
		buf_printf(to, "%02x", (unsigned char)bytes.p[i]);
	buf_putc(to, '\n');
}

static void symbol(struct buf *to, const char *key, const struct elf_symbol *s)
{
	buf_printf(to, "%s %.*s@%.*s %.*s%s%s%s\n", key, STR_ARG(s->name), STR_ARG(s->version),
		STR_ARG(s->file), s->weak ? " weak" : "", s->function ? " function" : "",
		s->hidden ? " hidden" : "");
}

/* --- ours --------------------------------------------------------------------------------- */

static void print_limits(struct buf *to, const struct elf *f)
{
	static const char *const stacks[] = {"unsaid", "plain", "executable"};

	if (f->has_kernel)
		buf_printf(to, "kernel %u.%u.%u\n", f->kernel[0], f->kernel[1], f->kernel[2]);
	if (f->isa_needed)
		buf_printf(to, "isa %x\n", f->isa_needed);
	if (f->tls_size || f->tls_align)
		buf_printf(to, "tls %ju %ju\n", (uintmax_t)f->tls_size, (uintmax_t)f->tls_align);
	if (f->static_tls)
		line(to, "static-tls", STR(""));
	if (f->text_relocations)
		line(to, "text-relocations", STR(""));
	if (f->bind_now)
		line(to, "bind-now", STR(""));
	if (f->no_default_folders)
		line(to, "no-default-folders", STR(""));
	line(to, "stack", str_of(stacks[f->stack]));
	hex(to, "build-id", f->build_id);
	for (size_t i = 0; i < f->n_gpu; i++)
		buf_printf(to, "gpu %u%s\n", f->gpu[i].architecture, f->gpu[i].ptx ? " ptx" : "");
}

static void print_names(struct buf *to, const struct elf *f)
{
	if (f->interpreter.n)
		line(to, "interpreter", f->interpreter);
	if (f->dynamic)
		line(to, "dynamic", STR(""));
	if (f->soname.n)
		line(to, "soname", f->soname);
	if (f->rpath.n)
		line(to, "rpath", f->rpath);
	if (f->runpath.n)
		line(to, "runpath", f->runpath);
	for (size_t i = 0; i < f->n_needed; i++)
		line(to, "needed", f->needed[i]);
	for (size_t i = 0; i < f->n_defines; i++)
		line(to, "defines", f->defines[i]);
	for (size_t i = 0; i < f->n_needs; i++)
		buf_printf(to, "needs %.*s %.*s%s\n", STR_ARG(f->needs[i].file),
			STR_ARG(f->needs[i].version), f->needs[i].weak ? " weak" : "");
}

static int print_ours(struct buf *to, struct arena *a, const char *path, struct str bytes)
{
	struct elf_symbols s;
	struct err e = {0};
	struct elf f;
	int r = elf_read(a, path, bytes, &f, &e);

	if (r == 1)
		r = elf_symbols(a, path, bytes, &s, &e);
	if (r < 0)
		line(to, "broken", str_of(e.text));
	err_release(&e);
	if (r != 1)
		return r;
	buf_printf(to, "header %u %u %u %u\n", f.bits, f.big_endian, f.type, f.machine);
	print_names(to, &f);
	print_limits(to, &f);
	for (size_t i = 0; i < s.n_undefined; i++)
		symbol(to, "undefined", &s.undefined[i]);
	for (size_t i = 0; i < s.n_defined; i++)
		symbol(to, "defined", &s.defined[i]);
	return 1;
}

/* --- libelf's ----------------------------------------------------------------------------- */

struct version {
	struct str file, name;
};

struct judged {
	struct arena *a;
	Elf *elf;
	GElf_Ehdr header;
	struct version versions[INDEX + 1];
	unsigned char *wants; /* of each symbol */
	struct elf out;
	struct {
		struct str *v;
		size_t n, cap;
	} needed, defines;
	struct {
		struct elf_need *v;
		size_t n, cap;
	} needs;
	struct {
		struct elf_gpu *v;
		size_t n, cap;
	} gpu;
};

static struct str text(struct judged *j, const GElf_Shdr *h, size_t at)
{
	return str_of(elf_strptr(j->elf, h->sh_link, at));
}

static void judge_dynamic(struct judged *j, Elf_Data *d, const GElf_Shdr *h)
{
	struct elf *out = &j->out;
	GElf_Dyn x;

	out->dynamic = true;
	for (int i = 0; gelf_getdyn(d, i, &x) && x.d_tag != DT_NULL; i++) {
		size_t v = x.d_un.d_val;

		if (x.d_tag == DT_NEEDED)
			*VEC_PUSH(j->a, &j->needed) = text(j, h, v);
		else if (x.d_tag == DT_SONAME)
			out->soname = text(j, h, v);
		else if (x.d_tag == DT_RPATH)
			out->rpath = text(j, h, v);
		else if (x.d_tag == DT_RUNPATH)
			out->runpath = text(j, h, v);
		else if (x.d_tag == DT_TEXTREL)
			out->text_relocations = true;
		else if (x.d_tag == DT_BIND_NOW)
			out->bind_now = true;
		else if (x.d_tag == DT_FLAGS) {
			out->text_relocations |= (v & DF_TEXTREL) != 0;
			out->static_tls |= (v & DF_STATIC_TLS) != 0;
			out->bind_now |= (v & DF_BIND_NOW) != 0;
		} else if (x.d_tag == DT_FLAGS_1) {
			out->bind_now |= (v & DF_1_NOW) != 0;
			out->no_default_folders |= (v & DF_1_NODEFLIB) != 0;
		}
	}
}

static void judge_definitions(struct judged *j, Elf_Data *d, const GElf_Shdr *h)
{
	GElf_Verdef v;
	GElf_Verdaux aux;
	size_t at = 0;

	for (size_t i = 0; i < h->sh_info && gelf_getverdef(d, (int)at, &v); i++) {
		if (gelf_getverdaux(d, (int)(at + v.vd_aux), &aux) &&
			!(v.vd_flags & VER_FLG_BASE)) {
			struct str name = text(j, h, aux.vda_name);

			*VEC_PUSH(j->a, &j->defines) = name;
			j->versions[v.vd_ndx & INDEX] = (struct version){{NULL, 0}, name};
		}
		at += v.vd_next;
	}
}

static void judge_needs(struct judged *j, Elf_Data *d, const GElf_Shdr *h)
{
	GElf_Verneed v;
	GElf_Vernaux aux;
	size_t at = 0;

	for (size_t i = 0; i < h->sh_info && gelf_getverneed(d, (int)at, &v); i++) {
		size_t at_aux = at + v.vn_aux;
		struct str file = text(j, h, v.vn_file);

		for (size_t k = 0; k < v.vn_cnt && gelf_getvernaux(d, (int)at_aux, &aux); k++) {
			struct str name = text(j, h, aux.vna_name);

			*VEC_PUSH(j->a, &j->needs) =
				(struct elf_need){file, name, (aux.vna_flags & VER_FLG_WEAK) != 0};
			j->versions[aux.vna_other & INDEX] = (struct version){file, name};
			at_aux += aux.vna_next;
		}
		at += v.vn_next;
	}
}

static void judge_properties(struct judged *j, struct str content)
{
	while (content.n >= 12) {
		uint32_t x[3];

		memcpy(x, content.p, sizeof x);
		if (x[0] == GNU_PROPERTY_X86_ISA_1_NEEDED && j->header.e_machine == EM_X86_64)
			j->out.isa_needed |= x[2];
		content = str_sub(content, 8 + (x[1] + 7) / 8 * 8, content.n);
	}
}

static void judge_notes(struct judged *j, Elf_Data *d)
{
	size_t at = 0, name, content;
	GElf_Nhdr n;

	while ((at = gelf_getnote(d, at, &n, &name, &content)) > 0) {
		struct str c = str_n((char *)d->d_buf + content, n.n_descsz);
		uint32_t w[4];

		if (n.n_namesz != 4 || memcmp((char *)d->d_buf + name, "GNU", 4) != 0)
			continue;
		if (n.n_type == NT_GNU_BUILD_ID && j->out.build_id.n == 0)
			j->out.build_id = c;
		else if (n.n_type == NT_GNU_PROPERTY_TYPE_0)
			judge_properties(j, c);
		else if (n.n_type == NT_GNU_ABI_TAG && c.n >= sizeof w) {
			memcpy(w, c.p, sizeof w);
			if (w[0] != ELF_NOTE_OS_LINUX)
				continue;
			j->out.has_kernel = true;
			for (size_t i = 0; i < 3; i++)
				j->out.kernel[i] = w[i + 1];
		}
	}
}

static void judge_entry(struct judged *j, const char *p)
{
	struct elf_gpu x;
	uint16_t kind;
	uint32_t architecture;

	memcpy(&kind, p, sizeof kind);
	memcpy(&architecture, p + 28, sizeof architecture);
	x = (struct elf_gpu){architecture, kind == 1};
	if (kind != 1 && kind != 2)
		return;
	for (size_t i = 0; i < j->gpu.n; i++)
		if (j->gpu.v[i].architecture == x.architecture && j->gpu.v[i].ptx == x.ptx)
			return;
	*VEC_PUSH(j->a, &j->gpu) = x;
}

static void judge_gpu(struct judged *j, Elf_Data *d)
{
	for (size_t i = 0; i + 16 <= d->d_size; i += 8) {
		const char *p = (const char *)d->d_buf + i;
		uint64_t size, at = 0;

		if (memcmp(p, "\x50\xed\x55\xba", 4) != 0)
			continue;
		memcpy(&size, p + 8, sizeof size);
		while (at + 64 <= size && i + 16 + at + 64 <= d->d_size) {
			uint32_t header;
			uint64_t content;

			judge_entry(j, p + 16 + at);
			memcpy(&header, p + 16 + at + 4, sizeof header);
			memcpy(&content, p + 16 + at + 8, sizeof content);
			at += header + content;
		}
	}
}

/* Go has notes that no segment tells the loader of. */
static bool is_in_notes(struct judged *j, const GElf_Shdr *h)
{
	GElf_Phdr p;

	for (int i = 0; i < j->header.e_phnum && gelf_getphdr(j->elf, i, &p); i++)
		if (p.p_type == PT_NOTE && h->sh_offset >= p.p_offset &&
			h->sh_offset + h->sh_size <= p.p_offset + p.p_filesz)
			return true;
	return false;
}

static void judge_section(struct judged *j, const GElf_Shdr *h, Elf_Data *d, const char *name)
{
	if (h->sh_type == SHT_DYNAMIC)
		judge_dynamic(j, d, h);
	else if (h->sh_type == SHT_GNU_verdef)
		judge_definitions(j, d, h);
	else if (h->sh_type == SHT_GNU_verneed)
		judge_needs(j, d, h);
	else if (h->sh_type == SHT_NOTE && is_in_notes(j, h))
		judge_notes(j, d);
	else if (h->sh_type == SHT_PROGBITS && !strcmp(name, ".interp"))
		j->out.interpreter = str_of(d->d_buf);
	else if (!strcmp(name, ".nv_fatbin") || !strcmp(name, "__nv_relfatbin"))
		judge_gpu(j, d);
}

/* What only debuggers read has no code. */
static bool has_code(struct judged *j)
{
	Elf_Scn *s = NULL;
	GElf_Shdr h;

	while ((s = elf_nextscn(j->elf, s)) != NULL)
		if (gelf_getshdr(s, &h) && (h.sh_flags & SHF_EXECINSTR) && h.sh_type == SHT_NOBITS)
			return false;
	return true;
}

static void judge_segments(struct judged *j)
{
	struct elf *out = &j->out;
	GElf_Phdr p;

	for (int i = 0; i < j->header.e_phnum && gelf_getphdr(j->elf, i, &p); i++)
		if (p.p_type == PT_GNU_STACK) {
			out->stack = p.p_flags & PF_X ? STACK_EXECUTABLE : STACK_PLAIN;
		} else if (p.p_type == PT_TLS) {
			out->tls_size = p.p_memsz;
			out->tls_align = p.p_align;
		}
}

/* --- libelf's symbols --------------------------------------------------------------------- */

enum { AT_ONCE = 1, WHEN_CALLED = 2, COPIED = 4 };

static void judge_relocations(struct judged *j, Elf_Data *d, const char *name)
{
	bool arm = j->header.e_machine == EM_AARCH64;
	GElf_Rela x;

	for (int i = 0; gelf_getrela(d, i, &x); i++) {
		size_t n = GELF_R_SYM(x.r_info), type = GELF_R_TYPE(x.r_info);
		unsigned char *wants = &j->wants[n];

		if (type == (arm ? R_AARCH64_JUMP_SLOT : R_X86_64_JUMP_SLOT) &&
			!strcmp(name, ".rela.plt"))
			*wants |= WHEN_CALLED;
		else if (type != 0)
			*wants |= AT_ONCE;
		if (type == (arm ? R_AARCH64_COPY : R_X86_64_COPY))
			*wants |= COPIED;
	}
}

static bool is_definition(const GElf_Sym *s)
{
	unsigned type = GELF_ST_TYPE(s->st_info);

	return s->st_shndx != SHN_UNDEF && type != STT_SECTION && type != STT_FILE &&
	       (s->st_value != 0 || s->st_shndx == SHN_ABS || type == STT_TLS);
}

static void judge_symbols(
	struct judged *j, struct buf *to, Elf_Data *d, const GElf_Shdr *h, Elf_Data *versions)
{
	struct buf defined = {0};
	GElf_Versym v = 0;
	GElf_Sym s;

	for (int i = 1; gelf_getsym(d, i, &s); i++) {
		struct elf_symbol x = {
			.name = text(j, h, s.st_name), .weak = GELF_ST_BIND(s.st_info) == STB_WEAK};

		if (GELF_ST_BIND(s.st_info) == STB_LOCAL)
			continue;
		if (versions && gelf_getversym(versions, i, &v)) {
			x.version = j->versions[v & INDEX].name;
			x.file = j->versions[v & INDEX].file;
		}
		if (j->wants[i] && (s.st_shndx == SHN_UNDEF || (j->wants[i] & COPIED))) {
			x.function = j->wants[i] == WHEN_CALLED;
			symbol(to, "undefined", &x);
		}
		x.function = false;
		x.hidden = (v & 0x8000) != 0;
		x.file = STR("");
		if (is_definition(&s))
			symbol(&defined, "defined", &x);
	}
	buf_str(to, buf_view(&defined));
	buf_release(&defined);
}

static int by_architecture(const void *a, const void *b)
{
	const struct elf_gpu *x = a, *y = b;

	return x->architecture != y->architecture
		       ? (x->architecture > y->architecture) - (x->architecture < y->architecture)
		       : x->ptx - y->ptx;
}

/* Walks over the sections twice: for what they tell, then for symbols, which need versions. */
static void judge_sections(struct judged *j, struct buf *to)
{
	Elf_Data *symbols = NULL, *versions = NULL;
	GElf_Shdr h, of_symbols = {0};
	Elf_Scn *s = NULL;
	size_t names = 0;

	elf_getshdrstrndx(j->elf, &names);
	while ((s = elf_nextscn(j->elf, s)) != NULL) {
		Elf_Data *d = gelf_getshdr(s, &h) && h.sh_type != SHT_NOBITS ? elf_getdata(s, NULL)
									     : NULL;

		if (!d || !d->d_buf)
			continue;
		judge_section(j, &h, d, elf_strptr(j->elf, names, h.sh_name));
		if (h.sh_type == SHT_GNU_versym)
			versions = d;
		if (h.sh_type == SHT_DYNSYM) {
			symbols = d;
			of_symbols = h;
		}
	}
	j->out.needed = j->needed.v;
	j->out.n_needed = j->needed.n;
	j->out.defines = j->defines.v;
	j->out.n_defines = j->defines.n;
	j->out.needs = j->needs.v;
	j->out.n_needs = j->needs.n;
	j->out.gpu = j->gpu.v;
	j->out.n_gpu = j->gpu.n;
	if (j->gpu.n)
		qsort(j->gpu.v, j->gpu.n, sizeof *j->gpu.v, by_architecture);
	print_names(to, &j->out);
	print_limits(to, &j->out);
	if (!symbols || !elf_is_native(&j->out))
		return;
	j->wants = arena_array(j->a, unsigned char, symbols->d_size / sizeof(Elf64_Sym) + 1);
	while ((s = elf_nextscn(j->elf, s)) != NULL)
		if (gelf_getshdr(s, &h) && h.sh_type == SHT_RELA && (h.sh_flags & SHF_ALLOC))
			judge_relocations(
				j, elf_getdata(s, NULL), elf_strptr(j->elf, names, h.sh_name));
	judge_symbols(j, to, symbols, &of_symbols, versions);
}

static void judge(struct buf *to, struct arena *a, struct str bytes)
{
	struct judged *j = arena_new(a, struct judged);

	j->a = a;
	j->elf = elf_memory((char *)bytes.p, bytes.n);
	if (!gelf_getehdr(j->elf, &j->header)) {
		line(to, "broken", str_of(elf_errmsg(-1)));
		elf_end(j->elf);
		return;
	}
	j->out.bits = j->header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32;
	j->out.big_endian = j->header.e_ident[EI_DATA] == ELFDATA2MSB;
	j->out.type = j->header.e_type;
	j->out.machine = j->header.e_machine;
	buf_printf(to, "header %u %u %u %u\n", j->out.bits, j->out.big_endian, j->out.type,
		j->out.machine);
	if (j->out.bits == 64 && !j->out.big_endian &&
		(j->out.type == ET_EXEC || j->out.type == ET_DYN) && has_code(j)) {
		judge_segments(j);
		judge_sections(j, to);
	} else {
		print_limits(to, &(struct elf){.stack = STACK_UNSAID});
	}
	elf_end(j->elf);
}

/* --- both --------------------------------------------------------------------------------- */

static struct {
	const char *key;
	size_t n;
} counts[] = {{"header", 0}, {"interpreter", 0}, {"dynamic", 0}, {"soname", 0}, {"rpath", 0},
	{"runpath", 0}, {"needed", 0}, {"defines", 0}, {"needs", 0}, {"kernel", 0}, {"isa", 0},
	{"tls", 0}, {"static-tls", 0}, {"text-relocations", 0}, {"bind-now", 0},
	{"no-default-folders", 0}, {"stack", 0}, {"build-id", 0}, {"gpu", 0}, {"undefined", 0},
	{"defined", 0}};

static void count(struct str fact)
{
	struct str key = str_cut(&fact, ' ');

	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		counts[i].n += str_is(key, counts[i].key);
}

/* Says the first line that differs. */
static bool same(const char *path, struct str ours, struct str theirs)
{
	bool equal = str_eq(ours, theirs);

	while (ours.n || theirs.n) {
		struct str x = str_cut(&ours, '\n'), y = str_cut(&theirs, '\n');

		if (!str_eq(x, y)) {
			printf("fail %s: '%.*s', and libelf says '%.*s'\n", path, STR_ARG(x),
				STR_ARG(y));
			return false;
		}
		count(x);
	}
	return equal;
}

static bool compare(const char *path)
{
	CLEANUP_BUF ours = {0}, theirs = {0};
	CLEANUP_ARENA a = {0};
	struct err e = {0};
	struct str bytes;
	bool good = true;

	if (file_map(path, &bytes, &e) < 0) {
		err_release(&e);
		return true;
	}
	if (print_ours(&ours, &a, path, bytes) != 0) {
		judge(&theirs, &a, bytes);
		good = same(path, buf_view(&ours), buf_view(&theirs));
	}
	file_unmap(bytes);
	return good;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int compare_list(double seconds)
{
	double end = now() + seconds;
	char path[4096];
	int status = 0;

	while (now() < end && fgets(path, sizeof path, stdin)) {
		path[strcspn(path, "\n")] = 0;
		status |= !compare(path);
	}
	printf("compared");
	for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
		printf(" %s=%zu", counts[i].key, counts[i].n);
	printf("\n");
	return status;
}

static int print(const char *path)
{
	CLEANUP_BUF ours = {0};
	CLEANUP_ARENA a = {0};
	struct err e = {0};
	struct str bytes;
	int r;

	if (file_map(path, &bytes, &e) < 0) {
		fprintf(stderr, "%s\n", e.text);
		err_release(&e);
		return 1;
	}
	r = print_ours(&ours, &a, path, bytes);
	fwrite(ours.p, 1, ours.n, stdout);
	file_unmap(bytes);
	return r == 1 ? 0 : r < 0 ? 5 : 3;
}

int main(int argc, char **argv)
{
	elf_version(EV_CURRENT);
	if (argc == 3 && !strcmp(argv[1], "print"))
		return print(argv[2]);
	if (argc == 3 && !strcmp(argv[1], "compare"))
		return compare_list(atof(argv[2]));
	fprintf(stderr, "usage: elf_judge print FILE | compare SECONDS <LIST\n");
	return 2;
}
