#!/bin/bash
# envbuild shell and run at a terminal with podman and docker; `make test-engines` runs it.
# timeout: 400
# by hand
. "$(dirname "$0")/../lib.sh"
need python3 zstd
root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/reason") || skip_all "$(cat "$T/reason")"
# shellcheck source=tests/tools/engines.sh
. "$ROOT/tests/tools/engines.sh"

export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
mkdir "$T/project" && cd "$T/project" || exit 1
python3 - "$ROOT/tests/tools" "$T/channel" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
Channel(sys.argv[2]).conda("demo", [
    member("bin/demo", b"#!/bin/sh\necho demo runs\n", mode=0o755),
    member("etc/conda/activate.d/demo.sh",
           b'export DEMO_HOME="$CONDA_PREFIX/share"\ndemo_greet() { echo "greeted by $DEMO_HOME"; }\n'),
    member("share/demo/data", b"as packed\n")], index={"noarch": "generic"})
PY
"$ENVBUILD" channel index "$T/channel" -q
cat >environment.yml <<END
name: demo
channels: [file://$T/channel]
dependencies: [demo]
END
echo demo >run-test.sh
expect 0 "an archive for rhel7" "$ENVBUILD" pack -t rhel7 --image "$root" --test run-test.sh
mkdir here
expect 0 "and a prefix" "$ENVBUILD" install -p env -t rhel7 --image "$root" --copy
for engine in podman docker; do
  start_$engine || continue
  checker "$engine at a terminal" "$ROOT/tests/tools/check_shell.py" "$ENVBUILD" "$T/project/demo.tar.gz" \
    "$root" --engine $engine
done
same "nothing is left of them" "$(engines_left)" ""
done_testing
