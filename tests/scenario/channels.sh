#!/bin/bash
# timeout: 120
# What a channel may be, from the command line: names, labels, several with each priority, other
# machines' subdirs, where its packages lie; and how its index is asked for again.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T/home ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 ENVBUILD_NET_RETRIES=3
unset XDG_CACHE_HOME NETRC ENVBUILD_CACHE_LOWER
need python3
mkdir "$HOME" "$T/www" "$T/project" && cd "$T/project" || exit 1
channel() { python3 "$ROOT/tests/tools/lines_channel.py" "$@" || exit 1; }
channels() { sed -n 's/^    - url: //p' envbuild.lock | xargs; }
urls() { sed -n 's/^- conda: //p' envbuild.lock | xargs; }
"$ROOT/tests/tools/token_server.py" "$T/port" "$T/www" &
server=$!
defer "kill $server 2>/dev/null; wait $server 2>/dev/null"
while [ ! -f "$T/port" ]; do sleep 0.05; done
host=http://127.0.0.1:$(cat "$T/port")
lock() {
  lock_status=$1 lock_name=$2
  shift 2
  rm -f envbuild.lock
  expect "$lock_status" "$lock_name" "$ENVBUILD" lock -t rhel7 "$@"
}

channel "$T/www/cf" 'a 1.0 0' 'b 1.0 0 : a'
channel "$T/www/cf/label/dev" 'a 2.0.dev1 0'
channel "$T/www/other" 'a 3.0 0' 'b 3.0 0 : a'
printf 'dependencies: [a]\n' >environment.yml

lock 0 "a name behind --channel-alias" -c cf --channel-alias "$host/open"
same "is a URL in the lock" "$(urls)" "$host/open/cf/linux-64/a-1.0-0.conda"
lock 0 "a label" -c cf/label/dev --channel-alias "$host/open"
same "is a channel of its own" "$(urls)" "$host/open/cf/label/dev/linux-64/a-2.0.dev1-0.conda"
lock 0 "a URL with a platform and a slash" -c "$host/open/cf/linux-64/"
same "is the channel" "$(channels)" "$host/open/cf/"
lock 0 "a folder" -c "../www/cf"
same "as well" "$(channels)" "file://$T/www/cf/"
lock 4 "a name that nobody has" -c nowhere --channel-alias "$host/open"
says "is named" "nowhere"

printf 'dependencies: [b]\n' >environment.yml
two="-c $host/open/cf -c $host/open/other"
for rule in strict:1.0 flexible:1.0 disabled:3.0; do
  # shellcheck disable=SC2086
  lock 0 "two channels, ${rule%:*}" $two --channel-priority "${rule%:*}"
  check "b is of ${rule#*:}" grep -q "/b-${rule#*:}-0.conda" envbuild.lock
done
printf 'dependencies: [b >=3]\n' >environment.yml
# shellcheck disable=SC2086
lock 3 "strict does not look further" $two
# shellcheck disable=SC2086
lock 0 "flexible does" $two --channel-priority flexible
check "and says so in the lock" grep -q "channel-priority: flexible" envbuild.lock

# --- formats, what was taken back, where files lie ---
mkdir -p "$T/www/files/noarch" "$T/www/files/linux-64"
python3 - "$T/www/files" "$host" <<'PY'
import json, sys
def record(version, **more):
    return dict(name='a', version=version, build='0', build_number=0, depends=[], size=10,
                sha256='%064d' % int(version[0]), **more)
old = {'a-1.0-0.tar.bz2': record('1.0'), 'a-2.0-0.tar.bz2': record('2.0'), 'a-3.0-0.tar.bz2': record('3.0')}
new = {'a-2.0-0.conda': record('2.0')}
json.dump({'info': {'subdir': 'linux-64', 'base_url': sys.argv[2] + '/open/else/where/'}, 'packages': old,
           'packages.conda': new, 'removed': ['a-3.0-0.tar.bz2'], 'repodata_version': 2},
          open(sys.argv[1] + '/linux-64/repodata.json', 'w'))
json.dump({'info': {'subdir': 'noarch'}, 'packages': {}, 'packages.conda': {}}, open(sys.argv[1] + '/noarch/repodata.json', 'w'))
PY
printf 'dependencies: [a]\n' >environment.yml
lock 0 "base_url, removed, .conda before .tar.bz2" -c "$host/open/files"
same "as they say" "$(urls)" "$host/open/else/where/a-2.0-0.conda"

# --- any subdir that a target names ---
channel "$T/www/arm" 'a 1.0 h1_0 subdir=linux-aarch64' 'a 1.0 h2_0 subdir=linux-64' 'p 1.0 0 subdir=noarch noarch=generic'
printf 'name: arm\nsubdir: linux-aarch64\nvirtual-packages: [__glibc=2.28, __linux=4.18, __unix=0=0]\n' >arm.yml
printf 'dependencies: [a, p]\n' >environment.yml
rm -f envbuild.lock
expect 0 "a target of another machine" "$ENVBUILD" lock -t ./arm.yml -t rhel7 -c "$host/open/arm"
same "has packages of its own and of noarch" "$(urls)" \
  "$host/open/arm/linux-64/a-1.0-h2_0.conda $host/open/arm/linux-aarch64/a-1.0-h1_0.conda $host/open/arm/noarch/p-1.0-0.conda"
expect 0 "they can be kept" "$ENVBUILD" lock --check -t ./arm.yml -t rhel7 -c "$host/open/arm"
printf 'name: ppc\nsubdir: linux-ppc64le\nvirtual-packages: [__glibc=2.28]\n' >ppc.yml
expect 3 "of a subdir that the channel lacks" "$ENVBUILD" lock -t ./ppc.yml -c "$host/open/arm" -o x.lock

# --- asking again ---
printf 'dependencies: [a]\n' >environment.yml
for kind in tagged dated; do
  rm -rf "$T/cache"
  lock 0 "$kind: the first time" -c "$host/$kind/cf"
  : >"$T/port.log"
  lock 0 "$kind: again" -c "$host/$kind/cf"
  same "$kind: nothing is sent twice" "$(awk '{print $4}' "$T/port.log" | sort -u)" 304
  sleep 1.1 # a date has seconds
  channel "$T/www/cf" 'a 1.0 0' 'b 1.0 0 : a' "a 1.1 $kind"
  lock 0 "$kind: changed" -c "$host/$kind/cf"
  same "$kind: the new one is taken" "$(urls)" "$host/$kind/cf/linux-64/a-1.1-$kind.conda"
  channel "$T/www/cf" 'a 1.0 0' 'b 1.0 0 : a'
done
begin=$(date +%s%N)
lock 0 "a server that is busy twice" -c "$host/tired/cf"
took=$((($(date +%s%N) - begin) / 1000000))
check "is asked with growing pauses ($took ms)" test "$took" -ge 1200 # 0.3 and 0.9 seconds
lock 0 "offline" --offline -c "$host/tired/cf"
kill "$server"
wait "$server" 2>/dev/null
lock 0 "offline, without a server" --offline -c "$host/tired/cf"
lock 4 "offline, of what was never asked for" --offline -c "$host/open/never"
done_testing
