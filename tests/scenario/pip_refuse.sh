#!/bin/bash
# timeout: 600
# Pip sections that cannot be met, and indexes that want a password.
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

# --- what does not do ---
lines 'beta<3'
expect 0 "lock" "$ENVBUILD" lock
check "what fits the line" grep -q 'beta-2.0-py3' envbuild.lock
lines 'beta<2'
expect 3 "--locked with other lines" "$ENVBUILD" pack --no-test --locked
check "the reason is given" grep -q "beta" "$T/err"
lines liar
expect 5 "a file that is not what the index says" "$ENVBUILD" lock
lines newsix
expect 3 "what conda's packages do not satisfy" "$ENVBUILD" lock
check "the message names conda's package and the requirement" \
  grep -q "newsix 1.0: 'six>=90' is not met by six .* conda's package 'six-" "$T/err"
lines 'six>=2'
expect 3 "the same in a line of the section" "$ENVBUILD" lock
check "the message names the line" grep -q "environment.yml:[0-9]*: 'six>=2'" "$T/err"
lines absent
expect 3 "what no index has" "$ENVBUILD" lock
check "in pip's words" grep -q 'No matching distribution found for absent' "$T/err"
expect 2 "a target without a root at hand" "$ENVBUILD" lock -t rhel6
check "the message says what that is needed for" \
  grep -q "the pip section has to be resolved where target 'rhel6' can run" "$T/err"
same "the lock is as it was" "$(grep -c 'beta-2.0' envbuild.lock)" 2

# --- credentials ---
lines alpha
sed -i "s,//127.0.0.1:$port/simple,//user:s3cr3t-of-it@127.0.0.1:$port/private/simple," environment.yml
expect 0 "an index with a password" "$ENVBUILD" pack --no-test
check "the password is in no lock" sh -c "! grep -q s3cr3t envbuild.lock"
check "nor in the archive" sh -c "! tar xOf pipped.tar.gz | grep -aq s3cr3t"
check "nor in what was said" sh -c "! grep -q s3cr3t '$T/err'"
rm -rf "$T/cache/wheels" "$T/cache/built"
expect 0 "the lock alone knows where, the section has the password" "$ENVBUILD" install --locked -p "$T/prefix"
# pip runs itself for what a build requires, and names the index to it
PYTHONPATH=$ROOT/tests/tools python3 -c 'from make_wheels import project; project("needy", "needy", "1.0")'
printf '[build-system]\nrequires = ["absent"]\n' >needy/pyproject.toml
sed -i 's,- alpha,- ./needy,' environment.yml
while sleep 0.1; do cat /proc/[0-9]*/cmdline; done >"$T/commands" 2>/dev/null &
watcher=$!
expect 3 "a build that requires what there is not" "$ENVBUILD" lock
kill $watcher
check "pip ran itself" grep -aq -- --ignore-installed "$T/commands"
check "the password is in no command" sh -c "! grep -aq s3cr3t '$T/commands'"
check "nor in what was said" sh -c "! grep -q s3cr3t '$T/err'"
sed -i 's,- ./needy,- nowhere\x27s http://user:s3cr3t@host/x,' environment.yml
expect 2 "a line that is none" "$ENVBUILD" lock
check "is shown without its password" sh -c "grep -q nowhere '$T/err' && ! grep -q s3cr3t '$T/err'"

done_testing
