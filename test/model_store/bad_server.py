# SPDX-License-Identifier: Apache-2.0
"""A server of weights that behaves as badly as it is told."""

from __future__ import annotations

import http.server
import re
from typing import Any

from dens3r_ros.model_store.fetch import Patience

CONTENT = bytes(range(256)) * 12_000
QUICK = Patience(tries=3, pause_s=0.01)


class BadServer(http.server.ThreadingHTTPServer):
    """Serves CONTENT, as badly as told."""

    cut_after: int | None = None
    cuts_left = 0
    ranges = True
    content = CONTENT
    content_type = "application/octet-stream"
    tag = '"one"'
    status = 200
    moved_to: str | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str | None] = []
        self.tokens: list[str | None] = []
        self.paths: list[str] = []

    def handle_error(self, *_: Any) -> None:
        """A client that goes away is what some tests want."""


class Handler(http.server.BaseHTTPRequestHandler):
    server: BadServer

    def do_GET(self) -> None:
        server = self.server
        asked = self.headers.get("Range")
        server.asked.append(asked)
        server.tokens.append(self.headers.get("Authorization"))
        server.paths.append(self.path)
        if server.moved_to:
            self.send_response(302)
            self.send_header("Location", server.moved_to)
            return self.end_headers()
        if server.status != 200:
            return self.send_error(server.status)
        start = 0
        if asked and server.ranges and self.headers.get("If-Range", server.tag) == server.tag:
            match = re.fullmatch(r"bytes=(\d+)-", asked)
            assert match
            start = int(match[1])
        self._send(start)

    def _send(self, start: int) -> None:
        server = self.server
        if start >= len(server.content):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(206 if start else 200)
        if start:
            last = len(server.content) - 1
            self.send_header("Content-Range", f"bytes {start}-{last}/{len(server.content)}")
        self.send_header("Content-Type", server.content_type)
        self.send_header("Content-Length", str(len(server.content) - start))
        self.send_header("ETag", server.tag)
        self.end_headers()
        body = server.content[start:]
        if server.cuts_left > 0:
            server.cuts_left -= 1
            body = body[: server.cut_after]
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass
