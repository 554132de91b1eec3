#!/bin/bash
# envbuild shell and run at a terminal with podman and docker; `make test-engines` runs it.
# timeout: 400
# by hand
. "$(dirname "$0")/../lib.sh"
need python3 zstd
root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/reason") || skip_all "$(cat "$T/reason")"
# shellcheck source=tests/tools/engines.sh
. "$ROOT/tests/tools/engines.sh"

# shellcheck source=tests/tools/demo_project.sh
. "$ROOT/tests/tools/demo_project.sh"
expect 0 "and a prefix" "$ENVBUILD" install -p env -t rhel7 --image "$root" --copy
for engine in podman docker; do
  start_$engine || continue
  checker "$engine at a terminal" "$ROOT/tests/tools/check_shell.py" "$ENVBUILD" "$T/project/demo.tar.gz" \
    "$root" --engine $engine
done
same "nothing is left of them" "$(engines_left)" ""
done_testing
