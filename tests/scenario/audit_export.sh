#!/bin/bash
# Facts of what was audited, written to a file: of environments, archives and package files.
# timeout: 60
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd bzip2
export HOME=$T ENVBUILD_DATA=$T/data ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache no_proxy='*'
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
printf '#include <string.h>\nunsigned long one(const char *s) { return strlen(s); }\n' >one.c
gcc -O1 -fPIC -shared -Wl,-soname,libone.so.1 -o libone.so.1 one.c || exit 1
python3 - "$ROOT/tests/tools" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
channel = Channel("channel")
with open("libone.so.1", "rb") as f:
    data = f.read()
channel.conda("one", [member("lib/libone.so.1", data, mode=0o755)], index={"noarch": "generic"})
channel.tarball("other", [member("lib/libone.so.1", data + b"other", mode=0o755)], index={"noarch": "generic"})
channel.conda("text", [member("share/text", b"text")], index={"noarch": "generic"})
PY
"$ENVBUILD" channel index -q channel || exit 1
printf 'name: x\nchannels: [file://%s/channel]\ndependencies: [one, text]\n' "$T" >environment.yml
"$ENVBUILD" lock -q -t host && "$ENVBUILD" install -q envbuild.lock -p "$T/env" || exit 1
"$ENVBUILD_TOOLS/package_facts" cache envbuild.lock --export expected.json >tool.out || exit 1
same "there is something to hand on" "$(grep -c soname expected.json)" 1

audit() { "$ENVBUILD" audit -t host "$@"; }
expect 0 "an environment" audit env --export-facts env.json
says "is told of" "env.json: facts of 2 packages"
check "with the facts of the cache" cmp env.json expected.json
export ENVBUILD_CACHE=$T/empty
expect 0 "without a cache, what lies in the environment" audit env --export-facts own.json
check "says the same" cmp own.json expected.json
sed 's/libone.so.1"/libnone.so.1"/g' expected.json >claimed.json
expect 0 "what was handed on is handed on" audit env --facts claimed.json --export-facts again.json
check "as it was" cmp again.json claimed.json
expect 0 "a package file" audit channel/noarch/one-1.0-0.conda --export-facts one.json
same "has the line of that package" "$(grep soname one.json)" "$(grep soname expected.json)"
expect 0 "packages with one path" audit channel/noarch/one-1.0-0.conda channel/noarch/other-1.0-0.tar.bz2 \
  --export-facts both.json
says "of which one would be wrong" "1 packages are left out: others have files of the same paths"
same "and is left out" "$(python3 -c 'import json; print(len(json.load(open("both.json"))["packages"]))')" 1
head -c 100 expected.json >cut.json
expect 2 "a wrong file" audit env --facts cut.json --export-facts never.json
says "is refused with the place" "cut.json:[0-9]+:[0-9]+: "
check "and nothing is written" test ! -e never.json
done_testing
