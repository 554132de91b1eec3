"""Rows of tests/bench/run: `envbuild lock` from a channel in shards at the size of conda-forge.

The channel is that of solve.py, whose nginx serves it; the lock must be that of its repodata.json.
Needs python3-msgpack.  An emptied cache is put aside rather than removed: ext4 is slow to give out
inodes that were freed a moment ago.
"""
import os
import subprocess

from solve import lock_words, measure, row

MAKE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools',
                    'make_shards.py')


def make_channel(bench):
    folder = os.path.join(bench.keep, 'shards')  # made once: it takes 15 s
    if not os.path.exists(os.path.join(folder, 'done')):
        subprocess.run([MAKE, '--only', bench.channels.big, folder], check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, 'done'), 'w', encoding='ascii'):
            pass
    os.symlink(folder, bench.path('www/shards'))
    bench.channels.environment('shards', 'shards', bench.channels.specs)


def read_lock(bench, name, channel):
    with open(bench.path(name + '.lock'), encoding='utf-8') as f:
        return f.read().replace('/%s' % channel, '/CHANNEL')


def rows(bench):
    """After those of solve.py, which leave big.lock."""
    try:
        make_channel(bench)
    except (OSError, subprocess.CalledProcessError) as e:
        print('bench: no shards: %s' % e)
        return
    put_aside = 'mkdir -p cache old && mv cache "$(mktemp -d old/XXXXXX)"'
    cold = measure(bench, lock_words('shards'), ['sh', '-c', put_aside], runs=9)
    row(bench, 'solve, 805,320 records, cold, sharded', cold, (0.3, 80))
    row(bench, 'solve, 805,320 records, warm, sharded',
        measure(bench, lock_words('shards'), runs=20), (0.15, 120))
    if read_lock(bench, 'shards', 'shards') != read_lock(bench, 'big', 'big'):
        raise SystemExit('bench: another lock from shards')
