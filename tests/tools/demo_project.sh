# shellcheck shell=bash disable=SC2154 # root is of who sources it
# Sourced by tests of environments in use: goes into $T/project, where demo.tar.gz is an archive for rhel7
# of a package with a program, a function of activate.d and a file; `here` is an empty folder, $root a
# root file system for rhel7.
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
