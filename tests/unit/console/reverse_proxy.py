"""A reverse proxy as a process of a lab has it: it shows a server below a path of its own address."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HOP = {"connection", "transfer-encoding", "keep-alive"}  # headers of one connection, not of the message


@contextmanager
def proxied(port: int, prefix: str, strips: bool) -> Iterator[int]:
    """The port of a proxy that shows what is at `port` below `prefix`, and nothing elsewhere.

    strips: whether it takes the prefix off the paths that it passes on.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            if not self.path.startswith(prefix):
                self.send_error(418, "Outside of the prefix")
                return
            path = self.path.removeprefix(prefix) if strips else self.path
            inner = http.client.HTTPConnection("127.0.0.1", port)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            inner.request(self.command, path or "/", body or None, headers)
            answer = inner.getresponse()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in HOP:
                    self.send_header(name, value)
            self.send_header("Connection", "close")
            self.close_connection = True
            self.end_headers()
            try:
                while piece := answer.read1(65536):
                    self.wfile.write(piece)
            except OSError:
                pass  # the browser has gone
            finally:
                inner.close()

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815 - these names are those of the base class

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.socket.close()
