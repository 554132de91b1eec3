#!/usr/bin/env python3
"""Compares the audit's model of ld.so (tests/tools/audit_load.c) with the ld.so of a root.

    unshare -m check_loader.py ROOT WORK TOOL DLOPEN SEED GROUPS

Root only: the root is mounted at WORK/root with a layer above it, where libraries of a host, an
ld.so.cache and small environments of random shape are put: files that need each other, with all that
decides where the loader looks.  Both are asked for the programs of the root and of each environment,
and for modules opened by DLOPEN.  A group has a host of its own and four environments; in every third
one symbols are needed too.  Prints lines for `checker` of tests/lib.sh.
"""
import os
import random
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_elf  # noqa: E402

LD_SO = '/lib64/ld-linux-x86-64.so.2'
NAMES = ['libq%s.so' % c for c in 'abcdefgh']
VERSIONS = ['V_1', 'V_2', 'V_3']
FOLDERS = ['bin', 'lib', 'lib', 'lib', 'lib/sub', 'lib/sub/er', 'x', 'x/lib64', 'lib/tls',
           'lib/x86_64', 'lib/glibc-hwcaps/x86-64-v2', 'lib/glibc-hwcaps/x86-64-v3', 'x/tls/x86_64',
           'linked-to']
RPATHS = ['$ORIGIN/../lib', '$ORIGIN/../lib', '$ORIGIN', '${ORIGIN}/sub', '$ORIGIN/../x', '@/x', '@/lib/',
          '$ORIGIN/../$LIB', '', '$ORIGIN/../../lib', '/opt/own', '/nowhere', '$ORIGIN/../lib/sub/er',
          '$ORIGIN/../link', '$ORIGIN/../$PLATFORM', '@/lib/../x', '$ORIGIN/../none/../lib',
          '$ORIGIN/$NONE', '/usr/lib/', '@/link']
HOST = ['/opt/host', '/opt/host', '/opt/host', '/opt/own', '/usr/lib', '/lib64', '/usr/lib64', '/usr/lib/tls',
        '/opt/host/glibc-hwcaps/x86-64-v2', '/opt/host/glibc-hwcaps/x86-64-v3', '/usr/lib/x86_64',
        '/usr/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu/glibc-hwcaps/x86-64-v2']
SYMBOLS = ['s%d' % i for i in range(6)]
failures = []
counts = {}


def count(what, n=1):
    counts[what] = counts.get(what, 0) + n


def fail(name, detail):
    failures.append(name)
    if len(failures) <= 8:
        print('fail %s: %s' % (name, detail))


def processor():
    with open('/proc/cpuinfo', encoding='ascii', errors='replace') as file:
        lines = file.read().splitlines()
    flags = set(next((l for l in lines if l.startswith('flags')), ':').split(':')[1].split())
    intel = any('GenuineIntel' in l for l in lines)
    if {'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'} <= flags:
        return 'skylake_avx512' if intel else 'x86_64_v4'
    if {'avx2', 'bmi1', 'bmi2', 'fma', 'movbe', 'abm'} <= flags:
        return 'haswell' if intel else 'x86_64_v3'
    return 'x86_64_v2' if {'sse4_2', 'popcnt', 'ssse3'} <= flags else 'x86_64'


class Random(random.Random):
    def may(self, percent):
        return self.random() * 100 < percent

    def some(self, pool, most):
        return self.sample(pool, self.randint(0, min(most, len(pool))))


class World:
    """An environment (at /opt/wN of the root), or libraries of the host."""

    def __init__(self, root, prefix, r, symbols):
        self.root, self.prefix, self.r, self.symbols = root, prefix, r, symbols
        self.modules = []

    def at(self, path):
        return self.root + self.prefix + '/' + path

    def rpath(self):
        r = self.r
        picked = r.some(RPATHS, 3) or ['$ORIGIN/../lib']
        # a path that is empty as a whole is not told from one that is not there
        return ':'.join(p.replace('@', self.prefix or '/opt/w') for p in picked) or ':'

    def names(self, most):
        r = self.r
        picked = r.some(NAMES, most)
        for i, name in enumerate(picked):
            if r.may(15):
                picked[i] = name + '.1'
            elif r.may(4):
                picked[i] = r.choice([self.prefix + '/lib/' + name, '$ORIGIN/' + name, 'lib/' + name,
                                      '/opt/host/' + name])
        return picked

    def write(self, path, program=False, plain=False):
        r = self.r
        own = os.path.basename(path)
        needed = self.names(4 if program else 2)
        # the loader is not fit for work without the C library
        options = {'needed': needed + r.choice([[], [], [], ['libc.so.6'],
                                                ['ld-linux-x86-64.so.2', 'libc.so.6']])}
        if program:
            options['interpreter'] = LD_SO
        elif r.may(70):
            options['soname'] = r.choice([own, own, own, own + '.1', r.choice(NAMES)])
        if r.may(75):
            options[r.choice(['rpath', 'rpath', 'runpath'])] = self.rpath()
        if r.may(5):
            options['rpath'] = options['runpath'] = self.rpath()
        if r.may(40) and not program:
            options['defines'] = VERSIONS[:r.randint(1, 3)]
        needs = []
        for name in needed:
            if r.may(25) and '/' not in name:
                needs.append((r.choice([name] * 15 + [name + '.1']),
                              [(v, r.may(15)) for v in r.sample(VERSIONS, 1 if r.may(80) else 2)]))
        options['needs'] = needs
        if not plain:
            if r.may(4):
                options['kernel'] = r.choice([(2, 6, 32), (99, 0, 0)])
            if r.may(4):
                options['no_defaults'] = True
            if not program and r.may(4):
                options['machine'] = r.choice([3, 21, 183])
            if not program and r.may(3):
                options['kind'] = r.choice([1, 2])
        if self.symbols:
            options.update(self.some_symbols(options))
        make_elf.write(self.at(path), **options)
        if not program and not plain and r.may(15):
            self.spoil(self.at(path))

    def some_symbols(self, options):
        r = self.r
        defines = [None] + options.get('defines', [])
        defined = [(s, r.choice(defines), False) for s in r.some(SYMBOLS, 4)]
        defined = [(s, v, bool(v) and r.may(30)) for s, v, _ in defined]
        if len(defines) > 2:  # a second version of a symbol
            defined += [(s, r.choice([d for d in defines if d and d != v]), True)
                        for s, v, hidden in defined if v and r.may(30)]
        wanted = [(f, v) for f, versions in options['needs'] for v, weak in versions]
        undefined = [(s, r.choice([None] + wanted), r.may(20)) for s in r.some(SYMBOLS, 2)
                     if s not in [d[0] for d in defined]]
        return {'defined': defined, 'undefined': undefined}

    def spoil(self, path):
        with open(path, 'r+b') as file:
            if self.r.may(30):
                file.truncate(self.r.choice([0, 10, 63]))
            elif self.r.may(50):
                file.write(b'GROUP ( libc.so.6 )\n')
            else:
                file.write(b'\x7fELF\x02\x02\x01' + bytes(10) + b'\x03\x00\x15')  # ppc64

    def fill(self):
        r = self.r
        for name in NAMES:
            for folder in sorted(set(r.choices(FOLDERS, k=r.randint(1, 2)))):
                path = folder + '/' + name + ('.1' if r.may(12) else '')
                if r.may(8) and not os.path.lexists(self.at(path)):
                    os.makedirs(os.path.dirname(self.at(path)), exist_ok=True)
                    os.symlink(r.choice([self.prefix + '/lib/' + r.choice(NAMES), 'none', name,
                                         '../lib/' + r.choice(NAMES), '/opt/host/' + name]), self.at(path))
                elif not os.path.lexists(self.at(path)):
                    self.write(path)
                    self.modules.append(path)
        os.symlink(r.choice(['lib', 'linked-to', '/opt/host', '../none', self.prefix + '/x/../lib']),
                   self.at('link'))
        for i in range(4):
            self.write('bin/p%d' % i, program=True)
        os.symlink('../bin/p0', self.at('lib/p4'))


def host(root, r, symbols):
    world = World(root, '', r, symbols)
    for name in NAMES:
        for folder in sorted(set(r.choices(HOST, k=2))):
            if os.path.isdir(os.path.realpath(root + os.path.dirname(folder))) or 'opt' in folder:
                os.makedirs(root + folder, exist_ok=True)
                world.write(folder[1:] + '/' + name + ('.1' if r.may(30) else ''), plain=True)


# --- the real one ------------------------------------------------------------------------------

def start(root, words, **variables):
    def enter():
        os.chroot(root)
        os.chdir('/tmp')  # which brings nothing to paths that are relative
    done = subprocess.run(words, env=dict(variables), preexec_fn=enter, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    return done.returncode, done.stdout.decode(errors='replace')


class Truth:
    """What the loader says when it is asked to list, and when it starts the program."""

    def __init__(self, root, program, runs):
        self.status, self.said = start(root, [program], LD_BIND_NOW='1') if runs else (None, '')
        self.listed, text = start(root, [program], LD_TRACE_LOADED_OBJECTS='1')
        self.objects, self.missing = [], set()
        for line in text.splitlines():
            if not line.startswith('\t') or 'linux-vdso' in line or line == '\tstatically linked':
                continue
            line = line.strip()
            name, _, path = line.partition(' => ')
            if path == 'not found':
                self.missing.add(name)
            else:
                self.objects.append((path or name).rsplit(' (', 1)[0])


# --- the model ---------------------------------------------------------------------------------

class Load:
    def __init__(self):
        self.objects, self.missing, self.broken, self.lacks, self.symbols = [], set(), set(), [], []

    def passes(self):
        return not (self.missing or self.broken or self.lacks or self.symbols)

    def why(self):
        return 'missing %s broken %s lacks %s symbols %s' % (
            sorted(self.missing), sorted(self.broken), self.lacks, self.symbols)


def ask(tool, root, prefix, symbols, *words):
    command = [tool, root, prefix, processor(), os.uname().release.split('-')[0]]
    text = subprocess.run(command + (['-s'] if symbols else []) + list(words), check=True,
                          stdout=subprocess.PIPE).stdout.decode()
    loads = {}
    for line in text.splitlines():
        what, *fields = line.split('\t')
        if what == 'load':
            load = loads[fields[0], fields[1]] = Load()
        elif what == 'object':
            load.objects.append(fields[0])
        elif what == 'missing':
            (load.broken if fields[2] == 'broken' else load.missing).add(fields[0])
        elif what == 'lacks':
            load.lacks.append(fields)
        elif what == 'symbol':
            load.symbols.append(fields)
        elif what == 'time':
            count('microseconds', int(fields[0]))
    return loads


# --- both --------------------------------------------------------------------------------------

def compare(name, root, path, load, runs=True):
    truth = Truth(root, path, runs)
    count('objects', len(load.objects))
    count('missing', len(load.missing))
    count('broken', len(load.broken))
    count('lacks', len(load.lacks))
    count('symbols', len(load.symbols))
    if runs and (truth.status == 0) != load.passes():
        fail(name, 'ends with %d: %s; the model: %s' % (truth.status, truth.said[:300], load.why()))
    if runs:
        count('programs that start' if truth.status == 0 else 'programs that do not')
    # what is broken ends the list, and so does a version of what nobody loads
    if load.broken or truth.listed:
        if load.passes():
            fail(name, 'cannot be listed; the model: %s' % load.why())
        return
    count('lists')
    # newer ones list themselves, needed or not
    listed, told = ([o for o in objects if o != LD_SO] for objects in (truth.objects, load.objects))
    if listed != told or truth.missing != load.missing:
        fail(name, 'lists %s, not %s; the model: %s, not %s' % (
            listed, sorted(truth.missing), told, sorted(load.missing)))


def compare_own(tool, root):
    for prefix in ('/bin', '/usr/bin'):
        if os.path.islink(root + prefix):
            continue
        for (program, _), load in ask(tool, root, prefix, False).items():
            count('programs of the root')
            compare(prefix + '/' + program, root, prefix + '/' + program, load, runs=False)


def compare_module(name, root, prefix, module, load):
    status, said = start(root, [prefix + '/bin/dlopen', prefix + '/' + module])
    objects = [l[1:] for l in said.splitlines() if l.startswith('=') and 'linux-vdso' not in l]
    objects = sorted(o for o in objects if o not in ('', prefix + '/bin/dlopen'))
    count('modules that load' if status == 0 else 'modules that do not')
    if (status == 0) != load.passes():
        fail(name, 'ends with %d: %s; the model: %s' % (status, said[-300:], load.why()))
    elif status == 0 and set(objects) - {LD_SO} != set(load.objects) - {LD_SO}:
        fail(name, 'lists %s; the model: %s' % (objects, load.objects))


def compare_world(tool, dlopen, root, seed, symbols):
    r = Random(seed)
    prefix = '/opt/w%d' % seed
    world = World(root, prefix, r, symbols)
    world.fill()
    for (program, _), load in ask(tool, root, prefix, symbols).items():
        compare('world %d %s' % (seed, program), root, prefix + '/' + program, load)
    shutil.copy(dlopen, world.at('bin/dlopen'))
    modules = world.r.sample(world.modules, min(5, len(world.modules)))
    for (_, module), load in ask(tool, root, prefix, symbols, 'bin/dlopen', *modules).items():
        compare_module('world %d module %s' % (seed, module), root, prefix, module, load)
    shutil.rmtree(root + prefix)


def mount(base, work):
    for name in ('root', 'upper', 'layer'):
        os.makedirs(os.path.join(work, name))
    root = os.path.join(work, 'root')
    subprocess.run(['mount', '-t', 'overlay', 'overlay', '-o', 'lowerdir=%s,upperdir=%s/upper,workdir=%s/layer' %
                    (base, work, work), root], check=True)
    subprocess.run(['mount', '--bind', '/proc', root + '/proc'], check=True)
    return root


def clear_host(root):
    for folder in sorted(set(HOST)):
        for name in os.listdir(root + folder) if os.path.isdir(root + folder) else ():
            if name.startswith(tuple(NAMES)):
                os.unlink(os.path.join(root + folder, name))


def make_host(root, seed, group):
    clear_host(root)
    host(root, Random(seed), group % 3 == 2)
    with open(root + '/etc/ld.so.conf', 'w', encoding='ascii') as file:
        file.write('/opt/host\n')
    subprocess.run(['ldconfig', '-r', root, '-c', 'compat' if group % 2 else 'new'],
                   stderr=subprocess.DEVNULL, check=False)
    if group % 4 == 3:
        os.unlink(root + '/etc/ld.so.cache')


def main():
    base, work, tool, dlopen = sys.argv[1:5]
    first, groups = int(sys.argv[5]), int(sys.argv[6])
    root = mount(base, work)
    compare_own(tool, root)
    for group in range(groups):
        make_host(root, first + group, group)
        for i in range(4):
            compare_world(tool, dlopen, root, first + 4 * group + i, group % 3 == 2)
    print('counts ' + ', '.join('%s: %d' % item for item in sorted(counts.items())))
    wanted = ['lists', 'objects', 'missing', 'broken', 'lacks', 'symbols', 'programs that start',
              'programs that do not', 'modules that load', 'modules that do not']
    if not os.path.exists(root + '/bin/busybox'):
        wanted.append('programs of the root')
    for what in wanted:
        print('%s there are some: %s' % ('ok' if counts.get(what) else 'fail', what))
    print('%s the model says what the loader says%s' % (
        ('fail', ': %d do not agree' % len(failures)) if failures else ('ok', '')))


if __name__ == '__main__':
    main()
