#!/bin/bash
# timeout: 120
# Channel indexes from a real nginx: which file is asked for, revalidation, the cache, damage.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 nginx zstd bzip2
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

www=$T/www
mkdir -p "$www"/{zst,bz2,json,onlynoarch}/{linux-64,noarch}
index() { # index SUBDIR N: some index with N records
  python3 - "$@" <<'EOF'
import json, sys
records = {'p%d-1-0.conda' % i: {'name': 'p%d' % i, 'version': '1', 'build': '0',
           'build_number': 0, 'depends': [], 'subdir': sys.argv[1]} for i in range(int(sys.argv[2]))}
print(json.dumps({'info': {'subdir': sys.argv[1]}, 'packages': {}, 'packages.conda': records}))
EOF
}
for subdir in linux-64 noarch; do
  index $subdir 500 >"$www/json/$subdir/repodata.json"
  zstd -q "$www/json/$subdir/repodata.json" -o "$www/zst/$subdir/repodata.json.zst"
  bzip2 -c "$www/json/$subdir/repodata.json" >"$www/bz2/$subdir/repodata.json.bz2"
done
cp "$www/json/noarch/repodata.json" "$www/onlynoarch/noarch/"
rmdir "$www/onlynoarch/linux-64"
touch -d '2020-01-01' "$www"/*/*/*

port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
url=http://127.0.0.1:$port
log() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f2,3 | sort; }
forget() { "$ROOT/tests/tools/nginx.sh" forget "$T/nginx"; }
get() { # get STATUS NAME [-o] CHANNEL
  get_status=$1 get_name=$2
  shift 2
  if [ "$1" = -o ]; then
    shift
    expect "$get_status" "$get_name" "$net" index -o "$T/cache" "$@"
  else
    expect "$get_status" "$get_name" "$net" index "$T/cache" "$@"
  fi
}
told=$ROOT/tests/tools/index_told.py
right() { # right NAME: the answer is the two indexes
  same "$1" "$(cat "$T/out")" "$("$told" "$www/json/linux-64/repodata.json")
$("$told" "$www/json/noarch/repodata.json")"
}

forget
get 0 "a channel with .zst" "$url/zst"
right "is read"
same "and was asked for shards first" "$(log)" "/zst/linux-64/repodata.json.zst 200
/zst/linux-64/repodata_shards.msgpack.zst 404
/zst/noarch/repodata.json.zst 200
/zst/noarch/repodata_shards.msgpack.zst 404"
forget
get 0 "again" "$url/zst"
right "is the same"
same "one request for each subdir, and nothing is fetched twice" "$(log)" "/zst/linux-64/repodata.json.zst 304
/zst/noarch/repodata.json.zst 304"

forget
get 0 "a channel with .bz2" "$url/bz2"
right "is read, too"
same "asked for .zst first" "$(log)" "/bz2/linux-64/repodata.json.bz2 200
/bz2/linux-64/repodata.json.zst 404
/bz2/linux-64/repodata_shards.msgpack.zst 404
/bz2/noarch/repodata.json.bz2 200
/bz2/noarch/repodata.json.zst 404
/bz2/noarch/repodata_shards.msgpack.zst 404"
forget
get 0 "a channel with plain .json" "$url/json"
right "is read as well"
forget
get 0 "once more" "$url/json"
right "is still right"
same "and remembers which file there was" "$(log)" "/json/linux-64/repodata.json 304
/json/noarch/repodata.json 304"

get 0 "a channel without linux-64" "$url/onlynoarch"
same "has noarch alone" "$(head -n 1 "$T/out")" missing
get 0 "offline it is known, too" -o "$url/onlynoarch"
same "that linux-64 is missing" "$(head -n 1 "$T/out")" missing
get 0 "offline with what the cache has" -o "$url/zst"
right "is right"
get 4 "offline without" -o "$url/other"
says "names the channel" "no index of channel '$url/other' in the cache"
says "and what to do" "hint: .*without --offline"

index linux-64 501 >"$www/json/linux-64/repodata.json"
zstd -qf "$www/json/linux-64/repodata.json" -o "$www/zst/linux-64/repodata.json.zst"
forget
get 0 "a changed index" "$url/zst"
right "is fetched"
same "and only that" "$(log)" "/zst/linux-64/repodata.json.zst 200
/zst/noarch/repodata.json.zst 304"

body=$T/cache/index/$(printf %s "$url/zst/linux-64" | sha256sum | cut -d' ' -f1)/body
head -c 1000 "$body" >"$T/half" && cp "$T/half" "$body"
get 0 "a cut body in the cache" "$url/zst"
right "is replaced"
printf X | dd of="$body" bs=1 seek=$(($(stat -c %s "$body") / 2)) conv=notrunc status=none
forget
get 0 "a changed body of the same length" "$url/zst"
right "is replaced"
same "and asked for without a condition" "$(log | grep linux-64)" "/zst/linux-64/repodata.json.zst 200
/zst/linux-64/repodata.json.zst 304"
touch "$body"
forget
get 0 "a body with another time and the right bytes" "$url/zst"
right "is kept"
same "without a download" "$(log | head -n 1)" "/zst/linux-64/repodata.json.zst 304"
echo '{' >"$(dirname "$body")/state.json"
get 0 "a damaged state" "$url/zst"
right "is replaced"
rm "$body"
get 0 "a missing body" "$url/zst"
right "is replaced, too"

packed=$www/zst/linux-64/repodata.json.zst
head -c $(($(stat -c %s "$packed") - 100)) "$packed" >"$T/half" && cp "$T/half" "$packed"
forget
get 5 "a damaged .zst on the server" "$url/zst"
says "names channel, URL and damage" "channel '$url/zst': damaged archive '$url/zst/linux-64/repodata.json.zst'"
same "was asked for twice" "$(log | grep -c linux-64)" 2
get 0 "offline the old one still serves" -o "$url/zst"
right "whole"
head -c 3000 "$www/json/linux-64/repodata.json" >"$T/half" && cp "$T/half" "$www/json/linux-64/repodata.json"
get 5 "a cut .json on the server" "$url/json"
says "is noticed" "repodata.json:[0-9]+:[0-9]+: "
same "no temporaries are left" "$(find "$T/cache" -name '.*' -type f)" ""

closed=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
get 4 "a channel that cannot be reached" "http://me:secret@127.0.0.1:$closed/t/tk-1/chan"
says "names it without credentials" "channel 'http://127.0.0.1:$closed/chan': cannot fetch 'http://127.0.0.1:$closed/chan/(linux-64|noarch)/repodata_shards.msgpack.zst': connection refused"
says "and make demo" "hint: is the network up\? .make demo. .*--offline"

start_liar "$www"
get 0 "a token in the URL" "$LIAR/t/tk-secret/bz2"
get 4 "a wrong token" "$LIAR/t/tk-wrong/bz2"
says "is as if nothing were there" "no index in channel '$LIAR/bz2' for linux-64 or noarch"
if grep -rq 'tk-secret' "$T/cache"; then fail "no token in the cache" "$(grep -rl tk-secret "$T/cache")"; else ok "no token in the cache"; fi
get 5 "a portal's web page" "$LIAR/html"
says "is no index" "not an index"

done_testing
