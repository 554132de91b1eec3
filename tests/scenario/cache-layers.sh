#!/bin/bash
# timeout: 120
# Read-only layers below the package cache: another cache, pkgs folders of conda and mamba, a
# channel's folder; what is damaged there is never used.
. "$(dirname "$0")/../lib.sh"
export PATH=$PATH:/usr/sbin:/sbin no_proxy='*' HOME=$T ENVBUILD_NO_FSYNC=1
need python3 zstd bzip2 nginx
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1
silent() {
  if grep -Eq -- "$2" "$T/err"; then fail "$1" "$(cat "$T/err")"; else ok "$1"; fi
}
# What the packages brought: content, modes, links.
tree() {
  (cd "$1" && find bin share | LC_ALL=C sort | while read -r f; do
    if [ -L "$f" ]; then
      echo "$f -> $(readlink "$f")"
    elif [ -f "$f" ]; then
      echo "$f $(stat -c %a "$f") $(sed "s,$1,PREFIX," "$f" | sha256sum)"
    fi
  done)
}
sums() { (cd "$1" && find . -type f -exec sha256sum {} + | LC_ALL=C sort -k 2); }

python3 "$ROOT/tests/tools/small_channel.py" "$T/www/channel"
"$ENVBUILD" channel index "$T/www/channel" -q || exit 1
port=$("$ROOT/tests/tools/nginx.sh" start "$T/nginx" "$T/www") || skip_all "nginx does not start"
defer "'$ROOT/tests/tools/nginx.sh' stop '$T/nginx'"
cat >environment.yml <<EOF
name: small
channels: [http://127.0.0.1:$port/channel]
dependencies: [alpha, beta, gamma, delta, epsilon, zeta]
EOF
install() { # install STATUS NAME PREFIX OPTION...: with a cache of its own
  install_status=$1 install_name=$2 install_prefix=$T/$3
  shift 3
  rm -rf "$install_prefix" "$T/cache"
  ENVBUILD_CACHE=$T/cache expect "$install_status" "$install_name" \
    "$ENVBUILD" install envbuild.lock -p "$install_prefix" "$@"
}
export ENVBUILD_CACHE=$T/full
expect 0 "a lock" "$ENVBUILD" lock -t host
install 0 "installed from the network" plain
tree "$T/plain" >expected
expect 0 "the same into a cache that stays" "$ENVBUILD" install envbuild.lock -p "$T/first"
"$ROOT/tests/tools/nginx.sh" stop "$T/nginx" # from here on nobody answers

install 4 "an empty cache and no network" none --offline
says "the package is named" "'[a-z]*-1.0-0[.a-z0-9]*' is not in the cache"

# Another cache: used in place.
export ENVBUILD_CACHE_LOWER=$T/full
sums "$T/full" >before
install 0 "another cache below" lower --offline
same "the prefix is the same" "$(tree "$T/lower")" "$(cat expected)"
same "nothing was copied into the cache" "$(find "$T/cache/pkgs" -type f | wc -l)" 0
same "nothing was written below" "$(sums "$T/full" | grep -v ./locks/)" "$(grep -v ./locks/ before)"
same "its files are linked" "$(stat -c %h "$T/lower/share/alpha/one")" \
  "$(stat -c %h "$T"/full/pkgs/*/*/files/share/alpha/one)"
one=$(echo "$T"/full/pkgs/*/*/files/share/beta/one)
cp -p "$one" one.keep
rm "$one" && tr '\000-\177' '\001-\177\000' <one.keep >"$one" && chmod 644 "$one"
install 4 "a changed file below" changed --offline
says "is seen" "passed over: 'share/beta/one' was changed"
says "and its package is not used" "'beta-1.0-0.conda' is not in the cache"
export ENVBUILD_CACHE_LOWER=$T/full:$T/www/channel
install 0 "the next layer has it" next --offline
same "as it should be" "$(tree "$T/next")" "$(cat expected)"
same "only that one was taken" "$(find "$T/cache/pkgs" -name facts | wc -l)" 1
cp -p one.keep "$one"
facts=$(echo "$T"/full/pkgs/*/*/files/share/gamma/one)
facts=${facts%/files/*}/facts
printf x | dd of="$facts" bs=1 seek=100 conv=notrunc 2>/dev/null
install 0 "damaged facts below" facts --offline
same "do no harm" "$(tree "$T/facts")" "$(cat expected)"

# A channel's folder, and conda's flat pkgs folder with package files.
export ENVBUILD_CACHE_LOWER=$T/www/channel
install 0 "a channel's folder" folder --offline
same "gives the same" "$(tree "$T/folder")" "$(cat expected)"
(cd cache/pkgs && sha256sum ./*/*/facts) >facts.files
cp -r "$T/www/channel/noarch" flat
export ENVBUILD_CACHE_LOWER=$T/nowhere:$T/flat
install 0 "a flat pkgs folder" flat1 --offline
says "a layer that is not there is named" "nowhere.*is no folder"
same "gives the same too" "$(tree "$T/flat1")" "$(cat expected)"
cp flat/beta-1.0-0.conda keep
printf x | dd of=flat/beta-1.0-0.conda bs=1 seek=900 conv=notrunc 2>/dev/null
install 4 "a damaged package file" flat2 --offline
says "is seen" "beta-1.0-0.conda' is passed over: .*sha256"
size=$(stat -c %s keep)
head -c "$size" /dev/zero >flat/beta-1.0-0.conda # of the right size, so that only sums tell
install 4 "another file under its name" flat3 --offline
cp keep flat/beta-1.0-0.conda

# mamba's folders, one for each channel.
mkdir -p "mamba/http/127.0.0.1_$port/channel"
mv flat "mamba/http/127.0.0.1_$port/channel/noarch"
export ENVBUILD_CACHE_LOWER=$T/mamba
install 0 "mamba's folders" mamba1 --offline
same "give the same" "$(tree "$T/mamba1")" "$(cat expected)"

# Extracted folders alone, as conda leaves them.
pkgs() { rm -rf pkgs && python3 "$ROOT/tests/tools/conda_pkgs.py" "$T/www/channel" "$T/pkgs"; }
pkgs
export ENVBUILD_CACHE_LOWER=$T/pkgs
sums "$T/pkgs" >before
install 0 "extracted packages" extracted --offline
same "give the same prefix" "$(tree "$T/extracted")" "$(cat expected)"
(cd cache/pkgs && sha256sum ./*/*/facts) >facts.extracted
same "the same is known of them" "$(cat facts.extracted)" "$(cat facts.files)"
same "and are left as they were" "$(sums "$T/pkgs")" "$(cat before)"
same "none of their files is shared" "$(find "$T/pkgs" -type f -links +1)" ""
ENVBUILD_CACHE=$T/cache expect 0 "what came of it is whole" "$ENVBUILD" cache verify
echo more >>pkgs/delta-1.0-0/share/delta/one
install 4 "a file that was changed there" extracted2 --offline
says "is named" "delta-1.0-0' is passed over: 'share/delta/one' is not what info/paths.json lists"
pkgs
rm pkgs/delta-1.0-0/share/delta/deep/two
install 4 "a file that is missing there" extracted3 --offline
says "is named" "delta-1.0-0' is passed over: .*share/delta/deep/two"
pkgs
sed -i 's/"sha256": "[0-9a-f]*"/"sha256": "'"$(printf '%064d' 1)"'"/' \
  pkgs/delta-1.0-0/info/repodata_record.json
install 4 "the record of another build" extracted4 --offline
says "is named" "names another package's sum"
pkgs
mkdir outside
mv pkgs/delta-1.0-0/share/delta/* outside
rmdir pkgs/delta-1.0-0/share/delta && ln -s "$T/outside" pkgs/delta-1.0-0/share/delta
install 4 "a folder that is a link" extracted5 --offline
says "is not followed" "delta-1.0-0' is passed over"
silent "no other package suffers" "alpha-1.0-0' is passed over"
done_testing
