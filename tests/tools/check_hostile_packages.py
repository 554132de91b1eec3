#!/usr/bin/env python3
"""Packages that lie or attack: each must be refused, and nothing written outside the cache.

    check_hostile_packages.py INSTALL_ONE WORK

Prints "ok NAME" or "fail NAME: DETAIL" for each.
"""

import os
import sys

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
info = zstd(tar_bytes(info_members("half")))
bad("zip-without-pkg", "lacks", how="conda", parts=[("info-zip-without-pkg-1.0-0.tar.zst", info)])
bad("zip-two-pkg", "twice", how="conda", parts=[("info-x.tar.zst", info), ("info-y.tar.zst", info)])
bad("zip-info-link", "link or a file", how="conda",
    parts=[("pkg-x.tar.zst", zstd(tar_bytes([member("info", kind=SYM, link=outside)]))), ("info-x.tar.zst", info)])
bad("zip-version", "version 2", how="conda",
    parts=[("metadata.json", b'{"conda_pkg_format_version": 3}'), ("info-x.tar.zst", info)])
bad("zip-no-zstd", "zip-no-zstd", how="conda", parts=[("info-x.tar.zst", b"not zstd"), ("pkg-x.tar.zst", info)])
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
    answer, _ = driver.ask("fill")
    status = driver.close()
    detail = None
    if not answer.startswith("error 5 "):
        detail = "not refused as it should be: " + answer
    elif word not in answer or name not in answer:
        detail = "the message lacks '%s' or the package: %s" % (word, answer)
    elif status:
        detail = "exit status %d" % status
    elif os.listdir(outside) or os.path.exists(os.path.join(work, "evil")):
        detail = "something was written outside"
    elif os.listdir(os.path.join(work, "cache", "tmp")) or os.listdir(os.path.join(work, "cache", "pkgs")):
        detail = "something was left in the cache"
    print("fail %s: %s" % (name, detail) if detail else "ok refused: " + name)
sys.stdout.flush()
