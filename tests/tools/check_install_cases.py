#!/usr/bin/env python3
"""What installing must do with odd packages, link scripts, damage and kills.

    check_install_cases.py INSTALL_ONE WORK [engine]

Prints "ok NAME" or "fail NAME: DETAIL".  With `engine`, link scripts are run too.
"""

import json
import os
import random
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_package  # noqa: E402
from check_channel_install import Driver  # noqa: E402
from make_package import SYM, Channel, member  # noqa: E402

program, work = sys.argv[1:3]
with_engine = "engine" in sys.argv[3:]
channel = Channel(os.path.join(work, "channel"))
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"


class Case:
    """One run of the driver over some packages of the channel."""

    def __init__(self, numbers, cache="cache"):
        self.driver = Driver(program, os.path.join(work, cache))
        self.n = len(numbers)
        for number in numbers:
            fn, record = channel.records[number]
            self.driver.record(channel.folder, "noarch", fn, record)

    def fill(self):
        return self.driver.ask("fill")[0]

    def install(self, prefix, flags="", inside="-"):
        numbers = ",".join(map(str, range(self.n)))
        return self.driver.ask("install", prefix, inside, flags, numbers)

    def close(self):
        return self.driver.close()


def report(name, problem):
    print("fail %s: %s" % (name, problem) if problem else "ok " + name)
    sys.stdout.flush()


def expect(name, answer, start, *words):
    missing = [w for w in words if w not in answer]
    report(name, None if answer.startswith(start) and not missing else "%r lacks %r" % (answer, [start] + missing))


def fresh(name):
    path = os.path.join(work, name)
    shutil.rmtree(path, ignore_errors=True)
    return path


def packages(numbers):
    return [check_package.Package(os.path.join(channel.folder, "noarch", channel.records[n][0])) for n in numbers]


def read(*parts):
    with open(os.path.join(*parts)) as f:
        return f.read()


one = channel.tarball("one", [member("share/one", b"1"), member("etc/both", b"x")])
two = channel.conda("two", [member("share/two", b"2"), member("etc/both", b"x")])
three = channel.conda("three", [member("share/three", b"3"), member("bin/su", b"#!", mode=0o4755),
                                member("lib/x", kind=SYM, link="gone"), member("w", b"w", mode=0o666)])
below = channel.conda("below", [member("share/one/x", b"below")])

c = Case([one, two])
c.fill()
expect("two packages with one path", c.install(fresh("p"))[0], "error 5", "one-1.0-0.tar.bz2", "two-1.0-0.conda", "etc/both")
report("nothing is left of a failed install", "the folder is there" if os.path.exists(os.path.join(work, "p")) else None)
c.close()
c = Case([one, below])
c.fill()
expect("a path below a file of another package", c.install(fresh("p"))[0], "error 5", "one-1.0-0", "below-1.0-0", "share/one")
c.close()

c = Case([one, three])
c.fill()
expect("folders may be shared", c.install(fresh("p"))[0], "ok")
report("files, modes, links and records", check_package.check(packages([one, three]), os.path.join(work, "p")) or None)
expect("the same environment again", c.install(os.path.join(work, "p"))[0], "ok")
report("is left as it is", check_package.check(packages([one, three]), os.path.join(work, "p")) or None)
os.makedirs(fresh("p") + "/old/x")
expect("a folder that is not empty", c.install(os.path.join(work, "p"))[0], "error 2", "not empty")
os.makedirs(fresh("p") + "/old/x")
open(os.path.join(work, "p", ".envbuild-unfinished"), "w").close()
expect("a folder that a killed run left", c.install(os.path.join(work, "p"))[0], "ok")
report("is made anew", check_package.check(packages([one, three]), os.path.join(work, "p")) or None)
c.close()

# What the package cache does when it is damaged, or knows an md5 only.
c = Case([one])
c.fill()
entry = os.path.join(work, "cache", "pkgs", channel.records[one][1]["sha256"][:2], channel.records[one][1]["sha256"])
with open(os.path.join(entry, "facts"), "r+b") as f:
    f.truncate(60)
expect("damaged facts are made anew", c.fill(), "ok")
expect("and used", c.install(fresh("p"))[0], "ok")
shutil.rmtree(os.path.join(entry, "files"))
os.remove(os.path.join(entry, "facts"))
expect("so is an entry without facts", c.fill(), "ok")
expect("and used again", c.install(fresh("p"))[0], "ok")
c.close()
old = channel.tarball("old", [member("share/old", b"old")], record={"sha256": "-"})
c = Case([old])
expect("a package with an md5 only", c.fill(), "ok")
os.rename(os.path.join(channel.folder, "noarch", channel.records[old][0]), os.path.join(work, "away"))
expect("is found by it", c.fill(), "ok")
expect("and installed", c.install(fresh("p"))[0], "ok")
c.close()
os.rename(os.path.join(work, "away"), os.path.join(channel.folder, "noarch", channel.records[old][0]))

link = {"noarch": {"type": "python", "entry_points": ["tool = mod:main"]}}
pure = channel.conda("pure", [member("site-packages/mod.py", b"def main(): pass\n")], link=link)
c = Case([pure])
c.fill()
expect("a package for any Python without one", c.install(fresh("p"))[0], "error 2", "pure-1.0-0", "Python")
c.close()

text = ("#!%s/bin/sh\n%s\n" % (PLACEHOLDER, PLACEHOLDER)).encode()
blob = ("\1%s/lib\0tail" % PLACEHOLDER).encode()
left = b"x /home/me/_h_env_placehold_placehold/lib y"
marked = channel.conda(
    "marked", [member("bin/t", text, mode=0o755), member("lib/b", blob), member("lib/left", left)],
    listing=[{"_path": "bin/t", "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text"},
             {"_path": "lib/b", "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "binary"},
             {"_path": "lib/left", "path_type": "hardlink"}])
c = Case([marked])
c.fill()
expect("a prefix too long for a binary file", c.install(fresh("p"), inside="/" + "x" * 40)[0], "error 1", "lib/b", "room for 32")
answer, lines = c.install(fresh("p"), "content,pack", "/opt/short")
entries = {line.split("\t")[1]: line.split("\t")[2:] for line in lines if line.startswith("entry\t")}
report("content: placeholders and what was left behind", None if answer == "ok"
       and entries["bin/t"][4:6] == ["text", "2"] and entries["lib/b"][4:6] == ["binary", "1"]
       and entries["lib/left"][7] == "/home/me/_h_env_placehold_placehold" else repr((answer, entries)))
report("content: the longest prefix", None if "limit\t32\tlib/b" in lines else repr(lines))
record = json.loads(read(work, "p", "conda-meta", "marked-1.0-0.json"))
report("no path of this machine in a packed record", None if work not in json.dumps(record) else repr(record))
c.close()

# Kills: at a random moment of a run that fills a cache and installs.
numbers = [channel.conda("many%d" % i, [member("share/%d/f%d" % (i, k), os.urandom(3000)) for k in range(60)])
           for i in range(5)]
numbers.append(channel.tarball("many9", [member("share/9/f%d" % k, os.urandom(2000)) for k in range(90)]))


def run_killable(limit):
    c = Case(numbers, "killed")
    c.driver.say("fill")
    c.driver.say("install", os.path.join(work, "k"), "-", "copy", ",".join(map(str, range(len(numbers)))))
    started = time.monotonic()
    c.driver.p.stdin.flush()
    if limit is None:
        answer = [c.driver.p.stdout.readline() for _ in range(2)]
        c.close()
        return time.monotonic() - started, answer
    time.sleep(limit)
    c.driver.p.send_signal(signal.SIGKILL)
    c.driver.p.wait()
    return None


shutil.rmtree(os.path.join(work, "killed"), ignore_errors=True)
took, answer = run_killable(None)
problem = None if answer == ["ok\n", "ok\n"] else repr(answer)
rounds, half = 20, 0
random.seed(1)
for i in range(rounds):
    if i % 2 == 0:
        shutil.rmtree(os.path.join(work, "killed"))
    shutil.rmtree(os.path.join(work, "k"), ignore_errors=True)
    run_killable(random.random() * took)
    half += os.path.exists(os.path.join(work, "k", ".envbuild-unfinished"))
    _, answer = run_killable(None)
    if answer[0] != "ok\n" or (answer[1] != "ok\n" and "not empty" not in answer[1]):
        problem = "round %d: %r" % (i, answer)
        break
    n = check_package.check(packages(numbers), os.path.join(work, "k"))
    if n:
        problem = "round %d: %d differences" % (i, n)
        break
report("%d kills at random moments (%d left a half-made prefix)" % (rounds, half), problem)

# Two at once over one empty cache.
shutil.rmtree(os.path.join(work, "killed"))
pair = [Case(numbers, "killed"), Case(numbers, "killed")]
for c in pair:
    c.driver.say("fill")
    c.driver.p.stdin.flush()
answers = [c.driver.p.stdout.readline() for c in pair]
expect("two fill one cache at once", "".join(answers), "ok\nok\n")
expect("and it works", pair[0].install(fresh("p"))[0], "ok")
report("and is right", check_package.check(packages(numbers), os.path.join(work, "p")) or None)
for c in pair:
    c.close()
report("and holds nothing else", None if len(os.listdir(os.path.join(work, "killed", "tmp"))) == 0 else "tmp is not empty")

if with_engine:
    post = b'''echo "post $PKG_NAME $PKG_VERSION $PKG_BUILDNUM" >"$PREFIX/share/post"
echo "$PREFIX" >"$PREFIX/share/where"
printf '%s\\0' "$PREFIX" >"$PREFIX/share/blob"
printf changed >>"$PREFIX/share/one"
mkdir -p "$PREFIX/empty" "$PREFIX/__pycache__"; : >"$PREFIX/__pycache__/x.pyc"
: >"$PREFIX/share/bare.pyc"; : >"$PREFIX/share/m.py"; : >"$PREFIX/share/m.pyc"
rm "$PREFIX/share/three"
case $PATH in "$PREFIX/bin:"*) ;; *) exit 3 ;; esac
echo "look here" >"$PREFIX/.messages.txt"
'''
    pre = b'''[ -f "$SOURCE_DIR/share/four" ] && [ -f "$PREFIX/share/one" ] && [ ! -e "$PREFIX/share/four" ] || exit 4
echo pre >"$PREFIX/share/pre"
'''
    four = channel.conda("four", [member("share/four", b"4"), member("bin/.four-post-link.sh", post),
                                  member("bin/.four-pre-link.sh", pre)])
    fails = channel.conda("fails", [member("bin/.fails-post-link.sh", b"echo it broke; exit 7\n")])
    prefix = fresh("p")
    c = Case([one, three, four])
    c.fill()
    answer, lines = c.install(prefix, "engine,content,pack", "BUILD_PREFIX")
    inside = "/opt/envbuild/prefix" + "_envbuild" * 8 + "_envbuil"
    entries = {line.split("\t")[1]: line.split("\t")[2:] for line in lines if line.startswith("entry\t")}
    expect("link scripts run", answer, "ok")
    if answer == "ok":
        report("with conda's variables", None if read(prefix, "share", "post") == "post four 1.0 0\n" else "differ")
        report("at the build prefix", None if read(prefix, "share", "where") == inside + "\n" and len(inside) == 100 else "no")
        report("pre-link before the files", None if os.path.exists(prefix + "/share/pre") else "did not run")
        report(".messages.txt is taken away", None if not os.path.exists(prefix + "/.messages.txt") else "it is there")
        want = {"share/post": ["generated", "-1", "text", "0"], "share/where": ["generated", "-1", "text", "1"],
                "share/blob": ["generated", "-1", "binary", "1"], "share/one": ["generated", "-1", "text", "0"],
                "share/four": ["package", "0", "text", "0"]}
        got = {k: entries.get(k, [""] * 6)[2:6] for k in want}
        report("content: what scripts made and changed", None if got == want else repr(got))
        absent = [p for p in ("share/three", "__pycache__/x.pyc", "share/m.pyc") if p in entries]
        report("content: what they removed or left by accident", repr(absent) if absent else None)
        report("content: bytecode without a source", None if "share/bare.pyc" in entries else "left out")
        report("content: a folder they made", None if entries.get("empty", [""])[0] == "dir" else "missing")
        report("the cache is as it was", None if read(work, "cache", "pkgs", channel.records[one][1]["sha256"][:2],
                                                      channel.records[one][1]["sha256"], "files/share/one") == "1" else "changed")
    c.close()
    c = Case([fails])
    c.fill()
    expect("a link script that fails", c.install(fresh("p"), "engine")[0], "error 1", "post-link", "fails-1.0-0.conda", "status 7", "it broke")
    report("leaves nothing", "the folder is there" if os.path.exists(os.path.join(work, "p")) else None)
    c.close()
    c = Case([one])
    c.driver.say("pip", "six")
    expect("a pip section without pip", c.install(fresh("p"), "engine")[0], "error 2", "no pip")
    c.close()
