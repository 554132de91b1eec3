#!/usr/bin/env python3
"""What `envbuild verify` must find.

    check_verify.py ENVBUILD WORK

Prints "ok NAME" or "fail NAME: DETAIL".
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from change_lib import World, read, report, snapshot, write  # noqa: E402
from make_package import SYM, member  # noqa: E402

w = World(*sys.argv[1:3])
P = w.path("p")
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"


def findings(p):
    d = json.loads(p.stdout)
    return {kind: sorted((f["path"], f.get("owner", ""), f.get("why", "")) for f in d[kind])
            for kind in ("missing", "changed", "foreign")}


def expect(name, status, missing=(), changed=(), foreign=(), prefix=P, cache=True, unchecked=None):
    env = dict(w.env)
    if not cache:
        w.env["ENVBUILD_CACHE"] = w.path("empty-cache")
    p = w.run("verify", prefix, "--json", "-j2")
    w.env = env
    want = {"missing": sorted(missing), "changed": sorted(changed), "foreign": sorted((f, "", "") for f in foreign)}
    if p.returncode != status or not p.stdout:
        return report(name, "exit %d, expected %d: %r %r" % (p.returncode, status, p.stderr, p.stdout))
    got = findings(p)
    n = json.loads(p.stdout)["unchecked"]
    report(name, None if got == want and unchecked in (None, n) else "%r, expected %r; %d unchecked" % (got, want, n))


def edit(dist, change):
    path = os.path.join(P, "conda-meta", dist + ".json")
    record = json.loads(read(path))
    change(record)
    write(json.dumps(record), path)


text = ("#!%s/bin/sh\n" % PLACEHOLDER).encode()
w.package("one", "1.0",
          [member("bin/one", text, mode=0o755), member("share/one", b"1"), member("share/two", b"2"),
           member("lib/mod.py", b"x = 1\n"), member("lib/so.1", b"so"), member("lib/so", kind=SYM, link="so.1"),
           member("lib/out", kind=SYM, link="/nowhere/else")],
          listing=[{"_path": "bin/one", "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text",
                    "sha256": hashlib.sha256(text).hexdigest()}]
          + [{"_path": p, "path_type": "hardlink", "sha256": hashlib.sha256(d).hexdigest()}
             for p, d in (("share/one", b"1"), ("share/two", b"2"), ("lib/mod.py", b"x = 1\n"), ("lib/so.1", b"so"))]
          + [{"_path": "lib/so", "path_type": "softlink", "sha256": hashlib.sha256(b"so").hexdigest()},
             {"_path": "lib/out", "path_type": "softlink"}])
w.package("other", "1.0", [member("share/other", b"o")])
w.index()
both = w.environment("both", ["one", "other"])
ONE = "one-1.0-0"


def begin():
    shutil.rmtree(P, ignore_errors=True)
    w.install(both, P)


begin()
expect("a new environment", 0, unchecked=0)
expect("without the cache", 0, cache=False, unchecked=1)
before = snapshot(P)
w.run("verify", P)
report("nothing is touched", None if snapshot(P) == before else "it was")

os.remove(P + "/share/one")
os.remove(P + "/share/other")
write("changed", P, "share/two")
os.chmod(P + "/bin/one", 0o644)
os.remove(P + "/lib/so")
os.symlink("mod.py", P + "/lib/so")
write("x", P, "share/mine")
os.symlink("mine", P + "/share/my-link")
write("code", P, "lib/__pycache__/mod.cpython-39.pyc")
write("code", P, "lib/__pycache__/nobody.cpython-39.pyc")
write("code", P, "lib/mod.pyc")
changed = [("share/two", ONE, "content"), ("bin/one", ONE, "mode"), ("lib/so", ONE, "link")]
missing = [("share/one", ONE, ""), ("share/other", "other-1.0-0", "")]
foreign = ["share/mine", "share/my-link", "lib/__pycache__/nobody.cpython-39.pyc"]
expect("missing, changed and foreign files", 5, missing, changed, foreign)
expect("the mode is known by the cache", 5, missing, [c for c in changed if c[2] != "mode"], foreign, cache=False)
p = w.run("verify", P, status=5)
lines = p.stdout.splitlines()
report("in words, by package", None if len(lines) == 8 and lines[0] == "missing  share/one  one-1.0-0" and
       "changed  share/two  (content)  one-1.0-0" in lines and "2 missing, 3 changed" in p.stderr else p.stdout + p.stderr)

begin()
write("x", P, "share/mine")
expect("foreign files alone are no fault", 0, foreign=["share/mine"])
begin()
os.chmod(P + "/share/one", 0o4755)
write("y", P, "bin/one")
os.remove(P + "/share/two")
os.symlink("one", P + "/share/two")
os.remove(P + "/lib/so.1")
os.mkdir(P + "/lib/so.1")
expect("set-user-id bits, a file for a link, a folder for a file", 5,
       changed=[("bin/one", ONE, "content"), ("share/one", ONE, "mode"), ("share/two", ONE, "type"), ("lib/so.1", ONE, "type")])

# Records of others.
begin()
def as_rattler(record):
    for path in record["paths_data"]["paths"]:
        if path["path_type"] == "softlink":
            path["sha256"] = path["sha256_in_prefix"] = hashlib.sha256(os.readlink(os.path.join(P, path["_path"])).encode()).hexdigest()
edit(ONE, as_rattler)
expect("links by the sum of their text", 0, cache=False, unchecked=0)
os.remove(P + "/lib/so")
os.symlink("mod.py", P + "/lib/so")
expect("and one that leads elsewhere", 5, changed=[("lib/so", ONE, "link")], cache=False)
begin()
def as_mamba(record):
    for path in record["paths_data"]["paths"]:
        if path["_path"] == "lib/so":
            path["sha256_in_prefix"] = hashlib.sha256(b"so").hexdigest()
edit(ONE, as_mamba)
expect("links by the sum of what they lead to", 0, cache=False, unchecked=1)
def as_old(record):
    del record["paths_data"]
edit(ONE, as_old)
expect("a record that lists names only", 0, unchecked=0)
os.remove(P + "/share/one")
expect("finds what is missing", 5, missing=[("share/one", ONE, "")], cache=False, unchecked=6)
write("1", P, "share/one")
write("#!changed/bin/sh\n", P, "bin/one")
expect("and what changed, by the cache", 5, changed=[("bin/one", ONE, "content")])

# pip's packages: RECORD.
begin()
site = "lib/python3.9/site-packages/"
def row(path, data):
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return '%s,sha256=%s,%d\n' % (path, digest, len(data))
write("code\n", P, site + "pkg/a,b.py")
write("run\n", P, "bin/tool")
write("name\n", P, site + "pkg-1.0.dist-info/METADATA")
rows = row('"pkg/a,b.py"', b"code\n") + row("../../../bin/tool", b"run\n") + row("pkg-1.0.dist-info/METADATA", b"name\n")
write(rows + "pkg-1.0.dist-info/RECORD,,\n/etc/passwd,,\n../../../../../etc/passwd,,\n", P, site + "pkg-1.0.dist-info/RECORD")
expect("pip's files are known by RECORD", 0, unchecked=1)
write("other\n", P, "bin/tool")
os.remove(os.path.join(P, site, "pkg/a,b.py"))
expect("and compared with it", 5, missing=[(site + "pkg/a,b.py", "pkg-1.0 (pip)", "")], changed=[("bin/tool", "pkg-1.0 (pip)", "content")])

# What did not come to its end, what is no environment, what lies.
begin()
os.makedirs(P + "/conda-meta/.envbuild-transaction")
p = w.run("verify", P, status=5)
report("an unfinished change", None if "did not come to its end" in p.stderr and "envbuild install" in p.stderr else p.stderr)
w.install(both, P)
expect("the next install ends it", 0)
os.mkdir(w.path("empty"))
for name, path in (("a folder that is no environment", "empty"), ("a file", "both.yml")):
    p = w.run("verify", w.path(path), status=2)
    report(name, None if "environment" in p.stderr else p.stderr)
w.run("verify", w.path("nothing"), status=2)
edit(ONE, lambda r: r["paths_data"]["paths"].append({"_path": "/etc/passwd", "path_type": "hardlink"}))
p = w.run("verify", P, status=5)
report("a record that leads out", None if "/etc/passwd" in p.stderr and ONE in p.stderr else p.stderr)
write("{", P, "conda-meta/" + ONE + ".json")
p = w.run("verify", P, status=5)
report("a record that is no JSON", None if ONE + ".json:1" in p.stderr else p.stderr)

# Unpacked archives: their own list, and the relocation index, also after a move.
archive = w.path("both.tar.gz")
w.run("pack", both, "--no-test", "-o", archive, status=0)
D, E = w.path("unpacked"), w.path("moved")
w.run("unpack", archive, D, status=0)
expect("an unpacked archive", 0, prefix=D, cache=False, unchecked=1)
os.rename(D, E)
subprocess.run([E + "/bin/conda-unpack"], check=True, stdout=subprocess.DEVNULL)
expect("that was moved", 0, prefix=E, cache=False, unchecked=1)
write(read(E, "bin/one") + "more\n", E, "bin/one")
write("2", E, "share/one")
write("x", E, "bin/activate")
os.remove(E + "/conda-meta/envbuild/manifest.json")
os.remove(E + "/share/other")
expect("and changed", 5, prefix=E, cache=False,
       missing=[("conda-meta/envbuild/manifest.json", "the archive", ""), ("share/other", "other-1.0-0", "")],
       changed=[("bin/one", ONE, "content"), ("share/one", ONE, "content"), ("bin/activate", "the archive", "content")])
p = w.run("verify", archive, status=0)
report("an archive itself", None if "as they were packed" in p.stderr else p.stderr)
