#!/bin/bash
# memory
# timeout: 600
# SIGKILL at system calls of a change: the next run completes or undoes it.  CHANGE_KILL_POINTS=0
# tries every place (minutes).
. "$(dirname "$0")/../lib.sh"
need python3 zstd strace

strace -o /dev/null true 2>/dev/null || skip_all "strace may not trace here"
mkdir "$T/work"
checker "changes are killed" python3 "$ROOT/tests/tools/check_change_kill.py" "$ENVBUILD" "$T/work" "${CHANGE_KILL_POINTS:-24}"
done_testing
