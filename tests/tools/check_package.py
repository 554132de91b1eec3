#!/usr/bin/env python3
"""Compares installed packages with what conda would install, read independently.

    check_package.py --prefix DIR [--inside PATH] [--only NAME] PACKAGE...

Reads each PACKAGE (.conda or .tar.bz2) with Python's own tarfile and zipfile (and the zstd
program), works out paths, types, modes, times, hashes, link targets and replaced prefixes after
conda's portability.py, and compares them with the prefix and with conda-meta/*.json.  The packages
given must be all that are in the prefix.  --only: of the others only the names of files are looked
at.  Prints what differs; exit status 1 if anything does.
"""

import argparse
import hashlib
import io
import json
import os
import shlex
import stat
import subprocess
import sys
import tarfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import conda_prefix  # noqa: E402

DEFAULT_PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"
OWN_FILES = {"conda-meta/history", "conda-meta/state", "conda-meta/frozen"}


def tars(path):
    if not path.endswith(".conda"):
        yield tarfile.open(path)
        return
    with zipfile.ZipFile(path) as z:
        for name in z.namelist():
            if name.endswith(".tar.zst"):
                data = subprocess.run(
                    ["zstd", "-dcq", "--long=31"], input=z.read(name), stdout=subprocess.PIPE, check=True
                ).stdout
                yield tarfile.open(fileobj=io.BytesIO(data))


class Package:
    def __init__(self, path):
        self.path = path
        self.fn = os.path.basename(path)
        self.info, self.files = {}, {}
        for tar in tars(path):
            for m in tar:
                data = tar.extractfile(m).read() if m.isreg() or m.islnk() else None
                if m.name.startswith("info/"):
                    self.info[m.name[5:]] = data
                else:
                    self.files[m.name] = (m, data)
        self.index = json.loads(self.info["index.json"])
        link = json.loads(self.info.get("link.json") or b"{}").get("noarch", {})
        self.noarch = link.get("type") or self.index.get("noarch")
        self.entry_points = link.get("entry_points", [])
        with open(path, "rb") as f:
            whole = f.read()
        self.sha256 = hashlib.sha256(whole).hexdigest()
        self.md5 = hashlib.md5(whole).hexdigest()
        self.size = len(whole)

    def listing(self):
        """path -> (placeholder or None, mode)"""
        if "paths.json" in self.info:
            paths = json.loads(self.info["paths.json"])["paths"]
            return {p["_path"]: (p.get("prefix_placeholder"), p.get("file_mode", "text")) for p in paths}
        marks = {}
        for line in self.info.get("has_prefix", b"").decode().splitlines():
            words = shlex.split(line)
            if len(words) == 3:
                marks[words[2]] = (words[0], words[1])
            elif words:
                marks[words[0]] = (DEFAULT_PLACEHOLDER, "text")
        names = [n for n in self.info["files"].decode().splitlines() if n]
        return {n: marks.get(n, (None, "text")) for n in names}


def entry_point(prefix, python, module, function):
    program = "%s/bin/python%s" % (prefix, python)
    if len(program) + 3 <= 127 and " " not in program:
        start = "#!%s\n" % program
    else:
        start = "#!/bin/sh\n'''exec' \"%s\" \"$0\" \"$@\" #'''\n" % program
    return (
        start
        + "# -*- coding: utf-8 -*-\nimport re\nimport sys\n\nfrom %s import %s\n\n"
        "if __name__ == '__main__':\n"
        "    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])\n"
        "    sys.exit(%s())\n" % (module, function.split(".")[0], function)
    ).encode()


def map_path(package, path, site):
    if package.noarch == "python":
        if path.startswith("site-packages/"):
            return site + path[len("site-packages"):]
        if path.startswith("python-scripts/"):
            return "bin/" + path[len("python-scripts/"):]
    return path


def expected(package, inside, python, site):
    """path in the prefix -> dict of what is known of it"""
    out = {}
    for path, (placeholder, mode) in package.listing().items():
        if path not in package.files or path.startswith("info/"):
            continue
        m, data = package.files[path]
        e = {"mtime": int(m.mtime // 1), "original": data}
        if m.issym():
            e.update(type="softlink", link=m.linkname)
        elif m.isdir():
            e.update(type="directory")
        else:
            new = data
            if placeholder:
                new = conda_prefix.update(data, placeholder, inside, mode == "binary")
                e.update(placeholder=placeholder, file_mode=mode)
            e.update(type="hardlink", data=new, mode=(m.mode & 0o755) | 0o400)
        out[map_path(package, path, site)] = e
    if package.noarch == "python":
        for line in package.entry_points:
            command, rest = line.split("=", 1)
            module, function = rest.split(":", 1)
            out.setdefault(
                "bin/" + command.strip(),
                {
                    "type": "unix_python_entry_point",
                    "data": entry_point(inside, python, module.strip(), function.strip()),
                    "mode": 0o755,
                },
            )
    return out


class Report:
    def __init__(self):
        self.n = 0

    def add(self, *words):
        self.n += 1
        if self.n <= 40:
            print("  ", *words)


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def compare_file(report, prefix, path, e):
    full = os.path.join(prefix, path)
    try:
        st = os.lstat(full)
    except FileNotFoundError:
        return report.add("missing:", path)
    if e["type"] == "softlink":
        if not stat.S_ISLNK(st.st_mode) or os.readlink(full) != e["link"]:
            report.add("not the link it should be:", path)
    elif e["type"] == "directory":
        if not stat.S_ISDIR(st.st_mode):
            report.add("no folder:", path)
    elif not stat.S_ISREG(st.st_mode):
        report.add("no regular file:", path)
    else:
        with open(full, "rb") as f:
            data = f.read()
        if data != e["data"]:
            report.add("differs:", path, sha256(data), "should be", sha256(e["data"]))
        if stat.S_IMODE(st.st_mode) != e["mode"]:
            report.add("mode:", path, oct(st.st_mode), "should be", oct(e["mode"]))
        if "mtime" in e and int(st.st_mtime) != e["mtime"]:
            report.add("time:", path, st.st_mtime, "should be", e["mtime"])


def compare_record(report, prefix, package, want):
    i = package.index
    name = "%s-%s-%s" % (i["name"], i["version"], i["build"])
    with open(os.path.join(prefix, "conda-meta", name + ".json")) as f:
        record = json.load(f)
    said = {"name": i["name"], "version": i["version"], "build": i["build"], "sha256": package.sha256,
            "md5": package.md5, "size": package.size, "fn": package.fn}
    for key, value in said.items():
        if key in record and record[key] != value:
            report.add(name, key, record[key], "should be", value)
    files = sorted((p for p, e in want.items() if e["type"] != "directory"), key=os.fsencode)
    made = {p["_path"] for p in record["paths_data"]["paths"] if p["path_type"] == "pyc_file"}
    if [f for f in record["files"] if f not in made] != files:
        report.add(name, "files differ:", set(record["files"]) ^ set(files))
    for p in record["paths_data"]["paths"]:
        compare_path(report, prefix, name, p, want)
    return set(record["files"])


def compare_path(report, prefix, name, p, want):
    path = p["_path"]
    if p["path_type"] == "pyc_file":
        with open(os.path.join(prefix, path), "rb") as f:
            if sha256(f.read()) != p["sha256_in_prefix"]:
                report.add(name, path, "sha256_in_prefix of bytecode")
        return
    e = want.get(path)
    if not e:
        return report.add(name, path, "is recorded and should not be")
    if p["path_type"] != e["type"]:
        report.add(name, path, "path_type", p["path_type"], "should be", e["type"])
    if p.get("prefix_placeholder") != e.get("placeholder") or p.get("file_mode") != e.get("file_mode"):
        report.add(name, path, "placeholder or file_mode")
    if "data" in e and p["sha256_in_prefix"] != sha256(e["data"]):
        report.add(name, path, "sha256_in_prefix")
    if e["type"] == "hardlink" and (p["sha256"] != sha256(e["original"]) or p["size_in_bytes"] != len(e["original"])):
        report.add(name, path, "sha256 or size_in_bytes")


def walk(prefix):
    for root, dirs, files in os.walk(prefix):
        for name in files + [d for d in dirs if os.path.islink(os.path.join(root, d))]:
            yield os.path.relpath(os.path.join(root, name), prefix)


def site_packages(packages, python):
    for p in packages:
        if p.index["name"] == "python" and p.index.get("python_site_packages_path"):
            return p.index["python_site_packages_path"]
    return "lib/python%s/site-packages" % python


def check(packages, prefix, inside=None, only=None):
    """Number of differences."""
    report = Report()
    inside = inside or os.path.abspath(prefix)
    pythons = [p for p in packages if p.index["name"] == "python"]
    python = ".".join(pythons[0].index["version"].split(".")[:2]) if pythons else "0.0"
    site = site_packages(packages, python)
    owned = set(OWN_FILES)
    for p in packages:
        name = "%s-%s-%s" % (p.index["name"], p.index["version"], p.index["build"])
        record = "conda-meta/%s.json" % name
        owned.add(record)
        if only and p.index["name"] not in only:
            with open(os.path.join(prefix, record)) as f:
                files = set(json.load(f)["files"])
        else:
            want = expected(p, inside, python, site)
            for path, e in want.items():
                compare_file(report, prefix, path, e)
            files = compare_record(report, prefix, p, want)
        for path in files & owned:
            report.add("belongs to two:", path)
        owned |= files
    for path in walk(prefix):
        if path not in owned:
            report.add("belongs to nobody:", path)
    return report.n


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--prefix", required=True)
    a.add_argument("--inside")
    a.add_argument("--only")
    a.add_argument("packages", nargs="+")
    o = a.parse_args()
    return 1 if check([Package(p) for p in o.packages], o.prefix, o.inside, {o.only} if o.only else None) else 0


if __name__ == "__main__":
    sys.exit(main())
