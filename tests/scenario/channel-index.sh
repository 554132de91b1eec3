#!/bin/bash
# timeout: 120
# `envbuild channel index` over real packages, and over folders that are wrong.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
from=$ENVBUILD_SHARED_DATA/channel

index() { # index STATUS NAME DIR [JOBS]
  expect "$1" "$2" "$net" channel-index "$3" "${4:-2}"
}

# Every fourth package under 1 MB: both formats, old and new, noarch of both kinds.
channel=$T/channel
for subdir in linux-64 noarch; do
  mkdir -p "$channel/$subdir"
  find "$from/$subdir" \( -name '*.conda' -o -name '*.tar.bz2' \) -size -1000k | sort |
    awk 'NR % 4 == 1' | xargs cp -t "$channel/$subdir"
done
touch "$channel/linux-64/README" "$channel/linux-64/.hidden.conda"
count=$(find "$channel" -name '[!.]*.conda' -o -name '[!.]*.tar.bz2' | wc -l)

index 0 "a folder of $count packages" "$channel"
same "counts them" "$(cat "$T/out")" "$count packages, 2 subdirs"
rm "$channel/linux-64/.hidden.conda"
for subdir in linux-64 noarch; do
  check "$subdir agrees with the channel's own index" python3 "$ROOT/tests/tools/check_index.py" \
    "$channel/$subdir/repodata.json" "$from/$subdir/repodata.json" "$channel/$subdir"
  check "$subdir: .zst holds the same" sh -c \
    "zstd -dc '$channel/$subdir/repodata.json.zst' | cmp - '$channel/$subdir/repodata.json'"
done
before=$(cd "$channel" && sha256sum ./*/repodata.json*)
index 0 "again, one by one" "$channel" 1
same "gives the same bytes" "$(cd "$channel" && sha256sum ./*/repodata.json*)" "$before"
expect 0 "the solver's reader takes it" "$net" index "$T/cache" "$channel"
same "all of it" "$(cut -d' ' -f1 "$T/out")" "$(for subdir in linux-64 noarch; do
  find "$channel/$subdir" -name '*.conda' -o -name '*.tar.bz2' | wc -l; done)"
cp "$T/out" "$T/plain"

rm "$channel/linux-64/repodata.json" "$channel/noarch/repodata.json"
expect 0 "with .zst alone" "$net" index "$T/cache" "$channel"
check "it says the same" cmp "$T/plain" "$T/out"
same "and is read in place" "$(find "$T/cache" -name body)" ""

one=$(find "$channel/linux-64" -name '*.conda' | sort | head -n 1)
rm "$one"
index 0 "after a package was taken out" "$channel"
if grep -q "$(basename "$one")" "$channel/linux-64/repodata.json"; then
  fail "it is gone from the index"
else
  ok "it is gone from the index"
fi

mkdir "$T/flat" && cp "$channel"/noarch/*.conda "$T/flat"
expect 4 "a folder without index as a channel" "$net" index "$T/cache" "$T/flat"
says "names channel index" "hint: move the packages .*envbuild channel index $T/flat"
expect 4 "no folder at all" "$net" index "$T/cache" "$T/nothing"
says "names make demo" "hint: .*make demo"
index 2 "packages in the channel's own folder" "$T/flat"
says "says where to put them" "hint: move it to '$T/flat/noarch'"
index 2 "a folder that is not there" "$T/nothing"
mkdir "$T/empty"
index 0 "an empty folder" "$T/empty"
check "becomes an empty channel" test -f "$T/empty/noarch/repodata.json"

# bad NAME PATTERN: a channel with one wrong package, made by the function `make_bad`
bad() {
  rm -rf "$T/bad" && mkdir -p "$T/bad/linux-64"
  make_bad "$T/bad/linux-64"
  index 5 "$1" "$T/bad"
  says "says what" "$2"
  check "writes no index" test ! -e "$T/bad/linux-64/repodata.json"
}
whole=$(find "$channel/linux-64" -name '*.conda' | sort | head -n 1)
old=$(find "$channel/linux-64" -name '*.tar.bz2' | sort | head -n 1)
make_bad() { cp "$whole" "$1/other-1-0.conda"; }
bad "a package under another's name" "'other-1-0.conda' is named as another package than it is"
make_bad() { head -c 2000 "$whole" >"$1/$(basename "$whole")"; }
bad "a cut .conda" "damaged archive|no info/index.json"
make_bad() { head -c 100 "$old" >"$1/$(basename "$old")"; }
bad "a cut .tar.bz2" "damaged archive"
make_bad() { : >"$1/$(basename "$old")"; }
bad "an empty file" "damaged archive"
make_bad() { cp "$(find "$channel/noarch" -name '*.conda' | head -n 1)" "$1"; }
bad "a noarch package in linux-64" "lies in 'linux-64' and is for 'noarch'"
make_bad() {
  mkdir -p "$T/p/info" && echo '{"name": "x", "version": "1", "build": {"no": 1}}' >"$T/p/info/index.json"
  tar -C "$T/p" -cjf "$1/x-1-0.tar.bz2" info
}
bad "an object for a field" "info/index.json:1:[0-9]+: unexpected value of 'build'"
make_bad() {
  echo '{"name": "x"}' >"$T/p/info/index.json"
  tar -C "$T/p" -cjf "$1/x-1-0.tar.bz2" info
}
bad "a package without a version" "no version in info/index.json"
make_bad() { tar -C "$T/p" -cjf "$1/x-1-0.tar.bz2" --transform s,index,other, info; }
bad "a package without index.json" "no info/index.json"

done_testing
