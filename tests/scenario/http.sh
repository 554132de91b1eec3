#!/bin/bash
# timeout: 120
# base/http against a real nginx, and against a server that lies.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 nginx sha256sum
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

mkdir "$T/www"
head -c 3000000 /dev/urandom >"$T/www/big"
echo small >"$T/www/small"
big=$(sha256sum <"$T/www/big" | cut -d' ' -f1)
small=$(sha256sum <"$T/www/small" | cut -d' ' -f1)

port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www" "
    location /packed/ { gzip on; gzip_types *; gzip_min_length 1; alias $T/www/; }
    location /slow/ { limit_rate 1500k; alias $T/www/; }
    location /moved/ { return 301 /big; }
    location /private/ { return 403; }") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
nginx=http://127.0.0.1:$port

start_liar "$T/www"

# asked PATH: how often the liar was asked for it
asked() { grep -c "^$1 " "$T/liar.log"; }

expect 0 "two files in parallel" "$net" get "$nginx/big" "$nginx/small"
same "their bytes are right" "$(cut -d' ' -f1-3 "$T/out")" "200 3000000 $big
200 6 $small"
etag=$(head -n 1 "$T/out" | cut -d' ' -f4)
expect 0 "an ETag that still fits" "$net" get -e "$etag" "$nginx/big"
same "gives 304 and no body" "$(cut -d' ' -f1-2 "$T/out")" "304 0"
expect 0 "an ETag that does not" "$net" get -e '"other"' "$nginx/big"
same "gives the body" "$(cut -d' ' -f1-3 "$T/out")" "200 3000000 $big"
expect 0 "a redirect is followed" "$net" get "$nginx/moved/x"
same "to its end" "$(cut -d' ' -f1-3 "$T/out")" "200 3000000 $big"
many=$(for i in $(seq 60); do echo "$nginx/small?$i"; done)
# shellcheck disable=SC2086 # a list
expect 0 "sixty at once" "$net" get $many
same "each is whole" "$(sort -u "$T/out" | cut -d' ' -f1-3)" "200 6 $small"

expect 4 "a missing file" "$net" get "$nginx/none"
says "names URL and status" "cannot fetch '$nginx/none': HTTP 404 not found"
expect 0 "a missing file, where allowed" "$net" get -a "$nginx/none" "$nginx/small"
same "is an answer without a body" "$(cut -d' ' -f1-2 "$T/out")" "404 0
200 6"
expect 4 "a forbidden file" "$net" get "$nginx/private/x"
says "advises credentials" "hint: .*netrc"
expect 5 "more than was expected" "$net" get -m 2999999 "$nginx/big"
says "says how much" "more than the expected 2999999 bytes from '$nginx/big'"
expect 4 "offline" "$net" get -o "$nginx/big"

closed=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
expect 4 "a wrong port" "$net" get "http://127.0.0.1:$closed/x"
says "says refused" "cannot fetch 'http://127.0.0.1:$closed/x': connection refused"
expect 4 "an unknown host" "$net" get "http://nowhere.invalid/x"
says "says unresolved" "could not resolve host"
expect 4 "credentials in a URL that fails" "$net" get "http://me:secret@127.0.0.1:$closed/t/tk-1/x?k=secret"
says "are not in the message" "cannot fetch 'http://127.0.0.1:$closed/x': connection refused"
expect 4 "a URL of another kind" "$net" get "ftp://127.0.0.1/x"

expect 0 "a connection cut twice" "$net" get "$LIAR/cut/2/big"
same "is tried again until whole" "$(cut -d' ' -f1-3 "$T/out")" "200 3000000 $big"
same "with three requests" "$(asked /cut/2/big)" 3
expect 4 "a connection that is always cut" "$net" get -r 1 "$LIAR/cut/9/big"
says "is refused in words" "the connection ended before the file did"
same "after one retry" "$(asked /cut/9/big)" 2
expect 0 "a server busy once" "$net" get "$LIAR/busy/1/small"
same "is asked again" "$(asked /busy/1/small)" 2
expect 4 "a server that stays busy" "$net" get -r 1 "$LIAR/busy/9/small"
says "gives its status" "HTTP 503 service unavailable"
"$net" get -w 20 -r 1 -s 1 "$LIAR/silent/x" 2>"$T/silent" &
get_pid=$!
expect 4 "a stalled body" "$net" get -w 20 -r 1 -s 1 "$LIAR/stall/big"
says "times out" "timed out"
expect 4 "a server that never answers" wait "$get_pid"
cp "$T/silent" "$T/err"
says "times out, too" "timed out"
expect 4 "a redirect loop" "$net" get "$LIAR/loop/x"
says "ends at ten" "more than 10 redirects"
expect 4 "a redirect to a file of ours" "$net" get "$LIAR/away/x"
if grep -q root: "$T/out" "$T/err"; then fail "reads it" "$(cat "$T/err")"; else ok "does not read it"; fi
expect 5 "a body without an end" "$net" get -m 6000 "$LIAR/over/small"

expect 4 "an error page without an end" timeout 20 "$net" get "$LIAR/page/small"
says "is its status" "cannot fetch '$LIAR/page/small': HTTP 404 not found"

expect 4 "no credentials" "$net" get "$LIAR/auth/small"
expect 0 "credentials in the URL" "$net" get "${LIAR/http:\/\//http://me:secret@}/auth/small"
printf 'machine 127.0.0.1 login me password secret\n' >"$T/.netrc"
expect 0 "credentials from ~/.netrc" "$net" get "$LIAR/auth/small"
mv "$T/.netrc" "$T/other"
NETRC=$T/other expect 0 "credentials from NETRC" "$net" get "$LIAR/auth/small"


head -c 500000 /dev/zero >"$T/www/zeros"
expect 0 "a server that would compress" "$net" get "$nginx/packed/zeros"
same "is not asked to" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | sed -n 's,^GET /packed/zeros ,,p' | cut -d' ' -f1,2)" "200 500000"

"$net" get -x "$big" "$nginx/slow/big" >"$T/out" 2>"$T/err" &
get_pid=$!
sleep 0.8
"$ROOT/tests/tools/nginx.sh" stop "$T/nginx"
nginx -p "$T/nginx" -e "$T/nginx/error.log" -c "$T/nginx/nginx.conf" 2>"$T/start.log" ||
  { sleep 0.5 && nginx -p "$T/nginx" -e "$T/nginx/error.log" -c "$T/nginx/nginx.conf"; }
wait "$get_pid"
same "a server that is started anew meanwhile" "$(cut -d' ' -f1-3,5 "$T/out"; cat "$T/err")" "200 3000000 $big 0"
same "sends what is missing" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | sed -n 's,^GET /slow/big ,,p' | cut -d' ' -f1 | tail -n 1)" 206

done_testing
