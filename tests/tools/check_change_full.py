#!/usr/bin/env python3
"""A disk that fills up while an environment on it is changed.

    check_change_full.py ENVBUILD WORK DISK

DISK is a small file system of its own.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from change_lib import World, differences, report, snapshot  # noqa: E402
from make_package import member  # noqa: E402

w = World(*sys.argv[1:3])
P = os.path.join(sys.argv[3], "p")
fill = b'cat /dev/zero >"$PREFIX/share/filler"; true\n'
w.package("app", "1.0", [member("share/old%d" % i, os.urandom(10000)) for i in range(9)])
w.package("app", "2.0", [member("share/new%d" % i, os.urandom(10000)) for i in range(9)] + [member("bin/.app-post-link.sh", fill)])
w.index()
w.install(w.environment("old", ["app=1.0"]), P)
before = snapshot(P)
p = w.install(w.environment("new", ["app=2.0"]), P, status=1)
report("a full disk is named, with the file", None if "No space left" in p.stderr and "conda-meta/app-2.0-0.json" in p.stderr else p.stderr)
report("and the change undone on it", repr(differences(before, snapshot(P))[:5]) if before != snapshot(P) else None)
