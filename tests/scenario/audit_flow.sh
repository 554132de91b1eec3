#!/bin/bash
# What stands around the solver that learns: facts that lie, folders of a profile, several targets, archives
# that are made again, and what is advised where nothing is left.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tools/elf_channel.sh"
rhel7_project

library libdemo.so.1.new 'int work(void) { return renameat2(-1, "", -1, "", 0) + 1; }'
library libdemo.so.1 'int work(void) { return (int)strlen(""); }'
library libcuda.so.1 'int cuda(void) { return 0; }'
library plug.so 'static __thread char room[4096] __attribute__((tls_model("initial-exec")));
char *plug(int i) { return &room[i]; }'
library libblas.so.0 'int blas(void) { return (int)strlen(""); }'
library libcblas.so.3 'int blas(void) { return 0; }'
program array 'extern int blas(void); int run(void) { return blas(); }' "$T/libcblas.so.3" -Wl,-rpath,'$ORIGIN/../lib'
library libgone.so.1 'int gone(void) { return 0; }'
program wants 'extern int gone(void); int run(void) { return gone(); }' "$T/libgone.so.1" -Wl,-rpath,'$ORIGIN/../lib'
program simple 'int run(void) { return 0; }' -lc
program gpu 'extern int cuda(void); int run(void) { return cuda(); }' "$T/libcuda.so.1"
packages <<'LIST'
demo 2.0 0 [] lib/libdemo.so.1=libdemo.so.1.new
demo 1.0 0 [] lib/libdemo.so.1=libdemo.so.1
gpu 1.0 0 [] bin/gpu=gpu
plug 1.0 0 [] lib/plug.so=plug.so
blas 1.0 0 [] lib/libblas.so.0=libblas.so.0
cblas 1.0 0 [blas] lib/libcblas.so.3=@libblas.so.0
array 1.0 0 [cblas] bin/array=array
wants 2.0 0 [] bin/wants=wants
wants 1.0 0 [] bin/wants=simple
python 3.9.1 0 []
pip 1.0 0 []
LIST
here=$T/channel/noarch

# ask STATUS NAME DEPENDENCIES COMMAND OPTION...
ask() {
  rm -f envbuild.lock ask*
  printf 'name: ask\nchannels: [file://%s]\ndependencies: [%s]\n' "$T/channel" "$3" >environment.yml
  expect "$1" "$2" "$ENVBUILD" "${@:4}"
}

# --- facts that lie ------------------------------------------------------------------------------
"$ENVBUILD" audit -q -t host "$here/demo-2.0-0.conda" --export-facts facts.json >/dev/null || exit 1
sed 's/GLIBC_2\.28/GLIBC_2.2.5/' facts.json >lie.json
check "(they do)" test "$(cat facts.json)" != "$(cat lie.json)"
ask 0 "lock believes what is said of packages that are not here" demo lock -t rhel7 --facts lie.json
check "(and takes what cannot load)" grep -q demo-2.0-0 envbuild.lock
expect 7 "pack from that lock releases nothing" "$ENVBUILD" pack -t rhel7 --no-test --locked --facts lie.json
check "at all" test ! -e ask.tar.gz
rm -rf "$T/cache"
ask 0 "pack looks for itself while another build can still be taken" demo pack -t rhel7 --no-test --facts lie.json
says "and takes it" "solved again without it: demo 2.0-0 -> 1.0-0$"
ask 0 "facts that are right are as good as the package" demo pack -t rhel7 --no-test --facts facts.json
same "in one round" "$(grep -c 'solved again' "$T/err")" 1

# --- from one machine to another -----------------------------------------------------------------
ask 0 "one machine finds out" demo pack -t rhel7 --no-test
expect 0 "and hands on what its cache knows" "$ENVBUILD" audit --export-facts all.json
same "also of what could not load" "$(grep -oE '"name":"[^"]*"' all.json | sort | tr '\n' ' ')" '"name":"demo-1.0-0" "name":"demo-2.0-0" '
find "$T/cache/pkgs" -name elf -exec rm {} +
expect 0 "packages of which nothing has been kept are looked at" "$ENVBUILD" audit --export-facts again.json
check "and say the same" cmp all.json again.json
cp envbuild.lock "$T/one.lock"
ENVBUILD_CACHE=$T/other ask 0 "the other knows before it downloads" demo lock -t rhel7 --facts all.json
says "what to leave out" "solved again without it: demo 2.0-0 -> 1.0-0$"
check "the lock is the same" cmp envbuild.lock "$T/one.lock"
same "nothing was fetched" "$(find "$T/other" -name facts | wc -l)" 0
expect 2 "without operands there is nothing to audit" "$ENVBUILD" audit -t rhel7
says "which is said" "'envbuild audit' needs ARCHIVE"
expect 2 "what is audited is not judged by what others say" "$ENVBUILD" audit -t rhel7 "$here/demo-2.0-0.conda" --facts all.json

# --- links ---------------------------------------------------------------------------------------
echo '"$CONDA_PREFIX/bin/array"' >run-test.sh
ask 0 "a library that is found by a link of another package" array pack -t rhel7 --test run-test.sh
check "keeps nothing from loading" test "$(grep -c 'cannot load' "$T/err")" = 0
expect 0 "(handed on)" "$ENVBUILD" audit --export-facts all.json
ENVBUILD_CACHE=$T/third ask 0 "others tell of no links" array lock -t rhel7 --facts all.json
check "so that nothing is ruled out for one" test "$(grep -c 'cannot load' "$T/err")" = 0
says "it is looked at" "fetch +3 packages"

# --- what is mended later ------------------------------------------------------------------------
mended() { # mended NAME OPTION...
  ask 0 "$1" wants pack -t rhel7 --test run-test.sh "${@:2}"
  same "$1: the newest is taken" "$(grep -oE 'wants-[0-9.]+' envbuild.lock | sort -u)" wants-2.0
}
echo '"$CONDA_PREFIX/bin/wants"' >run-test.sh
cp "$T/libgone.so.1" .
echo 'mkdir -p "$CONDA_PREFIX/lib" && cp libgone.so.1 "$CONDA_PREFIX/lib/"' >prepare.sh
mended "a library that is added" --add libgone.so.1=lib/
mended "one that a pre-pack script brings" --pre-pack prepare.sh
ask 0 "without either" wants pack -t rhel7 --no-test
same "an older build is" "$(grep -oE 'wants-[0-9.]+' envbuild.lock | sort -u)" wants-1.0
printf 'pack: {add: {libgone.so.1: lib/}}\n' >envbuild.yml
ask 0 "lock knows what envbuild.yml adds" "wants, demo" lock -t rhel7
same "(no file mends a host's C library)" "$(grep -oE '(wants|demo)-[0-9.]+' envbuild.lock | sort -u | tr '\n' ' ')" "demo-1.0 wants-2.0 "
check "and keeps quiet" test "$(grep -c 'libgone' "$T/err")" = 0
expect 0 "pack, too" "$ENVBUILD" pack -t rhel7 --test run-test.sh
printf 'hooks: {pre-pack: prepare.sh}\n' >envbuild.yml
ask 0 "lock does not know what a script does" "wants, demo" lock -t rhel7
same "and gives it a chance, but for the C library" "$(grep -oE '(wants|demo)-[0-9.]+' envbuild.lock | sort -u | tr '\n' ' ')" "demo-1.0 wants-2.0 "
says "and says so" "warning: audit: 'bin/wants' of package 'wants-2.0-0' needs the library libgone.so.1, .*; the pre-pack script may mend that"
echo true >prepare.sh
expect 7 "where it does not, pack releases nothing" "$ENVBUILD" pack -t rhel7 --no-test
printf 'pack: {exclude: [lib/libdemo.so.1]}\n' >envbuild.yml
ask 0 "nor does it mind what envbuild.yml leaves out" demo lock -t rhel7
check "so that lock and pack are of one mind" grep -q demo-2.0-0 envbuild.lock
rm envbuild.yml

# --- the target's folder -------------------------------------------------------------------------
mkdir targets && cp -r "$root" "$T/bare" && rm -f "$T/bare"/lib*/libdl[.-]*
sed -e 's/^name: rhel7/name: rooted/' -e "s|^image:|image:\n  root: $T/bare|" "$ROOT/images/targets/rhel7.yml" >targets/rooted.yml
check "(its profile names a folder)" grep -q "root: $T/bare" targets/rooted.yml
ask 0 "a target whose profile names a folder" demo pack -t rooted --no-test
tar xOf ask.tar.gz conda-meta/envbuild/audit.json >"$T/audit.json"
check "is held against that" grep -q '"against": "image"' "$T/audit.json"
expect 0 "made again it is the same" "$ENVBUILD" verify ask.tar.gz --rebuild
rm -r targets

# --- made again in another image ------------------------------------------------------------------
other=$("$ROOT/tests/tools/roots.sh" bullseye)
if [ -n "$other" ]; then
  ask 0 "an archive" demo pack -t rhel7 --no-test
  expect 5 "made again against other hosts" "$ENVBUILD" verify ask.tar.gz --rebuild --image "$other"
  says "says that the audit differs and nothing else" "audit.json' in 'ask.tar.gz' is not what the audit finds here, .*; all else is the same$"
  says "and why that may be" "hint: it was made with another image of 'rhel7'"
else
  skip "an archive made again against other hosts" "no root of bullseye"
fi

# --- a lock of a date ----------------------------------------------------------------------------
ENVBUILD_DATA=$T/none ask 0 "a lock as of a date, whose packages cannot load" demo lock -t rhel7 --as-of 2021-01-01
expect 0 "is solved anew" "$ENVBUILD" pack -t rhel7 --no-test
check "by other packages" grep -q demo-1.0-0 envbuild.lock
check "as of that date" grep -q "exclude-newer: .*2021-01-01" envbuild.lock

# --- a lock with a pip section, and no image ------------------------------------------------------
ask 0 "a lock whose packages cannot load" "demo, python, pip" lock -t rhel6
wheel=https://pypi.example/alpha-1.0-py3-none-any.whl
sed -i -e "s|^packages:\$|      - pypi: $wheel\n&|" envbuild.lock
printf -- "- pypi: $wheel\n  name: alpha\n  version: '1.0'\n  sha256: %064d\n" 1 >>envbuild.lock
printf '%s\n' "name: ask" "channels: [file://$T/channel]" "dependencies: [demo, python, pip, {pip: [alpha]}]" >environment.yml
cp envbuild.lock "$T/pip.lock"
expect 2 "with a pip section, for a target without an image" "$ENVBUILD" pack -t rhel6 --no-test
says "is solved anew" "demo 2.0-0 -> 1.0-0$"
says "for which pip has to run" "error: the pip section has to be resolved where the target can run"
check "so that no lock without it is written" cmp envbuild.lock "$T/pip.lock"

# --- several targets, reports --------------------------------------------------------------------
ask 0 "lock for two targets" demo lock -t rhel7 -t host --report audit.txt
check "each has its report" test -e audit-rhel7.txt -a ! -e audit.txt
rm audit-rhel7.txt
expect 0 "lock --update, which goes through the lock's targets" "$ENVBUILD" lock --update demo --report audit.txt
check "so, too" test -e audit-rhel7.txt -a ! -e audit.txt
ask 0 "pack with a report" demo pack -t rhel7 --no-test --report "$T/audit.xml"
expect 0 "and without one" "$ENVBUILD" pack -t rhel7 --no-test
says "is the same archive" "unchanged: ask.tar.gz"

# --- another machine's target --------------------------------------------------------------------
other=linux-aarch64
[ "$(uname -m)" = aarch64 ] && other=linux-64
sed "s/^subdir: .*/subdir: $other/; s/^name: .*/name: far/" "$ROOT/images/targets/rhel7.yml" >"$T/far.yml"
expect 2 "what is for another machine" "$ENVBUILD" audit -t "$T/far.yml" "$here/demo-1.0-0.conda"
says "is not called good" "error: target 'far' is $other; on this machine the audit knows the loader of .* alone"
ask 0 "such a lock" demo lock -t "$T/far.yml" --image "$root"
ask 2 "is audited nowhere else, either" demo lock -t "$T/far.yml" --audit-solve

# --- what is advised -----------------------------------------------------------------------------
ask 7 "nothing is left" "demo 2.*" pack -t rhel7 --no-test
same "the advice names another target once" "$(grep -o 'rocky8' "$T/err" | wc -l)" 2
says "and the way to it" "hint: make it for that target with -t rocky8, or ask for something else than 'demo' \('envbuild why demo'"
ask 7 "a program that needs the GPU's driver" gpu pack -t rhel7 --no-test
says "runs where there is one" "the nearest target it would run on is rocky9-gpu"
says "which is what is known of it" "hint: take the build for CPUs .*; or make it for that target with -t rocky9-gpu"
ask 7 "static TLS on RHEL 6" plug pack -t rhel6 --no-test
says "is told with what to do" "hint: have it loaded first: LD_PRELOAD=.CONDA_PREFIX/lib/plug.so .*'nomkl'.*; or "
done_testing
