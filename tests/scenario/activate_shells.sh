#!/bin/bash
# bin/activate.csh, bin/activate.fish and their deactivation.
# timeout: 90
# shellcheck disable=SC2016,SC2086,SC1003 # $shell is a program with an argument
. "$(dirname "$0")/../lib.sh"
need python3 tar

PLACEHOLDER=/opt/anaconda1anaconda2anaconda3_placeholder
BUILD=/opt/envbuild/prefix_for_activate_$(printf 'b%.0s' $(seq 60))
"$ROOT/tests/tools/make_tree.py" "$T/tree" "$PLACEHOLDER$BUILD" "$BUILD" 5
check "pack a tree" "$ENVBUILD_TOOLS/pack_tree" "$T/tree" "$PLACEHOLDER$BUILD" "$BUILD" "$T/a.tar"
mkdir "$T/env" && tar xf "$T/a.tar" -C "$T/env"
printf 'a!b \\!c \\\nd '"'e'"' `id` $$ %%s *\\' >"$T/odd"
printf 'be\nfore "x" `id` !' >"$T/both"
cd "$T" || exit 1
# fish finds no file of other letters than the locale's.
export LC_ALL=C.UTF-8
# fish keeps a folder of its own in TMPDIR.
export XDG_RUNTIME_DIR=$T

# --- what every csh is asked to do ------------------------------------------------------------
cat >steps.csh <<'STEPS'
alias want 'if ( \!:2 != \!:3 ) echo FAILED \!:1 : "<"\!:2">" instead of "<"\!:3">"'
setenv PATH "${PATH}:/extra"
set before_path = "$PATH"
setenv BOTH 'be\
fore "x" `id` \!'
unsetenv CONDA_SHLVL
unsetenv CONDA_PREFIX
set prompt = 'a"b`% \
'
set prompt_before = $prompt:q
source "$E/bin/activate.csh"
want status "$status" 0
want CONDA_PREFIX "$CONDA_PREFIX" "$E"
want CONDA_DEFAULT_ENV "$CONDA_DEFAULT_ENV" demo
want CONDA_PROMPT_MODIFIER "$CONDA_PROMPT_MODIFIER" "(demo) "
want CONDA_SHLVL "$CONDA_SHLVL" 1
want PATH "$PATH" "$E/bin:$before_path"
want prompt $prompt:q "(demo) "$prompt_before:q
want BOTH "$BOTH" state
want WHERE "$WHERE" "$E/data"
want FROM_STATE "$FROM_STATE" 'it'\''s $HOME "x"'
want EMPTY "$EMPTY" ""
want GONE "$?GONE" 0
/bin/sh -c 'test "$ODD" = "$(cat odd)" || echo "FAILED ODD $ODD"; test "$WHERE" = "$E/data" || echo FAILED export'
want ORDER "$ORDER" Bb
want activate.d "$B_PREFIX" "$E"
want hello "`hello`" hello
setenv PATH "/mine:$PATH"
source "$E/bin/activate.csh"
want twice "$PATH" "$E/bin:/mine:$before_path"
want twice-ORDER "$ORDER" Bb-b-BBb
want twice-prompt $prompt:q "(demo) "$prompt_before:q
unsetenv ORDER
setenv PATH "/other one:$PATH"
deactivate
want PATH-end "$PATH" "/other one:/mine:$before_path"
/bin/sh -c 'test "$BOTH" = "$(cat both)" || echo "FAILED BOTH-end $BOTH"'
want gone "$?WHERE $?FROM_STATE $?CONDA_PREFIX $?CONDA_DEFAULT_ENV $?CONDA_SHLVL $?CONDA_PROMPT_MODIFIER" "0 0 0 0 0 0"
want prompt-end $prompt:q $prompt_before:q
want deactivate.d "$ORDER" "-b-B"
want B_PREFIX "$?B_PREFIX" 0
want alias "`alias deactivate`" ""
set | grep -i '^_envbuild'
env | grep -i '^_envbuild'
setenv CONDA_CHANGEPS1 false
source "$E/bin/activate.csh"
want changeps1 $prompt:q $prompt_before:q
source "$E/bin/deactivate.csh"
alias deactivate 'echo theirs'
set noglob
set backslash_quote
source "$E/bin/activate.csh"
unset noglob
want theirs "`deactivate`" theirs
/bin/sh -c 'test "$ODD" = "$(cat odd)" || echo "FAILED with backslash_quote: $ODD"'
source "$E/bin/deactivate.csh"
want theirs-after "`deactivate`" theirs
want backslash_quote "$?backslash_quote" 1
echo done
STEPS

cat >steps.fish <<'STEPS'
function want
    test "$argv[2]" = "$argv[3]"; or echo "FAILED $argv[1]: <$argv[2]> instead of <$argv[3]>"
end
set -gx PATH $PATH /extra
set -g before_path (string join : $PATH)
set -gx BOTH (cat both | string collect)
set -e CONDA_SHLVL
set -e CONDA_PREFIX
function fish_prompt; echo "$status> "; end
source "$E/bin/activate.fish"
want status $status 0
want CONDA_PREFIX "$CONDA_PREFIX" "$E"
want CONDA_DEFAULT_ENV "$CONDA_DEFAULT_ENV" demo
want CONDA_PROMPT_MODIFIER "$CONDA_PROMPT_MODIFIER" "(demo) "
want CONDA_SHLVL "$CONDA_SHLVL" 1
want PATH "$PATH" "$E/bin:$before_path"
want prompt (false; fish_prompt) "(demo) 1> "
want BOTH "$BOTH" state
want WHERE "$WHERE" "$E/data"
want FROM_STATE "$FROM_STATE" 'it\'s $HOME "x"'
want EMPTY (set -q EMPTY; echo "$status$EMPTY") 0
want GONE (set -q GONE; echo $status) 1
sh -c 'test "$ODD" = "$(cat odd)" || echo "FAILED ODD $ODD"; test "$WHERE" = "$E/data" || echo FAILED export'
want ORDER "$ORDER" Bb
want activate.d "$B_PREFIX" "$E"
want hello (hello) hello
set -gx PATH /mine $PATH
source "$E/bin/activate.fish"
want twice "$PATH" "$E/bin:/mine:$before_path"
want twice-ORDER "$ORDER" Bb-b-BBb
want twice-prompt (true; fish_prompt) "(demo) 0> "
set -e ORDER
set -gx PATH "/other one" $PATH
deactivate
want PATH-end "$PATH" "/other one:/mine:$before_path"
want BOTH-end "$BOTH" (cat both | string collect)
want gone "$WHERE$FROM_STATE$CONDA_PREFIX$CONDA_DEFAULT_ENV$CONDA_SHLVL$CONDA_PROMPT_MODIFIER" ""
want prompt-end (false; fish_prompt) "1> "
want deactivate.d "$ORDER" "-b-B"
want B_PREFIX "$B_PREFIX" ""
want function (functions -q deactivate; echo $status) 1
set | grep -i '^_envbuild'
functions -a | grep -i '^_envbuild'
env | grep -i '^_envbuild'
set -gx CONDA_CHANGEPS1 false
source "$E/bin/activate.fish"
want changeps1 (true; fish_prompt) "0> "
source "$E/bin/deactivate.fish"
function deactivate; echo theirs; end
source "$E/bin/activate.fish"
want theirs (deactivate) theirs
source "$E/bin/deactivate.fish"
want theirs-after (deactivate) theirs
echo done
STEPS

cat >universal.fish <<'STEPS'
set -Ux BOTH universal
source "$E/bin/activate.fish"
test "$BOTH" = state; or echo "FAILED: $BOTH"
source "$E/bin/deactivate.fish"
set -q -g BOTH; echo "$status $BOTH"
STEPS
if command -v fish >/dev/null; then
  same "fish's universal variables shine through again" \
    "$(E=$T/env XDG_CONFIG_HOME=$T/fish XDG_DATA_HOME=$T/fish fish universal.fish 2>&1)" "1 universal"
fi

# --- each shell, at odd places ------------------------------------------------------------------
E=$T/env
for shell in "tcsh -f" "fish --no-config"; do
  name=${shell%% *}
  if ! command -v "$name" >/dev/null; then
    skip "$name" "not here"
    continue
  fi
  kind=${name#t}
  for place in "$T/env" "$T/an other" "$T/it's !x \$HOME \"q\" \`id\` *[a]\\" "$T/(ü)"; do
    [ "$E" = "$place" ] || mv "$E" "$place"
    E=$place
    same "$name at '${place#"$T/"}'" "$(E=$E $shell "steps.$kind" 2>&1)" "done"
    check "$name: it was relocated" "$E/bin/conda-unpack" --check
  done
  mv "$E" "$T/env" && E=$T/env
done
for shell in "sh" "tcsh -f" "fish --no-config"; do
  name=${shell%% *}
  command -v "$name" >/dev/null || continue
  kind=.${name#t}
  say='echo $CONDA_PREFIX' end=deactivate
  [ "$kind" != .sh ] || kind=
  file="bin/activate$kind"

  # Where it lies, and by which name.
  ln -sfn env "$T/name" && E=$T/env
  "$E/bin/conda-unpack"
  before=$(find "$E" -printf '%p %i %C@\n' | sort | sha256sum)
  if [ "$name" = sh ]; then
    export ENVBUILD_PREFIX=name
    want=$T/name
  else
    want=$T/name
    [ "$name" = fish ] || export ENVBUILD_PREFIX=name
  fi
  printf 'source name/%s\n%s\n' "$file" "$say" | sed "s/^source/$([ "$name" = sh ] && echo . || echo source)/" >by-name
  same "$name: the name that the user goes by" "$($shell by-name 2>&1)" "$want"
  same "$name: nothing is written" "$(find "$E" -printf '%p %i %C@\n' | sort | sha256sum)" "$before"
  unset ENVBUILD_PREFIX
  [ "$name" != sh ] || continue
  ln -sf "$E/$file" "$T/link"
  echo "source $T/link; $say" >by-link
  same "$name: by a link to the file" "$($shell by-link 2>&1)" "$E"
  mkdir -p "$T/elsewhere/bin" && cp "$E/$file" "$T/elsewhere/bin/"
  printf 'source elsewhere/%s && echo active\nsource elsewhere/%s\n' "$file" "$file" >by-copy
  expect 1 "$name: a copy elsewhere" $shell by-copy
  says "$name: says that it cannot tell where" "cannot tell where the environment lies"
  same "$name: and is not active" "$(cat out)" ""

  # Another one, and another shell around it.
  [ -d "$T/env2" ] || { mkdir "$T/env2" && tar xf "$T/a.tar" -C "$T/env2"; }
  printf 'source env/%s\nsource env2/%s\n%s\n%s\nenv | grep ^PATH=\n' "$file" "$file" "$say" "$end" >one-two
  same "$name: one after the other" "$($shell one-two 2>&1)" "$T/env2
PATH=$PATH"
  printf 'source env2/%s\n%s\nenv | grep ^PATH=\nenv | grep ^BOTH=\n' "$file" "$end" >inner
  same "$name: in a child of another shell's activation" \
    "$(BOTH=first bash -c '. env/bin/activate && '"$shell inner" 2>&1)" "PATH=$PATH
BOTH=first"
  printf 'source env/%s\nbash -c ". env2/bin/activate && deactivate && env | grep ^PATH="\n' "$file" >outer
  same "$name: the other way round" "$($shell outer 2>&1)" "PATH=$PATH"

  # At a terminal.
  command -v script >/dev/null || continue
  printf 'source env/%s\ndeactivate\nexit\n' "$file" |
    TERM=dumb script -qec "$shell -i" /dev/null >seen 2>&1
  says "$name: the prompt of a terminal" '\(demo\)' seen
done

# --- refused -----------------------------------------------------------------------------------
for shell in "bash" "tcsh -f" "fish --no-config"; do
  name=${shell%% *}
  command -v "$name" >/dev/null || continue
  kind=.${name#t}
  [ "$name" != bash ] || kind=
  file="bin/activate$kind"
  printf 'source "%s/%s"; echo "is <$?CONDA_PREFIX>"\n' "$T/env" "$file" >steps.do
  [ "$name" = tcsh ] || printf 'source "%s/%s"; echo "is <$CONDA_PREFIX>"\n' "$T/env" "$file" >steps.do

  # Another host.
  printf 'envbuild host 1\ntarget rocky99\nglibc 99.1\n' >"$E/conda-meta/envbuild/host"
  expect 0 "$name: for a newer host" $shell steps.do
  says "$name: a sentence says what is needed" "made for rocky99, needs glibc 99.1, and this host has glibc 2\\."
  says "$name: and the way round" "ENVBUILD_SKIP_CHECK=1"
  check "$name: it is not active" grep -Eq 'is <0?>' out
  expect 0 "$name: ENVBUILD_SKIP_CHECK=1" env ENVBUILD_SKIP_CHECK=1 $shell steps.do
  check "$name: is active" grep -Eq 'is <(1|/.*env)>' out
  same "$name: without a word" "$(cat err)" ""
  rm "$E/conda-meta/envbuild/host"

  # Another path.
  mv "$E" "$T/a:b"
  sed "s|$T/env|$T/a:b|" steps.do >do-colon
  expect 0 "$name: a path that PATH cannot hold" $shell do-colon
  says "$name: is named" "a:b' cannot stand in PATH"
  check "$name: it is not active" grep -Eq 'is <0?>' out
  mv "$T/a:b" "$E"

  # Moved, and taken as it is.
  mv "$E" moved && sed "s|$T/env|$T/moved|" steps.do >do-moved
  expect 0 "$name: ENVBUILD_NO_RELOCATE=1" env ENVBUILD_NO_RELOCATE=1 $shell do-moved
  check "$name: is active where it was moved to" grep -Eq 'is <(1|/.*moved)>' out
  same "$name: and left as it was" "$(cat moved/conda-meta/envbuild/prefix)" "$E"
  mv moved "$E"

  # A program that does not run.
  mv "$E/bin/conda-unpack" kept && printf '\177ELF\2\1\1nothing' >"$E/bin/conda-unpack"
  chmod +x "$E/bin/conda-unpack"
  expect 0 "$name: for another machine" $shell steps.do
  says "$name: it is not activated" "env' is not activated"
  expect 0 "$name: unless both are asked for" env ENVBUILD_SKIP_CHECK=1 ENVBUILD_NO_RELOCATE=1 $shell steps.do
  check "$name: is active" grep -Eq 'is <(1|/.*env)>' out
  mv kept "$E/bin/conda-unpack"
done

# --- asked by hand -------------------------------------------------------------------------------
host=$E/conda-meta/envbuild/host
printf 'envbuild host 1\nglibc 2.4\nkernel 2.6.32\nlevel x86_64\n' >"$host"
expect 0 "--check-host, a good one" "$E/bin/conda-unpack" --check-host
says "says so" "this host has what" out
printf 'envbuild host 1\nkernel 99.1\n' >"$host"
expect 1 "--check-host, one with an older kernel" "$E/bin/conda-unpack" --check-host
says "says both" "needs a kernel from 99.1, and this host has $(uname -r)"
mv "$E" by-hand
expect 0 "who relocates by hand" by-hand/bin/conda-unpack
says "is warned" "warning: .*needs a kernel from 99.1"
check "and it is done" by-hand/bin/conda-unpack --check
expect 0 "for another place" by-hand/bin/conda-unpack --prefix "$E"
same "nothing is said" "$(cat err)" ""
mv by-hand "$E"
printf 'envbuild host 1\ncuda 12.4\n' >"$host"
expect 0 "no GPU is no reason to refuse" bash -c '. "$1/bin/activate"' bash "$E"
same "nor to speak" "$(cat err)" ""
expect 0 "--check-host" "$E/bin/conda-unpack" --check-host
[ -e /dev/nvidiactl ] || says "remarks that there is no driver" "CUDA 12.4, and this host has no NVIDIA driver"
for text in '' 'envbuild host 9\n' 'envbuild host 1\nglibc new\n' 'envbuild host 1\nglibc 2'; do
  printf '%b' "$text" >"$host"
  expect 1 "a damaged '$text'" bash -c '. "$1/bin/activate"' bash "$E"
  says "is named" "damaged 'conda-meta/envbuild/host'"
done
done_testing
