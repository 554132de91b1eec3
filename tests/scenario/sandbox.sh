#!/bin/sh
# shellcheck disable=SC2086 # $root and $more are lists of options
# The sandbox: what a job sees, cannot do and leaves behind; as root and as an ordinary user, on
# this machine's root and on one of glibc 2.17.
# timeout: 300
. "$(dirname "$0")/../lib.sh"
need setpriv

tool=$ENVBUILD_TOOLS/sandbox
[ -x "$tool" ] || skip_all "no test tool 'sandbox'"
user=65533
chmod 755 "$T"
mkdir "$T/bin" "$T/state"
cp "$tool" "$T/bin/sandbox"

as_self() {
  TMPDIR=$T/state "$@"
}

as_user() {
  setpriv --reuid $user --regid $user --clear-groups \
    env HOME="$T/user" TMPDIR="$T/user" "$@"
}

if ! as_self "$T/bin/sandbox" --probe 2>"$T/why"; then
  skip_all "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi

# Anybody may make links in /tmp.
mkdir "$T/shared" "$T/elsewhere" && ln -s ../elsewhere "$T/shared/envbuild-$(id -u)"
expect 125 "a link in place of the folder in TMPDIR" env TMPDIR="$T/shared" "$T/bin/sandbox" -- true
says "is named" "envbuild-$(id -u)'"
says "with a way out" 'hint: .*TMPDIR'
same "and not followed" "$(ls -A "$T/elsewhere")" ""

# is NAME PATTERN: the last job's output is that
is() {
  if grep -q -E -e "$2" "$T/out"; then
    ok "$1"
  else
    fail "$1" "no '$2' in:
$(cat "$T/out" "$T/err")"
  fi
}

is_not() {
  if grep -q -E -e "$2" "$T/out" "$T/err"; then
    fail "$1" "'$2' in:
$(cat "$T/out" "$T/err")"
  else
    ok "$1"
  fi
}

# job STATUS NAME [OPTION...] -- SCRIPT
job() {
  job_status=$1
  job_name="$who: $2"
  shift 2
  expect "$job_status" "$job_name" $as "$T/bin/sandbox" $root "$@"
}

nothing_left() {
  left=$(find "$home" -mindepth 1 -name 'run.*' -o -mindepth 1 -name 'envbuild-*')
  same "$who: no folder is left" "$left" ""
}

isolation() {
  job 0 "a job runs" -- sh -c 'id -u; hostname; echo $$; pwd; env | sort'
  is "$who: it is root in there" '^0$'
  is "$who: the host name is not ours" '^envbuild$'
  is_not "$who: the environment is the job's" '^HOME='
  job 0 "no capabilities, no new privileges, a filter" -- \
    grep -E '^(CapEff|CapPrm|CapBnd|CapInh|CapAmb|NoNewPrivs|Seccomp):' /proc/self/status
  is_not "$who: no capability at all" '^Cap.*[1-9a-f]$'
  is "$who: no_new_privs is set" '^NoNewPrivs:.1$'
  is "$who: a filter is there" '^Seccomp:.2$'
  job 0 "a job sees only its own processes" -- sh -c 'ls /proc | grep -c "^[0-9]"'
  is "$who: few processes" '^[1-5]$'
  job 0 "few devices" -- sh -c 'ls /dev; echo x >/dev/null; head -c 4 /dev/urandom | wc -c'
  is_not "$who: no disk and no kernel memory" '^(sd|vd|nvme|loop|mem|kmsg|kvm)'
  job 0 "/tmp is its own" -- sh -c 'ls -A /tmp; echo x >/tmp/x; ls -A /run'
  same "$who: and empty" "$(cat "$T/out")" ""
  job 0 "the root can be written to, and is thrown away" -- \
    sh -c 'mkdir -p /opt/made-by-a-test && echo yes >/opt/made-by-a-test/f && cat /opt/made-by-a-test/f'
  job 1 "the next job does not see it" -- test -e /opt/made-by-a-test
  same "$who: this machine neither" "$(find /opt -maxdepth 1 -name made-by-a-test)" ""
}

# Each must fail; the script says which did not.
escapes() {
  job 0 "nothing leads out" -- sh -c '
    no() { "$@" >/dev/null 2>&1 && echo "DONE: $*"; }
    no ls /proc/1/root/
    no readlink /proc/1/fd/0
    no readlink /proc/1/cwd
    no head -c 1 /proc/1/maps
    no head -c 1 /proc/1/mem
    no cat /proc/1/environ
    no mount -t tmpfs none /mnt
    no mount -o remount,rw /proc/sys
    no umount /proc
    no umount /tmp
    no chroot / true
    no mknod /tmp/disk b 8 0
    no unshare -U true
    no unshare -r true
    no chown 12345 /tmp
    no hostname other
    no sh -c "echo x >/proc/sys/kernel/core_pattern"
    no sh -c "echo x >/proc/sys/kernel/hostname"
    no sh -c "echo b >/proc/sysrq-trigger"
    no sh -c "test -s /proc/kcore && head -c 1 /proc/kcore | grep ."
    no sh -c "echo 1 >/sys/devices/system/cpu/cpu1/online"
    no reboot -f
    no dmesg
    kill -9 1; echo still'
  is_not "$who: every try fails" '^DONE'
  is "$who: pid 1 is not killed" '^still$'
  if [ -n "$(command -v python3)" ] && [ -z "$root" ]; then
    job 0 "system calls are refused" --env PATH=/usr/bin:/bin -- python3 -c '
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
calls = {"mount": 165, "umount2": 166, "pivot_root": 155, "setns": 308, "ptrace": 101, "bpf": 321,
    "keyctl": 250, "add_key": 248, "perf_event_open": 298, "kexec_load": 246, "init_module": 175,
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "mount_setattr": 442, "reboot": 169,
    "process_vm_readv": 310, "userfaultfd": 323, "open_by_handle_at": 304}
for name, nr in calls.items():
    r = libc.syscall(nr, 0, 0, 0, 0, 0, 0)
    if r != -1 or ctypes.get_errno() != errno.EPERM:
        print("DONE:", name, r, ctypes.get_errno())
for name, nr in {"clone3": 435, "io_uring_setup": 425}.items():
    if libc.syscall(nr, 0, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() != errno.ENOSYS:
        print("DONE:", name)
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
    if libc.syscall(272, flag) != -1 or libc.syscall(56, flag | 17, 0, 0, 0, 0) != -1:
        print("DONE: namespace", hex(flag))
if libc.syscall(135, 0x0040000) != -1:
    print("DONE: personality")
if libc.ioctl(0, 0x5412, b"x") != -1:
    print("DONE: TIOCSTI")
try:
    os.setuid(12345)
    print("DONE: setuid")
except OSError:
    pass
os.posix_spawn("/bin/true", ["true"], {})
print("end")'
    is_not "$who: no call gets through" '^DONE'
    is "$who: and the job lives" '^end$'
  fi
}

network() {
  job 0 "without network there is the loopback only" -- \
    sh -c 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " "; cat /proc/net/fib_trie | grep -c 127.0.0.1'
  same "$who: one interface" "$(head -n 1 "$T/out")" lo
  is "$who: which is up" '^[1-9]'
  job 0 "with network it is this machine's" --net -- \
    sh -c 'tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d " " | sort'
  same "$who: the interfaces" "$(cat "$T/out")" \
    "$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ' | sort)"
  if [ -s /etc/resolv.conf ]; then
    job 0 "with network names can be resolved" --net -- cat /etc/resolv.conf
    same "$who: as here" "$(cat "$T/out")" "$(cat /etc/resolv.conf)"
  fi
}

ends() {
  job 7 "the exit status comes back" -- sh -c 'exit 7'
  job 137 "and a signal" -- sh -c 'kill -9 $$'
  job 125 "a missing command is an error" -- /no/such/command
  job 125 "and a missing folder" --cwd /no/such -- true
  job 0 "output through a pipe" --pipe -- sh -c 'echo out; echo err >&2'
  same "$who: both streams" "$(cat "$T/out")" "out
err"
  marker=$(( $$ + 100000 ))
  job 124 "the time limit" --timeout 1 -- sh -c "sleep $marker & sleep $marker"
  job 0 "a job that leaves processes" --pipe -- sh -c "setsid sleep $marker & echo begun"
  same "$who: they are gone" "$(pgrep -f "^sleep $marker")" ""
  # a group of its own: an init that does not reap would leave a zombie in ours
  $as setsid "$T/bin/sandbox" $root --throw "$home/project:/tmp/project" -- \
    sh -c "sleep $marker; echo" &
  n=0
  until pgrep -f "^sleep $marker" >/dev/null || [ $n = 100 ]; do
    n=$((n + 1))
    sleep 0.05
  done
  # the oldest is the tool, the other its pid 1
  kill -9 "$(pgrep -o -f "^$T/bin/sandbox .*$marker")"
  wait 2>/dev/null
  n=0
  while pgrep -f "^sleep $marker" >/dev/null && [ $n -lt 100 ]; do
    n=$((n + 1))
    sleep 0.05
  done
  same "$who: a killed envbuild takes its job along" "$(pgrep -f "^sleep $marker")" ""
  job 0 "the next run" -- true
  nothing_left
}

binds() {
  rm -rf "$home/project" "$home/prefix" "$home/file"
  mkdir -p "$home/project/sub" "$home/prefix/d/e"
  echo one >"$home/project/one"
  echo two >"$home/project/sub/two"
  echo three >"$home/project/sub/three"
  ln -s one "$home/project/link"
  echo text >"$home/file"
  if [ "$as" = as_user ]; then
    chown -R $user:$user "$home"
  fi
  before=$(cd "$home/project" && find . | sort | xargs ls -ld --time-style=full-iso; cat "$home/file")
  job 0 "a throw-away folder can be changed" --throw "$home/project:/tmp/project" \
    --throw "$home/file:/tmp/a/file" -- \
    sh -c 'cd /tmp/project && echo new >>one && rm sub/two && touch sub/three && mkdir made &&
      touch made/x && ln -sf sub link && cat one && ls made && echo more >>/tmp/a/file'
  same "$who: its changes are listed" "$(cat "$T/err")" "changed /tmp/project: link
changed /tmp/project: made
changed /tmp/project: made/x
changed /tmp/project: one
changed /tmp/project: sub/two
changed /tmp/a/file: ."
  same "$who: and not made" "$before" \
    "$(cd "$home/project" && find . | sort | xargs ls -ld --time-style=full-iso; cat "$home/file")"
  job 0 "nothing changed is nothing listed" --throw "$home/project:/tmp/project" -- \
    sh -c 'cat /tmp/project/one /tmp/project/sub/*; touch /tmp/project/one'
  same "$who: no change" "$(cat "$T/err")" ""
  job 0 "a folder that is removed and made again" --throw "$home/project:/tmp/project" -- \
    sh -c 'cd /tmp/project && rm -r sub && mkdir sub && ls sub | wc -l'
  is "$who: is empty" '^0$'
  is_not "$who: its files" '^two'
  for more in "" "--bytes 10000000"; do
    job 0 "a folder that is locked${more:+, under a quota}" $more \
      --throw "$home/project:/tmp/project" -- \
      sh -c 'cd /tmp/project && mkdir d && echo x >d/x && chmod 0 d sub'
    same "$who: what it holds is listed, too" "$(cat "$T/err")" "changed /tmp/project: d
changed /tmp/project: d/x
changed /tmp/project: sub"
  done
  job 0 "a read-write bind is the folder itself" --rw "$home/prefix:/opt/a/long/prefix" -- \
    sh -c 'cd /opt/a/long/prefix && mv d f && echo x >f/e/g && ln f/e/g h'
  same "$who: folders can be renamed there" "$(cat "$home/prefix/f/e/g" "$home/prefix/h")" "x
x"
  same "$who: what is made belongs to the caller" "$(stat -c %u "$home/prefix/f/e/g")" \
    "$($as id -u)"
  job 9 "a read-only bind" --ro "$home/prefix:/opt/p" -- \
    sh -c 'cat /opt/p/h; (echo y >/opt/p/h) || exit 9'
  is "$who: can be read" '^x$'
  same "$who: and not written" "$(cat "$home/prefix/h")" x
  job 0 "binds over files and below missing folders" --ro "$home/file:/etc/hosts" \
    --ro "$home/file:/usr/share/a/b/c" --ro "$home/file:/new/top/file" -- \
    cat /etc/hosts /usr/share/a/b/c /new/top/file
  same "$who: are all there" "$(cat "$T/out")" "text
text
text"
  if [ "$(id -u)" = 0 ]; then
    # as in a shared project: the sandbox has no such group or user
    chown 12345:12345 "$home/project/sub/three"
    chmod 666 "$home/project/sub/three"
    job 0 "a throw-away folder with files of others" --throw "$home/project:/tmp/project" -- \
      sh -c 'cd /tmp/project && echo x >>sub/three && echo y >>one'
    same "$who: its changes" "$(cat "$T/err")" "changed /tmp/project: one
changed /tmp/project: sub/three"
    same "$who: are thrown away" "$(cat "$home/project/sub/three")" three
  fi
  # the state folder lies in the project: an overlay cannot hold its own layer
  job 0 "a throw-away folder that holds the state folder" --state "$home/project/.state" \
    --throw "$home/project:/tmp/project" -- sh -c 'ls -A /tmp/project; echo z >>/tmp/project/one'
  same "$who: its change" "$(cat "$T/err")" "changed /tmp/project: one"
  is_not "$who: the state is not copied" 'state'
  job 125 "a source that is missing" --ro "$home/missing:/tmp/x" -- true
}

start_time() {
  $as "$T/bin/sandbox" $root --times 20 -- /bin/true 2>"$T/ms"
  echo "# $who: $(tail -n 1 "$T/ms") to start and end a command"
}

everything() {
  mkdir -p "$home/project"
  isolation
  escapes
  network
  binds
  ends
  start_time
}

as=as_self
home=$T/state
root=
who="$(id -un), on /"
everything

old=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why")
case $? in
  0)
    root="--target rhel7 --root $old"
    who="$(id -un), on glibc 2.17"
    everything
    job 0 "the C library is the root's" -- sh -c '/lib64/libc.so.6 | head -n 1'
    is "$who: 2.17" 'release version 2\.17'
    ;;
  *)
    skip "on a root of glibc 2.17" "$(cat "$T/why")"
    ;;
esac

if [ "$(id -u)" = 0 ]; then
  as=as_user
  home=$T/user
  mkdir "$home"
  chown $user:$user "$home"
  if as_user "$T/bin/sandbox" --probe 2>"$T/why"; then
    root=
    who="user, on /"
    everything
    if [ -n "$old" ]; then
      # unpacked by that user, as images are
      cp -a "$old" "$T/old"
      chown -R $user:$user "$T/old"
      root="--target rhel7 --root $T/old"
      who="user, on glibc 2.17"
      everything
    fi
  else
    skip "as an ordinary user" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
  fi
else
  skip "as another user" "needs root"
fi
done_testing
