/* noarch: python packages (CEP 20, CEP 17): where their files go, and their entry points. */
#ifndef BUILDER_PYTHON_H
#define BUILDER_PYTHON_H

#include "base/buf.h"
#include "builder/package.h"

/* The environment's Python; major 0: it has none. */
struct python {
	unsigned major, minor;
	struct str site_packages; /* lib/python3.11/site-packages */
	struct str program;       /* bin/python3.11 */
	struct str stdlib;        /* lib/python3.11, lib/python3.13t */
	size_t package;           /* where it is among the packages */
};

/* Looks for the package named python among them. */
int python_find(struct arena *a, const struct package *packages, size_t n, struct python *out,
	struct err *e);
/* site-packages/x -> the environment's folder, python-scripts/x -> bin/x, else as it is. */
struct str python_map_path(struct arena *a, const struct python *py, struct str path);
/*
 * Is this package path compiled when it is linked?  As in conda: .py files below site-packages/.
 */
bool python_is_source(struct str path);
/* Where the bytecode of a source goes: __pycache__/X.cpython-311.pyc, for Python 2 Xc. */
struct str python_bytecode_path(struct arena *a, const struct python *py, struct str source);
/* lib/python3.11/EXTERNALLY-MANAGED: where pip looks whether it may install (PEP 668). */
struct str python_externally_managed(struct arena *a, const struct python *py);
/*
 * The text of an entry point, as conda writes it for a prefix; NULL: one that finds its Python
 * wherever the prefix lies (entry_point_self_locating()).
 */
void python_entry_point(const struct python *py, const char *prefix_inside,
	const struct entry_point *p, struct buf *to);

#endif
