#!/bin/bash
# memory
# timeout: 60
# The formats that are no tar: a squashfs image and a folder. All formats are one tree.
# shellcheck disable=SC2012,SC2016
. "$(dirname "$0")/../lib.sh"
need python3 tar
export ENVBUILD_CACHE=$T/cache

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3$(printf 'p%.0s' $(seq 225))
tools=$ROOT/tests/tools
tree() {
  "$ENVBUILD_TOOLS/pack_tree" "$@"
}
number() { # number FILE PLACE FORMAT: one of the image's own
  python3 -c 'import struct, sys
data = open(sys.argv[1], "rb").read()
print(struct.unpack_from("<" + sys.argv[3], data, int(sys.argv[2]) + (2 if sys.argv[2] == "96" else 0))[0])' "$@"
}
pack_tree() { # pack_tree TREE ARCHIVE [JOBS [LEVEL [SPLIT]]]
  "$ENVBUILD_TOOLS/pack_tree" "$1" "$PLACEHOLDER" "$PLACEHOLDER/b" "${@:2}"
}
"$tools/make_tree.py" "$T/tree" "$PLACEHOLDER" "$PLACEHOLDER/b"
rm "$T/tree/zlib/lib/libbig.so"
ln -s ../lib/many "$T/tree/zlib/lib/libbig.so"

# --- the same bytes ------------------------------------------------------------------------------
mkdir "$T/other" && cp -a "$T/tree" "$T/other/place"
find "$T/other/place/+" -exec touch -h -d 2001-01-01 {} +
for name in a.squashfs a/; do
  check "pack $name" pack_tree "$T/tree" "$T/$name" 1
done
check "pack a squashfs again, elsewhere, on several threads" sh -c 'umask 077; exec "$@"' sh \
  "$ENVBUILD_TOOLS/pack_tree" "$T/other/place" "$PLACEHOLDER" "$PLACEHOLDER/b" "$T/b.squashfs" 5
check "the same bytes" cmp "$T/a.squashfs" "$T/b.squashfs"
same "the sum told is the file's" "$(pack_tree "$T/tree" "$T/b.squashfs" 2 2>/dev/null | cut -d' ' -f1)" \
  "$(sha256sum <"$T/a.squashfs" | cut -d' ' -f1)"
check "pack a folder again, elsewhere, on several threads" sh -c 'umask 077; exec "$@"' sh \
  "$ENVBUILD_TOOLS/pack_tree" "$T/other/place" "$PLACEHOLDER" "$PLACEHOLDER/b" "$T/b/" 5
same "the sum told is that of its list" \
  "$(pack_tree "$T/tree" "$T/c/" 2 2>/dev/null | cut -d' ' -f1)" \
  "$(sha256sum <"$T/a/conda-meta/envbuild/files" | cut -d' ' -f1)"
check "which sha256sum checks" sh -c 'cd "$1" && sha256sum --quiet -c conda-meta/envbuild/files' sh "$T/a"
pack_tree "$T/tree" "$T/fast.squashfs" 2 1 >"$T/out" 2>&1
same "a level is heeded, and told in the image" "$(number "$T/fast.squashfs" 96 I)" 1
expect 2 "a level that gzip's has not" pack_tree "$T/tree" "$T/x.squashfs" 1 10
expect 1 "a folder is not written over another" pack_tree "$T/tree" "$T/a/" 1
check "which stays" test -f "$T/a/bin/activate"

# --- one tree ---------------------------------------------------------------------------------------
# Type, path, mode, time, link and bytes. A tar has no folders, so their times are nobody's there.
list() {
  (cd "$1" && find . ! -type d -printf '%y %P %m %Ts %l\n' -o -printf 'd %P %m\n' | LC_ALL=C sort
    find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
}
umask 022
pack_tree "$T/tree" "$T/a.tar" >"$T/out" 2>&1
mkdir "$T/gnu" && tar xpf "$T/a.tar" -C "$T/gnu"
list "$T/gnu" >"$T/gnu.list"
is_the_tree() { # is_the_tree NAME DIR
  list "$2" >"$T/list"
  check "$1 is the tree of the tar" diff "$T/gnu.list" "$T/list"
}
is_the_tree "a folder" "$T/a"
is_the_tree "the folder made elsewhere" "$T/b"
same "its folders have the epoch's time" "$(find "$T/a" -type d -printf '%Ts\n' | sort -u)" 1500000000
for name in a.squashfs a/; do
  rm -rf "$T/read"
  check "unpack $name" tree --unpack "$T/$name" "$T/read"
  is_the_tree "what is unpacked" "$T/read"
  rm -rf "$T/moved"
  check "unpack it for a path" tree --unpack "$T/$name" "$T/moved" /opt/place
  check "which it then holds" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$PLACEHOLDER/b" \
    "$T/moved" /opt/place
  same "a paper" "$(tree --paper "$T/$name" environment.yml)" "name: demo"
  expect 1 "one that is not there" tree --paper "$T/$name" nothing
done
if command -v unsquashfs >/dev/null; then
  check "unsquashfs reads it" unsquashfs -q -n -d "$T/unsquashed" "$T/a.squashfs"
  is_the_tree "what it makes" "$T/unsquashed"
  same "folders have the epoch's time" "$(find "$T/unsquashed" -type d -printf '%Ts\n' | sort -u)" 1500000000
  same "the image has it, too" "$(number "$T/a.squashfs" 8 I)" 1500000000
  unsquashfs -s "$T/a.squashfs" >"$T/out"
  says "nothing for NFS is in it" "not exportable" "$T/out"
  same "owners are 0:0" "$(unsquashfs -lln "$T/a.squashfs" | sed -n 's,^[-dl][-rwx]* \([^ ]*\) .*,\1,p' | sort -u)" 0/0
else
  skip "unsquashfs reads it" "no unsquashfs"
fi
mkdir "$T/mount"
if mount -o loop,ro "$T/a.squashfs" "$T/mount" 2>"$T/err"; then
  defer "umount '$T/mount' 2>/dev/null"
  is_the_tree "what the kernel mounts" "$T/mount"
  check "it is unmounted" umount "$T/mount"
else
  skip "the kernel mounts it" "mount: $(head -n 1 "$T/err")"
fi

# --- images that must be refused ----------------------------------------------------------------------
if command -v mksquashfs >/dev/null; then
  mkdir "$T/bad" && cd "$T/bad" || exit 1
  mkdir -p src/aadir && echo text >src/aaevil && echo more >src/aafile && ln -s aafile src/aalink
  image() {
    mksquashfs src "$1" -quiet -no-progress -noappend -all-root -noI -noD -noF -noX "${@:2}" >"$T/out" 2>&1
  }
  image fine.squashfs
  check "an image of somebody else" tree --unpack fine.squashfs "$T/fine"
  same "is unpacked" "$(cat "$T/fine/aafile")" more
  patch() { # patch NAME OLD NEW
    python3 -c 'import sys
data = open("fine.squashfs", "rb").read()
assert data.count(sys.argv[2].encode()) == 1
open(sys.argv[1], "wb").write(data.replace(sys.argv[2].encode(), sys.argv[3].encode().replace(b"0", b"\0")))' "$@"
  }
  patch slash.squashfs aaevil ../evl
  patch zero.squashfs aaevil aa0vil
  patch twice.squashfs aaevil aafile
  head -c 200 fine.squashfs >short.squashfs
  head -c 90 fine.squashfs >shorter.squashfs
  cp -a src fifo && mkfifo fifo/p && mksquashfs fifo fifo.squashfs -quiet -no-progress >"$T/out" 2>&1
  for name in slash zero twice short shorter fifo; do
    expect 5 "refused: $name" tree --unpack $name.squashfs "$T/in"
    same "nothing stays" "$(ls -d "$T/in" "$T/evl" 2>/dev/null)" ""
  done
  image bits.squashfs -p 'aaevil m 4755 0 0' -p 'aafile m 0 0 0'
  check "with a set-user-id bit" tree --unpack bits.squashfs "$T/bits"
  same "which is dropped, and all can be read" "$(stat -c %a "$T/bits/aaevil" "$T/bits/aafile" | tr '\n' ' ')" "755 400 "
  cd "$T" || exit 1
else
  skip "images of others" "no mksquashfs"
fi
# Any flipped byte is damage that is told, or one that changes nothing.
cat >"$T/flip.py" <<'PY'
import random, shutil, subprocess, sys
program, image, where = sys.argv[1:]
data = open(image, "rb").read()
rng = random.Random(3)
tail = len(data) - 40000
kinds = {}
for i in range(40):
    at = rng.randrange(96) if i % 4 == 0 else rng.randrange(tail, len(data)) if i % 2 else rng.randrange(len(data))
    bad = bytearray(data)
    bad[at] ^= 1 << rng.randrange(8)
    open(where + ".squashfs", "wb").write(bad)
    done = subprocess.run([program, "--unpack", where + ".squashfs", where], capture_output=True, timeout=50)
    if done.returncode not in (0, 5):
        print("fail byte %d: exit %d %s" % (at, done.returncode, done.stderr))
    kinds[done.returncode] = kinds.get(done.returncode, 0) + 1
    shutil.rmtree(where, ignore_errors=True)
print("ok flipped bytes are told" if kinds.get(5, 0) > 10 else "fail flipped bytes: %s" % kinds)
PY
checker "flipped bytes" python3 "$T/flip.py" "$ENVBUILD_TOOLS/pack_tree" "$T/a.squashfs" "$T/flipped"

# --- from the command line ------------------------------------------------------------------------------
check "make a channel" "$tools/small_channel.py" "$T/channel"
check "index it" "$ENVBUILD" channel index "$T/channel"
mkdir "$T/project" && cd "$T/project" || exit 1
printf 'name: demo\nchannels: [file://%s]\ndependencies: [alpha, zeta]\n' "$T/channel" >environment.yml
printf 'alpha && grep -q "prefix=$CONDA_PREFIX" "$CONDA_PREFIX/share/zeta/conf"\n' >run-test.sh
pack() {
  "$ENVBUILD" pack -q --test run-test.sh "$@"
}
expect 0 "pack --format squashfs" pack --format squashfs
check "its sum is beside it" sha256sum --quiet -c demo.sha256
expect 0 "run it" "$ENVBUILD" run demo.squashfs -- alpha
same "does" "$(cat "$T/out")" alpha
expect 0 "test it" "$ENVBUILD" test -q demo.squashfs
mkdir "$T/root"
expect 0 "deploy it" "$ENVBUILD" deploy -q demo.squashfs "$T/root" --version 1
same "which is in use" "$("$T/root/current/bin/alpha")" alpha
expect 0 "in another format, with the same papers beside it" pack --format tar
expect 5 "which no longer are the first one's" "$ENVBUILD" verify demo.squashfs
says "says why" "'demo.sha256' does not list 'demo.squashfs'"
if command -v unsquashfs >/dev/null; then
  for kernel in 3.10.0 4.13.0 4.14.0 5.10; do
    printf '%s\n' "name: some" "subdir: linux-64" \
      "virtual-packages: [__glibc=2.17, __linux=$kernel, __unix=0=0]" "image: {root: /}" \
      "pack: {format: squashfs}" >some.yml
    expect 0 "pack for a profile with Linux $kernel" "$ENVBUILD" pack -q --no-test -t some.yml -o "$T/$kernel.squashfs"
    case $kernel in 3.* | 4.13*) want=gzip ;; *) want=zstd ;; esac
    says "takes $want, which it mounts" "Compression $want" <(unsquashfs -s "$T/$kernel.squashfs")
  done
  check "the profile's format is the default" "$ENVBUILD" pack -q --no-test -t some.yml
  check "so this is one" unsquashfs -s demo.squashfs
fi
rm -f demo.* some.yml

expect 0 "pack --format dir" pack --format dir
check "its sum is beside it" sha256sum --quiet -c demo.sha256
same "that of its list of files" "$(cut -c 67- demo.sha256)" demo/conda-meta/envbuild/files
same "in the run report, too" "$(python3 -c 'import json; print(json.load(open("demo.run.json"))["sha256"])')" \
  "$(cut -c -64 demo.sha256)"
check "which lists all" sh -c 'cd demo && sha256sum --quiet -c conda-meta/envbuild/files'
check "it is not relocated" test ! -e demo/conda-meta/envbuild/prefix
expect 0 "run takes it, which relocates for itself alone" "$ENVBUILD" run demo -- cat "$PWD/demo/share/zeta/conf"
same "to where it lies" "$(cat "$T/out")" "prefix=$PWD/demo"
check "and leaves it as it is" test ! -e demo/conda-meta/envbuild/prefix
check "unpack takes it" "$ENVBUILD" unpack demo "$T/copy"
mkdir "$T/theirs" && mkfifo "$T/theirs/a"
expect 5 "another folder" "$ENVBUILD" unpack "$T/theirs" "$T/none"
says "is refused before it is copied" "no 'conda-meta/envbuild/relocation' in '$T/theirs'"
same "and relocates the copy" "$(cat "$T/copy/share/zeta/conf")" "prefix=$T/copy"
expect 2 "deploy takes archives only" "$ENVBUILD" deploy demo "$T/root" --version 1
mkdir "$T/cp" && cp -a demo "$T/cp/"
same "it is activated where it lies" \
  "$(bash -c '. "$1/bin/activate" && alpha && cat "$1/share/zeta/conf"' bash "$T/cp/demo")" "alpha
prefix=$T/cp/demo"
expect 0 "test takes it as a prefix" "$ENVBUILD" test -q "$T/cp/demo"
echo "alpha" >run-test.sh
touch .demo.notes.tmp .demo.7x.tmp .demo.99999999.tmp
expect 0 "one of ours is replaced" pack --format dir
same "of killed runs nothing is left, and what is no temporary stays" "$(ls -d .demo.*)" ".demo.7x.tmp
.demo.notes.tmp"
rm .demo.*
check "by the new" grep -q '^alpha$' demo/conda-meta/envbuild/run-test.sh
expect 0 "a slash at the end means a folder" pack -o "$T/slash.d/"
same "which has its papers beside it" "$(cd "$T" && ls -d slash* | tr '\n' ' ')" \
  "slash.d slash.d.run.json slash.d.sha256 slash.d.test.log "
printf 'pack: {format: dir, split: 1M}\n' >envbuild.yml
expect 0 "envbuild.yml may say so, too" pack
check "with a split for other formats" test -d demo
rm -rf demo demo.* envbuild.yml
refused() {
  before=$(ls -A . demo 2>/dev/null)
  expect 2 "refused: $1" pack "${@:3}"
  says "says why" "$2"
  same "leaves all" "$(ls -A . demo 2>/dev/null)" "$before"
}
mkdir demo && touch demo/mine
refused "a folder of somebody else's" "'demo' stands there and is no unpacked archive" --format dir
refused "the folder above" "cannot be made" -o ../
refused "a tar as a folder" "disagree" -o demo.tar.gz --format dir
refused "a folder as a tar" "disagree" -o demo/ --format tar
refused "no format" "there are tar.gz, tar.zst, tar, squashfs and dir" --format zip
rm -r demo && touch demo
refused "a file" "is no unpacked archive" --format dir
rm demo && ln -s "$T/copy" demo
refused "a link to one of ours" "is no unpacked archive" --format dir
check "which stays" test -e "$T/copy/bin/alpha"
rm demo
printf 'false\n' >run-test.sh
before=$(ls -A)
expect 6 "a folder whose test fails" pack --format dir
same "does not appear" "$(ls -A)" "$before"
done_testing
