#!/usr/bin/env python3
"""check_unpack_pieces.py PACK_TREE HOSTILE FOLDER: archives in pieces that must be refused, whichever
thread comes first.

HOSTILE is what hostile_archives.py made: each of those, in the form that is unpacked piece by piece,
every member in a segment of its own.  And lies about the pieces themselves.
"""
import gzip
import os
import shutil
import subprocess
import sys
import tarfile

import pieces
from pieces import DIR, FILES, HARD, INDEX, SYM, member

tool, hostile, work = sys.argv[1:4]
place = os.path.join(work, "in")
MANIFEST = member("conda-meta/envbuild/manifest.json", b"{}")


def unpack(path, prefix="/opt/there", jobs=3):
    run = subprocess.run([tool, "--unpack", path, place + "/new", prefix, str(jobs)],
                         capture_output=True, text=True, timeout=60)
    return run.returncode, run.stderr


def reset():
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)


def refused(name, data, form="tar.gz", times=1, says="error: ..", want=5):
    path = os.path.join(work, "hostile." + form)
    with open(path, "wb") as file:
        file.write(data)
    why = ""
    for i in range(times):
        reset()
        status, text = unpack(path, jobs=1 + i % 4)
        left = os.listdir(place)
        if status != want or left or says not in text.replace("error: ", "error: .."):
            why = "exit %d, left %s: %s" % (status, left, text)
            break
    if os.path.exists("/tmp/envbuild-evil") or os.path.exists(os.path.join(work, "evil")):
        why = "something was written outside"
    print("fail %s: %s" % (name, why.replace("\n", " ")) if why else "ok " + name, flush=True)


def taken(name, data, form):
    path = os.path.join(work, "fine." + form)
    with open(path, "wb") as file:
        file.write(data)
    reset()
    status, text = unpack(path)
    print("fail %s: exit %d, %s" % (name, status, text) if status else "ok " + name, flush=True)


def in_pieces(members):
    """Every member a segment; the index and what follows it the last."""
    at = next((i for i, (m, _) in enumerate(members) if m.name == INDEX), None)
    if at is None:
        body = [[m] for m in members]
        return body + [pieces.ending(body)]
    return [[m] for m in members[:at]] + [members[at:]]


fine = [[MANIFEST], [member("a/f", b"1")], [member("l", kind=SYM, link="a")],
        [member("big", b"x" * (9 << 20))], [member("d", kind=DIR, mode=0o755)]]
fine.append(pieces.ending(fine))
for form, make in pieces.FORMS.items():
    taken("their kind can be unpacked: " + form, make(fine), form)
whole = b"".join(pieces.chunks_of(fine))
for size in (16 << 20, 999999):
    cut = [whole[at:at + size] for at in range(0, len(whole), size)]
    frames = [pieces.zst_frame(c) for c in cut]
    taken("frames of %d bytes with a table, as other programs make them" % size, b"".join(frames) +
          pieces.seek_table([(len(f), len(c)) for f, c in zip(frames, cut)]), "tar.zst")

for name in sorted(os.listdir(hostile)):
    if not name.endswith(".tar"):
        continue
    try:
        members = pieces.members_of(os.path.join(hostile, name))
    except (tarfile.TarError, EOFError, OSError):
        continue
    # A regular file among them that is there twice has two sums in the list: that is refused alone.
    if members:
        refused("in pieces: " + name, pieces.gz(in_pieces(members)))
    if name.startswith(("index-", "files-")):
        with open(os.path.join(hostile, name), "rb") as file:
            refused("in one row: " + name, gzip.compress(file.read(), 1))

# --- two segments that exclude each other: either order, whatever thread is first -------------------
evil = "/tmp/envbuild-evil"
for name, pair in {
        "a link and a file below it": (member("lib", kind=SYM, link="/tmp"), member("lib/envbuild-evil", b"x")),
        "a link up and a file below it": (member("lib", kind=SYM, link=".."), member("lib/evil", b"x")),
        "a link and a link below it": (member("lib", kind=SYM, link="/tmp"),
                                       member("lib/envbuild-evil", kind=SYM, link="x")),
        "a link and a folder below it": (member("lib", kind=SYM, link="/tmp"),
                                         member("lib/envbuild-evil", kind=DIR)),
        "a link and a folder of one name": (member("lib", kind=SYM, link="/tmp"), member("lib", kind=DIR)),
        "a link twice": (member("lib", kind=SYM, link="a"), member("lib", kind=SYM, link="b")),
        "a file and a link of one name": (member("lib", b"x"), member("lib", kind=SYM, link="/tmp")),
        "a file and a file below it": (member("lib", b"x"), member("lib/x", b"x"))}.items():
    padding = [member("p%d" % i, b"y" * 300000) for i in range(3)]
    for first, second in (pair, pair[::-1]):
        body = [[first], padding, [second]]
        refused("%s, '%s' first" % (name, first[0].name), pieces.gz(body + [pieces.ending(body)]), times=4)
body = [[member("a", b"1")], [member("b", b"2")]]
end = pieces.ending(body)
refused("a file twice", pieces.gz(body + [[member("a", b"1")], end]), times=4, says="'a' in")
refused("a file that is not listed", pieces.gz(body + [[member("c", b"1")], end]), says="not in its list")
refused("a file that is missing", pieces.gz(body[:1] + [end]), says="is missing")
refused("a file with another sum", pieces.gz([[member("a", b"X")], body[1], end]), says="is damaged")
big = [[member("a", b"1" * (9 << 20))], body[1]]
refused("a large file with another sum",
        pieces.gz([[member("a", b"1" * (9 << 20) + b"2")], body[1], pieces.ending(big)]), says="is damaged")
refused("a hard link", pieces.gz(body + [[member("h", kind=HARD, link="a")], end]), says="hard link")
listed = end[1][1]
refused("a list with a path twice", pieces.gz(
    body + [[end[0], member(FILES, listed + listed[:listed.index(b"\n") + 1])]]), says="twice")
refused("a list that lists itself", pieces.gz(body + [[end[0], member(
    FILES, listed + b"0" * 64 + b"  " + FILES.encode() + b"\n")]]), says="lists itself")
refused("a list of a million and one", pieces.gz(body + [[end[0], member(
    FILES, (b"0" * 64 + b"  a\n") * 1000001)]]), says="more than 1000000")
refused("an index that is not the listed one", pieces.gz(
    body + [[member(INDEX, pieces.EMPTY_INDEX[:-1] + b"?"), end[1]]]), says="list of files")
for name in (".envbuild-unfinished", ".envbuild-unpack.1.tmp"):
    own = body + [[member(name, b"x")]]
    refused("a file called " + name, pieces.gz(own + [pieces.ending(own)]), says="that unpacking uses")
    refused("in one row: a file called " + name, gzip.compress(pieces.plain(own + [pieces.ending(own)]), 1),
            says="that unpacking uses")

# --- lies about the pieces ---------------------------------------------------------------------------
chunks = pieces.chunks_of(body + [end])
packed = [pieces.gz_member(c) for c in chunks]


def with_member(i, **lie):
    return b"".join(packed[:i] + [pieces.gz_member(chunks[i], **lie)] + packed[i + 1:])


for i in (0, 1, len(packed) - 1):
    size = len(packed[i])
    for size in (0, 27, size - 1, size + 1, size + len(packed[-1]), 1 << 24, (1 << 32) - 1):
        refused("member %d of %d says %d bytes" % (i, len(packed[i]), size), with_member(i, packed=size))
    for size in (0, 1, 512, len(chunks[i]) + 512, 8 << 20, (8 << 20) + 512, (1 << 32) - 512):
        if size != len(chunks[i]):
            refused("member %d says %d bytes of tar" % (i, size), with_member(i, isize=size))
    refused("member %d with another sum" % i, with_member(i, crc=0))
refused("a member without its size between", packed[0] + b"\x1f\x8b\x08\0" + packed[1][4:] + b"".join(packed[2:]))
refused("something behind the last member", b"".join(packed) + b"behind")
refused("half a header behind the last member", b"".join(packed) + packed[0][:19])
refused("cut in a member", b"".join(packed)[:-9])
refused("cut between members", b"".join([pieces.gz_member(pieces.tar_of([MANIFEST]))] + packed[:-1]))
refused("an empty member", b"".join(packed[:1] + [pieces.gz_member(b"")] + packed[1:]))
refused("tar that is no tar", b"".join(packed[:1] + [pieces.gz_member(b"hello world.....".ljust(512))] + packed[1:]))
half = pieces.tar_of([member("h", b"1" * 4000)])
refused("a file that does not end with its segment",
        b"".join([pieces.gz_member(half[:1024]), pieces.gz_member(half[1024:])] + packed))
name = pieces.tar_of([member("n" * 200, b"1")])
refused("a name that does not end with its segment",
        b"".join([pieces.gz_member(name[:512]), pieces.gz_member(name[512:])] + packed))
refused("an end in the middle", b"".join([pieces.gz_member(chunks[0] + bytes(1024))] + packed[1:]))
refused("something behind the end", b"".join(packed[:-1] + [pieces.gz_member(chunks[-1] + chunks[0])]))
huge = bytearray(half[:512])
huge[124:136] = b"\x80" + (1 << 59).to_bytes(11, "big")
huge[148:156] = b"%06o\0 " % (sum(huge[:148]) + 8 * 32 + sum(huge[156:]))
refused("a file of half an exabyte", b"".join([pieces.gz_member(bytes(huge))] + packed))
refused("one that has begun", b"".join([pieces.gz_member(bytes(huge) + bytes((8 << 20) - 512))] + packed))
target = "/".join(["t" * 250] * 15)
many = pieces.gz_member(pieces.tar_of([member("l%d" % i, kind=SYM, link=target) for i in range(1500)]))
refused("links that fill the memory", many * 60 + b"".join(packed), says="MiB of paths")

frames = [pieces.zst_frame(c) for c in chunks]
sizes = [(len(f), len(c)) for f, c in zip(frames, chunks)]
zst = b"".join(frames)


def table(name, *args, **more):
    refused("a seek table with " + name, zst + pieces.seek_table(*args, **more), "tar.zst")


table("a frame too few", sizes[:-1])
table("a frame too many", sizes + sizes[:1])
table("a longer frame", [(sizes[0][0] + 1, sizes[0][1])] + sizes[1:])
table("two frames' bounds moved", [(sizes[0][0] + 1, sizes[0][1]), (sizes[1][0] - 1, sizes[1][1])] + sizes[2:])
table("a frame of nothing", [(0, 512)] + sizes)
table("less tar in a frame", [(sizes[0][0], 512)] + sizes[1:])
table("more tar in a frame", [(sizes[0][0], sizes[0][1] + 512)] + sizes[1:])
table("no frames", [])
table("a count too high", sizes, n=1 << 31)
table("a count that wraps", sizes, n=(1 << 29) + len(sizes))
table("another length", sizes, length=8)
reset()
