# SPDX-License-Identifier: Apache-2.0
"""A network that is bad on purpose: passes TCP on, late, or not at all."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from dens3r_ros.engines.protocol import Engine, EngineAway, Features, Outputs


class Proxy:
    """Listens on a port of its own and passes everything on to 127.0.0.1:`port`.

    delay     seconds by which every piece is late
    swallows  takes what comes and passes nothing on, as a cable that was pulled
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.delay, self.swallows = 0.0, False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self) -> str:
        return f"grpc://127.0.0.1:{self.port}"

    def drop(self) -> None:
        """Cut every connection there is."""
        ends, self._open = self._open, []
        for end in ends:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._listener.close()
        self.drop()

    def __enter__(self) -> Proxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = socket.create_connection(("127.0.0.1", self.target), 1.0)
            except OSError:
                near.close()
                continue
            far.settimeout(None)
            self._open += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(1 << 16):
                time.sleep(self.delay)
                while self.swallows:
                    time.sleep(0.02)
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            end.close()


def silence_is_told(proxy: Proxy, client: Engine, view: Features, outputs: Outputs) -> None:
    """A radio shadow: the connection stands, nothing comes; the call ends by its time-out."""
    proxy.swallows = True
    began = time.monotonic()
    with pytest.raises(EngineAway, match="did not answer within"):
        client.decode([(view, view)], outputs)
    assert time.monotonic() - began < 10
    proxy.swallows = False
