#!/bin/bash
# memory
# timeout: 300
# A site's environment of 2018, installed from a warm cache: its programs start, its bytecode is
# fresh, pip finds nothing amiss, and conda could read its records.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3
export LC_ALL=C.UTF-8 ENVBUILD_NO_FSYNC=1

# What is looked at here is no matter of the disk, and a disk is slow at 50,000 files.
place=$T
if [ "$(df -P /dev/shm 2>/dev/null | awk 'NR == 2 { print $4 }')" -gt 2000000 ] 2>/dev/null &&
  place=$(mktemp -d -p /dev/shm envbuild-test.XXXXXX); then
  defer 'rm -rf "$place"'
fi
export ENVBUILD_CACHE=$place/cache

cd "$T" || exit 1
cat >environment.yml <<EOF
name: site
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [python=3.6.6, ipython, requests, flask, gevent, psycopg2, tornado, cryptography,
  pylint, cython, boto3, sqlalchemy, alembic, networkx, pymongo, pip]
variables: {SITE: 'one'}
EOF
expect 0 "installs into an empty cache" "$ENVBUILD" install -t host -p "$place/cold" -q
expect 0 "installs again" "$ENVBUILD" install -t host -p "$place/env" --offline -v
check "nothing is compiled the second time" sh -c '! grep -q compile "$1"' sh "$T/err"
code=$(find "$place/env" -path '*/__pycache__/__init__.*' -links +1 | wc -l)
check "compiled files are linked as others are" test "$code" -gt 100

# What these need is in no package of the channel that the environment asks for: c_rehash has kept
# the perl of the machine that openssl was built on; tk takes the X library of the host.
needs=(c_rehash=/tmp/build/80754af9/openssl_1534253368872/_build_env/bin/perl compile_et=gawk
  iptest=nose iptest3=nose rst2odt_prepstyles.py=lxml)
PATH=$PATH:/usr/sbin:/sbin ldconfig -p | grep -q 'libX11\.so\.6 ' ||
  needs+=(wish=libX11.so.6 wish8.6=libX11.so.6)
check "every program starts" python3 "$ROOT/tests/tools/check_environment.py" programs "$place/env" \
  "${needs[@]}"
tail -n 1 "$T/.check" | sed 's/^/# /'
expect 0 "pip check finds nothing amiss" env -i HOME="$T" PATH=/usr/bin:/bin \
  PYTHONDONTWRITEBYTECODE=1 "$place/env/bin/pip" check
check "records are what conda reads" python3 "$ROOT/tests/tools/check_records.py" "$place/env"
# The reader of records can say no.
meta=$place/env/conda-meta
broken() {
  cp "$meta"/six-*.json "$T/record"
  python3 - "$meta"/six-*.json "$2" <<'EOF'
import json, sys
with open(sys.argv[1]) as f:
    record = json.load(f)
exec(sys.argv[2])
with open(sys.argv[1], "w") as f:
    json.dump(record, f)
EOF
  expect 1 "it finds $1" python3 "$ROOT/tests/tools/check_records.py" "$place/env"
  cp "$T/record" "$meta"/six-*.json
}
broken "a missing field" 'del record["extracted_package_dir"]'
broken "a wrong type" 'record["build_number"] = "1"'
broken "a wrong hash" 'record["paths_data"]["paths"][0]["sha256_in_prefix"] = "0" * 64'
broken "lists that differ" 'record["files"].pop()'
broken "another name" 'record["version"] += ".1"'
broken "an odd path type" 'record["paths_data"]["paths"][0]["path_type"] = "file"'
cp "$meta/history" "$T/history"
sed -i '/::six-/d' "$meta/history"
expect 1 "it finds a history that disagrees" python3 "$ROOT/tests/tools/check_records.py" "$place/env"
cp "$T/history" "$meta/history"

# The last, since it makes bytecode.
check "bytecode is fresh, but for rebuilt packages" \
  python3 "$ROOT/tests/tools/check_environment.py" stale "$place/env" \
  "$ENVBUILD_SHARED_DATA"/channel/*/PROVENANCE.tsv
tail -n 1 "$T/.check" | sed 's/^/# /'
done_testing
