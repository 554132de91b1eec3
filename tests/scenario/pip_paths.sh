#!/bin/bash
# memory
# timeout: 600
# Local paths, -r files and folders; again by another user, in another folder, without a sandbox.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3

export ENVBUILD_CACHE=$T/cache
mkdir -p "$T/project/sub" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF' || exit 1
from make_wheels import wheel, sdist, project
wheel(".", "plain", "1.0", entry="plain")
wheel("links", "linked", "1.0", entry="linked")
wheel("links", "linked", "2.0", entry="linked")
sdist(".", "source", "1.2", entry="fromsource")
project("folder", "folder", "1.0", entry="folder",
        setup="import sys\nopen('prefix_of_build.py', 'w').write('built = %r\\n' % sys.prefix)")
text = open("folder/setup.py").read().replace("py_modules=['folder']", "py_modules=['folder', 'prefix_of_build']")
open("folder/setup.py", "w").write(text)
EOF
environment() { # NAME LINE...
  printf 'name: %s\nchannels: [file://%s/channel]\n' "$1" "$ENVBUILD_SHARED_DATA"
  printf 'dependencies:\n  - python=3.6.6\n  - pip\n  - six\n  - pip:\n    - --no-index\n'
  shift
  for line; do echo "    - $line"; done
}
lines() { environment local "$@" >environment.yml; }

# --- paths, folders, files of requirements ---
echo './plain-1.0-py3-none-any.whl' >sub/more.txt
echo 'linked<2' >constraints.txt
lines '--find-links ./links' '-c constraints.txt' '-r sub/more.txt' ./source-1.2.tar.gz ./folder 'linked>=1'
expect 0 "wheel, source distribution, folder, -r file and --find-links" "$ENVBUILD" pack --no-test
cp local.tar.gz first.tar.gz
check "the lock names them by path" sh -c \
  "for p in links/linked-1.0 folder source-1.2.tar.gz; do grep -q \"^- pypi: ./\$p\" envbuild.lock || exit 1; done"
check "the project is as it was" test ! -e folder/build -a ! -e folder/prefix_of_build.py
mkdir "$T/moved" && tar xf local.tar.gz -C "$T/moved"
same "all of it runs" "$(bash -c ". '$T/moved/bin/activate' && plain && fromsource && folder && linked")" "plain 1.0
source 1.2
folder 1.0
linked 1.0"
same "what a build wrote of its prefix has moved along" \
  "$(sed 's/built = //' "$T/moved/lib/python3.6/site-packages/prefix_of_build.py")" "'$T/moved'"
expect 0 "install into another path" "$ENVBUILD" install --locked --offline -p "$T/prefix"
same "it holds that path there" "$(cat "$T/prefix/lib/python3.6/site-packages/prefix_of_build.py")" \
  "built = '$T/prefix'"
same "no direct_url.json of ours" "$(find "$T/prefix" "$T/moved" -path '*-1.*.dist-info/direct_url.json' ! -path '*/six-*')" ""
cp envbuild.lock good.lock
sed -i '/envbuild-wheel: source/{n;s/sha256: ......../sha256: 00000000/}' envbuild.lock
expect 3 "--locked, and the build comes out another wheel" "$ENVBUILD" install --locked --offline -p "$T/p3"
check "the message names it and both sums" grep -q "'source' was built again and is another wheel.*00000000" "$T/err"
expect 0 "without --locked" "$ENVBUILD" pack --no-test --offline
check "a warning says so" grep -q "warning: 'source' was built again and is another wheel" "$T/err"
check "and the lock has the new sum" cmp good.lock envbuild.lock
check "the same archive" cmp first.tar.gz local.tar.gz

# --- another user, another folder, no sandbox ---
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mkdir "$T/theirs" && cp -r environment.yml constraints.txt sub links folder ./*.whl source-1.2.tar.gz "$T/theirs"
  chown -R 12345:12345 "$T/theirs" && chmod 711 "$T"
  expect 0 "another user, in another folder" env -C "$T/theirs" ENVBUILD_CACHE="$T/theirs/cache" \
    ENVBUILD_CACHE_LOWER="$T/cache" HOME="$T/theirs" \
    setpriv --reuid 12345 --regid 12345 --clear-groups "$ENVBUILD" pack --no-test
  check "the same archive" cmp first.tar.gz "$T/theirs/local.tar.gz"
else
  skip "another user, in another folder" "not root"
fi
rm -r "$T/cache/wheels" "$T/cache/built" envbuild.lock
expect 0 "without a sandbox" "$ENVBUILD" pack --no-test --engine none
check "the same archive again" cmp first.tar.gz local.tar.gz

echo '# changed' >>folder/folder.py
expect 3 "a folder that changed makes the lock stale" "$ENVBUILD" pack --no-test --locked --offline
check "the reason names it" grep -q "folder" "$T/err"

done_testing
