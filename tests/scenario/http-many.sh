#!/bin/bash
# timeout: 120
# Many small files at once, more than there are connections to a host: nobody waits for nothing.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T
need python3 nginx
net=$ENVBUILD_TOOLS/net
[ -x "$net" ] || skip_all "the test tool 'net' is not built"
mkdir "$T/www"
for i in $(seq 100); do echo "$i" >"$T/www/$i"; done
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"

# Where a free connection is not given on, one run of four takes a second more.
quick=0 rounds=40
for _ in $(seq $rounds); do
  "$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
  start=$(date +%s%N)
  # shellcheck disable=SC2046
  "$net" get -j 64 $(seq -f "http://127.0.0.1:$port/%.0f" 100) >"$T/out" 2>"$T/err" || break
  [ $((($(date +%s%N) - start) / 1000000)) -ge 1000 ] || quick=$((quick + 1))
done
same "each comes once" "$(cut -d' ' -f1 "$T/out" | sort | uniq -c | tr -d ' ') $("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | sort -u | wc -l)" "100200 100"
check "$quick of $rounds runs end within a second" test "$quick" -ge $((rounds - 1))
same "over six connections at most" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | cut -d' ' -f6 | sort -u | wc -l | sed 's/[1-6]/few/')" few
done_testing
