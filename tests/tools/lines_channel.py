#!/usr/bin/env python3
"""lines_channel.py DIR [LINE]...: a channel's index (no packages) out of lines on stdin or as words.

    NAME VERSION BUILD [KEY=VALUE]... [: DEPEND, DEPEND...]

KEY is a field of the record, its value JSON or a text; "subdir" is the folder (default: linux-64),
"date" (YYYY-MM-DD) sets the timestamp.  The record's sums follow from the line.
"""
import calendar
import hashlib
import json
import os
import sys
import time

index = {}
for line in sys.argv[2:] or sys.stdin:
    head, _, depends = line.strip().partition(' : ')
    if not head or head.startswith('#'):
        continue
    name, version, build, *fields = head.split()
    more = {}
    for key, _, value in (f.partition('=') for f in fields):
        try:
            more[key] = json.loads(value)
        except ValueError:
            more[key] = value
    subdir = more.pop('subdir', 'linux-64')
    if 'date' in more:
        more['timestamp'] = 1000 * calendar.timegm(time.strptime(more.pop('date'), '%Y-%m-%d'))
    fn = '%s-%s-%s.conda' % (name, version, build)
    digits = build.rpartition('_')[2]
    record = dict(name=name, version=version, build=build, subdir=subdir,
                  build_number=int(digits) if digits.isdigit() else 0,
                  depends=[d.strip() for d in depends.split(', ')] if depends else [],
                  md5=hashlib.md5(line.encode()).hexdigest(),
                  sha256=hashlib.sha256(line.encode()).hexdigest(), size=1000)
    record.update(more)
    index.setdefault(subdir, {})[fn] = record
index.setdefault('noarch', {})
for subdir, records in index.items():
    os.makedirs(os.path.join(sys.argv[1], subdir), exist_ok=True)
    temporary = os.path.join(sys.argv[1], subdir, '.new')
    with open(temporary, 'w', encoding='utf-8') as f:
        json.dump({'info': {'subdir': subdir}, 'packages': {}, 'packages.conda': records,
                   'repodata_version': 1}, f)
    os.rename(temporary, os.path.join(sys.argv[1], subdir, 'repodata.json'))
