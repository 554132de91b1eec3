#!/bin/sh
# timeout: 100
# Facts of ELF files: made for one fact each, and real ones, with libelf as the judge.
. "$(dirname "$0")/../lib.sh"
need gcc readelf objcopy find

judge=$ENVBUILD_TOOLS/elf_judge
cd "$T" || exit 1

# facts FILE: what is known of it, in $T/facts
facts() {
  "$judge" print "$1" >"$T/facts" 2>&1
}
# has NAME FILE LINE...: these facts and, of their kinds, no others
has() {
  name=$1
  facts "$2"
  shift 2
  kinds=$(printf '%s\n' "$@" | sed 's/ .*//' | sort -u | tr '\n' '|')
  same "$name" "$(printf '%s\n' "$@" | sort)" \
    "$(grep -E "^(${kinds%|})( |\$)" "$T/facts" | sed 's/ *$//' | sort)"
}
# lacks NAME FILE KIND...: no fact of these kinds
lacks() {
  name=$1
  facts "$2"
  shift 2
  kinds=$(printf '%s|' "$@")
  same "$name" '' "$(grep -E "^(${kinds%|})( |\$)" "$T/facts")"
}
# library OUTPUT OPTION...: a shared library of what is read
library() {
  output=$1
  shift
  gcc -O1 -fPIC -shared -nostdlib -x c -o "$output" - -x none "$@" 2>"$T/gcc" || {
    fail "gcc $*" "$(cat "$T/gcc")"
    return 1
  }
}

# --- names and folders
echo 'int one(void) { return 1; }' | library libone.so -Wl,-soname,libone.so.1
has 'a soname' libone.so 'soname libone.so.1' 'defined one@'
echo 'int one(void); int two(void) { return one(); }' >two.c
library libtwo.so ./libone.so -Wl,--enable-new-dtags,-rpath,/opt/a:\$ORIGIN <two.c
has 'a library in need of one, with a runpath' libtwo.so 'needed libone.so.1' \
  "runpath /opt/a:\$ORIGIN" 'defined two@' 'undefined one@  function'
lacks 'a runpath is no rpath' libtwo.so rpath soname interpreter
library librpath.so ./libone.so -Wl,--disable-new-dtags,-rpath,/opt/b <two.c
has 'an rpath' librpath.so 'rpath /opt/b'
library libnodeflib.so -Wl,-z,nodefaultlib <two.c
has 'no default folders' libnodeflib.so no-default-folders

# --- symbols
for style in sysv gnu both; do
  library "lib$style.so" -Wl,--hash-style=$style <two.c
  has "symbols by a hash table, $style" "lib$style.so" 'defined two@' 'undefined one@  function'
done
echo 'int one(void); int (*const volatile table[])(void) __attribute__((visibility("hidden"), used)) = {one};' |
  library libonly.so -Wl,--hash-style=gnu -fvisibility=hidden
has 'a library that defines nothing still has what it needs' libonly.so 'undefined one@'
lacks 'and defines nothing' libonly.so defined
library libnow.so -Wl,-z,now <two.c
has 'bound when it is loaded' libnow.so bind-now
echo 'int one(void); int (*pointer)(void) = one; int two(void) { return one(); }' |
  library libboth.so
has 'a function whose address is taken is looked for at once' libboth.so 'undefined one@'
cat >kinds.c <<'END'
extern int maybe(void) __attribute__((weak));
int weak_one(void) __attribute__((weak));
int weak_one(void) { return maybe ? maybe() : 0; }
static int chosen(void) { return 1; }
static void *choose(void) { return (void *)chosen; }
int indirect(void) __attribute__((ifunc("choose")));
__thread int per_thread;
int hidden(void) __attribute__((visibility("hidden")));
int hidden(void) { return 2; }
int variable = 3;
END
library libkinds.so <kinds.c
has 'weak, indirect, thread-local and plain symbols, no hidden ones' libkinds.so \
  'defined weak_one@  weak' 'defined indirect@' 'defined per_thread@' 'defined variable@' \
  'undefined maybe@  weak'
cat >versions.c <<'END'
__asm__(".symver old_f, f@V_1");
__asm__(".symver new_f, f@@V_2");
int old_f(void) { return 1; }
int new_f(void) { return 2; }
int g(void) { return 3; }
END
printf 'V_1 { global: f; local: *; };\nV_2 { global: f; g; } V_1;\n' >versions.map
library libv.so -Wl,--version-script=versions.map,-soname,libv.so <versions.c
has 'versions, hidden where another is the default' libv.so 'defines V_1' 'defines V_2' \
  'defined f@V_1  hidden' 'defined f@V_2' 'defined g@V_2' 'defined V_1@V_1' 'defined V_2@V_2'
echo 'int f(void), g(void); int h(void) { return f() + g(); }' | library libh.so ./libv.so
has 'a version is needed of a library' libh.so 'needs libv.so V_2' 'undefined f@V_2 libv.so function' \
  'undefined g@V_2 libv.so function' 'defined h@'
cat >copy.c <<'END'
#include <stdio.h>
int main(void) { return stdout == NULL; }
END
gcc -O1 -no-pie -fno-pie copy.c -o copy
facts copy
check 'a variable that a program copies is needed and defined' sh -c "
  grep -q '^undefined stdout@GLIBC_2.2.5 libc.so.6 *\$' facts &&
  grep -q '^defined stdout@GLIBC_2.2.5 *\$' facts && grep -q '^interpreter /lib' facts"

# --- limits
echo 'int x;' >x.c
library libstack.so -Wl,-z,execstack <x.c
has 'an executable stack' libstack.so 'stack executable'
library libplain.so -Wl,-z,noexecstack <x.c
has 'a plain stack' libplain.so 'stack plain'
echo '__thread int big[1000] __attribute__((aligned(256))); int *f(void) { return big; }' >tls.c
library libtls.so <tls.c
has 'thread-local storage' libtls.so 'tls 4000 256'
lacks 'that need not lie in the static part' libtls.so static-tls
library libie.so -ftls-model=initial-exec <tls.c
has 'and that must' libie.so static-tls 'tls 4000 256'
echo 'extern int x; int *f(void) { return &x; }' >text.c
if [ "$(uname -m)" = x86_64 ]; then
  gcc -O1 -mcmodel=large -fno-pic -shared -nostdlib -Wl,-z,notext text.c -o libtext.so 2>/dev/null
  has 'text relocations' libtext.so text-relocations 'undefined x@'
  for level in 2 3 4; do
    library libisa.so -Wl,-z,x86-64-v$level <x.c
    readelf -nW libisa.so >said
    facts libisa.so
    bits=$(sed -n 's/^isa //p' facts)
    check "x86-64-v$level, as readelf names it" \
      sh -c "grep 'x86 ISA needed' said | grep -q 'x86-64-v$level' && [ $((0x$bits & 1 << (level - 1))) != 0 ]"
  done
  # What linkers wrote before: a bit for each extension (readelf names them).
  old_forms() {
    sed 's/ *#.*//' <<'END'
c0000001 10 SSE2 1
c0000001 100 SSE4_2 2
c0000001 200 AVX 4
c0000001 400 AVX2 4
c0000001 800 AVX512F 8
c0008000 4 SSE2 1
c0008000 8 SSE3 2
c0008000 40 SSE4_2 2
c0008000 80 AVX 4
c0008000 200 FMA 4
c0008000 400 AVX512F 8
END
  }
  n=0
  old_forms >forms
  while read -r property bits word level; do
    cat >note.s <<END
.section .note.gnu.property, "a"
.p2align 3
.long 4, 16, 5
.asciz "GNU"
.long 0x$property, 4, 0x$bits, 0
END
    gcc -c note.s -o note.o && objcopy -O elf64-x86-64 note.o
    ld -shared -z noexecstack note.o -o old.bin
    # A linker of today may drop what it does not know: the note is then put back.
    objcopy --dump-section .note.gnu.property=note.bin note.o
    readelf -SW old.bin | grep -q note.gnu.property &&
      objcopy --update-section .note.gnu.property=note.bin old.bin
    readelf -nW old.bin >said 2>&1
    facts old.bin
    if grep -q "ISA needed: .*$word" said && grep -q "^isa $level\$" facts; then
      n=$((n + 1))
    else
      fail "the older form $property $word" "$(cat said facts)"
    fi
  done <forms
  same 'older forms of the level' "$(wc -l <forms)" "$n"
else
  skip 'text relocations and levels of x86-64' "this is $(uname -m)"
fi
library libid.so -Wl,--build-id=0x0123456789abcdef <x.c
has 'a build-id' libid.so 'build-id 0123456789abcdef'
library libnoid.so -Wl,--build-id=none <x.c
lacks 'none' libnoid.so build-id kernel isa
cat >kernel.s <<'END'
.section .note.ABI-tag, "a"
.p2align 2
.long 4, 16, 1
.asciz "GNU"
.long 0, 3, 10, 7
.section .note.GNU-stack, "", %progbits
END
gcc -shared -nostdlib kernel.s -o libkernel.so
has 'the oldest kernel' libkernel.so 'kernel 3.10.7'
sed 's/^.long 0, /.long 2, /' kernel.s >other.s
gcc -shared -nostdlib other.s -o libother.so
lacks 'that of another system is none' libother.so kernel

# --- other kinds
if command -v musl-gcc >/dev/null; then
  echo 'int main(void) { return 0; }' | musl-gcc -static -x c - -o static
  lacks 'a static program needs nothing' static dynamic needed needs interpreter
  has 'and is what it is' static 'stack plain'
else
  skip 'a static program' 'no musl-gcc'
fi
if gcc -m32 -c x.c -o x32.o 2>/dev/null && ld -m elf_i386 -shared x32.o -o lib32.so; then
  has 'of 32 bits it is known what it is for' lib32.so 'header 32 0 3 3'
  lacks 'and no more' lib32.so needed defined soname dynamic
else
  skip 'a library of 32 bits' 'gcc -m32 is not here'
fi
gcc -c two.c -o two.o
lacks 'an object for linkers has nothing that a loader reads' two.o defined undefined dynamic
gcc -g -O1 -fPIC -shared two.c -o libdebug.so && objcopy --only-keep-debug libdebug.so lib.debug
lacks 'nor has what only debuggers read' lib.debug broken dynamic needed defined
if command -v patchelf >/dev/null; then
  cp copy patched && patchelf --set-rpath "\$ORIGIN/a/rather/long/path/in/a/new/place" patched
  has 'a program that patchelf has changed' patched \
    "runpath \$ORIGIN/a/rather/long/path/in/a/new/place" 'needed libc.so.6'
  # its names then run from one segment into the next
  { seq 2000 | sed 's/.*/int exported_function_&(void) { return &; }/' && echo 'int main(void) { return 0; }'; } >many.c
  gcc -no-pie -rdynamic -o many many.c && patchelf --force-rpath --set-rpath "\$ORIGIN/../lib/of/it" many
  check 'one with many names still runs' ./many
  has 'and is read' many "rpath \$ORIGIN/../lib/of/it" 'needed libc.so.6'
else
  skip 'a program that patchelf has changed' 'no patchelf'
fi

# --- GPU code
# Two containers, the second behind zeros: sm_90 and compute_90, then sm_80, sm_90 and an unknown kind.
cat >gpu.s <<'END'
.macro entry kind, architecture, size
.short \kind, 0x101
.long 64
.quad \size
.long 0, 0
.short 8, 1
.long \architecture
.zero 32
.zero \size
.endm
.section .nv_fatbin, "a"
.p2align 3
.long 0xba55ed50
.short 1, 16
.quad 2 * 64 + 24
entry 2, 90, 16
entry 1, 90, 8
.zero 24
.long 0xba55ed50
.short 1, 16
.quad 3 * 64 + 24
entry 2, 80, 8
entry 16, 100, 8
entry 2, 90, 8
.section .note.GNU-stack, "", %progbits
END
gcc -shared -nostdlib gpu.s -o libfat.so
has 'architectures of a GPU' libfat.so 'gpu 80' 'gpu 90' 'gpu 90 ptx'
sed 's/\.nv_fatbin/__nv_relfatbin/' gpu.s >rel.s
gcc -shared -nostdlib rel.s -o librel.so
has 'of code that was linked apart' librel.so 'gpu 80' 'gpu 90' 'gpu 90 ptx'
sed 's/\.quad 3 .*/.quad -1/' gpu.s >rel.s
gcc -shared -nostdlib rel.s -o fat.bin
has 'of a container that claims to be larger than all' fat.bin 'gpu 80' 'gpu 90' 'gpu 90 ptx'
if command -v nvcc >/dev/null; then
  echo '__global__ void k(float *x) { *x += 1; } extern "C" void f(float *x) { k<<<1, 1>>>(x); }' >k.cu
  nvcc -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90,code=sm_90 \
    -gencode arch=compute_90,code=compute_90 -shared -Xcompiler -fPIC k.cu -o libgpu.so >said 2>&1
  has 'of a library of nvcc' libgpu.so 'gpu 80' 'gpu 90' 'gpu 90 ptx'
else
  skip 'of a library of nvcc' 'no nvcc'
fi

# --- the judge
# agrees NAME SECONDS: libelf says the same of all files that are listed, and of more than none
agrees() {
  if "$judge" compare "$2" >"$T/compared" 2>&1; then
    ok "$1"
  else
    fail "$1" "$(head -n 20 "$T/compared")"
  fi
  tail -n 1 "$T/compared" | tr ' ' '\n' | sed 's/=/ /' >"$T/counts"
  echo "# $1: $(tail -n 1 "$T/compared")"
}
# shellcheck disable=SC2016
counted() {
  check "facts were compared: $1" \
    awk -v want="$1" 'BEGIN { n = split(want, w, " "); for (i = 1; i <= n; i++) need[w[i]] = 1 }
      ($1 in need) && $2 > 0 { delete need[$1] }
      END { for (k in need) { print "no " k; bad = 1 }; exit bad }' "$T/counts"
}
printf '%s\n' ./*.so copy lib.debug ./*.o >made
agrees 'libelf agrees on what was made here' 20 <made
counted 'header interpreter soname rpath runpath needed defines needs tls static-tls bind-now no-default-folders stack build-id kernel undefined defined'
find /usr/bin /usr/lib/*-linux-gnu -maxdepth 1 -type f | sort -R --random-source=/dev/zero >system
find /usr/lib/*-linux-gnu -maxdepth 1 -name 'lib*.so.*' -type f -size -300k | sort >small
agrees 'libelf agrees on files of this machine' 4 <system
counted 'header interpreter soname needed defines needs kernel stack build-id undefined defined'

# A judge that nobody can disagree with is none: its sections lie, and only they.
# Lines of stdin: FILE RESULT HOW.
cat >lie.py <<'END'
import struct, sys

def lie(data, how):
    if how == 'lie':
        offset, = struct.unpack_from('<Q', data, 40)
        size, count = struct.unpack_from('<HH', data, 58)
        for i in range(count):
            if struct.unpack_from('<I', data, offset + i * size + 4)[0] == 6:
                struct.pack_into('<I', data, offset + i * size + 4, 1)
    elif how == 'none':
        struct.pack_into('<Q', data, 40, 0)
        struct.pack_into('<HH', data, 60, 0, 0)
    elif how == 'wild':
        struct.pack_into('<Q', data, 40, 2 ** 63)
    else:
        # The last segment that is mapped comes to lie at another address.
        segments, = struct.unpack_from('<Q', data, 32)
        last = max(i for i in range(struct.unpack_from('<H', data, 56)[0])
                   if struct.unpack_from('<I', data, segments + i * 56)[0] == 1)
        address, = struct.unpack_from('<Q', data, segments + last * 56 + 16)
        struct.pack_into('<Q', data, segments + last * 56 + 16, address + int(how))

for name, result, how in map(str.split, sys.stdin):
    data = bytearray(open(name, 'rb').read())
    lie(data, how)
    open(result, 'wb').write(data)
END
if command -v python3 >/dev/null; then
  echo libv.so liar.so lie | python3 -IS lie.py
  check 'libelf, which goes by sections, is lied to' \
    sh -c "! echo liar.so | '$judge' compare 9 >compared && grep -q '^fail liar.so' compared"
  # The loader takes part: it opens a library, or it does not.
  opens() { python3 -IS -c "import ctypes; ctypes.CDLL('./$1', $2)" 2>"$T/said"; }
  # What it misses, lazily (1) and at once (2), is what no file here has.
  printf '%s\n' '.globl _f' '_f: ret' '.globl one' '.section .note.GNU-stack, "", %progbits' >named.s
  gcc -shared -nostdlib named.s -o libnamed.so
  check 'a symbol may be undefined in a table alone' \
    sh -c 'readelf --dyn-syms -W libnamed.so | grep -q "UND one$"'
  for file in libgnu.so libsysv.so libnow.so libonly.so libboth.so libkinds.so libnamed.so; do
    facts $file
    grep '^undefined one@' facts >one
    lazy=yes now=yes
    [ ! -s one ] || now=no
    if grep -qv ' function' one || { [ -s one ] && grep -q '^bind-now' facts; }; then lazy=no; fi
    opened=no at_once=no
    if opens $file 1; then opened=yes; fi
    if opens $file 2; then at_once=yes; fi
    same "what $file needs is what the loader asks for" "$lazy $now" "$opened $at_once"
  done
  echo 'int f(void) { return 1; } int data = 1;' |
    library libload.so -Wl,-z,norelro,-z,noseparate-code,-z,max-page-size=4096
  for shift in 0 8 2048; do
    echo libload.so shifted.bin $shift | python3 -IS lie.py
    opened=no taken=no
    if opens shifted.bin 2; then opened=yes; fi
    if facts shifted.bin; then taken=yes; fi
    want=no
    [ $shift != 0 ] || want=yes
    same "a segment $shift bytes from its place, as the loader does" "$want $want" "$opened $taken"
  done
  head -c 600 libload.so >cut.bin
  facts cut.bin
  check 'a library that is cut off is broken' grep -q '^broken' facts
  # The loader needs no sections: without them, or with others, all is the same.
  mkdir without
  # shellcheck disable=SC2046
  for file in libv.so libh.so libkinds.so libie.so copy liar.so $(head -n 24 small); do
    for how in none wild; do
      echo "$file without/$(basename "$file").$how $how"
    done
  done >lies
  python3 -IS lie.py <lies
  n=0
  while read -r file without how; do
    facts "$file"
    mv facts whole
    facts "$without"
    if cmp -s facts whole; then n=$((n + 1)); else fail "without sections ($how): $file"; fi
  done <lies
  check "the same without sections ($n files)" [ "$n" -ge 40 ]
else
  skip 'files without sections' 'no python3'
fi

# --- real packages
if [ -n "$ENVBUILD_SHARED_DATA" ] && command -v bsdtar >/dev/null && command -v zstd >/dev/null; then
  channel=$ENVBUILD_SHARED_DATA/channel/linux-64
  for file in "$channel"/libcurl-7*.bz2 "$channel"/libssh2-*.bz2 "$channel"/libffi-*.bz2 \
    "$channel"/readline-7*.bz2 "$channel"/pyyaml-*.bz2 "$channel"/libgcc-ng-*.conda \
    "$channel"/libstdcxx-ng-*.conda "$channel"/openssl-1.1.1[dh]*.conda "$channel"/cffi-*.conda \
    "$channel"/krb5-*.bz2 "$channel"/libsolv-*.conda "$channel"/libmambapy-1.5*.conda \
    "$channel"/numpy-*.conda; do
    [ -f "$file" ] || continue
    name=$(basename "$file" .conda)
    mkdir -p "packages/$name"
    case $file in
      *.conda)
        bsdtar -xOf "$file" "pkg-$name.tar.zst" | zstd -dc | bsdtar -xf - -C "packages/$name"
        ;;
      *) bsdtar -xf "$file" -C "packages/$name" ;;
    esac || fail "unpack $name"
  done
  find packages -type f -size +63c >listed
  agrees 'libelf agrees on files of packages' 15 <listed
  counted 'header soname rpath needed defines needs tls stack undefined defined'
else
  skip 'files of packages' 'no shared data, or no bsdtar and zstd'
fi
done_testing
