#!/usr/bin/env python3
"""What `envbuild install` must do with an environment that is there.

    check_change.py ENVBUILD WORK

Prints "ok NAME" or "fail NAME: DETAIL".
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from change_lib import World, differences, history_packages, read, records, report, snapshot, write  # noqa: E402
from make_package import SYM, member  # noqa: E402

w = World(*sys.argv[1:3])
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"
P = w.path("p")


def text_package(name, version, paths, **more):
    """A package of these files; each holds its own name, version and path, and the prefix."""
    members = [member(p, ("%s %s %s %s\n" % (name, version, p, PLACEHOLDER)).encode()) for p in paths]
    listing = [{"_path": p, "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text"} for p in paths]
    w.package(name, version, members, listing=listing, **more)


def begin(environment):
    shutil.rmtree(P, ignore_errors=True)
    w.install(environment, P)


def words(name, p, *wanted, absent=()):
    missing = [x for x in wanted if x not in p.stderr]
    there = [x for x in absent if x in p.stderr]
    report(name, "%r lacks %r, has %r" % (p.stderr, missing, there) if missing or there else None)


def same_as_fresh(name, environment, foreign=()):
    tree = snapshot(P)
    extra = [f for f in foreign if f not in tree]
    d = differences(tree, w.fresh(environment, P), skip=set(foreign) | {"conda-meta/history"})
    report(name, repr((d[:5], extra)) if d or extra else None)


text_package("lib", "1.0", ["share/lib/a", "share/lib/b"])
text_package("app", "1.0", ["bin/app", "share/app/only-1/x", "share/app/both", "etc/app.conf"], depends=["lib"])
text_package("app", "2.0", ["bin/app", "share/app/only-2/y", "share/app/both", "etc/app.conf"], depends=["lib"])
text_package("extra", "1.0", ["share/extra/e", "share/shared/from-extra"])
text_package("new", "1.0", ["share/new/n", "share/shared/from-new"])
w.package("turn", "1.0", [member("share/turn", b"a file"), member("share/back/x", b"below"), member("share/l", kind=SYM, link="turn")])
w.package("turn", "2.0", [member("share/turn/x", b"below"), member("share/back", b"a file"), member("share/l/z", b"1")])
text_package("thief", "1.0", ["share/thief", "share/lib/a"])
text_package("guest", "1.0", ["share/guest/here"])
w.package("py", "1.0", [member("lib/mod/__init__.py", b""), member("lib/mod/a.py", b"1")])
script = b'echo "$PKG_NAME" >>"$PREFIX/share/unlinked"; echo "$PKG_NAME leaves" >"$PREFIX/.messages.txt"\n'
w.package("low", "1.0", [member("share/low", b"l"), member("bin/.low-pre-unlink.sh", script)])
w.package("high", "1.0", [member("share/high", b"h"), member("bin/.high-pre-unlink.sh", script)], depends=["low"])
w.package("sad", "1.0", [member("share/sad", b"s"), member("bin/.sad-pre-unlink.sh", b"exit 9\n")])
meddle = b'''mkdir -p "$PREFIX/made/by"; echo x >"$PREFIX/made/by/script"; echo "read this" >"$PREFIX/.messages.txt"; exit 7
'''
w.package("breaks", "1.0", [member("share/breaks", b"b"), member("bin/.breaks-post-link.sh", meddle)])
writes = b'echo more >>"$PREFIX/share/lib/a"; exit 7\n'
w.package("writes", "1.0", [member("share/writes", b"b"), member("bin/.writes-post-link.sh", writes)])
w.package("slow", "1.0", [member("share/slow", b"b"), member("bin/.slow-post-link.sh", b"sleep 3\n")])
w.package("append", "1.0", [member("share/append", b"b"),
                            member("bin/.append-post-link.sh", b'echo more >>"$PREFIX/share/py/plain"\n')])
w.package("plain", "1.0", [member("share/py/plain", b"plain\n")])
w.package("gone", "1.0", [member("share/gone", b"x")])
w.index()

old = w.environment("old", ["app=1.0", "extra", "lib"], "variables: {A: one, B: two}\n")
new = w.environment("new", ["app=2.0", "new"], "variables: {A: three}\n")

# --- the difference ---------------------------------------------------------------------------
begin(old)
write("mine\n", P, "share/extra/mine")
write("mine\n", P, "share/app/only-1/__pycache__/x.pyc")
write("edited\n", P, "etc/app.conf")
lib = os.lstat(os.path.join(P, "share/lib/a"))
p = w.install(new, P, "--json")
counts = json.loads(p.stdout)
report("it says what was done", None if (counts["linked"], counts["unlinked"]) == (2, 2) else p.stdout)
foreign = ["share/extra", "share/extra/mine", "share/app/only-1", "share/app/only-1/__pycache__",
           "share/app/only-1/__pycache__/x.pyc", "etc/app.conf.envbuild-old"]
same_as_fresh("the tree is that of a new environment, and what was mine", new, foreign)
report("what stays is not touched", None if os.lstat(os.path.join(P, "share/lib/a")).st_ino == lib.st_ino else "another file")
report("an edited file is kept", None if read(P, "etc/app.conf.envbuild-old") == "edited\n" else "lost")
report("history tells conda what is there", None if history_packages(P) == records(P) else
       repr((history_packages(P), records(P))))
report("it is a revision", None if read(P, "conda-meta/history").count("==> ") == 2 else read(P, "conda-meta/history"))
specs = {n: json.loads(read(P, "conda-meta", n + ".json"))["requested_specs"] for n in records(P)}
report("wishes are those of the new file", None if specs == {"app-2.0-0": ["app=2.0"], "lib-1.0-0": [], "new-1.0-0": ["new"]}
       else repr(specs))
state = json.loads(read(P, "conda-meta/state"))["env_vars"]
report("so are the variables", None if state == {"A": "three"} else repr(state))
report("verify finds no fault", None if w.run("verify", P).returncode == 0 else w.run("verify", P).stdout)
before = snapshot(P)
p = w.install(new, P)
words("the same again is nothing to do", p, "nothing to do")
report("and nothing is touched", repr(differences(before, snapshot(P))[:3]) if before != snapshot(P) else None)
report("no mark is left", repr(os.listdir(P)) if any(n.startswith(".envbuild") for n in os.listdir(P)) else None)

begin(old)
words("an edited file is named", (write("edited\n", P, "etc/app.conf"), w.install(new, P))[1], "etc/app.conf", "changed by somebody")
write("edited again\n", P, "etc/app.conf")
w.install(old, P)
report("a second one gets a name of its own", None if os.path.exists(P + "/etc/app.conf.envbuild-old.1") else repr(os.listdir(P + "/etc")))

turn1, turn2 = w.environment("turn1", ["turn=1.0"]), w.environment("turn2", ["turn=2.0"])
begin(turn1)
w.install(turn2, P)
same_as_fresh("files become folders and folders files", turn2)
w.install(turn1, P)
same_as_fresh("and back", turn1)

with_py, without_py = w.environment("withpy", ["py", "lib"]), w.environment("withoutpy", ["lib"])
begin(with_py)
for name in ("a.cpython-36.pyc", "a.cpython-36.opt-1.pyc"):
    write("code", P, "lib/mod/__pycache__", name)
write("code", P, "lib/mod/a.pyc")
w.install(without_py, P)
same_as_fresh("bytecode of what goes goes too", without_py)

# Environments of others: records without paths_data and sha256, as old conda wrote them.
begin(old)
for dist in records(P):
    path = os.path.join(P, "conda-meta", dist + ".json")
    record = json.loads(read(path))
    for key in ("paths_data", "sha256", "requested_specs", "requested_spec"):
        record.pop(key)
    write(json.dumps(record), path)
p = w.install(w.environment("none", ["app=1.0", "extra", "lib"], "variables: {A: one, B: two}\n"), P, "-v")
report("an old conda's environment: packages are known by md5", None if ", 0 linked" in p.stderr else p.stderr)
w.install(new, P)
report("and changed", None if records(P) == ["app-2.0-0", "lib-1.0-0", "new-1.0-0"] else repr(records(P)))

# --- what is in the way -----------------------------------------------------------------------
guest = w.environment("guest", ["lib", "guest"])
begin(without_py)
write("mine\n", P, "share/guest/here")
before = snapshot(P)
p = w.install(guest, P, status=5)
words("a file of nobody in the way", p, "share/guest/here", "guest-1.0-0.conda", "--allow-clobber")
report("nothing was touched", repr(differences(before, snapshot(P))[:3]) if before != snapshot(P) else None)
p = w.install(guest, P, "--allow-clobber", "share/guest/*")
same_as_fresh("is replaced where that is allowed", guest)
thief = w.environment("thief", ["lib", "thief"])
begin(without_py)
before = snapshot(P)
p = w.install(thief, P, status=5)
words("a file of a package that stays", p, "share/lib/a", "thief-1.0-0.conda", "lib-1.0-0.conda")
report("nothing was touched by that", repr(differences(before, snapshot(P))[:3]) if before != snapshot(P) else None)
p = w.install(thief, P, "--allow-clobber", "share/lib/a")
report("the later package wins where it is allowed", None if read(P, "share/lib/a").startswith("thief") else "no")
w.install(without_py, P)
report("what both have stays when one goes", None if os.path.exists(P + "/share/lib/a") else "it went")
shutil.rmtree(P)
write("mine\n", P, "mine")
words("a folder that is no environment", w.install(old, P, status=2), "not empty")
begin(old)
write('{"message": "ask Ann"}', P, "conda-meta/frozen")
before = snapshot(P)
words("a frozen environment", w.install(new, P, status=2), "frozen", "ask Ann", "conda-meta/frozen")
report("is left alone", repr(differences(before, snapshot(P))[:3]) if before != snapshot(P) else None)
w.install(old, P)
os.makedirs(os.path.join(P, "conda-meta/envbuild"))
words("an unpacked archive", w.install(new, P, status=2), "archive")
begin(old)
write('{"name": "bad", "version": "1", "build": "0", "files": ["../../etc/passwd"]}', P, "conda-meta/bad-1-0.json")
words("a record that leads out", w.install(new, P, status=5), "bad-1-0.json", "../../etc/passwd")
write('{"name": "app", "version": "1", "build": "0", "files": []}', P, "conda-meta/bad-1-0.json")
words("two records of one package", w.install(new, P, status=5), "bad-1-0.json", "app-1.0-0.json")
begin(old)
path = os.path.join(P, "conda-meta/extra-1.0-0.json")
record = json.loads(read(path))
record["files"] = record["files"] + ["conda-meta/lib-1.0-0.json", "link/victim"]
record["paths_data"]["paths"] += [{"_path": p, "path_type": "hardlink"} for p in ("conda-meta/lib-1.0-0.json", "link/victim")]
write(json.dumps(record), path)
os.mkdir(w.path("outside"))
write("victim\n", w.path("outside", "victim"))
os.symlink(w.path("outside"), os.path.join(P, "link"))
w.install(new, P)
report("a record cannot take other records or what is behind a link", None if os.path.exists(w.path("outside", "victim"))
       and "lib-1.0-0" in records(P) else "it did")

# --- scripts ----------------------------------------------------------------------------------
begin(w.environment("high", ["high", "sad", "lib"]))
p = w.install(without_py, P)
report("pre-unlink scripts run, dependents first", None if read(P, "share/unlinked") == "high\nlow\n" else "no")
words("their messages are shown, a failure is a warning", p, "high leaves", "low leaves", "pre-unlink script of package 'sad")
for name, foreign_change in (("breaks", False), ("writes", True)):
    begin(old)
    write("mine\n", P, "share/extra/mine")
    environment = w.environment(name, ["lib", "app=2.0", name])
    before = snapshot(P)
    p = w.install(environment, P, status=1)
    words("a failing post-link script (%s)" % name, p, "post-link", "status 7", "as it was before")
    after = snapshot(P)
    if foreign_change:
        words("what it wrote into is named", p, "share/lib/a", "cannot be brought back")
        before.pop("share/lib/a"), after.pop("share/lib/a")
    else:
        words("its message is shown", p, "read this")
    report("is undone (%s)" % name, repr(differences(before, after)[:5]) if before != after else None)
begin(w.environment("plain", ["plain", "gone"]))
inode = os.lstat(os.path.join(P, "share/py/plain")).st_nlink
w.install(w.environment("append", ["plain", "append"]), P)
report("a script reaches what is in the prefix", None if read(P, "share/py/plain") == "plain\nmore\n" else "no")
begin(w.environment("plain", ["plain"]))
report("and not the cache through a hard link (%d)" % inode, None if read(P, "share/py/plain") == "plain\n" else "changed")

# --- interrupted, and undone --------------------------------------------------------------------
slow = w.environment("slow", ["lib", "slow"])


def begin_slow():
    """Starts a change that waits in a script, when its files are there."""
    p = subprocess.Popen([w.program, "install", slow, "-p", P, "-q"], env=w.env, stderr=subprocess.PIPE, universal_newlines=True,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))  # which background jobs ignore
    for _ in range(500):
        if os.path.exists(os.path.join(P, "share/slow")):
            break
        time.sleep(0.02)
    return p


begin(old)
before = snapshot(P)
p = begin_slow()
p.send_signal(signal.SIGINT)
report("an interrupt ends it", None if p.wait() == -signal.SIGINT else repr((p.returncode, p.stderr.read())))
report("and what was done is undone", repr(differences(before, snapshot(P))[:5]) if before != snapshot(P) else None)

# A lock knows neither wishes nor variables: what is noted of them stays.
w.run("lock", old, "-o", w.path("old.lock"), status=0)
begin(old)
before = snapshot(P)
words("a lock as the wish", w.install(w.path("old.lock"), P), "nothing to do")
report("touches nothing", repr(differences(before, snapshot(P))[:3]) if before != snapshot(P) else None)

# --- two at once ------------------------------------------------------------------------------
begin(without_py)
first = begin_slow()
mark = os.path.join(P, ".envbuild-busy")
words("a second run at the same time", w.install(old, P, status=1), "another envbuild works",
      "process %d" % first.pid, socket.gethostname(), "since")
words("verify says so too", w.run("verify", P, status=1), "another envbuild works")
report("the first one ends well", None if first.wait() == 0 and records(P) == ["lib-1.0-0", "slow-1.0-0"] else "no")
write("999999\n%s\n2026-01-01 00:00:00Z\n" % socket.gethostname(), mark)
w.install(without_py, P)
report("the mark of a dead process is taken over", None if not os.path.exists(mark) else "it is there")
write("1\nsome-other-host\n2026-01-01 00:00:00Z\n", mark)
words("that of another host is not", w.install(slow, P, status=1), "some-other-host", ".envbuild-busy", "since 2026-01-01")
os.remove(mark)
