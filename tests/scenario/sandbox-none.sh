#!/bin/sh
# Engine none, falling back to it, what a refused sandbox says, and what killed runs leave.
# timeout: 120
. "$(dirname "$0")/../lib.sh"

tool=$ENVBUILD_TOOLS/sandbox
[ -x "$tool" ] || skip_all "no test tool 'sandbox'"
mkdir "$T/state" "$T/project" "$T/bin"
cp "$tool" "$T/bin/sandbox"
tool=$T/bin/sandbox
echo one >"$T/project/one"

none() {
  "$tool" --engine none --state "$T/state" "$@"
}

# --- binds are links ---------------------------------------------------------------------------
there=$T/there/a/b
expect 3 "a job runs directly" none --rw "$T/project:$there/project" --cwd "$there/project" \
  --env PATH=/usr/bin:/bin --env ONLY=this -- sh -c 'cat one; env; echo two >two; exit 3'
same "its folder is the project" "$(head -n 1 "$T/out")" one
same "its environment is the job's" "$(sed -n '/^ONLY/p; /^HOME/p' "$T/out")" ONLY=this
same "it writes to the folder itself" "$(cat "$T/project/two")" two
same "links and their folders are gone" "$(ls "$T")" "bin
err
out
project
state"
rm "$T/project/two"

expect 0 "a throw-away folder is a copy" none --throw "$T/project:$there/project" -- \
  sh -c "cd $there/project && echo x >>one && mkdir d && touch d/f"
says "its changes are listed" "^changed $there/project: d/f\$"
same "and not made" "$(cat "$T/project/one"; ls "$T/project")" "one
one"
expect 0 "a bind at its own place" none --rw "$T/project:$T/project" -- test -f "$T/project/one"

expect 0 "a throw-away folder at its own place is used there" none --throw "$T/project:$T/project" -- \
  sh -c "echo stays >'$T/project/three'"
says "a note says that changes stay" "'$T/project' is used where it lies"
same "and they do" "$(cat "$T/project/three")" stays
rm "$T/project/three"
mkdir "$T/like" && cp "$T/project/one" "$T/like/one" && chmod 755 "$T/like/one"
expect 0 "to be read, a file like it will do" none --ro "$T/project/one:$T/like/one" -- cat "$T/like/one"
echo other >"$T/like/one"
expect 125 "but none with other bytes" none --ro "$T/project/one:$T/like/one" -- true
rm -r "$T/like"

mkdir -p "$T/taken/project"
expect 125 "a place that is not free" none --rw "$T/project:$T/taken/project" -- true
says "is named" "'$T/taken/project' is not free"
same "and left alone" "$(find "$T/taken")" "$T/taken
$T/taken/project"
rm -r "$T/taken"

# --- ends ----------------------------------------------------------------------------------------
marker=$(($$ + 200000))
expect 124 "the time limit" none --timeout 1 -- sh -c "setsid sleep $marker & sleep $marker"
expect 0 "a job that leaves a process" none -- sh -c "setsid sleep $marker & exit 0"
same "they are ended" "$(pgrep -f "^sleep $marker")" ""
expect 137 "a signal" none -- sh -c 'kill -9 $$'
expect 125 "a missing command" none -- /no/such

for engine in none builtin; do
  if [ $engine = builtin ] && ! "$tool" --probe 2>"$T/why"; then
    skip "a killed run in the sandbox" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
    continue
  fi
  # a group of its own: an init that does not reap would leave a zombie in ours
  setsid "$tool" --engine $engine --state "$T/state" --throw "$T/project:$T/there/project" -- \
    sh -c "sleep $marker; echo" &
  n=0
  until pgrep -f "^sleep $marker" >/dev/null || [ $n = 200 ]; do
    n=$((n + 1))
    sleep 0.05
  done
  kill -9 "$(pgrep -o -f "^$tool .*$marker")"
  wait 2>/dev/null
  n=0
  while pgrep -f "^sleep $marker" >/dev/null && [ $n -lt 100 ]; do
    n=$((n + 1))
    sleep 0.05
  done
  same "killed under $engine: the job is gone too" "$(pgrep -f "^sleep $marker")" ""
  expect 0 "killed under $engine: the next run works" "$tool" --engine $engine \
    --state "$T/state" --throw "$T/project:$T/there/project" -- true
  same "killed under $engine: links and folders are gone" "$(ls -A "$T/state")$(ls -d "$T"/there*)" ""
done

# SIGKILL at any moment: what is left is removed by the next run, and nothing else is.
cp -a "$T/project" "$T/before"
for engine in none builtin; do
  if [ $engine = builtin ] && ! "$tool" --probe 2>/dev/null; then
    continue
  fi
  for ms in 001 002 003 005 008 010 012 015 018 020 025 030 040 060; do
    setsid "$tool" --engine $engine --state "$T/state" --throw "$T/project:$T/there/project" -- \
      sh -c "echo x >$T/there/project/one; rm -f $T/there/project/two; sleep 0.02" &
    pid=$!
    sleep 0.$ms
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
  done
  # a killed run's children hold its lock for the moment that they take to die
  sleep 1
  expect 0 "after many killed runs under $engine" "$tool" --engine $engine --state "$T/state" \
    --throw "$T/project:$T/there/project" -- true
  same "nothing of them is left ($engine)" "$(ls -A "$T/state")$(ls -d "$T"/there* 2>/dev/null)" ""
  check "the project is as it was ($engine)" diff -r "$T/project" "$T/before"
  same "no mount is left ($engine)" "$(grep -c "$T" /proc/self/mounts)" 0
done

# A running engine's folder is not stale.
none -- sh -c "sleep 2; exit 0" &
running=$!
sleep 0.5
expect 0 "a second run beside it" none -- true
same "the first one's folder stays" "$(find "$T/state" -name 'run.*' | wc -l)" 1
expect 0 "the first one ends well" wait $running
same "nothing is left" "$(ls -A "$T/state")" ""

# --- what may run where --------------------------------------------------------------------------
cat >"$T/newer.yml" <<'END'
name: newer
subdir: linux-64
virtual-packages: [__glibc=2.99]
END
expect 125 "none on a machine that is too old" none --target "$T/newer.yml" -- true
says "says both versions" "says 2.99"
expect 0 "none on a machine that is new enough" none --target rhel7 -- true
says "warns that it is newer" "newer than target 'rhel7' \\(2.17\\)"
expect 125 "a target without a root" "$tool" --target rhel7 -- true
says "asks for one" "image DIR"
expect 125 "none with another root" none --target rhel7 --root "$T" -- true
mkdir "$T/empty"
expect 125 "a root without a C library" "$tool" --target rhel7 --root "$T/empty" -- true
says "says so" "there is no glibc"
sed 's/linux-64/linux-s390x/' "$T/newer.yml" >"$T/other.yml"
expect 125 "a target of another machine" "$tool" --target "$T/other.yml" --root / -- true
says "names it" "linux-s390x"

# --- refusals ------------------------------------------------------------------------------------
if "$tool" --probe 2>"$T/why" && unshare -Urmpf --mount-proc true 2>/dev/null; then
  expect 125 "no user namespaces allowed" unshare -Urmpf --mount-proc sh -c \
    "echo 0 >/proc/sys/user/max_user_namespaces; '$tool' --probe"
  said "names the setting" "sysctl -w user.max_user_namespaces"
  expect 0 "then host runs directly" unshare -Urmpf --mount-proc sh -c \
    "echo 0 >/proc/sys/user/max_user_namespaces; '$tool' -- echo direct"
  same "it does" "$(cat "$T/out")" direct
  said "with a warning" "warning: the sandbox cannot make namespaces"
  expect 125 "but not where the sandbox was asked for" unshare -Urmpf --mount-proc sh -c \
    "echo 0 >/proc/sys/user/max_user_namespaces; '$tool' --engine builtin -- echo direct"
  expect 125 "a hidden part of /proc" unshare -Urmpf --mount-proc sh -c \
    "mount --bind /dev/null /proc/cpuinfo && '$tool' --probe"
  said "is the reason" "cannot mount /proc: parts of it are hidden"
  # inside our own sandbox a filter refuses namespaces, as in a container (and the leak check of a
  # sanitizer build, which uses ptrace)
  expect 0 "a sandbox in a sandbox" "$tool" --ro "$tool:/tmp/inner" --env PATH=/usr/bin:/bin \
    --env ASAN_OPTIONS=detect_leaks=0 -- \
    sh -c '/tmp/inner --probe || /tmp/inner -- echo inner'
  said "names the filter" "a seccomp filter"
  same "and runs directly" "$(cat "$T/out")" inner
else
  skip "refusals" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi
done_testing
