#!/bin/bash
# A target without an image: its lock is made, its packages are held against what its profile says that
# hosts have, and pack stops.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd

export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
mkdir "$T/project" && cd "$T/project" || exit 1

# Without start files, whose needs would be those of this machine's.
library() { # library SONAME BODY OPTION...
  printf '#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n%s\n' "$2" >"$T/$1.c"
  gcc -O1 -fPIC -shared -nostartfiles -Wl,-soname,"$1" -o "$T/$1" "$T/$1.c" "${@:3}" || exit 1
}
library libnew.so.1 'int work(void) { return renameat2(-1, "", -1, "", 0); }'
library libold.so.1 'size_t work(const char *s) { return strlen(s); }'
library libside.so.1 'int side(void) { return 1; }'
library libuser.so.1 'extern int side(void); int use(void) { return side(); }' "$T/libside.so.1"
library libhigh.so.7 'int high(void) { return 1; }'
library libwants.so.1 'extern int high(void); int want(void) { return high(); }' "$T/libhigh.so.7"
long=lib$(printf 'a%.0s' $(seq 600)).so
printf 'int high(void) { return 1; }\n' | gcc -shared -nostdlib -Wl,-soname,"$long" -o "$T/long.so" -xc - || exit 1
library liblong.so.1 'extern int high(void); int want(void) { return high(); }' "$T/long.so"
cp "$T/libnew.so.1" "$T/broken" && truncate -s 300 "$T/broken"
python3 - "$ROOT/tests/tools" "$T" <<'PY' || exit 1
import struct
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
# 65,000 needed libraries, whose names are the ends of one long text
text, base, head = b"a" * 16000 + b"\0", 0x1000, 64 + 2 * 56
needed = b"".join(struct.pack("<qQ", 1, i % 15000) for i in range(65000))
dynamic = struct.pack("<qQqQ", 5, base + head, 10, len(text)) + needed + bytes(16)
at, size = head + len(text), head + len(text) + len(dynamic)
with open(sys.argv[2] + "/names", "wb") as f:
    f.write(b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
            + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
            + struct.pack("<IIQQQQQQ", 2, 5, at, base + at, base + at, len(dynamic), len(dynamic), 8)
            + text + dynamic)
channel = Channel(sys.argv[2] + "/channel")
def package(name, files, **options):
    members = []
    for path, source in files:
        with open(sys.argv[2] + "/" + source, "rb") as f:
            members.append(member(path, f.read(), mode=0o755))
    channel.conda(name, members, index={"noarch": "generic"}, **options)
package("new", [("lib/libnew.so.1", "libnew.so.1")])
package("old", [("lib/libold.so.1", "libold.so.1")])
package("user", [("lib/libuser.so.1", "libuser.so.1")])
package("side", [("lib/libside.so.1", "libside.so.1")])
package("wants", [("lib/libwants.so.1", "libwants.so.1")])
package("long", [("lib/liblong.so.1", "liblong.so.1")])
package("many", [("lib/libmany%d.so" % i, "libwants.so.1") for i in range(12)])
package("broken", [("lib/libbroken.so", "broken")])
package("names", [("lib/libnames.so", "names")])
# for what a cross compiler makes; it is not what programs here run with
package("cross", [("x86_64-conda-linux-gnu/sysroot/lib/libnew.so.1", "libnew.so.1")])
PY
"$ENVBUILD" channel index -q "$T/channel"
# ask STATUS NAME DEPENDENCIES OPTION...
ask() {
  rm -f envbuild.lock
  printf 'name: ask\nchannels: [file://%s]\ndependencies: [%s]\n' "$T/channel" "$3" >environment.yml
  expect "$1" "$2" "$ENVBUILD" pack --no-test "${@:4}"
}
ask 7 "what needs GLIBC_2.28, for rhel7" "new, old" -t rhel7
says "is named with file, package, version and what hosts have" \
  "error: 'lib/libnew.so.1' of package 'new-1.0-0' needs GLIBC_2.28 of libc.so.6; hosts of target 'rhel7' have GLIBC_2.17 at most"
says "and the nearest target that it would run on" "the nearest target it would run on is rocky8 \(glibc 2.28\)"
says "and what to do" "hint: .*-t rocky8, or ask for something else than 'new'"
check "no lock is made of what cannot load" test ! -e envbuild.lock
check "and no archive" test ! -e ask.tar.gz
ask 2 "for rocky8" "new, old" -t rocky8
says "it is no finding" "audit: 2 binary files need glibc 2.28 at most \(package 'new-1.0-0'\); target 'rocky8' has 2.28"
says "the sentence follows" "error: target 'rocky8' has no image here"
for target in rhel6 rhel7 rocky9 rocky9-gpu debian12; do
  ask 2 "what needs the oldest glibc, for $target" old -t $target
  says "$target: its floor" "audit: 1 binary file needs glibc 2\\.2\\.5 at most"
done
ask 2 "a library of another package" "user, side" -t rhel7
check "is no warning" test "$(grep -c 'libside' "$T/err")" = 0
ask 2 "one of nobody" "user, wants" -t rhel7
says "is a warning" "warning: audit: 'lib/libuser.so.1' of package 'user-1.0-0' needs the library libside.so.1, which no package brings and target 'rhel7' does not list"
says "for each" "warning: audit: .*libhigh.so.7"
ask 2 "ten and two more" many -t rhel7
same "ten are said" "$(grep -c 'warning: audit: ' "$T/err")" 10
says "and where the others are" "audit: and 2 more; --report audit.html shows all"
ask 2 "with a report" many -t rhel7 --report many.html
says "that one is named" "audit: and 2 more; 'many.html' shows all"
same "it has all" "$(grep -c '<tr class="warning">' many.html)" 12
ask 2 "a report of no form" many -t rhel7 --report many.pdf
says "is known at once" "error: --report: the ending of 'many.pdf' says no form of a report"
same "before anything is done" "$(grep -c solve "$T/err")" 0
ask 2 "a compiler's own C library" "cross, old" -t rhel7
says "does not count" "audit: 1 binary file needs"
ask 7 "a broken library" broken -t rhel7
says "is named" "error: 'lib/libbroken.so' of package 'broken-1.0-0' is no proper ELF file"
ask 7 "one that names libraries without end" names -t rhel7
says "is one too" "error: 'lib/libnames.so' of package 'names-1.0-0' is no proper ELF file"
ask 2 "a name of 600 letters" long -t rhel7
says "is cut on the terminal" "^envbuild: warning: audit: 'lib/liblong.so.1' of package 'long-1.0-0' .{300,360}\.\.\.$"
printf 'name: own\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0]\n' >own.yml
ask 7 "a profile that lists no libraries" "new, user" -t ./own.yml
says "has its glibc" "hosts of target 'own' have GLIBC_2.17 at most"
check "and says nothing of other libraries" test "$(grep -c 'libside' "$T/err")" = 0

# --- real packages ---------------------------------------------------------------------------
if [ -n "$ENVBUILD_SHARED_DATA" ]; then
  real() { # real STATUS NAME DEPENDENCIES
    rm -f envbuild.lock
    printf 'name: ask\nchannels: [file://%s/channel]\ndependencies: [%s]\n' "$ENVBUILD_SHARED_DATA" "$3" >environment.yml
    expect "$1" "$2" "$ENVBUILD" pack --no-test -t rhel6
  }
  real 2 "Python 3.7 for RHEL 6" "python=3.7.0, requests"
  says "fits" "audit: [0-9]{2,} binary files need glibc 2\\.1?[0-9] at most .*has 2\\.12"
  real 7 "jq for RHEL 6" "jq"
  says "does not, since it needs a newer glibc than its record says" "needs GLIBC_2.14 of libc.so.6; hosts of target 'rhel6' have GLIBC_2.12"
else
  skip "real packages" "no ENVBUILD_SHARED_DATA"
fi
done_testing
