# shellcheck shell=sh
# TAP for shell tests; sourced as `. "$(dirname "$0")/../lib.sh"`.
#
#   ok NAME                    passed
#   fail NAME [DETAIL]         failed; the detail is shown below it
#   skip NAME REASON           could not be looked at, and why
#   check NAME CMD...          ok when CMD exits 0; its output is shown only when it fails
#   expect STATUS NAME CMD...  ok when CMD exits with STATUS; its output is left in $T/out, $T/err
#   same NAME A B              ok when the two texts are equal
#   skip_all REASON            nothing here can be looked at: ends the script
#   need PROGRAM...            skip_all unless each program is on PATH
#   defer 'CMD'                run when the script ends, the latest first
#   done_testing               the last line: prints the plan
#
# Variables: ROOT the project, ENVBUILD the program, ENVBUILD_TOOLS the built test tools,
# ENVBUILD_SHARED_DATA real packages (empty where absent), ENVBUILD_TEST_CACHE what may be kept
# between runs (roots, channels), T a fresh folder that goes when the script ends.

ROOT=$(cd "$(dirname "$0")" && pwd -P)
while [ ! -f "$ROOT/tests/lib.sh" ] && [ "$ROOT" != / ]; do
  ROOT=$(dirname "$ROOT")
done
: "${ENVBUILD:=$ROOT/build/envbuild}"
: "${ENVBUILD_TOOLS:=$ROOT/build/release/tools}"
: "${ENVBUILD_TEST_CACHE:=$ROOT/build/test-cache}"
if [ -z "${ENVBUILD_SHARED_DATA:-}" ] && [ -d "$ROOT/../shared/data" ]; then
  ENVBUILD_SHARED_DATA=$(cd "$ROOT/../shared/data" && pwd -P)
fi
: "${ENVBUILD_SHARED_DATA:=}"
export ENVBUILD ENVBUILD_TOOLS ENVBUILD_TEST_CACHE ENVBUILD_SHARED_DATA

test_count=0
test_failed=0
test_deferred=
T=$(mktemp -d) || exit 1

test_cleanup() {
  test_status=$?
  trap - EXIT
  eval "$test_deferred"
  chmod -R u+rwX "$T" 2>/dev/null
  rm -rf "$T"
  exit "$test_status"
}
trap test_cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

defer() {
  test_deferred="$1
$test_deferred"
}

ok() {
  test_count=$((test_count + 1))
  printf 'ok %d - %s\n' "$test_count" "$1"
}

fail() {
  test_count=$((test_count + 1))
  test_failed=$((test_failed + 1))
  printf 'not ok %d - %s\n' "$test_count" "$1"
  if [ -n "${2:-}" ]; then
    printf '%s\n' "$2" | sed 's/^/# /'
  fi
}

skip() {
  test_count=$((test_count + 1))
  printf 'ok %d - %s # SKIP %s\n' "$test_count" "$1" "$2"
}

check() {
  test_name=$1
  shift
  if "$@" >"$T/.check" 2>&1; then
    ok "$test_name"
  else
    fail "$test_name" "exit $?: $*
$(tail -n 40 "$T/.check")"
  fi
}

expect() {
  test_want=$1
  test_name=$2
  shift 2
  "$@" >"$T/out" 2>"$T/err"
  test_got=$?
  if [ "$test_got" = "$test_want" ]; then
    ok "$test_name"
  else
    fail "$test_name" "exit $test_got, expected $test_want: $*
$(tail -n 20 "$T/out")
$(tail -n 40 "$T/err")"
  fi
}

same() {
  if [ "$2" = "$3" ]; then
    ok "$1"
  else
    fail "$1" "one:
$2
other:
$3"
  fi
}

skip_all() {
  printf '1..0 # SKIP %s\n' "$1"
  exit 0
}

need() {
  for test_program in "$@"; do
    command -v "$test_program" >/dev/null || skip_all "no program '$test_program'"
  done
}

done_testing() {
  printf '1..%d\n' "$test_count"
  [ "$test_failed" = 0 ]
  exit
}
