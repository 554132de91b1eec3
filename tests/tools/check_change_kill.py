#!/usr/bin/env python3
"""SIGKILL at system calls of `envbuild install` into an environment that is there.

    check_change_kill.py ENVBUILD WORK POINTS

A change is killed at POINTS places (0: at every place) spread over its system calls; the run after
it, which is sometimes killed too, must complete or undo it.
"""

import os
import random
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from change_lib import World, differences, report, snapshot, write  # noqa: E402
from make_package import SYM, member  # noqa: E402

w = World(*sys.argv[1:3])
points = int(sys.argv[3])
w.env["ASAN_OPTIONS"] = "detect_leaks=0"  # which cannot be looked for under strace
P, OLD = w.path("p"), w.path("old-tree")
CALLS = ["renameat", "rename", "linkat", "unlinkat", "mkdirat", "symlinkat", "openat", "write", "fchmod", "fsync"]
random.seed(7)

w.package("app", "1.0", [member("share/app/%d" % i, b"one %d" % i) for i in range(6)]
          + [member("share/turn", b"file"), member("share/back/x", b"below"), member("etc/conf", b"conf 1"),
             member("share/l", kind=SYM, link="turn")])
w.package("app", "2.0", [member("share/app/%d" % i, b"two %d" % i) for i in range(3, 9)]
          + [member("share/turn/y", b"below"), member("share/back", b"file"), member("etc/conf", b"conf 2"),
             member("share/l", kind=SYM, link="back"), member("share/only/in/2", b"2")])
w.package("lib", "1.0", [member("share/lib", b"lib")])
w.package("gone", "1.0", [member("share/gone/%d" % i, b"gone") for i in range(3)])
w.package("talk", "1.0", [member("share/talk", b"talk"),
                          member("bin/.talk-post-link.sh", b'echo linked >"$PREFIX/share/talked"\n')])
w.index()
old = w.environment("old", ["app=1.0", "lib", "gone"], "variables: {A: one}\n")
news = [w.environment("new", ["app=2.0", "lib"], "variables: {A: two}\n"),
        w.environment("talk", ["app=2.0", "lib", "talk"], "variables: {A: two}\n")]
# A new environment with link scripts is copied; what stays in a changed one was linked.
HISTORY = {"conda-meta/history", "conda-meta/lib-1.0-0.json"}
FOREIGN = {"share/app/mine", "share/gone", "share/gone/mine", "etc/conf.envbuild-old"}

w.install(old, P)
write("mine\n", P, "share/app/mine")
write("mine\n", P, "share/gone/mine")
write("edited\n", P, "etc/conf")
subprocess.run(["cp", "-a", P, OLD], check=True)
before = snapshot(P)
fresh = [w.fresh(new, P) for new in news]


def reset():
    shutil.rmtree(P, ignore_errors=True)
    subprocess.run(["cp", "-a", OLD, P], check=True)


def count_calls(environment):
    """How often each call is made from the first that writes into the prefix on."""
    reset()
    log = w.path("calls")
    w.install(environment, P, before=["strace", "-o", log, "-e", "trace=" + ",".join(CALLS)])
    counts, first = {}, {}
    begun = False
    with open(log) as f:
        for line in f:
            m = re.match(r"(\w+)\(", line)
            if not m:
                continue
            counts[m[1]] = counts.get(m[1], 0) + 1
            begun = begun or ".envbuild-busy" in line
            if begun:
                first.setdefault(m[1], counts[m[1]])
    return [(call, n) for call in sorted(first) for n in range(first[call], counts[call] + 1)]


def kill_at(environment, call, n):
    p = w.install(environment, P, status=None,
                  before=["strace", "-o", "/dev/null", "-e", "trace=" + call,
                          "-e", "inject=%s:signal=KILL:when=%d" % (call, n)])
    return p.returncode in (-9, 137)


def is_old(tree):
    return not differences(tree, before)


def without_time(tree):
    """What the script made has the time of its run."""
    return {k: v[:3] if k == "share/talked" else v for k, v in tree.items()}


def is_new(tree, i):
    return FOREIGN <= set(tree) and not faults(tree, i)


def faults(tree, i):
    return differences(without_time(tree), without_time(fresh[i]), skip=HISTORY | FOREIGN)[:4]


def check(i, call, n):
    """None, or what went wrong with a kill at the Nth such call."""
    reset()
    if not kill_at(news[i], call, n):
        return None if is_new(snapshot(P), i) else "it was not killed, and the tree is wrong"
    killed.append((call, n))
    tree = {k: v for k, v in snapshot(P).items() if not k.startswith(".envbuild-busy")}
    v = w.run("verify", P)
    whole = is_old(tree) or is_new(tree, i)
    if v.returncode == 5 and "did not come to its end" in v.stderr:
        unfinished.append((call, n))
    elif not whole:
        return "verify finds no fault (%d) in a half-made tree: %r" % (v.returncode, faults(tree, i))
    again = random.choice(places[i])
    if len(killed) % 3 == 0 and kill_at(news[i], *again):
        twice.append(again)
    if len(killed) % 2:
        p = w.install(news[i], P, status=None)
        tree = snapshot(P)
        good = is_new(tree, i)
    else:
        p = w.install(old, P, status=None)
        tree = {k: v for k, v in snapshot(P).items()}
        # Undone: as it was, times too.  Completed first: changed back.
        good = is_old(tree) or not differences(tree, before, times=False, skip=HISTORY | FOREIGN | {"etc", "etc/conf", "share/talked"})
    if p.returncode or not good:
        return "after it: %d %r %r" % (p.returncode, p.stderr[-300:], faults(tree, i))
    left = [k for k in tree if ".envbuild-" in k and not k.endswith(".envbuild-old")]
    return "left: %r" % left if left else None


killed, unfinished, twice = [], [], []
places = [count_calls(new) for new in news]
todo = [(i, *place) for i in range(len(news)) for place in places[i]]
if points:
    todo = todo[:: max(1, len(todo) // points)]
problem = None
for i, call, n in todo:
    problem = check(i, call, n)
    if problem:
        problem = "%s %s %d: %s" % (os.path.basename(news[i]), call, n, problem)
        break
report("%d kills of %d places, %d left a change unfinished, %d were killed again"
       % (len(killed), sum(map(len, places)), len(unfinished), len(twice)), problem)
report("the kills hit changes", None if problem or len(unfinished) * 3 >= len(todo) else repr(len(unfinished)))
