#!/bin/bash
# The solver that learns, of whatever keeps a build from loading, and of facts that were handed on.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tools/elf_channel.sh"
rhel7_project

library libgone.so.1 'int gone(void) { return 0; }'
library libdemo.so.1.new 'int work(void) { return renameat2(-1, "", -1, "", 0) + 1; }'
library libdemo.so.1 'int work(void) { return (int)strlen(""); }'
program fine 'int run(void) { return 0; }' -lc
program wants 'extern int gone(void); int run(void) { return gone(); }' "$T/libgone.so.1"
program fast 'int run(void) { return 0; }' -lc -Wl,-z,x86-64-v3
library libkernel.so.1 'int kernel(void) { return 0; }'
library libkernel.so.1.new '__asm__(".section .note.ABI-tag,\"a\",@note\n.balign 4\n.long 4,16,1\n.asciz \"GNU\"\n.long 0,5,0,0\n.text");
int kernel(void) { return 0; }'
program kernel 'extern int kernel(void); int run(void) { return kernel(); }' "$T/libkernel.so.1" -Wl,-rpath,'$ORIGIN/../lib'
packages <<'LIST'
soname 2.0 0 [] bin/soname=wants
soname 1.0 0 [] bin/soname=fine
level 2.0 0 [] bin/level=fast
level 1.0 0 [] bin/level=fine
kernel 2.0 0 [] bin/kernel=kernel lib/libkernel.so.1=libkernel.so.1.new
kernel 1.0 0 [] bin/kernel=kernel lib/libkernel.so.1=libkernel.so.1
demo 4.0 0 [] lib/libdemo.so.1=libdemo.so.1.new
demo 3.0 0 [] lib/libdemo.so.1=libdemo.so.1.new
demo 2.0 0 [] lib/libdemo.so.1=libdemo.so.1.new
demo 1.0 0 [] lib/libdemo.so.1=libdemo.so.1
LIST

# ask STATUS NAME DEPENDENCIES COMMAND OPTION...
ask() {
  rm -f envbuild.lock ask.*
  printf 'name: ask\nchannels: [file://%s]\ndependencies: [%s]\n' "$T/channel" "$3" >environment.yml
  expect "$1" "$2" "$ENVBUILD" "${@:4}"
}
learns() { # learns NAME FROM-TO WHAT: of the package of that name
  ask 0 "$1: an older build" "$1" pack -t rhel7 --no-test
  says "$1: what was found" "audit: $1-2.0-0 cannot load on rhel7: $2"
  says "$1: what came of it" "audit: solved again without it: $1 2.0-0 -> 1.0-0$"
  ask 7 "$1: only the newer one" "$1 2.*" pack -t rhel7 --no-test
  says "$1: the reason" "$3"
}
learns soname "'bin/soname' needs libgone.so.1$" \
  "soname 2.0 build 0 cannot load on the target rhel7 \(found by the audit: its bin/soname needs libgone.so.1\)"
says "no target has it" "there is no target known by name that it would run on"
learns level "'bin/level' needs x86.64.v3" \
  "level 2.0 build 0 needs __archspec 1 x86_64_v3 \(found by the audit: .*\), the target rhel7 has 1 x86_64"
says "another level would do" "everything solves with __archspec x86_64_v3"
learns kernel "'lib/libkernel.so.1' needs Linux 5.0" \
  "kernel 2.0 build 0 needs __linux >=5.0.0 \(found by the audit: .*\), the target rhel7 has 3.10.0"
says "the kernel of rocky9 is new enough" "the nearest target it would run on is rocky9 \(glibc 2.34\)"

# --- without end ---------------------------------------------------------------------------------
for i in $(seq 1 101); do
  echo "endless $i.0 0 [] lib/libdemo.so.1=libdemo.so.1.new"
done | packages
ask 7 "a name of which no build can load" endless pack -t rhel7 --no-test
says "is given up" "error: 100 builds of endless cannot load on target 'rhel7', no more are tried: 'lib/libdemo.so.1' of package 'endless-2.0-0' needs GLIBC_2.28"
same "after as many rounds" "$(grep -c 'cannot load on rhel7: ' "$T/err")" 100

# --- facts ---------------------------------------------------------------------------------------
here=$T/channel/noarch
facts=()
for version in 4.0 3.0 2.0; do
  expect 0 "the facts of demo $version" "$ENVBUILD" audit -t host "$here/demo-$version-0.conda" --export-facts "$T/facts-$version"
  facts+=(--facts "$T/facts-$version")
done
mkdir "$T/away" && mv "$here"/demo-[234].0-0.conda "$T/away"
rm -rf "$T/cache"
ask 0 "what is known is never fetched" demo pack -t rhel7 --no-test "${facts[@]}"
same "three builds are known to need too much, in one round" "$(grep -c 'solved again' "$T/err")" 1
says "which is said" "solved again without it and 2 other builds whose facts are known: demo 4.0-0 -> 1.0-0$"
rm -rf "$T/cache"
ask 1 "without the facts the first is to be fetched, which is not there" demo pack -t rhel7 --no-test
ask 0 "lock with the facts" demo lock -t rhel6 --audit-solve "${facts[@]}"
says "learns as well" "demo 4.0-0 -> 1.0-0$"
ask 7 "nothing is left" "demo 4.*" lock -t rhel6 --audit-solve "${facts[@]}"
check "builds that nobody asked for are not told" test "$(grep -c 'demo.3.0' "$T/err")" = 0
done_testing
