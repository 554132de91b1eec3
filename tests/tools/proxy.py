#!/usr/bin/env python3
"""proxy.py FILE [USER:PASSWORD]: an HTTP proxy on 127.0.0.1 until it is killed.

Writes its port to FILE and one line per request to FILE.log: "METHOD URL".  It hands on GET of whole
URLs and CONNECT; names ending in ".test" are this machine.  With USER:PASSWORD: 407 without them.
"""
import base64
import http.client
import http.server
import select
import socket
import sys
from urllib.parse import urlsplit

from port_server import serve

HOP = ('connection', 'proxy-authorization', 'proxy-connection', 'keep-alive', 'transfer-encoding')
WANT = 'Basic ' + base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None


def real(host):
    return '127.0.0.1' if host.endswith('.test') else host


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'

    def begin(self):
        with open(sys.argv[1] + '.log', 'a') as f:
            f.write('%s %s\n' % (self.command, self.path))
        if WANT and self.headers.get('Proxy-Authorization') != WANT:
            self.send_response(407)
            self.send_header('Proxy-Authenticate', 'Basic realm="proxy"')
            self.send_header('Content-Length', '0')
            self.end_headers()
            return False
        return True

    def do_GET(self):
        if not self.begin():
            return
        url = urlsplit(self.path)
        origin = http.client.HTTPConnection(real(url.hostname), url.port or 80, timeout=30)
        path = url.path + ('?' + url.query if url.query else '')
        origin.request('GET', path, headers={
            k: v for k, v in self.headers.items() if k.lower() not in HOP})
        answer = origin.getresponse()
        body = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in HOP + ('content-length',):
                self.send_header(name, value)
        if answer.status != 304:
            self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        origin.close()

    def do_CONNECT(self):
        if not self.begin():
            return
        host, _, port = self.path.rpartition(':')
        with socket.create_connection((real(host), int(port)), timeout=30) as origin:
            self.send_response(200)
            self.end_headers()
            ends = {self.connection: origin, origin: self.connection}
            while True:
                for end in select.select(list(ends), [], [], 60)[0] or [None]:
                    data = end.recv(65536) if end else b''
                    if not data:
                        self.close_connection = True
                        return
                    ends[end].sendall(data)

    def log_message(self, *_):
        pass


serve(Proxy, sys.argv[1])
