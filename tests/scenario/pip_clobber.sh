#!/bin/bash
# memory
# timeout: 600
# What pip would take from conda, and lines that are refused.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3

export ENVBUILD_CACHE=$T/cache
mkdir -p "$T/project/sub" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF' || exit 1
from make_wheels import wheel
wheel(".", "plain", "1.0", entry="plain")
wheel(".", "thief", "1.0", files={"six.py": "stolen = True\n"})
wheel(".", "twin", "1.0", files={"plain.py": "twin = True\n"})
wheel(".", "six", "99.0")
wheel(".", "hostile", "1.0", files={"../../../../outside.py": ""})
EOF
environment() { # NAME LINE...
  printf 'name: %s\nchannels: [file://%s/channel]\n' "$1" "$ENVBUILD_SHARED_DATA"
  printf 'dependencies:\n  - python=3.6.6\n  - pip\n  - six\n  - pip:\n    - --no-index\n'
  shift
  for line; do echo "    - $line"; done
}
lines() { environment local "$@" >environment.yml; }

# --- what pip would overwrite ---
lines ./thief-1.0-py3-none-any.whl
expect 5 "a wheel with a file of conda's" "$ENVBUILD" lock
check "package and file are named" \
  grep -q "pip's 'thief' would overwrite 'lib/python3.6/site-packages/six.py' of conda's package 'six-" "$T/err"
check "no lock" test ! -e envbuild.lock
expect 0 "the same, allowed" "$ENVBUILD" pack --no-test --allow-clobber '*/six.py'
same "pip's file is there" "$(tar xOf local.tar.gz lib/python3.6/site-packages/six.py)" "stolen = True"
expect 5 "another pattern allows nothing" "$ENVBUILD" lock --allow-clobber '*/seven.py'
lines ./six-99.0-py3-none-any.whl
expect 3 "a distribution that conda brings too" "$ENVBUILD" lock
check "conda's package is named" grep -q "conda's package 'six-.*' brings 'six' already" "$T/err"
lines ./plain-1.0-py3-none-any.whl ./twin-1.0-py3-none-any.whl
expect 5 "two wheels with one path" "$ENVBUILD" lock
check "both are named" grep -q "pip's 'plain' and 'twin' both bring 'lib/python3.6/site-packages/plain.py'" "$T/err"
lines ./hostile-1.0-py3-none-any.whl
expect 5 "a wheel that leads out of the prefix" "$ENVBUILD" lock
check "nothing came out" sh -c "! find '$T' -name outside.py | grep -q ."

# --- editable ---
lines '-e ./folder'
expect 2 "an editable line" "$ENVBUILD" lock
check "the message says why" grep -q "editable" "$T/err"
echo '-e ../folder' >sub/more.txt
lines '-r sub/more.txt'
expect 2 "an editable line in an -r file" "$ENVBUILD" lock
check "the message names file and line" grep -q 'sub/more.txt:1' "$T/err"

done_testing
