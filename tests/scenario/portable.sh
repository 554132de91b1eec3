#!/bin/bash
# The portable program, on a host with glibc 2.17: a root with that and nothing of ours.
# memory
# timeout: 600
# slow
. "$(dirname "$0")/../lib.sh"
need musl-gcc unshare strip

ldd "$ENVBUILD" 2>/dev/null | grep -q 'libasan' && skip_all "this is the program of \`make check\`"
export SOURCE_DATE_EPOCH=0
check "it is made" "$ROOT/portable/make" "$ENVBUILD" "$T/one"
check "it is made again" "$ROOT/portable/make" "$ENVBUILD" "$T/two"
archive=$(cd "$T/one" && echo ./*.tar.gz)
check "the same bytes" cmp "$T/one/$archive" "$T/two/$archive"
folder=$(basename "$archive" .tar.gz)
rm -rf "$T/two"

check "with a static probe beside it" "$T/one/$folder/envbuild-probe" --help
ln -s "$T/one/$folder/envbuild" "$T/link"
version=$("$ENVBUILD" --version)
same "it runs through a link" "$version" "$("$T/link" --version)"
check "nothing of the loader's ways reaches its children" sh -c \
  "! grep -q LD_LIBRARY_PATH '$T/one/$folder/envbuild'"
mv "$T/one/$folder/lib" "$T/one/$folder/gone"
expect 1 "without its libraries it says what is wrong" "$T/link" --version
check "and what to do" grep -q 'must stay together' "$T/err"
mv "$T/one/$folder/gone" "$T/one/$folder/lib"

"$ROOT/tests/tools/roots.sh" glibc217 >"$T/made" 2>"$T/reason"
case $? in
  0) cp -a "$(tail -n 1 "$T/made")" "$T/root" ;;
  77) skip "on glibc 2.17" "no such root: $(tail -n 1 "$T/reason")" && done_testing ;;
  *) fail "a glibc 2.17 root" "$(cat "$T/reason")" && done_testing ;;
esac
# In a mount namespace of its own, so that nothing mounted stays.
cat >"$T/inside" <<'SH'
root=$1 channel=$2
shift 2
mkdir -p "$root/proc" "$root/dev" "$root/tmp" "$root/channel"
mount --rbind /proc "$root/proc" && mount --rbind /dev "$root/dev" || exit 125
if [ -n "$channel" ]; then
  mount --bind "$channel" "$root/channel" || exit 125
fi
exec chroot "$root" "$@"
SH
inside() {
  env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp ENVBUILD_NO_FSYNC=1 \
    unshare --mount --map-root-user sh "$T/inside" "$T/root" \
    "${ENVBUILD_SHARED_DATA:+$ENVBUILD_SHARED_DATA/channel}" "$@"
}
inside /bin/true 2>/dev/null
[ $? != 125 ] || { skip "on glibc 2.17" "the kernel refuses mounts here" && done_testing; }

mkdir -p "$T/root/opt" "$T/root/project"
tar xf "$T/one/$archive" -C "$T/root/opt"
same "on glibc 2.17 it runs" "$version" "$(inside "/opt/$folder/envbuild" --version 2>&1)"
same "and finds what the static probe finds" "$(inside "/opt/$folder/envbuild-probe")" \
  "$(inside "/opt/$folder/envbuild" image probe)"
expect 0 "and lists commands" inside "/opt/$folder/envbuild" --help
if [ -z "$ENVBUILD_SHARED_DATA" ]; then
  skip "envbuild pack on glibc 2.17" "no real packages (ENVBUILD_SHARED_DATA)"
  done_testing
fi

cat >"$T/root/project/environment.yml" <<'YML'
name: old
channels: [file:///channel]
dependencies: [python=3.6.6, requests]
YML
cat >"$T/root/project/run-test.sh" <<'SH'
python -c 'import ssl, sqlite3, requests; print("python runs")'
SH
cat >"$T/root/project/old.yml" <<'YML'
name: old-host
subdir: linux-64
virtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0, __archspec=1=x86_64]
YML
pack() {
  inside /bin/sh -c "cd /project && exec /opt/$folder/envbuild pack --engine none \
    --test run-test.sh $*"
}
expect 0 "envbuild pack for host on glibc 2.17" pack -o host.tar.gz
check "its test ran there" grep -q 'python runs' "$T/err"
check "host was seen as glibc 2.17" grep -q '__glibc=2.17' "$T/root/project/envbuild.lock"
expect 0 "and for a profile of 2.17" pack -t ./old.yml -o profile.tar.gz
expect 2 "a program from elsewhere is no excuse for a newer target" pack -t debian12 -o no.tar.gz
mkdir "$T/root/moved"
tar xf "$T/root/project/profile.tar.gz" -C "$T/root/moved"
expect 0 "the archive runs there, moved" inside /bin/bash -c \
  'source /moved/bin/activate && python -c "import requests, sys; print(sys.prefix)"'
same "from its new place" /moved "$(cat "$T/out")"
expect 0 "it is deployed there, by the program alone" inside "/opt/$folder/envbuild" deploy \
  /project/profile.tar.gz /srv-old --version 1 --ticket OPS-1
check "and tested in its place" grep -q '"test":"passed"' "$T/root/srv-old/deployments.jsonl"
expect 0 "and used by the link" inside /bin/bash -c \
  'source /srv-old/current/bin/activate && python -c "import ssl, sys; print(sys.prefix)"'
done_testing
