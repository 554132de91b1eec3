#!/bin/bash
# timeout: 180
# lock and install from a channel behind a real nginx: cold, warm, offline, unreachable, corrupted.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T ENVBUILD_CACHE=$T/cache
unset XDG_CACHE_HOME
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 nginx

www=$T/www
mkdir "$www" && ln -s "$ENVBUILD_SHARED_DATA/channel" "$www/chan"
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
url=http://127.0.0.1:$port
log() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f2,3 | sort; }
forget() { "$ROOT/tests/tools/nginx.sh" forget "$T/nginx"; }

mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [$url/chan]
dependencies: [jq, ca-certificates]
EOF
expect 0 "lock over http" "$ENVBUILD" lock
if grep -q "$url/chan/linux-64/jq-" envbuild.lock; then ok "has URLs of the channel"; else fail "has URLs of the channel" "$(cat envbuild.lock)"; fi
forget
expect 0 "install over http" "$ENVBUILD" install -p "$T/env"
check "what it made runs" "$T/env/bin/jq" --version
packages=$(log | grep -c '\(conda\|bz2\) 200$')
if [ "$packages" -ge 2 ]; then ok "packages were fetched"; else fail "packages were fetched" "$(log)"; fi
forget
expect 0 "install again" "$ENVBUILD" install -p "$T/env2"
same "fetches nothing but conditions" "$(log | grep -v ' 304$')" ""
"$ROOT/tests/tools/nginx.sh" stop "$T/nginx"

expect 0 "offline from the cache" "$ENVBUILD" install --offline -p "$T/env3"
check "runs, too" "$T/env3/bin/jq" --version
rm envbuild.lock
expect 0 "lock offline" "$ENVBUILD" lock --offline
rm envbuild.lock
expect 4 "lock without server" "$ENVBUILD" lock
says "names channel and cause" "channel '$url/chan': cannot fetch '$url/chan/[a-z0-9-]*/repodata.json[.a-z0-9]*': connection refused"
says "and make demo" "make demo"
check "leaves no lock" test ! -e envbuild.lock
ENVBUILD_CACHE=$T/cache2 expect 4 "offline with an empty cache" "$ENVBUILD" lock --offline
says "says what to do" "without --offline"

# The same address, but one package has other bytes than its index says.
rm "$www/chan" && mkdir -p "$www/chan"
cp -r "$ENVBUILD_SHARED_DATA/channel/noarch" "$www/chan/"
mkdir "$www/chan/linux-64" && chmod -R u+w "$www/chan"
cp "$ENVBUILD_SHARED_DATA"/channel/linux-64/{repodata*,jq-*,oniguruma-*,libgcc-ng-*,ca-certificates-*,_libgcc*} "$www/chan/linux-64/"
for file in "$www"/chan/linux-64/jq-*; do
  chmod u+w "$file"
  printf 'X' | dd of="$file" bs=1 seek=3000 conv=notrunc 2>/dev/null
done
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www") || skip_all "nginx does not start again"
sed -i "s,127.0.0.1:[0-9]*,127.0.0.1:$port," environment.yml
ENVBUILD_CACHE=$T/cache3 expect 5 "a corrupted package" "$ENVBUILD" install -p "$T/env4"
says "is named, with hashes" "jq-.*[0-9a-f]{32}"
check "no prefix is left" test ! -e "$T/env4"
same "no package of it in the cache" "$(find "$T/cache3" -path '*jq*' | head -n 3)" ""

done_testing
