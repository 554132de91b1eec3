"""Rows of tests/bench/run: an audit of the installed prefix, with nothing kept of it and with all kept.

The yardstick reads the dynamic sections and versions of the same ELF files with readelf, which judges
nothing and looks for no paths; find's stat of every file stands beside what is kept.
"""
import os
import shutil
import statistics
import subprocess
import time

RUNS = 5
TARGETS = {'not kept': 0.5, 'kept': 0.05}


def elf_files(prefix):
    out = []
    for folder, _, names in os.walk(prefix):
        for name in names:
            path = os.path.join(folder, name)
            if os.path.islink(path) or os.path.getsize(path) < 64:
                continue
            with open(path, 'rb') as f:
                if f.read(4) == b'\x7fELF':
                    out.append(path)
    return out


def size_of(prefix):
    return sum(os.lstat(os.path.join(folder, name)).st_size
               for folder, _, names in os.walk(prefix) for name in names)


def place(bench, run, where, folder):
    prefix, cache = bench.path('linked'), os.path.join(folder, 'audit-cache')
    if folder != bench.work:
        prefix = os.path.join(folder, 'audited')
        run(['cp', '-a', bench.path('linked'), prefix])
    files = elf_files(prefix)
    print('audit, %s: %.0f MB, %d ELF files' % (where, size_of(prefix) / 1e6, len(files)))
    env = dict(bench.env, ENVBUILD_CACHE=cache)
    audit = [bench.program, 'audit', prefix, '-q', '--ignore', '*:*=measured']

    def fresh():
        shutil.rmtree(cache, ignore_errors=True)
        os.mkdir(cache)
    times = {'not kept': [], 'kept': [], 'readelf': [], 'find': []}
    # What is younger than the clock of the file system can tell is not kept.
    time.sleep(0.3)
    for _ in range(RUNS):
        fresh()
        times['not kept'].append(run(audit, env=env))
        times['kept'].append(run(audit, env=env))
        times['readelf'].append(run(['xargs', '-0', 'readelf', '-dV'], files))
        times['find'].append(run(['find', prefix, '-printf', '%T@ %C@ %s %i\\n']))
    mine = {name: statistics.median(v) for name, v in times.items()}
    bench.add('audit, nothing kept, ' + where, mine['not kept'], 'readelf -dV of its ELF files', mine['readelf'])
    bench.rows[-1]['to_reach'] = TARGETS['not kept']
    bench.add('audit, all kept, ' + where, mine['kept'], 'find -printf of all files', mine['find'])
    bench.rows[-1]['to_reach'] = TARGETS['kept']
    if folder != bench.work:
        shutil.rmtree(prefix)
    shutil.rmtree(cache)


def rows(bench, run):
    """bench.install() has left the prefix `linked`."""
    def timed(command, words=None, **more):
        if words is None:
            return run(command, **more)
        started = time.monotonic()
        subprocess.run(command, check=True, input=b'\0'.join(w.encode() for w in words),
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.monotonic() - started
    place(bench, timed, 'disk', bench.work)
    if bench.memory:
        place(bench, timed, 'tmpfs', bench.memory)
