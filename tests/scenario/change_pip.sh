#!/bin/bash
# memory
# timeout: 300
# slow
# pip's part of a change of an environment, with a real Python.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd

mkdir "$T/work"
checker "pip's packages are changed" python3 "$ROOT/tests/tools/check_change_pip.py" "$ENVBUILD" "$T/work" \
  "$ENVBUILD_SHARED_DATA/channel"
done_testing
