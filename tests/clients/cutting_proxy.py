"""A TCP proxy that breaks one connection in the middle of its answer, as networks do."""

from __future__ import annotations

import contextlib
import socket
import threading


class CuttingProxy:
    """Forwards to `port`; the first answer to a request whose head has `marker` is cut after `cut_after` bytes.

    Attributes:
        heads: heads of the requests with the marker, in order.
    """

    def __init__(self, port: int, *, marker: str, cut_after: int) -> None:
        self.heads: list[str] = []
        self._port = port
        self._marker = marker
        self._cut_after = cut_after
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        # A blocked accept does not notice that its socket is closed.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._port))
                for source, sink, reads_requests in ((client, server, True), (server, client, False)):
                    thread = threading.Thread(
                        target=self._pump, args=(source, sink, reads_requests), daemon=True
                    )
                    thread.start()
                    self._threads.append(thread)

    def _pump(self, source: socket.socket, sink: socket.socket, reads_requests: bool) -> None:
        num_bytes = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if reads_requests:
                    # A browser sends a request's head in one piece.
                    if self._marker in (head := data.decode("latin-1")):
                        self.heads.append(head)
                elif len(self.heads) == 1:
                    num_bytes += len(data)
                    if num_bytes > self._cut_after:
                        sink.sendall(data[: len(data) - (num_bytes - self._cut_after)])
                        break
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
