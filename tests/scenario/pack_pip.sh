#!/bin/bash
# memory
# timeout: 300
# A pip section: installed in the sandbox by the environment's own pip, packed, moved.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3

mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<EOF
name: withpip
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies:
  - python=3.6.6
  - pip
  - pip:
    - --no-index
    - ./greeting-1.0-py3-none-any.whl
    - -r more.txt
EOF
echo './answer-2.0-py3-none-any.whl' >more.txt
python3 - <<'EOF'
import zipfile
def wheel(name, version, entry):
    info = '%s-%s.dist-info' % (name, version)
    files = {
        name + '.py': 'def main():\n    print("%s %s")\n' % (name, version),
        info + '/METADATA': 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n' % (name, version),
        info + '/WHEEL': 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
        info + '/entry_points.txt': '[console_scripts]\n%s = %s:main\n' % (entry, name),
    }
    files[info + '/RECORD'] = ''.join('%s,,\n' % f for f in files) + info + '/RECORD,,\n'
    with zipfile.ZipFile('%s-%s-py3-none-any.whl' % (name, version), 'w') as z:
        for path, text in files.items():
            z.writestr(path, text)
wheel('greeting', '1.0', 'greet')
wheel('answer', '2.0', 'answer')
EOF
cat >run-test.sh <<'EOF'
test "$(greet)" = "greeting 1.0"
test "$(answer)" = "answer 2.0"
python -m pip list --format=freeze | grep -qx 'greeting==1.0'
EOF
expect 0 "pack with a pip section" "$ENVBUILD" pack --offline --test run-test.sh
mkdir "$T/moved" && tar xf withpip.tar.gz -C "$T/moved"
same "its programs run where it was unpacked" \
  "$(bash -c "source '$T/moved/bin/activate' && greet && answer")" "greeting 1.0
answer 2.0"
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$T/moved"
check "no build prefix is left" sh -c "! grep -rq /opt/envbuild/prefix '$T/moved' \
  --exclude-dir=envbuild"
expect 0 "pack once more" "$ENVBUILD" pack --offline --test run-test.sh -o again.tar.gz
check "the same bytes" cmp withpip.tar.gz again.tar.gz
expect 0 "it can be made from what is in it" "$ENVBUILD" verify --rebuild --offline again.tar.gz
says "with the same bytes" "made again from its lock: the same bytes"
check "its list of parts has pip's" "$ROOT/tests/tools/check_sbom.py" "$T/moved"
check "by name and version" grep -q '"purl": "pkg:pypi/greeting@1.0"' "$T/moved/conda-meta/envbuild/sbom.cdx.json"

sed '/^  - pip$/d; /^    - -r/d; s/withpip/nopip/' environment.yml >nopip.yml
expect 0 "a pip section without pip" "$ENVBUILD" pack --offline --no-test nopip.yml
check "a warning says that pip is added" grep -q "nopip.yml:6: .*'pip' is not in" "$T/err"
sed 's|./greeting.*|./missing-1.0-py3-none-any.whl|' environment.yml >bad.yml
expect 2 "a wheel that is not there" "$ENVBUILD" pack --offline --no-test bad.yml
check "the message names the line" grep -q "bad.yml:[0-9]*: .*missing-1.0" "$T/err"
sed 's|\./greeting.*|-e ./greeting|' environment.yml >bad.yml
expect 2 "an editable requirement" "$ENVBUILD" pack --offline --no-test bad.yml
check "the message names it" grep -q "'-e ./greeting': editable pip requirement" "$T/err"
check "no archive" test ! -e bad.tar.gz
done_testing
