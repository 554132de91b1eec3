#!/bin/bash
# timeout: 240
# Proxies: from the environment, with no_proxy, with a password, for https, and from a condarc.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin HOME=$T ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 ENVBUILD_NET_RETRIES=1
unset XDG_CACHE_HOME NETRC SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE http_proxy https_proxy HTTPS_PROXY no_proxy NO_PROXY all_proxy ALL_PROXY ENVBUILD_CACHE_LOWER
need python3
mkdir "$T/www" "$T/project" && cd "$T/project" || exit 1

python3 "$ROOT/tests/tools/small_channel.py" "$T/www/chan" && "$ENVBUILD" channel index -q "$T/www/chan" || exit 1
start() { # start NAME PROGRAM...: its port is in $T/NAME then
  "$@" &
  defer "kill $! 2>/dev/null; wait $! 2>/dev/null"
}
wait_for() { while [ ! -f "$1" ]; do sleep 0.05; done; }
start "$ROOT/tests/tools/token_server.py" "$T/port" "$T/www"
start "$ROOT/tests/tools/proxy.py" "$T/proxy"
start "$ROOT/tests/tools/proxy.py" "$T/asking" "me:p-s3cret"
for name in port proxy asking; do wait_for "$T/$name"; done
port=$(cat "$T/port") proxy=http://127.0.0.1:$(cat "$T/proxy") asking=127.0.0.1:$(cat "$T/asking")
# Only the proxy knows names that end in .test.
channel=http://conda.test:$port/open/chan
printf 'dependencies: [alpha]\n' >environment.yml
fresh() { rm -rf "$T/cache" envbuild.lock env; : >"$T/proxy.log"; : >"$T/asking.log"; : >"$T/port.log"; }
none() { ! grep -q . "$1"; }

fresh
expect 4 "without a proxy" "$ENVBUILD" lock -t host -c "$channel"
http_proxy=$proxy expect 0 "http_proxy: lock" "$ENVBUILD" lock -t host -c "$channel"
http_proxy=$proxy expect 0 "http_proxy: install" "$ENVBUILD" install --locked -t host -c "$channel" -p env
check "the index came that way" grep -q "GET $channel/noarch/repodata.json" "$T/proxy.log"
check "the packages, too" grep -q "GET $channel/noarch/alpha-1.0-0.conda" "$T/proxy.log"
fresh
http_proxy=$proxy no_proxy=.test expect 4 "no_proxy" "$ENVBUILD" lock -t host -c "$channel"
check "the proxy was not asked" none "$T/proxy.log"
fresh
http_proxy=http://$asking expect 4 "a proxy that asks who we are" "$ENVBUILD" lock -t host -c "$channel"
says "says so" "HTTP 407 proxy authentication required"
http_proxy=http://me:p-s3cret@$asking expect 0 "with a password" "$ENVBUILD" lock -vv -t host -c "$channel"
check "which is said nowhere" sh -c "! grep -r s3cret '$T/err' '$T/out' . '$T/cache'"
fresh
closed=http://me:p-s3cret@127.0.0.1:1
http_proxy=$closed expect 4 "a proxy that is not there" "$ENVBUILD" lock -vv -t host -c "$channel"
check "its password is not said" sh -c "! grep s3cret '$T/err'"

# --- from a condarc ---
fresh
printf 'proxy_servers:\n  http: %s\n' "$proxy" >"$T/condarc"
expect 0 "proxy_servers" "$ENVBUILD" lock -t host -c "$channel" --condarc "$T/condarc"
check "the proxy was asked" grep -q "GET $channel/" "$T/proxy.log"
fresh
http_proxy=http://me:p-s3cret@$asking expect 0 "the environment counts before it" \
  "$ENVBUILD" lock -t host -c "$channel" --condarc "$T/condarc"
check "its proxy was asked" grep -q . "$T/asking.log"
check "the condarc's was not" none "$T/proxy.log"
fresh
printf 'proxy_servers:\n  http: http://127.0.0.1:1\n  http://conda.test: "http://me:${PW}@%s"\n' "$asking" >"$T/condarc"
PW=p-s3cret expect 0 "one host's proxy" "$ENVBUILD" lock -vv -t host -c "$channel" --condarc "$T/condarc"
check "was asked" grep -q "GET $channel/" "$T/asking.log"
check "its password is written nowhere" sh -c "! grep -r s3cret '$T/err' '$T/out' . '$T/cache'"
fresh
expect 4 "another host has the scheme's" "$ENVBUILD" lock -t host -c "http://other.test:$port/open/chan" --condarc "$T/condarc"
fresh
printf 'proxy_servers:\n  http: http://127.0.0.1:1\n  http://127.0.0.1:\n' >"$T/condarc"
expect 0 "one host without a proxy" "$ENVBUILD" lock -t host -c "http://127.0.0.1:$port/open/chan" --condarc "$T/condarc"
check "no proxy was asked" none "$T/proxy.log"

# --- https: a tunnel ---
if command -v nginx >/dev/null && command -v openssl >/dev/null; then
  openssl req -x509 -newkey rsa:2048 -nodes -days 2 -keyout "$T/key.pem" -out "$T/cert.pem" -subj /CN=conda.test \
    -addext subjectAltName=DNS:conda.test 2>/dev/null
  tls=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  cat >"$T/nginx.conf" <<CONF
daemon on; pid $T/nginx.pid; error_log $T/nginx.log; worker_processes 1;
events {}
http { access_log off; client_body_temp_path $T/n1; proxy_temp_path $T/n2; fastcgi_temp_path $T/n3;
  uwsgi_temp_path $T/n4; scgi_temp_path $T/n5;
  server { listen 127.0.0.1:$tls ssl; ssl_certificate $T/cert.pem; ssl_certificate_key $T/key.pem; root $T/www; } }
CONF
  [ "$(id -u)" = 0 ] && sed -i '1i user root;' "$T/nginx.conf"
  if nginx -c "$T/nginx.conf" -e "$T/nginx.log" 2>"$T/nginx.err"; then
    defer "kill \$(cat '$T/nginx.pid'); while [ -f '$T/nginx.pid' ]; do sleep 0.05; done"
    fresh
    https_proxy=$proxy SSL_CERT_FILE=$T/cert.pem expect 0 "https_proxy" \
      "$ENVBUILD" lock -t host -c "https://conda.test:$tls/chan"
    check "a tunnel" grep -q "CONNECT conda.test:$tls" "$T/proxy.log"
    fresh
    printf 'proxy_servers: {https: "%s"}\nssl_verify: %s\n' "$proxy" "$T/cert.pem" >"$T/condarc"
    expect 0 "proxy_servers and ssl_verify of a condarc" \
      "$ENVBUILD" lock -t host -c "https://conda.test:$tls/chan" --condarc "$T/condarc"
    check "a tunnel, too" grep -q "CONNECT conda.test:$tls" "$T/proxy.log"
    printf 'proxy_servers: {https: "%s"}\n' "$proxy" >"$T/condarc"
    fresh
    expect 4 "without its certificate" "$ENVBUILD" lock -t host -c "https://conda.test:$tls/chan" --condarc "$T/condarc"
    says "no connection" "no secure connection"
    printf 'proxy_servers: {https: "%s"}\nssl_verify: false\n' "$proxy" >"$T/condarc"
    expect 2 "unverified" "$ENVBUILD" lock -t host -c "https://conda.test:$tls/chan" --condarc "$T/condarc"
    says "is refused with its place" "condarc:2:13: 'ssl_verify: false' is not accepted"
    says "and advice" "name a file with the CA's certificate"
  else
    skip "https" "nginx does not start: $(head -1 "$T/nginx.err")"
  fi
else
  skip "https" "no nginx or openssl"
fi
done_testing
