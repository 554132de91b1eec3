#!/bin/bash
# timeout: 120
# File systems that refuse locks or second names of a file, as some on the network do: the cache needs
# neither, and of two runs in one folder the second is still turned away.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2 strace
strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
export T HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache ASAN_OPTIONS=detect_leaks=0
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
sums() { (cd "$1" && find bin share -type f ! -path share/zeta/conf -exec sha256sum {} + | sort -k 2); }
# unlocked CMD...: every lock is refused; names too where NAMES is set
unlocked() {
  strace -f -qq -o "$T/trace.$BASHPID" -e trace=flock,linkat,fcntl -e inject=flock:error=ENOLCK \
    ${NAMES:+-e inject=linkat:error=EPERM} "$@"
}
install() { unlocked "$ENVBUILD" install -t host -q --engine none "$@"; }

python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
PYTHONPATH=$ROOT/tests/tools python3 - <<'PY'
from make_package import Channel, member
Channel("channel").tarball("slow", [member("share/slow", b"s"), member("bin/.slow-post-link.sh",
    b'touch "$PREFIX/share/waits"; for i in 1 2 3 4 5 6 7 8 9; do [ -e "$PREFIX/share/go" ] || sleep 1; done\n')])
PY
"$ENVBUILD" channel index "$T/channel" -q || exit 1
printf 'channels: [./channel]\ndependencies: [alpha, beta, gamma, delta, zeta]\n' >environment.yml
printf 'channels: [./channel]\ndependencies: [slow]\n' >slow.yml
printf 'channels: [./channel]\ndependencies: [delta]\n' >fast.yml
ENVBUILD_CACHE=$T/other expect 0 "with locks" "$ENVBUILD" install -t host -q -p good

# --- the cache ---
for i in 1 2 3; do
  install -p "p$i" >"out.$i" 2>&1 &
  pids[i]=$!
done
bad=
for i in 1 2 3; do
  wait "${pids[i]}" || bad="$bad $i: $(cat "out.$i")"
  [ "$(sums "p$i")" = "$(sums good)" ] || bad="$bad p$i differs"
done
same "three fill an empty cache and install at once" "$bad" ""
check "a lock was refused" grep -q 'flock(.*ENOLCK' "$T"/trace.*
same "nobody asks for another kind of lock" "$(grep -hE 'F_(OFD_)?SETLK' "$T"/trace.* | head -n 3)" ""
expect 0 "the cache is whole" "$ENVBUILD" cache verify
expect 0 "it is cleaned without locks" unlocked "$ENVBUILD" cache clean
expect 0 "names refused, too" env NAMES=1 bash -c "$(declare -f unlocked install); install -p copied"
same "all is copied" "$(sums copied)" "$(sums good)"
same "nothing is left of the marks" "$(find copied p1 p2 p3 -name '.envbuild*')" ""

# --- images ---
mkdir -p root/etc root/usr && echo x >root/etc/x && tar -C root -cf root.tar . && export ENVBUILD_DATA=$T/data
image() { unlocked "$ENVBUILD" image "$@" -q; }
for i in 1 2 3; do
  image import "i$i" root.tar 2>"out.$i" &
  pids[i]=$!
done
bad=
for i in 1 2 3; do wait "${pids[i]}" || bad="$bad $i: $(cat "out.$i")"; done
same "three import an image at once" "$bad$(ls data/images/trees | wc -l)" 1
expect 0 "all have it" image show i1
expect 0 "two names go" image rm i1 i2
same "the tree stays for the third" "$(cat data/images/trees/*/root/etc/x)" x
expect 0 "the third goes" image rm i3
same "and the tree" "$(ls -A data/images/trees)" ""

# --- two in one folder ---
for names in "" 1; do
  rm -rf two
  [ -z "$names" ] || expect 0 "an environment that is there" install fast.yml -p two
  NAMES=$names install slow.yml -p two 2>slow.err &
  slow=$!
  for _ in $(seq 100); do
    [ -e two/share/waits ] && break
    sleep 0.1
  done
  NAMES=$names expect 1 "a second run in one folder${names:+, names refused}" install -p two
  says "is turned away" "another envbuild works in '.*two': process [0-9]+ on host"
  expect 1 "verify knows" unlocked "$ENVBUILD" verify two
  says "and says so" "another envbuild works in"
  touch two/share/go
  wait $slow
  same "the first comes to its end" "$? $(cat two/share/slow)" "0 s"
done
rm two/share/go two/share/waits

# --- a sweep that looks at a lock just before its maker takes it ---
# looked_at GLOB CMD...: each lock takes a while to be had; one of that name is held meanwhile.
looked_at() {
  python3 - "$@" <<'PY'
import fcntl, glob, subprocess, sys, time
run = subprocess.Popen(["strace", "-f", "-qq", "-o", "looked.trace", "-e", "trace=flock",
    "-e", "inject=flock:delay_enter=300000"] + sys.argv[2:])
held = False
while run.poll() is None and not held:
    for name in glob.glob(sys.argv[1], include_hidden=True):
        with open(name) as one:
            fcntl.flock(one, fcntl.LOCK_EX)
            time.sleep(0.8)
        held = True
print("held" if held else "never", file=sys.stderr)
sys.exit(run.wait())
PY
}
for glob in 'cache/work/.run.*/.lock' 'two/.envbuild-busy.*'; do
  expect 0 "a look at $glob is no hindrance" looked_at "$glob" \
    "$ENVBUILD" install -t host -q --engine none -p two
  says "it was looked at" "^held$"
done
printf '%d\n%s\n2026-01-01 00:00:00Z\n' 2147483646 "$(uname -n)" >two/.envbuild-busy
expect 0 "the mark of a dead process is no hindrance" install -p two
check "and goes" test ! -e two/.envbuild-busy
done_testing
