/* Private to solver/why_*.c: who needs whom in a solution. */
#ifndef SOLVER_WHY_GRAPH_H
#define SOLVER_WHY_GRAPH_H

#include "base/table.h"
#include "solver/pep508.h"
#include "solver/why.h"

struct node;

struct edge {
	struct node *from, *to;
	struct str text;
};

struct edge_list {
	struct edge **v;
	size_t n, cap;
};

struct node {
	struct str name, version, build;
	const struct record *record;        /* NULL: not conda's */
	const struct pypi_package *package; /* NULL: not PyPI's */
	struct str *extras;                 /* groups of dependencies that somebody asks for */
	size_t n_extras;
	struct edge_list in, out;
	/* The shortest way here: from a line, or over an edge. */
	bool reached;
	const struct root *root;
	const struct edge *by;
	/* The shortest way from here to what is asked about; scratch of one question. */
	const struct edge *on;
	bool leads;
};

/* A line of the user. */
struct root {
	struct str where, text;
	struct node *to;
	size_t number;
};

struct node_list {
	struct node **v;
	size_t n, cap;
};

struct why_graph {
	struct arena *a;
	const struct why_request *request;
	struct table conda, pypi; /* name -> node; a distribution in a conda package is that */
	struct node_list nodes;
	struct {
		struct root **v;
		size_t n, cap;
	} roots;
	struct marker_env env;
	bool has_python;
};

/* NULL: there is none of that name. */
struct node *why_node(const struct table *t, struct str name);

#endif
