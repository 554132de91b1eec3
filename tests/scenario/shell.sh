#!/bin/bash
# envbuild shell and run: at a terminal and without one, in a root of glibc 2.17 and without a
# sandbox, from each kind of operand; what they say where they cannot.
# timeout: 240
. "$(dirname "$0")/../lib.sh"
need python3 zstd

root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/reason") || skip_all "$(cat "$T/reason")"
# shellcheck source=tests/tools/demo_project.sh
. "$ROOT/tests/tools/demo_project.sh"
expect 0 "one for this machine" "$ENVBUILD" pack --no-test -t host -o here/demo.tar.gz
expect 0 "and a prefix" "$ENVBUILD" install -p env -t rhel7 --image "$root" --copy
cp -a "$root" busybox-root && rm -f busybox-root/bin/bash
checker "at a terminal" "$ROOT/tests/tools/check_shell.py" "$ENVBUILD" "$T/project/demo.tar.gz" \
  "$root" here/demo.tar.gz

# --- operands and options ------------------------------------------------------------------------
for operand in environment.yml envbuild.lock demo.tar.gz env; do
  echo 'demo; exit 9' >commands
  expect 9 "shell $operand" "$ENVBUILD" shell "$operand" -t rhel7 --image "$root" <commands
  same "shell $operand: the environment is active" "$(cat "$T/out")" "demo runs"
  expect 8 "run $operand" "$ENVBUILD" run "$operand" -t rhel7 --image "$root" -- sh -c 'demo; exit 8'
  same "run $operand: the environment is active" "$(cat "$T/out")" "demo runs"
done
echo 'ls /sys/class/net 2>/dev/null; cat /proc/net/dev | sed "s/:.*//; s/ //g" | tail -n +3; echo end' >commands
expect 0 "--offline" "$ENVBUILD" shell demo.tar.gz --image "$root" --offline <commands
same "there is no network then" "$(cat "$T/out")" "lo
end"
expect 124 "--timeout ends a command" "$ENVBUILD" run demo.tar.gz --image "$root" --timeout 1 -- sleep 100
expect 2 "shell takes no command" "$ENVBUILD" shell demo.tar.gz --image "$root" -- true
expect 0 "the prefix below the working folder is a throw-away one" "$ENVBUILD" run ./env -t rhel7 \
  --image "$root" -- sh -c 'echo changed >"$CONDA_PREFIX/share/demo/data"'
same "it is as it was" "$(cat env/share/demo/data)" "as packed"
touch "$T/marker"
cd /tmp || exit 1
expect 1 "/tmp is private also as the working folder" "$ENVBUILD" run "$T/project/demo.tar.gz" \
  --image "$root" -- ls "$T/marker"
same "and where the command begins" "$("$ENVBUILD" run -q "$T/project/demo.tar.gz" --image "$root" -- pwd)" /tmp
cd "$T/project" || exit 1

# --- the target's image by its name: the whole way from what a colleague has been sent ---------------
export ENVBUILD_DATA=$T/images
tar cf "$T/root.tar" -C "$root" .
begun=$(date +%s)
expect 0 "the image is imported" "$ENVBUILD" image import rhel7 "$T/root.tar"
echo 'demo; ls /lib64/libc-2.17.so' >commands
expect 0 "shell, with the archive's own target in it" "$ENVBUILD" shell demo.tar.gz <commands
same "it is that root" "$(cat "$T/out")" "demo runs
/lib64/libc-2.17.so"
expect 0 "run, too" "$ENVBUILD" run demo.tar.gz -- demo
expect 0 "test, too" "$ENVBUILD" test demo.tar.gz
check "in less than a minute" test $(($(date +%s) - begun)) -lt 60
expect 125 "in an older system than it was made for" "$ENVBUILD" run here/demo.tar.gz -t rhel7 --image rhel7 -- demo
says "it refuses, as it would there" 'needs glibc [0-9.]+, and this host has glibc 2.17'
expect 0 "another image by its name, and no look at it" env ENVBUILD_SKIP_CHECK=1 \
  "$ENVBUILD" run here/demo.tar.gz -t rhel7 --image rhel7 -- demo
expect 0 "the image goes" "$ENVBUILD" image rm rhel7
expect 2 "an image that is not there" "$ENVBUILD" run demo.tar.gz --image no-such-image -- demo
says "it is named" "no-such-image"

# --- the folder of the test ----------------------------------------------------------------------
mkdir "$T/elsewhere" && echo found >"$T/elsewhere/data"
echo 'test "$(pwd)" = /tmp/project && cat data && echo changed >data' >project-test.sh
expect 0 "pack --project" "$ENVBUILD" pack -t rhel7 --image "$root" --project "$T/elsewhere" \
  --test project-test.sh -o "$T/with-project.tar.gz"
says "the test finds that folder" "^found"
expect 0 "test --project" "$ENVBUILD" test "$T/with-project.tar.gz" --image "$root" --project "$T/elsewhere"
same "and changes nothing in it" "$(cat "$T/elsewhere/data")" found
expect 2 "pack --project with no folder" "$ENVBUILD" pack -t rhel7 --image "$root" \
  --project "$T/elsewhere/data" --test project-test.sh -o "$T/no.tar.gz"
expect 2 "test --project with no folder" "$ENVBUILD" test "$T/with-project.tar.gz" --image "$root" \
  --project "$T/no-such"
says "it is named" "no-such"

# --- what cannot be ------------------------------------------------------------------------------
expect 2 "no image at hand" "$ENVBUILD" shell demo.tar.gz <commands
says "it names the target" "rhel7"
says "and the way out" "--image|image (pull|import|build)"
expect 2 "an engine that nobody knows" "$ENVBUILD" run demo.tar.gz --image "$root" --engine vmware -- true
says "it names those there are" "builtin"
expect 2 "nothing there" "$ENVBUILD" shell no-such.tar.gz
says "it is named" "no-such.tar.gz"
expect 2 "a folder that is no environment" "$ENVBUILD" shell "$T/channel" --image "$root"
mkdir other && tar xf demo.tar.gz -C other
sed -i 's/^subdir: .*/subdir: linux-aarch64/' other/conda-meta/envbuild/profile.yml
tar czf other.tar.gz -C other .
expect 2 "an archive of another machine's" "$ENVBUILD" shell other.tar.gz --image "$root" <commands
says "it says which" "linux-aarch64.*cannot run"
expect 2 "the same as a prefix" "$ENVBUILD" run other --image "$root" -- true
done_testing
