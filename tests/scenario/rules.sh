#!/bin/bash
# timeout: 120
# memory
# What goes into an archive: exclude, include, drop, rename, add, the pre-pack script, sizes; what
# the manifest says of each, and what is refused.
. "$(dirname "$0")/../lib.sh"
need python3 zstd

root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/reason") || skip_all "$(cat "$T/reason")"
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
mkdir "$T/project" && cd "$T/project" || exit 1
python3 - "$ROOT/tests/tools" "$T/channel" <<'PY' || exit 1
import hashlib
import sys
sys.path.insert(0, sys.argv[1])
from make_package import SYM, Channel, member
channel = Channel(sys.argv[2])
old = '/opt/' + 'placehold_' * 20


def conda(name, members, prefix):
    listing = []
    for m, data in members:
        entry = {'_path': m.name, 'path_type': 'softlink' if m.type == SYM else 'hardlink'}
        if m.type != SYM:
            entry.update(sha256=hashlib.sha256(data).hexdigest(), size_in_bytes=len(data))
        if m.name in prefix:
            entry.update(prefix_placeholder=old, file_mode=prefix[m.name])
        listing.append(entry)
    channel.conda(name, members, index={'noarch': 'generic'}, listing=listing)


conda('dbus', [
    member('bin/dbus-daemon', b'#!/bin/sh\necho dbus\n', mode=0o755),
    member('bin/dbus-run', ('#!/bin/sh\necho %s\n' % old).encode(), mode=0o755),
    member('bin/dbus-link', kind=SYM, link='dbus-daemon'),
    member('lib/libdbus.a', b'!<arch>\n' * 2000),
    member('lib/libdbus.so', b'\0' + old.encode() + b'/x\0'),
    member('include/dbus/dbus.h', b'int x;\n' * 500),
    member('share/doc/dbus/README', b'read me\n'),
    member('share/doc/licences/dbus', b'licence\n')],
    {'bin/dbus-run': 'text', 'lib/libdbus.so': 'binary'})
conda('qt', [
    member('etc/conda/activate.d/qt.sh', b'export QT_ON=1\n'),
    member('bin/qmake', b'#!/bin/sh\necho qmake\n', mode=0o755),
    member('lib/old.py', b'1\n'), member('lib/old.pyc', b'code'), member('lib/only.pyc', b'code'),
    member('share/qt/big', bytes(range(256)) * 2000),
    member('share/qt/link', kind=SYM, link='../doc/dbus/README')], {})
conda('proj', [member('etc/conda/activate.d/proj4-activate.sh', b'export PROJ_DATA=conda\n'), member('share/proj/x', b'x')], {})
PY
"$ENVBUILD" channel index "$T/channel" -q
printf 'name: demo\nchannels: [file://%s]\ndependencies: [dbus, qt]\n' "$T/channel" >environment.yml
mkdir -p site/tree/sub
echo 'export SITE_ON=1' >site/facility.sh
echo one >site/tree/one
ln -s ../one site/tree/sub/link
printf '#!/bin/sh\necho tool\n' >site/tree/sub/tool
chmod 700 site/tree/sub/tool
cat >prepare.sh <<'END'
test "$ENVIRONMENT_NAME" = demo && test "$QT_ON" = 1 # active
test -f environment.yml && test "$PWD" = /tmp/project && test -f /tmp/pre-pack.sh
test ! -e /usr/bin/python3 # in the image
cd "$CONDA_PREFIX"
mv bin/qmake bin/qmake5
rm share/doc/licences/dbus
echo changed >>share/qt/big
chmod 600 lib/old.py
echo "$CONDA_PREFIX" >share/where
echo lost >/tmp/project/lost
END
cat >envbuild.yml <<'END'
pack:
  exclude: ["share/doc", "**/libdbus.a"]
  include: ["share/doc/dbus/**"]
  drop: [headers, bytecode]
  rename:
    "bin/dbus-*": "*.donotuse"
    "etc/conda/activate.d/qt.sh": "etc/conda/activate.d/qt.sh.off"
    "share/qt/link": "share/link/deep/*"
  add: {site/facility.sh: etc/conda/activate.d/, site/tree: share/site}
  max-size: 2G
hooks: {pre-pack: prepare.sh}
END
cat >run-test.sh <<'END'
test "$SITE_ON" = 1 && test -z "$QT_ON"
test "$(qmake5)" = qmake && test "$(dbus-run.donotuse)" = "$CONDA_PREFIX"
test "$(cat "$CONDA_PREFIX/share/where")" = "$CONDA_PREFIX"
test "$("$CONDA_PREFIX/share/site/sub/tool")" = tool && test "$(cat "$CONDA_PREFIX/share/site/sub/link")" = one
test "$(cat "$CONDA_PREFIX/share/link/deep/link")" = "read me"
test ! -e "$CONDA_PREFIX/include" && test ! -e "$CONDA_PREFIX/lib/libdbus.a"
END
manifest() { # manifest EXPRESSION: of demo.tar.gz's manifest m
  tar xzOf demo.tar.gz conda-meta/envbuild/manifest.json |
    python3 -c "import json,sys; m=json.load(sys.stdin); r=m.get('rules'); print($1)"
}
pack() {
  "$ENVBUILD" pack -t rhel7 --image "$root" "$@"
}

expect 0 "pack by every rule, and the test passes" pack --test run-test.sh --size-report --attest
says "a link that leads to what was renamed is named" \
  "warning: the link 'bin/dbus-link.donotuse' leads to 'bin/dbus-daemon', which is not packed"
says "the size report" '^envbuild: +[0-9.]+ kB +[0-9]+ files  generated files$'
check "the script's changes to the project are gone" test ! -e lost
same "what is in it" "$(tar tzf demo.tar.gz | grep -v '^conda-meta/' | sort | tr '\n' ' ')" \
  "bin/activate bin/activate.csh bin/activate.fish bin/conda-unpack bin/dbus-daemon.donotuse bin/dbus-link.donotuse \
bin/dbus-run.donotuse bin/deactivate bin/deactivate.csh bin/deactivate.fish bin/qmake5 etc/conda/activate.d/facility.sh \
etc/conda/activate.d/qt.sh.off lib/libdbus.so lib/old.py lib/only.pyc share/doc/dbus/README \
share/link/deep/link share/qt/big share/site/one share/site/sub/link share/site/sub/tool share/where "
same "excluded: files and bytes by pattern" \
  "$(manifest "[(p['pattern'], p['files'], p['bytes']) for p in r['exclude']]")" \
  "[('share/doc', 0, 0), ('**/libdbus.a', 1, 16000)]"
same "kept by include" "$(manifest "[(p['pattern'], p['files']) for p in r['include']]")" \
  "[('share/doc/dbus/**', 1)]"
same "dropped by name" "$(manifest "[(p['name'], p['files'], p['bytes']) for p in r['drop']]")" \
  "[('headers', 1, 3500), ('bytecode', 1, 4)]"
same "renamed, one by one" \
  "$(manifest "[(p['from'], p['to'], [f['to'] for f in p['files']]) for p in r['rename']][0]")" \
  "('bin/dbus-*', '*.donotuse', ['bin/dbus-daemon.donotuse', 'bin/dbus-link.donotuse', \
'bin/dbus-run.donotuse'])"
same "added, by sum" \
  "$(manifest "[(f['path'], f.get('sha256'), f.get('executable'), f.get('link')) for f in r['add']]")" \
  "$(python3 - <<'PY'
import hashlib
def sum(path): return hashlib.sha256(open(path, 'rb').read()).hexdigest()
print([('etc/conda/activate.d/facility.sh', sum('site/facility.sh'), False, None),
       ('share/site/one', sum('site/tree/one'), False, None), ('share/site/sub/link', None, None, '../one'),
       ('share/site/sub/tool', sum('site/tree/sub/tool'), True, None)])
PY
)"
same "the script, by sum" "$(manifest "r['pre_pack']['sha256']")" "$(sha256sum <prepare.sh | cut -d' ' -f1)"
same "and its text" "$(tar xzOf demo.tar.gz conda-meta/envbuild/pre-pack.sh)" "$(cat prepare.sh)"
same "what the script changed" "$(manifest "r['changed']")" "['lib/old.py', 'share/qt/big']"
same "what the script removed" "$(manifest "r['removed']")" "['bin/qmake', 'share/doc/licences/dbus']"
same "the largest size" "$(manifest "r['max_size']")" 2000000000
same "sizes by package, the largest first" \
  "$(manifest "[s.get('name', s['kind']) for s in m['sizes']]")" \
  "['generated', 'dbus', 'added', 'qt']"
same "the record of the run has them, too" \
  "$(python3 -c 'import json; print([s["bytes"] for s in json.load(open("demo.run.json"))["sizes"]])')" \
  "$(manifest "[s['bytes'] for s in m['sizes']]")"
same "they are those of the files" \
  "$(manifest "sum(s['bytes'] for s in m['sizes'])")" "$(mkdir all && tar xzf demo.tar.gz -C all &&
    find all -type f ! -path '*/conda-meta/envbuild/*' ! -path '*/bin/activate*' \
      ! -path '*/bin/conda-unpack' ! -path '*/bin/deactivate*' -printf '%s\n' | awk '{n += $1} END {print n}')"
same "modes are those of every archive" "$(stat -c %a all/share/site/sub/tool all/share/site/one | tr '\n' ' ')" \
  "755 644 "
expect 0 "the cache is as it was" "$ENVBUILD" cache verify
expect 0 "unpack" "$ENVBUILD" unpack -q demo.tar.gz u
expect 0 "verify knows what rules did" "$ENVBUILD" verify u
check "the attestation tells them" "$ROOT/tests/tools/check_statements.py" demo.intoto.jsonl u
expect 0 "the archive can be made again of what it carries" "$ENVBUILD" verify demo.tar.gz --rebuild \
  --image "$root"
says "byte for byte" 'the same bytes'
expect 0 "an image, without what the script changed" pack --no-test --format squashfs --exclude share/qt/big
expect 0 "it, too, can be made again of what it carries" "$ENVBUILD" verify demo.squashfs --rebuild --image "$root"
says "byte for byte" 'the same bytes'
expect 0 "unpack it" "$ENVBUILD" unpack -q demo.squashfs i
expect 0 "verify does not miss what was changed and left out" "$ENVBUILD" verify i
rm -r demo.squashfs i
rm u/bin/dbus-link.donotuse u/share/qt/big
echo x >>u/etc/conda/activate.d/facility.sh
expect 5 "and what they did not" "$ENVBUILD" verify u
same "both are missing, one is changed" "$(cut -c 1-40 "$T/out" | sed 's/  .*//' | sort | uniq -c | tr -d '\n ')" \
  "1changed2missing"

# --- the same bytes --------------------------------------------------------------------------------
mkdir "$T/other" && cp -a environment.yml envbuild.lock envbuild.yml prepare.sh run-test.sh site "$T/other"
touch -d 2001-01-01 "$T/other/site/facility.sh"
(cd "$T/other" && umask 077 && ENVBUILD_CACHE=$T/cache2 LC_ALL=C.UTF-8 pack -j 3 --test run-test.sh -q)
check "elsewhere, with another cache and umask: the same bytes" cmp demo.tar.gz "$T/other/demo.tar.gz"

# --- what a site does ------------------------------------------------------------------------------
cp -a "$ROOT/examples/site" "$T/site"
expect 0 "the example of a site" pack "$T/site" --override-channels -c "file://$T/channel" -o "$T/site.tar"
check "its scripts are its own" sh -c 'tar tf "$1" | grep -q "proj4-activate.sh.off$"' sh "$T/site.tar"
rm -f "$T"/site.*

# --- options, and their words ------------------------------------------------------------------------
mv envbuild.yml all.yml
plain() {
  "$ENVBUILD" pack --engine none --no-test -o "$T/out.tar" "$@"
}
# refused STATUS PATTERN OPTION...
refused() {
  status=$1 pattern=$2
  shift 2
  expect "$status" "refused: $*" plain "$@"
  says "$*: says why" "$pattern"
  check "$*: leaves nothing" test ! -e "$T/out.tar" -a -z "$(find "$T" -maxdepth 1 -name '.out*')"
}
holds() { # holds PATH...: of out.tar
  check "it holds $*" tar tf "$T/out.tar" "$@"
}
expect 0 "options do the same" plain --exclude share/doc/ --include 'share/*/README' --drop static-libraries \
  --drop documentation --rename 'bin/dbus-daemon=bin/qmake' --rename 'bin/qmake=bin/dbus-daemon' \
  --add "site/tree=x/" --pre-pack <(echo 'touch "$CONDA_PREFIX/made"') --exclude nowhere --include nowhere \
  --rename nowhere/x=y
holds bin/qmake bin/dbus-daemon x/tree/sub/tool made share/doc/dbus/README
same "two names change places" "$(tar xOf "$T/out.tar" bin/qmake | tail -n 1)" "echo dbus"
says "an exclude that matches nothing" "--exclude: 'nowhere' matches nothing"
says "an include that keeps nothing" "--include: 'nowhere' keeps nothing"
says "a rename that matches nothing" "--rename: 'nowhere/x' matches no file"
rm -f "$T"/out.*
expect 0 "an added file may take the place of one that goes" plain --add site/facility.sh=bin/qmake \
  --rename 'bin/qmake=*.old' --exclude bin/dbus-link --add site/tree/sub/tool=bin/dbus-link \
  --pre-pack <(echo 'cd "$CONDA_PREFIX"; ln -sf big share/qt/link; chmod -x bin/dbus-run; rm lib/old.py; ln -s x lib/old.py')
expect 0 "unpack" "$ENVBUILD" unpack -q "$T/out.tar" v
expect 0 "verify takes none of that for damage" "$ENVBUILD" verify v
same "nor for foreign" "$(cat "$T/out")" ""
cp v/bin/qmake.old v/bin/dbus-run.more && rm v/bin/dbus-link v/lib/old.py
expect 5 "but what is then missing" "$ENVBUILD" verify v
same "all of it, and what is foreign" "$(sed 's/  (.*//; s/  the archive//' "$T/out" | tr '\n' ' ')" \
  "missing  bin/dbus-link missing  lib/old.py foreign  bin/dbus-run.more "
rm -f "$T"/out.*
refused 2 "two files would be 'bin/dbus-daemon': .*'bin/dbus-daemon' of .*and 'bin/dbus-run' of package 'dbus" \
  --rename bin/dbus-run=dbus-daemon
refused 2 "two files would be 'bin/one': 'bin/dbus-daemon' .* and 'bin/dbus-link'" --rename 'bin/*=bin/one'
refused 2 "'../x', which is no path in the environment" --rename 'bin/qmake=../x'
refused 2 "'conda-meta/x', which is envbuild's or conda's own" --rename bin/qmake=conda-meta/x
refused 2 "'bin/activate', which is envbuild's" --rename bin/qmake=activate
refused 2 "'bin' is a folder" --rename bin=sbin
refused 2 "would lie in 'share/qt/big', which is no folder" --rename bin/qmake=share/qt/big/x
refused 2 "is about conda-meta" --exclude 'conda-meta/*.json'
refused 2 "matches nothing: paths are those in" --exclude /share/doc
refused 2 "nothing to drop is called 'all'" --drop all
refused 2 "'bin/qmake' of package 'qt-1.0-0.conda' and what is added as 'bin/qmake'" --add site/facility.sh=bin/qmake
refused 2 "no file '.*/nothing' to add" --add nothing=bin/x
refused 2 "'../x/facility.sh' is no path" --add site/facility.sh=../x/
refused 2 "two files are added as 'bin/x'" --add site/facility.sh=bin/x --add site/tree/one=bin/x
ln -s /etc/passwd site/tree/out
refused 2 "the link '.*/site/tree/out' leads to nothing in" --add site/tree=share/site
rm site/tree/out && mkfifo site/tree/fifo
refused 2 "fifo' is neither file nor folder" --add site/tree=share/site
rm site/tree/fifo
refused 1 "the archive has [0-9.]+ kB .*--max-size allows 10.0 kB .*the largest are 'qt' \(512" --max-size 10k
refused 2 "no pre-pack script '.*missing.sh'" --pre-pack missing.sh
printf 'echo it-spoke; false; echo never\n' >bad.sh
refused 1 "pre-pack script 'bad.sh' failed with status 1" --pre-pack bad.sh
says "its last words" '^it-spoke$'
refused 1 "^it-spoke$" --pre-pack bad.sh -q
echo 'sleep 60' >bad.sh
refused 1 "'bad.sh' took more than 1 seconds" --pre-pack bad.sh --timeout 1
echo 'rm "$CONDA_PREFIX"/conda-meta/qt-*' >bad.sh
refused 1 "'bad.sh' removed 'conda-meta/qt-1.0-0.json'" --pre-pack bad.sh
echo 'rm -r "$CONDA_PREFIX/bin"; ln -s share "$CONDA_PREFIX/bin"' >bad.sh
refused 5 "'bin' of the environment is no folder" --pre-pack bad.sh
printf 'pack:\n  add: {nothing: bin/x}\n' >envbuild.yml
refused 2 "envbuild.yml:2:9: no file"
rm envbuild.yml
expect 0 "everything can be left out but conda-meta" plain --exclude '*'
same "and is" "$(tar tf "$T/out.tar" | grep -vc '^conda-meta/')" 7

# --- Python ----------------------------------------------------------------------------------------
if [ -n "$ENVBUILD_SHARED_DATA" ]; then
  echo 'echo PATCHED = 1 >>"$CONDA_PREFIX/lib/python3.7/site-packages/six.py"' >patch.sh
  echo 'python -c "import six; assert six.PATCHED and six.__cached__"' >python.sh
  mkdir python && cd python || exit 1
  unset ENVBUILD_CACHE
  printf 'name: py\nchannels: [file://%s/channel]\ndependencies: [python=3.7.0, six]\n' \
    "$ENVBUILD_SHARED_DATA" >environment.yml
  expect 0 "a script changes a module: its bytecode follows" "$ENVBUILD" pack --pre-pack ../patch.sh \
    --test ../python.sh -o py.tar --exclude share/terminfo --drop headers --drop static-libraries \
    --exclude 'lib/python3.7/test'
  check "the bytecode is there" tar tf py.tar lib/python3.7/site-packages/__pycache__/six.cpython-37.pyc
else
  skip "bytecode of a module that the script changes" "no real packages"
fi
done_testing
