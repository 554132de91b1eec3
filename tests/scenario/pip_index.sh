#!/bin/bash
# timeout: 600
# A pip section against an index: resolved by the environment's own pip, locked, installed exactly.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 nginx
nginx=$ROOT/tests/tools/nginx.sh

export ENVBUILD_CACHE=$T/cache
mkdir "$T/project" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF' || exit 1
from make_wheels import wheel, sdist, index
wheel("dists", "alpha", "1.0", requires=["beta>=1,<3", "gamma[fast]", 'winonly; sys_platform == "win32"', "six>=1.5"],
      entry="alpha")
for version in "1.0", "2.0", "3.0":
    wheel("dists", "beta", version)
wheel("dists", "gamma", "1.1", extras=["fast"], requires=['delta; extra == "fast"', 'never; extra == "slow"'])
sdist("dists", "delta", "0.5", entry="delta")
wheel("dists", "toonew", "1.0", tag="py3-none-manylinux_2_99_x86_64")
wheel("dists", "toonew", "0.9", tag="py3-none-manylinux1_x86_64")
wheel("dists", "six", "99.0")
wheel("dists", "liar", "1.0")
wheel("dists", "newsix", "1.0", requires=["six>=90"])
index("../www", "dists", lies=["liar-1.0-py3-none-any.whl"])
EOF
printf 'user:{PLAIN}s3cr3t-of-it\n' >"$T/htpasswd"
port=$("$nginx" start "$T/nginx" "$T/www" "location /private/ { alias $T/www/; auth_basic p; \
  auth_basic_user_file $T/htpasswd; }") || skip_all "no nginx"
defer "'$nginx' stop '$T/nginx'"

environment() { # LINE...
  cat <<EOF
name: pipped
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies:
  - python=3.6.6
  - pip
  - six
  - pip:
    - --index-url http://127.0.0.1:$port/simple
EOF
  for line; do echo "    - $line"; done
}
lines() { environment "$@" >environment.yml; }

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
check "what conda brings is not asked of the index" sh -c "! grep -q /six/ '$T/nginx/access.log'"
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
expect 4 "offline with an empty cache" "$ENVBUILD" pack --no-test --offline --locked
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
