#!/bin/bash
# What the audit is told to ignore is an input of an archive: it stands in its manifest, another reason
# makes another archive, and an archive is made again by it.
# timeout: 100
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd
unset ENVBUILD_CACHE_LOWER SOURCE_DATE_EPOCH
export ENVBUILD_CACHE=$T/cache ENVBUILD_DATA=$T/data ENVBUILD_NO_FSYNC=1
mkdir "$T/project" && cd "$T/project" || exit 1

echo 'int f(void) { return 1; }' | gcc -shared -fPIC -x c -o "$T/whole" - && head -c 3000 "$T/whole" >"$T/broken" || exit 1
python3 - "$ROOT/tests/tools" "$T" <<'PY' || exit 1
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
with open(sys.argv[2] + "/broken", "rb") as f:
    Channel(sys.argv[2] + "/channel").conda("odd", [member("lib/odd.so", f.read(), mode=0o755)], index={"noarch": "generic"})
PY
"$ENVBUILD" channel index -q "$T/channel" || exit 1
printf 'name: demo\nchannels: [file://%s/channel]\ndependencies: [odd]\n' "$T" >environment.yml

pack() { "$ENVBUILD" pack -t host --no-test "$@"; }
paper() { tar -xOf demo.tar.gz "conda-meta/envbuild/$1"; }
ignored() { paper manifest.json | python3 -c 'import json, sys; m = json.load(sys.stdin); print(m.get("audit_ignored"), m["making"].get("audit_ignore"))'; }

expect 7 "a broken file that may be loaded" pack
says "is named" "'lib/odd.so' of package 'odd-1.0-0' is no proper ELF file"
expect 0 "with a reason it does not count" pack --ignore 'broken-elf:lib/odd.so=nobody loads it'
same "the reason is in the manifest" "$(ignored)" \
  "[{'rule': 'broken-elf', 'pattern': 'lib/odd.so', 'reason': 'nobody loads it', 'findings': 1}] [{'rule': 'broken-elf', 'pattern': 'lib/odd.so', 'reason': 'nobody loads it'}]"
check "and in the list of findings" grep -q 'nobody loads it' <(paper audit.json)
expect 0 "again" pack --ignore 'broken-elf:lib/odd.so=nobody loads it'
says "is what lies there" "^envbuild: unchanged: "
expect 0 "the archive is made again by it" "$ENVBUILD" verify demo.tar.gz --rebuild --offline
expect 0 "for another reason" pack --ignore 'broken-elf:lib/odd.so=it is known'
says "it is packed" '^  pack  '
expect 7 "and without one it fails" pack
printf 'audit:\n  ignore:\n  - {rule: broken-elf, pattern: "*.so", reason: for all}\n  - {rule: static-tls, pattern: x, reason: of no use}\n' \
  >envbuild.yml
expect 0 "envbuild.yml does the same" pack
says "and what is of no use there is said" \
  "envbuild.yml:4:5: the audit finds nothing that 'static-tls:x' would ignore"
same "what was used is told, and all that was said" "$(ignored)" \
  "[{'rule': 'broken-elf', 'pattern': '*.so', 'reason': 'for all', 'findings': 1}] [{'rule': 'broken-elf', 'pattern': '*.so', 'reason': 'for all'}, {'rule': 'static-tls', 'pattern': 'x', 'reason': 'of no use'}]"
expect 0 "it is made again, too" "$ENVBUILD" verify demo.tar.gz --rebuild --offline
expect 0 "an option comes first" pack --ignore '*:lib/*=by hand'
check "its reason counts" grep -q 'by hand' <(paper audit.json)
sed -i 's/static-tls/static_tls/' envbuild.yml
expect 2 "a misspelt rule" pack
says "has its place" "envbuild.yml:4:5: the audit has no rule 'static_tls'"
printf 'audit:\n  ignore: [{rule: broken-elf, pattern: x}]\n' >envbuild.yml
expect 2 "no reason" pack
says "has its place, too" "envbuild.yml:2:12: what is ignored needs a pattern and a reason"
done_testing
