#!/bin/bash
# The index files that the cache keeps of channels: never needed, never in the way, made by many at once.
. "$(dirname "$0")/../lib.sh"

need python3 zstd
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1

# A channel of 400 small records, compressed.
python3 - "$T" <<'EOF'
import json
import os
import sys
top = sys.argv[1]
records = {}
for i in range(100):
    for v in range(4):
        name = 'p%d' % i
        records['%s-%d-0.conda' % (name, v)] = {
            'name': name, 'version': str(v), 'build': '0', 'build_number': 0, 'size': 1,
            'sha256': '%064x' % (4 * i + v),
            'depends': ['p%d >=%d' % (i + 1, v % 3)] if i < 99 else []}
os.makedirs(top + '/channel/noarch')
with open(top + '/channel/noarch/repodata.json', 'w') as f:
    json.dump({'packages.conda': records}, f)
with open(top + '/environment.yml', 'w') as f:
    f.write('name: x\nchannels: [%s/channel]\ndependencies: [p0]\n' % top)
EOF
zstd -q --rm "$T/channel/noarch/repodata.json"
sleep 4 # nothing is kept of a file whose time does not tell yet whether it is written to

lock() { # OUTPUT
  "$ENVBUILD" lock "$T/environment.yml" -t host -q -o "$1"
}
index_file() {
  find "$T/cache/index" -type f -name index 2>/dev/null
}

check "a first run" lock "$T/one.lock"
check "all 100 packages are in the lock" test "$(grep -c '^- conda:' "$T/one.lock")" = 100
check "it leaves one index file" test "$(index_file | wc -l)" = 1
file=$(index_file)
[ -n "$file" ] || fail "there is an index file" "none in the cache"
: "${file:=$T/none}"
sum=$(sha256sum <"$file")

check "a second run" lock "$T/two.lock"
check "the same answer from the file" cmp "$T/one.lock" "$T/two.lock"

: >"$file"
check "with an empty file" lock "$T/three.lock"
check "the same answer, empty" cmp "$T/one.lock" "$T/three.lock"
check "the file is made anew" test "$(sha256sum <"$file")" = "$sum"

# Bytes within the groups: found out only when they are used.
python3 - "$file" <<'EOF'
import sys
with open(sys.argv[1], 'r+b') as f:
    f.seek(4096 + 2000)
    f.write(b'\xff' * 64)
EOF
check "with a damaged file" lock "$T/four.lock"
check "the same answer, damaged" cmp "$T/one.lock" "$T/four.lock"
check "the damaged file is made anew" test "$(sha256sum <"$file")" = "$sum"

rm "$file"
for i in 1 2 3 4 5 6; do
  lock "$T/many$i.lock" &
done
wait
same=yes
for i in 1 2 3 4 5 6; do
  cmp -s "$T/one.lock" "$T/many$i.lock" || same=no
done
check "six at once answer alike" test $same = yes
check "and leave the same file" test "$(sha256sum <"$file")" = "$sum"
check "and no temporary" test -z "$(find "$T/cache/index" -name '.*.tmp')"

# Nobody may write there: not even root, who is not asked for permissions.
rm "$file"
mkdir -p "$file/taken"
check "where the file cannot be" lock "$T/five.lock"
check "the same answer, without it" cmp "$T/one.lock" "$T/five.lock"
rm -r "$file"

# A later revision of the format (CEP 48) than is known.
mkdir -p "$T/later/noarch"
echo '{"v4":{"conda":{"b-1-0":{}}},"v3":{"conda":{"a-1-0":{"name":"a","version":"1","build":"0"}}}}' \
  >"$T/later/noarch/repodata.json"
printf 'name: x\nchannels: [%s/later]\ndependencies: [a]\n' "$T" >"$T/later.yml"
expect 0 "an index with records of v3 and v4" "$ENVBUILD" lock "$T/later.yml" -t host -o "$T/later.lock"
says "says that v4 is passed over" "later/noarch/repodata.json: records of repodata 'v4' are passed over"
check "and takes those of v3" grep -q 'a-1-0.conda' "$T/later.lock"

if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  chmod 755 "$T"
  chmod -R a+rX "$T/cache" "$T/channel"
  mkdir -m 777 "$T/theirs"
  check "a cache of somebody else's, read only" setpriv --reuid 65534 --regid 65534 --clear-groups \
    "$ENVBUILD" lock "$T/environment.yml" -t host -q -o "$T/theirs/six.lock"
  check "the same answer, read only" cmp "$T/one.lock" "$T/theirs/six.lock"
else
  skip "a cache of somebody else's, read only" "needs root and setpriv"
fi
done_testing
