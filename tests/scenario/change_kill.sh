#!/bin/bash
# timeout: 600
# SIGKILL at system calls of a change: the next run completes or undoes it.  CHANGE_KILL_POINTS=0
# tries every place (minutes).
. "$(dirname "$0")/../lib.sh"
need python3 zstd strace

strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
mkdir "$T/work"
expect 0 "changes are killed" python3 "$ROOT/tests/tools/check_change_kill.py" "$ENVBUILD" "$T/work" "${CHANGE_KILL_POINTS:-24}"
cp "$T/out" "$T/lines"
while IFS= read -r line; do
  case $line in
  "ok "*) ok "${line#ok }" ;;
  *) fail "$(printf '%s' "${line#fail }" | cut -c 1-100)" "$line" ;;
  esac
done <"$T/lines"
done_testing
