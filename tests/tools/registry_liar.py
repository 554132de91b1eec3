#!/usr/bin/env python3
"""A registry that breaks promises, in front of an honest one.

    registry_liar.py FILE PORT    serves on a free loopback port until it is killed, with what the
                                  registry at PORT has; writes the port to FILE, and one line
                                  "PATH STATUS RANGE HOST AUTHORIZATION" per request to FILE.log

/v2/KIND/NAME/... is /v2/NAME/... there, but:
honest      nothing
wrong       blobs have other bytes, as many
cut         blobs end after half, and there are no ranges
stall       large blobs stop after half
drop        blobs end after a third for the first two requests, and then go on with ranges
long        blobs have ten bytes more
huge        manifests have no end
loop        everything is redirected to itself
gone        every manifest is missing, the tags are there
sum         the header says another digest of manifests
other       manifests have a space more
schema1     manifests are of schema version 1
foreign     the last layer lies elsewhere
nested      a list of manifests has the list itself
helm        the configuration is not that of an image
away        401 without a token, and blobs are redirected to localhost, where one must bring none
thief       blobs are redirected to localhost, which says 401 and names a token server of its own
tired       a token is good for two requests
realm       the token is to be had at file:///etc/passwd
remote      the token is to be had at another machine, over http
chatty      401 with a header of many parameters
mute        401 without a word
basic       401 unless one is `me` with the password p-s3cret; so is `both`, which offers Bearer, too
downgrade   blobs are redirected to file:///etc/passwd
"""
import base64
import hashlib
import http.client
import http.server
import json
import sys
import threading
import time

from port_server import serve

BASIC = 'Basic ' + base64.b64encode(b'me:p-s3cret').decode()
TYPES = ', '.join(['application/vnd.oci.image.index.v1+json',
                   'application/vnd.oci.image.manifest.v1+json',
                   'application/vnd.docker.distribution.manifest.list.v2+json',
                   'application/vnd.docker.distribution.manifest.v2+json'])


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    seen = {}
    tokens = {}
    lock = threading.Lock()

    def times(self):
        with self.lock:
            self.seen[self.path] = self.seen.get(self.path, 0) + 1
            return self.seen[self.path]

    def send(self, status, body=b'', length=None, **headers):
        with open(self.server.log, 'a') as f:
            f.write('%s %s %s %s %s\n' % (
                self.path, status, self.headers.get('Range', '-'), self.headers.get('Host'),
                self.headers.get('Authorization', '-')))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def truth(self, path):
        upstream = http.client.HTTPConnection('127.0.0.1', self.server.upstream)
        upstream.request('GET', path, headers={'Accept': TYPES})
        answer = upstream.getresponse()
        return answer.status, answer.read(), dict(
            (name.replace('-', '_'), value) for name, value in answer.getheaders()
            if name in ('Content-Type', 'Docker-Content-Digest', 'Etag'))

    def do_GET(self):
        if self.path.startswith('/token'):
            return self.give_token()
        if self.path == '/stolen':
            self.challenge('Bearer realm="http://127.0.0.1:%d/token?thief",service="thief"' % (
                self.server.server_address[1]))
            return None
        if self.path.startswith('/stored/'):
            return self.stored(self.path[len('/stored'):])
        kind, _, rest = self.path[len('/v2/'):].partition('/')
        if not self.may(kind):
            return None
        if kind == 'loop':
            return self.send(307, Location=self.path)
        status, body, headers = self.truth('/v2/' + rest)
        lie = getattr(self, ('manifest_' if '/manifests/' in rest else 'blob_') + kind, None)
        if (status == 200 or kind == 'nested') and lie and '/tags/' not in rest:
            return lie(body, headers, '/v2/' + rest)
        return self.send(status, body, **headers)

    # --- who may ---

    def challenge(self, *challenges):
        self.send(401, b'{"errors":[]}', **{'WWW_Authenticate': ', '.join(challenges)}
                  if challenges else {})
        return False

    def may(self, kind):
        auth = self.headers.get('Authorization', '')
        bearer = 'Bearer realm="http://127.0.0.1:%d/token",service="liar"' % (
            self.server.server_address[1])
        if kind in ('away', 'tired'):
            if kind == 'tired':
                with self.lock:
                    self.tokens[auth] = self.tokens.get(auth, 0) - 1
                    left = self.tokens[auth]
            else:
                left = 0
            return auth.startswith('Bearer t-s3cret') and left >= 0 or self.challenge(bearer)
        if kind == 'realm':
            return self.challenge('Bearer realm="file:///etc/passwd"')
        if kind == 'remote':
            return self.challenge('Bearer realm="http://tokens.invalid/token"')
        if kind == 'chatty':
            return self.challenge('Basic ' + 'a="",' * 19000)
        if kind == 'mute':
            return self.challenge()
        if kind in ('basic', 'both') and auth != BASIC:
            return self.challenge('Basic realm="x"')
        return True

    def give_token(self):
        with self.lock:
            token = 't-s3cret%d' % len(self.tokens)
            self.tokens['Bearer ' + token] = 2
        self.send(200, json.dumps({'token': token}).encode())

    def stored(self, path):
        if self.headers.get('Authorization'):
            return self.send(400, b'I do not want to know\n')
        status, body, headers = self.truth(path)
        return self.send(status, body, **headers)

    # --- blobs ---

    def blob_wrong(self, body, headers, _):
        self.send(200, bytes(b ^ 1 for b in body), **headers)

    def blob_long(self, body, headers, _):
        self.send(200, body + b'0123456789', **headers)

    def blob_cut(self, body, _headers, _):
        self.send(200, body[:len(body) // 2], length=len(body))
        self.close_connection = True

    def blob_stall(self, body, headers, _):
        if len(body) < 10000:
            return self.send(200, body, **headers)
        self.send(200, body[:len(body) // 2], length=len(body))
        return time.sleep(60)

    def blob_drop(self, body, headers, _):
        first = 0
        if self.headers.get('If-Range') == headers.get('Etag'):
            first = int(self.headers.get('Range')[len('bytes='):-1])
        rest, status = body[first:], 200
        if first:
            status = 206
            headers['Content_Range'] = 'bytes %d-%d/%d' % (first, len(body) - 1, len(body))
        cut = len(body) > 10000 and self.times() <= 2
        self.send(status, rest[:len(rest) // 3] if cut else rest, length=len(rest), **headers)
        self.close_connection = cut

    def blob_away(self, _body, _headers, path):
        self.send(307, Location='http://localhost:%d/stored%s' % (
            self.server.server_address[1], path))

    def blob_thief(self, _body, _headers, _):
        self.send(307, Location='http://localhost:%d/stolen' % self.server.server_address[1])

    def blob_downgrade(self, _body, _headers, _):
        self.send(302, Location='file:///etc/passwd')

    # --- manifests ---

    def manifest_huge(self, _body, _headers, _):
        self.send(200, b'{', length=1 << 40)
        try:
            while True:
                self.wfile.write(b' ' * 65536)
        except OSError:
            self.close_connection = True

    def manifest_gone(self, _body, _headers, _):
        self.send(404, b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')

    def manifest_sum(self, body, headers, _):
        headers['Docker_Content_Digest'] = 'sha256:' + 64 * '0'
        self.send(200, body, **headers)

    def manifest_other(self, body, headers, _):
        self.send(200, body + b' ', **headers)

    def document(self, document, headers):
        body = json.dumps(document).encode()
        headers['Docker_Content_Digest'] = 'sha256:' + hashlib.sha256(body).hexdigest()
        self.send(200, body, **headers)

    def manifest_schema1(self, _body, headers, _):
        headers['Content_Type'] = 'application/vnd.docker.distribution.manifest.v1+prettyjws'
        self.document({'schemaVersion': 1, 'fsLayers': []}, headers)

    def manifest_foreign(self, body, headers, _):
        document = json.loads(body)
        document['layers'][-1]['urls'] = ['https://layers.example/one']
        self.document(document, headers)

    def manifest_helm(self, body, headers, _):
        document = json.loads(body)
        document['config']['mediaType'] = 'application/vnd.cncf.helm.config.v1+json'
        self.document(document, headers)

    def manifest_nested(self, _body, headers, path):
        inner = {'schemaVersion': 2, 'manifests': []}
        headers['Content_Type'] = 'application/vnd.oci.image.index.v1+json'
        if 'sha256:' in path:
            return self.document(inner, headers)
        text = json.dumps(inner).encode()
        return self.document({'schemaVersion': 2, 'manifests': [
            {'digest': 'sha256:' + hashlib.sha256(text).hexdigest(), 'size': len(text)}]}, headers)

    def log_message(self, *_):
        pass


serve(Liar, sys.argv[1], upstream=int(sys.argv[2]))
