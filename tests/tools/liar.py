#!/usr/bin/env python3
"""A server that breaks promises, for what nginx is too honest to do.

    liar.py FILE ROOT    serves ROOT on a free loopback port until it is killed; writes the port to
                         FILE, and one line "PATH STATUS" per request to FILE.log

/cut/N/PATH       announces the whole length and hangs up after half, for the first N requests
/busy/N/PATH      503 for the first N requests
/stall/PATH       sends half and then nothing
/silent/PATH      accepts and never answers
/loop/PATH        redirects to itself
/away/PATH        redirects to file:///etc/passwd
/over/PATH        sends PATH's bytes without a length, then more of them without end
/auth/PATH        401 unless the user is `me` with the password `secret`
/t/TOKEN/PATH     404 unless TOKEN is tk-secret
/html/PATH        200 with a web page, whatever was asked for
"""
import base64
import http.server
import os
import sys
import time


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    seen = {}

    def body(self, path):
        name = os.path.join(self.server.root, path)
        if '..' in path or not os.path.isfile(name):
            return None
        with open(name, 'rb') as f:
            return f.read()

    def note(self, status):
        with open(self.server.log, 'a') as f:
            f.write('%s %s\n' % (self.path, status))

    def send(self, status, body=b'', headers=(), length=None):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if length is not False:
            self.send_header('Content-Length', str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def counted(self, n):
        """Is this among the first n requests for this path?"""
        self.seen[self.path] = self.seen.get(self.path, 0) + 1
        return self.seen[self.path] <= int(n)

    def hang_up(self):
        self.close_connection = True

    def do_GET(self):
        kind, _, rest = self.path.lstrip('/').partition('/')
        getattr(self, 'do_' + kind, self.do_plain)(rest)

    def do_plain(self, _):
        self.whole(self.path.lstrip('/'))

    def whole(self, path):
        body = self.body(path)
        if body is None:
            self.send(404, b'not here\n')
        else:
            self.send(200, body)

    def do_cut(self, rest):
        n, _, path = rest.partition('/')
        body = self.body(path)
        if body is None or not self.counted(n):
            return self.whole(path)
        self.send(200, body[:len(body) // 2], length=len(body))
        self.hang_up()

    def do_busy(self, rest):
        n, _, path = rest.partition('/')
        if self.counted(n):
            self.send(503, b'busy\n')
        else:
            self.whole(path)

    def do_stall(self, path):
        body = self.body(path)
        self.send(200, body[:len(body) // 2], length=len(body))
        time.sleep(60)

    def do_silent(self, _):
        self.note(0)
        time.sleep(60)

    def do_loop(self, _):
        self.send(302, headers=[('Location', self.path)])

    def do_away(self, _):
        self.send(302, headers=[('Location', 'file:///etc/passwd')])

    def do_over(self, path):
        body = self.body(path)
        self.send(200, body, length=False)
        self.hang_up()
        try:
            for _ in range(1000):
                self.wfile.write(body)
        except OSError:
            pass

    def do_auth(self, path):
        good = 'Basic ' + base64.b64encode(b'me:secret').decode()
        if self.headers.get('Authorization') == good:
            self.whole(path)
        else:
            self.send(401, headers=[('WWW-Authenticate', 'Basic realm="x"')])

    def do_t(self, rest):
        token, _, path = rest.partition('/')
        if token == 'tk-secret':
            self.whole(path)
        else:
            self.send(404)

    def do_html(self, _):
        self.send(200, b'<!DOCTYPE html><title>Please log in</title>\n')

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    server = Server(('127.0.0.1', 0), Liar)
    server.root = os.path.realpath(sys.argv[2])
    server.log = sys.argv[1] + '.log'
    temporary = sys.argv[1] + '.new'
    with open(temporary, 'w') as f:
        f.write('%d\n' % server.server_address[1])
    os.rename(temporary, sys.argv[1])
    server.serve_forever()


main()
