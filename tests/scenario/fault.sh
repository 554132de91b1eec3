#!/bin/bash
# timeout: 200
# A sample of `make fault`: file system calls fail, and nothing half-done or wrong is left.
. "$(dirname "$0")/../lib.sh"
shim=${ENVBUILD_TOOLS%/tools}/fault/shim.so
[ -e "$shim" ] || skip_all "the shim that makes calls fail is not built"
case $ENVBUILD_TOOLS in
*/asan/*) skip_all "AddressSanitizer must be the first library, the shim cannot be" ;;
esac
need python3 zstd bzip2
python3 "$ROOT/tests/fault/sweep.py" --sample 4 "$ENVBUILD" "$shim"
