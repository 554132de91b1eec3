#!/usr/bin/env python3
"""Packages that lie or attack: each must be refused, and nothing written outside the cache.

    check_hostile_packages.py INSTALL_ONE WORK

Prints "ok NAME" or "fail NAME: DETAIL" for each.
"""

import io
import os
import struct
import subprocess
import sys
import tempfile
import time
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_channel_install import Driver  # noqa: E402
from make_package import CHR, DIR, FIFO, HARD, SYM, Channel, info_members, member, tar_bytes, zstd  # noqa: E402

program, work = sys.argv[1:3]
outside = os.path.join(work, "outside")
os.makedirs(outside)
channel = Channel(os.path.join(work, "channel"))
cases = []  # (name, record's number, word that the message must hold)


def bad(name, word, *members, how="tarball", **more):
    cases.append((name, getattr(channel, how)(name, list(members), **more), word))


plain = member("lib/a", b"a")
listed = [{"_path": "lib/a", "path_type": "hardlink"}]
for how in ("tarball", "conda"):
    bad(how + "-parent", "unsafe path", member("../evil", b"x"), how=how)
    bad(how + "-inner-parent", "unsafe path", member("a/../../evil", b"x"), how=how)
    bad(how + "-absolute", "unsafe path", member(os.path.join(outside, "evil"), b"x"), how=how)
    bad(how + "-through-link", "link", member("d", kind=SYM, link=outside), member("d/evil", b"x"), how=how)
    bad(how + "-through-dir-link", "link", member("d", kind=SYM, link=outside), member("d", kind=DIR),
        member("d/evil", b"x"), how=how)
    bad(how + "-over-link", "twice", member("f", kind=SYM, link=outside + "/evil"), member("f", b"x"), how=how)
    bad(how + "-hardlink-outside", "hard link", member("f", kind=HARD, link="/etc/passwd"), how=how)
    bad(how + "-hardlink-parent", "hard link", member("f", kind=HARD, link="../../../etc/passwd"), how=how)
    bad(how + "-hardlink-to-link", "hard link", member("s", kind=SYM, link="/etc/passwd"),
        member("f", kind=HARD, link="s"), how=how)
    bad(how + "-device", "neither file", member("null", kind=CHR), how=how)
    bad(how + "-fifo", "neither file", member("fifo", kind=FIFO), how=how)
    bad(how + "-twice", "twice", plain, member("lib/a", b"b"), how=how, listing=listed)
    bad(how + "-below-file", "link or a file", plain, member("lib/a/b", b"b"), how=how, listing=listed)
    bad(how + "-conda-meta", "conda-meta", member("conda-meta/history", b"x"), how=how)
    bad(how + "-bomb", "unpacks to more", member("zeros", b"\0" * (66 << 20)), how=how)
    bad(how + "-missing", "not in the package", plain, how=how,
        listing=listed + [{"_path": "lib/gone", "path_type": "hardlink"}])
    bad(how + "-other-bytes", "is not what", plain, how=how,
        listing=[{"_path": "lib/a", "path_type": "hardlink", "sha256": "0" * 64}])
    bad(how + "-listed-twice", "listed twice", plain, how=how, listing=listed * 2)
    bad(how + "-listed-outside", "unsafe path", plain, how=how,
        listing=[{"_path": "../a", "path_type": "hardlink"}])
    bad(how + "-placeholder-nul", "NUL byte", plain, how=how,
        listing=[{"_path": "lib/a", "path_type": "hardlink", "file_mode": "binary",
                  "prefix_placeholder": "/p\0q"}])
    bad(how + "-no-listing", "neither info/paths.json", plain, how=how, no_listing=True)
    bad(how + "-other-name", "info/index.json says", plain, how=how, index={"name": "somebody"})
    bad(how + "-other-version", "info/index.json says", plain, how=how, index={"version": "2"})
    bad(how + "-command", "entry point", plain, how=how,
        link={"noarch": {"type": "python", "entry_points": ["../evil = a:b"]}})
    bad(how + "-long-name", "unsafe path", member("a" * 256, b"x"), how=how)
    bad(how + "-not-utf8", "not UTF-8", member("lib/caf\udce9", b"x"), how=how, listing=listed)
    bad(how + "-other-build", "info/index.json says", plain, how=how, index={"build": "1"})
    bad(how + "-other-size", "info/paths.json lists 2", plain, how=how,
        listing=[{"_path": "lib/a", "path_type": "hardlink", "size_in_bytes": 2}])
    bad(how + "-negative-size", "info/paths.json lists", plain, how=how,
        listing=[{"_path": "lib/a", "path_type": "hardlink", "size_in_bytes": -1}])
    for is_a, said in ((plain, "softlink"), (plain, "directory"),
                       (member("lib/a", kind=SYM, link="b"), "hardlink"), (member("lib/a", kind=DIR), "softlink")):
        bad("%s-%s-for-%s" % (how, said, is_a[0].type.decode()), "info/paths.json lists a", is_a, how=how,
            listing=[{"_path": "lib/a", "path_type": said}])
    bad(how + "-unknown-type", "unknown path_type", plain, how=how,
        listing=[{"_path": "lib/a", "path_type": "device"}])
    for mode in ("text", "binary"):
        bad("%s-long-placeholder-%s" % (how, mode), "a prefix placeholder of 80 bytes and has 79",
            member("lib/a", b"/" * 79), how=how,
            listing=[{"_path": "lib/a", "path_type": "hardlink", "file_mode": mode, "prefix_placeholder": "/" * 80}])
    bad(how + "-huge-placeholder", "over 1024 bytes", member("lib/a", b"/" * 5000), how=how,
        listing=[{"_path": "lib/a", "path_type": "hardlink", "file_mode": "text", "prefix_placeholder": "/" * 1025}])
    bad(how + "-deep", "more members than", *[member("%d/%s" % (i, "a/" * 200 + "f"), b"") for i in range(60)],
        how=how, listing=[])
info = zstd(tar_bytes(info_members("half")))
bad("zip-without-pkg", "lacks", how="conda", parts=[("info-zip-without-pkg-1.0-0.tar.zst", info)])
bad("zip-two-pkg", "twice", how="conda", parts=[("info-x.tar.zst", info), ("info-y.tar.zst", info)])
bad("zip-info-link", "link or a file", how="conda",
    parts=[("pkg-x.tar.zst", zstd(tar_bytes([member("info", kind=SYM, link=outside)]))), ("info-x.tar.zst", info)])
bad("zip-version", "version 2", how="conda",
    parts=[("metadata.json", b'{"conda_pkg_format_version": 3}'), ("info-x.tar.zst", info)])
bad("zip-no-zstd", "zip-no-zstd", how="conda", parts=[("info-x.tar.zst", b"not zstd"), ("pkg-x.tar.zst", info)])


def lie(name, word, change, lacking=None):
    """A .conda of three stored members whose bytes `change(data, local, listed)` has changed: the offsets of the
    headers and of the list's entries of the member pkg-*.  `lacking`: the list does without that member."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        for part, data in (("metadata.json", b'{"conda_pkg_format_version": 2}'),
                           ("pkg-x.tar.zst", zstd(tar_bytes([plain]))),
                           ("info-x.tar.zst", zstd(tar_bytes(info_members(name, [plain]))))):
            z.writestr(zipfile.ZipInfo(part), data)
        offset = z.getinfo("pkg-x.tar.zst").header_offset
        if lacking:
            z.filelist = [i for i in z.filelist if i.filename != lacking]
    data = bytearray(out.getvalue())
    data = change(data, offset, data.find(b"pkg-x.tar.zst", offset + 60) - 46) or data
    cases.append((name, channel.put(name + "-1.0-0.conda", bytes(data)), word))


def patch(place, value, form="<I"):
    """Writes a number so many bytes behind the local header (place "l18") or the list's entry ("c24")."""
    def change(data, local, listed):
        struct.pack_into(form, data, (local if place[0] == "l" else listed) + int(place[1:]), value)
    return change


def both(*changes):
    def change(*where):
        for c in changes:
            c(*where)
    return change


SAYS = "its list of members is not what it holds"
lie("zip-list-size", SAYS, both(patch("c20", 7), patch("c24", 7)))
lie("zip-list-unpacked-size", SAYS, patch("c24", 7))
lie("zip-list-sum", SAYS, patch("c16", 7))
lie("zip-list-offset", SAYS, patch("c42", 7))
lie("zip-list-name", SAYS, lambda data, local, listed: data.__setitem__(listed + 46, ord("q")))
lie("zip-list-part", SAYS, patch("c34", 3, "<H"))
lie("zip-list-lacks", SAYS, lambda data, local, listed: None, lacking="pkg-x.tar.zst")
lie("zip-list-cut", "cut short", lambda data, local, listed: data[:-1])
lie("zip-no-list", "cut short", lambda data, local, listed: data[:listed - 70])
lie("zip-size-less", "damaged archive", both(patch("l18", 40), patch("l22", 40), patch("c20", 40), patch("c24", 40)))
lie("zip-size-more", "damaged archive",
    both(patch("l18", 4000), patch("l22", 4000), patch("c20", 4000), patch("c24", 4000)))
lie("zip-size-huge", "damaged archive", both(patch("l18", 0xfffffff0), patch("l22", 0xfffffff0)))
lie("zip-sizes-differ", "sizes of a stored member differ", patch("l22", 7))
lie("zip-size64-missing", "sizes of a stored member differ", patch("l22", 0xffffffff))
lie("zip-sum", "the sum of a member is wrong", both(patch("l14", 7), patch("c16", 7)))
lie("zip-deflated", "not stored", both(patch("l8", 8, "<H"), patch("c10", 8, "<H")))
lie("zip-streamed", "size stands behind it", both(patch("l6", 8, "<H"), patch("c8", 8, "<H")))
lie("zip-encrypted", "encrypted", both(patch("l6", 1, "<H"), patch("c8", 1, "<H")))
lie("zip-more-behind", "bytes behind its end", lambda data, local, listed: data + b"PK")
lie("zip-more-before", "it is no zip", lambda data, local, listed: b"#!" + data)
# A million empty files in some hundred kilobytes, a window of zstd that no machine has, and one block that is all run.
header = bytearray(tar_bytes([member("f/0000000", b"")])[:512])
zero = sum(header) - sum(header[148:156]) + 8 * 32 - sum(header[2:9])


def many_files():
    pieces = []
    for i in range(1000000):
        digits = b"%07d" % i
        header[2:9] = digits
        header[148:156] = b"%06o\0 " % (zero + sum(digits))
        pieces.append(bytes(header))
        if len(pieces) == 1000:
            yield b"".join(pieces)
            pieces = []
    yield b"\0" * 1024


def packed(pieces, *command):
    with tempfile.TemporaryFile(dir=work) as to:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=to) as p:
            for piece in pieces:
                p.stdin.write(piece)
            p.stdin.close()
        to.seek(0)
        return to.read()


info = zstd(tar_bytes(info_members("many")))
bad("many", "more members than", how="conda",
    parts=[("pkg-x.tar.zst", packed(many_files(), "zstd", "-1cq")), ("info-x.tar.zst", info)])
info = zstd(tar_bytes(info_members("window")))
bad("window", "damaged archive", how="conda",
    parts=[("pkg-x.tar.zst", bytes.fromhex("28b52ffd00f8") + b"\1\0\0"), ("info-x.tar.zst", info)])
bad("wrong-sum", "its sha256 is", plain, record={"sha256": "0" * 64})
bad("wrong-md5", "its md5 is", plain, record={"sha256": "-", "md5": "0" * 32})
bad("wrong-size", "bytes, the channel says", plain, record={"size": 17})
bad("no-sum", "neither sha256 nor md5", plain, record={"sha256": "-", "md5": "-"})
# A byte that changed after the index was made.
fn, record = channel.records[channel.conda("flipped", [member("lib/b", os.urandom(5000))])]
path = os.path.join(channel.folder, "noarch", fn)
with open(path, "r+b") as f:
    f.seek(record["size"] // 2)
    byte = f.read(1)
    f.seek(-1, 1)
    f.write(bytes([byte[0] ^ 1]))
cases.append(("flipped", len(channel.records) - 1, record["sha256"]))

failed = 0
for name, number, word in cases:
    driver = Driver(program, os.path.join(work, "cache"))
    fn, record = channel.records[number]
    driver.record(channel.folder, "noarch", fn, record)
    started = time.monotonic()
    answer, _ = driver.ask("fill")
    took = time.monotonic() - started
    status = driver.close()
    detail = None
    if not answer.startswith("error 5 "):
        detail = "not refused as it should be: " + answer
    elif word not in answer or name not in answer:
        detail = "the message lacks '%s' or the package: %s" % (word, answer)
    elif took > 60:
        detail = "it took %.1f s" % took
    elif status:
        detail = "exit status %d" % status
    elif os.listdir(outside) or os.path.exists(os.path.join(work, "evil")):
        detail = "something was written outside"
    elif os.listdir(os.path.join(work, "cache", "tmp")) or os.listdir(os.path.join(work, "cache", "pkgs")):
        detail = "something was left in the cache"
    print("fail %s: %s" % (name, detail) if detail else "ok refused: " + name)
sys.stdout.flush()
