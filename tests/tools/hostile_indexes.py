#!/usr/bin/env python3
"""Channels and environment files that are hard on a solver, in the folder given.

    hostile_indexes.py FOLDER

NAME/linux-64/repodata.json and NAME.yml, which asks it for something; see CASES.
"""
import json
import os
import random
import subprocess
import sys

top = sys.argv[1]


def record(name, version, build='0', number=0, depends=(), **more):
    return '%s-%s-%s.conda' % (name, version, build), dict(
        name=name, version=version, build=build, build_number=number, size=1, sha256='0' * 64,
        depends=list(depends), **more)


def text_channel(name, text):
    os.makedirs('%s/%s/linux-64' % (top, name), exist_ok=True)
    path = '%s/%s/linux-64/repodata.json' % (top, name)
    with open(path, 'w') as file:
        file.write(text)
    os.utime(path, (1, 1))


def large_channel(name, before, fill, after):
    folder = '%s/%s/linux-64' % (top, name)
    os.makedirs(folder)
    with open(folder + '/repodata.json.zst', 'wb') as file:
        run = subprocess.Popen(['zstd', '-q', '-1'], stdin=subprocess.PIPE, stdout=file)
        run.stdin.write(before.encode())
        for _ in range(2048):
            run.stdin.write(fill * (1 << 20))
        run.stdin.write(after.encode())
        run.stdin.close()
        if run.wait():
            sys.exit('zstd failed')


def channel(name, records):
    text_channel(name, json.dumps({'packages.conda': dict(records)}))


def environment(name, lines, of=None):
    with open('%s/%s.yml' % (top, name), 'w') as file:
        file.write('name: x\nchannels: [./%s]\ndependencies:\n' % (of or name))
        file.writelines('  - "%s"\n' % line for line in lines)


def many_builds():
    """200,000 builds of one name: all versions, one version, and each a requirement of its own."""
    n = 200000
    base = [record('dep%d' % i, str(v)) for i in range(20) for v in (1, 2, 3)]
    channel('versions', base + [
        record('big', '1.%d' % i, depends=['dep%d >=%d' % (i % 20, 1 + i % 3)]) for i in range(n)])
    environment('versions', ['big'])
    environment('versions-none', ['big <1'], 'versions')
    environment('versions-against', ['dep7 3', 'big', 'dep7 2'], 'versions')
    channel('builds', base + [
        record('big', '1.0', 'h%d_%d' % (i, i), i, ['dep%d >=%d' % (i % 20, 1 + i % 3)])
        for i in range(n)])
    environment('builds', ['big'])
    channel('each', [record('big', '1.%d' % i, depends=['twin 1.%d' % i]) for i in range(n)] +
            [record('twin', '1.%d' % i) for i in range(n)])
    environment('each', ['big'])


def long_ways():
    """A cycle of 1,000 names, a chain of 20,000, a request of 100,000 lines."""
    versions = ('1', '2', '3')
    channel('cycle', [record('c%d' % i, v, depends=['c%d >=%s' % ((i + 1) % 1000, v)])
                      for i in range(1000) for v in versions])
    environment('cycle', ['c0'])
    environment('cycle-against', ['c0 3', 'c500 2'], 'cycle')
    channel('chain', [record('c%d' % i, v, depends=['c%d >=%s' % (i + 1, v)] if i < 19999 else [])
                      for i in range(20000) for v in versions])
    environment('chain', ['c0'])
    environment('chain-against', ['c0 3', 'c19999 2'], 'chain')
    channel('lines', [record('p%d' % i, v) for i in range(100000) for v in ('1', '2')])
    environment('lines', ['p%d >=1' % i for i in range(100000)])
    environment('same', ['p1 >=0.%d' % i for i in range(100000)], 'lines')


def satisfiability(name, variables, seed):
    """Random 3-SAT where it is hardest: a name for each variable and each clause."""
    dice = random.Random(seed)
    clauses = int(4.27 * variables)
    records = [record('x%d' % i, v) for i in range(variables) for v in ('0', '1')]
    for clause in range(clauses):
        for n, variable in enumerate(dice.sample(range(variables), 3)):
            records.append(record('k%d' % clause, str(n),
                                  depends=['x%d %d' % (variable, dice.randrange(2))]))
    channel(name, records)
    environment(name, ['k%d' % i for i in range(clauses)] + ['x%d' % i for i in range(variables)])


def texts():
    """What is too long, too deep, too many."""
    long = '1.' * 4999 + '1'
    channel('long', [record('a', long), record('b', '1', depends=['a ==' + long]),
                     record('c', '1', depends=['d ' + '1|' * 40000 + '1']), record('ok', '1')])
    environment('long-dependency', ['b'], 'long')
    environment('long-clause', ['c'], 'long')
    environment('long-request', ['a ==' + long], 'long')
    environment('long-ok', ['ok'], 'long')
    channel('deps', [record('a', '1', depends=['d%d >=1' % i for i in range(1000000)]),
                     record('ok', '1')])
    environment('deps', ['a'])
    environment('deps-ok', ['ok'], 'deps')
    text_channel('deep', '{"packages.conda":{"a-1-0.conda":{"name":"a","x":%s%s}}}' %
                 ('[' * 100000, ']' * 100000))
    environment('deep', ['a'])
    one = '{"packages.conda":{"a-1-0.conda":{"name":"a","version":"1","build":"0","depends":[]'
    text_channel('cut', one)
    text_channel('lie', one.replace('"name":"a"', '"name":"b"') + '}}}')
    text_channel('types', one.replace('"0"', '["0"]') + '}}}')
    text_channel('list', '[' + one + '}}}]')
    for name in ('cut', 'lie', 'types', 'list', 'string', 'spaces'):
        environment(name, ['a'])
    # 2 GiB each, of which one is a single text.
    large_channel('string', one + ',"license":"', b'x', '"}}}')
    large_channel('spaces', one, b' ', '}}}')
    with open(top + '/yaml-deep.yml', 'w') as file:
        file.write('dependencies: ' + '[' * 100000)
    with open(top + '/yaml-bomb.yml', 'w') as file:
        file.write('a: &a [x, x, x, x, x, x, x, x, x]\n')
        for one, other in zip('bcdefghijkl', 'abcdefghijk'):
            file.write('%s: &%s [%s]\n' % (one, one, ', '.join(['*' + other] * 9)))
        file.write('dependencies: *l\n')
    with open(top + '/yaml-huge.yml', 'w') as file:
        file.write('name: x\ndependencies:\n')
        for _ in range(40):
            file.write('  # ' + 'x' * (1 << 20) + '\n')
        file.write('  - ok\n')


many_builds()
long_ways()
satisfiability('sat-yes', 60, 600)
satisfiability('sat-no', 60, 601)
satisfiability('sat-hard', 250, 2500)
texts()
