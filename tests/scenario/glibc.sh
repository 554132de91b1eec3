#!/bin/bash
# A program that needs GLIBC_2.28, in roots of glibc 2.17, 2.31, 2.36 and 2.41: each pair of a root
# and a way to run it fails or passes as the loader says.
# timeout: 240
. "$(dirname "$0")/../lib.sh"
need gcc python3 readelf zstd

export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
cd "$T" || exit 1
# Without start files, whose needs would be those of this machine's.
cat >new.c <<'END'
#define _GNU_SOURCE
#include <gnu/libc-version.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

__attribute__((force_align_arg_pointer)) void _start(void)
{
	const char *version = gnu_get_libc_version();

	/* renameat2 is of 2.28; that it fails is no matter */
	renameat2(-1, "", -1, "", 0);
	write(1, "runs with glibc ", 16);
	write(1, version, strlen(version));
	write(1, "\n", 1);
	_exit(0);
}
END
check "the program is built" gcc -O1 -fno-stack-protector -fPIE -pie -nostartfiles -Wno-unused-result \
  -o new new.c
same "it needs GLIBC_2.28 and nothing newer" \
  "$(readelf --version-info new | grep -o 'Name: GLIBC[^ ]*' | sort -u)" "Name: GLIBC_2.2.5
Name: GLIBC_2.28"
python3 - "$ROOT/tests/tools" "$T/channel" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
with open("new", "rb") as f:
    Channel(sys.argv[2]).conda("new", [member("bin/new", f.read(), mode=0o755)], index={"noarch": "generic"})
PY
"$ENVBUILD" channel index "$T/channel" -q
printf 'name: new\nchannels: [file://%s]\ndependencies: [new]\n' "$T/channel" >environment.yml
echo new >run-test.sh

# libc.so.6 says what it is, in two ways: by its banner, and when it is run there.
banner() {
  grep -a -o -E 'stable release version [0-9]+\.[0-9]+' "$1" | grep -o '[0-9.]*$'
}
find_libc() {
  for name in "$1"/lib/x86_64-linux-gnu/libc.so.6 "$1"/lib64/libc.so.6; do
    [ ! -e "$name" ] || { echo "$name" && return; }
  done
}

# What the audit would stop is what the loader is to show here.
ignore=(--ignore '*:bin/new=the loader shall say it')
pairs=0
while read -r name glibc target; do
  root=$("$ROOT/tests/tools/roots.sh" "$name" 2>"$T/reason") || {
    skip "glibc $glibc" "$(tail -n 1 "$T/reason")"
    continue
  }
  same "$name: glibc by its banner" "$(banner "$(find_libc "$root")")" "$glibc"
  if [ "$target" = - ]; then
    target=./$name.yml
    printf 'name: %s\nsubdir: linux-64\nvirtual-packages: [%s]\n' "$name" \
      "__glibc=$glibc, __linux=4.18, __unix=0=0, __archspec=1=x86_64" >"$name.yml"
  fi
  # An archive that nobody tested, as it may come from anywhere.
  "$ENVBUILD" pack -q -t "$target" --image "$root" --no-test "${ignore[@]}" \
    -o "$name-untested.tar.gz" || fail "$name: an archive"
  libc=$(find_libc "$root")
  "$ENVBUILD" run -q "$name-untested.tar.gz" --image "$root" -- /lib64/ld-linux-x86-64.so.2 \
    "${libc#"$root"}" >libc 2>&1
  says "$name: glibc by running it" "version ${glibc/./\\.}[., ]" libc
  if [ "$glibc" = 2.17 ]; then
    expect 7 "$name: the audit" "$ENVBUILD" pack -t "$target" --image "$root" --test run-test.sh -o "$name.tar.gz"
    says "$name: names it before anything runs" "'bin/new' of package 'new-1.0-0' needs GLIBC_2.28 of libc.so.6"
    expect 6 "$name: pack" "$ENVBUILD" pack -t "$target" --image "$root" --test run-test.sh "${ignore[@]}" -o "$name.tar.gz"
    says "$name: pack shows the loader's message" "version .GLIBC_2\\.28' not found"
    check "$name: nothing is released" test ! -e "$name.tar.gz"
    expect 6 "$name: test" "$ENVBUILD" test "$name-untested.tar.gz" --image "$root" --test run-test.sh
    says "$name: test shows the loader's message" "version .GLIBC_2\\.28' not found"
    for operand in environment.yml "$name-untested.tar.gz"; do
      expect 1 "$name: run $operand" "$ENVBUILD" run "$operand" -t "$target" --image "$root" -- new
      says "$name: run $operand shows the loader's message" "version .GLIBC_2\\.28' not found"
    done
    expect 1 "$name: shell" "$ENVBUILD" shell environment.yml -t "$target" --image "$root" <run-test.sh
    says "$name: shell shows the loader's message" "version .GLIBC_2\\.28' not found"
  else
    expect 0 "$name: pack" "$ENVBUILD" pack -t "$target" --image "$root" --test run-test.sh -o "$name.tar.gz"
    says "$name: pack shows what the test says" "runs with glibc ${glibc/./\\.}"
    check "$name: it is released" test -e "$name.tar.gz"
    expect 0 "$name: test" "$ENVBUILD" test "$name.tar.gz" --image "$root"
    for operand in environment.yml "$name.tar.gz"; do
      expect 0 "$name: run $operand" "$ENVBUILD" run "$operand" -t "$target" --image "$root" -- new
      same "$name: run $operand is in that root" "$(cat out)" "runs with glibc $glibc"
    done
    expect 0 "$name: shell" "$ENVBUILD" shell environment.yml -t "$target" --image "$root" <run-test.sh
    same "$name: shell is in that root" "$(cat out)" "runs with glibc $glibc"
  fi
  pairs=$((pairs + 1))
done <<'END'
glibc217 2.17 rhel7
bullseye 2.31 -
bookworm 2.36 -
trixie 2.41 -
END

# What is older than its target is refused before anything runs; what is newer is said.
old=$("$ROOT/tests/tools/roots.sh" glibc217 2>/dev/null) && {
  [ ! -e bullseye.tar.gz ] || expect 6 "what passed on 2.31 fails on 2.17" "$ENVBUILD" test bullseye.tar.gz \
    -t rhel7 --image "$old"
  expect 2 "a root older than the target" "$ENVBUILD" run environment.yml -t debian12 --image "$old" -- new
  says "both versions are named" "2\\.17.*2\\.36|2\\.36.*2\\.17"
}
# On such a host itself: an archive for 2.28 says a sentence where the loader would be the first to.
new_root=$("$ROOT/tests/tools/roots.sh" bullseye 2>/dev/null) || new_root=
enter=
if [ "$(id -u)" = 0 ] && chroot / true 2>/dev/null; then
  enter=chroot
elif unshare -r chroot / true 2>/dev/null; then
  enter="unshare -r chroot"
fi
if [ -n "$old" ] && [ -n "$new_root" ] && [ -n "$enter" ]; then
  expect 0 "an archive for glibc 2.28" "$ENVBUILD" pack -q -t rocky8 --image "$new_root" --no-test -o rocky8.tar.gz
  cp -a "$old" old && mkdir -p old/opt/new && tar xf rocky8.tar.gz -C old/opt/new
  same "it says what it needs" "$(cat old/opt/new/conda-meta/envbuild/host)" "envbuild host 1
target rocky8
machine x86_64
glibc 2.28"
  # shellcheck disable=SC2086
  expect 1 "is not activated on 2.17" $enter old /bin/bash -c '. /opt/new/bin/activate && echo active'
  says "a sentence says why" "made for rocky8, needs glibc 2\\.28, and this host has glibc 2\\.17;.*ENVBUILD_SKIP_CHECK=1"
  check "it is not the loader's" sh -c '! grep GLIBC_ err'
  same "nothing of it is there" "$(cat out)" ""
  # shellcheck disable=SC2086
  expect 0 "ENVBUILD_SKIP_CHECK=1 activates it" $enter old /usr/bin/env ENVBUILD_SKIP_CHECK=1 /bin/bash -c \
    '. /opt/new/bin/activate && echo "$CONDA_PREFIX" && ! new'
  same "as asked" "$(cat out)" /opt/new
  says "then the loader says it" "GLIBC_2\\.28' not found"
  rm old/lib64/libc.so.6
  # shellcheck disable=SC2086
  expect 1 "nor where there is no glibc" $enter old /bin/bash -c '. /opt/new/bin/activate'
  says "which is said" "needs glibc 2\\.28, and this host has none"
else
  skip "an archive for glibc 2.28 on a host of 2.17" "needs both roots and chroot"
fi
printf '# %d of 4 roots\n' "$pairs"
done_testing
