#!/usr/bin/env python3
"""Does the audit of an environment say what happens where it runs?

    check_env_truth.py PREFIX WORK NAME ROOT

In the root, in the sandbox, every program of bin/ is started, every extension module is imported, each
in a process of its own, and every other library is opened.  Then `envbuild audit` is asked about the
environment.  A file has to be called broken where the loader refuses it, and no file that was part of
something that loads.  Scripts count by their interpreter.  Prints `ok NAME`, `fail NAME: DETAIL` and
the figures.
"""

import collections
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import check_truth

MODULES = r"""
import importlib.machinery, importlib.util, os, re, sys
LOADER = re.compile("cannot open shared object file|version `[^']*' not found|undefined symbol|static TLS|invalid ELF"
                    "|file too short|executable stack|wrong ELF class|not defined in file|CPU ISA level")
prefix, listed = sys.argv[1:3]
def mapped():
    with open("/proc/self/maps") as f:
        return {line.split(None, 5)[5].rstrip("\n") for line in f if line.count(" ") > 5 and prefix in line}
def load(path):
    name = os.path.basename(path).split(".")[0]
    if "/site-packages/" in path or "/lib-dynload/" in path:
        # as import does it: opened, initialized; what its code makes of it is its own affair
        loader = importlib.machinery.ExtensionFileLoader(name, path)
        module = importlib.util.module_from_spec(importlib.util.spec_from_file_location(name, path, loader=loader))
        loader.exec_module(module)
        return "imported"
    import ctypes
    ctypes.CDLL(path, os.RTLD_NOW)
    return "opened"
with open(listed) as f:
    paths = f.read().split("\n")[:-1]
before = mapped()
for path in paths:
    sys.stdout.flush()
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            print("=== %s\tfailed\tstatus %d" % (path, status))
        continue
    full = os.path.join(prefix, path)
    try:
        how = load(full)
    except BaseException as e:
        text = " ".join(str(e).split())
        how = "failed" if isinstance(e, (ImportError, OSError)) and LOADER.search(text) else "other"
        if how == "other" and full not in mapped():
            how = "failed"
    print("=== %s\t%s\t%s" % (path, how, text if how in ("failed", "other") else " ".join(sorted(mapped() - before))))
    sys.stdout.flush()
    os._exit(0)
"""

PROGRAMS = r"""
export LD_LIBRARY_PATH=
unset LD_LIBRARY_PATH
while read -r kind file; do
  echo "=== $file"
  if [ "$kind" = elf ]; then
    timeout 5 "$1/$file" --version </dev/null
    echo "=== $?"
    LD_TRACE_LOADED_OBJECTS=1 "$1/$file" </dev/null
  elif [ "$kind" = traced ]; then
    LD_TRACE_LOADED_OBJECTS=1 "$1/$file" </dev/null
    echo "=== $?"
  else
    timeout 5 "$1/$file" --version </dev/null
    echo "=== $?"
  fi
  echo "==="
done 2>&1 <"$2"
"""

REFUSED = re.compile(r"error while loading shared libraries|symbol lookup error|version `[^']*' not found|relocation error"
                     r"|not found \(required by|can't execute '%s'|%s: (?:cannot execute|bad interpreter|No such file)")
# What glibc 2.17 and what newer ones say.
OF_SYMBOLS = re.compile("undefined symbol|with link time reference")


def head(path):
    with open(path, "rb") as f:
        return f.read(4096)


def collect(prefix):
    """(kind, path) of programs; paths of modules and libraries."""
    programs, modules = [], []
    for name in sorted(os.listdir(os.path.join(prefix, "bin"))):
        path = os.path.join(prefix, "bin", name)
        if not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        data = head(path)
        if data[:4] == b"\x7fELF":
            programs.append(("elf", "bin/" + name))
        elif data[:2] == b"#!":
            # an interpreter of the environment is a dynamic program, which can be traced
            programs.append(("traced" if data[2:].lstrip().startswith(prefix.encode()) else "script", "bin/" + name))
    for base, _, names in os.walk(os.path.join(prefix, "lib")):
        for path in (os.path.join(base, name) for name in sorted(names)):
            if ".so" in os.path.basename(path) and not os.path.islink(path) and head(path)[:4] == b"\x7fELF":
                modules.append(os.path.relpath(path, prefix))
    return programs, modules


def inside(target, root, prefix, work, words):
    p = subprocess.run([check_truth.TOOLS + "/sandbox", "--target", target, "--root", root, "--timeout", "120",
                        "--ro", "%s:%s" % (prefix, prefix), "--ro", "%s:%s" % (work, work), "--env", "PATH=/bin:/usr/bin",
                        "--env", "PYTHONDONTWRITEBYTECODE=1", "--env", "HOME=/tmp", "--env", "LC_ALL=C", "--"] + words, stdout=subprocess.PIPE)
    return p.stdout.decode(errors="replace")


def written(work, name, lines):
    path = os.path.join(work, name)
    with open(path, "w", encoding="utf-8") as f:
        f.writelines(line + "\n" for line in lines)
    return path


class Answer:
    """What became of a file: did it load, what else was loaded, what was said."""

    def __init__(self, loads, closure, said):
        self.loads, self.closure, self.said = loads, closure, said


def start(prefix, target, root, work, programs):
    text = inside(target, root, prefix, work,
                  ["/bin/bash", "-c", PROGRAMS, "programs", prefix, written(work, "programs", ["%s %s" % p for p in programs])])
    out = {}
    for file, said, status, traced in re.findall(r"^=== (\S+)\n(.*?)^=== (\d+)\n(.*?)^===$", text, re.M | re.S):
        closure = {os.path.relpath(os.path.realpath(path), prefix)
                   for path in re.findall(re.escape(prefix) + r"[^\s:()]+", said + traced)}
        full = os.path.join(prefix, file)
        # what a script asks for besides its interpreter is its own affair
        refused = re.search(REFUSED.pattern % (re.escape(full), re.escape(full)), said) or "not found" in traced
        out[file] = Answer(not refused, closure | {os.path.relpath(os.path.realpath(full), prefix)}, said)
    return out


def load(prefix, target, root, work, modules):
    python = os.path.join(prefix, "bin/python")
    text = inside(target, root, prefix, work, [python, "-E", "-s", "-c", MODULES, prefix, written(work, "modules", modules)])
    out, how_many = {}, collections.Counter()
    for file, how, said in re.findall(r"^=== ([^\t\n]+)\t(\w+)\t(.*)$", text, re.M):
        closure = {os.path.relpath(os.path.realpath(p), prefix) for p in said.split() if p.startswith(prefix)} if how in (
            "imported", "opened") else set()
        how_many[how] += 1
        out[file] = Answer(how != "failed", closure | {file}, said)
    print("modules: %s" % dict(how_many))
    return out


def explains(finding, file, answer):
    """Is it about this file, about one that the loader names, or about the library that it misses?"""
    path, _, needs, _ = finding
    return path == file or path in answer.closure or (path and path in answer.said) or (needs and needs in answer.said)


def is_for_python(file):
    return "/site-packages/" in file or "/lib-dynload/" in file


def compare(name, answers, findings, others):
    # A module of a program that is not there: what that has is not known, so that a warning does.
    def said_of(file, answer):
        return findings + (others if file.startswith("lib/") and not is_for_python(file) else [])

    false_alarms = ["%s loads, but %s" % (file, f) for file, a in sorted(answers.items()) if a.loads
                    for f in findings if f[0] == file or f[0] in a.closure]
    misses = ["%s: %s; but nothing is said" % (file, a.said.strip()[-300:]) for file, a in sorted(answers.items())
              if not a.loads and not any(explains(f, file, a) for f in said_of(file, a))]
    check_truth.result(name + ": no false alarm", false_alarms)
    check_truth.result(name + ": nothing missed", misses)


def main():
    prefix, work, name, root = sys.argv[1:]
    prefix = os.path.realpath(prefix)
    os.makedirs(work, exist_ok=True)
    target = check_truth.profile(work, name, root)
    programs, modules = collect(prefix)
    started = start(prefix, target, root, work, programs)
    loaded = load(prefix, target, root, work, modules)
    check_truth.result("each was tried", [p for _, p in programs if p not in started] + [m for m in modules if m not in loaded])
    for symbols in (False, True):
        errors, others = check_truth.audit(prefix, target, root, symbols)
        for what, answers in (("programs", started), ("modules", loaded)):
            # without --symbols nothing is said of symbols
            some = {f: a for f, a in answers.items() if symbols or not OF_SYMBOLS.search(a.said)}
            compare(what + " --symbols" * symbols, some, errors, others)
    counts = {(what, loads): sum(a.loads == loads for a in answers.values())
              for what, answers in (("programs", started), ("modules", loaded)) for loads in (True, False)}
    for what in ("programs", "modules"):
        print("%s: %d load, %d do not: %s" % (what, counts[what, True], counts[what, False], "; ".join(
            "%s: %s" % (f, a.said.strip()[-150:].replace("\n", " ")) for f, a in sorted((started if what == "programs" else loaded).items())
            if not a.loads)))
    check_truth.result("there is some of each kind", [str(what) for what, n in counts.items() if n == 0])


if __name__ == "__main__":
    main()
