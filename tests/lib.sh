# shellcheck shell=sh
# TAP for shell tests; sourced as `. "$(dirname "$0")/../lib.sh"`.
#
#   ok NAME                    passed
#   fail NAME [DETAIL]         failed; the detail is shown below it
#   skip NAME REASON           could not be looked at, and why
#   check NAME CMD...          ok when CMD exits 0; its output is shown only when it fails
#   expect STATUS NAME CMD...  ok when CMD exits with STATUS; its output is left in $T/out, $T/err
#   same NAME A B              ok when the two texts are equal
#   says NAME PATTERN [FILE]   ok when a line of FILE ($T/err) matches the extended expression
#   checker NAME CMD...        CMD looks at many things: each of its lines "ok NAME" or
#                              "fail NAME: DETAIL" is a result, and so is that it exits 0
#   skip_all REASON            nothing here can be looked at: ends the script
#   need PROGRAM...            skip_all unless each program is on PATH
#   defer 'CMD'                run when the script ends, the latest first
#   start_liar DIR             tests/tools/liar.py serves DIR at $LIAR, its files are $T/liar.*
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

says() {
  if grep -Eq -e "$2" "${3:-$T/err}"; then
    ok "$1"
  else
    fail "$1" "no /$2/ in:
$(tail -n 40 "${3:-$T/err}")"
  fi
}

checker() {
  test_about=$1
  expect 0 "$@"
  cp "$T/out" "$T/.results"
  grep -q '^ok ' "$T/.results" || fail "$test_about: it looks at something"
  while IFS= read -r test_line; do
    case $test_line in
    "ok "*) ok "${test_line#ok }" ;;
    "fail "*) fail "$(printf '%s' "${test_line#fail }" | cut -c 1-100)" "$test_line" ;;
    *) printf '# %s\n' "$test_line" ;;
    esac
  done <"$T/.results"
}

start_liar() {
  "$ROOT/tests/tools/liar.py" "$T/liar" "$1" &
  liar_pid=$!
  defer "kill $liar_pid 2>/dev/null; wait $liar_pid 2>/dev/null"
  while [ ! -f "$T/liar" ]; do # the runner's limit ends this
    kill -0 "$liar_pid" 2>/dev/null || {
      fail "tests/tools/liar.py serves"
      done_testing
    }
    sleep 0.1
  done
  # shellcheck disable=SC2034 # for the script
  LIAR=http://127.0.0.1:$(cat "$T/liar")
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
