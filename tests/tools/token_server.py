#!/usr/bin/env python3
"""token_server.py FILE ROOT: serves ROOT to who may have it, until it is killed.

Writes its port on 127.0.0.1 to FILE, and one line "HOST PATH AUTHORIZATION" per request to FILE.log
(-: none; HOST as the request has it).

/bearer/PATH           401 unless the Authorization is "Bearer b-s3cret"
/basic/PATH            401 unless it is user `me` with password "p-s3cret"
/t/c-s3cret/conda/PATH PATH; /conda/PATH: 404
/open/PATH             PATH, whoever asks
/moved/PATH            as /bearer/, and a redirect to localhost:PORT/open/PATH
/away/PATH             as /basic/, and the same redirect
/near/PATH             as /bearer/, and a redirect to /bearer/PATH
/tagged/PATH           PATH with an ETag; /dated/PATH: with a Last-Modified; 304 to who names them
/tired/PATH            503 for the first two requests
"""
import base64
import hashlib
import http.server
import os
import sys
from email.utils import formatdate

from port_server import serve

BASIC = 'Basic ' + base64.b64encode(b'me:p-s3cret').decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    seen = {}

    def send(self, status, body=b'', **headers):
        with open(self.server.log, 'a') as f:
            f.write('%s %s %s %d\n' % (self.headers.get('Host'), self.path,
                                       self.headers.get('Authorization', '-'), status))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def file(self, path, check=None):
        name = os.path.join(self.server.root, path)
        if '..' in path or not os.path.isfile(name):
            return self.send(404)
        with open(name, 'rb') as f:
            body = f.read()
        if check == 'tagged':
            tag = '"%s"' % hashlib.md5(body).hexdigest()
            if self.headers.get('If-None-Match') == tag:
                return self.send(304, ETag=tag)
            return self.send(200, body, ETag=tag)
        if check == 'dated':
            date = formatdate(os.stat(name).st_mtime, usegmt=True)
            if self.headers.get('If-Modified-Since') == date:
                return self.send(304, Last_Modified=date)
            return self.send(200, body, Last_Modified=date)
        return self.send(200, body)

    def do_GET(self):
        kind, _, rest = self.path.lstrip('/').partition('/')
        auth = self.headers.get('Authorization')
        if self.path.startswith('/t/c-s3cret/conda/'):
            return self.file(self.path[len('/t/c-s3cret/conda/'):])
        if kind in ('bearer', 'moved', 'near') and auth != 'Bearer b-s3cret':
            return self.send(401)
        if kind in ('basic', 'away') and auth != BASIC:
            return self.send(401, WWW_Authenticate='Basic realm="x"')
        if kind in ('moved', 'away'):
            return self.send(302, Location='http://localhost:%d/open/%s' % (
                self.server.server_address[1], rest))
        if kind == 'near':
            return self.send(302, Location='/bearer/' + rest)
        if kind == 'tired':
            self.seen[self.path] = self.seen.get(self.path, 0) + 1
            if self.seen[self.path] < 3:
                return self.send(503)
        if kind in ('bearer', 'basic', 'open', 'tired', 'tagged', 'dated'):
            return self.file(rest, kind)
        return self.send(404)

    def log_message(self, *_):
        pass


serve(Handler, sys.argv[1], root=os.path.realpath(sys.argv[2]))
