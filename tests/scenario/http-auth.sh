#!/bin/bash
# timeout: 240
# Credentials by host, from a file as rattler keeps it, from netrc and in URLs: each gets what asks for
# it, goes with no redirect to another host, and is written nowhere.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T/home ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 ENVBUILD_NET_RETRIES=1
unset XDG_CACHE_HOME NETRC RATTLER_AUTH_FILE ENVBUILD_AUTH_FILE ENVBUILD_CACHE_LOWER
need python3
mkdir "$HOME" "$T/www" "$T/project" && cd "$T/project" || exit 1

python3 "$ROOT/tests/tools/small_channel.py" "$T/www/chan" && "$ENVBUILD" channel index -q "$T/www/chan" || exit 1
"$ROOT/tests/tools/token_server.py" "$T/port" "$T/www" &
server=$!
defer "kill $server 2>/dev/null; wait $server 2>/dev/null"
while [ ! -f "$T/port" ]; do sleep 0.05; done
port=$(cat "$T/port") host=127.0.0.1:$(cat "$T/port")
asked() { cat "$T/port.log"; }
no_secret() { ! grep -rl s3cret "$@"; }
printf 'name: small\ndependencies: [alpha, zeta]\n' >environment.yml

run() { # run STATUS NAME CHANNEL: lock, install and pack from it, with all that is said kept
  rm -rf "$T/cache" envbuild.lock env small.*
  : >"$T/port.log"
  expect "$1" "$2: lock" "$ENVBUILD" lock -vv -t host -c "$3"
  cat "$T/out" "$T/err" >>"$T/said"
  [ "$1" = 0 ] || return
  expect 0 "$2: install" "$ENVBUILD" install -vv --locked -t host -c "$3" -p "$T/project/env"
  cat "$T/out" "$T/err" >>"$T/said"
  check "$2: the prefix has what was asked for" test -x env/bin/alpha
  expect 0 "$2: pack" "$ENVBUILD" pack -vv --no-test -t host -c "$3"
  cat "$T/out" "$T/err" >>"$T/said"
  mkdir -p "$T/out.d" && tar xf small.tar.gz -C "$T/out.d"
  expect 0 "$2: vault" "$ENVBUILD" vault -vv envbuild.lock "$T/vault" -c "$3"
  cat "$T/out" "$T/err" >>"$T/said"
  check "$2: is written nowhere" no_secret . "$T/said" "$T/cache" "$T/out.d" "$T/vault"
}

# --- bearer ---
run 4 "without credentials" "http://$host/bearer/chan"
says "the message says where to put them" "ENVBUILD_AUTH_FILE.*USER:PASSWORD@ before"
echo '{"127.0.0.1": {"BearerToken": "b-s3cret"}}' >"$T/credentials.json"
export ENVBUILD_AUTH_FILE=$T/credentials.json
run 0 "bearer" "http://$host/bearer/chan"
check "the lock has the bare URL" grep -q "http://$host/bearer/chan/noarch/alpha-1.0-0.conda" envbuild.lock
echo '{"127.0.0.1": {"BearerToken": "wrong-s3cret"}}' >"$T/credentials.json"
run 4 "a wrong token" "http://$host/bearer/chan"
check "it is not in the message" no_secret "$T/said"

# --- a channel in shards ---
"$ENVBUILD" channel index -q --shards "$T/www/chan" || exit 1
echo '{"127.0.0.1": {"BearerToken": "b-s3cret"}}' >"$T/credentials.json"
run 0 "shards" "http://$host/bearer/chan"
check "they were asked for with the token" grep -q "/noarch/.*shards.* Bearer b-s3cret 200" "$T/port.log"
ENVBUILD_AUTH_FILE='' run 0 "shards, by a token in the URL" "http://$host/t/c-s3cret/conda/chan"
check "they were asked for with that" grep -q "/t/c-s3cret/conda/chan/noarch/.*shards.* 200" "$T/port.log"
find "$T/www/chan" -name '*shards*' -prune -exec rm -r {} +

# --- redirects ---
echo '{"127.0.0.1": {"BearerToken": "b-s3cret"}}' >"$T/credentials.json"
run 0 "redirected within the host" "http://$host/near/chan"
check "the token goes along" sh -c "grep -q '/bearer/.* Bearer b-s3cret 200' '$T/port.log'"
run 0 "redirected to another host" "http://$host/moved/chan"
check "there were redirects" grep -q "^localhost:$port /open/" "$T/port.log"
check "the token does not go along" sh -c "! grep '^localhost' '$T/port.log' | grep s3cret"
printf 'machine localhost login you password other\n' >"$HOME/.netrc"
run 0 "to a host that netrc knows" "http://$host/moved/chan"
check "not then, either" sh -c "! grep '^localhost' '$T/port.log' | grep s3cret"
rm "$HOME/.netrc"
run 0 "a name and a password, redirected" "http://me:p-s3cret@$host/away/chan"
check "do not go along" sh -c "grep -q '^localhost' '$T/port.log' && ! grep '^localhost' '$T/port.log' | grep Basic"
printf 'machine 127.0.0.1 login me password p-s3cret\n' >"$HOME/.netrc"
ENVBUILD_AUTH_FILE='' run 0 "those of netrc, redirected" "http://$host/away/chan"
check "do not, either" sh -c "grep -q '^localhost' '$T/port.log' && ! grep '^localhost' '$T/port.log' | grep Basic"
rm "$HOME/.netrc"

# --- which file, which host ---
echo '{"127.0.0.1": {"BearerToken": "b-s3cret"' >"$T/broken.json"
unset ENVBUILD_AUTH_FILE
RATTLER_AUTH_FILE=$T/credentials.json run 0 "RATTLER_AUTH_FILE" "http://$host/bearer/chan"
mkdir "$HOME/.rattler" && cp "$T/credentials.json" "$HOME/.rattler/credentials.json"
run 0 "what pixi auth login leaves" "http://$host/bearer/chan"
echo '{"127.0.0.1": {"BearerToken": "other-s3cret"}}' >"$T/other.json"
ENVBUILD_AUTH_FILE=$T/other.json run 4 "ENVBUILD_AUTH_FILE counts before it" "http://$host/bearer/chan"
cp "$T/broken.json" "$HOME/.rattler/credentials.json"
run 0 "a damaged one, where none is needed" "http://$host/open/chan"
says "is a warning" "warning: cannot read the credentials: .*credentials.json:[0-9]+:[0-9]+"
rm -r "$HOME/.rattler"
ENVBUILD_AUTH_FILE=$T/none.json run 2 "a file that is not there" "http://$host/bearer/chan"
says "is named" "ENVBUILD_AUTH_FILE names '$T/none.json'"
ENVBUILD_AUTH_FILE=$T/broken.json run 2 "a file that ends too early" "http://$host/bearer/chan"
says "has line and column" "broken.json:[0-9]+:[0-9]+: "
check "nothing of it is said" no_secret "$T/said"
echo '{"localhost": {"BearerToken": "b-s3cret"}}' >"$T/credentials.json"
export ENVBUILD_AUTH_FILE=$T/credentials.json
run 4 "a token for another host" "http://$host/bearer/chan"
check "is not sent" no_secret "$T/port.log"
run 0 "a token for this one" "http://localhost:$port/bearer/chan"

# --- mirrors ---
away=http://127.0.0.1:1/chan
rm -rf "$T/cache" envbuild.lock
expect 0 "a mirror has its own token" \
  "$ENVBUILD" lock -vv -t host -c "$away" --mirror "$away=http://localhost:$port/bearer/chan"
cat "$T/out" "$T/err" >>"$T/said"
check "which is written nowhere" no_secret . "$T/said" "$T/cache"
echo '{"127.0.0.1": {"BearerToken": "b-s3cret"}}' >"$T/credentials.json"
rm -rf "$T/cache" envbuild.lock
: >"$T/port.log"
expect 4 "the channel's is not for its mirror" \
  "$ENVBUILD" lock -t host -c "$away" --mirror "$away=http://localhost:$port/bearer/chan"
check "it is asked without" grep -q '^localhost.* - 401' "$T/port.log"
check "nothing is sent to it" no_secret "$T/port.log"

# --- the other kinds ---
echo '{"127.0.0.1": {"BasicHTTP": {"username": "me", "password": "p-s3cret"}}}' >"$T/credentials.json"
run 0 "a name and a password" "http://$host/basic/chan"
echo '{"127.0.0.1": {"CondaToken": "c-s3cret"}}' >"$T/credentials.json"
run 0 "a conda token" "http://$host/conda/chan"
check "is in the path that is asked for" grep -q '/t/c-s3cret/conda/chan/noarch/alpha' "$T/port.log"
unset ENVBUILD_AUTH_FILE
run 0 "a token in the URL" "http://$host/t/c-s3cret/conda/chan"
run 0 "a password in the URL" "http://me:p-s3cret@$host/basic/chan"
printf 'machine 127.0.0.1 login me password p-s3cret\n' >"$HOME/.netrc"
run 0 "netrc" "http://$host/basic/chan"
rm "$HOME/.netrc"

# --- a condarc with a secret out of the environment ---
rm -rf "$T/cache" envbuild.lock env
printf 'custom_channels: {chan: "http://%s/t/${TOKEN}/conda"}\nchannels: [chan]\n' "$host" >"$T/condarc"
TOKEN=c-s3cret expect 0 "a token in a condarc: pack" "$ENVBUILD" pack -vv --no-test -t host --condarc "$T/condarc"
cat "$T/out" "$T/err" >>"$T/said"
check "the record of the run says which condarc" python3 - "$T/condarc" <<'PY'
import hashlib, json, sys
c = json.load(open('small.run.json'))['condarc']
assert c == {'path': sys.argv[1], 'sha256': hashlib.sha256(open(sys.argv[1], 'rb').read()).hexdigest()}, c
PY
check "the token is written nowhere" no_secret . "$T/said" "$T/cache"
done_testing
