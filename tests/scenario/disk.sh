#!/bin/bash
# timeout: 240
# Space is compared with what is needed before anything is fetched, and --low-disk needs less: on
# file systems of limited size, in a mount namespace of its own.
. "$(dirname "$0")/../lib.sh"
export HOME=$T ENVBUILD_NO_FSYNC=1
need python3 zstd bzip2 unshare mount
unset ENVBUILD_CACHE_LOWER
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
cd "$T" || exit 1
unshare -m mount -t tmpfs none "$T" 2>/dev/null || skip_all "no file system can be mounted"
mkdir disk project
cat >project/environment.yml <<EOF
name: small
channels: [$ENVBUILD_SHARED_DATA/channel]
dependencies: [openssl, sqlite, ncurses, readline]
EOF
echo 'test -x "$CONDA_PREFIX/bin/openssl"' >project/run-test.sh

# on SIZE CMD...: with the folder disk on a disk of that size; the most that was used goes to `peak`,
# in KiB, whatever CMD did.
cat >on.sh <<'EOF'
mount -t tmpfs -o "size=$1" none disk || exit 99
mkdir disk/out
shift
used() { df -k --output=used disk | tail -n 1; }
"$@" & pid=$!
most=0
while kill -0 $pid 2>/dev/null; do
  now=$(used)
  [ "$now" -le "$most" ] || most=$now
  sleep 0.03
done
wait $pid
rc=$?
echo $((most)) >peak
find disk -name facts >facts
find disk/out >released
exit $rc
EOF
on() { unshare -m sh on.sh "$@"; }
pack() { # pack STATUS NAME SIZE OPTION...
  pack_status=$1 pack_name=$2 pack_size=$3
  shift 3
  expect "$pack_status" "$pack_name" on "$pack_size" env ENVBUILD_CACHE="$T/disk/cache" \
    "$ENVBUILD" pack project -t host --test project/run-test.sh -v -o disk/out/small.tar.gz "$@"
}
# What was estimated, in KiB.
estimate() {
  sed -n 's/.*at most \([0-9.]*\) \([kMG]\)B more.*/\1 \2/p' "$T/err" |
    awk '{print int($1 * ($2 == "G" ? 1e9 : $2 == "M" ? 1e6 : 1e3) / 1024)}'
}

expect 0 "a lock" env ENVBUILD_CACHE="$T/cache" "$ENVBUILD" lock project -t host
rm -rf cache
pack 0 "pack on a large disk" 2g
plain=$(cat peak) plain_estimate=$(estimate)
check "the cache keeps its packages" test -s facts
pack 0 "the same with --low-disk" 2g --low-disk
low=$(cat peak) low_estimate=$(estimate)
same "the cache has given its packages back" "$(cat facts)" ""
echo "# peak $plain KiB (estimated $plain_estimate), with --low-disk $low KiB ($low_estimate)"
check "--low-disk needs a fifth less" test "$((low * 5))" -le "$((plain * 4))"
check "the estimate is no less than what was used" \
  test "$plain_estimate" -ge "$plain" -a "$low_estimate" -ge "$low"
check "and no more than twice as much" \
  test "$plain_estimate" -le "$((plain * 2))" -a "$low_estimate" -le "$((low * 2))"

between=$(((low_estimate + plain_estimate) / 2))
pack 1 "a disk that is too small" "${between}k"
says "is named with what it is for" "too little space on the disk of '.*/disk/cache': [0-9.]+ MB needed for the package cache, the prefix, the archive, the copy that is tested, [0-9.]+ MB free"
says "and what helps" "--low-disk needs less"
check "nothing was fetched" test "$(cat peak)" -lt 1024 -a ! -s facts
same "nothing was released" "$(cat released)" disk/out
pack 0 "it is large enough for --low-disk" "${between}k" --low-disk
expect 1 "an install that does not fit" on 8m env ENVBUILD_CACHE="$T/disk/cache" \
  "$ENVBUILD" install project/envbuild.lock -p disk/p
says "is refused too" "too little space .*needed for the package cache, the prefix"
check "before anything is fetched" test "$(cat peak)" -lt 1024
check "a prefix on another disk is seen" test ! -e disk/p
expect 1 "a prefix on a small disk, the cache elsewhere" on 8m env ENVBUILD_CACHE="$T/cache" \
  "$ENVBUILD" install project/envbuild.lock -p disk/p
says "is named by the prefix" "too little space on the disk of '.*/disk/p': .* needed for the prefix,"
done_testing
