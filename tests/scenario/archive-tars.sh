#!/bin/bash
# Our tar headers as GNU tar, busybox, bsdtar and Python read them, and theirs as we do.
. "$(dirname "$0")/../lib.sh"
need python3 tar
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

check "a tar of ours is written" sh -c "'$net' write-tar >'$T/ours.tar'"
expect 0 "we read it back" "$net" list "$T/ours.tar"
mv "$T/out" "$T/list"
same "as Python does" "$(python3 "$ROOT/tests/tools/check_tar.py" "$T/ours.tar")" "$(cat "$T/list")"

# tree DIR: what lies there: type, mode, link, hash
tree() {
  (cd "$1" && find . -mindepth 1 \( -type f -printf '%p f %m ' -exec sha256sum -z {} \; -o \
    -type l -printf '%p l %l' -o -printf '%p d' \) -printf '\n' | tr '\0' ' ' | LC_ALL=C sort)
}
extract() { # extract NAME PROGRAM ARG...
  if ! command -v "$2" >/dev/null; then
    skip "$1 extracts it" "no program '$2'"
    return
  fi
  mkdir "$T/$1"
  shift_name=$1
  shift
  expect 0 "$shift_name extracts it" "$@" -C "$T/$shift_name"
  same "$shift_name says nothing" "$(cat "$T/err")" ""
  same "$shift_name makes the right tree" "$(tree "$T/$shift_name")" "$(tree "$T/python")"
}
umask 022
mkdir "$T/python"
check "python extracts it" python3 -c '
import sys, tarfile
with tarfile.open(sys.argv[1]) as tar:
    tar.extractall(sys.argv[2])' "$T/ours.tar" "$T/python"
same "all of it" "$(cd "$T/python" && find . -mindepth 1 ! -type d | wc -l)" 11
extract gnu tar -xpf "$T/ours.tar"
extract busybox busybox tar -xpf "$T/ours.tar"
extract bsdtar bsdtar -xpf "$T/ours.tar"

# A file of 9 GiB, all hole: readers pass over it by seeking.
size=$((9 << 30))
"$net" write-header $size >"$T/large.tar"
if truncate -s $((512 + size + 1024)) "$T/large.tar" 2>/dev/null; then
  same "gnu sees 9 GiB" "$(tar -tvf "$T/large.tar" | awk '{print $3, $6}')" "$size large"
  same "python sees 9 GiB" "$(python3 -c '
import sys, tarfile
print(*[(m.size, m.name) for m in tarfile.open(sys.argv[1])])' "$T/large.tar")" "($size, 'large')"
  if command -v busybox >/dev/null; then
    same "busybox sees 9 GiB" "$(busybox tar -tvf "$T/large.tar" | awk '{print $3, $6}')" "$size large"
  else
    skip "busybox sees 9 GiB" "no program 'busybox'"
  fi
  if command -v bsdtar >/dev/null; then
    same "bsdtar sees 9 GiB" "$(bsdtar -tvf "$T/large.tar" | awk '{print $5, $9}')" "$size large"
  else
    skip "bsdtar sees 9 GiB" "no program 'bsdtar'"
  fi
else
  skip "a file of 9 GiB" "the file system holds none"
fi
rm -f "$T/large.tar"

# Their tars, by our reader.
mkdir -p "$T/src/a" && cd "$T/src" || exit 1
echo one >a/file
ln -s file a/link
ln a/file a/hard
long=$(printf 'x%.0s' $(seq 90))/$(printf 'y%.0s' $(seq 90))/$(printf 'z%.0s' $(seq 90))
mkdir -p "$(dirname "$long")" && echo long >"$long"
ln -s "$long" longlink
echo cafe >"$(printf 'caf\303\251')"
echo nfd >"$(printf 'cafe\314\201')"
echo latin >"$(printf 'caf\351')"
for format in ustar gnu pax; do
  names=(a "$(printf 'caf\303\251')" "$(printf 'cafe\314\201')" "$(printf 'caf\351')")
  [ $format = ustar ] || names+=(longlink "${long%%/*}") # which ustar cannot hold
  tar --format=$format --sort=name -cf "$T/$format.tar" "${names[@]}"
  for locale in C C.UTF-8; do
    expect 0 "a $format tar of GNU tar in locale $locale" env LC_ALL=$locale "$net" list "$T/$format.tar"
    same "its members are right" "$(cat "$T/out")" "$(python3 "$ROOT/tests/tools/check_tar.py" "$T/$format.tar")"
  done
done
for filter in gzip bzip2 xz zstd; do
  if command -v $filter >/dev/null; then
    $filter -c "$T/gnu.tar" >"$T/x.tar.$filter"
    expect 0 "a tar under $filter" "$net" list "$T/x.tar.$filter"
    same "has the same members" "$(cat "$T/out")" "$("$net" list "$T/gnu.tar")"
  else
    skip "a tar under $filter" "no program '$filter'"
  fi
done
head -c 20000 "$T/gnu.tar" | tail -c 19000 >"$T/middle"
expect 5 "the middle of a tar" "$net" list "$T/middle"

done_testing
