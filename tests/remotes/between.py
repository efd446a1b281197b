"""Who stands between a client and a server on loopback: counts the requests, and spoils those that a test chooses."""

import http.client
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit


class Request(NamedTuple):
    """What a client asked: the method, the path below the bucket, and the names in its query."""

    method: str
    path: str
    query: frozenset[str]
    headers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}{'?' if self.query else ''}{'&'.join(sorted(self.query & _TELLING))}"


_TELLING = frozenset({"uploads", "uploadId", "partNumber", "list-type", "continuation-token"})

FAULTS = ("dropped", "half", "lost", "cut", "500", "503", "slow down")
"""The connection closes before the server hears of it, in the middle of the question, instead of the answer, in the middle of the
answer; the server says that it failed, that it is busy, that it is asked too often."""


class Between:
    """A forwarder of HTTP. `log` holds each request; `fault` says what befalls the n-th (from 1), None for nothing."""

    def __init__(self, server: str) -> None:
        self.server = server
        self.log: list[Request] = []
        self.fault: Callable[[int, Request], str | None] = lambda number, request: None
        self.port = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def told(self) -> list[str]:
        """The requests so far, which are then forgotten."""
        with self._lock:
            told = [str(request) for request in self.log]
            self.log.clear()
        return told

    def note(self, request: Request) -> str | None:
        with self._lock:
            self.log.append(request)
            return self.fault(len(self.log), request)


@contextmanager
def between(server: str) -> Iterator[Between]:
    """Stand before this server (`host:port`) until the end of the block."""
    middle = Between(server)

    class Forward(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            parts = urlsplit(self.path)
            query = frozenset(parse_qs(parts.query, keep_blank_values=True))
            request = Request(self.command, unquote(parts.path).strip("/").partition("/")[2], query, dict(self.headers))
            fault = middle.note(request)
            length = int(self.headers.get("Content-Length", 0))
            if fault == "dropped":
                return self.hang_up()
            body = self.rfile.read(length // 2 if fault == "half" else length)
            if fault == "half":
                return self.hang_up()
            if fault is not None and fault in _REFUSALS:
                return self.answer(*_REFUSALS[fault])
            status, reason, headers, data = _ask(middle.server, self.command, self.path, body, dict(self.headers), fault)
            if fault == "lost":
                return self.hang_up()
            self.send_response_only(status, reason)
            for name, value in headers:
                if name.lower() not in ("transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.end_headers()
            with suppress(ConnectionError):
                self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
            if fault == "cut":
                self.hang_up()
            return None

        def answer(self, status: int, code: str) -> None:
            data = f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()
            self.send_response_only(status, code)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def hang_up(self) -> None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)

        def log_message(self, *_: object) -> None:
            """The log is `Between.log`."""

    for method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
        setattr(Forward, f"do_{method}", Forward.forward)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            """A client that hung up, as clients in these tests do."""

    with Server(("127.0.0.1", 0), Forward) as serving:
        middle.port = serving.server_port
        thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield middle
        finally:
            serving.shutdown()
            thread.join()


_REFUSALS = {
    "500": (500, "InternalError"),
    "503": (503, "ServiceUnavailable"),
    "slow down": (503, "SlowDown"),
    "forbidden": (403, "AccessDenied"),
}

_IGNORED = {"no conditions": ("if-none-match",), "no ranges": ("range",)}
"""Headers that a simpler server does not know."""


def _ask(
    server: str, method: str, path: str, body: bytes, headers: dict[str, str], fault: str | None
) -> tuple[int, str, list[tuple[str, str]], bytes]:
    dropped = {"expect", *_IGNORED.get(fault or "", ())}
    connection = http.client.HTTPConnection(server, timeout=60)
    try:
        connection.request(method, path, body, {name: value for name, value in headers.items() if name.lower() not in dropped})
        answer = connection.getresponse()
        return answer.status, answer.reason, answer.getheaders(), answer.read()
    finally:
        connection.close()


@contextmanager
def line(server: str, cut_after: Callable[[int], int | None]) -> Iterator[int]:
    """A forwarder of bytes, by its port: the n-th connection (from 1) ends after so many bytes, None for never, whoever sends them."""
    listening = socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    open_ends: list[socket.socket] = []

    def carry(source: socket.socket, target: socket.socket, left: list[int | None]) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if left[0] is not None:
                    data = data[: left[0]]
                    left[0] -= len(data)
                target.sendall(data)
                if left[0] == 0:
                    break
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        number = 0
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            number += 1
            host, _, port = server.partition(":")
            far = socket.create_connection((host, int(port)))
            open_ends.extend((client, far))
            left = [cut_after(number)]
            for pair in ((client, far), (far, client)):
                threads.append(threading.Thread(target=carry, args=(*pair, left)))
                threads[-1].start()

    accepting = threading.Thread(target=accept)
    accepting.start()
    try:
        yield listening.getsockname()[1]
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join()
        for end in open_ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for end in open_ends:
            end.close()
