#!/bin/bash
# timeout: 200
# Ctrl-C, kill and a closed terminal: everything temporary goes, and the shell sees the signal.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"

mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [jq]
EOF
echo 'sleep 987' >run-test.sh
export ENVBUILD_CACHE=$T/cache
expect 0 "a run that is left alone" "$ENVBUILD" pack --no-test -o "$T/good.tar.gz"
rm -f envbuild.lock

# interrupt SIGNAL SIGN CMD...: starts CMD and sends the signal when stderr shows SIGN
interrupt() {
  local signal=$1 sign=$2 pid
  shift 2
  # A shell lets its background jobs ignore SIGINT, nohup SIGHUP.
  env --default-signal=INT,TERM,HUP "$@" >"$T/out" 2>"$T/err" &
  pid=$!
  for _ in $(seq 300); do
    grep -q "$sign" "$T/err" && break
    sleep 0.05
  done
  sleep 0.3
  kill -s "$signal" $pid
  wait $pid 2>/dev/null
  status=$?
}
left() { # what lies in the project, the work folder and the temporaries of the cache
  (ls -A "$T/project" "$ENVBUILD_CACHE/work" "$ENVBUILD_CACHE/tmp") | tr '\n' ' '
}
clean=$(left)

for signal in INT TERM HUP; do
  interrupt $signal unpack "$ENVBUILD" pack --test run-test.sh
  same "SIG$signal in the test: the shell sees it" "$status" $((128 + $(kill -l $signal)))
  check "SIG$signal: the message says so" \
    grep -q "error: while running the test 'run-test.sh': interrupted by" "$T/err"
  check "SIG$signal: and blames nobody" sh -c '! grep -q "mend the" "$1"' sh "$T/err"
  same "SIG$signal: nothing is left" "$(left)" "$clean"
done
same "no process is left" "$(pgrep -f 'sleep [9]87')" ""

expect 0 "the next run works" "$ENVBUILD" pack --no-test -q -o "$T/again.tar.gz"
check "with the same bytes" cmp "$T/good.tar.gz" "$T/again.tar.gz"
(trap '' HUP && exec "$ENVBUILD" pack --test run-test.sh -q --timeout 3 2>"$T/err") &
pid=$!
sleep 1
kill -HUP $pid
wait $pid
same "what nohup ignores is ignored" "$?" 6
done_testing
