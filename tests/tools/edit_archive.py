#!/usr/bin/env python3
"""edit_archive.py IN.tar.gz OUT.tar.gz EDIT...: the archive with something changed, members in their order.

    set PATH TEXT       other content                   drop PATH       without it
    mode PATH OCTAL     another mode                    twice PATH      once more at the end
    link PATH TARGET    another target                  below PATH      a file PATH/x at the end
    time PATH SECONDS   another time                    add PATH TEXT   a new file before the list
    bytes PATH A B      A replaced by B in its content  again           nothing
    list                afterwards conda-meta/envbuild/files is made to fit
"""
import gzip
import hashlib
import io
import sys
import tarfile

SUMS = 'conda-meta/envbuild/files'
source, to = sys.argv[1:3]
words = sys.argv[3:]
members = []
with tarfile.open(source) as tar:
    for info in tar:
        members.append([info, tar.extractfile(info).read() if info.isfile() else b''])


def find(path):
    return next(m for m in members if m[0].name == path)


def file(path, data):
    info = tarfile.TarInfo(path)
    info.mode = 0o644
    return [info, data]


fit = False
while words:
    verb = words.pop(0)
    if verb == 'list':
        fit = True
        continue
    if verb == 'again':
        continue
    path = words.pop(0)
    if verb == 'set':
        find(path)[1] = words.pop(0).encode()
    elif verb == 'bytes':
        m, old = find(path), words.pop(0).encode()
        assert old in m[1], old
        m[1] = m[1].replace(old, words.pop(0).encode())
    elif verb == 'mode':
        find(path)[0].mode = int(words.pop(0), 8)
    elif verb == 'link':
        find(path)[0].linkname = words.pop(0)
    elif verb == 'time':
        find(path)[0].mtime = int(words.pop(0))
    elif verb == 'drop':
        members.remove(find(path))
    elif verb == 'twice':
        members.append(find(path))
    elif verb == 'below':
        members.append(file(path + '/x', b'x'))
    elif verb == 'add':
        members.insert(len(members) - 1, file(path, words.pop(0).encode()))
if fit:
    find(SUMS)[1] = b''.join(b'%s  %s\n' % (hashlib.sha256(data).hexdigest().encode(), info.name.encode())
                             for info, data in members if info.isfile() and info.name != SUMS)
out = io.BytesIO()
with tarfile.open(fileobj=out, mode='w', format=tarfile.GNU_FORMAT) as tar:
    for info, data in members:
        info.size = len(data) if info.isfile() else 0
        tar.addfile(info, io.BytesIO(data))
with open(to, 'wb') as f:
    f.write(gzip.compress(out.getvalue(), 6, mtime=0))
