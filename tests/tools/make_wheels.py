"""Wheels, source distributions and simple indexes for tests: plain Python, no packaging tools.

A test's own script imports this:

    from make_wheels import wheel, sdist, project, index
    wheel("links", "alpha", "1.0", requires=["beta>=1"], entry="alpha")
"""

import base64
import hashlib
import io
import os
import tarfile
import zipfile


def _module(name, version):
    return 'version = "%s"\n\n\ndef main():\n    print("%s %s")\n' % (version, name, version)


def _metadata(name, version, requires, extras, python):
    lines = ["Metadata-Version: 2.1", "Name: " + name, "Version: " + version]
    lines += ["Requires-Python: " + python] if python else []
    lines += ["Requires-Dist: " + r for r in requires] + ["Provides-Extra: " + e for e in extras]
    return "\n".join(lines) + "\n"


def wheel(folder, name, version, requires=(), extras=(), python=None, entry=None, tag="py3-none-any", files=None,
          file_tag=None):
    """Returns its path."""
    info = "%s-%s.dist-info" % (name, version)
    members = {name + ".py": _module(name, version)} if files is None else dict(files)
    members[info + "/METADATA"] = _metadata(name, version, requires, extras, python)
    members[info + "/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: %s\n" % tag
    if entry:
        members[info + "/entry_points.txt"] = "[console_scripts]\n%s = %s:main\n" % (entry, name)
    rows = []
    for path, text in members.items():
        data = text.encode() if isinstance(text, str) else text
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")
        rows.append("%s,sha256=%s,%d\n" % (path, digest, len(data)))
    members[info + "/RECORD"] = "".join(rows) + info + "/RECORD,,\n"
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "%s-%s-%s.whl" % (name, version, file_tag or tag))
    with zipfile.ZipFile(path, "w") as z:
        for member, text in members.items():
            z.writestr(zipfile.ZipInfo(member), text)
    return path


def project_files(name, version, requires=(), entry=None, setup=""):
    """A setup.py project: path -> text."""
    points = 'entry_points={"console_scripts": ["%s = %s:main"]},' % (entry, name) if entry else ""
    script = ("from setuptools import setup\n%s\nsetup(name=%r, version=%r, py_modules=[%r], install_requires=%r, %s)\n"
              % (setup, name, version, name, list(requires), points))
    return {"setup.py": script, name + ".py": _module(name, version)}


def project(folder, name, version, **more):
    """The same as a folder."""
    os.makedirs(folder, exist_ok=True)
    for path, text in project_files(name, version, **more).items():
        with open(os.path.join(folder, path), "w") as f:
            f.write(text)
    return folder


def sdist(folder, name, version, **more):
    os.makedirs(folder, exist_ok=True)
    top = "%s-%s" % (name, version)
    members = project_files(name, version, **more)
    members["PKG-INFO"] = _metadata(name, version, (), (), None)
    path = os.path.join(folder, top + ".tar.gz")
    with tarfile.open(path, "w:gz") as tar:
        for member, text in sorted(members.items()):
            info = tarfile.TarInfo(top + "/" + member)
            info.size = len(text)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(text.encode()))
    return path


def index(root, folder, lies=()):
    """root/simple/ over the distributions in folder, which become root/files/; `lies` get a wrong sum."""
    pages = {}
    os.makedirs(os.path.join(root, "files"), exist_ok=True)
    for file in sorted(os.listdir(folder)):
        with open(os.path.join(folder, file), "rb") as f:
            data = f.read()
        with open(os.path.join(root, "files", file), "wb") as f:
            f.write(data)
        name = file.split("-")[0].lower().replace("_", "-")
        digest = hashlib.sha256(data + (b"lie" if file in lies else b"")).hexdigest()
        pages.setdefault(name, []).append('<a href="../../files/%s#sha256=%s">%s</a><br/>\n' % (file, digest, file))
    for name, links in pages.items():
        os.makedirs(os.path.join(root, "simple", name), exist_ok=True)
        with open(os.path.join(root, "simple", name, "index.html"), "w") as f:
            f.write("<!DOCTYPE html><html><body>\n" + "".join(links) + "</body></html>\n")
