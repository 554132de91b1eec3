#!/bin/bash
# memory
# timeout: 600
# git lines of a pip section: by commit in the lock, built once, by the builder's own git.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
. "$ROOT/tests/tools/git_server.sh"

project 'project("leaf", "leaf", "1.0", entry="leaf")
project("middle", "middle", "1.0", requires=["leaf @ git+%s/open/leaf.git@v1" % url])
project("mono/parts/part", "part", "1.0", entry="part")
project("secret", "secret", "1.0")
project("local", "local", "1.0", entry="mine")'
for name in leaf middle mono secret local; do
  repository "$name" || exit 1
done
git -C "$T/git/leaf.git" tag v1
(cd "$T/work/leaf" && echo '# later' >>leaf.py && git commit -qam two && git push -q origin main)
mono=$(git -C "$T/git/mono.git" rev-parse main)

lines "git+$url/open/middle.git" "part @ git+$url/dumb/mono.git@$mono#subdirectory=parts/part" \
  "git+file://$T/git/local.git@main#egg=local" "git+http://user:qz-s3cr3t-zq@127.0.0.1:$port/private/secret.git"
expect 0 "pack git lines: smart and dumb http, file, subdirectory, password" "$ENVBUILD" pack --no-test
same "a direct reference in metadata is followed, to its tag" "$(commit_of leaf)" \
  "$(git -C "$T/git/leaf.git" rev-parse v1)"
same "the lock has the commit of a branch" "$(commit_of local)" "$(git -C "$T/git/local.git" rev-parse main)"
check "and the sum of the wheel built of it" grep -q 'envbuild-wheel: local-1.0-py3-none-any.whl' envbuild.lock
check "no password in the lock" sh -c "! grep -q qz-s3cr3t-zq envbuild.lock"
check "nor in the archive" sh -c "! tar xOf gitted.tar.gz | grep -aq qz-s3cr3t-zq"
check "nor in what was said" sh -c "! grep -q qz-s3cr3t-zq '$T/err'"
mkdir "$T/moved" && tar xf gitted.tar.gz -C "$T/moved"
same "all of it runs" "$(bash -c ". '$T/moved/bin/activate' && leaf && part && mine")" "leaf 1.0
part 1.0
local 1.0"
check "direct_url.json says where it came from (PEP 610)" \
  grep -q "\"commit_id\":\"$mono\"" "$T/moved/lib/python3.6/site-packages/part-1.0.dist-info/direct_url.json"
check "every file belongs to one record" python3 "$ROOT/tests/tools/check_records.py" "$T/moved"
check "nothing of this machine is in it" sh -c \
  "! grep -rlE '$T/(project|cache|work)|envbuild-pip' '$T/moved' --exclude-dir=envbuild"

"$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
mv "$T/git" "$T/git.away"
mkdir "$T/aside" && mv "$T/cache/wheels" "$T/cache/built" "$T/aside"
expect 0 "built again from the mirrors in the cache, offline, to the same wheels" \
  "$ENVBUILD" install --offline --locked -p "$T/prefix1"
same "nothing is asked" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx")" ""
rm -rf "$T/cache/wheels" "$T/cache/built" "$T/cache/git"
expect 4 "a repository that vanished" "$ENVBUILD" install --locked -p "$T/prefix2"
check "the message names it" grep -qE "(mono|middle|leaf|local|secret)\.git" "$T/err"
mv "$T/git.away" "$T/git"
rm -rf "$T/cache/wheels" "$T/cache/built"
mv "$T/aside/wheels" "$T/aside/built" "$T/cache"

# --- a branch moves ---
was=$(commit_of local)
(cd "$T/work/local" && sed -i 's/local 1.0/local 1.1/' local.py && git commit -qam more && git push -q origin main)
expect 0 "a branch that moved makes no lock stale" \
  "$ENVBUILD" install --locked -p "$T/prefix2"
same "of the locked commit" "$("$T/prefix2/bin/mine")" "local 1.0"
"$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
expect 0 "lock takes the branch as it is now" "$ENVBUILD" lock
is=$(git -C "$T/git/local.git" rev-parse main)
same "it is in the lock" "$(commit_of local)" "$is"
check "lock says what moved" grep -q "'local': 'main' moved from ${was:0:12} to ${is:0:12}" "$T/err"
same "a whole commit is not asked for" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx" | grep /dumb/mono.git/info/refs)" ""
check "what has not moved is not built again" sh -c "! grep -E '^ *build .*(part|middle|leaf)-' '$T/err'"

done_testing
