#!/usr/bin/env python3
"""tree_lines.py DIR: a line for each path: type, mode, links, time, path, and what it holds.

As an image's tree keeps it: devices, fifos and sockets are left out, setuid and setgid bits are not
shown, the owner may read and write.  Of several names of one file each line names the first.
"""
import hashlib
import os
import stat
import sys

top = sys.argv[1].encode()
first = {}
lines = []
for folder, dirs, files in os.walk(top):
    for name in dirs + files:
        path = os.path.join(folder, name)
        st = os.lstat(path)
        rel = os.path.relpath(path, top)
        mode = st.st_mode & 0o1777
        if stat.S_ISLNK(st.st_mode):
            what = ["l", "-", os.readlink(path)]
        elif stat.S_ISDIR(st.st_mode):
            what = ["d", f"{mode | 0o700:o}", ""]
        elif stat.S_ISREG(st.st_mode):
            what = ["f", f"{mode | 0o600:o}", hashlib.sha256(open(path, "rb").read()).hexdigest()]
        else:
            continue
        key = (st.st_ino, st.st_dev) if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1 else rel
        lines.append((rel, what, int(st.st_mtime), key, st.st_nlink if key != rel else 1))
for rel, what, mtime, key, links in sorted(lines, key=lambda line: line[0]):
    print(what[0], what[1], links, mtime, rel, what[2], first.setdefault(key, rel))
