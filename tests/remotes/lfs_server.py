"""A Git server with Git LFS on loopback: Git's own `http-backend`, and the batch API in front of a folder of objects."""

import gzip
import json
import os
import subprocess
import threading
from base64 import b64encode
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

_BATCH = "application/vnd.git-lfs+json"


class LfsServer:
    """Repositories below a folder, served over HTTP; what it was asked is counted, and faults can be ordered."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.asked: list[str] = []
        self.uploaded = self.downloaded = 0
        """Bytes of LFS objects."""
        self.password = ""
        self.refusal: tuple[int, str] | None = None
        """What the batch API answers to everything, as a service over its quota does."""
        self.cut_at = 0
        """The request (counted from 1) whose connection is closed instead of answered; 0 for none."""
        self.spoil: Callable[[bytes], bytes] | None = None
        """What becomes of objects that are given."""
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/far.git"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def objects(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in (self.root / "objects").glob("*")}

    def count(self, line: str) -> bool:
        """Note a request; True if its connection is to be cut."""
        self.asked.append(line)
        return len(self.asked) == self.cut_at

    def answer_batch(self, asked: dict[str, Any]) -> dict[str, Any]:
        answers = []
        for one in asked["objects"]:
            held = (self.root / "objects" / one["oid"]).is_file()
            href = {"href": f"{self.url}/object/{one['oid']}", "expires_in": 600}
            answer = dict(one)
            if asked["operation"] == "upload" and not held:
                answer["actions"] = {"upload": href}
            elif asked["operation"] == "download" and held:
                answer["actions"] = {"download": href}
            elif asked["operation"] == "download":
                answer["error"] = {"code": 404, "message": "Object does not exist"}
            answers.append(answer)
        return {"transfer": "basic", "objects": answers}


def _handler(server: LfsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._serve()

        def do_POST(self) -> None:
            self._serve()

        def do_PUT(self) -> None:
            self._serve()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _serve(self) -> None:
            body = self._body()
            if server.count(f"{self.command} {self.path}"):
                self.close_connection = True
                self.connection.close()
                return
            wanted = f"Basic {b64encode(f'me:{server.password}'.encode()).decode()}"
            if server.password and self.headers.get("Authorization") != wanted:
                self._say(401, b"", {"WWW-Authenticate": 'Basic realm="far"'})
            elif self.path.endswith("/objects/batch"):
                self._batch(body)
            elif "/object/" in self.path:
                self._object(body)
            elif "/info/lfs/" in self.path:
                self._say(404, b"{}", {"Content-Type": _BATCH})
            else:
                self._git(body)

        def _batch(self, body: bytes) -> None:
            if server.refusal is not None:
                code, message = server.refusal
                self._say(code, json.dumps({"message": message}).encode(), {"Content-Type": _BATCH})
            else:
                self._say(200, json.dumps(server.answer_batch(json.loads(body))).encode(), {"Content-Type": _BATCH})

        def _object(self, body: bytes) -> None:
            oid = self.path.rpartition("/")[2]
            path = server.root / "objects" / oid
            if self.command == "PUT":
                assert sha256(body).hexdigest() == oid
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(body)
                server.uploaded += len(body)
                self._say(200, b"")
                return
            data = path.read_bytes()
            server.downloaded += len(data)
            self._say(200, data if server.spoil is None else server.spoil(data))

        def _git(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            variables = {
                "GIT_PROJECT_ROOT": str(server.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "me",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=os.environ | variables, capture_output=True, check=True)
            head, _, answer = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines())
            code = int(fields.pop("Status", "200 OK").split()[0])
            self._say(code, answer, fields)

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
                body = b""
                while size := int(self.rfile.readline().strip() or b"0", 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
            else:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            return gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body

        def _say(self, code: int, body: bytes, fields: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for name, value in (fields or {}).items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
