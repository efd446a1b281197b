"""A loopback server that speaks as Kaggle does to its own client: datasets, uploads, downloads, kernels; slow, busy, cut or failing on demand.

What the live service does on its side was never seen from here: what is taken from the client's source is certain, and the
rest (when 403 and 404 come, what a failed version leaves) follows what people report.
"""

import atexit
import base64
import io
import json
import os
import re
import socket
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

PROCESSING = ("NOT_YET_PERSISTED", "BLOBS_RECEIVED", "BLOBS_COPIED_TO_SDS")


class Told(Exception):
    """An answer that is no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Version:
    """One snapshot of a dataset."""

    files: dict[str, bytes]
    left: int
    """How often it is looked at before it is ready."""
    fails: bool = False

    @property
    def status(self) -> str:
        if self.left > 0:
            return PROCESSING[min(self.left, len(PROCESSING)) - 1]
        return "FAILED" if self.fails else "READY"


@dataclass
class Upload:
    """A file on its way up."""

    name: str
    size: int
    data: bytearray = field(default_factory=bytearray)


@dataclass
class Kernel:
    """A kernel, its source and settings, and what its session has put out."""

    asked: dict[str, Any]
    version: int = 1
    looks: int = 0
    hidden: int = 0
    """How often it is asked for before it is found."""
    done: threading.Event = field(default_factory=threading.Event)
    code: int = 0
    log: str = ""
    output: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Fault:
    """What goes wrong with a request, and with which."""

    kind: str
    """`drop` before or `lose` after the work, `cut` in the middle of the bytes, `hang` until the test goes on, `page` for the answer of
    somebody else, or a status."""
    match: str = ""
    at: int = 1
    """The first of the matching requests, counted from 1."""
    times: int = 1
    seen: int = 0

    def strikes(self, line: str) -> bool:
        if not re.search(self.match, line):
            return False
        self.seen += 1
        return self.at <= self.seen < self.at + self.times


class KaggleServer:
    """The service; `environment` leads the real client here, and lets it reach nothing else."""

    def __init__(self) -> None:
        self.users = {"me": "key", "other": "key2"}
        self.datasets: dict[str, list[Version]] = {}
        self.uploads: dict[str, Upload] = {}
        self.kernels: dict[str, Kernel] = {}
        self.spent: set[str] = set()
        self.faults: list[Fault] = []
        self.log: list[str] = []
        self.leaks: list[str] = []
        self.bytes_up = 0
        self.bytes_down = 0
        self.processing = 0
        """How often a new version is looked at before it is ready."""
        self.fail_next = 0
        """How many of the next versions fail."""
        self.unlisted = False
        """Whether the list of datasets is behind and names none."""
        self.compressed = False
        """Whether a file comes as a zip of itself."""
        self.full = False
        """Whether the owner's room is used up."""
        self.lose_pack = False
        """Whether the next version is made without its last file, as when an upload failed silently."""
        self.mount_layout = "{slug}"
        self.kernel_slug: Callable[[str], str] = lambda slug: slug
        self.kernel_hidden = 0
        self.before_kernel: Callable[[Kernel], None] = lambda kernel: None
        self.after_kernel: Callable[[Kernel, Path], None] = lambda kernel, folder: None
        self.kernel_environment: dict[str, str] = {}
        self.folder: Path | None = None
        """Where kernels run."""
        self.hanging, self.go_on = threading.Event(), threading.Event()
        self.lock = threading.RLock()
        handler = type("Handler", (_Handler,), {"kaggle": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        self._kernel_threads: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for thread in self._kernel_threads:
            thread.join()

    def environment(self, user: str = "me") -> dict[str, str]:
        """What a process needs to speak with this server and no other."""
        return {
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HTTP_PROXY": self.url,
            "HTTPS_PROXY": self.url,
            "http_proxy": self.url,
            "https_proxy": self.url,
            "NO_PROXY": "",
            "no_proxy": "",
            "KAGGLE_USERNAME": user,
            "KAGGLE_KEY": self.users[user],
        }

    def fault(self, kind: str, match: str = "", *, at: int = 1, times: int = 1) -> Fault:
        """Have the n-th request from now on that matches go wrong."""
        made = Fault(kind, match, at, times)
        self.faults.append(made)
        return made

    def count(self, match: str) -> int:
        """How many requests matched so far."""
        return sum(re.search(match, line) is not None for line in self.log)

    def current(self, ref: str) -> int:
        """The number of the version that is read now; 0 if there is none."""
        versions = self.datasets.get(ref, [])
        return max((number for number, version in enumerate(versions, 1) if version.status == "READY"), default=0)

    def shown(self, ref: str) -> dict[str, bytes]:
        """The files of the version that is read now."""
        number = self.current(ref)
        return self.datasets[ref][number - 1].files if number else {}

    def add(self, ref: str, files: Mapping[str, bytes]) -> None:
        """Put a version there behind every client's back."""
        with self.lock:
            self.datasets.setdefault(ref, []).append(Version(dict(files), 0))

    def mount(self, folder: Path, *refs: str, layout: str = "{slug}") -> Path:
        """Lay the current versions of datasets below a folder, as a kernel sees them."""
        for ref in refs:
            owner, _, slug = ref.partition("/")
            for name, data in self.shown(ref).items():
                path = folder / layout.format(owner=owner, slug=slug) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        return folder

    # -- what the client asks

    def rpc(self, user: str, method: str, asked: dict[str, Any]) -> Any:
        ref = f"{asked.get('ownerSlug') or user}/{asked.get('datasetSlug') or asked.get('slug')}"
        work = getattr(self, "_rpc" + re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", method), None)
        if work is None:
            raise Told(501, f"{method} is not offered here")
        return work(user, ref, asked)

    def _readable(self, user: str, ref: str) -> list[Version]:
        if ref not in self.datasets:
            raise Told(404, "Not found")
        if not ref.startswith(f"{user}/"):
            raise Told(403, "Permission 'datasets.get' was denied")
        return self.datasets[ref]

    def _look(self, ref: str) -> None:
        """Time passes by being looked at, so that no test depends on a clock."""
        for version in self.datasets.get(ref, []):
            version.left = max(0, version.left - 1)

    def _rpc_get_dataset(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        versions = self._readable(user, ref)
        self._look(ref)
        number = self.current(ref)
        if not number:
            raise Told(404, "Not found")
        told = [{"versionNumber": n, "status": one.status} for n, one in enumerate(versions, 1)]
        return {"ref": ref, "currentVersionNumber": number, "versions": told, "isPrivate": True}

    def _rpc_get_dataset_status(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        versions = self._readable(user, ref)
        self._look(ref)
        return {"status": versions[-1].status}

    def _rpc_list_datasets(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        mine = asked.get("group") == "DATASET_SELECTION_GROUP_MY"
        owner = user if mine else asked.get("user", "")
        found = [one for one in sorted(self.datasets) if one.startswith(f"{owner}/") and asked.get("search", "") in one and mine]
        return {"datasets": [] if self.unlisted else [{"ref": one, "ownerRef": owner} for one in found]}

    def _rpc_list_dataset_files(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        files = sorted(self._version(user, ref, asked).files.items())
        start, size = int(asked.get("pageToken") or 0), int(asked.get("pageSize") or 20)
        told = {"datasetFiles": [{"name": name, "totalBytes": len(data)} for name, data in files[start : start + size]]}
        return told | ({"nextPageToken": str(start + size)} if start + size < len(files) else {})

    def _version(self, user: str, ref: str, asked: dict[str, Any]) -> Version:
        versions = self._readable(user, ref)
        number = int(asked.get("datasetVersionNumber") or self.current(ref))
        if not 1 <= number <= len(versions) or versions[number - 1].status != "READY":
            raise Told(404, "Not found")
        return versions[number - 1]

    def _rpc_download_dataset(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        version = self._version(user, ref, asked)
        name = asked.get("fileName")
        number = self.datasets[ref].index(version) + 1
        if name is not None and name not in version.files:
            raise Told(404, "Not found")
        return f"http://storage.localhost/bytes/{ref}/{number}/{quote(name or '*', safe='')}"

    def _rpc_start_blob_upload(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        token = f"token-{len(self.uploads) + 1}"
        if "/" in asked["name"]:
            raise Told(400, "a name, not a path")
        self.uploads[token] = Upload(asked["name"], int(asked.get("contentLength") or 0))
        return {"token": token, "createUrl": f"http://storage.localhost/upload/{token}"}

    def _rpc_create_dataset(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        if not ref.startswith(f"{user}/"):
            raise Told(403, "Permission 'datasets.create' was denied")
        if not 6 <= len(asked["slug"]) <= 50 or not 6 <= len(asked["title"]) <= 50:
            return {"status": "error", "error": "The title must be between 6 and 50 characters"}
        if ref in self.datasets:
            return {"status": "error", "error": f"The requested title {asked['title']!r} is already in use by a dataset"}
        self.datasets[ref] = [self._made(asked)]
        return {"status": "ok", "ref": f"/{ref}", "url": f"https://www.kaggle.com/datasets/{ref}"}

    def _rpc_create_dataset_version(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        versions = self.datasets.get(ref)
        if versions is None:
            raise Told(404, "Not found")
        if not ref.startswith(f"{user}/") or (len(versions) == 1 and versions[0].left > 0):
            raise Told(403, "Permission 'datasets.update' was denied")
        versions.append(self._made(asked["body"]))
        return {"status": "ok", "ref": f"/{ref}", "url": f"https://www.kaggle.com/datasets/{ref}"}

    def _made(self, asked: dict[str, Any]) -> Version:
        if self.full:
            raise Told(400, "The private quota of this account is used up")
        files: dict[str, bytes] = {}

        def take(folder: str, listed: dict[str, Any]) -> None:
            for one in listed.get("files", []):
                upload = self.uploads.get(one["token"])
                if upload is None or len(upload.data) != upload.size or one["token"] in self.spent:
                    raise Told(400, f"Invalid token {one['token']}")
                files[folder + upload.name] = bytes(upload.data)
            for inner in listed.get("directories", []):
                take(f"{folder}{inner['name']}/", inner)

        take("", asked)
        for listed in (asked, *asked.get("directories", [])):
            self.spent.update(one["token"] for one in listed.get("files", []))
        if self.lose_pack:
            self.lose_pack = False
            files.pop(max(files))
        fails, self.fail_next = self.fail_next > 0, max(0, self.fail_next - 1)
        return Version(files, self.processing, fails)

    # -- kernels

    def _rpc_save_kernel(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        if not asked["slug"].startswith(f"{user}/"):
            raise Told(403, "Permission 'kernels.update' was denied")
        missing = [source for source in asked.get("datasetDataSources", []) if not self.current(source)]
        ref = f"{user}/{self.kernel_slug(asked['slug'].partition('/')[2])}"
        kernel = Kernel(asked, version=self.kernels[ref].version + 1 if ref in self.kernels else 1, hidden=self.kernel_hidden)
        self.before_kernel(kernel)
        self.kernels[ref] = kernel
        sources = [source for source in asked.get("datasetDataSources", []) if source not in missing]
        thread = threading.Thread(target=self._run, args=(kernel, ref, sources))
        self._kernel_threads.append(thread)
        thread.start()
        told = {
            "ref": f"/code/{ref}",
            "url": f"https://www.kaggle.com/code/{ref}",
            "versionNumber": kernel.version,
            "kernelId": len(self.kernels),
        }
        return told | ({"invalidDatasetSources": missing} if missing else {})

    def _run(self, kernel: Kernel, ref: str, sources: list[str]) -> None:
        """Run the source as Kaggle would: the datasets mounted, a home of its own, the working folder kept as output."""
        assert self.folder is not None
        place = self.folder / ref.replace("/", "-") / str(kernel.version)
        working, home = place / "working", place / "home"
        for folder in (working, home, place / "input"):
            folder.mkdir(parents=True, exist_ok=True)
        with self.lock:
            self.mount(place / "input", *sources, layout=self.mount_layout)
        (place / "script.py").write_text(kernel.asked["text"])
        keep = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG", "SYSTEMROOT", "VIRTUAL_ENV")}
        environment = keep | {
            "HOME": str(home),
            "XDG_CACHE_HOME": str(home / ".cache"),
            "KAGGLE_KERNEL_RUN_TYPE": "Batch",
            "KAGGLE_CACHE_MOUNT_FOLDER": str(place / "input"),
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.kernel_environment,
        }
        done = subprocess.run(
            [sys.executable, str(place / "script.py")],
            cwd=working,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=100,
        )
        self.after_kernel(kernel, working)
        kernel.code, kernel.log = done.returncode, done.stdout + done.stderr
        kernel.output = {path.relative_to(working).as_posix(): path.read_bytes() for path in sorted(working.rglob("*")) if path.is_file()}
        kernel.done.set()

    def _kernel(self, user: str, asked: dict[str, Any]) -> Kernel:
        kernel = self.kernels.get(f"{asked['userName']}/{asked['kernelSlug']}")
        if kernel is None or asked["userName"] != user:
            raise Told(404, "Not found")
        if kernel.hidden:
            kernel.hidden -= 1
            raise Told(404 if kernel.hidden % 2 else 403, "Permission 'kernels.get' was denied")
        return kernel

    def _rpc_get_kernel(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        kernel = self._kernel(user, asked)
        return {
            "metadata": {"currentVersionNumber": kernel.version, "machineShape": kernel.asked.get("machineShape")},
            "blob": {"source": kernel.asked["text"]},
        }

    def _rpc_get_kernel_session_status(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        kernel = self._kernel(user, asked)
        kernel.looks += 1
        if kernel.looks == 1:
            return {}  # QUEUED is the default, and defaults are left out
        if not kernel.done.wait(0.2):
            return {"status": "RUNNING"}
        return {"status": "COMPLETE"} if kernel.code == 0 else {"status": "ERROR", "failureMessage": f"exit code {kernel.code}"}

    def _rpc_list_kernel_session_output(self, user: str, ref: str, asked: dict[str, Any]) -> Any:
        kernel = self._kernel(user, asked)
        files = list(kernel.output)
        start, size = int(asked.get("pageToken") or 0), int(asked.get("pageSize") or 20)
        name = f"{asked['userName']}/{asked['kernelSlug']}"
        told = [
            {"fileName": one, "url": f"http://storage.localhost/output/{name}/{quote(one, safe='')}"} for one in files[start : start + size]
        ]
        answer: dict[str, Any] = {"files": told, "log": kernel.log}
        return answer | ({"nextPageToken": str(start + size)} if start + size < len(files) else {})

    # -- bytes

    def bytes_at(self, path: str) -> bytes:
        kind, owner, slug, *rest = path.strip("/").split("/")
        if kind == "output":
            return self.kernels[f"{owner}/{slug}"].output[unquote(rest[0])]
        files = self.datasets[f"{owner}/{slug}"][int(rest[0]) - 1].files
        name = unquote(rest[1])
        if name == "*":
            return _zipped(files)
        return _zipped({name.rpartition("/")[2]: files[name]}) if self.compressed else files[name]


def _zipped(files: Mapping[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return held.getvalue()


class _Handler(BaseHTTPRequestHandler):
    """One connection; a target may be a whole URL, as a proxy is asked."""

    kaggle: KaggleServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 30

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""

    def do_CONNECT(self) -> None:
        self.kaggle.leaks.append(self.path)
        self.send_error(502, "nothing but this server can be reached")
        self.close_connection = True

    def do_POST(self) -> None:
        self._served(self._rpc)

    def do_PUT(self) -> None:
        self._served(self._put)

    def do_GET(self) -> None:
        self._served(self._get)

    def parse_request(self) -> bool:
        # The client leaves small packets to wait for an answer to the one before, as it does with every proxy; so answer at once.
        if hasattr(socket, "TCP_QUICKACK"):
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return super().parse_request()

    def _served(self, work: Callable[[], None]) -> None:
        target = urlsplit(self.path)
        if target.hostname not in (None, "localhost", "storage.localhost"):
            self.kaggle.leaks.append(self.path)
            self.send_error(502, "nothing but this server can be reached")
            return
        self.target = target.path
        line = f"{self.command} {target.path} {self.headers.get('Content-Range') or self.headers.get('Range') or ''}".strip()
        with self.kaggle.lock:
            self.kaggle.log.append(line)
            self.kind = next((fault.kind for fault in self.kaggle.faults if fault.strikes(line)), "")
        if self.kind == "hang":
            self.kaggle.hanging.set()
            self.kaggle.go_on.wait(30)
        if self.kind in ("drop", "hang"):
            self.close_connection = True
            self.connection.close()
            return
        if self.kind == "page":
            self._body()
            self._answer(200, b"<html>Please log in to this network</html>")
            return
        if self.kind.isdecimal():
            self._body()
            self._answer(int(self.kind), json.dumps({"code": int(self.kind), "message": "as asked for"}).encode(), {"Retry-After": "0"})
            return
        try:
            work()
        except Told as told:
            self._answer(told.status, json.dumps({"code": told.status, "message": str(told)}).encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _rpc(self) -> None:
        asked = json.loads(self._body() or b"{}")
        user = self._user()
        with self.kaggle.lock:
            answer = self.kaggle.rpc(user, self.target.rpartition("/")[2], asked)
        if isinstance(answer, str):
            self._answer(302, b"", {"Location": answer})
        else:
            self._answer(200, json.dumps(answer).encode())

    def _user(self) -> str:
        kind, _, value = self.headers.get("Authorization", "").partition(" ")
        if kind == "Basic":
            user, _, key = base64.b64decode(value).decode().partition(":")
            if self.kaggle.users.get(user) == key:
                return user
        if kind == "Bearer":
            for user, key in self.kaggle.users.items():
                if value == f"{user}-{key}":
                    return user
        raise Told(401, "Unauthenticated")

    def _put(self) -> None:
        if self.headers.get("Authorization"):
            raise Told(400, "an upload wants no credentials")
        upload = self.kaggle.uploads.get(self.target.rpartition("/")[2])
        if upload is None:
            self._body()
            raise Told(404, "no such upload")
        begin, _, total = self.headers["Content-Range"].removeprefix("bytes ").partition("/")
        if int(total) != upload.size:
            raise Told(400, "another size was announced")
        if begin != "*":
            if int(begin.partition("-")[0]) != len(upload.data):
                raise Told(400, "that is not where it goes on")
            wanted = int(self.headers["Content-Length"])
            data = self.rfile.read(wanted // 2 if self.kind == "cut" else wanted)
            upload.data += data
            self.kaggle.bytes_up += len(data)
            if self.kind == "cut":
                self.close_connection = True
                self.connection.close()
                return
        if len(upload.data) == upload.size:
            self._answer(200, b"{}")
        else:
            self._answer(308, b"", {"Range": f"bytes=0-{len(upload.data) - 1}"} if upload.data else {})

    def _get(self) -> None:
        if self.headers.get("Authorization"):
            raise Told(400, "a signed URL wants no credentials")
        data = self.kaggle.bytes_at(self.target)
        headers = {"ETag": f'"{md5(data, usedforsecurity=False).hexdigest()}"', "Accept-Ranges": "bytes"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        status = 200
        if asked:
            begin, end = int(asked[1]), min(int(asked[2] or len(data) - 1), len(data) - 1)
            if begin >= len(data):
                raise Told(416, "no such range")
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
            data, status = data[begin : end + 1], 206
        self._answer(status, data, headers)

    def _answer(self, status: int, data: bytes, headers: Mapping[str, str] = {}) -> None:
        if self.kind == "lose":
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream" if self.command == "GET" and status < 400 else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.kaggle.bytes_down += len(data) // 2 if self.kind == "cut" else len(data)
        if self.kind == "cut" and len(data) > 1:
            self.wfile.write(data[: len(data) // 2])
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(data)


@cache
def shared() -> KaggleServer:
    """One server for all tests of this process that keep to datasets of their own."""
    server = KaggleServer()
    atexit.register(server.close)
    return server


@contextmanager
def serving() -> Iterator[KaggleServer]:
    """The service for as long as the block lasts."""
    server = KaggleServer()
    try:
        yield server
    finally:
        server.close()
