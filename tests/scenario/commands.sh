#!/bin/bash
# timeout: 300
# The commands beside pack: lock for several targets, install, run, cache info; quiet and JSON.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd

channel=$ENVBUILD_SHARED_DATA/channel
mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$channel]
dependencies: [jq, xz]
EOF
field() { # field EXPRESSION: of the JSON document in $T/out
  python3 -c "import json,sys; d=json.load(open(sys.argv[1])); print($1)" "$T/out"
}

expect 0 "lock for two targets" "$ENVBUILD" lock -t rhel7 -t debian12 --json
same "the document names both" "$(field '[t["target"] for t in d["targets"]]')" \
  "['rhel7', 'debian12']"
same "--json is silent on stderr" "$(cat "$T/err")" ""
check "the lock has both platforms" sh -c "grep -q 'name: rhel7' envbuild.lock && \
  grep -q '__glibc=2.17' envbuild.lock && grep -q '__glibc=2.36' envbuild.lock"
cp envbuild.lock "$T/lock"
expect 0 "lock once more" "$ENVBUILD" lock -t rhel7 -t debian12 -q
same "-q is silent" "$(cat "$T/out" "$T/err")" ""
check "the same bytes" cmp envbuild.lock "$T/lock"
expect 0 "another target" "$ENVBUILD" lock -t rocky8
check "the others stay" sh -c "grep -q 'name: rhel7' envbuild.lock && grep -q 'name: rocky8' envbuild.lock"
expect 0 "lock into another file" "$ENVBUILD" lock -t rhel7 -o "$T/other.lock"
check "it is there" grep -q 'name: rhel7' "$T/other.lock"

expect 0 "install" "$ENVBUILD" install -p "$T/env" --json
same "the document names the prefix" "$(field 'd["prefix"]')" "$T/env"
same "what was installed runs" "$("$T/env/bin/jq" -n '6 * 7')" 42
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$T/env"
expect 2 "install into a folder that is not empty" "$ENVBUILD" install -p "$T/project"
check "it says so" grep -q "$T/project" "$T/err"

# Each alone, compared with what an independent reader makes of the package.
printf 'dependencies: [jq]\nchannels: [file://%s]\n' "$channel" >alone.yml
expect 0 "install without dependencies" "$ENVBUILD" install alone.yml --no-deps -p "$T/alone"
same "one record" "$(find "$T/alone/conda-meta" -name '*.json' | wc -l)" 1
package=$(basename "$(find "$T/alone/conda-meta" -name '*.json')" .json)
check "it is what conda would make" sh -c "python3 '$ROOT/tests/tools/check_package.py' --prefix '$T/alone' \
  \"\$(find '$channel' -name '$package.conda' -o -name '$package.tar.bz2' | head -n 1)\""
printf 'dependencies: [python=3.7.0, idna=2.10]\nchannels: [file://%s]\n' "$channel" >alone.yml
expect 0 "a noarch python package with python" "$ENVBUILD" install alone.yml --no-deps -p "$T/noarch"
check "it lies in the site-packages" test -f "$T/noarch/lib/python3.7/site-packages/idna/core.py"
expect 1 "what it needs is not there" "$T/noarch/bin/python3.7" -c 'import requests'

expect 0 "run from an environment file" "$ENVBUILD" run environment.yml -- jq -n '1 + 1'
same "its output is the command's" "$(cat "$T/out")" 2
expect 0 "run from a prefix" "$ENVBUILD" run "$T/env" -- sh -c 'echo "$CONDA_PREFIX"'
same "the prefix is active" "$(cat "$T/out")" "$T/env"
expect 0 "lock for the host" "$ENVBUILD" lock -t host -o host.lock
expect 0 "run from a lock" "$ENVBUILD" run host.lock -t host -- xz --version
expect 0 "run offline without a sandbox" "$ENVBUILD" run "$T/env" --offline --engine none -- true
says "says that this closes no network" 'warning: .*not kept from the network'
expect 0 "run offline in it" "$ENVBUILD" run "$T/env" --offline -- true
check "says nothing of it" sh -c "! grep network '$T/err'"
expect 7 "the command's status is handed on" "$ENVBUILD" run "$T/env" -- sh -c 'exit 7'
echo kept >from-outside
expect 0 "the working folder is there" "$ENVBUILD" run "$T/env" -- sh -c 'cat from-outside >inside'
same "and what is written there stays" "$(cat inside)" kept
expect 0 "a command that meddles" "$ENVBUILD" run environment.yml -- \
  sh -c 'echo broken >>"$CONDA_PREFIX/include/lzma.h"'
expect 0 "the cache is not touched by it" "$ENVBUILD" install environment.yml -p "$T/after"
check "the same file as before" cmp "$T/env/include/lzma.h" "$T/after/include/lzma.h"
check "and not the meddler's" sh -c "! grep -q broken '$T/after/include/lzma.h'"

printf 'true\n' >run-test.sh
expect 0 "pack for two targets this machine satisfies" "$ENVBUILD" pack -t host -t rhel7 --image / \
  --test run-test.sh --json
same "each has its name" "$(field 'sorted(d_["archive"] for d_ in d)')" \
  "['small-host.tar.gz', 'small-rhel7.tar.gz']"

# The papers go by the archive's name without its ending, whichever of a format's endings that is.
expect 0 "pack as tgz" "$ENVBUILD" pack -o s.tgz --test run-test.sh
check "its papers" test -f s.sha256 -a -f s.run.json -a -f s.test.log -a ! -e .sha256
expect 0 "run it" "$ENVBUILD" run s.tgz -- sh -c 'test -x "$CONDA_PREFIX/bin/jq"'
expect 0 "test it" "$ENVBUILD" test s.tgz --test <(echo 'test "$ENVIRONMENT_NAME" = s')
mkdir "$T/unpacked" && tar xzf s.tgz -C "$T/unpacked"
expect 0 "unpacked and active" bash -c '. "$1/bin/activate" && jq --version' sh "$T/unpacked"
listing() { (cd "$T/unpacked" && find . -type f -exec sha256sum {} + && find . -type l -printf '%p %l\n') | sort; }
listing >"$T/listing"
expect 0 "test what is unpacked" "$ENVBUILD" test "$T/unpacked" -n other \
  --test <(echo 'test "$CONDA_PREFIX" = /tmp/other && touch "$CONDA_PREFIX/made"')
same "which does not change" "$(listing | diff "$T/listing" -)" ""
expect 0 "nor directly on this machine" "$ENVBUILD" test "$T/unpacked" -n "other$$" --engine none \
  --test <(echo 'test "$CONDA_PREFIX" = "/tmp/$ENVIRONMENT_NAME" && touch "$CONDA_PREFIX/made"')
same "either" "$(listing | diff "$T/listing" -)" ""
expect 0 "pack it again untested" "$ENVBUILD" pack -o s.tgz --no-test
check "no log of the earlier test is left" test ! -e s.test.log
mkdir folder.tar.gz
expect 2 "a folder of that name" "$ENVBUILD" pack -o folder.tar.gz --no-test
check "no papers are left" test ! -e folder.sha256 -a ! -e folder.run.json

expect 2 "a target of another machine" "$ENVBUILD" pack --no-test -t /dev/stdin <<'EOF'
name: arm
subdir: linux-aarch64
virtual-packages: [__glibc=2.28, __linux=4.18, __unix=0=0, __archspec=1=aarch64]
EOF

# A hard link leads into the cache: what was written through one is not released.
export ENVBUILD_CACHE=$T/cache
expect 0 "install by hard links" "$ENVBUILD" install environment.yml -p "$T/linked" -q
if [ "$(stat -c %h "$T/linked/include/lzma.h")" -gt 1 ]; then
  tr '[:lower:]' '[:upper:]' <"$T/linked/include/lzma.h" >"$T/changed"
  touch -r "$T/linked/include/lzma.h" "$T/changed" # a new time alone would be noticed sooner
  dd if="$T/changed" of="$T/linked/include/lzma.h" conv=notrunc 2>/dev/null
  touch -r "$T/changed" "$T/linked/include/lzma.h"
  expect 5 "a changed file in the cache" "$ENVBUILD" pack --test run-test.sh -o changed.tar.gz
  check "it is named" grep -q 'include/lzma.h.*is not what its package holds' "$T/err"
  check "nothing was released" test ! -e changed.tar.gz
else
  skip "a changed file in the cache" "this file system makes reflinks or copies"
fi

# Who has no home is told so; a cache below /tmp could be somebody else's.
nobody() { setpriv --reuid=48484 --clear-groups env -u HOME -u ENVBUILD_CACHE -u XDG_CACHE_HOME "$@"; }
if nobody "$ENVBUILD" --version >"$T/out" 2>&1; then
  expect 2 "no home" nobody "$ENVBUILD" cache info
  check "it says what to set" grep -q ENVBUILD_CACHE "$T/err"
else
  skip "no home" "no other user can be had: $(tail -n 1 "$T/out")"
fi
expect 0 "an index comes into the cache with a solve" "$ENVBUILD" lock -o "$T/another.lock"
expect 0 "cache info" "$ENVBUILD" cache info --json
same "it counts the packages of this cache" "$(field 'd["packages"]')" \
  "$(find "$ENVBUILD_CACHE/pkgs" -name facts | wc -l)"
done_testing
