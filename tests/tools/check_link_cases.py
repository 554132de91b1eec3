#!/usr/bin/env python3
"""What linking must do with made-up packages: every kind of path, bytecode, clashes, marks, scripts.

    check_link_cases.py INSTALL_ONE WORK [engine]

Prints "ok NAME" or "fail NAME: DETAIL".  The packages bring a Python of their own, which is a script
that runs this one.
"""

import configparser
import glob
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import check_package  # noqa: E402
from check_channel_install import Driver  # noqa: E402
from make_package import DIR, SYM, Channel, member  # noqa: E402

program, work = sys.argv[1:3]
with_engine = "engine" in sys.argv[3:]
channel = Channel(os.path.join(work, "channel"))
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3"
# One that the sandbox has too: homes are not there.
PYTHON = os.path.realpath("/usr/bin/python3") if os.path.exists("/usr/bin/python3") else os.path.realpath(sys.executable)
VERSION = subprocess.run([PYTHON, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                         stdout=subprocess.PIPE, check=True, text=True).stdout.strip()
TAG = "cpython-" + VERSION.replace(".", "")
SITE = "lib/python%s/site-packages" % VERSION


def report(name, problem=None):
    print("fail %s: %s" % (name, problem) if problem else "ok " + name)
    sys.stdout.flush()


def inside(*parts):
    return os.path.join(work, *parts)


def read(*parts):
    with open(inside(*parts), "rb") as f:
        return f.read()


class Case:
    """One run of the driver over some packages of the channel, in the order they are linked in."""

    def __init__(self, numbers, cache="cache"):
        self.driver = Driver(program, inside(cache))
        self.numbers = numbers
        for number in numbers:
            fn, record = channel.records[number]
            self.driver.record(channel.folder, "noarch", fn, record)

    def install(self, prefix, flags="", order=None):
        shutil.rmtree(inside(prefix), ignore_errors=True)
        answer = self.driver.ask("fill")[0]
        if answer != "ok":
            return answer, []
        order = range(len(self.numbers)) if order is None else order
        return self.driver.ask("install", inside(prefix), "-", flags, ",".join(map(str, order)))

    def close(self):
        self.driver.close()


def run(numbers, prefix, flags="", cache="cache", say=()):
    c = Case(numbers, cache)
    for words in say:
        c.driver.say(*words)
    answer = c.install(prefix, flags)
    c.close()
    return answer


def record_of(prefix, dist):
    return json.loads(read(prefix, "conda-meta", dist + ".json"))


def paths_of(prefix, dist):
    return {p["_path"]: p for p in record_of(prefix, dist)["paths_data"]["paths"]}


def entry_of(number, cache="cache"):
    key = channel.records[number][1]["sha256"]
    return inside(cache, "pkgs", key[:2], key, "files")


def compiled(cache="cache"):
    """path in the cache -> bytes"""
    found = {}
    for path in glob.glob(inside(cache, "bytecode", "*", "*", "files", "*")):
        with open(path, "rb") as f:
            found[os.path.relpath(path, inside(cache))] = f.read()
    return found


def tree(folder):
    """path -> what it is"""
    out = {}
    for where, folders, names in os.walk(folder):
        for name in names + [d for d in folders if os.path.islink(os.path.join(where, d))]:
            path = os.path.join(where, name)
            if os.path.islink(path):
                out[os.path.relpath(path, folder)] = os.readlink(path)
            else:
                with open(path, "rb") as f:
                    out[os.path.relpath(path, folder)] = f.read()
    return out


def python_package(name, script, site=None):
    members = [member("bin/python%s" % VERSION, script.encode(), mode=0o755),
               member("lib/python%s/os.py" % VERSION, b"# stands for the standard library\n")]
    index = {"python_site_packages_path": site} if site else {}
    fn = "python-%s.0-%s.tar.bz2" % (VERSION, name)
    from make_package import bzip2, info_members, tar_bytes
    info = info_members("python", members, version=VERSION + ".0", build=name, index=index)
    return channel.put(fn, bzip2(tar_bytes(info + members)))


NOARCH = {"noarch": {"type": "python"}}
python = python_package("0", '#!/bin/sh\nexec "%s" "$@"\n' % PYTHON)

# --- every kind of path -------------------------------------------------------------------------

kinds = channel.conda("kinds", [
    member("share/plain", b"plain"), member("share/private", b"private"), member("share/sub/deep/er", b"d"),
    member("share/link", kind=SYM, link="plain"), member("share/gone", kind=SYM, link="/nowhere/at/all"),
    member("share/loop", kind=SYM, link="../share"), member("share/alone", kind=SYM, link="plain"),
    member("share/empty", kind=DIR, mode=0o755), member("Menu/kinds.json", b'{"menu": "{{PREFIX}}"}'),
    member("bin/run", b"#!/bin/sh\nexit 3\n", mode=0o755)],
    listing=[{"_path": p, "path_type": t, **more} for p, t, more in (
        ("Menu/kinds.json", "hardlink", {}), ("bin/run", "hardlink", {}), ("share/alone", "softlink", {"no_link": True}),
        ("share/empty", "directory", {}), ("share/gone", "softlink", {}), ("share/link", "softlink", {}),
        ("share/loop", "softlink", {}), ("share/plain", "hardlink", {}),
        ("share/private", "hardlink", {"no_link": True}), ("share/sub/deep/er", "hardlink", {}))])
generic = channel.conda("generic", [member("share/generic", b"g"), member("site-packages/left.py", b"x = 1\n")],
                        link={"noarch": {"type": "generic"}}, index={"noarch": "generic"})

answer, _ = run([kinds, generic], "p")
report("every kind of path is linked", None if answer == "ok" else answer)
if answer == "ok":
    packages = [check_package.Package(os.path.join(channel.folder, "noarch", channel.records[n][0]))
                for n in (kinds, generic)]
    report("files, links, folders, modes and times are the packages'",
           check_package.check(packages, inside("p")) or None)
    same = os.path.samefile(inside("p/share/plain"), entry_of(kinds) + "/share/plain")
    report("a file shares the cache's bytes", None if same or os.stat(inside("p/share/plain")).st_nlink == 1 else "it does not")
    report("one with no_link does not", None if os.stat(inside("p/share/private")).st_nlink == 1 else "it is a hard link")
    report("nor does a symlink with no_link", None if os.lstat(inside("p/share/alone")).st_nlink == 1 else "it is")
    report("an empty folder is there", None if os.path.isdir(inside("p/share/empty")) else "it is not")
    report("a menu is a plain file", None if read("p/Menu/kinds.json") == b'{"menu": "{{PREFIX}}"}' else "it was changed")
    report("of a generic noarch package nothing is moved or compiled",
           None if sorted(os.listdir(inside("p/site-packages"))) == ["left.py"] else os.listdir(inside("p/site-packages")))
    entry = paths_of("p", "kinds-1.0-0")
    report("no_link stands in the record", None if entry["share/private"].get("no_link") is True else repr(entry))
answer, _ = run([kinds, generic], "p2", "copy")
links = [p for p in tree(inside("p2")) if os.lstat(inside("p2", p)).st_nlink != 1]
report("with copy nothing is shared", repr(links) if links or answer != "ok" else None)
report("and all is the same", None if {k: v for k, v in tree(inside("p2")).items() if "conda-meta" not in k} ==
       {k: v for k, v in tree(inside("p")).items() if "conda-meta" not in k} else "it differs")

far, before = member("share/far", b"1"), member("share/before", b"2")
far[0].mtime, before[0].mtime = 1 << 40, -5
answer, _ = run([channel.conda("times", [far, before])], "p")
times = [os.stat(inside("p/share", n)).st_mtime for n in ("far", "before")] if answer == "ok" else answer
report("times that some file systems do not keep are drawn in", None if times == [(1 << 31) - 1, 0] else repr(times))

# --- what somebody did to the cache --------------------------------------------------------------

target = entry_of(kinds) + "/share/plain"
os.utime(target, (1, 1))
answer, _ = run([kinds], "p")
st = os.stat(inside("p/share/plain")) if answer == "ok" else None
report("a file of the cache that was only touched is copied with its right time",
       None if st and st.st_nlink == 1 and st.st_mtime == 1500000000 else repr((answer, st)))
c = Case([kinds])
c.driver.ask("fill")
with open(target, "r+b") as f:
    f.write(b"PLAIN")
os.utime(target, (1500000001, 1500000001))
answer, _ = c.driver.ask("install", inside("p3"), "-", "", "0")
c.close()
report("one that was changed is not linked", None if answer.startswith("error 5") and "share/plain" in answer
       and "kinds-1.0-0.conda" in answer and not os.path.exists(inside("p3")) else answer)
shutil.rmtree(os.path.dirname(entry_of(kinds)))
line = ("# %s/x\n" % PLACEHOLDER).encode()
named = channel.conda("named", [member("share/named", line)],
                      listing=[{"_path": "share/named", "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text"}])
c = Case([named])
c.driver.ask("fill")
with open(entry_of(named) + "/share/named", "r+b") as f:
    f.write(line.replace(b"/x", b"/y"))
answer, _ = c.driver.ask("install", inside("p3"), "-", "", "0")
c.close()
report("nor one that was changed and holds the prefix", None if answer.startswith("error 5") and "share/named" in answer
       and not os.path.exists(inside("p3")) else answer)
shutil.rmtree(os.path.dirname(entry_of(named)))

# --- clashes -------------------------------------------------------------------------------------

first = channel.conda("first", [member("share/same", b"one"), member("etc/a/x", b"1x"), member("bin/tool", b"file"),
                                member("share/kind", b"file"), member("share/first", b"1")])
second = channel.conda("second", [member("share/same", b"two"), member("etc/a/x", b"2x"), member("share/kind", kind=SYM, link="same"),
                                  member("share/text", ("%s\n" % PLACEHOLDER).encode())],
                       listing=[{"_path": "share/same", "path_type": "hardlink"}, {"_path": "etc/a/x", "path_type": "hardlink"},
                                {"_path": "share/kind", "path_type": "softlink"},
                                {"_path": "share/text", "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER, "file_mode": "text"}])
third = channel.conda("third", [member("share/text", b"third\n"), member("share/first/below", b"3")])
twin = channel.conda("twin", [member("share/first", b"1")])
for pattern, ok in ((None, False), ("share/none", False), ("share/*", False), ("*", True)):
    answer, _ = run([first, second], "p", say=[("allow", pattern)] if pattern else [])
    good = answer == "ok" if ok else (answer.startswith("error 5") and "first-1.0-0.conda" in answer and "second-1.0-0.conda" in answer)
    report("two packages with one path, --allow-clobber %s" % pattern, None if good else answer)
answer, _ = run([first, twin], "p")
report("the same bytes are a clash too", None if answer.startswith("error 5") and "share/first" in answer else answer)
answer, lines = run([first, second], "p", "content,pack", say=[("allow", "share/*"), ("allow", "etc/?/x")])
report("several patterns", None if answer == "ok" else answer)
if answer == "ok":
    got = (read("p/share/same"), read("p/etc/a/x"), os.readlink(inside("p/share/kind")), read("p/bin/tool"))
    report("the package linked later wins", None if got == (b"two", b"2x", "same", b"file") else repr(got))
    paths = [line.split("\t")[1] for line in lines if line.startswith("entry\t")]
    report("content: each path once", None if len(paths) == len(set(paths)) and "share/same" in paths else repr(paths))
    one, two = paths_of("p", "first-1.0-0"), paths_of("p", "second-1.0-0")
    report("both records list it", None if "share/same" in one and "share/same" in two and
           "share/same" in record_of("p", "first-1.0-0")["files"] else repr((one, two)))
    report("and say what lies there", None if one["share/same"]["sha256_in_prefix"] == check_package.sha256(b"two")
           and one["share/same"]["sha256"] != one["share/same"]["sha256_in_prefix"] else repr(one["share/same"]))
    names = record_of("p", "first-1.0-0")["files"]
    report("files are sorted", None if names == sorted(names) else repr(names))
answer, _ = run([second, first], "p", say=[("allow", "*")])
report("in the other order the other wins", None if answer == "ok" and read("p/share/same") == b"one" and read("p/share/kind") == b"file"
       else repr(answer))
answer, _ = run([second, third], "p", say=[("allow", "*")])
report("a file without the prefix over one with it", None if answer == "ok" and read("p/share/text") == b"third\n" else repr(answer))
answer, _ = run([third, second], "p", say=[("allow", "*")])
want = os.fsencode(inside("p")) + b"\n"
same = answer == "ok" and paths_of("p", "third-1.0-0")["share/text"]["sha256_in_prefix"] == check_package.sha256(want)
report("and the other way round", None if same and read("p/share/text") == want else repr(answer))
answer, _ = run([first, third], "p", say=[("allow", "*")])
report("a file over a folder is never allowed", None if answer.startswith("error 5") and "folder" in answer else answer)

# --- marks ---------------------------------------------------------------------------------------

answer, _ = run([python, kinds], "p", "frozen,managed")
if answer == "ok":
    message = json.loads(read("p/conda-meta/frozen")).get("message")
    report("conda-meta/frozen has a message (CEP 22)", None if message else "none")
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(inside("p/lib/python%s/EXTERNALLY-MANAGED" % VERSION), encoding="utf-8")
    text = parser.get("externally-managed", "Error", fallback="")
    report("EXTERNALLY-MANAGED is what pip reads (PEP 668)", None if "envbuild" in text and "venv" in text and len(text.split("\n")) > 2 else repr(text))
else:
    report("marks for conda and pip", answer)
answer, _ = run([python, kinds], "p")
report("not unless asked for", None if answer == "ok" and not os.path.exists(inside("p/conda-meta/frozen")) and not
       os.path.exists(inside("p/lib/python%s/EXTERNALLY-MANAGED" % VERSION)) else "they are there")
answer, _ = run([kinds], "p", "managed")
report("without Python there is nothing to mark for pip", None if answer.startswith("error 2") and "Python" in answer else answer)

# --- Python packages -----------------------------------------------------------------------------

OPTIONAL = b"def f(x):\n    return x in {'a', 'b', None, 3.5}\n\nclass A:\n    '''doc'''\n    y = f'{f}'\n"
pure = channel.conda("pure", [
    member("site-packages/pure/__init__.py", OPTIONAL), member("site-packages/pure/broken.py", b"def (:\n"),
    member("site-packages/pure/where.py", ("# %s\nx = 1\n" % PLACEHOLDER).encode()),
    member("site-packages/pure/holds.py", ("PREFIX = '%s'\n" % PLACEHOLDER).encode()),
    member("site-packages/pure/latin.py", b"# -*- coding: latin-1 -*-\nx = '\xe9'\n"),
    member("site-packages/pure/data.txt", b"no source"), member("site-packages/top.py", b"import os\nx = os.name\n"),
    member("site-packages/also.py", kind=SYM, link="top.py"), member("python-scripts/script", b"#!/bin/sh\n", mode=0o755),
    member("share/other.py", b"x = 1\n")],
    listing=[{"_path": "site-packages/" + p, "path_type": "hardlink"} for p in
             ("pure/__init__.py", "pure/broken.py", "pure/latin.py", "pure/data.txt", "top.py")] + [
                 {"_path": "site-packages/pure/%s.py" % p, "path_type": "hardlink", "prefix_placeholder": PLACEHOLDER,
                  "file_mode": "text"} for p in ("where", "holds")] + [
                 {"_path": "site-packages/also.py", "path_type": "softlink"}, {"_path": "python-scripts/script", "path_type": "hardlink"},
                 {"_path": "share/other.py", "path_type": "hardlink"}],
    link={"noarch": {"type": "python", "entry_points": ["pure-tool = pure:f", "other=pure.latin : A.b"]}})
more = channel.conda("more", [member("site-packages/more/m%d.py" % i, OPTIONAL * (i + 1)) for i in range(5)], link=NOARCH)
abi3 = channel.conda("abi3", [member("site-packages/abi3.abi3.so", b"\x7fELF no"), member("site-packages/abi.py", b"y = 2\n"),
                              member("lib/libabi.so", b"\x7fELF")], index={"subdir": "linux-64", "noarch": "python"}, link=NOARCH)
CODE = {"pure/__pycache__/__init__.%s.pyc" % TAG, "pure/__pycache__/latin.%s.pyc" % TAG,
        "pure/__pycache__/where.%s.pyc" % TAG, "__pycache__/top.%s.pyc" % TAG}


def code_in(prefix):
    return {os.path.relpath(p, inside(prefix, SITE)) for p in glob.glob(inside(prefix, SITE) + "/**/*.pyc", recursive=True)}


answer, _ = run([python, pure], "p")
if answer == "ok":
    report("no bytecode unless asked for", repr(code_in("p")) if code_in("p") else None)
    report("scripts, links and data go where they belong",
           None if os.path.exists(inside("p/bin/script")) and os.readlink(inside("p", SITE, "also.py")) == "top.py"
           and os.path.exists(inside("p", SITE, "pure/data.txt")) and os.path.exists(inside("p/share/other.py")) else "they do not")
    text = read("p/bin/pure-tool").decode()
    report("entry points", None if text == check_package.entry_point(inside("p"), VERSION, "pure", "f").decode()
           and "from pure.latin import A\n" in read("p/bin/other").decode() and "sys.exit(A.b())" in read("p/bin/other").decode()
           and os.access(inside("p/bin/other"), os.X_OK) else text)
else:
    report("a package for any Python", answer)
elsewhere = python_package("sp", '#!/bin/sh\nexec "%s" "$@"\n' % PYTHON, "lib/pyX/packages")
answer, _ = run([elsewhere, pure], "p")
report("python_site_packages_path is followed", None if answer == "ok" and os.path.exists(inside("p/lib/pyX/packages/top.py")) else answer)
outside = python_package("bad", "", "../lib")
answer, _ = run([outside, pure], "p")
report("but not out of the prefix", None if answer.startswith("error 5") and "python_site_packages_path" in answer else answer)
answer, _ = run([python, abi3], "p")
report("an abi3 package of a real subdir is linked as noarch (CEP 20)",
       None if answer == "ok" and os.path.exists(inside("p", SITE, "abi3.abi3.so")) and os.path.exists(inside("p/lib/libabi.so")) else answer)

if with_engine:
    answer, _ = run([python, pure, more, abi3], "p", "engine,compile", "code")
    report("bytecode is made", None if answer == "ok" else answer)
    got, listed = code_in("p"), paths_of("p", "pure-1.0-0") if answer == "ok" else {}
    report("of every source that compiles and does not hold the prefix", None if CODE < got and "__pycache__/abi.%s.pyc" % TAG in got else repr(got))
    recorded = {os.path.relpath(p, SITE) for p, e in listed.items() if e["path_type"] == "pyc_file"}
    report("and recorded", None if recorded == CODE else repr(recorded))
    wrong = [p for p, e in listed.items() if e["path_type"] == "pyc_file" and
             check_package.sha256(read("p", p)) != e["sha256_in_prefix"]]
    report("with its hash", repr(wrong) if wrong else None)
    data = read("p", SITE, "__pycache__/top.%s.pyc" % TAG)
    name = subprocess.run([PYTHON, "-c", "import marshal, sys; print(marshal.loads(sys.stdin.buffer.read()[16:]).co_filename)"],
                          input=data, stdout=subprocess.PIPE).stdout.decode().strip()
    report("marked unchecked-hash, its name relative to the prefix",
           None if data[4:8] == b"\1\0\0\0" and name == SITE + "/top.py" else repr((data[:16], name)))
    kept = compiled("code")
    report("kept in the cache, but for what holds the prefix", None if len(kept) == 3 + 5 + 1 and
           not any(os.fsencode(inside("p")) in d for d in kept.values()) else repr(sorted(kept)))
    nlinks = {os.stat(inside("p", SITE, p)).st_nlink for p in CODE if "where" not in p}
    report("linked like other files", None if nlinks == {2} or nlinks == {1} and os.stat(inside("p/share/other.py")).st_nlink == 1 else repr(nlinks))
    before = {k: os.stat(inside("code", k)).st_mtime_ns for k in kept}
    answer, _ = run([python, more, pure], "p2", "engine,compile", "code")
    after = {k: os.stat(inside("code", k)).st_mtime_ns for k in compiled("code")}
    report("found there the next time", None if answer == "ok" and after == before else repr(answer))
    # The same bytes whatever else was compiled in the same run.
    for name, numbers in (("alone", [python, more]), ("behind", [python, pure, more])):
        answer, _ = run(numbers, "p3", "engine,compile", name)
        differ = [k for k, d in compiled(name).items() if kept.get(k) != d]
        report("the same bytes when made %s" % name, repr((answer, differ)) if differ or answer != "ok" else None)
    # A name that the file system takes and that of its bytecode, which it does not.
    names = ["site-packages/%s.py" % ("n" * n) for n in (235, 240, 252)]
    named = channel.conda("names", [member(n, b"x = 1\n") for n in names], link=NOARCH)
    answer, _ = run([python, named], "p3", "engine,compile", "names")
    report("too long a name for bytecode has none", None if answer == "ok" and [len(c) for c in code_in("p3")] ==
           [len("__pycache__/.%s.pyc" % TAG) + 235] else repr((answer, code_in("p3"))))
    # Damage.
    one = sorted(kept)[0]
    os.chmod(inside("code", one), 0o600)
    with open(inside("code", one), "r+b") as f:
        f.write(b"xxxx")
    answer, _ = run([python, pure, more, abi3], "p2", "engine,compile", "code")
    report("a changed compiled file is made anew", None if answer == "ok" and compiled("code") == kept and
           code_in("p2") == got and not any(read("p2", SITE, p)[:4] == b"xxxx" for p in got) else repr(answer))
    facts = os.path.join(os.path.dirname(os.path.dirname(inside("code", one))), "facts")
    for damage in (b"", b"x" * 300):
        with open(facts, "wb") as f:
            f.write(damage)
        answer, _ = run([python, pure, more, abi3], "p2", "engine,compile", "code")
        report("so are facts of %d wrong bytes" % len(damage), None if answer == "ok" and compiled("code") == kept else repr(answer))
    left = os.listdir(inside("code", "tmp"))
    report("no temporary is left in the cache", repr(left) if left else None)
    left = [n for n in os.listdir(inside("p2")) if n.startswith(".")]
    report("nor in the prefix", repr(left) if left else None)
    # A clash of sources: the bytecode is that of the one that wins.
    rival = channel.conda("rival", [member("site-packages/top.py", b"x = 'rival'\n")], link=NOARCH)
    plain = channel.conda("plain", [member(SITE + "/top.py", b"x = 'plain'\n")])
    for number, word, n_code in ((rival, b"rival", 1), (plain, b"plain", 0)):
        answer, _ = run([python, pure, number], "p2", "engine,compile", "code", say=[("allow", SITE + "/top.py")])
        codes = glob.glob(inside("p2", SITE, "__pycache__/top.*"))
        good = answer == "ok" and len(codes) == n_code and read("p2", SITE, "top.py") == b"x = '%s'\n" % word
        good = good and all(word in read(code) for code in codes)
        report("bytecode of a source that %s wins" % word.decode(), None if good else repr((answer, codes)))
    # A Python that cannot run from its own folder compiles in the prefix.
    homesick = python_package("home", '#!/bin/sh\n[ -e "$CONDA_PREFIX/share/plain" ] || exit 9\nexec "%s" "$@"\n' % PYTHON)
    answer, _ = run([homesick, kinds, pure], "p2", "engine,compile", "home")
    report("a Python that needs others compiles in the prefix", None if answer == "ok" and CODE == code_in("p2")
           and not compiled("home") else repr((answer, code_in("p2"))))
    broken = python_package("broken", "#!/bin/sh\necho it is broken; exit 7\n")
    answer, _ = run([broken, pure], "p2", "engine,compile", "broken")
    report("one that never runs is an error", None if answer.startswith("error 1") and "it is broken" in answer else answer)
    # A hostile Python: what it runs from and what it compiles is out of its reach.
    evil = python_package("evil", """#!/bin/sh
here=$(dirname "$(dirname "$0")")
for f in "$here"/lib/*/os.py "$CONDA_PREFIX"/share/plain "$CONDA_PREFIX"/%s/top.py /tmp/envbuild-compile/*/share/* \\
  /tmp/envbuild-compile/*/site-packages/top.py; do
  if [ -e "$f" ]; then echo evil >>"$f"; chmod 777 "$f"; touch "$f"; fi
done 2>/dev/null
for last; do if [ -d "$last" ]; then out=$last; fi; done
ln -s /etc/passwd "$out/0-0"; ln -s ../list "$out/0"; mkdir "$out/1" "$out/0-1"; echo x >"$out/../escaped"; echo y >"$out/a"
ln "$out/a" "$out/0-2"
exit 0
""" % SITE)
    if subprocess.run(["unshare", "-Ur", "true"], stderr=subprocess.DEVNULL).returncode == 0:
        answer, _ = run([evil, kinds, pure], "p2", "engine,compile", "evil")
        packages = {n: check_package.Package(os.path.join(channel.folder, "noarch", channel.records[n][0])) for n in (evil, kinds, pure)}
        changed = [p for n, k in packages.items() for p, (m, d) in k.files.items()
                   if m.isreg() and read(entry_of(n, "evil"), p) != d]
        report("a hostile Python changes nothing in the cache", repr((answer, changed)) if changed else None)
        links = [p for p in glob.glob(inside("evil/bytecode/*/*/files/*")) if os.path.islink(p) or not os.path.isfile(p)]
        report("and puts no link there", repr(links) if links else None)
        report("nor into the prefix", None if answer == "ok" and not code_in("p2") else repr((answer, code_in("p2"))))

    # Link scripts.
    noisy = channel.conda("noisy", [member("share/noisy", b"n"), member(
        "bin/.noisy-post-link.sh", b'echo "to be configured by hand" >"$PREFIX/.messages.txt"\n')])
    fails = channel.conda("fails", [member("bin/.fails-post-link.sh", b'echo "the reason" >"$PREFIX/.messages.txt"; exit 4\n')])
    early = channel.conda("early", [member("share/early", b"e"), member("bin/.early-pre-link.sh", b'echo no; exit 5\n')])
    answer, _ = run([noisy], "p", "engine")
    report("a post-link script runs", None if answer == "ok" and not os.path.exists(inside("p/.messages.txt")) else answer)
    answer, _ = run([kinds, early], "p", "engine")
    report("a pre-link script that fails", None if answer.startswith("error 1") and "pre-link" in answer and "early-1.0-0.conda" in answer
           and not os.path.exists(inside("p")) else answer)
    st = os.stat(entry_of(noisy) + "/share/noisy")
    report("where scripts run nothing is shared with the cache", None if st.st_nlink == 1 else "there is a hard link")
    answer, _ = run([fails], "p", "engine")
    report("a post-link script that fails", None if answer.startswith("error 1") and "status 4" in answer else answer)
