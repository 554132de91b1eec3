#!/bin/bash
# timeout: 60
# action.yml does what it says, step by step as a runner does it; and the pipelines in examples/ci are
# YAML that calls envbuild with options it has.
. "$(dirname "$0")/../lib.sh"
need python3
export HOME=$T/home ENVBUILD_CACHE=$T/cache ENVBUILD_NO_FSYNC=1 ENVBUILD_DATA=$T/data
unset XDG_CACHE_HOME ENVBUILD_CACHE_LOWER ENVIRONMENT_NAME ENVIRONMENT_FILE_PATH TEST_FILE TARGET
mkdir "$HOME" "$T/bin" "$T/work" && cd "$T/work" || exit 1
python3 "$ROOT/tests/tools/small_channel.py" "$T/chan" && "$ENVBUILD" channel index -q "$T/chan" || exit 1
printf 'name: other\nchannels: ["%s"]\ndependencies: [alpha]\n' "$T/chan" >environment.yml
cp environment.yml "spaced name.yml"
echo alpha >run-test.sh

expect 0 "action.yml is YAML" "$ENVBUILD_TOOLS/yaml_json" "$ROOT/action.yml"
cp "$T/out" "$T/action.json"
ln -s "$ENVBUILD" "$T/bin/envbuild"
action() { PATH=$T/bin:$PATH python3 "$ROOT/tests/tools/run_action.py" "$T/action.json" "$@"; }

# --- the older action's variables ---
export ENVIRONMENT_NAME=demo ENVIRONMENT_FILE_PATH=environment.yml TEST_FILE=run-test.sh
expect 0 "with the older action's variables" action
same "its output" "$(tail -2 "$T/out")" "archive=$T/work/demo.tar.gz
sha256=$(sha256sum demo.tar.gz | cut -c 1-64)"
check "which is an archive" sh -c 'mkdir x && tar xf demo.tar.gz -C x && x/bin/alpha'
check "that was tested" grep -q '"tested": true' demo.run.json
check "and can be published" "$ENVBUILD" publish demo.tar.gz --tag v1 --to "$T/pub"
rm -r demo.* envbuild.lock
echo false >run-test.sh
expect 6 "a test that fails" action
check "leaves no archive" test ! -e demo.tar.gz
TEST_FILE=missing.sh expect 2 "a test that is not there" action
TEST_FILE='' expect 0 "no test" action
check "is recorded" grep -q '"tested": false' demo.run.json
echo alpha >run-test.sh
ENVIRONMENT_NAME='' expect 1 "no name" action
says "is said" "ENVIRONMENT_NAME: is not set"
unset ENVIRONMENT_NAME ENVIRONMENT_FILE_PATH TEST_FILE

# --- as inputs ---
expect 0 "as inputs" action environment-name=in "environment-file-path=spaced name.yml" test-file=run-test.sh target=host
check "the archive" test -s in.tar.gz
expect 0 "the file's usual name" action environment-name=usual test-file=run-test.sh
expect 2 "a name with a shell's characters in it" action 'environment-name=a;touch b$(touch c)`touch d`'
check "is not a command" sh -c '! ls | grep -x "[bcd]"'

# --- where envbuild is not on PATH, and for a target with an image ---
rm "$T/bin/envbuild"
mkdir -p "$T/source/build"
printf '#!/bin/sh\necho "make $*" >>"%s"\n' "$T/calls" >"$T/bin/make"
printf '#!/bin/sh\necho "envbuild $*" >>"%s"\n[ "$1" = image ] || exec "%s" "$@"\n' "$T/calls" "$ENVBUILD" >"$T/source/build/envbuild"
chmod +x "$T/bin/make" "$T/source/build/envbuild"
if PATH=$T/bin:/usr/bin:/bin command -v envbuild >/dev/null; then
  skip "it builds envbuild" "there is one in /usr/bin"
else
  PATH=/usr/bin:/bin ACTION_PATH=$T/source expect 2 "it builds envbuild" action environment-name=built target=rhel7
  same "and gets the target's image" "$(head -3 "$T/calls")" "make -C $T/source deps
make -C $T/source all
envbuild image pull rhel7"
fi

# --- the pipelines ---
commands() { # of a pipeline: every command line that calls envbuild
  python3 - "$1" <<'END'
import json, sys
def texts(x):
    if isinstance(x, dict):
        for v in x.values():
            yield from texts(v)
    elif isinstance(x, list):
        for v in x:
            yield from texts(v)
    elif x:
        yield from x.splitlines()
for line in texts(json.load(open(sys.argv[1]))):
    for part in line.replace('; fi', '').split('then ')[-1:]:
        words = part.split()
        if words and words[0].endswith('envbuild') and len(words) > 1:
            print(' '.join(words[1:]))
END
}
for file in "$ROOT"/examples/ci/*.yml; do
  name=$(basename "$file")
  expect 0 "$name is YAML" "$ENVBUILD_TOOLS/yaml_json" "$file"
  cp "$T/out" "$T/file.json"
  commands "$T/file.json" >"$T/calls"
  check "$name publishes" grep -q '^publish ' "$T/calls"
  while read -r command rest; do
    "$ENVBUILD" "$command" --help >"$T/help"
    for word in $rest; do
      case $word in
      -*) grep -q -e "^  *\(-[a-z], \)*${word}[ ,]" "$T/help" || fail "$name: $command has $word" ;;
      esac
    done
    ok "$name: $command $rest"
  done <"$T/calls"
done
done_testing
