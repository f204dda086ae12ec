#!/usr/bin/python3
"""A web server of the labs, whatever path is asked for.

usage: web_server.py PORT name NAME    answers with its name and with whom it sees
       web_server.py PORT paced FILE   ten million zero bytes, 100 kB in a second; fast as soon as there is such a file
"""
import http.server
import os
import socket
import sys
import time

import lab

ZEROS = 10_000_000
PAUSE_SECONDS, PACED_BYTES, FAST_BYTES = 0.1, 10_000, 1 << 16


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


class Name(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{sys.argv[3]} {self.client_address[0].removeprefix('::ffff:')}\n".encode())


class Paced(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(ZEROS))
        self.end_headers()
        left = ZEROS
        while left:
            fast = os.path.exists(sys.argv[3])
            if not fast:
                time.sleep(PAUSE_SECONDS)
            left -= self.wfile.write(bytes(min(FAST_BYTES if fast else PACED_BYTES, left)))


def start(namespace, port, kind, word):
    """One in a namespace; it listens when this returns."""
    server = namespace.start("/usr/bin/python3", "-B", __file__, port, kind, word, name=f"{namespace.label}-http-{port}")
    lab.wait_until(lambda: "listens" in server.text(), 20, f"{namespace.label} has a server on port {port}")
    return server


if __name__ == "__main__":
    kinds = {"name": Name, "paced": Paced}
    if len(sys.argv) != 4 or sys.argv[2] not in kinds:
        sys.exit(__doc__)
    server = Server(("::", int(sys.argv[1])), kinds[sys.argv[2]])
    print("listens", flush=True)
    server.serve_forever()
