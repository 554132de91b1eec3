#!/bin/bash
# timeout: 240
# envbuild publish to GitHub and to Gitea, against a server that keeps state and answers as their
# documents say, and breaks as real ones do: one release comes of it, or a clear error; the token goes
# nowhere else.
. "$(dirname "$0")/../lib.sh"
need python3 split
. "$ROOT/tests/tools/publish_archives.sh"
cd "$T" || exit 1
export no_proxy='*' ENVBUILD_NET_RETRIES=1
unset GITHUB_TOKEN GH_TOKEN GITEA_TOKEN FORGEJO_TOKEN ENVBUILD_TOKEN GITHUB_API_URL
"$ROOT/tests/tools/forge_server.py" "$T/port" &
server=$!
defer "kill $server 2>/dev/null; wait $server 2>/dev/null"
while [ ! -f "$T/port" ]; do sleep 0.05; done
at=http://127.0.0.1:$(cat port)
export GITHUB_API_URL=$at/api/v3
GITHUB_TOKEN=gh-s3cret ENVBUILD_NET_TIMEOUT=1 "$ENVBUILD" publish v1/demo.tar.gz --tag v1 --to github:me/mute 2>mute &
mute=$!
cp -r v1 large && truncate -s 32M large/demo.test.log
GITHUB_TOKEN=gh-s3cret ENVBUILD_NET_TIMEOUT=1 "$ENVBUILD" publish large/demo.tar.gz --tag v1 --to github:me/slow 2>slow &
slow=$!
GITHUB_TOKEN=gh-s3cret "$ENVBUILD" publish v1/demo.tar.gz --tag v1 --to github:me/mute 2>asked_to_end &
asked=$!
defer 'kill $mute $slow $asked 2>/dev/null'

publish() { # all that is said is kept
  "$ENVBUILD" publish -vv "$@" >said 2>&1
  local status=$?
  [ $status = 0 ] || cp said said_first
  cat said >>all_said
  cat said >&2
  return "$status"
}
state() { cat "port.$1"; } # what the server has of me/demo: "TAG draft|public NAME:SUM..."
want() { # want TAG DIR: the line for a good release
  printf '%s public' "$1"
  (cd "$2" || exit
    cat demo.tar.gz* | tar xzO conda-meta/envbuild/envbuild.lock >demo.lock
    for f in $(ls demo.* | LC_ALL=C sort); do printf ' %s:%s' "$f" "$(sha256sum "$f" | cut -c 1-8)"; done)
  echo
}
fresh() { # me/demo is empty again
  rm -f port.faults
  touch port.reset
  : >port.log
}
nobody_sees() { ! state "$kind" | grep ' public '; }
asked() { grep -c "$1" port.log; }
# The two that wait for a mute and a slow server ask beside us.
ours() { grep -v -e /me/mute/ -e /me/slow/ port.log; }

for kind in github gitea; do
  case $kind in
  github) to=github:me/demo token=GITHUB_TOKEN secret=gh-s3cret path=/api/v3 uploads=/api/uploads ;;
  gitea) to=gitea:$at/gitea/me/demo token=GITEA_TOKEN secret=gt-s3cret path=/gitea/api/v1 uploads=/gitea/api/v1 ;;
  esac
  away=${to%demo}
  has() { same "$kind: $1" "$(state "$kind")" "$2"; }
  v1=$(want v1 v1) v2=$(want v2 v2)

  # --- who one is ---
  expect 2 "$kind: no token" publish v1/demo.tar.gz --tag v1 --to "$to"
  says "it says where one is looked for" "set ${token}, or put it into netrc"
  expect 4 "$kind: a wrong token" env "$token=wrong-s3cret" "$ENVBUILD" publish -vv v1/demo.tar.gz --tag v1 --to "$to"
  cat err >>all_said
  says "the server's own words" "says 401: (Bad credentials|invalid username)"
  expect 2 "$kind: one with a line end in it" env "$token=$(printf 'a-s3cret\nX: y')" "$ENVBUILD" publish v1/demo.tar.gz --tag v1 --to "$to"
  : >port.log
  export "$token=$secret"
  expect 6 "$kind: what was not tested" publish raw/demo.tar.gz --tag v1 --to "$to"
  same "nothing is asked" "$(ours)" ""
  expect 0 "$kind: --dry-run" publish v1/demo.tar.gz --tag v1 --to "$to" --dry-run
  same "only asks" "$(ours | cut -d ' ' -f 1 | sort -u)" GET
  for repo in nothing demo/x; do
    status=4
    [ "$repo" = nothing ] || [ $kind = gitea ] || status=2
    expect $status "$kind: the repository $repo" publish v1/demo.tar.gz --tag v1 --to "$away$repo"
  done
  expect 4 "$kind: a repository that is not there" publish v1/demo.tar.gz --tag v1 --to "${away}nothing"
  says "says 404 and what to look at" "says 404"
  says "that too" "is 'me/nothing' right, and may the token write its releases"

  # --- a release, and twice ---
  : >port.log
  expect 0 "$kind: publish" publish v1/demo.tar.gz --tag v1 --to "$to"
  has "all files are there" "$v1"
  same "it became public last" "$(ours | grep -v ^GET | tail -1 | cut -d ' ' -f 1)" PATCH
  check "the notes have its sum" sh -c "grep -q '$(cut -c 1-64 v1/demo.sha256)' port.state"
  : >port.log
  expect 0 "$kind: again" publish v1/demo.tar.gz --tag v1 --to "$to"
  says "it says so" 'unchanged$'
  has "the same" "$v1"
  same "it only asked" "$(ours | cut -d ' ' -f 1 | sort -u)" GET
  expect 0 "$kind: the same archive of another run" publish again/demo.tar.gz --tag v1 --to "$to"
  has "its report stays" "$v1"
  expect 1 "$kind: another archive under the tag" publish v2/demo.tar.gz --tag v1 --to "$to"
  says "it says which" "'v1' is published already, with another 'demo.sha256'"
  has "nothing is overwritten" "$v1"

  # --- the next one ---
  expect 0 "$kind: the next release" publish v2/demo.tar.gz --tag v2 --to "$to" --json
  grep '^{' said >document.json
  has "both are there" "$v1
$v2"
  check "$kind: notes compare with the one before" sh -c "grep -q 'Since v1.*## New.*beta.*## Removed.*zeta' port.state"
  check "$kind: the document" grep -q '"status":"created".*"previous":"v1".*"action":"added".*"url":"http' document.json
  expect 0 "$kind: the first again" publish v1/demo.tar.gz --tag v1 --to "$to"
  says "is as it was" 'unchanged$'
  touch port.small
  expect 0 "$kind: with pages of two" publish v2/demo.tar.gz --tag v2 --to "$to"
  says "the same" 'unchanged$'
  rm port.small

  # --- nightly ---
  expect 0 "$kind: parts" publish parts/demo.tar.gz --tag night --to "$to" --prerelease
  has "are there" "$v1
$v2
$(want night parts)"
  expect 0 "$kind: --overwrite" publish v2/demo.tar.gz --tag night --to "$to" --prerelease --overwrite
  has "the whole in their place" "$v1
$v2
$(want night v2)"

  # --- breaking ---
  fault() { printf '%s\n' "$@" >port.faults; }
  try() { # try STATUS NAME FAULT...: then, without it, again: one release, as it should be
    fresh
    fault "${@:3}"
    expect "$1" "$kind: $2" publish v1/demo.tar.gz --tag v1 --to "$to"
    if [ "$1" != 0 ]; then
      check "$kind: $2: it is not public" nobody_sees
      rm -f port.faults
      expect 0 "$kind: $2: the next run" publish v1/demo.tar.gz --tag v1 --to "$to"
    fi
    has "$2: one release" "$v1"
    rm -f port.faults
  }
  up="POST $uploads/.*demo.tar.gz"
  try 0 "500 once for a file" "1 $up status 500"
  try 4 "500 for ever" "99 $up status 500"
  says "the server's words" "cannot upload 'demo.tar.gz': Git[A-Za-z]* says 500: It does not work now" said_first
  try 4 "500 for ever when it is made" "99 POST $path/repos/me/demo/releases$ status 500"
  try 0 "502 when it is made public" "1 PATCH $path status 502"
  try 0 "hung up in the middle of a file" "1 $up drop 20000"
  try 4 "hung up in the middle for ever" "99 $up drop 20000"
  try 0 "the answer to a file is lost" "1 $up lost"
  try 0 "the answer to making it is lost" "1 POST $path/repos/me/demo/releases$ lost"
  try 0 "the answer to making it public is lost" "1 PATCH $path lost"
  start=$(date +%s%N)
  case $kind in
  github) try 0 "503 with a date to come again" "1 $up status 503 Retry-After=@2" ;;
  *) try 0 "429 with Retry-After" "1 POST $path/repos/me/demo/releases$ status 429 Retry-After=1" ;;
  esac
  check "it waited" test $((($(date +%s%N) - start) / 1000000)) -ge 990
  try 4 "429 until tomorrow" "99 $up status 429 Retry-After=86400"
  try 4 "429 for ever" "99 $up status 429 Retry-After=0"
  try 4 "422 for a file" "99 $up status 422"
  says "the server's words" "cannot upload 'demo.tar.gz': Git[A-Za-z]* says 422: It does not work now" said_first
  same "it was asked once" "$(asked 'demo.tar.gz.* 422$')" 1
  try 4 "422 when it is made" "99 POST $path/repos/me/demo/releases$ status 422"

  # --- two at once: the other one was faster ---
  fresh
  publish v1/demo.tar.gz --tag v1 --to "$to" 2>/dev/null
  fault "1 GET $path/repos/me/demo/releases/tags/v1 status 404"
  expect 1 "$kind: another run has published it meanwhile" publish v1/demo.tar.gz --tag v1 --to "$to"
  says "it says so" "'v1' was just published by another run"
  check "the server had said it" grep -Eq '^POST .*/releases .* (409|422)$' port.log
  rm port.faults
  has "there is one release" "$v1"

  # --- killed ---
  kill_it() { # kill_it OPTION...: while it uploads the archive
    fault "1 $up stall"
    : >port.log
    "$ENVBUILD" publish --to "$to" -q "$@" &
    local pid=$!
    while ! grep -q 'demo.sha256.* 201$' port.log; do sleep 0.05; done
    sleep 0.2
    kill -KILL $pid
    wait $pid 2>/dev/null
    rm port.faults
  }
  fresh
  kill_it v1/demo.tar.gz --tag v1
  check "$kind: killed while it uploads: nobody sees it" nobody_sees
  expect 0 "$kind: the next run" publish v1/demo.tar.gz --tag v1 --to "$to"
  has "goes on with it" "$v1"
  kill_it v2/demo.tar.gz --tag v1 --overwrite
  same "$kind: killed while it overwrites: the older files are still there" \
    "$(state $kind | sed 's/ [^ ]*\.incoming:[^ ]*//g')" "$v1"
  expect 0 "$kind: killed while it overwrites: the next run" publish v2/demo.tar.gz --tag v1 --to "$to" --overwrite
  has "does what is left" "$(want v1 v2)"
  fault "99 PATCH $path/repos/me/demo/releases/.*assets/ status 500"
  expect 4 "$kind: files cannot be renamed" publish v1/demo.tar.gz --tag v1 --to "$to" --overwrite
  rm port.faults
  expect 0 "$kind: files cannot be renamed: the next run" publish v1/demo.tar.gz --tag v1 --to "$to" --overwrite
  has "does what is left again" "$v1"

  # --- a signature belongs to one attestation ---
  fresh
  rm -rf signed && cp -r v1 signed && attest one signed
  expect 0 "$kind: attested" publish signed/demo.tar.gz --tag v1 --to "$to"
  attest two signed && echo s >signed/demo.intoto.jsonl.sig
  expect 0 "$kind: attested again, and signed" publish signed/demo.tar.gz --tag v1 --to "$to"
  check "the older attestation gets no other's signature" sh -c "! grep -q intoto.jsonl.sig port.$kind"
done

# --- GitHub alone ---
to=github:me/demo v1=$(want v1 v1) kind=github
fresh
expect 0 "GitHub: a renamed repository (307)" publish v1/demo.tar.gz --tag v1 --to github:me/old
same "the method stays" "$(state github)" "$v1"
check "it was led there" grep -q '^POST /api/v3/repos/me/old/releases .* 307$' port.log
expect 4 "GitHub: led to another host" publish v1/demo.tar.gz --tag v1 --to github:me/away
expect 4 "GitHub: uploads at another host" publish v1/demo.tar.gz --tag v1 --to github:me/liar
says "it says why not" 'that is another host, and the token does not go there'
touch port.nodigest
expect 0 "GitHub: no digests" publish v1/demo.tar.gz --tag v1 --to "$to"
says "files are compared by their bytes" 'unchanged$'
check "which lie elsewhere" grep -q '^GET /storage/.* localhost:[0-9]* - 200$' port.log
rm port.nodigest
GITHUB_TOKEN=ro-s3cret expect 4 "GitHub: a token that may only read" publish v2/demo.tar.gz --tag v2 --to "$to"
says "403 in its words" 'says 403: Resource not accessible by personal access token'
printf '%s\n' "1 POST /api/v3/repos/me/demo/releases$ status 403 x-ratelimit-remaining=0 x-ratelimit-reset=+1" >port.faults
expect 0 "GitHub: its rate limit" publish v2/demo.tar.gz --tag v2 --to "$to"
rm port.faults
sha=0123456789012345678901234567890123456789
expect 0 "GitHub: --commit" publish v2/demo.tar.gz --tag night --to "$to" --commit $sha
check "the tag is there" grep -q "\"night\": \"$sha\"" port.state
expect 0 "GitHub: --commit --overwrite" publish v1/demo.tar.gz --tag night --to "$to" --overwrite --commit ${sha#0}f
check "moves it" grep -q "\"night\": \"${sha#0}f\"" port.state
expect 2 "GitHub: --commit with a branch" publish v1/demo.tar.gz --tag night --to "$to" --commit main
printf 'machine 127.0.0.1\n  login me # mine\n  password "gh-s3cret"\n' >"$HOME/.netrc"
(unset GITHUB_TOKEN && publish v1/demo.tar.gz --tag night --to "$to") 2>/dev/null
check "GitHub: the token of netrc" grep -q 'unchanged$' said
rm "$HOME/.netrc"
GITHUB_TOKEN=x ENVBUILD_TOKEN=gh-s3cret expect 0 "ENVBUILD_TOKEN comes first" publish v1/demo.tar.gz --tag night --to "$to"
GITHUB_API_URL=$at/gitea/api/v1 expect 2 "the API of Gitea's actions" publish v1/demo.tar.gz --tag v1 --to "$to"
GITHUB_API_URL=ftp://x expect 2 "no URL" publish v1/demo.tar.gz --tag v1 --to "$to"
GITHUB_API_URL=http://127.0.0.1:1 expect 4 "nobody there" publish v1/demo.tar.gz --tag v1 --to "$to"
says "it says so" "cannot fetch 'http://127.0.0.1:1/.*': connection refused"

# --- Gitea alone ---
expect 4 "Gitea: too large (413)" publish v1/demo.tar.gz --tag v1 --to "gitea:$at/gitea/me/small"
says "what helps" 'pack --split'
expect 2 "Gitea: no way to move a tag" publish v1/demo.tar.gz --tag v1 --to "gitea:$at/gitea/me/demo" --overwrite --commit $sha
says "but git's" "git push -f origin $sha:refs/tags/v1"
expect 2 "Gitea: a password in the URL" publish v1/demo.tar.gz --tag v1 --to "gitea:http://me:pw-s3cret@127.0.0.1/me/demo"

# --- a server that stalls ---
wait "$slow"
same "a server that reads no more" "$?" 4
slow=
says "is not waited for, either" "cannot upload 'demo.test.log': cannot send to '.*/me/slow/releases/[0-9]*/assets': timed out" slow
kill -TERM $asked
wait $asked
same "asked to end it ends" "$?" 143
asked=
wait "$mute"
same "a server that says nothing" "$?" 4
mute=
says "is not waited for" "cannot read the release: cannot fetch '.*/me/mute/releases/tags/v1': timed out" mute

# --- the token ---
check "no token in all that was said" sh -c "! grep s3cret all_said mute slow asked_to_end"
check "none went to another host" sh -c "! grep ' localhost:[0-9]* .*s3cret' port.log && ! grep -v ' 127.0.0.1:' port.log | grep -v ' - '"
done_testing
