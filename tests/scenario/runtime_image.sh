#!/bin/bash
# The runtime image, by the contract of the images it replaces: mounts at /tmp, ENVIRONMENT_NAME, the
# result in $HOME and nothing there where something fails.  Built by buildah without a network on local
# bases, run by podman with storage and configuration of its own.
# timeout: 240
# slow
. "$(dirname "$0")/../lib.sh"
need podman buildah runc musl-gcc strip python3 zstd
[ "$(id -u)" = 0 ] || skip_all "needs root, for podman's storage"
ldd "$ENVBUILD" 2>/dev/null | grep -q 'libasan' && skip_all "this is the program of \`make check\`"

hard_limit() { # of this machine or less, for a container may have no more than we
  limit=$(ulimit -H"$1")
  { [ "$limit" = unlimited ] || [ "$limit" -gt 4096 ]; } && limit=4096
  echo "$limit"
}
short=$(mktemp -d /tmp/eb.XXXXXX) || exit 1 # podman takes no longer one
# Locks in shared memory would be those of every podman of this machine, and one would wait for another.
cat >"$T/containers.conf" <<END
[containers]
default_ulimits = ["nofile=$(hard_limit n):$(hard_limit n)", "nproc=$(hard_limit u):$(hard_limit u)"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "$short/libpod"
END
export CONTAINERS_CONF=$T/containers.conf
storage=(--root "$T/storage" --runroot "$short")
# shellcheck disable=SC2317 # deferred
unmount() {
  awk '{print $2}' /proc/self/mounts | grep -E "^($T|$short)/" | sort -r | xargs -r umount
  rm -rf "$short"
}
defer unmount

# image NAME FOLDER PLACE: an image with nothing but the folder's content.
image() {
  container=$(buildah "${storage[@]}" from scratch) &&
    buildah "${storage[@]}" copy -q "$container" "$2" "$3" &&
    buildah "${storage[@]}" commit -q "$container" "localhost/$1" &&
    buildah "${storage[@]}" rm "$container"
}
runtime() {
  buildah "${storage[@]}" build -q --isolation chroot -f "$ROOT/Dockerfiles/runtime.Dockerfile" \
    --build-arg PROGRAM=localhost/program --build-arg BASE="localhost/$1" -t "localhost/$2" "$ROOT"
}
SOURCE_DATE_EPOCH=0 "$ROOT/portable/make" "$ENVBUILD" "$T/portable" >"$T/made" || exit 1
check "the program's image" image program "$(echo "$T"/portable/envbuild-*-x86_64)" /opt/envbuild

python3 - "$ROOT/tests/tools" "$T/channel" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
Channel(sys.argv[2]).conda("demo", [member("bin/demo", b"#!/bin/sh\necho demo runs\n", mode=0o755)],
                           index={"noarch": "generic"})
PY
"$ENVBUILD" channel index "$T/channel" -q
mkdir "$T/project" "$T/home"
cd "$T/project" || exit 1
printf 'name: other\nchannels: [file:///channel]\ndependencies: [demo]\n' >environment.yml
echo here >data
cat >run-test.sh <<'END'
test "$(pwd)" = /tmp/project
test "$(cat data)" = here
test "$ENVIRONMENT_NAME" = old
test "$CONDA_PREFIX" = /tmp/old
test -f /tmp/environment.yml
demo
END
# run IMAGE OPTION...: as its users do; $more are options of podman, $arguments those of the image.
arguments=()
run() {
  podman "${storage[@]}" run --rm --network none -v "$T/channel:/channel:ro" -v "$T/home:${home:-/root}" \
    -v "$T/project:/tmp/project" "${@:2}" "localhost/$1" "${arguments[@]}"
}
given=(-e ENVIRONMENT_NAME=old -v "$T/project/environment.yml:/tmp/environment.yml:ro")
tested=("${given[@]}" -v "$T/project/run-test.sh:/tmp/run-test.sh:ro")
in_home() {
  (cd "$T/home" && echo *)
}
empty() {
  rm -f "$T"/home/*
}

for base in bookworm glibc217; do
  root=$("$ROOT/tests/tools/roots.sh" $base 2>"$T/reason") || {
    skip "the runtime image on $base" "$(tail -n 1 "$T/reason")"
    continue
  }
  check "$base: a base" image base-$base "$root" /
  check "$base: the runtime image" runtime base-$base $base
  target=()
  [ $base = bookworm ] || target=(-e ENVBUILD_TARGET=rhel7)
  chown 12345:54321 "$T/home"
  expect 0 "$base: pack and test" run $base "${tested[@]}" "${target[@]}"
  says "$base: the test ran" "^demo runs"
  same "$base: the result" "$(in_home)" "old.run.json old.sha256 old.tar.gz old.test.log"
  same "$base: it belongs to who has the folder" "$(stat -c %u:%g:%a "$T/home/old.tar.gz")" 12345:54321:644
  says "$base: it was tested" '"tested": true' "$T/home/old.run.json"
  mkdir "$T/moved" && tar xf "$T/home/old.tar.gz" -C "$T/moved"
  same "$base: it runs elsewhere" "$(bash -c ". '$T/moved/bin/activate' && demo")" "demo runs"
  rm -r "$T/moved"
  empty

  echo 'exit 1' >failing
  expect 6 "$base: a failing test" run $base "${given[@]}" "${target[@]}" \
    -v "$T/project/failing:/tmp/run-test.sh:ro"
  same "$base: nothing is left" "$(ls -A "$T/home")" ""
  expect 0 "$base: no test script" run $base "${given[@]}" "${target[@]}"
  says "$base: which is said" "warning: .*NOT be tested"
  says "$base: and recorded" '"tested": false' "$T/home/old.run.json"
  empty
done
[ -n "${target+x}" ] || done_testing

last=$base
podman "${storage[@]}" image exists "localhost/$last" || last=bookworm
podman "${storage[@]}" image exists "localhost/$last" || done_testing
target=(-e ENVBUILD_TARGET=host)
expect 2 "no name" run "$last" -v "$T/project/environment.yml:/tmp/environment.yml:ro"
says "how to use it is said" "usage: .*ENVIRONMENT_NAME=NAME"
expect 2 "no environment file" run "$last" -e ENVIRONMENT_NAME=old
says "it is named" "/tmp/environment.yml"
expect 2 "a name with a slash" run "$last" "${given[@]}" -e ENVIRONMENT_NAME=a/b
mkdir "$T/folder"
expect 2 "a folder where the test should be" run "$last" "${given[@]}" -v "$T/folder:/tmp/run-test.sh"
printf 'name: other\nchannels: [file:///channel]\ndependencies: [no-such]\n' >impossible.yml
chown 12345:54321 "$T/home"
ln -s /tmp/project/data "$T/home/old.test.log"
expect 3 "no solution" run "$last" -e ENVIRONMENT_NAME=old -v "$T/project/impossible.yml:/tmp/environment.yml:ro"
same "what a link in the folder leads to stays whose it was" "$(stat -c %u "$T/project/data")" 0
rm -f "$T/home/old.test.log"
same "nothing is left of them" "$(ls -A "$T/home")" ""
arguments=(--format tar.zst)
expect 2 "arguments are pack's" run "$last" "${tested[@]}"
arguments=()
home=/out expect 0 "another user, with a home of its own" run "$last" "${tested[@]}" --user 12345:54321 -e HOME=/out
same "leaves the result there" "$(in_home)" "old.run.json old.sha256 old.tar.gz old.test.log"
empty
expect 0 "where namespaces are allowed" run "$last" "${tested[@]}" --security-opt seccomp=unconfined \
  --security-opt unmask=ALL
says "it runs in the sandbox" '"engine": "builtin"' "$T/home/old.run.json"
same "nothing of podman's is running" "$(podman "${storage[@]}" ps -aq)" ""
done_testing
