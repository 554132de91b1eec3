#!/usr/bin/env python3
"""papers_channel.py DIR: a channel of packages with licences, dependencies and where they were built from."""
import hashlib
import json
import sys

from make_package import Channel, SYM, member

channel = Channel(sys.argv[1])
PLACEHOLDER = '/opt/placehold_placehold_placehold_placehold_placehold_placehold_placehold_placehold'


def package(name, license, depends, extra, kind='conda', text=None):
    body = text or ('hello from %s\n' % name).encode() * 50
    files = [member('share/%s/text' % name, body), member('share/%s/link' % name, kind=SYM, link='text'),
             member('bin/%s' % name, b'#!/bin/sh\necho %s\n' % name.encode(), mode=0o755)]
    index = {'noarch': 'generic', 'license': license, 'depends': depends, 'timestamp': 1600000000000}
    if not license:
        del index['license']
    info = {'index': index}
    if extra is not None:
        about = {'home': 'https://example.org/', 'extra': extra}
        info['about'] = extra if isinstance(extra, bytes) else json.dumps(about).encode()
    if text:
        info['listing'] = [
            {'_path': 'share/%s/text' % name, 'path_type': 'hardlink', 'sha256': hashlib.sha256(text).hexdigest(),
             'size_in_bytes': len(text), 'prefix_placeholder': PLACEHOLDER, 'file_mode': 'text'},
            {'_path': 'share/%s/link' % name, 'path_type': 'softlink'},
            {'_path': 'bin/%s' % name, 'path_type': 'hardlink'}]
    getattr(channel, kind)(name, files, **info)


good = {'sha': 'a' * 40, 'remote_url': 'https://user:secret@example.org/one-feedstock', 'flow_run_id': 'azure_1.1',
        'final': True, 'recipe-maintainers': ['ann']}
package('one', 'MIT AND (Zlib OR BSD-3-Clause)', ['two >=1', '__unix'], good)
package('two', 'Apache-2.0 WITH LLVM-exception', ['three', 'one'], None, kind='tarball')
package('three', 'Some licence of "ours"', [], {'sha': '../../x', 'remote_url': 'file:///etc', 'flow_run_id': 7})
package('four', 'gpl', ['three'], b'{"extra": [')
package('moved', None, [], {}, text=b'prefix=' + PLACEHOLDER.encode() + b'\n')
# A binary that old hosts cannot load, and what is none at all.
with open('/bin/true', 'rb') as f:
    channel.conda('binary', [member('bin/program', f.read(), mode=0o755)], index={'noarch': 'generic'})
channel.conda('broken', [member('lib/broken.so', b'\177ELF\2\1\1' + b'\xff' * 120)], index={'noarch': 'generic'})
