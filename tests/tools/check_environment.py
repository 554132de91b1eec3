#!/usr/bin/env python3
"""Does an installed environment work?

    check_environment.py programs PREFIX [NAME=NEED...]   every program of bin/ starts
    check_environment.py stale PREFIX [PROVENANCE...]     compileall finds no bytecode to be made again

programs: each executable file is run with --version, with the environment's bin/ on PATH, no input
and 20 seconds.  It has started unless it cannot be executed, its interpreter or a library or a
module is not found, or it dies of a signal; what it says to --version and its exit status are its
own affair, and one that waits has started too.  NAME=NEED: this one needs a program or a module that no
package of the environment brings; it must be so.

stale: `python -m compileall` may make bytecode for files that do not compile, for files of nobody
and for packages that a line "FILE ... rebuilt:..." of a PROVENANCE file names, whose bytecode was
lost.  It changes the prefix.

Prints what is wrong and a last line of figures; exit status 1 where anything is.
"""

import concurrent.futures
import glob
import json
import os
import re
import stat
import subprocess
import sys
import tempfile

LOADERS = re.compile(
    rb"error while loading shared libraries|symbol lookup error|version `[A-Z_]+[^']*' not found|bad interpreter"
    rb"|cannot execute|ImportError|ModuleNotFoundError|pkg_resources\.(DistributionNotFound|VersionConflict)"
    rb"|[Nn]o such file or directory: '[^']*python|command not found"
)


def environment(prefix, home):
    return {"PATH": prefix + "/bin:/usr/bin:/bin", "HOME": home, "TMPDIR": home, "LANG": "C.UTF-8", "TERM": "dumb",
            "CONDA_PREFIX": prefix, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONNOUSERSITE": "1"}


def start(prefix, name):
    """What is wrong with it, or None."""
    with tempfile.TemporaryDirectory() as home:
        try:
            p = subprocess.run([os.path.join(prefix, "bin", name), "--version"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, cwd=home,
                               env=environment(prefix, home), start_new_session=True)
        except subprocess.TimeoutExpired:
            return None
        except OSError as e:
            return "cannot be executed: %s" % e
    found = LOADERS.search(p.stdout)
    if found:
        return "%r in %r" % (found.group().decode(), p.stdout[-300:])
    if p.returncode < 0 or p.returncode in (126, 127):
        return "status %d: %r" % (p.returncode, p.stdout[-300:])
    return None


def is_missing(prefix, need):
    """Neither a program nor a module of that name, nor a file."""
    return not glob.glob(os.path.join(prefix, "bin", need)) and not os.path.exists(need) and \
        not glob.glob(os.path.join(prefix, "lib/python*/site-packages", need + "*"))


def programs(prefix, needs):
    folder = os.path.join(prefix, "bin")
    names = [n for n in sorted(os.listdir(folder)) if os.path.isfile(os.path.join(folder, n))
             and os.stat(os.path.join(folder, n)).st_mode & stat.S_IXUSR]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = dict(zip(names, pool.map(lambda n: start(prefix, n), names)))
    wrong = {n: a for n, a in answers.items() if a and not is_missing(prefix, needs.get(n, "python"))}
    wrong.update((n, "it starts, or its need is met") for n, need in needs.items()
                 if not answers.get(n) or not is_missing(prefix, need))
    for name, answer in sorted(wrong.items()):
        print("%s: %s" % (name, answer))
    print("%d programs start, %d need what is not there, %d do not start" % (
        len(names) - len(wrong) - len(needs), len(needs), len(wrong)))
    return 1 if wrong or not names else 0


def owners(prefix):
    out = {}
    for path in glob.glob(os.path.join(prefix, "conda-meta", "*.json")):
        with open(path, encoding="utf-8") as f:
            record = json.load(f)
        out.update((name, record["fn"]) for name in record["files"])
    return out


def rebuilt(provenance):
    names = set()
    for path in provenance:
        with open(path, encoding="utf-8") as f:
            names.update(line.split("\t")[0] for line in f if "\trebuilt:" in line)
    return names


def stale(prefix, provenance):
    lost, owner = rebuilt(provenance), owners(prefix)
    folder = next(iter(glob.glob(os.path.join(prefix, "lib", "python?.*"))))
    env = dict(environment(prefix, "/nowhere"), PYTHONHASHSEED="0")
    del env["PYTHONDONTWRITEBYTECODE"]
    text = subprocess.run([os.path.join(prefix, "bin", "python"), "-m", "compileall", folder], env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout.decode("utf-8", "replace")
    # What does not compile is told right behind its name.
    parts = re.split(r"^Compiling '(.*)'\.\.\.$", text, flags=re.M)
    counts, wrong = {"do not compile": 0, "of rebuilt packages": 0, "of nobody": 0}, []
    for path, said in zip(parts[1::2], parts[2::2]):
        rel = os.path.relpath(path, prefix)
        if "***" in said or "Error" in said:
            counts["do not compile"] += 1
        elif owner.get(rel) in lost:
            counts["of rebuilt packages"] += 1
        elif rel not in owner:
            counts["of nobody"] += 1
        else:
            wrong.append("%s of %s" % (rel, owner[rel]))
    print("\n".join(wrong))
    fresh = len(re.findall(r"^Listing ", text, flags=re.M))
    print("%d folders looked through, %d files stale; made anew: %s" % (
        fresh, len(wrong), ", ".join("%d %s" % (n, what) for what, n in counts.items())))
    return 1 if wrong or not fresh or counts["of nobody"] else 0


def main():
    what, prefix = sys.argv[1], os.path.abspath(sys.argv[2])
    if what == "stale":
        return stale(prefix, sys.argv[3:])
    return programs(prefix, dict(need.split("=", 1) for need in sys.argv[3:]))


if __name__ == "__main__":
    sys.exit(main())
