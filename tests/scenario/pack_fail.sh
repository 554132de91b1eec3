#!/bin/bash
# memory
# timeout: 400
# What must not be released is not: each failure by its exit status, its words, and nothing left.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd

channel=$ENVBUILD_SHARED_DATA/channel
mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: small
channels: [file://$channel]
dependencies: [python=3.7.0, requests]
EOF
printf 'python -c "import requests"\n' >good.sh
before=$(ls -A)

# refused STATUS NAME PATTERN CMD...: exit status, words on stderr, and an unchanged folder.
refused() {
  status=$1 name=$2 pattern=$3
  shift 3
  expect "$status" "$name" "$@"
  if grep -Eq -- "$pattern" "$T/err"; then
    ok "$name: says why"
  else
    fail "$name: says why" "no /$pattern/ in
$(cat "$T/err")"
  fi
  same "$name: leaves nothing" "$(ls -A)" "$before"
}

printf 'echo first-word\nfalse\necho last-word\n' >bad.sh
before=$(ls -A)
refused 6 "a script whose middle command fails" 'first-word' "$ENVBUILD" pack --test bad.sh
if grep -q last-word "$T/err"; then
  fail "it stopped there" "$(cat "$T/err")"
else
  ok "it stopped there"
fi
rm bad.sh
printf 'echo the-script-spoke; exit 3\n' >bad.sh
before=$(ls -A)
refused 6 "a script that exits 3" 'the-script-spoke' "$ENVBUILD" pack --test bad.sh
refused 6 "a script that exits 3, told quietly" 'the-script-spoke' "$ENVBUILD" pack -q --test bad.sh
refused 6 "a script that overruns its time" 'time' "$ENVBUILD" pack --timeout 2 \
  --test <(echo 'sleep 60')
refused 2 "a script that is not there" "no test script .*missing.sh" "$ENVBUILD" pack \
  --test missing.sh
refused 2 "--test with --no-test" 'exclude each other' "$ENVBUILD" pack --test good.sh --no-test
refused 2 "a name with another format" 'disagree' "$ENVBUILD" pack -o x.tar.gz --format tar.zst
refused 2 "a folder that is not there" 'missing' "$ENVBUILD" pack missing/environment.yml

printf 'name: x\ndependencies:\n  - python\n bad: [\n' >broken.yml
before=$(ls -A)
refused 2 "unreadable YAML" 'broken.yml:[0-9]+:[0-9]+' "$ENVBUILD" pack broken.yml
rm broken.yml
printf 'name: x\ndependencies:\n  - python >=\n' >broken.yml
before=$(ls -A)
refused 2 "a spec that is none" 'broken.yml:3:5' "$ENVBUILD" pack broken.yml
rm broken.yml

printf 'name: nowhere\nsubdir: linux-64\nvirtual-packages: [__linux=3.10, __unix=0=0]\n' >nowhere.yml
before=$(ls -A)
refused 2 "a target without __glibc" '__glibc=' "$ENVBUILD" pack -t ./nowhere.yml
rm nowhere.yml

cat >impossible.yml <<EOF
name: impossible
channels: [file://$channel]
dependencies: [python=3.7.0, ipython=6.2.1]
EOF
before=$(ls -A)
refused 3 "an impossible request" 'ipython' "$ENVBUILD" pack impossible.yml
if grep -q 'impossible.yml:3' "$T/err" && grep -Eq 'python >=3.6,<3.7' "$T/err"; then
  ok "the reasons name the lines and the requirement"
else
  fail "the reasons name the lines and the requirement" "$(cat "$T/err")"
fi
rm impossible.yml
before=$(ls -A)
refused 3 "--locked without a lock" 'envbuild lock' "$ENVBUILD" pack --locked
refused 4 "a channel that is not there" 'make demo' "$ENVBUILD" pack --override-channels \
  -c http://127.0.0.1:9/nothing

# Nothing is released where the lock could not follow.
readonly_here='mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"'
if unshare -Urm sh -c "$readonly_here" sh sh -c '! touch x' 2>/dev/null; then
  refused 1 "a folder that cannot take the lock" "cannot write the lock '.*envbuild.lock'" \
    unshare -Urm sh -c "$readonly_here" sh "$ENVBUILD" pack --no-test -o "$T/readonly.tar.gz"
  check "nothing was released" test ! -e "$T/readonly.tar.gz" -a ! -e "$T/readonly.sha256"
else
  skip "a folder that cannot take the lock" "no mount can be made here"
fi

# A channel whose package is not what its index says.
mkdir -p "$T/bad/linux-64" "$T/bad/noarch"
cp -r "$channel/noarch/repodata.json" "$T/bad/noarch/"
cp "$channel/linux-64/repodata.json" "$T/bad/linux-64/"
ln -s "$channel"/linux-64/*.conda "$channel"/linux-64/*.bz2 "$T/bad/linux-64/"
ln -s "$channel"/noarch/*.conda "$channel"/noarch/*.bz2 "$T/bad/noarch/"
# One that needs nothing and comes in the old form alone.
package=$(python3 - "$channel/linux-64/repodata.json" <<'EOF'
import json, sys
index = json.load(open(sys.argv[1]))
for fn, record in sorted(index['packages'].items()):
    if not record['depends'] and record['size'] > 100000 and \
            fn.replace('.tar.bz2', '.conda') not in index['packages.conda']:
        print(fn)
        break
EOF
)
spec=$(echo "${package%.tar.bz2}" | sed 's/-\([^-]*\)-\([^-]*\)$/=\1=\2/')
rm "$T/bad/linux-64/$package"
cp "$channel/linux-64/$package" "$T/bad/linux-64/$package"
chmod u+w "$T/bad/linux-64/$package"
size=$(stat -c %s "$T/bad/linux-64/$package")
printf X | dd of="$T/bad/linux-64/$package" bs=1 seek=$((size / 2)) conv=notrunc 2>/dev/null
printf 'name: damaged\ndependencies: ["%s"]\n' "$spec" >damaged.yml
before=$(ls -A)
ENVBUILD_CACHE=$T/cache refused 5 "a corrupted package" "$package" "$ENVBUILD" pack damaged.yml \
  --no-test --override-channels -c "file://$T/bad"
want=$(python3 -c "import json,sys; r=json.load(open(sys.argv[1])); print(r['packages'][sys.argv[2]]['sha256'])" \
  "$channel/linux-64/repodata.json" "$package")
got=$(sha256sum "$T/bad/linux-64/$package" | cut -d' ' -f1)
if grep -q "$want" "$T/err" && grep -q "$got" "$T/err"; then
  ok "both hashes are named"
else
  fail "both hashes are named" "$want $got
$(cat "$T/err")"
fi
rm damaged.yml

# A script that changes the environment and the project changes neither archive nor project.
printf 'python -c "import requests"\n' >clean.sh
cat >meddle.sh <<'EOF'
python -c "import requests"
echo changed >>"$CONDA_PREFIX/lib/python3.7/site.py"
rm "$CONDA_PREFIX/bin/pydoc3.7"
echo new >"$CONDA_PREFIX/new-file"
echo changed >/tmp/project/environment.yml
EOF
cp environment.yml "$T/environment.yml"
expect 0 "pack with a test that looks" "$ENVBUILD" pack --test clean.sh -o "$T/clean.tar.gz"
expect 0 "pack with a test that meddles" "$ENVBUILD" pack --test meddle.sh -o meddled.tar.gz
check "the project is unchanged" cmp environment.yml "$T/environment.yml"
check "the change is recorded" grep -q 'lib/python3.7/site.py' meddled.run.json
mkdir "$T/a" "$T/b" && tar xf "$T/clean.tar.gz" -C "$T/a" && tar xf meddled.tar.gz -C "$T/b"
rm -f "$T"/[ab]/conda-meta/envbuild/run-test.sh
sed -i '/run-test.sh$/d' "$T"/[ab]/conda-meta/envbuild/files
check "the archives differ in the script alone" diff -r --no-dereference "$T/a" "$T/b"
check "the cache is unchanged" sh -c "'$ENVBUILD' pack --test clean.sh -o '$T/again.tar.gz' && \
  cmp '$T/clean.tar.gz' '$T/again.tar.gz'"
done_testing
