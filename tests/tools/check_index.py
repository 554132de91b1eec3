#!/usr/bin/env python3
"""Compares an index that envbuild made with the packages and with the channel's own index.

    check_index.py MADE/repodata.json ORIGINAL/repodata.json FOLDER

Every package in FOLDER must be in the right section; its record must be its info/index.json as
Python reads it, with the subdir and with size, md5 and sha256 as Python counts them; and what names
it must be as in ORIGINAL.  Other fields of ORIGINAL are not compared: a channel patches them after
the build (dependencies, constraints, licences, times).
"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

IDENTITY = ('name', 'version', 'build', 'build_number', 'subdir', 'size', 'md5', 'sha256')


def index_json(path):
    """info/index.json of a package."""
    if path.endswith('.conda'):
        with zipfile.ZipFile(path) as z:
            part = next(n for n in z.namelist() if n.startswith('info-'))
            data = subprocess.run(['zstd', '-dc'], input=z.read(part), stdout=subprocess.PIPE,
                                  check=True).stdout
        tar = tarfile.open(fileobj=io.BytesIO(data))
    else:
        tar = tarfile.open(path)
    with tar:
        return json.load(tar.extractfile('info/index.json'))


def check(fn, made, original, folder):
    """The faults of one record."""
    path = os.path.join(folder, fn)
    with open(path, 'rb') as f:
        data = f.read()
    want = dict(index_json(path), subdir=os.path.basename(folder), size=len(data),
                md5=hashlib.md5(data).hexdigest(), sha256=hashlib.sha256(data).hexdigest())
    if made != want:
        yield '%s: %r, not %r' % (fn, made, want)
    for key in IDENTITY:
        if made.get(key) != original.get(key):
            yield '%s: %s is %r, in the channel %r' % (fn, key, made.get(key), original.get(key))


def main():
    made_path, original_path, folder = sys.argv[1:]
    with open(made_path) as f:
        text = f.read()
    with open(original_path) as f:
        original = json.load(f)
    made = json.loads(text)
    faults = []
    if json.dumps(made, sort_keys=True, separators=(',', ':'), ensure_ascii=False) + '\n' != text:
        faults.append('not sorted and compact, as conda-index writes it')
    if made['info'] != {'subdir': os.path.basename(folder)} or made['repodata_version'] != 1:
        faults.append('wrong head: %r' % made['info'])
    seen = 0
    for section, ending in (('packages', '.tar.bz2'), ('packages.conda', '.conda')):
        on_disk = {fn for fn in os.listdir(folder) if fn.endswith(ending)}
        if set(made[section]) != on_disk:
            faults.append('%s: %s' % (section, sorted(set(made[section]) ^ on_disk)))
        for fn in sorted(on_disk & set(made[section])):
            faults.extend(check(fn, made[section][fn], original[section][fn], folder))
            seen += 1
    print('\n'.join(faults) or '%d records are right' % seen)
    return 1 if faults or not seen else 0


sys.exit(main())
