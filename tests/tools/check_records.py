#!/usr/bin/env python3
"""check_records.py PREFIX: is every file of PREFIX in exactly one list?

The lists: `files` of each conda-meta record, the RECORD of each package that pip installed, and
envbuild's own files (docs/design/install.md and archive.md).
"""
import csv
import glob
import json
import os
import sys

OWN = {'bin/activate', 'bin/deactivate', 'bin/conda-unpack', 'bin/activate.csh',
       'bin/activate.fish'}


def main():
    prefix = sys.argv[1]
    owners = {}
    for path in sorted(glob.glob(os.path.join(prefix, 'conda-meta', '*.json'))):
        with open(path, encoding='utf-8') as f:
            record = json.load(f)
        paths = [entry['_path'] for entry in record['paths_data']['paths']]
        if sorted(paths) != sorted(record['files']):
            print('%s: files and paths_data differ' % os.path.basename(path))
            return 1
        for entry in record['files']:
            owners.setdefault(entry, []).append(os.path.basename(path))
    conda = set(owners)
    for path in sorted(glob.glob(os.path.join(prefix, 'lib/python*/site-packages/*.dist-info/RECORD'))):
        site = os.path.dirname(os.path.dirname(path))
        if os.path.relpath(path, prefix) in conda:
            continue
        with open(path, encoding='utf-8', newline='') as f:
            for row in csv.reader(f):
                rel = os.path.relpath(os.path.join(site, row[0]), prefix)
                owners.setdefault(rel, []).append(path)
    wrong = []
    seen = set()
    for folder, folders, names in os.walk(prefix):
        names += [d for d in folders if os.path.islink(os.path.join(folder, d))]
        for name in names:
            rel = os.path.relpath(os.path.join(folder, name), prefix)
            seen.add(rel)
            if rel.startswith('conda-meta/') or rel in OWN:
                if rel in owners:
                    wrong.append('%s: envbuild\'s, and in %s' % (rel, owners[rel]))
            elif len(owners.get(rel, [])) != 1:
                wrong.append('%s: in %s' % (rel, owners.get(rel, 'no list')))
    for rel in sorted(set(owners) - seen):
        if not os.path.isdir(os.path.join(prefix, rel)):
            wrong.append('%s: listed in %s, and not there' % (rel, owners[rel]))
    print('%d files, %d listed' % (len(seen), len(owners)))
    print('\n'.join(wrong))
    return 1 if wrong or not seen else 0


if __name__ == '__main__':
    sys.exit(main())
