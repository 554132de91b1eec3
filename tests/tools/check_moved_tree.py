#!/usr/bin/env python3
"""check_moved_tree.py TREE PLACEHOLDER BUILD_PREFIX ENVIRONMENT PREFIX

Does ENVIRONMENT, packed from TREE (make_tree.py) and relocated to PREFIX, hold what conda's own
rules make of TREE?  An independent reading of conda/core/portability.py.
"""
import os
import re
import stat
import sys

tree, placeholder, build, environment, prefix = sys.argv[1:6]
OURS = ("conda-meta/envbuild/", "bin/activate", "bin/deactivate", "bin/conda-unpack")
# #!, spaces, program, the rest
SHEBANG = re.compile(rb"\A(#!(?:[ ]*)(/(?:\\ |[^ \n\r\t])*)([^\n]*))")


def binary(data, old, new):
    def one(m):
        pad = m.group().count(old) * (len(old) - len(new))
        assert pad >= 0
        return m.group().replace(old, new) + bytes(pad)
    # Without a NUL behind it conda leaves the string alone; mamba and envbuild take the end of file.
    return re.sub(re.escape(old) + rb"[^\0]*", one, data)


def text(data, old, new):
    first = SHEBANG.match(data)
    out = data.replace(old, new)
    if not first or old not in first.group(1):
        return out
    line = first.group(1).replace(old, new)
    if len(line) <= 127 and b" " not in new:
        return out
    program = first.group(2).rsplit(b"/", 1)[1]
    options = first.group(3).replace(old, new)
    env = b"#!/usr/bin/env " + (b"-S " if options.strip() else b"") + program + options
    return env + out[len(line):]


expected = {}
for package in os.listdir(tree):
    top = os.path.join(tree, package)
    for folder, folders, files in os.walk(top):
        for name in files + [d for d in folders if os.path.islink(os.path.join(folder, d))]:
            path = os.path.join(folder, name)
            expected[os.path.relpath(path, top)] = (package, path)
faults = []
for rel, (package, source) in sorted(expected.items()):
    path = os.path.join(environment, rel)
    if os.path.islink(source):
        want = os.readlink(source)
        if want == build or want.startswith(build + "/"):
            if os.path.realpath(path) != os.path.realpath(environment + want[len(build):]):
                faults.append(f"{rel}: does not point into the environment")
        elif not os.path.islink(path) or os.readlink(path) != want:
            faults.append(f"{rel}: another link")
        continue
    data = open(source, "rb").read()
    old = (build if package == "+" else placeholder).encode()
    want = (binary if b"\0" in data else text)(data, old, prefix.encode()) if old in data else data
    try:
        have = open(path, "rb").read()
    except OSError as error:
        faults.append(str(error))
        continue
    if have != want:
        at = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
        faults.append(f"{rel}: {len(have)} bytes, {len(want)} expected, differs at {at}: "
                      f"{have[at:at + 60]!r}, expected {want[at:at + 60]!r}")
    a, b = os.lstat(source), os.lstat(path)
    mode = 0o755 if a.st_mode & 0o111 else 0o644
    if package != "+":
        mode = stat.S_IMODE(a.st_mode) & 0o755
    if stat.S_IMODE(b.st_mode) & ~0o022 != mode & ~0o022:
        faults.append(f"{rel}: mode {stat.S_IMODE(b.st_mode):o}, {mode:o} expected")
    if package != "+" and int(a.st_mtime) != int(b.st_mtime):
        faults.append(f"{rel}: another time")
if not os.path.isdir(os.path.join(environment, "var/empty")):
    faults.append("var/empty: missing")
for folder, _, files in os.walk(environment):
    for name in files:
        rel = os.path.relpath(os.path.join(folder, name), environment)
        if rel not in expected and not rel.startswith(OURS):
            faults.append(f"{rel}: not in the tree")
print("\n".join(faults[:20]))
sys.exit(bool(faults))
