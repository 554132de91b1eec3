/* Links that lead nowhere, and scripts that nothing can run. */
#include "packer/audit_inside.h"

static bool is_of_note(struct str path)
{
	return str_starts(path, STR("bin/")) ||
	       (str_starts(path, STR("lib/")) &&
		       (str_ends(path, STR(".so")) || str_find(path, STR(".so.")) > 0));
}

/* 1 it leads somewhere, 0 not, -1 nobody knows. */
static int leads(struct auditing *au, struct str path)
{
	struct str outside;

	if (audit_tree_has(au->tree, path))
		return 1;
	if (!audit_tree_leaves(au->a, au->tree, path, &outside))
		return 0;
	/* What the kernel makes is in no image. */
	if (str_starts(outside, STR("/dev/")) || str_starts(outside, STR("/proc/")))
		return -1;
	return au->out->against_root ? loader_has_path(au->loader, outside) : -1;
}

static void judge_link(struct auditing *au, const struct audit_file *f)
{
	struct audit_finding *x;

	if (leads(au, f->path) != 0)
		return;
	x = audit_add(au,
		&(struct audit_saying){RULE_LINK, is_of_note(f->path) ? LEVEL_WARNING : LEVEL_INFO,
			SURE_CERTAIN, f, f->link, (struct str){0}});
	if (!x->text.n)
		x->text = arena_strf(au->a, "%.*s is a link to '%.*s', which is not there",
			STR_ARG(audit_name_file(au, f)), STR_ARG(f->link));
}

/* --- scripts -------------------------------------------------------------------------------- */

static struct str word(struct str *rest)
{
	struct str w;

	*rest = str_trim(*rest);
	w = str_cut(rest, ' ');
	return w;
}

/* A program that `env` looks for: in the environment, then where hosts have theirs.  As leads(). */
static int has_command(struct auditing *au, struct str name)
{
	static const char *const folders[] = {
		"/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"};

	int own = leads(au, arena_strf(au->a, "bin/%.*s", STR_ARG(name)));

	if (own != 0)
		return own;
	if (!au->out->against_root)
		return -1;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (loader_has_path(
			    au->loader, arena_strf(au->a, "%s/%.*s", folders[i], STR_ARG(name))))
			return 1;
	return 0;
}

static int has_program(struct auditing *au, struct str path)
{
	struct str rel;
	ptrdiff_t bin;

	if (audit_inside(au->tree, path, &rel))
		return leads(au, rel);
	if (!str_starts(path, STR("/")))
		return -1;
	bin = str_find(path, STR("/bin/"));
	if (audit_is_placeholder(path))
		return bin < 0 ? -1
			       : audit_tree_has(au->tree, str_sub(path, (size_t)bin + 1, path.n));
	return au->out->against_root ? loader_has_path(au->loader, path) : -1;
}

/* What runs the script: *name is what is looked for.  As leads(). */
static int has_interpreter(struct auditing *au, struct str line, struct str *name)
{
	struct str rest = line, first = word(&rest);

	*name = first;
	if (!str_is(first, "/usr/bin/env") && !str_is(first, "/bin/env"))
		return has_program(au, first);
	do
		*name = word(&rest);
	while (rest.p && ((name->n && name->p[0] == '-') || str_chr(*name, '=') >= 0));
	if (!name->n || name->p[0] == '-')
		return -1;
	return str_chr(*name, '/') >= 0 ? has_program(au, *name) : has_command(au, *name);
}

static void judge_script(struct auditing *au, const struct audit_file *f)
{
	struct audit_finding *x;
	struct str name;

	if (!(f->mode & 0111) || audit_is_data(f->path) ||
		has_interpreter(au, f->interpreter, &name) != 0)
		return;
	x = audit_add(au, &(struct audit_saying){RULE_INTERPRETER,
				  str_starts(f->path, STR("bin/")) ? LEVEL_WARNING : LEVEL_INFO,
				  SURE_LIKELY, f, name, (struct str){0}});
	if (!x->text.n)
		x->text = arena_strf(au->a,
			"the script %.*s is run by '%.*s', which neither the environment nor "
			"target '%.*s' has",
			STR_ARG(audit_name_file(au, f)), STR_ARG(name), STR_ARG(au->profile->name));
}

/* A library that others need stands in their way at least; of what nobody asks for nothing is known. */
static void judge_unread(struct auditing *au, const struct audit_file *f)
{
	struct audit_finding *x =
		audit_add(au, &(struct audit_saying){RULE_UNREAD, LEVEL_WARNING, SURE_CERTAIN, f,
				      (struct str){0}, (struct str){0}});

	if (!x->text.n)
		x->text = arena_strf(au->a, "%s%.*s could not be looked at: %s",
			f->type == PATH_DIRECTORY ? "the folder " : "",
			STR_ARG(audit_name_file(au, f)), f->unread);
}

void audit_judge_place(struct auditing *au, const struct audit_file *f)
{
	if (f->unread)
		judge_unread(au, f);
	/* Links and scripts of packages come into being when they are installed. */
	if (au->tree->of_packages || au->tree->alone)
		return;
	if (f->type == PATH_SOFTLINK)
		judge_link(au, f);
	else if (f->interpreter.n)
		judge_script(au, f);
}
