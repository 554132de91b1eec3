#!/bin/sh
# shellcheck disable=SC2086 # $root and $more are lists of options
# What a hostile test script tries (tests/tools/escape.c), and what it may use up: as root and as an
# ordinary user, on this machine's root and on one of glibc 2.17; once through `envbuild test`.
# timeout: 240
. "$(dirname "$0")/../lib.sh"
need setpriv musl-gcc unshare python3

tool=$ENVBUILD_TOOLS/sandbox
[ -x "$tool" ] || skip_all "no test tool 'sandbox'"
user=65531
chmod 755 "$T"
mkdir "$T/bin" "$T/state" "$T/user" "$T/plant"
cp "$tool" "$T/bin/sandbox"
check "the tries are built" musl-gcc -static -O1 -D_GNU_SOURCE -o "$T/bin/escape" \
  "$ROOT/tests/tools/escape.c"
[ -x "$T/bin/escape" ] || done_testing

as_self() {
  TMPDIR=$T/state "$@"
}

as_user() {
  setpriv --reuid $user --regid $user --clear-groups \
    env HOME="$T/user" TMPDIR="$T/user" ENVBUILD_CACHE="$T/user/cache" "$@"
}

if ! as_self "$T/bin/sandbox" --probe 2>"$T/why"; then
  skip_all "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi

# --- what is there to be reached -------------------------------------------------------------

echo host-only >"$T/marker"
"$T/bin/escape" host "$T" &
host=$!
defer "kill $host 2>/dev/null; wait $host 2>/dev/null"
shm=/dev/shm/envbuild-escape
(set -C && echo host-only >$shm) 2>/dev/null || skip_all "$shm is there already"
defer "rm -f $shm"
n=0
until [ -f "$T/offer" ] || [ $n = 100 ]; do
  n=$((n + 1))
  sleep 0.05
done
offer=$(cat "$T/offer")
nice_before=$(ps -o ni= -p $host)

# What root of this machine might have left in a folder of the job's.
for name in setuid other capable; do
  cp "$T/bin/escape" "$T/plant/$name"
done
if [ "$(id -u)" = 0 ]; then
  chown 12345 "$T/plant/other"
  "$T/bin/escape" plant "$T/plant/capable" || skip "file capabilities" "none on this file system"
  mknod "$T/plant/null" c 1 3
  chmod 666 "$T/plant/null"
else
  : >"$T/plant/null"
  chmod 0 "$T/plant/null"
fi
chmod 4755 "$T/plant/setuid" "$T/plant/other"
chmod 755 "$T/plant"

# --- the tries ---------------------------------------------------------------------------------

# in_box OPTION... -- COMMAND...: with the tries at /escape
in_box() {
  $as "$T/bin/sandbox" $root --ro "$T/bin/escape:/escape" --rw "$T/plant:/plant" "$@"
}

tries() {
  for net in off on; do
    more=
    [ $net = off ] || more=--net
    checker "$who, network $net: the tries" in_box $more -- /escape try $offer $net
    if [ "$(grep -c '^ok ' "$T/.results")" -lt 140 ]; then
      fail "$who, network $net: every try was made" "$(tail -n 3 "$T/.results")"
    fi
    # by design it was the port that the network leads to
    [ $net = off ] || rm -f "$T/reached"
  done
  same "$who: nobody came to the host's sockets" "$(ls "$T/reached" 2>&1)" \
    "ls: cannot access '$T/reached': No such file or directory"
  same "$who: the host's file is what it was" "$(cat "$T/marker" $shm)" "host-only
host-only"
  check "$who: the host's process lives" kill -0 $host
  same "$who: as it was" "$(ps -o ni= -p $host)" "$nice_before"
}

# --- time and processes -------------------------------------------------------------------------

ends() {
  marker=$(($$ + 200000))
  expect 124 "$who: deaf processes in sessions of their own end with the time limit" \
    in_box --timeout 1 -- /escape outlive $marker
  expect 0 "$who: and with the job" in_box -- sh -c "/escape outlive $marker & echo begun"
  same "$who: none is left" "$(pgrep -f "^sleep $marker")" ""
}

# --- how much ------------------------------------------------------------------------------------

processes() {
  most=$(($(getconf _NPROCESSORS_ONLN) * 256))
  [ $most -gt 4096 ] || most=4096
  expect 0 "$who: a fork bomb" in_box --processes 600 -- /escape bomb
  got=$(cat "$T/out")
  if [ "${got:-0}" -gt 500 ] && [ "$got" -lt 600 ]; then
    ok "$who: ends with the limit"
  else
    fail "$who: ends with the limit" "600 asked for, $got made"
  fi
  expect 0 "$who: threads" in_box --processes 600 -- /escape threads
  got=$(cat "$T/out")
  if [ "${got:-0}" -gt 500 ] && [ "$got" -lt 600 ]; then
    ok "$who: count too"
  else
    fail "$who: count too" "600 asked for, $got made"
  fi
  expect 0 "$who: without a limit given" in_box -- /escape bomb
  got=$(cat "$T/out")
  if [ "${got:-0}" -gt 3500 ] && [ "$got" -lt $most ]; then
    ok "$who: it is that of the sandbox"
  else
    fail "$who: it is that of the sandbox" "$got made"
  fi
}

# The ways of kernels before 6.14, which this one says that it is.
old_kernel() {
  if ! setarch "$(uname -m)" --uname-2.6 true 2>/dev/null; then
    skip "$who: on an older kernel" "this one cannot say that it is"
    return
  fi
  expect 0 "$who: a fork bomb on an older kernel" $as setarch "$(uname -m)" --uname-2.6 \
    "$T/bin/sandbox" $root --ro "$T/bin/escape:/escape" --processes 600 -- /escape bomb
  got=$(cat "$T/out")
  if [ "${got:-0}" -gt 500 ] && [ "$got" -le 600 ]; then
    ok "$who: ends with the limit, too"
  elif grep -q 'no control group can be made' "$T/err"; then
    skip "$who: ends with the limit, too" "no control group can be made on this machine"
  else
    fail "$who: ends with the limit, too" "600 asked for, $got made
$(cat "$T/err")"
  fi
  # one that a killed run has left is removed by the next, and the next has none
  for place in /sys/fs/cgroup/pids /sys/fs/cgroup; do
    mkdir "$place/envbuild.4194303.0" 2>/dev/null && break
  done
  $as setarch "$(uname -m)" --uname-2.6 "$T/bin/sandbox" $root -- true
  if [ "$as" = as_user ]; then
    rmdir "$place/envbuild.4194303.0" 2>/dev/null
  fi
  same "$who: no control group is left" "$(find $place -maxdepth 1 -name 'envbuild.*')" ""
}

# The wildest one on two cores: what this machine does meanwhile.
responsive() {
  in_box --timeout 1 --processes 1500 -- /escape wild >/dev/null 2>"$T/err" &
  wild=$!
  sleep 0.5
  slowest=$(python3 -c '
import subprocess, time
worst = 0
for _ in range(8):
    t = time.monotonic()
    subprocess.run(["true"], check=True)
    worst = max(worst, time.monotonic() - t)
    time.sleep(0.05)
print(round(worst * 1000))')
  wait $wild
  same "$who: a wild fork bomb ends with the time limit" $? 124
  echo "# $who: a process took ${slowest} ms at most meanwhile"
  check "$who: and this machine works" test "$slowest" -lt 3000
  same "$who: nothing of it is left" "$(pgrep -f '^/escape wild')" ""
}

used_on_disk() {
  du -sk "$home" | cut -f 1
}

sizes() {
  before=$(used_on_disk)
  expect 0 "$who: a file of 100 GB without content" in_box --throw "$home/project:/tmp/project" \
    -- sh -c 'mkdir -p /opt; for f in /tmp/sparse /tmp/project/sparse /opt/sparse; do
      dd if=/dev/zero of=$f bs=1 count=1 seek=107374182399 2>/dev/null && ls -l $f; done'
  same "$who: can be made" "$(grep -c 107374182400 "$T/out")" 3
  same "$who: and costs nothing" "$(used_on_disk)" "$before"

  # 32 MB for all of these together, not for each
  expect 0 "$who: a quota" in_box --bytes 32000000 --throw "$home/project:/tmp/project" \
    --throw "$home/file:/tmp/file" -- sh -c '
      for f in /tmp/a /dev/shm/b /tmp/project/c /opt/d /run/e /tmp/file /tmp/project/one /var/tmp/f; do
        dd if=/dev/zero bs=65536 count=77 2>>/tmp/why >>$f || echo "no space for $f"
      done
      cat /tmp/a /dev/shm/b /tmp/project/[co]* /opt/d /run/e /tmp/file /var/tmp/f | wc -c
      grep -c "No space" /tmp/why'
  total=$(sed -n '/^[0-9]\{6,\}$/p' "$T/out")
  if [ "${total:-0}" -gt 31000000 ] && [ "$total" -le 32000000 ]; then
    ok "$who: holds to the page"
  else
    fail "$who: holds to the page" "$(cat "$T/out" "$T/err")"
  fi
  says "$who: what is beyond fails" '^no space for ' "$T/out"
  says "$who: the caller is told" '^full$'
  says "$who: and what was changed" '^changed /tmp/project: c$'
  same "$who: nothing is on the disk" "$(used_on_disk)" "$before"
  same "$who: the original is as it was" "$(cat "$home/project/one" "$home/file")" "one
file"
  expect 0 "$who: many small files" in_box --bytes 8000000 -- sh -c '
    i=0; while true >/tmp/f$i; do i=$((i + 1)); done 2>/dev/null; test $i -lt 60000' 2>/dev/null
  expect 0 "$who: what fits is not said to be full" in_box --bytes 8000000 -- sh -c \
    'echo x >/tmp/x'
  same "$who: nothing is said" "$(cat "$T/err")" ""
  $as "$T/bin/sandbox" $root --bytes 32000000 --throw "$home/project:/tmp/project" -- \
    sh -c 'dd if=/dev/zero of=/tmp/project/x bs=65536 count=400 2>/dev/null; sleep 0.6' 2>/dev/null &
  job=$!
  sleep 0.4
  now=$(used_on_disk)
  check "$who: meanwhile the disk is as it was, too" test $((now - before)) -lt 1000
  wait $job
  left=$(find "$home" -mindepth 1 -name 'run.*' -o -mindepth 1 -name 'envbuild-*')
  same "$who: no folder is left" "$left" ""
}

everything() {
  mkdir -p "$home/project"
  echo one >"$home/project/one"
  echo file >"$home/file"
  [ $as = as_self ] || chown -R $user:$user "$home"
  tries
  ends
  processes
  old_kernel
  responsive
  sizes
}

# --- once for all: the command ---------------------------------------------------------------------

command() {
  mkdir -p "$home/work/demo/conda-meta"
  : >"$home/work/demo/conda-meta/history"
  cp "$T/bin/escape" "$home/work/escape"
  cp -p "$T/plant/setuid" "$T/plant/other" "$T/plant/capable" "$home/work/"
  printf '%s\n' "ln -s /tmp/project /plant" "/tmp/project/escape try $offer off" >"$home/work/try.sh"
  printf '%s\n' "dd if=/dev/zero of=/tmp/x bs=65536 count=4000" >"$home/work/fill.sh"
  echo "/tmp/project/escape bomb" >"$home/work/bomb.sh"
  [ $as = as_self ] || chown -R $user:$user "$home/work"
  cd "$home/work" || exit 1
  expect 0 "$who: envbuild test with such a script" $as "$ENVBUILD" test demo --test try.sh --offline
  grep -E '^(ok|fail) ' "$T/err" >"$T/lines"
  same "$who: nothing is done" "$(grep '^fail ' "$T/lines" | grep -v '/plant/null')" ""
  check "$who: every try was made" test "$(grep -c '^ok ' "$T/lines")" -ge 140
  expect 6 "$who: envbuild test over its quota" $as "$ENVBUILD" test demo --test fill.sh --quota 32M
  says "$who: names the option" 'error: .*failed with status 1 and had written all that --quota'
  says "$who: and the way out" 'hint: give it more space with --quota'
  expect 0 "$who: envbuild test --max-processes" $as "$ENVBUILD" test demo --test bomb.sh \
    --max-processes 500
  check "$who: is the limit" test "$(grep -E '^[0-9]+$' "$T/err")" -lt 500
  expect 2 "$who: a quota beyond the memory" $as "$ENVBUILD" test demo --test fill.sh --quota 900T
  says "$who: is refused with the most there is" 'kept in memory, and half of it is [0-9.]+ .B here'
  expect 2 "$who: a limit that nothing runs in" $as "$ENVBUILD" test demo --test fill.sh \
    --max-processes 3
  cd / || exit 1
}

as=as_self
home=$T/state
root=
who="$(id -un), on /"
everything
command

old=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why") || {
  skip "on a root of glibc 2.17" "$(cat "$T/why")"
  old=
}
if [ -n "$old" ]; then
  root="--target rhel7 --root $old"
  who="$(id -un), on glibc 2.17"
  everything
fi

if [ "$(id -u)" != 0 ]; then
  skip "as another user" "needs root"
  done_testing
fi
as=as_user
home=$T/user
chown $user:$user "$home"
if ! as_user "$T/bin/sandbox" --probe 2>"$T/why"; then
  skip "as an ordinary user" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
  done_testing
fi
root=
who="user, on /"
everything
if as_user "$ENVBUILD" --version >/dev/null 2>&1; then
  command
else
  skip "$who: envbuild test" "an ordinary user cannot read the program"
fi
if [ -n "$old" ]; then
  # unpacked by that user, as images are
  cp -a "$old" "$T/old"
  chown -R $user:$user "$T/old"
  root="--target rhel7 --root $T/old"
  who="user, on glibc 2.17"
  everything
fi
done_testing
