/*
 * Where a release appears: its name, its temporary, the files beside it.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include "cli/plan.h"
#include "packer/pack.h"

struct output {
	char *path; /* NAME.tar.gz as the user will see it */
	char *temp; /* written and tested under this name, on the same file system */
	char *stem; /* path without the format's ending: NAME.sha256 stands beside NAME.tar.gz */
	enum pack_format format;
	uint64_t split; /* bytes of a part; 0: it is not split */
	/*
	 * A locked file, which tells the living from what a killed run left, and is the temporary
	 * itself; parts, a folder and papers are made in `folder` beside it.
	 */
	char *guard, *folder;
	int lock; /* -1: none */
};

/* Its name alone, by the same rules: nothing is written or removed. */
int output_name(struct session *s, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e);
/*
 * -o, else NAME.tar.gz (NAME-TARGET.tar.gz for several targets) in the working folder.  The ending
 * decides the format, else --format, envbuild.yml, the profile; a --format that disagrees with it is
 * ERR_USAGE.  Removes temporaries of the same name that killed runs left; an interrupt removes ours.
 */
int output_begin(struct session *s, const struct project *p, const struct plan *plan,
	struct output *out, struct err *e);
/* The temporary, or its parts, become the archive (packer/replace.h). */
int output_release(struct output *out, size_t n_parts, struct err *e);
/* Removes the temporary if it is still there.  A zeroed or released output is fine. */
void output_abort(struct output *out);
/* Path of NAME.ENDING beside the archive. */
char *output_beside(struct arena *a, const struct output *out, const char *ending);
/* Writes NAME.ENDING. */
int output_write_beside(struct arena *a, const struct output *out, const char *ending,
	struct str text, struct err *e);
/* A path in the session's work folder. */
char *output_work_path(struct arena *a, const struct session *s, const char *name);
/* dir/_... padded to exactly `length` characters; dir itself where it is too long for that. */
char *output_padded_prefix(struct arena *a, const char *dir, size_t length);
/* Under --json: prints the document and a newline on stdout. */
void output_document(const struct options *o, const struct buf *text);
/* Prints documents that stand one to a line: alone as it is, several as a JSON array. */
void output_json_documents(struct str lines, size_t n);

#endif
