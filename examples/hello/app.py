#!/usr/bin/env python3
"""A small web app: says hello, and which instance says it. Standard library only.

It listens on $PORT0 (or its first argument), answers /health, and when told to end it goes on
answering for a moment, so that a load balancer can take it out first.
"""

import os
import signal
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from string import Template

LINGER_S = 3.0
PAGE = Template((Path(__file__).parent / "page.html").read_text())


class Handler(BaseHTTPRequestHandler):
    """Answers GET and HEAD."""

    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_GET(self):
        """The page, or the health."""
        if self.path == "/health":
            self._answer(200, "text/plain", "ok\n")
        elif self.path.split("?")[0] == "/":
            self._answer(200, "text/html", PAGE.substitute(self.server.facts))
        else:
            self._answer(404, "text/plain", f"There is nothing at {self.path}\n")

    do_HEAD = do_GET

    def _answer(self, status, kind, text):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", f"{kind}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    """One thread a connection."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port):
        super().__init__(("", port), Handler)
        self.facts = {
            "task": os.environ.get("MESOS_TASK_ID", "no task"),
            "host": socket.gethostname(),
            "port": port,
            "version": os.environ.get("MARATHON_APP_VERSION", "none"),
        }

    def end_soon(self, number, frame):
        """SIGTERM: linger, then stop."""

        def end():
            time.sleep(LINGER_S)
            self.shutdown()

        threading.Thread(target=end, daemon=True).start()


def main():
    """Serve until told to end."""
    port = int(sys.argv[1] if len(sys.argv) > 1 else os.environ["PORT0"])
    server = Server(port)
    signal.signal(signal.SIGTERM, server.end_soon)
    server.serve_forever()


if __name__ == "__main__":
    main()
