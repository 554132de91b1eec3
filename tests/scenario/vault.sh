#!/bin/bash
# memory
# timeout: 120
# A vault of a lock: filled from a channel, gone on with, mended; pack and install from it with an
# empty cache and no network; solving from it.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T ENVBUILD_NO_FSYNC=1
need python3 zstd bzip2 nginx
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
field() { python3 -c "import json,sys; d=json.load(open('$T/out')); print($1)"; }
vault() { # vault STATUS NAME OPTION...: with a cache of its own
  vault_status=$1 vault_name=$2
  shift 2
  ENVBUILD_CACHE=$T/vcache expect "$vault_status" "$vault_name" \
    "$ENVBUILD" vault envbuild.lock "$T/vault" "$@"
}
asked() { "$ROOT/tests/tools/nginx.sh" log "$T/nginx" | grep -c "GET /channel/noarch/[a-z]*-1.0-0"; }
# Without network where the system lets us; at least nobody answers at the channel's address.
alone() { if unshare -n true 2>/dev/null; then unshare -n "$@"; else "$@"; fi; }

python3 "$ROOT/tests/tools/small_channel.py" "$T/www/channel"
"$ENVBUILD" channel index "$T/www/channel" -q || exit 1
# The index says more of alpha's dependencies than the package does, as channels do that mend them.
python3 - "$T/www/channel/noarch/repodata.json" <<'EOF'
import json, sys
d = json.load(open(sys.argv[1]))
d['packages.conda']['alpha-1.0-0.conda']['depends'] = ['delta >=1.0']
json.dump(d, open(sys.argv[1], 'w'))
EOF
rm "$T/www/channel/noarch/repodata.json.zst"
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
cat >environment.yml <<EOF
name: small
channels: [http://127.0.0.1:$port/channel]
dependencies: [alpha, beta, zeta]
EOF
echo 'test "$(alpha)" = alpha -a -f "$CONDA_PREFIX/share/zeta/conf"' >run-test.sh
export ENVBUILD_CACHE=$T/cache
expect 0 "a lock" "$ENVBUILD" lock -t host
expect 0 "an archive for comparison" "$ENVBUILD" pack --locked -t host --test run-test.sh -o plain.tar.gz

vault 0 "a vault" --json
same "has what the lock needs" "$(field "d['packages'], d['wheels'], d['added']")" "4 0 4"
same "the files of the channel" "$(cd vault && sha256sum noarch/*-1.0-0.*)" \
  "$(cd www/channel && sha256sum noarch/{alpha,beta,delta,zeta}-1.0-0.*)"
same "the lock" "$(cat vault/envbuild.lock)" "$(cat envbuild.lock)"
same "with the dependencies that the channel gives" \
  "$(python3 -c 'import json; print(json.load(open("vault/noarch/repodata.json"))["packages.conda"]["alpha-1.0-0.conda"]["depends"])')" \
  "['delta >=1.0']"
same "asked once for each" "$(asked)" "$((2 * 4))" # by pack, by vault
before=$(asked)
sums=$(cd vault && find . -type f -exec sha256sum {} + | sort)
vault 0 "again" --json
same "adds nothing" "$(field "d['added'], d['bytes']")" "0 0"
same "asks for nothing" "$(asked)" "$before"
same "changes nothing" "$(cd vault && find . -type f -exec sha256sum {} + | sort)" "$sums"
printf x | dd of=vault/noarch/alpha-1.0-0.conda bs=1 seek=50 conv=notrunc 2>/dev/null
rm vault/noarch/beta-1.0-0.conda
vault 0 "a damaged and a missing file"
says "are noticed" "alpha-1.0-0.conda' is replaced: .*sha256"
same "and fetched, only these" "$(asked)" "$((before + 2))"
same "so that it is whole" "$(cd vault && find . -type f -exec sha256sum {} + | sort)" "$sums"

# What the channel serves must be what the lock says.
rm vault/noarch/alpha-1.0-0.conda
cp -p www/channel/noarch/alpha-1.0-0.conda keep
printf x | dd of=www/channel/noarch/alpha-1.0-0.conda bs=1 seek=50 conv=notrunc 2>/dev/null
vault 5 "a channel that serves another file"
check "nothing of it is in the vault" test ! -e vault/noarch/alpha-1.0-0.conda
same "nor a temporary" "$(find vault -name '.*.tmp')" ""
vault 4 "offline, and it is nowhere" --offline
says "the file is named" "'alpha-1.0-0.conda' is neither in the vault nor in a layer"
mkdir flat && cp keep flat/alpha-1.0-0.conda
ENVBUILD_CACHE_LOWER=$T/flat vault 0 "offline, from a layer" --offline
same "it is whole again" "$(cd vault && find . -type f -exec sha256sum {} + | sort)" "$sums"
vault 2 "a target that the lock does not have" -t rhel7
cp -p keep www/channel/noarch/alpha-1.0-0.conda

# Killed while it fetches: the next run goes on.
mkdir slow && cp envbuild.lock slow/
ENVBUILD_CACHE=$T/vcache "$ENVBUILD" vault slow/envbuild.lock "$T/killed" -q 2>/dev/null &
killed=$!
sleep 0.02
kill -KILL $killed 2>/dev/null
wait $killed 2>/dev/null
ENVBUILD_CACHE=$T/vcache expect 0 "after a kill" "$ENVBUILD" vault slow/envbuild.lock "$T/killed"
find killed -name '.*.tmp' -delete # left for an hour, in case somebody is writing them
same "it is whole" "$(cd killed && find . -type f -exec sha256sum {} + | sort)" "$sums"

"$ROOT/tests/tools/nginx.sh" stop "$T/nginx" # from here on nobody answers

ENVBUILD_CACHE=$T/empty1 expect 4 "pack without the vault" alone \
  "$ENVBUILD" pack --locked --offline -t host --no-test -o none.tar.gz
ENVBUILD_CACHE=$T/empty2 expect 0 "pack from the vault" alone \
  "$ENVBUILD" pack --locked --offline --vault vault -t host --test run-test.sh -o fromvault.tar.gz
same "gives the same archive" "$(sha256sum <fromvault.tar.gz)" "$(sha256sum <plain.tar.gz)"
ENVBUILD_CACHE=$T/empty3 expect 0 "install from the vault's own lock" alone \
  "$ENVBUILD" install vault/envbuild.lock --offline --vault vault -p p
check "it is there" test -x p/bin/alpha
mkdir solved
sed 's,^channels.*,,' environment.yml >solved/environment.yml
ENVBUILD_CACHE=$T/empty4 expect 0 "solve from the vault" alone \
  "$ENVBUILD" lock solved -c "$T/vault" --override-channels --offline -t host
same "gives the same packages" "$(grep -o '[a-z]*-1.0-0[.a-z0-9]*$' solved/envbuild.lock | sort -u)" \
  "$(grep -o '[a-z]*-1.0-0[.a-z0-9]*$' envbuild.lock | sort -u)"
expect 2 "a vault that is not there" "$ENVBUILD" install envbuild.lock --vault nothing -p q
says "says what makes one" "envbuild vault LOCK DIR"

# Wheels: fetched, or taken from the cache where they were built.
mkdir -p www/wheels wheels
python3 - <<'EOF'
import hashlib, os, zipfile
rows, at = [], {}
for name in ('fetched', 'built'):
    path = 'www/wheels/%s-1.0-py3-none-any.whl' % name
    with zipfile.ZipFile(path, 'w') as z:
        z.writestr(name + '.py', 'x = 1\n')
    at[name] = hashlib.sha256(open(path, 'rb').read()).hexdigest()
url = {'fetched': 'file://%s/www/wheels/fetched-1.0-py3-none-any.whl' % os.getcwd(),
       'built': 'git+https://example.org/built.git?rev=main#' + '1' * 40}
text = open('envbuild.lock').read()
cut = text.index('packages:\n- conda:')
lines = ''.join('      - pypi: %s\n' % url[n] for n in ('fetched', 'built'))
text = text[:cut] + lines + text[cut:]
text += '- pypi: %s\n  name: fetched\n  version: "1.0"\n  sha256: %s\n' % (url['fetched'], at['fetched'])
text += '- pypi: %s\n  name: built\n  version: "1.0"\n  envbuild-wheel: built-1.0-py3-none-any.whl\n  envbuild-wheel-sha256: %s\n' % (url['built'], at['built'])
os.makedirs('wheeled')
open('wheeled/envbuild.lock', 'w').write(text)
folder = 'wcache/wheels/%s/%s' % (at['built'][:2], at['built'])
os.makedirs(folder)
os.rename('www/wheels/built-1.0-py3-none-any.whl', folder + '/built-1.0-py3-none-any.whl')
EOF
ENVBUILD_CACHE=$T/vcache expect 1 "a wheel that was built elsewhere" \
  "$ENVBUILD" vault wheeled/envbuild.lock "$T/vault"
says "is named with its source" "built-1.0-py3-none-any.whl' was built of 'git\\+https"
ENVBUILD_CACHE=$T/wcache expect 0 "wheels" "$ENVBUILD" vault wheeled/envbuild.lock "$T/vault" --json
same "are counted" "$(field "d['packages'], d['wheels'], d['added']")" "4 2 2"
same "and lie by their sums" "$(cd vault/wheels && sha256sum ./*/*.whl |
  awk '{split($2, p, "/"); print ($1 == p[2])}' | sort -u)" 1
done_testing
