#!/usr/bin/env python3
"""Gives tokens for a docker-registry with token authentication, until it is killed.

    registry_tokens.py FILE KEY CERT    writes its port on 127.0.0.1 to FILE, and one line
                                        "SCOPE AUTHORIZATION" per request to FILE.log

A token is a JWT signed with KEY (RSA), which brings CERT along.  Everybody may pull what begins with
"team/", the user `me` with the password p-s3cret everything; others get a token that allows nothing.
"""
import base64
import http.server
import json
import subprocess
import sys
import time
import urllib.parse

from port_server import serve

BASIC = 'Basic ' + base64.b64encode(b'me:p-s3cret').decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode()


def sign(key, text):
    return subprocess.run(['openssl', 'dgst', '-sha256', '-sign', key], input=text.encode(),
                          stdout=subprocess.PIPE, check=True).stdout


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def do_GET(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        auth = self.headers.get('Authorization', '-')
        with open(self.server.log, 'a') as f:
            f.write('%s %s\n' % (' '.join(query['scope']), auth))
        access = []
        for scope in query['scope']:
            kind, name, actions = scope.split(':')
            if name.startswith('team/') or auth == BASIC:
                access.append({'type': kind, 'name': name, 'actions': actions.split(',')})
        now = int(time.time())
        head = {'typ': 'JWT', 'alg': 'RS256', 'x5c': [self.server.cert]}
        claims = {'iss': 'tests', 'sub': 'x', 'aud': query['service'][0], 'exp': now + 300,
                  'nbf': now - 10, 'iat': now, 'jti': str(now), 'access': access}
        text = '.'.join(encode(json.dumps(part).encode()) for part in (head, claims))
        body = json.dumps({'token': text + '.' + encode(sign(self.server.key, text))}).encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with open(sys.argv[3]) as pem:
    certificate = ''.join(line.strip() for line in pem if not line.startswith('-'))
serve(Handler, sys.argv[1], key=sys.argv[2], cert=certificate)
