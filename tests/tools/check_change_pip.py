#!/usr/bin/env python3
"""pip's part of a change, with a real Python.

    check_change_pip.py ENVBUILD WORK CHANNEL
"""

import base64
import hashlib
import os
import subprocess
import sys
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from change_lib import World, differences, report, snapshot, write  # noqa: E402

w = World(*sys.argv[1:3])
w.channel.folder = sys.argv[3]
P = w.path("p")


def wheel(name, version, files):
    info = "%s-%s.dist-info" % (name, version)
    files = dict(files, **{info + "/METADATA": "Metadata-Version: 2.1\nName: %s\nVersion: %s\n" % (name, version),
                           info + "/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"})
    rows = ""
    with zipfile.ZipFile(w.path("wheels", "%s-%s-py3-none-any.whl" % (name, version)), "w") as z:
        for path, text in files.items():
            z.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows += "%s,sha256=%s,%d\n" % (path, digest, len(text))
        z.writestr(zipfile.ZipInfo(info + "/RECORD", (2020, 1, 1, 0, 0, 0)), rows + info + "/RECORD,,\n")


def environment(name, python, *lines):
    path = w.environment(name, ["python=" + python, "pip"])
    if lines:
        with open(path, "a") as f:
            f.write("- pip:\n  - --no-index\n  - --find-links ./wheels\n" + "".join("  - %s\n" % s for s in lines))
    return path


def site(python, path):
    return "lib/python%s/site-packages/%s" % (python, path)


def files():
    """What pip brought, of the whole tree."""
    return sorted(p for p in snapshot(P) if ("alpha" in p or "beta" in p) and "html5lib" not in p)


os.mkdir(w.path("wheels"))
wheel("alpha", "1.0", {"alpha/__init__.py": "version = 1\n", "alpha/only_one.py": "x = 1\n",
                       "alpha-1.0.dist-info/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n"})
wheel("alpha", "2.0", {"alpha/__init__.py": "version = 2\n"})
wheel("beta", "1.0", {"beta.py": "b = 1\n"})
plain = environment("plain", "3.6.6")
def locked(name, *wanted):
    """Resolved once: installing from the lock only installs."""
    w.run("lock", environment(name, *wanted), "-o", w.path(name + ".lock"), status=0)
    return w.path(name + ".lock")


both = locked("both", "3.6.6", "alpha==1.0", "beta")
moved = locked("moved", "3.7.0", "alpha==2.0")

w.install(plain, P)
before = snapshot(P)

# A file of nobody where a wheel's comes.
write("mine\n", P, site("3.6", "beta.py"))
mine = snapshot(P)
p = w.install(both, P, status=5)
report("a file in the way of a wheel is named", None if "beta.py" in p.stderr and "--allow-clobber" in p.stderr else p.stderr)
report("and nothing is touched", None if not differences(mine, snapshot(P)) else repr(differences(mine, snapshot(P))[:3]))
os.remove(os.path.join(P, site("3.6", "beta.py")))

# Killed while pip writes, then changed to what needs no pip at all.
p = subprocess.Popen([w.program, "install", both, "-p", P, "-q", "-j1"], env=w.env)
for _ in range(12000):
    if p.poll() is not None or os.path.exists(P + "/lib/python3.6/site-packages/alpha/__init__.py"):
        break
    time.sleep(0.005)
p.kill()
p.wait()
w.install(plain, P)
# What stayed was copied before pip ran; conda-meta says how it was linked first.
d = differences(before, snapshot(P), skip={"conda-meta/history"})
report("a kill while pip installs is undone", None if not d and p.returncode == -9 else repr((p.returncode, d[:5])))

w.install(both, P)
report("pip packages come", None if {"bin/alpha", site("3.6", "alpha/only_one.py"), site("3.6", "beta.py")} <= set(files()) else repr(files()))
verified = w.run("verify", P)
report("verify knows them", None if verified.returncode == 0 and not verified.stdout else verified.stdout + verified.stderr)
report("the same again is nothing to do", None if "nothing to do" in w.install(both, P).stderr else "it does something")
w.install(moved, P)
listed = files()
wanted = [site("3.7", "alpha"), site("3.7", "alpha/__init__.py"), site("3.7", "alpha/__pycache__/__init__.cpython-37.pyc")]
report("another version for another Python, and no more what is not wanted",
       None if set(wanted) <= set(listed) and not any("only_one" in p or "beta" in p or "bin/" in p or "python3.6" in p for p in listed)
       else repr(listed))
run = subprocess.run([P + "/bin/python", "-c", "import alpha; print(alpha.version)"], stdout=subprocess.PIPE, universal_newlines=True)
report("and runs", None if run.stdout == "2\n" else repr(run))

# Packages for any Python are linked anew for another one, and no others.
subprocess.run(["rm", "-rf", P], check=True)
w.install(w.environment("any36", ["python=3.6.6", "idna=2.10", "six"]), P)
inode = os.lstat(P + "/lib/libz.so").st_ino
any37 = w.environment("any37", ["python=3.7.0", "idna=2.10", "six"])
w.install(any37, P)
tree = snapshot(P)
same = os.lstat(P + "/lib/libz.so").st_ino == inode
d = differences(tree, w.fresh(any37, P), skip={"conda-meta/history"})
report("another Python: as a new environment", None if not d and same and site("3.7", "idna/__pycache__/core.cpython-37.pyc") in tree
       else repr((same, d[:5])))
report("verify agrees", None if w.run("verify", P).returncode == 0 else w.run("verify", P).stdout)
