#!/bin/bash
# timeout: 240
# --condarc: each key that is heeded, what wins over it, what is said of the rest; and that no condarc
# is read unasked.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T/home ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
unset XDG_CACHE_HOME NETRC SSL_CERT_FILE CURL_CA_BUNDLE REQUESTS_CA_BUNDLE ENVBUILD_CACHE_LOWER \
  ENVBUILD_NET_RETRIES ENVBUILD_NET_TIMEOUT http_proxy https_proxy all_proxy
need python3
mkdir "$HOME" "$T/www" "$T/project" && cd "$T/project" || exit 1
channel() { python3 "$ROOT/tests/tools/lines_channel.py" "$@" || exit 1; }
channels() { sed -n 's/^    - url: //p' envbuild.lock | xargs; }
locked() { sed -n "s,^- conda: .*/\($1-[^/]*\)\.conda\$,\1,p" envbuild.lock; }
lock() { # lock STATUS NAME [OPTION]...
  lock_status=$1 lock_name=$2
  shift 2
  rm -f envbuild.lock
  expect "$lock_status" "$lock_name" "$ENVBUILD" lock -t rhel7 --condarc rc "$@"
}

channel "$T/www/one" 'a 1.0 0' 'b 1.0 0'
channel "$T/www/two" 'a 2.0 0' 'c 1.0 0'
"$ROOT/tests/tools/token_server.py" "$T/port" "$T/www" &
server=$!
defer "kill $server 2>/dev/null; wait $server 2>/dev/null"
while [ ! -f "$T/port" ]; do sleep 0.05; done
url=http://127.0.0.1:$(cat "$T/port")/open
printf 'dependencies: [a]\n' >environment.yml

# --- channels ---
printf 'channels: [%s/one, two]\nchannel_alias: %s\n' "$url" "$url" >rc
lock 0 "channels and channel_alias"
same "in their order" "$(channels)" "$url/one/ $url/two/"
same "strict is the rule" "$(locked a)" a-1.0-0
echo 'channel_priority: disabled' >>rc
lock 0 "channel_priority"
same "is heeded" "$(locked a)" a-2.0-0
lock 0 "an option wins over it" --channel-priority strict
same "as it says" "$(locked a)" a-1.0-0
lock 0 "so does a channel" -c "$url/two" --channel-priority strict
same "which comes first" "$(channels)" "$url/two/ $url/one/"
lock 0 "and --override-channels" --override-channels -c "$url/two"
same "with none but its own" "$(channels)" "$url/two/"
printf 'channels: [two, nodefaults]\ndependencies: [a]\n' >environment.yml
lock 0 "nodefaults in the environment file"
same "leaves the condarc's out" "$(channels)" "$url/two/"
printf 'channels: [two]\ndependencies: [a]\n' >environment.yml
lock 0 "the environment file's channels"
same "come before" "$(channels)" "$url/two/ $url/one/"
lock 0 "--channel-alias wins" --channel-alias "file://$T/www"
same "over channel_alias" "$(channels)" "file://$T/www/two/ $url/one/"
printf 'dependencies: [a, c]\n' >environment.yml
export PLACE=$url
printf 'default_channels: ["%s/two"]\nchannels: [defaults]\n' '${PLACE}' >rc
lock 0 "default_channels with a variable"
same "are what defaults means" "$(channels)" "$url/two/"
printf 'custom_channels: {one: "%s", two: ../www}\ncustom_multichannels: {both: [one, two]}\nchannels: [both]\nchannel_priority: flexible\n' "$url" >rc
lock 0 "custom_channels and custom_multichannels"
same "lie where they say" "$(channels)" "$url/one/ file://$T/www/two/"
printf 'custom_multichannels: {both: [both]}\nchannels: [both]\n' >rc
lock 2 "a channel that stands for itself"
says "is refused" "invalid channel 'both': it stands for itself"

# --- mirrors ---
away=http://127.0.0.1:1/away
printf 'dependencies: [a]\n' >environment.yml
printf 'channels: [%s/one]\nmirrored_channels: {"%s/one": [http://127.0.0.1:1/x, "%s/one"]}\n' "$away" "$away" "$url" >rc
lock 0 "mirrored_channels"
same "the lock names the channel" "$(channels)" "$away/one/"
check "the channel itself is not asked" sh -c "! grep '127.0.0.1:1/away' '$T/err'"
printf 'channels: [%s/one]\nmirrored_channels: {"%s/one": ["http://127.0.0.1:1/x"]}\n' "$url" "$url" >rc
rm -rf "$T/cache"
: >"$T/port.log"
lock 4 "mirrors alone that fail"
check "do not lead back to the channel" test ! -s "$T/port.log"
printf 'channels: [%s/one]\nmirrored_channels: {"%s/one": ["http://127.0.0.1:1/x", "%s/one"]}\n' "$url" "$url" "$url" >rc
lock 0 "unless it is among them"

# --- offline, limits ---
rm -rf "$T/cache"
printf 'channels: [%s/one]\noffline: true\n' "$url" >rc
lock 4 "offline"
says "asks nobody" "offline"
busy=${url%/open}/tired
printf 'channels: [%s/one]\nremote_max_retries: 1\nremote_backoff_factor: 0.05\n' "$busy" >rc
lock 4 "remote_max_retries: too few"
says "says how often it was tried" "it was tried 2 times"
printf 'channels: [%s/two]\nremote_max_retries: 0\n' "$busy" >rc
lock 4 "remote_max_retries: none"
says "no second try" "HTTP 503"
check "is said" sh -c "! grep -q 'was tried' '$T/err'"
kill "$server"
wait "$server" 2>/dev/null
"$ROOT/tests/tools/token_server.py" "$T/port2" "$T/www" &
server=$!
while [ ! -f "$T/port2" ]; do sleep 0.05; done
url=http://127.0.0.1:$(cat "$T/port2")/open
printf 'channels: [%s/one]\nremote_max_retries: 2\nremote_backoff_factor: 0.4\n' "${url%/open}/tired" >rc
begin=$(date +%s%N)
lock 0 "remote_max_retries: enough"
took=$((($(date +%s%N) - begin) / 1000000))
check "with the pause that was asked for ($took ms)" test "$took" -ge 1600 # 0.4 and three times as long
printf 'channels: [%s/one]\nremote_read_timeout_secs: 1\nremote_max_retries: 0\n' "http://127.0.0.1:$(
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')" >rc
python3 - "$(sed -n 's,.*127.0.0.1:\([0-9]*\)/.*,\1,p' rc)" "$T/listening" <<'END' &
import socket, sys, time
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('127.0.0.1', int(sys.argv[1])))
s.listen()
open(sys.argv[2], 'w').close()
time.sleep(300)
END
silent=$!
defer "kill $silent 2>/dev/null; wait $silent 2>/dev/null"
while [ ! -f "$T/listening" ]; do sleep 0.05; done
begin=$SECONDS
lock 4 "remote_read_timeout_secs"
says "a silent server is given up" "timed out"
check "soon" test $((SECONDS - begin)) -lt 15

# --- packages of conda's own folder ---
python3 "$ROOT/tests/tools/small_channel.py" "$T/www/small" && "$ENVBUILD" channel index -q "$T/www/small" || exit 1
mkdir "$HOME/pkgs" && mv "$T/www/small/noarch/alpha-1.0-0.conda" "$HOME/pkgs"
printf 'dependencies: [alpha]\n' >environment.yml
printf 'channels: [%s/small]\npkgs_dirs: [~/none, ~/pkgs]\n' "$url" >rc
expect 4 "without pkgs_dirs" "$ENVBUILD" install -t host -c "$url/small" -p env
expect 0 "with pkgs_dirs" "$ENVBUILD" install -t host --condarc rc -p env
check "what is in it is not fetched" test -x env/bin/alpha
check "it is only read" test -z "$(find "$HOME/pkgs" -newer rc -type f ! -name '*.conda')"

# --- what is said of the rest ---
printf 'dependencies: [a]\n' >environment.yml
printf 'channels: [%s/one]\nalways_yes: true\nchangeps1: false\nchanel_alias: x\nlocal_repodata_ttl: 3600\n' "$url" >rc
lock 0 "keys that do nothing"
same "are named once" "$(grep -c "have no effect here: 'always_yes', 'changeps1'$" "$T/err")" 1
same "unknown ones, too" "$(grep -c "keys are unknown: 'chanel_alias'$" "$T/err")" 1
cp environment.yml "$T/before.yml"
channel "$T/www/one" 'a 1.1 0'
lock 0 "local_repodata_ttl"
same "does not keep an old index" "$(locked a)" a-1.1-0
printf 'channels:\n  - a\n b\n' >rc
lock 2 "what is no YAML"
says "has line and column" "rc:[0-9]+:[0-9]+: "
printf 'channel_priority: loose\n' >rc
lock 2 "a value that is none"
says "has its line and column" "rc:1:19: 'channel_priority'"
expect 2 "a file that is not there" "$ENVBUILD" lock -t rhel7 --condarc none
says "is named" "no file 'none'"
for command in "pack --no-test -n x" "install -p $T/e" "run . -t host" "why a" "vault $T/l $T/v"; do
  # shellcheck disable=SC2086
  expect 2 "${command%% *} reads it" "$ENVBUILD" $command --condarc rc
  says "${command%% *}: with the same words" "rc:1:19: "
done

# --- none is read unasked ---
printf 'channels: [%s/two]\n' "$url" | tee "$HOME/.condarc" "$HOME/.mambarc" .condarc condarc >/dev/null
export CONDARC=$T/project/condarc
rm -f envbuild.lock
expect 0 "without --condarc" "$ENVBUILD" lock -t rhel7 -c "$url/one"
same "there is none" "$(channels)" "$url/one/"
kill "$server"
wait "$server" 2>/dev/null
done_testing
