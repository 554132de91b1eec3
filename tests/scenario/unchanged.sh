#!/bin/bash
# memory
# timeout: 60
# `envbuild pack` again says that nothing changed and does nothing; whatever matters makes it pack.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
unset ENVBUILD_CACHE_LOWER SOURCE_DATE_EPOCH
export ENVBUILD_CACHE=$T/cache
python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
mkdir -p "$T/project/data" && cd "$T/project" || exit 1
printf 'name: demo\nchannels: [%s]\ndependencies: [alpha, zeta]\n' "$T/channel" >environment.yml
echo 'test -x "$CONDA_PREFIX/bin/alpha"' >run-test.sh
echo 'channel_alias: https://example.invalid' >rc.yml
echo one >data/used

pack() { "$ENVBUILD" pack -t host "$@"; }
look() { ls -lA --time-style=full-iso . data; }
unchanged() { # unchanged NAME OPTION...
  name=$1
  shift
  look >"$T/before"
  expect 0 "$name" pack "$@"
  says "$name: says so" '^envbuild: unchanged: [a-z.-]* is as this would make it$'
  look >"$T/after"
  check "$name: and nothing was written" cmp "$T/before" "$T/after"
}
packs() { # packs NAME OPTION...
  name=$1
  shift
  expect 0 "$name" pack "$@"
  says "$name: packs" '^  pack  '
}

packs "the first time" --test run-test.sh
unchanged "the second" --test run-test.sh
cpu=$( (TIMEFORMAT='%U %S' && time pack --test run-test.sh 2>/dev/null) 2>&1 |
  awk '{ print int(($1 + $2) * 1000) }')
check "in a tenth of a second ($cpu ms)" test "$cpu" -lt 100
expect 0 "quietly, on other threads, as JSON" pack --test run-test.sh -q -j 1 --json
same "what it says is the run's" "$(python3 -c '
import json, sys
said, run = json.load(open(sys.argv[1])), json.load(open("demo.run.json"))
assert said["tested"] is True and said["test"]["status"] == 0
print(said["unchanged"], [k for k in said if k not in ("test", "unchanged") and said[k] != run[k]])' \
  "$T/out")" "True []"
touch demo.tar.gz
unchanged "an archive with another time" --test run-test.sh
packs "--force" --test run-test.sh --force
unchanged "after that" --test run-test.sh

# --- what was said -------------------------------------------------------------------------------
packs "an untested one" --no-test
packs "a test that the last had not" --test run-test.sh
packs "another level" --test run-test.sh --level 1
expect 2 "a level that there is not" pack --test run-test.sh --level 13
same "is refused before anything is built" "$(grep -v locked "$T/err" | head -n 1)" \
  "envbuild: error: no level 13 for tar.gz: 1 to 12"
packs "another shell for the test" --test run-test.sh --test-shell 'sh -e'
packs "an option's file" --test run-test.sh --condarc rc.yml
unchanged "the same" --test run-test.sh --condarc rc.yml
echo 'channel_alias: https://example.test' >rc.yml
packs "other content of an option's file" --test run-test.sh --condarc rc.yml
packs "without it" --test run-test.sh
echo hi >"$T/added"
packs "an added file" --no-test --add "$T/added=share/added"
chmod +x "$T/added"
packs "which is a program now" --no-test --add "$T/added=share/added"
unchanged "and still is" --no-test --add "$T/added=share/added"
mkdir -p "$T/site/.git" && echo one >"$T/site/.git/config"
packs "an added folder" --no-test --add "$T/site=share/site"
echo two >"$T/site/.git/config"
packs "in which all counts" --no-test --add "$T/site=share/site"
unchanged "the same" --no-test --add "$T/site=share/site"
SOURCE_DATE_EPOCH=soon expect 2 "a source date that is none" pack --test run-test.sh
says "says so" "SOURCE_DATE_EPOCH is no number of seconds since 1970: 'soon'"
SOURCE_DATE_EPOCH=8589934592 expect 2 "one that not every reader takes" pack --test run-test.sh
SOURCE_DATE_EPOCH=1500000000 packs "another source date" --test run-test.sh
TZ=Asia/Tokyo packs "another zone for the test" --test run-test.sh
packs "as before" --test run-test.sh

# --- what lies there -----------------------------------------------------------------------------
echo '# a word' >>environment.yml
packs "another environment file" --test run-test.sh
echo 'test: {script: run-test.sh}' >envbuild.yml
packs "other settings"
unchanged "the script of the settings"
echo true >>run-test.sh
packs "another test script"
echo two >data/used
packs "another file that the test sees"
mkdir .git && echo x >.git/x
unchanged "not what git has"
echo x >demo.tar.txt
packs "a file that is named as an archive nearly is"
(mkdir many && cd many && seq 20001 | xargs touch)
packs "more files than are looked at"
packs "which is never unchanged"
same "and is recorded" "$(python3 -c 'import json; print(json.load(open("demo.run.json"))["inputs"])')" None
rm -r many
packs "without them"

# --- what was made -------------------------------------------------------------------------------
for file in demo.tar.gz demo.sha256 demo.run.json demo.test.log; do
  rm "$file"
  packs "without $file"
  check "$file is there again" test -f "$file"
done
printf X | dd of=demo.tar.gz bs=1 seek=2000 conv=notrunc 2>/dev/null
packs "an archive with another byte"
check "is whole again" sha256sum -c --quiet demo.sha256
echo x >>demo.sha256 && touch demo.tar.gz
packs "another list of sums"
echo '{' >demo.run.json
packs "a record that is none"
sed -i 's/alpha-1.0/alpha-1.1/' envbuild.lock
packs "another lock"
rm envbuild.lock
packs "a lock that is not there"
unchanged "after all that"

# --- a folder ------------------------------------------------------------------------------------
packs "a folder" --test run-test.sh --format dir
unchanged "the same folder" --test run-test.sh --format dir
echo '# more' >>demo/bin/alpha
packs "a changed file in it" --test run-test.sh --format dir
touch demo/bin/foreign
packs "a file too many" --test run-test.sh --format dir
rm demo/share/alpha/one
packs "a file that is not there" --test run-test.sh --format dir
sed -i 's|demo/|demi/|' demo.sha256
packs "a list of sums of another" --test run-test.sh --format dir
bash -c '. demo/bin/activate'
packs "one that was relocated" --test run-test.sh --format dir
unchanged "as it was" --test run-test.sh --format dir
rm -r demo
packs "one that is gone" --test run-test.sh --format dir
rm -r demo demo.*

# --- several targets -----------------------------------------------------------------------------
printf 'name: old\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0]\n' >old.yml
expect 0 "two targets" pack -t ./old.yml --image / --no-test
expect 0 "again" pack -t ./old.yml --image / --no-test
same "a folder as image is not known to be the same" "$(grep -c unchanged: "$T/err")" 0
expect 0 "two folders" pack -t ./old.yml --image / --test run-test.sh --format dir
expect 0 "again" pack -t ./old.yml --image / --test run-test.sh --format dir
inputs() { python3 -c 'import json; print(json.load(open("demo-host.run.json"))["inputs"])'; }
before=$(inputs)
expect 0 "host alone" "$ENVBUILD" pack -t host --no-test -o demo-old/
expect 0 "and again" pack -t ./old.yml --image / --test run-test.sh --format dir
same "neither is the other's project" "$(inputs)" "$before"
rm -r demo-host demo-old demo-*.*
expect 0 "host alone twice" pack -t host --no-test
expect 0 "again" pack -t host --no-test
same "both are unchanged" "$(grep -c unchanged: "$T/err")" 2
rm -f demo*
mkdir more && sed s/2.17/2.28/ old.yml >more/old.yml
expect 2 "two of one name, whose archives would be one" pack -t ./old.yml -t more/old.yml --image / --no-test
says "says so" "two targets are called 'old': './old.yml' and 'more/old.yml'"
same "before anything is made" "$(ls -d demo* 2>/dev/null)" ""
done_testing
