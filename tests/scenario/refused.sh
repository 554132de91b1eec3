#!/bin/sh
# shellcheck disable=SC2016 # scripts for another shell
# What is said where the kernel, its settings or a container refuse what the sandbox needs: each
# names the cause and the way out.
. "$(dirname "$0")/../lib.sh"
[ "$(id -u)" = 0 ] || skip_all "needs root, to make such a machine"
need unshare setpriv mount chroot gcc

user=65529
chmod 755 "$T"
mkdir "$T/bin" "$T/state" "$T/user" "$T/host" "$T/kernel"
cp "$ENVBUILD_TOOLS/sandbox" "$T/bin/sandbox"
chown $user:$user "$T/user"
export TMPDIR="$T/state"
if ! "$T/bin/sandbox" --probe 2>"$T/why"; then
  skip_all "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi

# told NAME CAUSE REMEDY COMMAND...: the command fails so
told() {
  told_name=$1 told_cause=$2 told_remedy=$3
  shift 3
  expect 125 "$told_name" "$@"
  says "$told_name: the cause" "error: .*$told_cause"
  says "$told_name: the way out" "hint: .*$told_remedy"
}

# A user namespace has limits of its own.
limited() {
  unshare -Ur sh -c 'echo 0 >/proc/sys/user/max_'"$1"'_namespaces && shift && exec "$@"' sh "$@"
}
if limited user true 2>/dev/null; then
  told "no user namespaces" 'this system allows no user namespaces' \
    'sysctl -w user\.max_user_namespaces=' limited user "$T/bin/sandbox" --probe
  for kind in mnt pid net ipc uts cgroup; do
    told "no $kind namespaces" 'limit of namespaces is reached' \
      "raise user\\.max_${kind}_namespaces" limited $kind "$T/bin/sandbox" --probe
  done
else
  skip "namespaces switched off" "this machine does not let a namespace forbid others"
fi

# In a chroot the kernel allows no user namespace; what else is blamed is said by settings, which
# this machine need not have: they are put where they would be.
in_chroot() { # in_chroot SETTING COMMAND...
  unshare -m sh -c 'mount --rbind / "$1/host" && cd / &&
    { [ -z "$2" ] || { mount --bind "$1/kernel" "$1/host/proc/sys/kernel" &&
      echo "${2#*=}" >"$1/host/proc/sys/kernel/${2%=*}"; }; } &&
    dir=$1 && shift 2 && exec chroot "$dir/host" "$@"' sh "$T" "$@"
}
as_user() {
  set -- setpriv --reuid $user --regid $user --clear-groups env TMPDIR="$T/user" "$@"
  in_chroot "$setting" "$@"
}
told "a chroot" 'or this is a chroot' 'security-opt seccomp=unconfined' \
  in_chroot "" "$T/bin/sandbox" --probe
setting=unprivileged_userns_clone=0
told "ordinary users may not" 'ordinary users may not make user namespaces' \
  'sysctl -w kernel\.unprivileged_userns_clone=1' as_user "$T/bin/sandbox" --probe
rm -f "$T/kernel/"*
setting=apparmor_restrict_unprivileged_userns=1
told "AppArmor" 'AppArmor restricts unprivileged user namespaces' \
  'apparmor_restrict_unprivileged_userns=0.*profile' as_user "$T/bin/sandbox" --probe
rm -f "$T/kernel/"*

# A sandbox in a sandbox is as one in a container.
told "a seccomp filter" 'seccomp filter, as container engines' 'security-opt seccomp=unconfined' \
  "$T/bin/sandbox" --ro "$T/bin:/mnt" --env ASAN_OPTIONS=detect_leaks=0 -- /mnt/sandbox --probe

# Parts of /proc that are hidden, as container engines do, forbid a new one.
told "a masked /proc" 'parts of it are hidden here' 'systempaths=unconfined' \
  unshare -Urm --propagation private sh -c 'mount -t tmpfs none /proc/sys && exec "$@"' sh \
  "$T/bin/sandbox" --probe

# Overlays upon overlays, of which the kernel allows two.
without_overlays() {
  unshare -m sh -c 'cd "$1" && mkdir -p ov && mount -t tmpfs none ov && cd ov &&
    mkdir l u w m u2 w2 m2 &&
    mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m &&
    mount -t overlay o -o lowerdir=m,upperdir=u2,workdir=w2 m2 &&
    mkdir m2/state m2/project && echo one >m2/project/one && shift && exec "$@"' sh "$T" "$@"
}
expect 0 "without overlays a job runs" without_overlays "$T/bin/sandbox" --state "$T/ov/m2/state" \
  --throw "$T/ov/m2/project:/tmp/project" -- \
  sh -c 'echo two >>/tmp/project/one; echo x >/usr/x || echo read-only; echo y >/tmp/y && cat /tmp/y'
same "without overlays: the root is read-only" "$(cat "$T/out")" "read-only
y"
says "without overlays: a throw-away folder is a copy" '^changed /tmp/project: one$'
told "without overlays: a quota" 'a quota needs overlays in a user namespace' 'leave out --quota' \
  without_overlays "$T/bin/sandbox" --state "$T/ov/m2/state" --bytes 1000000 -- true

# glibc before 2.14 calls a page that a kernel may leave out.
mkdir -p "$T/old/lib64" "$T/old/bin"
echo 'const char banner[] = "GNU C Library stable release version 2.12, by many.";' >"$T/c.c"
gcc -shared -nostdlib -fPIC -Wl,-soname,libc.so.6 -o "$T/old/lib64/libc.so.6" "$T/c.c"
grep -v '\[vsyscall\]' /proc/self/maps >"$T/maps"
without_vsyscall() {
  unshare -m sh -c 'mount --bind "$1" /proc/$$/maps && shift && exec "$@"' sh "$T/maps" "$@"
}
if grep -q __asan_init "$T/bin/sandbox"; then
  skip "no vsyscall" "AddressSanitizer reads /proc/self/maps, too"
else
  told "no vsyscall" 'programs of glibc 2\.12 crash on this kernel, which has no vsyscall page' \
    'vsyscall=emulate' without_vsyscall "$T/bin/sandbox" --target rhel6 --root "$T/old" -- /bin/true
fi
if grep -q '\[vsyscall\]' /proc/self/maps; then
  expect 125 "with vsyscall it is tried" "$T/bin/sandbox" --target rhel6 --root "$T/old" -- /bin/true
  says "with vsyscall: the program is missing, no more" "cannot run '/bin/true' in the sandbox"
else
  skip "with vsyscall" "this kernel has none"
fi
done_testing
