#!/bin/bash
# Images from a real registry (Debian's docker-registry), and from one that lies.
# timeout: 240
. "$(dirname "$0")/../lib.sh"
. "$ROOT/tests/tools/containers.sh"
need docker-registry skopeo buildah umoci openssl

root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why") || skip_all "$(cat "$T/why")"
containers_in "$T/containers"
export HOME="$T/home" ENVBUILD_CACHE="$T/cache" ENVBUILD_DATA="$T/data"
export ENVBUILD_NET_RETRIES=3 REGISTRY_AUTH_FILE=
mkdir -p "$HOME" "$T/registry"

# --- images, and a registry that has them ----------------------------------------------------------

mkdir "$T/context"
cat >"$T/context/Dockerfile" <<'DOCKERFILE'
FROM scratch
ADD root.tar /
RUN mkdir -p /opt/a/b && echo one >/opt/a/b/file && echo two >/opt/other && ln -s other /opt/link && ln /opt/other /opt/hard && chmod 4755 /opt/other
RUN rm -r /opt/a && mkdir /opt/a && echo new >/opt/a/new && rm /opt/link && echo late >/opt/late
DOCKERFILE
tar -cf "$T/context/root.tar" -C "$root" --owner=0 --group=0 --exclude './lib64/lib[!c]*' .
buildah bud --layers -t localhost/layered "$T/context" >"$T/bud.log" 2>&1 || {
  fail "buildah makes an image" "$(tail -n 20 "$T/bud.log")"
  done_testing
}
echo arm >"$T/context/arm"
printf 'FROM scratch\nADD arm /arm\n' >"$T/context/arm.Dockerfile"
buildah bud -q --arch arm64 -t localhost/arm -f "$T/context/arm.Dockerfile" "$T/context" >/dev/null
buildah push -q localhost/layered "oci:$T/oci:layered"
buildah push -q --compression-format zstd localhost/layered "oci:$T/zstd:layered"
buildah manifest create localhost/list >/dev/null
buildah manifest add localhost/list localhost/arm >/dev/null
buildah manifest add localhost/list localhost/layered >/dev/null

port=$("$ROOT/tests/tools/registry.sh" start "$T/registry") || {
  fail "docker-registry starts" "$(cat "$T/registry/log")"
  done_testing
}
defer '"$ROOT/tests/tools/registry.sh" stop "$T/registry"'
REGISTRY=127.0.0.1:$port
put() { skopeo copy -q --dest-tls-verify=false "$@"; }
put "oci:$T/oci:layered" "docker://$REGISTRY/team/layered:oci"
put --format v2s2 "oci:$T/oci:layered" "docker://$REGISTRY/team/layered:docker"
put --preserve-digests "oci:$T/zstd:layered" "docker://$REGISTRY/team/zstd:1"
put "oci:$T/oci:layered" "docker://$REGISTRY/private/layered:oci"
buildah manifest push -q --tls-verify=false --all localhost/list "docker://$REGISTRY/team/list:1"

pull() { "$ENVBUILD" image pull "$@"; }
tree_of() { # NAME
  "$ENVBUILD" image show "$1" --json 2>/dev/null |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["image"]["root"])'
}
blobs_asked() { grep -c 'GET /v2/[^ ]*/blobs/' "$T/registry/log"; }
# Names, kinds, sizes, link targets and permissions; without setuid, which import takes away.
listing() { # DIR
  (cd "$1" && find . -mindepth 1 -printf '%P %y %s %l %m\n' | sed -E 's/^(.* d) [0-9]+/\1 0/; s/ [4267]([0-7]{3})$/ \1/' | sort)
}

# --- the tree is the image ------------------------------------------------------------------------

expect 0 "an image of OCI types" pull one "$REGISTRY/team/layered:oci"
says "it says which image that is" "it is '$REGISTRY/team/layered:oci@sha256:[0-9a-f]{64}'"
says "and how much it was" 'pull +3 layers, [0-9]+\.[0-9] MB'
one=$(tree_of one)
umoci unpack --rootless --image "$T/oci:layered" "$T/bundle" >"$T/umoci.log" 2>&1
same "its tree is what umoci makes of it" "$(listing "$T/bundle/rootfs")" "$(listing "$one")"
check "with the same content" diff -r --no-dereference "$T/bundle/rootfs" "$one"
same "whiteouts were heeded" "a a/new hard late other" \
  "$(cd "$one/opt" && find . -mindepth 1 -printf '%P\n' | sort | tr '\n' ' ' | sed 's/ $//')"
same "no work stays" "" "$(ls -A "$T/cache/work")"

before=$(blobs_asked)
expect 0 "the same again" pull one "$REGISTRY/team/layered:oci"
says "is said to be here" 'it was here already'
same "but its configuration nothing was fetched" "$((before + 1))" "$(blobs_asked)"
before=$(blobs_asked)
expect 0 "the same layers with docker's types, by another name" pull two "$REGISTRY/team/layered:docker"
same "are not fetched either" "$((before + 1))" "$(blobs_asked)"
same "one tree serves both" "$one" "$(tree_of two)"

pinned=$(skopeo inspect --tls-verify=false --format '{{.Digest}}' "docker://$REGISTRY/team/layered:docker")
expect 0 "by digest" pull two "$REGISTRY/team/layered@$pinned"
"$ENVBUILD" image show two >"$T/show" 2>&1
says "which is what is remembered" "$REGISTRY/team/layered@$pinned" "$T/show"

export ENVBUILD_DATA="$T/data.zstd"
expect 0 "layers in zstd" pull z "$REGISTRY/team/zstd:1"
check "make the same tree" diff -r --no-dereference "$one" "$(tree_of z)"
export ENVBUILD_DATA="$T/data.docker"
expect 0 "docker's types from the first byte on" pull d "$REGISTRY/team/layered:docker"
check "make it, too" diff -r --no-dereference "$one" "$(tree_of d)"

# --- a list of manifests --------------------------------------------------------------------------

export ENVBUILD_DATA="$T/data.list"
expect 0 "of a list the machine's own" pull rhel7 "$REGISTRY/team/list:1"
check "is the right one" diff -r --no-dereference "$one" "$(tree_of rhel7)"
mkdir targets
sed -e 's/^name:.*/name: arm/' -e 's/^subdir:.*/subdir: linux-aarch64/' \
  -e "s|reference:.*|reference: $REGISTRY/team/list:1|" -e '/dockerfile/d' \
  "$ROOT/images/targets/rhel7.yml" >targets/arm.yml
expect 2 "the target's subdir chooses, and its reference is the default" pull arm
says "glibc is held against the profile" "the image has no glibc, target 'arm' says 2.17"
sed -i 's/linux-aarch64/linux-s390x/' targets/arm.yml
expect 2 "a machine that is not in the list" pull arm
says "those that are there are named" \
  'no image for linux/s390x in it, but linux/(arm64, linux/amd64|amd64, linux/arm64)'
expect 2 "glibc that is not the target's" pull rhel6 "$REGISTRY/team/list:1"
says "both versions are named" "the image has glibc 2.17, target 'rhel6' says 2.12"
expect 2 "an image for another machine that is no list" pull x "$REGISTRY/team/list@$(
  skopeo inspect --raw --tls-verify=false "docker://$REGISTRY/team/list:1" | python3 -c '
import json, sys
print(*(m["digest"] for m in json.load(sys.stdin)["manifests"] if m["platform"]["architecture"] == "arm64"))')"
says "says for which it is" 'it is for linux/arm64, not for linux/amd64'

# --- what is not there ----------------------------------------------------------------------------

expect 4 "a tag that is not there" pull x "$REGISTRY/team/layered:no"
says "those that are there are listed" "hint: tags that it has: '(oci', 'docker'|docker', 'oci')"
expect 4 "an image that is not there" pull x "$REGISTRY/team/none"
expect 2 "no reference and no target" pull x
says "is said" "'x' is no target"
expect 2 "a reference that is none" pull x "$REGISTRY/Team/x"
says "it says why" 'such names are in lower case'
expect 2 "without a network" pull x "$REGISTRY/team/layered:oci" --offline
says "import is named" "envbuild image import x FILE"
expect 4 "a registry that is not there" pull x 127.0.0.1:1/x
says "and how to do without one" "hint: .*image import x FILE"
says "is said at once" "connection refused"
expect 4 "over https where the host is not this one" pull x "localhost.localdomain.invalid/x"
says "https is asked" "https://localhost.localdomain.invalid/v2/x/manifests/latest"
expect 4 "unless --plain-http" pull x localhost.localdomain.invalid/x --plain-http
says "http is asked" "'http://localhost.localdomain.invalid/v2/x/manifests/latest"

# --- lies -----------------------------------------------------------------------------------------

"$ROOT/tests/tools/registry_liar.py" "$T/lies" "$port" &
liar=$!
defer "kill $liar 2>/dev/null; wait $liar 2>/dev/null"
while [ ! -f "$T/lies" ]; do sleep 0.1; done
LIAR=127.0.0.1:$(cat "$T/lies")
export ENVBUILD_DATA="$T/data.lies" ENVBUILD_NET_RETRIES=2
lie() { # STATUS NAME KIND PATTERN [REFERENCE]
  expect "$1" "$2" pull x "$LIAR/$3/${5:-team/layered:oci}"
  says "$2: it says so" "$4"
}
lie 5 "blobs with other bytes" wrong "blob 'sha256:[0-9a-f]+': it is sha256:[0-9a-f]+, not sha256:"
lie 5 "blobs that are too long" long "more than the expected [0-9]+ bytes from"
lie 4 "blobs that are cut short" cut "the connection ended before the file did"
lie 5 "a manifest without an end" huge 'more than the expected 4194304 bytes'
lie 4 "redirects without an end" loop 'more than 10 redirects'
lie 5 "a header that says another digest" sum "and the registry says sha256:0+"
lie 5 "another manifest than that of the digest" other "it is sha256:[0-9a-f]+, not $pinned" \
  "team/layered@$pinned"
lie 2 "schema version 1" schema1 'schema version 1, which is not read'
lie 2 "a layer that lies elsewhere" foreign 'lies outside the registry'
lie 2 "what is no image" helm "no image of a root file system, but 'application/vnd.cncf.helm"
lie 2 "a list in a list" nested 'a list of lists'
lie 4 "a tag that is gone" gone "tags that it has: "
lie 4 "a redirect to a file" downgrade "not http"
lie 4 "a token from a file" realm "from a place that is no URL of https"
lie 4 "a token from another machine over http" remote "from a place that is no URL of https"
if sh -c 'ulimit -v 500000; exec "$0" --version' "$ENVBUILD" >/dev/null 2>&1; then
  # shellcheck disable=SC2016
  expect 4 "a long challenge takes no memory" sh -c 'ulimit -v 500000 && exec "$@"' sh \
    "$ENVBUILD" image pull x "$LIAR/chatty/team/layered:oci"
fi
lie 4 "no challenge" mute "does not give 'mute/team/layered' to everybody"
same "nothing of these was kept" "" "$(find "$T/data.lies/images/names" "$T/data.lies/images/trees" -mindepth 1 2>/dev/null)"
same "no work stays after failures" "" "$(ls -A "$T/cache/work")"

expect 0 "a line that drops" pull x "$LIAR/drop/team/layered:oci"
check "goes on where it broke off" grep -Eq '/blobs/[^ ]* 206 bytes=[1-9][0-9]+-' "$T/lies.log"
check "and is whole" diff -r --no-dereference "$one" "$(tree_of x)"

# Ends a pull that has half of its layers.
broken_off() { # SIGNAL
  "$ENVBUILD" image pull k "$LIAR/stall/team/layered:oci" >"$T/out" 2>"$T/err" &
  broken=$!
  until [ -n "$(find "$T/cache/work" -name 'layer*' -size +1M 2>/dev/null)" ]; do
    kill -0 "$broken" 2>/dev/null || break
    sleep 0.1
  done
  kill "-$1" "$broken"
  wait "$broken" 2>/dev/null
}
export ENVBUILD_DATA="$T/data.killed"
broken_off TERM
same "a signal ends a pull by that signal" 143 $?
says "which is said" 'interrupted by Terminated'
same "and no work stays" "" "$(ls -A "$T/cache/work")"
broken_off KILL
same "one that is killed" 137 $?
expect 0 "harms no later one" pull k "$LIAR/honest/team/layered:oci"
same "which clears away what it left" "" "$(ls -A "$T/cache/work")"

export ENVBUILD_DATA="$T/data.away"
expect 0 "blobs at another host" pull x "$LIAR/away/team/layered:oci"
check "the registry gets the token" grep -q ' 127.0.0.1:[0-9]* Bearer t-s3cret' "$T/lies.log"
same "the other host does not" "" \
  "$(grep '^/stored/' "$T/lies.log" | grep -v ' 200 - localhost:[0-9]* -$')"
check "and was asked" grep -q '^/stored/v2/team/layered/blobs/' "$T/lies.log"
export ENVBUILD_DATA="$T/data.tired"
expect 0 "tokens that expire on the way are asked for anew" pull x "$LIAR/tired/team/layered:oci"

# --- who one is -----------------------------------------------------------------------------------

login='{"auths": {"LIAR": {"auth": "bWU6cC1zM2NyZXQ="}}}'
export ENVBUILD_DATA="$T/data.basic"
lie 4 "user and password are wanted" basic "does not give 'basic/team/layered' to everybody"
says "what to do is said" 'podman login'
echo "${login/LIAR/$LIAR}" >"$T/auth.json"
REGISTRY_AUTH_FILE="$T/auth.json" expect 0 "the file of podman login" \
  pull x "$LIAR/basic/team/layered:oci" -v
check "no password is shown" sh -c "! grep -E 's3cret|bWU6' '$T/err' '$T/out'"
REGISTRY_AUTH_FILE="$T/auth.json" lie 4 "who blobs are redirected to asks for the login" thief \
  "cannot fetch '[^']*/blobs/[^']*': .*401"
check "and was asked" grep -q '^/stolen 401 - localhost:' "$T/lies.log"
same "it does not get it" "" "$(grep '^/token?thief' "$T/lies.log")"
mkdir "$HOME/.docker"
echo "${login/LIAR/$LIAR\/basic\/team}" >"$HOME/.docker/config.json"
expect 0 "docker's own file" pull y "$LIAR/basic/team/layered:oci"
echo '{"credsStore": "secretservice"}' >"$HOME/.docker/config.json"
lie 4 "a credential helper" basic 'does not give'
says "is not run, which is said" 'credential helper, which envbuild does not run'
rm "$HOME/.docker/config.json"
printf 'machine 127.0.0.1 login me password p-s3cret\n' >"$HOME/.netrc"
chmod 600 "$HOME/.netrc"
expect 0 "netrc" pull z "$LIAR/basic/team/layered:oci"
rm "$HOME/.netrc"

# docker-registry's own tokens: JWTs signed with a key that it trusts.
mkdir "$T/tokens"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$T/tokens/key.pem" -out "$T/tokens/cert.pem" \
  -subj /CN=tests -days 2 2>"$T/openssl.log"
"$ROOT/tests/tools/registry_tokens.py" "$T/tokens/port" "$T/tokens/key.pem" "$T/tokens/cert.pem" &
tokens=$!
defer "kill $tokens 2>/dev/null; wait $tokens 2>/dev/null"
while [ ! -f "$T/tokens/port" ]; do sleep 0.1; done
mkdir -p "$T/closed"
ln -s "$T/registry/data" "$T/closed/data"
port=$("$ROOT/tests/tools/registry.sh" start "$T/closed" "auth:
  token:
    realm: http://127.0.0.1:$(cat "$T/tokens/port")/token
    service: closed
    issuer: tests
    rootcertbundle: $T/tokens/cert.pem")
defer '"$ROOT/tests/tools/registry.sh" stop "$T/closed"'
CLOSED=127.0.0.1:$port
export ENVBUILD_DATA="$T/data.tokens"
expect 0 "a token for nobody in particular" pull x "$CLOSED/team/layered:oci"
same "is asked for once, to pull" "repository:team/layered:pull -" "$(cat "$T/tokens/port.log")"
check "makes the same tree" diff -r --no-dereference "$one" "$(tree_of x)"
expect 4 "a private image" pull y "$CLOSED/private/layered:oci"
says "is not for everybody" "does not give 'private/layered' to everybody"
echo "${login/LIAR/$CLOSED}" >"$T/auth.json"
export REGISTRY_AUTH_FILE="$T/auth.json"
expect 0 "is for the user who has a login" pull y "$CLOSED/private/layered:oci"
sed -i 's/bWU6cC1zM2NyZXQ=/bWU6bm8=/' "$T/auth.json"
expect 4 "but not with a wrong one" pull z "$CLOSED/private/layered:oci"
says "which is said" 'to the user of the login that is known for it'
echo '{"auths": {"x": {"auth": "s3 cret"}}}' >"$T/auth.json"
expect 2 "a file of logins that is broken" pull z "$CLOSED/private/layered:oci"
says "is named, and nothing of it" "auth.json:1:[0-9]+: 'auth' is no base64$"

done_testing
