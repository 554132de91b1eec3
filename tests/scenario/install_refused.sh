#!/bin/bash
# timeout: 120
# From the command line: what a hostile package, a full list of them and --no-compile come to.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
export HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1

PYTHONPATH=$ROOT/tests/tools python3 - <<'PY' || exit 1
import subprocess
from make_package import HARD, SYM, Channel, bzip2, info_members, member, tar_bytes
c = Channel("channel")
c.conda("leaves", [member("../evil", b"x")], listing=[])
c.tarball("through", [member("d", kind=SYM, link="/tmp"), member("d/evil", b"x")], listing=[])
c.conda("hard", [member("f", kind=HARD, link="/etc/passwd")], listing=[])
c.tarball("bits", [member("bin/su", b"#!/bin/sh\n", mode=0o6755), member("bin/ours", b"#!/bin/sh\n", mode=0o1777)])
version = subprocess.run(["/usr/bin/python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                         stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
members = [member("bin/python" + version, b'#!/bin/sh\nexec /usr/bin/python3 "$@"\n', mode=0o755),
           member("lib/python%s/os.py" % version, b"# stands for the standard library\n")]
c.put("python-%s.0-0.tar.bz2" % version, bzip2(tar_bytes(info_members("python", members, version=version + ".0") + members)))
c.conda("pure", [member("site-packages/pure.py", b"x = 1\n")], link={"noarch": {"type": "python"}},
        index={"noarch": "python", "depends": ["python"]})
PY
"$ENVBUILD" channel index channel -q || exit 1
environment() { printf 'channels: [./channel]\ndependencies: [%s]\n' "$1" >environment.yml; }
for name in leaves through hard; do
  environment $name
  expect 5 "$name: exit status" "$ENVBUILD" install -t host -p env
  check "$name: the package is named" grep -q "$name-1.0-0" "$T/err"
  check "$name: no prefix" test ! -e env
  same "$name: nothing in the cache" "$(find cache/pkgs cache/tmp -mindepth 2 2>/dev/null | head -n 3)" ""
  check "$name: nothing outside" test ! -e evil -a ! -e /tmp/evil -a ! -e cache/tmp/evil
done
environment bits
expect 0 "setuid, setgid and sticky bits" "$ENVBUILD" install -t host -p env -v
same "are taken away" "$(stat -c %a env/bin/su env/bin/ours | tr '\n' ' ')" "755 755 "
check "which -v says" grep -q "setuid, setgid or sticky bits of files in 'bits-1.0-0.tar.bz2' are left out" "$T/err"
rm -rf env

if [ -x /usr/bin/python3 ]; then
  environment pure
  code() { find "$1" -name 'pure.*.pyc' | wc -l; }
  expect 0 "install" "$ENVBUILD" install -t host -p env
  same "compiles" "$(code env)" 1
  expect 0 "install --no-compile" "$ENVBUILD" install -t host -p plain --no-compile
  same "does not" "$(code plain)" 0
else
  skip "--no-compile" "no /usr/bin/python3"
fi
done_testing
