#!/usr/bin/env python3
"""shapes_channel.py DIR PYTHON: a channel of small packages in the shapes that real ones have.

A Python (PYTHON, of this machine, under another name), noarch Python with an entry point, files with
a placeholder, text and binary, a post-link script, empty folders, links, a file of several pieces.
"""
import hashlib
import os
import subprocess
import sys

from make_package import Channel, DIR, SYM, member

OLD = '/opt/' + 'placehold_' * 20
channel = Channel(sys.argv[1])
version = subprocess.run([sys.argv[2], '-c', 'import sys; print("%d.%d.%d" % sys.version_info[:3])'],
                         check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
short = version.rsplit('.', 1)[0]


def conda(name, members, version='1.0', listing=None, index=None, link=None):
    index = dict({'subdir': 'noarch', 'version': version, 'noarch': 'generic'}, **(index or {}))
    channel.conda(name, members, listing=listing, index=index, link=link, version=version,
                  record={'version': version})
    if version != '1.0':
        at = os.path.join(channel.folder, 'noarch', name)
        os.rename(at + '-1.0-0.conda', '%s-%s-0.conda' % (at, version))


def entry(path, data, mode=None):
    out = {'_path': path, 'path_type': 'hardlink', 'sha256': hashlib.sha256(data).hexdigest(),
           'size_in_bytes': len(data)}
    if mode:
        out.update(prefix_placeholder=OLD, file_mode=mode)
    return out


launcher = ('#!/bin/sh\nhere=$(dirname "$(readlink -f "$0")")\n'
            'PYTHONPATH=$here/../lib/python%s/site-packages exec %s "$@"\n' % (short, sys.argv[2])).encode()
conda('python', [member('bin/python' + short, launcher, mode=0o755),
                 member('bin/python', kind=SYM, link='python' + short),
                 member('bin/python3', kind=SYM, link='python' + short),
                 member('lib/python%s/site-packages/README' % short, b'')], version=version)
conda('lib', [member('site-packages/lib/__init__.py', b'def main():\n    print("lib")\n'),
              member('site-packages/lib/data.txt', b'data\n')],
      index={'noarch': 'python', 'depends': ['python']},
      link={'noarch': {'type': 'python', 'entry_points': ['lib = lib:main']},
            'package_metadata_version': 1})
text = b'#!%s/bin/python\nprefix = "%s"\n' % (OLD.encode(), OLD.encode())
binary = b'\x7f\0\1\2' + OLD.encode() + b'/lib\0' + b'\0\3' * 500
numbers = b''.join(b'%d\n' % n for n in range(1400000))
conda('shapes', [member('bin/tool', text, mode=0o755), member('lib/libshapes.so', binary),
                 member('lib/libshapes.so.1', kind=SYM, link='libshapes.so'),
                 member('var/empty/deep', kind=DIR, mode=0o700), member('share/numbers', numbers)],
      listing=[entry('bin/tool', text, 'text'), entry('lib/libshapes.so', binary, 'binary'),
               entry('share/numbers', numbers),
               {'_path': 'lib/libshapes.so.1', 'path_type': 'softlink'},
               {'_path': 'var/empty/deep', 'path_type': 'directory'}])
conda('script', [member('bin/.script-post-link.sh',
                        b'echo "made in $PREFIX" >"$PREFIX/made"\nmkdir "$PREFIX/made-folder"\n',
                        mode=0o755)])
