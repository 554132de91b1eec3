#!/bin/bash
# What is known of packages' ELF files: made while they are extracted, kept, made anew where it is damaged
# or was never there, handed on to whoever has not fetched them.
# timeout: 120
. "$(dirname "$0")/../lib.sh"
need gcc python3 zstd bzip2
export HOME=$T ENVBUILD_DATA=$T/data ENVBUILD_NO_FSYNC=1 no_proxy='*'
unset ENVBUILD_CACHE_LOWER
cd "$T" || exit 1

holder=/opt/$(printf 'place_hold_%.0s' 1 2 3 4 5 6)
left=/home/builder/conda-bld/x/_h_env$(printf '_placehold%.0s' 1 2 3 4 5)
library() { # library SONAME BODY OPTION...
  printf '%s\n' "$2" >"$1.c"
  gcc -O1 -fPIC -shared -Wl,-soname,"$1" -o "$1" "$1.c" "${@:3}" || exit 1
}
library libone.so.1 '#include <string.h>
unsigned long one(const char *s) { return strlen(s); }'
library libtwo.so.1 'extern unsigned long one(const char *); unsigned long two(void) { return one("x"); }' \
  ./libone.so.1 -Wl,-rpath,"$holder/lib"
library libleft.so.1 "const char *where(void) { return \"$left/lib\"; }"
cp libone.so.1 broken && truncate -s 300 broken
export T holder
python3 - "$ROOT/tests/tools" <<'PY' || exit 1
import hashlib
import os
import struct
import sys
sys.path.insert(0, sys.argv[1])
from make_package import Channel, member
# 65,000 needed libraries, whose names are the ends of one long text
text, base, head = b"a" * 16000 + b"\0", 0x1000, 64 + 2 * 56
needed = b"".join(struct.pack("<qQ", 1, i % 15000) for i in range(65000))
dynamic = struct.pack("<qQqQ", 5, base + head, 10, len(text)) + needed + bytes(16)
at, size = head + len(text), head + len(text) + len(dynamic)
with open("names", "wb") as f:
    f.write(b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
            + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 4096)
            + struct.pack("<IIQQQQQQ", 2, 5, at, base + at, base + at, len(dynamic), len(dynamic), 8)
            + text + dynamic)
channel = Channel("channel")
def package(make, name, files, holder=None):
    members, listing = [], []
    for path, source in files:
        with open(source, "rb") as f:
            data = f.read()
        members.append(member(path, data, mode=0o755))
        listing.append({"_path": path, "path_type": "hardlink", "size_in_bytes": len(data),
                        "sha256": hashlib.sha256(data).hexdigest()})
        if holder:
            listing[-1].update(prefix_placeholder=holder, file_mode="binary")
    make(name, members, index={"noarch": "generic"}, listing=listing)
package(channel.conda, "one", [("lib/libone.so.1", "libone.so.1"), ("share/one", "libone.so.1.c")])
package(channel.tarball, "two", [("lib/libtwo.so.1", "libtwo.so.1")], os.environ["holder"])
package(channel.conda, "left", [("lib/libleft.so.1", "libleft.so.1")])
package(channel.conda, "broken", [("lib/libbroken.so", "broken")])
package(channel.conda, "text", [("share/text", "libone.so.1.c")])
package(channel.conda, "names", [("lib/libnames%02d.so" % i, "names") for i in range(20)])
PY
"$ENVBUILD" channel index -q channel || exit 1
lock() { # lock NAME PACKAGES
  printf 'name: %s\nchannels: [file://%s/channel]\ndependencies: [%s]\n' "$1" "$T" "$2" >environment.yml
  "$ENVBUILD" lock -q -t host -o "$1.lock" || exit 1
}
export ENVBUILD_CACHE=$T/empty
lock all "one, two, left, broken, text"
lock names names
known() { "$ENVBUILD_TOOLS/package_facts" "$@" --symbols; }
entry() { echo "$T/${2:-cache}"/pkgs/*/"$(sed -n "s/.*sha256: *//p" "$1.sum")"; }
for name in one two text broken; do
  sha256sum channel/noarch/$name-1.0-0.* | sed 's/ .*//; s/^/sha256: /' >$name.sum
done

# --- made while extracting, and used ----------------------------------------------------------
expect 0 "packages that were never here" known empty all.lock
same "are missing, all of them" "$(cat out)" "missing 5"
export ENVBUILD_CACHE=$T/cache
expect 0 "an installation" "$ENVBUILD" install all.lock -p "$T/env" -q
same "leaves facts of each package" "$(find cache/pkgs -name elf | wc -l)" 5
same "and symbols of those that have ELF files" "$(find cache/pkgs -name symbols | wc -l)" 4
expect 0 "they are read" known cache all.lock
cp out expected
sed 's/needs=.*//; s/symbols=.*//' expected >short
says "of each file" "^lib/libone.so.1 one-1.0-0 soname=libone.so.1 " short
says "what it needs" "^lib/libtwo.so.1 two-1.0-0 .* needed=libone.so.1" short
says "a declared placeholder is where the environment will lie" " soname=libtwo.so.1 (rpath= run|r)path=/ENV/lib " short
says "a path of the build machine that nobody declared" \
  "^lib/libleft.so.1 .* leftover=$left( |$)" expected
says "why a file is broken" "^lib/libbroken.so broken-1.0-0 .* fault=.*broken ELF file" expected
same "nothing of other files" "$(grep -c share/ expected)" 0
one=$(entry one)/files/lib/libone.so.1
cp -p "$one" keep && cp -p "$one" "$one.new" && printf 'no ELF file any more, %0100d' 0 >"$one.new" &&
  mv "$one.new" "$one"
expect 0 "of files that are not looked at again" known cache all.lock
same "the same" "$(cat out)" "$(cat expected)"
cp -p keep "$one.new" && mv "$one.new" "$one"

# --- made when first asked for ------------------------------------------------------------------
cp -a cache first
old() { rm "$(entry "$1")/elf" "$(entry "$1")/symbols"; }
whole() { # whole NAME: as extraction made them
  for file in elf symbols; do
    for package in one two broken; do
      cmp "$(entry $package first)/$file" "$(entry $package)/$file" || return 1
    done
  done
}
old one && old two && old broken
expect 0 "packages that were extracted before there were facts" known cache all.lock
same "tell the same" "$(cat out)" "$(cat expected)"
check "and have them from then on, byte for byte" whole
for file in elf symbols; do
  printf x | dd of="$(entry one)/$file" bs=1 seek=90 conv=notrunc status=none
  truncate -s 60 "$(entry two)/$file"
  cp "$(entry one first)/$file" "$(entry broken)/$file"
done
expect 0 "damaged ones, cut ones and another package's" known cache all.lock
same "do no harm" "$(cat out)" "$(cat expected)"
same "and are no news" "$(cat err)" ""
check "they are made anew" whole
same "without leaving anything" "$(find cache/tmp -mindepth 1 -type f; find cache -name '.*tmp')" ""
old one
printf x | dd of="$one" bs=1 seek=5000 conv=notrunc status=none
touch -r keep "$one"
expect 5 "but not of a file that somebody changed" known cache all.lock
says "which is named" "'lib/libone.so.1' was changed in the cache"
cp -p keep "$one"
expect 0 "as it was" known cache all.lock

# --- looking after the cache ----------------------------------------------------------------------
check "cache verify finds all well" "$ENVBUILD" cache verify -q
printf x | dd of="$(entry one)/elf" bs=1 seek=90 conv=notrunc status=none
truncate -s 60 "$(entry two)/symbols"
expect 5 "damaged facts are found" "$ENVBUILD" cache verify
says "and named" "one-1.0-0.* 'elf': the file of ELF facts is damaged"
says "both kinds" "two-1.0-0.* 'symbols': "
check "the package stays" test -f "$(entry one)/facts"
check "only they go" test ! -e "$(entry one)/elf" -a ! -e "$(entry two)/symbols" -a -e "$(entry two)/elf"
check "after which all is well" "$ENVBUILD" cache verify -q
known cache all.lock >out
check "they are made anew" whole
"$ENVBUILD" cache info --json >info.json
same "cache info counts them" "$(python3 -c 'import json; print(json.load(open("info.json"))["bytes"])')" \
  "$(find cache/pkgs -type f -printf '%s\n' | awk '{n += $1} END {print n}')"

# --- layers ---------------------------------------------------------------------------------------
export ENVBUILD_CACHE_LOWER=$T/first
expect 0 "another cache below" known above all.lock
same "tells the same" "$(cat out)" "$(cat expected)"
find first -name elf -delete && find first -name symbols -delete
find first | sort >before
expect 0 "one without facts" known above all.lock
same "too" "$(cat out)" "$(cat expected)"
same "and nothing is written to either" "$(find first | sort; find above/pkgs -type f)" "$(cat before)"
python3 "$ROOT/tests/tools/conda_pkgs.py" channel pkgs
export ENVBUILD_CACHE_LOWER=$T/pkgs
ENVBUILD_CACHE=$T/taken expect 0 "packages that conda extracted" "$ENVBUILD" install all.lock -p env2 -q --offline
unset ENVBUILD_CACHE_LOWER
same "have the same facts" "$(cd taken/pkgs && sha256sum ./*/*/elf ./*/*/symbols)" \
  "$(cd cache/pkgs && sha256sum ./*/*/elf ./*/*/symbols)"

# --- handed on ------------------------------------------------------------------------------------
expect 0 "facts are written to a file" known cache all.lock --export facts.json
expect 0 "with an empty cache these are what is known" known empty all.lock --facts facts.json --export again.json
same "of every file" "$(sed 's/ symbols=.*//' out)" "$(sed 's/ symbols=.*//' expected)"
same "symbols are not among them" "$(grep -c 'symbols=0+0:-' out)" 4
check "nothing was fetched" test -z "$(find empty/pkgs -type f)"
check "handed on once more they are the same bytes" cmp facts.json again.json
python3 - <<'PY' >out
import json
facts = json.load(open("facts.json"))
print(facts["envbuild_facts"], [len(p["files"]) for p in facts["packages"]].count(0),
      [p["sha256"] for p in facts["packages"]] == sorted(p["sha256"] for p in facts["packages"]),
      sorted(p["name"] for p in facts["packages"])[1])
PY
same "a JSON document, sorted" "$(cat out)" "1 1 True left-1.0-0"
sed 's/"libone.so.1"/"libnone.so.1"/' facts.json >lies.json
known cache all.lock --facts lies.json >out
same "what the cache has is believed first" "$(cat out)" "$(cat expected)"
python3 - <<'PY'
import json
facts = json.load(open("facts.json"))
next(p for p in facts["packages"] if p["name"].startswith("one"))["files"][0]["type"] = "three"
json.dump(facts, open("wrong.json", "w"), indent=1)
PY
line=$(grep -n three wrong.json | cut -d : -f 1)
expect 2 "a wrong file" known empty all.lock --facts wrong.json
says "is refused with the place" "wrong.json:$line:[0-9]+: .*a number"
head -c 300 facts.json >cut.json
expect 2 "half a file" known empty all.lock --facts cut.json
says "too" "cut.json:[0-9]+:[0-9]+: "

# --- too much ---------------------------------------------------------------------------------------
expect 0 "a package that names libraries without end can be installed" "$ENVBUILD" install names.lock -p env3 -q
expect 5 "whoever asks is told" known cache names.lock
says "with file and package" "too many names of libraries and symbol versions, with 'lib/libnames[0-9]+.so' of package 'names-1.0-0'"
done_testing
