#!/bin/bash
# memory
# timeout: 300
# Installing into an environment that is there: the difference, what is in its way, scripts, two at once.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

mkdir "$T/work" "$T/full" "$T/disk"
checker "environments are changed" python3 "$ROOT/tests/tools/check_change.py" "$ENVBUILD" "$T/work"
if unshare -m mount -t tmpfs tmpfs "$T/disk" 2>/dev/null; then
  checker "a disk fills up" unshare -m sh -c "mount -t tmpfs -o size=30m tmpfs '$T/disk' &&
    exec python3 '$ROOT/tests/tools/check_change_full.py' '$ENVBUILD' '$T/full' '$T/disk'"
else
  skip "a disk fills up" "no file system may be mounted here"
fi
done_testing
