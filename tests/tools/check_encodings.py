#!/usr/bin/env python3
"""Random files with random placeholders in every encoding, installed and relocated.

    check_encodings.py INSTALL_ONE PACK_TREE WORK [SEED [FILES]]

Installed files must be what conda_prefix.py, an independent reading of conda, makes of them;
relocated ones too, and any row of relocations must give the bytes of a fresh unpack.  Prints
"ok NAME" or "fail NAME: DETAIL".
"""

import os
import random
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import conda_prefix  # noqa: E402
from check_channel_install import Driver  # noqa: E402
from make_package import Channel, member  # noqa: E402

install_one, pack_tree, work = sys.argv[1:4]
seed = int(sys.argv[4]) if len(sys.argv) > 4 else 1
n_files = int(sys.argv[5]) if len(sys.argv) > 5 else 60
rng = random.Random(seed)
ENCODINGS = conda_prefix.ENCODINGS
PLACEHOLDERS = ["/opt/anaconda1anaconda2anaconda3", "/home/me/_h_env" + "_placehold" * 6 + "_plac",
                "/builds/w" + "_placehold" * 24 + "_plac"]


def report(name, problem):
    print("fail %s: %s" % (name, problem) if problem else "ok " + name)
    sys.stdout.flush()


def chars():
    """What may follow a placeholder: mostly ASCII, sometimes what has zero bytes in odd places."""
    alphabet = "abc/._-:; \t" if rng.random() < 0.8 else "ab/\u0100\u4e00\u00e4\u0a2f\U0001f40d"
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(12)))


def noise():
    alphabet = bytes(range(256)) if rng.random() < 0.5 else b"\0\0\0ab/"
    return bytes(rng.choice(alphabet) for _ in range(rng.randrange(40)))


def string(placeholder, ended=True):
    """A string with placeholders in one encoding; without an end it may run into the next."""
    encoding = rng.choice(ENCODINGS)
    text = chars() if rng.random() < 0.5 else ""
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        # Side by side in UTF-16 with the big end first, the one may share a byte with the other.
        text += placeholder + (chars() or ":")
    end = "\0" * rng.choice((1, 1, 2)) if ended else ""
    return (text + end).encode(encoding)


def binary(placeholder, ended=True):
    out = noise() + b"\0"
    for _ in range(rng.randrange(1, 7)):
        out += string(placeholder, ended) + (noise() if rng.random() < 0.6 else b"")
    return out + (b"\0" * 4 if ended else noise())


def text(placeholder):
    out = b""
    if rng.random() < 0.4:
        line = "#!" + rng.choice(("", " ", "")) + placeholder + "/bin/x" + rng.choice(("", "", " -E", " " + placeholder))
        out = line.encode(rng.choice(ENCODINGS[:1] * 3 + ENCODINGS)) + b"\n"
    for _ in range(rng.randrange(1, 6)):
        out += string(placeholder).replace(b"\0", b"") if rng.random() < 0.3 else string(placeholder, False)
        out += rng.choice((b"\n", b"", chars().encode()))
    return out


def prefixes(placeholder):
    n = len(placeholder)
    yield "/p"
    yield "/somewhere/else"
    yield "/with a space/x"
    yield "/\u00e4\u20ac\U0001f40d/q"
    yield "/q" * 12 + "x" * (n - 24)
    # No zero bytes in any encoding: in one they would end the string of another.
    yield "/" + "\u4e8c" * ((n - 1) // 3)


def first_difference(have, want):
    at = next((i for i, (a, b) in enumerate(zip(have, want)) if a != b), min(len(have), len(want)))
    return "%d bytes, %d expected, differ at %d: %r, expected %r" % (
        len(have), len(want), at, have[max(0, at - 20):at + 40], want[max(0, at - 20):at + 40])


def read(*parts):
    with open(os.path.join(*parts), "rb") as f:
        return f.read()


def compare(folder, files, placeholder, prefix, make):
    """files: name -> bytes; a name that ends in .bin is a binary."""
    for name, data in sorted(files.items()):
        want = make(data, placeholder, prefix, name.endswith(".bin"))
        have = read(folder, name)
        if want is not None and have != want:
            return "%s: %s" % (name, first_difference(have, want))
    return None


# --- installed -------------------------------------------------------------------------------

channel = Channel(os.path.join(work, "channel"))
sets = []
for number, placeholder in enumerate(PLACEHOLDERS):
    files = {}
    for i in range(n_files):
        files["share/%d/%d.bin" % (number, i)] = binary(placeholder)
        files["share/%d/%d.text" % (number, i)] = text(placeholder)
    listing = [{"_path": n, "path_type": "hardlink", "prefix_placeholder": placeholder,
                "file_mode": "binary" if n.endswith(".bin") else "text"} for n in files]
    which = channel.conda("random%d" % number, [member(n, d) for n, d in files.items()], listing=listing)
    sets.append((placeholder, files, which))

driver = Driver(install_one, os.path.join(work, "cache"))
for placeholder, files, which in sets:
    fn, record = channel.records[which]
    driver.record(channel.folder, "noarch", fn, record)
answer = driver.ask("fill")[0]
report("random packages are taken", None if answer == "ok" else answer)
for number, (placeholder, files, which) in enumerate(sets):
    problem = None
    for prefix in prefixes(placeholder):
        folder = os.path.join(work, "prefix")
        shutil.rmtree(folder, ignore_errors=True)
        answer = driver.ask("install", folder, prefix, "link", number)[0]
        problem = "%s: %s" % (prefix, answer) if answer != "ok" else None
        problem = problem or compare(folder, files, placeholder, prefix, conda_prefix.update)
        if problem:
            break
    report("installed as conda does it, placeholder of %d (seed %d)" % (len(placeholder), seed), problem)
    # One more character than there is room for; as many bytes fit as characters in UTF-16.
    answer = driver.ask("install", folder + "2", "/" + "x" * len(placeholder), "link", number)[0]
    start, words = "error 1", ("room for %d" % len(placeholder), "random%d" % number, ".bin")
    missing = [w for w in words if w not in answer]
    report("no room, placeholder of %d" % len(placeholder),
           None if answer.startswith(start) and not missing and not os.listdir(folder + "2") else answer)
    shutil.rmtree(folder + "2", ignore_errors=True)
driver.close()

# --- relocated -------------------------------------------------------------------------------


def relocated(data, placeholder, prefix, is_binary):
    """As conda; but where a first line is made shorter, env gets -S where it needs it."""
    if not is_binary and b"#" in data[:4] and (" " in prefix or len(prefix.encode()) > 60):
        return None
    return conda_prefix.update(data, placeholder, prefix, is_binary)


def run(*argv):
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, errors="replace")
    return None if p.returncode == 0 else "exit %d: %s" % (p.returncode, p.stderr.strip()[-300:])


def tree(folder):
    out = {}
    for top, _, names in os.walk(folder):
        for name in names:
            path = os.path.relpath(os.path.join(top, name), folder)
            if path != "conda-meta/envbuild/prefix":
                out[path] = read(top, name)
    return out


def relocate(placeholder, wild):
    base = os.path.join(work, "tree")
    shutil.rmtree(base, ignore_errors=True)
    files = {}
    for i in range(n_files):
        files["share/%d.bin" % i] = binary(placeholder, not wild)
        files["share/%d.text" % i] = text(placeholder)
    for name, data in files.items():
        path = os.path.join(base, "pkg", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(data)
    os.makedirs(os.path.join(base, "+", "conda-meta"))
    with open(os.path.join(base, "+", "conda-meta", "history"), "w"):
        pass
    archive = os.path.join(work, "a.tar")
    problem = run(pack_tree, base, placeholder, "/build" * 12, archive)
    row = list(prefixes(placeholder)) + [placeholder]
    rng.shuffle(row)
    at = os.path.join(work, "at")
    shutil.rmtree(at, ignore_errors=True)
    problem = problem or run(pack_tree, "--unpack", archive, at, row[0])
    for prefix in row + row[:2]:
        fresh = os.path.join(work, "fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        problem = problem or run(os.path.join(at, "bin/conda-unpack"), "--prefix", prefix)
        problem = problem or run(os.path.join(at, "bin/conda-unpack"), "--prefix", prefix, "--check")
        problem = problem or run(pack_tree, "--unpack", archive, fresh, prefix)
        if not problem and not wild:
            problem = compare(at, files, placeholder, prefix, relocated)
        if not problem:
            one, other = tree(at), tree(fresh)
            odd = [p for p in sorted(set(one) | set(other)) if one.get(p) != other.get(p)]
            problem = "not as unpacked afresh: %s" % odd[:5] if odd else None
        if problem:
            return "%s: %s" % (prefix, problem)
    too_long = "/" + "\u00e4" * len(placeholder)
    answer = run(os.path.join(at, "bin/conda-unpack"), "--prefix", too_long) or ""
    return None if "has room for %d" % len(placeholder) in answer else "no room was no error: %r" % answer


for placeholder in PLACEHOLDERS:
    report("relocated as conda does it, there and back, placeholder of %d" % len(placeholder),
           relocate(placeholder, False))
report("strings that run into each other, there and back", relocate(PLACEHOLDERS[0], True))
