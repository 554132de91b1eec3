#!/bin/bash
# timeout: 180
# install from servers that stall, truncate, lie or die: the right files, or a clear error, nothing
# wrong in cache or prefix, and the next run succeeds.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T ENVBUILD_NET_RETRIES=1
unset XDG_CACHE_HOME NETRC
need python3 zstd bzip2

mkdir "$T/www"
PYTHONPATH=$ROOT/tests/tools python3 - "$T/www/chan" <<'EOF'
import random
import sys

import make_package

channel = make_package.Channel(sys.argv[1])
random.seed(1)
content = lambda name: [make_package.member('share/%s/%d' % (name, i), random.randbytes(100000))
                        for i in range(4)]
channel.conda('first', content('first'))
channel.tarball('second', content('second'))
EOF
mkdir "$T/www/chan/linux-64"
"$ENVBUILD" channel index "$T/www/chan" -q || exit 1
start_liar "$T/www"

install() { # install CHANNEL DIR [OPTION]...: cache, lock and prefix are in DIR
  mkdir -p "$2"
  printf 'channels: ["%s"]\ndependencies: [first, second]\n' "$1" >"$2/environment.yml"
  ENVBUILD_CACHE=$2/cache "$ENVBUILD" install "$2/environment.yml" -t host -q -p "$2/env" "${@:3}"
}
tree() { (cd "$1/env" 2>/dev/null && sha256sum share/*/*); }
expect 0 "an honest server" install "$LIAR/chan" "$T/good"
tree "$T/good" >"$T/tree"
same "its files" "$(wc -l <"$T/tree")" 8

# STATUS KIND PATTERN: what the server does with packages (pkg/...) or with everything.
file="$LIAR/[a-z0-9/]*/chan/noarch/(first-1.0-0.conda|second-1.0-0.tar.bz2)"
cases() {
  cat <<EOF
0 pkg/stalls/1
4 pkg/stall cannot fetch '$file': timed out
4 pkg/silent cannot fetch '$file': timed out
4 stall cannot fetch '.*/repodata.json.zst': timed out
0 pkg/cut/1
0 pkg/reset/1
0 pkg/nolength/1
0 pkg/flaky/3
0 pkg/partly/1
0 pkg/dated/1
0 pkg/weak/1
0 pkg/ignores/1
0 pkg/refuses/1
0 pkg/shifted/1
0 pkg/bigger/1
0 pkg/changed/1
0 pkg/swapped/1
0 pkg/damaged/1
4 pkg/cut/99 cannot fetch '$file': the connection ended before the file did
4 pkg/dies cannot fetch '$file': HTTP 503
4 pkg/loop cannot fetch '$file': more than 10 redirects
4 pkg/away cannot fetch '$file': a URL or redirect that is not http
4 pkg/long cannot fetch '$file': the connection ended before the file did
4 pkg/unasked cannot fetch '$file': HTTP 206
5 pkg/short (first|second)-1.0-0
5 pkg/other (first|second)-1.0-0
5 pkg/html (first|second)-1.0-0
5 pkg/nolength/99 (first|second)-1.0-0
5 pkg/over more than the expected [0-9]+ bytes from '$file'
0 cut/1
0 damaged/1
4 cut/99 cannot fetch '.*/repodata.json.zst': the connection ended before the file did
5 other repodata.json.zst
5 html not an index
EOF
}
mkdir "$T/run"
run_case() { # run_case STATUS KIND: what comes of it goes to files, since they all run at once
  dir=$T/run/${2//\//-}
  case $2 in *stall* | *silent*) export ENVBUILD_NET_TIMEOUT=3 ;; esac
  install "$LIAR/$2/chan" "$dir" >"$dir.out" 2>"$dir.err"
  echo $? >"$dir.status"
  [ "$1" != 0 ] || return
  [ ! -e "$dir/env" ] || echo "there is $dir/env" >"$dir.left"
  ENVBUILD_CACHE=$dir/cache "$ENVBUILD" cache verify -q >"$dir.verify" 2>&1
  echo $? >>"$dir.verify"
  echo "/$2/" >>"$T/liar.honest"
  install "$LIAR/$2/chan" "$dir" >"$dir.again" 2>&1
  echo $? >>"$dir.again"
}
pids=()
while read -r status kind _; do
  run_case "$status" "$kind" &
  pids+=($!)
  [ "${#pids[@]}" -le 12 ] || wait "${pids[-12]}"
done < <(cases)
wait "${pids[@]}"
while read -r status kind pattern; do
  dir=$T/run/${kind//\//-}
  if [ "$(cat "$dir.status")" = "$status" ]; then
    ok "$kind: exit status"
  else
    fail "$kind: exit status" "$(cat "$dir.status"), expected $status
$(cat "$dir.err")"
  fi
  if [ "$status" != 0 ]; then
    says "$kind: says so" "$pattern" "$dir.err"
    check "$kind: no prefix" test ! -e "$dir.left"
    same "$kind: the cache is sound" "$(cat "$dir.verify")" 0
    same "$kind: the next run" "$(cat "$dir.again")" 0
  fi
  same "$kind: the right files" "$(tree "$dir")" "$(cat "$T/tree")"
done < <(cases)

rm "$T/liar.honest"

# --- mirrors ------------------------------------------------------------------------------------
closed=http://127.0.0.1:$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
expect 0 "a mirror for a channel that is down" \
  install "$closed/chan" "$T/m1" --mirror "$closed/chan=$LIAR/chan"
same "has the right files" "$(tree "$T/m1")" "$(cat "$T/tree")"
expect 0 "and for its index alone" env ENVBUILD_CACHE="$T/cache" "$ENVBUILD" lock -q \
  "$T/m1/environment.yml" -t host --mirror "$closed/chan=$LIAR/chan"
check "the lock names the channel" grep -q "$closed/chan/noarch/first" "$T/m1/envbuild.lock"
check "no mirror is named" sh -c "! grep -r '$LIAR' '$T/m1/envbuild.lock' '$T/m1/env/conda-meta'"
expect 0 "a mirror for packages that are wrong" \
  install "$LIAR/pkg/other/chan" "$T/m2" --mirror "$LIAR/pkg/other/chan=$LIAR/chan"
same "has the right files" "$(tree "$T/m2")" "$(cat "$T/tree")"
expect 0 "a mirror for an index that is wrong" \
  install "$LIAR/html/chan" "$T/m3" --mirror "$LIAR/html/chan=$T/www/chan"
same "has the right files" "$(tree "$T/m3")" "$(cat "$T/tree")"
mkdir "$T/m4"
printf 'mirrors: {nowhere: [%s, %s]}\n' "$closed/none" "../www/chan" >"$T/m4/envbuild.yml"
expect 0 "mirrors of envbuild.yml, for a name behind the alias" \
  install nowhere "$T/m4" --channel-alias "$closed"
same "have the right files" "$(tree "$T/m4")" "$(cat "$T/tree")"
expect 4 "no mirror has it" \
  install "$closed/chan" "$T/m5" --mirror "$closed/chan=$LIAR/busy/99/chan"
says "all are named" \
  "cannot fetch '$LIAR/busy/99/chan/.*: HTTP 503 .*; cannot fetch '$closed/chan/.*': connection refused" "$T/err"
for word in "$LIAR/chan" conda-forge=mirror "defaults=$LIAR/chan" "conda-forge=ftp://me:secret@x/y" \
  "http://me:secret@x/t/secret/y"; do
  expect 2 "--mirror $word" install "$LIAR/chan" "$T/m6" --mirror "$word"
  check "is refused without telling secrets" sh -c "! grep secret '$T/err'"
done
ENVBUILD_NET_TIMEOUT=soon expect 2 "a time limit that is no number" install "$LIAR/chan" "$T/m7"
says "is named" "ENVBUILD_NET_TIMEOUT is a whole number from 1 to 3600, not 'soon'" "$T/err"
done_testing
