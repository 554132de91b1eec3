#!/bin/bash
# What `make demo` and `make demo-target` show, in a copy of the examples.
# memory
# timeout: 900
# slow
. "$(dirname "$0")/../lib.sh"
need python3 zstd patchelf readelf apt-get dpkg-deb

tree=$T/tree
kept=$ENVBUILD_TEST_CACHE/demo
mkdir -p "$tree/build" "$tree/tests" "$kept"
cp -r "$ROOT/examples" "$tree/examples"
rm -f "$tree"/examples/*/envbuild.lock
cp -r "$ROOT/tests/tools" "$ROOT/tests/lib.sh" "$tree/tests/"
ln -s "$ENVBUILD" "$tree/build/envbuild"
# What was fetched from Debian is kept from run to run, the channel is made anew.
if [ -d "$kept/downloads" ]; then
  cp -a "$kept/downloads" "$tree/build/demo-downloads"
fi

"$tree/examples/demo-channel/make" "$tree/build/demo-channel" \
  --downloads "$tree/build/demo-downloads" >"$T/made" 2>&1 ||
  skip_all "the demo channel cannot be made: $(tail -n 1 "$T/made")"
mkdir -p "$kept/downloads"
cp -a --update "$tree/build/demo-downloads/." "$kept/downloads/"
ok "the demo channel is made"
check "its packages are what they say" python3 "$ROOT/tests/tools/check_channel.py" \
  "$tree/build/demo-channel"

cp -a "$tree/build/demo-channel" "$T/first"
"$tree/examples/demo-channel/make" "$tree/build/demo-channel" \
  --downloads "$tree/build/demo-downloads" >/dev/null 2>&1
check "the same packages give the same channel" diff -r "$T/first" "$tree/build/demo-channel"
rm -rf "$T/first"
check "it is indexed" "$ENVBUILD" channel index "$tree/build/demo-channel"
cat "$tree"/examples/demo-channel/{make,debian.py,conda.py} | sha256sum \
  >"$tree/build/demo-channel/.recipe"

cd "$T" || exit 1
expect 0 "make demo" "$tree/examples/demo" "$tree/build" host
check "Python runs from elsewhere" \
  grep -q "^Python 3\..* in .*/demo/unpacked/somewhere/else$" "$T/out"
check "jq runs from there" grep -qx '{"channel":"demo"}' "$T/out"
check "the test ran before" grep -q '^ *openssl ' "$T/err"
check "the archive has its hash beside it" sh -c \
  "cd '$tree/build/demo' && sha256sum -c demo.sha256"
check "and the report of its run" python3 -m json.tool "$tree/build/demo/demo.run.json"

# Without an option: the channel is a path relative to the environment file.
mkdir "$T/here"
cd "$T/here" || exit 1
expect 0 "envbuild pack needs no option" "$ENVBUILD" pack "$tree/examples/python/environment.yml"
check "the same bytes as from the other folder" cmp demo.tar.gz "$tree/build/demo/demo.tar.gz"

"$ROOT/tests/tools/roots.sh" bullseye >"$T/root" 2>&1
case $? in
  0)
    ln -s "$(dirname "$(tail -n 1 "$T/root")")" "$tree/build/roots"
    expect 0 "make demo-target" "$tree/examples/demo" "$tree/build" targets
    check "an older Python for the older host" \
      grep -q '^Python 3\.9\.[0-9]* glibc 2\.31$' "$T/out"
    check "rhel6 is refused in words" grep -q '__glibc >=.*rhel6 has 2.12' "$T/err"
    check "nothing was made for it" test ! -e "$tree/build/demo/demo-rhel6.tar.gz"
    ;;
  77) skip "make demo-target" "no bullseye root: $(tail -n 1 "$T/root")" ;;
  *) fail "a bullseye root" "$(cat "$T/root")" ;;
esac
done_testing
