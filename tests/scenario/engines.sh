#!/bin/bash
# timeout: 300
# The same jobs and the same archive from the sandbox as root and as an ordinary user, from podman
# and from docker; how they end, and that nothing outlives them. `make test-engines` does more.
. "$(dirname "$0")/../lib.sh"
need setpriv python3 zstd gcc
[ -x "$ENVBUILD_TOOLS/sandbox" ] || skip_all "no test tool 'sandbox'"
root=$("$ROOT/tests/tools/roots.sh" bookworm 2>"$T/root.err") || skip_all "$(tail -n 1 "$T/root.err")"
[ "$(id -u)" = 0 ] || skip_all "needs root, for dockerd and to become another user"
. "$ROOT/tests/tools/engines.sh"
unset ENVBUILD_ENGINE
mkdir "$T/bin" && cp "$ENVBUILD_TOOLS/sandbox" "$ENVBUILD" "$T/bin"
# One of its own, of which nothing may change
cp -a "$root" "$T/root" && root=$T/root
state_of_root() {
  (cd "$root" && find . -printf '%p %y %m %U:%G %s %l %T@\n' && find . -type f -exec sha256sum {} +) | sort
}
state_of_root >"$T/root.before"
start_podman && ok "podman works"
start_docker && ok "dockerd works"
tool=$T/bin/sandbox
ways="builtin user ${podman:+podman} ${docker:+docker}"

# run WAY OPTION... -- COMMAND...: one job; the folders of a way are its own
run() {
  local way=$1
  shift
  case $way in
  user) as_user "$tool" --engine builtin --root "$root" --state "$T/user/state" "$@" ;;
  *) "$tool" --engine "$way" --root "$root" --state "$engines/state" "$@" ;;
  esac
}
place() {
  case $1 in
  user) echo "$T/user/$2" ;;
  *) echo "$engines/$1.$2" ;;
  esac
}

# --- a job ---------------------------------------------------------------------------------------
# What a job sees of its folders, variables, user, network and limits, and what it may do.
cat >"$T/see.sh" <<'END'
exec 2>&1
echo "user $(id -u), $(pwd), $(cat /proc/sys/kernel/hostname), umask $(umask)"
env | grep -v -e ^PWD= -e ^OLDPWD= -e ^SHLVL= -e ^_= | sort
grep -E '^(Cap|NoNew|Seccomp:)' /proc/self/status
echo "cores $(ulimit -c)"
cat one; rm one; echo new >new; mkdir deep; echo x >deep/x; chmod 600 kept; mv moved elsewhere
rm -r full; mkdir full
cat /ro/one; touch /ro/new && echo "read-only is not"
echo done >/rw/done; umask 077; echo secret >/rw/secret
echo x >/tmp/x; ls -A /tmp; printf '#!/bin/sh\necho runs in /tmp\n' >/tmp/x; chmod +x /tmp/x; /tmp/x
mkdir /opt/made; echo x >/opt/made/x; cat /opt/made/x
cat '/a, "b"/one'
sort /proc/net/dev | sed -n 's/^ *\(.*\):.*/network \1/p' | grep -v -e tunl -e sit -e gre -e vti -e ip6
kill -9 1; mount -t tmpfs none /mnt && echo mounted; chroot / true && echo chrooted
readlink /proc/1/cwd; test -t 0 && echo "a terminal"; read -r line || echo "no input"
exit 7
END
for way in $ways; do
  folder=$(place "$way" folder)
  rw=$(place "$way" rw)
  mkdir "$folder" "$rw"
  for file in one kept moved; do
    echo $file >"$folder/$file"
  done
  mkdir "$folder/full" && echo x >"$folder/full/gone"
  [ "$way" != user ] || chown -R $user:$user "$folder" "$rw"
  expect 7 "$way: a job" run "$way" --pipe --throw "$folder:/work/here" --ro "$folder:/ro" \
    --ro "$folder:/a, \"b\"" --rw "$rw:/rw" --ro "$T/see.sh:/see.sh" --cwd /work/here \
    --env PATH=/usr/bin:/bin --env "LINES=one
two" --env EMPTY= --env 'QUOTED=a "b" $c' -- sh /see.sh
  cp "$T/out" "$T/saw.$way"
  cp "$T/err" "$T/changes.$way"
  same "$way: it sees what it does in the sandbox" "$(cat "$T/saw.$way")" "$(cat "$T/saw.builtin")"
  same "$way: the same changes" "$(grep ^changed "$T/changes.$way")" "$(grep ^changed "$T/changes.builtin")"
  same "$way: thrown away" "$(cat "$folder"/* "$folder"/*/* 2>/dev/null)" "kept
moved
one
x"
  same "$way: what it leaves is the caller's" "$(stat -c '%U %a %n' "$rw"/* | sed "s,$rw,,; s,UNKNOWN,root,")" \
    "root 644 /done
root 600 /secret"
  same "$way: and nobody else's" "$(stat -c %u "$rw"/* | sort -u)" "$([ "$way" = user ] && echo $user || echo 0)"
done
says "a job is root, without capabilities" '^user 0, /work/here, envbuild, umask 0022$' "$T/saw.builtin"
says "without the network" '^network lo$' "$T/saw.builtin"
same "what was changed is said" "$(sed -n 's/^changed //p' "$T/changes.builtin")" "/work/here: deep
/work/here: deep/x
/work/here: elsewhere
/work/here: full
/work/here: kept
/work/here: moved
/work/here: new
/work/here: one"

# --- how it ends -----------------------------------------------------------------------------------
marker=$(($$ + 300000))
gone() { # within three seconds
  for _ in $(seq 60); do
    pgrep -f "^sleep $marker" >/dev/null || return 0
    sleep 0.05
  done
  return 1
}
for way in $ways; do
  expect 137 "$way: a signal" run "$way" -- sh -c 'kill -9 $$'
  expect 125 "$way: a missing command" run "$way" -- /no/such
  says "$way: is named" "cannot run '/no/such'.*No such file"
  expect 126 "$way: a job's own 126" run "$way" -- sh -c 'exit 126'
  expect 124 "$way: the time limit" run "$way" --timeout 1 -- sh -c "sleep $marker & sleep $marker"
  check "$way: ends all of it" gone
  expect 0 "$way: what a job leaves running" run "$way" -- sh -c "setsid sleep $marker & exit 0"
  check "$way: ends with it" gone
  expect 3 "$way: its input and both its outputs" sh -c 'echo given | "$@"' sh \
    "$(command -v bash)" -c "$(declare -f run as_user); T='$T' user=$user tool='$tool' root='$root' engines='$engines'
      run $way --tty -- sh -c 'cat; echo err >&2; exit 3'"
  same "$way: arrive" "$(cat "$T/out") $(grep -c '^err$' "$T/err")" "given 1"
done
for way in $podman $docker; do
  expect 2 "$way: more processes than allowed" run "$way" --processes 400 --timeout 30 -- \
    sh -c 'n=0; while [ $n -lt 500 ]; do sleep 9 & n=$((n + 1)); done; echo all'
  expect 0 "$way: the network" run "$way" --net -- sh -c \
    'test "$(grep -c : /proc/net/dev)" -gt 1 && wc -c </etc/ssl/certs/ca-certificates.crt'
  same "$way: and whom this machine trusts" "$(cat "$T/out")" "$(wc -c </etc/ssl/certs/ca-certificates.crt)"
done

# --- a job that would not end so -------------------------------------------------------------------
endless() { # read more slowly than it is written
  run "$1" --pipe --timeout 1 -- sh -c 'yes & yes & yes; wait' | python3 -c '
import os, time
while os.read(0, 65536):
    time.sleep(0.05)'
  return "${PIPESTATUS[0]}"
}
for way in $ways; do
  SECONDS=0
  expect 124 "$way: output without an end" endless "$way"
  check "$way: ends, too" test $SECONDS -lt 10
done
for way in $podman $docker; do
  expect 0 "$way: a job" run "$way" -- ls -A /.envbuild
  same "$way: finds nothing by which its end is told" "$(cat "$T/out")" ""
  expect 124 "$way: one that says it ended well" run "$way" --timeout 1 -- \
    sh -c 'printf "\1\0\0\0\0\0\0\0\0\0\0\0envb" >/.envbuild/report; sleep 60'
  setsid "$tool" --engine "$way" --root "$root" --state "$engines/state" -- \
    sh -c "exec 9<>/.envbuild/life; exec sleep $marker" &
  pid=$!
  until pgrep -f "^sleep $marker" >/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
  kill -9 $pid
  wait $pid 2>/dev/null
  check "$way: one that holds on to what says that envbuild lives" gone
done

# Killed at any moment: the container goes at once, or with the next run.
waiting() { # what watches over containers of this test, once it had time to end
  for _ in $(seq 50); do
    pgrep -f "^[^ ]*conmon .*$engines" >/dev/null || return
    sleep 0.1
  done
  pgrep -a -f "^[^ ]*conmon .*$engines"
}
for way in $podman $docker; do
  folder=$(place "$way" folder)
  for moment in 10 25 made started; do
    setsid "$tool" --engine "$way" --root "$root" --state "$engines/state" --throw "$folder:/x" -- \
      sh -c "exec sleep $marker" &
    pid=$!
    if [ $moment = made ] && [ "$way" = podman ]; then
      until pgrep -f "^[^ ]*conmon .*$engines" >/dev/null || ! kill -0 $pid 2>/dev/null; do :; done
    elif [ $moment = made ]; then
      sleep 0.15
    elif [ $moment = started ]; then
      until pgrep -f "^sleep $marker" >/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    else
      sleep 0.$moment
    fi
    kill -9 $pid
    wait $pid 2>/dev/null
    check "$way: killed ($moment): the job is gone" gone
  done
  expect 0 "$way: the next run" run "$way" -- true
  same "$way: leaves no container, volume or mount" "$(engines_left)" ""
  same "$way: and nothing that waits to start one" "$(waiting)" ""
  same "$way: and no folder" "$(ls -A "$engines/state")" ""
done

# --- a GPU's device and files ------------------------------------------------------------------------
node=/dev/envbuild-test-engines$$
mkdir -p "$engines/gpu/bin"
if mknod -m 666 $node c 1 3 2>/dev/null; then
  defer "rm -f $node"
  printf '#!/bin/sh\necho the program of the driver\n' >"$engines/gpu/bin/nvidia-smi"
  chmod 755 "$engines/gpu/bin/nvidia-smi"
  echo 'int cuDriverGetVersion(int *v) { *v = 12020; return 0; }' >"$T/cuda.c"
  gcc -shared -nostdlib -fPIC -Wl,-soname,libcuda.so.1 -o "$engines/gpu/libcuda.so.535.104" "$T/cuda.c"
  cat >"$engines/gpu/test.json" <<END
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
 "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"], "mounts": [
   {"hostPath": "$engines/gpu/libcuda.so.535.104", "containerPath": "/usr/lib64/libcuda.so.535.104"},
   {"hostPath": "$engines/gpu/bin/nvidia-smi", "containerPath": "/usr/bin/nvidia-smi"}]},
 "devices": [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "$node"}]}}]}
END
  export CDI_SPEC_DIRS=$engines/gpu
  for way in $ways; do
    expect 0 "$way: a GPU" run "$way" --gpu require -- \
      sh -c "nvidia-smi; echo \$NVIDIA_VISIBLE_DEVICES; echo x >$node && test -c $node && echo written;
        find /usr/lib* /lib* -name libcuda.so.1 | grep -c ."
    same "$way: its device, files and variables" "$(cat "$T/out")" "the program of the driver
void
written
1"
    expect 0 "$way: not for who does not ask" run "$way" -- test ! -e $node -a ! -e /usr/bin/nvidia-smi
  done
  unset CDI_SPEC_DIRS
else
  skip "a GPU" "no device can be made in /dev"
fi

# --- what is missing -------------------------------------------------------------------------------
mkdir "$T/none"
for way in podman docker; do
  expect 125 "no $way" env PATH="$T/none" "$tool" --engine $way --root "$root" -- true
  says "it is named" "no program '$way' in PATH"
  says "with its package" "apt-get install $way"
  expect 125 "$way on this machine's own root" "$tool" --engine $way -- true
  says "says what it needs" "needs a root folder of its own"
  expect 125 "$way and a quota" "$tool" --engine $way --root "$root" --bytes 1000000 -- true
done
expect 125 "an unknown engine" "$tool" --engine rkt -- true
says "says which there are" "builtin, none, podman and docker"
# What lies in a state folder may be a job's, where that is in its working folder.
mkdir -p "$T/planted/run.1.x/0" "$T/fake"
printf 'podman\nof-somebody\n' >"$T/planted/run.1.x/0/container"
printf '#!/bin/sh\necho "$@" >>"%s"\n' "$T/asked" >"$T/fake/podman"
chmod +x "$T/fake/podman"
expect 0 "a folder that a killed run left" env PATH="$T/fake:$PATH" "$tool" --root "$root" --state "$T/planted" -- true
same "is removed" "$(ls -A "$T/planted")" ""
check "but no container that is not ours" test ! -e "$T/asked"
if [ -n "$docker" ]; then
  expect 125 "no dockerd" env DOCKER_HOST=unix:///no/such "$tool" --engine docker --root "$root" -- true
  says "says how to start it" "systemctl start docker"
  expect 125 "docker elsewhere" env DOCKER_HOST=tcp://127.0.0.1:1 "$tool" --engine docker --root "$root" -- true
  says "says why not" "another machine"
  expect 125 "docker of others" as_user "$tool" --engine docker --root "$root" -- true
  says "says how to be allowed" "group 'docker'"
  chmod 666 "$engines/docker/socket"
  rw=$(place user rw)
  expect 0 "docker for an ordinary user" as_user "$tool" --engine docker --root "$root" \
    --rw "$rw:/rw" --throw "$rw:/x" -- sh -c 'echo x >/rw/docker; echo x >/x/more'
  same "what it leaves is the user's" "$(stat -c %u "$rw/docker")" $user
  says "and changes are known" '^changed /x: more$'
fi

# --- the whole way ---------------------------------------------------------------------------------
mkdir "$T/channel" "$T/project" && cd "$T/project" || exit 1
python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
(cd "$T" && PYTHONPATH=$ROOT/tests/tools python3 - <<'END'
from make_package import Channel, member
Channel("channel").tarball("linked", [member("bin/.linked-post-link.sh",
    b'id -u >"$PREFIX/share/linked"; echo "$PKG_NAME $PREFIX" >>"$PREFIX/share/linked"\n'),
    member("share/other", b"x")], index={"noarch": "generic"})
END
)
"$ENVBUILD" channel index -q "$T/channel" || exit 1
real=
[ -z "$ENVBUILD_SHARED_DATA" ] || real=file://$ENVBUILD_SHARED_DATA/channel
[ -n "$real" ] || skip "a real package" "no real packages (ENVBUILD_SHARED_DATA)"
cat >environment.yml <<END
name: small
channels: [file://$T/channel${real:+, $real}]
dependencies: [alpha, delta, zeta, linked${real:+, jq}]
END
cat >run-test.sh <<END
test "\$(cat "\$CONDA_PREFIX/share/zeta/conf")" = "prefix=\$CONDA_PREFIX"
test "\$CONDA_PREFIX" = /tmp/small -a "\$(pwd)" = /tmp/project -a -f /tmp/environment.yml
alpha
${real:+echo '[1, 2]' | jq -c .}
touch changed "\$CONDA_PREFIX/changed"
END
cat >target.yml <<'END'
name: target
subdir: linux-64
virtual-packages: [__glibc=2.36, __linux=5.0, __unix=0=0, __archspec=1=x86_64]
END
echo 'exit 9' >fails.sh
echo 'sleep 60' >sleeps.sh
cp -r "$T/project" "$T/user/project"
chown -R $user "$T/user"
for way in $ways; do
  cd "$T/project" || exit 1
  [ "$way" != user ] || cd "$T/user/project" || exit 1
  pack=("$ENVBUILD" pack -t ./target.yml --image "$root" -o "$way.tar.gz" --engine "${way/user/builtin}")
  [ "$way" != user ] || pack=(as_user "$T/bin/envbuild" "${pack[@]:1}")
  expect 0 "$way: pack" "${pack[@]}" --test run-test.sh
  check "$way: the record says which engine" grep -q "\"engine\": \"${way/user/builtin}\"" "$way.run.json"
  check "$way: and what the test changed" python3 - "$way.run.json" <<'END'
import json, sys
test = json.load(open(sys.argv[1]))["test"]
assert test["changed_project"] == ["changed"] and test["changed_environment"] == ["changed"], test
END
  check "$way: the same archive" cmp "$way.tar.gz" "$T/project/builtin.tar.gz"
  expect 6 "$way: a test that fails" "${pack[@]}" --test fails.sh
  says "$way: with its status" "failed with status 9"
  [ "$way" = podman ] || [ "$way" = docker ] || continue
  expect 6 "$way: a test that is too slow" "${pack[@]}" --test sleeps.sh --timeout 1
  says "$way: with its time" "more than 1 second"
done
cd "$T/project" || exit 1
for way in $podman $docker; do
  for signal in INT TERM; do
    env --default-signal=INT "$ENVBUILD" pack -t ./target.yml --image "$root" -o "$way.tar.gz" --engine "$way" \
      --test sleeps.sh 2>"$T/err" &
    pid=$!
    until pgrep -f '^sleep 60$' >/dev/null || ! kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -$signal $pid
    wait $pid
    same "$way: SIG$signal ends the run" $? "$([ $signal = INT ] && echo 130 || echo 143)"
    same "$way: SIG$signal leaves no container" "$(engines_left)" ""
  done
done
state_of_root >"$T/root.after"
same "nothing of this has changed the root" "$(diff "$T/root.before" "$T/root.after")" ""
done_testing
