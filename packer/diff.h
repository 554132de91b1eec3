/*
 * What differs between two environments, each an archive, a lock or a prefix.
 *
 *	struct diff_side old, new;
 *	struct diff d;
 *	diff_read(a, "demo-1.0.tar.gz", NULL, &old, e);
 *	diff_read(a, "demo-1.1.tar.gz", NULL, &new, e);
 *	diff_make(a, &old, &new, &d);
 *	diff_markdown(&d, &text);
 *
 * Reading is the only part that can fail; the rest is arithmetic on what was read.  Everything lives
 * in the arena, and the sides must outlive the diff.  What a side does not know (a lock has no files,
 * an @EXPLICIT file no licences) is left out and never counts as a difference.
 * docs/design/diff.md says what is compared with what.
 */
#ifndef PACKER_DIFF_H
#define PACKER_DIFF_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"

enum diff_kind { DIFF_ARCHIVE, DIFF_LOCK, DIFF_PREFIX };

struct diff_package {
	struct str name, version;
	struct str build;   /* of pip's: the commit it was built from; empty: not known */
	struct str channel; /* as people name it: "conda-forge", "pkgs/main"; empty: not known */
	struct str subdir;
	struct str license; /* empty: not known */
	bool pip;           /* a Python distribution that no conda package brought */
	struct str key;     /* the name as pip normalizes it (PEP 503) */
	struct str pypi;    /* by what name PyPI knows it: its purl's, else the same */
	struct str fn;      /* of conda's: its file; empty: not known */
	bool has_sha256;
	uint8_t sha256[SHA256_LEN]; /* of the package's file */
	uint64_t size, unpacked;    /* bytes of the file and of what it holds; 0: not known */
};

struct diff_file {
	struct str path;
	struct str link; /* of a symbolic link */
	bool is_link, has_sha256, has_size;
	uint8_t sha256[SHA256_LEN]; /* as in the package or archive, before any relocation */
	uint64_t size;
};

struct diff_side {
	enum diff_kind kind;
	struct str path;                  /* as given */
	struct str name, version, target; /* empty: not known */
	struct diff_package *packages;    /* conda's first, then pip's; by name */
	size_t n_packages;
	bool has_files;
	struct diff_file *files; /* by path; conda-meta left out */
	size_t n_files;
	uint64_t packed,
		unpacked;    /* bytes of the archive (all parts) and of the files; 0: unknown */
	uint64_t download;   /* bytes of the packages' files, if each is known; else 0 */
	struct str floor;    /* the newest glibc that is needed, "2.17"; empty: not known */
	bool floor_declared; /* only packages' word for it: no file was looked at */
};

/*
 * target: which one of a lock that has several; NULL: its only one.  ERR_USAGE where nothing stands
 * there, it is no environment, or a target has to be chosen (the message lists them); ERR_INPUT for a
 * lock that cannot be read; ERR_INTEGRITY for a broken or hostile archive or prefix, naming the file.
 */
int diff_read(struct arena *a, const char *operand, const char *target, struct diff_side *out,
	struct err *e);
/*
 * Both.  Without a target, what one side was made for chooses from a lock of several on the other, and
 * of two such locks the only target that both have is taken.
 */
int diff_read_both(struct arena *a, const char *old, const char *new, const char *target,
	struct diff_side out[2], struct err *e);

struct diff_change {
	const struct diff_package *old, *new; /* NULL: of what is only there, or only was */
	bool downgrade;
};

struct diff_changes {
	struct diff_change *v; /* by name */
	size_t n, cap;
};

struct diff_paths {
	struct str *v;
	size_t n, cap;
};

struct diff {
	const struct diff_side *old, *new;
	struct diff_changes updated; /* another version, or brought by pip instead of conda */
	struct diff_changes rebuilt; /* the same version of another build (or commit) */
	struct diff_changes added, removed;
	struct diff_changes licences; /* also of what was updated */
	struct diff_changes channels; /* the same */
	bool has_files;
	struct diff_paths files_added, files_removed, files_changed;
	bool same;       /* nothing that is known of both differs */
	bool list_paths; /* set by the caller: the text lists them, and sizes of packages */
};

void diff_make(struct arena *a, const struct diff_side *old, const struct diff_side *new,
	struct diff *out);

/* Appended to the text, each with a newline at its end. */
void diff_text(const struct diff *d, struct buf *to);
/* "## Updated" and so on with a table each, for release notes. */
void diff_markdown(const struct diff *d, struct buf *to);
void diff_json(const struct diff *d, struct buf *to);

#endif
