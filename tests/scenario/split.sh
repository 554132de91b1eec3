#!/bin/bash
# memory
# timeout: 60
# pack --split: parts as split -d makes them, read wherever an archive is, never mixed with older ones.
# shellcheck disable=SC2010,SC2012,SC2016,SC2086
. "$(dirname "$0")/../lib.sh"
need python3 split tar
export ENVBUILD_CACHE=$T/cache

check "make a channel" "$ROOT/tests/tools/small_channel.py" "$T/channel"
check "index it" "$ENVBUILD" channel index "$T/channel"
mkdir "$T/project" && cd "$T/project" || exit 1
environment() {
  printf 'name: demo\nchannels: [file://%s]\ndependencies: [%s]\n' "$T/channel" "$1" >environment.yml
}
environment "alpha, beta, gamma, delta, epsilon, zeta"
printf 'alpha && test "$ENVIRONMENT_NAME" = demo\n' >run-test.sh
pack() {
  "$ENVBUILD" pack -q --test run-test.sh "$@"
}
parts() {
  ls | grep "^demo\.$1" | tr '\n' ' '
}

# --- as split does ---------------------------------------------------------------------------------
for format in tar.gz tar.zst tar squashfs; do
  check "pack a $format" pack --format $format -o "$T/demo.$format"
  mv "$T/demo.$format" "$T/whole.$format"
  (cd "$T" && split -d -b 20000 "whole.$format" "want.$format.")
  check "pack it in parts" pack --format $format --split 20k
  same "the parts have split's names" "$(parts $format)" "$(cd "$T" && ls want.$format.[0-9]* | sed s/want/demo/ | tr '\n' ' ')"
  for part in "demo.$format".*; do
    cmp "$part" "$T/want${part#demo}" || fail "'$part' has other bytes"
  done >"$T/out" 2>&1
  same "and its bytes" "$(cat "$T/out")" ""
  check "sha256sum -c" sha256sum --quiet -c demo.sha256
  same "which lists each part and no more" "$(cut -c 67- demo.sha256 | tr '\n' ' ')" "$(parts $format)"
  cat >"$T/look.py" <<'PY'
import hashlib, json, os, sys
run = json.load(open("demo.run.json"))
name = "demo." + sys.argv[1]
whole = open(sys.argv[2], "rb").read()
assert run["archive"] == name and run["bytes"] == len(whole)
assert run["sha256"] == hashlib.sha256(whole).hexdigest()
parts = sorted(n for n in os.listdir() if n.startswith(name + "."))
assert [p["name"] for p in run["parts"]] == parts
for p in run["parts"]:
    data = open(p["name"], "rb").read()
    assert p["bytes"] == len(data) and p["sha256"] == hashlib.sha256(data).hexdigest()
PY
  check "the run report names them" python3 "$T/look.py" $format "$T/whole.$format"
  check "the whole is unpacked" "$ENVBUILD" unpack "$T/whole.$format" "$T/unpacked" -p /opt/demo
  for name in demo.$format demo.$format.00; do
    rm -rf "$T/joined"
    check "unpack $name" "$ENVBUILD" unpack $name "$T/joined" -p /opt/demo
    check "gives the same" diff -r --no-dereference "$T/unpacked" "$T/joined"
    [ $format = tar.gz ] || [ $format = squashfs ] || continue
    expect 0 "run $name" "$ENVBUILD" run $name -- alpha
    same "does" "$(cat "$T/out")" alpha
    expect 0 "test $name" "$ENVBUILD" test -q $name
  done
  rm -rf "$T/unpacked" "$T/joined" demo.$format.*
done
pack --split 20k
mkdir "$T/root"
expect 0 "deploy the set" "$ENVBUILD" deploy -q demo.tar.gz "$T/root" --version 1
same "which is in use" "$("$T/root/current/bin/alpha")" alpha
check "its record has the sum of the whole" grep -q "$(sha256sum <"$T/whole.tar.gz" | cut -c -64)" \
  "$T/root/deployments.jsonl"
mkdir "$T/cat" "$T/tar"
check "cat | tar xz" sh -c 'cat demo.tar.gz.* | tar xz -C "$1"' sh "$T/cat"
tar xf "$T/whole.tar.gz" -C "$T/tar"
check "gives the same" diff -r --no-dereference "$T/cat" "$T/tar"

expect 0 "one part is enough" pack --split 1M
same "and is called .00" "$(parts tar.gz)" "demo.tar.gz.00 "
check "as split calls it" cmp demo.tar.gz.00 "$T/whole.tar.gz"
expect 0 "more than 90 parts" pack --split 1k
(cd "$T" && split -d -b 1000 whole.tar.gz many.)
same "are called as split does" "$(parts tar.gz)" "$(cd "$T" && ls many.* | sed s/many/demo.tar.gz/ | tr '\n' ' ')"
expect 0 "and unpacked" "$ENVBUILD" unpack demo.tar.gz "$T/many"

printf 'pack: {split: 60k}\n' >envbuild.yml
expect 0 "envbuild.yml says the size" "$ENVBUILD" pack --test run-test.sh
says "and so does the word at the end" 'demo.tar.gz: .* in 3 parts'
same "in 3" "$(parts tar.gz)" "demo.tar.gz.00 demo.tar.gz.01 demo.tar.gz.02 "
expect 0 "--split wins" pack --split 80k
same "in 2" "$(parts tar.gz)" "demo.tar.gz.00 demo.tar.gz.01 "
rm envbuild.yml

# --- one set at a time ------------------------------------------------------------------------------
expect 0 "packed whole" pack
same "the parts are gone" "$(parts tar.gz)" "demo.tar.gz "
same "their test counts no more" "$(cut -c 67- demo.sha256)" demo.tar.gz
touch demo.tar.gz.note demo.tar.gz.000 demo.tar.gz.90
expect 0 "packed in parts" pack --split 60k
same "the whole is gone, other files are not" "$(parts tar.gz)" \
  "demo.tar.gz.00 demo.tar.gz.000 demo.tar.gz.01 demo.tar.gz.02 demo.tar.gz.90 demo.tar.gz.note "
rm demo.tar.gz.note demo.tar.gz.000 demo.tar.gz.90
expect 0 "in fewer parts" pack --split 80k
same "the older ones are gone" "$(parts tar.gz)" "demo.tar.gz.00 demo.tar.gz.01 "

# --- what is missing --------------------------------------------------------------------------------
pack --split 20k
mkdir "$T/some" && cp demo.tar.gz.0* "$T/some" && cd "$T/some" || exit 1
rm demo.tar.gz.07
expect 5 "the last part is missing" "$ENVBUILD" unpack demo.tar.gz "$T/in"
says "and it says so" "hint: 'demo.tar.gz.06' is its last part here: look whether others are missing"
rm demo.tar.gz.03
expect 5 "one between is missing" "$ENVBUILD" unpack demo.tar.gz "$T/in"
says "and it says which" "'demo.tar.gz.03' is missing, but 'demo.tar.gz.04' is there"
rm demo.tar.gz.00
expect 5 "the first is missing" "$ENVBUILD" run demo.tar.gz -- true
says "and it says so, too" "'demo.tar.gz.00' is missing, but 'demo.tar.gz.01' is there"
expect 5 "to unpack it, too" "$ENVBUILD" unpack demo.tar.gz "$T/in"
says "and it says so, too" "'demo.tar.gz.00' is missing, but 'demo.tar.gz.01' is there"
says "and what to do" "hint: bring all parts into one folder"
expect 2 "another than the first is named" "$ENVBUILD" unpack demo.tar.gz.01 "$T/in"
says "and it says which to name" "hint: give 'demo.tar.gz'"
rm demo.tar.gz.*
expect 2 "none is there" "$ENVBUILD" test demo.tar.gz
same "nothing was unpacked" "$(ls -d "$T/in" 2>/dev/null)" ""
# Cut where one compressed piece ends: only the list of files tells.
python3 - "$T/whole.tar.zst" demo.tar.zst <<'PY'
import struct, sys
data = open(sys.argv[1], "rb").read()
last = data.rindex(b"\x28\xb5\x2f\xfd")
open(sys.argv[2] + ".00", "wb").write(data[:1000])
open(sys.argv[2] + ".01", "wb").write(data[1000:last])
PY
expect 5 "the last part began a piece" "$ENVBUILD" unpack demo.tar.zst "$T/in"
says "it is missed by the list of files" "'demo.tar.zst' is cut off: 'conda-meta/envbuild/files' is missing"
says "with the same advice" "'demo.tar.zst.01' is its last part here"
cd "$T/project" || exit 1

# --- what is refused --------------------------------------------------------------------------------
rm -f demo.*
before=$(ls -A)
refused() {
  expect 2 "refused: $1" pack "${@:3}"
  says "says why" "$2"
  same "leaves nothing" "$(ls -A)" "$before"
}
refused "too many parts" "'demo.tar.gz' would have more than 990 parts" --split 100
refused "no size" "--split takes a size" --split 0
refused "a part's name" "is the name of a part" -o demo.tar.gz.00
refused "parts of a folder" "--split cuts files" --split 1M --format dir

# --- killed while it takes the place of another ------------------------------------------------------
# The order of the calls is unit/packer_replace's; here: the next run clears what a killed one left.
if ! strace -o /dev/null true 2>/dev/null; then
  skip "killed runs" "strace may not trace here"
  done_testing
fi
kills=0 left=''
for n in $(seq 1 40); do
  strace -f -o /dev/null -e trace=rename -e inject=rename:signal=KILL:when="$n" \
    "$ENVBUILD" pack -q --no-test --split 60k 2>/dev/null
  [ $? = 137 ] || break
  kills=$((kills + 1))
  if [ "$(find . -maxdepth 1 -name '.demo.tar.gz.*.tmp.d' | wc -l)" != 1 ] && [ ! -e demo.tar.gz.02 ]; then
    left="$left $n: no temporary"
  fi
done
check "runs were killed ($kills)" test "$kills" -ge 4
same "each while its temporaries were there" "$left" ""
expect 0 "the next run" pack --split 60k
same "leaves the parts alone" "$(ls -A | tr '\n' ' ')" "demo.run.json demo.sha256 demo.tar.gz.00 \
demo.tar.gz.01 demo.tar.gz.02 demo.test.log envbuild.lock environment.yml run-test.sh "
check "with the right bytes" sh -c 'cat demo.tar.gz.* | cmp - "$1"' sh "$T/whole.tar.gz"
done_testing
