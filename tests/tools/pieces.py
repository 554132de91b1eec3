"""Archives in the form that envbuild unpacks piece by piece (docs/design/archive.md), and lies in it."""
import hashlib
import io
import struct
import tarfile
import zlib

CHUNK = 8 << 20
INDEX = "conda-meta/envbuild/relocation"
FILES = "conda-meta/envbuild/files"
M64 = (1 << 64) - 1
FACTOR = 0x9E3779B97F4A7C15
SYM, HARD, DIR = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size = kind, link, mode, len(data)
    return info, data


def number(n):
    b = b""
    while n >= 0x80:
        b += bytes([0x80 | n & 0x7F])
        n >>= 7
    return b + bytes([n])


def total(data):
    """The sum of packer/relocator/index.c."""
    h = FACTOR
    tail = len(data) % 8
    words = struct.unpack(f"<{len(data) // 8}Q", data[:len(data) - tail])
    rest = int.from_bytes(data[len(data) - tail:], "little")
    for word in words + (rest, len(data)):
        h = (((h << 5 | h >> 59) & M64) ^ word) * FACTOR & M64
    h = (h ^ h >> 32) * FACTOR & M64
    return h ^ h >> 29


EMPTY_INDEX = b"envbuild relocation 1\n" + number(0) + number(0)
EMPTY_INDEX += struct.pack("<Q", total(EMPTY_INDEX))


def tar_of(members):
    """Without the end's blocks."""
    out = b""
    for info, data in members:
        out += info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512)
    return out


def ending(segments, index=EMPTY_INDEX):
    """The last segment: the index and the list of all files."""
    last = [member(INDEX, index)]
    lines = [f"{hashlib.sha256(d).hexdigest()}  {m.name}\n"
             for s in segments + [last] for m, d in s if m.isreg()]
    return last + [member(FILES, "".join(lines).encode())]


def chunks_of(segments):
    """Tar streams cut into pieces; the last has the archive's end."""
    tars = [tar_of(s) for s in segments]
    tars[-1] += bytes(1024)
    return [t[at:at + CHUNK] for t in tars for at in range(0, len(t), CHUNK)]


def gz_member(raw, packed=None, isize=None, crc=None):
    deflate = zlib.compressobj(1, zlib.DEFLATED, -15)
    body = deflate.compress(raw) + deflate.flush()
    size = 20 + len(body) + 8 if packed is None else packed
    return (b"\x1f\x8b\x08\x04\0\0\0\0\0\xff\x08\0EB\x04\0" + struct.pack("<I", size) + body +
            struct.pack("<II", zlib.crc32(raw) if crc is None else crc,
                        len(raw) if isize is None else isize))


def zst_frame(raw):
    """Blocks that are not compressed (RFC 8878)."""
    out = b"\x28\xb5\x2f\xfd\xa0" + struct.pack("<I", len(raw))
    pieces = [raw[at:at + (128 << 10)] for at in range(0, len(raw), 128 << 10)] or [b""]
    for i, piece in enumerate(pieces):
        out += (len(piece) << 3 | (i + 1 == len(pieces))).to_bytes(3, "little") + piece
    return out


def seek_table(sizes, n=None, descriptor=0, length=None):
    body = b"".join(struct.pack("<II", *s) for s in sizes)
    foot = struct.pack("<IBI", len(sizes) if n is None else n, descriptor, 0x8F92EAB1)
    size = len(body) + 9 if length is None else length
    return struct.pack("<II", 0x184D2A5E, size) + body + foot


def gz(segments):
    return b"".join(gz_member(c) for c in chunks_of(segments))


def zst(segments):
    chunks = chunks_of(segments)
    frames = [zst_frame(c) for c in chunks]
    return b"".join(frames) + seek_table([(len(f), len(c)) for f, c in zip(frames, chunks)])


def plain(segments):
    return b"".join(chunks_of(segments))


FORMS = {"tar.gz": gz, "tar.zst": zst, "tar": plain}


def members_of(path):
    with tarfile.open(path) as tar:
        return [(m, tar.extractfile(m).read() if m.isreg() else b"") for m in tar.getmembers()]
