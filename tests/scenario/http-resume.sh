#!/bin/bash
# timeout: 120
# A transfer that broke off goes on where the server can, and begins anew where it cannot: in each
# case the right bytes or a clear error, never a mixture.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 sha256sum
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

mkdir "$T/www"
head -c 900000 /dev/urandom >"$T/www/big"
big=$(sha256sum <"$T/www/big" | cut -d' ' -f1)
head -c 10000 "$T/www/big" >"$T/www/small"
start_liar "$T/www"

# What the liar was asked for PATH, as "STATUS RANGE", one to a line.
asked() { sed -n "s|^$1 ||p" "$T/liar.log"; }
# right NAME PATH REQUESTS RESTARTS: the whole file arrives, after these requests.
right() {
  expect 0 "$1" "$net" get -w 20 -s 3 -x "$big" "$LIAR$2"
  same "$1: the bytes" "$(cut -d' ' -f1-3,5 "$T/out")" "200 900000 $big $4"
  same "$1: the requests" "$(asked "$2")" "$3"
}

right "a connection that breaks twice" /flaky/2/big "200 -
206 bytes=300000-
206 bytes=500000-" 0
right "a server that stalls" /stalls/1/big "200 -
206 bytes=300000-" 0
right "a file with an old date and no ETag" /dated/1/big "200 -
206 bytes=300000-" 0
right "less than was asked for" /partly/1/big "200 -
206 bytes=300000-
206 bytes=550000-
206 bytes=800000-" 0
for kind in weak fresh none; do
  right "$kind: nothing proves that it is the same" /$kind/1/big "200 -
200 -" 1
done
right "a server without ranges" /ignores/1/big "200 -
200 bytes=300000-" 1
right "a file that changed" /changed/1/big "200 -
200 bytes=300000-" 1
for kind in shifted unsaid bigger; do
  right "$kind: another part than was asked for" /$kind/1/big "200 -
206 bytes=300000-
200 -" 1
done
right "refuses: a range that it does not have" /refuses/1/big "200 -
416 bytes=300000-
200 -" 1
right "swapped: another file's bytes as the rest" /swapped/1/big "200 -
206 bytes=300000-
200 -" 1
right "damaged: the rest is wrong" /damaged/1/big "200 -
206 bytes=300000-
200 -" 1
expect 0 "a connection that breaks nine times, with three retries" \
  "$net" get -w 20 -x "$big" "$LIAR/pieces/100000/big"
same "nothing is fetched twice" "$(asked /pieces/100000/big | tail -n 1)" "206 bytes=800000-"
expect 4 "a connection that breaks after each kilobyte" "$net" get -w 20 -r 2 "$LIAR/pieces/1000/big"
says "is given up" "cannot fetch '$LIAR/pieces/1000/big': the connection ended before the file did"
same "after two retries" "$(asked /pieces/1000/big)" "200 -
206 bytes=1000-
206 bytes=2000-"
expect 4 "a part that nobody asked for" "$net" get -w 20 "$LIAR/unasked/big"
says "is no answer" "HTTP 206"

right "a reset connection" /reset/1/big "200 -
200 -" 1
expect 0 "half, without a word of the length" "$net" get -w 20 -x "$big" "$LIAR/nolength/1/big"
same "is fetched anew" "$(asked /nolength/1/big)" "200 -
200 -"
expect 5 "half, always" "$net" get -w 20 -x "$big" "$LIAR/nolength/9/big"
same "is fetched anew once" "$(asked /nolength/9/big | wc -l)" 2
expect 4 "a length that is too long" "$net" get -w 20 -r 1 -x "$big" "$LIAR/long/big"
says "is no whole file" "the connection ended before the file did"
expect 5 "a length that is too short" "$net" get -w 20 -x "$big" "$LIAR/short/big"
says "is another file" "sha256 is"
expect 5 "another file" "$net" get -w 20 -x "$big" "$LIAR/other/big"
same "is fetched once" "$(asked /other/big | wc -l)" 1

start=$(date +%s%N)
expect 0 "a server that is busy for a second" "$net" get -x "$big" "$LIAR/later/1/1/big"
took=$((($(date +%s%N) - start) / 1000000))
if [ "$took" -ge 1000 ]; then ok "is left alone as long"; else fail "is left alone as long" "$took ms"; fi

# shellcheck disable=SC2046 # a list
expect 0 "thirty at once from one host" "$net" get -w 20 -j 20 -p 3 $(for i in $(seq 30); do echo "$LIAR/slow/big?$i"; done)
same "use three connections" "$(cat "$T/liar.most")" 3
# shellcheck disable=SC2046 # a list
expect 0 "writers without room" "$net" get -w 20 -f -x "$big" $(for i in $(seq 10); do echo "$LIAR/big?$i"; done) "$LIAR/flaky/3/big"
same "get all of it" "$(cut -d' ' -f1-3,5 "$T/out" | sort | uniq -c | tr -s ' ')" " 11 200 900000 $big 0"
"$net" get -w 20 -r 1 -s 2 "$LIAR/drip/big" 2>"$T/drip" &
drip_pid=$!
expect 0 "a writer without room for longer than a server may be silent" \
  "$net" get -F 1200 -s 1 -r 1 -x "$(sha256sum <"$T/www/small" | cut -d" " -f1)" "$LIAR/small" "$LIAR/flaky/0/small"
same "is waited for" "$(cut -d' ' -f5 "$T/out" | sort -u) $(asked /small)" "0 200 -"
expect 4 "a server that drips" wait "$drip_pid"
cp "$T/drip" "$T/err"
says "is one that stalls" "timed out"
done_testing
