"""Rows of tests/bench/run: a request without a solution, explained, beside one of its size that has a solution."""
import os

import solve

TIMES = 3  # what the explanation may cost: so many solves


def pins_of(bench):
    """Every package of the reference answer at its version."""
    with open(os.path.join(bench.data, 'solves/sci.txt'), encoding='utf-8') as f:
        names = [line.strip().split('/')[1] for line in f if '/' in line and not line.startswith('#')]
    stems = [name[:-len('.conda' if name.endswith('.conda') else '.tar.bz2')] for name in names]
    return ['='.join(stem.rsplit('-', 2)[:2]) for stem in stems]


def old_target(bench):
    _, offered = solve.request_of(os.path.join(bench.data, 'solves/sci.txt'))
    solve.write_json(bench.path('old.yml'), {
        'name': 'old', 'subdir': 'linux-64', 'virtual-packages': [
            '__glibc=2.12' if v.startswith('__glibc=') else v for v in offered]})


def words(name, target):
    return ['lock', name + '.yml', '-t', target, '-o', name + '.lock']


def compare(bench, what, size, channel, specs, more, target):
    """specs with the lines `more`, which has no solution for the target."""
    bench.channels.environment('possible', channel, specs)
    bench.channels.environment('impossible', channel, specs + more)
    yardstick, _ = solve.measure(bench, words('possible', './target.yml'), runs=20)
    solve.row(bench, 'no solution, %s: %s' % (size, what),
              solve.measure(bench, words('impossible', target), runs=20, failure=True),
              (TIMES * yardstick, None), yardstick=('the same with one', yardstick))


def rows(bench):
    specs, pins = bench.channels.specs, pins_of(bench)
    old_target(bench)
    for channel, size in (('small', '40,266'), ('big', '805,320')):
        compare(bench, 'two of 8 lines', size, channel, specs, ['python=2.7'], './target.yml')
        compare(bench, 'the target', size, channel, specs, ['numpy>=2.2'], './old.yml')
        compare(bench, 'two of %d lines' % (len(pins) + 1), size, channel, pins, ['numpy<2'],
                './target.yml')
