#!/usr/bin/python3
"""Writes the shards (CEP 16) of a channel from its repodata.json, without envbuild.

    make_shards.py FROM TO [--shards-base-url URL] [--base-url URL] [--hex] [--only]

FROM/SUBDIR/repodata.json (or .zst) of each subdir becomes TO/SUBDIR/repodata_shards.msgpack.zst and
TO/SUBDIR/shards/HEX.msgpack.zst; the repodata.json is linked beside them, unless --only.  URL: what
the index says of its shards (./shards/) and packages ("").  --hex: sums stay hex digits, as in JSON.
"""
import argparse
import ctypes
import ctypes.util
import hashlib
import json
import os
import subprocess

import msgpack

ZSTD = ctypes.CDLL(ctypes.util.find_library('zstd') or 'libzstd.so.1')
ZSTD.ZSTD_compressBound.restype = ZSTD.ZSTD_compress.restype = ctypes.c_size_t
ZSTD.ZSTD_compressBound.argtypes = [ctypes.c_size_t]
ZSTD.ZSTD_compress.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t,
                               ctypes.c_int]


def compress(data, level=3):
    room = ctypes.create_string_buffer(ZSTD.ZSTD_compressBound(len(data)))
    n = ZSTD.ZSTD_compress(room, len(room), data, len(data), level)
    return room.raw[:n]


def load(folder):
    path = os.path.join(folder, 'repodata.json')
    if os.path.exists(path):
        with open(path, 'rb') as f:
            return json.load(f), [path]
    path += '.zst'
    return json.loads(subprocess.run(['zstd', '-dc', path], stdout=subprocess.PIPE,
                                     check=True).stdout), [path]


def shards_of(data, as_hex):
    """NAME: shard."""
    shards = {}
    for section in ('packages', 'packages.conda'):
        for fn, record in data.get(section, {}).items():
            record = dict(record)
            for key in () if as_hex else ('sha256', 'md5'):
                if record.get(key):
                    record[key] = bytes.fromhex(record[key])
            shard = shards.setdefault(fn.rsplit('-', 2)[0], {'packages': {}, 'packages.conda': {}})
            shard[section][fn] = record
    for fn in data.get('removed', []):
        name = fn.rsplit('-', 2)[0]
        if name in shards:
            shards[name].setdefault('removed', []).append(fn)
    return shards


def write(path, data):
    with open(path + '.part', 'wb') as f:
        f.write(data)
    os.rename(path + '.part', path)


def make(subdir, args):
    data, files = load(os.path.join(args.source, subdir))
    to = os.path.join(args.to, subdir)
    os.makedirs(os.path.join(to, 'shards'), exist_ok=True)
    sums = {}
    for name, shard in sorted(shards_of(data, args.hex).items()):
        packed = compress(msgpack.packb(shard))
        digest = hashlib.sha256(packed)
        sums[name] = digest.hexdigest() if args.hex else digest.digest()
        path = os.path.join(to, 'shards', digest.hexdigest() + '.msgpack.zst')
        if not os.path.exists(path):
            write(path, packed)
    info = {'base_url': args.base_url, 'shards_base_url': args.shards_base_url, 'subdir': subdir,
            'created_at': '2026-01-01T00:00:00Z', 'etc': [1, {'x': None}]}
    if not args.base_url and data.get('info', {}).get('base_url'):
        info['base_url'] = data['info']['base_url']
    if not args.only:
        for path in files:
            there = os.path.join(to, os.path.basename(path))
            if not os.path.exists(there):
                os.symlink(os.path.abspath(path), there)
    write(os.path.join(to, 'repodata_shards.msgpack.zst'),
          compress(msgpack.packb({'version': 1, 'info': info, 'shards': sums})))
    return len(sums)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('source')
    parser.add_argument('to')
    parser.add_argument('--shards-base-url', default='./shards/')
    parser.add_argument('--base-url', default='')
    parser.add_argument('--hex', action='store_true')
    parser.add_argument('--only', action='store_true')
    args = parser.parse_args()
    for subdir in sorted(os.listdir(args.source)):
        if os.path.isdir(os.path.join(args.source, subdir)):
            print('%s: %d names' % (subdir, make(subdir, args)))


if __name__ == '__main__':
    main()
