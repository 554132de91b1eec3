"""Rows of tests/bench/run: `envbuild lock` as a whole process, at the size of a sample and of conda-forge.

The request is solves/sci.txt, 257 packages.  hyperfine takes the times; a run more tells the peak
of memory.  The peer's figures (micromamba 2.8.1) come from another machine with two cores; what
the same run has beside them is the index decompressed into sha256sum, the least that anybody does
who reads it.
"""
import json
import os
import shlex
import shutil
import subprocess

NGINX = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'tools', 'nginx.sh')


def request_of(path):
    with open(path, encoding='utf-8') as f:
        head = dict(line[2:].strip().split(': ', 1) for line in f if line.startswith('# '))
    return head['request'].split(), head['virtual-packages'].split()


def write_json(path, value):
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(value, f)


def measure(bench, words, before=None, runs=10, failure=False):
    """Median seconds and peak megabytes of envbuild with these words; before: run in front of each."""
    command = [bench.program, *words, '-q']
    report = bench.path('hyperfine.json')
    prepare = ['--prepare', shlex.join(before)] if before else ['--warmup', '2']
    timed = subprocess.run(['hyperfine', '-N', '--style', 'none', '--runs', str(runs), *prepare,
                            *(['--ignore-failure'] if failure else []), '--export-json', report,
                            shlex.join(command)], env=bench.env, cwd=bench.work,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if timed.returncode != 0:
        raise SystemExit('bench: %s: %s' % (shlex.join(command), timed.stderr))
    if before:
        subprocess.run(before, check=True, cwd=bench.work)
    child = subprocess.Popen(command, env=bench.env, cwd=bench.work, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    if (child.returncode != 0) != failure:
        raise SystemExit('bench: %s ended with %d' % (shlex.join(command), child.returncode))
    with open(report, encoding='utf-8') as f:
        return json.load(f)['results'][0]['median'], usage.ru_maxrss / 1000


def row(bench, work, measured, goal, peer=None, yardstick=None):
    """goal, peer: (seconds, megabytes or None); yardstick: (name, seconds)."""
    seconds, megabytes = measured
    out = {'work': work, 'seconds': round(seconds, 3), 'megabytes': round(megabytes),
           'goal_seconds': goal[0], 'goal_megabytes': goal[1], 'load': os.getloadavg()[0]}
    text = '%-46s %8.3f s %5.0f MB   goal %.3g s%s' % (
        work, seconds, megabytes, goal[0], ' %d MB' % goal[1] if goal[1] else '')
    if peer:
        out.update(peer_seconds=peer[0], ratio_to_peer=round(peer[0] / seconds, 1))
        text += '   peer %.3g s, %.0f times' % (peer[0], peer[0] / seconds)
    if yardstick:
        out.update(yardstick=yardstick[0], yardstick_seconds=round(yardstick[1], 3),
                   ratio=round(seconds / yardstick[1], 2))
        text += '   %s %.2f s' % yardstick
    bench.rows.append(out)
    print(text, flush=True)


def index_files(folder):
    return [os.path.join(folder, subdir, 'repodata.json.zst') for subdir in ('linux-64', 'noarch')]


def hash_index(bench, run, folder):
    times = sorted(run(['sh', '-c', 'zstd -dcq "$@" | sha256sum', 'sh', *index_files(folder)])
                   for _ in range(3))
    return 'zstd -dc | sha256sum', times[1]


def lock_words(name):
    return ['lock', name + '.yml', '-t', './target.yml', '-o', name + '.lock']


class Channels:
    """The sample, and the same grown to the size of conda-forge, served by a private nginx."""

    def __init__(self, bench):
        self.bench = bench
        self.small = os.path.join(bench.data, 'repodata/conda-forge')
        self.big = os.path.join(bench.keep, 'big')  # made once: it takes 15 s
        if not os.path.exists(os.path.join(self.big, 'done')):
            scale = os.path.join(os.path.dirname(bench.data), 'tools/scale_repodata.py')
            subprocess.run(['python3', scale, self.small, self.big], check=True,
                           stdout=subprocess.DEVNULL)
            with open(os.path.join(self.big, 'done'), 'w', encoding='ascii'):
                pass
        os.makedirs(bench.path('www'))
        os.symlink(self.small, bench.path('www/small'))
        os.symlink(self.big, bench.path('www/big'))
        self.port = subprocess.run(
            [NGINX, 'start', bench.path('nginx'), bench.path('www')], check=True,
            stdout=subprocess.PIPE, text=True).stdout.strip()
        specs, offered = request_of(os.path.join(bench.data, 'solves/sci.txt'))
        self.specs = specs
        for name in ('small', 'big'):
            self.environment(name, name, specs)
        write_json(bench.path('target.yml'), {'name': 'target', 'subdir': 'linux-64',
                                              'virtual-packages': offered})

    def environment(self, name, channel, specs):
        write_json(self.bench.path(name + '.yml'), {
            'name': name, 'channels': ['http://127.0.0.1:%s/%s' % (self.port, channel)],
            'dependencies': specs})

    def close(self):
        subprocess.run([NGINX, 'stop', self.bench.path('nginx')], check=True)


def rows(bench, run):
    bench.channels = Channels(bench)
    small, big = bench.channels.small, bench.channels.big
    row(bench, 'solve, 40,266 records, warm', measure(bench, lock_words('small'), runs=30),
        (0.03, None), (0.73, 97), hash_index(bench, run, small))
    forget = ['rm', '-rf', bench.env['ENVBUILD_CACHE']]
    row(bench, 'solve, 805,320 records, cold, .zst',
        measure(bench, lock_words('big'), forget, runs=5), (1.5, 400), (23.4, 1080),
        hash_index(bench, run, big))
    row(bench, 'solve, 805,320 records, warm', measure(bench, lock_words('big'), runs=20),
        (0.15, 120), (17.0, 1000))
    shutil.copy(bench.path('big.lock'), bench.path('cold.lock'))
