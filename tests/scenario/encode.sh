#!/bin/bash
# timeout: 300
# Prefixes in UTF-8, UTF-16 and UTF-32: random files, installed and relocated as conda would.
. "$(dirname "$0")/../lib.sh"
need python3 zstd
[ -x "$ENVBUILD_TOOLS/install_one" ] || skip_all "tests/tools/install_one is not built"

export ENVBUILD_NO_FSYNC=1
mkdir "$T/random"
checker "random files are tried" python3 "$ROOT/tests/tools/check_encodings.py" \
  "$ENVBUILD_TOOLS/install_one" "$ENVBUILD_TOOLS/pack_tree" "$T/random" "${ENVBUILD_SEED:-1}" 10

# --- the whole way -------------------------------------------------------------------------
export ENVBUILD_CACHE=$T/cache
engine="--engine none"
long=/$(printf 'l%.0s' $(seq 200))/$(printf 'l%.0s' $(seq 53))
python3 "$ROOT/tests/tools/make_traps.py" "$T/channel" many
"$ENVBUILD" channel index -q "$T/channel"
environment() {
  printf 'name: %s\nchannels: [file://%s]\ndependencies: [%s]\n' "$1" "$T/channel" "$2" >"$T/$1.yml"
}
environment wide wide
environment capitals capitals
environment legacy legacy
environment many many

# holds DIR PREFIX: do the files of `wide` and those that its script made name PREFIX?
holds() {
  python3 - "$@" <<'PY'
import os, sys
folder, prefix = sys.argv[1], os.fsencode(sys.argv[2]).decode()
encodings = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
room = 253
def read(name):
    with open(os.path.join(folder, name), "rb") as f:
        return f.read()
assert read("share/all.txt") == b"".join(("[%s/x]" % prefix).encode(e) for e in encodings)
want = b"\1\0"
for e in encodings:
    unit = len("\0".encode(e))
    want += ("[%s/x]\0" % prefix).encode(e)
    want += bytes(unit * room - len(prefix.encode(e)))
assert read("lib/all.bin") == want + b"\0\0\0\0end"
assert read("share/made.txt").decode("utf-16") == "[%s/lib]" % prefix
made = read("share/made.bin")
assert made.startswith(b"x\0" + ("%s/lib\0" % prefix).encode("utf-16-le")) and made.endswith(b"y")
PY
}
# shellcheck disable=SC2086
expect 0 "install it" "$ENVBUILD" install "$T/wide.yml" -p "$T/wide" $engine -v
check "it names its place in every encoding" holds "$T/wide" "$T/wide"
check "-v says how long a path may be" grep -q \
  "its packages fit paths of at most 253 bytes ('lib/all.bin' sets that)" "$T/err"
# shellcheck disable=SC2086
expect 1 "install to too long a path" "$ENVBUILD" install "$T/wide.yml" -p "$T/$long" $engine
check "package, file and room are named" grep -q \
  "'lib/all.bin' of package 'wide-1.0-0.conda' cannot name '.*': the path is .* long, the file has room for 253" "$T/err"
check "before anything is linked" sh -c '! grep -q "  link " "$1"' sh "$T/err"
check "and nothing is left" test ! -e "$T/$long"
odd=$(printf '%s/not-\377-utf8' "$T")
# shellcheck disable=SC2086
expect 1 "install to a path that is not UTF-8" "$ENVBUILD" install "$T/wide.yml" -p "$odd" $engine
check "says that UTF-16 cannot write it" grep -aq "the path is not UTF-8, and the file has it in UTF-16" "$T/err"
cp "$T/wide.yml" "$T/environment.yml"
# shellcheck disable=SC2086
expect 0 "pack it" sh -c 'cd "$1" && "$2" pack --no-test $3' sh "$T" "$ENVBUILD" "$engine"
check "pack says how long a path may be: its script's file has least room" grep -Eq \
  "it can be unpacked to paths of at most 1[0-9]+ characters \('share/made.bin' sets that\)" "$T/err"
check "of what a script made it warns too" grep -q \
  "warning: 'share/MADE.txt' and 'share/made.txt' differ only by case, and pip or link scripts made one" "$T/err"
expect 1 "unpack it for too long a path" "$ENVBUILD" unpack "$T/wide.tar.gz" "$T/un" -p "$long"
check "file and room are named" grep -Eq "and 'share/made.bin' has room for 1[0-9]+" "$T/err"
check "nothing is unpacked" test ! -e "$T/un"
expect 0 "unpack it" "$ENVBUILD" unpack "$T/wide.tar.gz" "$T/un"
check "it names the new place" holds "$T/un" "$T/un"
check "the manifest has the limit" grep -q '"longest_prefix": 1[0-9]*,' "$T/un/conda-meta/envbuild/manifest.json"
check "and what nobody declared" grep -A1 '"path": "share/left"' "$T/un/conda-meta/envbuild/manifest.json"
check "and what nothing can replace" grep -A1 '"path": "share/without-end.bin"' "$T/un/conda-meta/envbuild/manifest.json"
check "a record names placeholders, and is no left-over" sh -c '! grep -q "conda-meta/wide" "$1"' sh \
  "$T/un/conda-meta/envbuild/manifest.json"
first=$(cd "$T/un" && sha256sum share/* lib/*)
# Letters beyond U+00FF are left to the random files: conda reads text of UTF-16 with the big end
# first as if it had the little end first wherever ASCII allows it, and so do we.
for to in "$T/ü x" /s "$T/un"; do
  check "relocate it for '${to#"$T"}'" "$T/un/bin/conda-unpack" --prefix "$to"
  check "it names that" holds "$T/un" "$to"
  check "--check agrees" "$T/un/bin/conda-unpack" --prefix "$to" --check
done
same "there and back is the same" "$(cd "$T/un" && sha256sum share/* lib/*)" "$first"
printf 'X' | dd of="$T/un/lib/all.bin" bs=1 seek=360 conv=notrunc 2>/dev/null
expect 5 "--check sees an edit" "$T/un/bin/conda-unpack" --check

# --- facts of an earlier version ------------------------------------------------------------
facts=$(grep -l "/opt\|placehold" "$T"/cache/pkgs/*/*/facts | head -n 1)
sum=$(sha256sum <"$facts")
printf 1 | dd of="$facts" bs=1 seek=7 conv=notrunc 2>/dev/null
rm -rf "$T/channel/noarch/wide-1.0-0.conda" "$T/wide"
# shellcheck disable=SC2086
expect 0 "facts of an earlier version" "$ENVBUILD" install "$T/wide.yml" -p "$T/wide" $engine -v
check "are noticed" grep -q "facts' is of an earlier version: it is made anew" "$T/err"
same "and made anew without the package file" "$(sha256sum <"$facts")" "$sum"
check "with every encoding" holds "$T/wide" "$T/wide"

# --- letters that differ only by case -------------------------------------------------------
# shellcheck disable=SC2086
expect 0 "capitals" "$ENVBUILD" install "$T/capitals.yml" -p "$T/capitals" $engine -v
check "are warned of, both named" grep -q \
  "warning: 'share/Dir' and 'share/dir' of package 'capitals-1.0-0.conda' differ only by case, and 1 more pairs" "$T/err"
check "-v names every pair" grep -q "'share/README' and 'share/readme' differ only by case" "$T/err"
folds=
if command -v cc >/dev/null; then
  cat >"$T/fold.c" <<'C'
/* A file system that folds case, for names with "readme" and those of the probe. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/types.h>

static const char *fold(const char *name, char *to)
{
	size_t n = strlen(name);
	if (n > 250 || (!strcasestr(name, "readme") && !strcasestr(name, "envbuild-case")))
		return name;
	for (size_t i = 0; i <= n; i++)
		to[i] = (char)tolower((unsigned char)name[i]);
	return to;
}

int openat(int dir, const char *name, int flags, ...)
{
	static int (*next)(int, const char *, int, ...);
	char to[256];
	va_list ap;
	va_start(ap, flags);
	mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (!next)
		next = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
	return next(dir, fold(name, to), flags, mode);
}

int fstatat(int dir, const char *name, struct stat *st, int flags)
{
	static int (*next)(int, const char *, struct stat *, int);
	char to[256];
	if (!next)
		next = (int (*)(int, const char *, struct stat *, int))dlsym(RTLD_NEXT, "fstatat");
	return next(dir, fold(name, to), st, flags);
}

int unlinkat(int dir, const char *name, int flags)
{
	static int (*next)(int, const char *, int);
	char to[256];
	if (!next)
		next = (int (*)(int, const char *, int))dlsym(RTLD_NEXT, "unlinkat");
	return next(dir, fold(name, to), flags);
}
C
  cc -shared -fPIC -o "$T/fold.so" "$T/fold.c" -ldl
  # A program under ASan takes no library before its own.
  LD_PRELOAD="$T/fold.so" "$ENVBUILD" --version >/dev/null 2>&1 && folds=1
fi
if [ -n "$folds" ]; then
  # shellcheck disable=SC2086
  expect 0 "pack capitals" sh -c 'cd "$1" && cp capitals.yml environment.yml && "$2" pack --no-test $3' \
    sh "$T" "$ENVBUILD" "$engine"
  rm -rf "$T/capitals"
  # shellcheck disable=SC2086
  expect 1 "a folder that folds case" env LD_PRELOAD="$T/fold.so" \
    "$ENVBUILD" install "$T/capitals.yml" -p "$T/capitals" $engine
  check "is refused, both named" grep -q \
    "folds case: it cannot hold both 'share/Dir' and 'share/dir' of package 'capitals-1.0-0.conda'" "$T/err"
  check "nothing is left" test ! -e "$T/capitals"
  expect 1 "unpacking there" env LD_PRELOAD="$T/fold.so" "$ENVBUILD" unpack "$T/capitals.tar.gz" "$T/folded"
  check "is refused, and says why" grep -q "folds case: it cannot hold 'share/readme'" "$T/err"
  check "and leaves nothing" test ! -e "$T/folded"
else
  skip "a folder that folds case" "no C compiler, or a program that takes no LD_PRELOAD"
fi

# --- lengths --------------------------------------------------------------------------------
deep=$T
while [ ${#deep} -lt 3840 ]; do
  deep=$deep/$(printf 'd%.0s' $(seq 200))
done
deep=$deep/$(printf 'd%.0s' $(seq $((4089 - ${#deep}))))
# shellcheck disable=SC2086
expect 1 "a path over 4095 bytes" "$ENVBUILD" install "$T/capitals.yml" -p "$deep" $engine
check "is named with its package" grep -q \
  "path too long: 'share/.*' of package 'capitals-1.0-0.conda' would have 4[01].. bytes there" "$T/err"

# --- lists without paths.json ----------------------------------------------------------------
# shellcheck disable=SC2086
expect 0 "a package with files, has_prefix and no_link" "$ENVBUILD" install "$T/legacy.yml" -p "$T/legacy" $engine
same "a line that is a path alone" "$(cat "$T/legacy/bin/text")" "$T/legacy/text"
same "mode text, in quotes" "$(cat "$T/legacy/lib/named text")" "$T/legacy"
check "mode binary" sh -c 'test "$(tr -d "\000" <"$1/lib/named.bin")" = "$1/lib"' sh "$T/legacy"
same "of the same length" "$(stat -c %s "$T/legacy/lib/named.bin")" 259
same "what is not listed is left" "$(cat "$T/legacy/lib/plain")" /opt/anaconda1anaconda2anaconda3
same "no_link is a copy" "$(stat -c %h "$T/legacy/lib/own")" 1

# --- a file that is nothing but placeholders -------------------------------------------------
# ASan needs terabytes, and looks at all of what memmem() is given.
if sh -c 'ulimit -v 800000; "$1" --version' sh "$ENVBUILD" >/dev/null 2>&1; then
  expect 5 "60 MiB of placeholders, in bounded memory" sh -c 'ulimit -v 800000; "$1" install "$2" -p "$3" $4' \
    sh "$ENVBUILD" "$T/many.yml" "$T/many" "$engine"
  check "are refused, package and file named" grep -q \
    "package 'many-1.0-0.conda': file 'share/a': the prefix of 1 bytes occurs over 1048576 times" "$T/err"
else
  skip "60 MiB of placeholders, in bounded memory" "a program that needs more memory than that by itself"
fi
done_testing
