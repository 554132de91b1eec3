#!/bin/bash
# memory
# timeout: 300
# verify: missing, changed and foreign files, of packages, pip and unpacked archives.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

mkdir "$T/work"
checker "environments are verified" python3 "$ROOT/tests/tools/check_verify.py" "$ENVBUILD" "$T/work"
done_testing
