#!/bin/bash
# memory
# timeout: 300
# From the command line: --allow-clobber, --frozen, --externally-managed, what link scripts say, an
# old kernel; a real pip obeys.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
export LC_ALL=C.UTF-8 ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
unset ENVBUILD_CACHE_LOWER

mkdir "$T/channel" && cd "$T" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF'
from make_package import SYM, Channel, member
c = Channel("channel")
c.conda("one", [member("share/both", b"one"), member("share/one", b"1"), member("share/a/b/c/d", b"d"),
                member("share/a/link", kind=SYM, link="b")])
c.conda("two", [member("share/both", b"two"), member("share/two", b"2")], index={"depends": ["one"]})
c.tarball("says", [member("bin/.says-post-link.sh", b'echo "set it up by hand" >"$PREFIX/.messages.txt"\n')])
c.tarball("fails", [member("bin/.fails-post-link.sh", b'echo "needs a licence" >"$PREFIX/.messages.txt"\nexit 9\n')])
EOF
check "the channel is indexed" "$ENVBUILD" channel index channel
environment() {
  printf 'name: demo\nchannels: [./channel]\ndependencies: [%s]\n' "$1" >environment.yml
  rm -rf env envbuild.lock
}

environment "one, two"
expect 5 "two packages with one path" "$ENVBUILD" install -t host -p env
check "the message names both, the path and the way out" sh -c \
  'for w in one-1.0-0.conda two-1.0-0.conda share/both --allow-clobber; do grep -qe "$w" "$1" || exit 1; done' sh "$T/err"
check "nothing is left of it" test ! -e env
expect 0 "--allow-clobber" "$ENVBUILD" install -t host -p env --allow-clobber 'share/*'
same "the later package wins" two "$(cat env/share/both)"
check "a warning names them" grep -q "warning: .*two-1.0-0.conda.*one-1.0-0.conda.*share/both" "$T/err"
check "records are what conda reads" \
  python3 "$ROOT/tests/tools/check_records.py" env --allow-clobber share/both
expect 0 "nothing counts as changed" "$ENVBUILD" verify env
expect 0 "it is packed" "$ENVBUILD" pack -t host --no-test --allow-clobber share/both -o x.tar.gz
same "with the path once" share/both "$(tar tzf x.tar.gz | grep both)"
same "and the winner's bytes" two "$(tar xzOf x.tar.gz share/both)"
check "conda may change what was not frozen" sh -c '! tar tzf x.tar.gz | grep -q frozen'
printf 'pack: {frozen: true}\n' >envbuild.yml
expect 0 "frozen by envbuild.yml" "$ENVBUILD" pack -t host --no-test --allow-clobber share/both -o x.tar.gz
check "has the mark" sh -c 'tar xzOf x.tar.gz conda-meta/frozen | python3 -c "
import json, sys; assert json.load(sys.stdin)[\"message\"]"'
rm envbuild.yml

environment one
expect 2 "--externally-managed without Python" "$ENVBUILD" install -t host -p env --externally-managed
expect 0 "--frozen" "$ENVBUILD" install -t host -p env --frozen
check "writes the mark of CEP 22" python3 -c 'import json; assert json.load(open("env/conda-meta/frozen"))["message"]'
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
  for refusal in ENOSYS EPERM; do
    environment one
    expect 0 "without openat2 ($refusal)" env ASAN_OPTIONS=detect_leaks=0 \
      strace -f -qq -o "$T/trace" -e "inject=openat2:error=$refusal" \
      "$ENVBUILD" install -t host -p env --engine none --image / -j 1
    check "all is there" sh -c 'test "$(cat env/share/a/b/c/d)" = d && test "$(readlink env/share/a/link)" = b'
    check "it was refused" grep -q "$refusal" "$T/trace"
  done
else
  skip "without openat2" "no strace"
fi

environment says
expect 0 "a link script with a message" "$ENVBUILD" install -t host -p env
check "it is shown" grep -q "says: set it up by hand" "$T/err"
environment fails
expect 1 "one that fails" "$ENVBUILD" install -t host -p env
check "its message is shown too" grep -q "fails: needs a licence" "$T/err"
check "the error names script, package and status" grep -q "post-link script of package 'fails-1.0-0.tar.bz2' failed with status 9" "$T/err"

pip=$(find /usr/share/python-wheels -name 'pip-2[3-9]*.whl' 2>/dev/null | head -n 1)
if [ -z "$ENVBUILD_SHARED_DATA" ] || [ -z "$pip" ]; then
  skip "pip obeys" "no real Python 3.7 (ENVBUILD_SHARED_DATA) or no pip of Debian's python3-pip-whl"
  done_testing
fi
printf 'channels: [%s]\ndependencies: [python=3.7.0]\n' "file://$ENVBUILD_SHARED_DATA/channel" >environment.yml
rm -rf env envbuild.lock
expect 0 "a real Python, --externally-managed" \
  "$ENVBUILD" install -t host -p env --externally-managed -q
managed() {
  env -i PATH="$T/env/bin:/usr/bin:/bin" HOME="$T" PYTHONPATH="$pip" PYTHONDONTWRITEBYTECODE=1 \
    "$T/env/bin/python" -m pip --disable-pip-version-check install --no-index nothing-at-all
}
expect 1 "pip refuses" managed
check "with our words" grep -q "envbuild made this environment" "$T/err"
check "in the form of PEP 668" grep -q "externally-managed-environment" "$T/err"
check "the mark has an owner" python3 "$ROOT/tests/tools/check_records.py" env
rm env/lib/python3.7/EXTERNALLY-MANAGED
expect 1 "without the mark it looks for the package" managed
check "and only misses that" grep -q "No matching distribution" "$T/err"
done_testing
