#!/usr/bin/env python3
"""hostile_archives.py DIR GOOD.tar: archives that must be refused, one a file, each NAME.tar[.gz].

GOOD.tar is an archive of envbuild's, from which those with a lying index are made.  The sum at the
index's end is kept right, so that the lie itself has to be found (packer/relocator/index.c).
"""
import gzip
import hashlib
import io
import os
import struct
import sys
import tarfile

from pieces import DIR, FILES, HARD, INDEX, SYM, member, number, total

out, good = sys.argv[1:3]
MAGIC = b"envbuild relocation 1\n"


def write(name, members, form=tarfile.GNU_FORMAT):
    with tarfile.open(os.path.join(out, name + ".tar"), "w", format=form) as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))


write("parent", [member("../evil", b"x")])
write("parent-inside", [member("a/../../evil", b"x")])
write("absolute", [member("/tmp/evil", b"x")])
write("dot-dot-end", [member("a/..", kind=DIR)])
write("long-component", [member("a" * 256, b"x")])
write("through-link", [member("lib", kind=SYM, link="/tmp"), member("lib/evil", b"x")])
write("through-own-link", [member("lib64/a", b"x"), member("lib", kind=SYM, link="lib64"),
                           member("lib/evil", b"x")])
write("through-file", [member("lib", b"x"), member("lib/evil", b"x")])
write("link-then-dir", [member("lib", kind=SYM, link="/tmp"), member("lib", kind=DIR)])
write("link-then-file", [member("lib", kind=SYM, link="../evil"), member("lib", b"x")])
write("twice", [member("a", b"1"), member("a", b"2")])
write("hard-outside", [member("a", kind=HARD, link="../../etc/passwd")])
write("hard-absolute", [member("a", kind=HARD, link="/etc/passwd")])
write("hard-to-link", [member("l", kind=SYM, link="/etc/passwd"), member("a", kind=HARD, link="l")])
write("hard-through-link", [member("l", kind=SYM, link="/etc"),
                            member("a", kind=HARD, link="l/passwd")])
write("hard-to-nothing", [member("a", kind=HARD, link="b")])
write("fifo", [member("a", kind=tarfile.FIFOTYPE)])
write("device", [member("a", kind=tarfile.CHRTYPE)])
write("link-to-nothing", [member("a", kind=SYM, link="")])
write("no-members", [])
open(os.path.join(out, "not-an-archive.tar"), "wb").write(b"hello, world\n" * 100)
open(os.path.join(out, "no-bytes.tar"), "wb").close()

with tarfile.open(good) as tar:
    members = [(m, tar.extractfile(m).read() if m.isreg() else b"") for m in tar.getmembers()]
index = next(d for m, d in members if m.name == INDEX)
whole = gzip.compress(open(good, "rb").read(), 1)
open(os.path.join(out, "cut.tar.gz"), "wb").write(whole[:len(whole) // 2])
flipped = bytearray(whole)
flipped[len(whole) // 2] ^= 4
open(os.path.join(out, "flipped.tar.gz"), "wb").write(flipped)


def make_index(files, table=b"/placeholder/of/sixteen\0", n=None):
    b = MAGIC + number(len(table)) + table + number(len(files) if n is None else n)
    for path, mode, where, size, sum_, head, gaps in files:
        b += number(len(path)) + path + b"\0" + mode + number(where) + number(size)
        b += struct.pack("<Q", sum_) + number(len(head)) + head + number(len(gaps))
        b += b"".join(number(g) for g in gaps)
    return b + struct.pack("<Q", total(b))


assert total(index[:-8]) == struct.unpack("<Q", index[-8:])[0], "another sum"


def with_sums(new):
    new = [(m, d) for m, d in new if m.name != FILES]
    lines = [f"{hashlib.sha256(d).hexdigest()}  {m.name}\n" for m, d in new if m.isreg()]
    return new + [member(FILES, "".join(lines).encode())]


def lie(name, new_index, extra=()):
    new = [(m, d) for m, d in members if m.name != INDEX]
    write("index-" + name, with_sums(new + list(extra) + [member(INDEX, new_index)]))


P = b"/placeholder/of/sixteen"
text = b"x=" + P + b"\n"
text_sum = total(b"x=\n")
plain = (b"f", b"t", 0, len(text), text_sum, b"", [2])


def with_file(name, *files, **kw):
    lie(name, make_index(list(files), **kw), [member("f", text), member("g", text)])


with_file("fine", plain)
os.rename(os.path.join(out, "index-fine.tar"), os.path.join(out, "..", "fine.tar"))
with_file("path-outside", (b"../f", *plain[1:]))
with_file("path-absolute", (b"/etc/passwd", *plain[1:]))
with_file("path-empty", (b"", *plain[1:]))
with_file("path-dot", (b"./f", *plain[1:]))
with_file("path-with-nul", (b"f\0g", *plain[1:]))
with_file("no-such-file", (b"nowhere", *plain[1:]))
with_file("a-folder", (b"conda-meta", *plain[1:]))
with_file("twice", plain, plain)
with_file("unsorted", (b"g", *plain[1:]), plain)
with_file("mode", (b"f", b"x", *plain[2:]))
with_file("placeholder-inside", (b"f", b"t", 1, *plain[3:]))
with_file("placeholder-beyond", (b"f", b"t", 999, *plain[3:]))
with_file("placeholder-relative", plain, table=b"placeholder\0")
with_file("placeholder-empty", plain, table=b"\0")
with_file("placeholder-without-end", plain, table=P)
with_file("size-too-large", (b"f", b"t", 0, len(text) + 1, text_sum, b"", [2]))
with_file("size-too-small", (b"f", b"t", 0, len(text) - 2, text_sum, b"", [2]))
with_file("size-huge", (b"f", b"t", 0, (1 << 63) - 1, text_sum, b"", [2]))
with_file("offset-beyond", (b"f", b"t", 0, len(text), text_sum, b"", [4]))
with_file("offset-huge", (b"f", b"t", 0, len(text), text_sum, b"", [(1 << 63) - 1]))
with_file("offset-wrong", (b"f", b"t", 0, len(text), text_sum, b"", [1]))
with_file("offsets-too-many", (b"f", b"t", 0, len(text), text_sum, b"", [2, 0]))
with_file("offsets-none", (b"f", b"t", 0, len(text), text_sum, b"", []))
with_file("sum", (b"f", b"t", 0, len(text), text_sum ^ 1, b"", [2]))
with_file("head-no-shebang", (b"f", b"t", 0, len(text), total(b""), text[:-1], [2]))
with_file("head-of-binary", (b"f", b"b", 0, len(text), total(b""), b"#!" + P, [2]))
with_file("head-differs", (b"f", b"t", 0, len(text), total(b"\n"), b"#!" + P, [2]))
with_file("head-two-lines", (b"f", b"t", 0, len(text), total(b"\n"), b"#!" + P + b"\n", [2]))
with_file("count-too-large", plain, n=2)
with_file("count-too-small", plain, (b"g", *plain[1:]), n=1)
with_file("count-huge", plain, n=(1 << 62))
lie("sum-of-all", index[:-1] + bytes([index[-1] ^ 1]))
lie("cut", index[:-20])
lie("empty", b"")
lie("version", b"envbuild relocation 2\n" + index[len(MAGIC):])

write("files-missing", [m for m in members if m[0].name != FILES])
write("files-one-too-many", members + [member("unlisted", b"x")])
sums = next(d for m, d in members if m.name == FILES).splitlines(True)
write("files-one-twice", [(m, d) for m, d in members if m.name != FILES] +
      [member(FILES, b"".join(sums[:-1] + sums[:1]))])
write("files-one-gone", [m for m in members if m[0].name != "lib/tail"])
write("files-other-sum", [(m, d[:-1] + b"?" if m.name == "lib/latin" else d) for m, d in members])
write("files-damaged", [(m, b"x" + d if m.name == FILES else d) for m, d in members
                        if not setattr(m, "size", len(d) + (m.name == FILES))])
