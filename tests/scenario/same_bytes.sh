#!/bin/bash
# memory
# timeout: 120
# The same lock gives the same archive, in each format: in two folders, as two users, with two umasks,
# on one thread and two, with an empty cache, a full one and one below, with other zones and languages.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
unset ENVBUILD_CACHE_LOWER SOURCE_DATE_EPOCH ENVBUILD_ENGINE
formats='tar.gz tar.zst tar squashfs dir'
python=/usr/bin/python3
[ -x "$python" ] || skip_all "no $python, which every user can read"
chmod 755 "$T"
python3 "$ROOT/tests/tools/shapes_channel.py" "$T/channel" "$python"
"$ENVBUILD" channel index "$T/channel" -q || exit 1

project() { # project DIR
  mkdir -p "$1" && printf 'name: same\nchannels: [%s]\ndependencies: [lib, shapes, script]\nvariables: {SITE: "here"}\n' \
    "$T/channel" >"$1/environment.yml"
  echo 'test "$(lib)" = lib && test -x "$CONDA_PREFIX/bin/tool"' >"$1/run-test.sh"
}
project "$T/one" && project "$T/home/of/another/two"
touch -d 2001-01-01 "$T/home/of/another/two"/*
user=65432
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null &&
  setpriv --reuid $user --regid $user --clear-groups "$ENVBUILD" --version >/dev/null 2>&1; then
  chown -R $user:$user "$T/home"
  other() { setpriv --reuid $user --regid $user --clear-groups env HOME="$T/home" "$@"; }
else
  skip "another user" "needs root and setpriv, and a program that all may read"
  other() { env HOME="$T/home" "$@"; }
fi
own() { "$@"; }
# pack WHO NAME CACHE OPTION...: in the folder where it is called.
pack() {
  who=$1 name=$2 cache=$3
  shift 3
  expect 0 "$name" "$who" env ENVBUILD_CACHE="$cache" "$ENVBUILD" pack -t host --test run-test.sh --force "$@"
}
# sum FORMAT: of what was made; of a folder its bytes, modes, times and links.
sum() {
  case $1 in
    dir) (cd same && find . -type f -exec sha256sum {} + && find . -printf '%P %m %T@ %l\n') | LC_ALL=C sort | sha256sum ;;
    *) test -s "same.$1" && sha256sum <"same.$1" ;;
  esac
}
reused() { python3 -c 'import json; print(json.load(open("same.run.json"))["segments"]["reused"])'; }

has_segments() { case $format in tar.gz | tar.zst) ;; *) return 1 ;; esac; }

for format in $formats; do
  cd "$T/one" || exit 1
  umask 022
  pack own "$format: one user, one thread, an empty cache" "$T/cache.$format" -j 1 --format "$format"
  good=$(sum "$format")
  cd "$T/home/of/another/two" || exit 1
  umask 077
  export TZ=Asia/Tokyo LC_ALL=C.UTF-8 LANG=tr_TR.UTF-8
  pack other "$format: another, two threads, another folder" "$T/home/cache.$format" -j 2 --format "$format"
  same "$format: the same bytes" "$(sum "$format")" "${good:-none}"
  ! has_segments || same "$format: no segment was there" "$(reused)" 0
  pack other "$format: with a full cache" "$T/home/cache.$format" -j 2 --format "$format"
  same "$format: the same bytes from it" "$(sum "$format")" "${good:-none}"
  ! has_segments || check "$format: its segments were used" test "$(reused)" -ge 4
  ENVBUILD_CACHE_LOWER=$T/cache.$format pack other "$format: with a cache below" \
    "$T/home/upper.$format" -j 1 --format "$format"
  same "$format: the same bytes from there" "$(sum "$format")" "${good:-none}"
  ! has_segments || check "$format: its segments, too" test "$(reused)" -ge 4
  unset LANG
  export TZ=UTC LC_ALL=C
done
umask 022
check "the archives hold all shapes" sh -c 'tar tf "$1" | sort >"$2" && for f in bin/lib bin/tool made \
  lib/libshapes.so.1 var/empty/deep/ made-folder/ share/numbers; do grep -qx "$f" "$2" || exit 1; done
  grep -q "lib/__pycache__/__init__.*pyc" "$2"' sh "$T/one/same.tar" "$T/list"
done_testing
