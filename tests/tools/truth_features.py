"""Programs and modules whose needs of glibc differ: one source each, compiled for several versions."""

import os

from truth_case import MODULES

# The versions that zig links for; "native" is the compiler of this machine.
GLIBCS = ("2.5", "2.12", "2.17", "2.28", "2.34")

# name: (the first glibc that has it, libraries, declarations, what the program does; 0 is good)
FEATURES = {
    "plain": ("2.5", "", "", "return 0;"),
    "threads": ("2.5", "-lpthread", "#include <pthread.h>\nstatic void *go(void *p) { return p; }",
                "pthread_t t; void *r; return pthread_create(&t, 0, go, &t) || pthread_join(t, &r) || r != &t;"),
    "once": ("2.5", "-lpthread", "#include <pthread.h>\nstatic pthread_once_t o; static int n; static void f(void) { n++; }",
             "return pthread_once(&o, f) || n != 1;"),
    "condition": ("2.5", "-lpthread", "#include <pthread.h>\nstatic pthread_cond_t c = PTHREAD_COND_INITIALIZER;",
                  "return pthread_cond_signal(&c);"),
    "semaphore": ("2.5", "-lpthread", "#include <semaphore.h>", "sem_t s; return sem_init(&s, 0, 1) || sem_wait(&s);"),
    "dlopen": ("2.5", "-ldl", "#include <dlfcn.h>", "return !dlsym(dlopen(0, RTLD_NOW), \"malloc\");"),
    "exp": ("2.5", "-lm", "#include <math.h>\nvolatile double one = 1;", "return exp(one) < 2 || log(one) > 0.1 || pow(one, one) < 1;"),
    "sine": ("2.5", "-lm", "#include <math.h>\nvolatile double one = 1;", "return sin(one) < 0.1;"),
    "clock": ("2.5", "-lrt", "#include <time.h>", "struct timespec t; return clock_gettime(CLOCK_REALTIME, &t);"),
    "shm": ("2.5", "-lrt", "#include <sys/mman.h>", "return shm_unlink(\"/no-such-name\") == 0;"),
    "timer": ("2.5", "-lrt", "#include <time.h>\n#include <signal.h>",
              "timer_t t; struct sigevent s = {.sigev_notify = SIGEV_NONE}; return timer_create(CLOCK_REALTIME, &s, &t);"),
    "stat": ("2.5", "", "#include <sys/stat.h>", "struct stat s; return stat(\"/\", &s);"),
    "spawn": ("2.5", "", "#include <spawn.h>", "posix_spawnattr_t a; return posix_spawnattr_init(&a) + !posix_spawn;"),
    "qsort": ("2.12", "", "static int c(const void *a, const void *b) { return *(const char *)a - *(const char *)b; }",
              "char t[] = \"ba\"; qsort_r(t, 2, 1, (void *)c, 0); return t[0] != 'a';"),
    "quick": ("2.12", "", "", "return at_quick_exit(abort) && !quick_exit;"),
    "syncfs": ("2.17", "", "", "return syncfs(-1) == 0;"),
    "secure": ("2.17", "", "", "return secure_getenv(\"NO_SUCH\") != NULL;"),
    "aligned": ("2.17", "", "", "return !aligned_alloc(64, 64);"),
    "random": ("2.28", "", "#include <sys/random.h>", "char b[4]; return getrandom(b, 4, 0) != 4;"),
    "memfd": ("2.28", "", "#include <sys/mman.h>", "return memfd_create(\"x\", 0) < 0;"),
    "renameat2": ("2.28", "", "", "return renameat2(-1, \"\", -1, \"\", 0) == 0;"),
    "fcntl64": ("2.28", "", "#include <fcntl.h>\nextern int fcntl64(int, int, ...);", "return fcntl64(1, F_GETFD) < 0;"),
    "single": ("2.34", "", "extern char __libc_single_threaded;", "return __libc_single_threaded == 77;"),
}
# What only the C library of this machine is known to have: run by that of the root, or not at all.
NATIVE = {
    "memcpy": ("", "void *volatile to;", "to = malloc(argc * 4); memcpy(to, argv[0], argc); return 0;"),
    "arc4random": ("", "extern unsigned arc4random(void);", "return arc4random() == 77;"),
}
HEAD = "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n"
PROGRAM = HEAD + "%s\nstatic int work(int argc, char **argv) { (void)argc, (void)argv; %s }\n" \
    "int main(int argc, char **argv) { if (work(argc, argv)) return 1; puts(\"ok\"); return 0; }\n"
MODULE = HEAD + "%s\nint work(int argc, char **argv) { (void)argc, (void)argv; %s }\n"


def number(version):
    return tuple(int(part) for part in version.split("."))


def sources(zig):
    """(path of what is made, compiler's words, source's name, source)."""
    out = []

    def both(name, compiler, libraries, head, body):
        out.append(("programs/bin/" + name, compiler + ["-o"], libraries, PROGRAM % (head, body)))
        out.append(("modules/" + MODULES + name + ".so", compiler + ["-shared", "-fPIC", "-o"], libraries, MODULE % (head, body)))

    for name, (first, libraries, head, body) in FEATURES.items():
        for glibc in GLIBCS if zig else ():
            if number(glibc) >= number(first):
                both("%s-%s" % (name, glibc), [zig, "cc", "-target", "x86_64-linux-gnu." + glibc, "-s", "-O1", "-w"],
                     libraries.split(), head, body)
        both(name + "-native", ["gcc", "-s", "-O1", "-w"], libraries.split(), head, body)
    for name, (libraries, head, body) in NATIVE.items():
        both(name + "-native", ["gcc", "-s", "-O1", "-w"], libraries.split(), head, body)
    return out


LOADER = HEAD + """#include <dlfcn.h>
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (!dlopen(argv[i], RTLD_NOW)) {
			puts(dlerror());
			return 1;
		}
	puts("ok");
	return 0;
}
"""


def loader(zig):
    compiler = [zig, "cc", "-target", "x86_64-linux-gnu.2.5"] if zig else ["gcc"]
    return "loader", compiler + ["-s", "-O1", "-o"], ["-ldl"], LOADER


def job(folder, made):
    """The command that makes one file below folder, whose source it writes."""
    path, words, libraries, text = made
    source = os.path.join(folder, "src", path.replace("/", "-") + ".c")
    os.makedirs(os.path.dirname(source), exist_ok=True)
    os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
    with open(source, "w", encoding="utf-8") as f:
        f.write(text)
    return words + [os.path.join(folder, path), source] + libraries
