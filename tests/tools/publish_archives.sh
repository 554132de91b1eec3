# shellcheck shell=sh
# Sourced behind lib.sh by the tests of publishing: archives that are made in moments.
#
#   $T/v1/demo.tar.gz   alpha, zeta; tested        $T/v2/demo.tar.gz   alpha, beta; tested
#   $T/parts/demo.tar.gz.00 ...   v1 in parts      $T/raw/demo.tar.gz  alpha; not tested
#   $T/again/demo.tar.gz          v1 by another run: another demo.run.json

export HOME="$T/home" ENVBUILD_CACHE="$T/cache" ENVBUILD_NO_FSYNC=1
unset XDG_CACHE_HOME NETRC RATTLER_AUTH_FILE ENVBUILD_AUTH_FILE ENVBUILD_CACHE_LOWER
mkdir "$HOME"
python3 "$ROOT/tests/tools/small_channel.py" "$T/chan" && "$ENVBUILD" channel index -q "$T/chan" || exit 1
echo "alpha && echo 'it works'" >"$T/run-test.sh"

publish_make() { # publish_make DIR PACKAGES OPTION...
  publish_dir=$T/$1
  mkdir "$publish_dir"
  printf 'name: demo\nchannels: ["%s"]\ndependencies: [%s]\n' "$T/chan" "$2" >"$publish_dir/environment.yml"
  shift 2
  (cd "$publish_dir" && "$ENVBUILD" pack -q -t host "$@") 2>"$T/pack.err" || {
    fail "an archive for the test" "$(cat "$T/pack.err")"
    done_testing
  }
}
publish_make v1 'alpha, zeta' --test "$T/run-test.sh"
publish_make v2 'alpha, beta' --test "$T/run-test.sh"
publish_make raw alpha --no-test
publish_make again 'alpha, zeta' --test "$T/run-test.sh"
mkdir "$T/parts"
split -d -b 20000 "$T/v1/demo.tar.gz" "$T/parts/demo.tar.gz."
cp "$T/v1/demo.run.json" "$T/v1/demo.test.log" "$T/parts"
(cd "$T/parts" && sha256sum demo.tar.gz.* >demo.sha256)

attest() { # attest WORD DIR: an attestation of DIR/demo.tar.gz that has WORD in it
  printf '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"demo.tar.gz","digest":{"sha256":"%s"}}],"predicateType":"https://example/%s","predicate":{}}\n' \
    "$(sha256sum "$2/demo.tar.gz" | cut -c 1-64)" "$1" >"$2/demo.intoto.jsonl"
}
