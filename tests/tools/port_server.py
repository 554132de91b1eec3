"""A threading HTTP server for tests, on a free port of 127.0.0.1."""
import http.server
import os


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def serve(handler, port_file, **attributes):
    """Writes the port to the file, and serves until it is killed; the handler's self.server has
    the attributes, and as `log` the name PORT_FILE.log."""
    server = Server(('127.0.0.1', 0), handler)
    server.log = port_file + '.log'
    for name, value in attributes.items():
        setattr(server, name, value)
    temporary = port_file + '.new'
    with open(temporary, 'w') as f:
        f.write('%d\n' % server.server_address[1])
    os.rename(temporary, port_file)
    server.serve_forever()
