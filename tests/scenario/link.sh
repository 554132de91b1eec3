#!/bin/bash
# memory
# timeout: 300
# Linking: every kind of path, bytecode kept in the cache, clashes, marks, and what link scripts say.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
[ -x "$ENVBUILD_TOOLS/install_one" ] || skip_all "tests/tools/install_one is not built"

export ENVBUILD_NO_FSYNC=1
mkdir "$T/cases"
checker "odd packages are linked" \
  python3 "$ROOT/tests/tools/check_link_cases.py" "$ENVBUILD_TOOLS/install_one" "$T/cases" engine
done_testing
