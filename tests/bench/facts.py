"""A row of tests/bench/run: what the ELF facts of packages cost beside extracting these."""
import glob
import os
import statistics
import subprocess

RUNS = 3


def rows(bench, build):
    """Processor time of one thread; tests/tools/facts_cost.c says what is counted."""
    packages = sorted(glob.glob(os.path.join(bench.data, 'channel/*/*.conda')) +
                      glob.glob(os.path.join(bench.data, 'channel/*/*.tar.bz2')))
    cache = os.path.join(bench.memory or bench.work, 'facts')
    found = []
    for _ in range(RUNS):
        out = subprocess.run([os.path.join(build, 'release/tools/facts_cost'), cache] + packages, check=True,
                             stdout=subprocess.PIPE, encoding='utf-8',
                             env=dict(os.environ, ENVBUILD_NO_FSYNC='1')).stdout
        found.append([float(word) for word in out.split()])
    n, files, extracting, facts, unpacked, elf, symbols = (
        statistics.median(column) for column in zip(*found))
    bench.add('facts and symbols of %d ELF files' % files, facts,
              'extracting their %d packages' % n, extracting)
    bench.rows[-1].update(share=round(facts / extracting, 4), bytes=int(elf), symbols_bytes=int(symbols),
                          unpacked_bytes=int(unpacked))
    print('%-46s %8.2f %% (at most 5)   %.1f MB of %.0f MB' % (
        '  of the time of extracting', 100 * facts / extracting, (elf + symbols) / 1e6, unpacked / 1e6))
