#!/usr/bin/env python3
"""forge_server.py FILE: the releases of GitHub and of Gitea, as their documents have them, until killed.

Writes its port on 127.0.0.1 to FILE, and one line "METHOD PATH HOST AUTHORIZATION STATUS" per request to
FILE.log.  What it keeps it writes to FILE.state (JSON) after every change, and for me/demo a line for each
release to FILE.github and FILE.gitea: "TAG draft|public NAME:SUM...", in order of names, SUM eight digits.

/api/v3, /api/uploads     GitHub's, version 2022-11-28; the token is gh-s3cret (ro-s3cret may only read)
/gitea/api/v1, /gitea     Gitea's; the token is gt-s3cret
/storage/ID?sig=X         where GitHub's downloads lead, on the host "localhost": no token may come there

Repositories: me/demo, me/other; me/old is a name of me/demo (307); me/away leads to another host (307);
me/liar (GitHub) wants its uploads at another host; me/small (Gitea) takes 1000 bytes at most; of me/mute nothing is ever
said; me/slow does not read what is sent as demo.test.log.
A request that the documents do not allow is refused.

FILE.nodigest             GitHub's assets have no digest while it is there
FILE.small                pages have two entries while it is there
FILE.reset                where it appears, me/demo is emptied, and it goes
FILE.faults               lines "TIMES METHOD REGEX ACTION", each for the first TIMES requests that match:
    status CODE [NAME=VALUE]...   answered so, headers with it (NAME=@S: the date in S seconds)
    drop BYTES                    hangs up after so many bytes of the body; GitHub keeps a "starter" asset
    lost                          does it and hangs up without an answer
    stall                         says nothing for a long time
    starter CODE                  answered so, and GitHub keeps a "starter" asset
Counts begin anew when the file was away.
"""
import email.parser
import email.policy
import hashlib
import http.server
import json
import os
import re
import socket
import struct
import sys
import threading
import time
import urllib.parse
from email.utils import formatdate

from port_server import serve

TOKENS = {'github': 'Bearer gh-s3cret', 'gitea': 'token gt-s3cret'}
LOCK = threading.RLock()


class Refused(Exception):
    def __init__(self, status, message, **more):
        super().__init__(message)
        self.status, self.body = status, dict(message=message, **more)


class Done(Exception):
    """The connection is over."""


class State:
    def __init__(self, path):
        self.path, self.ids, self.repos = path, 0, {}
        for kind in TOKENS:
            for name in ('me/demo', 'me/other', 'me/liar', 'me/small', 'me/slow'):
                self.repos[kind, name] = {'releases': [], 'tags': {}}

    def new_id(self):
        self.ids += 1
        return self.ids

    def save(self):
        with open(self.path + '.new', 'w') as f:
            json.dump({'%s %s' % k: v for k, v in self.repos.items()}, f, indent=1)
        os.rename(self.path + '.new', self.path)
        for kind in TOKENS:
            with open(self.path[:-len('state')] + kind, 'w') as f:
                for release in self.repos[kind, 'me/demo']['releases']:
                    f.write('%s\n' % ' '.join(
                        [release['tag_name'], 'draft' if release['draft'] else 'public'] +
                        sorted(self.line(a) for a in release['assets'])))

    @staticmethod
    def line(asset):
        mark = '' if asset['state'] == 'uploaded' else ':starter'
        return '%s:%s%s' % (asset['name'], (asset['digest'] or 'sha256:none')[7:15], mark)

    def reset(self):
        for kind in TOKENS:
            self.repos[kind, 'me/demo'] = {'releases': [], 'tags': {}}


class Faults:
    def __init__(self, path):
        self.path, self.seen = path, {}

    def find(self, method, path):
        try:
            with open(self.path) as f:
                lines = f.read().splitlines()
        except FileNotFoundError:
            self.seen = {}
            return None
        for line in lines:
            times, verb, regex, action = line.split(' ', 3)
            if verb == method and re.search(regex, path) and self.seen.get(line, 0) < int(times):
                self.seen[line] = self.seen.get(line, 0) + 1
                return action.split()
        return None


def check(condition, status, message, **more):
    if not condition:
        raise Refused(status, message, **more)


def is_kind(value, kind):
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


KEYS = {'tag_name': str, 'target_commitish': str, 'name': str, 'body': str, 'draft': bool,
        'prerelease': bool}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True
    blobs = {}
    logged = None

    # --- plumbing ---
    def note(self, status):
        if self.logged is None:
            self.logged = status
            with LOCK, open(self.server.log, 'a') as f:
                f.write('%s %s %s %s %s\n' % (self.command, self.path, self.headers.get('Host'),
                                              self.headers.get('Authorization', '-'), status))

    def send(self, status, value=None, raw=None, **headers):
        body = raw if raw is not None else b'' if value is None else json.dumps(value).encode()
        self.note(status)
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name.replace('_', '-'), text)
        if status != 204:
            self.send_header('Content-Type', 'application/json; charset=utf-8')
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.note('-')
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.connection.close()
        raise Done

    def read_body(self):
        check(self.headers.get('Content-Length', '').isdigit() or self.command in ('GET', 'DELETE'),
              411, 'Length Required')
        left, body = int(self.headers.get('Content-Length') or 0), b''
        while left:
            piece = self.rfile.read(min(left, 65536))
            if not piece:
                raise Done
            body += piece
            left -= len(piece)
        return body

    def read_json(self, allowed, required=()):
        check(self.headers.get('Content-Type', '').startswith('application/json'), 415,
              'Unsupported Media Type')
        try:
            value = json.loads(self.body)
        except ValueError:
            raise Refused(400, 'Problems parsing JSON') from None
        check(isinstance(value, dict), 400, 'Body should be a JSON object')
        for key, item in value.items():
            check(key in allowed, 422, 'Invalid request: %s is not permitted' % key)
            check(is_kind(item, allowed[key]), 422, 'Invalid request: %s has a wrong type' % key)
        for key in required:
            check(value.get(key), 422, 'Validation Failed',
                  errors=[{'resource': 'Release', 'code': 'missing_field', 'field': key}])
        return value

    def handle_one(self):
        self.logged = None
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        self.origin = 'http://127.0.0.1:%d' % self.server.server_address[1]
        fault = self.server.faults.find(self.command, self.path)
        try:
            if fault and fault[0] in ('status', 'drop', 'stall', 'starter'):
                return self.fail(fault, url.path)
            if '/me/mute/' in self.path or re.search('/me/slow/.*=demo.test.log', self.path):
                time.sleep(60)
            self.body = self.read_body()
            self.lose = fault and fault[0] == 'lost'
            with LOCK:
                if os.path.exists(self.server.reset):
                    self.server.state.reset()
                    os.unlink(self.server.reset)
                self.route(url.path)
        except Refused as e:
            self.send(e.status, dict(e.body, documentation_url='https://docs.example/rest'))
        except Done:
            pass

    do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = handle_one

    def fail(self, fault, path):
        if fault[0] == 'stall':
            time.sleep(60)
            self.hang_up()
        if fault[0] == 'drop':
            self.rfile.read(int(fault[1]))
            self.leave_starter(path)
            self.hang_up()
        self.read_body()
        if fault[0] == 'starter':
            self.leave_starter(path)
        headers = dict(pair.split('=', 1) for pair in fault[2:])
        for name, text in headers.items():
            if text.startswith('@'):
                headers[name] = formatdate(time.time() + int(text[1:]), usegmt=True)
            if text.startswith('+'):
                headers[name] = str(int(time.time()) + int(text[1:]))
        self.send(int(fault[1]), {'message': 'It does not work now'}, **headers)

    def leave_starter(self, path):
        found = re.fullmatch(r'/api/uploads/repos/(\w+/\w+)/releases/(\d+)/assets', path)
        if found:
            with LOCK:
                release = self.release(self.server.state.repos['github', found[1]], int(found[2]))
                release['assets'].append({'id': self.server.state.new_id(), 'state': 'starter',
                                          'name': self.query['name'], 'size': 0, 'digest': None})
                self.server.state.save()

    def answer(self, status, value=None, **headers):
        self.server.state.save()
        if self.lose:
            self.hang_up()
        self.send(status, value, **headers)

    # --- what both have ---
    def route(self, path):
        if path.startswith('/storage/'):
            check('Authorization' not in self.headers, 400, 'Only one auth mechanism allowed')
            check(self.query.get('sig') == 'sig-s3cret', 403, 'Signature does not match')
            return self.send(200, raw=self.blobs[int(path[9:])])
        for prefix, kind in (('/api/v3', 'github'), ('/api/uploads', 'github'),
                             ('/gitea/api/v1', 'gitea')):
            if path.startswith(prefix + '/repos/'):
                self.kind = kind
                return self.api(path[len(prefix):], prefix)
        found = re.fullmatch(r'/gitea/(me/\w+)/releases/download/([^/]+)/([^/]+)', path)
        check(found, 404, 'Not Found')
        self.kind = 'gitea'
        self.check_token()
        tag, name = urllib.parse.unquote(found[2]), urllib.parse.unquote(found[3])
        for release in self.server.state.repos['gitea', found[1]]['releases']:
            for asset in release['assets']:
                if release['tag_name'] == tag and asset['name'] == name:
                    return self.send(200, raw=self.blobs[asset['id']])
        raise Refused(404, 'Not Found')

    def check_token(self):
        auth = self.headers.get('Authorization')
        if self.kind == 'gitea':
            check(auth in (None, TOKENS['gitea']), 401, 'invalid username, password or token')
            check(auth or self.command == 'GET', 401, 'token is required')
            return
        check(self.headers.get('User-Agent'), 403, 'Request forbidden by administrative rules')
        check(auth in (None, TOKENS['github'], 'Bearer ro-s3cret'), 401, 'Bad credentials')
        check(self.headers.get('X-GitHub-Api-Version') == '2022-11-28', 400,
              'no version of the API')
        check(auth or self.command == 'GET', 401, 'Requires authentication')
        check(auth != 'Bearer ro-s3cret' or self.command == 'GET', 403,
              'Resource not accessible by personal access token')

    def api(self, path, prefix):
        found = re.fullmatch(r'/repos/(\w+/\w+)(/.*)', path)
        check(found, 404, 'Not Found')
        self.check_token()
        name, rest = found.groups()
        if name in ('me/old', 'me/away'):
            host = self.origin if name == 'me/old' else self.origin.replace('127.0.0.1', 'localhost')
            return self.send(307, {'message': 'Moved Permanently'},
                             Location=host + self.path.replace(name, 'me/demo'))
        check((self.kind, name) in self.server.state.repos, 404, 'Not Found')
        self.name, self.repo = name, self.server.state.repos[self.kind, name]
        check((prefix == '/api/uploads') == bool(self.kind == 'github' and self.command == 'POST'
                                                 and rest.endswith('/assets')), 404, 'Not Found')
        if self.kind == 'github' and prefix == '/api/v3':
            download = re.fullmatch(r'/releases/assets/\d+', rest) and self.command == 'GET'
            check(self.headers.get('Accept') == ('application/octet-stream' if download else
                                                 'application/vnd.github+json'), 415,
                  'Unsupported Accept')
        for method, pattern, call in ROUTES[self.kind]:
            match = re.fullmatch(pattern, rest)
            if match and method == self.command:
                return call(self, *[urllib.parse.unquote(g) for g in match.groups()])
        raise Refused(404, 'Not Found')

    def release(self, repo, number):
        for release in repo['releases']:
            if release['id'] == int(number):
                return release
        raise Refused(404, 'Not Found')

    def show(self, release):
        base = {'github': self.origin, 'gitea': self.origin + '/gitea'}[self.kind]
        place = '%s/%s/releases' % (base, self.name)
        seen = 'untagged-%d' % release['id'] if release['draft'] else release['tag_name']
        out = dict(release, html_url='%s/tag/%s' % (place, seen), author={'login': 'me'},
                   assets=[self.show_asset(release, a) for a in release['assets']])
        if self.kind == 'github':
            host = self.origin.replace('127.0.0.1', 'localhost') if self.name == 'me/liar' else \
                self.origin
            out['upload_url'] = '%s/api/uploads/repos/%s/releases/%d/assets{?name,label}' % (
                host, self.name, release['id'])
        return out

    def show_asset(self, release, asset):
        base = {'github': self.origin, 'gitea': self.origin + '/gitea'}[self.kind]
        seen = 'untagged-%d' % release['id'] if release['draft'] and self.kind == 'github' else \
            release['tag_name']
        out = dict(asset, browser_download_url='%s/%s/releases/download/%s/%s' % (
            base, self.name, urllib.parse.quote(seen, ''), asset['name']), uploader={'login': 'me'})
        if self.kind == 'gitea':
            del out['state'], out['digest']
        elif os.path.exists(self.server.nodigest):
            out['digest'] = None
        return out

    def page(self, items, key, most):
        size, number = int(self.query.get(key, 30)), int(self.query.get('page', 1))
        check(1 <= size <= most, 422, 'bad page size')
        if os.path.exists(self.server.small):
            size = 2
        headers = {}
        if number * size < len(items):
            headers['Link'] = '<%s%s?page=%d>; rel="next", <%s?page=9>; rel="last"' % (
                self.origin, self.path.partition('?')[0], number + 1, self.origin)
        self.answer(200, items[(number - 1) * size:number * size], **headers)

    def list_releases(self):
        items = sorted(self.repo['releases'], key=lambda r: (not r['draft'], -r['id']))
        if 'Authorization' not in self.headers:
            items = [r for r in items if not r['draft']]
        self.page([self.show(r) for r in items], *PAGE[self.kind])

    def list_assets(self, number):
        release = self.release(self.repo, number)
        self.page([self.show_asset(release, a) for a in release['assets']], *PAGE[self.kind])

    def by_tag(self, tag):
        for release in self.repo['releases']:
            if release['tag_name'] == tag and not release['draft']:
                return self.answer(200, self.show(release))
        raise Refused(404, 'Not Found')

    def is_published(self, tag, but=None):
        return any(r['tag_name'] == tag and r is not but and not r['draft']
                   for r in self.repo['releases'])

    def refuse_twice(self):
        if self.kind == 'gitea':
            raise Refused(409, 'Release already exists')
        raise Refused(422, 'Validation Failed', errors=[
            {'resource': 'Release', 'code': 'already_exists', 'field': 'tag_name'}])

    def create(self):
        value = self.read_json(KEYS, ['tag_name'])
        if self.is_published(value['tag_name']):
            self.refuse_twice()
        release = {'id': self.server.state.new_id(), 'body': '', 'name': '', 'draft': False,
                   'prerelease': False, 'target_commitish': 'main', 'assets': []}
        release.update(value)
        self.repo['releases'].append(release)
        self.tag(release)
        self.answer(201, self.show(release))

    def tag(self, release):
        if not release['draft']:
            self.repo['tags'].setdefault(release['tag_name'], release['target_commitish'])

    def change(self, number):
        release, value = self.release(self.repo, number), self.read_json(KEYS)
        if not value.get('draft', release['draft']) and self.is_published(
                value.get('tag_name', release['tag_name']), release):
            self.refuse_twice()
        release.update(value)
        self.tag(release)
        self.answer(200, self.show(release))

    def add_asset(self, release, name, data):
        asset = {'id': self.server.state.new_id(), 'name': name, 'size': len(data),
                 'state': 'uploaded', 'digest': 'sha256:' + hashlib.sha256(data).hexdigest()}
        self.blobs[asset['id']] = data
        release['assets'].append(asset)
        self.answer(201, self.show_asset(release, asset))

    def delete_asset(self, release, number):
        for asset in release['assets']:
            if asset['id'] == int(number):
                release['assets'].remove(asset)
                return self.answer(204)
        raise Refused(404, 'Not Found')

    def rename_asset(self, release, number):
        value = self.read_json({'name': str, 'label': str}, ['name'])
        check(self.kind == 'gitea' or all(a['name'] != value['name'] for a in release['assets']), 422,
              'Validation Failed', errors=[{'resource': 'ReleaseAsset', 'code': 'already_exists'}])
        for asset in release['assets']:
            if asset['id'] == int(number):
                asset['name'] = value['name']
                return self.answer(201 if self.kind == 'gitea' else 200,
                                   self.show_asset(release, asset))
        raise Refused(404, 'Not Found')

    # --- GitHub alone ---
    def gh_upload(self, number):
        release, name = self.release(self.repo, number), self.query.get('name')
        check(name, 422, 'Validation Failed', errors=[
            {'resource': 'ReleaseAsset', 'code': 'missing_field', 'field': 'name'}])
        check(self.body, 400, 'Bad Content-Length: ')
        check(self.headers.get('Content-Type') == 'application/octet-stream', 400, 'no Content-Type')
        name = re.sub(r'[^A-Za-z0-9._+-]', '.', name)
        check(all(a['name'] != name for a in release['assets']), 422, 'Validation Failed', errors=[
            {'resource': 'ReleaseAsset', 'code': 'already_exists', 'field': 'name'}])
        self.add_asset(release, name, self.body)

    def gh_asset(self, number):
        for release in self.repo['releases']:
            if any(a['id'] == int(number) for a in release['assets']):
                return release
        raise Refused(404, 'Not Found')

    def gh_download(self, number):
        self.gh_asset(number)
        self.answer(302, Location='%s/storage/%s?sig=sig-s3cret' % (
            self.origin.replace('127.0.0.1', 'localhost'), number))

    def gh_move(self, tag):
        value = self.read_json({'sha': str, 'force': bool}, ['sha'])
        check(tag in self.repo['tags'], 422, 'Reference does not exist')
        check(re.fullmatch('[0-9a-f]{40}', value['sha']), 422, 'sha is no commit')
        check(value.get('force'), 422, 'Update is not a fast forward')
        self.repo['tags'][tag] = value['sha']
        self.answer(200, {'ref': 'refs/tags/' + tag})

    def gh_ref(self):
        value = self.read_json({'ref': str, 'sha': str}, ['ref', 'sha'])
        check(value['ref'][10:] not in self.repo['tags'], 422, 'Reference already exists')
        self.repo['tags'][value['ref'][10:]] = value['sha']
        self.answer(201, {'ref': value['ref']})

    # --- Gitea alone ---
    def gt_upload(self, number):
        release = self.release(self.repo, number)
        kind = self.headers.get('Content-Type', '')
        check(kind.startswith('multipart/form-data; boundary='), 400, 'no form')
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(
            b'Content-Type: ' + kind.encode() + b'\r\n\r\n' + self.body)
        parts = list(form.iter_parts())
        check(len(parts) == 1 and not form.defects, 400, 'a broken form')
        check(parts[0].get_param('name', header='content-disposition') == 'attachment' and
              parts[0].get_filename(), 400, 'no attachment')
        data = re.fullmatch(rb'--%s\r\n.*?\r\n\r\n(.*)\r\n--%s--\r\n' % (
            (re.escape(form.get_boundary().encode()),) * 2), self.body, re.S)
        check(data, 400, 'a broken form')
        check(self.name != 'me/small' or len(data[1]) <= 1000, 413, 'attachment is too large')
        self.add_asset(release, self.query.get('name') or parts[0].get_filename(), data[1])

    def log_message(self, *_):
        pass


PAGE = {'github': ('per_page', 100), 'gitea': ('limit', 50)}
BOTH = [('GET', '/releases', Handler.list_releases), ('POST', '/releases', Handler.create),
        ('GET', '/releases/tags/([^/]+)', Handler.by_tag),
        ('PATCH', r'/releases/(\d+)', Handler.change),
        ('GET', r'/releases/(\d+)/assets', Handler.list_assets)]
ROUTES = {
    'github': BOTH + [
        ('POST', r'/releases/(\d+)/assets', Handler.gh_upload),
        ('GET', r'/releases/assets/(\d+)', Handler.gh_download),
        ('DELETE', r'/releases/assets/(\d+)',
         lambda self, n: self.delete_asset(self.gh_asset(n), n)),
        ('PATCH', r'/releases/assets/(\d+)',
         lambda self, n: self.rename_asset(self.gh_asset(n), n)),
        ('PATCH', r'/git/refs/tags/(.+)', Handler.gh_move),
        ('POST', '/git/refs', Handler.gh_ref)],
    'gitea': BOTH + [
        ('POST', r'/releases/(\d+)/assets', Handler.gt_upload),
        ('PATCH', r'/releases/(\d+)/assets/(\d+)',
         lambda self, r, n: self.rename_asset(self.release(self.repo, r), n)),
        ('DELETE', r'/releases/(\d+)/assets/(\d+)',
         lambda self, r, n: self.delete_asset(self.release(self.repo, r), n))]}

serve(Handler, sys.argv[1], state=State(sys.argv[1] + '.state'),
      faults=Faults(sys.argv[1] + '.faults'), nodigest=sys.argv[1] + '.nodigest',
      small=sys.argv[1] + '.small', reset=sys.argv[1] + '.reset')
