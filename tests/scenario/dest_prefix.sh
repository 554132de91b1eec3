#!/bin/bash
# memory
# timeout: 60
# `envbuild pack --dest-prefix`: an environment that is right where it cannot be written.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2 tar
export ENVBUILD_CACHE=$T/cache
python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
mkdir "$T/project" && cd "$T/project" || exit 1
printf 'name: demo\nchannels: [%s]\ndependencies: [alpha, zeta]\n' "$T/channel" >environment.yml
echo "grep -qx \"prefix=\$CONDA_PREFIX\" \"\$CONDA_PREFIX/share/zeta/conf\"" >run-test.sh
dest=$T/fixed/site
pack() { "$ENVBUILD" pack -t host "$@"; }
paper() { tar xzOf demo.tar.gz "conda-meta/envbuild/$1"; }

expect 0 "packed for a path, tested at another" pack --test run-test.sh --dest-prefix "$dest/"
same "the manifest tells" "$(paper manifest.json | grep -o '"dest_prefix": .*"')" "\"dest_prefix\": \"$dest\""
same "and the record" "$(paper prefix)" "$dest"
same "the files hold it" "$(tar xzOf demo.tar.gz share/zeta/conf)" "prefix=$dest"
sum=$(sha256sum <demo.tar.gz)
expect 0 "again" pack --test run-test.sh --dest-prefix "$dest"  --force -j 1
same "the same bytes" "$(sha256sum <demo.tar.gz)" "$sum"
expect 0 "it is verified" "$ENVBUILD" verify demo.tar.gz
expect 0 "and made again" "$ENVBUILD" verify demo.tar.gz --rebuild --offline
expect 0 "for no path" pack --test run-test.sh
check "is another archive" sh -c '! tar tzf demo.tar.gz | grep -q envbuild/prefix$'
printf 'test: run-test.sh\npack: {dest-prefix: %s}\n' "$dest" >envbuild.yml
expect 0 "envbuild.yml says it" pack
same "the same bytes" "$(sha256sum <demo.tar.gz)" "$sum"
expect 0 "the option wins over it" pack --dest-prefix /elsewhere
same "the files hold that" "$(tar xzOf demo.tar.gz share/zeta/conf)" "prefix=/elsewhere"
expect 2 "no absolute path" pack --dest-prefix some/where
says "says so" "destination prefix 'some/where' is no absolute path"
expect 2 "the root" pack --dest-prefix /
says "says so" "destination prefix '/' can be no environment's path"
expect 0 "back to what envbuild.yml says" pack
expect 0 "attested" pack --attest
mkdir "$T/in" && tar xzf demo.tar.gz -C "$T/in"
check "the attestation tells the path" "$ROOT/tests/tools/check_statements.py" demo.intoto.jsonl "$T/in"
expect 0 "verify the archive" "$ENVBUILD" verify demo.tar.gz
expect 0 "made again" "$ENVBUILD" verify demo.tar.gz --rebuild
says "the same bytes" 'the same bytes'

# What the manifest, the record and the files say must agree.
edited() { # edited NAME PATTERN EDIT...
  "$ROOT/tests/tools/edit_archive.py" demo.tar.gz "$T/edited.tar.gz" "${@:3}" list || fail "edit" "$*"
  expect 5 "refused: $1" "$ENVBUILD" verify "$T/edited.tar.gz"
  says "says why" "$2"
}
record=conda-meta/envbuild/prefix
edited "another record" "do not name one path" set $record "/elsewhere
"
edited "a record of nothing" "do not name one path" set $record ""
edited "no record" "do not name one path" drop $record
edited "another path in the manifest" "do not name one path" bytes conda-meta/envbuild/manifest.json \
  "\"dest_prefix\": \"$dest\"" '"dest_prefix": "/elsewhere"'
edited "no path in the manifest" "do not name one path" bytes conda-meta/envbuild/manifest.json \
  '"dest_prefix"' '"best_prefix"'
edited "a file that holds another" "'share/zeta/conf' in .* is not what the relocation index says" \
  set share/zeta/conf "prefix=/elsewhere
"
edited "a file that holds none" "'share/zeta/conf' in .* is not what the relocation index says" \
  set share/zeta/conf ""

# Where it was packed for, and nobody may write.
mkdir -p "$dest" && tar xzf demo.tar.gz -C "$dest" && chmod -R a-w "$dest"
find "$dest" -printf '%p %m %T@ %C@\n' | sort >"$T/before"
same "activated where it may not be written" \
  "$(bash -c 'source "$1/bin/activate" && alpha && cat "$CONDA_PREFIX/share/zeta/conf"' bash "$dest")" \
  "alpha
prefix=$dest"
check "relocated there" "$dest/bin/conda-unpack"
check "all is as packed" "$dest/bin/conda-unpack" --check
find "$dest" -printf '%p %m %T@ %C@\n' | sort >"$T/after"
check "nothing was written" cmp "$T/before" "$T/after"
chmod -R u+w "$dest"
mv "$dest" "$T/moved"
same "moved, it relocates" "$(bash -c 'source "$1/bin/activate" && cat "$CONDA_PREFIX/share/zeta/conf"' bash "$T/moved")" \
  "prefix=$T/moved"
# An image that is mounted where it was packed for.
expect 0 "pack an image" "$ENVBUILD" pack --no-test -q --format squashfs --dest-prefix "$dest"
mkdir "$dest"
if mount -o loop,ro demo.squashfs "$dest" 2>"$T/err"; then
  defer "umount '$dest' 2>/dev/null"
  same "mounted, it is activated" \
    "$(bash -c 'source "$1/bin/activate" && alpha && cat "$CONDA_PREFIX/share/zeta/conf"' bash "$dest")" \
    "alpha
prefix=$dest"
  check "it is unmounted" umount "$dest"
else
  skip "mounted, it is activated" "mount: $(head -n 1 "$T/err")"
fi
rmdir "$dest"
expect 0 "unpacked elsewhere" "$ENVBUILD" unpack demo.tar.gz "$T/other" -q
same "it is relocated" "$(cat "$T/other/share/zeta/conf")" "prefix=$T/other"
expect 0 "and verified" "$ENVBUILD" verify "$T/other"
expect 0 "unpacked for where it belongs" "$ENVBUILD" unpack demo.tar.gz "$T/staged" -p "$dest" -q
check "it is as in the archive" sh -c 'cd "$1" && sha256sum --quiet -c conda-meta/envbuild/files' sh "$T/staged"
expect 0 "unpacked where nothing can be activated" "$ENVBUILD" unpack demo.tar.gz "$T/a:b"
says "says so" "warning: with its ':' the path '$T/a:b' cannot stand in PATH"
done_testing
