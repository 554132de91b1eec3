#!/bin/bash
# memory
# timeout: 300
# A site's environment of 2018 in a root of glibc 2.17: what the audit says of each program and each
# extension module is what starting and importing it says.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 gcc zstd
export LC_ALL=C.UTF-8 ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/reason") || skip_all "$(tail -n 1 "$T/reason")"
printf 'name: any\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17, __linux=3.10, __unix=0=0]\n' >"$T/any.yml"
"$ENVBUILD_TOOLS/sandbox" --target "$T/any.yml" --root "$root" -- /bin/bash -c : 2>"$T/reason" ||
  skip_all "no sandbox: $(tail -n 1 "$T/reason")"

# A package beside the real ones, with modules that do not load there, and one that does.
cd "$T" || exit 1
module() { # module NAME SYMBOL VERSION [LIBRARY]: needs that of libc.so.6 or of the library
  printf '%s { global: %s; };\n' "$3" "$2" >map
  printf 'int %s(void) { return 0; }\n' "$2" >stub.c
  printf 'extern int %s(void);\nint f(void) { return %s(); }\nvoid *PyInit_%s(void) { return 0; }\n' "$2" "$2" "$1" >"$1.c"
  gcc -w -fno-builtin -shared -fPIC -nostdlib -Wl,-soname,"${4:-libc.so.6}" -Wl,--version-script=map -o stub.so stub.c &&
    gcc -w -fno-builtin -shared -fPIC -nostdlib -o "$1.so" "$1.c" ./stub.so || exit 1
}
module newer fcntl64 GLIBC_2.28
module lonely nothing NOWHERE_1 libnowhere.so.1
module good strlen GLIBC_2.2.5
module lost no_such_function GLIBC_2.2.5
python3 - "$ROOT/tests/tools" "$T/extra" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
def content(name):
    with open(name, "rb") as f:
        return f.read()
Channel(sys.argv[2]).conda("extra", [
    member("lib/python3.6/site-packages/%s.cpython-36m-x86_64-linux-gnu.so" % name, content(name + ".so"), mode=0o755)
    for name in ("newer", "lonely", "good", "lost")], index={"noarch": "generic"})
PY
"$ENVBUILD" channel index "$T/extra" -q
cat >environment.yml <<EOF
name: site
channels: [file://$T/extra, file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [python=3.6.6, ipython, requests, flask, gevent, psycopg2, tornado, cryptography,
  pylint, cython, boto3, sqlalchemy, alembic, networkx, pymongo, pip, extra]
EOF
expect 0 "the environment is installed" "$ENVBUILD" install -t "$T/any.yml" --image "$root" -p "$T/env" -q
checker "the audit agrees with the loader" python3 "$ROOT/tests/tools/check_env_truth.py" "$T/env" "$T/work" \
  glibc217 "$root"
done_testing
