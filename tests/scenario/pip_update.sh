#!/bin/bash
# memory
# timeout: 600
# lock --update and a pip section: the named package is resolved anew, versions and commits of the
# others stay; without a name of PyPI pip is not even run.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need git
. "$ROOT/tests/tools/index_server.sh"
export GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
dists() { # dists CODE: adds to the index
  (cd "$T/project" && PYTHONPATH=$ROOT/tests/tools python3 -c "
from make_wheels import wheel, index
$1
index('../www', 'dists')") || exit 1
}
versions() {
  python3 - envbuild.lock <<'PY'
import re, sys
text = open(sys.argv[1]).read()
print(*sorted(re.findall(r"^- pypi: \S+\n  name: (\S+)\n  version: '?([^\n']+)", text, re.M)))
PY
}
commit() { sed -n 's/^- pypi: git+.*#//p' envbuild.lock; }

(PYTHONPATH=$ROOT/tests/tools python3 -c 'from make_wheels import project; project("../repo", "repo", "3.0")' &&
  cd ../repo && git init -q -b main . && git add -A && git commit -q -m one) || exit 1
lines alpha liar toonew "git+file://$T/repo@main#egg=repo"
dists 'pass'
expect 0 "lock" "$ENVBUILD" lock
first="('alpha', '1.0') ('beta', '2.0') ('delta', '0.5') ('gamma', '1.1') ('liar', '1.0') ('repo', '3.0') ('toonew', '0.9')"
same "what there is" "$(versions)" "$first"
was=$(commit)
cp envbuild.lock first.lock

dists 'wheel("dists", "alpha", "1.1", requires=["beta>=2.5", "gamma[fast]"])
wheel("dists", "liar", "1.1")
wheel("dists", "gamma", "1.2", extras=["fast"], requires=["delta; extra == \"fast\""])'
(cd ../repo && sed -i 's/3.0/3.1/' ./*.py setup.* 2>/dev/null; git commit -qam two)
"$ROOT/tests/tools/nginx.sh" forget "$T/nginx"
expect 0 "update a package of conda" "$ENVBUILD" lock --update six
same "asks no index" "$("$ROOT/tests/tools/nginx.sh" log "$T/nginx")" ""
check "and changes nothing" cmp first.lock envbuild.lock
expect 0 "update one of PyPI" "$ENVBUILD" lock --update liar
same "moves it alone" "$(versions)" "${first/"'liar', '1.0'"/"'liar', '1.1'"}"
same "the branch stays where it was" "$(commit)" "$was"
says "it is said" "host: liar 1.0 -> 1.1"
expect 0 "one that its dependencies do not allow" "$ENVBUILD" lock --update Alpha
says "makes pip choose all anew, which is said" "chosen anew"
same "the newest, and what it forces" "$(versions | tr ')' '\n' | grep -E 'alpha|beta')" "('alpha', '1.1'
 ('beta', '3.0'"
expect 0 "update the branch" "$ENVBUILD" lock --update repo
check "which has moved" test "$(commit)" = "$(git -C ../repo rev-parse main)"
expect 0 "what was locked can be installed" "$ENVBUILD" install --locked -p "$T/env"
done_testing
