"""Debian's binary packages of one release, through an apt configuration of their own.

Nothing of this machine's apt is changed, and no root is needed: state, cache and sources lie in a
folder given.  The mirror is this machine's own; only the release is another.
"""
import hashlib
import os
import re
import subprocess

KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg'
DEFAULT_MIRROR = 'http://deb.debian.org/debian'
ARCHIVE_MIRROR = 'http://archive.debian.org/debian'  # where releases go when their support ends


class DebianError(Exception):
    """Says in words what apt could not do."""


def machine_mirror():
    """The Debian mirror this machine's own apt uses, else the default one."""
    command = ['apt-get', 'indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages']
    answer = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                            check=False)
    for uri in sorted(set(answer.stdout.split())):
        if uri.rstrip('/').endswith('/debian'):
            return uri.rstrip('/')
    return DEFAULT_MIRROR


class Release:
    """One release ("bookworm"): its index and its packages."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = os.path.join(os.path.abspath(folder), name)
        self.debs = os.path.join(self.folder, 'debs')
        for part in ('state/lists/partial', 'cache/archives/partial', 'debs'):
            os.makedirs(os.path.join(self.folder, part), exist_ok=True)
        open(os.path.join(self.folder, 'status'), 'a', encoding='ascii').close()
        self.index = {}

    def apt(self, *command, cwd=None):
        """Runs apt with this release's configuration; returns (exit status, stdout, stderr)."""
        env = dict(os.environ, APT_CONFIG=os.path.join(self.folder, 'apt.conf'), LC_ALL='C')
        done = subprocess.run(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              check=False)
        return done.returncode, done.stdout, done.stderr

    def configure(self, mirror):
        here = self.folder
        with open(os.path.join(here, 'sources.list'), 'w', encoding='utf-8') as sources:
            sources.write('deb [signed-by=%s] %s %s main\n' % (KEYRING, mirror, self.name))
        with open(os.path.join(here, 'apt.conf'), 'w', encoding='utf-8') as conf:
            conf.write(
                'Dir::State "%s/state";\nDir::State::status "%s/status";\n'
                'Dir::Cache "%s/cache";\nDir::Etc::sourcelist "%s/sources.list";\n'
                'Dir::Etc::sourceparts "-";\nDir::Etc::preferences "-";\n'
                'Dir::Etc::preferencesparts "-";\nAPT::Architecture "amd64";\n'
                'APT::Architectures { "amd64"; };\nAcquire::Languages "none";\n'
                'Acquire::Retries "3";\n' % (here, here, here, here))
            if os.getuid() == 0:
                # The folder may lie where the user _apt cannot look.
                conf.write('APT::Sandbox::User "root";\n')

    def update(self):
        """Fetches the release's index.  Without a network an earlier one is used."""
        errors = []
        for mirror in dict.fromkeys((machine_mirror(), DEFAULT_MIRROR, ARCHIVE_MIRROR)):
            self.configure(mirror)
            status, _, words = self.apt('apt-get', '--quiet=2', '--error-on=any', 'update')
            if status == 0:
                return
            errors.append(words.strip())
            # An earlier index of this mirror is as good for what is already downloaded.
            if self.show('python3'):
                return
        raise DebianError("cannot fetch the index of Debian's '%s':\n%s"
                          % (self.name, '\n'.join(errors)))

    def show(self, name):
        """The fields of one package as a dict, or None."""
        if not self.index:
            _, text, _ = self.apt('apt-cache', 'dumpavail')
            for record in text.split('\n\n'):
                if record.startswith('Package: '):
                    self.index[record[len('Package: '):record.index('\n')]] = record
        record = self.index.get(name)
        if isinstance(record, str):
            record = dict(re.findall(r'^([A-Za-z0-9-]+): *(.*)$', record, re.M))
            self.index[name] = record
        return record

    def deb_path(self, name):
        fields = self.show(name)
        return os.path.join(self.debs, os.path.basename(fields['Filename']))

    def download(self, names):
        """Makes sure that the packages are here, with the hash of the signed index."""
        missing = []
        for name in names:
            if not self.show(name):
                raise DebianError("Debian's '%s' has no package '%s'" % (self.name, name))
            if not self.deb_is_good(name):
                missing.append('%s=%s' % (name, self.show(name)['Version']))
        if not missing:
            return
        status, _, words = self.apt('apt-get', '--quiet=2', 'download', *missing, cwd=self.debs)
        if status != 0:
            raise DebianError("cannot download from Debian's '%s':\n%s" % (self.name, words))
        for item in missing:
            name, version = item.split('=')
            given = '%s_%s_%s.deb' % (name, version.replace(':', '%3a'),
                                      self.show(name)['Architecture'])
            os.replace(os.path.join(self.debs, given), self.deb_path(name))
            if not self.deb_is_good(name):
                raise DebianError("'%s' is not what the index says" % self.deb_path(name))

    def deb_is_good(self, name):
        path = self.deb_path(name)
        if not os.path.exists(path):
            return False
        with open(path, 'rb') as deb:
            return hashlib.sha256(deb.read()).hexdigest() == self.show(name)['SHA256']

    def unpack(self, name, folder):
        os.makedirs(folder, exist_ok=True)
        subprocess.run(['dpkg-deb', '-x', self.deb_path(name), folder], check=True)

    def built_at(self, name):
        """Seconds: the time that the deb's first ar header carries, which is its build's."""
        with open(self.deb_path(name), 'rb') as deb:
            return int(deb.read(8 + 28)[8 + 16:].decode('ascii'))

    def depends(self, name):
        """[[(package, operator, version), ...alternatives], ...] of Pre-Depends and Depends."""
        fields = self.show(name)
        text = ', '.join(fields[key] for key in ('Pre-Depends', 'Depends') if fields.get(key))
        answer = []
        for clause in filter(None, (c.strip() for c in text.split(','))):
            answer.append([
                re.match(r'([a-z0-9.+-]+)(?::\w+)?(?:\s*\(([<>=]+)\s*([^)]+)\))?', one.strip())
                .groups() for one in clause.split('|')])
        return answer
