#!/bin/bash
# timeout: 120
# SIGKILL while an index is fetched and stored, and several processes at one cache: the next run is
# right, always.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 nginx zstd
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"

www=$T/www
mkdir -p "$www"/c/{linux-64,noarch}
make_index() { # make_index N: a different index of some megabytes each time
  for subdir in linux-64 noarch; do
    python3 - "$subdir" "$1" >"$T/$subdir.json" <<'EOF'
import json, sys
records = {'p%d%s-1-0.conda' % (i, sys.argv[2]): {'name': 'p%d%s' % (i, sys.argv[2]), 'version': '1', 'build': '0', 'build_number': i,
           'depends': ['q%d >=%s' % (i * 7919 % 1000, sys.argv[2])]} for i in range(20000)}
print(json.dumps({'info': {'subdir': sys.argv[1]}, 'packages.conda': records}))
EOF
    zstd -qf "$T/$subdir.json" -o "$www/c/$subdir/.new" && mv "$www/c/$subdir/.new" "$www/c/$subdir/repodata.json.zst"
  done
}
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
url=http://127.0.0.1:$port/c

told=$ROOT/tests/tools/index_told.py
right() { # the last run's answer is the two indexes
  [ "$(cat "$T/out")" = "$("$told" "$T/linux-64.json")
$("$told" "$T/noarch.json")" ]
}

bad=
for round in $(seq 20); do
  [ $((round % 4)) = 1 ] && make_index "$round"
  "$net" index "$T/cache" "$url" >/dev/null 2>&1 &
  pid=$!
  sleep "0.0$((round * 7 % 10))$((round % 10))"
  kill -KILL $pid 2>/dev/null
  wait $pid 2>/dev/null
  "$net" index "$T/cache" "$url" >"$T/out" 2>"$T/err" && right >"$T/cmp" 2>&1 ||
    bad="$bad round $round: $(cat "$T/err" "$T/cmp")"
done
same "twenty killed runs harm nothing" "$bad" ""

find "$T/cache" -name '.*.tmp' -exec touch -d '2 days ago' {} +
make_index again
"$net" index "$T/cache" "$url" >"$T/out"
same "what they left goes after a day" "$(find "$T/cache" -name '.*.tmp' | wc -l)" 0

make_index together
pids=
for i in 1 2 3 4; do
  "$net" index "$T/cache" "$url" >"$T/out.$i" 2>&1 &
  pids="$pids $!"
done
bad=
for pid in $pids; do
  wait "$pid" || bad="$bad $pid"
done
same "four at once all end well" "$bad" ""
bad=
for i in 1 2 3 4; do
  cp "$T/out.$i" "$T/out" && right || bad="$bad $i"
done
same "and have the right index" "$bad" ""

done_testing
