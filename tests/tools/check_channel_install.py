#!/usr/bin/env python3
"""Installs every package of a channel alone and compares it with what conda would install.

    check_channel_install.py INSTALL_ONE CHANNEL WORK [SKIP]

Packages for any Python are installed with a Python of the channel, a dozen of different names
at a time.  Runs in one process
of tests/tools/install_one.c; prints "N packages, N differ" and exits 1 where any does.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_package  # noqa: E402


class Driver:
    def __init__(self, program, cache):
        self.p = subprocess.Popen(
            [program, cache], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, errors="surrogateescape"
        )
        self.n = 0

    def say(self, *fields):
        self.p.stdin.write("\t".join(str(f) for f in fields) + "\n")

    def ask(self, *fields):
        self.say(*fields)
        self.p.stdin.flush()
        lines = []
        while True:
            line = self.p.stdout.readline()
            if not line:
                return "error 1 the driver died", lines
            if line == "ok\n" or line.startswith("error "):
                return line.strip(), lines
            lines.append(line.rstrip("\n"))

    def record(self, channel, subdir, fn, r):
        url = "file://%s/%s/%s" % (channel, subdir, fn) if "://" not in channel else "%s/%s/%s" % (channel, subdir, fn)
        self.say("record", r["name"], r["version"], r["build"], r["build_number"], subdir, url.rsplit("/", 2)[0], fn, url,
                 r.get("sha256", "-"), r.get("md5", "-"), r.get("size", 0), r.get("timestamp", 0), "-",
                 r.get("python_site_packages_path", "-"))
        self.n += 1
        return self.n - 1

    def close(self):
        self.p.stdin.close()
        return self.p.wait()


def records(channel):
    for subdir in ("linux-64", "noarch"):
        with open(os.path.join(channel, subdir, "repodata.json")) as f:
            data = json.load(f)
        for key in ("packages", "packages.conda"):
            for fn, r in sorted(data[key].items()):
                yield subdir, fn, r


def pick_python(all_records):
    pythons = [i for i, (_, fn, r) in enumerate(all_records) if re.match(r"python-3\.[67]\.", fn)]
    return pythons[0] if pythons else None


def main():
    program, channel, work = sys.argv[1:4]
    channel = os.path.abspath(channel)
    all_records = list(records(channel))
    driver = Driver(program, os.path.join(work, "cache"))
    for subdir, fn, r in all_records:
        driver.record(channel, subdir, fn, r)
    answer, _ = driver.ask("fill")
    if answer != "ok":
        print("fill:", answer)
        driver.close()
        return 1
    python = pick_python(all_records)
    prefix = os.path.join(work, "prefix")
    packages = {}

    def package(i):
        if i not in packages:
            subdir, fn, _ = all_records[i]
            packages[i] = check_package.Package(os.path.join(channel, subdir, fn))
        return packages[i]

    def try_together(numbers, flags):
        """Number of packages that differ."""
        answer, _ = driver.ask("install", prefix, "-", flags, ",".join(map(str, numbers)))
        names = {all_records[k][2]["name"] for k in numbers if k != python or len(numbers) == 1}
        n = 0
        if answer != "ok":
            print(all_records[numbers[-1]][1] + ":", answer)
            n = 1
        elif check_package.check([package(k) for k in numbers], prefix, None, names):
            print("differences with", ", ".join(all_records[k][1] for k in numbers))
            n = 1
        shutil.rmtree(prefix, ignore_errors=True)
        return n

    bad = scripts = 0
    rounds = []  # packages for any Python: as many of different names as go together
    for i, (subdir, fn, r) in enumerate(all_records):
        if package(i).noarch == "python":
            for members in rounds:
                if len(members) < 12 and all(all_records[k][2]["name"] != r["name"] for k in members):
                    members.append(i)
                    break
            else:
                rounds.append([i])
            continue
        post = "bin/.%s-post-link.sh" % r["name"] in package(i).files
        scripts += post
        bad += try_together([i], "link" if post else "")
        if i != python:
            del packages[i]
    for members in rounds:
        bad += try_together([python] + members, "")
    status = driver.close()
    print("%d packages, %d differ, %d linked without their scripts" % (len(all_records), bad, scripts))
    return 1 if bad or status else 0


if __name__ == "__main__":
    sys.exit(main())
