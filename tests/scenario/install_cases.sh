#!/bin/bash
# memory
# timeout: 600
# Clobbering, link scripts, damage, kills and hostile packages, made by tests/tools/make_package.py.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
[ -x "$ENVBUILD_TOOLS/install_one" ] || skip_all "tests/tools/install_one is not built"

export ENVBUILD_NO_FSYNC=1
mkdir "$T/cases"
# In memory where that can be: some make as many files as they are allowed to.
hostile=$(mktemp -d /dev/shm/hostile.XXXXXX 2>/dev/null || mktemp -d "$T/hostile.XXXXXX")
defer "rm -rf '$hostile'"
checker "hostile packages are tried" \
  python3 "$ROOT/tests/tools/check_hostile_packages.py" "$ENVBUILD_TOOLS/install_one" "$hostile"
checker "odd packages are tried" \
  python3 "$ROOT/tests/tools/check_install_cases.py" "$ENVBUILD_TOOLS/install_one" "$T/cases" engine
done_testing
