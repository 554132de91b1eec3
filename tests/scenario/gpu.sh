#!/bin/sh
# shellcheck disable=SC2086 # $root and $as are lists of words
# A GPU of the host inside the sandbox: a stand-in of a device and of its driver's library, which
# programs of every root must find; and what is said where there is none.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need setpriv gcc
[ "$(id -u)" = 0 ] || skip_all "needs root, to make a device"

user=65530
tool=$ENVBUILD_TOOLS/sandbox
chmod 755 "$T"
mkdir "$T/driver" "$T/driver/bin" "$T/cdi" "$T/user" "$T/bin"
cp "$tool" "$T/bin/sandbox"
chown $user:$user "$T/user"

node=/dev/envbuild-test-gpu$$
mknod $node c 1 3 || skip_all "no device can be made in /dev"
other=${node}9 # tun, under a name that a profile may ask for
mknod -m 666 $other c 10 200 || skip_all "no device can be made in /dev"
defer "rm -f $node $other"
chmod 666 $node

# The driver: a library with a version in its file's name, as they have, without a C library.
cat >"$T/cuda.c" <<'EOC'
int cuDriverGetVersion(int *version);
int cuDriverGetVersion(int *version)
{
	*version = 12020;
	return 0;
}
EOC
# The program: by the root's own loader, and by nothing else of the root.
cat >"$T/ask.c" <<'EOC'
int cuDriverGetVersion(int *version);

static long call(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(a), "S"(b), "d"(c)
		: "rcx", "r11", "memory");
	return r;
}

__attribute__((force_align_arg_pointer)) void _start(void)
{
	static const char node[] = NODE, text[] = "CUDA 12020, device open\n";
	int version = 0;

	cuDriverGetVersion(&version);
	if (version == 12020 && call(2, (long)node, 2, 0) >= 0)
		call(1, 1, (long)text, sizeof text - 1);
	call(231, version != 12020, 0, 0);
}
EOC
if [ "$(uname -m)" != x86_64 ]; then
  skip_all "the program that asks is for x86_64"
fi
build() {
  gcc -shared -nostdlib -fPIC -Wl,-soname,libcuda.so.1 -Wl,--hash-style=both \
    -o "$T/driver/libcuda.so.535.104" "$T/cuda.c" &&
    gcc -nostdlib -fno-stack-protector -no-pie -DNODE="\"$node\"" -Wl,--hash-style=both \
      -o "$T/bin/ask" "$T/ask.c" "$T/driver/libcuda.so.535.104"
}
check "the stand-ins are built" build
printf '#!/bin/sh\necho the program of the driver\n' >"$T/driver/bin/nvidia-smi"
chmod 755 "$T/driver/bin/nvidia-smi"

spec() { # spec MORE-MOUNTS
  cat >"$T/cdi/test.json" <<EOC
{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu",
 "containerEdits": {
  "env": ["NVIDIA_VISIBLE_DEVICES=void", "LD_PRELOAD=/tmp/evil.so"],
  "hooks": [{"hookName": "createContainer", "path": "/usr/bin/nvidia-ctk"}],
  "mounts": [
   {"hostPath": "$T/driver/libcuda.so.535.104", "containerPath": "/usr/lib64/libcuda.so.535.104"},
   {"hostPath": "$T/driver/bin/nvidia-smi", "containerPath": "/usr/bin/nvidia-smi"}$1]},
 "devices": [{"name": "all", "containerEdits": {"deviceNodes": [{"path": "$node"}]}}]}
EOC
}

as_root() {
  env TMPDIR="$T" CDI_SPEC_DIRS="$T/cdi" "$@"
}

as_user() {
  setpriv --reuid $user --regid $user --clear-groups \
    env HOME="$T/user" TMPDIR="$T/user" CDI_SPEC_DIRS="$T/cdi" ENVBUILD_CACHE="$T/user/cache" "$@"
}

box() { # box OPTION... -- COMMAND...
  $as "$T/bin/sandbox" $root --ro "$T/bin/ask:/ask" "$@"
}

in_a_root() {
  spec ""
  expect 0 "$who: a program finds the library and opens the device" box --gpu require -- /ask
  same "$who: both are the host's" "$(cat "$T/out")" "CUDA 12020, device open"
  expect 0 "$who: the driver's program, the variables of its specification" box --gpu require -- \
    sh -c 'nvidia-smi; echo $NVIDIA_VISIBLE_DEVICES $LD_PRELOAD; echo x >'$node
  same "$who: and no others" "$(cat "$T/out")" "the program of the driver
void"
  expect 0 "$who: a job that does not ask" box -- test ! -e $node -a ! -e /usr/bin/nvidia-smi
  expect 0 "$who: a target without one" box --gpu auto -- test ! -e $node
  expect 127 "$who: and its program without its library" box --gpu none -- /ask
  says "$who: says so by itself" 'libcuda\.so\.1'
  # what may not be replaced: the C library, the shell, the passwords
  cp "$T/driver/libcuda.so.535.104" "$T/driver/libc.so.6"
  printf '#!/bin/sh\necho evil\n' >"$T/driver/bin/sh"
  chmod 755 "$T/driver/bin/sh"
  echo "evil::0:0::/:/bin/sh" >"$T/driver/passwd"
  spec ", {\"hostPath\": \"$T/driver/libc.so.6\", \"containerPath\": \"/usr/lib64/libc.so.6\"},
   {\"hostPath\": \"$T/driver/bin/sh\", \"containerPath\": \"/usr/bin/sh\"},
   {\"hostPath\": \"$T/driver/passwd\", \"containerPath\": \"/etc/passwd\"}"
  expect 0 "$who: a specification that replaces what is the root's" box --gpu require -- \
    sh -c 'cat /etc/passwd 2>/dev/null; sh -c "echo still ours"; /ask'
  same "$who: replaces nothing" "$(grep -v '^[^:]*:x:\|^[^:]*:\*:' "$T/out")" "still ours
CUDA 12020, device open"
  spec ", {\"hostPath\": \"$T/driver/passwd\", \"containerPath\": \"/tmp/../etc/passwd\"}"
  expect 125 "$who: one that leads out" box --gpu require -- true
  says "$who: is refused with its place" "test\.json:[0-9]+:[0-9]+: 'containerPath'"
}

lister() {
  mkdir "$T/path"
  cat >"$T/path/nvidia-container-cli" <<EOC
#!/bin/sh
test "\$1" = list && printf '%s\n' $node /dev/kmsg "$T/driver/bin/nvidia-smi" \
  "$T/driver/libcuda.so.535.104" /run/nvidia-persistenced/socket ../../etc/passwd
EOC
  chmod 755 "$T/path/nvidia-container-cli"
  expect 0 "$who: what nvidia-container-cli lists" env CDI_SPEC_DIRS="$T/none" \
    PATH="$T/path:$PATH" "$T/bin/sandbox" $root --ro "$T/bin/ask:/ask" --gpu require -- \
    sh -c '/ask; nvidia-smi; ls /dev/kmsg 2>/dev/null; true'
  same "$who: but no other device" "$(cat "$T/out")" "CUDA 12020, device open
the program of the driver"
  printf '#!/bin/sh\nexit 1\n' >"$T/path/nvidia-container-cli"
  expect 125 "$who: where it fails" env CDI_SPEC_DIRS="$T/none" PATH="$T/path:$PATH" \
    "$T/bin/sandbox" $root --gpu require -- true
  says "$who: there is none" "no GPU for target .*: there is no device '/dev/nvidiactl' here"
  says "$who: and a way out" "hint: install the GPU's driver.*--gpu require"
}

the_command() {
  mkdir -p "$T/work/demo/conda-meta"
  : >"$T/work/demo/conda-meta/history"
  cp "$T/bin/ask" "$T/work/ask"
  echo "/tmp/project/ask && nvidia-smi && { test -e $other || echo no other; }" >"$T/work/ask.sh"
  chown -R $user:$user "$T/work"
  cd "$T/work" || exit 1
  spec ""
  expect 0 "$who: envbuild test --gpu require" $as "$ENVBUILD" test demo --test ask.sh --gpu require
  says "$who: has it" '^CUDA 12020, device open$'
  expect 0 "$who: envbuild run --gpu require" $as "$ENVBUILD" run demo --gpu require -- nvidia-smi
  same "$who: too" "$(cat "$T/out")" "the program of the driver"
  expect 6 "$who: envbuild test without" $as "$ENVBUILD" test demo --test ask.sh
  says "$who: has not" 'libcuda\.so\.1'
  rm "$T/cdi/test.json"
  expect 1 "$who: envbuild test --gpu require on a machine without" $as "$ENVBUILD" test demo \
    --test ask.sh --gpu require
  says "$who: names what is missing" "error: no GPU for target 'host': there is no device '/dev/nv"
  says "$who: and the way out" "hint: install the GPU's driver"
  expect 1 "$who: nor without a sandbox" $as "$ENVBUILD" run demo --engine none --gpu require -- true
  says "$who: as little is here" "error: no GPU for target 'host': there is no device '/dev/nv"
  expect 0 "$who: where nobody requires it" $as "$ENVBUILD" run demo --engine none -- true
  expect 2 "$who: another word" $as "$ENVBUILD" test demo --test ask.sh --gpu maybe
  says "$who: is refused" 'auto, none or require'
  cd / || exit 1
}

# A target that has a GPU, whose files are found by the profile's own lists.
by_hand() {
  cat >"$T/gpu.yml" <<EOC
name: gpu
subdir: linux-64
virtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0, __archspec=1=x86_64, __cuda=12.2]
gpu:
  device-nodes: ["/dev/envbuild-test-gpu[0-9]*"]
  libraries: ["libcuda.so.*"]
  programs: [nvidia-smi]
EOC
  # in a folder of its own: LD_LIBRARY_PATH holds for envbuild, too
  mkdir -p "$T/plain/bin"
  cp "$T/driver/libcuda.so.535.104" "$T/plain/"
  cp "$T/driver/bin/nvidia-smi" "$T/plain/bin/"
  cd "$T/work" || exit 1
  by_profile() { # by_profile PATH OPTION...
    path=$1
    shift
    env LD_LIBRARY_PATH="$T/plain" PATH="$path" CDI_SPEC_DIRS="$T/none" TMPDIR="$T" \
      "$ENVBUILD" test demo -t "$T/gpu.yml" --image / --test ask.sh "$@"
  }
  expect 0 "$who: a target's GPU" by_profile "$T/plain/bin:$PATH"
  says "$who: by its profile" '^CUDA 12020, device open$'
  says "$who: and its programs" '^the program of the driver$'
  says "$who: and no other device" '^no other$'
  expect 6 "$who: --gpu none" by_profile "$T/plain/bin:$PATH" --gpu none
  rm -f $node
  expect 6 "$who: without the device" by_profile "$T/plain/bin:$PATH"
  same "$who: a warning says so, once" "$(grep -c "warning: .*there is no device '/dev/envbuild-test" \
    "$T/err")" 1
  says "$who: and how to do without" 'warning: .*--gpu none'
  expect 1 "$who: --gpu require" by_profile "$T/plain/bin:$PATH" --gpu require
  mknod $node c 1 3
  chmod 666 $node
  rm "$T/plain/libcuda.so.535.104"
  expect 1 "$who: without the library" by_profile "$T/plain/bin:$PATH" --gpu require
  says "$who: it is named" "no driver library 'libcuda\.so\.\*' here"
  cd / || exit 1
}

as=as_root
if ! "$T/bin/sandbox" --probe 2>"$T/why"; then
  skip_all "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi
for name in / glibc217 bookworm; do
  who="root, on $name"
  case $name in
    /) root= ;;
    *)
      dir=$("$ROOT/tests/tools/roots.sh" $name 2>"$T/why") || {
        skip "$who" "$(cat "$T/why")"
        continue
      }
      root="--target rhel7 --root $dir"
      ;;
  esac
  in_a_root
done
root=
who="root, on /"
lister
the_command
by_hand
if as_user "$T/bin/sandbox" --probe 2>"$T/why"; then
  as=as_user
  who="user, on /"
  in_a_root
  if as_user "$ENVBUILD" --version >/dev/null 2>&1; then
    the_command
  else
    skip "$who: envbuild test" "an ordinary user cannot read the program"
  fi
else
  skip "as an ordinary user" "$(sed -n 's/^envbuild: error: //p' "$T/why")"
fi
done_testing
