#!/usr/bin/env python3
"""Looks at the packages of a demo channel with nothing of the tools that made it.

    check_channel.py CHANNEL

Says what is wrong and exits 1: a path list that is not the content, an ELF file that would look for
libraries outside, a symbol version that `__glibc` does not cover, a C library, a dependency that no
package satisfies by name.
"""
import glob
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile

GLIBC = re.compile(rb'GLIBC_(\d+)\.(\d+)')
wrong = []


def members(package, part):
    with zipfile.ZipFile(package) as whole:
        name = next(n for n in whole.namelist() if n.startswith(part + '-'))
        data = subprocess.run(['zstd', '-dc'], input=whole.read(name), stdout=subprocess.PIPE,
                              check=True).stdout
    return tarfile.open(fileobj=io.BytesIO(data))


def check_paths(package, listed, tar):
    held = {m.name: m for m in tar.getmembers()}
    if sorted(held) != sorted(p['_path'] for p in listed):
        wrong.append('%s: paths.json and content differ' % package)
        return
    for path in listed:
        member = held[path['_path']]
        if path['path_type'] != 'hardlink':
            continue
        data = tar.extractfile(member).read()
        if hashlib.sha256(data).hexdigest() != path['sha256'] or \
                len(data) != path['size_in_bytes']:
            wrong.append('%s: %s is not what paths.json says' % (package, member.name))
        placeholder = path.get('prefix_placeholder')
        if (b'/opt/demo-channel/' in data) != bool(placeholder):
            wrong.append('%s: %s: placeholder not declared' % (package, member.name))
        if re.match(rb'#! ?/usr/bin/python', data):
            wrong.append('%s: %s runs the Python of the machine' % (package, member.name))


def dynamic(data):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        return subprocess.run(['readelf', '-dW', file.name], stdout=subprocess.PIPE, text=True,
                              stderr=subprocess.DEVNULL, check=False).stdout


def check_elf(package, tar, index):
    """GLIBC_x.y stands as text in the version needs' strings: found there, not by readelf -V."""
    limit = max([tuple(map(int, re.findall(r'\d+', d))) for d in index['depends']
                 if d.startswith('__glibc')], default=(0, 0))
    newest = (0, 0)
    for member in tar.getmembers():
        base = os.path.basename(member.name)
        if re.match(r'(libc|libpthread|libm|libdl|ld-linux[^.]*)\.so', base):
            wrong.append('%s: holds %s' % (package, member.name))
        data = tar.extractfile(member).read() if member.isfile() else b''
        if not data.startswith(b'\x7fELF'):
            continue
        newest = max([newest] + [(int(a), int(b)) for a, b in GLIBC.findall(data)])
        text = dynamic(data)
        to_lib = os.path.relpath('lib', os.path.dirname(member.name))
        want = '$ORIGIN' if to_lib == '.' else '$ORIGIN/' + to_lib
        if 'Library r' in text and '[%s]' % want not in text:
            wrong.append('%s: %s has another rpath' % (package, member.name))
        if 'NEEDED' in text and 'Library r' not in text:
            wrong.append('%s: %s has no rpath' % (package, member.name))
    if newest != limit and not (newest < limit == (2, 36)):
        wrong.append('%s: needs glibc %d.%d, says %d.%d' % ((package,) + newest + limit))


def main(channel):
    packages = sorted(glob.glob(os.path.join(channel, '*', '*.conda')))
    indexes = {}
    for package in packages:
        info = members(package, 'info')
        index = json.load(info.extractfile('info/index.json'))
        indexes[package] = index
        paths = json.load(info.extractfile('info/paths.json'))['paths']
        stem = '%(name)s-%(version)s-%(build)s.conda' % index
        if stem != os.path.basename(package):
            wrong.append("%s: is '%s' inside" % (package, stem))
        tar = members(package, 'pkg')
        check_paths(package, paths, tar)
        check_elf(package, tar, index)
    names = {index['name'] for index in indexes.values()}
    for package, index in indexes.items():
        for depend in index['depends']:
            name = depend.split()[0]
            if not name.startswith('__') and name not in names:
                wrong.append("%s: needs '%s', which is not there" % (package, name))
    for line in wrong:
        print(line.replace(channel + '/', ''))
    print('%d packages' % len(packages))
    return 1 if wrong or not packages else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
