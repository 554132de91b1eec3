#!/bin/bash
# timeout: 180
# `envbuild channel index --shards` over real packages, looked at by another reader, and used.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
/usr/bin/python3 -c 'import msgpack' 2>/dev/null || skip_all "no python3-msgpack"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
from=$ENVBUILD_SHARED_DATA/channel
export ENVBUILD_CACHE=$T/cache
unset SOURCE_DATE_EPOCH
LIST=repodata_shards.msgpack.zst

# Every third package under 300 kB: both formats, old and new, noarch of both kinds.
channel=$T/channel
for subdir in linux-64 noarch; do
  mkdir -p "$channel/$subdir"
  find "$from/$subdir" \( -name '*.conda' -o -name '*.tar.bz2' \) -size -300k | sort |
    awk 'NR % 3 == 1' | xargs cp -t "$channel/$subdir"
done
index() { # index NAME OPTION...
  index_name=$1
  shift
  expect 0 "$index_name" "$ENVBUILD" channel index "$channel" "$@"
}
right() { # right NAME: an independent reader finds in the shards what the repodata.json has
  for subdir in linux-64 noarch; do
    check "$1: $subdir" "$ROOT/tests/tools/check_shards.py" "$channel/$subdir"
  done
}
sums() { (cd "$channel" && find . -name '*.zst' -exec sha256sum {} + | sort); }
times() { (cd "$channel" && find . -path '*/shards/*' -exec stat -c '%n %i %Y' {} + | sort); }

index "without"
check "there are no shards" sh -c "! find '$channel' -name '*shards*' | grep ."
plain=$(cat "$channel"/*/repodata.json | sha256sum)
index "with" --shards
says "says how many" "channel: [0-9]+ shards"
right "shards are right"
same "the index is as without" "$(cat "$channel"/*/repodata.json | sha256sum)" "$plain"
for subdir in linux-64 noarch; do
  check "$subdir: the list is not older than the index" test ! \
    "$channel/$subdir/repodata.json" -nt "$channel/$subdir/$LIST"
done
same "no temporaries are left" "$(find "$channel" -name '.*' -type f)" ""

find "$channel" -path '*/shards/*' -exec touch -d '100 days ago' {} +
before=$(sums) before_times=$(times)
index "again, on one core" --shards -j 1
same "the same bytes" "$(sums)" "$before"
same "and no shard is written again" "$(times)" "$before_times"
index "a date" --shards
same "is in no list by itself" "$(sums)" "$before"
SOURCE_DATE_EPOCH=1700000000 "$ENVBUILD" channel index -q "$channel" --shards
same "is where SOURCE_DATE_EPOCH gives one" "$(zstd -dcq "$channel/noarch/$LIST" | grep -ao '2023-11-14T22:13:20Z')" \
  2023-11-14T22:13:20Z
right "and all else is right"

one=$(find "$channel/noarch/shards" -type f | sort | head -n 1)
cp "$one" "$T/whole" && printf x >>"$one"
index "after damage to a shard" --shards
check "it is mended" cmp "$one" "$T/whole"

# A package goes: its shard is kept for those who hold the list before, and for a week.
gone=$(find "$channel/noarch" -name 'wheel-*' | sort | tail -n 1)
[ -n "$gone" ] || fail "there is a package to take out"
n=$(find "$channel/noarch/shards" -type f | wc -l)
find "$channel/noarch/shards" -type f -exec touch -d '100 days ago' {} +
mkdir "$T/out.of" && mv "$gone" "$T/out.of"
index "without the option, where there are shards"
right "they are kept up to date"
same "the shard before is kept, the new one beside it" \
  "$(find "$channel/noarch/shards" -type f | wc -l) $(find "$channel/noarch/shards" -type f -mtime -1 | wc -l)" \
  "$((n + 1)) 2"
old=$(find "$channel/noarch/shards" -type f -mtime -1 -exec sh -c \
  'zstd -dcq "$1" | grep -aq "$2" && echo "$1"' sh {} "$(basename "$gone")" \;)
check "that is the one with the package" test -f "$old"
index "at once"
check "it is still kept" test -f "$old"
touch -d '6 days ago' "$old" && index "within a week"
check "it is still there" test -f "$old"
echo 'mine' >"$channel/noarch/shards/README"
touch -d '8 days ago' "$old" "$channel/noarch/shards/README" && index "after a week"
check "it is gone" test ! -e "$old"
check "what is no shard is left alone" test -f "$channel/noarch/shards/README"
right "all is right in the end"

# Used: the same lock from shards as from repodata.json.
printf 'dependencies: [ca-certificates, tzdata, nlohmann_json, _libgcc_mutex]\n' >environment.yml
expect 0 "a lock from the shards" "$ENVBUILD" lock -c "$channel" -t host -o a.lock -v
check "is made of them" sh -c "! grep -q 'repodata.json' '$T/err'"
rm "$channel"/*/"$LIST"
expect 0 "a lock without" "$ENVBUILD" lock -c "$channel" -t host -o b.lock
check "is the same" cmp a.lock b.lock
done_testing
