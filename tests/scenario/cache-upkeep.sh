#!/bin/bash
# timeout: 120
# cache info, verify and clean: references by known locks, damage, ages, sizes; a cleaner beside
# two installers.
. "$(dirname "$0")/../lib.sh"
export HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
need python3 zstd bzip2
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
field() { python3 -c "import json,sys; d=json.load(open('$T/out')); print($1)"; }
names() {
  field "' '.join(sorted(i.get('name', '?').split('-')[0] for i in d['$1'] if i['kind'] == 'packages'))"
}
age() { # age SECONDS PACKAGE...: as if it was used so long ago
  age_s=$1
  shift
  for p; do touch -d "-$age_s seconds" "$(dirname "$(dirname "$(entry "$p")")")"; done
}
entry() { # entry PACKAGE: a path in its folder
  case $1 in
  zeta) find "$ENVBUILD_CACHE/pkgs" -path '*/files/share/zeta' ;;
  *) find "$ENVBUILD_CACHE/pkgs" -path "*/files/bin/$1" ;;
  esac | sed 's,/files/.*,/files/x,'
}
install() { "$ENVBUILD" install "$1" -p "$2" -q; }

python3 "$ROOT/tests/tools/small_channel.py" "$T/channel"
"$ENVBUILD" channel index "$T/channel" -q || exit 1
for what in 'one alpha,beta,zeta' 'two beta,gamma,delta'; do
  mkdir "${what%% *}"
  cat >"${what%% *}/environment.yml" <<EOF
name: ${what%% *}
channels: [$T/channel]
dependencies: [${what#* }]
EOF
  "$ENVBUILD" lock "${what%% *}" -t host -q || exit 1
done
check "one is installed" install one/envbuild.lock p1
check "two is installed" install two/envbuild.lock p2

# --- info ---
expect 0 "info" "$ENVBUILD" cache info --json
same "it knows the locks" "$(field "' '.join(l['path'][len('$T/'):] for l in d['locks'])")" \
  "one/envbuild.lock two/envbuild.lock"
same "it counts references" \
  "$(field "' '.join('%s=%d' % (i['name'], i['locks']) for i in sorted(d['items'], key=lambda i: i.get('name', '')) if i['kind'] == 'packages')")" \
  "alpha-1.0-0=1 beta-1.0-0=2 delta-1.0-0=1 gamma-1.0-0=1 zeta-1.0-0=1"
expect 0 "in words" "$ENVBUILD" cache info
check "with what known locks refer to" grep -q 'packages  5, .*known locks refer to 5' "$T/out"

# --- verify ---
rm -rf p1 p2
expect 0 "verify a whole cache" "$ENVBUILD" cache verify
mkdir keep
for p in alpha beta gamma delta; do cp -a "$(dirname "$(entry $p)")" keep/$p; done
printf x | dd of="$(entry alpha | sed 's,x$,share/alpha/one,')" bs=1 seek=77 conv=notrunc 2>/dev/null
touch -r keep/alpha/share/alpha/one "$(entry alpha | sed 's,x$,share/alpha/one,')"
chmod 600 "$(entry beta | sed 's,x$,bin/beta,')"
ln -sfn two "$(entry gamma | sed 's,x$,share/gamma/link,')"
printf x | dd of="$(entry delta | sed 's,files/x$,facts,')" bs=1 seek=99 conv=notrunc 2>/dev/null
expect 5 "verify a damaged one" "$ENVBUILD" cache verify --json -j 2
same "finds all of it" "$(names damaged)" "? alpha beta gamma" # whose facts are damaged is not known
same "and nothing else" "$(field "len(d['damaged'])")" 4
same "names the file" "$(field "[i['reason'] for i in d['damaged'] if i.get('name') == 'alpha-1.0-0'][0]")" \
  "'share/alpha/one': its sha256 is another"
same "what is damaged is gone" "$(find cache/pkgs -name facts | wc -l)" 1
expect 0 "the rest is whole" "$ENVBUILD" cache verify
check "and one is installed again" install one/envbuild.lock p1
check "and two" install two/envbuild.lock p2
expect 0 "all is whole" "$ENVBUILD" cache verify
printf nonsense >cache/md5/0123456789abcdef0123456789abcdef
expect 5 "a note that names no package" "$ENVBUILD" cache verify
check "is removed" test ! -e cache/md5/0123456789abcdef0123456789abcdef
if port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T"); then
  defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
  mkdir three
  sed "s,channels:.*,channels: ['http://127.0.0.1:$port/channel']," one/environment.yml >three/environment.yml
  check "a lock from a server" "$ENVBUILD" lock three -t host -q
  rm three/envbuild.lock
  index=$(find cache/index -name body | head -n 1)
  expect 0 "its index is whole" "$ENVBUILD" cache verify
  printf x | dd of="$index" bs=1 seek=33 conv=notrunc 2>/dev/null
  expect 5 "an index that somebody wrote to" "$ENVBUILD" cache verify
  says "says how it is told" "its sha256 is another"
  check "is removed" test ! -e "$index"
else
  skip "an index of a server" "nginx does not start"
fi

# --- a cache that may only be read ---
mode() { find cache -depth -type d -exec chmod "$1" {} +; }
if [ "$(id -u)" = 0 ]; then as() { setpriv --reuid=48484 --clear-groups "$@"; }; else as() { "$@"; }; fi
if as test -x "$ENVBUILD" -a -r "$T/cache" 2>/dev/null || { chmod go+rx "$T" && as test -x "$ENVBUILD" -a -r "$T/cache"; }; then
  mode a-w
  expect 0 "info of a cache that may only be read" as "$ENVBUILD" cache info
  expect 0 "verify one" as "$ENVBUILD" cache verify
  expect 1 "clean one" as "$ENVBUILD" cache clean
  says "says what is missing" "ermission denied"
  mode u+w
else
  skip "a cache that may only be read" "the program cannot be run as another user here"
fi

# --- somebody writes into the cache through a hard link ---
if [ "$(stat -c %h p1/share/alpha/one)" -gt 1 ]; then
  sum=$(sha256sum <p1/share/alpha/one)
  printf x | dd of=p1/share/alpha/one bs=1 seek=5 conv=notrunc 2>/dev/null
  expect 0 "install from a cache that was written to" "$ENVBUILD" install one/envbuild.lock -p p4
  says "the package is named" "alpha-1.0-0.conda' was changed in the cache"
  same "the right file is installed" "$(sha256sum <p4/share/alpha/one)" "$sum"
else
  skip "a changed file in the cache" "this file system makes reflinks or copies"
fi

# --- clean ---
expect 0 "clean a cache in use" "$ENVBUILD" cache clean --json --all
same "takes nothing" "$(names removed)" ""
same "and says why" "$(field "d['in_use']>=5")" True
rm two/envbuild.lock
age 7200 alpha beta gamma delta zeta
expect 0 "dry run" "$ENVBUILD" cache clean --dry-run --json
same "names what no lock refers to" "$(names removed)" "delta gamma"
same "and takes nothing" "$(find cache/pkgs -name facts | wc -l)" 5
expect 0 "--older 3h" "$ENVBUILD" cache clean --older 3h --json
same "is older than these" "$(names removed)" ""
age 14400 gamma
expect 0 "--older 3h again" "$ENVBUILD" cache clean --older 3h --json
same "takes what was not used so long" "$(names removed)" "gamma"
expect 0 "clean" "$ENVBUILD" cache clean
says "says what was freed" "removed 1 entries of [0-9.]+ kB"
same "what the lock needs stays" "$(find cache/pkgs -name facts | wc -l)" 3
cp one/envbuild.lock one.keep
echo '<<<<<<< ours' >>one/envbuild.lock
expect 0 "clean with a lock that cannot be read" "$ENVBUILD" cache clean
says "says so" "known lock cannot be read"
same "and keeps everything" "$(find cache/pkgs -name facts | wc -l)" 3
cp one.keep one/envbuild.lock
age 9000 zeta
age 8000 alpha
size=$(cd "$(dirname "$(dirname "$(entry beta)")")" && find . -type f -printf '%s\n' | awk '{n += $1} END {print n}')
expect 0 "--max-size without --all" "$ENVBUILD" cache clean --max-size 1k
says "says what does not fit" "more than --max-size 1k: .*only with --all"
rm -rf cache/index
expect 0 "--max-size" "$ENVBUILD" cache clean --all --json --max-size "$((size + 10))"
same "takes what was used longest ago" "$(names removed)" "alpha zeta"
expect 2 "a size that is none" "$ENVBUILD" cache clean --max-size much
mkdir -p cache/tmp/.pkg.5678/files
expect 0 "--all" "$ENVBUILD" cache clean --all
same "takes the rest" "$(find cache/pkgs -name facts | wc -l)" 0
check "a temporary that is new stays" test -d cache/tmp/.pkg.5678
rm -rf cache/tmp/.pkg.*

# --- a cleaner beside two installers ---
# What was not used for four seconds is made to look old, so that the cleaner, which leaves alone
# what was used within ten minutes, has something to take while packages come and go.
rm -rf p1 p2 p4
check "one, for comparison" install one/envbuild.lock plain
(cd plain && find bin share -type f ! -path share/zeta/conf -exec sha256sum {} +) >sums
installer() {
  n=0
  while [ ! -e stop ]; do
    rm -rf "i$1"
    if ! "$ENVBUILD" install one/envbuild.lock -p "i$1" -q 2>"i$1.err"; then
      cat "i$1.err" >>installers.log
    elif ! (cd "i$1" && sha256sum -c --quiet ../sums) >>installers.log 2>&1; then
      echo "i$1 is wrong" >>installers.log
    fi
    n=$((n + 1))
    [ $((n % 3)) != 0 ] || sleep 4.2
  done
  echo "$n" >"i$1.n"
}
: >installers.log
installer 1 &
one_pid=$!
installer 2 &
two_pid=$!
taken=0
end=$((SECONDS + 9))
while [ $SECONDS -lt $end ] || { [ "$taken" -lt 3 ] && [ $SECONDS -lt $((end + 30)) ]; }; do
  find cache/pkgs -mindepth 2 -maxdepth 2 ! -newermt '-4 seconds' -exec touch -d '-1 hour' {} + 2>/dev/null
  "$ENVBUILD" cache clean --all --json >cleaned 2>>cleaner.log || cat cleaned cleaner.log >>installers.log
  taken=$((taken + $(python3 -c 'import json; print(len(json.load(open("cleaned"))["removed"]))')))
done
touch stop
wait $one_pid $two_pid
same "two installers beside a cleaner: no failure, no wrong file" "$(cat installers.log)" ""
check "the cleaner had something to take ($taken), the installers made $(cat i1.n) and $(cat i2.n)" \
  test "$taken" -ge 3
expect 0 "and the cache is whole" "$ENVBUILD" cache verify
same "nothing is left in tmp" "$(find cache/tmp -mindepth 1 | head)" ""
done_testing
