#!/bin/sh
# timeout: 120
# memory
# Unpacking piece by piece on several threads: the same tree as in one row, whatever was killed
# before, and no archive that lies gets through.
# shellcheck source=tests/lib.sh disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 tar split

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3$(printf 'p%.0s' $(seq 225))
BUILD=$PLACEHOLDER/b
host=/home/host/$(printf 'z%.0s' $(seq 89))
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

# --- packed for a place -------------------------------------------------------------------------------
dest=/opt/read-only/$(printf 'd%.0s' $(seq 130))
for_dest() {
  "$pack_tree" "$T/tree" "$PLACEHOLDER" "$BUILD" "$1" "${3:-2}" 1 0 "$2"
}
check "pack for a place" for_dest "$T/dest.tar.gz" "$dest"
for_dest "$T/again.tar.gz" "$dest" 5 >"$T/out" 2>&1
check "always the same bytes" cmp "$T/dest.tar.gz" "$T/again.tar.gz"
mkdir "$T/dest" && tar xzf "$T/dest.tar.gz" -C "$T/dest"
check "every file holds it" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/dest" "$dest"
same "and the record says so" "$(cat "$T/dest/conda-meta/envbuild/prefix")" "$dest"
check "its sums are those of the files" sh -c 'cd "$1" && sha256sum --quiet -c conda-meta/envbuild/files' sh "$T/dest"
check "the manifest tells" grep -q "\"dest_prefix\": \"$dest\"" "$T/dest/conda-meta/envbuild/manifest.json"
same "the index is that of any place" "$(sha256sum <"$T/dest/conda-meta/envbuild/relocation")" \
  "$(sha256sum <"$T/packed/conda-meta/envbuild/relocation")"
check "it moves as any other" "$T/dest/bin/conda-unpack"
check "and is right" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/dest" "$T/dest"
check "and back" "$T/dest/bin/conda-unpack" --prefix "$dest"
check "to the bytes of the archive" sh -c 'cd "$1" && sha256sum --quiet -c conda-meta/envbuild/files' sh "$T/dest"
gzip -dc "$T/dest.tar.gz" >"$T/dest.tar"
gzip -1 <"$T/dest.tar" >"$T/dest-row.tar.gz"
for archive in dest.tar.gz dest.tar dest-row.tar.gz; do
  for to in /opt/place "$dest"; do
    rm -rf "$T/one"
    check "unpack $archive for $to" "$pack_tree" --unpack "$T/$archive" "$T/one" "$to"
    check "it is right" "$tools/check_moved_tree.py" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/one" "$to"
    same "and recorded" "$(cat "$T/one/conda-meta/envbuild/prefix")" "$to"
  done
  rm -rf "$T/one"
  check "unpack $archive as packed" "$pack_tree" --unpack "$T/$archive" "$T/one" ""
  check "it is what it was" diff -r --no-dereference "$T/dest" "$T/one"
done
expect 1 "a place too long for a binary" for_dest "$T/x.tar.gz" "$long"
says "is refused by name and length" "path too long: '$long' has .* and '.*' has room for ${#PLACEHOLDER}"
check "before anything is written" test ! -e "$T/x.tar.gz"
for wrong in relative /with/end/ "/new
line"; do
  expect 2 "no place: $wrong" for_dest "$T/x.tar.gz" "$wrong"
done
check "built at another path, for a place" "$tools/make_tree.py" "$T/host" "$PLACEHOLDER" "$host" 3
check "pack it" "$pack_tree" "$T/host" "$PLACEHOLDER" "$host" "$T/host.tar" 1 1 0 /srv/dest
check "nothing names that path" sh -c '! grep -q /home/host "$1"' sh "$T/host.tar"
check "unpack it" "$pack_tree" --unpack "$T/host.tar" "$T/hosted" "/srv/x"
check "it is right" "$tools/check_moved_tree.py" "$T/host" "$PLACEHOLDER" "$host" "$T/hosted" /srv/x

# --- killed, hostile -----------------------------------------------------------------------------------
mkdir "$T/kill" && rm -rf "$T/one"
checker "killed at any moment" python3 "$tools/check_unpack_kill.py" "$pack_tree" "$T/a.tar.gz" "$T/kill" "$T/moved"
mkdir "$T/hostile" "$T/work"
rm -r "$T/tree/zlib" "$T/tree/many"
check "pack a small tree" "$pack_tree" "$T/tree" "$PLACEHOLDER" "$BUILD" "$T/small.tar"
check "make hostile archives" python3 "$tools/hostile_archives.py" "$T/hostile" "$T/small.tar"
checker "hostile pieces" python3 "$tools/check_unpack_pieces.py" "$pack_tree" "$T/hostile" "$T/work"
done_testing
