#!/bin/bash
# memory
# timeout: 300
# Packages are extracted while they come: the same cache as from files, no package file on the disk,
# memory that does not grow with their number, and no transfer that holds up another for good.
. "$(dirname "$0")/../lib.sh"
export no_proxy='*' HOME=$T ENVBUILD_NET_TIMEOUT=10
unset XDG_CACHE_HOME NETRC
need python3 zstd bzip2

mkdir "$T/www"
PYTHONPATH=$ROOT/tests/tools python3 - "$T/www/chan" <<'EOF'
import random
import sys

import make_package

channel = make_package.Channel(sys.argv[1])
random.seed(1)
for n in range(14):
    # Larger than a pipe, so that whoever is not read has to wait; and some small ones.
    size = 1300000 if n < 9 else 2000
    files = [make_package.member('share/p%d/%d' % (n, i), random.randbytes(size)) for i in range(2)]
    (channel.tarball if n % 3 == 0 else channel.conda)('p%d' % n, files)
EOF
mkdir "$T/www/chan/linux-64"
"$ENVBUILD" channel index "$T/www/chan" -q || exit 1
start_liar "$T/www"

install() { # install CHANNEL DIR [OPTION]...: cache and prefix are in DIR
  mkdir -p "$2"
  printf 'channels: ["%s"]\ndependencies: [%s]\n' "$1" \
    "$(seq -s, 0 13 | sed 's/\([0-9]*\)/p\1/g')" >"$2/environment.yml"
  ENVBUILD_CACHE=$2/cache "$ENVBUILD" install "$2/environment.yml" -t host -q -p "$2/env" "${@:3}"
}
tree() { (cd "$1" && find pkgs -type f -exec sha256sum {} + | sort -k 2); }

expect 0 "from a folder" install "$T/www/chan" "$T/files"
tree "$T/files/cache" >"$T/right"
same "all packages are in the cache" "$(grep -c /facts "$T/right")" 14
streamed() { # streamed NAME CHANNEL [OPTION]...
  rm -rf "$T/http"
  expect 0 "$1" install "$2" "$T/http" "${@:3}"
  tree "$T/http/cache" >"$T/is"
  check "$1: the same cache" cmp "$T/right" "$T/is"
  same "$1: nothing temporary" "$(ls "$T/http/cache/tmp")" ""
}
streamed "from a server" "$LIAR/chan"
rm -rf "$T/http"
ENVBUILD_CACHE=$T/http/cache expect 0 "in words" "$ENVBUILD" install "$T/files/environment.yml" \
  --override-channels -c "$LIAR/slow/chan" -t host -p "$T/http/env"
says "number, bytes and speed are told" 'fetch +14 packages, [0-9.]+ MB, [0-9.]+ [kM]B/s '
streamed "one at a time" "$LIAR/chan" -j 1
# Each connection ends after 400 kB: those that wait for their turn to ask again must get it.
streamed "from a server that hangs up all the time" "$LIAR/pkg/pieces/400000/chan"
streamed "the same, one at a time" "$LIAR/pkg/pieces/400000/chan" -j 1
# What came is thrown away and comes again from its beginning.
streamed "from a server that hangs up and knows no ranges" "$LIAR/pkg/none/2/chan"

if command -v strace >/dev/null && strace -o "$T/trace" true 2>/dev/null; then
  rm -rf "$T/http"
  expect 0 "under strace" strace -f -y -qq -e trace=openat,open,creat -o "$T/trace" \
    env ASAN_OPTIONS=detect_leaks=0 ENVBUILD_CACHE="$T/http/cache" "$ENVBUILD" install "$T/files/environment.yml" \
    --override-channels -c "$LIAR/chan" -t host -q -p "$T/http/env"
  check "files are made there" grep -q 'O_CREAT' "$T/trace"
  check "none is a package file" \
    sh -c "! grep 'O_CREAT.*' '$T/trace' | grep -E '\\.(conda|tar\\.bz2)\"'"
  check "several are extracted at once" test \
    "$(grep 'files/share.*O_CREAT' "$T/trace" | cut -d' ' -f1 | sort -u | wc -l)" -ge 2
  same "what was extracted is not read again: all is known of it" \
    "$(grep "cache/tmp/.*files/share" "$T/trace" | grep -Ev 'O_CREAT|O_DIRECTORY|O_PATH|resumed' | head -n 3)" ""
else
  skip "no package file on the disk" "strace may not trace here"
fi

# --- cores -------------------------------------------------------------------------------------
# One large .tar.bz2: how much the second thread has worked, compared with the busiest.
mkdir "$T/large"
PYTHONPATH=$ROOT/tests/tools python3 - "$T/large/chan" <<'EOF'
import random
import sys

import make_package

random.seed(1)
make_package.Channel(sys.argv[1]).tarball(
    'large', [make_package.member('share/large', random.randbytes(9000000))])
EOF
"$ENVBUILD" channel index "$T/large/chan" -q || exit 1
printf 'channels: ["%s"]\ndependencies: [large]\n' "$T/large/chan" >"$T/large/environment.yml"
ticks() { # ticks JOBS: of the second thread and of the first, in clock ticks
  python3 - "$ENVBUILD" "$T/large" "$1" <<'EOF'
import glob
import os
import subprocess
import sys
import time

program, work, jobs = sys.argv[1:]
p = subprocess.Popen([program, 'install', 'environment.yml', '-t', 'host', '-q', '-j', jobs,
                      '-p', 'env' + jobs], cwd=work,
                     env=dict(os.environ, ENVBUILD_CACHE=work + '/cache' + jobs))
seen = {}
while p.poll() is None:
    for path in glob.glob('/proc/%d/task/*/stat' % p.pid):
        try:
            with open(path, encoding='utf-8') as f:
                seen[path] = int(f.read().rsplit(')', 1)[1].split()[11])
        except (OSError, IndexError):
            pass
    time.sleep(0.005)
seen = sorted([0, 0, *seen.values()])
print(seen[-2], seen[-1] if p.returncode == 0 else 'failed')
EOF
}
for jobs in 1 2; do
  ticks $jobs >"$T/ticks"
  read -r second first <"$T/ticks"
  same "-j $jobs: $jobs cores are busy with one package ($second and $first ticks)" \
    "$((second * 4 > first))" $((jobs - 1))
done

# --- memory: nothing of a package stays there that has been written -------------------------------
if [[ $ENVBUILD == */asan/* ]]; then
  skip "peak memory" "sanitizers need their own"
elif [ -n "$ENVBUILD_SHARED_DATA" ]; then
  real=$(mktemp -d /dev/shm/stream.XXXXXX 2>/dev/null || mktemp -d "$T/stream.XXXXXX")
  defer "rm -rf '$real'"
  peak() { # peak CHANNEL: kilobytes
    rm -rf "${real:?}"/*
    printf 'channels: ["%s"]\ndependencies: [python=3.6.6, pip, perl, cython]\n' "$1" \
      >"$real/environment.yml"
    python3 - "$ENVBUILD" "$real" <<'EOF'
import os, resource, subprocess, sys
program, work = sys.argv[1:]
status = subprocess.call([program, 'install', 'environment.yml', '-t', 'host', '-q', '-j', '2',
                          '--no-compile', '-p', 'env'], cwd=work,
                         env=dict(os.environ, ENVBUILD_CACHE=work + '/cache'))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if status == 0 else 'failed')
EOF
  }
  ln -s "$ENVBUILD_SHARED_DATA/channel" "$T/www/real-channel"
  for from in "file://$ENVBUILD_SHARED_DATA/channel" "$LIAR/real-channel"; do
    peak "$from" >"$T/peak"
    read -r kilobytes <"$T/peak"
    if [ "$kilobytes" -gt 1000 ] 2>/dev/null && [ "$kilobytes" -lt 60000 ]; then
      ok "peak memory over ${from%%:*}: $kilobytes kB"
    else
      fail "peak memory over ${from%%:*}" "$kilobytes kB"
    fi
  done
else
  skip "peak memory" "no real packages (ENVBUILD_SHARED_DATA)"
fi
done_testing
