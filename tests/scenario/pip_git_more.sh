#!/bin/bash
# memory
# timeout: 600
# git lines that do not do, and a root without git and certificates of its own.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
. "$ROOT/tests/tools/git_server.sh"

project 'project("leaf", "leaf", "1.0")
project("secret", "secret", "1.0")'
for name in leaf secret; do
  repository "$name" || exit 1
done

# --- what does not do ---
lines "git+$url/open/leaf.git@nosuch"
expect 2 "a branch that is not there" "$ENVBUILD" lock
check "the message names it" grep -q "has no branch, tag or commit 'nosuch'" "$T/err"
lines "git+$url/private/secret.git"
expect 4 "a repository that wants a password" "$ENVBUILD" lock
check "nobody is asked for one" grep -q 'private/secret.git' "$T/err"
lines "other @ git+$url/open/leaf.git"
expect 2 "another name than the project's" "$ENVBUILD" lock
check "the message names both" grep -q "'other' is asked for, and what lies there is 'leaf'" "$T/err"

# --- a root without git and certificates of its own ---
if root=$("$ROOT/tests/tools/roots.sh" glibc217 2>"$T/why"); then
  cat >old.yml <<EOF
name: old
subdir: linux-64
virtual-packages: [__glibc=2.17, __linux=3.10, __unix=0=0, __archspec=1=x86_64]
image: {root: $root}
EOF
  project 'project("scm", "scm", "0", entry="scm", setup="""import os, subprocess
version = subprocess.check_output(["git", "describe", "--tags"]).decode().strip()
""")'
  sed -i "s/version='0'/version=version/" "$T/work/scm/setup.py"
  repository scm && git -C "$T/git/scm.git" tag v2.5
  lines "git+$url/open/scm.git"
  expect 0 "a build that asks git, where the image has none" "$ENVBUILD" install -t ./old.yml -p "$T/old"
  check "it got the answer" test -d "$T/old/lib/python3.6/site-packages/scm-2.5.dist-info"
else
  skip "a build that asks git, where the image has none" "$(cat "$T/why")"
fi
done_testing
