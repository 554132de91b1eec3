#!/bin/bash
# timeout: 1200
# Python, requests, a link script and a pip section, the whole way under each engine; podman without
# root; a terminal; a fork bomb. `make test-engines` runs it.
# by hand
. "$(dirname "$0")/../lib.sh"
need setpriv python3 zstd script
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
[ "$(id -u)" = 0 ] || skip_all "needs root, for dockerd and to become another user"
root=$("$ROOT/tests/tools/roots.sh" bookworm 2>"$T/root.err") || skip_all "$(tail -n 1 "$T/root.err")"
. "$ROOT/tests/tools/engines.sh"
unset ENVBUILD_ENGINE
mkdir "$T/bin" && cp "$ENVBUILD_TOOLS/sandbox" "$ENVBUILD" "$T/bin"
start_podman && ok "podman works"
start_docker && ok "dockerd works"
tool=$T/bin/sandbox

mkdir "$T/channel" "$T/project" && cd "$T/project" || exit 1
(cd "$T" && PYTHONPATH=$ROOT/tests/tools python3 - <<'END'
from make_package import Channel, member
from make_wheels import wheel
Channel("channel").tarball("linked", [member("bin/.linked-post-link.sh",
    b'"$PREFIX/bin/python" -c "import requests; print(requests.__name__)" >"$PREFIX/share/linked"\n'),
    member("share/other", b"x")], index={"noarch": "generic", "depends": ["requests"]},
    record={"depends": ["requests"]})
wheel("project", "greeting", "1.0", entry="greet")
END
)
"$ENVBUILD" channel index -q "$T/channel" || exit 1
wheel=$(find . -name 'greeting*.whl' -printf '%f')
cat >environment.yml <<END
name: site
channels: [file://$T/channel, file://$ENVBUILD_SHARED_DATA/channel]
dependencies:
  - python=3.7.0
  - requests
  - linked
  - pip
  - pip:
    - --no-index
    - ./$wheel
END
cat >run-test.sh <<'END'
python -c "import requests, ssl, sqlite3, ctypes"
test "$(greet)" = "greeting 1.0"
test "$(cat "$CONDA_PREFIX/share/linked")" = requests
touch changed
END
cat >target.yml <<'END'
name: target
subdir: linux-64
virtual-packages: [__glibc=2.36, __linux=5.0, __unix=0=0, __archspec=1=x86_64]
END
ways="builtin user ${podman:+podman} ${docker:+docker}"

# Rootless: subordinate ids may be missing; then podman maps the user's own only.
rootless=
if [ -n "$podman" ]; then
  cp -a "$root" "$T/user/root"
  chown -R $user:$user "$T/user/root"
  # one process of podman's holds its user namespace until the machine ends
  defer 'find "$T/user" -name pause.pid -exec cat {} + | xargs -r kill'
  if as_user podman run --rm --network none --rootfs "$T/user/root:O" true >"$T/rootless" 2>&1; then
    ok "podman works without root"
    rootless=rootless
    ways="$ways rootless"
  else
    skip "podman without root" "$(tail -n 1 "$T/rootless")"
  fi
fi
cp -r "$T/project" "$T/user/project"
chown -R $user "$T/user/project"
for way in $ways; do
  engine=$way here=$T/project as='' image=$root
  case $way in
  user) engine=builtin here=$T/user/project as=as_user ;;
  rootless) engine=podman here=$T/user/project as=as_user image=$T/user/root ;;
  esac
  cd "$here" || exit 1
  options=(-t ./target.yml --image "$image" --engine "$engine")
  SECONDS=0
  expect 0 "$way: pack" $as "$T/bin/envbuild" pack "${options[@]}" -o "$way.tar.gz" --test run-test.sh
  echo "# $way: $SECONDS s"
  check "$way: the same archive" cmp "$way.tar.gz" "$T/project/builtin.tar.gz"
  expect 0 "$way: test of the archive" $as "$T/bin/envbuild" test "$way.tar.gz" "${options[@]}"
  expect 5 "$way: run" $as "$T/bin/envbuild" run "$way.tar.gz" "${options[@]}" -- \
    python -c 'import os, requests, sys; print(sys.version.split()[0]); sys.exit(5)'
  same "$way: the environment's Python" "$(tail -n 1 "$T/out")" 3.7.0
  words="$T/bin/envbuild run $way.tar.gz ${options[*]} -- sh -c 'test -t 0 && test -t 1 && read x && echo got \$x; exit 4'"
  printf 'word\n' | $as script --quiet --return --command "$words" "$T/user/typed.$way" >"$T/out" 2>"$T/err"
  same "$way: a terminal and the status" "$?" 4
  says "$way: what was typed" 'got word' "$T/out"
done

for way in builtin user $podman $docker $rootless; do
  as='' engine=$way image=$root state=$engines/state
  case $way in
  user) as=as_user engine=builtin state=$T/user/state ;;
  rootless) as=as_user engine=podman image=$T/user/root state=$T/user/state ;;
  esac
  SECONDS=0
  $as "$tool" --engine "$engine" --root "$image" --state "$state" --processes 400 --timeout 5 -- \
    sh -c 'bomb() { bomb | bomb & }; bomb; sleep 60' >"$T/out" 2>"$T/err"
  check "$way: a fork bomb ends" test $SECONDS -lt 30
  expect 0 "$way: and the next job runs" $as "$tool" --engine "$engine" --root "$image" --state "$state" -- true
done
same "nothing is left" "$(engines_left)" ""
done_testing
