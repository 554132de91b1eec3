/*
 * What a command works with: its options, the places on this machine, the network, and a private
 * work folder that is gone when the command ends.
 */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "base/http.h"
#include "builder/package.h"
#include "cli/options.h"
#include "images/store.h"
#include "solver/condarc.h"

struct known_binaries;
struct settings;
struct unsat;

struct session {
	struct arena arena;
	struct command_line line;
	char *cache_dir; /* $ENVBUILD_CACHE, $XDG_CACHE_HOME/envbuild, ~/.cache/envbuild */
	struct cache cache;
	struct condarc condarc;     /* of --condarc; zeroed: none */
	struct channel_rules rules; /* of --condarc and --channel-alias */
	struct http *http;
	char *work; /* empty folder on the cache's file system; NULL until session_work */
	int work_lock;
	struct {
		int *v;
		size_t n, cap;
	} held; /* descriptors that keep images in use */
	unsigned jobs;
	const struct settings
		*settings; /* of the project that the command works on; NULL: of none */
	size_t n_targets;  /* of the project that the command works on; 0: of none */
	const struct known_binaries *known; /* --facts, once they have been read; NULL: not yet */
	const struct unsat *unsat; /* of the last target that has no solution; NULL: none */
};

/* Opens the package cache and the network. */
int session_open(struct session *s, struct err *e);
/*
 * Makes s->work.  It holds a locked file, by which later runs tell the folders of the living from
 * those a killed run left behind; the latter are removed here.
 */
int session_work(struct session *s, struct err *e);
/* The latter alone, for which no room is needed. */
void session_sweep(struct session *s);
/* The images: $ENVBUILD_DATA/images, in $XDG_DATA_HOME/envbuild, ~/.local/share/envbuild. */
int session_store(struct session *s, struct store *out, struct err *e);
/* Removes the work folder and everything else. */
void session_close(struct session *s);

/* The commands, ended by a NULL name. */
extern const struct command commands[];

int command_pack(struct session *s, struct err *e);
int command_lock(struct session *s, struct err *e);
int command_install(struct session *s, struct err *e);
int command_test(struct session *s, struct err *e);
int command_run(struct session *s, struct err *e);
int command_shell(struct session *s, struct err *e);
int command_unpack(struct session *s, struct err *e);
int command_channel_index(struct session *s, struct err *e);
int command_audit(struct session *s, struct err *e);
int command_verify(struct session *s, struct err *e);
int command_diff(struct session *s, struct err *e);
int command_export(struct session *s, struct err *e);
int command_why(struct session *s, struct err *e);
int command_publish(struct session *s, struct err *e);
int command_vault(struct session *s, struct err *e);
int command_deploy(struct session *s, struct err *e);
int command_image_import(struct session *s, struct err *e);
int command_image_list(struct session *s, struct err *e);
int command_image_show(struct session *s, struct err *e);
int command_image_rm(struct session *s, struct err *e);
int command_image_pull(struct session *s, struct err *e);
int command_image_build(struct session *s, struct err *e);
int command_image_probe(struct session *s, struct err *e);
int command_cache_info(struct session *s, struct err *e);
int command_cache_verify(struct session *s, struct err *e);
int command_cache_clean(struct session *s, struct err *e);

/* Status that `envbuild run` and `shell` hand on; other commands leave it at 0. */
extern int command_status;

#endif
