#!/bin/bash
# timeout: 300
# slow
# pip's part of a change of an environment, with a real Python.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd

mkdir "$T/work"
expect 0 "pip's packages are changed" python3 "$ROOT/tests/tools/check_change_pip.py" "$ENVBUILD" "$T/work" \
  "$ENVBUILD_SHARED_DATA/channel"
cp "$T/out" "$T/lines"
while IFS= read -r line; do
  case $line in
  "ok "*) ok "${line#ok }" ;;
  *) fail "$(printf '%s' "${line#fail }" | cut -c 1-100)" "$line" ;;
  esac
done <"$T/lines"
done_testing
