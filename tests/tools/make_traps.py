#!/usr/bin/env python3
"""make_traps.py CHANNEL: packages for tests/scenario/encode.sh, made by make_package.py.

wide      a placeholder in every encoding, and a link script that writes the prefix in UTF-16
capitals  paths that differ only by case, folders too
legacy    `files`, `has_prefix` with and without mode and quotes, `no_link`, without paths.json
many      60 MiB of one letter, which is the placeholder
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from conda_prefix import ENCODINGS  # noqa: E402
from make_package import Channel, member  # noqa: E402

OLD = "/opt/anaconda1anaconda2anaconda3"
NEW = "/home/me/_h_env" + "_placehold" * 23 + "_placeho"
channel = Channel(sys.argv[1])

SCRIPT = b"""wide() { printf '%s' "$1" | sed 's/./&\\x00/g'; }
{ printf '\\377\\376'; wide "[$PREFIX/lib]"; } >"$PREFIX/share/made.txt"
{ printf 'x\\0'; wide "$PREFIX/lib"; printf '\\0\\0y'; } >"$PREFIX/share/made.bin"
{ printf 'x\\0'; wide "$PREFIX"; } >"$PREFIX/share/without-end.bin"
: >"$PREFIX/share/MADE.txt"
"""
text = b"".join(("[%s/x]" % NEW).encode(e) for e in ENCODINGS)
blob = b"\1\0" + b"".join(("[%s/x]\0" % NEW).encode(e) for e in ENCODINGS) + b"\0\0\0\0end"
left = ("undeclared %s/x" % NEW).encode("utf-16-be")
files = [member("share/all.txt", text), member("lib/all.bin", blob), member("share/left", left),
         member("bin/.wide-post-link.sh", SCRIPT, mode=0o755)]
listing = [{"_path": "share/all.txt", "path_type": "hardlink", "prefix_placeholder": NEW, "file_mode": "text"},
           {"_path": "lib/all.bin", "path_type": "hardlink", "prefix_placeholder": NEW, "file_mode": "binary"},
           {"_path": "share/left", "path_type": "hardlink"},
           {"_path": "bin/.wide-post-link.sh", "path_type": "hardlink"}]
channel.conda("wide", files, listing=listing)

channel.conda("capitals", [member("share/README", b"1"), member("share/readme", b"2"), member("share/Dir/a", b"3"),
                           member("share/dir/b", b"4")])

legacy = [member("bin/text", b"%s/text\n" % OLD.encode()), member("lib/named text", b"%s\n" % NEW.encode()),
          member("lib/named.bin", b"\0%s/lib\0" % NEW.encode()), member("lib/plain", b"%s" % OLD.encode()),
          member("lib/own", b"own")]
info = [member("info/files", "".join(m.name + "\n" for m, _ in legacy).encode()),
        member("info/has_prefix", ('bin/text\n"%s" "text" "lib/named text"\n%s binary lib/named.bin\n' %
                                   (NEW, NEW)).encode()),
        member("info/no_link", b"lib/own\n")]
channel.tarball("legacy", legacy + info, no_listing=True)

if len(sys.argv) > 2:
    channel.conda("many", [member("share/a", b"a" * (60 << 20))], listing=[
        {"_path": "share/a", "path_type": "hardlink", "prefix_placeholder": "a", "file_mode": "text"}])
