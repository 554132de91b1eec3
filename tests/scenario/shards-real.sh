#!/bin/bash
# timeout: 120
# Every request of the reference solves over conda-forge's real records, out of shards and out of
# repodata.json: the same lock, or the same words.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
/usr/bin/python3 -c 'import msgpack' 2>/dev/null || skip_all "no python3-msgpack"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real records (ENVBUILD_SHARED_DATA)"
export ENVBUILD_CACHE=$T/cache
real=$ENVBUILD_SHARED_DATA/repodata/conda-forge
"$ROOT/tests/tools/make_shards.py" --only "$real" "$T/shards" >/dev/null || fail "shards are made"

head_of() { sed -n "s/^# $1: //p" "$2"; }
lock() { # lock CHANNEL NAME: the lock, else what was said, with the channel called C
  "$ENVBUILD" lock "$2.yml" -q -c "file://$1" -t ./target.yml -o "$2.lock" >/dev/null 2>"$2.err"
  echo "$?" >"$2.status"
  cat "$2.status" "$2.lock" "$2.err" 2>/dev/null | sed "s,file://$1,C,g"
}
for file in "$ENVBUILD_SHARED_DATA"/solves/*.txt; do
  name=$(basename "$file" .txt)
  head_of request "$file" | python3 -c 'import json, shlex, sys
print(json.dumps({"dependencies": shlex.split(sys.stdin.read())}))' >"$name.yml"
  printf 'name: target\nsubdir: linux-64\nvirtual-packages: [%s]\n' \
    "$(head_of virtual-packages "$file" | sed 's/ /, /g')" >target.yml
  lock "$real" "$name" >"$name.one"
  rm -f "$name.lock"
  lock "$T/shards" "$name" >"$name.two"
  case $(head_of result "$file") in
  solved) want=0 ;;
  *) want=3 ;;
  esac
  same "$name: ends as it should" "$(cat "$name.status")" "$want"
  check "$name: the same out of shards" cmp "$name.one" "$name.two"
done
done_testing
