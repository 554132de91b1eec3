#!/usr/bin/env python3
"""check_moved.py PREFIX CHANNEL: after a move, does any file of PREFIX still name another place?

Reads the packages of CHANNEL itself, to know which placeholder each declares for which path.  A
file must hold neither envbuild's build prefix nor a placeholder declared for it.  Placeholders that
packagers left behind without declaring them are found here by searching every file, and must be
those that the manifest lists.  Records say, as conda's do, which placeholder a file had.
"""
import glob
import json
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from check_package import Package  # noqa: E402

BUILD_PREFIX = b'/opt/envbuild/prefix'
SAID = re.compile(rb'"prefix_placeholder": "[^"]*"')
# The padding of conda-build's folders, and the prefix of the packages made before it.
LEFT_BEHIND = re.compile(rb'_placehold_placehold|/opt/anaconda1anaconda2anaconda3')


def declared(channel, record):
    """path -> placeholder, as the package says (paths.json, else has_prefix)."""
    package = Package(os.path.join(channel, record['subdir'], record['fn']))
    return {path: placeholder.encode()
            for path, (placeholder, _) in package.listing().items() if placeholder}


def main():
    prefix, channel = sys.argv[1:]
    wrong, placeholders, left = [], {}, set()
    for path in glob.glob(os.path.join(prefix, 'conda-meta', '*.json')):
        with open(path, encoding='utf-8') as f:
            placeholders.update(declared(channel, json.load(f)))
    for folder, _, names in os.walk(prefix):
        for name in names:
            path = os.path.join(folder, name)
            rel = os.path.relpath(path, prefix)
            if os.path.islink(path) or rel.startswith('conda-meta/envbuild/'):
                continue
            with open(path, 'rb') as f:
                data = f.read()
            if rel.startswith('conda-meta/') and rel.endswith('.json'):
                data = SAID.sub(b'', data)
            if BUILD_PREFIX in data:
                wrong.append('%s: holds the build prefix' % rel)
            if rel in placeholders and placeholders[rel] in data:
                wrong.append('%s: holds its placeholder' % rel)
            if LEFT_BEHIND.search(data):
                left.add(rel)
    with open(os.path.join(prefix, 'conda-meta/envbuild/manifest.json'), encoding='utf-8') as f:
        listed = {entry['path'] for entry in json.load(f)['undeclared_placeholders']}
    wrong += ['%s: holds a placeholder, and the manifest does not list it' % p
              for p in sorted(left - listed)]
    wrong += ['%s: the manifest lists it, and it holds no placeholder' % p
              for p in sorted(listed - left)]
    if not placeholders:
        wrong.append('no package declares a placeholder: this check has seen nothing')
    print('%d paths with a placeholder, %d left behind' % (len(placeholders), len(left)))
    print('\n'.join(wrong))
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
