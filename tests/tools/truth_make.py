"""Makes the fixtures of check_truth.py once, and copies of them for a place."""

import collections
import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

import truth_case
import truth_features
import truth_limits
import truth_paths

# A file of an environment that is run or opened: see truth_case.Case
Subject = collections.namedtuple("Subject", "case how path by_symbols warned aside")


def key(zig):
    """What the fixtures depend on."""
    sums = hashlib.sha256()
    for path in (__file__, truth_case.__file__, truth_features.__file__, truth_limits.__file__, truth_paths.__file__):
        with open(path, "rb") as f:
            sums.update(f.read())
    for words in (["gcc", "--version"], ["ld", "--version"]) + (([zig, "version"],) if zig else ()):
        sums.update(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return sums.hexdigest()[:20]


def make_features(folder, zig, pool):
    made = truth_features.sources(zig) + [truth_features.loader(zig)]
    env = dict(os.environ, ZIG_GLOBAL_CACHE_DIR=folder + "/zig", ZIG_LOCAL_CACHE_DIR=folder + "/zig")
    jobs = [truth_features.job(folder, one) for one in made]

    def run(words):
        p = subprocess.run(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return p.returncode and "%s: %s" % (" ".join(words), p.stdout.decode())

    wrong = [w for w in pool.map(run, jobs) if w]
    if wrong:
        sys.exit("\n".join(wrong))
    subjects = [Subject(path.split("/")[0], "open" if path.startswith("modules") else "run", path.split("/", 1)[1],
                        False, False, []) for path, _, _, _ in made[:-1]]
    for case in ("programs", "modules"):
        os.makedirs(os.path.join(folder, "cases", case, "conda-meta"))
        with open(os.path.join(folder, "cases", case, "conda-meta/history"), "w", encoding="utf-8"):
            pass
        for name in os.listdir(os.path.join(folder, case)):
            os.rename(os.path.join(folder, case, name), os.path.join(folder, "cases", case, name))
    return subjects


def make_layouts(folder, pool):
    def run(name):
        c = truth_case.Case(os.path.join(folder, "cases", name), folder + "/stubs")
        truth_case.CASES[name](c)
        shutil.rmtree(c.folder + "/src", ignore_errors=True)
        return [Subject(name, how, path, c.by_symbols, c.warned, c.aside) for how, path in c.subjects]

    return [s for found in pool.map(run, truth_case.CASES) for s in found]


def make(fixtures, zig):
    """The folder of the fixtures, and what is in it."""
    folder = os.path.join(fixtures, key(zig))
    if not os.path.isdir(folder):
        os.makedirs(fixtures, exist_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that nothing half made is left
        work = tempfile.mkdtemp(prefix=".truth.", dir=fixtures)
        try:
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                subjects = make_features(work, zig, pool) + make_layouts(work, pool)
            for case in {s.case for s in subjects if s.how == "open"}:
                python = os.path.join(work, "cases", case, truth_case.PYTHON)
                os.makedirs(os.path.dirname(python), exist_ok=True)
                shutil.copy(work + "/loader", python)
            with open(work + "/subjects.json", "w", encoding="utf-8") as f:
                json.dump(subjects, f)
            for name in ("zig", "src", "stubs", "programs", "modules"):
                shutil.rmtree(os.path.join(work, name), ignore_errors=True)
            try:
                os.rename(work, folder)
            except OSError:
                if not os.path.isdir(folder):  # another run may have been faster
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
    with open(folder + "/subjects.json", encoding="utf-8") as f:
        return folder, [Subject(*s) for s in json.load(f)]


def place(folder, work):
    """A copy whose absolute paths are those of the place."""
    shutil.copytree(folder, work, symlinks=True)
    for base, _, names in os.walk(work + "/cases"):
        for path in (os.path.join(base, name) for name in names):
            if not os.path.islink(path):
                replace(path, os.path.join(work, "cases", os.path.relpath(path, work + "/cases").split("/")[0]))


def replace(path, prefix):
    old, new = truth_case.PLACEHOLDER.encode(), prefix.encode()
    with open(path, "rb") as f:
        data = f.read()
    if old in data:
        if data.startswith(b"#!"):
            data = data.replace(old, new)
        else:
            data = re.sub(re.escape(old) + rb"([^\0]*)\0",
                          lambda m: (new + m.group(1)).ljust(len(m.group()), b"\0"), data)
        with open(path, "r+b") as f:
            f.truncate()
            f.write(data)
