#!/usr/bin/env python3
"""diff_world.py DIR: two generations of a channel and of a prefix as conda and pip make them.

DIR/channel holds packages (envbuild indexes it), DIR/old and DIR/new are prefixes without any conda.
"""
import hashlib
import json
import os
import subprocess
import sys

from make_package import Channel, bzip2, info_members, member, tar_bytes

SITE = 'lib/python3.9/site-packages/'
root = sys.argv[1]
channel = Channel(os.path.join(root, 'channel'))


def library(symbol):
    """An ELF library that needs the glibc which brought the symbol."""
    path = os.path.join(root, 'x.so')
    source = 'void %s(void); void f(void); void f(void) { %s(); }' % (symbol, symbol)
    subprocess.run(['gcc', '-shared', '-fPIC', '-nostartfiles', '-fno-builtin', '-O2', '-Wl,--build-id=none',
                    '-x', 'c', '-', '-o', path], input=source.encode(), check=True)
    with open(path, 'rb') as file:
        data = file.read()
    os.unlink(path)
    return data


def package(name, version, build, members, license='MIT', **index):
    index = dict({'license': license, 'noarch': 'generic'}, **index)
    data = bzip2(tar_bytes(info_members(name, members, version, build, index=index) + members))
    extra = {key: index[key] for key in ('license', 'noarch')}
    channel.put('%s-%s-%s.tar.bz2' % (name, version, build), data, version=version, build=build, **extra)


def shared(name, text='one\n'):
    return [member('share/%s/text' % name, text.encode())]


package('alpha', '1.9', '0', shared('alpha'))
package('alpha', '1.10', '0', shared('alpha', 'two\n'), license='GPL-3.0-only')
package('beta', '1.0', 'h1_0', shared('beta') + [member('share/beta/old', b'x')])
package('beta', '1.0', 'h2_1', shared('beta') + [member('share/beta/new', b'x')], build_number=1)
package('gamma', '3.0', '0', shared('gamma'))
package('delta', '0.1', '0', shared('delta'))
package('down', '2.0', '0', shared('down'))
package('down', '1.5', '0', shared('down'))
package('same', '1.0', '0', shared('same'))
package('elfy', '1.0', '0', [member('lib/libelfy.so', library('secure_getenv'))])
package('elfy', '1.1', '0', [member('lib/libelfy.so', library('getrandom'))])


# --- prefixes -------------------------------------------------------------------------------------
def write(prefix, path, data):
    path = os.path.join(prefix, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
        file.write(data)


def record(prefix, name, version, build='0', files=None, channel='conda-forge', license='MIT', as_file=None, **more):
    """What conda writes into conda-meta, less what nobody reads."""
    files = files or {'share/%s/text' % name: b'one\n'}
    fn = '%s-%s-%s.conda' % (name, version, build)
    url = 'https://conda.anaconda.org/%s/linux-64' % channel
    for path, data in files.items():
        write(prefix, path, data)
    paths = [{'_path': path, 'path_type': 'hardlink', 'sha256': hashlib.sha256(data).hexdigest(),
              'sha256_in_prefix': hashlib.sha256(data).hexdigest(), 'size_in_bytes': len(data)}
             for path, data in sorted(files.items())]
    text = dict({'name': name, 'version': version, 'build': build, 'build_number': 0, 'depends': [], 'fn': fn,
                 'channel': url, 'url': url + '/' + fn, 'license': license, 'subdir': 'linux-64', 'size': 1000,
                 'md5': '0' * 32, 'files': sorted(files), 'paths_data': {'paths': paths, 'paths_version': 1}}, **more)
    write(prefix, 'conda-meta/' + (as_file or fn[:-6]) + '.json', json.dumps(text, indent=2).encode())


def dist(name, version, license='', installer='pip'):
    info = '%s%s-%s.dist-info/' % (SITE, name.replace('-', '_'), version)
    metadata = 'Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s\nText\n' % (
        name, version, 'License: %s\n' % license if license else '')
    return {info + 'METADATA': metadata.encode(), info + 'INSTALLER': installer.encode() + b'\n',
            info + 'RECORD': b'%s,,\n' % (info[len(SITE):] + 'METADATA').encode()}


def pip(prefix, name, version, license='', commit=None):
    for path, data in dist(name, version, license).items():
        write(prefix, path, data)
    if commit:
        info = '%s%s-%s.dist-info/' % (SITE, name.replace('-', '_'), version)
        write(prefix, info + 'direct_url.json', json.dumps(
            {'url': 'https://git.example/x.git', 'vcs_info': {'vcs': 'git', 'commit_id': commit}}).encode())


def prefix(name):
    path = os.path.join(root, name)
    write(path, 'conda-meta/history', b'==> 2020-01-01 00:00:00 <==\n')
    record(path, 'python', '3.9.1', 'h1_0_cpython', {'bin/python3.9': b'#!/bin/sh\n'})
    return path


old, new = prefix('old'), prefix('new')
record(old, 'numpy', '1.9.3', license='BSD-3-Clause')
record(new, 'numpy', '1.10.0', license='BSD-3-Clause')
record(old, 'zlib', '1.2.13', 'h1_0')
record(new, 'zlib', '1.2.13', 'h1_1')
record(old, 'readline', '8.1', license='GPL-2.0', channel='conda-forge')
record(new, 'readline', '8.1', license='GPL-3.0', channel='bioconda')
record(old, 'typing_extensions', '4.0', files=dist('typing-extensions', '4.0', installer='conda'))
pip(new, 'typing-extensions', '4.1')
record(old, 'six', '1.15.0', files=dist('six', '1.15.0', installer='conda'))
record(new, 'six', '1.15.0', files=dist('six', '1.15.0', installer='conda'))
pip(old, 'requests', '2.9.0', 'Apache 2.0')
pip(new, 'requests', '2.10.0', 'Apache-2.0')
pip(old, 'mine', '1.0', commit='1' * 40)
pip(new, 'mine', '1.0', commit='2' * 40)
pip(old, 'Left.Over', '1.0')
pip(old, 'tool', '1.0')
pip(new, 'tool', '0.9')
pip(old, 'tables', '3.8')
pip(new, 'tables', '3.8')
write(old, 'share/nobody', b'x')
write(new, 'share/nobody', b'xx')
write(new, 'lib/nobody.so', library('getrandom'))
# pip put its own attrs in the place of conda's, whose record stays.
record(new, 'attrs', '19.3.0', files=dist('attrs', '19.3.0', installer='conda'))
for file in dist('attrs', '19.3.0'):
    os.unlink(os.path.join(new, file))
os.rmdir(os.path.join(new, SITE, 'attrs-19.3.0.dist-info'))
pip(new, 'attrs', '22.1.0')

hostile = prefix('hostile')
record(hostile, 'evil|*_x_*[a](b)@you<b>`#1', '1://x\n|', files={'share/\x1b[31m': b'x'}, as_file='evil-1-0')
