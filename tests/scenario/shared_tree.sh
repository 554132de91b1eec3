#!/bin/bash
# An environment on a share: of another user, read-only, reached by several names, activated by ten
# processes at once.  It works or says in a sentence why not, and nothing is ever written.
# timeout: 60
# shellcheck disable=SC2016
. "$(dirname "$0")/../lib.sh"
need python3 tar setpriv unshare
[ "$(id -u)" = 0 ] || skip_all "not root: no second user, and no mounts"

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3_placeholder
BUILD=/opt/envbuild/prefix_for_activate_$(printf 'b%.0s' $(seq 60))
"$ROOT/tests/tools/make_tree.py" "$T/made" "$PLACEHOLDER$BUILD" "$BUILD" 20
check "pack a tree" "$ENVBUILD_TOOLS/pack_tree" "$T/made" "$PLACEHOLDER$BUILD" "$BUILD" "$T/a.tar"
cd "$T" || exit 1
mkdir tree fresh other home && tar xf a.tar -C tree && tar xf a.tar -C fresh
tree/bin/conda-unpack
ln -s tree name
chmod a+rx "$T" && chown 65534:65534 home

cat >act.bash <<'STEPS'
source "$E/bin/activate" && hello >/dev/null && echo "$CONDA_PREFIX"
STEPS
cat >act.csh <<'STEPS'
source "$E/bin/activate.csh"
if ( $status ) exit 1
hello >/dev/null
if ( ! $status ) echo $CONDA_PREFIX:q
STEPS
cat >act.fish <<'STEPS'
source "$E/bin/activate.fish"; and hello >/dev/null; and echo $CONDA_PREFIX
STEPS
# Ten activations of $1 at once by $2, in all shells; what they print goes to `printed`, one line
# each, what they complain of to `said`.
cat >ten <<'STEPS'
as="setpriv --reuid=65534 --regid=65534 --clear-groups"
[ "$2" != root ] || as=
pids=
for i in 0 1 2 3 4 5 6 7 8 9; do
  set -- "$1" "$2" tcsh -f act.csh
  case $((i % 3)) in
  0) set -- "$1" "$2" bash act.bash ;;
  1) set -- "$1" "$2" fish --no-config act.fish ;;
  esac
  command -v "$3" >/dev/null || set -- "$1" "$2" bash act.bash
  E=$1 $as env HOME="$PWD/home" XDG_RUNTIME_DIR="$PWD/home" "$3" "${4:-}" ${5:+"$5"} >"out.$i" 2>"err.$i" &
  pids="$pids $!"
done
bad=0
for pid in $pids; do
  wait "$pid" || bad=$((bad + 1))
done
cat out.? >printed
cat err.? >said
echo "$bad" >failed
rm -f out.? err.?
STEPS
state() {
  find "$1" -printf '%p %i %y %m %U %G %s %T@ %C@ %l\n' | sort
  find "$1" -type f -print0 | sort -z | xargs -0 sha256sum
}
# $1: name; $2: commands before, in a mount namespace; $3: E; $4: user; $5: the folder looked at
try() {
  state "$5" >before
  unshare --mount --propagation private bash -ec "$2"'
bash ./ten "$1" "$2"' bash "$3" "$4" >mounted 2>&1 || {
    skip "$1" "no mounts here: $(tail -n 1 mounted)"
    return 1
  }
  state "$5" >after
  check "$1: nothing is written" cmp before after
}
works() {
  try "$1" "$2" "$3" "${5:-nobody}" "${6:-tree}" || return
  same "$1: all ten work" "$(cat failed)" 0
  same "$1: all ten name it" "$(sort -u printed)" "$(printf '%s\n' "$4" | sort -u)"
  same "$1: ten answers" "$(wc -l <printed)" 10
  same "$1: without a word" "$(cat said)" ""
}
fails() {
  try "$1" "$2" "$3" "${5:-nobody}" "${6:-tree}" || return
  same "$1: all ten fail" "$(cat failed)" 10
  same "$1: all ten say why" "$(grep -cE "$4" said)" 10
  same "$1: none is active" "$(cat printed)" ""
}

works "by its path" "true" "$T/tree" "$T/tree"
# csh is told its place by the system, and takes the name that the files hold.
works "by a symlink" "true" "$T/name" "$T/name
$T/tree"
works "by a read-only bind mount" 'mount --bind tree other && mount -o remount,bind,ro other' "$T/other" "$T/other
$T/tree"
works "read-only at its own path" 'mount --bind tree tree && mount -o remount,bind,ro tree' "$T/tree" "$T/tree"
works "read-only, by its owner" 'mount --bind tree tree && mount -o remount,bind,ro tree' "$T/name" "$T/name
$T/tree" root
# On another host the same share may be mounted elsewhere only.
hide='mount --bind tree other && mount -o remount,bind,ro other && mount -t tmpfs none tree'
fails "mounted elsewhere alone" "$hide" "$T/other" \
  "'$T/other' was moved from '$T/tree' and belongs to another user: ask its owner to run '$T/other/bin/conda-unpack'"
fails "the same, by its owner" "$hide" "$T/other" \
  "cannot write '$T/other' \(Read-only file system\), and its files name '$T/tree'" root
fails "never relocated" true "$T/fresh" "'$T/fresh' was moved and belongs to another user" nobody fresh
# A moved tree of one's own: one of ten relocates, the others wait.
cp -a fresh moved
bash ./ten "$T/moved" root
same "ten at once after a move: all work" "$(cat failed; sort -u printed; cat said)" "0
$T/moved"
check "and the tree is whole" moved/bin/conda-unpack --check
done_testing
