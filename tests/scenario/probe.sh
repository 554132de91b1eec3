#!/bin/bash
# envbuild image probe: the program, the static program and the script say the same of this machine
# and of old roots; unions, drift, CUDA drivers that answer, hang and crash; what it prints is a target.
# timeout: 300
. "$(dirname "$0")/../lib.sh"
need musl-gcc gcc unshare dash bash busybox python3

probe() {
  "$ENVBUILD" image probe "$@"
}
export TMPDIR="$T" HOME="$T"
check "the static program is made" "$ROOT/portable/make-probe" "$T/envbuild-probe"
check "it is static" sh -c "! ldd '$T/envbuild-probe' 2>/dev/null | grep -q '=>'"
expect 0 "the script is printed" probe --script
cp "$T/out" "$T/probe.sh"
check "it is the file" cmp "$T/probe.sh" "$ROOT/images/probe.sh"

# --- CUDA drivers; the one that hangs takes ten seconds, in which the rest is looked at -------

driver() { # NAME CODE-OF-cuDriverGetVersion CODE-OF-cuInit
  mkdir -p "$T/$1"
  cat >"$T/$1/cuda.c" <<C
#include <stdlib.h>
#include <unistd.h>
int cuDriverGetVersion(int *v) { $2; *v = 12040; return 0; }
int cuInit(unsigned f) { (void)f; $3; return getenv("CUDA_VISIBLE_DEVICES") ? 100 : 0; }
int cuDeviceGetCount(int *n) { *n = 3; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetAttribute(int *v, int a, int d)
{
	*v = a == 75 ? (d == 1 ? 8 : 9) : a == 76 ? 0 : -1;
	return d == 2; /* a device that does not answer */
}
C
  gcc -shared -fPIC -o "$T/$1/libcuda.so.1" "$T/$1/cuda.c" || fail "gcc makes a libcuda"
}
with() {
  LD_LIBRARY_PATH=$T/$1 CUDA_VISIBLE_DEVICES='' "$ENVBUILD" image probe --name gpu
}
driver good '' ''
driver hangs '' 'for (;;) pause()'
driver crashes 'abort()' ''
driver crashes-later '' 'abort()'
{
  with hangs >"$T/hangs.yml" 2>"$T/hangs.err"
  echo $? >"$T/hangs.status"
} &
hanging=$!

expect 0 "a driver answers" with good
says "with its CUDA" '^- __cuda=12\.4$' "$T/out"
says "and the least of its devices" '^  compute-capability: "8\.0"$' "$T/out"
cp "$T/out" "$T/good.yml"
expect 0 "a driver crashes" with crashes
check "then there is no CUDA" sh -c "! grep -q cuda= '$T/out'"
says "and it is said" 'libcuda\.so\.1 died of signal 6'
says "in the profile, too" '^# libcuda\.so\.1 died of signal 6' "$T/out"
expect 0 "a driver crashes when it is asked for devices" with crashes-later
says "its CUDA stays" '^- __cuda=12\.4$' "$T/out"
says "without devices" '^gpu:' "$T/out"
check "of which nothing is known" sh -c "! grep -q capability '$T/out'"

mkdir "$T/smi"
cat >"$T/smi/nvidia-smi" <<'SH'
#!/bin/sh
case $* in
  '') echo '| NVIDIA-SMI 535.104.05   Driver Version: 535.104.05   CUDA Version: 12.2     |' ;;
  '--query-gpu=compute_cap --format=csv,noheader') printf '8.6\n7.5\n' ;;
  *) exit 1 ;;
esac
SH
chmod +x "$T/smi/nvidia-smi"

# --- this machine -----------------------------------------------------------------------------

with_smi() {
  PATH=$T/smi:$PATH "$@"
}
expect 0 "a probe of this machine" with_smi "$ENVBUILD" image probe --name here
cp "$T/out" "$T/here.yml"
expect 0 "by the static program" with_smi "$T/envbuild-probe" --name here
check "says the same" cmp "$T/out" "$T/here.yml"
expect 0 "by the script" with_smi dash "$T/probe.sh" --name here
check "the same again" cmp "$T/out" "$T/here.yml"
says "nvidia-smi is asked where the driver's library is not" '^- __cuda=12\.2$' "$T/here.yml"
says "for devices, too" '^  compute-capability: "7\.5"$' "$T/here.yml"
says "and that is said" '^# CUDA is what nvidia-smi says' "$T/here.yml"
check "nothing is left in TMPDIR" sh -c "! ls -d '$T'/envbuild-probe.?*"
# One that says more than anybody reads, and one that has said all and does not end
mkdir "$T/long" "$T/stays"
printf '#!/bin/sh\necho "| CUDA Version: 12.2 |"\nwhile echo 0123456789; do :; done\n' >"$T/long/nvidia-smi"
printf '#!/bin/sh\necho "| CUDA Version: 12.2 |"\nexec sleep 300 >&-\n' >"$T/stays/nvidia-smi"
chmod +x "$T/long/nvidia-smi" "$T/stays/nvidia-smi"
PATH=$T/stays:$PATH timeout 60 "$T/envbuild-probe" --name here >"$T/stays.yml" 2>&1 &
stays=$!
expect 0 "nvidia-smi without an end" env PATH="$T/long:$PATH" timeout 60 "$T/envbuild-probe" --name here
says "is heard all the same" '^- __cuda=12\.2$' "$T/out"

# --- roots ------------------------------------------------------------------------------------

# In a mount namespace of its own, so that nothing of it stays: inside ROOT COMMAND...; the programs
# lie in /run, and /tmp is noexec.
cat >"$T/inside" <<'SH'
root=$1 from=$2
shift 2
mount -t proc proc "$root/proc" 2>/dev/null || mount --rbind /proc "$root/proc" || exit 125
mount -t tmpfs none "$root/dev" && : >"$root/dev/null" && mount --bind /dev/null "$root/dev/null" || exit 125
mount -t tmpfs none "$root/run" && mount -t tmpfs -o noexec none "$root/tmp" || exit 125
cp "$from/envbuild-probe" "$from/probe.sh" "$root/run/" || exit 125
# what mawk's installation would have done
[ ! -e "$root/usr/bin/mawk" ] || ln -s /usr/bin/mawk "$root/run/awk"
mkdir "$root/run/few"
for program in cat mkdir rm rmdir sed sort tail tr uname; do
  ln -s "../../bin/$program" "$root/run/few/$program"
done
cd /
exec chroot "$root" "$@"
SH
inside() {
  env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin:/run HOME=/tmp \
    unshare --mount --pid --fork --map-root-user sh "$T/inside" "$1" "$T" "${@:2}"
}
libraries() {
  sed -n '/^libraries:/,/^[a-k m-z]/p' "$1" | grep '^  '
}

# Without times of reading
listing() {
  (cd "$1" && find . -printf '%p %y %m %U:%G %s %l %T@\n') | sort
}

look_into() { # ROOT-NAME GLIBC SHELL...
  name=$1
  glibc=$2
  shift 2
  "$ROOT/tests/tools/roots.sh" "$name" >"$T/made" 2>"$T/reason"
  case $? in
    0) root=$(tail -n 1 "$T/made") && echo "$root" >"$T/root-$name" ;;
    77) skip "$name" "no such root: $(tail -n 1 "$T/reason")" && return ;;
    *) fail "$name: a root" "$(cat "$T/reason")" && return ;;
  esac
  root_before=$(listing "$root")
  expect 0 "$name: a probe of the root" probe --image "$root" --name "$name"
  cp "$T/out" "$T/$name.yml"
  says "$name: glibc" "^- __glibc=$glibc\$" "$T/$name.yml"
  expect 0 "$name: by the static program" "$T/envbuild-probe" --image "$root" --name "$name"
  check "$name: says the same" cmp "$T/out" "$T/$name.yml"
  inside "$root" /run/envbuild-probe --name "$name" >"$T/$name.inside" 2>"$T/reason"
  [ $? != 125 ] || { skip "$name: inside" "the kernel refuses mounts here" && return; }
  same "$name: inside it finds the same libraries" "$(libraries "$T/$name.yml")" \
    "$(libraries "$T/$name.inside")"
  says "$name: /tmp is noexec" '^  noexec: \[/tmp\]$' "$T/$name.inside"
  for shell; do
    # shellcheck disable=SC2086 # "bash --posix"
    expect 0 "$name: the script runs in $shell" inside "$root" $shell /run/probe.sh --name "$name"
    check "$name: $shell says the same" cmp "$T/out" "$T/$name.inside"
  done
  same "$name: none of it changes the root" "$(listing "$root")" "$root_before"
}
look_into glibc217 2.17 'busybox sh' 'bash --posix'
look_into bullseye 2.31 dash
look_into bookworm 2.36 dash 'bash --posix'
look_into trixie 2.41 dash

# Where awk is missing, what is sure is said, and that it is not all.
if [ -f "$T/root-glibc217" ]; then
  expect 0 "without awk the script still runs" inside "$(cat "$T/root-glibc217")" \
    /usr/bin/env PATH=/run/few /bin/bash /run/probe.sh
  says "and says so" '^# awk or od is missing' "$T/out"
  for soname in libc.so.6 libstdc++.so.6 libgcc_s.so.1; do
    same "without awk: $soname" "$(grep "^  $soname:" "$T/glibc217.yml" | sed 's/, [A-Z]*_TM_1//')" \
      "$(grep "^  $soname:" "$T/out" | sed 's/, [A-Z]*_TM_1//')"
  done
  check "what it prints is a profile" probe --union "$T/out" --name x
fi

# --- unions and drift -------------------------------------------------------------------------

if [ -f "$T/glibc217.yml" ] && [ -f "$T/trixie.yml" ]; then
  expect 0 "a union" probe --union "$T/trixie.yml" "$T/glibc217.yml" --name both
  cp "$T/out" "$T/both.yml"
  probe --union "$T/glibc217.yml" "$T/trixie.yml" --name both >"$T/other"
  check "is the same in any order" cmp "$T/both.yml" "$T/other"
  says "has the least glibc" '^- __glibc=2\.17$' "$T/both.yml"
  check "and no symbol of the newer" sh -c "! grep -q GLIBC_2.18 '$T/both.yml'"
  for one in glibc217 trixie; do
    expect 0 "$one has what the union says" probe --check "$T/both.yml" --image "$(cat "$T/root-$one")"
  done
  expect 1 "the older has less than the newer" probe --check "$T/trixie.yml" \
    --image "$(cat "$T/root-glibc217")"
  says "and it says what" '^lacks __glibc: profile 2\.41, image 2\.17$' "$T/out"
  says "symbol versions" '^lacks libc\.so\.6: profile GLIBC_2\.18, GLIBC_2\.22,.* image -$' "$T/out"
fi
sed 's/linux-64/linux-aarch64/' "$T/here.yml" >"$T/arm.yml"
expect 2 "a union of two kinds of machine is refused" probe --union "$T/here.yml" "$T/arm.yml"
says "with both" 'linux-64.*linux-aarch64'

expect 0 "a host has what its probe says" with_smi "$ENVBUILD" image probe --check "$T/here.yml"
check "without drift" test ! -s "$T/out"
sed -e 's/^- __linux=.*/- __linux=99.1/' -e 's/^libraries:$/&\n  libgone.so.7: [GONE_1]/' \
  -e '/^  libdl\.so\.2:/d' -e 's/open-files: .*/open-files: unlimited/' "$T/here.yml" >"$T/drift.yml"
expect 1 "a host that has less" with_smi "$ENVBUILD" image probe --check "$T/drift.yml"
says "of the kernel" '^lacks __linux: profile 99\.1, host [0-9]' "$T/out"
says "of libraries" '^lacks libgone\.so\.7: profile there, host -$' "$T/out"
says "of limits" '^lacks limits: open-files: profile unlimited, host [0-9]' "$T/out"
says "and more of others" '^more  libraries: profile -, host 1 more$' "$T/out"
says "counts" "less than target 'here' promises, in 3 respects"
says "says what to do" 'hint: .*--union'
expect 1 "the same as JSON" with_smi "$ENVBUILD" image probe --check "$T/drift.yml" --json
check "is a document" python3 -c "
import json
d = json.load(open('$T/out'))
assert d['target'] == 'here' and d['satisfied'] is False and d['image'] is None, d
lacks = [x['what'] for x in d['drift'] if x['lacks']]
assert lacks == ['__linux', 'libgone.so.7', 'limits: open-files'], lacks"
check "without CUDA a host lacks it" sh -c "'$ENVBUILD' image probe --check '$T/good.yml' |
  grep -qx 'lacks __cuda: profile 12.4, host -'"

# --- a probe is a target ----------------------------------------------------------------------

"$ROOT/tests/tools/small_channel.py" "$T/channel" || fail "a channel"
"$ENVBUILD" channel index "$T/channel" >"$T/out" 2>&1 || fail "its index"
printf 'name: e\nchannels: [%s]\ndependencies: [alpha, zeta, __cuda >=12]\n' "$T/channel" >environment.yml
expect 0 "a lock for it" "$ENVBUILD" lock --override-channels -c "$T/channel" -t "$T/good.yml"
says "has its virtual packages" '__cuda=12\.4' envbuild.lock
if [ -f "$T/both.yml" ]; then
  printf 'name: e\ndependencies: [alpha]\n' >environment.yml
  expect 0 "a union is one, too" "$ENVBUILD" lock --override-channels -c "$T/channel" -t "$T/both.yml"
fi

# --- words ------------------------------------------------------------------------------------

expect 2 "--union needs files" probe --union
expect 2 "files need --union" probe "$T/here.yml"
expect 2 "--json needs --check" probe --json
expect 2 "a name that is none" probe --name a/b
expect 2 "an image that is none" probe --image "$T/channel"
says "says what it lacks" 'there is no glibc'
expect 2 "the script refuses options it does not know" dash "$T/probe.sh" --all
expect 2 "so does the static program" "$T/envbuild-probe" --all

wait "$stays"
same "nvidia-smi stays, the probe does not" 0 $?
says "and has its answer" '^- __cuda=12\.2$' "$T/stays.yml"
wait "$hanging"
same "a driver hangs, the probe does not" 0 "$(cat "$T/hangs.status")"
says "its CUDA stays" '^- __cuda=12\.4$' "$T/hangs.yml"
says "and it is said" 'libcuda\.so\.1 did not answer within 10 s' "$T/hangs.err"
done_testing
