#!/bin/bash
# Where libraries come from, as the audit works it out and as the loaders of old and new roots say:
# their own programs, and environments of random shape with all that has a part in it.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need gcc python3 unshare mount ldconfig
[ "$(id -u)" = 0 ] || skip_all "changing the root folder takes root"
[ "$(uname -m)" = x86_64 ] || skip_all "the programs are of x86-64"
unshare -m true 2>/dev/null || skip_all "no mount namespace can be made here"
cd "$T" || exit 1
mkdir lower upper work merged
unshare -m mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged 2>/dev/null ||
  skip_all "no layer can be mounted over a root here"

# A program for any glibc: it opens its argument and tells what is loaded then.
cat >dlopen.c <<'END'
#include <link.h>

extern void *dlopen(const char *, int);
extern char *dlerror(void);
extern long write(int, const void *, unsigned long);
extern void _exit(int) __attribute__((noreturn));

static void say(const char *a, const char *b)
{
	for (; *a; a++)
		write(1, a, 1);
	for (; *b; b++)
		write(1, b, 1);
	write(1, "\n", 1);
}

__attribute__((used)) void start(char **stack)
{
	struct link_map *map = dlopen(stack[2], RTLD_NOW);

	if (!map) {
		say("!", dlerror());
		_exit(1);
	}
	while (map->l_prev)
		map = map->l_prev;
	for (; map; map = map->l_next)
		say("=", map->l_name);
	_exit(0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp,%rdi\n\tand $-16,%rsp\n\tcall start\n");
END
# Libraries to link with, whose versions are as old as x86-64.
stub() {
  library=$1
  shift
  for name; do
    echo "void $name(void) {}"
  done | gcc -w -fno-builtin -shared -nostdlib -x c -o "$library" - \
    -Wl,-soname,"$library",--version-script,versions
}
echo 'GLIBC_2.2.5 { global: *; };' >versions
check "a program is built that opens libraries" eval 'stub libdl.so.2 dlopen dlerror && stub libc.so.6 write _exit &&
  gcc -O1 -fno-stack-protector -fPIE -pie -nostdlib -nostartfiles -o dlopen dlopen.c libdl.so.2 libc.so.6 \
    -Wl,--disable-new-dtags,-rpath,"\$ORIGIN/../lib"'

for name in glibc217 bullseye bookworm trixie; do
  root=$("$ROOT/tests/tools/roots.sh" "$name" 2>"$T/reason") || {
    skip "$name" "$(tail -n 1 "$T/reason")"
    continue
  }
  mkdir "$name"
  checker "$name" unshare -m "$ROOT/tests/tools/check_loader.py" "$root" "$T/$name" \
    "$ENVBUILD_TOOLS/audit_load" "$T/dlopen" 81 3
done
done_testing
