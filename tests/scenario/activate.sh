#!/bin/sh
# bin/activate and bin/deactivate in every shell at hand.
# shellcheck source=tests/lib.sh disable=SC2016,SC2046
. "$(dirname "$0")/../lib.sh"
need python3 tar

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3_placeholder
BUILD=/opt/envbuild/prefix_for_activate_$(printf 'b%.0s' $(seq 60))
"$ROOT/tests/tools/make_tree.py" "$T/tree" "$PLACEHOLDER$BUILD" "$BUILD" 5
check "pack a tree" "$ENVBUILD_TOOLS/pack_tree" "$T/tree" "$PLACEHOLDER$BUILD" "$BUILD" "$T/a.tar"
mkdir "$T/env" && tar xf "$T/a.tar" -C "$T/env"
E=$T/env

# What every shell is asked to do; $E is the environment, $SOURCE how it reads a file.
cat >"$T/steps" <<'STEPS'
fail() { echo "FAILED: $*"; exit 1; }
PATH=$PATH:/extra
OLD_PATH=$PATH BOTH=before
export BOTH PATH
unset WHERE FROM_STATE CONDA_SHLVL CONDA_PREFIX
PS1='$ '
. "$E/bin/activate"
[ "$CONDA_PREFIX" = "$E" ] || fail "CONDA_PREFIX $CONDA_PREFIX"
[ "$CONDA_DEFAULT_ENV" = demo ] || fail "CONDA_DEFAULT_ENV $CONDA_DEFAULT_ENV"
[ "$CONDA_SHLVL" = 1 ] || fail "CONDA_SHLVL $CONDA_SHLVL"
[ "$PATH" = "$E/bin:$OLD_PATH" ] || fail "PATH $PATH"
[ "$PS1" = '(demo) $ ' ] || fail "PS1 $PS1"
[ "$BOTH" = state ] || fail "BOTH $BOTH"
[ "$WHERE" = "$E/data" ] || fail "WHERE $WHERE"
[ "$FROM_STATE" = 'it'\''s $HOME "x"' ] || fail "FROM_STATE $FROM_STATE"
[ "${GONE+x}" = "" ] || fail "GONE $GONE"
[ "$(sh -c 'echo "$WHERE"')" = "$E/data" ] || fail "not exported"
[ "$ORDER" = Bb ] || fail "order $ORDER"
[ "$B_PREFIX" = "$E" ] || fail "activate.d"
[ "$(tool)" = "tool $E" ] || fail "tool: $(tool)"
[ "$(hello)" = hello ] || fail "hello: $(hello)"
PATH=/mine:$PATH
. "$E/bin/activate"
[ "$PATH" = "$E/bin:/mine:$OLD_PATH" ] || fail "PATH after activating twice: $PATH"
[ "$BOTH" = state ] || fail "BOTH twice: $BOTH"
[ "$ORDER" = Bb-b-BBb ] || fail "order twice: $ORDER"
unset ORDER
deactivate
[ "$PATH" = "/mine:$OLD_PATH" ] || fail "PATH at the end: $PATH"
[ "$BOTH" = before ] || fail "BOTH at the end: $BOTH"
[ "${WHERE+x}${FROM_STATE+x}${CONDA_PREFIX+x}${CONDA_DEFAULT_ENV+x}${CONDA_SHLVL+x}" = "" ] ||
  fail "variables stay"
[ "$PS1" = '$ ' ] || fail "PS1 at the end: $PS1"
[ "$ORDER" = -b-B ] || fail "deactivate.d: $ORDER"
[ "${B_PREFIX+x}" = "" ] || fail "B_PREFIX"
[ "$(command -v deactivate)" != deactivate ] || fail "the function stays"
set | grep -i '^_envbuild' && fail "something of ours stays"
CONDA_CHANGEPS1=false
. "$E/bin/activate"
[ "$PS1" = '$ ' ] || fail "PS1 with CONDA_CHANGEPS1=false: $PS1"
. deactivate
[ "$PATH" = "/mine:$OLD_PATH" ] || fail "PATH after '. deactivate': $PATH"
deactivate() { echo theirs; }
. "$E/bin/activate"
[ "$(deactivate)" = theirs ] || fail "a function of somebody else"
. "$E/bin/deactivate"
[ "$(deactivate)" = theirs ] || fail "a function of somebody else, afterwards"
echo done
STEPS

try() {
  name=$1
  shift
  same "$name" "$(E=$E ENVBUILD_PREFIX=${PREFIX-} "$@" "$T/steps" 2>&1)" "done"
}
PREFIX=
try "bash" bash
try "bash -eu" bash -eu
try "bash --posix -u" bash --posix -u
same "the record after the first" "$(cat "$E/conda-meta/envbuild/prefix")" "$E"
mv "$T/env" "$T/an other env" && E="$T/an other env"
try "bash -eu in a moved environment with an odd name" bash -eu
check "which was relocated" "$E/bin/conda-unpack" --check
mv "$E" "$T/env" && E=$T/env
PREFIX=$E
try "sh -eu with ENVBUILD_PREFIX" sh -eu
check "dash has relocated it" "$E/bin/conda-unpack" --check
PREFIX=
for shell in zsh "zsh -eu" ksh "busybox sh"; do
  # shellcheck disable=SC2086
  set -- $shell
  if ! command -v "$1" >/dev/null; then
    skip "$shell" "not here"
    continue
  fi
  [ "$1" = zsh ] || PREFIX=$E
  try "$shell" "$@"
  PREFIX=
done

# --- names and paths of others --------------------------------------------------------------------
cat >"$T/aliased" <<'STEPS'
alias deactivate='echo theirs'
. "$E/bin/activate"
[ "$CONDA_PREFIX" = "$E" ] || echo "not activated"
deactivate
. "$E/bin/deactivate"
echo "${CONDA_PREFIX-} $(alias deactivate)"
STEPS
for shell in "bash -O expand_aliases" "bash --posix" zsh dash ksh "busybox sh"; do
  # shellcheck disable=SC2086
  set -- $shell
  command -v "$1" >/dev/null || continue
  same "$shell with an alias of that name" "$(E=$E ENVBUILD_PREFIX=$T/env "$@" "$T/aliased" 2>&1 |
    sed "s/ alias / /; s/ \(deactivate=\)*'/ '/")" "theirs
 'echo theirs'"
done
cat >"$T/odd" <<'STEPS'
set -f
CDPATH=/:/tmp IFS=x/
cd() { echo no; }
pwd() { echo no; }
. "$E/bin/activate"
echo "$CONDA_PREFIX" "$ORDER"
deactivate
case $- in *f*) echo "$ORDER" ;; esac
STEPS
for shell in bash dash ksh "busybox sh"; do
  # shellcheck disable=SC2086
  set -- $shell
  command -v "$1" >/dev/null || continue
  same "$shell with -f and functions called cd and pwd" "$(E=$E ENVBUILD_PREFIX=$T/env "$@" "$T/odd" 2>&1)" "$E Bb
Bb-b-B"
done
if command -v zsh >/dev/null; then
  same "zsh with noglob" "$(E=$E zsh -o noglob -c '. "$E/bin/activate"; echo "$ORDER"' 2>&1)" Bb
fi
if command -v fish >/dev/null; then
  for how in "set -e PATH" "set -gx PATH"; do
    same "fish after $how" "$(E=$E XDG_DATA_HOME=$T/fish XDG_CONFIG_HOME=$T/fish fish --no-config -c "$how"'
source "$E/bin/activate.fish"; echo "$CONDA_PREFIX" $B_PREFIX; deactivate; echo "$CONDA_PREFIX"' 2>&1)" "$E $E"
  done
fi
if command -v tcsh >/dev/null; then
  same "tcsh with an empty path" "$(E=$E tcsh -fc 'set path = (); source "$E/bin/activate.csh"; echo "$CONDA_PREFIX"' 2>&1)" "$E"
fi

# --- places --------------------------------------------------------------------------------
show='. "$1" && echo "$CONDA_PREFIX"'
ln -s env "$T/name"
before=$(find "$E" -printf '%p %i %C@\n' | sort | sha256sum)
same "through a link it has that name" "$(bash -euc "$show" bash "$T/name/bin/activate")" "$T/name"
same "and is left alone" "$(find "$E" -printf '%p %i %C@\n' | sort | sha256sum)" "$before"
same "relative" "$(cd "$E/bin" && bash -euc "$show" bash ./activate)" "$E"
same "relative, from elsewhere" "$(cd "$T" && bash -euc "$show" bash env/bin/activate)" "$E"
same "found on PATH" "$(PATH=$E/bin:$PATH bash -euc "$show" bash activate)" "$E"
ln -s "$E/bin/activate" "$T/activate-link"
same "by a link to the file" "$(bash -euc "$show" bash "$T/activate-link")" "$E"
cp "$E/bin/activate" "$T/copy"
expect 1 "a copy elsewhere" bash -c '. "$1"' bash "$T/copy"
check "says what to set" grep -q "set ENVBUILD_PREFIX" "$T/err"
expect 3 "a failure ends a script that runs with -e" bash -c 'set -e
trap "exit 3" EXIT
. "$1"
echo not reached' bash "$T/copy"
same "nothing after it runs" "$(cat "$T/out")" ""

# --- another environment ----------------------------------------------------------------------
mkdir "$T/env2" && tar xf "$T/a.tar" -C "$T/env2"
same "one after the other" "$(bash -euc '. "$1/bin/activate"; . "$2/bin/activate"
echo "$PATH"; deactivate; echo "$PATH"' bash "$E" "$T/env2")" "$T/env2/bin:$PATH
$PATH"
same "in a child of an activated shell" "$(bash -euc '. "$1/bin/activate"
bash -euc ". \"\$1/bin/activate\"; echo \"\$PATH\"" bash "$2"' bash "$E" "$T/env2")" "$T/env2/bin:$PATH"

# --- a moved environment that cannot be written ---------------------------------------------------
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
  mv "$T/env2" "$T/env3" && chmod a+rX "$T"
  expect 1 "moved, and of another user" setpriv --reuid=65534 --regid=65534 --clear-groups \
    bash -c '. "$1/bin/activate"' bash "$T/env3"
  check "says what is wrong" grep -q "ask its owner to run '$T/env3/bin/conda-unpack'" "$T/err"
  expect 0 "as it is, on request" setpriv --reuid=65534 --regid=65534 --clear-groups \
    env ENVBUILD_NO_RELOCATE=1 bash -c '. "$1/bin/activate"' bash "$T/env3"
else
  skip "a moved environment that cannot be written" "needs root and setpriv"
fi
done_testing
