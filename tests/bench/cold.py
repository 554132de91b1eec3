"""Rows of tests/bench/run: packages into an empty cache and a prefix, from .tar.bz2 and from .conda.

The yardstick does the least of the same work with other programs: every package decompressed by
bzip2 or zstd and unpacked by tar, as many at once as there are cores, and nothing made of it.
"""
import glob
import io
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile

LEVEL = '-16'  # decompression takes much the same at 19, which conda uses


def compress(data):
    return subprocess.run(['zstd', LEVEL, '-T0', '-cq'], input=data, stdout=subprocess.PIPE,
                          check=True).stdout


def split(path):
    """The two tars of a .conda from a .tar.bz2."""
    data = subprocess.run(['bzip2', '-dc', path], stdout=subprocess.PIPE, check=True).stdout
    parts = {'info': io.BytesIO(), 'pkg': io.BytesIO()}
    tars = {part: tarfile.open(fileobj=to, mode='w', format=tarfile.GNU_FORMAT)
            for part, to in parts.items()}
    with tarfile.open(fileobj=io.BytesIO(data)) as old:
        for member in old:
            part = 'info' if member.name.startswith('info/') else 'pkg'
            tars[part].addfile(member, old.extractfile(member) if member.isreg() else None)
    for tar in tars.values():
        tar.close()
    return {part: to.getvalue() for part, to in parts.items()}


def make_conda(path, to):
    stem = os.path.basename(path)[:-len('.tar.bz2')]
    with zipfile.ZipFile(to + '.part', 'w', zipfile.ZIP_STORED) as z:
        z.writestr('metadata.json', '{"conda_pkg_format_version": 2}')
        for part, tar in sorted(split(path).items(), reverse=True):
            z.writestr('%s-%s.tar.zst' % (part, stem), compress(tar))
    os.rename(to + '.part', to)


def conda_channel(bench, packages, folder):
    """The same packages as .conda, kept from one run of the bench to the next."""
    for path in packages:
        subdir, fn = path.split(os.sep)[-2:]
        os.makedirs(os.path.join(folder, subdir), exist_ok=True)
        to = os.path.join(folder, subdir, re.sub(r'\.tar\.bz2$', '.conda', fn))
        if os.path.exists(to):
            continue
        if fn.endswith('.conda'):
            shutil.copy(path, to)
        else:
            make_conda(path, to)
    bench.envbuild('channel', 'index', folder)


def write_environment(bench, name, channel, specs):
    with open(bench.path(name), 'w', encoding='utf-8') as f:
        json.dump({'name': 'cold', 'channels': ['file://' + channel], 'dependencies': specs}, f)


def locked(bench, lock):
    with open(bench.path(lock), encoding='utf-8') as f:
        return sorted(set(re.findall(r'^- conda: file://(\S+)$', f.read(), re.M)))


def unpack_parts(packages, folder):
    """Files that zstd can read: what is in the zips, which needs no decompressing."""
    for path in packages:
        with zipfile.ZipFile(path) as z:
            for name in z.namelist():
                if name.endswith('.tar.zst'):
                    z.extract(name, folder)
    return glob.glob(os.path.join(folder, '*.zst'))


def yardstick(run, program, files, place):
    """run(): each file decompressed into a folder of its own."""
    one = 'd=$(mktemp -d "$0/x.XXXXXX") && %s -dc "$1" | tar xf - -C "$d"' % program
    os.mkdir(place)
    every = 'printf "%s\\0" "$@" | xargs -0 -n 1 -P "$jobs" sh -c "$one" "$0"'
    return run(['sh', '-c', every, place, *files],
               env=dict(os.environ, one=one, jobs=str(os.cpu_count())))


def rows(bench, run, specs, keep):
    """For the disk, and for memory where there is some, so that the program's own share is seen."""
    write_environment(bench, 'bz2.yml', bench.data + '/channel', specs)
    bench.envbuild('lock', 'bz2.yml', '-t', 'host', '-o', 'bz2.lock')
    bz2 = locked(bench, 'bz2.lock')
    conda_channel(bench, bz2, keep)
    write_environment(bench, 'conda.yml', keep, specs)
    bench.envbuild('lock', 'conda.yml', '-t', 'host', '-o', 'conda.lock')
    conda = locked(bench, 'conda.lock')
    parts = unpack_parts(conda, bench.path('parts'))
    tarballs = [p for p in bz2 if p.endswith('.bz2')]
    places = [('disk', bench.work)] + ([('tmpfs', bench.memory)] if bench.memory else [])
    for where, place in places:
        for kind, n, program, files in (('bz2', len(bz2), 'bzip2', tarballs),
                                        ('conda', len(conda), 'zstd', parts)):
            row(bench, run, where, place, kind, n, program, files)
    shutil.rmtree(bench.path('parts'))


def row(bench, run, where, place, kind, n, program, files):
    base = os.path.join(place, 'cold')
    turn = [0]

    def fresh():
        turn[0] += 1  # not removed between: ext4 is slow to give out inodes that were just freed
        os.makedirs('%s.%d' % (base, turn[0]))

    def install():
        folder = '%s.%d' % (base, turn[0])
        env = dict(bench.env, ENVBUILD_CACHE=folder + '/cache')
        return run([bench.program, 'install', kind + '.lock', '-t', 'host', '-p', folder + '/env',
                    '--no-compile', '-q'], env=env, cwd=bench.work)
    bench.row('install %d packages, empty cache (%s), %s' % (n, kind, where), install,
              '%s -dc | tar x, %d at once' % (program, os.cpu_count()),
              lambda: yardstick(run, program, files, '%s.%d/x' % (base, turn[0])), before=fresh)
    for folder in glob.glob(base + '.*'):
        shutil.rmtree(folder)
