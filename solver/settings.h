/*
 * envbuild.yml beside environment.yml: what would be options (docs/design/environment.md).
 *
 *	targets: [rhel7, debian12]
 *	channels: [conda-forge]
 *	mirrors: {conda-forge: [https://mirror.example/conda-forge, /srv/conda-forge]}
 *	test: run-test.sh                      or
 *	test: {script: run-test.sh, timeout: 600, quota: 2G}
 *	pack: {format: tar.gz, version: 2.1, split: 1500M, dest-prefix: /opt/site, frozen: true, externally-managed: true}
 *	pack:
 *	  exclude: [share/doc, "*.a"]
 *	  include: [share/doc/licences]
 *	  drop: [headers, bytecode]
 *	  rename: {"bin/dbus-*": "*.donotuse"}
 *	  add: {site/activate.d/site.sh: etc/conda/activate.d/}
 *	  max-size: 2G
 *	hooks: {pre-pack: prepare.sh}
 *	audit:
 *	  ignore:
 *	  - {rule: library-not-found, pattern: libX11.so.6, reason: hosts without a screen}
 *
 * A list may be written as one word.  A key that is not known is an error: a typing mistake must
 * not pass in silence.
 */
#ifndef SOLVER_SETTINGS_H
#define SOLVER_SETTINGS_H

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

struct mirror_setting {
	struct str channel, mirror; /* as written */
	const char *place;          /* "PATH:LINE:COLUMN", for messages */
};

/* What goes into the archive (packer/rules.h), as written. */
struct rule_setting {
	struct str text, to; /* to: of rename and add */
	const char *place;   /* "PATH:LINE:COLUMN", for messages */
};

struct rule_settings {
	struct rule_setting *v;
	size_t n;
};

/* A finding of the audit that does not count (images/policy.h), as written. */
struct ignore_setting {
	struct str rule, pattern, reason; /* empty: not given */
	const char *place;                /* "PATH:LINE:COLUMN", for messages */
};

struct settings {
	const char *path; /* NULL: there was none */
	struct str *targets, *channels;
	size_t n_targets, n_channels;
	struct mirror_setting *mirrors;
	size_t n_mirrors;
	struct str test_script;  /* relative to the file's folder; empty: none */
	unsigned test_timeout;   /* seconds; 0: not given */
	uint64_t test_quota;     /* bytes; 0: not given */
	struct str format;       /* pack format; empty: not given */
	struct str version;      /* of the release; empty: not given */
	uint64_t split;          /* bytes of a part; 0: not given */
	struct str dest_prefix;  /* where the archive's files will lie; empty: not given */
	bool frozen;             /* conda-meta/frozen (CEP 22) */
	bool externally_managed; /* EXTERNALLY-MANAGED (PEP 668) */
	struct rule_settings exclude, include, drop, rename, add;
	uint64_t max_size;   /* bytes of the archive; 0: not given */
	struct str pre_pack; /* relative to the file's folder; empty: none */
	struct ignore_setting *ignores;
	size_t n_ignores;
};

/* Absent: *out is zeroed and 0 returned.  ERR_INPUT "PATH:LINE:COLUMN: ...". */
int settings_read(struct arena *a, const char *path, struct settings *out, struct err *e);

#endif
