#!/bin/bash
# memory
# timeout: 600
# Pip sections that cannot be met, and indexes that want a password.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
. "$ROOT/tests/tools/index_server.sh"

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
