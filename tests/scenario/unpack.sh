#!/bin/sh
# timeout: 120
# Unpacking piece by piece on several threads: the same tree as in one row, whatever was killed
# before, and no archive that lies gets through.
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 tar split

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3$(printf 'p%.0s' $(seq 225))
BUILD=$PLACEHOLDER/b
tools=$ROOT/tests/tools
pack_tree=$ENVBUILD_TOOLS/pack_tree
PYTHONDONTWRITEBYTECODE=1 && export PYTHONDONTWRITEBYTECODE
"$tools/make_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" 150

# Every path with type, mode, time and bytes.
list() {
  (cd "$1" && find . -type d -printf '%p/\n' -o -type l -printf '%p -> %l %T@\n' -o -printf '%p %m %T@ %n\n' | sort
    find . -type f -print0 | sort -z | xargs -0 sha256sum)
}

# --- the same tree -----------------------------------------------------------------------------------
for format in tar.gz tar.zst tar; do
  check "pack $format" "$pack_tree" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/a.$format" 2 1
done
gzip -dc "$T/a.tar.gz" | gzip -1 >"$T/row.tar.gz"
check "in one row, as packed" "$pack_tree" --unpack "$T/row.tar.gz" "$T/packed" ""
list "$T/packed" >"$T/packed.list"
check "in one row, for a path" "$pack_tree" --unpack "$T/row.tar.gz" "$T/moved" /opt/place
touch -d @1500000000 "$T/moved/conda-meta/envbuild/prefix" # the record's time is that of the index
list "$T/moved" >"$T/moved.list"
check "which is right" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/moved" /opt/place
mkdir "$T/parts" && split -d -b 300000 "$T/a.tar.gz" "$T/parts/a.tar.gz."
for jobs in 1 4; do
  for archive in "$T/a.tar.gz" "$T/a.tar.zst" "$T/a.tar" "$T/parts/a.tar.gz"; do
    rm -rf "$T/one"
    check "${archive#"$T/"} on $jobs threads, as packed" "$pack_tree" --unpack "$archive" "$T/one" "" "$jobs"
    list "$T/one" >"$T/one.list"
    check "the same tree" diff "$T/packed.list" "$T/one.list"
    rm -rf "$T/one"
    check "${archive#"$T/"} on $jobs threads, for a path" "$pack_tree" --unpack "$archive" "$T/one" /opt/place "$jobs"
    list "$T/one" >"$T/one.list"
    check "the same tree" diff "$T/moved.list" "$T/one.list"
  done
done
check "where a umask hides all" sh -c 'umask 077 && rm -r "$2" && exec "$1" --unpack "$3" "$2" /opt/place' \
  sh "$pack_tree" "$T/one" "$T/a.tar.gz"
list "$T/one" | grep -v '/$' >"$T/one.list"
grep -v '/$' "$T/moved.list" >"$T/want.list"
check "files have the archive's modes" diff "$T/want.list" "$T/one.list"
long=/$(printf 'x%.0s' $(seq ${#PLACEHOLDER}))
expect 1 "a path too long for a binary" "$pack_tree" --unpack "$T/a.tar.gz" "$T/long" "$long"
says "is refused by name and length" "path too long: '$long' has .* and '.*' has room for ${#PLACEHOLDER}"
check "before anything is made" test ! -e "$T/long"

# --- killed, hostile -----------------------------------------------------------------------------------
mkdir "$T/kill" && rm -rf "$T/one"
checker "killed at any moment" python3 "$tools/check_unpack_kill.py" "$pack_tree" "$T/a.tar.gz" "$T/kill" "$T/moved"
mkdir "$T/hostile" "$T/work"
rm -r "$T/tree/zlib" "$T/tree/many"
check "pack a small tree" "$pack_tree" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/small.tar"
check "make hostile archives" python3 "$tools/hostile_archives.py" "$T/hostile" "$T/small.tar"
checker "hostile pieces" python3 "$tools/check_unpack_pieces.py" "$pack_tree" "$T/hostile" "$T/work"
done_testing
