"""Writing `.conda` packages (CEP 34, CEP 35): a stored zip of two tar.zst.

The same input gives the same bytes.
"""
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
import zipfile

# What stands in text files for the place the package is installed to; 255 characters, as
# conda-build makes it.
PLACEHOLDER = ('/opt/demo-channel/' + 'placehold_' * 24)[:255]


def entries(tree):
    """Paths below tree of all files, links and empty folders, sorted."""
    found = []
    for folder, folders, files in os.walk(tree):
        links = [d for d in folders if os.path.islink(os.path.join(folder, d))]
        for name in files + links:
            found.append(os.path.relpath(os.path.join(folder, name), tree))
        if not folders and not files and folder != tree:
            found.append(os.path.relpath(folder, tree))
    return sorted(found, key=os.fsencode)


def path_record(tree, path):
    """The entry of one path in info/paths.json."""
    full = os.path.join(tree, path)
    if os.path.islink(full):
        record = {'_path': path, 'path_type': 'softlink'}
        if not os.path.isfile(full):
            return dict(record, sha256=hashlib.sha256(b'').hexdigest(), size_in_bytes=0)
    elif os.path.isdir(full):
        return {'_path': path, 'path_type': 'directory'}
    else:
        record = {'_path': path, 'path_type': 'hardlink'}
    with open(full, 'rb') as file:
        data = file.read()
    if record['path_type'] == 'hardlink' and PLACEHOLDER.encode() in data:
        record.update(file_mode='text', prefix_placeholder=PLACEHOLDER)
    return dict(record, sha256=hashlib.sha256(data).hexdigest(), size_in_bytes=len(data))


def tar_zst(members):
    """members: (path, full path or bytes, seconds)."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode='w', format=tarfile.PAX_FORMAT) as tar:
        for path, source, seconds in members:
            info = tarfile.TarInfo(path)
            info.mtime, info.mode = seconds, 0o644
            if isinstance(source, bytes):
                info.size = len(source)
                tar.addfile(info, io.BytesIO(source))
                continue
            status = os.lstat(source)
            info.mtime = min(int(status.st_mtime), seconds)
            info.mode = 0o755 if status.st_mode & 0o111 else 0o644
            if stat.S_ISLNK(status.st_mode):
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, os.readlink(source), 0o777
                tar.addfile(info)
            elif stat.S_ISDIR(status.st_mode):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(info)
            else:
                info.size = status.st_size
                with open(source, 'rb') as file:
                    tar.addfile(info, file)
    return subprocess.run(['zstd', '--quiet', '--single-thread', '-12', '--stdout'],
                          input=plain.getvalue(), stdout=subprocess.PIPE, check=True).stdout


def to_json(value):
    return (json.dumps(value, indent=2, sort_keys=True) + '\n').encode()


def info_files(tree, index, about, link, licenses):
    """{path: bytes} of info/."""
    records = [path_record(tree, path) for path in entries(tree)]
    files = {
        'info/index.json': to_json(index),
        'info/about.json': to_json(about),
        'info/paths.json': to_json({'paths': records, 'paths_version': 1}),
        'info/files': ''.join(r['_path'] + '\n' for r in records).encode(),
    }
    held = [r for r in records if 'prefix_placeholder' in r]
    if held:
        files['info/has_prefix'] = ''.join(
            '%s %s %s\n' % (r['prefix_placeholder'], r['file_mode'], r['_path'])
            for r in held).encode()
    if link:
        files['info/link.json'] = to_json(link)
    for name, text in licenses.items():
        files['info/licenses/' + name] = text
    return files


def write_package(channel, tree, index, about=None, link=None, licenses=None):
    """Writes CHANNEL/SUBDIR/NAME-VERSION-BUILD.conda; returns its path."""
    stem = '%s-%s-%s' % (index['name'], index['version'], index['build'])
    seconds = index['timestamp'] // 1000
    info = info_files(tree, index, about or {}, link, licenses or {})
    parts = [
        ('metadata.json', b'{"conda_pkg_format_version": 2}'),
        ('info-%s.tar.zst' % stem, tar_zst((p, info[p], seconds) for p in sorted(info))),
        ('pkg-%s.tar.zst' % stem,
         tar_zst((p, os.path.join(tree, p), seconds) for p in entries(tree))),
    ]
    folder = os.path.join(channel, index['subdir'])
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, stem + '.conda')
    with zipfile.ZipFile(path + '.tmp', 'w', zipfile.ZIP_STORED) as package:
        for name, data in parts:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.external_attr = 0o644 << 16
            package.writestr(entry, data)
    os.replace(path + '.tmp', path)
    return path
