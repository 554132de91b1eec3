"""Environments that differ in where libraries lie and by what names they are asked for."""

import os
import struct
import subprocess

from truth_case import CASES, LIB, PLACEHOLDER, PROGRAM, case, dynamic, function


# --- rpath and runpath -----------------------------------------------------------------------


def pair(c, lib="lib", **options):
    c.library(lib + "/libone.so.1", function("one"))
    c.program(calls=["one"], needs=[lib + "/libone.so.1"], **options)


@case
def no_rpath(c):
    pair(c)


@case
def rpath_origin(c):
    pair(c, rpath="$ORIGIN/../lib")


@case
def runpath_origin(c):
    pair(c, runpath="$ORIGIN/../lib")


@case
def runpath_braces(c):
    pair(c, runpath="${ORIGIN}/../lib")


@case
def runpath_glued(c):
    """$ORIGINAL is no $ORIGIN."""
    pair(c, runpath="$ORIGINAL/../lib")


@case
def rpath_later(c):
    pair(c, rpath="/nowhere:$ORIGIN/none:$ORIGIN/../lib")


@case
def rpath_absolute(c):
    pair(c, rpath=PLACEHOLDER + "/lib")


@case
def runpath_absolute(c):
    pair(c, runpath=PLACEHOLDER + "/lib")


@case
def rpath_elsewhere(c):
    pair(c, rpath="/opt/builder/lib")


@case
def rpath_lib_token(c):
    pair(c, lib="lib64", rpath="$ORIGIN/../$LIB")


@case
def rpath_lib_multiarch(c):
    pair(c, lib="lib/x86_64-linux-gnu", rpath="$ORIGIN/../$LIB")


@case
def rpath_platform(c):
    pair(c, lib="lib/x86_64", rpath="$ORIGIN/../lib/$PLATFORM")


@case
def rpath_dots(c):
    pair(c, runpath="$ORIGIN/.././bin//../lib/")


@case
def rpath_relative(c):
    pair(c, runpath="lib")


@case
def folder_link(c):
    c.link("lib64", "lib")
    c.library("lib/libone.so.1", function("one"))
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath="$ORIGIN/../lib64")


def chain(c, main=None, one=None, subject="run"):
    """A program or module needs libone, that needs libtwo in lib/."""
    c.library("lib/libtwo.so.1", function("two"))
    c.library("lib/libone.so.1", "extern int two(void); int one(void) { return two(); }", ["lib/libtwo.so.1"], **(one or {}))
    if subject == "run":
        c.program(calls=["one"], needs=["lib/libone.so.1"], **(main or {}))
    else:
        c.library("ext/module.so", "extern int one(void); int work(void) { return one(); }", ["lib/libone.so.1"],
                  subject=True, **(main or {}))



@case
def chain_rpath(c):
    chain(c, {"rpath": LIB})


@case
def chain_runpath(c):
    chain(c, {"runpath": LIB})


@case
def chain_rpath_hidden(c):
    """A library with a runpath of its own does not take the program's rpath."""
    chain(c, {"rpath": LIB}, {"runpath": "$ORIGIN/none"})


@case
def chain_two_runpaths(c):
    chain(c, {"runpath": LIB}, {"runpath": "$ORIGIN"})


@case
def chain_mixed(c):
    chain(c, {"runpath": LIB}, {"rpath": "$ORIGIN"})


@case
def chain_both_rpath(c):
    chain(c, {"rpath": LIB}, {"rpath": "$ORIGIN/none"})


@case
def chain_module_rpath(c):
    chain(c, {"rpath": LIB}, subject="open")


@case
def chain_module_runpath(c):
    chain(c, {"runpath": LIB}, subject="open")


@case
def chain_module_two(c):
    chain(c, {"runpath": LIB}, {"runpath": "$ORIGIN"}, subject="open")


@case
def chain_module_none(c):
    chain(c, subject="open")


@case
def both_tags(c):
    """A DT_RPATH beside a DT_RUNPATH does not count."""
    c.library("lib/libone.so.1", function("one"))
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath="$ORIGIN/none:" + LIB)

    def change(data):
        found = {struct.unpack_from("<Q", data, at)[0]: at for at in dynamic(data)}
        runpath, = struct.unpack_from("<Q", data, found[29] + 8)
        struct.pack_into("<QQ", data, found[21], 15, runpath + len("$ORIGIN/none:"))  # DT_DEBUG
        table = data.find(b"$ORIGIN/none:")
        data[table + len("$ORIGIN/none")] = 0

    c.patch("bin/main", change)


def order(c, first, second):
    """libone needs libtwo and has no path; libthree brings it by its own."""
    c.library("more/libtwo.so.1", function("two"))
    c.library("lib/libone.so.1", "extern int two(void); int one(void) { return two(); }", ["more/libtwo.so.1"])
    c.library("lib/libthree.so.1", "extern int two(void); int three(void) { return two(); }", ["more/libtwo.so.1"],
              runpath="$ORIGIN/../more")
    c.program(calls=["one", "three"], needs=[first, second], runpath=LIB)


@case
def order_good(c):
    order(c, "lib/libthree.so.1", "lib/libone.so.1")


@case
def order_bad(c):
    order(c, "lib/libone.so.1", "lib/libthree.so.1")


@case
def breadth_first(c):
    """What the program itself needs is there before what its libraries need."""
    c.library("lib/libtwo.so.1", function("two"))
    c.library("lib/libone.so.1", "extern int two(void); int one(void) { return two(); }", ["lib/libtwo.so.1"])
    c.program(calls=["one", "two"], needs=["lib/libone.so.1", "lib/libtwo.so.1"], runpath=LIB)


@case
def ring(c):
    c.library("lib/libtwo.so.1", function("two"))
    c.library("lib/libone.so.1", function("one"), ["lib/libtwo.so.1"], runpath="$ORIGIN")
    c.library("lib/libtwo.so.1", function("two"), ["lib/libone.so.1"], runpath="$ORIGIN")
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)


@case
def origin_of_linked_library(c):
    """$ORIGIN of a library is where it was found, be that a link."""
    c.library("real/libtwo.so.1", function("two"))
    c.library("real/libone.so.1", function("one"), ["real/libtwo.so.1"], runpath="$ORIGIN")
    c.link("lib/libone.so.1", "../real/libone.so.1")
    c.program(calls=["one"], needs=["real/libone.so.1"], runpath=LIB)


@case
def origin_of_linked_library_beside(c):
    c.library("lib/libtwo.so.1", function("two"))
    c.library("real/libone.so.1", function("one"), ["lib/libtwo.so.1"], runpath="$ORIGIN")
    c.link("lib/libone.so.1", "../real/libone.so.1")
    c.program(calls=["one"], needs=["real/libone.so.1"], runpath=LIB)


@case
def origin_of_linked_program(c):
    """$ORIGIN of a program is where it lies, not where the link does."""
    c.library("deep/lib/libone.so.1", function("one"))
    c.program("deep/bin/main", calls=["one"], needs=["deep/lib/libone.so.1"], runpath=LIB, subject=False)
    c.link("bin/main", "../deep/bin/main")
    c.subjects.append(("run", "bin/main"))


@case
def no_default_folders(c):
    c.program(words=["-Wl,-z,nodefaultlib"])


@case
def no_default_folders_library(c):
    c.library("lib/libone.so.1", function("one"), ["libselinux.so.1"], words=["-Wl,-z,nodefaultlib"])
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)


@case
def host_folder(c):
    c.program(needs=["libselinux.so.1"], runpath="/usr/lib/x86_64-linux-gnu")


# --- names -----------------------------------------------------------------------------------


@case
def no_soname(c):
    c.library("lib/libone.so", function("one"), soname=None)
    os.makedirs(c.folder + "/bin")
    c.cc("bin/main", PROGRAM % ("extern int one(void);", "one()"),
         ["-fPIE", "-pie", "-L" + c.path("lib"), "-lone", c.libc("libc.so.6"), "-Wl,-rpath," + LIB])
    c.subjects.append(("run", "bin/main"))


@case
def link_name(c):
    c.library("lib/libone.so.1.2", function("one"), soname="libone.so.1")
    c.link("lib/libone.so.1", "libone.so.1.2")
    c.program(calls=["one"], needs=["lib/libone.so.1.2"], runpath=LIB)


@case
def link_missing(c):
    c.library("lib/libone.so.1.2", function("one"), soname="libone.so.1")
    c.program(calls=["one"], needs=["lib/libone.so.1.2"], runpath=LIB)


@case
def other_soname(c):
    """Found by its file's name, whatever it calls itself; then known by both."""
    c.library("lib/libone.so.1", function("one"))
    c.library("lib/libtwo.so.1", function("two"), ["libalias.so.9"])
    c.program(calls=["one", "two"], needs=["lib/libone.so.1", "lib/libtwo.so.1"], runpath=LIB)
    c.library("lib/libone.so.1", function("one"), soname="libalias.so.9")


@case
def needed_path(c):
    c.library("lib/libone.so.1", function("one"), soname="$ORIGIN/../lib/libone.so.1")
    c.program(calls=["one"], needs=["lib/libone.so.1"])


@case
def needed_path_absolute(c):
    c.library("lib/libone.so.1", function("one"), soname=PLACEHOLDER + "/lib/libone.so.1")
    c.program(calls=["one"], needs=["lib/libone.so.1"])


@case
def needed_path_missing(c):
    c.library("lib/libone.so.1", function("one"), soname="/opt/builder/lib/libone.so.1")
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)


# --- what lies in the way --------------------------------------------------------------------


def way(c, blocked, later=True):
    """Something lies where the library is looked for first; later: it is there as well, further on."""
    c.library("lib/libone.so.1", function("one"))
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath="$ORIGIN/../first:" + LIB)
    if not later:
        os.rename(c.path("lib/libone.so.1"), c.path("src/libone"))
        os.remove(c.path("src/libone"))
        os.rmdir(c.folder + "/src")
    blocked(c.path("first/libone.so.1"))
    c.aside = ["first/libone.so.1"] if later and blocked in (old_machine, other_machine, newer_kernel) else []


def old_machine(path):
    subprocess.run(["gcc", "-m32", "-shared", "-nostdlib", "-Wl,-soname,libone.so.1", "-o", path, "-xc", "-"],
                   input=b"int one;", check=True)


def other_machine(path):
    subprocess.run(["gcc", "-shared", "-nostdlib", "-Wl,-soname,libone.so.1", "-o", path, "-xc", "-"],
                   input=b"int one;", check=True)
    with open(path, "r+b") as f:
        f.seek(18)
        f.write(b"\xb7")


def text_file(path):
    with open(path, "w", encoding="utf-8") as f:
        f.write("/* GNU ld script: longer than the header of an ELF file is, which is 64 bytes */\nINPUT(-lone)\n")


def empty_file(path):
    with open(path, "w", encoding="utf-8"):
        pass


def newer_kernel(path, align=".balign 4\\n"):
    source = """
    __asm__(".section .note.ABI-tag,\\"a\\",@note\\n%s.long 4, 16, 1\\n.asciz \\"GNU\\"\\n.long 0, 99, 1, 0\\n.previous\\n");
    int one(void) { return 0; }
    """ % align
    subprocess.run(["gcc", "-shared", "-fPIC", "-nostdlib", "-Wl,-soname,libone.so.1", "-o", path, "-xc", "-"],
                   input=source.encode(), check=True)


def odd_note(path):
    """The loader does not look at notes that are not aligned."""
    newer_kernel(path, "")


def dangling(path):
    os.symlink("nowhere", path)


def folder(path):
    """It can be opened, and then not be read."""
    os.mkdir(path)
    empty_file(path + "/part")


def without_dynamic(path):
    subprocess.run(["gcc", "-shared", "-nostdlib", "-Wl,-soname,libone.so.1", "-o", path, "-xc", "-"],
                   input=b"int one(void) { return 0; }", check=True)
    with open(path, "r+b") as f:
        data = bytearray(f.read())
        at, = struct.unpack_from("<Q", data, 32)
        for i in range(struct.unpack_from("<H", data, 56)[0]):
            if struct.unpack_from("<I", data, at + 56 * i)[0] == 2:
                struct.pack_into("<I", data, at + 56 * i, 0)
        f.seek(0)
        f.write(data)


for kind, put in (("32-bit", old_machine), ("other-machine", other_machine), ("text", text_file), ("empty", empty_file),
                  ("folder", folder), ("without-dynamic", without_dynamic), ("kernel", newer_kernel), ("note", odd_note), ("dangling", dangling)):
    CASES["passed-" + kind] = lambda c, put=put: way(c, put)
    CASES["only-" + kind] = lambda c, put=put: way(c, put, False)


@case
def truncated_library(c):
    c.library("lib/libone.so.1", function("one"))
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)
    os.truncate(c.path("lib/libone.so.1"), 700)


def in_subfolder(c, folder):
    """A library that lacks a version; in a subfolder for some machines lies one that has it."""
    old, new = ["-Wl,--version-script=" + c.path(name) for name in ("src/old", "src/new")]
    c.write("src/old", b"V1 { global: one; };\n")
    c.write("src/new", b"V1 { global: one; };\nV2 { global: two; };\n")
    c.library("lib/%s/libone.so.1" % folder, function("one") + function("two"), words=[new])
    c.library("lib/libone.so.1", function("one"), words=[old])
    c.program(calls=["one", "two"], needs=["lib/%s/libone.so.1" % folder], runpath=LIB)


for kind in ("glibc-hwcaps/x86-64-v2", "glibc-hwcaps/x86-64-v3", "tls", "x86_64", "tls/x86_64", "other"):
    CASES["subfolder-" + kind.replace("/", "-")] = lambda c, kind=kind: in_subfolder(c, kind)
