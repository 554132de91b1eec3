#!/bin/bash
# memory
# slow
# timeout: 900
# Every package of a real channel, installed alone, is what an independent reading of it says.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd
[ -x "$ENVBUILD_TOOLS/install_one" ] || skip_all "tests/tools/install_one is not built"

export ENVBUILD_NO_FSYNC=1
check "each package of the channel, alone" python3 "$ROOT/tests/tools/check_channel_install.py" \
  "$ENVBUILD_TOOLS/install_one" "$ENVBUILD_SHARED_DATA/channel" "$T"
tail -n 1 "$T/.check" | sed 's/^/# /'
done_testing
