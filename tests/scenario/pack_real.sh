#!/bin/bash
# memory
# timeout: 1200
# A site's environment of 2018, 74 real packages: packed, tested, moved, used.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 zstd
export LC_ALL=C.UTF-8 # flask of 2018 refuses an ASCII locale

channel=file://$ENVBUILD_SHARED_DATA/channel
mkdir "$T/project" && cd "$T/project" || exit 1
cat >environment.yml <<'EOF'
name: site
dependencies:
  - python=3.6.6
  - ipython
  - requests
  - flask
  - gevent
  - psycopg2
  - tornado
  - cryptography
  - pylint
  - cython
  - boto3
  - sqlalchemy
  - alembic
  - networkx
  - pymongo
  - pip
EOF
modules='IPython requests flask gevent psycopg2 tornado cryptography pylint Cython boto3 sqlalchemy
alembic networkx pymongo pip ssl sqlite3 ctypes curses lzma bz2 readline'
imports=$(for m in $modules; do printf 'import %s\n' "$m"; done)
cat >run-test.sh <<EOF
test "\$ENVIRONMENT_NAME" = site
test -f /tmp/environment.yml
test -f /tmp/project/run-test.sh
test "\$CONDA_PREFIX" = /tmp/site
python - <<'PY'
import sys
assert sys.prefix == '/tmp/site', sys.prefix
$imports
PY
EOF

expect 0 "pack" "$ENVBUILD" pack -c "$channel" --override-channels --test run-test.sh environment.yml
cp "$T/err" "$T/pack.err"
check "the archive and its papers" test -f site.tar.gz -a -f site.sha256 -a -f site.run.json \
  -a -f envbuild.lock -a -f site.test.log
check "the sha256 is the archive's" sha256sum -c --quiet site.sha256
check "the run is recorded" python3 - <<'EOF'
import json
run = json.load(open('site.run.json'))
assert run['tested'] is True and run['test']['status'] == 0, run
assert run['archive'] == 'site.tar.gz' and run['target'] == 'host' and run['packages'] == 74, run
EOF
same "no folder is left" "$(ls -A)" "$(printf '%s\n' environment.yml envbuild.lock run-test.sh \
  site.run.json site.sha256 site.tar.gz site.test.log | sort)"

# use NAME DIR: activate what lies there and use it as its people do.
use() {
  check "$1: imports" bash -c "source '$2/bin/activate' && python - <<'PY'
import sys, os
assert os.path.samefile(sys.prefix, '$2'), sys.prefix
$imports
PY"
  for program in 'ipython --version' 'flask --version' 'pip list'; do
    check "$1: $program" bash -c "source '$2/bin/activate' && '$2'/bin/$program"
  done
}

long=$T/$(printf 'a-long-path/%.0s' 1 2 3 4 5 6 7 8 9 10 11)/site
mkdir -p "$long" "$T/real" && ln -s "$T/real" "$T/alias"
check "tar xf at a long path" tar xf site.tar.gz -C "$long"
check "the path is longer than the build prefix" test ${#long} -gt 110
use "long path" "$long"
check "tar xf behind a symlink" sh -c "mkdir '$T/alias/site' && tar xf site.tar.gz -C '$T/alias/site'"
use "behind a symlink" "$T/alias/site"
check "nothing of the build is left in it" python3 "$ROOT/tests/tools/check_moved.py" "$long" \
  "$ENVBUILD_SHARED_DATA/channel"
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$long"

# The same lock and inputs give the same bytes, by another name and on one thread.
expect 0 "pack again" "$ENVBUILD" pack -j 1 -o "$T/other.tar.gz" -c "$channel" \
  --override-channels --test run-test.sh
check "it is the same archive" cmp site.tar.gz "$T/other.tar.gz"
expect 0 "pack as tar.zst" "$ENVBUILD" pack --locked -c "$channel" --override-channels \
  --no-test --format tar.zst
mkdir "$T/zst" && check "GNU tar reads it" tar --zstd -xf site.tar.zst -C "$T/zst"
use "tar.zst" "$T/zst"

expect 0 "envbuild unpack" "$ENVBUILD" unpack site.tar.gz "$T/unpacked"
use "envbuild unpack" "$T/unpacked"
expect 0 "envbuild run" "$ENVBUILD" run "$T/unpacked" -- python -c \
  'import IPython, sys; print(sys.version.split()[0])'
same "it runs the environment's Python" "$(cat "$T/out")" 3.6.6
# Five moves, to paths shorter and longer, one behind 127 characters, one with a space.
at=$T/unpacked
works() {
  check "moved to $2: Python and a script of its own run" bash -c 'source "$1/bin/activate" &&
    test "$(python -c "import ssl, psycopg2, sys; print(sys.prefix)")" = "$1" &&
    test "$(pip --version | grep -oF "$1/lib" | head -n 1)" = "$1/lib" &&
    "$1/bin/conda-unpack" --check >/dev/null' bash "$1"
}
deep=$T/$(printf 'deep/%.0s' $(seq 25))
mkdir -p "$deep"
for to in "$T/m" "$T/a place with spaces" "${deep}site" "$T/moved" "$T/m"; do
  mv "$at" "$to" && at=$to
  works "$at" "${#at} characters"
done
check "one path was longer than 127 characters" test $((${#deep} + 4)) -gt 127
check "killed while it relocates" python3 - "$at" "$T/killed" <<'EOF'
import os, subprocess, sys, time
at, to = sys.argv[1:3]
for attempt in range(200):
    os.rename(at, to)
    run = subprocess.Popen([to + '/bin/conda-unpack'])
    time.sleep(0.002 * (attempt % 20))
    run.kill()
    run.wait()
    if os.path.exists(to + '/conda-meta/envbuild/prefix.pending'):
        sys.exit(0)
    os.rename(to, at)
    subprocess.run([at + '/bin/conda-unpack'], check=True)
sys.exit('no kill came in the middle')
EOF
works "$T/killed" "where that was killed, by the next activate"
mv "$T/killed" "$T/unpacked"
expect 0 "envbuild test with the script it carries" "$ENVBUILD" test site.tar.gz

# Five moves, nothing but `activate` after each; before the last one relocation is killed.
at=$T/unpacked
over=$T/$(printf 'o%.0s' $(seq $((135 - ${#T}))))
for to in "$T/m" "$T/with a space" "$over" "$T/real/moved" "$T/unpacked"; do
  mv "$at" "$to" && at=$to
  if [ "$to" = "$T/unpacked" ]; then
    "$at/bin/conda-unpack" & pid=$!
    sleep 0.01
    kill -9 "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    printf '# killed: %s\n' "$(test -e "$at/conda-meta/envbuild/prefix.pending" && echo midway || echo elsewhere)"
  fi
  expect 0 "moved to '${at#"$T/"}'" bash -c '. "$1/bin/activate" && python -c "
import requests, sqlalchemy, ssl, sqlite3, sys, os
print(os.path.samefile(sys.prefix, sys.argv[1]), ssl.OPENSSL_VERSION[:7])" "$1" && "$1/bin/flask" --version' bash "$at"
  says "it works there" "^True OpenSSL" "$T/out"
  check "with every file" "$at/bin/conda-unpack" --check
done
check "one of the paths is longer than 127 characters" test "${#over}" -gt 127

# The same on an old system: glibc 2.17, nothing but its C library, busybox and bash.
root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/root.err")
if [ $? = 77 ]; then
  skip "glibc 2.17" "$(tail -n 1 "$T/root.err") $root"
else
  cat >old.yml <<'EOF'
name: old
subdir: linux-64
virtual-packages: [__glibc=2.17, __linux=3.10.0, __unix=0=0, __archspec=1=x86_64]
pack: {format: tar.gz}
audit: {ignore: [{rule: library-not-found, pattern: libX11.so.6, reason: "hosts without a screen, and no tkinter"}]}
EOF
  expect 0 "pack for glibc 2.17" "$ENVBUILD" pack -t ./old.yml \
    --image "$root" -o site-old.tar.gz -c "$channel" \
    --override-channels --test run-test.sh
  check "it was tested there" grep -q '"tested": true' site-old.run.json
fi
done_testing
