#!/usr/bin/env python3
"""check_unpack_kill.py PACK_TREE ARCHIVE FOLDER REFERENCE: killed at any moment, unpacking goes on
where it ended; what is whole is not written again, and the result is that of one run.

REFERENCE is the archive unpacked at once, for the prefix /opt/place.
"""
import fcntl
import os
import random
import shutil
import signal
import subprocess
import sys
import time

tool, archive, work, reference = sys.argv[1:5]
MARKER = ".envbuild-unfinished"
dest = os.path.join(work, "new")
random.seed(5)
faults = 0


def result(name, fault=""):
    print("fail %s: %s" % (name, fault) if fault else "ok " + name, flush=True)


def start(jobs=2, path=archive, prefix="/opt/place"):
    return subprocess.Popen([tool, "--unpack", path, dest, prefix, str(jobs)],
                            stderr=subprocess.PIPE, text=True)


def tree(top):
    """Every path: what it is, and what tells whether it was written again."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            path = os.path.join(folder, name)
            st = os.lstat(path)
            rel = os.path.relpath(path, top)
            if rel == MARKER:
                continue
            link = os.readlink(path) if os.path.islink(path) else None
            body = None
            if not link and os.path.isfile(path):
                with open(path, "rb") as file:
                    body = file.read()
            seconds = st.st_mtime_ns if body is not None else 0
            found[rel] = ((link, body, st.st_mode, seconds), (st.st_ino, st.st_ctime_ns))
    return found


want = tree(reference)


def differences(top):
    have = tree(top)
    return [rel for rel in want.keys() | have.keys()
            if rel not in want or rel not in have or want[rel][0] != have[rel][0]]


def parts():
    return [n for n in os.listdir(work) if n.startswith(".new.unpack.")]


def clear():
    for name in os.listdir(work):
        shutil.rmtree(os.path.join(work, name))


def whole_files(top):
    """What a run left that is as it shall be."""
    return {rel: told for rel, (what, told) in tree(top).items()
            if rel in want and what == want[rel][0] and what[1] is not None}


def rounds(kind, n):
    """Kills and goes on until a run ends by itself; how many times files were there before."""
    middle = again = 0
    for i in range(n + 20):
        # On a busy machine all kills may come too early or too late.
        if i >= n and middle:
            break
        clear()
        if kind == "an empty folder":
            os.mkdir(dest)
        begun = time.monotonic()
        start().wait()
        full = time.monotonic() - begun
        clear()
        if kind == "an empty folder":
            os.mkdir(dest)
        kept = {}
        for _ in range(3):
            run = start(random.choice((1, 2, 4)))
            time.sleep(random.random() * full * 0.8)
            run.kill()
            run.wait()
            where = [dest] if kind == "an empty folder" or not parts() else [
                os.path.join(work, p) for p in parts()]
            if len(where) > 1:
                return result("killed into " + kind, "several folders are left: %s" % where)
            now = whole_files(where[0]) if os.path.isdir(where[0]) else {}
            again += sum(1 for rel in kept if now.get(rel) != kept[rel])
            middle += 0 < len(now) < len(want) * 3 // 4
            kept = now
            if os.path.isdir(dest) and not os.path.exists(os.path.join(dest, MARKER)) and \
                    os.listdir(dest):
                break
        else:
            run = start()
            fault = run.communicate()[1]
            if run.returncode:
                return result("killed into " + kind, fault)
            now = whole_files(dest)
            again += sum(1 for rel in kept if now.get(rel) != kept[rel])
        bad = differences(dest)
        if bad or os.path.exists(os.path.join(dest, MARKER)) or parts():
            return result("killed into " + kind, "differs: %s, left: %s" % (bad[:5], parts()))
    result("killed into " + kind)
    result("into %s: some kills came in the middle" % kind, "" if middle else "%d" % middle)
    return result("into %s: what was whole was not written again" % kind, "%d files" % again if again else "")


def kill_half():
    """A run that ends half-way, by force: the path of what it leaves."""
    while True:
        clear()
        run = start()
        while run.poll() is None and sum(len(f) for p in parts() for _, _, f in os.walk(
                os.path.join(work, p))) < len(want) // 4:
            pass
        run.kill()
        run.wait()
        if parts():
            return os.path.join(work, parts()[0])


rounds("a new folder", 3)
rounds("an empty folder", 3)

left = kill_half()
result("the part that is left is nobody else's to read",
       "" if os.stat(left).st_mode & 0o777 == 0o700 else "%o" % os.stat(left).st_mode)
victim = next(r for r in whole_files(left) if want[r][0][1] and len(want[r][0][1]) > 100)
path = os.path.join(left, victim)
st = os.stat(path)
with open(path, "rb") as f:
    data = f.read()
os.chmod(path, 0o644)
with open(path, "wb") as f:
    f.write(data[:60] + b"?" + data[61:])
os.chmod(path, st.st_mode & 0o7777)
os.utime(path, ns=(st.st_atime_ns, st.st_mtime_ns))
os.mkdir(os.path.join(left, "stray"))
with start() as run:
    fault = run.communicate()[1]
shutil.rmtree(os.path.join(dest, "stray"), ignore_errors=True)
result("a file that was changed meanwhile is written again", fault or " ".join(differences(dest)[:5]))

left = kill_half()
with open(os.path.join(left, "not-ours"), "w") as f:
    f.write("x")
with start() as run:
    fault = run.communicate()[1]
result("a part with a file of somebody is begun anew", fault or " ".join(differences(dest)[:5]))

left = kill_half()
shutil.rmtree(left + "/conda-meta", ignore_errors=True)
with open(os.path.join(left, MARKER)) as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    with start() as run:
        fault = run.communicate()[1]
    result("one that another run works on is left alone",
           "" if run.returncode == 1 and "another envbuild" in fault and os.path.exists(left) else
           "exit %d %s" % (run.returncode, fault))
    with start(prefix="/opt/elsewhere") as run:
        run.communicate()
    result("also by who unpacks for another path", "" if os.path.exists(left) else "it is gone")
shutil.rmtree(dest)
with start(prefix="/opt/elsewhere") as run:
    run.communicate()
result("and is swept when nobody does", " ".join(parts()))

kill_half()
os.rename(os.path.join(work, parts()[0]), dest)
with start(prefix="/opt/elsewhere") as run:
    fault = run.communicate()[1]
result("a folder that holds a part of another archive is refused",
       "" if run.returncode == 2 and "part of another archive" in fault else fault or "taken")
with open(os.path.join(dest, "mine"), "w") as f:
    f.write("x")
with start() as run:
    fault = run.communicate()[1]
result("and one that somebody put a file in",
       "" if run.returncode == 2 and "not empty" in fault else fault or "taken")
os.remove(os.path.join(dest, "mine"))
with start() as run:
    fault = run.communicate()[1]
result("its own archive completes it", fault or " ".join(differences(dest)[:5]))
# In one row, into a folder that is there: of two runs the second leaves alone what the first makes.
row = os.path.join(os.path.dirname(archive), "row.tar.gz")
for _ in range(20):
    clear()
    os.mkdir(dest)
    run = start(path=row)
    while run.poll() is None and len(os.listdir(dest)) < 2:
        pass
    run.send_signal(signal.SIGSTOP)
    if run.poll() is None and MARKER in os.listdir(dest):
        break
with start(path=row) as second:
    fault = second.communicate()[1]
run.send_signal(signal.SIGCONT)
run.communicate()
result("in one row, too, another run is left alone",
       "" if second.returncode == 1 and "another envbuild" in fault and not run.returncode and
       os.listdir(dest) and MARKER not in os.listdir(dest) else "exit %d, %d %s" % (second.returncode, run.returncode, fault))
clear()
os.mkdir(dest)
run = start(path=row)
while run.poll() is None and len(os.listdir(dest)) < 2:
    pass
run.kill()
run.communicate()
with start(path=row) as run:
    fault = run.communicate()[1]
result("what a killed one left is not taken for an empty folder",
       "" if run.returncode == 2 and "not empty" in fault else "exit %d %s" % (run.returncode, fault))
for _ in range(20):
    clear()
    run = start()
    while run.poll() is None and not parts():
        pass
    run.send_signal(signal.SIGSTOP)
    if run.poll() is None and parts():
        break
os.mkdir(dest)
with open(os.path.join(dest, "mine"), "w") as f:
    f.write("x")
run.send_signal(signal.SIGCONT)
fault = run.communicate()[1]
result("a folder that appears meanwhile is left alone",
       "" if run.returncode == 2 and "is not empty" in fault and os.listdir(work) == ["new"] and
       os.listdir(dest) == ["mine"] else "exit %d %s" % (run.returncode, fault))
# What an attacker laid there beforehand is not taken up.
left = kill_half()
name = os.path.basename(left)
clear()
os.mkdir(left)
os.chmod(left, 0o777)
with start() as run:
    fault = run.communicate()[1]
result("a folder that others may write to is not taken up",
       fault or " ".join(differences(dest)[:5]) or ("" if os.listdir(left) == [] else "it was filled"))
clear()
