#!/bin/bash
# Each rule of the audit: a compiled file that breaks it, and a twin of it that does not.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need gcc python3 ldd
case $(uname -m) in x86_64) ;; *) skip_all "the files are made for x86-64" ;; esac

export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
cd "$T" || exit 1

# --- a root that is this machine's C library and little else ---------------------------------------
place=$(ldd /bin/true | sed -n 's/.*libc\.so\.6 => \([^ ]*\) .*/\1/p')
[ -n "$place" ] || skip_all "no libc.so.6 behind /bin/true"
libs=root$(dirname "$place")
mkdir -p "$libs" root/lib64 root/bin root/usr/bin root/etc
cp -L "$place" "$(dirname "$place")/libm.so.6" "$libs/"
cp -L /lib64/ld-linux-x86-64.so.2 root/lib64/
touch root/bin/sh root/usr/bin/env && chmod +x root/bin/sh root/usr/bin/env

bad=$T/bad/lib/python3.9/site-packages good=$T/good/lib/python3.9/site-packages
mkdir -p "$bad" "$good" bad/bin good/bin bad/share/doc/tests

# library FILE SOURCE OPTION...  program FILE OPTION...
library() {
  printf '%s\n' "$2" | gcc -O1 -fPIC -shared -x c -o "$1" - -x none -Wl,-z,noexecstack "${@:3}" || exit 1
}
program() {
  printf 'int main(void) { return 0; }\n' | gcc -O1 -x c -o "$1" - -x none -Wl,--no-as-needed "${@:2}" || exit 1
}
for t in bad good; do
  program $t/bin/python3.9
done

# A version: the host's library has V_1, the file was linked against one that has V_2, too.
printf 'V_1 { global: one; };\n' >v1
printf 'V_1 { global: one; };\nV_2 { global: two; } V_1;\n' >v2
mkdir newer older
library newer/libver.so.1 'int one(void) { return 1; } int two(void) { return 2; }' -Wl,--version-script=v2,-soname,libver.so.1
library older/libver.so.1 'int one(void) { return 1; }' -Wl,--version-script=v1,-soname,libver.so.1
cp older/libver.so.1 "$libs/"
library "$bad/version.so" 'extern int two(void); int f(void) { return two(); }' newer/libver.so.1
library "$good/version.so" 'extern int one(void); int f(void) { return one(); }' newer/libver.so.1
# A library of nobody, and one of the environment.
library libgone.so.1 'int gone;' -Wl,-soname,libgone.so.1
program bad/bin/lost libgone.so.1
program good/bin/lost libgone.so.1 '-Wl,-rpath,$ORIGIN/../lib'
cp libgone.so.1 good/lib/
# One that is there, but out of reach; one that is the host's as well.
library libfar.so.1 'int far;' -Wl,-soname,libfar.so.1
library libshade.so.1 'int shade;' -Wl,-soname,libshade.so.1
cp libshade.so.1 "$libs/"
for t in bad good; do
  cp libfar.so.1 libshade.so.1 $t/lib/
done
program bad/bin/far libfar.so.1
program good/bin/far libfar.so.1 '-Wl,-rpath,$ORIGIN/../lib'
program bad/bin/shaded libshade.so.1
program good/bin/shaded libshade.so.1 '-Wl,-rpath,$ORIGIN/../lib'
# Another machine: where a program needs it, and where nobody does.
library libother.so.1 'int other;' -Wl,-soname,libother.so.1
cp libother.so.1 arm && printf '\267' | dd of=arm bs=1 seek=18 conv=notrunc status=none
cp arm bad/lib/libother.so.1 && cp libother.so.1 good/lib/
cp arm "$bad/attach_linux_arm.so"
cp arm "$good/attach_linux_arm.so"
for t in bad good; do
  program $t/bin/other libother.so.1 '-Wl,-rpath,$ORIGIN/../lib'
done
# CPUs, kernels, thread-local storage.
library "$bad/cpu.so" 'int cpu;' -Wl,-z,x86-64-v3
library "$good/cpu.so" 'int cpu;'
kernel() { printf '__asm__(".section .note.ABI-tag,\\"a\\"\\n.p2align 2\\n.long 4,16,1\\n.asciz \\"GNU\\"\\n.long 0,%s\\n.text");int k;' "$1"; }
library "$bad/kernel.so" "$(kernel 9,9,9)" -nostartfiles
library "$good/kernel.so" "$(kernel 2,6,32)" -nostartfiles
tls='__thread char big[%s] __attribute__((tls_model("initial-exec"))); char *f(void) { return big; }'
# shellcheck disable=SC2059 # a format
library "$bad/tls.so" "$(printf "$tls" 4000)"
# shellcheck disable=SC2059
library "$good/tls.so" "$(printf "$tls" 400)"
for t in bad:128 good:64; do
  library "${t%:*}/lib/python3.9/site-packages/tls-aligned.so" "__thread char x[8] __attribute__((tls_model(\"initial-exec\"),
    aligned(${t#*:}))); char *f(void) { return x; }"
done
# Stacks, text, rpaths, the driver.
library "$bad/stack.so" 'int stack;' -Wl,-z,execstack
library "$good/stack.so" 'int stack;'
library "$bad/text.so" '__asm__(".text\n.quad there"); int there;' -Wl,-z,notext
library "$good/text.so" '__asm__(".data\n.quad there"); int there;'
program bad/bin/tmp -Wl,-rpath,/tmp/build/lib
program bad/bin/builder -Wl,-rpath,/builds/it/lib
program good/bin/tmp '-Wl,-rpath,$ORIGIN/../lib:/usr/lib64'
library libcuda.so.1 'int cuda;' -Wl,-soname,libcuda.so.1
for t in bad good; do
  library $t/lib/python3.9/site-packages/cuda.so 'int gpu;' -Wl,--no-as-needed libcuda.so.1
done
# Who runs it; links; copies.
program bad/bin/musl -Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1
for t in bad good; do
  printf '#!/bin/sh\n' >$t/bin/shell && printf '#!/usr/bin/env python3.9\n' >$t/bin/python-script
done
printf '#!/usr/bin/env perl5\n' >bad/bin/script
printf '#!%s/bin/python2.7\n' "$T/bad" >bad/bin/own-script
printf '#!%s/bin/python3.9\n' "$T/good" >good/bin/own-script
chmod +x {bad,good}/bin/*
ln -s nowhere bad/bin/dangling && ln -s python3.9 good/bin/dangling
# As a virtual environment of Python has them: links of the environment that lead to the host's.
ln -s /bin/sh good/bin/outside && ln -s outside good/bin/through
printf '#!%s/bin/through\n' "$T/good" >good/bin/run-through && chmod +x good/bin/run-through
ln -s /etc good/lib/libetc.so && ln -s /dev/null good/bin/null
ln -s /bin/nosuch bad/bin/outside && ln -s outside bad/bin/through
ln -s lib bad/lib64 && ln -s ../lib64/libfar.so.1 bad/lib/through.so
for t in bad good; do
  for i in a b; do
    mkdir $t/lib/python3.9/site-packages/$i.libs
    same=$([ $t = good ] || echo $i)
    library $t/lib/python3.9/site-packages/$i.libs/libtwice.so.1 "int twice$same;" -Wl,-soname,libtwice.so.1
    library $t/lib/python3.9/site-packages/$i.so "int $i;" "-Wl,--no-as-needed,-rpath,\$ORIGIN/$i.libs" \
      $t/lib/python3.9/site-packages/$i.libs/libtwice.so.1
  done
done
# What programs do without: plugins, modules that Python and packages try, programs for another C library.
mkdir -p bad/lib/plugins bad/lib/python3.9/lib-dynload bad/lib/node_modules/x
library bad/lib/plugins/sql.so 'int sql;' -Wl,--no-as-needed libgone.so.1
library bad/lib/python3.9/lib-dynload/nis.cpython-39-x86_64-linux-gnu.so 'int nis;' -Wl,--no-as-needed libgone.so.1
library bad/lib/python3.9/lib-dynload/other.cpython-39-x86_64-linux-gnu.so 'int other;' -Wl,--no-as-needed libgone.so.1
program bad/lib/node_modules/x/tool -Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1
library bad/lib/plugins/host.so 'extern int of_host(void), of_host2; int f(void) { return of_host() + of_host2; }'
library "$bad/newer.cpython-399-x86_64-linux-gnu.so" 'extern int of_python; int f(void) { return of_python; }'
library "$bad/same.cpython-39-x86_64-linux-gnu.so" 'extern int of_python; int f(void) { return of_python; }'
# What stands in the way of a library: a folder, the host's that is cut off.
library libway.so.1 'int way;' -Wl,-soname,libway.so.1
library libcut.so.1 'int cut;' -Wl,-soname,libcut.so.1
head -c 3000 libcut.so.1 >"$libs/libcut.so.1"
for t in bad good; do
  mkdir -p $t/lib/first/libway.so.1 && touch $t/lib/first/libway.so.1/file && cp libway.so.1 libcut.so.1 $t/lib/
done
program bad/bin/way libway.so.1 '-Wl,-rpath,$ORIGIN/../lib/first:$ORIGIN/../lib'
program good/bin/way libway.so.1 '-Wl,-rpath,$ORIGIN/../lib:$ORIGIN/../lib/first'
program bad/bin/cut libcut.so.1
program good/bin/cut libcut.so.1 '-Wl,-rpath,$ORIGIN/../lib'
check "the loader takes neither" sh -c '! bad/bin/way && ! LD_LIBRARY_PATH=$1 bad/bin/cut && good/bin/way && good/bin/cut' sh "$libs"
# A symbol that the library had when the file was linked.
library libsym.so.1 'int had;' -Wl,-soname,libsym.so.1
for t in bad good; do
  library $t/lib/python3.9/site-packages/symbol.so 'extern int had; int f(void) { return had; }' \
    '-Wl,-rpath,$ORIGIN/../..' libsym.so.1
done
library bad/lib/libsym.so.1 'int has;' -Wl,-soname,libsym.so.1
cp libsym.so.1 good/lib/
# Broken ones: a module, and what is a test's.
head -c 3000 "$good/stack.so" >"$bad/broken.so"
cp "$bad/broken.so" bad/share/doc/tests/broken.so

target() { # target FILE MORE...
  printf 'name: lab\nsubdir: linux-64\nvirtual-packages:\n- __glibc=2.17\n- __linux=3.10.0\n- __unix=0=0\n- __archspec=1=x86_64\n' >"$1"
  printf '%s\n' "${@:2}" >>"$1"
}
target lab.yml
target gpu.yml '- __cuda=12.4' 'gpu: {libraries: [libcuda.so.1]}'
target strict.yml 'audit: {executable-stack: forbidden, text-relocations: forbidden, levels: {dangling-link: error, isa-level: "off"}}'

cat >look.py <<'PY'
import json
import sys
found = json.load(open(sys.argv[1]))["findings"]
for rule, level, path, needs in (line.split() for line in sys.stdin if line.strip()):
    at = [f for f in found if f["rule"] == rule and f["path"].endswith(path)]
    name = "%s: %s is %s" % (rule, path, level)
    if level == "none":
        wrong = at
    else:
        wrong = [] if any(f["level"] == level and (needs == "-" or needs in f["needs"]) for f in at) else at or ["nothing"]
    print("ok " + name if not wrong else "fail %s: %s" % (name, wrong))
PY
# audit STATUS TREE TARGET OPTION...: what is found of a tree, in out.json
audit() {
  expect "$1" "the audit of $2 for $3 ends with $1" "$ENVBUILD" audit --json -q -t "$3" --image "$T/root" "${@:4}" "$T/$2"
  cp "$T/out" "$T/out.json"
}
look() {
  checker "$1" python3 look.py "$T/out.json" <"$T/wanted"
}

cat >wanted <<'END'
version-not-found error site-packages/version.so V_2
library-not-found error bin/lost libgone.so.1
library-not-found error bin/far libfar.so.1
library-not-found warning plugins/sql.so libgone.so.1
library-not-found warning lib-dynload/nis.cpython-39-x86_64-linux-gnu.so libgone.so.1
library-not-found error lib-dynload/other.cpython-39-x86_64-linux-gnu.so libgone.so.1
library-not-found error bin/way libway.so.1
library-not-found error bin/cut libcut.so.1
interpreter-not-found warning node_modules/x/tool ld-musl
symbol-not-found warning plugins/host.so of_host
symbol-not-found warning newer.cpython-399-x86_64-linux-gnu.so of_python
symbol-not-found error same.cpython-39-x86_64-linux-gnu.so of_python
shadowed-library warning bin/shaded libshade.so.1
wrong-architecture error lib/libother.so.1 -
wrong-architecture info attach_linux_arm.so ARM
isa-level error site-packages/cpu.so x86_64_v3
static-tls error site-packages/tls.so -
static-tls error site-packages/tls-aligned.so 128
executable-stack info site-packages/stack.so -
text-relocations info site-packages/text.so -
foreign-rpath warning bin/tmp /tmp/build/lib
foreign-rpath info bin/builder /builds/it/lib
driver-library error site-packages/cuda.so libcuda.so.1
interpreter-not-found error bin/musl ld-musl
interpreter-not-found warning bin/script perl5
interpreter-not-found warning bin/own-script python2.7
interpreter-not-found none bin/shell -
interpreter-not-found none bin/python-script -
dangling-link warning bin/dangling nowhere
dangling-link none lib/through.so -
dangling-link warning bin/outside /bin/nosuch
dangling-link warning bin/through outside
two-copies warning libs/libtwice.so.1 libtwice.so.1
symbol-not-found error site-packages/symbol.so had
broken-elf error site-packages/broken.so -
broken-elf warning tests/broken.so -
END
audit 7 bad lab.yml --symbols
look "what is wrong"
check "each finding has a sentence that names its file, and most say what to do" python3 - <<'PY'
import json
found = json.load(open("out.json"))["findings"]
assert len(found) > 20
for f in found:
    assert "'%s'" % f["path"] in f["text"], f
PY

# The twins: what is left is what their place says.
audit 7 good lab.yml --symbols
check "of the twins only the driver's library is an error, and nothing a warning" python3 - <<'PY'
import json
found = [f for f in json.load(open("out.json"))["findings"] if f["level"] != "info"]
assert [(f["rule"], f["path"][-7:]) for f in found] == [("driver-library", "cuda.so")], found
PY
audit 0 good gpu.yml --symbols
printf '%s\n' 'driver-library none cuda.so -' 'static-tls none tls.so -' 'two-copies none libtwice.so.1 -' >wanted
look "a GPU's host has the driver"

# What a target forbids, and what its policy makes of rules.
cat >wanted <<'END'
executable-stack error site-packages/stack.so -
text-relocations error site-packages/text.so -
dangling-link error bin/dangling nowhere
isa-level none cpu.so -
END
audit 7 bad strict.yml
look "a stricter target"
printf '%s\n' 'symbol-not-found none symbol.so -' >wanted
look "symbols are looked at when asked for"

# --- without a root ---------------------------------------------------------------------------------
target list.yml 'libraries: {libc.so.6: [GLIBC_2.2.5], ld-linux-x86-64.so.2: [], libver.so.1: [V_1]}'
target bare.yml
mkdir -p list/lib
library list/lib/libkernel.so.1 "$(kernel 9,9,9)" -nostartfiles -Wl,-soname,libkernel.so.1
library list/lib/kernel.so "$(kernel 9,9,9)" -nostartfiles
library list/lib/libold.so.1 "$(kernel 2,6,32)" -nostartfiles -Wl,-soname,libold.so.1
library list/lib/libneeds.so.1 'int f;' -nostartfiles -Wl,--no-as-needed,-soname,libneeds.so.1 libgone.so.1
library list/lib/libsecond.so.1 'extern int two(void); int f(void) { return two(); }' -nostartfiles newer/libver.so.1
library list/lib/libfirst.so.1 'extern int one(void); int f(void) { return one(); }' -nostartfiles newer/libver.so.1
printf '#define _GNU_SOURCE\n#include <stdio.h>\nint f(void) { return renameat2(-1, "", -1, "", 0); }\n' |
  gcc -shared -fPIC -nostartfiles -x c -o list/lib/libnew.so.1 - || exit 1
cat >wanted <<'END'
kernel-too-new error lib/kernel.so Linux
kernel-too-new warning lib/libkernel.so.1 Linux
kernel-too-new none lib/libold.so.1 -
library-not-found warning lib/libneeds.so.1 libgone.so.1
version-not-found error lib/libsecond.so.1 V_2
version-not-found none lib/libfirst.so.1 -
version-not-found error lib/libnew.so.1 GLIBC_2.28
END
expect 7 "a list of libraries" "$ENVBUILD" audit --json -q -t ./list.yml list
cp out out.json
look "against a list"
cat >wanted <<'END'
library-not-found none lib/libneeds.so.1 -
version-not-found none lib/libsecond.so.1 -
version-not-found error lib/libnew.so.1 GLIBC_2.28
END
expect 7 "no list and no root" "$ENVBUILD" audit --json -q -t ./bare.yml list
cp out out.json
look "only the C library is known"

# --- what does not count ----------------------------------------------------------------------------
expect 0 "what is ignored is no error" "$ENVBUILD" audit -t ./bare.yml --ignore 'version-not-found:lib/libnew.*=tried there' \
  --ignore 'kernel-too-new:*=the hosts are newer' list
expect 0 "by the library's name" "$ENVBUILD" audit -t ./bare.yml --ignore '*:libc.so.6=x' --ignore 'kernel-too-new:*=x' list
expect 7 "another file's is one" "$ENVBUILD" audit -t ./bare.yml --ignore 'version-not-found:lib/libother*=x' \
  --ignore 'kernel-too-new:*=x' list
says "and that nothing is ignored is said" "--ignore: the audit finds nothing that 'version-not-found:lib/libother\*' would ignore"
expect 2 "a rule that is none" "$ENVBUILD" audit -t ./bare.yml --ignore 'versions:*=x' list
says "lists those there are" "the audit has no rule 'versions'; there are version-not-found, "
expect 2 "no reason" "$ENVBUILD" audit -t ./bare.yml --ignore 'static-tls:x' list
printf 'audit: {levels: {static_tls: error}}\n' >>bare.yml
expect 2 "a misspelt rule of a profile" "$ENVBUILD" audit -t ./bare.yml list
says "has its place" "bare.yml:[0-9]+:18: the audit has no rule 'static_tls'"
# --- the manual page
"$ENVBUILD" audit --ignore nonsense:x=y "$ROOT" 2>&1 | grep -oE '[a-z]+(-[a-z]+)+' | sort -u >"$T/rules"
grep -oE '^\*[a-z]+-[a-z-]*[a-z]\*(, \*[a-z-]+\*)*$' "$ROOT/docs/man/envbuild-audit.1.scd" | grep -oE '[a-z]+(-[a-z]+)+' | sort -u >"$T/paged"
check "rules are listed" grep -qx two-copies "$T/rules"
same "the manual page has each" "$(grep -vxFf "$T/paged" "$T/rules")" ""
done_testing
