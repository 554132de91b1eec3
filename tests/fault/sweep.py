#!/usr/bin/env python3
"""Makes file system calls of envbuild fail, one at a time, and looks at what is left.

    tests/fault/sweep.py ENVBUILD SHIM [--sample N] [--errors E,E] [WAY...]

A way is a command with a known good result.  For each call that it makes below its folders the
command is run with that call failing (tests/fault/shim.c).  Then:

  - it must say so: exit status not 0 and an error with the cause, or 0 with the whole result;
  - every entry of the package cache is whole (as in a run without faults) or absent;
  - the result is absent, marked as unfinished, as before, or whole; of one that grows or shrinks
    file by file each is as before, whole or a temporary;
  - for want of descriptors no entry is thrown away;
  - the same command without faults gives the whole result, and no temporaries stay.

Prints TAP: one test per way and kind of fault.  --sample: only so many calls of each, spread evenly.
"""
import argparse
import fnmatch
import glob
import hashlib
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import tarfile
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'tools'))
import make_package  # noqa: E402

CAUSES = {'EIO': 'Input/output error', 'ENOSPC': 'No space left', 'EDQUOT': 'quota exceeded',
          'EROFS': 'Read-only file system', 'EACCES': 'Permission denied',
          'EMFILE': 'Too many open files'}
# Which calls can fail so; of the others each.
CALLS = {'ENOSPC': 'grow', 'EMFILE': 'open'}
UNFINISHED = '.envbuild-unfinished'
TRANSACTION = 'conda-meta/.envbuild-transaction'
# The date of a revision, and who works on a prefix.
LEAVE_OUT = ('conda-meta/history', '.envbuild-busy*')
# Of files that appear by a rename.
TEMPORARIES = ('.*.tmp', '*/.*.tmp')
TIME_LIMIT = 120


def tree(folder, leave_out=()):
    """What lies below: path -> what can be compared."""
    found = {}
    for base, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(base, name)
            rel = os.path.relpath(path, folder)
            info = os.lstat(path)
            if any(fnmatch.fnmatch(rel, pattern) for pattern in leave_out):
                continue
            if stat.S_ISLNK(info.st_mode):
                found[rel] = os.readlink(path)
            elif stat.S_ISDIR(info.st_mode):
                found[rel] = 'folder'
            else:
                with open(path, 'rb') as f:
                    digest = hashlib.sha256(f.read()).hexdigest()
                found[rel] = '%o %s' % (stat.S_IMODE(info.st_mode), digest)
    return found


def differ(a, b):
    keys = sorted(k for k in set(a) | set(b) if a.get(k) != b.get(k))
    return ', '.join('%s (%s, %s)' % (k, a.get(k), b.get(k)) for k in keys[:3])


def make_channel(program, folder):
    channel = make_package.Channel(folder)
    old = b'/' + b'old_placehold' * 6 + b'_placehold'
    body = b'#!' + old + b'/bin/sh\necho ' + old + b'\n'
    listed = [{'_path': 'bin/tool', 'path_type': 'hardlink', 'file_mode': 'text',
               'prefix_placeholder': old.decode(), 'size_in_bytes': len(body),
               'sha256': hashlib.sha256(body).hexdigest()}]
    files = [make_package.member('bin/tool', body, mode=0o755)]
    for i in range(4):
        data = b'%d' % i * 3000
        files.append(make_package.member('share/one/%d' % i, data))
        listed.append({'_path': 'share/one/%d' % i, 'path_type': 'hardlink',
                       'size_in_bytes': len(data), 'sha256': hashlib.sha256(data).hexdigest()})
    channel.tarball('one', files, listing=listed)
    channel.conda('two', [make_package.member('share/two/data', b'2' * 100000),
                          make_package.member('share/two/link', kind=make_package.SYM, link='data')],
                  index={'depends': ['one']})
    # An ELF file that says nothing, so that what is known of it is written.
    elf = b'\x7fELF\2\1\1' + bytes(9) + struct.pack('<HHIQQQIHHHHHH', 3, 62, 1, 0, 64, 0, 0, 64, 56, 0, 0, 0, 0)
    channel.conda('three', [make_package.member('share/three/data', b'3' * 5000),
                            make_package.member('lib/three.so', elf, mode=0o755)])
    subprocess.run([program, 'channel', 'index', folder, '-q'], check=True)


def make_root(path):
    """A root file system of two layers' worth of kinds."""
    with tarfile.open(path, 'w:gz') as tar:
        for name, kind, link, data in (
                ('usr/bin', tarfile.DIRTYPE, '', b''), ('bin', tarfile.SYMTYPE, 'usr/bin', b''),
                ('bin/tool', tarfile.REGTYPE, '', b'tool' * 9000),
                ('usr/bin/twin', tarfile.LNKTYPE, 'bin/tool', b''),
                ('etc/passwd', tarfile.REGTYPE, '', b'root\n'),
                ('etc/passwd', tarfile.REGTYPE, '', b'other\n')):
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size, info.mode = kind, link, len(data), 0o755
            tar.addfile(info, io.BytesIO(data))


class Way:
    """One command, and what it makes."""

    def __init__(self, name, words, result, setup=None, warm=False, once=False, stepwise=False,
                 old=False, mends=False, at_length=False, beside=None, then=None):
        self.name, self.words, self.result = name, words, result
        self.setup, self.warm = setup, warm
        self.once = once  # refuses to make again what is whole
        self.stepwise = stepwise  # the result grows or shrinks file by file
        self.old = old  # nothing in the cache was used just now
        self.mends = mends  # takes out what it cannot read, and says so
        self.at_length = at_length  # left out of a sample
        self.beside = beside  # (folder, names): nothing else is there when all is well again
        self.then = then  # a command that works after it, too


class Sweep:
    def __init__(self, program, shim, work):
        self.program, self.shim, self.work = os.path.abspath(program), os.path.abspath(shim), work
        self.channel = os.path.join(work, 'channel')
        self.place = os.path.join(work, 'place')
        self.cache = os.path.join(self.place, 'cache')
        self.saved = os.path.join(work, 'saved')
        self.data = os.path.join(self.place, 'data')
        self.env = dict(os.environ, ENVBUILD_CACHE=self.cache, ENVBUILD_DATA=self.data, SOURCE_DATE_EPOCH='1600000000',
                        LC_ALL='C')
        make_channel(self.program, self.channel)

    def environment(self, name, dependencies):
        with open(os.path.join(self.place, name), 'w', encoding='utf-8') as f:
            json.dump({'name': 'demo', 'channels': ['file://' + self.channel],
                       'dependencies': dependencies}, f)

    def run(self, words, **shim):
        env = dict(self.env)
        if shim:
            env.update(LD_PRELOAD=self.shim, SHIM_PATHS=self.place, **shim)
        return subprocess.run([self.program, *words], env=env, cwd=self.place, timeout=TIME_LIMIT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, encoding='utf-8', errors='replace')

    def good(self, words):
        done = self.run(words)
        if done.returncode:
            raise RuntimeError('%s: %s' % (words, done.stderr))

    def fresh(self, way):
        shutil.rmtree(self.place, ignore_errors=True)
        if os.path.isdir(self.saved):
            shutil.copytree(self.saved, self.place, symlinks=True)
            return
        os.mkdir(self.place)
        self.environment('environment.yml', ['two'])
        self.environment('other.yml', ['one', 'three'])
        make_root(os.path.join(self.place, 'root.tgz'))
        for words in way.setup or ():
            self.good(words)
        if not way.warm:
            shutil.rmtree(self.cache, ignore_errors=True)
        if way.old:
            for entry in glob.glob(os.path.join(self.cache, 'pkgs/*/*')):
                os.utime(entry, (1600000000, 1600000000))
        shutil.copytree(self.place, self.saved, symlinks=True)

    def entries(self):
        found = {}
        shelves = os.path.join(self.cache, 'pkgs')
        for shelf in os.listdir(shelves) if os.path.isdir(shelves) else ():
            for key in os.listdir(os.path.join(shelves, shelf)):
                found[key] = tree(os.path.join(shelves, shelf, key))
        return found

    def made(self, way):
        path = os.path.join(self.place, way.result)
        if os.path.isdir(path):
            return tree(path, LEAVE_OUT + (TEMPORARIES if way.stepwise else ()))
        if os.path.exists(path):
            with open(path, 'rb') as f:
                return {way.result: hashlib.sha256(f.read()).hexdigest()}
        return {}

    def begin(self, way):
        """What the command finds, what it makes, and how many calls of each kind it needs."""
        shutil.rmtree(self.saved, ignore_errors=True)
        self.fresh(way)
        self.found, self.found_entries = self.made(way), self.entries()
        counts = os.path.join(self.work, 'counts')
        if os.path.exists(counts):
            os.unlink(counts)
        done = self.run(way.words, SHIM_COUNT=counts)
        if done.returncode:
            raise RuntimeError('%s: %s' % (way.name, done.stderr))
        self.whole = self.made(way)
        self.whole_entries = {**self.found_entries, **self.entries()}
        with open(counts, encoding='ascii') as f:
            return {op: int(n) for op, n in (line.split() for line in f)}

    def complaints(self, way, done, cause, killed):
        """What is wrong after the faulty run."""
        made, wrong = self.made(way), []
        settled = {k: v for k, v in made.items() if not k.startswith(TRANSACTION)}
        # A change that is committed is ended by whoever comes next.
        ended = TRANSACTION + '/committed' not in made
        if done.returncode == 0 and ended and settled != self.whole:
            wrong.append('status 0 with a wrong result: ' + differ(made, self.whole))
        if done.returncode < 0 and not killed:
            wrong.append('died of signal %d' % -done.returncode)
        if done.returncode > 0 and 'envbuild: error: ' not in done.stderr:
            wrong.append('no error was shown: ' + done.stderr[-200:])
        elif done.returncode > 0 and cause and cause not in done.stderr:
            wrong.append('the cause is not named: ' + done.stderr[-300:])
        if 'Success' in done.stderr or 'Sanitizer' in done.stderr:
            wrong.append('strange words: ' + done.stderr[-300:])
        for key, entry in self.entries().items():
            if entry != self.whole_entries.get(key, entry):
                wrong.append('cache entry %s: %s' % (key, differ(entry, self.whole_entries[key])))
        if cause == CAUSES['EMFILE'] and done.returncode:
            wrong += ['cache entry %s is gone' % key for key in self.found_entries
                      if key not in self.entries()]
        if not self.excused(way, made):
            wrong.append('the result is half: ' + differ(made, self.whole))
        if done.returncode and cause == CAUSES['ENOSPC']:
            wrong += self.leftovers('after the fault')
        return wrong

    def excused(self, way, made):
        if way.stepwise:
            return all(v in (self.whole.get(k), self.found.get(k)) for k, v in made.items())
        return made in ({}, self.whole, self.found) or UNFINISHED in made or TRANSACTION in made

    def leftovers(self, when):
        found = []
        for name in ('cache/tmp', 'cache/work', 'data/images/work'):
            folder = os.path.join(self.place, name)
            if os.path.isdir(folder) and os.listdir(folder):
                found.append('%s: left in %s: %s' % (when, name, os.listdir(folder)[0]))
        return found

    def recover(self, way):
        if way.once and self.made(way) == self.whole:
            return []
        done = self.run(way.words)
        if done.returncode:
            return ['the next run fails: ' + done.stderr[-300:]]
        made = self.made(way)
        if made != self.whole and not (way.mends and self.excused(way, made)):
            return ['the next run gives something else: ' + differ(made, self.whole)]
        return self.afterwards(way)

    def afterwards(self, way):
        wrong = []
        if way.beside:
            folder, names = way.beside
            wrong = ['left in %s: %s' % (folder, name) for name in os.listdir(os.path.join(self.place, folder))
                     if not any(fnmatch.fnmatch(name, pattern) for pattern in names)]
        if way.then:
            done = self.run(way.then)
            if done.returncode:
                wrong.append('%s fails: %s' % (way.then, done.stderr[-300:]))
        return wrong

    def one(self, way, op, error, n, lasting):
        self.fresh(way)
        killed = error.startswith('KILL')
        shim = {'SHIM_FAIL': '%s:%s:%d' % (op, error, n)}
        if lasting:
            shim['SHIM_LASTING'] = '1'
        try:
            done = self.run(way.words, **shim)
            wrong = self.complaints(way, done, CAUSES.get(error), killed)
            return wrong + self.recover(way)
        except subprocess.TimeoutExpired:
            return ['it hangs']


def spread(n, sample):
    """Numbers of calls from 1 to n, at most `sample`, first and last among them."""
    if not sample or n <= sample:
        return range(1, n + 1)
    return sorted({1 + round(i * (n - 1) / (sample - 1)) for i in range(sample)})


WAYS = [
    Way('lock', ['lock', '-t', 'host', '-q'], 'envbuild.lock'),
    Way('install', ['install', '-t', 'host', '-q', '-p', 'env', '-j1'], 'env'),
    Way('install from a warm cache', ['install', '-t', 'host', '-q', '-p', 'env', '-j1'], 'env',
        setup=[['install', '-t', 'host', '-q', '-p', 'other']], warm=True),
    Way('change', ['install', 'other.yml', '-t', 'host', '-q', '-p', 'env', '-j1'], 'env',
        setup=[['install', '-t', 'host', '-q', '-p', 'env']], warm=True),
    Way('pack', ['pack', '-t', 'host', '-q', '--no-test', '-j1'], 'demo.tar.gz',
        setup=[['lock', '-t', 'host', '-q'], ['install', '-t', 'host', '-q', '-p', 'other']],
        warm=True),
    Way('pack a squashfs', ['pack', '-t', 'host', '-q', '--no-test', '-j1', '--format', 'squashfs'],
        'demo.squashfs', warm=True, at_length=True,
        setup=[['lock', '-t', 'host', '-q'], ['install', '-t', 'host', '-q', '-p', 'other']]),
    Way('pack a folder', ['pack', '-t', 'host', '-q', '--no-test', '-j1', '--format', 'dir'], 'demo',
        warm=True, at_length=True,
        setup=[['lock', '-t', 'host', '-q'], ['install', '-t', 'host', '-q', '-p', 'other']]),
    Way('pack in parts', ['pack', '-t', 'host', '-q', '--no-test', '-j1', '--split', '10k'],
        'demo.tar.gz.00', warm=True, at_length=True,
        setup=[['lock', '-t', 'host', '-q'], ['install', '-t', 'host', '-q', '-p', 'other']]),
    Way('pack with kept segments', ['pack', '-t', 'host', '-q', '--no-test', '-j1', '--force'], 'demo.tar.gz',
        setup=[['pack', '-t', 'host', '-q', '--no-test', '-o', 'other.tar.gz']], warm=True),
    Way('unpack', ['unpack', 'demo.tar.gz', 'env', '-q', '-j1'], 'env',
        setup=[['pack', '-t', 'host', '-q', '--no-test']], once=True),
    Way('deploy', ['deploy', 'new.tar.gz', 'root', '--version', '2', '--untested', '--no-test', '-q', '-j1'],
        'root/current', warm=True, at_length=True,
        beside=('root', ('current', 'demo-1', 'demo-2', 'deployments.jsonl')),
        then=['deploy', '--rollback', 'root', '--version', '1', '-q'],
        setup=[['pack', '-t', 'host', '-q', '--no-test'],
               ['pack', 'other.yml', '-t', 'host', '-q', '--no-test', '-o', 'new.tar.gz'],
               ['deploy', 'demo.tar.gz', 'root', '--version', '1', '--untested', '--no-test', '-q']]),
    Way('deploy back', ['deploy', '--rollback', 'root', '--version', '1', '-q', '-j1'],
        'root/current', warm=True, at_length=True,
        beside=('root', ('current', 'demo-1', 'demo-2', 'deployments.jsonl')),
        then=['deploy', '--rollback', 'root', '--version', '2', '-q'],
        setup=[['pack', '-t', 'host', '-q', '--no-test'],
               ['pack', 'other.yml', '-t', 'host', '-q', '--no-test', '-o', 'new.tar.gz'],
               ['deploy', 'demo.tar.gz', 'root', '--version', '1', '--untested', '--no-test', '-q'],
               ['deploy', 'new.tar.gz', 'root', '--version', '2', '--untested', '--no-test', '-q']]),
    Way('vault', ['vault', 'envbuild.lock', 'vault', '-q', '-j1'], 'vault',
        setup=[['lock', '-t', 'host', '-q']], warm=True, stepwise=True),
    Way('index', ['channel', 'index', 'vault', '--shards', '-q', '-j1'], 'vault',
        setup=[['lock', '-t', 'host', '-q'], ['vault', 'envbuild.lock', 'vault', '-q', '-j1']],
        warm=True, stepwise=True),
    Way('verify', ['cache', 'verify', '-j1'], 'cache/pkgs',
        setup=[['install', '-t', 'host', '-q', '-p', 'other']], warm=True, stepwise=True, mends=True),
    Way('clean', ['cache', 'clean', '--all', '-q'], 'cache/pkgs',
        setup=[['install', '-t', 'host', '-q', '-p', 'other']], warm=True, stepwise=True, old=True),
    Way('image import', ['image', 'import', 'x', 'root.tgz', '-q'], 'data/images/trees'),
    Way('image rm', ['image', 'rm', 'x', '-q'], 'data/images/names', once=True,
        setup=[['image', 'import', 'x', 'root.tgz', '-q']]),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('program')
    parser.add_argument('shim')
    parser.add_argument('--sample', type=int, default=0)
    parser.add_argument('--errors', default='EIO,ENOSPC,EMFILE,KILL,KILLED')
    parser.add_argument('ways', nargs='*')
    args = parser.parse_args()
    tests = failed = 0
    # Short: a run that a fault leaves without a sandbox builds at a path of 100 bytes, if it can.
    with tempfile.TemporaryDirectory(prefix='f.') as work:
        sweep = Sweep(args.program, args.shim, os.path.realpath(work))
        for way in WAYS:
            if way.name not in args.ways if args.ways else way.at_length and args.sample:
                continue
            counts = sweep.begin(way)
            for error in args.errors.split(','):
                wrong, runs = [], 0
                op = CALLS.get(error, 'any')
                for n in spread(counts[op], args.sample):
                    runs += 1
                    wrong += ['%s at call %d: %s' % (error, n, w)
                              for w in sweep.one(way, op, error, n, error == 'ENOSPC')]
                tests += 1
                failed += bool(wrong)
                print('%sok %d - %s: %s at %d of %d calls' % (
                    'not ' if wrong else '', tests, way.name, error, runs, counts[op]))
                print(''.join('# %s\n' % w.replace('\n', ' ') for w in wrong[:20]), end='')
                sys.stdout.flush()
            sweep.fresh(way)
            done = sweep.run(way.words, SHIM_SHORT='1')
            bad = done.returncode or sweep.made(way) != sweep.whole
            tests += 1
            failed += bool(bad)
            print('%sok %d - %s: every read and write is short' % ('not ' if bad else '', tests, way.name))
            if bad:
                print('# %s' % done.stderr[-300:].replace('\n', ' '))
    print('1..%d' % tests)
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
