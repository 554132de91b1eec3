#!/usr/bin/env python3
"""A server that breaks promises, for what nginx is too honest to do.

    liar.py FILE ROOT    serves ROOT on a free loopback port until it is killed; writes the port to
                         FILE, one line "PATH STATUS RANGE" per request to FILE.log (RANGE: what was
                         asked for, or -), and the most requests at once for /slow/ to FILE.most

/pkg/KIND/...     KIND for packages, the truth for indexes
FILE.honest may come to hold beginnings of paths, one to a line: the truth for those.

Without ranges or validators:
/cut/N/PATH       announces the whole length and hangs up after half, for the first N requests
/busy/N/PATH      503 for the first N requests
/later/N/S/PATH   503 for the first N requests, and to come again after S seconds
/stall/PATH       sends half and then nothing
/drip/PATH        sends ten bytes a second
/silent/PATH      accepts and never answers
/reset/N/PATH     resets the connection after half, for the first N requests
/loop/PATH        redirects to itself
/away/PATH        redirects to file:///etc/passwd
/over/PATH        sends PATH's bytes without a length, then more of them without end
/page/PATH        404 with a page without an end
/nolength/N/PATH  sends half without a length, for the first N requests; then all, the same way
/long/PATH        announces ten bytes more than it has
/short/PATH       announces ten bytes less than it has
/other/PATH       as many bytes, but others
/slow/PATH        answers after a fifth of a second
/auth/PATH        401 unless the user is `me` with the password `secret`
/t/TOKEN/PATH     404 unless TOKEN is tk-secret
/html/PATH        200 with a web page, whatever was asked for

With ranges; KIND has a strong ETag and hangs up after a third of what was asked for, for the first
N requests, and then:
/flaky/N/PATH       is honest, as are the three below
/weak/N/PATH        but its ETag is a weak one
/dated/N/PATH       but it has an old Last-Modified instead of an ETag
/fresh/N/PATH       but its Last-Modified is of this second
/stalls/N/PATH      stalls instead of hanging up
/partly/N/PATH      answers a range by 250,000 bytes of it, and says so
/ignores/N/PATH     answers a range by the whole file
/none/N/PATH        says that it has no ranges
/refuses/N/PATH     answers a range by 416
/shifted/N/PATH     answers by a range that begins one byte later
/unsaid/N/PATH      answers 206 and does not say which part it is
/bigger/N/PATH      answers by the range of a file that is one byte longer
/damaged/N/PATH     answers by the right range with wrong bytes
/changed/N/PATH     has another version of the file, and says so by ETag and 200
/swapped/N/PATH     the same, but goes on with 206 and the new ETag
/unasked/PATH       answers 206 although no range was asked for
/dies/PATH          the first time; then 503 for ever
/pieces/SIZE/PATH   hangs up after every SIZE bytes
"""
import base64
import http.server
import os
import re
import socket
import struct
import sys
import threading
import time
from email.utils import formatdate

from port_server import serve


class Missing(Exception):
    """There is no such file."""


class Liar(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    seen = {}
    lock = threading.Lock()
    slow = most = 0

    def body(self, path):
        name = os.path.join(self.server.root, path.partition('?')[0])
        if '..' in path or not os.path.isfile(name):
            raise Missing
        with open(name, 'rb') as f:
            return f.read()

    def note(self, status):
        with open(self.server.log, 'a') as f:
            f.write('%s %s %s\n' % (self.path, status, self.headers.get('Range', '-')))

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
        return self.times() <= int(n)

    def times(self):
        """How often this path has been asked for, now included."""
        with self.lock:
            self.seen[self.path] = self.seen.get(self.path, 0) + 1
            return self.seen[self.path]

    def hang_up(self):
        self.close_connection = True

    def do_GET(self):
        kind, _, rest = self.path.lstrip('/').partition('/')
        try:
            self.answer(kind, rest)
        except Missing:
            self.send(404, b'not here\n')

    def answer(self, kind, rest):
        truth = self.has_repented()
        if kind == 'pkg':
            truth |= '/repodata' in rest
            kind, _, rest = rest.partition('/')
        if truth and hasattr(self, 'do_' + kind):
            self.whole(re.sub(r'^(\d+/)*', '', rest))
        else:
            getattr(self, 'do_' + kind, self.do_plain)(rest)

    def do_HEAD(self):
        self.send(405)

    def do_plain(self, _):
        self.whole(self.path.lstrip('/'))

    def whole(self, path):
        self.send(200, self.body(path))

    def has_repented(self):
        try:
            with open(self.server.honest) as f:
                return any(self.path.startswith(line.rstrip('\n')) for line in f)
        except FileNotFoundError:
            return False

    def do_cut(self, rest):
        n, _, path = rest.partition('/')
        body = self.body(path)
        if not self.counted(n):
            return self.whole(path)
        self.send(200, body[:len(body) // 2], length=len(body))
        self.hang_up()

    def do_busy(self, rest):
        n, _, path = rest.partition('/')
        if self.counted(n):
            self.send(503, b'busy\n')
        else:
            self.whole(path)

    def do_later(self, rest):
        n, seconds, path = rest.split('/', 2)
        if self.counted(n):
            self.send(503, b'busy\n', [('Retry-After', seconds)])
        else:
            self.whole(path)

    def do_stall(self, path):
        body = self.body(path)
        self.send(200, body[:len(body) // 2], length=len(body))
        time.sleep(60)

    def do_drip(self, path):
        body = self.body(path)
        self.send(200, length=len(body))
        for i in range(0, 600):
            self.wfile.write(body[10 * i:10 * i + 10])
            time.sleep(1)

    def do_silent(self, _):
        self.note(0)
        time.sleep(60)

    def do_reset(self, rest):
        n, _, path = rest.partition('/')
        if not self.counted(n):
            return self.whole(path)
        body = self.body(path)
        self.send(200, body[:len(body) // 2], length=len(body))
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.hang_up()

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

    def do_page(self, path):
        self.send(404, length=False)
        self.hang_up()
        try:
            while True:
                self.wfile.write(b'not here ' * 10000)
        except OSError:
            pass

    def do_nolength(self, rest):
        n, _, path = rest.partition('/')
        body = self.body(path)
        self.send(200, body[:len(body) // 2] if self.counted(n) else body, length=False)
        self.hang_up()

    def do_long(self, path):
        body = self.body(path)
        self.send(200, body, length=len(body) + 10)
        self.hang_up()

    def do_short(self, path):
        body = self.body(path)
        self.send(200, body, length=len(body) - 10)
        self.hang_up()

    def do_other(self, path):
        self.send(200, other(self.body(path)))

    def do_slow(self, path):
        cls = type(self)
        with self.lock:
            cls.slow += 1
            if cls.slow > cls.most:
                cls.most = cls.slow
                with open(self.server.most, 'w') as f:
                    f.write('%d\n' % cls.most)
        time.sleep(0.2)
        with self.lock:
            cls.slow -= 1
        self.whole(path)

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

    # --- with ranges ---

    def asked_from(self, etag):
        """The first byte asked for, None without a range; If-Range must fit."""
        asked = re.fullmatch(r'bytes=(\d+)-', self.headers.get('Range', ''))
        if not asked or self.headers.get('If-Range') != etag:
            return None
        return int(asked.group(1))

    def part(self, body, first, validator, cut, shift=0, total=None, last=None):
        """206 from `first` on (200: None), `cut` bytes of it (None: all)."""
        headers = [validator, ('Accept-Ranges', 'bytes')]
        if first is None:
            self.send(200, body[:cut], headers, len(body))
        else:
            last = len(body) if last is None else last
            headers.append(('Content-Range', 'bytes %d-%d/%d' % (
                first + shift, last - 1, total or len(body))))
            rest = body[first + shift:last]
            self.send(206, rest[:cut], headers, len(rest))
        if cut is not None:
            self.hang_up()

    def flaky(self, rest, validator=('ETag', '"one"'), stall=False):
        """Answers while it is flaky and the request has no range: (body, first, cut) else."""
        n, _, path = rest.partition('/')
        body = self.body(path)
        first = self.asked_from(validator[1])
        flaky = self.counted(n)
        cut = (len(body) - (first or 0)) // 3 if flaky else None
        if stall and flaky:
            self.part(body, first, validator, cut)
            time.sleep(60)
        return body, first, cut

    def do_flaky(self, rest, validator=('ETag', '"one"'), stall=False):
        body, first, cut = self.flaky(rest, validator, stall)
        self.part(body, first, validator, cut)

    def do_weak(self, rest):
        self.do_flaky(rest, ('ETag', 'W/"one"'))

    def do_dated(self, rest):
        self.do_flaky(rest, ('Last-Modified', 'Sat, 01 Feb 2020 10:00:00 GMT'))

    def do_fresh(self, rest):
        self.do_flaky(rest, ('Last-Modified', formatdate(time.time() + 1, usegmt=True)))

    def do_stalls(self, rest):
        self.do_flaky(rest, stall=True)

    def do_dies(self, path):
        """A third, and then never anything again."""
        if self.times() > 1:
            return self.send(503, b'down\n')
        body = self.body(path)
        self.part(body, None, ('ETag', '"one"'), len(body) // 3)

    def when_asked_for_a_range(self, rest, answer):
        """Flaky without a range; with one, answer(body, first)."""
        body, first, cut = self.flaky(rest)
        if first is None:
            self.part(body, None, ('ETag', '"one"'), cut)
        else:
            answer(body, first)

    def do_partly(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.part(
            body, first, ('ETag', '"one"'), None, last=min(first + 250000, len(body))))

    def do_ignores(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.send(
            200, body, [('ETag', '"one"')]))

    def do_none(self, rest):
        n, _, path = rest.partition('/')
        body = self.body(path)
        cut = len(body) // 3 if self.counted(n) else None
        self.send(200, body[:cut], [('ETag', '"one"'), ('Accept-Ranges', 'none')], len(body))
        if cut:
            self.hang_up()

    def do_refuses(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.send(416, b'no\n'))

    def do_shifted(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.part(
            body, first, ('ETag', '"one"'), None, shift=1))

    def do_unsaid(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.send(
            206, body[first:], [('ETag', '"one"')]))

    def do_bigger(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.part(
            body, first, ('ETag', '"one"'), None, total=len(body) + 1))

    def do_damaged(self, rest):
        self.when_asked_for_a_range(rest, lambda body, first: self.part(
            body[:first] + other(body[first:]), first, ('ETag', '"one"'), None))

    def do_changed(self, rest):
        """PATH is sent from the second request on; before, it had other bytes."""
        n, _, path = rest.partition('/')
        body = self.body(path)
        if self.counted(n):
            self.part(other(body), None, ('ETag', '"old"'), len(body) // 3)
        else:
            self.part(body, self.asked_from('"new"'), ('ETag', '"new"'), None)

    def do_swapped(self, rest):
        n, _, path = rest.partition('/')
        body = self.body(path)
        if self.counted(n):
            self.part(other(body), None, ('ETag', '"old"'), len(body) // 3)
        else:
            self.part(body, self.asked_from('"old"'), ('ETag', '"new"'), None)

    def do_unasked(self, path):
        body = self.body(path)
        self.part(body, len(body) // 2, ('ETag', '"one"'), None)

    def do_pieces(self, rest):
        size, _, path = rest.partition('/')
        self.part(self.body(path), self.asked_from('"one"'), ('ETag', '"one"'), int(size))

    def log_message(self, *_):
        pass


def other(body):
    """As long, but not the same."""
    return bytes(b ^ 1 for b in body)


serve(Liar, sys.argv[1], root=os.path.realpath(sys.argv[2]),
      honest=sys.argv[1] + '.honest', most=sys.argv[1] + '.most')
