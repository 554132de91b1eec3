#!/usr/bin/env python3
"""make_tree.py DIR PLACEHOLDER BUILD_PREFIX [N_FILES]: a small environment for the packer's tests.

The layout is that of tests/tools/tree_content.h.  The same arguments give the same bytes.
"""
import os
import random
import sys

directory, placeholder, build = sys.argv[1:4]
n_files = int(sys.argv[4]) if len(sys.argv) > 4 else 60
P, B = placeholder.encode(), build.encode()
rng = random.Random(7)


def put(path, data, mode=0o644, mtime=1200000000):
    path = os.path.join(directory, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)
    os.chmod(path, mode)
    os.utime(path, (mtime, mtime))


def link(path, target):
    path = os.path.join(directory, path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    os.symlink(target, path)
    os.utime(path, (1200000000, 1200000000), follow_symlinks=False)


def noise(n):
    return rng.randbytes(n)


# Scripts: plain, with an argument, with a space behind "#!", with the prefix behind too.
put("python/bin/tool", b"#!" + P + b"/bin/sh\necho tool " + P + b"\n", 0o755)
put("python/bin/tool-e", b"#!" + P + b"/bin/sh -e\necho tool-e\n", 0o755)
put("python/bin/tool-space", b"#! " + P + b"/bin/sh\necho tool-space\n", 0o775)
put("python/bin/only-line", b"#!" + P + b"/bin/sh", 0o755)
put("python/bin/foreign", b"#!/bin/sh\necho " + P + b" " + P + b"\n", 0o755)
put("python/bin/env-arg", b"#!/usr/bin/env " + P + b"/bin/sh\necho env-arg\n", 0o755)
link("python/bin/sh", "/bin/sh")
# Text: side by side, at both ends, many.
put("python/lib/twice", P + P + b":" + P)
put("python/lib/many", b"".join(noise(5).hex().encode() + P + b"\n" for _ in range(200)))
put("python/lib/tail", b"x=" + P)
put("python/lib/latin", b"\xe9\xff " + P + b"\xe9\n")
# Binaries: two in one string, at the very end without a NUL, strings that touch, a long tail.
put("python/lib/libtwo.so", b"\x7fELF\0" + noise(700) + b"\0" + P + b"/lib:" + P + b"/lib64\0" + noise(99))
put("python/lib/libend.so", noise(64) + b"\0" + P + b"/share")
put("python/lib/libtouch.so", b"\0" + P + b"\0" + P + b"/x\0\0" + P + P + b"\0rest\0")
put("python/lib/libstart.so", P + b"/first\0" + noise(33) + b"\0", 0o755)
# Large: cut into several members; the placeholder lies across a cut.
put("zlib/lib/libbig.so", noise(8 * 1024 * 1024 - 700) + b"\0" + P + b"/etc\0" + noise(1 << 20))
put("zlib/share/zeros", bytes(9 << 20))
put("zlib/share/" + "long-name-" * 20 + "end", b"long\n")
put("zlib/" + "deep/" * 40 + "file", b"deep " + P + b"\n")
link("zlib/lib/libz.so", "libbig.so")
link("zlib/lib/libz-long.so", "x" * 150)
link("zlib/share/dangling", "../nowhere")
os.makedirs(os.path.join(directory, "zlib/var/empty"))
os.utime(os.path.join(directory, "zlib/var/empty"), (1200000000, 1200000000))
os.makedirs(os.path.join(directory, "zlib/lib/held"), exist_ok=True)
put("zlib/lib/held-not", b"")
put("zlib/lib/held/file", b"one byte more than nothing")
put("zlib/share/name with spaces & 'quotes'", b"q " + P + b"\n")
put("zlib/share/unwritable", b"r " + P + b"\n", 0o444)
for i in range(n_files):
    put(f"many/share/many/{i % 7}/{i:04d}.txt", noise(50 + i).hex().encode() + P + b"/%d\n" % i)
    put(f"many/share/many/{i % 7}/{i:04d}.bin", noise(90 + i) + b"\0" + P + b"/%d\0" % i + noise(4096))
# Generated: entry points, state, bytecode.
put("+/bin/hello", b"#!" + B + b"/bin/sh\necho hello\n", 0o700)
put("+/conda-meta/history", b"")
put("+/conda-meta/state",
    b'{"env_vars": {"FROM_STATE": "it\'s $HOME \\"x\\"", "BOTH": "state", "GONE": "***unset***",'
    b' "ODD": "a!b \\\\!c \\\\\\nd \'e\' `id` $$ %s *\\\\", "EMPTY": ""}}')
put("+/etc/conda/env_vars.d/b.json", b'{"BOTH": "file", "GONE": "no", "WHERE": "' + B + b'/data"}')
put("+/etc/conda/activate.d/b.sh", b'ORDER="${ORDER-}b"\nexport B_PREFIX="$CONDA_PREFIX"\nfalse\n')
put("+/etc/conda/activate.d/B.sh", b'ORDER="${ORDER-}B"\n[ -n "$NOT_SET_AT_ALL" ] && false\n')
put("+/etc/conda/deactivate.d/b.sh", b'ORDER="${ORDER-}-b"\nunset B_PREFIX\n')
put("+/etc/conda/deactivate.d/B.sh", b'ORDER="${ORDER-}-B"\n')
for name in "bB":
    put(f"+/etc/conda/activate.d/{name}.csh", b"""if ( ! $?ORDER ) setenv ORDER ''
setenv ORDER "${ORDER}%s"
setenv B_PREFIX "$CONDA_PREFIX"
""" % name.encode())
    put(f"+/etc/conda/deactivate.d/{name}.csh", b"""if ( ! $?ORDER ) setenv ORDER ''
setenv ORDER "${ORDER}-%s"
unsetenv B_PREFIX
""" % name.encode())
    put(f"+/etc/conda/activate.d/{name}.fish",
        b'set -gx ORDER "$ORDER"%s\nset -gx B_PREFIX $CONDA_PREFIX\nfalse\n' % name.encode())
    put(f"+/etc/conda/deactivate.d/{name}.fish", b'set -gx ORDER "$ORDER"-%s\nset -e B_PREFIX\n' % name.encode())
put("+/lib/generated.bin", noise(50) + b"\0" + B + b"/lib\0" + noise(7))
link("+/lib/absolute", build + "/lib/many")
link("+/share/root", build)
