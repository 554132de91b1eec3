/* What a file says by itself, whoever loads it. */
#include "images/libc.h"
#include "packer/audit_inside.h"

#include <elf.h>

static bool is_loaded(const struct auditing *au, const struct audit_file *f)
{
	return au->loaded[f - au->tree->files];
}

/* --- kinds of machines ---------------------------------------------------------------------- */

struct str audit_machine_name(struct auditing *au, const struct elf *elf)
{
	static const struct {
		unsigned machine, bits;
		const char *name;
	} names[] = {
		{EM_X86_64, 64, "x86-64"},
		{EM_X86_64, 32, "x32"},
		{EM_386, 32, "32-bit x86"},
		{EM_AARCH64, 64, "64-bit ARM"},
		{EM_ARM, 32, "32-bit ARM"},
		{EM_PPC64, 64, "64-bit POWER"},
		{EM_PPC, 32, "32-bit POWER"},
		{EM_S390, 64, "IBM Z"},
		{EM_MIPS, 32, "32-bit MIPS"},
		{EM_MIPS, 64, "64-bit MIPS"},
		{EM_RISCV, 64, "64-bit RISC-V"},
		{EM_BPF, 64, "the kernel's BPF"},
		{190 /* EM_CUDA */, 64, "a GPU"},
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (elf->machine == names[i].machine && elf->bits == names[i].bits)
			return str_of(names[i].name);
	return arena_strf(au->a, "machines of ELF's number %u", elf->machine);
}

/* "x86_64" of "linux-64". */
static struct str machine_of_target(const struct auditing *au)
{
	return str_ends(au->profile->subdir, STR("-aarch64")) ? STR("64-bit ARM") : STR("x86-64");
}

/* Debuggers and cross compilers bring programs for other machines; what is in bin is for this one. */
static void judge_machine(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	bool program = audit_is_in_bin(f->path) && (elf->type == ET_EXEC || elf->type == ET_DYN) &&
		       elf->machine != EM_BPF;
	/* Such a suffix says which machine it is for. */
	bool module = str_ends(f->path, STR("-x86_64-linux-gnu.so")) &&
		      str_find(f->path, STR(".cpython-")) > 0;
	/* Hosts may have the libraries for the other half of x86. */
	bool maybe = elf->machine == EM_386 || elf->bits == 32;
	struct audit_finding *x =
		audit_add(au, &(struct audit_saying){RULE_MACHINE,
				      !program && !module ? LEVEL_INFO
				      : maybe && program  ? LEVEL_WARNING
							  : LEVEL_ERROR,
				      program && maybe ? SURE_POSSIBLE : SURE_CERTAIN, f,
				      audit_machine_name(au, elf), (struct str){0}});

	x->has = machine_of_target(au);
	if (!x->text.n)
		x->text = arena_strf(au->a, "%.*s is for %.*s; hosts of target '%.*s' are %.*s",
			STR_ARG(audit_name_file(au, f)), STR_ARG(x->needs),
			STR_ARG(au->profile->name), STR_ARG(x->has));
}

/* --- CPUs and kernels ----------------------------------------------------------------------- */

/* One of several of which the loader takes what the CPU can run. */
static bool is_alternative(struct str path)
{
	return str_find(path, STR("/glibc-hwcaps/")) >= 0 ||
	       str_find(path, STR("/haswell/")) >= 0 || str_find(path, STR("/x86-64-v")) >= 0 ||
	       str_find(path, STR("/avx512_1/")) >= 0;
}

static int isa_level(unsigned bits)
{
	if (bits & ELF_ISA_V4)
		return 3;
	if (bits & ELF_ISA_V3)
		return 2;
	return bits & ELF_ISA_V2 ? 1 : 0;
}

static void judge_isa(struct auditing *au, const struct audit_file *f)
{
	int level = isa_level(f->binary->elf.isa_needed);
	struct audit_finding *x;

	if (au->cpu < 0 || level <= au->cpu || is_alternative(f->path))
		return;
	x = audit_add(
		au, &(struct audit_saying){RULE_ISA, is_loaded(au, f) ? LEVEL_ERROR : LEVEL_WARNING,
			    SURE_LIKELY, f, str_of(cpu_level_name(level)), (struct str){0}});
	if (x->text.n)
		return;
	x->has = str_of(cpu_level_name(au->cpu));
	x->text = arena_strf(au->a,
		"%.*s is compiled for CPUs of level %.*s; hosts of target '%.*s' have %.*s at "
		"least",
		STR_ARG(audit_name_file(au, f)), STR_ARG(x->needs), STR_ARG(au->profile->name),
		STR_ARG(x->has));
}

/*
 * Loaders pass libraries over that ask for a newer kernel (until glibc 2.35), and static programs give
 * up.  Of other programs the loader's own note counts, which is the host's.
 */
static void judge_kernel(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	struct str needs;
	bool refused;
	struct audit_finding *x;

	if (!elf->has_kernel || !au->kernel.n)
		return;
	needs = arena_strf(au->a, "%u.%u.%u", elf->kernel[0], elf->kernel[1], elf->kernel[2]);
	if (glibc_cmp(needs, au->kernel) <= 0)
		return;
	refused = !audit_is_program(f) && (!elf->dynamic || loader_kernel_too_old(au->loader, elf));
	x = audit_add(au,
		&(struct audit_saying){RULE_KERNEL,
			refused && (au->opened[f - au->tree->files] || !elf->dynamic) ? LEVEL_ERROR
			: refused ? LEVEL_WARNING
				  : LEVEL_INFO,
			refused ? SURE_LIKELY : SURE_POSSIBLE, f,
			arena_strf(au->a, "Linux %.*s", STR_ARG(needs)), (struct str){0}});
	if (x->text.n)
		return;
	x->has = arena_strf(au->a, "Linux %.*s", STR_ARG(au->kernel));
	x->text = arena_strf(au->a, "%.*s asks for %.*s; hosts of target '%.*s' have %.*s",
		STR_ARG(audit_name_file(au, f)), STR_ARG(x->needs), STR_ARG(au->profile->name),
		STR_ARG(x->has));
}

/* --- paths ---------------------------------------------------------------------------------- */

/* Where the loader looks anyway, on any host. */
static bool is_default(struct str folder)
{
	static const char *const names[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};

	while (str_ends(folder, STR("/")))
		folder.n--;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (str_is(folder, names[i]))
			return true;
	return false;
}

/* Who may write there may have programs load what he likes. */
static bool is_anybodys(struct str folder)
{
	return !str_starts(folder, STR("/")) || str_starts(folder, STR("/tmp/")) ||
	       str_is(folder, "/tmp") || str_starts(folder, STR("/var/tmp"));
}

/* Is the folder one of another machine? */
static bool is_foreign(struct auditing *au, struct str folder)
{
	struct str rel;

	if (folder.n && folder.p[0] == '$')
		return false;
	if (!folder.n || folder.p[0] != '/')
		return true;
	return !is_default(folder) && !audit_is_placeholder(folder) &&
	       !audit_inside(au->tree, folder, &rel) && !str_eq(folder, au->tree->prefix);
}

static void judge_rpath(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	struct str rest = elf->runpath.n ? elf->runpath : elf->rpath;
	struct str worst = {0};
	bool any = false, danger = false;
	struct audit_finding *x;

	while (rest.n) {
		struct str folder = str_cut(&rest, ':');

		/* A colon at the end is a slip of builds; the loader takes it for the working folder. */
		if (!is_foreign(au, folder) || (any && (danger || !is_anybodys(folder))))
			continue;
		any = true;
		danger = is_anybodys(folder);
		worst = folder.n ? folder : STR(".");
	}
	if (!any)
		return;
	x = audit_add(au, &(struct audit_saying){RULE_RPATH, danger ? LEVEL_WARNING : LEVEL_INFO,
				  danger ? SURE_LIKELY : SURE_POSSIBLE, f, worst, (struct str){0}});
	if (!x->text.n)
		x->text = arena_strf(au->a, "%.*s looks for libraries in '%.*s'%s",
			STR_ARG(audit_name_file(au, f)), STR_ARG(worst),
			danger ? ", where anybody may put some"
			       : ", a folder of the machine that built it");
}

static void judge_leftover(struct auditing *au, const struct audit_file *f)
{
	struct str left = f->binary ? f->binary->leftover : f->leftover;
	struct audit_finding *x;

	if (!left.n)
		return;
	/* In programs these are mostly names of sources; in a text one was meant to be replaced. */
	x = audit_add(au,
		&(struct audit_saying){RULE_PREFIX,
			f->binary || !audit_is_placeholder(left) || str_ends(f->path, STR(".pyc"))
				? LEVEL_INFO
				: LEVEL_WARNING,
			SURE_POSSIBLE, f, left, (struct str){0}});
	if (!x->text.n)
		x->text = arena_strf(au->a,
			"%.*s holds the path '%.*s' of the machine that built it, which nothing "
			"replaces",
			STR_ARG(audit_name_file(au, f)), STR_ARG(str_sub(left, 0, 80)));
}

/* --- GPUs ----------------------------------------------------------------------------------- */

static bool runs_on(const struct elf_gpu *code, unsigned architecture)
{
	if (code->ptx)
		return code->architecture <= architecture;
	return code->architecture / 10 == architecture / 10 && code->architecture <= architecture;
}

static void judge_gpu(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	struct str rest = au->profile->gpu.compute_capability, major = str_cut(&rest, '.');
	struct str list = {0};
	uint64_t x, y;
	struct audit_finding *finding;

	if (!elf->n_gpu || str_u64(major, 99, &x) < 0 || str_u64(rest, 9, &y) < 0)
		return;
	for (size_t i = 0; i < elf->n_gpu; i++) {
		if (runs_on(&elf->gpu[i], (unsigned)(x * 10 + y)))
			return;
		if (i < 8)
			list = arena_strf(au->a, "%.*s%s%s_%u", STR_ARG(list), i ? ", " : "",
				elf->gpu[i].ptx ? "compute" : "sm", elf->gpu[i].architecture);
	}
	finding = audit_add(au, &(struct audit_saying){RULE_GPU, LEVEL_WARNING, SURE_LIKELY, f,
					list, (struct str){0}});
	if (finding->text.n)
		return;
	finding->has = arena_strf(au->a, "sm_%u", (unsigned)(x * 10 + y));
	finding->text = arena_strf(au->a,
		"%.*s has code for %.*s alone, none of which runs on the GPUs of target '%.*s' "
		"(%.*s)",
		STR_ARG(audit_name_file(au, f)), STR_ARG(list), STR_ARG(au->profile->name),
		STR_ARG(finding->has));
}

/* --- the whole file ------------------------------------------------------------------------- */

/* 1 it is there, 0 not, -1 nobody knows. */
static int has_interpreter(struct auditing *au, struct str path)
{
	struct str rel;

	if (audit_inside(au->tree, path, &rel))
		return audit_tree_has(au->tree, rel);
	if (audit_is_placeholder(path))
		return -1;
	if (au->out->against_root)
		return loader_has_path(au->loader, path);
	/* A list has no paths, and need not name what is there wherever glibc is. */
	if (!au->profile->has_libraries || str_is(path, "/lib64/ld-linux-x86-64.so.2") ||
		str_is(path, "/lib/ld-linux-aarch64.so.1"))
		return -1;
	return profile_library(au->profile, str_base(path)) != NULL;
}

static void judge_interpreter(struct auditing *au, const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;
	bool root = au->out->against_root;
	/* Packages bring one for each C library, and take the one that fits. */
	bool choice =
		!audit_is_in_bin(f->path) && str_find(elf->interpreter, STR("/ld-musl-")) >= 0;
	struct audit_finding *x;

	if (!audit_is_program(f) || audit_is_data(f->path) ||
		has_interpreter(au, elf->interpreter) != 0)
		return;
	x = audit_add(au,
		&(struct audit_saying){RULE_INTERPRETER, choice ? LEVEL_WARNING : LEVEL_ERROR,
			root ? SURE_CERTAIN : SURE_LIKELY, f, elf->interpreter, (struct str){0}});
	if (!x->text.n)
		x->text = arena_strf(au->a,
			"%.*s is run by the loader '%.*s', which hosts of target '%.*s' do not "
			"have",
			STR_ARG(audit_name_file(au, f)), STR_ARG(elf->interpreter),
			STR_ARG(au->profile->name));
}

/* Test data may be broken on purpose. */
static void judge_broken(struct auditing *au, const struct audit_file *f)
{
	struct str name = str_base(f->path);
	bool program = audit_is_in_bin(f->path) && (f->mode & 0111);
	bool library = str_ends(name, STR(".so")) || str_find(name, STR(".so.")) > 0;
	bool meant = !audit_is_data(f->path) && (program || library);
	struct audit_finding *x = audit_add(
		au, &(struct audit_saying){RULE_BROKEN, meant ? LEVEL_ERROR : LEVEL_WARNING,
			    meant ? SURE_LIKELY : SURE_POSSIBLE, f, (struct str){0}, name});

	if (!x->text.n)
		x->text = arena_strf(au->a, "%.*s is no proper ELF file: %.*s",
			STR_ARG(audit_name_file(au, f)), STR_ARG(f->binary->fault));
}

void audit_judge_file(struct auditing *au, const struct audit_file *f)
{
	judge_leftover(au, f);
	if (!f->binary)
		return;
	if (f->binary->fault.n) {
		judge_broken(au, f);
		return;
	}
	judge_gpu(au, f);
	if (!elf_is_native(&f->binary->elf) || f->binary->elf.bits != 64) {
		judge_machine(au, f);
		return;
	}
	judge_isa(au, f);
	judge_kernel(au, f);
	judge_rpath(au, f);
	judge_interpreter(au, f);
}
