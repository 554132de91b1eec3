"""Environments, packages and archives for tests/scenario/audit_trees.sh, and what an audit must know of them.

    make DIR        DIR/channel with packages, DIR/conda: an environment as conda and pip leave it,
                    DIR/packed.tar.gz: the same as conda-pack packs it
    look KIND FILE  FILE is what audit_tree printed of one of these: prints "ok NAME" or "fail NAME: DETAIL"
"""
import base64
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile

from make_package import SYM, Channel, member

OLD = "/opt/build/_h_env" + "_placehold" * 22
BUILT = "/home/someone/conda-bld/app_1/_h_env_placehold_placehold_placehold_placehold"
TOOLS = "/home/conda/feedstock_root/build_artifacts/app_1/_build_env"
SITE = "lib/python3.11/site-packages"


def compile_library(folder, name, text="", flags=()):
    source, out = os.path.join(folder, "lib.c"), os.path.join(folder, name)
    with open(source, "w", encoding="ascii") as f:
        f.write('const char *where(void) { return "%s"; }\n' % text)
    subprocess.run(["gcc", "-O1", "-fPIC", "-shared", "-nostartfiles", "-Wl,-soname," + name, *flags, "-o", out,
                    source], check=True)
    with open(out, "rb") as f:
        return f.read()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def packages(folder):
    """The files of two packages: path -> (bytes or link, mode); declared placeholders by path."""
    app = {
        "bin/tool": (b"#!%s/bin/python -E\nprint(1)\n" % OLD.encode(), 0o755),
        "bin/plain": (b"#!/bin/sh\nexit 0\n", 0o644),
        "lib/libapp.so.1.0": (compile_library(folder, "libapp.so.1"), 0o755),
        "lib/libapp.so.1": ("libapp.so.1.0", SYM),
        "lib/libleft.so": (compile_library(folder, "libleft.so", BUILT + "/lib"), 0o755),
        "lib/librpath.so": (compile_library(folder, "librpath.so", OLD + "/etc",
                                            ["-Wl,-rpath," + OLD + "/lib"]), 0o755),
        "share/gone": ("nowhere/file", SYM),
        "share/tools.mk": (b"CC = %s/bin/cc\n" % TOOLS.encode(), 0o644),
        "share/wide.bin": (b"\1" * 77 + BUILT.encode("utf-16-le") + b"\0" * 5, 0o644),
    }
    other = {
        "lib/libother.so": (compile_library(folder, "libother.so"), 0o755),
        "lib/broken.so": (app["lib/libapp.so.1.0"][0][:300], 0o755),
        "share/data.txt": (b"x" * 100, 0o644),
    }
    declared = {"bin/tool": "text", "lib/librpath.so": "binary"}
    return {"app": app, "other": other}, declared


def make_channel(folder, brought, declared):
    channel = Channel(os.path.join(folder, "channel"))
    for name, files in brought.items():
        members, listing = [], []
        for path, (data, mode) in sorted(files.items()):
            link = mode == SYM
            members.append(member(path, b"", SYM, data) if link else member(path, data, mode=mode))
            entry = {"_path": path, "path_type": "softlink" if link else "hardlink"}
            if not link:
                entry.update(sha256=digest(data), size_in_bytes=len(data))
            if path in declared:
                entry.update(prefix_placeholder=OLD, file_mode=declared[path])
            listing.append(entry)
        put = channel.conda if name == "app" else channel.tarball
        put(name, members, listing=listing, index={"noarch": "generic"})
    os.makedirs(os.path.join(folder, "channel", "noarch"), exist_ok=True)


def replaced(path, data, declared, prefix):
    if path not in declared:
        return data
    if declared[path] == "text":
        return data.replace(OLD.encode(), prefix.encode())
    at = data.find(OLD.encode())
    while at >= 0:
        end = data.index(b"\0", at)
        text = data[at:end].replace(OLD.encode(), prefix.encode())
        data = data[:at] + text + b"\0" * (end - at - len(text)) + data[end:]
        at = data.find(OLD.encode(), at + 1)
    return data


def pip_files(prefix):
    """What pip brought: a distribution of its own, and one in the place of a package's."""
    files = {
        SITE + "/own/__init__.py": b"",
        SITE + "/own/fast.so": b"",
        "bin/own": b"#!%s/bin/python3.11\nimport own\n" % prefix.encode(),
        SITE + "/own-2.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: own\nVersion: 2.0\n",
    }
    rows = ["%s,sha256=%s,1" % (os.path.relpath(p, SITE), base64.urlsafe_b64encode(
        hashlib.sha256(d).digest()).decode().rstrip("=")) for p, d in files.items()]
    files[SITE + "/own-2.0.dist-info/RECORD"] = "\n".join(rows + ["own-2.0.dist-info/RECORD,,", ""]).encode()
    return files


def record(name, files, declared, **more):
    paths = []
    for path, (data, mode) in sorted(files.items()):
        entry = {"_path": path, "path_type": "softlink" if mode == SYM else "hardlink"}
        if mode != SYM:
            entry.update(sha256=digest(data), size_in_bytes=len(data))
        if path in declared:
            entry.update(prefix_placeholder=OLD, file_mode=declared[path])
        paths.append(entry)
    return dict({"name": name, "version": "1.0", "build": "0", "build_number": 0, "channel": "c", "subdir": "noarch",
                 "fn": name + "-1.0-0.conda", "url": "http://c/noarch/%s-1.0-0.conda" % name,
                 "files": [p["_path"] for p in paths],
                 "paths_data": {"paths": paths, "paths_version": 1}}, **more)


def environment(folder, brought, declared, prefix):
    """path -> (bytes or link, mode) of an environment in a prefix; None: with placeholders, as conda-pack."""
    python = {"bin/python3.11": (compile_library(folder, "libpython.so"), 0o755), "bin/python": ("python3.11", SYM)}
    site = {SITE + "/wheel/__init__.py": (b"", 0o644),
            SITE + "/wheel-1.0.dist-info/METADATA":
                (b"Metadata-Version: 2.1\nName: wheel\nVersion: 1.0\n", 0o644),
            SITE + "/wheel-1.0.dist-info/RECORD": (b"wheel/__init__.py,,\n", 0o644)}
    records = {"python-3.11.0-0": record("python", python, {}, version="3.11.0"),
               "wheel-1.0-0": record("wheel", site, {})}
    tree = dict(python)
    tree.update(site)
    for name, files in brought.items():
        records[name + "-1.0-0"] = record(name, files, declared)
        for path, (data, mode) in files.items():
            tree[path] = (data if mode == SYM or prefix is None else replaced(path, data, declared, prefix), mode)
    for path, data in pip_files(prefix or OLD).items():
        if path.endswith("fast.so"):
            data = compile_library(folder, "fast.so")
        tree[path] = (data, 0o755 if path.startswith("bin/") else 0o644)
    tree["bin/mine"] = (b"#! /usr/bin/env   perl\n", 0o755)
    for dist, text in records.items():
        tree["conda-meta/%s.json" % dist] = (json.dumps(text).encode(), 0o644)
    tree["conda-meta/history"] = (b"", 0o644)
    return tree


def write(folder, tree):
    for path, (data, mode) in tree.items():
        to = os.path.join(folder, path)
        os.makedirs(os.path.dirname(to), exist_ok=True)
        if mode == SYM:
            os.symlink(data, to)
            continue
        with open(to, "wb") as f:
            f.write(data)
        os.chmod(to, mode)


def pack(path, tree):
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT) as tar:
        for name, (data, mode) in tree.items():
            info = tarfile.TarInfo(name)
            if mode == SYM:
                info.type, info.linkname = SYM, data
                tar.addfile(info)
                continue
            info.size, info.mode = len(data), mode
            tar.addfile(info, io.BytesIO(data))
        twin = tarfile.TarInfo("lib/libtwin.so")
        twin.type, twin.linkname, twin.mode = tarfile.LNKTYPE, "lib/libother.so", 0o755
        tar.addfile(twin)


def make(folder):
    os.makedirs(folder, exist_ok=True)
    brought, declared = packages(folder)
    make_channel(folder, brought, declared)
    prefix = os.path.join(folder, "conda")
    write(prefix, environment(folder, brought, declared, prefix))
    pack(os.path.join(folder, "packed.tar.gz"), environment(folder, brought, declared, None))


# --- what must be known ---------------------------------------------------------------------------

class Look:
    def __init__(self, kind, tree):
        self.kind, self.tree = kind, tree
        self.files = {f["path"]: f for f in tree["files"]}

    def same(self, name, got, want):
        if got == want:
            print("ok %s: %s" % (self.kind, name))
        else:
            print("fail %s: %s: %r, not %r" % (self.kind, name, got, want))

    def of(self, path, key):
        f = self.files.get(path)
        return f and (f.get("elf", {}).get(key[4:]) if key.startswith("elf.") else f[key])

    def has(self, name, path, **wanted):
        for key, want in wanted.items():
            self.same(name, self.of(path, key.replace("elf_", "elf.")), want)


def look_at_packages(look, prefix, dists):
    """What comes of the two packages, wherever they lie."""
    look.same("paths rise", sorted(look.files), [f["path"] for f in look.tree["files"]])
    look.same("nothing of conda-meta", [p for p in look.files if p.startswith("conda-meta/")], [])
    look.has("a library", "lib/libapp.so.1.0", package=dists["app"], elf_soname="libapp.so.1", leftover="")
    look.has("another package's", "lib/libother.so", package=dists["other"], elf_soname="libother.so")
    look.has("a link", "lib/libapp.so.1", type="link", link="libapp.so.1.0", package=dists["app"])
    look.has("one to nowhere", "share/gone", type="link", link="nowhere/file")
    look.has("a script of the environment", "bin/tool", interpreter=prefix + "/bin/python -E", leftover="")
    look.has("one of the system that is not executable, in bin", "bin/plain", interpreter="/bin/sh")
    look.has("a placeholder that was left over", "lib/libleft.so", elf_leftover=BUILT)
    look.has("a declared one is none", "lib/librpath.so", elf_leftover="")
    rpath = look.of("lib/librpath.so", "elf.rpath") or look.of("lib/librpath.so", "elf.runpath")
    look.same("its rpath is below the environment", rpath, prefix + "/lib")
    look.has("a path of tools that built it", "share/tools.mk", leftover=TOOLS)
    look.has("a placeholder in UTF-16", "share/wide.bin", leftover=BUILT)
    look.same("a broken ELF file has a fault", bool(look.of("lib/broken.so", "elf.fault")), True)
    for path, f in look.files.items():
        if "symbols" in f and path != "bin/conda-unpack":  # it is linked statically
            look.same("symbols of " + path, f["symbols"] > 0, path != "lib/broken.so")


def look_at(kind, tree):
    look = Look(kind, tree)
    dists = {"app": "app-1.0-0", "other": "other-1.0-0"}
    look_at_packages(look, tree["prefix"], dists)
    look.same("packages with records", {"app-1.0-0", "other-1.0-0"} <=
              {p["dist"] for p in tree["packages"] if p["conda"]}, True)
    if kind not in ("conda", "conda-pack"):
        return
    look.has("pip's files", SITE + "/own/fast.so", package="own==2.0", elf_soname="fast.so")
    look.has("pip's script", "bin/own", package="own==2.0", interpreter=(
        tree["prefix"] if kind == "conda" else OLD) + "/bin/python3.11")
    look.has("a package's own distribution", SITE + "/wheel/__init__.py", package="wheel-1.0-0")
    look.has("nobody's script", "bin/mine", package="", interpreter="/usr/bin/env   perl")
    look.same("pip brought one", [p["dist"] for p in tree["packages"] if not p["conda"]], ["own==2.0"])
    if kind == "conda-pack":
        look.has("a hard link", "lib/libtwin.so", elf_soname="libother.so", package="")


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(sys.argv[2])
    else:
        with open(sys.argv[3], encoding="utf-8") as stream:
            look_at(sys.argv[2], json.load(stream))
