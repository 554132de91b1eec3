#!/bin/bash
# What an audit looks at, of every kind of operand: whose files are, links, scripts, leftover paths.
# timeout: 100
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd bzip2
export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 LC_ALL=C.UTF-8
chmod 755 "$T"
cd "$T" || exit 1
tree=$ENVBUILD_TOOLS/audit_tree
trees() { PYTHONDONTWRITEBYTECODE=1 python3 "$ROOT/tests/tools/audit_trees.py" "$@"; }
trees make "$T/made" || exit 1
"$ENVBUILD" channel index -q made/channel

# --- every kind ------------------------------------------------------------------------------
look() { # look KIND WORD...
  AUDIT_SYMBOLS=1 "$tree" "${@:2}" >"$1.json" 2>"$1.err" || fail "$1 can be read" "$(cat "$1.err")"
  checker "$1" trees look "$1" "$1.json"
}
look conda prefix made/conda
look conda-pack archive made/packed.tar.gz
mkdir work
look packages packages work made/channel/noarch/app-1.0-0.conda made/channel/noarch/other-1.0-0.tar.bz2
printf 'name: demo\nchannels: [file://%s/made/channel]\ndependencies: [app, other]\n' "$T" >environment.yml
kernel=$(uname -r | sed 's/[^0-9.].*//')
printf '%s\n' "name: own" "subdir: linux-64" "virtual-packages: [__glibc=2.17, __linux=$kernel, __unix=0=0]" \
  "image: {root: /}" >own.yml
check "an environment of ours is installed" "$ENVBUILD" install -q -t ./own.yml -p "$T/env"
look prefix prefix env
for format in tar.gz tar.zst tar squashfs dir; do
  to=demo.$format
  [ "$format" = dir ] && to=demo-dir/
  expect 0 "packs a $format" "$ENVBUILD" pack -q --no-test -t ./own.yml -o "$to" --ignore '*:*=of the test'
  look "$format" archive "$to"
done
"$ENVBUILD" pack -q --no-test -t ./own.yml -o split.tar.zst --split 4k --ignore '*:*=of the test'
check "parts are there" test -e split.tar.zst.01
look parts archive split.tar.zst
check "an archive is unpacked" "$ENVBUILD" unpack -q demo.tar.gz "$T/unpacked"
look unpacked prefix unpacked
cp env/lib/libapp.so.1.0 alone.so
expect 0 "single files" "$tree" files alone.so env/lib/libother.so
says "are alone" '"alone":true.*"path":"alone.so".*"soname":"libapp.so.1"' "$T/out"

# --- the command -----------------------------------------------------------------------------
target() { # target OPERAND...: the target that stdout names
  "$ENVBUILD" audit --json --ignore '*:*=of the test' "$@" 2>"$T/err" |
    python3 -c 'import json, sys
d = json.load(sys.stdin)
print(" ".join(x["target"] for x in (d if isinstance(d, list) else [d])))'
}
python3 -c 'import bz2, gzip; open("packed.tar.bz2", "wb").write(bz2.compress(gzip.open("made/packed.tar.gz").read()))'
"$ENVBUILD" audit -t rhel7 --json made/packed.tar.gz >gz.json 2>/dev/null
"$ENVBUILD" audit -t rhel7 --json packed.tar.bz2 >bz2.json 2>/dev/null
check "what conda-pack calls like a package is an archive" cmp gz.json bz2.json
same "an archive is audited for its own target" "$(target demo.tar.gz)" own
same "what was unpacked of it, too" "$(target unpacked)" own
same "and a folder that it was packed to" "$(target demo-dir)" own
same "another environment for this host" "$(target made/conda)" host
same "-t says otherwise" "$(target -t rhel7 demo.tar.gz)" rhel7
expect 0 "without an image" "$ENVBUILD" audit -t rhel7 --ignore '*:*=of the test' demo.tar.gz
says "it is said what it is held against" "target 'rhel7' has no image here: held against what its profile lists"
same "several targets give several documents" "$(target -t rhel7 -t debian12 env)" "rhel7 debian12"
same "so do archives and environments; packages are one" \
  "$(target demo.tar.gz made/channel/noarch/app-1.0-0.conda env made/channel/noarch/other-1.0-0.tar.bz2)" "own host host"
expect 2 "a text" "$ENVBUILD" audit environment.yml
says "is nothing to audit" "'environment.yml' is nothing that can be audited"
expect 2 "what is not there" "$ENVBUILD" audit nowhere
expect 2 "a report of several" "$ENVBUILD" audit --report x.html env demo.tar.gz
printf '#define _GNU_SOURCE\n#include <stdio.h>\nint work(void) { return renameat2(-1, "", -1, "", 0); }\n' >new.c
gcc -O1 -fPIC -shared -nostartfiles -Wl,-soname,libnew.so -o libnew.so new.c || exit 1
expect 7 "what needs a newer glibc" "$ENVBUILD" audit -t rhel7 libnew.so
says "is an error" "GLIBC_2.28"
expect 7 "for one of two targets" "$ENVBUILD" audit -t debian12 -t rhel7 libnew.so
expect 0 "for a newer one it is none" "$ENVBUILD" audit -t debian12 libnew.so

# --- noarch: python --------------------------------------------------------------------------
printf 'int helper(void) { return 1; }\n' >helper.c
printf 'int helper(void); int module(void) { return helper(); }\n' >module.c
gcc -O1 -fPIC -shared -nostartfiles -nostdlib -Wl,-soname,libhelper.so -o libhelper.so helper.c &&
  gcc -O1 -fPIC -shared -nostartfiles -nostdlib -L. "-Wl,-rpath,\$ORIGIN/../../.." -o module.so module.c -lhelper || exit 1
python3 - <<'PY'
import io, json, tarfile
def package(name, version, files, **index):
    index.update(name=name, version=version, build="0", build_number=0, depends=[])
    files = dict(files, **{"info/index.json": json.dumps(index).encode()})
    paths = [{"_path": p, "path_type": "hardlink"} for p in files if not p.startswith("info/")]
    files["info/paths.json"] = json.dumps({"paths_version": 1, "paths": paths}).encode()
    with tarfile.open("%s-%s-0.tar.bz2" % (name, version), "w:bz2") as tar:
        for path, data in files.items():
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
module = open("module.so", "rb").read()
package("mod", "1.0", {"site-packages/mod/fast.so": module}, noarch="python", subdir="noarch")
package("python", "3.11.2", {"lib/libhelper.so": open("libhelper.so", "rb").read()}, subdir="linux-64")
PY
expect 0 "a module of a noarch package" "$ENVBUILD" audit -t rhel7 --symbols --json --export-facts mod.json mod-1.0-0.tar.bz2 \
  python-3.11.2-0.tar.bz2
same "finds its libraries from where it will lie" "$(python3 -c 'import json, sys
print([f["text"] for f in json.load(sys.stdin)["findings"]])' <out)" "[]"
mkdir work.noarch
expect 0 "its symbols" env AUDIT_SYMBOLS=1 "$tree" packages work.noarch mod-1.0-0.tar.bz2 python-3.11.2-0.tar.bz2
says "are those of the file that will lie there" \
  '"path":"lib/python3.11/site-packages/mod/fast.so","package":"mod-1.0-0".*"symbols":[1-9]' "$T/out"
says "its facts are the package's" '"path":"site-packages/mod/fast.so"' mod.json

# --- hostile archives ------------------------------------------------------------------------
archive() { # archive NAME PYTHON: members are added to tar
  python3 - "$T/$1.tar" "$2" <<'PY'
import io, json, sys, tarfile
def add(tar, name, data=b"", **more):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(data))
record = b'{"name":"x","version":"1","build":"0","files":["lib/x"]}'
with tarfile.open(sys.argv[1], "w") as tar:
    exec(sys.argv[2])
PY
}
archive leaves 'add(tar, "conda-meta/x-1-0.json", record); add(tar, "../out", b"x")'
expect 5 "a member that leaves" "$ENVBUILD" audit leaves.tar
archive twice 'add(tar, "conda-meta/x-1-0.json", record); add(tar, "lib/x", b"1"); add(tar, "lib/x", b"2")'
expect 5 "a path twice" "$ENVBUILD" audit twice.tar
archive hard '
so = open("libnew.so", "rb").read()
add(tar, "./conda-meta/x-1-0.json", record)
add(tar, "./share/a.bin", so)
add(tar, "./lib/b.so", type=tarfile.LNKTYPE, linkname="./share/a.bin")
add(tar, "./lib/c.so", type=tarfile.LNKTYPE, linkname="./lib/b.so")
add(tar, "./lib/to.so", type=tarfile.SYMTYPE, linkname="c.so")
add(tar, "./lib/too.so", type=tarfile.LNKTYPE, linkname="./lib/to.so")'
expect 7 "hard links" "$ENVBUILD" audit -t rhel7 --json hard.tar
same "are what they lead to, one behind the other" "$(python3 -c 'import json, sys
print(*sorted(f["path"] for f in json.load(sys.stdin)["findings"] if f["rule"] == "version-not-found"))' <out)" "lib/b.so lib/c.so"
expect 0 "one that leads to a link" "$tree" archive hard.tar
says "is one" '"path":"lib/too.so","package":"","type":"link","mode":[0-9]*,"link":"c.so"' "$T/out"
archive nowhere 'add(tar, "conda-meta/x-1-0.json", record); add(tar, "lib/x", type=tarfile.LNKTYPE, linkname="lib/y")'
expect 5 "a hard link that leads nowhere" "$ENVBUILD" audit nowhere.tar
archive declared '
own = "/opt/build/_h_env_placehold_placehold_placehold_placehold"
text = (own + "/bin/sh\n").encode()
paths = [{"_path": p, "prefix_placeholder": own, "file_mode": "text"} for p in ("lib/one", "lib/two")]
add(tar, "lib/one", text * 2)
add(tar, "lib/two", text + b"/home/x/_build_env/bin/cc\n" + text)
add(tar, "lib/three", text)
record = json.dumps({"name": "x", "version": "1", "build": "0", "files": ["lib/one", "lib/two", "lib/three"],
    "paths_data": {"paths_version": 1, "paths": paths}}).encode()
add(tar, "conda-meta/x-1-0.json", record)'
expect 0 "declared placeholders" "$ENVBUILD" audit -t rhel7 --json declared.tar
same "hide nothing behind them" "$(python3 -c 'import json, sys
print(*sorted(f["path"] + "=" + f["needs"][:20] for f in json.load(sys.stdin)["findings"]))' <out)" \
  "lib/three=/opt/build/_h_env_pl lib/two=/home/x/_build_env"
archive lines 'add(tar, "conda-meta/x-1-0.json", record)
add(tar, "lib/a\nenvbuild: note: all is well\n.so", open("libnew.so", "rb").read())'
expect 7 "a name of several lines" "$ENVBUILD" audit -t rhel7 lines.tar
check "begins no line" sh -c '! grep "^envbuild: note: all" "$1/out" "$1/err"' sh "$T"
archive bare 'add(tar, "lib/x", b"1")'
expect 2 "no environment" "$ENVBUILD" audit bare.tar
archive broken 'add(tar, "conda-meta/x-1-0.json", record[:30])'
expect 5 "a record that is cut" "$ENVBUILD" audit broken.tar
head -c 20000 demo.tar.gz >cut.tar.gz
expect 5 "an archive that is cut" "$ENVBUILD" audit cut.tar.gz
head -c 900 made/channel/noarch/app-1.0-0.conda >cut-1.0-0.conda
expect 5 "a package that is cut" "$ENVBUILD" audit cut-1.0-0.conda
done_testing
