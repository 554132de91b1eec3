#!/bin/bash
# One environment, as whatever it comes: a folder of ours, of conda and of conda-pack, archives,
# packages, single files.  The audit says the same of each, by its exit status too.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd bzip2
export ENVBUILD_DATA=$T/data ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
cd "$T" || exit 1

# Without start files, whose needs would be those of this machine's.
module() { # module NAME BODY
  printf '#define _GNU_SOURCE\n#include <stdio.h>\n#include <string.h>\n#include <unistd.h>\n%s\n' "$2" >"$1.c"
  gcc -O1 -w -fPIC -shared -nostartfiles -o "$1.so" "$1.c" || exit 1
}
module old 'int work(const char *s) { return strlen(s); }'
module new 'int work(void) { return renameat2(-1, "", -1, "", 0); }'
python3 - "$ROOT/tests/tools" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
def content(name):
    with open(name + ".so", "rb") as f:
        return f.read()
channel = Channel("channel")
for name in ("old", "new"):
    for make in (channel.conda, channel.tarball):
        make(name, [member("lib/python3.9/site-packages/%s.cpython-39-x86_64-linux-gnu.so" % name, content(name), mode=0o755)],
             index={"noarch": "generic"})
PY
"$ENVBUILD" channel index -q channel
printf 'name: any\nsubdir: linux-64\nvirtual-packages: [__glibc=2.36, __linux=3.10, __unix=0=0]\nimage: {root: /}\n' >any.yml

finding='new.cpython-39-x86_64-linux-gnu\.so.* needs GLIBC_2\.28 of libc\.so\.6'
judge() { # judge WHAT OPERAND OPERAND: one that has what needs 2.28, one that has not
  expect 7 "$1: what needs GLIBC_2.28, for rhel7" "$ENVBUILD" audit -t rhel7 "$2"
  cat "$T/out" "$T/err" >"$T/said"
  says "$1: it is named" "$finding" "$T/said"
  expect 0 "$1: for debian12" "$ENVBUILD" audit -t debian12 "$2"
  expect 0 "$1: what does not, for rhel7" "$ENVBUILD" audit -t rhel7 "$3"
}
for kind in "both old new" "good old"; do
  read -r name packages <<<"$kind"
  printf 'name: %s\nchannels: [file://%s/channel]\ndependencies: [%s]\n' "$name" "$T" "${packages// /, }" >environment.yml
  rm -f envbuild.lock
  expect 0 "$name: is installed" "$ENVBUILD" install -q -t ./any.yml -p "$T/$name"
  for format in tar.gz tar.zst squashfs; do
    expect 0 "$name: is packed as $format" "$ENVBUILD" pack -q -t ./any.yml --no-test -o "$name.$format"
  done
  # conda knows nothing of what we keep beside its records
  cp -a "$name" "conda-$name"
  find "conda-$name/conda-meta" -mindepth 1 -maxdepth 1 -type d -exec rm -r {} +
  # conda-pack adds two scripts and leaves prefixes as they are
  mkdir "conda-$name/bin" 2>/dev/null
  printf '#!/usr/bin/env python\n' >"conda-$name/bin/conda-unpack"
  printf 'echo\n' >"conda-$name/bin/activate"
  tar -C "conda-$name" -czf "packed-$name.tar.gz" .
  tar -C "conda-$name" -cf "packed-$name.tar" bin lib conda-meta
  mkdir "unpacked-$name" && tar -xf "packed-$name.tar" -C "unpacked-$name"
  rm "conda-$name/bin/conda-unpack" "conda-$name/bin/activate"
done
judge "an environment of ours" both good
for format in tar.gz tar.zst squashfs; do
  judge "an archive, $format" "both.$format" "good.$format"
done
judge "an environment of conda" conda-both conda-good
judge "an archive of conda-pack" packed-both.tar.gz packed-good.tar.gz
judge "one that is not compressed" packed-both.tar packed-good.tar
judge "what was unpacked of it" unpacked-both unpacked-good
for version in 1.0-0.conda 1.0-0.tar.bz2; do
  judge "a package, $version" "channel/noarch/new-$version" "channel/noarch/old-$version"
done
site=lib/python3.9/site-packages
judge "a file" "both/$site/new.cpython-39-x86_64-linux-gnu.so" "both/$site/old.cpython-39-x86_64-linux-gnu.so"
expect 7 "several files, of which one does not load" "$ENVBUILD" audit -t rhel7 "both/$site"/*.so
expect 7 "several packages" "$ENVBUILD" audit -t rhel7 channel/noarch/*.conda

# What a package lacks, one that it depends on may bring: it is missed only where all of those are there.
printf 'int far;' | gcc -shared -fPIC -xc -o libfar.so.1 - -Wl,-soname,libfar.so.1 || exit 1
printf 'int near;' | gcc -shared -fPIC -xc -o near.so - -xnone -Wl,--no-as-needed libfar.so.1 '-Wl,-rpath,$ORIGIN' || exit 1
python3 - "$ROOT/tests/tools" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
channel = Channel("apart")
def package(name, file, depends):
    with open(file, "rb") as f:
        channel.conda(name, [member("lib/python3.9/" + file, f.read(), mode=0o755)],
                      index={"noarch": "generic", "depends": depends})
package("near", "near.so", ["__glibc >=2.17", "far >=1"])
package("far", "libfar.so.1", [])
package("other", "near.so", ["__glibc >=2.17"])
PY
expect 0 "a package without what it depends on" "$ENVBUILD" audit -v -t ./any.yml apart/noarch/near-1.0-0.conda
says "that is told for what it is" "near\.so.* needs the library libfar\.so\.1, which is not among these files" "$T/out"
expect 0 "with it" "$ENVBUILD" audit -v -t ./any.yml apart/noarch/{near,far}-1.0-0.conda
check "nothing is missing" sh -c '! grep -q libfar "$1"' sh "$T/out"
expect 7 "one that depends on nothing that could have it" "$ENVBUILD" audit -t ./any.yml apart/noarch/other-1.0-0.conda
done_testing
