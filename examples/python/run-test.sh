#!/bin/bash
# Runs with `bash -e`, the environment active, this folder at /tmp/project: before anything is
# released, and on every target.
test "$ENVIRONMENT_NAME" = demo
test "$DEMO_GREETING" = "hello from the environment"

python - <<'PYTHON'
import bz2, ctypes, curses, decimal, hashlib, lzma, readline, sqlite3, ssl, sys, uuid, zlib
import pygments, tabulate

rows = [('python', sys.version.split()[0]), ('openssl', ssl.OPENSSL_VERSION.split()[1]),
        ('sqlite', sqlite3.sqlite_version), ('zlib', zlib.ZLIB_VERSION),
        ('pygments', pygments.__version__)]
print(tabulate.tabulate(rows, headers=('what', 'version')))
assert zlib.decompress(zlib.compress(b'x' * 1000)) == b'x' * 1000
assert sqlite3.connect(':memory:').execute('select 6 * 7').fetchone() == (42,)
assert sys.executable.startswith(sys.prefix + '/bin/')
PYTHON

test "$(echo '{"answer": [41, 42]}' | jq '.answer[1]')" = 42
test "$(sqlite3 :memory: 'select 6 * 7')" = 42
echo 'print("coloured")' | pygmentize -l python -f html | grep -q '<span class="nb">print</span>'
