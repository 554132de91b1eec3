#!/usr/bin/env python3
"""Does the audit say what the loader of a root says?

    check_truth.py FIXTURES WORK ZIG|- NAME=ROOT...

The fixtures of truth_features.py, truth_paths.py and truth_limits.py are made in FIXTURES, where that was not done
before, and copied to WORK.  In each root every program is run and every module is opened, in the
sandbox; then `envbuild audit` is asked about the same files.  Every pair of a file and a root has to
agree: something that is an error stands in its way, or it loads.  Prints `ok NAME` and
`fail NAME: DETAIL`, and the figures.
"""

import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import truth_make

ENVBUILD, TOOLS = os.environ["ENVBUILD"], os.environ["ENVBUILD_TOOLS"]
LEVELS = (("4", {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}), ("3", {"avx2", "bmi1", "bmi2", "fma", "f16c", "movbe"}),
          ("2", {"ssse3", "sse4_1", "sse4_2", "popcnt", "cx16"}))


# --- the loader ------------------------------------------------------------------------------

RUN = r"""
while read -r how file; do
  echo "=== $file"
  if [ "$how" = run ]; then
    "$1/cases/$file" </dev/null
  else
    "$1/cases/${file%%/*}/bin/python3.9" "$1/cases/$file"
  fi
  echo "=== $?"
done 2>&1 <"$1/list"
"""


def level():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        flags = set(re.search(r"^flags\s*: (.*)$", f.read(), re.M).group(1).split())
    return next(("_v" + name for name, needs in LEVELS if needs <= flags), "")


def glibc_of(root):
    for libc in ("lib/x86_64-linux-gnu/libc.so.6", "lib64/libc.so.6", "usr/lib/x86_64-linux-gnu/libc.so.6"):
        path = os.path.join(root, libc)
        if os.path.exists(path):
            with open(path, "rb") as f:
                return re.search(rb"stable release version ([0-9]+\.[0-9]+)", f.read()).group(1).decode()
    sys.exit("no libc.so.6 in " + root)


def profile(work, name, root):
    """A target that is this machine with the C library of a root."""
    path = os.path.join(work, name + ".yml")
    with open(path, "w", encoding="utf-8") as f:
        f.write("name: %s\nsubdir: linux-64\nvirtual-packages: [__glibc=%s, __linux=%s, __unix=0=0, __archspec=1=x86_64%s]\n"
                # what is not known of a host stops no release by itself; here the root is the host
                "audit:\n  levels: {interpreter-not-found: error}\n" % (
            name, glibc_of(root), re.match(r"[0-9.]*[0-9]", os.uname().release).group(), level()))
    return path


def truth(work, target, root, subjects):
    """What running says: (case, path) -> (loads, what was said)."""
    with open(work + "/list", "w", encoding="utf-8") as f:
        f.writelines("%s %s/%s\n" % (s.how, s.case, s.path) for s in subjects)
    p = subprocess.run([TOOLS + "/sandbox", "--target", target, "--root", root, "--ro", "%s:%s" % (work, work), "--",
                        "/bin/bash", "-c", RUN, "truth", work], stdout=subprocess.PIPE)
    text = p.stdout.decode(errors="replace")
    out = {}
    for s, (file, said, status) in zip(subjects, re.findall(r"^=== (\S+)\n(.*?)^=== (\d+)$", text, re.M | re.S)):
        assert file == "%s/%s" % (s.case, s.path)
        out[s.case, s.path] = (status == "0" and said.endswith("ok\n"), said.strip())
    if len(out) != len(subjects):
        sys.exit("the sandbox ran %d of %d: %s" % (len(out), len(subjects), text[-2000:]))
    return out


# --- the audit -------------------------------------------------------------------------------


def audit(prefix, target, root, symbols):
    """(errors, other findings) of an environment; each (path, rule, needs, text)."""
    p = subprocess.run([ENVBUILD, "audit", prefix, "-t", target, "--image", root, "--json", "-q"]
                       + (["--symbols"] if symbols else []), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    errors, others = [], []
    if p.returncode not in (0, 7):
        return [(None, "failed", "", "exit status %d: %s" % (p.returncode, p.stderr.decode()))], []
    for f in json.loads(p.stdout)["findings"]:
        (errors if f["level"] == "error" else others).append(
            (f.get("path"), f["rule"], f.get("needs"), f.get("text")))
    if (p.returncode == 7) != bool(errors):
        errors.append((None, "failed", "", "exit status %d with %d errors" % (p.returncode, len(errors))))
    return errors, others


def concerning(s, findings):
    """Two environments hold many programs that have nothing to do with each other."""
    return [f for f in findings if (s.case not in ("programs", "modules") or f[0] in (None, s.path)) and f[0] not in s.aside]


class Tally:
    def __init__(self):
        self.n = collections.Counter()
        self.false_alarms, self.misses = [], []

    def add(self, root, s, loads, said, errors, others, symbols):
        errors, others = concerning(s, errors), concerning(s, others)
        self.n["pairs"] += 1
        self.n["load" if loads else "do not load"] += 1
        where = "%s %s/%s%s" % (root, s.case, s.path, " --symbols" if symbols else "")
        if loads and errors:
            self.false_alarms.append("%s loads, but %s" % (where, errors))
        elif not loads and not errors and not (s.warned and others):
            self.misses.append("%s: %s; but the audit says %s" % (where, said[-300:], others or "nothing"))


def compare(work, name, root, subjects, pool, tally):
    target = profile(work, name, root)
    said = truth(work, target, root, subjects)
    for s in subjects:
        tally.n[s.how, said[s.case, s.path][0]] += 1
    cases = collections.OrderedDict()
    for s in subjects:
        cases.setdefault(s.case, []).append(s)
    jobs = [(case, symbols) for case in cases for symbols in (False, True)]
    for (case, symbols), (errors, others) in zip(jobs, pool.map(
            lambda job: audit(os.path.join(work, "cases", job[0]), target, root, job[1]), jobs)):
        for s in cases[case]:
            if symbols or not s.by_symbols:
                tally.add(name, s, *said[s.case, s.path], errors, others, symbols)


def result(name, wrong):
    print("fail %s: %d: %s" % (name, len(wrong), wrong[0].replace("\n", " ")) if wrong else "ok " + name)
    for line in wrong[1:]:
        print("  " + line.replace("\n", " "))


def main():
    fixtures, work, zig = sys.argv[1:4]
    folder, subjects = truth_make.make(fixtures, None if zig == "-" else zig)
    truth_make.place(folder, work)
    roots = [root.split("=", 1) for root in sys.argv[4:]]
    total = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, root in roots:
            tally = Tally()
            compare(work, name, root, subjects, pool, tally)
            result("%s: no false alarm" % name, tally.false_alarms)
            result("%s: nothing missed" % name, tally.misses)
            print("%s: %s" % (name, dict(tally.n)))
            total += tally.n
    print("%d files, %d roots, %d pairs: %d load, %d do not; programs %d and %d, modules %d and %d" % (
        len(subjects), len(roots), total["pairs"], total["load"], total["do not load"], total["run", True],
        total["run", False], total["open", True], total["open", False]))
    empty = [str(what) for what in ("pairs", "load", "do not load", ("run", True), ("run", False), ("open", True), ("open", False))
             if not total[what]]
    result("there is some of each kind", empty)


if __name__ == "__main__":
    main()
