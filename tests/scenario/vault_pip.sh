#!/bin/bash
# memory
# timeout: 300
# A vault of a lock with a pip section: packed from it with an empty cache, where nobody answers.
. "$(dirname "$0")/../lib.sh"
[ -n "$ENVBUILD_SHARED_DATA" ] || skip_all "no real packages (ENVBUILD_SHARED_DATA)"
need python3 nginx
nginx=$ROOT/tests/tools/nginx.sh

export HOME=$T ENVBUILD_NO_FSYNC=1 ENVBUILD_CACHE=$T/cache
unset ENVBUILD_CACHE_LOWER
mkdir "$T/project" && cd "$T/project" || exit 1
PYTHONPATH=$ROOT/tests/tools python3 - <<'EOF' || exit 1
from make_wheels import wheel, sdist, index
wheel("dists", "alpha", "1.0", requires=["delta"], entry="alpha")
sdist("dists", "delta", "0.5", entry="delta")
index("../www", "dists")
EOF
port=$("$nginx" start "$T/nginx" "$T/www") || skip_all "no nginx"
defer "'$nginx' stop '$T/nginx'"
cat >environment.yml <<EOF
name: pipped
channels: [file://$ENVBUILD_SHARED_DATA/channel]
dependencies: [python=3.6.6, pip, {pip: [--index-url http://127.0.0.1:$port/simple, alpha]}]
EOF
expect 0 "lock" "$ENVBUILD" lock -t host
expect 0 "a vault" "$ENVBUILD" vault envbuild.lock "$T/vault"
same "has the wheels, fetched and built" "$(cd "$T/vault/wheels" && printf '%s\n' */*.whl | cut -d/ -f2 | sort | tr '\n' ' ')" \
  "alpha-1.0-py3-none-any.whl delta-0.5-py3-none-any.whl "
"$nginx" stop "$T/nginx"
# Without network where the system lets us; at least nobody answers at the index.
alone() { if unshare -n true 2>/dev/null; then unshare -n "$@"; else "$@"; fi; }
forget() { rm -rf "$T"/cache/{wheels,built,index}; } # that packages come from a vault, vault.sh shows
pack() { alone "$ENVBUILD" pack --locked --offline --no-test -t host -o "$@"; }
forget
expect 4 "pack without it" pack none.tar
check "the message names what is missing" grep -q "alpha-1.0" "$T/err"
forget
expect 0 "pack from it, alone" pack whole.tar --vault "$T/vault"
mkdir "$T/moved" && tar xf whole.tar -C "$T/moved"
same "what both wheels brought runs" "$(bash -c ". '$T/moved/bin/activate' && alpha && delta")" "alpha 1.0
delta 0.5"
printf X | dd of="$(echo "$T"/vault/wheels/*/delta-0.5*)" bs=1 seek=60 conv=notrunc 2>/dev/null
forget
expect 4 "pack from it with a damaged wheel" pack none.tar --vault "$T/vault"
check "it is named" grep -q "delta-0.5" "$T/err"
check "no archive is left" test ! -e none.tar
done_testing
