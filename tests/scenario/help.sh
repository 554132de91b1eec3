#!/bin/sh
# Help fits 80 columns and has an example; manual pages name the same commands and options.
. "$(dirname "$0")/../lib.sh"

"$ENVBUILD" --help >"$T/help" || skip_all "no program '$ENVBUILD'"
fits() {
  ! grep -n '.\{81\}' "$1"
}
check "envbuild --help fits 80 columns" fits "$T/help"
sed -n 's/^  \([a-z]*\( [a-z][a-z]*\)\{0,1\}\)  .*/\1/p' "$T/help" >"$T/commands"
check "it lists commands" grep -qx pack "$T/commands"

while read -r command; do
  # shellcheck disable=SC2086
  "$ENVBUILD" $command --help >"$T/one" 2>&1 || fail "$command --help" "exit $?"
  check "$command --help fits 80 columns" fits "$T/one"
  check "$command --help shows an example" grep -q "^  envbuild $command" "$T/one"
  page=$ROOT/docs/man/envbuild-$(echo "$command" | tr ' ' -).1.scd
  check "$command has a manual page" test -f "$page"
  check "envbuild(1) names it" grep -qF "*$(basename "$page" .1.scd)*(1)" \
    "$ROOT/docs/man/envbuild.1.scd"
  sed -n 's/^  \(-[a-z], \|    \)\(--[a-z-]*\).*/\2/p' "$T/one" | grep -v '^--help$' | sort -u >"$T/said"
  sed -n 's/^\(\*-[a-z]\*, \)\{0,1\}\*\(--[a-z-]*\)\*.*/\2/p' "$page" | grep -v '^--help$' | sort -u >"$T/written"
  same "$command: the manual page has the options of --help" "$(cat "$T/said")" \
    "$(cat "$T/written")"
done <"$T/commands"
done_testing
