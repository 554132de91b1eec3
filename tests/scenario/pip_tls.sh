#!/bin/bash
# memory
# timeout: 300
# A pip section over https, git and index: whom envbuild trusts, git and the environment's pip trust.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache GIT_CONFIG_NOSYSTEM=1
unset SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE GIT_SSL_CAINFO PIP_CERT
need python3 nginx openssl git

openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
  -addext subjectAltName=IP:127.0.0.1 -keyout "$T/key.pem" -out "$T/cert.pem" 2>/dev/null ||
  skip_all "openssl makes no certificate"
mkdir "$T/project" "$T/www" && cd "$T/project" || exit 1
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
(cd "$T" && PYTHONPATH=$ROOT/tests/tools python3 -c '
from make_wheels import index, project, wheel
wheel("dists", "alpha", "1.0", entry="alpha")
index("www", "dists")
project("work", "leaf", "1.0", entry="leaf")' &&
  cd work && git init -q -b main . && git add -A && git commit -q -m one &&
  git clone -q --bare . "$T/www/leaf.git" && git -C "$T/www/leaf.git" update-server-info) || exit 1
tls=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www" "
    listen 127.0.0.1:$tls ssl;
    ssl_certificate $T/cert.pem;
    ssl_certificate_key $T/key.pem;" >/dev/null || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
lines() { # LINE...
  printf 'channels: [file://%s/channel]\ndependencies:\n- python=3.6.6\n- pip\n- pip:\n' "$ENVBUILD_SHARED_DATA"
  printf '  - %s\n' "--index-url https://127.0.0.1:$tls/simple" "$@"
}
lines "git+https://127.0.0.1:$tls/leaf.git@main" alpha >environment.yml

expect 4 "a certificate that nobody vouches for" "$ENVBUILD" lock -t host
says "is named with the repository" "https://127.0.0.1:$tls/leaf.git.*[cC]ertificate"
lines alpha >index.yml
expect 4 "for an index as well" "$ENVBUILD" lock index.yml -t host -o index.lock
check "no lock is left" test ! -e envbuild.lock -a ! -e index.lock
export SSL_CERT_FILE=$T/cert.pem
expect 0 "SSL_CERT_FILE vouches for it: git, pip and what envbuild fetches itself" "$ENVBUILD" install -t host -p "$T/env"
same "both are there" "$("$T/env/bin/leaf") $("$T/env/bin/alpha")" "leaf 1.0 alpha 1.0"
done_testing
