#!/bin/bash
# What differs between archives, locks and prefixes, in any mixture.
. "$(dirname "$0")/../lib.sh"
need python3 gcc
export ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 PATH=$PATH:/usr/sbin:/sbin
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
"$ROOT/tests/tools/diff_world.py" "$T" || exit 1
"$ENVBUILD" channel index channel -q || exit 1
differ() { "$ENVBUILD" diff "$@" 2>"$T/err"; }
json() { differ --json "$1" "$2" | python3 -c "import json,sys; d=json.load(sys.stdin); print($3)"; }

# --- archives and locks of ours ---------------------------------------------------------------------
release() {
  mkdir "$1"
  printf 'name: demo\nchannels: [file://%s/channel]\ndependencies: [%s]\n' "$T" "$2" >"$1/environment.yml"
  expect 0 "pack $1" "$ENVBUILD" pack "$1/environment.yml" --no-test -t host --offline -q -o "$1/demo.tar.gz"
}
release one 'alpha=1.9, beta=1.0=h1_0, gamma, down=2.0, same, elfy=1.0'
release two 'alpha=1.10, beta=1.0=h2_1, delta, down=1.5, same, elfy=1.1'
packages='Updated (3)
  alpha  1.9 -> 1.10
  down   2.0 -> 1.5  (downgrade)
  elfy   1.0 -> 1.1

Rebuilt (1)
  beta  1.0 h1_0 -> 1.0 h2_1

New (1)
  delta  0.1

Removed (1)
  gamma  3.0

Licences (1)
  alpha  MIT -> GPL-3.0-only

packages     6 -> 6: 3 updated, 1 rebuilt, 1 new, 1 removed'
size() { # as people read it
  python3 -c "print('%.1f kB' % (int('$1') / 1000))"
}
archives=$(differ one/demo.tar.gz two/demo.tar.gz)
same "two archives as text" "$(sed '/^unpacked\|^downloads/d' <<<"$archives")" \
  "old  one/demo.tar.gz (demo, host)
new  two/demo.tar.gz (demo, host)

$packages
files        7 -> 7: 2 added, 2 removed, 2 changed
archive      $(size "$(stat -c %s one/demo.tar.gz)") -> $(size "$(stat -c %s two/demo.tar.gz)")
glibc floor  2.17 -> 2.25"
check "with bytes of files and packages" grep -qE '^unpacked +[0-9.]+ kB -> [0-9.]+ kB$' <<<"$archives"
same "locks tell the same packages" "$(differ one/envbuild.lock two/envbuild.lock | sed '1,3d; /^downloads/d')" \
  "$packages"
same "and so does a mixture" "$(differ one/envbuild.lock two/demo.tar.gz | sed -n '/^Updated/,/^packages/p')" \
  "$packages"
same "-v lists the files" "$(differ -v one/demo.tar.gz two/demo.tar.gz | sed -n '/^Files/,/^$/p')" 'Files (6)
  + share/beta/new
  + share/delta/text
  - share/beta/old
  - share/gamma/text
  ~ lib/libelfy.so
  ~ share/alpha/text'
same "sizes of packages and files are JSON's, as they are" \
  "$(json one/demo.tar.gz two/demo.tar.gz \
    "d['old']['archive_bytes'], [(u['old']['bytes'], u['new']['unpacked_bytes']) for u in d['updated'] if u['name'] == 'alpha'], \
    d['files']['added'], [u['name'] for u in d['updated'] if u.get('downgrade')], d['same']")" \
  "$(stat -c %s one/demo.tar.gz) [($(stat -c %s channel/noarch/alpha-1.9-0.tar.bz2), 4)] ['share/beta/new', 'share/delta/text'] ['down'] False"
same "the sum of unpacked bytes is tar's" "$(json one/demo.tar.gz two/demo.tar.gz "d['old']['unpacked_bytes']")" \
  "$(tar tvzf one/demo.tar.gz | awk '{ n += $3 } END { print n }')"

# --- the same environment in each of its forms --------------------------------------------------------
expect 0 "unpack it" "$ENVBUILD" unpack one/demo.tar.gz unpacked -q
expect 0 "install it" "$ENVBUILD" install one/envbuild.lock -t host -p installed -q --offline
mkdir forms && zcat one/demo.tar.gz >forms/demo.tar && cp one/demo.tar.gz forms/odd.name
zstd -q forms/demo.tar 2>/dev/null || cp forms/demo.tar forms/demo.tar.zst
(cd forms && split -b 9000 -d ../one/demo.tar.gz demo.tar.gz.)
for a in one/demo.tar.gz unpacked installed one/envbuild.lock; do
  for b in one/demo.tar.gz unpacked installed one/envbuild.lock forms/demo.tar forms/demo.tar.zst \
    forms/odd.name forms/demo.tar.gz forms/demo.tar.gz.00; do
    same "$a is $b" "$(differ -v "$a" "$b")" "no difference"
  done
done
echo more >>unpacked/share/same/text
same "what was changed since is for verify to say" "$(differ unpacked installed)" "no difference"
rm unpacked/share/same/text && echo x >unpacked/bin/mine
same "what is missing or nobody's is told" "$(differ -v one/demo.tar.gz unpacked | sed -n '/^Files/,/^$/p')" 'Files (2)
  + bin/mine
  - share/same/text'
same "an archive and what followed it" "$(differ unpacked two/demo.tar.gz | grep -c 'alpha  *1.9 -> 1.10')" 1

# --- prefixes as conda and pip make them, without either ------------------------------------------------
PATH=/usr/bin:/bin differ old new >text
same "prefixes of conda and pip" "$(sed '/^unpacked\|^downloads/d' text)" "old  old
new  new

Updated (4)
  numpy              1.9.3 -> 1.10.0
  requests           2.9.0 -> 2.10.0  (pip)
  tool               1.0   -> 0.9  (pip)  (downgrade)
  typing-extensions  4.0   -> 4.1  (conda -> pip)

Rebuilt (2)
  mine  1.0 111111111111 -> 1.0 222222222222  (pip)
  zlib  1.2.13 h1_0      -> 1.2.13 h1_1

New (1)
  attrs  22.1.0  (pip)

Removed (1)
  Left.Over  1.0  (pip)

Licences (2)
  readline  GPL-2.0    -> GPL-3.0
  requests  Apache 2.0 -> Apache-2.0  (pip)

Channels (1)
  readline  conda-forge -> bioconda

packages     11 -> 11: 4 updated, 2 rebuilt, 1 new, 1 removed
files        27 -> 28: 13 added, 12 removed, 1 changed
glibc floor  none -> 2.25"
differ old new --format markdown -o notes.md
same "as Markdown, for release notes" "$(sed '1s/ Unpacked.*) *\. Needs/ Needs/' notes.md)" \
  "Packages: 11 (4 updated, 2 rebuilt, 1 new, 1 removed). Files: 28 (13 added, 12 removed, 1 changed). Needs glibc 2.25.

## Updated

| Package | Old | New |
|---|---|---|
| numpy | 1.9.3 | 1.10.0 |
| requests (pip) | 2.9.0 | 2.10.0 |
| tool (pip) | 1.0 | 0.9 (downgrade) |
| typing-extensions | 4.0 | 4.1 (conda -> pip) |

## Rebuilt

| Package | Old | New |
|---|---|---|
| mine (pip) | 1.0 111111111111 | 1.0 222222222222 |
| zlib | 1.2.13 h1_0 | 1.2.13 h1_1 |

## New

| Package | Old | New |
|---|---|---|
| attrs (pip) | | 22.1.0 |

## Removed

| Package | Old | New |
|---|---|---|
| Left.Over (pip) | 1.0 | |

## Licences

| Package | Old | New |
|---|---|---|
| readline | GPL-2.0 | GPL-3.0 |
| requests (pip) | Apache 2.0 | Apache-2.0 |

## Channels

| Package | Old | New |
|---|---|---|
| readline | conda-forge | bioconda |"
tar czf packed.tar.gz -C old . && tar cjf packed.tar.bz2 -C old .
for archive in packed.tar.gz packed.tar.bz2; do
  same "a tar of such a prefix is that prefix" "$(differ -v $archive old)" "no difference"
done
same "and differs as it does" "$(differ packed.tar.gz new | sed 1,2d)" "$(sed 1,2d text)"

cp -r old used && mkdir -p used/lib/python3.9/__pycache__ && touch used/lib/python3.9/__pycache__/x.cpython-39.pyc
same "what Python left behind is not part" "$(differ -v used old)" "no difference"
cp -r old base && mkdir -p base/condabin base/pkgs base/envs/x && touch base/pkgs/urls.txt base/envs/x/y
same "nor are the packages and environments that conda keeps below its own" "$(differ -v base old)" "no difference"

# --- which target -----------------------------------------------------------------------------------------
locks() { # FILE TARGET=VERSION...
  file=$1
  shift
  {
    printf 'version: 6\nenvironments:\n  default:\n    channels:\n    - url: https://conda.anaconda.org/conda-forge/\n    packages:\n'
    for t in "$@"; do
      printf '      %s:\n      - conda: https://conda.anaconda.org/conda-forge/noarch/zlib-%s-h1_0.conda\n' "${t%=*}" "${t#*=}"
    done
    echo packages:
    for t in "$@"; do
      printf -- '- conda: https://conda.anaconda.org/conda-forge/noarch/zlib-%s-h1_0.conda\n  sha256: %064d\n' "${t#*=}" 0
    done
  } >"$file"
}
locks a.lock linux-64=1.1 osx-64=1.2
locks b.lock linux-64=1.3 win-64=1.4
locks c.lock linux-64=1.5 osx-64=1.6
of() { differ "$@" | grep zlib; }
same "the only one that both have" "$(of a.lock b.lock)" "  zlib  1.1 -> 1.3"
expect 2 "there are two" "$ENVBUILD" diff a.lock c.lock
says "which are told" "several targets"
says "with what to do" "choose one with -t: linux-64, osx-64"
same "-t chooses" "$(of -t osx-64 a.lock c.lock)" "  zlib  1.2 -> 1.6"
expect 2 "one that is not there" "$ENVBUILD" diff -t rhel7 a.lock c.lock
same "the other side's" "$(of old a.lock)" "  zlib  1.2.13 -> 1.1  (downgrade)"

sed -n '/^version/,/^packages/p' a.lock | sed '/osx-64/,/zlib/d; s/zlib-1.1-h1_0/pytables-3.7-0/' >tables.lock
cat >>tables.lock <<'END'
- conda: https://conda.anaconda.org/conda-forge/noarch/pytables-3.7-0.conda
  sha256: 0000000000000000000000000000000000000000000000000000000000000000
  purls:
  - pkg:pypi/tables@3.7
END
same "a package that PyPI calls otherwise" "$(differ tables.lock new | grep '^  tables')" \
  "  tables  3.7 -> 3.8  (conda -> pip)"

# --- hostile and odd ----------------------------------------------------------------------------------------
expect 0 "names that would tear a table" "$ENVBUILD" diff old hostile --format markdown
same "are text" "$(grep -a '^| .*evil' "$T/out")" \
  '| evil\|\*\_x\_\*\[a\](b)&#64;you\<b\>\`&#35;1 | | 1&#58;//x?\| |'
expect 0 "as text" "$ENVBUILD" diff old hostile -v
check "no control characters" sh -c "! LC_ALL=C grep -q '[^[:print:]]' '$T/out'"
cp -r old broken && echo '{"name": "x",' >broken/conda-meta/x-1-0.json
expect 5 "a record that is no JSON" "$ENVBUILD" diff broken new
says "is named" "in 'broken': conda-meta/x-1-0.json:2:1: "
tar czf broken.tar.gz -C broken .
expect 5 "in an archive, too" "$ENVBUILD" diff new broken.tar.gz
says "it is named" "error: in 'broken.tar.gz': conda-meta/x-1-0.json:2:1: "
cp -r old double && sed 's/1.9.3/1.9.4/' old/conda-meta/numpy-1.9.3-0.json >double/conda-meta/numpy-1.9.4-0.json
expect 5 "two records of one package" "$ENVBUILD" diff double new
cp -r old long && sed -i "s/BSD-3-Clause/$(printf 'ä%.0s' {1..500})/" long/conda-meta/numpy-1.9.3-0.json
same "a licence that is no name is cut" "$(differ old long | grep ' numpy ' | wc -c)" 189
python3 - <<'END'
import io, tarfile
def tar(name, *members):
    with tarfile.open(name, 'w') as t:
        for path, data in members:
            info = tarfile.TarInfo(path)
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
record = b'{"name": "a", "version": "1", "build": "0"}'
tar('outside.tar', ('conda-meta/a-1-0.json', record), ('../x', b'x'))
tar('twice.tar', ('conda-meta/a-1-0.json', record), ('x', b'x'), ('x', b'y'))
tar('escapes.tar', ('conda-meta/a-1-0.json', record[:-1] + b', "files": ["../x"]}'))
tar('nothing.tar', ('x', b'x'))
library = open('new/lib/nobody.so', 'rb').read()
for name, floor, more in ('audited', '2.30', b''), ('raised', '2.17', b''), ('unaudited', '', library):
    audit = '{"needs_glibc": {"version": "%s"}}' % floor if floor else '{"fault": "no", "needs_glibc": null}'
    tar(name + '.tar', ('conda-meta/envbuild/manifest.json', b'{"name": "x"}'),
        ('conda-meta/envbuild/audit.json', audit.encode()), ('lib/first.so', more),
        ('conda-meta/a-1-0.json', record), ('lib/nobody.so', b'' if more else library),
        ('conda-meta/envbuild/files', b''))
tar('whole.tar', ('conda-meta/envbuild/manifest.json', b'{}'), ('x', b'x'))
END
floors() { for name; do json "$name.tar" old "d['old']['glibc']"; done; }
same "the glibc of an archive: its audit's word, what no package has, else what files need" \
  "$(floors audited raised unaudited | xargs)" "2.30 2.25 2.25"
for name in outside twice escapes whole; do
  expect 5 "an archive that is hostile: $name" "$ENVBUILD" diff "$name.tar" new
done
expect 2 "an archive without an environment" "$ENVBUILD" diff nothing.tar new
head -c 9000 one/demo.tar.gz >cut.tar.gz
expect 5 "an archive that is cut" "$ENVBUILD" diff cut.tar.gz new
rm forms/demo.tar.gz.01
expect 5 "a part is missing" "$ENVBUILD" diff forms/demo.tar.gz new
says "which is said" "demo.tar.gz.01' is missing"
mkfifo fifo old/fifo old/conda-meta/fifo.json
expect 2 "a fifo" "$ENVBUILD" diff fifo new
expect 0 "a fifo in a prefix does not hold it up" timeout 20 "$ENVBUILD" diff old old
expect 1 "nowhere to write" sh -c "'$ENVBUILD' diff old new >/dev/full"

# --- real locks -------------------------------------------------------------------------------------------
locks=$ENVBUILD_SHARED_DATA/locks/pangeo
if [ -n "$ENVBUILD_SHARED_DATA" ] && [ -d "$locks" ]; then
  differ "$locks"/pangeo-notebook-1586887942-7b44646849/conda-linux-64.lock \
    "$locks"/pangeo-notebook-1609891872-183c0cedfc/conda-linux-64.lock >real
  same "real locks" "$(tail -n 1 real)" "packages     367 -> 528: 231 updated, 47 rebuilt, 186 new, 25 removed"
  check "with real versions" grep -qE '^  ca-certificates +2020.4.5.1 +-> 2020.12.5$' real
  l=$locks/pytorch-notebook-1684443983-3b8b773970
  same "conda-lock.yml and the @EXPLICIT file of it" "$(differ "$l/conda-lock.yml" "$l/conda-linux-64.lock")" \
    "no difference"
else
  skip "real locks" "no real data (ENVBUILD_SHARED_DATA)"
fi
done_testing
