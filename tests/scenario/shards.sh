#!/bin/bash
# timeout: 180
# Channels whose index is in shards, from a real nginx: what is asked for, what is kept, what is
# wrong with them, and that locks are those of a repodata.json.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T/home ENVBUILD_CACHE=$T/cache
unset XDG_CACHE_HOME NETRC
need python3 nginx zstd openssl
/usr/bin/python3 -c 'import msgpack' 2>/dev/null || skip_all "no python3-msgpack"
make_shards=$ROOT/tests/tools/make_shards.py
make_repodata=$ROOT/tests/tools/make_repodata.py

www=$T/www
mkdir -p "$HOME" "$www/private" "$T/project" && cd "$T/project" || exit 1
"$make_repodata" "$T/first"
"$make_repodata" "$T/second" --newer l4-n4
cp -r "$T/first" "$www/plain"
"$make_shards" --only "$T/first" "$www/shards" >/dev/null
echo 'me:{PLAIN}s3cret' >"$T/passwords"
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www" "
  location /private/ { alias $www/shards/; auth_basic x; auth_basic_user_file $T/passwords; }
  location /hidden/ { return 403; }
  location /t/tk-s3cret/hidden/ { alias $www/shards/; }
  location /apart/ { if (\$http_authorization) { return 400; } }
  location /refusing/linux-64/repodata_shards.msgpack.zst { return 403; }
  location /refusing/noarch/repodata_shards.msgpack.zst { return 400; }
  location /refusing/ { alias $www/plain/; }
  location /portal/linux-64/repodata_shards.msgpack.zst { return 200 '<html>'; }
  location /portal/noarch/repodata_shards.msgpack.zst { return 200 '<html>'; }
  location /portal/ { alias $www/plain/; }") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
url=http://127.0.0.1:$port
printf 'name: t\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17, __unix=0=0, __linux=4.18, __archspec=1=x86_64]\n' >target.yml
printf 'dependencies: [top]\n' >environment.yml

forget() { "$ROOT/tests/tools/nginx.sh" forget "$T/nginx"; }
log() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f2,3 | sort; }
count() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | grep -c -- "$1"; }
lists() { log | grep -v '/shards/[0-9a-f]*\.msgpack'; }
fresh() { rm -rf "$T/cache"; }
lock() { # lock STATUS NAME CHANNEL... [-- OPTION...]
  lock_status=$1 lock_name=$2
  shift 2
  lock_words=()
  while [ $# != 0 ] && [ "$1" != -- ]; do
    lock_words+=(-c "$1")
    shift
  done
  shift
  expect "$lock_status" "$lock_name" "$ENVBUILD" lock "${lock_words[@]}" -t ./target.yml \
    -o x.lock "$@"
}
neutral() { sed -E 's,(http://[^ ]*|file://[^ ]*)/(plain|shards|private|hidden|far|up|hex|apart|mixed|refusing|portal|newer|newlist|first),C,g' "$1"; }
same_lock() { same "$1" "$(neutral x.lock)" "$(cat want)"; }

lock 0 "a channel without shards" "$url/plain"
neutral x.lock >want
check "has a lock of 49 packages" test "$(grep -c '^- conda: ' want)" = 49
same "was asked for shards first" "$(count 'plain/.*/repodata_shards.msgpack.zst 404')" 2
forget
lock 0 "again" "$url/plain"
same "is asked for what it has, once for each subdir" "$(log)" "/plain/linux-64/repodata.json 304
/plain/noarch/repodata.json 304"
state=$(grep -l "plain/noarch/repodata_shards" "$T"/cache/index/*/state.json)
sed -i "s/\"asked\": .*/\"asked\": $(($(date +%s) - 8 * 86400))/" "$state"
forget
lock 0 "a week later" "$url/plain"
same "is asked for shards again" "$(count shards)" 1

forget
lock 0 "a channel in shards" "$url/shards"
same_lock "has the same lock"
same "was asked for its two lists, and for no other index" "$(lists)" \
  "/shards/linux-64/repodata_shards.msgpack.zst 200
/shards/noarch/repodata_shards.msgpack.zst 200"
reached=$(count '/shards/[0-9a-f]*\.msgpack.zst 200')
same "and for each shard that is reached, once" "$reached $(log | sort -u | wc -l)" \
  "57 $(log | wc -l)"
same "which are kept as they came" \
  "$(cd "$T/cache/shards" && for f in */*; do sha256sum <"$f" | cut -d' ' -f1; done)" \
  "$(cd "$T/cache/shards" && for f in */*; do basename "$f"; done)"
same "and no temporaries" "$(find "$T/cache" -name '.*' -type f)" ""
forget
lock 0 "again" "$url/shards"
same_lock "is the same"
same "asks one question for each subdir" "$(log)" \
  "/shards/linux-64/repodata_shards.msgpack.zst 304
/shards/noarch/repodata_shards.msgpack.zst 304"
forget
lock 0 "offline" "$url/shards" -- --offline
same_lock "is the same"
same "asks nothing" "$(log)" ""
printf 'dependencies: [l3-n3-extra]\n' >other.yml
expect 4 "offline, what was not reached before" \
  "$ENVBUILD" lock other.yml -c "$url/shards" -t ./target.yml -o y.lock --offline
says "is named" "shard of 'l3-n3-extra', channel '$url/shards', linux-64: the cache does not have it: --offline"
says "with what to do" "hint: run it once without --offline"

# --- damage in the cache
one=$(find "$T/cache/shards" -type f | sort | sed -n 7p)
for damage in 'printf x >>"$one"' ': >"$one"' 'printf "\001" | dd of="$one" bs=1 seek=40 conv=notrunc 2>/dev/null' 'rm "$one" && ln -s /dev/zero "$one"'; do
  eval "$damage"
  forget
  lock 0 "a damaged shard in the cache" "$url/shards"
  same_lock "is noticed"
  same "and fetched anew: ${damage%% *}" "$(log | grep -c 'zst 200')" 1
done
list=$(find "$T/cache/index" -name repodata_shards.msgpack | head -n 1)
for damage in 'printf x >>"$list"' ': >"$list"' 'rm "$list"' 'echo "{" >"$(dirname "$list")/state.json"'; do
  eval "$damage"
  forget
  lock 0 "a damaged list in the cache" "$url/shards"
  same_lock "is noticed"
  same "and fetched anew: $damage" "$(lists | cut -d' ' -f2 | sort | tr '\n' ' ')" "200 304 "
done
expect 0 "cache info" "$ENVBUILD" cache info
says "tells of shards" "^  shards    57, " "$T/out"
expect 0 "cache verify" "$ENVBUILD" cache verify
printf x >>"$one" && printf x >>"$list"
expect 5 "cache verify of damaged ones" "$ENVBUILD" cache verify
says "finds the shard" "shards/../[0-9a-f]{64} is damaged and was removed: .*its sha256 is another"
says "and the list" "index/[0-9a-f]{64} is damaged and was removed: its sha256 is another"
lock 0 "they are fetched again" "$url/shards"
touch -d '40 days ago' "$one"
lock 0 "an old shard that is used" "$url/shards"
same "is not old" "$(find "$one" -mtime +30)" ""
find "$T/cache/shards" -type f -exec touch -d '40 days ago' {} + # all but one are
touch -d '1 hour ago' "$one"
expect 0 "cache clean" "$ENVBUILD" cache clean --older 30d
same "takes what was not used" "$(cd "$T/cache/shards" && find . -type f | sed 's,.*/,,')" "$(basename "$one")"

# --- kills
bad=
for round in 1 2 3 4 5 6 7 8 9; do
  fresh
  timeout -s KILL "0.0$((round * 7 % 10))" "$ENVBUILD" lock -q -c "$url/shards" -t ./target.yml -o x.lock >/dev/null 2>&1
  "$ENVBUILD" lock -q -c "$url/shards" -t ./target.yml -o x.lock 2>"$T/err" && [ "$(neutral x.lock)" = "$(cat want)" ] &&
    [ -z "$(find "$T/cache/shards" -name '.*' -type f)" ] || bad="$bad round $round: $(cat "$T/err")"
done
same "nine killed runs harm nothing" "$bad" ""

# --- changes
fresh
cp -r "$www/shards" "$www/newer"
touch -d 2020-01-01 "$www"/newer/*/repodata_shards.msgpack.zst # nginx tells versions by the second
lock 0 "before a change" "$url/newer"
"$make_shards" --only "$T/second" "$www/newer" >/dev/null
touch -d 2020-01-01 "$www/newer/noarch/repodata_shards.msgpack.zst"
forget
lock 0 "after it" "$url/newer"
check "its new version is there" grep -q 'l4-n4-1.4-h4_0.conda' x.lock
same "one shard of 57 was fetched" "$(count '/shards/[0-9a-f]*\.msgpack.zst')" 1

# --- the URLs of the list
"$make_shards" --only --shards-base-url "$url/apart/s-" --base-url "$url/plain/linux-64" "$T/first" "$www/far" >/dev/null
mkdir -p "$www/apart" "$www/pool"
for f in "$www"/far/*/shards/*; do cp "$f" "$www/apart/s-$(basename "$f")"; done
"$make_shards" --only --shards-base-url ../../pool/ --base-url . "$T/first" "$www/up" >/dev/null
cp "$www"/up/*/shards/* "$www/pool"
rm -r "$www"/{far,up}/*/shards
"$make_shards" --only --hex "$T/first" "$www/hex" >/dev/null
fresh
lock 0 "an absolute shards_base_url" "$url/far"
check "base_url too" grep -q "$url/plain/linux-64/l0-n2-1.3-h3_0.conda" x.lock
for where in up hex; do
  fresh
  lock 0 "URLs and sums of another form: $where" "$url/$where"
  same_lock "are the same"
done
fresh
lock 0 "an absolute shards_base_url elsewhere gets no password" "http://me:s3cret@127.0.0.1:$port/far"

# --- credentials
for given in "http://me:s3cret@127.0.0.1:$port/private" "$url/t/tk-s3cret/hidden"; do
  fresh
  bare=$url/${given##*/}
  lock 4 "not without" "$bare"
  fresh
  lock 0 "with credentials" "$given" -- -v
  same_lock "the same"
  if grep -r s3cret "$T/cache" "$T/out" "$T/err" x.lock; then fail "they are written nowhere"; else ok "they are written nowhere"; fi
done

# --- both kinds, and neither
fresh
printf 'dependencies: [top, l3-n3-extra]\n' >both.yml
mkdir -p "$www/mixed" && cp -r "$T/second/." "$www/mixed"
both() { expect 0 "$1" "$ENVBUILD" lock both.yml -c "$2" -c "$3" --channel-priority flexible -t ./target.yml -o x.lock; }
both "two channels without shards" "$url/plain" "$url/mixed"
sed "s,$url/plain,$url/shards," x.lock >want.both
forget
both "one with, one without" "$url/shards" "$url/mixed"
same "is the same" "$(cat x.lock)" "$(cat want.both)"
forget
both "again" "$url/shards" "$url/mixed"
same "one question for each subdir" "$(log | cut -d' ' -f2 | tr '\n' ' ')" "304 304 304 304 "
for where in refusing portal; do
  fresh
  lock 0 "a server that has no shards and says so in its own way: $where" "$url/$where"
  same_lock "is asked for its other index"
done
mkdir -p "$www/newlist" && cp -r "$T/first/." "$www/newlist"
/usr/bin/python3 -c 'import msgpack, sys; sys.stdout.buffer.write(msgpack.packb({"version": 2, "shards": [1], "info": 7}))' |
  zstd -q | tee "$www/newlist/linux-64/repodata_shards.msgpack.zst" >"$www/newlist/noarch/repodata_shards.msgpack.zst"
lock 0 "a list of a version to come" "$url/newlist"
same_lock "is passed over"

# --- what is wrong on the server
broken() { # broken NAME: a copy of the channel, and an empty cache
  rm -rf "${www:?}/$1" && cp -r "$www/shards" "$www/$1"
  fresh
  forget
}
sum_of() { # sum_of NAME FOLDER
  zstd -dcq "$2/repodata_shards.msgpack.zst" | /usr/bin/python3 -c 'import msgpack, sys
print(msgpack.unpackb(sys.stdin.buffer.read())["shards"][sys.argv[1]].hex())' "$1"
}
shard=linux-64/shards/$(sum_of l2-n3 "$www/shards/linux-64").msgpack.zst
broken gone && rm "$www/gone/$shard"
lock 4 "a missing shard" "$url/gone"
says "is named" "shard of 'l2-n3', channel '$url/gone', linux-64: cannot fetch '$url/gone/$shard'.*404"
says "with what may help" "hint: .*running again helps"
fresh
lock 0 "a missing shard that a mirror has" "$url/gone" -- --mirror "$url/gone=$url/shards"
sed "s,$url/gone,C," x.lock >x.mirror
same "comes from there" "$(cat x.mirror)" "$(cat want)"
broken bad && printf x >>"$www/bad/$shard"
lock 5 "a shard that is not what the list says" "$url/bad"
says "is named" "shard of 'l2-n3', channel '$url/bad', linux-64: .*its sha256 is not the one that the index names"
same "and was asked for twice" "$(count "$shard")" 2
check "and is not kept" test ! -e "$T/cache/shards/${shard:16:2}/${shard:16:64}"
fresh
lock 0 "one that a mirror has as it should be" "$url/bad" -- --mirror "$url/bad=$url/shards"
sed "s,$url/bad,C," x.lock >x.mirror
same "comes from there, too" "$(cat x.mirror)" "$(cat want)"
broken cut && head -c 200 "$www/shards/linux-64/repodata_shards.msgpack.zst" >"$www/cut/linux-64/repodata_shards.msgpack.zst"
lock 5 "a cut list" "$url/cut"
says "is named" "cannot read the index of channel '$url/cut': damaged zstd file '$url/cut/linux-64/repodata_shards.msgpack.zst'"
same "and was asked for twice" "$(count cut/linux-64)" 2
broken local
"$make_shards" --only --shards-base-url file:///etc/ "$T/first" "$www/local" >/dev/null
lock 5 "shards on this machine's disk" "$url/local"
says "are not where they may be" "'$url/local/[^']*' has its shards where none may be: 'file:///etc/'"
hostile() { # hostile NAME PYTHON: the shard of l2-n3 becomes these bytes, with the right sum
  broken hostile
  /usr/bin/python3 - "$www/hostile/linux-64" "$2" <<'PY'
import hashlib, msgpack, subprocess, sys
folder, code = sys.argv[1:]
path = folder + '/repodata_shards.msgpack.zst'
zstd = lambda data, *w: subprocess.run(['zstd', '-q', *w], input=data, stdout=subprocess.PIPE, check=True).stdout
index = msgpack.unpackb(zstd(open(path, 'rb').read(), '-dc'))
shard = msgpack.unpackb(zstd(open('%s/shards/%s.msgpack.zst' % (folder, index['shards']['l2-n3'].hex()), 'rb').read(), '-dc'))
packed = eval(code)
index['shards']['l2-n3'] = hashlib.sha256(packed).digest()
open('%s/shards/%s.msgpack.zst' % (folder, hashlib.sha256(packed).hexdigest()), 'wb').write(packed)
open(path, 'wb').write(zstd(msgpack.packb(index)))
PY
  lock 5 "$1" "$url/hostile"
  says "is named" "'l2-n3'.*$url/hostile|$url/hostile.*'?l2-n3"
}
hostile "a shard that is no zstd" 'b"<html>"'
hostile "a shard that is no map" 'zstd(msgpack.packb([1]))'
hostile "a shard with something behind it" 'zstd(msgpack.packb(shard) + b"x")'
hostile "a shard that says it is huge" 'b"\x28\xb5\x2f\xfd\xc0\0\xff\xff\xff\xff\xff\xff\0\0" + zstd(msgpack.packb(shard))[8:]'
hostile "a shard of zeros without end" 'zstd(bytes(300 << 20))'
hostile "a shard of another name" 'zstd(msgpack.packb({"packages": {"l2-n4-1-0.conda": {}}}))'
hostile "a shard nested a thousand deep" 'zstd(b"\x81\xa1x" + b"\x91" * 1000 + b"\xc0")'
hostile "a record of another name" 'zstd(msgpack.packb({"packages": {"l2-n3-1-0.conda": {"name": "x", "version": "1"}}}))'

# --- an explanation
printf 'dependencies: [l3-n3-extar]\n' >other.yml
for c in plain shards; do
  expect 3 "a name that nobody has: $c" "$ENVBUILD" lock other.yml -c "$url/$c" -t ./target.yml -o y.lock -q
  sed "s,/$c,/C,g" "$T/err" >"$T/err.$c"
done
says "is like one that there is" "l3-n3-extra" "$T/err.shards"
same "as without shards" "$(cat "$T/err.shards")" "$(cat "$T/err.plain")"
printf 'dependencies: [top, l5-n1 <1.2, l6-n2 ==1.3=h3_1]\n' >other.yml
for c in plain shards; do
  expect 3 "a request that cannot be: $c" "$ENVBUILD" lock other.yml -c "$url/$c" -t ./target.yml -o y.lock -q
  sed "s,/$c,/C,g" "$T/err" >"$T/err.$c"
done
same "is explained as without shards" "$(cat "$T/err.shards")" "$(cat "$T/err.plain")"

for spec in l7-n3 'l4-n2 <1.2' 'l4-n2 >1.9' l3-n3-extra; do
  for c in plain shards; do
    "$ENVBUILD" why "$spec" environment.yml -c "$url/$c" -t ./target.yml >"$T/why.$c" 2>&1
    echo "exit $?" >>"$T/why.$c"
    sed -i "s,/$c,/C,g" "$T/why.$c"
  done
  check "why $spec: says something" grep -q "${spec%% *}" "$T/why.shards"
  same "as without shards" "$(cat "$T/why.shards")" "$(cat "$T/why.plain")"
done

# --- HTTP/2
tls=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 \
  -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
"$ROOT/tests/tools/nginx.sh" start "$T/nginx2" "$www" "listen 127.0.0.1:$tls ssl http2;
  ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem;" >/dev/null || fail "nginx starts with https"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx2'"
fresh
export SSL_CERT_FILE=$T/cert.pem
lock 0 "over https" "https://127.0.0.1:$tls/shards"
sed "s,https://127.0.0.1:$tls/shards,C," x.lock >x.tls
same "the same" "$(cat x.tls)" "$(cat want)"
same "all on one connection" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx2" | cut -d' ' -f3,5,6 | sort | uniq -c | tr -s ' ')" " 59 200 HTTP/2.0 1"

# --- a folder
fresh
"$make_shards" "$T/first" "$T/folder" >/dev/null
lock 0 "a channel in a folder" "file://$T/folder"
sed "s,file://$T/folder,C," x.lock >x.folder
same "is the same" "$(cat x.folder)" "$(cat want)"
check "its shards are read where they are" test ! -e "$T/cache/shards"
check "and nothing is kept of it" sh -c "! find '$T/cache/index' -type f | grep ."
rm "$T/folder/$shard"
lock 5 "without one of them" "file://$T/folder"
says "it is named" "shard of 'l2-n3', channel 'file://$T/folder', linux-64: '$T/folder/$shard' is missing or damaged"
says "with what makes it anew" "hint: .envbuild channel index"
touch -d '1 hour ago' "$T"/folder/*/repodata_shards.msgpack.zst && touch "$T"/first/*/repodata.json
lock 0 "a list older than the repodata.json beside it" "file://$T/folder"
sed "s,file://$T/folder,C," x.lock >x.folder
same "is passed over" "$(cat x.folder)" "$(cat want)"
done_testing
