"""ELF files of x86-64 that a dynamic loader loads and that do nothing: programs, which end with status 0,
and libraries.  All that the loader looks at can be set.

    make_elf.write('lib/libx.so.1', soname='libx.so.1', needed=['libc.so.6'], runpath='$ORIGIN')
    make_elf.write('bin/p', interpreter='/lib64/ld-linux-x86-64.so.2', needed=['libx.so.1'])
"""
import os
import struct

LOAD, DYNAMIC, INTERP, NOTE, PHDR, STACK = 1, 2, 3, 4, 6, 0x6474e551
NULL, NEEDED, HASH, STRTAB, SYMTAB, RELA, RELASZ, RELAENT, STRSZ, SYMENT = 0, 1, 4, 5, 6, 7, 8, 9, 10, 11
SONAME, RPATH, FLAGS, RUNPATH = 14, 15, 30, 29
VERSYM, VERDEF, VERDEFNUM, VERNEED, VERNEEDNUM = (0x6ffffff0, 0x6ffffffc, 0x6ffffffd, 0x6ffffffe,
                                                 0x6fffffff)
FLAGS_1, NODEFLIB, BIND_NOW = 0x6ffffffb, 0x800, 8
GLOB_DAT = 6
EXIT_0 = bytes([0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05])  # xor edi,edi; mov eax,60; syscall


def elf_hash(name):
    h = 0
    for c in name.encode():
        h = (h << 4) + c
        top = h & 0xf0000000
        h = (h ^ top >> 24) & ~top
    return h & 0xffffffff


class Strings:
    def __init__(self):
        self.data = b'\0'

    def add(self, text):
        at = len(self.data)
        self.data += text.encode() + b'\0'
        return at


def definitions(strings, name, versions):
    out = b''
    for index, version in enumerate([name] + versions, 1):
        last = index == len(versions) + 1
        out += struct.pack('<HHHHIII', 1, 1 if index == 1 else 0, index, 1, elf_hash(version), 20,
                           0 if last else 28)
        out += struct.pack('<II', strings.add(version), 0)
    return out


def version_needs(strings, needs, index_of):
    """needs: [(file, [(version, weak)])]; index_of: (file, version) -> its number."""
    out = b''
    for i, (file, versions) in enumerate(needs):
        size = 16 + 16 * len(versions)
        out += struct.pack('<HHIII', 1, len(versions), strings.add(file), 16,
                           0 if i == len(needs) - 1 else size)
        for k, (version, weak) in enumerate(versions):
            out += struct.pack('<IHHII', elf_hash(version), 2 if weak else 0, index_of[file, version],
                               strings.add(version), 0 if k == len(versions) - 1 else 16)
    return out


def write(path, interpreter=None, soname=None, needed=(), rpath=None, runpath=None, defines=(),
          needs=(), defined=(), undefined=(), kernel=None, machine=62, bits=64, kind=3,
          no_defaults=False, bind_now=False):
    """defined: [(name, version or None, hidden)]; undefined: [(name, (file, version) or None, weak)]."""
    strings, defines, needs = Strings(), list(defines), [(f, list(v)) for f, v in needs]
    index_of, number = {}, len(defines) + 2
    for file, versions in needs:
        for version, _ in versions:
            index_of[file, version] = number
            number += 1
    versioned = bool(defines or needs)
    parts = {}
    phnum = 5 + (interpreter is not None) + (kernel is not None)
    at = 64 + 56 * phnum

    def place(name, data, align=8):
        nonlocal at
        at = (at + align - 1) // align * align
        parts[name] = (at, data)
        at += len(data)
        return parts[name][0]

    place('code', EXIT_0, 16)
    if interpreter is not None:
        place('interp', interpreter.encode() + b'\0')
    if kernel is not None:
        place('note', struct.pack('<III4sIIII', 4, 16, 1, b'GNU\0', 0, *kernel))
    symbols, versym = struct.pack('<IBBHQQ', 0, 0, 0, 0, 0, 0), struct.pack('<H', 0)
    relocations = []
    for name, need, weak in undefined:
        relocations.append(len(symbols) // 24)
        symbols += struct.pack('<IBBHQQ', strings.add(name), 0x20 if weak else 0x10, 0, 0, 0, 0)
        versym += struct.pack('<H', index_of[tuple(need)] if need else 1 if defines else 0)
    for name, version, hidden in defined:
        symbols += struct.pack('<IBBHQQ', strings.add(name), 0x10, 0, 1, parts['code'][0], 8)
        index = defines.index(version) + 2 if version else 1
        versym += struct.pack('<H', index | (0x8000 if hidden else 0))
    count = len(symbols) // 24
    symtab = place('symbols', symbols)
    chain = [i - 1 if i > 1 else 0 for i in range(count)]  # each leads to the one before it
    hashes = place('hash', struct.pack('<%dI' % (3 + count), 1, count, count - 1, *chain))
    got = place('got', bytes(8 * len(relocations)))
    rela = place('rela', b''.join(struct.pack('<QQq', got + 8 * i, index << 32 | GLOB_DAT, 0)
                                  for i, index in enumerate(relocations)))
    dynamic = [(NEEDED, strings.add(name)) for name in needed]
    dynamic += [(tag, strings.add(text)) for tag, text in
                ((SONAME, soname), (RPATH, rpath), (RUNPATH, runpath)) if text is not None]
    dynamic += [(HASH, hashes), (SYMTAB, symtab), (SYMENT, 24)]
    if relocations:
        dynamic += [(RELA, rela), (RELASZ, 24 * len(relocations)), (RELAENT, 24)]
    if versioned:
        dynamic.append((VERSYM, place('versym', versym)))
    if defines:
        data = definitions(strings, soname or os.path.basename(path), defines)
        dynamic += [(VERDEF, place('verdef', data)), (VERDEFNUM, len(defines) + 1)]
    if needs:
        dynamic += [(VERNEED, place('verneed', version_needs(strings, needs, index_of))),
                    (VERNEEDNUM, len(needs))]
    if no_defaults:
        dynamic.append((FLAGS_1, NODEFLIB))
    if bind_now:
        dynamic.append((FLAGS, BIND_NOW))
    dynamic += [(STRTAB, place('strings', strings.data)), (STRSZ, len(strings.data)), (NULL, 0)]
    dynamic_at = place('dynamic', b''.join(struct.pack('<QQ', *entry) for entry in dynamic))

    def header(kind, flags, name=None, begin=0, size=0, align=8):
        if name:
            begin, size = parts[name][0], len(parts[name][1])
        return struct.pack('<IIQQQQQQ', kind, flags, begin, begin, begin, size, size, align)

    headers = [header(PHDR, 4, begin=64, size=56 * phnum)]
    if interpreter is not None:
        headers.append(header(INTERP, 4, 'interp', align=1))
    headers += [header(LOAD, 7, begin=0, size=at, align=0x1000), header(DYNAMIC, 6, 'dynamic'),
                header(STACK, 6, align=16)]
    if kernel is not None:
        headers.append(header(NOTE, 4, 'note', align=4))
    while len(headers) < phnum:
        headers.append(header(0, 0))
    ident = b'\x7fELF' + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    image = bytearray(at)
    image[:64] = ident + struct.pack('<HHIQQQIHHHHHH', kind, machine, 1, parts['code'][0], 64, 0, 0, 64,
                                     56, phnum, 0, 0, 0)
    image[64:64 + 56 * phnum] = b''.join(headers)
    for begin, data in parts.values():
        image[begin:begin + len(data)] = data
    assert dynamic_at
    os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
    with open(path, 'wb') as file:
        file.write(bytes(image))
    os.chmod(path, 0o755)
