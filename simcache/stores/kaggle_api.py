"""Kaggle as simcache needs it: calls that are tried again, uploads and downloads that go on where they were cut. Kaggle's client is imported here alone."""

import os
import random
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from hashlib import file_digest
from importlib import import_module
from io import BytesIO
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, TypeVar

from simcache.errors import BadSettings, CacheError, Corrupt, Unavailable

if TYPE_CHECKING:
    import requests

T = TypeVar("T")

_TIMEOUT = (20.0, 120.0)
"""Seconds to connect, and for each read: the client itself would wait for ever on a connection that has died."""
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_UNAUTHORIZED, _PARTIAL, _RESUME, _ERROR, _NO_SUCH_RANGE = 401, 206, 308, 400, 416
_DONE = frozenset({200, 201})
_AT_ONCE = 1024 * 1024
_SLACK = 1024 * 1024
"""Bytes that a file may be larger in a zip than by itself."""
_ZIP = b"PK\x03\x04"
_PAGE = 200
_DATASETS = "datasets.types.dataset_api_service"
_BLOBS = "blobs.types.blob_api_service"
_KERNELS = "kernels.types.kernels_api_service"


class Patience(NamedTuple):
    """How long to go on with a service that is busy, in seconds."""

    tries: int = 6
    pause: float = 1.0
    """Before the second try; twice as long before each further one."""
    longest: float = 60.0
    wait: float = 3600.0
    """For Kaggle to process what was sent."""
    unreached: int = 3
    """Tries before Kaggle has answered anything at all: who is offline need not wait long to hear of it."""


PATIENCE = Patience()


class Refused(CacheError):
    """Kaggle said no, and would say so again: by its status (403, 404, …) the caller knows what that means."""

    def __init__(self, what: str, status: int, reason: str) -> None:
        super().__init__(what, status, reason)
        self.what = what
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.what}: Kaggle answers {self.status}{f' ({self.reason})' if self.reason else ''}"


class Dataset(NamedTuple):
    """Whose dataset, and what it is called."""

    owner: str
    slug: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.slug}"

    @property
    def fields(self) -> dict[str, Any]:
        return {"ownerSlug": self.owner, "datasetSlug": self.slug}


class Session(NamedTuple):
    """An upload that was begun: the token by which a version takes the file, and where the bytes go."""

    token: str
    url: str


class Kaggle:
    """The service, for this process: each thread has a connection of its own."""

    def __init__(self, patience: Patience = PATIENCE) -> None:
        self.patience = patience
        self._reached = self._away = False
        self._local = threading.local()
        self._urls: dict[tuple[Dataset, int, str], str] = {}

    def __reduce__(self) -> tuple[type["Kaggle"], tuple[Patience]]:
        return Kaggle, (self.patience,)

    # -- datasets

    def current(self, dataset: Dataset) -> int:
        """The number of the version that is read now; Refused with 404 or 403 if there is none to read."""
        asked = _request(_DATASETS, "ApiGetDatasetRequest", dataset.fields)
        answer = self._call(f"dataset {dataset}", lambda client: client.datasets.dataset_api_client.get_dataset(asked))
        return int(answer.current_version_number)

    def status(self, dataset: Dataset) -> str:
        """How far the last version has been processed: READY, FAILED, …; Refused with 404 if there is no such dataset."""
        asked = _request(_DATASETS, "ApiGetDatasetStatusRequest", dataset.fields)
        answer = self._call(f"dataset {dataset}", lambda client: client.datasets.dataset_api_client.get_dataset_status(asked))
        return str(answer.status.name)

    def datasets_of(self, owner: str, search: str) -> list[str]:
        """The slugs of an owner's datasets that this text finds, private ones too if they are ours; what is new may be missing."""
        found: set[str] = set()
        for group in ("DATASET_SELECTION_GROUP_MY", "DATASET_SELECTION_GROUP_USER"):
            page = ""
            while True:
                asked = _request(
                    _DATASETS,
                    "ApiListDatasetsRequest",
                    {"group": group, "search": search, "pageSize": _PAGE}
                    | ({"user": owner} if group.endswith("USER") else {})
                    | ({"pageToken": page} if page else {}),
                )
                answer = self._call(f"datasets of {owner}", lambda client: client.datasets.dataset_api_client.list_datasets(asked))  # noqa: B023
                found.update(slug for ref in answer.datasets for whose, _, slug in (ref.ref.partition("/"),) if whose == owner)
                page = answer.next_page_token
                if not page or not answer.datasets:
                    break
            if found:
                break  # they are ours, and so all were listed
        return sorted(found)

    def files(self, dataset: Dataset, version: int) -> dict[str, int]:
        """The files of a version, by name, and their sizes as Kaggle tells them."""
        found: dict[str, int] = {}
        page = ""
        while True:
            asked = _request(
                _DATASETS,
                "ApiListDatasetFilesRequest",
                {**dataset.fields, "datasetVersionNumber": version, "pageSize": _PAGE, **({"pageToken": page} if page else {})},
            )
            answer = self._call(f"files of {dataset}", lambda client: client.datasets.dataset_api_client.list_dataset_files(asked))  # noqa: B023
            found |= {file.name: file.total_bytes for file in answer.dataset_files}
            page = answer.next_page_token
            if not page or not answer.dataset_files:
                return found

    def create(self, dataset: Dataset, files: Sequence[str], packs: Sequence[str]) -> None:
        """Make a private dataset of uploaded files (their tokens); tried once, for its answer may be lost when it was done."""
        asked = _request(
            _DATASETS,
            "ApiCreateDatasetRequest",
            {"ownerSlug": dataset.owner, "slug": dataset.slug, "title": dataset.slug, "isPrivate": True, **_content(files, packs)},
        )
        answer = self._once(f"dataset {dataset}", lambda client: client.datasets.dataset_api_client.create_dataset(asked))
        _require_ok(f"dataset {dataset}", answer)

    def add_version(self, dataset: Dataset, files: Sequence[str], packs: Sequence[str], notes: str) -> None:
        """Replace what a dataset shows by these files; older versions stay. Tried once, as `create` is."""
        asked = _request(
            _DATASETS, "ApiCreateDatasetVersionRequest", {**dataset.fields, "body": {"versionNotes": notes, **_content(files, packs)}}
        )
        answer = self._once(f"dataset {dataset}", lambda client: client.datasets.dataset_api_client.create_dataset_version(asked))
        _require_ok(f"dataset {dataset}", answer)

    # -- kernels

    def push(self, fields: Mapping[str, Any]) -> Any:
        """Save and run a kernel; its answer names the kernel and the version. Tried once."""
        asked = _request(_KERNELS, "ApiSaveKernelRequest", dict(fields))
        return self._once(f"kernel {fields['slug']}", lambda client: client.kernels.kernels_api_client.save_kernel(asked))

    def kernel(self, owner: str, slug: str) -> Any:
        """What Kaggle holds of a kernel: its source and settings, with the number of its current version."""
        asked = _request(_KERNELS, "ApiGetKernelRequest", {"userName": owner, "kernelSlug": slug})
        return self._call(f"kernel {owner}/{slug}", lambda client: client.kernels.kernels_api_client.get_kernel(asked))

    def session(self, owner: str, slug: str) -> tuple[str, str]:
        """The state of a kernel's last session (QUEUED, RUNNING, COMPLETE, ERROR, …), and why it failed."""
        asked = _request(_KERNELS, "ApiGetKernelSessionStatusRequest", {"userName": owner, "kernelSlug": slug})
        answer = self._call(f"kernel {owner}/{slug}", lambda client: client.kernels.kernels_api_client.get_kernel_session_status(asked))
        return str(answer.status.name), str(answer.failure_message or "")

    def output(self, owner: str, slug: str) -> tuple[dict[str, str], str]:
        """The files that a kernel's last session has put out, by name, each with the URL of its bytes; and the log."""
        found: dict[str, str] = {}
        log = page = ""
        while True:
            asked = _request(
                _KERNELS,
                "ApiListKernelSessionOutputRequest",
                {"userName": owner, "kernelSlug": slug, "pageSize": _PAGE, **({"pageToken": page} if page else {})},
            )
            answer = self._call(
                f"output of {owner}/{slug}",
                lambda client: client.kernels.kernels_api_client.list_kernel_session_output(asked),  # noqa: B023
            )
            found |= {file.file_name: file.url for file in answer.files}
            log = log or str(answer.log or "")
            page = answer.next_page_token
            if not page or not answer.files:
                return found, log

    # -- bytes up

    def begin(self, name: str, size: int) -> Session:
        """Begin to upload a file of this name and size."""
        asked = _request(
            _BLOBS,
            "ApiStartBlobUploadRequest",
            {"type": "DATASET", "name": name, "contentLength": size, "lastModifiedEpochSeconds": int(time.time())},
        )
        answer = self._call(f"upload of {name}", lambda client: client.blobs.blob_api_client.start_blob_upload(asked))
        return Session(answer.token, answer.create_url)

    def upload(self, session: Session, path: str, told: Callable[[int], None], *, fresh: bool = False) -> None:
        """Send the file, going on where it was cut, now or in an earlier process; `told` hears how far it is.

        Of a `fresh` session nothing has arrived. Refused if the session is known no more: then another must be begun.
        """
        size = os.path.getsize(path)
        first = fresh

        def send() -> None:
            nonlocal first
            at = 0 if first else self._arrived(session, size)
            first = False
            if at == size:
                return
            with open(path, "rb") as file:
                file.seek(at)
                body = _Body(file, size - at, lambda sent: told(at + sent))
                headers = {"Content-Range": f"bytes {at}-{size - 1}/{size}", "Content-Type": "application/octet-stream"}
                answer = self._plain().put(session.url, data=body, headers=headers, timeout=_TIMEOUT)
            if answer.status_code == _RESUME:
                raise _Cut("Kaggle took only a part")
            if answer.status_code not in _DONE:
                answer.raise_for_status()

        self._again(f"upload of {os.path.basename(path)}", send)
        told(size)

    def _arrived(self, session: Session, size: int) -> int:
        """How many bytes have arrived already."""

        def ask() -> int:
            answer = self._plain().put(session.url, headers={"Content-Length": "0", "Content-Range": f"bytes */{size}"}, timeout=_TIMEOUT)
            if answer.status_code == _RESUME:
                last = answer.headers.get("Range", "").rpartition("-")[2]
                return min(size, int(last) + 1) if last.isdecimal() else 0
            answer.raise_for_status()
            return size

        return self._again("upload", ask)

    # -- bytes down

    def read(self, dataset: Dataset, version: int, file: str, limit: int) -> bytes:
        """A whole small file of a version. Corrupt if it is larger than the limit, also by being unpacked."""
        name = f"{dataset}@{version}/{file}"

        def ask() -> bytes:
            with self._opened(dataset, version, file) as answer:
                return b"".join(_bounded(answer, limit + _SLACK, name))

        data = self._again(name, ask)
        if data.startswith(_ZIP):
            data = b"".join(_unzipped(BytesIO(data), limit, name))
        if len(data) > limit:
            raise Corrupt(name, f"larger than {limit} bytes")
        return data

    def read_part(self, dataset: Dataset, version: int, file: str, offset: int, size: int, total: int) -> bytes | None:
        """Some bytes of a file that has so many in all; None where only the whole file can be had."""
        name = f"{dataset}@{version}/{file}"

        def ask() -> bytes | None:
            with self._opened(dataset, version, file, f"bytes={offset}-{offset + size - 1}") as answer:
                if answer.status_code != _PARTIAL or answer.headers.get("Content-Range") != f"bytes {offset}-{offset + size - 1}/{total}":
                    return None
                return b"".join(_bounded(answer, size, name))

        return self._again(name, ask)

    def fetch(self, dataset: Dataset, version: int, file: str, path: str, size: int, digest: str) -> None:
        """Bring a file of a version to this path, going on where it was cut; Corrupt unless it has this size and SHA-256."""
        self._fetch(f"{dataset}@{version}/{file}", lambda part: self._opened(dataset, version, file, part), path, size, digest)

    def fetch_url(self, name: str, url: str, path: str, size: int, digest: str) -> None:
        """The same for a file that has a URL of its own."""
        self._fetch(name, lambda part: self._got(url, part), path, size, digest)

    def read_url(self, name: str, url: str, limit: int) -> bytes:
        """The bytes at a URL that Kaggle gave; Corrupt if there are more than the limit."""

        def ask() -> bytes:
            with self._got(url) as answer:
                return b"".join(_bounded(answer, limit, name))

        return self._again(name, ask)

    def _fetch(self, name: str, opened: "Callable[[str], requests.Response]", path: str, size: int, digest: str) -> None:
        part = f"{path}.part"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        resumed = os.path.exists(part)

        def go_on() -> None:
            have = os.path.getsize(part) if os.path.exists(part) else 0
            if have == size:
                return
            with opened(f"bytes={have}-" if have else "") as answer:
                if answer.status_code == _NO_SUCH_RANGE:
                    os.unlink(part)  # what we have is longer than what there is
                    raise _Cut("what was there before does not fit")
                goes_on = answer.status_code == _PARTIAL and answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
                with open(part, "ab" if have and goes_on else "wb") as file:
                    file.writelines(_bounded(answer, size + _SLACK - file.tell(), name))

        self._again(name, go_on)
        try:
            _finish(part, path, size, digest, name)
        except Corrupt:
            os.unlink(part)
            if not resumed:
                raise
            self._fetch(name, opened, path, size, digest)  # what was there from an earlier time was of something else

    def _opened(self, dataset: Dataset, version: int, file: str, part: str = "") -> "requests.Response":
        """The answer with the bytes of a file, or with a part of them, not read yet. Uncompressed if Kaggle can; else it comes as a zip."""
        held = self._urls.get((dataset, version, file))
        if held is not None:
            try:
                return self._got(held, part)
            except _http_error():
                del self._urls[dataset, version, file]  # such URLs end after a time
        asked = _request(
            _DATASETS, "ApiDownloadDatasetRequest", {**dataset.fields, "fileName": file, "datasetVersionNumber": version, "raw": True}
        )
        client = self._client()
        self._local.adapter.part = part
        try:
            answer: requests.Response = client.datasets.dataset_api_client.download_dataset(asked)
        finally:
            self._local.adapter.part = ""
        self._urls[dataset, version, file] = answer.url
        return answer

    def _got(self, url: str, part: str = "") -> "requests.Response":
        answer = self._plain().get(url, headers={"Range": part} if part else {}, timeout=_TIMEOUT, stream=True)
        if answer.status_code != _NO_SUCH_RANGE:
            answer.raise_for_status()
        return answer

    # -- calls

    def _call(self, what: str, work: Callable[[Any], T]) -> T:
        return self._again(what, lambda: work(self._client()))

    def _once(self, what: str, work: Callable[[Any], T]) -> T:
        return self._again(what, lambda: work(self._client()), tries=1)

    def _again(self, what: str, work: Callable[[], T], *, tries: int = 0) -> T:
        """Do the work, and again after a pause while Kaggle is busy or the network fails. Refused or Unavailable at the end, and
        whoever gets that need not try again.
        """
        import requests

        pause = self.patience.pause
        tried = 0
        while True:
            tried += 1
            try:
                result = work()
            except requests.HTTPError as problem:
                self._reached = True
                status, reason = _told(problem)
                self._away = self._away and status in _BUSY
                if status == _UNAUTHORIZED:
                    said = f"Kaggle does not know these credentials (401){_NO_CREDENTIALS}"
                    raise Unavailable(what, said, passes=False, away=True) from None
                if status not in _BUSY:
                    raise Refused(what, status, reason) from None
                wanted = problem.response.headers.get("Retry-After", "")
                failure = f"Kaggle answers {status}"
            except JSONDecodeError:
                wanted, failure = "", "it is not Kaggle that answers (no JSON came: a log-in page of this network, perhaps)"
            except (requests.RequestException, _Cut) as problem:
                wanted, failure = "", _in_short(problem)
            else:
                self._reached, self._away = True, False
                return result
            if tried >= (tries or self._allowed()):
                self._away = self._away or not tries
                raise Unavailable(what, f"{failure}; nothing is lost: try again later", passes=False, away=True) from None
            time.sleep(min(self.patience.longest, float(wanted) if wanted.isdecimal() else pause * random.uniform(0.8, 1.2)))
            pause *= 2

    def _allowed(self) -> int:
        """How often is tried; once, after all tries were in vain and until it answers: a network that is down must not cost every call the whole wait."""
        if self._away:
            return 1
        return self.patience.tries if self._reached else min(self.patience.tries, self.patience.unreached)

    def _client(self) -> Any:
        client = getattr(self._local, "client", None)
        if client is None or self._local.process != os.getpid():
            client, self._local.adapter = _new_client()
            self._local.client = client
            self._local.process = os.getpid()
        return client

    def _plain(self) -> "requests.Session":
        """For the URLs that Kaggle hands out, which want no credentials."""
        import requests

        session: requests.Session | None = getattr(self._local, "plain", None)
        if session is None or self._local.plain_process != os.getpid():
            session = self._local.plain = requests.Session()
            self._local.plain_process = os.getpid()
        return session


class _Cut(Exception):
    """A connection ended before all was done."""


class _Body:
    """A part of a file on its way up, which tells how far it is."""

    def __init__(self, file: BinaryIO, size: int, told: Callable[[int], None]) -> None:
        self._file = file
        self._left = self._size = size
        self._told = told

    def __len__(self) -> int:
        return self._left

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(self._left if size < 0 else min(size, self._left))
        self._left -= len(data)
        self._told(self._size - self._left)
        return data


def _request(module: str, name: str, fields: Mapping[str, Any]) -> Any:
    """What is asked, as the client's own record of it."""
    try:
        return getattr(import_module(f"kagglesdk.{module}"), name).from_dict(dict(fields))
    except ImportError as problem:
        raise _not_installed(problem) from None


def _not_installed(problem: ImportError) -> BadSettings:
    return BadSettings("kaggle", f'Kaggle\'s client is not installed ({problem}): pip install "kagglehub<2"')


_NO_CREDENTIALS = (
    ": make a token on your Kaggle account page and put it into ~/.kaggle/access_token or KAGGLE_API_TOKEN "
    "(or the older kaggle.json into ~/.kaggle)"
)


def _http_error() -> type[Exception]:
    from requests import HTTPError

    error: type[Exception] = HTTPError
    return error


def _new_client() -> tuple[Any, Any]:
    """Kaggle's client, and what sends its requests: there one can ask for a part of a file, which the client itself cannot."""
    try:
        from kagglehub.config import get_kaggle_credentials
        from kagglesdk import KaggleClient
        from requests.adapters import HTTPAdapter
    except ImportError as problem:
        raise _not_installed(problem) from None
    try:
        found = get_kaggle_credentials()
    except ValueError as problem:
        raise BadSettings("kaggle", str(problem)) from None
    if found is None:
        raise BadSettings("kaggle", f"there are no credentials for Kaggle{_NO_CREDENTIALS}")

    class Sender(HTTPAdapter):  # type: ignore[misc]  # it comes without types
        part = ""

        def send(self, request: Any, **options: Any) -> Any:
            if self.part and request.method == "GET":  # where the client was sent for the bytes
                request.headers["Range"] = self.part
            return super().send(request, **{**options, "timeout": _TIMEOUT})  # the client gives none

    client = KaggleClient(username=found.username, password=found.key, api_token=found.api_key, user_agent="simcache")
    with client:  # opens the session, and nothing else; it closes idle connections, of which there are none
        pass
    session = client.http_client()._session  # noqa: SLF001 - the one way to its timeouts
    sender = Sender()
    for scheme in ("http://", "https://"):
        session.mount(scheme, sender)
    return client, sender


def _content(files: Sequence[str], packs: Sequence[str]) -> dict[str, Any]:
    """The files of a version: those at its top, and those in the folder of packs."""
    return {
        "files": [{"token": token} for token in files],
        "directories": [{"name": "packs", "files": [{"token": token} for token in packs]}] if packs else [],
    }


def _require_ok(what: str, answer: Any) -> None:
    if answer.error or answer.status.lower() != "ok":
        raise Refused(what, _ERROR, str(answer.error or answer.status))


def _told(problem: "requests.HTTPError") -> tuple[int, str]:
    """The status and the sentence of an answer; some errors come with the status inside."""
    status, reason = problem.response.status_code, ""
    try:
        inside = problem.response.json()
    except ValueError:
        return status, reason
    if isinstance(inside, dict):
        reason = str(inside.get("message", ""))[:300]
        if status < _ERROR and isinstance(inside.get("code"), int):
            status = inside["code"]
    return status, reason


def _in_short(problem: Exception) -> str:
    """What went wrong with the network, without the names of classes inside classes."""
    text = str(problem)
    known = (
        "Connection refused",
        "Name or service not known",
        "Temporary failure in name resolution",
        "Network is unreachable",
        "timed out",
    )
    return f"Kaggle cannot be reached ({next((one for one in known if one in text), f'{type(problem).__name__}: {text[:120]}')})"


def _bounded(answer: "requests.Response", limit: int, name: str) -> Iterator[bytes]:
    """The bytes of an answer; Corrupt if there are more than may be."""
    for chunk in answer.iter_content(_AT_ONCE):
        limit -= len(chunk)
        if limit < 0:
            raise Corrupt(name, "more bytes came than it has")
        yield chunk


def _unzipped(file: BinaryIO, limit: int, name: str) -> Iterator[bytes]:
    """The one file in a zip; Corrupt if there are others, or if it is larger than may be."""
    try:
        with zipfile.ZipFile(file) as archive:
            if len(archive.infolist()) != 1:
                raise Corrupt(name, "it came in a zip with other files")
            with archive.open(archive.infolist()[0]) as member:
                while chunk := member.read(_AT_ONCE):
                    limit -= len(chunk)
                    if limit < 0:
                        raise Corrupt(name, "unpacked, it is larger than it may be")
                    yield chunk
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as problem:
        raise Corrupt(name, f"it came in a zip that cannot be read ({problem})") from problem


def _finish(part: str, path: str, size: int, digest: str, name: str) -> None:
    """Give a file that has arrived its name, if it is what it should be."""
    with open(part, "rb") as file:
        if file.read(len(_ZIP)) == _ZIP:
            with open(f"{part}.unzipped", "wb") as unzipped:
                unzipped.writelines(_unzipped(file, size, name))
            os.replace(f"{part}.unzipped", part)
    with open(part, "rb") as file:
        found = file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise Corrupt(name, f"the content does not match its digest (SHA-256), {os.path.getsize(part)} of {size} bytes")
    os.replace(part, path)
