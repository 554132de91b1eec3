#!/usr/bin/env python3
"""conda_pkgs.py CHANNEL PKGS [--channel-url URL]: what conda leaves in its pkgs folder.

Each package of the channel's noarch folder is extracted to PKGS/NAME-VERSION-BUILD with
info/repodata_record.json; the package files themselves are not kept.
"""
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import zipfile

channel, pkgs = sys.argv[1:3]
folder = os.path.join(channel, 'noarch')
for fn in sorted(os.listdir(folder)):
    path = os.path.join(folder, fn)
    with open(path, 'rb') as f:
        data = f.read()
    if fn.endswith('.conda'):
        stem, tars = fn[:-6], []
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            for part in z.namelist():
                if part.endswith('.tar.zst'):
                    tars.append(subprocess.run(['zstd', '-dcq'], input=z.read(part), check=True,
                                               stdout=subprocess.PIPE).stdout)
    elif fn.endswith('.tar.bz2'):
        stem, tars = fn[:-8], [subprocess.run(['bzip2', '-dc'], input=data, check=True,
                                              stdout=subprocess.PIPE).stdout]
    else:
        continue
    to = os.path.join(pkgs, stem)
    for tar in tars:
        with tarfile.open(fileobj=io.BytesIO(tar)) as t:
            t.extractall(to)
    with open(os.path.join(to, 'info/index.json'), encoding='utf-8') as f:
        record = json.load(f)
    record.update(fn=fn, url='https://example.org/channel/noarch/' + fn,
                  sha256=hashlib.sha256(data).hexdigest(), md5=hashlib.md5(data).hexdigest(),
                  size=len(data))
    with open(os.path.join(to, 'info/repodata_record.json'), 'w', encoding='utf-8') as f:
        json.dump(record, f)
