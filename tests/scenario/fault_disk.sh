#!/bin/bash
# timeout: 200
# Full disks, file-size limits, too few descriptors, folders one may not write: real ones.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2

mkdir "$T/project" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - "$T/channel" <<'EOF'
import random
import sys

import make_package

channel = make_package.Channel(sys.argv[1])
random.seed(1)
for name, size in (('big', 6 << 20), ('small', 1000)):
    channel.conda(name, [make_package.member('share/%s/%d' % (name, i), random.randbytes(size // 4))
                         for i in range(4)])
# One that needs far more room than its file lets expect.
channel.conda('zeros', [make_package.member('share/zeros/%d' % i, bytes(2 << 20)) for i in range(4)])
EOF
"$ENVBUILD" channel index "$T/channel" -q || exit 1
cat >environment.yml <<EOF
name: demo
channels: [file://$T/channel]
dependencies: [big, small]
EOF
sed 's/\[.*small\]/[zeros]/' environment.yml >zeros.yml
export ENVBUILD_CACHE=$T/cache
install() { "$ENVBUILD" install -t host -q -p "$@"; }
whole() { # whole PREFIX: both packages, every byte
  (cd "$1" && sha256sum share/*/* 2>/dev/null | sha256sum)
}
expect 0 "a run with room" install "$T/good"
good=$(whole "$T/good")
expect 0 "and an archive" "$ENVBUILD" pack -t host -q --no-test -o "$T/good.tar.gz"

# --- a small disk: everything below runs in a mount namespace of its own -----------------------
if [ -z "${FAULT_DISK_INSIDE:-}" ] && unshare -m true 2>/dev/null; then
  mkdir "$T/disk"
  cat >"$T/inside" <<'EOF'
set -e
mount -t tmpfs -o size=3m none "$T/disk"
mkdir "$T/disk/out"
run() { "$@" >"$T/out.$name" 2>"$T/err.$name" && echo 0 >"$T/status.$name" || echo $? >"$T/status.$name"; }
name=cache ENVBUILD_CACHE=$T/disk/cache run "$ENVBUILD" install -t host -q -p "$T/env.cache"
find "$T/disk/cache/tmp" "$T/disk/cache/work" -mindepth 1 2>/dev/null >"$T/left.cache" || :
find "$T/disk/cache/pkgs" -mindepth 2 -maxdepth 2 2>/dev/null >"$T/entries.cache" || :
rm -rf "$T/disk/cache"
name=zeros ENVBUILD_CACHE=$T/disk/cache run "$ENVBUILD" install zeros.yml -t host -q -p "$T/env.zeros"
find "$T/disk/cache/tmp" "$T/disk/cache/work" "$T/env.zeros" -mindepth 1 2>/dev/null >"$T/left.zeros" || :
find "$T/disk/cache/pkgs" -mindepth 2 2>/dev/null >>"$T/left.zeros" || :
rm -rf "$T/disk/cache"
name=prefix run "$ENVBUILD" install -t host -q -p "$T/disk/env"
find "$T/disk/env" >"$T/left.prefix" 2>/dev/null || :
rm -rf "$T/disk/env"
name=output run "$ENVBUILD" pack -t host -q --no-test -o "$T/disk/out/demo.tar.gz"
find "$T/disk/out" -mindepth 1 >"$T/left.output"
mount -o remount,size=100m "$T/disk"
mkdir "$T/disk/few"
mount -t tmpfs -o nr_inodes=200 none "$T/disk/few"
export ENVBUILD_CACHE=$T/disk/few/cache
name=few run "$ENVBUILD" install -t host -q -p "$T/env.few"
touch -d '-1 hour' "$ENVBUILD_CACHE"/pkgs/*/*
i=0
while mkdir "$T/disk/few/$i" 2>/dev/null; do i=$((i + 1)); done
name=clean run "$ENVBUILD" cache clean --all
find "$ENVBUILD_CACHE/pkgs" -name facts >"$T/entries.clean"
export ENVBUILD_CACHE=$T/cache
name=again ENVBUILD_CACHE=$T/disk/cache run "$ENVBUILD" install -t host -q -p "$T/disk/env"
(cd "$T/disk/env" && sha256sum share/*/* | sha256sum) >"$T/whole.again"
name=later run "$ENVBUILD" pack -t host -q --no-test -o "$T/disk/out/demo.tar.gz"
cmp "$T/disk/out/demo.tar.gz" "$T/good.tar.gz" >"$T/cmp.later" 2>&1 || :
EOF
  export T
  expect 0 "a disk of 3 MB is mounted" unshare -m bash "$T/inside"
  for what in cache zeros prefix output; do
    same "full $what: the status says so" "$(cat "$T/status.$what")" 1
    check "full $what: the message says so" \
      grep -Eq 'No space left|too little space on the disk of .* free' "$T/err.$what"
    same "full $what: nothing is left" "$(cat "$T/left.$what")" ""
  done
  check "a disk that fills up although it was thought to do: the message says so" \
    grep -Eq "'share/zeros/.*zeros-1.0-0.conda.*No space left" "$T/err.zeros"
  check "full cache: no prefix" test ! -e "$T/env.cache"
  same "a cache where no file more may be made is cleaned" \
    "$(cat "$T/status.few" "$T/status.clean" "$T/entries.clean")" "$(printf '0\n0')"
  same "with room again it works" "$(cat "$T/status.again") $(cat "$T/whole.again")" "0 $good"
  same "so does packing, with the same bytes" "$(cat "$T/status.later" "$T/cmp.later")" 0
else
  skip "a full disk" "no mount namespace may be made here"
fi

# --- limits of the process ----------------------------------------------------------------------
rm -rf "$T/cache"
expect 1 "files may have 1 MB" bash -c 'ulimit -f 1024; exec "$@"' sh "$ENVBUILD" install -t host \
  -q -p "$T/limited"
says "the message names the limit" 'File too large'
same "no entry of the cache is half" \
  "$(find "$T/cache/tmp" -mindepth 1; find "$T/cache/pkgs" -name big)" ""
check "no prefix is left" test ! -e "$T/limited"
expect 0 "the next run works" install "$T/limited"
same "and is whole" "$(whole "$T/limited")" "$good"
rm -rf "$T/limited" "$T/cache"
bash -c 'ulimit -n 40; exec "$@"' sh "$ENVBUILD" install -t host -q -p "$T/limited" 2>"$T/err"
status=$?
if [ $status = 0 ]; then
  same "40 descriptors are enough" "$(whole "$T/limited")" "$good"
else
  says "40 descriptors: the message says so" 'Too many open files|descriptors'
fi
rm -rf "$T/limited" "$T/cache"
expect 1 "8 descriptors" bash -c 'ulimit -n 8; exec "$@"' sh "$ENVBUILD" install -t host -q \
  -p "$T/limited"
says "8 descriptors: the message says so" 'Too many open files'
check "no prefix is left" test ! -e "$T/limited"

# --- another file system, and folders of others -------------------------------------------------
if other=$(mktemp -d -p /dev/shm 2>/dev/null) &&
  [ "$(stat -c %d "$other")" != "$(stat -c %d "$T")" ]; then
  defer "rm -rf '$other'"
  expect 0 "a prefix on another file system" install "$other/env"
  same "is copied whole" "$(whole "$other/env")" "$good"
else
  skip "a prefix on another file system" "/dev/shm is none"
fi

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  expect 0 "the cache is filled" install "$T/filled"
  chmod 755 "$T" "$T/project"
  mkdir -m 777 "$T/free" && mkdir "$T/mine"
  as_nobody() { (cd "$T/free" && setpriv --reuid 65534 --regid 65534 --clear-groups "$@"); }
  if as_nobody test -r "$T/project/environment.yml" && as_nobody test -x "$ENVBUILD"; then
    expect 1 "a cache of somebody else" as_nobody env ENVBUILD_CACHE="$T/mine/cache" "$ENVBUILD" \
      install "$T/project/environment.yml" -t host -q -p "$T/free/env"
    says "names it and what to do" "$T/mine/cache.*Permission denied|ENVBUILD_CACHE"
    export ENVBUILD_CACHE=$T/free/cache
    expect 1 "a prefix in a folder of somebody else" as_nobody "$ENVBUILD" install \
      "$T/project/environment.yml" -t host -q -p "$T/mine/env"
    says "names it" "'$T/mine/env'.*Permission denied"
    expect 1 "an archive in a folder of somebody else" as_nobody "$ENVBUILD" pack --no-test \
      "$T/project/environment.yml" -t host -q -o "$T/mine/demo.tar.gz"
    says "names it" "$T/mine"
    expect 0 "what is allowed works" as_nobody "$ENVBUILD" install \
      "$T/project/environment.yml" -t host -q -p "$T/free/env"
    same "and is whole" "$(whole "$T/free/env")" "$good"
  else
    skip "an unprivileged user" "the program or the project lies where nobody may read"
  fi
else
  skip "an unprivileged user" "only root can become one"
fi
done_testing
