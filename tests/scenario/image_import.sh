#!/bin/bash
# timeout: 300
# Images in all their forms become the trees that umoci unpacks; hostile ones do no harm.
. "$(dirname "$0")/../lib.sh"
need umoci skopeo python3 xz zstd bzip2 busybox setpriv

export ENVBUILD_DATA=$T/data
export HOME=$T/home # of skopeo's own things
mkdir "$T/home" "$T/w" && cd "$T/w" || exit 1
lines() { "$ROOT/tests/tools/tree_lines.py" "$1"; }
tree_of() { "$ENVBUILD" image show "$1" --json | python3 -c \
  'import json, sys; print(json.load(sys.stdin)["image"]["root"])'; }
import() { "$ENVBUILD" image import "$@"; }

# --- an image of five layers -----------------------------------------------------------------
{
  umoci init --layout img && umoci new --image img:a && umoci unpack --image img:a b
  cd b/rootfs || exit 1
  mkdir -p usr/bin usr/lib etc/conf.d opt/old/deep opt/gone var/data tmp root dev srv/a srv/b
  ln -s usr/bin bin && ln -s usr/lib lib && ln -s /etc/passwd etc/link && ln -s nowhere etc/dangling
  cp "$(command -v busybox)" usr/bin/busybox
  for i in sh ls cat; do ln usr/bin/busybox usr/bin/$i; done
  echo root:x:0:0::/:/bin/sh >etc/passwd && echo secret >etc/shadow && chmod 0 etc/shadow
  echo s >usr/bin/su && chmod 4755 usr/bin/su && echo g >usr/bin/wall && chmod 2755 usr/bin/wall
  chmod 1777 tmp && chmod 700 root && chmod 500 srv/a && echo kept >srv/a/kept
  for i in 1 2 3; do echo "$i" >"etc/conf.d/$i" && echo "$i" >"opt/old/deep/$i"; done
  echo x >opt/gone/x && echo file >var/was-file && mkdir var/was-folder && echo y >var/was-folder/y
  echo "ü" >"var/data/ü ö" && echo tab >"var/data/a	b" && : >var/data/empty
  long=$(printf 'n%.0s' $(seq 120)) && mkdir -p "var/$long/$long" && echo l >"var/$long/$long/$long"
  ln -s "/$long/$long/$long" var/long-link && ln "var/$long/$long/$long" "var/$long/hard"
  mknod dev/null c 1 3 && mkfifo dev/fifo && head -c 300000 /dev/zero >var/data/zeros
  echo "2001-02-03" | xargs -I{} touch -d {} etc/passwd opt/old
  cd ../.. && umoci repack --image img:a b && rm -rf b && umoci unpack --image img:a b
  cd b/rootfs || exit 1 # what goes, changes its kind, or gets other names
  rm -r opt/gone etc/conf.d/2 usr/bin/cat var/was-file var/was-folder
  mkdir var/was-file && echo in >var/was-file/in && echo file >var/was-folder
  rm bin && mkdir bin && echo own >bin/own && echo b >usr/bin/b && chmod 640 etc/passwd
  ln var/data/empty var/data/second && echo more >usr/bin/su && chmod 750 srv/a
  cd ../.. && umoci repack --image img:a b
  mkdir new && echo only >new/only && umoci insert --image img:a --opaque new opt/old
  umoci insert --image img:a --whiteout etc/conf.d/3
  # a file below a link of a lower layer
  echo late >late && umoci insert --image img:a late lib/late
} >"$T/umoci" 2>&1 || fail "the image is made" "$(tail -n 20 "$T/umoci")"
umoci unpack --image img:a ref >>"$T/umoci" 2>&1
lines ref/rootfs >want
for member in opt/gone etc/conf.d/2 etc/conf.d/3 opt/old/deep bin/cat; do
  [ ! -e "ref/rootfs/$member" ] || fail "the reference has no $member"
done
check "the reference has many kinds ($(wc -l <want) lines)" test "$(wc -l <want)" -gt 40
check "and has several layers" sh -c "[ \$(ls img/blobs/sha256 | wc -l) -ge 8 ]"

# --- all forms -------------------------------------------------------------------------------
skopeo copy -q oci:img:a oci-archive:oci.tar:a >copied 2>&1
skopeo copy -q oci:img:a docker-archive:docker.tar:site/base:1 >>copied 2>&1
gzip -1 -k docker.tar
tar -C ref/rootfs -cf root.tar . && gzip -1 -k root.tar && xz -0 -k root.tar && bzip2 -1 -k root.tar
zstd -q -1 root.tar
is_same() { # NAME: the tree of that image is the reference
  lines "$(tree_of "$1")" >got
  check "$2: the same tree" diff want got
}
n=0
for form in img:a oci.tar docker.tar docker.tar.gz docker.tar:site/base:1 root.tar root.tar.gz \
  root.tar.xz root.tar.bz2 root.tar.zst ref/rootfs; do
  n=$((n + 1))
  expect 0 "$form" import "f$n" "$form"
  is_same "f$n" "$form"
done
expect 0 "stdin" import stdin - <docker.tar.gz
is_same stdin stdin
expect 0 "stdin, a tar" import stdin-tar - <root.tar.xz
is_same stdin-tar "stdin, a tar"
same "layers, a tar and a folder are three trees" "$(ls "$T/data/images/trees" | wc -l)" 3
check "nothing is at work" test -z "$(ls -A "$T/data/images/work")"
root=$(tree_of f1)
check "no setuid or setgid bit, nothing that others own" \
  test -z "$(find "$root" \( -perm /6000 -o ! -user "$(id -u)" -o ! -type l ! -type f ! -type d \))"
same "the size and number of files are told" "$("$ENVBUILD" image show f1 --json | python3 -c \
  'import json, sys; print(json.load(sys.stdin)["image"]["files"])')" "$(find "$root" ! -type d | wc -l)"

# --- a second time ---------------------------------------------------------------------------
find "$T/data/images/trees" -printf '%p %i %T@ %C@\n' | sort >before
cp -a img again
for blob in again/blobs/sha256/*; do # only what is JSON is needed: all else is spoiled
  head -c 1 "$blob" | grep -q '{' || echo spoiled >"$blob"
done
expect 0 "the same layers a second time, of which only the manifest is right" import f1 again:a
says "it was here" "it was here already"
expect 0 "a tar a second time" import f6 root.tar.zst
expect 0 "a folder a second time" import f11 ref/rootfs
find "$T/data/images/trees" -printf '%p %i %T@ %C@\n' | sort >after
check "no file in trees was written" cmp before after
expect 5 "a spoiled layer that is not here" env ENVBUILD_DATA="$T/other" "$ENVBUILD" image import f1 again:a
same "leaves nothing" "$(find "$T/other" ! -type d)" ""

# --- which one -------------------------------------------------------------------------------
umoci tag --image img:a other >/dev/null && umoci insert --image img:other late etc/other >/dev/null
expect 2 "a layout of two images" import two img
says "they are named" "several images: a, other"
expect 0 "one of them" import two img:other
check "it is the right one" test -f "$(tree_of two)/etc/other"
expect 2 "one that is not there" import two img:none
expect 2 "of a root file system" import two root.tar:none
expect 2 "a name that is none" import ../x root.tar
expect 2 "the machine's" import host root.tar
expect 2 "what is not there" import x nothing
mkdir empty
expect 2 "a folder that is no root" import x empty

# --- names -----------------------------------------------------------------------------------
expect 0 "the list" "$ENVBUILD" image list
says "has targets" "^rhel6 +2.12 +2.6.32 +x86_64 +- +none" "$T/out"
says "and images" "^f1 .*/again:a \(no target\)$" "$T/out"
expect 0 "as JSON" "$ENVBUILD" image list --json
check "it is one document" python3 -c 'import json, sys; v = json.load(open(sys.argv[1]))
assert [r for r in v if r["name"] == "f1"][0]["image"]["digest"].startswith("sha256:")' "$T/out"
expect 0 "one of several names goes" "$ENVBUILD" image rm f1 f2
check "the tree stays" test -d "$(tree_of f3)"
expect 0 "all go" "$ENVBUILD" image rm f3 f4 f5 f6 f7 f8 f9 f10 f11 stdin stdin-tar two
same "and their trees" "$(ls -A "$T/data/images/trees")" ""
expect 2 "a name that is not there" "$ENVBUILD" image rm f1
expect 2 "nor to be shown" "$ENVBUILD" image show f1

# --- as another user -------------------------------------------------------------------------
if [ "$(id -u)" = 0 ]; then
  chmod -R a+rX "$T/w/img" && chmod 755 "$T" "$T/w" ref && mkdir "$T/user" && chown 48484 "$T/user" && cp "$ENVBUILD" "$T/user/envbuild"
  user() { setpriv --reuid=48484 --regid=48484 --clear-groups \
    env ENVBUILD_DATA="$T/user/data" "$T/user/envbuild" "$@"; }
  for form in img:a docker.tar root.tar.zst; do
    expect 0 "$form, unprivileged" user image import u "$form"
    lines "$(user image show u --json | python3 -c \
      'import json, sys; print(json.load(sys.stdin)["image"]["root"])')" >got
    check "the same tree, unprivileged" cmp want got
  done
  check "all of it is the user's" test -z "$(find "$T/user/data" ! -uid 48484)"
  expect 0 "a folder of root's" user image import u ref/rootfs
  says "what cannot be read is left out" "are left out, which cannot be read"
  expect 0 "removed by the user" user image rm u
  same "nothing is left" "$(find "$T/user/data/images/trees" -mindepth 1)" ""
  mkdir -m 755 "$T/roots" && mkdir -m 755 "$T/roots/images" "$T/roots/images/work"
  expect 1 "into images of root's" setpriv --reuid=48484 --regid=48484 --clear-groups \
    env ENVBUILD_DATA="$T/roots" "$T/user/envbuild" image import u img:a
  says "the way out is named" "^envbuild: hint: ENVBUILD_DATA names another folder"
else
  skip "as another user" "needs root"
fi

# --- a file that is mounted, whose inode another file's names have in the root -----------------
mkdir mounts && cd mounts || exit 1
cat >mounted.sh <<'SH'
mkdir a b && mount -t tmpfs a a && mount -t tmpfs b b && mkdir a/etc b/etc && echo one >a/etc/1 && echo two >b/etc/1 &&
  ln a/etc/1 a/etc/2 && ln b/etc/1 b/etc/2 && [ "$(stat -c %i a/etc/1)" = "$(stat -c %i b/etc/1)" ] &&
  : >a/etc/3 && mount --bind b/etc/1 a/etc/3 || exit 77
"$ENVBUILD" image import -q mounted a
SH
unshare -m sh mounted.sh 2>"$T/why"
case $? in
0) same "a mounted file is itself" "$(cat "$(tree_of mounted)/etc/3")" two && "$ENVBUILD" image rm -q mounted ;;
77) skip "a mounted file is itself" "cannot mount" ;;
*) fail "a mounted file is itself" "$(cat "$T/why")" ;;
esac
cd ..

# --- hostile ones ----------------------------------------------------------------------------
mkdir "$T/outside" && echo mine >"$T/outside/there"
"$ROOT/tests/tools/hostile_images.py" "$T/hostile" "$T/outside" || fail "hostile images are made"
memory=600000 seconds=20
sh -c 'ulimit -v 600000; exec "$0" --version' "$ENVBUILD" >/dev/null 2>&1 || memory=unlimited seconds=120 # ASan's
# the image, the exit status that is wanted, and what stays outside and in the store
for kind in "refused 5" "usage 2" "harmless 0"; do
  for path in "$T/hostile/${kind% *}"/*; do
    (ulimit -v $memory && exec timeout -s KILL $seconds "$ENVBUILD" image import evil "$path") >"$T/out" 2>"$T/err"
    status=$?
    [ "$(wc -c <"$T/err")" -lt 10000 ] || fail "hostile ${path##*/} has a message without end"
    [ "$status" = "${kind#* }" ] || fail "hostile ${path##*/}" "exit $status: $(cat "$T/err")"
    [ "$status" = 0 ] && "$ENVBUILD" image rm -q evil
    [ -z "$(find "$ENVBUILD_DATA/images" -mindepth 2)" ] || fail "${path##*/} leaves something"
    [ "$(find "$T/outside" -printf '%f %n ' -exec cat {} \; 2>/dev/null)" = "outside 2 there 1 mine" ] ||
      fail "${path##*/} changes what is outside" "$(find "$T/outside" -ls)"
  done
  ok "hostile images: $(ls "$T/hostile/${kind% *}" | wc -l) ${kind% *}"
done
done_testing
