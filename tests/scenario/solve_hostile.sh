#!/bin/bash
# timeout: 240
# Requests and channels made to be hard: a right answer or a clear error, in bounded memory, and one
# signal ends what would take for ever.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
export ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
cd "$T" || exit 1
check "the channels are made" python3 "$ROOT/tests/tools/hostile_indexes.py" "$T"

# try NAME STATUS MIB [PATTERN]: `lock NAME.yml` ends with the status, says PATTERN, and needs at most
# so much memory (the largest resident set, of which some are mapped files)
try() {
  local name=$1 want=$2 most=$3 pattern=${4:-} used
  python3 - "$name" "$want" "$most" "$ENVBUILD" <<'EOF' >"$T/used" 2>&1
import resource
import subprocess
import sys
name, want, most, program = sys.argv[1:]
with open('err', 'wb') as err:
    run = subprocess.run([program, 'lock', name + '.yml', '-t', 'rocky8', '-q', '-j', '2',
                          '-o', name + '.lock'], stdout=err, stderr=err, timeout=120)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
print('exit %d, %d MiB' % (run.returncode, used))
sys.exit(run.returncode != int(want) or used > int(most))
EOF
  test_got=$?
  used=$(tail -n 1 "$T/used")
  if [ $test_got = 0 ]; then
    ok "$name: $used"
  else
    fail "$name: exit $want in $most MiB" "$used
$(head -c 600 err)"
  fi
  [ -z "$pattern" ] || says "$name: says it" "$pattern" err
  # Nothing that a user has to scroll through for ever.
  check "$name: in few words" test "$(wc -c <err)" -lt 6000
}
packages() { grep -c '^- conda:' "$1.lock"; }

# 200,000 builds of one name.  The first run also makes the index file.
try versions 0 800
same "the newest of 200,000 versions" "$(grep -c big-1.199999-0.conda versions.lock)" 2
try versions 0 250
try versions-none 3 250 "nothing provides 'big <1', there is big 1.0 to 1.199999"
try versions-against 3 250 "versions-against.yml:4: dep7 3"
try builds 0 800
same "the highest of 200,000 build numbers" "$(grep -c big-1.0-h199999_199999.conda builds.lock)" 2
try each 5 800 "too many to compare"

# 6,000 builds of one name, of which none stands in for another: more than libsolv has memory for.
awk 'BEGIN { for (i = 0; i < 6000; i++) printf "x 1.%d 0 : d%d\nd%d 1 0\n", i, i, i }' |
  "$ROOT/tests/tools/lines_channel.py" "$T/many"
many() { printf 'channels: [%s/many]\ndependencies: [%s]\n' "$T" "$1" >many.yml; }
many x
try many 5 200 "'x' has 6000 builds to choose from: too many"
many x=1.7
try many 0 200
many x
mv many.lock envbuild.lock
expect 5 "many: the same of an update" "$ENVBUILD" lock many.yml --update x
says "many: says it" "'x' has 6000 builds to choose from: too many"
rm envbuild.lock

try cycle 0 100
same "all of a cycle" "$(packages cycle)" 1000
try cycle-against 3 100 "c0 3"
try chain 0 400
same "all of a chain" "$(packages chain)" 20000
try chain-against 3 400 "c0 3"
try lines 0 800
same "all of 100,000 lines" "$(packages lines)" 100000
try same 0 400
same "one of 100,000 lines" "$(packages same)" 1

try sat-yes 0 100
try sat-no 3 100 "contradict each other"
# Nobody knows how long the hardest take.  One signal ends them, at once.
env --default-signal=INT,TERM "$ENVBUILD" lock sat-hard.yml -t rocky8 -q -o hard.lock >out 2>err &
pid=$!
sleep 3
kill -TERM $pid 2>/dev/null
for _ in $(seq 100); do
  kill -0 $pid 2>/dev/null || break
  sleep 0.05
done
if kill -9 $pid 2>/dev/null; then
  fail "one signal ends a solve" "it went on for 5 s"
else
  wait $pid
  status=$?
  check "one signal ends a solve ($status)" test $status = 143 -o $status = 3 -o $status = 0
fi

try long-dependency 3 100 "b 1 has a version or a dependency that cannot be read"
try long-clause 3 100 "c 1 has a version or a dependency that cannot be read"
try long-request 2 100 "invalid spec: over 8192 characters"
try long-ok 0 100
try deps 5 150 "more than 4096 entries"
try deps-ok 0 150
try deep 5 100 "nested too deep"
try cut 5 100 "the text ends within an object or array"
try lie 5 100 "record of 'a-1-0.conda': it speaks of 'b' version '1'"
try types 5 100 "record of 'a-1-0.conda': 'build': .*expected a string"
try list 5 100 "not an index"
try string 5 150 "string or number too long"
try spaces 0 100
same "what stands before 2 GiB of spaces" "$(packages spaces)" 1
try yaml-deep 2 100 "yaml-deep.yml:1:"
try yaml-bomb 2 100 "yaml-bomb.yml:"
try yaml-huge 2 150 "yaml-huge.yml"
done_testing
