#!/bin/bash
# timeout: 150
# The same records in any order, file form and cache, on one core or eight: the same lock to the byte.
. "$(dirname "$0")/../lib.sh"
need python3 zstd bzip2
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real indexes (ENVBUILD_SHARED_DATA)"
export ENVBUILD_NO_FSYNC=1
cd "$T" || exit 1

# shuffle SEED: makes the folders `forge` and `main` of the real indexes, mixed up by this seed
# (0: as they are)
shuffle() {
  rm -rf forge main
  python3 - "$ENVBUILD_SHARED_DATA/repodata" "$1" <<'EOF'
import json
import os
import random
import subprocess
import sys
data, seed = sys.argv[1], int(sys.argv[2])
dice = random.Random(seed)

def mixed(d):
    items = list(d.items())
    if seed:
        dice.shuffle(items)
    return dict(items)

for name, folder in (('forge', 'conda-forge'), ('main', 'pkgs-main-2021')):
    for subdir in ('linux-64', 'noarch'):
        path = '%s/%s/%s/repodata.json.zst' % (data, folder, subdir)
        index = json.loads(subprocess.run(['zstd', '-qdc', path], stdout=subprocess.PIPE, check=True).stdout)
        for key in ('packages', 'packages.conda'):
            index[key] = {fn: mixed(r) for fn, r in mixed(index.get(key, {})).items()}
        if seed:
            dice.shuffle(index.setdefault('removed', []))
        os.makedirs('%s/%s' % (name, subdir))
        with open('%s/%s/repodata.json' % (name, subdir), 'w') as f:
            json.dump(mixed(index), f, indent=seed % 3 or None)
EOF
}

environment() { # NAME PRIORITY LINE...
  local name=$1
  shift
  printf 'name: x\nchannels: [%s]\ndependencies:\n' "$1" >"$name.yml"
  shift
  printf '  - "%s"\n' "$@" >>"$name.yml"
}
environment sci ./forge python=3.12 numpy pandas scipy scikit-learn matplotlib jupyterlab
environment xr ./forge xarray dask distributed zarr netcdf4
environment both "./main, ./forge" pandas scikit-learn aiosqlite
environment wrong ./forge "python=2.7" "numpy>=2"

# locks SUFFIX JOBS PRIORITY: each environment solved with the cache `cache`
locks() {
  local name
  for name in sci xr both; do
    ENVBUILD_CACHE=$T/cache "$ENVBUILD" lock $name.yml -t rocky8 -q -j "$2" --channel-priority "$3" \
      -o "$name.$1" || fail "$name: $1" "exit $?"
  done
  ENVBUILD_CACHE=$T/cache "$ENVBUILD" lock wrong.yml -t rocky8 -q -j "$2" -o wrong.lock 2>"wrong.$1"
}
same_locks() { # WHAT SUFFIX SUFFIX
  local name
  for name in sci xr both wrong; do
    check "$name: $1" cmp "$name.$3" "$name.$2"
  done
}

shuffle 0
locks first 1 strict
locks loose 1 disabled
check "a large answer" test "$(grep -c '^- conda:' sci.first)" = 257
check "out of two channels" grep -q /main/ both.first
check "of which both are used" grep -q /forge/ both.first
check "channel priority makes a difference" test "$(cmp -s both.first both.loose; echo $?)" = 1
check "and a refusal" grep -q "no solution" wrong.first

locks warm 8 strict
same_locks "with the index file, eight jobs" warm first
for seed in 1 2 3; do
  shuffle $seed
  case $seed in
  2) for f in */*/repodata.json; do zstd -q --rm "$f"; done ;;
  3) for f in */*/repodata.json; do bzip2 -1 "$f"; done ;;
  esac
  rm -rf cache
  locks cold 8 strict
  same_locks "mixed up ($seed), no cache" cold first
  locks warm 1 strict
  same_locks "mixed up ($seed), the index file" warm first
  locks warm 8 disabled
  same_locks "mixed up ($seed), no priority" warm loose
done
done_testing
