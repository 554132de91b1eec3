"""The most room that packing takes at once, cache, prefix, archive and test copy together."""
import os
import shutil
import subprocess
import threading

EVERY = 0.02  # seconds between two looks


class Peak:
    """The most that the file system of a folder held more than at the beginning."""

    def __init__(self, folder):
        self.folder, self.most, self.stop = folder, 0, threading.Event()

    def used(self):
        st = os.statvfs(self.folder)
        return (st.f_blocks - st.f_bfree) * st.f_frsize

    def watch(self):
        while not self.stop.wait(EVERY):
            self.most = max(self.most, self.used() - self.start)

    def __enter__(self):
        self.start = self.used()
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def rows(bench):
    """On tmpfs, where nobody else writes: from an empty cache to a tested archive."""
    if not bench.memory:
        return
    place = os.path.join(bench.memory, 'peak')
    with open(bench.path('peak-test.sh'), 'w', encoding='utf-8') as f:
        f.write('python -c "import flask"\n')
    for words in ([], ['--low-disk']):
        os.mkdir(place)
        env = dict(bench.env, ENVBUILD_CACHE=os.path.join(place, 'cache'))
        with Peak(place) as peak:
            subprocess.run([bench.program, 'pack', '-t', 'host', '-q', '--test',
                            bench.path('peak-test.sh'), '-o', os.path.join(place, 'site.tar.gz'),
                            *words], check=True, env=env, cwd=bench.work, stdin=subprocess.DEVNULL)
        shutil.rmtree(place)
        name = ' '.join(['pack', *words]) + ', empty cache, with its test: most room taken'
        print('%-66s %8.0f MB' % (name, peak.most / 1e6))
        bench.rows.append({'work': name, 'bytes': peak.most})
