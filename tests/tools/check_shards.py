#!/usr/bin/python3
"""Compares the shards of a subdir with its repodata.json, reading both without envbuild.

    check_shards.py FOLDER

Every file in FOLDER/shards that the list names must have the sum in its name, and all shards together
must be what repodata.json says, with sha256 and md5 as bytes.  Everything must be written as
deterministically as it can be: keys sorted, each value in its shortest form.
"""
import hashlib
import json
import os
import subprocess
import sys

import msgpack


def unpack(path):
    """The value, and whether the file is what another writer makes of it."""
    data = subprocess.run(['zstd', '-dcq', path], stdout=subprocess.PIPE, check=True).stdout
    value = msgpack.unpackb(data)
    return value, msgpack.packb(value) == data


def is_sorted(value):
    if isinstance(value, dict):
        return list(value) == sorted(value) and all(map(is_sorted, value.values()))
    return True


def as_json(record):
    return {key: value.hex() if key in ('sha256', 'md5') and isinstance(value, bytes) else value
            for key, value in record.items()}


def check(folder):
    """The faults."""
    with open(os.path.join(folder, 'repodata.json'), encoding='utf-8') as f:
        repodata = json.load(f)
    index, plain = unpack(os.path.join(folder, 'repodata_shards.msgpack.zst'))
    if not plain or not is_sorted(index):
        yield 'the list is not sorted, or not in its shortest form'
    if index['version'] != 1 or set(index) != {'version', 'info', 'shards'}:
        yield 'wrong head: %r' % set(index)
    info = dict(index['info'])
    info.pop('created_at', None)
    if info != {'base_url': './', 'shards_base_url': './shards/', 'subdir': os.path.basename(folder)}:
        yield 'wrong info: %r' % info
    found = {'packages': {}, 'packages.conda': {}}
    for name, digest in index['shards'].items():
        path = os.path.join(folder, 'shards', digest.hex() + '.msgpack.zst')
        with open(path, 'rb') as f:
            if hashlib.sha256(f.read()).digest() != digest:
                yield '%s: another sum' % path
        shard, plain = unpack(path)
        if not plain or not is_sorted(shard):
            yield '%s: not sorted, or not in its shortest form' % name
        if set(shard) != {'packages', 'packages.conda', 'removed'} or shard['removed'] != []:
            yield '%s: wrong keys %r' % (name, set(shard))
        for section, records in found.items():
            for fn, record in shard[section].items():
                if fn.rsplit('-', 2)[0] != name or record['name'] != name:
                    yield '%s: holds %s' % (name, fn)
                if record.get('sha256') and not isinstance(record['sha256'], bytes):
                    yield '%s: sha256 is no bytes' % fn
                records[fn] = as_json(record)
    for section, records in found.items():
        if records != repodata[section]:
            yield '%s is another than in repodata.json' % section
    print('%d shards, %d records' % (len(index['shards']), sum(map(len, found.values()))))


def main():
    faults = list(check(sys.argv[1]))
    print('\n'.join(faults))
    return 1 if faults else 0


sys.exit(main())
