"""Rows of tests/bench/run: starting and ending a command in a root file system.

The command is /bin/true of a root of Debian 12 (else the one of glibc 2.17): envbuild's sandbox, as
one of many jobs of an engine and as a process of its own, which also looks at the root and tries
the sandbox once; then bwrap, runc and podman on the same root, where installed.  None gets a
network.  The sandbox alone has a root that can be written to and a limit of processes.
"""
import json
import os
import re
import shlex
import statistics
import subprocess

import solve

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
GOAL = 0.005
JOBS = 200


def find_root(build):
    cache = os.environ.get('ENVBUILD_TEST_CACHE') or os.path.join(build, 'test-cache')
    for name in ('bookworm', 'glibc217'):
        made = subprocess.run([os.path.join(ROOT, 'tests/tools/roots.sh'), name,
                               os.path.join(cache, 'roots')], stdout=subprocess.PIPE, text=True)
        if made.returncode == 0:
            return made.stdout.strip()
    return None


def loop(tool, root):
    """Mean seconds of a job in an engine that is open; the median of five such loops."""
    means = []
    for _ in range(5):
        said = subprocess.run([*tool, *root, '--times', str(JOBS), '--', '/bin/true'], check=True,
                              stderr=subprocess.PIPE, text=True).stderr
        means.append(float(re.search(r'^([0-9.]+) ms$', said, re.M).group(1)) / 1000)
    return statistics.median(means)


def time_command(bench, command, env=None):
    """Median seconds of a whole process, or why there are none."""
    report = bench.path('hyperfine.json')
    timed = subprocess.run(['hyperfine', '-N', '--style', 'none', '--warmup', '3', '--runs', '30',
                            '--export-json', report, shlex.join(command)],
                           env=dict(bench.env, **(env or {})), cwd=bench.work,
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if timed.returncode != 0:
        alone = subprocess.run(command, env=dict(bench.env, **(env or {})), cwd=bench.work,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        return (alone.stdout.strip().splitlines() or ['it fails'])[-1]
    with open(report, encoding='utf-8') as f:
        return json.load(f)['results'][0]['median']


def row(bench, work, seconds, goal=None):
    """seconds: a time, or why there is none."""
    if not isinstance(seconds, float):
        print('%-46s %s' % (work, seconds), flush=True)
        return
    out = {'work': work, 'seconds': round(seconds, 5), 'load': os.getloadavg()[0]}
    if goal:
        out['goal_seconds'] = goal
    bench.rows.append(out)
    print('%-46s %8.2f ms%s' % (work, seconds * 1000,
                                '   goal %.3g ms' % (goal * 1000) if goal else ''), flush=True)


def bwrap(root):
    return ['bwrap', '--unshare-all', '--die-with-parent', '--ro-bind', root, '/', '--proc', '/proc',
            '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/run', '/bin/true'], None


def runc(bench, root):
    bundle = bench.path('bundle')
    os.makedirs(bundle)
    subprocess.run(['runc', 'spec', '--bundle', bundle], check=True)
    path = os.path.join(bundle, 'config.json')
    with open(path, encoding='utf-8') as f:
        config = json.load(f)
    config['process'].update(args=['/bin/true'], terminal=False, rlimits=[])
    config['root'] = {'path': root, 'readonly': True}
    solve.write_json(path, config)
    return ['runc', '--root', bench.path('runc'), 'run', '--bundle', bundle, 'envbuild-bench'], None


def podman(bench, root):
    """What a host with hybrid cgroups and few capabilities needs, too."""
    conf = bench.path('containers.conf')
    with open(conf, 'w', encoding='utf-8') as f:
        f.write('[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\n'
                'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n')
    where = ['--root', bench.path('podman'), '--runroot', bench.path('podman-run')]
    return ['podman', *where, 'run', '--rm', '--network', 'none', '--read-only', '--rootfs', root + ':O',
            '/bin/true'], {'CONTAINERS_CONF': conf}


def rows(bench, build):
    root = find_root(build)
    tool = [os.path.join(build, 'release/tools/sandbox'), '--state', bench.path('state')]
    if not root:
        print('engines: no root file system can be made here')
        return
    target = ['--target', 'rhel7', '--root', root]
    name = os.path.basename(root)
    peers = {'bwrap': lambda: bwrap(root), 'runc': lambda: runc(bench, root),
             'podman': lambda: podman(bench, root)}
    times = {}
    for peer, command in peers.items():
        try:
            words, env = command()
            times[peer] = time_command(bench, words, env)
        except FileNotFoundError:
            times[peer] = 'it is not installed'
    # podman mounts its storage upon itself, and leaves that where a container fails
    subprocess.run(['umount', '-q', os.path.join(bench.path('podman'), 'overlay')], check=False)
    for where, words in ((name, target), ('this machine', [])):
        row(bench, 'start and end of a job on ' + where, loop(tool, words), GOAL)
    row(bench, 'a process of its own, root looked at',
        time_command(bench, [*tool, *target, '--', '/bin/true']))
    for peer, seconds in times.items():
        row(bench, '%s on %s' % (peer, name), seconds)
