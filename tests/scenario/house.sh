#!/bin/bash
# `make install`, and what tools/lint_source must refuse.
. "$(dirname "$0")/../lib.sh"
need python3 make scdoc
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES

mkdir "$T/house"
tar -C "$ROOT" --exclude=./build --exclude=./.git -cf - . | tar -C "$T/house" -xf -
cd "$T/house" || exit 1
check "the sources keep the rules" tools/lint_source
printf '#include "solver/pool.h"\n' >>base/str.c
expect 1 "base includes solver" tools/lint_source
check "it is named, with its line" grep -Eq '^base/str\.c:[0-9]+: ' "$T/out"
cp "$ROOT/base/str.c" base/str.c
printf '#include <zstd.h>\n' >>solver/record.c
expect 1 "a library's header in a foreign room" tools/lint_source
check "it is named, too" grep -Eq '^solver/record\.c:[0-9]+: ' "$T/out"
cp "$ROOT/solver/record.c" solver/record.c

# Of what is built already; only the manual pages are made.
mkdir -p "$T/build/release"
cp "$ENVBUILD" "$T/build/release/envbuild"
expect 0 "make install" make -C "$ROOT" -o all install BUILD="$T/build" DESTDIR="$T/root" PREFIX=/opt/e
same "the program runs from there" "$("$T/root/opt/e/bin/envbuild" --version)" "$("$ENVBUILD" --version)"
same "target profiles" "$(ls "$T/root/opt/e/share/envbuild/targets")" "$(cd "$ROOT/images/targets" && ls)"
same "manual pages" "$(ls "$T/root/opt/e/share/man/man1")" \
  "$(cd "$ROOT/docs/man" && ls | sed 's/\.scd$//')"
same "and nothing else" "$(find "$T/root" -type f | wc -l)" \
  "$(($(ls "$ROOT/images/targets" | wc -l) + $(ls "$ROOT/docs/man" | wc -l) + 1))"
done_testing
