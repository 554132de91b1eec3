"""What conda makes of a file that holds a placeholder: an independent reading of
conda/core/portability.py (conda 23 to 26), on Linux."""

import re

ENCODINGS = ("utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
SHEBANG = re.compile(rb"^(#!(?:[ ]*)(/(?:\\ |[^ \n\r\t])*)(.*))$", re.MULTILINE)
MAX_SHEBANG = 127


class PrefixTooLong(Exception):
    pass


def binary_replace(data, search, replacement, encoding):
    zeros = "\0".encode(encoding)

    def replace(match):
        count = match.group().count(search)
        padding = (len(search) - len(replacement)) * count
        if padding < 0:
            raise PrefixTooLong
        return match.group().replace(search, replacement) + b"\0" * padding

    pattern = re.compile(re.escape(search) + b"(?:(?!(?:" + zeros + b")).)*" + zeros, flags=re.DOTALL)
    return pattern.sub(replace, data)


def text_replace(data, old, new, encoding):
    end = data.find(b"\n")
    if end > -1:
        line, rest = data[:end], data[end:]
        shebang = ("#!" + old).encode(encoding)
        if shebang in line:
            data = line.replace(shebang, ("#!" + new).replace(" ", "\\ ").encode(encoding)) + rest
    return data.replace(old.encode(encoding), new.encode(encoding))


def long_shebang(data):
    match = SHEBANG.match(data)
    if match:
        whole, program, options = match.groups()
        folder, name = program.decode("utf-8", "surrogateescape").rsplit("/", 1)
        if len(whole) > MAX_SHEBANG or "\\ " in folder:
            data = data.replace(
                whole, b"#!/usr/bin/env " + name.encode("utf-8", "surrogateescape") + options)
    return data


def update(data, old, new, binary):
    """The bytes with the prefix `new` in the placeholder's place."""
    original = data
    for encoding in ENCODINGS:
        if binary:
            data = binary_replace(data, old.encode(encoding), new.encode(encoding), encoding)
        else:
            data = text_replace(data, old, new, encoding)
    if not binary:
        return long_shebang(data)
    assert len(data) == len(original)
    return data
