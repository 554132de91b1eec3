#!/bin/bash
# memory
# timeout: 600
# A pip section against an index: resolved by the environment's own pip, locked, installed exactly.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
. "$ROOT/tests/tools/index_server.sh"

# --- resolve, lock, install ---
lines alpha toonew
expect 0 "pack what an index has" "$ENVBUILD" pack --no-test
check "transitive, extras, markers: alpha, beta 2.0, gamma, delta, and nothing else" \
  python3 - envbuild.lock <<'EOF'
import re, sys
found = sorted(re.findall(r"^- pypi: .*/([^/#\n]+)$", open(sys.argv[1]).read(), re.M))
want = ["alpha-1.0-py3-none-any.whl", "beta-2.0-py3-none-any.whl", "delta-0.5.tar.gz",
        "gamma-1.1-py3-none-any.whl", "toonew-0.9-py3-none-manylinux1_x86_64.whl"]
assert found == want, found
EOF
same "what conda brings is not asked of the index" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | grep /six/)" ""
check "the source distribution's wheel has its own sum in the lock" \
  grep -q 'envbuild-wheel: delta-0.5-py3-none-any.whl' envbuild.lock
mkdir "$T/moved" && tar xf pipped.tar.gz -C "$T/moved"
same "it runs where it was unpacked" \
  "$(bash -c ". '$T/moved/bin/activate' && alpha && delta && python -m pip check")" \
  "alpha 1.0
delta 0.5
No broken requirements found."
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$T/moved"
check "nothing of this machine is in it" sh -c "! grep -rqE '$T/(project|cache)|envbuild-pip|envbuild-wheels' '$T/moved' \
  --exclude-dir=envbuild"

# --- the second time: exactly those, offline ---
"$nginx" stop "$T/nginx"
cp pipped.tar.gz first.tar.gz
expect 0 "pack again, offline and without the server" "$ENVBUILD" pack --no-test --offline --locked
check "as locked" grep -q 'as locked' "$T/err"
check "the same bytes" cmp first.tar.gz pipped.tar.gz
rm -r "$T/cache/wheels" "$T/cache/built"
expect 4 "offline with an empty cache" "$ENVBUILD" pack --force --no-test --offline --locked
check "the message names what is missing" grep -q 'alpha-1.0' "$T/err"
PATH=$PATH:/usr/sbin nginx -p "$T/nginx" -e "$T/nginx/error.log" -c "$T/nginx/nginx.conf" || exit 1
expect 0 "install the lock itself: fetched and built again by what it says" \
  "$ENVBUILD" install --locked envbuild.lock -p "$T/prefix"
same "its wheels are there" "$("$T/prefix/bin/alpha")" "alpha 1.0"
same "built ones too" "$("$T/prefix/bin/delta")" "delta 0.5"

# --- without a sandbox ---
rm envbuild.lock
expect 0 "pack with engine none" "$ENVBUILD" pack --no-test --engine none
check "the same archive as from the sandbox" cmp first.tar.gz pipped.tar.gz
check "nothing is left behind" sh -c "! ls -d /tmp/envbuild-pip /tmp/envbuild-links /tmp/project 2>/dev/null"
done_testing
