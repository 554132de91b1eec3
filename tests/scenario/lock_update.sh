#!/bin/bash
# timeout: 120
# lock --update moves what is named and what that forces, for each target; --as-of passes over what
# is newer, for every command that solves.
. "$(dirname "$0")/../lib.sh"
export HOME=$T ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1
need python3
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
field() { python3 -c "import json,sys; d=json.load(open('$T/out')); print($1)"; }
channel() { python3 "$ROOT/tests/tools/lines_channel.py" "$@" || exit 1; }
locked() { sed -n "s,^ *- conda: .*/\($1-[^/]*\)\.conda\$,\1,p" "${2:-envbuild.lock}" | sort -u | xargs; }
# What the lock says of each package but the one named.
others() { awk -v but="$1" '/^packages:/{p=1} p&&/^- /{show=index($0,"/" but "-")==0} p&&show' envbuild.lock; }

before='python 3.10.1 h0_0 date=2023-01-01
numpy 1.0 py310_0 date=2023-01-01 : python 3.10.*, blas
scipy 1.0 py310_0 date=2023-01-01 : python 3.10.*, numpy <2
blas 1.0 h0_0 date=2023-01-01
six 1.0 0 subdir=noarch noarch=generic date=2023-01-01'
later='python 3.10.2 h0_0 date=2023-06-01
python 3.12.0 h0_0 date=2024-01-01
numpy 1.1 py310_0 date=2024-02-01 : python 3.10.*, blas
numpy 2.0 py310_0 date=2024-03-01 : python 3.10.*, blas
scipy 1.1 py310_0 date=2024-03-02 : python 3.10.*, numpy
blas 1.1 h0_0 date=2024-03-03
six 1.1 0 subdir=noarch noarch=generic date=2024-03-04
extra 1.0 0 date=2024-03-05'
channel chan <<<"$before"
printf 'channels: [%s/chan]\ndependencies: [python, numpy, scipy, six]\n' "$T" >environment.yml

expect 2 "no lock yet" "$ENVBUILD" lock --update numpy
says "is said" "there is no lock"
says "with advice" "'envbuild lock' makes one"
expect 0 "a lock of two targets" "$ENVBUILD" lock -t rhel7 -t debian12
cp envbuild.lock first.lock
expect 0 "nothing has appeared" "$ENVBUILD" lock --update numpy,python
check "the lock is the same bytes" cmp first.lock envbuild.lock
says "for both targets it is said" "rhel7: nothing moved"
says "for both targets it is said" "debian12: nothing moved"

channel chan <<<"$before
$later"
others six >before.txt
expect 0 "one name" "$ENVBUILD" lock --update six
same "has moved" "$(locked six)" six-1.1-0
same "all others are as they were" "$(others six)" "$(cat before.txt)"
says "which is said for each target" "rhel7: six 1.0 -> 1.1"
says "which is said for each target" "debian12: six 1.0 -> 1.1"
cp envbuild.lock second.lock
expect 0 "again" "$ENVBUILD" lock --update six
check "nothing changes" cmp second.lock envbuild.lock

expect 0 "for one target alone" "$ENVBUILD" lock --update blas -t rhel7
same "it is the only one" "$(locked blas)" "blas-1.0-h0_0 blas-1.1-h0_0"
cp second.lock envbuild.lock
expect 0 "a name that forces another" "$ENVBUILD" lock --update numpy --json
same "the newest" "$(locked numpy)" numpy-2.0-py310_0
same "with what it forces" "$(locked scipy)" scipy-1.1-py310_0
same "and nothing else" "$(locked blas) $(locked python) $(locked six)" \
  "blas-1.0-h0_0 python-3.10.1-h0_0 six-1.1-0"
same "as JSON has it" "$(field "sorted((m['name'], m['from'], m['to']) for m in d['targets'][0]['moved'])")" \
  "[('numpy', '1.0', '2.0'), ('scipy', '1.0', '1.1')]"
cp second.lock envbuild.lock
expect 0 "two names, in two options" "$ENVBUILD" lock --update numpy --update blas
same "both have moved" "$(locked numpy) $(locked blas)" "numpy-2.0-py310_0 blas-1.1-h0_0"
expect 0 "python itself" "$ENVBUILD" lock --update python
same "goes to the newest that all else allows" "$(locked python)" python-3.10.2-h0_0

cp second.lock envbuild.lock
printf 'channels: [%s/chan]\ndependencies: [python, numpy, six, extra, blas >=1.1]\n' "$T" >environment.yml
expect 0 "a file that has changed" "$ENVBUILD" lock --update six
same "what it adds is there" "$(locked extra)" extra-1.0-0
same "what it drops is not" "$(locked scipy)" ""
same "what its limit forces has moved" "$(locked blas)" blas-1.1-h0_0
same "the rest has not" "$(locked numpy) $(locked python)" "numpy-1.0-py310_0 python-3.10.1-h0_0"
says "the new one is named" "rhel7: extra 1.0 is new"
says "and the one that left" "rhel7: scipy 1.0 leaves"

cp envbuild.lock third.lock
expect 2 "a name that is nowhere" "$ENVBUILD" lock --update numpi
says "has one that looks like it" "no package 'numpi', did you mean 'numpy'"
expect 2 "an empty name" "$ENVBUILD" lock --update six,
expect 2 "with --check" "$ENVBUILD" lock --check --update six
expect 2 "a target that is not in the lock" "$ENVBUILD" lock --update six -t rocky8
says "is named" "has no target 'rocky8'"
check "the lock is as it was" cmp third.lock envbuild.lock
expect 0 "without --update everything is new" "$ENVBUILD" lock -t rhel7 -o fresh.lock
same "the newest of all" "$(locked python fresh.lock) $(locked numpy fresh.lock)" \
  "python-3.10.1-h0_0 python-3.10.2-h0_0 numpy-1.0-py310_0 numpy-2.0-py310_0"

# --- as of a date ---
rm envbuild.lock
printf 'channels: [%s/chan]\ndependencies: [python 3.10.*, numpy, six]\n' "$T" >environment.yml
expect 0 "as of a day" "$ENVBUILD" lock -t rhel7 --as-of 2024-02-29
same "what was there then" "$(locked numpy) $(locked python) $(locked six)" \
  "numpy-1.1-py310_0 python-3.10.2-h0_0 six-1.0-0"
check "the lock says so" grep -q "exclude-newer: .2024-02-29T23:59:59.999Z" envbuild.lock
expect 0 "it is current later" "$ENVBUILD" lock --check -t rhel7
expect 0 "also as of that day" "$ENVBUILD" lock --check -t rhel7 --as-of 2024-02-29
expect 3 "as of an earlier one it is not" "$ENVBUILD" lock --check -t rhel7 --as-of 2024-01-31
says "and why" "numpy 1.1 is of 2024-02-01, newer than --as-of 2024-01-31"
expect 0 "as of a moment" "$ENVBUILD" lock -t rhel7 --as-of 2024-03-01T00:00:00Z -o moment.lock
same "that moment's record is in" "$(locked numpy moment.lock)" numpy-2.0-py310_0
expect 0 "as of the moment before" "$ENVBUILD" lock -t rhel7 --as-of 2024-02-29T23:59:59Z -o moment.lock
same "it is not" "$(locked numpy moment.lock)" numpy-1.1-py310_0
expect 0 "an update as of a day" "$ENVBUILD" lock --update six --as-of 2024-03-04
same "what was named" "$(locked six) $(locked numpy)" "six-1.1-0 numpy-1.1-py310_0"
expect 3 "too early for anything" "$ENVBUILD" lock -t rhel7 --as-of 2022-01-01
says "the reason has the dates" "numpy 1.0 to 2.0 .* 2023-01-01 to 2024-03-01, newer than --as-of 2022-01-01"
expect 0 "a lock of now" "$ENVBUILD" lock -t rhel7
says "says that it no longer is of then" "as of 2024-03-04 and will be of now"
check "and does not" sh -c "! grep -q exclude-newer envbuild.lock"
rm envbuild.lock
for command in "pack --no-test -n x" "install -p $T/env" "run . -t host" "why numpy"; do
  # shellcheck disable=SC2086
  expect 3 "${command%% *} --as-of" "$ENVBUILD" $command --as-of 2022-01-01
  says "${command%% *}: has its reason" "newer than --as-of 2022-01-01"
done
for wrong in yesterday 2024-02-30 2024-13-01 2024-1-1 2024-01-01T25:00:00Z 2024-01-01T10:00:00 1969-01-01 ""; do
  expect 2 "'$wrong' is no date" "$ENVBUILD" lock --as-of "$wrong"
done

# What takes the lock leaves its date in it, and in the archive.
mkdir dated && cd dated || exit 1
python3 "$ROOT/tests/tools/small_channel.py" "$T/small" && "$ENVBUILD" channel index -q "$T/small" || exit 1
printf 'name: dated\nchannels: [%s/small]\ndependencies: [alpha]\n' "$T" >environment.yml
expect 0 "a lock of a day" "$ENVBUILD" lock -t host --as-of 2030-01-01
cp envbuild.lock first.lock
expect 0 "installed" "$ENVBUILD" install -t host -p env
expect 0 "packed" "$ENVBUILD" pack -t host --no-test
check "keeps its date" cmp first.lock envbuild.lock
same "also in the archive" "$(tar xOf dated.tar.gz --wildcards '*/envbuild.lock' | grep -c "exclude-newer: '2030-01-01")" 1
expect 0 "a new target without it" "$ENVBUILD" lock -t rhel7
check "makes it one of now" sh -c "! grep -q exclude-newer envbuild.lock"
cd "$T" || exit 1

# --- the real thing ---
if [ -n "$ENVBUILD_SHARED_DATA" ]; then
  solve=$ENVBUILD_SHARED_DATA/solves/sci.txt
  mkdir sci && cd sci || exit 1
  printf 'channels: [%s]\ndependencies: [%s]\n' "$ENVBUILD_SHARED_DATA/repodata/conda-forge" \
    "$(sed -n 's/^# request: //p' "$solve" | sed 's/ /, /g')" >environment.yml
  printf 'name: box\nsubdir: linux-64\nvirtual-packages: [%s]\n' \
    "$(sed -n 's/^# virtual-packages: //p' "$solve" | sed 's/ /, /g')" >box.yml
  expect 0 "sci as it was" "$ENVBUILD" lock -t ./box.yml --as-of 2025-09-01
  cp envbuild.lock then.lock
  expect 0 "update what is there" "$ENVBUILD" lock -t ./box.yml --as-of 2025-09-01 --update numpy,scipy,pandas
  check "the same bytes" cmp then.lock envbuild.lock
  expect 0 "update pandas" "$ENVBUILD" lock -t ./box.yml --update pandas --json
  same "nothing else moved" "$(field "[m['name'] for m in d['targets'][0]['moved']]")" "['pandas']"
  expect 0 "the result is a solution" "$ENVBUILD" lock --check -t ./box.yml
  cp then.lock envbuild.lock
  expect 0 "update jupyterlab" "$ENVBUILD" lock -t ./box.yml --update jupyterlab --json
  same "with what it needs" "$(field "[m['name'] for m in d['targets'][0]['moved']]")" \
    "['jupyter-builder', 'jupyter_server', 'jupyterlab', 'jupyterlab_server']"
  expect 0 "that is a solution, too" "$ENVBUILD" lock --check -t ./box.yml
  cd ..
else
  skip "real packages" "ENVBUILD_SHARED_DATA"
fi
done_testing
