"""Small packages for tests, good and hostile: plain Python, no conda."""

import hashlib
import io
import json
import os
import subprocess
import tarfile
import zipfile

SYM, HARD, DIR, CHR, FIFO = tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE


def member(name, data=b"", kind=tarfile.REGTYPE, link="", mode=0o644):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.size, info.mtime = kind, link, mode, len(data), 1500000000
    return info, data


def tar_bytes(members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for info, data in members:
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zstd(data):
    return subprocess.run(["zstd", "-cq"], input=data, stdout=subprocess.PIPE, check=True).stdout


def bzip2(data):
    return subprocess.run(["bzip2", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def info_members(name, members=(), version="1.0", build="0", listing=None, link=None, index=None, no_listing=False,
                 about=None):
    """info/ of a package; by default its paths.json lists the files among members."""
    paths = []
    for m, data in members:
        entry = {"_path": m.name, "path_type": "softlink" if m.type == SYM else "hardlink"}
        if m.type == tarfile.REGTYPE:
            entry.update(sha256=hashlib.sha256(data).hexdigest(), size_in_bytes=len(data))
        if m.type in (SYM, tarfile.REGTYPE, HARD):
            paths.append(entry)
    index = dict({"name": name, "version": version, "build": build, "build_number": 0, "depends": [],
                  "subdir": "noarch"}, **(index or {}))
    out = [member("info/index.json", json.dumps(index).encode())]
    if not no_listing:
        text = json.dumps({"paths": paths if listing is None else listing, "paths_version": 1})
        out.append(member("info/paths.json", text.encode()))
    if link:
        out.append(member("info/link.json", json.dumps(link).encode()))
    if about is not None:
        out.append(member("info/about.json", about))
    return out


class Channel:
    """A folder of packages; records are what an index would say of them."""

    def __init__(self, folder):
        self.folder, self.records = folder, []
        os.makedirs(os.path.join(folder, "noarch"), exist_ok=True)

    def put(self, fn, data, **changes):
        with open(os.path.join(self.folder, "noarch", fn), "wb") as f:
            f.write(data)
        stem = fn[: -len(".conda")] if fn.endswith(".conda") else fn[: -len(".tar.bz2")]
        name, version, build = stem.rsplit("-", 2)
        record = {"name": name, "version": version, "build": build, "build_number": 0, "size": len(data),
                  "sha256": hashlib.sha256(data).hexdigest(), "md5": hashlib.md5(data).hexdigest(),
                  "timestamp": 1600000000000}
        record.update(changes)
        self.records.append((fn, record))
        return len(self.records) - 1

    def tarball(self, name, members, record=None, **info):
        data = tar_bytes(info_members(name, members, **info) + list(members))
        return self.put("%s-1.0-0.tar.bz2" % name, bzip2(data), **(record or {}))

    def conda(self, name, members, record=None, parts=None, dist="1.0-0", **info):
        out = io.BytesIO()
        dist = "%s-%s" % (name, dist)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
            for part, data in parts or [
                ("metadata.json", b'{"conda_pkg_format_version": 2}'),
                ("pkg-%s.tar.zst" % dist, zstd(tar_bytes(members))),
                ("info-%s.tar.zst" % dist, zstd(tar_bytes(info_members(name, members, **info)))),
            ]:
                z.writestr(zipfile.ZipInfo(part), data)
        return self.put("%s.conda" % dist, out.getvalue(), **(record or {}))
