#!/bin/bash
# timeout: 120
# envbuild publish into a folder: what appears, twice the same, never overwritten unless told to, nothing
# untested, nothing half, whatever kills it.
. "$(dirname "$0")/../lib.sh"
need python3 split flock
. "$ROOT/tests/tools/publish_archives.sh"
cd "$T" || exit 1

publish() { "$ENVBUILD" publish "$@"; }
tree() { (cd "$1" && find . ! -name .publish-lock \( -type f -printf '%p %i ' -exec sha256sum {} \; -o -type l -printf '%p %l\n' \) | sort); }
index() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1/index.json" "$2"; }
clean() { ! find "$1" -mindepth 1 -maxdepth 1 -name '.*' ! -name .publish-lock | grep .; }

# --- what is refused, before anything is written ---
expect 6 "an archive that was not tested" publish raw/demo.tar.gz --tag v1 --to pub
says "it says so" "'raw/demo.tar.gz' was not tested"
check "nothing appears" test ! -e pub
cp -r v1 failed && sed -i 's/"status": 0/"status": 3/' failed/demo.run.json
expect 6 "one whose test failed" publish failed/demo.tar.gz --tag v1 --to pub
says "it says so" "the test of 'failed/demo.tar.gz' failed"
expect 6 "one good and one untested" publish v1/demo.tar.gz raw/demo.tar.gz --tag v1 --to pub
cp -r v1 alone && rm alone/demo.run.json
expect 6 "one that nothing tells about" publish alone/demo.tar.gz --tag v1 --to pub
cp -r v1 damaged && printf x | dd of=damaged/demo.tar.gz bs=1 seek=5000 conv=notrunc 2>/dev/null
expect 5 "one that is not what demo.sha256 lists" publish damaged/demo.tar.gz --tag v1 --to pub
cp -r v1 mixed && cp v2/demo.run.json mixed
expect 5 "one with another's demo.run.json" publish mixed/demo.tar.gz --tag v1 --to pub
cp -r v1 foreign && attest one v2 && mv v2/demo.intoto.jsonl foreign
expect 5 "one with another's attestation" publish foreign/demo.tar.gz --tag v1 --to pub
says "is named" "demo.intoto.jsonl' is of another archive"
cp -r v1 behind && printf '{}' >>behind/demo.run.json
expect 5 "one with more behind the end of demo.run.json" publish behind/demo.tar.gz --tag v1 --to pub
expect 2 "two of one name" publish v1/demo.tar.gz v2/demo.tar.gz --tag v1 --to pub
cp -r parts gap && rm gap/demo.tar.gz.01
expect 5 "parts with a gap" publish gap/demo.tar.gz --tag v1 --to pub
for tag in '' . .. a/b .x -x latest index.json 'a b' a..b 'x.lock' a/../b "$(printf 'a\033b')" '@{' 'a~1' '*'; do
  expect 2 "the tag '$(printf %s "$tag" | tr '\033' '?')'" publish v1/demo.tar.gz --to pub "--tag=$tag"
done
expect 2 "--keep without a folder" publish v1/demo.tar.gz --tag v1 --to github:a/b --keep 1
expect 2 "no --to" publish v1/demo.tar.gz --tag v1
expect 2 "an empty --to" publish v1/demo.tar.gz --tag v1 --to ''
for to in http://host/me/demo gitlab:me/demo GitHub:me/demo; do
  expect 2 "no place: $to" publish v1/demo.tar.gz --tag v1 --to "$to"
done
expect 0 "--dry-run" publish v1/demo.tar.gz --tag v1 --to pub --dry-run
says "says what it would do" 'demo.tar.gz: would be added'
check "nothing has appeared so far" test ! -e pub

# --- a release ---
expect 0 "publish" publish v1/demo.tar.gz --tag v1 --to pub --json
cp out first.json
for file in demo.tar.gz demo.sha256 demo.run.json demo.test.log; do
  check "$file is there" cmp "v1/$file" "pub/v1/$file"
done
check "the lock inside is there" sh -c 'tar xOf v1/demo.tar.gz conda-meta/envbuild/envbuild.lock | cmp - pub/v1/demo.lock'
check "its sums hold" sh -c 'cd pub/latest && sha256sum -c --quiet demo.sha256'
same "latest" "$(readlink pub/latest)" v1
same "the index" "$(index pub '[(r["tag"], [a["name"] for a in r["archives"]], r["archives"][0]["target"], len(r["files"])) for r in d["releases"]], d["latest"]')" \
  "([('v1', ['demo'], 'host', 5)], 'v1')"
same "files of the index" "$(index pub '"\n".join(f["sha256"] + "  " + f["name"] for f in d["releases"][0]["files"])' | sort)" \
  "$(cd pub/v1 && sha256sum demo.* | sort)"
check "the document" python3 -c '
import json
d = json.load(open("first.json"))
assert d["status"] == "created" and d["previous"] is None and d["url"] == "pub/v1", d
assert {a["name"]: a["action"] for a in d["assets"]}["demo.tar.gz"] == "added", d'
check "it runs from there" sh -c "mkdir x && tar xf pub/latest/demo.tar.gz -C x && x/bin/alpha | grep -q alpha"

# --- twice ---
tree pub >before
expect 0 "publish again" publish v1/demo.tar.gz --tag v1 --to pub
says "it says that nothing changed" 'pub/v1: unchanged'
tree pub >after
check "not a file is new" cmp before after
expect 0 "the same archive from another run" publish again/demo.tar.gz --tag v1 --to pub
says "its report stays as it was" 'demo.run.json: kept'
tree pub >after
check "nothing changed" cmp before after

# --- never overwritten ---
expect 1 "another archive under the tag" publish v2/demo.tar.gz --tag v1 --to pub
says "it says which" "'v1' is published already, with another 'demo.sha256'"
expect 1 "the same in parts" publish parts/demo.tar.gz --tag v1 --to pub
tree pub >after
check "nothing changed by them" cmp before after

# --- notes ---
echo "Hand-written words." >words.md
expect 0 "the next release" publish v2/demo.tar.gz --tag v2 --to pub --notes words.md
check "what was written stands first" sh -c 'head -2 pub/v2/notes.md | grep -qx "Hand-written words."'
check "they compare with the release before" grep -q '^Since v1:' pub/v2/notes.md
check "what is new" sh -c "sed -n '/^## New/,/^## /p' pub/v2/notes.md | grep -q '| beta |'"
check "what is gone" sh -c "sed -n '/^## Removed/,/^## /p' pub/v2/notes.md | grep -q '| zeta |'"
check "the file's size and sum" grep -q "| demo.tar.gz | .* | .$(cut -c 1-64 v2/demo.sha256). |" pub/v2/notes.md
same "latest goes on" "$(readlink pub/latest)" v2
same "the newest first" "$(index pub '[r["tag"] for r in d["releases"]]')" "['v2', 'v1']"
tree pub >before
expect 0 "with other words again" publish v2/demo.tar.gz --tag v2 --to pub --notes words.md
tree pub >after
check "is the same" cmp before after
expect 0 "the first again, now that there is a second," publish v1/demo.tar.gz --tag v1 --to pub
tree pub >after
check "is as it was" cmp before after
expect 0 "compared with nothing" publish v2/demo.tar.gz --tag v2 --to pub2 --previous none
expect 2 "compared with what is not there" publish v2/demo.tar.gz --tag v3 --to pub --previous v9
sed -i 's/^Hand-written.*/Somebody else wrote that./; 1i Above.' pub/v2/notes.md
sed -i 's/^  "envbuild"/ "x": 1, "envbuild"/' again/demo.run.json

# --- a second archive joins ---
mkdir other && for f in v2/demo.tar.gz v2/demo.run.json v2/demo.test.log; do cp "$f" "other/other.${f#v2/demo.}"; done
(cd other && sha256sum other.tar.gz >other.sha256)
expect 0 "another archive of the release" publish other/other.tar.gz --tag v2 --to pub --notes words.md
same "both are in it" "$(index pub '[a["name"] for a in d["releases"][0]["archives"]]')" "['demo', 'other']"
check "the first is as it was" cmp v2/demo.tar.gz pub/v2/demo.tar.gz
check "words of others stay in the notes" grep -q '^Above\.' pub/v2/notes.md
same "each has its section once" "$(grep -c '^<!-- envbuild: \(demo\|other\) -->' pub/v2/notes.md)" 2

expect 0 "two archives in one call" publish v1/demo.tar.gz other/other.tar.gz --tag v1 --to pair --notes words.md
same "both are in it" "$(index pair '[a["name"] for a in d["releases"][0]["archives"]]')" "['demo', 'other']"
same "the sums hold" "$(cd pair/v1 && sha256sum -c --quiet demo.sha256 other.sha256 && ls | wc -l)" 12
same "the notes are the words and a section for each" "$(grep '^<!-- envbuild' pair/v1/notes.md)" "$(printf '<!-- envbuild: %s -->\n' notes/ demo other)"

# --- nightly ---
expect 0 "parts under a tag" publish parts/demo.tar.gz.00 --tag nightly --to pub --prerelease
check "they join to the whole" sh -c 'cat pub/nightly/demo.tar.gz.* | cmp - v1/demo.tar.gz'
same "latest stays for a prerelease" "$(readlink pub/latest)" v2
expect 0 "--overwrite by the whole" publish v2/demo.tar.gz --tag nightly --to pub --prerelease --overwrite
check "parts are gone" sh -c '! ls pub/nightly | grep "gz\."'
check "the whole is there" cmp v2/demo.tar.gz pub/nightly/demo.tar.gz
says "it says what went" 'demo.tar.gz.01: removed'
check "papers are the new ones" cmp v2/demo.run.json pub/nightly/demo.run.json
expect 0 "--untested" publish raw/demo.tar.gz --tag nightly --to pub --prerelease --overwrite --untested
check "the notes say so" grep -q 'It was not tested' pub/nightly/notes.md
check "an old test's log is gone" test ! -e pub/nightly/demo.test.log

# --- two at once ---
for i in 1 2 3 4; do
  publish v1/demo.tar.gz --tag "p$((i % 2))" --to many -q 2>"err.$i" &
done
wait
same "four at once" "$(index many 'sorted(r["tag"] for r in d["releases"])')" "['p0', 'p1']"
check "each is whole" sh -c 'cmp v1/demo.tar.gz many/p0/demo.tar.gz && cmp v1/demo.tar.gz many/p1/demo.tar.gz'
check "nothing was said" sh -c '! cat err.? | grep .'

# --- keep ---
for i in 1 2 3 4; do publish v1/demo.tar.gz --tag "k$i" --to kept -q || fail "publish k$i"; done
mkdir kept/mine && echo 1 >kept/mine/file
expect 0 "--keep --dry-run" publish v2/demo.tar.gz --tag k5 --to kept --keep 2 --dry-run
says "it says what would go" 'k1: would be removed'
check "all are there" test -d kept/k1
expect 0 "--keep" publish v2/demo.tar.gz --tag k5 --to kept --keep 2
same "the newest two are left" "$(index kept '[r["tag"] for r in d["releases"]]')" "['k5', 'k4']"
same "and what is not ours" "$(ls kept)" "$(printf '%s\n' index.json k4 k5 latest mine)"
expect 0 "an old tag anew" publish v1/demo.tar.gz --tag k4 --to kept --keep 1
same "neither it nor latest goes" "$(ls kept)" "$(printf '%s\n' index.json k4 k5 latest mine)"
expect 1 "a folder of somebody else" publish v1/demo.tar.gz --tag mine --to kept
check "is left alone" test "$(cat kept/mine/file)" = 1
expect 1 "a file in the place of latest" sh -c 'mkdir odd && touch odd/latest && "$ENVBUILD" publish v1/demo.tar.gz --tag v1 --to odd'

# --- killed between two renames, where folders cannot be exchanged ---
mkdir two && cp -r kept/k5 kept/index.json two && mv two/k5 two/.old.k5
expect 0 "the next run, of another tag," publish v1/demo.tar.gz --tag k6 --to two
says "puts the older one back" "two/k5: put back"
check "whole" sh -c 'cd two/k5 && sha256sum -c --quiet demo.sha256'
same "both are listed" "$(index two '[r["tag"] for r in d["releases"]]')" "['k6', 'k5']"

# --- killed anywhere ---
shim=$(dirname "$ENVBUILD_TOOLS")/fault/shim.so
shimmed() { # shimmed WHAT=VALUE OPTION...
  env SHIM_PATHS="$T/killed" "$1" LD_PRELOAD="$shim" ASAN_OPTIONS=verify_asan_link_order=0 "$ENVBUILD" publish "${@:2}"
}
round() { # round N OPTION...: $error at its Nth call, and what is there then and after the next run
  rm -rf killed && publish v1/demo.tar.gz --tag v1 --to killed -q
  { shimmed "SHIM_FAIL=any:$error:$1" "${@:2}" -q; } 2>/dev/null && [ "$error" = KILL ] && return 1
  for release in killed/v?; do
    (cd "$release" && sha256sum -c --quiet demo.sha256) || echo "half after $1"
  done
  publish "${@:2}" -q || echo "not done after $1"
  clean killed || echo "left after $1"
  [ "$(ls killed)" = "$want" ] || echo "$(ls killed) after $1"
  cmp v2/demo.tar.gz killed/latest/demo.tar.gz || echo "another latest after $1"
  [ "$(index killed 'len(d["releases"][0]["files"])')" = 5 ] || echo "another index after $1"
}
rounds() { # rounds ERROR NAME OPTION...
  local n=1 error=$1 name=$2
  shift 2
  : >wrong
  while [ "$n" -lt "${last:-400}" ] && round "$n" "$@" >>wrong 2>&1; do
    n=$((n + ${KILL_STEP:-11}))
  done
  [ "$error" != KILL ] || last=$n
  check "$name: $error at many places ($n)" test "$n" -gt 40
  same "$name: $error: the next run makes it right" "$(cat wrong)" ""
}
# --- a folder of several users ---
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mkdir -m 777 several && : >several/.publish-lock && chmod 644 several/.publish-lock
  cp -r v1 readable && chmod -R a+rX readable && chmod 755 "$T" && mkdir -m 777 nobody
  expect 0 "another user's lock" setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$T/nobody" \
    ENVBUILD_CACHE="$T/nobody" "$ENVBUILD" publish readable/demo.tar.gz --tag v1 --to several
else
  skip "another user's lock" "not root, or no setpriv"
fi

# --- a signature belongs to one attestation ---
cp -r v1 signed && attest one signed
expect 0 "attested" publish signed/demo.tar.gz --tag v1 --to attested
attest two signed && echo s2 >signed/demo.intoto.jsonl.sig && echo s >signed/demo.sha256.sig
expect 0 "attested again, and signed" publish signed/demo.tar.gz --tag v1 --to attested
same "the older attestation stays, without another's signature" "$(cd attested/v1 && grep -o 'one' demo.intoto.jsonl && ls ./*.sig)" \
  "$(printf 'one\n./demo.sha256.sig')"
expect 0 "--overwrite" publish signed/demo.tar.gz --tag v1 --to attested --overwrite
same "brings both" "$(grep -o two attested/v1/demo.intoto.jsonl) $(cat attested/v1/demo.intoto.jsonl.sig)" "two s2"

case $shim in
*/asan/*) skip "killed anywhere" "AddressSanitizer must be the first library, the shim cannot be" ;;
*)
  want=$(printf '%s\n' index.json latest v2) last=
  for error in KILL EIO; do
    rounds $error "a release and --keep" v2/demo.tar.gz --tag v2 --to killed --keep 1
  done
  want=$(printf '%s\n' index.json latest v1) last=
  for error in KILL EIO; do
    rounds $error "--overwrite" v2/demo.tar.gz --tag v1 --to killed --overwrite
  done
  ;;
esac
done_testing
