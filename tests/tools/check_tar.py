#!/usr/bin/env python3
"""Prints the members of a tar as Python's tarfile reads them, in the form of `net list`."""
import hashlib
import sys
import tarfile

KINDS = {tarfile.REGTYPE: 'f', tarfile.DIRTYPE: 'd', tarfile.SYMTYPE: 'l', tarfile.LNKTYPE: 'h'}


def text(s):
    return s.encode('utf-8', 'surrogateescape').hex() or '-'


with tarfile.open(sys.argv[1], errors='surrogateescape') as tar:
    for m in tar:
        body = tar.extractfile(m).read() if m.isreg() else b''
        print('%s %04o %d %d %s %s %s' % (
            KINDS[m.type], m.mode, m.mtime, len(body), hashlib.sha256(body).hexdigest(),
            text(m.name), text(m.linkname)))
