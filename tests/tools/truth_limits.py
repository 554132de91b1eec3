"""Environments that differ in versions, symbols, limits and interpreters."""

import struct

from truth_case import CASES, LIB, MODULES, PLACEHOLDER, case, dynamic, function, segments


# --- versions --------------------------------------------------------------------------------


def versioned(c, at_link, at_run, calls=("one", "two"), subject="run", bare=False, **options):
    """at_link, at_run: version -> names; what the library defines then and then.  bare: it needs no versions."""
    def make(versions):
        c.write("src/map", "".join("%s { global: %s; };\n" % (v, "; ".join(n)) for v, n in versions.items()).encode())
        c.library("lib/libone.so.1", "".join(function(n) for names in versions.values() for n in names) + (
            "" if bare else "extern int strlen(void); int length(void) { return strlen(); }"), [] if bare else ["libc.so.6"],
                  words=["-Wl,--version-script=" + c.path("src/map")] if "" not in versions else [])

    make(at_link)
    if subject == "run":
        c.program(calls=calls, needs=["lib/libone.so.1"], runpath=LIB, **options)
    else:
        c.library("ext/module.so", "".join("extern int %s(void);\n" % n for n in calls)
                  + "int work(void) { return %s; }" % " + ".join(n + "()" for n in calls), ["lib/libone.so.1"],
                  runpath=LIB, subject=True, **options)
    make(at_run)


V1, V2 = {"V1": ("one",)}, {"V1": ("one",), "V2": ("two",)}


@case
def version_there(c):
    versioned(c, V2, V2)


@case
def version_lacking(c):
    versioned(c, V2, V1)


@case
def version_lacking_module(c):
    versioned(c, V2, V1, subject="open")


@case
def version_not_needed(c):
    versioned(c, V2, V1, calls=("one",))


@case
def version_of_none(c):
    """A library that defines no versions at all is let pass."""
    versioned(c, V2, {"": ("one", "two")})


@case
def version_weak(c):
    versioned(c, V2, V1, body="\n#pragma weak two\nif (two) two()")


@case
def version_of_shadow(c):
    """The environment has the library; the host's lacks the version."""
    c.write("src/map", b"LIBSELINUX_99.0 { global: one; };\n")
    c.library("lib/libselinux.so.1", function("one"), words=["-Wl,--version-script=" + c.path("src/map")])
    c.program(calls=["one"], needs=["lib/libselinux.so.1"])


@case
def shadow_good(c):
    c.library("lib/libselinux.so.1", "")
    c.program(needs=["lib/libselinux.so.1"])


@case
def shadow_of_host(c):
    """One with the name of a part of glibc, which lacks what that has."""
    c.write("src/map", b"GLIBC_2.0 { global: openpty; };\n")
    c.library("lib/libutil.so.1", function("openpty"), words=["-Wl,--version-script=" + c.path("src/map")])
    c.program(calls=["openpty"], runpath=LIB, words=[c.stub("libutil.so.1", {"GLIBC_2.2.5": ("openpty",)})])


@case
def compat_relocations(c):
    """DT_RELR, which the loader knows from 2.36 on, and the linker says so."""
    c.library("ext/module.so", "extern int strlen(void); void *p = &p, *q = &q, *r = &r; int w(void) { return strlen(); }",
              ["libc.so.6=GLIBC_ABI_DT_RELR:unused_relr"], words=["-Wl,-z,pack-relative-relocs"], subject=True)


for library in ("libselinux.so.1", "libcrypt.so.1", "libnsl.so.1", "libutil.so.1", "libmvec.so.1", "libstdc++.so.6",
                "libgcc_s.so.1", "libz.so.1", "libzstd.so.1", "libpcre.so.3", "libcrypto.so.3", "libnss_nis.so.2", "libBrokenLocale.so.1",
                "libc_malloc_debug.so.0", "libX11.so.6", "libsite.so.1"):
    CASES["host-" + library] = lambda c, library=library: c.program(needs=[library])

for library, version in (("libz.so.1", "ZLIB_1.2.9"), ("libz.so.1", "ZLIB_1.3.1"), ("libgcc_s.so.1", "GCC_4.8.0"), ("libgcc_s.so.1", "GCC_7.0.0"),
                         ("libgcc_s.so.1", "GCC_14.0.0"), ("libstdc++.so.6", "GLIBCXX_3.4.19"), ("libselinux.so.1", "LIBSELINUX_3.4"),
                         ("libutil.so.1", "GLIBC_2.2.5"), ("libpthread.so.0", "GLIBC_2.12"), ("libpthread.so.0", "GLIBC_2.30"),
                         ("libm.so.6", "GLIBC_2.29"), ("libm.so.6", "GLIBC_2.38"), ("libc.so.6", "GLIBC_2.19"), ("libc.so.6", "GLIBC_2.22"),
                         ("libc.so.6", "GLIBC_2.36"), ("libc.so.6", "GLIBC_2.38"), ("libc.so.6", "GLIBC_PRIVATE"),
                         ("ld-linux-x86-64.so.2", "GLIBC_2.3"), ("ld-linux-x86-64.so.2", "GLIBC_2.35")):
    def has_version(c, library=library, version=version):
        c.library("ext/module.so", "extern char unused; void *p = &unused;\n#pragma weak unused\n",
                  [], words=[c.stub(library, {version: ("unused",)})], subject=True)
        only_versions(c, MODULES + "module.so")

    CASES["version-%s-%s" % (library, version)] = has_version


def only_versions(c, name):
    """Makes a weak need a strong one and takes the relocation away, so that the version alone matters."""
    def change(data):
        at = {struct.unpack_from("<Q", data, entry)[0]: entry + 8 for entry in dynamic(data)}
        need, = struct.unpack_from("<Q", data, at[0x6FFFFFFE])
        struct.pack_into("<H", data, need + struct.unpack_from("<I", data, need + 8)[0] + 4, 0)
        struct.pack_into("<Q", data, at[8], 0)  # DT_RELASZ

    c.patch(name, change)


# --- symbols ---------------------------------------------------------------------------------


def symbols(c, warned=False):
    c.by_symbols, c.warned = True, warned


@case
def symbol_missing_module(c):
    symbols(c)
    c.library("ext/module.so", "extern int nowhere(void); int work(void) { return nowhere(); }", subject=True)


@case
def symbol_missing_plugin(c):
    """Of a program that is not there, which may have it."""
    symbols(c, warned=True)
    c.library("lib/plugin.so", "extern int nowhere(void); int work(void) { return nowhere(); }", subject=True)


@case
def library_missing_plugin(c):
    c.warned = True
    c.library("lib/plugin.so", function("work"), ["libnowhere.so.1"], subject=True)


@case
def symbol_missing_data(c):
    symbols(c)
    c.library("lib/libone.so.1", function("one") + "int datum;")
    c.library("ext/module.so", "extern int datum; int *work(void) { return &datum; }", ["lib/libone.so.1"], runpath=LIB,
              subject=True)
    c.library("lib/libone.so.1", function("one"))


@case
def symbol_weak(c):
    symbols(c)
    c.library("ext/module.so", "#pragma weak nowhere\nextern int nowhere(void); int work(void) { return nowhere ? nowhere() : 0; }",
              subject=True)


@case
def symbol_in_library(c):
    symbols(c)
    c.library("lib/libone.so.1", function("one"), words=["-Wl,--hash-style=sysv"])
    c.library("ext/module.so", "extern int one(void); int work(void) { return one(); }", ["lib/libone.so.1"], runpath=LIB,
              subject=True)


@case
def symbol_in_library_gnu(c):
    symbols(c)
    c.library("lib/libone.so.1", function("one"), words=["-Wl,--hash-style=gnu"])
    c.library("ext/module.so", "extern int one(void); int work(void) { return one(); }", ["lib/libone.so.1"], runpath=LIB,
              subject=True)


@case
def symbol_in_deeper_library(c):
    symbols(c)
    c.library("lib/libtwo.so.1", function("two"))
    c.library("lib/libone.so.1", function("one"), ["lib/libtwo.so.1"], runpath="$ORIGIN")
    c.library("ext/module.so", "extern int two(void); int work(void) { return two(); }", ["lib/libone.so.1"], runpath=LIB,
              subject=True)


@case
def symbol_bound_now(c):
    symbols(c)
    c.library("lib/libone.so.1", function("one") + function("two"))
    c.program(calls=["one", "two"], needs=["lib/libone.so.1"], runpath=LIB, words=["-Wl,-z,now"])
    c.library("lib/libone.so.1", function("one"))


@case
def symbol_lazy_called(c):
    symbols(c, warned=True)
    c.library("lib/libone.so.1", function("one") + function("two"))
    c.program(calls=["one", "two"], needs=["lib/libone.so.1"], runpath=LIB, words=["-Wl,-z,lazy", "-fplt"])
    c.library("lib/libone.so.1", function("one"))


@case
def symbol_moved_version(c):
    """The version is there, the symbol is in another one."""
    symbols(c)
    versioned(c, {"V1": ("one", "two"), "V2": ("three",)}, {"V1": ("one",), "V2": ("two", "three")}, subject="open")


@case
def symbol_unversioned(c):
    """Asked for without a version, there in one."""
    symbols(c)
    versioned(c, {"": ("one", "two")}, V2, subject="open")


@case
def symbol_of_unversioned(c):
    symbols(c)
    versioned(c, V2, {"": ("one", "two")}, subject="open")


@case
def symbol_of_bare(c):
    """A library without any table of versions where one was: the loader dies of an assertion."""
    symbols(c)
    versioned(c, V2, {"": ("one", "two")}, subject="open", bare=True)


@case
def symbol_of_libc(c):
    """A function that glibc has from 2.25 on, in a version that it has long had."""
    symbols(c)
    c.library("ext/module.so", "extern int getentropy(void); int work(void) { return getentropy(); }",
              ["libc.so.6=GLIBC_2.2.5:getentropy"], subject=True)


@case
def symbol_of_libc_unversioned(c):
    symbols(c)
    c.library("ext/module.so", "extern int getentropy(void), strlen(void); int work(void) { return getentropy() + strlen(); }",
              ["libc.so.6"], words=["-Wl,--unresolved-symbols=ignore-all"], subject=True)


@case
def symbol_compat_threads(c):
    """That libpthread had, and libc has in its place."""
    symbols(c)
    c.library("ext/module.so", "extern int pthread_create(void); int work(void) { return pthread_create(); }", [],
              words=[c.stub("libpthread.so.0", {"GLIBC_2.2.5": ("pthread_create",)})], subject=True)


# --- limits ----------------------------------------------------------------------------------


def tls(c, size, model="initial-exec", program=False):
    source = "static __thread char many[%d] __attribute__((tls_model(\"%s\"))); char *one(void) { return many; }" % (size, model)
    if program:
        c.library("lib/libone.so.1", source, ["ld-linux-x86-64.so.2"] if model != "initial-exec" else [])
        c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)
    else:
        c.library("ext/module.so", source, subject=True)


for size in (64, 400, 3000, 100000):
    CASES["tls-static-%d" % size] = lambda c, size=size: tls(c, size)
for size in (64, 128, 4096):
    CASES["tls-static-aligned-%d" % size] = lambda c, size=size: c.library(
        "ext/module.so", "static __thread char x[8] __attribute__((tls_model(\"initial-exec\"), aligned(%d)));"
        "char *one(void) { return x; }" % size, subject=True)
CASES["tls-static-at-start"] = lambda c: tls(c, 100000, program=True)
CASES["tls-dynamic-100000"] = lambda c: c.library(
    "ext/module.so", "__thread char many[100000]; char *one(void) { return many; }", [],
    words=[c.stub("ld-linux-x86-64.so.2", {"GLIBC_2.3": ("__tls_get_addr",)})], subject=True)


@case
def stack_module(c):
    c.library("ext/module.so", function("work"), words=["-Wl,-z,execstack"], subject=True)


@case
def stack_library(c):
    c.library("lib/libone.so.1", function("one"), words=["-Wl,-z,execstack"])
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)


@case
def stack_program(c):
    c.program(words=["-Wl,-z,execstack"])


@case
def stack_unsaid_module(c):
    c.library("ext/module.so", function("work"), subject=True)

    def change(data):
        for at in segments(data):
            if struct.unpack_from("<I", data, at)[0] == 0x6474E551:
                struct.pack_into("<I", data, at, 0)

    c.patch(MODULES + "module.so", change)


for level in (2, 3, 4):
    CASES["isa-v%d" % level] = lambda c, level=level: c.library(
        "ext/module.so", function("work"), words=["-Wl,-z,x86-64-v%d" % level], subject=True)


@case
def text_relocations(c):
    c.library("ext/module.so", "int datum; __asm__(\".text\\n.quad datum\\n\");", words=["-Wl,-z,notext"], subject=True)


@case
def hash_sysv(c):
    c.program(words=["-Wl,--hash-style=sysv"])


@case
def hash_gnu(c):
    c.program(words=["-Wl,--hash-style=gnu"])


@case
def os_gnu(c):
    c.library("ext/module.so", function("work"), subject=True)
    c.patch(MODULES + "module.so", lambda data: data.__setitem__(7, 3))


@case
def no_sections(c):
    c.library("lib/libone.so.1", function("one"))
    c.program(calls=["one"], needs=["lib/libone.so.1"], runpath=LIB)

    def change(data):
        struct.pack_into("<Q", data, 40, 0)
        struct.pack_into("<HHH", data, 58, 0, 0, 0)

    c.patch("lib/libone.so.1", change)
    c.patch("bin/main", change)


# --- interpreters ----------------------------------------------------------------------------


@case
def interpreter_missing(c):
    c.program(words=["-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1"])


@case
def interpreter_of_environment(c):
    c.program(words=["-Wl,--dynamic-linker=" + PLACEHOLDER + "/lib/ld-linux-x86-64.so.2"])


@case
def static(c):
    c.cc("bin/main", """
    static long call(long n, long a, const char *b, long d)
    { __asm__ volatile("syscall" : "+a"(n) : "D"(a), "S"(b), "d"(d) : "rcx", "r11", "memory"); return n; }
    void _start(void) { call(1, 1, "ok\\n", 3); call(60, 0, 0, 0); }
    """, ["-static"])
    c.subjects.append(("run", "bin/main"))


for name, line in (("sh", "/bin/sh"), ("bash", "/bin/bash"), ("dash", "/bin/dash"), ("env", "/usr/bin/env sh"),
                   ("env-missing", "/usr/bin/env no-such-program"), ("missing", "/opt/builder/bin/sh"),
                   ("space", " /bin/sh -e"), ("own", PLACEHOLDER + "/bin/own")):
    def script(c, line=line):
        c.write("bin/main", ("#!" + line + "\necho ok\n").encode())
        c.subjects.append(("run", "bin/main"))
        if "own" in line:
            c.program("bin/own", subject=False)

    CASES["script-" + name] = script


@case
def script_own_broken(c):
    """Its interpreter is of the environment and lacks a library."""
    c.program("bin/own", needs=["libnowhere.so.1"], subject=False)
    c.write("bin/main", ("#!" + PLACEHOLDER + "/bin/own\n").encode())
    c.subjects.append(("run", "bin/main"))
