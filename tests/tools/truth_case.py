"""Small environments that the loader accepts or refuses for one reason each.

Their programs are linked without start files against a C library of three functions, so that they need
GLIBC_2.2.5 and no more; what they come to in a root is for that root's loader to say.
"""

import os
import struct
import subprocess

# What an absolute path of the environment begins with; replaced when it is put where it is used.
PLACEHOLDER = "/opt/" + "placeholder-" * 12
LIBC = {"GLIBC_2.2.5": ("write", "_exit", "strlen")}
PROGRAM = """
extern long write(int, const void *, unsigned long);
extern void _exit(int);
%s
__attribute__((force_align_arg_pointer)) void _start(void)
{
	%s;
	write(1, "ok\\n", 3);
	_exit(0);
}
"""
# A program of ours is called so, and opens what lies where Python would look for its modules.
PYTHON, MODULES = "bin/python3.9", "lib/python3.9/site-packages/"
LIB = "$ORIGIN/../lib"
CASES = {}


def case(function):
    CASES[function.__name__.replace("_", "-")] = function
    return function


class Case:
    """One environment while it is made, and what is asked of it."""

    def __init__(self, folder, stubs):
        self.folder, self.stubs, self.n_stubs = folder, stubs, 0
        self.subjects = []  # (how, path): run a program, open a module
        self.by_symbols = False  # only --symbols can see it
        self.warned = False  # more than a warning cannot be said of it
        self.aside = []  # files that none of the subjects loads
        os.makedirs(folder + "/conda-meta")
        self.write("conda-meta/history", b"")

    def path(self, name):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return path

    def write(self, name, data, mode=0o755):
        with open(self.path(name), "wb") as f:
            f.write(data)
        os.chmod(self.path(name), mode)

    def link(self, name, to):
        os.symlink(to, self.path(name))

    def cc(self, name, source, words):
        subprocess.run(["gcc", "-O1", "-w", "-fno-stack-protector", "-fno-builtin", "-nostdlib", "-o", self.path(name),
                        "-xc", "-", "-xnone", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"] + words,
                       input=source.encode(), check=True)

    def linked(self, needs, rpath, runpath):
        out = []
        for need in needs:
            if need.startswith("libc.so.6"):
                out.append(self.libc(need))
            elif os.path.exists(self.path(need)):
                out.append(self.path(need))
            else:
                out.append(self.stub(need, {}))
        if rpath is not None:
            out += ["-Wl,--disable-new-dtags", "-Wl,-rpath," + rpath]
        if runpath is not None:
            out += ["-Wl,--enable-new-dtags", "-Wl,-rpath," + runpath]
        return out

    def program(self, name="bin/main", calls=(), needs=(), rpath=None, runpath=None, words=(), libc="libc.so.6",
                body="", subject=True):
        head = "".join("extern int %s(void);\n" % call for call in calls)
        self.cc(name, PROGRAM % (head, body or "; ".join(call + "()" for call in calls)),
                ["-fPIE", "-pie"] + list(words) + self.linked(list(needs) + [libc], rpath, runpath))
        if subject:
            self.subjects.append(("run", name))

    def library(self, name, source="", needs=(), soname="", rpath=None, runpath=None, words=(), subject=False):
        """soname "": that of the file; None: none.  ext/ is where Python's modules lie."""
        if soname == "":
            soname = os.path.basename(name)
        if name.startswith("ext/"):
            name = MODULES + name[4:]
            rpath, runpath = [p and p.replace(LIB, "$ORIGIN/../..") for p in (rpath, runpath)]
        self.cc(name, source, ["-shared", "-fPIC"] + (["-Wl,-soname," + soname] if soname else []) + list(words)
                + self.linked(needs, rpath, runpath))
        if subject:
            self.subjects.append(("open", name))

    def stub(self, soname, versions):
        """A library to link with that lies outside the environment."""
        self.n_stubs += 1
        folder = os.path.join(self.stubs, os.path.basename(self.folder), str(self.n_stubs))
        os.makedirs(folder)
        path = os.path.join(folder, soname)
        make_stub(path, versions)
        return path

    def libc(self, name):
        """libc.so.6, or libc.so.6=VERSION:SYMBOL for one that has more."""
        more = name.partition("=")[2]
        versions = dict(LIBC)
        if more:
            version, symbol = more.split(":")
            versions[version] = versions.get(version, ()) + (symbol,)
        return self.stub("libc.so.6", versions)

    def patch(self, name, change):
        with open(self.path(name), "rb") as f:
            data = bytearray(f.read())
        change(data)
        self.write(name, bytes(data))


def make_stub(path, versions):
    names = [name for names in versions.values() for name in names]
    with open(path + ".map", "w", encoding="utf-8") as f:
        f.writelines("%s { global: %s; };\n" % (version, "; ".join(names)) for version, names in versions.items())
    subprocess.run(["gcc", "-shared", "-fPIC", "-w", "-fno-builtin", "-nostdlib", "-o", path, "-xc", "-", "-Wl,-soname," + os.path.basename(path)]
                   + (["-Wl,--version-script=" + path + ".map"] if versions else []),
                   input="".join("int %s(void) { return 0; }\n" % name for name in names).encode(), check=True)


def function(name):
    return "int %s(void) { return 0; }\n" % name


def segments(data):
    at, = struct.unpack_from("<Q", data, 32)
    count, = struct.unpack_from("<H", data, 56)
    return [at + 56 * i for i in range(count)]


def dynamic(data):
    """Offsets of the entries of the dynamic section."""
    for at in segments(data):
        kind, _, offset, _, _, size = struct.unpack_from("<IIQQQQ", data, at)
        if kind == 2:
            return range(offset, offset + size, 16)
    return []
