#!/bin/bash
# Secure connections: whom we trust, and what a redirect may not do.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
unset SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE
need python3 nginx openssl
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

mkdir "$T/www" && echo small >"$T/www/small"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null ||
  skip_all "openssl makes no certificate"
tls=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
plain=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www" "
    listen 127.0.0.1:$tls ssl http2;
    ssl_certificate $T/cert.pem;
    ssl_certificate_key $T/key.pem;
    location /up/ { return 302 https://127.0.0.1:$tls/small; }
    location /down/ { return 302 http://127.0.0.1:\$arg_port/small; }") ||
  skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
https=https://127.0.0.1:$tls

expect 4 "a certificate that nobody vouches for" "$net" get -r 1 "$https/small"
says "is refused in words" "cannot fetch '$https/small': no secure connection: .*certificate"
says "with advice" "hint: .*SSL_CERT_FILE"
for variable in SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE; do
  expect 0 "$variable is trusted" env $variable="$T/cert.pem" "$net" get "$https/small"
done
export SSL_CERT_FILE=$T/cert.pem
expect 0 "one to warm up the log" "$net" get "$https/small"
"$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
# shellcheck disable=SC2046 # a list
expect 0 "forty over HTTP/2" "$net" get -j 16 $(for i in $(seq 40); do echo "$https/small?$i"; done)
same "all whole" "$(cut -d' ' -f1,2 "$T/out" | sort -u)" "200 6"
same "each by HTTP/2" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f3,5 | sort | uniq -c | tr -s ' ')" " 40 200 HTTP/2.0"
same "on one connection" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f6 | sort -u | wc -l)" 1
head -c 1000000 /dev/urandom >"$T/www/big"
big=$(sha256sum <"$T/www/big" | cut -d' ' -f1)
# shellcheck disable=SC2046 # a list
expect 0 "writers without room, over HTTP/2" "$net" get -f -x "$big" -j 16 $(for i in $(seq 20); do echo "$https/big?$i"; done)
same "get all of it" "$(cut -d' ' -f1-3,5 "$T/out" | sort | uniq -c | tr -s ' ')" " 20 200 1000000 $big 0"
expect 0 "a redirect from http to https" "$net" get "http://127.0.0.1:$plain/up/x"
expect 4 "a redirect from https to http" "$net" get "$https/down/x?port=$plain"
says "is refused" "leads from https to http"
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=other.invalid \
  -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null
kill -HUP "$(cat "$T/nginx/pid")"
for _ in $(seq 50); do # until the new workers serve
  "$net" get -r 1 "$https/small" >/dev/null 2>&1 || break
  sleep 0.1
done
expect 4 "another host's certificate" "$net" get -r 1 "$https/small"

done_testing
