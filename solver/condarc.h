/*
 * A configuration file of conda, read only where --condarc names it (docs/design/condarc.md).
 *
 *	channels: [internal, conda-forge]
 *	channel_alias: https://conda.example
 *	default_channels: [https://conda.example/main]
 *	custom_channels: {internal: "https://conda.example/t/${TOKEN}/"}
 *	custom_multichannels: {all: [internal, conda-forge]}
 *	mirrored_channels: {conda-forge: [https://mirror.example/conda-forge]}
 *	channel_priority: strict
 *	pkgs_dirs: [~/miniforge3/pkgs]
 *	ssl_verify: /etc/ssl/ours.pem
 *	proxy_servers: {http: "http://proxy:3128", https://repo.example: "http://other:3128"}
 *	remote_connect_timeout_secs: 10
 *
 * ${NAME} and $NAME are put in where the environment has them, as conda does, in all values but
 * numbers and switches; "~/" begins pkgs_dirs and ssl_verify.
 */
#ifndef SOLVER_CONDARC_H
#define SOLVER_CONDARC_H

#include "solver/channel.h"

struct condarc_proxy {
	struct str key;   /* "http", "https", "all", or "https://host" */
	struct str proxy; /* empty: none */
};

struct condarc {
	const char *path, *dir; /* as given, and its folder; NULL: there is none */
	uint8_t sha256[32];     /* of the file */
	struct str *channels;
	size_t n_channels;
	struct channel_rules rules;     /* alias, default, custom and multichannels */
	struct channel_group *mirrored; /* a channel, and where alone its files are asked for */
	size_t n_mirrored;
	bool has_priority;
	enum channel_priority priority;
	struct str *pkgs_dirs;
	size_t n_pkgs_dirs;
	bool offline;
	struct str ca_file; /* empty: the usual ones */
	struct condarc_proxy *proxies;
	size_t n_proxies;
	/* Milliseconds; 0: not given. */
	uint64_t connect_ms, read_ms, pause_ms;
	bool has_retries;
	unsigned retries;
	/* Keys that do nothing here: conda's, and such as conda does not have either. */
	struct str *unused, *unknown;
	size_t n_unused, n_unknown;
};

/*
 * name stands in messages, dir is what relative paths begin at.  ERR_INPUT "NAME:LINE:COLUMN: ...",
 * without values, since these may be secret; also for ssl_verify: false.
 */
int condarc_parse(struct arena *a, const char *name, const char *dir, struct str text,
	struct condarc *out, struct err *e);
/* ERR_USAGE where there is no such file. */
int condarc_read(struct arena *a, const char *path, struct condarc *out, struct err *e);

#endif
