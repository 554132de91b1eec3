#!/bin/bash
# memory
# timeout: 400
# The same archive from root, from an unprivileged user, without a sandbox, and where the kernel
# refuses one.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
[ "$(id -u)" = 0 ] || skip_all "needs root, to become another user"
need setpriv unshare

chmod 755 "$T" && mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [python=3.7.0, requests]
variables: {SITE_NAME: here}
EOF
cat >run-test.sh <<'EOF'
python -c "import requests, ssl, sqlite3"
test "$SITE_NAME" = here
test "$(basename "$CONDA_PREFIX")" = small
EOF
unset ENVBUILD_ENGINE
# pack_as WHO NAME OPTION...: pack in a folder of its own, with a cache of its own.
user=65432
as_user() {
  setpriv --reuid $user --regid $user --clear-groups env HOME="$T/user" "$@"
}
mkdir "$T/user" "$T/user/project" && cp environment.yml run-test.sh "$T/user/project"
chown -R $user:$user "$T/user"

expect 0 "root, sandboxed" "$ENVBUILD" pack --test run-test.sh
reason=
as_user "$ENVBUILD" --version >/dev/null 2>&1 || reason="an unprivileged user cannot read the program"
if [ -n "$reason" ]; then
  skip "unprivileged" "$reason"
else
  cd "$T/user/project" || exit 1
  ENVBUILD_CACHE=$T/user/cache expect 0 "unprivileged, sandboxed" as_user "$ENVBUILD" pack \
    --engine builtin --test run-test.sh
  check "it was the sandbox" grep -q '"engine": "builtin"' small.run.json
  check "the same archive" cmp small.tar.gz "$T/project/small.tar.gz"
  umask 077
  ENVBUILD_CACHE=$T/user/cache2 expect 0 "another umask" as_user "$ENVBUILD" pack \
    --engine builtin --test run-test.sh -o other.tar.gz
  umask 022
  check "the same archive whatever the umask" cmp other.tar.gz "$T/project/small.tar.gz"
  cd "$T/project" || exit 1
fi

expect 0 "--engine none" "$ENVBUILD" pack --engine none --test run-test.sh -o none.tar.gz
check "it was recorded" grep -q '"engine": "none"' none.run.json
check "the same archive without a sandbox" cmp small.tar.gz none.tar.gz
check "its paths under /tmp are gone" test ! -e /tmp/small -a ! -e /tmp/project -a ! -e /tmp/run-test.sh

# Without a sandbox a test's paths are links: a killed run leaves none, or the next one removes them.
mkdir "$T/kill" && cd "$T/kill" || exit 1
sed 's/^dependencies:.*/dependencies: [jq]/' "$T/project/environment.yml" >environment.yml
echo 'sleep 30' >sleep.sh
echo 'jq --version' >run-test.sh
no_links() {
  test ! -L /tmp/small -a ! -L /tmp/project -a ! -L /tmp/run-test.sh
}
wait_for() { # wait_for COMMAND...: for 20 s at most
  for _ in $(seq 200); do
    ! "$@" || return 0
    sleep 0.1
  done
  return 1
}
for signal in INT KILL; do
  env --default-signal=INT "$ENVBUILD" pack --engine none --test sleep.sh -o killed.tar.gz \
    2>"$T/killed" &
  pid=$!
  wait_for test -L /tmp/run-test.sh || fail "$signal: the test began" "$(cat "$T/killed")"
  kill -$signal $pid
  wait $pid
  check "SIG$signal: the links under /tmp go with the run" wait_for no_links
done
"$ENVBUILD" pack --engine none --test sleep.sh -o killed.tar.gz 2>"$T/killed" &
pid=$!
wait_for test -L /tmp/run-test.sh || fail "the test began" "$(cat "$T/killed")"
watcher=$(pgrep -P $pid)
job=$(pgrep -P "$watcher")
kill -KILL $pid "$watcher" -- "-$job"
wait $pid
expect 0 "all killed at once: the next run works" "$ENVBUILD" pack --engine none \
  --test run-test.sh -o none.tar.gz
check "and removes the links" no_links
cd "$T/project" || exit 1

# What a test may write, from envbuild.yml; links, pip and the prefix itself stay below it.
mkdir "$T/quota" && cd "$T/quota" || exit 1
cp "$T/kill/environment.yml" .
echo 'test: {script: fill.sh, quota: 16M}' >envbuild.yml
echo 'head -c 20000000 /dev/zero >/tmp/project/big' >fill.sh
expect 6 "a test that writes more than its quota" "$ENVBUILD" pack
check "it says so" grep -q 'had written all that --quota allows' "$T/err"
expect 0 "one that does not" "$ENVBUILD" pack --quota 30M
check "what it changed is known" grep -q '"big"' ./*.run.json
cd "$T/project" || exit 1

# A user namespace may forbid those below it: as a hardened host or an ordinary container does.
refuse='echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"'
if unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && ! unshare -U true' 2>/dev/null; then
  expect 0 "namespaces refused, target host" unshare -Ur sh -c "$refuse" sh "$ENVBUILD" pack \
    --test run-test.sh -o refused.tar.gz
  check "a warning says so" grep -q 'warning:.*namespace' "$T/err"
  check "the warning stands in the record" grep -q 'namespace' refused.run.json
  check "the same archive" cmp small.tar.gz refused.tar.gz
  cat >same.yml <<'EOF'
name: same
subdir: linux-64
virtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0, __archspec=1=x86_64]
EOF
  expect 1 "namespaces refused, another target" unshare -Ur sh -c "$refuse" sh "$ENVBUILD" pack \
    -t ./same.yml --image / --test run-test.sh -o target.tar.gz
  check "it says what to allow" grep -q 'max_user_namespaces' "$T/err"
  expect 0 "the same with --engine none" unshare -Ur sh -c "$refuse" sh "$ENVBUILD" pack \
    -t ./same.yml --engine none --test run-test.sh -o target.tar.gz
else
  skip "namespaces refused" "this machine does not let a namespace forbid others"
fi
cat >future.yml <<'EOF'
name: future
subdir: linux-64
virtual-packages: [__glibc=2.99, __linux=9.0, __unix=0=0, __archspec=1=x86_64]
EOF
expect 2 "--engine none where / is too old" "$ENVBUILD" pack --engine none -t ./future.yml \
  --no-test -o future.tar.gz
check "it names both versions" grep -q '2\.99' "$T/err"
done_testing
