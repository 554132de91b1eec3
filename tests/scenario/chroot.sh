#!/bin/bash
# The two commands of the README on a fresh Debian 12 with gcc, make and apt-get, nothing else:
# `make demo` and `make test` in a new root.  Needs root, a Debian mirror and some minutes;
# `make test-fresh` runs it.
# by hand
. "$(dirname "$0")/../lib.sh"
need mmdebstrap unshare pivot_root busybox
[ "$(id -u)" = 0 ] || skip_all "not root"

keep=${KEEP:-$T}
fresh=$keep/fresh
check "a fresh Debian 12" mmdebstrap --variant=apt --mode=root \
  --include=gcc,libc6-dev,make,apt,debian-archive-keyring bookworm "$fresh"
mkdir -p "$fresh/src" "$fresh/shared"
tar -C "$ROOT" --exclude=./build --exclude=./.git -cf - . | tar -C "$fresh/src" -xf -
rm -f "$fresh"/src/examples/*/envbuild.lock

# pivot_root, not chroot: in a chroot the kernel gives nobody a user namespace.
cat >"$T/inside" <<'SH'
set -e
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount --rbind /sys "$1/sys"
cp /etc/resolv.conf "$1/etc/resolv.conf"
if [ -n "$2" ]; then
  mkdir -p "$1/shared/data"
  mount --bind "$2" "$1/shared/data"
fi
cd "$1"
mkdir -p .old
pivot_root . .old
# The fresh root has no umount yet.
/.old/bin/busybox umount -l /.old
cd /src
shift 2
exec "$@"
SH
# npm is what roots.sh takes a glibc 2.17 root from; it is not part of the two commands.
inside() {
  env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb \
    unshare --mount --pid --fork --kill-child --propagation private \
    sh "$T/inside" "$fresh" "$ENVBUILD_SHARED_DATA" "$@"
}
for goal in demo demo-target test; do
  if inside make "$goal" >"$keep/$goal.log" 2>&1; then
    ok "make $goal"
  else
    fail "make $goal" "$(grep -A 40 '^FAIL' "$keep/$goal.log"; tail -n 20 "$keep/$goal.log")"
  fi
  tail -n 1 "$keep/$goal.log" | sed 's/^/# /'
done
check "afterwards the program is there" test -x "$fresh/src/build/envbuild"
check "and plain make builds" inside make
done_testing
