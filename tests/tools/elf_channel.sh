# shellcheck shell=bash
# A channel of packages with real libraries, for tests of what can load; sourced behind lib.sh.
#
#   rhel7_project                 enters the empty $T/project; the image of rhel7 is a root of glibc 2.17
#   library FILE BODY OPTION...   compiles $T/FILE, whose soname is its name, for any glibc but for
#                                 what BODY calls
#   program FILE BODY OPTION...   the same of a program that calls `int run(void)` of BODY
#   packages <<'LIST'             makes or adds to $T/channel, a line each:
#     NAME VERSION BUILD [DEPENDS] PATH=FILE...     DEPENDS: "a 1.*;b"; a file is of $T, "@TO" is a link
#
# Without start files, whose needs would be those of this machine's.

rhel7_project() {
  need gcc python3 zstd
  export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
  mkdir "$T/project" && cd "$T/project" || exit 1
  root=$("$ROOT/tests/tools/roots.sh" glibc217) || skip_all "no root of glibc 2.17"
  check "the root of glibc 2.17 is the image of rhel7" "$ENVBUILD" image import rhel7 "$root"
}

library() {
  printf '#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n%s\n' "$2" >"$T/$1.c"
  gcc -O1 -fPIC -shared -nostartfiles -Wl,-soname,"$(basename "$1" .new)" -o "$T/$1" "$T/$1.c" "${@:3}" || exit 1
}

program() {
  printf '#include <unistd.h>\n%s\n__attribute__((force_align_arg_pointer)) void _start(void) { _exit(run()); }\n' \
    "$2" >"$T/$1.c"
  gcc -O1 -fPIE -pie -nostartfiles -o "$T/$1" "$T/$1.c" "${@:3}" || exit 1
}

packages() {
  cat >"$T/packages.list"
  python3 - "$ROOT/tests/tools" "$T" <<'PY' || exit 1
import sys, tarfile
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
channel = Channel(sys.argv[2] + "/channel")
for line in open(sys.argv[2] + "/packages.list"):
    if not line.strip():
        continue
    name, version, build, *rest = line.split()
    depends = rest.pop(0)[1:-1].replace("_", " ").split(";") if rest and rest[0].startswith("[") else []
    members = []
    for pair in rest:
        path, source = pair.split("=")
        if source[0] == "@":
            members.append(member(path, kind=tarfile.SYMTYPE, link=source[1:], mode=0o777))
            continue
        with open(sys.argv[2] + "/" + source, "rb") as f:
            members.append(member(path, f.read(), mode=0o755))
    channel.conda(name, members, dist="%s-%s" % (version, build), version=version, build=build,
                  index={"noarch": "generic", "depends": [d for d in depends if d]})
PY
  "$ENVBUILD" channel index -q "$T/channel" || exit 1
}
