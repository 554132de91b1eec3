#!/usr/bin/env python3
"""check_records.py PREFIX [--allow-clobber PATTERN]...: are the records of PREFIX what conda reads?

Read after CEP 32 and conda's own models (conda/models/records.py, conda/history.py), with nothing of
envbuild's:

- each conda-meta/*.json has every field that conda reads, of its type, agreeing with the others and
  with its file's name; its hashes and sizes are those of the files in the prefix;
- conda-meta/history gives, read from its beginning, the packages that are there, and the specs that
  were asked for stand in the records of the packages they ask for;
- conda-meta/state, conda-meta/frozen (CEP 22) and EXTERNALLY-MANAGED (PEP 668) are well-formed;
- every file of the prefix is in exactly one list: `files` of one record, the RECORD of a package
  that pip installed, or envbuild's own files (docs/design/install.md and archive.md).  A path that
  matches a PATTERN may be in two records.
"""
import ast
import configparser
import csv
import fnmatch
import glob
import hashlib
import json
import os
import re
import sys

OWN = {'bin/conda-unpack'} | {'bin/%s%s' % (name, kind) for name in ('activate', 'deactivate')
                               for kind in ('', '.csh', '.fish')}
HEX = {'md5': 32, 'sha256': 64}
TEXTS = ('name', 'version', 'build', 'channel', 'subdir', 'fn', 'url', 'extracted_package_dir',
         'package_tarball_full_path')
PATH_TYPES = {'hardlink', 'softlink', 'directory', 'pyc_file', 'unix_python_entry_point'}


class Wrong:
    def __init__(self):
        self.lines = []

    def __call__(self, *words):
        self.lines.append(': '.join(str(w) for w in words))


def is_texts(value):
    return isinstance(value, list) and all(isinstance(v, str) for v in value)


def is_count(value):
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def check_package_fields(wrong, where, record):
    """What a record has of its package and its channel."""
    for key in TEXTS:
        if not isinstance(record.get(key), str):
            wrong(where, 'no text', key)
            return
    dist = '%(name)s-%(version)s-%(build)s' % record
    if where != dist + '.json':
        wrong(where, 'is called', dist)
    if record['fn'] not in (dist + '.conda', dist + '.tar.bz2'):
        wrong(where, 'fn', record['fn'])
    if record['url'] != record['channel'] + '/' + record['fn']:
        wrong(where, 'url is not channel/fn', record['url'], record['channel'])
    if not record['channel'].endswith('/' + record['subdir']):
        wrong(where, 'channel does not end with the subdir', record['channel'])
    if re.search(r'//[^/]*@|/t/[^/]+/', record['url'] + ' ' + record['channel']):
        wrong(where, 'holds credentials', record['url'])
    for key in ('depends', 'constrains'):
        if not is_texts(record.get(key)):
            wrong(where, 'no list of texts', key)
    for key in ('build_number', 'size', 'timestamp'):
        if not is_count(record.get(key)) and (key == 'build_number' or key in record):
            wrong(where, 'no number', key, record.get(key))
    if 'sha256' not in record:
        wrong(where, 'no sha256')
    for key, n in HEX.items():
        if key in record and not re.fullmatch('[0-9a-f]{%d}' % n, str(record[key])):
            wrong(where, key, record[key])
    if record.get('noarch') not in (None, 'python', 'generic', True, False):
        wrong(where, 'noarch', record['noarch'])


def check_link_fields(wrong, where, record):
    """What it has of this prefix."""
    link = record.get('link')
    if not isinstance(link, dict) or link.get('type') not in (1, 2, 3, 4):
        wrong(where, 'link', link)
    elif link.get('source') != record['extracted_package_dir']:
        wrong(where, 'link.source is not extracted_package_dir', link)
    if not is_texts(record.get('requested_specs')):
        wrong(where, 'requested_specs', record.get('requested_specs'))
        return
    single = record.get('requested_spec')
    if single != (record['requested_specs'][0] if record['requested_specs'] else 'None'):
        wrong(where, 'requested_spec', single, record['requested_specs'])
    if not is_texts(record.get('files')) or record['files'] != sorted(record['files'], key=os.fsencode):
        wrong(where, 'files are not sorted texts')
    data = record.get('paths_data')
    if not isinstance(data, dict) or data.get('paths_version') != 1:
        wrong(where, 'paths_data')
    elif [p.get('_path') for p in data['paths']] != record['files']:
        wrong(where, 'files and paths_data differ')
    elif len(set(record['files'])) != len(record['files']):
        wrong(where, 'a path twice')


def hash_file(path):
    with open(path, 'rb') as f:
        return hashlib.sha256(f.read()).hexdigest()


def check_bytes(wrong, where, full, entry):
    """Of a regular file."""
    said = entry.get('sha256_in_prefix')
    if said is None and 'prefix_placeholder' not in entry and \
            entry['path_type'] != 'unix_python_entry_point':
        wrong(where, 'no sha256_in_prefix', entry['_path'])
    if said is not None and said != hash_file(full):
        wrong(where, 'sha256_in_prefix', entry['_path'])
    if not is_count(entry.get('size_in_bytes')):
        wrong(where, 'size_in_bytes', entry['_path'])
    elif said is not None and said == entry.get('sha256') and os.path.getsize(full) != entry['size_in_bytes']:
        wrong(where, 'size_in_bytes is not the size', entry['_path'])
    if entry['path_type'] == 'hardlink' and 'sha256' not in entry:
        wrong(where, 'no sha256', entry['_path'])


def check_path(wrong, where, prefix, entry):
    path, kind = entry['_path'], entry.get('path_type')
    full = os.path.join(prefix, path)
    if path != os.path.normpath(path) or path.startswith(('/', '..')) or path.startswith('conda-meta/'):
        wrong(where, 'unsafe path', path)
    if kind not in PATH_TYPES:
        wrong(where, 'path_type', path, kind)
    if ('prefix_placeholder' in entry) != ('file_mode' in entry) or \
            entry.get('file_mode', 'text') not in ('text', 'binary'):
        wrong(where, 'prefix_placeholder and file_mode', path)
    if entry.get('no_link', True) is not True:
        wrong(where, 'no_link', path)
    for key in ('sha256', 'sha256_in_prefix'):
        if key in entry and not re.fullmatch('[0-9a-f]{64}', str(entry[key])):
            wrong(where, key, path, entry[key])
    if not os.path.lexists(full):
        return  # told with the lists
    if (kind == 'softlink') != os.path.islink(full):
        wrong(where, 'path_type', path, kind)
    elif kind != 'softlink' and os.path.isfile(full):
        check_bytes(wrong, where, full, entry)
    elif kind == 'softlink' and 'sha256_in_prefix' in entry and os.path.isfile(full) and \
            entry['sha256_in_prefix'] not in (hash_file(full), hashlib.sha256(os.fsencode(os.readlink(full))).hexdigest()):
        wrong(where, 'sha256_in_prefix', path)


def read_history(wrong, path):
    """The packages that its revisions leave, and the specs of the last."""
    there, specs, revisions = set(), [], 0
    with open(path, encoding='utf-8') as f:
        for line in f.read().splitlines():
            if re.fullmatch(r'==> \d{4}-\d\d-\d\d \d\d:\d\d:\d\d <==', line):
                revisions += 1
            elif re.fullmatch(r'[+-]\S+/[a-z0-9_-]+::\S+-[^\s-]+-[^\s-]+', line):
                dist = line[1:].rsplit('::', 1)[1]
                (there.add if line[0] == '+' else there.discard)(dist)
            elif line.startswith('# update specs: '):
                specs = ast.literal_eval(line.split(': ', 1)[1])
            elif not re.match(r'# (cmd|\w+ version): \S', line):
                wrong('history', 'odd line', line)
    if not revisions:
        wrong('history', 'no revision')
    return there, specs


def check_history(wrong, prefix, records):
    there, specs = read_history(wrong, os.path.join(prefix, 'conda-meta', 'history'))
    have = {where[:-len('.json')] for where in records}
    for dist in sorted(there ^ have):
        wrong('history', 'disagrees with the records', dist)
    asked = {spec for record in records.values() for spec in record.get('requested_specs') or []}
    for spec in specs:
        name = re.split(r'[\s=<>!~\[]', spec.rsplit('::', 1)[-1], maxsplit=1)[0]
        if spec not in asked and any(r['name'] == name for r in records.values()):
            wrong('history', 'no record was asked for by', spec)


def check_marks(wrong, prefix):
    meta = os.path.join(prefix, 'conda-meta')
    if os.path.exists(os.path.join(meta, 'state')):
        with open(os.path.join(meta, 'state'), encoding='utf-8') as f:
            variables = json.load(f).get('env_vars')
        if not isinstance(variables, dict) or not is_texts(list(variables.values())):
            wrong('state', variables)
    if os.path.exists(os.path.join(meta, 'frozen')):
        with open(os.path.join(meta, 'frozen'), encoding='utf-8') as f:
            text = f.read()
        if text.strip() and not isinstance(json.loads(text).get('message', ''), str):
            wrong('frozen', text)
    for path in glob.glob(os.path.join(prefix, 'lib/python*/EXTERNALLY-MANAGED')):
        parser = configparser.ConfigParser(interpolation=None)
        parser.read(path, encoding='utf-8')
        if not parser.get('externally-managed', 'Error', fallback=''):
            wrong('EXTERNALLY-MANAGED', 'no message')


def read_records(wrong, prefix):
    records = {}
    for path in sorted(glob.glob(os.path.join(prefix, 'conda-meta', '*.json'))):
        with open(path, encoding='utf-8') as f:
            record = json.load(f)
        where = os.path.basename(path)
        before = len(wrong.lines)
        check_package_fields(wrong, where, record)
        if len(wrong.lines) == before:
            check_link_fields(wrong, where, record)
        if len(wrong.lines) == before:
            for entry in record['paths_data']['paths']:
                check_path(wrong, where, prefix, entry)
        records[where] = record
    return records


def pip_lists(prefix, conda):
    for path in sorted(glob.glob(os.path.join(prefix, 'lib/python*/site-packages/*.dist-info/RECORD'))):
        site = os.path.dirname(os.path.dirname(path))
        if os.path.relpath(path, prefix) in conda:
            continue
        with open(path, encoding='utf-8', newline='') as f:
            for row in csv.reader(f):
                yield os.path.relpath(os.path.join(site, row[0]), prefix), path


def check_owners(wrong, prefix, records, patterns):
    """The number of files, and of those that are listed."""
    owners, seen = {}, set()
    for where, record in records.items():
        for path in record['files']:
            owners.setdefault(path, []).append(where)
    for path, who in list(pip_lists(prefix, set(owners))):
        owners.setdefault(path, []).append(who)
    for folder, folders, names in os.walk(prefix):
        names += [d for d in folders if os.path.islink(os.path.join(folder, d))]
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), prefix)
            seen.add(path)
            own = path.startswith('conda-meta/') or path in OWN or \
                (name == 'EXTERNALLY-MANAGED' and path not in owners)
            n = len(owners.get(path, []))
            if own and n:
                wrong(path, 'envbuild\'s, and in %s' % owners[path])
            elif not own and n != 1 and not (
                    n > 1 and any(fnmatch.fnmatchcase(path, p) for p in patterns)):
                wrong(path, 'in %s' % owners.get(path, 'no list'))
    for path in sorted(set(owners) - seen):
        if not os.path.isdir(os.path.join(prefix, path)):
            wrong(path, 'listed in %s, and not there' % owners[path])
    return len(seen), len(owners)


def main():
    prefix, patterns = sys.argv[1], sys.argv[3::2]
    wrong = Wrong()
    records = read_records(wrong, prefix)
    n_seen = n_listed = 0
    if not wrong.lines:
        check_history(wrong, prefix, records)
        check_marks(wrong, prefix)
        n_seen, n_listed = check_owners(wrong, prefix, records, patterns)
    print('%d files, %d listed' % (n_seen, n_listed))
    print('\n'.join(wrong.lines[:60]))
    return 1 if wrong.lines or not n_seen or not records else 0


if __name__ == '__main__':
    sys.exit(main())
