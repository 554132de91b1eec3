#!/bin/bash
# What the audit says of programs, modules and libraries is what the loader says, in roots of glibc
# 2.17, 2.31, 2.36 and 2.41: nothing is called broken that loads, nothing missed that does not.
# timeout: 600
. "$(dirname "$0")/../lib.sh"
need gcc python3
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1

zig=$("$ROOT/tests/tools/zig.sh" 2>"$T/reason") || {
  skip "programs of zig" "$(tail -n 1 "$T/reason")"
  zig=-
}
roots=()
for name in glibc217 bullseye bookworm trixie; do
  if root=$("$ROOT/tests/tools/roots.sh" "$name" 2>"$T/reason"); then
    roots+=("$name=$root")
  else
    skip "$name" "$(tail -n 1 "$T/reason")"
  fi
done
[ "${#roots[@]}" -gt 0 ] || done_testing
printf 'name: any\nsubdir: linux-64\nvirtual-packages: [__glibc=2.17, __linux=3.10, __unix=0=0]\n' >"$T/any.yml"
"$ENVBUILD_TOOLS/sandbox" --target "$T/any.yml" --root "${roots[0]#*=}" -- /bin/bash -c : 2>"$T/reason" ||
  skip_all "no sandbox: $(tail -n 1 "$T/reason")"

# A host that has a cache of libraries, with a folder that only it names.
if [[ " ${roots[*]} " == *" bookworm="* ]] && PATH=$PATH:/usr/sbin:/sbin command -v ldconfig >/dev/null; then
  base=$("$ROOT/tests/tools/roots.sh" bookworm)
  cp -a --reflink=auto "$base" "$T/cached"
  mkdir -p "$T/cached/opt/site/lib"
  echo /opt/site/lib >"$T/cached/etc/ld.so.conf.d/site.conf"
  gcc -shared -nostdlib -Wl,-soname,libsite.so.1 -o "$T/cached/opt/site/lib/libsite.so.1" -xc - <<<"int site;"
  if PATH=$PATH:/usr/sbin:/sbin ldconfig -r "$T/cached" 2>"$T/reason"; then
    roots+=("cached=$T/cached")
  else
    skip "a root with ld.so.cache" "$(tail -n 1 "$T/reason")"
  fi
fi

checker "the audit agrees with the loader" python3 "$ROOT/tests/tools/check_truth.py" \
  "$ENVBUILD_TEST_CACHE/truth" "$T/work" "$zig" "${roots[@]}"
done_testing
