"""What the tests of changed environments share: small packages, the program, trees compared."""

import hashlib
import io
import os
import stat
import subprocess
import sys
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from make_package import Channel, info_members, tar_bytes, zstd  # noqa: E402


def report(name, problem=None):
    print("fail %s: %s" % (name, problem) if problem else "ok " + name)
    sys.stdout.flush()


class World:
    """A channel of packages without dependencies on anything real, environments and a cache."""

    def __init__(self, program, work):
        self.program, self.work = program, work
        self.channel = Channel(os.path.join(work, "channel"))
        self.env = dict(os.environ, ENVBUILD_CACHE=os.path.join(work, "cache"), ENVBUILD_NO_FSYNC="1")

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def package(self, name, version, members, depends=(), **info):
        index = dict(info.pop("index", {}), depends=list(depends), noarch="generic")
        meta = info_members(name, members, version=version, index=index, **info)
        stem = "%s-%s-0" % (name, version)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
            z.writestr("metadata.json", b'{"conda_pkg_format_version": 2}')
            z.writestr("pkg-%s.tar.zst" % stem, zstd(tar_bytes(members)))
            z.writestr("info-%s.tar.zst" % stem, zstd(tar_bytes(meta)))
        self.channel.put(stem + ".conda", out.getvalue())

    def index(self):
        self.run("channel", "index", self.channel.folder, status=0)

    def environment(self, name, specs, more=""):
        path = self.path(name + ".yml")
        with open(path, "w") as f:
            f.write("name: %s\nchannels: ['file://%s']\ndependencies:\n%s%s"
                    % (name, self.channel.folder, "".join("- %s\n" % s for s in specs) or "  []\n", more))
        return path

    def run(self, *args, status=None, before=(), **kwargs):
        p = subprocess.run([*before, self.program, *args], env=self.env, stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True, timeout=120, **kwargs)
        if status is not None and p.returncode != status:
            report("envbuild " + " ".join(args), "exit %d, expected %d: %r" % (p.returncode, status, p.stderr))
        return p

    def install(self, environment, prefix, *options, status=0, before=()):
        return self.run("install", environment, "-p", prefix, "-j1", *options, status=status, before=before)

    def fresh(self, environment, prefix):
        """The tree that a new environment at that path would be; what is there is put back."""
        aside = prefix + ".aside"
        if os.path.exists(prefix):
            os.rename(prefix, aside)
        self.install(environment, prefix)
        tree = snapshot(prefix)
        subprocess.run(["rm", "-rf", prefix], check=True)
        if os.path.exists(aside):
            os.rename(aside, prefix)
        return tree


def snapshot(root):
    """path -> what it is: type, mode, bytes or target, and of files the time."""
    tree = {}
    for folder, folders, names in os.walk(root):
        for name in folders + names:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            rel = os.path.relpath(path, root)
            if stat.S_ISLNK(st.st_mode):
                tree[rel] = ("link", os.readlink(path))
            elif stat.S_ISDIR(st.st_mode):
                tree[rel] = ("folder", oct(st.st_mode))
            else:
                with open(path, "rb") as f:
                    tree[rel] = ("file", oct(st.st_mode), hashlib.sha256(f.read()).hexdigest(), st.st_mtime_ns)
    return tree


def differences(a, b, times=True, skip=()):
    """What two trees differ in; conda-meta is written anew, so its times say nothing."""
    def of(tree, path):
        entry = tree.get(path)
        if entry and entry[0] == "file" and (not times or path.startswith("conda-meta/")):
            return entry[:3]
        return entry
    return [(p, of(a, p), of(b, p)) for p in sorted(set(a) | set(b)) if p not in skip and of(a, p) != of(b, p)]


def history_packages(prefix):
    """What conda would say is linked, by history alone (conda/history.py)."""
    linked = set()
    with open(os.path.join(prefix, "conda-meta", "history")) as f:
        for line in f:
            line = line.strip()
            if line.startswith("-"):
                linked.discard(line[1:])
            elif line.startswith("+"):
                linked.add(line[1:])
    return sorted(d.split("::")[-1] for d in linked)


def records(prefix):
    return sorted(n[:-5] for n in os.listdir(os.path.join(prefix, "conda-meta")) if n.endswith(".json"))


def read(*parts):
    with open(os.path.join(*parts)) as f:
        return f.read()


def write(text, *parts):
    """A new file: never through a hard link into the cache."""
    path = os.path.join(*parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        mode = os.lstat(path).st_mode
        os.remove(path)
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, stat.S_IMODE(mode)))
    with open(path, "w") as f:
        f.write(text)
