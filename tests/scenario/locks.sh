#!/bin/bash
# timeout: 120
# Locks of others installed, packed, run and kept; a lock exported, each form taken again; and
# whether a lock still fits, said at once.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T ENVBUILD_NO_FSYNC=1
need python3
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
field() { python3 -c "import json,sys; d=json.load(open('$T/out')); print($1)"; }
tree() { # what was installed, without what tells where from and where to
  (cd "$1" && find . -type f ! -path './conda-meta/*' ! -path ./share/zeta/conf -exec sha256sum {} + | sort)
}
depends() { python3 -c "import json; print(json.load(open('$1/conda-meta/alpha-1.0-0.json'))['depends'])"; }

python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
cat >environment.yml <<EOF
name: small
channels: [$T/channel]
dependencies: [alpha, beta, zeta]
EOF
export ENVBUILD_CACHE=$T/cache
expect 3 "without a lock, the check" "$ENVBUILD" lock --check -t host
says "says so" "host: there is no lock"
expect 0 "a lock" "$ENVBUILD" lock -t host
cp envbuild.lock before.lock
expect 0 "is current" "$ENVBUILD" lock --check -t host
expect 0 "also as JSON" "$ENVBUILD" lock --check -t host --json
same "that says it" "$(field "d['current'], d['targets'][0]['target']")" "True host"
mv channel away # no index is read
expect 0 "without the channel" "$ENVBUILD" lock --check -t host --offline
mv away channel
expect 3 "another target" "$ENVBUILD" lock --check -t host -t debian12
says "is named" "debian12: the lock has no target 'debian12'"
sed 's/beta/gamma/' environment.yml >other.yml
expect 3 "another request" "$ENVBUILD" lock --check other.yml -t host --json
says "has its reason" "'gamma' is asked for and the lock has nothing of that name"
same "in JSON, too" "$(field "d['current'], d['targets'][0]['current'], d['targets'][0]['reason'][:7]")" \
  "False False 'gamma'"
expect 2 "a check with -o" "$ENVBUILD" lock --check -o x.lock
same "the lock is as it was" "$(cat envbuild.lock)" "$(cat before.lock)"
# Of this process alone, so that what else the machine does is not measured.
best=$(python3 - "$ENVBUILD" <<'EOF'
import resource, subprocess, sys
def used():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime
times = []
for _ in range(5):
    before = used()
    subprocess.run([sys.argv[1], 'lock', '--check', '-t', 'host', '-q'], check=True)
    times.append(used() - before)
print(int(min(times) * 1000))
EOF
)
check "in less than 50 ms ($best ms)" test "$best" -lt 50

expect 0 "the lock installed" "$ENVBUILD" install --locked -t host -p ours
tree ours >ours.tree
"$ENVBUILD" export envbuild.lock --format explicit -o explicit.txt || fail "export explicit" ""
same "@EXPLICIT" "$(head -n 2 explicit.txt)" "$(printf '# platform: linux-64\n@EXPLICIT')"
"$ENVBUILD" export envbuild.lock --format conda-lock -o conda-lock.yml || fail "export conda-lock" ""
check "conda-lock.yml is what PyYAML writes" python3 - <<'EOF'
import sys
try:
    import yaml
except ImportError:
    sys.exit(0)
text = open('conda-lock.yml').read()
assert yaml.dump(yaml.safe_load(text)) == text
EOF
for file in explicit.txt conda-lock.yml; do
  expect 0 "$file installed" "$ENVBUILD" install $file --offline -p "$T/$file.d" --json
  same "$file: the same packages" "$(tree "$file.d")" "$(cat ours.tree)"
  same "$file: with their dependencies" "$(depends "$file.d")" "$(depends ours)"
  expect 0 "$file run" "$ENVBUILD" run $file --offline -- alpha
  same "$file: it runs" "$(cat out)" alpha
  expect 0 "$file kept" "$ENVBUILD" vault $file "$T/$file.v" -q
  check "$file: in a channel" test -s "$file.v/noarch/repodata.json"
  expect 0 "$file exported again" "$ENVBUILD" export $file --format explicit
  same "$file: the same list" "$(cat out)" "$(cat explicit.txt)"
done
echo 'test "$(alpha)" = alpha' >run-test.sh
expect 0 "@EXPLICIT packed" "$ENVBUILD" pack explicit.txt -n small --offline --test run-test.sh -o small.tar.gz
check "an archive" test -s small.tar.gz
"$ENVBUILD" export envbuild.lock --format environment -o pinned.yml || fail "export environment" ""
expect 0 "the pinned file has the lock's packages" "$ENVBUILD" lock --check pinned.yml -t host
expect 0 "and is solved" "$ENVBUILD" lock pinned.yml -t host -o pinned.lock
urls() { sed -n 's/^- conda: //p' "$1"; }
same "to the same" "$(urls pinned.lock)" "$(urls envbuild.lock)"

# Version 6 has no platforms; the path of this channel is taken as it is.
{
  printf 'version: 6\n'
  sed '/^version/d; /^platforms/,/^environments/{/^environments/!d}; s/^      host:/      linux-64:/' envbuild.lock
} >six.lock
expect 0 "rattler's version 6 installed" "$ENVBUILD" install six.lock --offline -p six
same "the same packages" "$(tree six)" "$(cat ours.tree)"

# A package by its path; a wrong sum and none; what is no form.
file=$T/channel/noarch/alpha-1.0-0.conda
printf '@EXPLICIT\n%s\n' "$file" >path.txt
expect 2 "a package without a sum" "$ENVBUILD" install path.txt -p path
says "is named" "gives no sum of 'alpha-1.0-0.conda'"
printf '@EXPLICIT\n%s#%s\n' "$file" "$(md5sum <"$file" | cut -c1-32)" >path.txt
expect 0 "a path installed" "$ENVBUILD" install path.txt -p path
check "its file" test -x path/bin/alpha
sed 's/#\(.\).*/#\100000000000000000000000000000000/; s/#\(.\{32\}\).*/#\1/' explicit.txt >wrong.txt
ENVBUILD_CACHE=$T/empty expect 5 "wrong sums" "$ENVBUILD" install wrong.txt -p wrong
expect 2 "a form that is none" "$ENVBUILD" export envbuild.lock --format requirements
says "is named" "not 'requirements'"
expect 2 "no form" "$ENVBUILD" export envbuild.lock
expect 2 "a target that is not there" "$ENVBUILD" export envbuild.lock --format explicit -t rhel7
done_testing
