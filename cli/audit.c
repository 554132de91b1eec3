/* envbuild audit: can every binary file load on the target's hosts? */
#include "base/file.h"
#include "base/log.h"
#include "cli/audit_facts.h"
#include "cli/audit_gate.h"
#include "cli/environment.h"
#include "cli/image_root.h"
#include "packer/archive_in.h"
#include "packer/audit_report.h"
#include "packer/audit_tree.h"
#include "packer/pack.h"
#include "packer/relocator/relocate.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

/*
 * Operands, and what is one tree: environments and archives each by itself; all package files
 * together, as if they were installed into one; all single files together.
 */
enum kind { KIND_PREFIX, KIND_ARCHIVE, KIND_PACKAGES, KIND_FILES, KINDS };

struct group {
	enum kind kind;
	const char **operands;
	size_t n;
};

struct groups {
	struct group *v;
	size_t n, cap;
};

/* --- operands --------------------------------------------------------------------------------- */

/* A folder that an archive of ours was written to as it is still has its placeholders. */
static enum kind kind_of_folder(const char *path)
{
	CLEANUP_FD fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char prefix[RELOCATE_PATH_MAX + 1];
	struct relocate_error why = {0};
	struct stat st;

	if (fd >= 0 &&
		fstatat(fd, "conda-meta/envbuild/manifest.json", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		relocate_recorded(fd, prefix, &why) == 0)
		return KIND_ARCHIVE;
	return KIND_PREFIX;
}

static bool begins_with(struct str head, size_t at, struct str magic)
{
	return str_starts(str_sub(head, at, head.n), magic);
}

/* conda-pack calls archives as conda calls packages.  What cannot be read is said by who reads it next. */
static bool is_environment(const char *path)
{
	struct err why = {0};
	struct archive_in *in = archive_open(path, &why);
	bool found = false;
	struct member m;

	while (in && !found && archive_next(in, &m, &why) > 0 && !str_is(m.path, "info/index.json"))
		found = str_starts(m.path, STR("conda-meta/"));
	archive_close(in);
	err_release(&why);
	return found;
}

/* By how it begins; what conda calls a package is one. */
static enum kind kind_of_file(const char *path)
{
	static const struct {
		size_t at;
		struct str magic;
	} archives[] = {{0, STR_INIT("\x1f\x8b")}, {0, STR_INIT("\x28\xb5\x2f\xfd")},
		{0, STR_INIT("\xfd"
			     "7zXZ")},
		{0, STR_INIT("BZh")}, {0, STR_INIT("hsqs")}, {257, STR_INIT("ustar")}};
	CLEANUP_FD fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct str name = str_of(path_base(path));
	char bytes[512];
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, sizeof bytes, 0);
	struct str head = str_n(bytes, n < 0 ? 0 : (size_t)n);
	enum pack_format format;

	if (str_ends(name, STR(".conda")))
		return KIND_PACKAGES;
	if (str_ends(name, STR(".tar.bz2")))
		return is_environment(path) ? KIND_ARCHIVE : KIND_PACKAGES;
	for (size_t i = 0; i < sizeof archives / sizeof *archives; i++)
		if (begins_with(head, archives[i].at, archives[i].magic))
			return KIND_ARCHIVE;
	/* The first part of a split one need not begin like one in a tar without compression. */
	return pack_format_of_path(path, &format) == 0 ? KIND_ARCHIVE : KIND_FILES;
}

static int kind_of(const char *path, enum kind *out, struct err *e)
{
	enum environment_kind kind;
	struct stat st;

	if (stat(path, &st) < 0) {
		/* It may be there in parts. */
		*out = KIND_ARCHIVE;
		return environment_kind(path, &kind, e);
	}
	*out = S_ISDIR(st.st_mode) ? kind_of_folder(path) : kind_of_file(path);
	return 0;
}

static struct group *group_of(struct session *s, struct groups *groups, enum kind kind)
{
	bool together = kind == KIND_PACKAGES || kind == KIND_FILES;

	for (size_t i = 0; together && i < groups->n; i++)
		if (groups->v[i].kind == kind)
			return &groups->v[i];
	*VEC_PUSH(&s->arena, groups) = (struct group){
		.kind = kind, .operands = arena_array(&s->arena, const char *, s->line.n_operands)};
	return &groups->v[groups->n - 1];
}

/* Files that are written are of one of them. */
static int check_outputs(const struct session *s, size_t n, struct err *e)
{
	const struct options *o = &s->line.options;

	if (!o->reports.n && !o->export_facts)
		return 0;
	err_set(e, ERR_USAGE, "--%s is of one audit, and these are %zu",
		o->reports.n ? "report" : "export-facts", n);
	return err_advise(
		e, "name one archive or environment, or only packages, or only single files");
}

static int group_operands(struct session *s, struct groups *out, struct err *e)
{
	for (size_t i = 0; i < s->line.n_operands; i++) {
		struct group *g;
		enum kind kind;

		if (kind_of(s->line.operands[i], &kind, e) < 0)
			return -1;
		g = group_of(s, out, kind);
		g->operands[g->n++] = s->line.operands[i];
	}
	return out->n > 1 ? check_outputs(s, out->n, e) : 0;
}

static int read_tree(
	struct session *s, const struct group *g, struct audit_tree *out, struct err *e)
{
	struct arena *a = &s->arena;
	const char *work;

	switch (g->kind) {
	case KIND_PREFIX:
		return audit_tree_prefix(a, &s->cache, g->operands[0], s->jobs, out, e);
	case KIND_ARCHIVE:
		return audit_tree_archive(a, g->operands[0], out, e);
	case KIND_PACKAGES:
		work = path_join(a, s->work, "packages");
		return dir_make(work, e) < 0
			       ? -1
			       : audit_tree_package_files(a, g->operands, g->n, work, out, e);
	case KIND_FILES:
		return audit_tree_files(a, g->operands, g->n, out, e);
	case KINDS:
		break;
	}
	return -1;
}

/* --- targets ---------------------------------------------------------------------------------- */

struct targets {
	struct profile *v;
	size_t n;
};

static int given_targets(struct session *s, struct targets *out, struct err *e)
{
	const struct text_list *given = &s->line.options.targets;

	out->n = given->n;
	out->v = arena_array(&s->arena, struct profile, given->n);
	for (size_t i = 0; i < given->n; i++)
		if (profile_find(&s->arena, given->v[i], ".", &out->v[i], e) < 0)
			return -1;
	return 0;
}

/* That it was made for.  An archive that was seen to have none is not read again. */
static int own_target(struct session *s, const struct group *g, const struct audit_tree *tree,
	struct targets *out, struct err *e)
{
	bool carries = g->kind == KIND_PREFIX || (g->kind == KIND_ARCHIVE && tree->has_target);

	out->n = 1;
	out->v = arena_new(&s->arena, struct profile);
	return carries ? environment_profile(s, g->operands[0], out->v, e)
		       : profile_find(&s->arena, "host", ".", out->v, e);
}

/* Of --image, the profile's own, the target's image; of host it is this machine's. */
static int find_root(
	struct session *s, const struct profile *profile, const char **out, struct err *e)
{
	struct engine_options options = {0};

	if (environment_options(s, profile, &options, e) < 0 || image_root(s, &options, e) < 0)
		return -1;
	*out = image_root_folder(&options);
	if (!*out && profile->host)
		*out = "/";
	if (!*out)
		log_note("target '%.*s' has no image here: held against what its profile lists",
			STR_ARG(profile->name));
	return 0;
}

/* --- what comes of it ------------------------------------------------------------------------- */

struct results {
	struct buf documents; /* of --json */
	size_t n;
	struct err worst; /* of the first that has errors */
};

static void tell(struct session *s, const struct audit *audit, struct results *r)
{
	CLEANUP_BUF text = {0};

	if (s->line.options.json) {
		if (r->n++)
			buf_puts(&r->documents, ",\n");
		audit_json(audit, &text);
		buf_str(&r->documents, str_trim(buf_view(&text)));
		return;
	}
	audit_text(&s->arena, audit, s->line.options.verbose > 0, &text);
	if (r->n++)
		putchar('\n');
	if (s->line.n_operands > 1)
		printf("%s\n", audit->tree->what);
	fwrite(text.p, 1, text.n, stdout);
}

/* One document as it is; several are an array. */
static void print_documents(const struct session *s, const struct results *r)
{
	if (s->line.options.json && r->n)
		printf("%s%.*s%s\n", r->n > 1 ? "[" : "", STR_ARG(buf_view(&r->documents)),
			r->n > 1 ? "]" : "");
}

static int judge(struct session *s, const struct audit_tree *tree, const struct profile *profile,
	struct results *r, struct err *e)
{
	struct audit_options options;
	struct err failed = {0};
	struct audit audit;
	const char *root;

	if (find_root(s, profile, &root, e) < 0 ||
		audit_options_fill(s, profile, root, &options, e) < 0 ||
		audit_run(&s->arena, tree, &options, &audit, e) < 0 ||
		audit_write_reports(s, &audit, e) < 0)
		return -1;
	tell(s, &audit, r);
	if (audit_gate(s, &audit, &failed) < 0 && r->worst.code == ERR_NONE)
		return err_move(&r->worst, &failed), 0;
	err_release(&failed);
	return 0;
}

static int audit_group(struct session *s, const struct group *g, struct results *r, struct err *e)
{
	struct audit_tree *tree = arena_new(&s->arena, struct audit_tree);
	struct targets targets;

	/* A child that asks the driver costs more the more memory we have. */
	bool late = g->kind == KIND_ARCHIVE;

	if (given_targets(s, &targets, e) < 0 ||
		(!targets.n && !late && own_target(s, g, tree, &targets, e) < 0) ||
		read_tree(s, g, tree, e) < 0 ||
		(!targets.n && late && own_target(s, g, tree, &targets, e) < 0) ||
		audit_export_facts(s, tree, e) < 0)
		return -1;
	for (size_t i = 0; i < targets.n; i++)
		if (judge(s, tree, &targets.v[i], r, e) < 0)
			return -1;
	return 0;
}

/* Without operands there is nothing to judge: what the cache knows can be handed on. */
static int audit_nothing(struct session *s, struct err *e)
{
	if (s->line.options.export_facts)
		return session_open(s, e) < 0 ? -1 : audit_export_cache(s, e);
	err_set(e, ERR_USAGE, "'envbuild audit' needs %s", s->line.command->operands);
	return err_advise(e, "see 'envbuild audit --help'");
}

int command_audit(struct session *s, struct err *e)
{
	struct groups groups = {0};
	struct results r = {0};
	int rc = 0;

	if (s->line.options.facts.n && !s->line.options.export_facts)
		return err_set(e, ERR_USAGE,
			"--facts goes with --export-facts: what is audited is read itself");
	if (s->line.n_operands == 0)
		return audit_nothing(s, e);
	if (group_operands(s, &groups, e) < 0 || session_open(s, e) < 0 || session_work(s, e) < 0)
		return -1;
	s->n_targets = s->line.options.targets.n;
	for (size_t i = 0; i < groups.n && rc == 0; i++)
		rc = audit_group(s, &groups.v[i], &r, e);
	if (rc == 0)
		print_documents(s, &r);
	buf_release(&r.documents);
	if (rc == 0 && r.worst.code != ERR_NONE)
		return err_move(e, &r.worst);
	err_release(&r.worst);
	return rc;
}
