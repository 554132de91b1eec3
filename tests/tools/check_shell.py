#!/usr/bin/env python3
"""`envbuild shell` and `run` at a real terminal.

check_shell.py ENVBUILD ARCHIVE ROOT HOST_ARCHIVE    all of it, with the sandbox and without
check_shell.py ENVBUILD ARCHIVE ROOT --engine NAME   what each engine must do

ARCHIVE holds the environment demo for rhel7 (tests/scenario/shell.sh); the working folder is one
that may be written to.
"""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

ENVBUILD, ARCHIVE, ROOT = sys.argv[1:4]
IMAGE = ["--image", ROOT]
LIMIT = 60  # seconds for anything to appear: machines are busy


class Terminal:
    """A program in front of a terminal of its own; everything it shows is in `seen`."""

    def __init__(self, *argv, env=None, size=(24, 200)):
        self.seen, self.at, self.status = "", 0, None
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, dict(os.environ, TERM="dumb", **(env or {})))
        self.resize(*size)

    def resize(self, rows, columns):
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self, seconds):
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.seen += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def expect(self, pattern, limit=LIMIT):
        """The match of what has come since the last one, or None at the end or after the limit."""
        end = time.monotonic() + limit
        while True:
            found = re.search(pattern, self.seen[self.at:], re.M)
            if found:
                self.at += found.end()
                return found
            if time.monotonic() > end or not self.read(0.2):
                return None

    def type(self, text):
        os.write(self.fd, text.encode())

    def modes(self):
        return termios.tcgetattr(self.fd)[3] & (termios.ECHO | termios.ICANON)

    def end(self, limit=LIMIT):
        """Exit status of the program, which has to end by itself."""
        stop = time.monotonic() + limit
        while time.monotonic() < stop:
            alive = self.read(0.05)
            pid, status = os.waitpid(self.pid, 0 if not alive else os.WNOHANG)
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
                break
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)
        return self.status


def result(name, good, detail=""):
    print("ok " + name if good else "fail %s: %s" % (name, repr(detail)[-900:]))


def ask(t, name, line, pattern):
    """Types a line; what it answers must match, on a line of its own."""
    t.type(line + "\n")
    found = t.expect("^" + pattern + "$")
    result(name, found, t.seen[-400:])
    t.expect(r"\$ (\x1b\[6n)?$")
    return found


def prompt_of(where):
    return r"^\(demo@%s\) %s\$ (\x1b\[6n)?$" % (where, re.escape(os.getcwd()))


def check_shell():
    with open("/tmp/envbuild-shell-%d" % os.getpid(), "w") as marker:
        t = Terminal(ENVBUILD, "shell", ARCHIVE, *IMAGE)
        result("the start says what is lost", t.expect("written into the environment .* is thrown away"), t.seen)
        result("the prompt names environment, target and folder", t.expect(prompt_of("rhel7")), t.seen)
        ask(t, "the environment is active", "demo", "demo runs")
        ask(t, "with the functions of its scripts", "demo_greet", "greeted by /.*/share")
        ask(t, "the image is the target's", "ls -d /lib64/libc-2.17.so", "/lib64/libc-2.17.so")
        ask(t, "/tmp is private", "ls %s || echo no-marker" % marker.name, "no-marker")
        ask(t, "home is private", "echo home=$HOME; ls -A $HOME | grep -c '^[.]'", "0")
        ask(t, "the terminal's size is there", "stty size </dev/tty", "24 200")
        t.resize(33, 99)
        ask(t, "and followed", "stty size </dev/tty", "33 99")
        ask(t, "variables of words are passed on", "echo term=$TERM messages=$LC_MESSAGES", "term=dumb messages=C")
        ask(t, "no other ones", "echo other=$SHELL_TEST_OTHER.", r"other=\.")
        t.type("sleep 1000\n")
        time.sleep(0.3)
        t.type("\x03")
        result("Ctrl-C ends the command", t.expect(prompt_of("rhel7")), t.seen[-400:])
        ask(t, "not the shell", "echo status=$?", "status=130")
        t.type("sleep 1000\n")
        time.sleep(0.3)
        t.type("\x1a")
        result("Ctrl-Z stops it", t.expect(r"Stopped .*sleep 1000"), t.seen[-400:])
        t.expect(r"\$ $")
        ask(t, "it goes on in the background", "bg; jobs", r"\[1\]\+ .*Running .*sleep 1000 &")
        ask(t, "the prefix can be written to", "echo changed >$CONDA_PREFIX/share/demo/data; cat $CONDA_PREFIX/share/demo/data", "changed")
        t.type("echo typed >from-shell\nset +o history; history -a\nexit 7\n")
        result("its status is the shell's, jobs or not", t.end() == 7, (t.status, t.seen[-400:]))
    os.unlink(marker.name)
    with open("from-shell") as f:
        result("what is written to the working folder stays", f.read() == "typed\n")


def check_ends(prefix):
    t = Terminal(ENVBUILD, "shell", "-q", prefix, "-t", "rhel7", *IMAGE)
    result("a prefix below the working folder", t.expect(r"^\(env@rhel7\) .*\$ $"), t.seen)
    ask(t, "is a throw-away one, too", "echo changed >$CONDA_PREFIX/share/demo/data; echo done", "done")
    t.type("\x04")
    result("Ctrl-D ends the shell", t.end() == 0, (t.status, t.seen[-400:]))
    with open(os.path.join(prefix, "share/demo/data")) as f:
        result("the prefix is as it was", f.read() == "as packed\n")
    result("-q says nothing", "thrown away" not in t.seen, t.seen)

    t = Terminal(ENVBUILD, "shell", ARCHIVE, "--timeout", "1", *IMAGE)
    before = t.modes()
    t.expect(r"\$ $")
    result("--timeout ends it", t.end() == 124, (t.status, t.seen[-400:]))
    t = Terminal("sh", "-c", '"$@"; stty -a | grep -o " -*echo " ; exit 0', "sh", ENVBUILD, "shell", ARCHIVE,
                 "--timeout", "1", *IMAGE)
    t.expect(r"\$ $")
    result("and leaves a terminal that echoes", t.expect("^ echo $") and before, t.seen[-200:])
    t.end()

    t = Terminal(ENVBUILD, "shell", ARCHIVE, *IMAGE)
    t.expect(r"\$ $")
    t.type("sleep 54321 &\n")
    t.expect(r"\$ $")
    os.close(t.fd)
    end = time.monotonic() + LIMIT
    while time.monotonic() < end and not os.waitpid(t.pid, os.WNOHANG)[0]:
        time.sleep(0.05)
    left = subprocess.run(["pgrep", "-f", "^sleep 54321$"], stdout=subprocess.PIPE, check=False).stdout
    result("a terminal that is closed ends it all", time.monotonic() < end and not left, left)


def check_run():
    t = Terminal("bash", "--norc", "--noprofile", "-i", env={"PS1": "OUT> "})
    t.expect("OUT> $")
    t.type("%s run -q %s --image %s -- cat\n" % (ENVBUILD, ARCHIVE, ROOT))
    time.sleep(0.5)
    t.type("hello\n")
    result("run: the terminal is the command's", t.expect("^hello\nhello$"), t.seen[-400:])
    t.type("\x1a")
    result("run: Ctrl-Z stops it for the shell outside", t.expect(r"Stopped .* cat$"), t.seen[-400:])
    t.expect("OUT> $")
    t.type("fg\n")
    t.expect(" cat$")
    t.type("again\n")
    result("run: fg lets it go on", t.expect("^again\nagain$"), t.seen[-400:])
    t.type("\x03")
    t.expect("OUT> $")
    t.type("echo status=$?\n")
    result("run: Ctrl-C ends it", t.expect("^status=130$"), t.seen[-400:])
    t.type("%s run -q %s --image %s -- cat &\n" % (ENVBUILD, ARCHIVE, ROOT))
    t.expect("OUT> $")
    t.type("echo front=here\n")
    result("run: in the background it leaves the terminal alone", t.expect("^front=here$"), t.seen[-400:])
    t.type("kill %1; exit 0\n")
    time.sleep(0.2)
    t.type("exit 0\n")
    t.end()

    t = Terminal(ENVBUILD, "run", "-q", ARCHIVE, *IMAGE, "--", "cat")
    time.sleep(0.5)
    t.type("one\n")
    t.expect("^one\none$")
    t.type("\x1atwo\n")
    result("run: where nobody waits, Ctrl-Z does not stop it", t.expect("two\ntwo$", 10), t.seen)
    t.type("\x04")
    result("run: it ends with its input", t.end() == 0, t.status)

    t = Terminal(ENVBUILD, "run", ARCHIVE, *IMAGE)
    result("run without a command is shell", t.expect(prompt_of("rhel7")), t.seen)
    t.type("exit 3\n")
    result("run without a command: its status", t.end() == 3, t.status)


def check_others():
    busybox = os.path.abspath("busybox-root")
    t = Terminal(ENVBUILD, "shell", ARCHIVE, "--image", busybox)
    result("a root without bash: its sh asks", t.expect(prompt_of("rhel7")), t.seen)
    ask(t, "a root without bash: the environment is active", "demo_greet; demo", "demo runs")
    t.type("exit 4\n")
    result("a root without bash: its status", t.end() == 4, t.status)

    bad = "odd$(touch expanded)`id`!name.tar.gz"
    os.link(ARCHIVE, bad)
    t = Terminal(ENVBUILD, "shell", bad, *IMAGE)
    result("a name that a prompt would expand", t.expect(r"^\(odd__touch_expanded__id__name@rhel7\) "), t.seen)
    t.type("exit\n")
    t.end()
    result("is not expanded", not os.path.exists("expanded"))

    here = os.getcwd()
    os.chdir("/usr")
    t = Terminal(ENVBUILD, "shell", ARCHIVE, *IMAGE)
    result("a folder of the system is not mounted, which is said", t.expect("'/usr' is not mounted"), t.seen)
    t.expect(r"^\(demo@rhel7\) /\$ $")
    t.type("exit\n")
    t.end()
    os.chdir(here)


def check_pipe():
    said = subprocess.run([ENVBUILD, "shell", ARCHIVE] + IMAGE, input=b"demo\nread x\na line\necho got $x\nexit 5\n",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    result("commands from stdin", said.stdout == b"demo runs\ngot a line\n", said)
    result("commands from stdin: the status", said.returncode == 5, said)
    result("commands from stdin: no prompt", b"demo@" not in said.stderr + said.stdout, said)


def check_none(archive):
    t = Terminal(ENVBUILD, "shell", archive, "--engine", "none")
    result("--engine none", t.expect(prompt_of("host")), t.seen)
    ask(t, "--engine none: the environment is active", "demo_greet; demo", "demo runs")
    t.type("sleep 1000 &\nexit 6\n")
    result("--engine none: its status, jobs or not", t.end() == 6, (t.status, t.seen[-400:]))


def check_engine(name):
    engine = IMAGE + ["--engine", name]
    t = Terminal(ENVBUILD, "shell", ARCHIVE, *engine)
    result(name + ": the prompt", t.expect(prompt_of("rhel7")), t.seen)
    ask(t, name + ": the environment is active", "demo_greet; demo", "demo runs")
    ask(t, name + ": the image is the target's", "ls -d /lib64/libc-2.17.so", "/lib64/libc-2.17.so")
    ask(t, name + ": /tmp is private", "ls -d /tmp/*/containers.conf || echo none-there", "none-there")
    ask(t, name + ": home", "echo home=$HOME", "home=/tmp")
    ask(t, name + ": the terminal's size is there", "stty size </dev/tty", "24 200")
    t.resize(33, 99)
    time.sleep(0.3)
    ask(t, name + ": and followed", "stty size </dev/tty", "33 99")
    for key, shows in ("\x03", prompt_of("rhel7")), ("\x1a", "Stopped .*sleep 1000"):
        t.type("sleep 1000\n")
        time.sleep(0.5)
        t.type(key)
        result("%s: %r" % (name, key), t.expect(shows), t.seen[-400:])
    t.type("bg\n")
    t.type("echo typed >from-%s; echo changed >$CONDA_PREFIX/share/demo/data; exit 7\n" % name)
    result(name + ": the status", t.end() == 7, (t.status, t.seen[-400:]))
    with open("from-" + name) as f:
        result(name + ": the working folder is the real one", f.read() == "typed\n")
    t = Terminal(ENVBUILD, "shell", "env", "-t", "rhel7", *engine)
    t.expect(r"\$ $")
    ask(t, name + ": a prefix can be written to", "echo changed >$CONDA_PREFIX/share/demo/data; echo done", "done")
    t.type("\x04")
    result(name + ": Ctrl-D", t.end() == 0, t.status)
    with open("env/share/demo/data") as f:
        result(name + ": the prefix is as it was", f.read() == "as packed\n")
    said = subprocess.run([ENVBUILD, "shell", ARCHIVE] + engine, input=b"demo\nread x\na line\necho got $x\nexit 5\n",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    result(name + ": commands from stdin", said.stdout == b"demo runs\ngot a line\n" and said.returncode == 5, said)
    said = subprocess.run([ENVBUILD, "run", ARCHIVE] + engine + ["--timeout", "20", "--", "sh", "-c", "demo; exit 9"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    result(name + ": run", said.stdout == b"demo runs\n" and said.returncode == 9, said)


os.environ.update(LC_MESSAGES="C", SHELL_TEST_OTHER="leaked")
if sys.argv[4] == "--engine":
    check_engine(sys.argv[5])
else:
    check_shell()
    check_ends("env")
    check_run()
    check_others()
    check_pipe()
    check_none(sys.argv[4])
