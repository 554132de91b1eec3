#!/bin/bash
# timeout: 120
# deploy: onto a production file system, tested there, recorded, switched, rolled back; killed.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

cd "$T" || exit 1
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
mkdir ch && python3 "$ROOT/tests/tools/small_channel.py" ch
"$ENVBUILD" channel index ch -q
printf 'name: demo\nchannels: [./ch]\ndependencies: [alpha, zeta]\n' >environment.yml
cat >run-test.sh <<'EOS'
test "$(alpha)" = alpha
case $CONDA_PREFIX in /tmp/demo | */demo-?*) ;; *) exit 9 ;; esac
grep -q "^prefix=$CONDA_PREFIX$" "$CONDA_PREFIX/share/zeta/conf"
case $CONDA_PREFIX in */demo-fail) exit 3 ;; esac
case $CONDA_PREFIX in */demo-write) echo x >"$CONDA_PREFIX/share/zeta/conf" ;; esac
EOS
expect 0 "pack" "$ENVBUILD" pack --test run-test.sh -q
sum=$(cut -c1-64 demo.sha256)
printf 'name: demo\nchannels: [./ch]\ndependencies: [alpha, zeta, beta]\n' >environment.yml
mkdir other new
expect 0 "pack another" "$ENVBUILD" pack --test run-test.sh -q -o other/demo.tar.gz
deploy() { "$ENVBUILD" deploy "$@"; }
# log N KEY: a field of the line N (from the end: -1) of root/deployments.jsonl.
log() {
  python3 -c 'import json, sys
print(json.loads(open("root/deployments.jsonl").read().splitlines()[int(sys.argv[1])]).get(sys.argv[2]))' "$@"
}
lines() { wc -l <root/deployments.jsonl; }

# --- one deployment
expect 0 "a dry run" deploy demo.tar.gz root --version 1 --dry-run
check "a dry run makes nothing" test ! -e root
says "and says what would be done" "would deploy demo.tar.gz to '$T/root/demo-1'"
expect 0 "deploy" deploy demo.tar.gz root --version 1 --ticket OPS-7 --json
check "the record is on stdout" python3 -c 'import json; r = json.load(open("out"))
assert r["version"] == "1" and r["ticket"] == "OPS-7" and r["sha256"] == "'"$sum"'", r'
same "the link" "$(readlink root/current)" demo-1
same "the record: sha256" "$(log -1 sha256)" "$sum"
same "the record: who" "$(log -1 user) $(log -1 uid) $(log -1 host)" "$(id -un) $(id -u) $(hostname)"
same "the record: test" "$(log -1 test) $(log -1 result) $(log -1 target)" "passed ok host"
check "the record: when" python3 -c 'import datetime, sys
t = datetime.datetime.strptime(sys.argv[1], "%Y-%m-%dT%H:%M:%SZ")
assert abs((datetime.datetime.utcnow() - t).total_seconds()) < 100' "$(log -1 time)"
same "it names its place" "$(cat root/current/share/zeta/conf)" "prefix=$T/root/demo-1"
check "it is used as it lies" bash -c '. root/current/bin/activate && test "$(alpha)" = alpha'
same "nothing of it can be written" "$(find root/demo-1 ! -type l -perm /222 | head -n 3)" ""
same "nothing else is left" "$(ls -A root | LC_ALL=C sort | tr '\n' ' ')" "current demo-1 deployments.jsonl "
expect 0 "the same once more" deploy demo.tar.gz root --version 1
same "is recorded, too" "$(lines)" 2

# --- what is refused
expect 2 "no version" deploy demo.tar.gz root
says "is told" "says no version"
expect 2 "a version with a slash" deploy demo.tar.gz root --version ../x
expect 2 "another archive under the same version" deploy other/demo.tar.gz root --version 1
says "is told, too" "is there already, made of another archive"
mkdir root/demo-9
expect 2 "a folder that nobody deployed" deploy demo.tar.gz root --version 9
says "is left alone" "no deployment made it"
rmdir root/demo-9
expect 2 "a root in a folder that is not there" deploy demo.tar.gz nowhere/root --version 1
expect 2 "a root that cannot stand in PATH" deploy demo.tar.gz a:b --version 1
check "is not made" test ! -e a:b
expect 2 "a root without a name" deploy demo.tar.gz "" --version 1
ln -s root byname
printf '{"action":"deploy","result":"the test failed","name":"other","folder":"other-1"}\n' >>root/deployments.jsonl
expect 0 "a deployment of another name that failed" deploy demo.tar.gz root --version 1 --dry-run
sed -i '$d' root/deployments.jsonl
expect 2 "a root by another name, with a release that is there" deploy demo.tar.gz byname --version 1
says "is told which name it has" "was deployed as '$T/root/demo-1'"
mkdir folder && sed -i '$d' root/deployments.jsonl # which has recorded that
expect 2 "a folder" deploy folder root --version 2
says "is said to be one" "'folder' is a folder, not an archive"
expect 2 "a stage that is none" deploy demo.tar.gz root --version 1 --stage test
mkdir bare && cp demo.tar.gz bare/
expect 6 "without a run.json" deploy bare/demo.tar.gz root --version 2
says "names what is missing" "was not tested, or its run.json is not beside it"
cp -r other changed && printf x >>changed/demo.tar.gz
expect 5 "an archive that was changed" deploy changed/demo.tar.gz root --version 2
cp demo.run.json bare/ && cp other/demo.tar.gz bare/
expect 5 "a run.json of another archive" deploy bare/demo.tar.gz root --version 2
sed 's/"status": 0/"status": 1/' other/demo.run.json >changed/demo.run.json
cp other/demo.tar.gz changed/
expect 6 "an archive that failed its test" deploy changed/demo.tar.gz root --version 2
sed -i 's/^name: demo/name: else/' environment.yml && "$ENVBUILD" pack --no-test -q
expect 6 "one that was not tested" deploy else.tar.gz elsewhere --version 1
expect 0 "unless told to" deploy else.tar.gz elsewhere --version 1 --untested
expect 2 "an environment of another name" deploy else.tar.gz root --version 1 --untested
says "is told to go elsewhere" "holds releases of 'demo', not of 'else'"
same "none of these is recorded" "$(lines)" 2
expect 6 "a test that fails here" deploy other/demo.tar.gz root --version fail
same "leaves the link" "$(readlink root/current)" demo-1
check "and no folder" test ! -e root/demo-fail
same "and is recorded" "$(log -1 result | cut -c1-8) $(log -1 test) $(log -1 version)" "the test failed fail"
tar xOf demo.tar.gz conda-meta/envbuild/profile.yml |
  sed 's/__linux=[0-9.]*/__linux=99.1/; s/^name: .*/name: newer/' >new.yml
expect 0 "pack for a newer kernel" "$ENVBUILD" pack --no-test -q -t ./new.yml --image / -o new/else.tar.gz
expect 1 "a host that is older than the target" deploy new/else.tar.gz elsewhere --version 2 --untested
says "is told so" "target 'newer' promises __linux 99.1, and this host has [0-9]"
expect 0 "ENVBUILD_SKIP_CHECK" env ENVBUILD_SKIP_CHECK=1 "$ENVBUILD" deploy new/else.tar.gz \
  elsewhere --version 2 --untested

tar xOf demo.tar.gz conda-meta/envbuild/profile.yml |
  sed 's/^- __unix.*/&\n- __cuda=99.0/; s/^name: .*/name: gpu/' >gpu.yml
expect 0 "pack for a GPU" "$ENVBUILD" pack --no-test -q -t ./gpu.yml --image / -o new/else.tar.gz
expect 0 "a host without one" deploy new/else.tar.gz elsewhere --version 3 --untested
says "is warned of" "target 'gpu' promises __cuda 99.0"

# --- a disk that is too small is known before anything is unpacked
mkdir small
if mount -t tmpfs -o size=64k none small 2>"$T/err"; then
  defer "umount '$T/small' 2>/dev/null"
  expect 1 "a disk that is too small" deploy demo.tar.gz small/root --version 1
  says "says what is needed and what is free" "$T/small.* kB"
  same "nothing is left on it" "$(find small -name '*demo*')" ""
  check "it is unmounted" umount small
else
  skip "a disk that is too small" "mount: $(head -n 1 "$T/err")"
fi

# --- stages
expect 1 "prod without dev" deploy other/demo.tar.gz root --version 2 --stage prod
says "asks for a record" "no record of a deployment for dev"
expect 0 "dev" deploy other/demo.tar.gz root --version 2 --stage dev
same "does not touch what is in production" "$(readlink root/current) $(readlink root/dev)" "demo-1 demo-2"
expect 0 "prod after dev" deploy other/demo.tar.gz root --version 2 --stage prod
same "switches" "$(readlink root/current) $(log -1 previous) $(log -1 stage)" "demo-2 demo-1 prod"
expect 0 "dev elsewhere" deploy demo.tar.gz devroot --version 7 --stage dev
same "has both links" "$(readlink devroot/current) $(readlink devroot/dev)" "demo-7 demo-7"
expect 1 "prod with somebody else's record" deploy other/demo.tar.gz prodroot --version 7 --stage prod \
  --dev-record devroot/deployments.jsonl
expect 0 "prod with the record of another root" deploy demo.tar.gz prodroot --version 7 --stage prod \
  --dev-record devroot/deployments.jsonl

# --- back
expect 0 "rollback" deploy --rollback root --ticket OPS-8
same "leads to the release before" "$(readlink root/current)" demo-1
same "is recorded" "$(log -1 action) $(log -1 version) $(log -1 previous) $(log -1 ticket)" "rollback 1 demo-2 OPS-8"
expect 1 "there is none before the first" deploy --rollback root
expect 0 "rollback to a version" deploy --rollback root --version 2
same "leads to that" "$(readlink root/current)" demo-2
expect 2 "to one that is not there" deploy --rollback root --version 5
chmod u+w root/demo-1/share/zeta root/demo-1/share/zeta/conf && echo x >root/demo-1/share/zeta/conf
expect 5 "not to one that was changed" deploy --rollback root
says "which is named" "'share/zeta/conf' in '$T/root/demo-1' is missing or not as it was packed"
same "the link stays" "$(readlink root/current)" demo-2
expect 5 "nor is it deployed again" deploy demo.tar.gz root --version 1
check "nor removed for it" test -e root/demo-1/bin/alpha

# --- old ones
(cd root/demo-1 && exec sleep 100) &
sleeper=$!
defer "kill $sleeper 2>/dev/null"
expect 0 "--keep" deploy demo.tar.gz root --version 3 --keep 2
check "one that is in use stays" test -e root/demo-1
says "and who uses it is told" "process $sleeper uses it"
kill $sleeper && wait $sleeper 2>/dev/null
expect 0 "--keep 1" deploy demo.tar.gz root --version 4 --keep 1
same "what a link leads to stays, the rest goes" "$(ls -d root/demo-* | tr '\n' ' ')" "root/demo-2 root/demo-4 "
same "that is recorded" "$(grep -c '"action":"remove"' root/deployments.jsonl)" 2
expect 0 "to one that --keep left" deploy --rollback root
same "which is not one that went" "$(readlink root/current)" demo-2

# --- a log that is damaged
cp root/deployments.jsonl good.jsonl
printf '{"time":"2026' >>root/deployments.jsonl
expect 0 "a line without an end" deploy --rollback root --version 4
check "is ended" sh -c 'tail -n 2 root/deployments.jsonl | head -n 1 | grep -q "^{\"time\":\"2026$"'
expect 0 "and passed over from then on" deploy --rollback root --version 2
cp good.jsonl root/deployments.jsonl
sed -i '2s/^/x/' root/deployments.jsonl
expect 5 "a line that is none" deploy demo.tar.gz root --version 5
says "is named" "deployments.jsonl:2: not a record"
cp good.jsonl root/deployments.jsonl
printf '{"folder":"../up","action":"deploy","result":"ok"}\n' >>root/deployments.jsonl
expect 5 "a folder that leads out" deploy demo.tar.gz root --version 5
cp good.jsonl root/deployments.jsonl
rm root/current && mkdir root/current
expect 1 "a folder where the link should be" deploy demo.tar.gz root --version 5
rmdir root/current

cp good.jsonl root/deployments.jsonl
printf '{"action":"remove","result":"ok"}\n{"action":"remove","result":"ok","folder":"demo-4"}\n' >>root/deployments.jsonl
ln -sfn demo-4 root/current
expect 0 "removals of no folder, and of one that a link leads to" deploy --rollback root --version 2
check "remove nothing" test -e root/demo-4/bin/alpha
cp good.jsonl root/deployments.jsonl

# --- small things
expect 1 "going back in a root that is not there" deploy --rollback mistyped
check "makes none" test ! -e mistyped
expect 1 "a release that is refused" deploy demo.tar.gz mistyped --version 1 --stage prod
check "leaves no root" test ! -e mistyped
for version in 1 2 3; do deploy demo.tar.gz gone --version $version -q; done
chmod -R u+w gone/demo-2 && rm -r gone/demo-2
expect 0 "--keep 2, one has vanished" deploy demo.tar.gz gone --version 3 --keep 2
same "keeps two that are there" "$(ls -d gone/demo-* | tr '\n' ' ')" "gone/demo-1 gone/demo-3 "

# --- killed at one moment: the link leads there already, or one of two does; the log does not say so
cp -r gone half
tail -n 1 half/deployments.jsonl >half/.envbuild-deploying
sed -i 's/"links":"current"/"links":"current dev"/; s/"previous":"[^"]*"/"previous":"demo-1"/' half/.envbuild-deploying
sed -i '$d' half/deployments.jsonl
touch half/.current.1.tmp half/..envbuild-deploying.0123456789abcdef.tmp
mkdir -p half/.demo-9.unpack.0123 half/.demo-8.unpack.4567 && : >half/.demo-9.unpack.0123/.envbuild-unfinished
expect 0 "going back after a kill" deploy --rollback half
same "leads to the release before the one that was cut off" "$(readlink half/current)" demo-1
same "whose other link is switched, too" "$(readlink half/dev)" demo-3
same "and which is recorded" "$(tail -n 2 half/deployments.jsonl | grep -o '"action":"[a-z]*"' | tr '\n' ' ')" \
  '"action":"deploy" "action":"rollback" '
n=$(wc -l <half/deployments.jsonl)
tail -n 1 half/deployments.jsonl >half/.envbuild-deploying
expect 0 "what was recorded before a kill" deploy demo.tar.gz half --version 4
same "is not recorded twice" "$(wc -l <half/deployments.jsonl)" $((n + 1))
same "nothing is left of killed ones" "$(ls -A half | tr '\n' ' ')" "current demo-1 demo-3 demo-4 deployments.jsonl dev "

# --- killed at any moment: nothing half, and the next run works
killed=0 bad=""
for round in 1 2 3 4 5 6 7 8; do
  "$ENVBUILD" deploy other/demo.tar.gz killroot --version "$round" -q 2>/dev/null &
  pid=$!
  sleep "0.0$((round * 11 % 90))"
  kill -KILL $pid 2>/dev/null && killed=$((killed + 1))
  wait $pid 2>/dev/null
  [ ! -L killroot/current ] || "$ENVBUILD" verify killroot/current -q >/dev/null || bad="$bad $round"
done
check "some were killed ($killed)" test $killed -ge 2
same "the link leads to whole releases only" "$bad" ""
expect 0 "the next one works" deploy other/demo.tar.gz killroot --version last
same "nothing is left but what is recorded" \
  "$(find killroot -mindepth 1 -maxdepth 1 ! -name 'demo-*' -printf '%f\n' | sort | tr '\n' ' ')" \
  "current deployments.jsonl "
check "every folder is recorded" python3 - <<'EOS'
import json, os
done = {r['folder'] for r in map(json.loads, open('killroot/deployments.jsonl')) if r['result'] == 'ok'}
there = {n for n in os.listdir('killroot') if n.startswith('demo-')}
assert there <= done, there - done
EOS

# --- two at once
deploy demo.tar.gz twice --version 1 -q 2>one.err &
first=$!
deploy other/demo.tar.gz twice --version 2 -q 2>two.err
second=$?
wait $first
first=$?
check "two at once: both, or one is told of the other ($first, $second)" sh -c \
  "[ $first$second = 00 ] || grep -hq 'another envbuild works' one.err two.err"

# --- a user who is nobody, a test that writes
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mkdir nobody && chown 65534 nobody && chmod 755 "$T"
  cp demo.tar.gz demo.sha256 demo.run.json nobody/ && chmod -R a+rX nobody
  expect 0 "as an ordinary user" setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$T/nobody" \
    ENVBUILD_CACHE="$T/nobody/cache" "$ENVBUILD" deploy nobody/demo.tar.gz nobody/root --version 1
  expect 0 "who removes what is protected" setpriv --reuid 65534 --regid 65534 --clear-groups env \
    HOME="$T/nobody" ENVBUILD_CACHE="$T/nobody/cache" "$ENVBUILD" deploy nobody/demo.tar.gz nobody/root \
    --version 2 --keep 1
  cp -rp nobody/root nobody/shared && chown 0 nobody/shared/deployments.jsonl
  expect 1 "where the record is another user's" setpriv --reuid 65534 --regid 65534 --clear-groups env \
    HOME="$T/nobody" ENVBUILD_CACHE="$T/nobody/cache" "$ENVBUILD" deploy nobody/demo.tar.gz nobody/shared --version 3
  says "it says so" "cannot write '.*/shared/deployments.jsonl': Permission denied"
  same "and nothing is switched" "$(readlink nobody/shared/current)" demo-2
  same "the old one is gone" "$(ls nobody/root | tr '\n' ' ')" "current demo-2 deployments.jsonl "
else
  skip "as an ordinary user" "not root, or no setpriv"
fi
# as root the test can write without a sandbox: what it wrote is not kept
deploy demo.tar.gz writer --version write -q --engine none >/dev/null 2>&1
same "what a test writes is not kept" "$(cat writer/demo-write/share/zeta/conf 2>/dev/null || echo none)" \
  "$([ -L writer/current ] && echo "prefix=$T/writer/demo-write" || echo none)"
done_testing
