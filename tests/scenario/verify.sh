#!/bin/bash
# timeout: 300
# verify: missing, changed and foreign files, of packages, pip and unpacked archives.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

mkdir "$T/work"
expect 0 "environments are verified" python3 "$ROOT/tests/tools/check_verify.py" "$ENVBUILD" "$T/work"
cp "$T/out" "$T/lines"
while IFS= read -r line; do
  case $line in
  "ok "*) ok "${line#ok }" ;;
  "fail "*) fail "$(printf '%s' "${line#fail }" | cut -c 1-100)" "$line" ;;
  *) printf '# %s\n' "$line" ;;
  esac
done <"$T/lines"
done_testing
