#!/bin/bash
# slow
# memory
# timeout: 500
# A run killed at any moment: the next one works, with the right bytes, and clears what was left.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"

mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [python=3.7.0, requests]
EOF
printf 'python -c "import requests, ssl"\n' >run-test.sh
export ENVBUILD_CACHE=$T/cache
took= # with an empty cache, with a full one; milliseconds
for option in "" --force; do
  start=$(date +%s%N)
  # shellcheck disable=SC2086 # no word or one
  expect 0 "a run that is left alone $option" "$ENVBUILD" pack --test run-test.sh \
    -o "$T/good.tar.gz" $option
  took="$took $((($(date +%s%N) - start) / 1000000))"
done

rounds=6 killed=0 half=0
for round in $(seq "$rounds"); do
  # Every second round begins with an empty cache, so that download and extraction are hit too.
  [ $((round % 2)) = 0 ] || rm -rf "$ENVBUILD_CACHE"
  "$ENVBUILD" pack --test run-test.sh -q 2>/dev/null &
  pid=$!
  sleep "$(echo "$took" | awk "{ print \$(2 - $round % 2) * $round / $rounds / 1000 }")"
  if kill -KILL $pid 2>/dev/null; then
    killed=$((killed + 1))
  fi
  wait $pid 2>/dev/null
  if [ -e small.tar.gz ]; then
    cmp -s small.tar.gz "$T/good.tar.gz" || half=$((half + 1))
    rm -f small.*
  fi
done
check "some runs were killed ($killed of $rounds)" test "$killed" -ge 2
same "no archive is half or wrong" "$half" 0
expect 0 "the next run works" "$ENVBUILD" pack --test run-test.sh
check "with the same bytes" cmp small.tar.gz "$T/good.tar.gz"
same "nothing is left beside it" "$(ls -A | tr '\n' ' ')" \
  "envbuild.lock environment.yml run-test.sh small.run.json small.sha256 small.tar.gz small.test.log "
same "nothing is left in the work folder" "$(ls -A "$ENVBUILD_CACHE/work")" ""
check "no mount is left" sh -c "! grep -q '$T' /proc/self/mounts"
# A test script is /tmp/run-test.sh in every sandbox, those of other tests too: mounts say whose it is.
left() {
  pgrep -f "$T/[c]ache"
  for pid in $(pgrep -f '/tmp/run-[t]est.sh'); do
    grep -q "${T##*/}/" "/proc/$pid/mountinfo" 2>/dev/null && echo "$pid"
  done
}
same "no process is left" "$(left)" ""
done_testing
