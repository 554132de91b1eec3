#!/bin/sh
# memory
# An unpacked environment moves: every place gives the bytes of a fresh unpack.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046
. "$(dirname "$0")/../lib.sh"
need python3 tar

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3$(printf 'p%.0s' $(seq 225))
BUILD=$PLACEHOLDER/b
tools=$ROOT/tests/tools
"$tools/make_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" 120
check "pack a tree" "$ENVBUILD_TOOLS/pack_tree" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/a.tar.gz" 2

# Content, modes and times; the record left out.
digest() {
  (cd "$1" && find . -path ./conda-meta/envbuild/prefix -prune -o -printf '%p %m %l %T@\n' |
    sed 's/^\(.* 755 \).*/\1/' | sort
    find . -path ./conda-meta/envbuild/prefix -prune -o -type f -print0 | sort -z |
      xargs -0 sha256sum) | sha256sum
}
fresh() {
  rm -rf "$2" && mkdir -p "$2" && tar xzf "$T/a.tar.gz" -C "$2"
}
holds() {
  "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$1" "$2"
}

# --- moves ---------------------------------------------------------------------------------
long=$T/long-$(printf 'l%.0s' $(seq $((150 - ${#T}))))
mkdir -p "$T/real" && ln -s real "$T/alias"
at=$T/first
fresh x "$at"
for to in "$T/first" "$long" "$T/with a space" "$T/s" "$T/alias/link" "$T/it's \$HOME" "$T/first"; do
  [ "$at" = "$to" ] || mv "$at" "$to"
  at=$to
  check "relocate to '${to#"$T/"}'" "$at/bin/conda-unpack"
  check "as conda's rules say" holds "$at" "$at"
  check "nothing is left behind" test "$(find "$at" -name '*.tmp' -o -name prefix.pending)" = ""
  same "the record" "$(cat "$at/conda-meta/envbuild/prefix")" "$at"
  moved=$(digest "$at")
  mv "$at" "$T/kept" && fresh x "$at" && "$at/bin/conda-unpack"
  same "the same as a fresh unpack there" "$moved" "$(digest "$at")"
  rm -rf "$at" && mv "$T/kept" "$at"
  check "--check agrees" "$at/bin/conda-unpack" --check
done
same "scripts run" "$("$at/bin/tool" && "$at/bin/tool-e" && "$at/bin/tool-space" && "$at/bin/env-arg")" \
  "tool $at
tool-e
tool-space
env-arg"

# --- how it is called -----------------------------------------------------------------------
before=$(find "$at" -printf '%p %i %C@\n' | sort | sha256sum)
check "again" "$at/bin/conda-unpack"
same "nothing was touched" "$(find "$at" -printf '%p %i %C@\n' | sort | sha256sum)" "$before"
ln -s "$at" "$T/other-name"
check "through another name" "$T/other-name/bin/conda-unpack"
same "which is no move" "$(find "$at" -printf '%p %i %C@\n' | sort | sha256sum)" "$before"
mkdir "$T/links" && ln -s "$at/bin/conda-unpack" "$T/links/conda-unpack"
mv "$at" "$T/second" && at=$T/second && rm "$T/links/conda-unpack"
ln -s "$at/bin/conda-unpack" "$T/links/conda-unpack"
check "called by a link elsewhere" "$T/links/conda-unpack"
same "it finds its environment" "$(cat "$at/conda-meta/envbuild/prefix")" "$at"
mv "$at" "$T/third" && at=$T/third
check "called by a relative path" sh -c 'cd "$1/lib" && ../bin/conda-unpack' sh "$at"
same "its name is absolute" "$(cat "$at/conda-meta/envbuild/prefix")" "$at"
check "for a path that will be" "$at/bin/conda-unpack" --prefix /opt/later
check "it holds that path" holds "$at" /opt/later
check "and back" "$at/bin/conda-unpack"
check "it holds its own" holds "$at" "$at"
expect 1 "an unknown argument" "$at/bin/conda-unpack" --no-such
expect 1 "a relative parent" "$at/bin/conda-unpack" --prefix ../x
expect 1 "a newline" "$at/bin/conda-unpack" --prefix "/x
y"
check "--help" sh -c '"$1" --help | grep -q "^usage: conda-unpack"' sh "$at/bin/conda-unpack"

# --- too long ------------------------------------------------------------------------------
before=$(digest "$at")
expect 1 "a path with no room in a binary" "$at/bin/conda-unpack" \
  --prefix "/$(printf 'x%.0s' $(seq ${#PLACEHOLDER}))"
check "the message names the file and the length" grep -q \
  "'lib/libbig.so' has room for ${#PLACEHOLDER};.*at most ${#PLACEHOLDER} bytes" "$T/err"
same "nothing was written" "$(digest "$at")" "$before"
check "exactly as long as there is room" "$at/bin/conda-unpack" \
  --prefix "/$(printf 'x%.0s' $(seq $((${#PLACEHOLDER} - 1))))"
check "it fits" holds "$at" "/$(printf 'x%.0s' $(seq $((${#PLACEHOLDER} - 1))))"
check "and back from there" "$at/bin/conda-unpack"
same "to the same bytes" "$(digest "$at")" "$before"

# --- edited and removed --------------------------------------------------------------------
cp -a "$at" "$T/edited"
printf 'my own line\n' >>"$T/edited/lib/many"
printf 'X' | dd of="$T/edited/lib/libtwo.so" bs=1 seek=300 conv=notrunc 2>/dev/null
rm "$T/edited/lib/twice" "$T/edited/bin/foreign" "$T/edited/lib/tail"
ln -s /etc/passwd "$T/edited/bin/foreign"
mkdir "$T/edited/lib/tail"
sum=$(sha256sum "$T/edited/lib/many" "$T/edited/lib/libtwo.so")
expect 0 "a tree that somebody edited" "$T/edited/bin/conda-unpack"
for f in lib/many lib/libtwo.so bin/foreign lib/tail; do
  check "'$f' is reported" grep -q "'$f' was changed since it was packed; it is left alone" "$T/err"
done
check "'lib/twice' is reported" grep -q "'lib/twice' was removed since it was packed" "$T/err"
same "five reports" "$(wc -l <"$T/err")" 5
same "what was edited is left alone" "$(sha256sum "$T/edited/lib/many" "$T/edited/lib/libtwo.so")" "$sum"
check "the rest was moved" grep -q "^#!$T/edited/bin/sh" "$T/edited/bin/tool"
expect 5 "--check finds them" "$T/edited/bin/conda-unpack" --check
check "and counts them" grep -q "5 of .* files do not hold" "$T/err"

# --- for others to read --------------------------------------------------------------------
cp -a "$at" "$T/shared"
check "relocate where the umask is 077" sh -c 'umask 077 && "$1/bin/conda-unpack"' sh "$T/shared"
same "the record has the index's mode" "$(stat -c %a "$T/shared/conda-meta/envbuild/prefix")" 644

# --- a tree one cannot write ---------------------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod -R a+rX "$T" && rm -rf "$T/foreign" && cp -a "$at" "$T/foreign"
  as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups"
  # shellcheck disable=SC2086
  expect 1 "a moved tree of another user" $as_nobody "$T/foreign/bin/conda-unpack"
  check "says what is wrong" grep -q "cannot write '$T/foreign' (Permission denied), and its files name '$at'" "$T/err"
  # shellcheck disable=SC2086
  expect 1 "from activate" $as_nobody "$T/foreign/bin/conda-unpack" --activate
  check "says whom to ask" grep -q "was moved from '$at' and belongs to another user" "$T/err"
  "$T/foreign/bin/conda-unpack" && rm "$T/foreign/conda-meta/envbuild/prefix"
  # shellcheck disable=SC2086
  expect 0 "one that works already, without a record" $as_nobody "$T/foreign/bin/conda-unpack" --activate
  same "is silent" "$(cat "$T/out" "$T/err")" ""
else
  skip "a tree one cannot write" "needs root and setpriv"
fi

# --- killed in the middle ------------------------------------------------------------------
at=$T/kill0
fresh x "$at"
rounds=0 part=0
while [ "$rounds" -lt 60 ]; do
  rounds=$((rounds + 1))
  to=$T/kill$((rounds % 5))$(printf 'k%.0s' $(seq $((rounds % 9))))
  [ "$at" = "$to" ] || mv "$at" "$to"
  at=$to
  python3 - "$at/bin/conda-unpack" "$rounds" <<'PY'
import random, subprocess, sys, time
p = subprocess.Popen([sys.argv[1]])
random.seed(int(sys.argv[2]))
time.sleep(random.random() * 0.012)
p.kill()
p.wait()
PY
  [ ! -e "$at/conda-meta/envbuild/prefix.pending" ] || part=$((part + 1))
done
check "some of 60 kills came in the middle" test "$part" -gt 3
check "the next run completes" "$at/bin/conda-unpack"
check "with every file right" holds "$at" "$at"
check "and nothing left over" test "$(find "$at" -name '*.tmp' -o -name prefix.pending)" = ""

# --- two at once ---------------------------------------------------------------------------
mv "$at" "$T/both" && at=$T/both
"$at/bin/conda-unpack" & one=$!
"$at/bin/conda-unpack" & two=$!
check "two at once: the first" wait "$one"
check "two at once: the second" wait "$two"
check "and all is right" holds "$at" "$at"

# --- the program ---------------------------------------------------------------------------
check "conda-unpack is under 100 kB" test "$(stat -c %s "$at/bin/conda-unpack")" -lt 100000
if command -v readelf >/dev/null; then
  check "it asks for no loader" sh -c '! readelf -lW "$1" | grep -q INTERP' sh "$at/bin/conda-unpack"
  check "and for no library" sh -c '! readelf -dW "$1" | grep -q NEEDED' sh "$at/bin/conda-unpack"
else
  skip "it is static" "no readelf"
fi
done_testing
