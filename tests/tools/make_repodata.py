#!/usr/bin/env python3
"""Writes a made-up channel's repodata.json for linux-64 and noarch: names in many levels.

    make_repodata.py TO [--newer NAME]

`top` needs everything: each name of a level some of the next, in both subdirs; some builds exist as
.conda and .tar.bz2, some were removed, some need what the target does not have.  --newer: NAME has a
version more.
"""
import argparse
import hashlib
import json
import os

LEVELS, WIDTH = 8, 6


def record(name, version, build, depends, subdir, number=0, **more):
    data = {'name': name, 'version': version, 'build': build, 'build_number': number,
            'depends': depends, 'subdir': subdir, 'license': 'MIT', 'size': len(name) * 1000,
            'timestamp': 1600000000000 + number, **more}
    fn = '%s-%s-%s' % (name, version, build)
    data['sha256'] = hashlib.sha256(fn.encode()).hexdigest()
    data['md5'] = hashlib.md5(fn.encode()).hexdigest()
    return fn, data


def universe(newer):
    subdirs = {s: {'packages': {}, 'packages.conda': {}, 'removed': []} for s in ('linux-64', 'noarch')}

    def add(fn, data, ending='.conda'):
        section = 'packages.conda' if ending == '.conda' else 'packages'
        subdirs[data['subdir']][section][fn + ending] = data

    add(*record('top', '1', '0', ['l0-n%d' % i for i in range(WIDTH)] + ['__glibc >=2.5'], 'linux-64'))
    for level in range(LEVELS):
        for i in range(WIDTH):
            name = 'l%d-n%d' % (level, i)
            subdir = 'noarch' if i % 3 == 2 else 'linux-64'
            more = {'noarch': 'python'} if subdir == 'noarch' else {}
            deps = []
            if level + 1 < LEVELS:
                deps = ['l%d-n%d >=1.1' % (level + 1, k % WIDTH) for k in (i, i + 1)]
            for minor in range(4 + (name == newer)):
                add(*record(name, '1.%d' % minor, 'h%d_0' % minor, deps, subdir, **more))
            add(*record(name, '1.3', 'h3_0', deps, subdir, **more), '.tar.bz2')
            add(*record(name, '1.3', 'h3_1', deps + ['__glibc >=99'], subdir, 1, **more))
            fn, data = record(name, '2.0', 'gone_0', deps, subdir, **more)
            add(fn, data)
            subdirs[subdir]['removed'].append(fn + '.conda')
            if i == 0:  # in both subdirs
                add(*record(name, '1.1', 'py_0', deps, 'noarch', noarch='generic',
                            constrains=['l0-n1 >=1.2'], track_features='old'))
    add(*record('l3-n3-extra', '1', '0', [], 'linux-64'))
    return subdirs


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('to')
    parser.add_argument('--newer')
    args = parser.parse_args()
    for subdir, data in universe(args.newer).items():
        os.makedirs(os.path.join(args.to, subdir), exist_ok=True)
        data.update(info={'subdir': subdir}, repodata_version=1)
        with open(os.path.join(args.to, subdir, 'repodata.json'), 'w', encoding='utf-8') as f:
            json.dump(data, f, sort_keys=True)


if __name__ == '__main__':
    main()
