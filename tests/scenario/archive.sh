#!/bin/sh
# memory
# The archive's bytes, its readers, and archives that must be refused.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046
. "$(dirname "$0")/../lib.sh"
need python3 tar

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3$(printf 'p%.0s' $(seq 225))
BUILD=$PLACEHOLDER/b
tools=$ROOT/tests/tools
pack() {
  "$ENVBUILD_TOOLS/pack_tree" "$1" "$PLACEHOLDER" "$BUILD" "$2" "${3:-1}" ${4:+"$4"}
}
"$tools/make_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD"

# --- the same bytes ------------------------------------------------------------------------------
mkdir "$T/other" && cp -a "$T/tree" "$T/other/place"
find "$T/other/place/+" -exec touch -h -d 2001-01-01 {} +
for format in tar.gz tar.zst tar; do
  check "pack $format" pack "$T/tree" "$T/a.$format" 1
  check "pack $format again, elsewhere, on several threads" sh -c \
    'umask 077; exec "$@"' sh "$ENVBUILD_TOOLS/pack_tree" "$T/other/place" "$PLACEHOLDER" "$BUILD" \
    "$T/b.$format" 5
  check "the same bytes" cmp "$T/a.$format" "$T/b.$format"
  same "the sum told is the file's" "$(pack "$T/tree" "$T/b.$format" 2 2>/dev/null | cut -d' ' -f1)" \
    "$(sha256sum <"$T/a.$format" | cut -d' ' -f1)"
done
pack "$T/tree" "$T/fast.tar.gz" 2 1 >"$T/out" 2>&1
check "a level is heeded" test "$(stat -c %s "$T/fast.tar.gz")" -gt "$(stat -c %s "$T/a.tar.gz")"
expect 2 "a level that does not exist" pack "$T/tree" "$T/x.tar.gz" 1 13
same "without compression they are one" "$(gzip -dc "$T/a.tar.gz" | sha256sum)" "$(sha256sum <"$T/a.tar")"

# Built at two paths as long as the usual build prefix, as without a sandbox: neither is in it.
hundred() {
  printf '%s' "$1$(printf 'z%.0s' $(seq $((100 - ${#1}))))"
}
for place in one/host another/host; do
  "$tools/make_tree.py" "$T/$place" "$PLACEHOLDER" "$(hundred "/home/$place/")" 3
  name=${place%/*}
  check "pack what was built at '$place'" "$ENVBUILD_TOOLS/pack_tree" "$T/$place" "$PLACEHOLDER" \
    "$(hundred "/home/$place/")" "$T/$name.tar"
done
check "the same bytes" cmp "$T/one.tar" "$T/another.tar"
check "without the path" sh -c '! grep -q /home/one "$1"' sh "$T/one.tar"
mkdir "$T/moved" && tar xf "$T/one.tar" -C "$T/moved"
check "it is relocated" "$T/moved/bin/conda-unpack"
check "and right" "$tools/check_moved_tree.py" "$T/one/host" "$PLACEHOLDER" \
  "$(hundred /home/one/host/)" "$T/moved" "$T/moved"

# --- readers ---------------------------------------------------------------------------------------
# Every file, its mode, link and bytes; folders by name.
list() {
  (cd "$1" && find . -type d -printf '%p/\n' -o -type l -printf '%p -> %l\n' -o \
    -printf '%p %m %Ts\n' | sort
    find . -type f -print0 | sort -z | xargs -0 sha256sum)
}
mkdir "$T/gnu" && tar xf "$T/a.tar" -C "$T/gnu"
list "$T/gnu" >"$T/gnu.list"
reader() {
  name=$1
  shift
  rm -rf "$T/read" && mkdir "$T/read"
  check "$name reads it" "$@"
  list "$T/read" >"$T/read.list"
  check "and gets the same" diff "$T/gnu.list" "$T/read.list"
}
reader "GNU tar xzf" tar xzf "$T/a.tar.gz" -C "$T/read"
if command -v zstd >/dev/null; then
  reader "GNU tar --zstd" tar --zstd -xf "$T/a.tar.zst" -C "$T/read"
  check "zstd finds it whole" zstd -qt "$T/a.tar.zst"
else
  skip "GNU tar --zstd" "no zstd"
fi
if command -v busybox >/dev/null; then
  reader "busybox tar xzf" busybox tar xzf "$T/a.tar.gz" -C "$T/read"
  reader "busybox tar xf" busybox tar xf "$T/a.tar" -C "$T/read"
else
  skip "busybox tar xzf" "no busybox"
fi
if command -v bsdtar >/dev/null; then
  reader "bsdtar" bsdtar -xf "$T/a.tar.zst" -C "$T/read"
  for format in tar.gz tar; do
    reader "bsdtar, $format" bsdtar -xf "$T/a.$format" -C "$T/read"
  done
else
  skip "bsdtar" "no bsdtar"
fi
for format in tar.gz tar; do
  reader "Python's tarfile, $format" python3 -c 'import sys, tarfile
with tarfile.open(sys.argv[1]) as t: t.extractall(sys.argv[2])' "$T/a.$format" "$T/read"
done
check "gzip finds it whole" gzip -t "$T/a.tar.gz"

# The pieces are found without decompressing any, and all but the last of a segment hold 8 MiB.
cat >"$T/pieces.py" <<'PY'
import struct, subprocess, sys, zlib
CHUNK = 8 << 20
gz, zst, tar = (open(name, "rb").read() for name in sys.argv[1:4])
at = raw = 0
sizes = []
while at < len(gz):
    assert gz[at:at + 8] == b"\x1f\x8b\x08\x04\0\0\0\0" and gz[at + 10:at + 16] == b"\x08\0EB\x04\0"
    n = struct.unpack("<I", gz[at + 16:at + 20])[0]
    member = gz[at:at + n]
    crc, size = struct.unpack("<II", member[-8:])
    text = zlib.decompress(member[20:-8], -15)
    assert len(text) == size and zlib.crc32(text) == crc and text == tar[raw:raw + size]
    if sizes and sizes[-1] != CHUNK:
        assert text[257:262] == b"ustar", at
    sizes.append(size)
    at, raw = at + n, raw + size
assert raw == len(tar) and CHUNK in sizes and max(sizes) == CHUNK, sizes
frames, descriptor, magic = struct.unpack("<IBI", zst[-9:])
assert magic == 0x8F92EAB1 and descriptor == 0 and frames == len(sizes)
table = len(zst) - 9 - 8 * frames - 8
assert struct.unpack("<II", zst[table:table + 8]) == (0x184D2A5E, 8 * frames + 9)
rows = list(struct.iter_unpack("<II", zst[table + 8:-9]))
assert [r for _, r in rows] == sizes and sum(c for c, _ in rows) == table
at = raw = 0
for packed, size in rows:
    text = subprocess.run(["zstd", "-dcq"], input=zst[at:at + packed], stdout=-1, check=True).stdout
    assert text == tar[raw:raw + size]
    at, raw = at + packed, raw + size
PY
if command -v zstd >/dev/null; then
  cp -a "$T/tree" "$T/large" && seq 3000000 >"$T/large/many/share/numbers"
  for format in tar.gz tar.zst tar; do
    pack "$T/large" "$T/large.$format" 2 1 >"$T/out" 2>&1
  done
  check "each piece is found" python3 "$T/pieces.py" "$T/large.tar.gz" "$T/large.tar.zst" "$T/large.tar"
else
  skip "each piece is found" "no zstd"
fi
for format in tar.gz tar.zst tar; do
  rm -rf "$T/read"
  check "unpack $format" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/a.$format" "$T/read"
  list "$T/read" >"$T/read.list"
  check "and gets the same" diff "$T/gnu.list" "$T/read.list"
done
check "unpacked for a path" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/a.tar" "$T/relocated" /opt/place
check "holds it" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/relocated" /opt/place
cat >"$T/look.py" <<'PY'
import json, sys, tarfile
names = []
with tarfile.open(sys.argv[1]) as t:
    for m in t:
        names.append(m.name)
        assert m.uid == m.gid == 0 and not m.uname and not m.gname, m.name
        assert m.mode & 0o7022 == 0 or m.issym(), (m.name, oct(m.mode))
        assert not m.isdir() or m.name == "var/empty", m.name
        assert not m.isdir() or m.mode == 0o755
        if m.name in ("bin/hello", "bin/activate", "conda-meta/history"):
            assert m.mtime == 1500000000, m.name
        if m.name == "bin/hello":
            assert m.mode == 0o755, oct(m.mode)
        if m.name == "lib/absolute":
            assert m.linkname == "../lib/many", m.linkname
    manifest = json.load(t.extractfile("conda-meta/envbuild/manifest.json"))
assert len(set(names)) == len(names)
assert names[0] == "conda-meta/envbuild/manifest.json", names[0]
assert names[-1] == "conda-meta/envbuild/files", names[-1]
packaged = [n for n in names if n.startswith(("share/many", "lib/libz", "bin/tool", "conda-meta/h"))]
first = [next(i for i, n in enumerate(packaged) if n.startswith(p))
         for p in ("share/many", "bin/tool", "lib/libz", "conda-meta/h")]
assert first == sorted(first), "packages by name, generated files last"
many = [n for n in names if n.startswith("share/many")]
assert many == sorted(many)
assert manifest["name"] == "demo" and manifest["longest_prefix"] == int(sys.argv[2])
assert [p["name"] for p in manifest["packages"]] == ["many", "python", "zlib"]
PY
check "order, owners, modes, times, manifest" python3 "$T/look.py" "$T/a.tar.gz" "${#PLACEHOLDER}"
same "a paper of an archive" "$("$ENVBUILD_TOOLS/pack_tree" --paper "$T/a.tar.gz" profile.yml)" "name: test"
same "of a folder" "$("$ENVBUILD_TOOLS/pack_tree" --paper "$T/read" environment.yml)" "name: demo"
expect 1 "one that is not there" "$ENVBUILD_TOOLS/pack_tree" --paper "$T/a.tar.gz" nothing

mkdir "$T/sums" && tar xf "$T/a.tar" -C "$T/sums"
check "sha256sum checks it" sh -c 'cd "$1" && sha256sum --quiet -c conda-meta/envbuild/files' sh "$T/sums"
same "which lists every file" "$(wc -l <"$T/sums/conda-meta/envbuild/files")" \
  "$(find "$T/sums" -type f | sed 1d | wc -l)"

# --- what packing refuses ---------------------------------------------------------------------------
cp -a "$T/tree" "$T/clash"
mkdir -p "$T/clash/many/bin" "$T/clash/many/conda-meta/envbuild"
echo theirs >"$T/clash/many/bin/activate" && echo theirs >"$T/clash/many/conda-meta/envbuild/prefix"
expect 0 "a package with a bin/activate of its own" pack "$T/clash" "$T/clash.tar"
check "is warned of" grep -q "warning: 'bin/activate' of the environment gives way" "$T/err"
check "ours is in the archive" sh -c \
  'tar xOf "$1" bin/activate | grep -q envbuild && test "$(tar tf "$1" | grep -c "^bin/activate$")" = 1 &&
  ! tar tf "$1" | grep -q envbuild/prefix$ &&
  tar xOf "$1" conda-meta/envbuild/manifest.json | grep -A1 "\"replaced\"" | grep -q bin/activate' \
  sh "$T/clash.tar"
cp -a "$T/tree" "$T/behind"
ln -s lib "$T/behind/zlib/lib64" && mkdir "$T/behind/many/lib64" && echo x >"$T/behind/many/lib64/x"
expect 5 "a file behind a link" pack "$T/behind" "$T/behind.tar"
check "is named" grep -q "'lib64/x' lies below 'lib64', which is no folder" "$T/err"
check "and no archive stays" test ! -e "$T/behind.tar"
printf 'not json' >"$T/behind/+/conda-meta/state" && rm "$T/behind/zlib/lib64"
expect 5 "a damaged conda-meta/state" pack "$T/behind" "$T/behind.tar"

# --- what unpacking refuses --------------------------------------------------------------------------
mkdir "$T/hostile" "$T/in" && rm -r "$T/other/place/zlib" "$T/other/place/many"
check "pack a small tree" pack "$T/other/place" "$T/small.tar"
check "make hostile archives" python3 "$tools/hostile_archives.py" "$T/hostile" "$T/small.tar"
check "their kind can be unpacked" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/fine.tar" "$T/fine" /opt/here
same "and is relocated" "$(cat "$T/fine/f")" "x=/opt/here"
for archive in "$T"/hostile/*; do
  name=${archive##*/}
  expect 5 "refused: $name" "$ENVBUILD_TOOLS/pack_tree" --unpack "$archive" "$T/in/new" /opt/there
  same "nothing stays" "$(find "$T/in" -mindepth 1 | head -n 5)" ""
  check "in words" grep -q "error: ..*" "$T/err"
done
same "nothing was written elsewhere" "$(ls -d "$T/evil" /tmp/evil 2>/dev/null)" ""
mkdir "$T/in/empty"
expect 5 "refused into an empty folder" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/hostile/flipped.tar.gz" "$T/in/empty"
same "which stays empty" "$(find "$T/in" -mindepth 1 | head -n 5)" "$T/in/empty"
touch "$T/in/empty/file"
expect 2 "a folder that holds something" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/a.tar" "$T/in/empty"
same "is left alone" "$(ls "$T/in/empty")" "file"
expect 2 "an archive that is not there" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/none.tar" "$T/in/new"
python3 - "$T/bits.tar" <<'PY'
import io, sys, tarfile
with tarfile.open(sys.argv[1], "w") as tar:
    for name, mode in (("set", 0o6755), ("none", 0), ("all", 0o777)):
        info = tarfile.TarInfo(name)
        info.mode, info.size, info.uid = mode, 1, 1234
        tar.addfile(info, io.BytesIO(b"x"))
    info = tarfile.TarInfo("hard")
    info.type, info.linkname = tarfile.LNKTYPE, "all"
    tar.addfile(info)
PY
check "an archive of somebody else" "$ENVBUILD_TOOLS/pack_tree" --unpack "$T/bits.tar" "$T/bits"
same "loses set-user-id bits, keeps hard links" \
  "$(cd "$T/bits" && stat -c '%n %a %h' all hard none set)" "all 777 2
hard 777 2
none 400 1
set 755 1"
done_testing
