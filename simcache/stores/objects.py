"""Object stores that fsspec opens: whatever puts an object whole or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from simcache.errors import BadSettings, Unavailable
from simcache.stores.transport import Found, Patience, Transport, is_kind, not_installed, one_line


class Protocol(NamedTuple):
    """What is particular about one of them."""

    package: str
    no_credentials: tuple[str, ...] = ()
    """The full names of the errors that its package raises then."""
    log_in: str = ""


PROTOCOLS: Mapping[str, Protocol] = {
    "gs": Protocol("gcsfs", ("google.auth.exceptions.DefaultCredentialsError",), "run `gcloud auth application-default login`"),
    "az": Protocol(
        "adlfs",
        ("azure.core.exceptions.ClientAuthenticationError",),
        "set AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    ),
    "memory": Protocol("fsspec"),
}
"""Only these: of another protocol nobody here knows whether its puts are whole."""
_PASSING = (
    "aiohttp.client_exceptions.ClientError",
    "azure.core.exceptions.ServiceRequestError",
    "azure.core.exceptions.ServiceResponseError",
    "fsspec.exceptions.FSTimeoutError",
    "gcsfs.retry.HttpError",
    "google.auth.exceptions.TransportError",
)


class Objects(Transport):
    """A container, or what lies in it under a prefix, through fsspec's own face."""

    def __init__(self, url: str) -> None:
        scheme, _, path = url.removeprefix("fsspec+").partition("://")
        if scheme not in PROTOCOLS:
            raise BadSettings(url, f"of fsspec's protocols these are known to put objects whole: {', '.join(PROTOCOLS)}")
        self._url = url
        self._protocol = PROTOCOLS[scheme]
        try:
            from fsspec import filesystem

            self._files = filesystem(scheme, skip_instance_cache=True, use_listings_cache=False)
        except ImportError as problem:
            raise not_installed(url, self._protocol.package) from problem
        self._root = self._files._strip_protocol(f"{scheme}://{path.strip('/')}")  # noqa: SLF001 - how fsspec makes a path of a URL
        self._patience = Patience(self.may_pass)

    def read(self, path: str) -> bytearray:
        return bytearray(self._call("cat_file", f"{self._root}/{path}"))

    def write(self, path: str, chunks: Sequence[memoryview]) -> None:
        data, target = b"".join(chunks), f"{self._root}/{path}"
        try:
            self._call("pipe_file", target, data, mode="create")
        except FileExistsError:
            if self.read(path) != data:
                self._call("pipe_file", target, data)

    def size(self, path: str) -> int | None:
        try:
            found = self._call("info", f"{self._root}/{path}")
        except FileNotFoundError:
            return None
        return int(found["size"]) if found["type"] == "file" else None

    def find(self, prefix: str) -> Iterator[Found]:
        for path, found in self._call("find", self._root, prefix=prefix, detail=True).items():
            yield Found(path[len(self._root) + 1 :], found["size"])

    def top(self) -> list[str]:
        container = self._root.strip("/").partition("/")[0]
        try:
            return [path[len(self._root) + 1 :].strip("/") for path in self._call("ls", self._root, detail=False)]
        except FileNotFoundError as problem:
            if container and not self._url.startswith("fsspec+memory:") and not self._call("exists", container):
                raise Unavailable(self._url, f"there is no container {container!r}; check the name, or make it", passes=False) from problem
            return []

    def remove(self, path: str) -> None:
        try:
            self._call("rm_file", f"{self._root}/{path}")
        except FileNotFoundError:
            return

    def move(self, path: str, target: str) -> None:
        self._call("cp_file", f"{self._root}/{path}", f"{self._root}/{target}")
        self.remove(path)

    def may_pass(self, problem: Exception) -> bool:
        return isinstance(problem, ConnectionError | TimeoutError) or is_kind(problem, *_PASSING)

    def reason(self, problem: Exception) -> str:
        if is_kind(problem, *self._protocol.no_credentials):
            return f"no credentials for it ({one_line(problem)}); {self._protocol.log_in}"
        if isinstance(problem, PermissionError):
            return f"the credentials do not allow it ({one_line(problem)})"
        return one_line(problem)

    def _call(self, method: str, *given: Any, **named: Any) -> Any:
        return self._patience.call(lambda: getattr(self._files, method)(*given, **named))
