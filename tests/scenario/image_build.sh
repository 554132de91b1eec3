#!/bin/bash
# Images from Dockerfiles, by buildah and podman.
# timeout: 200
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tools/containers.sh"
need buildah podman

root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why") || skip_all "$(cat "$T/why")"
containers_in "$T/containers"
export HOME="$T/home" ENVBUILD_CACHE="$T/cache" ENVBUILD_DATA="$T/data"
mkdir -p "$HOME" targets/files

build() { "$ENVBUILD" image build "$@"; }
tree_of() { # NAME
  "$ENVBUILD" image show "$1" --json 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["image"]["root"])'
}
images() { buildah images -q; }

tar -cf targets/files/root.tar -C "$root" --owner=0 --group=0 --exclude './lib64/lib[!c]*' .
cat >targets/files/Dockerfile <<'DOCKERFILE'
FROM scratch
ADD root.tar /
RUN echo built >/made && true
DOCKERFILE
profile() { # NAME DOCKERFILE
  sed -e "s/^name:.*/name: $1/" -e "s|dockerfile:.*|dockerfile: $2|" -e '/reference:/d' \
    "$ROOT/images/targets/rhel7.yml" >"targets/$1.yml"
}
profile mine files/Dockerfile

# --- built, kept, and nothing left behind ---------------------------------------------------------

for tool in buildah podman; do
  export ENVBUILD_DATA="$T/data.$tool"
  expect 0 "$tool builds a profile's Dockerfile" build mine --tool "$tool"
  says "$tool: what it does is shown" '^STEP 3/3: RUN echo built'
  tree=$(tree_of mine)
  same "$tool: what it made is there" built "$(cat "$tree/made")"
  check "$tool: and what it added" cmp "$root/lib64/libc.so.6" "$tree/lib64/libc.so.6"
  same "$tool: its image is gone from its storage" "" "$(images)"
  same "$tool: no work stays" "" "$(ls -A "$T/cache/work")"
done
expect 0 "an image runs" "$ENVBUILD" image show mine
says "and knows where it came from" 'targets/files/Dockerfile' "$T/out"

export ENVBUILD_DATA="$T/data"
cp targets/files/Dockerfile other.Dockerfile
cp targets/files/root.tar .
expect 0 "any name with --dockerfile, by what is there" build x --dockerfile other.Dockerfile --json
same "as a document" "x True" "$(python3 -c '
import json; d = json.load(open("'"$T"'/out")); print(d["name"], d["digest"].startswith("sha256:"))')"

# --- what goes wrong ------------------------------------------------------------------------------

sed -i 's/echo built/echo something; false/' other.Dockerfile
expect 1 "a step that fails" build x --dockerfile other.Dockerfile
says "is shown" '^something'
says "and its tool named" "cannot build 'other.Dockerfile': 'buildah bud' failed with exit status 1"
expect 1 "with -q" build x --dockerfile other.Dockerfile -q
says "the output of what failed is shown" '^something'
sed -i 's/echo something; false/sleep 30/' other.Dockerfile
expect 1 "a time limit" build x --dockerfile other.Dockerfile --timeout 3
says "is said" "'buildah bud' took longer than 3 seconds"
same "its container is removed" "" "$(buildah containers -q)"
"$ENVBUILD" image build x --dockerfile other.Dockerfile >"$T/out" 2>"$T/err" &
pid=$!
for _ in $(seq 100); do
  grep -q '^STEP 3' "$T/err" && break
  sleep 0.1
done
sleep 0.5
kill -TERM "$pid"
wait "$pid" 2>/dev/null
same "a signal ends it by that signal" 143 $?
says "and is said" 'interrupted by Terminated'
same "its container is removed then, too" "" "$(buildah containers -q)"
same "and its image" "" "$(images)"
same "no work stays then" "" "$(ls -A "$T/cache/work")"
expect 2 "a profile of another glibc" build rhel6 --dockerfile targets/files/Dockerfile
says "is held against what was built" "the image has glibc 2.17, target 'rhel6' says 2.12"
profile lost files/no.Dockerfile
expect 1 "a Dockerfile that is not there" build lost
says "is named" "cannot read the Dockerfile '.*targets/files/no.Dockerfile'"
sed '/dockerfile:/d' targets/mine.yml >targets/bare.yml
sed -i -e 's/^name:.*/name: bare/' -e '/^image:/d' targets/bare.yml
expect 2 "a target without one" build bare
says "is told --dockerfile" 'hint: --dockerfile FILE'
expect 2 "no target" build nothing
expect 2 "a tool that is none" build mine --tool kaniko
says "those that there are" "buildah, podman or docker"

# --- what is not there ----------------------------------------------------------------------------

mkdir "$T/bin"
expect 1 "none of the tools" env PATH="$T/bin" "$ENVBUILD" image build mine
says "is said" 'nothing here builds images: neither buildah nor podman nor docker'
says "with what to install" 'apt install buildah, dnf install podman'
printf '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n' >"$T/bin/docker"
chmod +x "$T/bin/docker"
expect 1 "a docker without a daemon" env PATH="$T/bin" "$ENVBUILD" image build mine
says "is no tool" "docker's daemon does not answer"
expect 1 "one that was asked for and is not there" \
  env PATH="$T/bin" "$ENVBUILD" image build mine --tool podman
says "is named" "no program 'podman' on PATH"

# The shipped ones are in the program: a stand-in for buildah shows what it would be given.
cat >"$T/bin/buildah" <<'SH'
#!/bin/bash
[ "$1" = bud ] || exit 1
echo "context: $(cd "$6" && echo *)"
exec cat "$5"
SH
chmod +x "$T/bin/buildah"
for target in debian12 rhel6 rhel7 rocky8 rocky9 rocky9-gpu; do
  "$ENVBUILD" image show "$target" >/dev/null 2>&1 || continue
  PATH="$T/bin:/usr/bin:/bin" build "$target" >"$T/out" 2>"$T/err"
  grep -v '^envbuild: ' "$T/err" | sed '/^context/d' >"$T/text"
  check "$target has its Dockerfile in the program" \
    cmp "$T/text" "$ROOT/Dockerfiles/$target.Dockerfile"
  says "$target: with nothing beside it" '^context: \*$'
done
done_testing
