#!/usr/bin/env python3
"""index_told.py FILE: the line that the tool `net index` should say of this repodata.json."""
import hashlib
import json
import sys

with open(sys.argv[1]) as f:
    records = json.load(f)['packages.conda'].values()
names = ''.join(name + '\n' for name in sorted({r['name'] for r in records}))
print(len(records), hashlib.sha256(names.encode()).hexdigest())
