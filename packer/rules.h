/*
 * What goes into an archive: patterns that leave files out, renames, files of a site's own, and the
 * pre-pack script (docs/design/rules.md).
 *
 *	struct rules r = {0};
 *	*VEC_PUSH(a, &r.exclude) = (struct rule_pattern){.text = STR("*.a"), .place = "--exclude"};
 *	rules_capture(a, "site/x.sh", STR("etc/conda/activate.d/x.sh"), "--add", work, &r, e);
 *	rules_check(a, &r, e);                     before anything is made
 *	install(...);                              the pre-pack script runs in there
 *	rules_apply(a, &r, &content, e);           between the built prefix and the archive
 *	pack_write(&(struct pack_request){.rules = &r, ...});   the manifest tells of them
 *
 * To make an archive again: rules_from_archive() instead of the first three; install_request.compile
 * is false unless rules_compile(), and copy true where there is a script (cli/rules.h does both).
 *
 * A pattern is one of fnmatch(3) over the whole path in the environment, as --allow-clobber's: its
 * star matches slashes too.  It matches what lies below a folder that it matches; "**" and a slash
 * stand for no folder, too.  conda-meta is no rule's to touch.
 */
#ifndef PACKER_RULES_H
#define PACKER_RULES_H

#include "base/hash.h"
#include "base/json.h"
#include "builder/content.h"

#define PRE_PACK_PAPER "pre-pack.sh"

/* ERR_USAGE for a place that is an option, else ERR_INPUT: the code of what is wrong with a rule. */
static inline enum err_code rule_error(const char *place)
{
	return place[0] == '-' ? ERR_USAGE : ERR_INPUT;
}

struct rule_pattern {
	struct str text;    /* as written */
	const char *place;  /* who asks, for messages: "--exclude", "envbuild.yml:3:12" */
	const char **forms; /* of fnmatch, any of which matches (rules_check) */
	size_t n_forms;
	bool matched;
	/* What rules_apply() did: left out by it; of include: kept by it. */
	size_t files;
	uint64_t bytes;
};

struct renamed_file {
	struct str from, to;
};

struct rule_rename {
	struct rule_pattern from;
	struct str to; /* one star in it stands for the base name; without a slash: in its folder */
	struct {
		struct renamed_file *v;
		size_t n, cap;
	} done;
};

/* A file that no package brings. */
struct rule_file {
	struct str path;    /* in the environment */
	const char *source; /* absolute; NULL: a link, or not known yet */
	uint8_t sha256[SHA256_LEN];
	uint64_t size;
	bool executable;
	struct str link;   /* not empty: a symlink with this text */
	const char *place; /* for messages */
};

enum rules_drop { DROP_STATIC_LIBRARIES, DROP_HEADERS, DROP_BYTECODE, DROP_DOCUMENTATION, N_DROPS };

struct rule_patterns {
	struct rule_pattern *v;
	size_t n, cap;
};

/* A zeroed one asks for nothing. */
struct rules {
	struct rule_patterns exclude, include;
	struct {
		struct rule_rename *v;
		size_t n, cap;
	} rename; /* the first that matches a file counts */
	struct {
		struct rule_file *v;
		size_t n, cap;
	} add;
	struct {
		bool asked;
		size_t files;
		uint64_t bytes;
	} drop[N_DROPS];
	uint64_t max_size; /* of the archive in bytes; 0: no limit */
	bool has_pre_pack;
	struct str pre_pack;       /* its text; not in what rules_from_manifest() gives */
	const char *pre_pack_name; /* for messages; neither */
	uint8_t pre_pack_sha256[SHA256_LEN];
	/* Of the content: files of packages that link scripts, pip or the pre-pack script took away or
	 * changed; sorted. */
	struct str *removed, *changed;
	size_t n_removed, n_changed;
};

const char *rules_drop_name(enum rules_drop drop);
/* -1 where nothing is called so. */
int rules_drop_parse(struct str name, enum rules_drop *out);

bool rules_any(const struct rules *r);
/* Is bytecode worth making? */
bool rules_compile(const struct rules *r);

/*
 * Copies a file, or what lies in a folder, into `work` (made; a folder of its own for each call of
 * a run is not needed) and appends it to r->add.  A destination that ends in a slash is the folder
 * to put it into.  Links are kept where they lead to something in the same folder; devices and the
 * like are refused.  The bytes and the mode are those of now.
 */
int rules_capture(struct arena *a, const char *source, struct str destination, const char *place,
	const char *work, struct rules *r, struct err *e);

/*
 * Looks at all that can be said without the content, and prepares the patterns: the error names the rule.
 * Sorts `add`; a path twice is an error, too.
 */
int rules_check(struct arena *a, struct rules *r, struct err *e);

/*
 * Changes the content, and notes in *r what was done.  ERR_USAGE where two files would have one
 * path (both are named), one would lie below another, or a rename would leave the environment.  A
 * rule that matches nothing and links that lead to what went are warned of.
 */
int rules_apply(struct arena *a, struct rules *r, struct content *content, struct err *e);

/*
 * Would a package's file of that path have been left out, renamed, removed or changed, so that what
 * is there now is not the package's?  For who holds lists of packages' files against an unpacked
 * archive.
 */
bool rules_leave_out(const struct rules *r, struct str path);

/*
 * The paths of what is there and no package's: new names, what was added, what was changed and stayed; links,
 * too.  Of rules that were applied or read from a manifest.
 */
const struct str *rules_paths(struct arena *a, const struct rules *r, size_t *n);

/*
 * What manifest.json says of rules: 1, 0 where it has none, -1 with ERR_INTEGRITY.  `where` stands
 * in errors and as each rule's place.  `done` of a rename
 * is filled, counts are not.  rules_check() is still to be called.
 */
int rules_from_manifest(
	struct arena *a, struct str text, const char *where, struct rules *out, struct err *e);
/*
 * The rules by which an archive was packed, ready to make it again: checked, added files copied into
 * `work` (made), the script's text there.  1, 0 where it has none, -1; ERR_INTEGRITY where what it
 * holds is not what its manifest says.
 */
int rules_from_archive(
	struct arena *a, const char *archive, const char *work, struct rules *out, struct err *e);
/* The key "rules" of the manifest; nothing where none was asked for.  NULL is allowed. */
void manifest_rules_write(struct json_out *w, const struct rules *r);

#endif
