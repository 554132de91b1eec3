#!/bin/bash
# memory
# timeout: 60
# Compressed segments in the cache: used, made, damaged, of layers, on full and read-only caches.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
unset ENVBUILD_CACHE_LOWER SOURCE_DATE_EPOCH
export ENVBUILD_CACHE=$T/cache
chmod 755 "$T"
python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
mkdir "$T/project" && cd "$T/project" || exit 1
printf 'name: demo\nchannels: [%s]\ndependencies: [alpha, beta, zeta]\n' "$T/channel" >environment.yml
pack() { "$ENVBUILD" pack -t host --no-test --force "$@"; }
# made STATUS NAME REUSED MADE OPTION...: packs the same bytes, with so many segments.
made() {
  want=$1 name=$2 segments="$3 $4"
  shift 4
  expect "$want" "$name" "$@"
  check "$name: the same bytes" cmp demo.tar.gz "$T/good.tar.gz"
  same "$name: so many segments were there, and made" "$(python3 -c '
import json
s = json.load(open("demo.run.json"))["segments"]
print(s["reused"], s["made"])')" "$segments"
}
segments() { find "$ENVBUILD_CACHE/segments" -type f | sort; }

# --- made and used -------------------------------------------------------------------------------
# A package each, and what was generated.
expect 0 "the first" pack && cp demo.tar.gz "$T/good.tar.gz"
made 0 "the second" 4 0 pack
made 0 "on one thread" 4 0 pack -j 1
expect 0 "of another level" pack --level 9 -o "$T/nine.tar.gz"
same "these are others" "$(segments | wc -l)" 8
# With the same size and time only its bytes tell that a file was changed.
changed=$(find "$ENVBUILD_CACHE/pkgs" -path '*/share/alpha/one')
cp -a "$changed" "$T/one"
printf x | dd of="$changed" bs=1 seek=77 conv=notrunc 2>/dev/null && touch -r "$T/one" "$changed"
made 0 "no file of a package is read" 4 0 pack
expect 5 "where there is no segment it is" pack --level 1 -o "$T/one.tar.gz"
says "and what was changed is named" "share/alpha/one' is not what its package holds"
cp -a "$T/one" "$changed"
ENVBUILD_CACHE=$T/low expect 0 "--low-disk" pack --low-disk -o "$T/low.tar.gz"
check "leaves none" test ! -e "$T/low/segments"
expect 0 "a tar" pack --format tar -o "$T/x.tar"
same "has none" "$(segments | wc -l)" 8

# --- what is kept proves nothing -------------------------------------------------------------------
rm -r "$ENVBUILD_CACHE/segments" && pack -q
expect 0 "made again" "$ENVBUILD" verify demo.tar.gz --rebuild
mapfile -t kept < <(segments)
python3 - "${kept[@]}" <<'PY'
import struct
import sys
import zlib
for path in sys.argv[1:]:  # the byte that tells the system, of each gzip member
    with open(path, 'rb') as f:
        data = bytearray(f.read())
    n, notes = struct.unpack('<II', data[-20:-12])
    rows, at = len(data) - 52 - notes - 12 * n, 0
    for i in range(n):
        size = struct.unpack_from('<I', data, rows + 12 * i)[0]
        data[at + 9] ^= 3
        struct.pack_into('<I', data, rows + 12 * i + 8, zlib.crc32(data[at:at + size]))
        at += size
    data[-12:-8] = struct.pack('<I', zlib.crc32(data[rows:-12]))
    with open(path, 'wb') as f:
        f.write(data)
PY
expect 0 "of segments that are others, and whole" pack
same "they are taken" "$(cmp -s demo.tar.gz "$T/good.tar.gz" || grep -c '"reused": 4' demo.run.json)" 1
expect 5 "an archive of them is not made again" "$ENVBUILD" verify demo.tar.gz --rebuild
says "and that is said" "holds the members that its lock gives, but in other bytes"

# --- what is damaged -----------------------------------------------------------------------------
rm -r "$ENVBUILD_CACHE/segments" && pack -q && cp -a "$ENVBUILD_CACHE/segments" "$T/whole"
one=$(segments | head -n 1)
size=$(stat -c %s "$one")
damage() { # damage NAME REUSED CMD...: the first segment
  name=$1 reused=$2
  shift 2
  "$@"
  made 0 "$name" "$reused" 0 pack
  says "$name: is warned of" "warning: '.*/segments/.*' is damaged"
  check "$name: is thrown away" test ! -e "$one"
  pack -q
  check "$name: is made again" cmp "$one" "$T/whole${one#"$ENVBUILD_CACHE/segments"}"
}
flip() { printf '\377' | dd of="$one" bs=1 seek="$1" conv=notrunc 2>/dev/null; }
damage "a piece with another byte" 3 flip 100
for at in 5 30 60; do
  flip $((size - at))
  made 0 "a tail with another byte" 3 1 pack
done
truncate -s $((size - 1)) "$one"
made 0 "one that is cut" 3 1 pack
truncate -s 0 "$one"
made 0 "an empty one" 3 1 pack
cp "$(segments | tail -n 1)" "$one"
made 0 "another's" 3 1 pack
rm "$one" && mkfifo "$one"
made 0 "no file" 3 1 pack
rm "$one" && ln -s /etc/passwd "$one"
made 0 "a link" 3 1 pack
check "which was not followed" test -f "$one" -a ! -L "$one"

# --- info, verify, clean -------------------------------------------------------------------------
expect 0 "info" "$ENVBUILD" cache info
says "counts them" '^  segments  4, [0-9.]+ kB$' "$T/out"
expect 0 "as JSON" "$ENVBUILD" cache info --json
same "counts them, too" "$(python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
print(d["segments"], d["segment_bytes"] > 40000, sum(i["kind"] == "segments" for i in d["items"]))' \
  "$T/out")" "4 True 4"
expect 0 "verify" "$ENVBUILD" cache verify
flip 200
expect 5 "verify finds a damaged piece" "$ENVBUILD" cache verify
says "and names it" "segments/.* is damaged and was removed: its piece 0 is damaged"
check "which is gone" test ! -e "$one"
pack -q && flip $((size - 10))
expect 5 "a damaged tail" "$ENVBUILD" cache verify
pack -q
same "all are there" "$(segments | wc -l)" 4
touch -d '-2 days' "$one"
expect 0 "clean" "$ENVBUILD" cache clean
same "leaves them" "$(segments | wc -l)" 4
expect 0 "clean --older" "$ENVBUILD" cache clean --older 1d
check "removes what was not used" test ! -e "$one" -a "$(segments | wc -l)" = 3
made 0 "using one" 3 1 pack
segments | xargs touch -d '-2 days'
made 0 "is noted" 4 0 pack
expect 0 "clean --older" "$ENVBUILD" cache clean --older 1d
same "leaves what was used" "$(segments | wc -l)" 4
segments | xargs touch -d '-2 days'
expect 0 "clean --max-size" "$ENVBUILD" cache clean --max-size 1
same "removes them" "$(segments | wc -l)" 0

# --- where they cannot be written ----------------------------------------------------------------
pack -q
mv "$ENVBUILD_CACHE" "$T/below"
ENVBUILD_CACHE_LOWER=$T/below made 0 "from a layer" 4 0 pack
check "nothing of them is copied" test ! -e "$ENVBUILD_CACHE/segments"
(cd "$T/below/segments" && find . -type f) | head -n 1 >"$T/name"
printf '\377' | dd of="$T/below/segments/$(cat "$T/name")" bs=1 seek=100 conv=notrunc 2>/dev/null
chmod -R a-w "$T/below/segments"
ENVBUILD_CACHE_LOWER=$T/below expect 0 "a damaged one in a layer" pack
check "gives the same bytes" cmp demo.tar.gz "$T/good.tar.gz"
chmod -R u+w "$T/below"
rm -rf "$ENVBUILD_CACHE" && mv "$T/below" "$ENVBUILD_CACHE" && rm -r "$ENVBUILD_CACHE/segments"
: >"$ENVBUILD_CACHE/segments"
made 0 "where no folder can be made" 0 0 pack
rm "$ENVBUILD_CACHE/segments"
if unshare -m true 2>/dev/null; then
  mkdir "$ENVBUILD_CACHE/segments"
  made 0 "a folder that takes no file" 0 0 unshare -m sh -c \
    'mount -t tmpfs -o ro none "$ENVBUILD_CACHE/segments" && exec "$@"' sh \
    "$ENVBUILD" pack -t host --no-test --force
  made 0 "a full disk" 0 0 unshare -m sh -c \
    'mount -t tmpfs -o size=8k none "$ENVBUILD_CACHE/tmp" && exec "$@"' sh \
    "$ENVBUILD" pack -t host --no-test --force
else
  skip "a folder that takes no file" "no mount can be made here"
fi
same "nothing is left in tmp" "$(ls -A "$ENVBUILD_CACHE/tmp")" ""

# --- at once -------------------------------------------------------------------------------------
rm -rf "$ENVBUILD_CACHE/segments"
pids=
for i in 1 2 3 4 5; do
  pack -q -o "$T/at-once-$i.tar.gz" & pids="$pids $!"
done
failed=0
for pid in $pids; do wait "$pid" || failed=1; done
same "five at once" "$failed" 0
for i in 1 2 3 4 5; do check "made the same" cmp "$T/at-once-$i.tar.gz" "$T/good.tar.gz"; done
expect 0 "and whole segments" "$ENVBUILD" cache verify
same "each once" "$(segments | wc -l)" 4
done_testing
