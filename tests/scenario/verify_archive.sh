#!/bin/bash
# timeout: 120
# verify ARCHIVE: every kind of damage is named; --rebuild makes it again and names what differs.
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
export ENVBUILD_CACHE=$T/cache
tools=$ROOT/tests/tools
"$tools/papers_channel.py" "$T/channel" && "$ENVBUILD" channel index -q "$T/channel" || exit 1
cat >environment.yml <<EOF2
name: site
channels: [file://$T/channel]
dependencies: [one, moved]
variables: {GREETING: hello}
EOF2
echo one >run-test.sh
expect 0 "pack" "$ENVBUILD" pack --offline --test run-test.sh --version 7
mkdir pristine && mv site.* pristine/
papers=conda-meta/envbuild

said() {
  python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
verify() {
  "$ENVBUILD" verify site.tar.gz "$@"
}

# --- as it is ----------------------------------------------------------------------------------------
cp pristine/* .
expect 0 "it is as it was packed" verify
says "and that is said" "site.tar.gz: [0-9]+ files of 4 packages are as they were packed, for host, tested"
expect 0 "as JSON" verify --json
same "that says so" "$(said "$T/out" 'd["good"], d["fault"], d["version"], d["packages"], d["relocated"], d["tested"]')" \
  "(True, None, '7', 4, 1, True)"
rm site.sha256
expect 0 "without its sums" verify
says "that is said" "there is no 'site.sha256' beside it"
cp pristine/* .
split -b 10000 -d -a 2 site.tar.gz site.tar.gz. && rm site.tar.gz
sha256sum site.tar.gz.* >site.sha256
expect 0 "a split one" verify
expect 0 "named by its first part" "$ENVBUILD" verify site.tar.gz.00
cp site.tar.gz.01 keep && printf 'X' | dd of=site.tar.gz.01 bs=1 seek=50 conv=notrunc status=none
expect 5 "a part that was changed" verify
says "is named" "site.tar.gz.01' is not what"
mv site.tar.gz.01 elsewhere
expect 5 "a part that is missing" verify
says "is told" "part|missing"
rm -f site.* && cp pristine/* .

# --- damage -------------------------------------------------------------------------------------------
printf 'X' | dd of=site.tar.gz bs=1 seek=2000 conv=notrunc status=none
expect 5 "a byte that was changed" verify
says "is known by the sums beside it" "'site.tar.gz' is not what '.*site.sha256' lists"
rm site.sha256 site.run.json
expect 5 "and without them" verify
# NAME PATTERN EDIT...: the archive alone, edited
damage() {
  name=$1 pattern=$2
  shift 2
  rm -f site.*
  "$tools/edit_archive.py" pristine/site.tar.gz site.tar.gz "$@" || fail "edit" "$*"
  expect 5 "$name" verify
  says "is named" "$pattern"
}
damage "a file with other content" "'share/one/text' is damaged" set share/one/text other
expect 5 "as JSON, too" verify --json
same "that names it" "$(said "$T/out" 'd["good"], "share/one/text" in d["fault"]')" "(False, True)"
damage "a file that is missing" "'share/one/text' is missing" drop share/one/text
damage "a file too many" "holds [0-9]+ files, its list" add share/new text
damage "a path that is there twice" "'share/one/text' in .* is there twice" twice share/one/text
damage "a file behind a link" "'share/one/link/x' in .* lies behind something that is no folder" below share/one/link list
damage "a file behind a file" "'share/one/text/x' in .* lies behind" below share/one/text list
damage "a path that leaves the folder" "'../x' in .* leaves the folder" add ../x text list
damage "an absolute path" "leaves the folder" add /etc/x text list
damage "no list" "no 'conda-meta/envbuild/files'" drop $papers/files
damage "no manifest" "carries no manifest" drop $papers/manifest.json list
damage "no lock" "no 'conda-meta/envbuild/envbuild.lock'" drop $papers/envbuild.lock list
damage "no profile" "no 'conda-meta/envbuild/profile.yml'" drop $papers/profile.yml list
damage "a lock that is none" "the lock of 'site.tar.gz': .*envbuild.lock:" set $papers/envbuild.lock 'version: [' list
damage "a profile that is none" "the profile of 'site.tar.gz'" set $papers/profile.yml 'name: 1: 2' list
damage "a manifest that is none" "manifest.json:" set $papers/manifest.json '{"name":' list
damage "a manifest with another package" "package 'two-1.0-0.tar.bz2' of the manifest is another in the lock" \
  bytes $papers/manifest.json '"file": "two-1.0-0.tar.bz2",
      "sha256": "' '"file": "two-1.0-0.tar.bz2",
      "sha256": "00' list
damage "a lock with another package" "'one-1.0-0.conda' of the manifest is (not|another) in the lock" \
  bytes $papers/envbuild.lock one-1.0-0.conda uno-1.0-0.conda list
damage "a profile of another target" "the profile of .* is of target 'other'" \
  bytes $papers/profile.yml 'name: host' 'name: other' list
damage "a relocation index that is none" "relocation" set $papers/relocation nonsense list
damage "an index that is not of the file" "'share/moved/text' in .* is not what the relocation index says" \
  bytes share/moved/text prefix= suffix= list
damage "a file that is not as long as its index says" "'share/moved/text' in .* is not as long" \
  bytes share/moved/text prefix= prefixed= list
damage "an index about a file that is not there" "names 'share/m/....text', which is no file|relocation" \
  drop share/moved/text list
rm -f site.* && head -c 30000 pristine/site.tar.gz >site.tar.gz
expect 5 "an archive that is cut off" verify
: >site.tar.gz
expect 5 "an empty file" verify
expect 2 "no archive and no environment" "$ENVBUILD" verify environment.yml
expect 2 "--rebuild of a folder" "$ENVBUILD" verify "$T" --rebuild

# --- made again ------------------------------------------------------------------------------------------
rm -f site.* && cp pristine/* .
expect 0 "made again" verify --rebuild --offline
says "it has the same bytes" "made again from its lock: the same bytes"
mkdir "$T/else" && cp site.tar.gz "$T/else/"
ENVBUILD_CACHE=$T/cold expect 0 "elsewhere, with a cold cache and other habits" sh -c \
  'cd "$1" && umask 077 && SOURCE_DATE_EPOCH=99 LC_ALL=C TZ=Asia/Tokyo exec "$ENVBUILD" verify --rebuild -j1 --json site.tar.gz' \
  sh "$T/else"
same "as JSON" "$(said "$T/out" 'd["rebuilt"]')" identical
same "and leaves nothing" "$(ls "$T/else")$(ls "$T/cold/work")" site.tar.gz
# Whatever decides bytes is in the manifest.
printf 'pack: {frozen: true}\n' >envbuild.yml
SOURCE_DATE_EPOCH=1234567890 expect 0 "with options" "$ENVBUILD" pack --offline --no-test --format tar.zst --level 3 \
  -n renamed --no-compile --allow-clobber 'share/*' -o other.tar.zst
rm envbuild.yml
expect 0 "made again with them" "$ENVBUILD" verify other.tar.zst --rebuild --offline
says "it has the same bytes" "the same bytes"
expect 0 "of a lock alone" "$ENVBUILD" pack --offline --no-test -n fromlock envbuild.lock -o lock.tar
expect 0 "made again" "$ENVBUILD" verify lock.tar --rebuild --offline
says "it has the same bytes" "the same bytes"
expect 0 "a vault" "$ENVBUILD" vault -q envbuild.lock "$T/vault"
mv "$T/channel" "$T/gone"
expect 1 "packages that cannot be had" env ENVBUILD_CACHE="$T/none" "$ENVBUILD" verify lock.tar --rebuild --offline
expect 0 "a vault has them" env ENVBUILD_CACHE="$T/none" "$ENVBUILD" verify lock.tar --rebuild --offline --vault "$T/vault"
mv "$T/gone" "$T/channel"

# NAME STATUS PATTERN EDIT...: sound in itself, and not what its lock gives
forged() {
  name=$1 status=$2 pattern=$3
  shift 3
  rm -f site.*
  "$tools/edit_archive.py" pristine/site.tar.gz site.tar.gz "$@" || fail "edit" "$*"
  expect 0 "$name: it is sound in itself" verify
  expect "$status" "and made again" verify --rebuild --offline
  says "is named" "$pattern"
}
forged "other content" 5 "'share/one/text' in 'site.tar.gz' differs: it has 5 bytes here, [0-9]+ in the one made again" \
  set share/one/text other list
forged "a byte" 5 "'share/one/text' in .* differs: its content has sha256 [0-9a-f]{64} here" \
  bytes share/one/text hello jello list
forged "another mode" 5 "'bin/one' in .* differs: its mode is 0644 here, 0755 in" mode bin/one 644 list
forged "another time" 5 "'bin/one' in .* differs: its time is 5 here, 1500000000 in" time bin/one 5 list
forged "another link" 5 "'share/one/link' in .* differs: it leads to '/etc/passwd' here" link share/one/link /etc/passwd
forged "a file too many" 5 "'bin/evil' in .* differs: it is not in the one made again" add bin/evil evil list
forged "a file too few" 5 "'share/one/text' in .* differs: it is only in" drop share/one/text list
forged "another version" 5 "'$papers/sbom.cdx.json' in .* differs" bytes $papers/manifest.json '"version": "7"' '"version": "8"' list
forged "the same members, compressed by another" 5 "holds the members that its lock gives, but in other bytes than libdeflate" again
forged "another compressor" 0 "the same members; libdeflate 0[.0-9]* compressed it, here it is libdeflate" \
  bytes $papers/manifest.json '"compressor": "libdeflate 1' '"compressor": "libdeflate 0' list
forged "a manifest of an older envbuild" 1 "does not say how it was made" \
  bytes $papers/manifest.json '"making"' '"mating"' list
forged "a format that does not exist" 5 "a format or level that does not exist" \
  bytes $papers/manifest.json '"format": "tar.gz"' '"format": "tar.xz"' list
done_testing
