#!/bin/bash
# timeout: 300
# Installing into an environment that is there: the difference, what is in its way, scripts, two at once.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

# Turns lines "ok NAME" and "fail NAME: DETAIL" into TAP.
report() {
  while IFS= read -r line; do
    case $line in
    "ok "*) ok "${line#ok }" ;;
    "fail "*) fail "$(printf '%s' "${line#fail }" | cut -c 1-100)" "$line" ;;
    *) printf '# %s\n' "$line" ;;
    esac
  done <"$T/lines"
}

mkdir "$T/work" "$T/full" "$T/disk"
expect 0 "environments are changed" python3 "$ROOT/tests/tools/check_change.py" "$ENVBUILD" "$T/work"
cp "$T/out" "$T/lines"
report
if unshare -m mount -t tmpfs tmpfs "$T/disk" 2>/dev/null; then
  expect 0 "a disk fills up" unshare -m sh -c "mount -t tmpfs -o size=30m tmpfs '$T/disk' &&
    exec python3 '$ROOT/tests/tools/check_change_full.py' '$ENVBUILD' '$T/full' '$T/disk'"
  cp "$T/out" "$T/lines"
  report
else
  skip "a disk fills up" "no file system may be mounted here"
fi
done_testing
