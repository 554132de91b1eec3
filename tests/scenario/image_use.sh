#!/bin/bash
# timeout: 240
# Targets find their images by name; what is asked for and not there; imports that are killed.
. "$(dirname "$0")/../lib.sh"
need python3 zstd xz

roots=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why") || skip_all "no old root: $(cat "$T/why")"
"$ROOT/tests/tools/small_channel.py" "$T/channel" && "$ENVBUILD" channel index -q "$T/channel"
export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache
mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$T/channel]
dependencies: [alpha, delta]
EOF
printf 'test "$(alpha)" = alpha && ls /lib64/libc-2.17.so /lib64/libc.so.6 2>/dev/null; alpha\n' >run-test.sh

# --- no image --------------------------------------------------------------------------------
expect 2 "pack for a target without an image" "$ENVBUILD" pack -t rhel7 --test run-test.sh
says "it says so" "error: target 'rhel7' has no image here"
says "and the three ways out" "image pull rhel7.*image build rhel7.*image import rhel7 FILE.*--image DIR"
check "but the lock is made" grep -q 'name: rhel7' envbuild.lock
same "and no archive" "$(ls -A | tr '\n' ' ')" "envbuild.lock environment.yml run-test.sh "
expect 0 "the lock is current" "$ENVBUILD" lock --check -t rhel7
cp envbuild.lock "$T/lock"
expect 2 "once more" "$ENVBUILD" pack -t rhel7 --test run-test.sh --locked
check "the lock is the same" cmp envbuild.lock "$T/lock"
for words in "install -t rhel7 -p $T/env" "run -t rhel7 environment.yml -- true"; do
  # shellcheck disable=SC2086
  expect 2 "${words%% *} without an image" "$ENVBUILD" $words
  says "says so too" "target 'rhel7' has no image here"
done
expect 2 "an image of no name" "$ENVBUILD" pack -t rhel7 --image nothing --no-test
says "is named" "neither an image nor a folder 'nothing'"

# --- agreement -------------------------------------------------------------------------------
expect 2 "a root of another glibc for a target" "$ENVBUILD" image import debian12 "$roots"
says "both are named" "the image has glibc 2.17, target 'debian12' says 2.36"
says "with a way out" "hint: .*another NAME.*profile"
same "nothing is stored" "$(find "$T/data" ! -type d -name '[!l]*')" ""
mkdir -p musl/lib musl/etc targets && cp /bin/true musl/lib/ld-musl-x86_64.so.1
expect 0 "an image without glibc" "$ENVBUILD" image import musl musl
says "with a warning" "warning: the image 'musl' has no glibc"
printf 'name: own\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17]\n' >targets/own.yml
expect 2 "for a target of the project's" "$ENVBUILD" image import own musl
says "it is an error" "the image has no glibc, target 'own' says 2.17"
expect 0 "its own" "$ENVBUILD" image import own "$roots"
expect 0 "it is listed" "$ENVBUILD" image list
says "with its image" "^own +2.17 +- +- +- +$roots" "$T/out"

# --- used by name ----------------------------------------------------------------------------
if "$ENVBUILD_TOOLS/sandbox" --probe 2>"$T/why"; then
  expect 0 "an image for a target" "$ENVBUILD" image import rhel7 "$roots"
  says "the tree is the other name's" "it was here already"
  expect 0 "pack finds it by the target's name" "$ENVBUILD" pack -t rhel7 --test run-test.sh
  check "an archive" test -f small.tar.gz
  expect 0 "run in it" "$ENVBUILD" run small.tar.gz -- sh -c 'ls / && alpha'
  says "it is that root" "^busybox|^lib64$" "$T/out"
  expect 0 "test in it" "$ENVBUILD" test small.tar.gz
  expect 0 "install in it" "$ENVBUILD" install -t rhel7 -p "$T/env"
  expect 0 "another by its name" "$ENVBUILD" run small.tar.gz --image own -- alpha
  expect 2 "one that does not fit" "$ENVBUILD" run small.tar.gz --image musl -- alpha
  expect 0 "a folder by its path" "$ENVBUILD" run small.tar.gz --image "$roots" -- alpha
  mkdir by-name && ln -s "$roots" by-name/old && cd by-name || exit 1
  expect 0 "a folder by its name" "$ENVBUILD" run ../small.tar.gz --image old -- alpha
  cd .. || exit 1

  # In use: the tree stays for who has it.
  "$ENVBUILD" run small.tar.gz -- sh -c 'echo up >up; while [ ! -e go ]; do sleep 0.1; done; ls /' \
    >"$T/inside" 2>/dev/null &
  pid=$!
  while [ ! -e up ] && kill -0 $pid 2>/dev/null; do sleep 0.1; done
  expect 0 "an image in use is removed" "$ENVBUILD" image rm rhel7 own
  expect 2 "its name is gone" "$ENVBUILD" run small.tar.gz -- true
  touch go
  wait $pid
  same "who had it goes on" "$? $(grep -c lib64 "$T/inside")" "0 1"
  expect 0 "the next removal takes the tree" "$ENVBUILD" image rm musl
  same "nothing is left" "$(ls -A "$T/data/images/trees" "$T/data/images/work")" \
    "$T/data/images/trees:

$T/data/images/work:"
else
  skip "images by name" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
  "$ENVBUILD" image rm -q own musl
fi

# --- killed, and at the same time --------------------------------------------------------------
lines() { "$ROOT/tests/tools/tree_lines.py" "$1"; }
tar -C "$roots" -czf "$T/root.tgz" . && mkdir "$T/as-tar" && tar -C "$T/as-tar" -xzf "$T/root.tgz"
lines "$T/as-tar" >"$T/want"
start=$(date +%s%N)
expect 0 "an import that is left alone" "$ENVBUILD" image import rhel7 "$T/root.tgz"
took=$((($(date +%s%N) - start) / 1000000)) killed=0 rounds=14
for round in $(seq $rounds); do
  case $((round % 3)) in
  0) "$ENVBUILD" image rm -q rhel7 2>/dev/null & ;;
  *)
    "$ENVBUILD" image rm -q rhel7 2>/dev/null
    "$ENVBUILD" image import -q rhel7 "$T/root.tgz" 2>/dev/null &
    ;;
  esac
  pid=$!
  sleep "$(awk "BEGIN { print $took * $round / $rounds / 1000 }")"
  kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
  wait $pid 2>/dev/null
  if ! "$ENVBUILD" image list --json >"$T/list" 2>"$T/err"; then
    fail "the store after kill $round" "$(cat "$T/err")"
  elif root=$("$ENVBUILD" image show rhel7 --json | python3 -c \
    'import json, sys; i = json.load(sys.stdin)["image"]; i and print(i["root"])') && [ "$root" ]; then
    lines "$root" | diff - "$T/want" >"$T/differ" ||
      fail "a whole tree after kill $round" "$(head -n 20 "$T/differ")"
  fi
done
check "some were killed ($killed of $rounds)" test "$killed" -ge 4
expect 0 "the next import works" "$ENVBUILD" image import rhel7 "$T/root.tgz"
same "one tree, and nothing at work" \
  "$(ls -A "$T/data/images/trees" | wc -l) $(ls -A "$T/data/images/work" "$T/data/images/names" | tr '\n' ' ')" \
  "1 $T/data/images/names: rhel7  $T/data/images/work: "
rm -r "$T/data/images/trees"/*/root
expect 0 "a tree that was removed by hand" "$ENVBUILD" image list
says "is not at hand" "^rhel7 .* none$" "$T/out"
expect 0 "and is made anew" "$ENVBUILD" image import rhel7 "$T/root.tgz"
check "whole" test -e "$("$ENVBUILD" image show rhel7 --json | python3 -c \
  'import json, sys; print(json.load(sys.stdin)["image"]["root"])')/lib64/libc.so.6"
rm "$T/data/images/trees"/*/facts
expect 0 "so is one without its facts" "$ENVBUILD" image import rhel7 "$T/root.tgz"
same "and nothing is left at work" "$(ls -A "$T/data/images/work")" ""
expect 0 "removed" "$ENVBUILD" image rm rhel7
mkfifo "$T/fifo"
"$ENVBUILD" image import rhel7 - <"$T/fifo" 2>"$T/err" &
pid=$!
exec 7>"$T/fifo"
while [ -z "$(ls -A "$T/data/images/work")" ]; do sleep 0.05; done
kill -TERM $pid
wait $pid
same "an import that waits for stdin is ended by a signal" "$?" 143
exec 7>&-
same "and leaves nothing" "$(ls -A "$T/data/images/work" "$T/data/images/names" | tr '\n' ' ')" \
  "$T/data/images/names:  $T/data/images/work: "
pids=
for _ in 1 2 3 4; do
  "$ENVBUILD" image import -q "rhel7" "$T/root.tgz" 2>>"$T/four" &
  pids="$pids $!"
done
status=0
for pid in $pids; do wait "$pid" || status=$?; done
same "four imports at the same time" "$status $(cat "$T/four")" "0 "
same "make one tree" "$(ls -A "$T/data/images/trees" | wc -l) $(ls -A "$T/data/images/work")" "1 "
done_testing
