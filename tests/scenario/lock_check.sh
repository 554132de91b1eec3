#!/bin/bash
# timeout: 120
# lock --check of 257 packages for two targets: in under 50 ms, without a socket, and with a reason for
# each target where it does not fit.
. "$(dirname "$0")/../lib.sh"
export HOME=$T ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
unset ENVBUILD_CACHE_LOWER
need python3 strace
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
cd "$T" || exit 1

solve=$ENVBUILD_SHARED_DATA/solves/sci.txt
printf 'channels: [%s]\ndependencies: [%s]\n' "$ENVBUILD_SHARED_DATA/repodata/conda-forge" \
  "$(sed -n 's/^# request: //p' "$solve" | sed 's/ /, /g')" >environment.yml
for name in one two; do
  printf 'name: %s\nsubdir: linux-64\nvirtual-packages: [%s]\n' "$name" \
    "$(sed -n 's/^# virtual-packages: //p' "$solve" | sed 's/ /, /g')" >$name.yml
done
targets="-t ./one.yml -t ./two.yml"
# shellcheck disable=SC2086
expect 0 "a lock" "$ENVBUILD" lock $targets
same "of 257 packages" "$(grep -c '^- conda: ' envbuild.lock)" 257

# Of this process alone, so that what else the machine does is not measured.
# shellcheck disable=SC2086
best=$(python3 - "$ENVBUILD" lock --check $targets -q <<'PY'
import resource, subprocess, sys
def used():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime
times = []
for _ in range(9):
    before = used()
    subprocess.run(sys.argv[1:], check=True)
    times.append(used() - before)
print(int(min(times) * 1000))
PY
)
check "the check takes less than 50 ms ($best ms)" test "$best" -lt 50

if strace -f -o /dev/null true 2>/dev/null; then
  # A proxy and a channel that would be asked if anything was.
  sed "s,^channels: .*,channels: [http://127.0.0.1:1/none]," environment.yml >remote.yml
  # shellcheck disable=SC2086
  expect 0 "the check under strace" strace -f -e trace=network -o trace "$ENVBUILD" lock --check $targets
  check "opens no connection" sh -c "! grep -E 'connect|sendto|AF_INET|AF_NETLINK' trace"
  # shellcheck disable=SC2086
  expect 3 "nor that of a file that asks for another channel" strace -f -e trace=network -o trace \
    "$ENVBUILD" lock --check remote.yml $targets
  check "opens one" sh -c "! grep -E 'connect|sendto|AF_INET|AF_NETLINK' trace"
  says "both targets have their reason" "one: channel 1 was .* and is now 'http://127.0.0.1:1/none'"
  says "both targets have their reason" "two: channel 1 was"
  expect 4 "what solves" strace -f -e trace=network -o trace "$ENVBUILD" lock remote.yml -t ./one.yml -o x.lock
  check "does" grep -qE 'connect.*AF_INET' trace
else
  skip "no connection" "strace may not trace here"
fi
done_testing
