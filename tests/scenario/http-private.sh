#!/bin/bash
# timeout: 180
# A channel that asks for a password or a token, behind a real nginx: its packages come, too, and
# nothing secret is written anywhere.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T/home ENVBUILD_CACHE=$T/cache
unset XDG_CACHE_HOME NETRC
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need nginx

www=$T/www
mkdir "$www" "$HOME" && ln -s "$ENVBUILD_SHARED_DATA/channel" "$www/chan"
echo 'me:{PLAIN}s3cret' >"$www/passwords"
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www" "
  location /chan/ { auth_basic x; auth_basic_user_file $www/passwords; }
  location /hidden/ { return 403; }
  location /t/tk-s3cret/hidden/ { alias $www/chan/; }") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
host=127.0.0.1:$port
mkdir "$T/project" && cd "$T/project" || exit 1

no_secret() { # no_secret PLACE...
  ! grep -rl s3cret "$@"
}

printf 'dependencies: [jq]\n' >environment.yml
for given in "http://me:s3cret@$host/chan" "http://$host/t/tk-s3cret/hidden"; do
  bare=http://$host/${given##*/}
  case $given in *@*) what=password ;; *) what=token ;; esac
  rm -rf "$T/cache" envbuild.lock
  expect 4 "$what: not without" "$ENVBUILD" lock -c "$bare"
  expect 0 "$what: lock" "$ENVBUILD" lock -v -c "$given"
  cat "$T/out" "$T/err" >"$T/said"
  check "$what: the lock has the bare URL" grep -q "$bare/linux-64/jq-" envbuild.lock
  expect 0 "$what: install as locked" "$ENVBUILD" install --locked -v -c "$given" -p "$T/env-$what"
  cat "$T/out" "$T/err" >>"$T/said"
  check "$what: what it made runs" "$T/env-$what/bin/jq" --version
  rm -rf "$T/cache"
  expect 4 "$what: the lock alone, not without" "$ENVBUILD" install envbuild.lock -p "$T/env-none"
  cat "$T/out" "$T/err" >>"$T/said"
  expect 0 "$what: the lock alone" "$ENVBUILD" install envbuild.lock -c "$given" -p "$T/lock-$what"
  cat "$T/out" "$T/err" >>"$T/said"
  check "$what: is written nowhere" no_secret "$T/said" "$T/cache" envbuild.lock \
    "$T/env-$what" "$T/lock-$what"

  # The file itself travels in the archive.
  mkdir "$T/pack-$what" && cd "$T/pack-$what" || exit 1
  printf 'name: small\nchannels: ["%s"] # mine\ndependencies: ["%s::jq"]\n' "$given" "$given" \
    >environment.yml
  expect 0 "$what: pack" "$ENVBUILD" pack -v --no-test
  mkdir out && tar xf small.tar.gz -C out
  same "$what: the archive's environment.yml has the bare channel" \
    "$(find out -name environment.yml -exec sed -n 2p {} +)" "channels: [\"$bare\"] # mine"
  mv environment.yml "$T/with-secret.yml"
  check "$what: the archive tells nothing" no_secret . "$T/out" "$T/err" "$T/cache"
  cd "$T/project" || exit 1
done
done_testing
