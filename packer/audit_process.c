/*
 * Which processes an environment would begin.
 *
 * Each program is one.  So is each extension module, imported by the environment's Python; one that
 * is a library of a wheel's or opened through ctypes is asked for in the same way.  What then no
 * process has loaded is opened by itself, as the program would that it is a plugin of.
 */
#include "packer/audit_inside.h"

#include <elf.h>

bool audit_counts(const struct audit_file *f)
{
	return f->binary && !f->binary->fault.n && elf_is_native(&f->binary->elf);
}

/* Some libraries can be run, too; what programs do not have is a soname. */
bool audit_is_program(const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;

	return elf->interpreter.n && (elf->type == ET_EXEC || !elf->soname.n);
}

static bool is_library(const struct audit_file *f)
{
	const struct elf *elf = &f->binary->elf;

	return elf->type == ET_DYN && elf->dynamic && !audit_is_program(f);
}

/* Others are linked with it, as its name says; what is not named so is opened by name. */
static bool is_linked(const struct audit_file *f)
{
	return f->binary->elf.soname.n &&
	       str_starts(audit_library_name(f->path, &f->binary->elf), STR("lib"));
}

/* "python3.9" of "lib/python3.9/site-packages/x.so". */
static bool python_of(struct str path, struct str *python)
{
	struct str rest = path;

	if (!str_is(str_cut(&rest, '/'), "lib"))
		return false;
	*python = str_cut(&rest, '/');
	return rest.p && str_starts(*python, STR("python"));
}

static bool is_module(struct str path)
{
	struct str python, name = str_base(path);

	if (!str_ends(name, STR(".so")))
		return false;
	if (str_find(name, STR(".cpython-")) > 0 || str_find(name, STR(".pypy")) > 0 ||
		str_ends(name, STR(".abi3.so")))
		return true;
	/* A library of a wheel's, or one for ctypes, is named as libraries are. */
	return python_of(path, &python) && !str_starts(name, STR("lib"));
}

static const struct audit_file *program_at(struct auditing *au, struct str path)
{
	const struct audit_file *f = audit_tree_find(au->tree, path);

	return f && audit_counts(f) && audit_is_program(f) ? f : NULL;
}

static const struct audit_file *any_python(struct auditing *au)
{
	for (size_t i = 0; i < au->tree->n_files; i++) {
		const struct audit_file *f = &au->tree->files[i];
		struct str name = str_base(f->path), digits = str_sub(name, 6, name.n);

		if (str_starts(f->path, STR("bin/python")) && f->path.n == name.n + 4 && digits.n &&
			digits.p[0] >= '0' && digits.p[0] <= '9' && f->binary && audit_counts(f) &&
			audit_is_program(f))
			return f;
	}
	return program_at(au, STR("bin/python"));
}

/* Who opens it, as far as its place tells. */
static const struct audit_file *opener_of(struct auditing *au, struct str path)
{
	const struct audit_file *f = NULL;
	struct str name;

	if (python_of(path, &name))
		f = program_at(au, arena_strf(au->a, "bin/%.*s", STR_ARG(name)));
	else if (str_starts(path, STR("lib/perl5/")))
		f = program_at(au, STR("bin/perl"));
	else if (str_starts(path, STR("lib/R/")))
		f = program_at(au, STR("lib/R/bin/exec/R"));
	return f;
}

/* "312" of "x.cpython-312-x86_64-linux-gnu.so", of "python3.12" likewise; 0: it does not say. */
static unsigned version_at(struct str s)
{
	unsigned n = 0;

	for (size_t i = 0; i < s.n && i < 8 && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '.');
		i++)
		if (s.p[i] != '.')
			n = n * 10 + (unsigned)(s.p[i] - '0');
	return n;
}

/* Is the module for another Python than the one that would open it?  Some other program does, then. */
static bool is_of_another(struct auditing *au, const struct audit_file *python, struct str path)
{
	const struct audit_file *placed = opener_of(au, path);
	struct str name = str_base(path), program;
	ptrdiff_t at = str_find(name, STR(".cpython-"));
	unsigned wanted = at < 0 ? 0 : version_at(str_sub(name, (size_t)at + 9, name.n)), has;

	python = placed ? placed : python;
	if (!python || !wanted)
		return false;
	program = str_base(python->path);
	has = str_starts(program, STR("python")) ? version_at(str_sub(program, 6, program.n)) : 0;
	return has > 9 && has != wanted;
}

static void mark(struct auditing *au, const struct load *l)
{
	for (size_t i = 0; i < l->n_objects; i++)
		if (l->objects[i].file)
			au->loaded[l->objects[i].file - au->tree->files] = true;
}

size_t audit_first_of_module(const struct load *l)
{
	return l->module < 0 || l->objects[l->module].loader >= 0 ? l->n_objects
								  : (size_t)l->module;
}

/* What is loaded is forgotten with the process: all processes together hold many times what files do. */
static int begin(struct auditing *au, const struct audit_process *p, struct err *e)
{
	CLEANUP_ARENA scratch = {0};
	struct load l;

	if (audit_load(au->world, &scratch, p->program, p->module, au->options->symbols, &l, e) < 0)
		return -1;
	au->process = p;
	au->out->n_processes++;
	mark(au, &l);
	if (p->module) {
		au->loaded[p->module - au->tree->files] = true;
		au->opened[p->module - au->tree->files] = p->kind != PROCESS_LIBRARY;
	}
	audit_judge_load(au, &l);
	audit_judge_process(au, &l);
	au->process = NULL;
	return 0;
}

static bool is_of_kind(struct auditing *au, const struct audit_file *f, enum process_kind kind,
	const struct audit_file *python)
{
	if (!audit_counts(f))
		return false;
	switch (kind) {
	case PROCESS_PROGRAM:
		return audit_is_program(f) && !audit_is_data(f->path);
	case PROCESS_MODULE:
		return is_library(f) && is_module(f->path) && !is_of_another(au, python, f->path);
	case PROCESS_PLUGIN:
	case PROCESS_LIBRARY:
		return is_library(f) && !au->loaded[f - au->tree->files] &&
		       !audit_is_data(f->path) && is_linked(f) == (kind == PROCESS_LIBRARY);
	}
	return false;
}

/* As it begins with the file: itself, or opened by who its place says, or by the Python there is. */
static const struct audit_process *process_of(struct auditing *au, const struct audit_file *f,
	enum process_kind kind, const struct audit_file *python)
{
	struct audit_process *p = arena_new(au->a, struct audit_process);

	*p = (struct audit_process){.kind = kind, .name = f->path};
	if (kind == PROCESS_PROGRAM) {
		p->program = f;
		return p;
	}
	p->module = f;
	if (is_of_another(au, python, f->path))
		return p;
	p->program = opener_of(au, f->path);
	p->placed = p->program != NULL;
	if (!p->placed)
		p->program = python;
	return p;
}

int audit_each_process(struct auditing *au, struct err *e)
{
	const struct audit_file *python = any_python(au);

	for (enum process_kind kind = PROCESS_PROGRAM; kind <= PROCESS_LIBRARY; kind++)
		for (size_t i = 0; i < au->tree->n_files; i++) {
			const struct audit_file *f = &au->tree->files[i];

			if (is_of_kind(au, f, kind, python) &&
				begin(au, process_of(au, f, kind, python), e) < 0)
				return -1;
		}
	return 0;
}
