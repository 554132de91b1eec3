#!/usr/bin/env python3
"""small_channel.py DIR: a channel of six small packages, of both formats, without its index."""
import hashlib
import os
import random
import sys

from make_package import Channel, SYM, member

channel = Channel(sys.argv[1])
rng = random.Random(7)


def files(name):
    body = bytes(rng.randrange(256) for _ in range(20000))
    return [member('bin/%s' % name, b'#!/bin/sh\necho %s\n' % name.encode(), mode=0o755),
            member('share/%s/one' % name, body),
            member('share/%s/deep/two' % name, body[:5000]),
            member('share/%s/link' % name, kind=SYM, link='one')]


for name in ('alpha', 'beta', 'gamma'):
    channel.conda(name, files(name), index={'noarch': 'generic'})
for name in ('delta', 'epsilon'):
    channel.tarball(name, files(name), index={'noarch': 'generic'})
# One that is linked with a prefix in it.
old = '/opt/placehold_placehold_placehold_placehold_placehold_placehold_placehold_placehold'
text = b'prefix=' + old.encode() + b'\n'
channel.conda('zeta', [member('share/zeta/conf', text)], index={'noarch': 'generic'}, listing=[
    {'_path': 'share/zeta/conf', 'path_type': 'hardlink', 'sha256': hashlib.sha256(text).hexdigest(),
     'size_in_bytes': len(text), 'prefix_placeholder': old, 'file_mode': 'text'}])
assert os.path.isdir(os.path.join(sys.argv[1], 'noarch'))
