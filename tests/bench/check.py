"""Rows of tests/bench/run: whether a lock still fits, and a lock in which one package moves.

The lock is that of solves/sci.txt, 257 packages, for two targets.
"""
import os
import subprocess

import solve


def rows(bench):
    data = bench.data
    specs, offered = solve.request_of(os.path.join(data, 'solves/sci.txt'))
    os.makedirs(bench.path('check'))
    solve.write_json(bench.path('check/environment.yml'), {
        'name': 'check', 'channels': ['file://' + os.path.join(data, 'repodata/conda-forge')],
        'dependencies': specs})
    targets = []
    for name in ('one', 'two'):
        solve.write_json(bench.path('check/%s.yml' % name), {
            'name': name, 'subdir': 'linux-64', 'virtual-packages': offered})
        targets += ['-t', 'check/%s.yml' % name]
    subprocess.run([bench.program, 'lock', 'check', *targets, '--as-of', '2025-09-01', '-q'],
                   check=True, env=bench.env, cwd=bench.work)
    solve.row(bench, 'lock --check, 257 packages, two targets',
              solve.measure(bench, ['lock', '--check', 'check', *targets], runs=30), (0.05, None))
    solve.row(bench, 'lock --update of one package, two targets',
              solve.measure(bench, ['lock', 'check', *targets, '--update', 'pandas', '-o',
                                    'check/other.lock'], runs=10), (0.3, None))
