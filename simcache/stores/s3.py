"""S3 and what speaks like it, through the session of s3fs: one request a read, a write or a page of names."""

import errno
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from simcache.errors import BadSettings, Unavailable
from simcache.stores.transport import FORGOTTEN_AFTER, Found, Patience, Transport, is_kind, not_installed, one_line

_PART = 16 * 1024 * 1024
"""Bytes of one part of a large object, and what a cut costs at most; S3 takes at most 10,000 parts."""
_PARTS = 10_000
_AT_ONCE = 1024 * 1024
_TAKEN = frozenset({"PreconditionFailed", "412", "NoSuchUpload"})
"""Something stands there; or somebody else went on with this upload, and finished it."""
_PASSING_STATUS = frozenset({408, 429, 500, 502, 503, 504})
_PASSING_CODES = frozenset({"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "Throttling", "OperationAborted"})
_PASSING_ERRORS = (
    "botocore.exceptions.ConnectionError",
    "botocore.exceptions.HTTPClientError",
    "botocore.parsers.ResponseParserError",
    "aiohttp.client_exceptions.ClientError",
    "fsspec.exceptions.FSTimeoutError",
)
_NO_CREDENTIALS = (
    "botocore.exceptions.NoCredentialsError",
    "botocore.exceptions.PartialCredentialsError",
    "botocore.exceptions.TokenRetrievalError",
    "botocore.exceptions.ProfileNotFound",
)


class S3(Transport):
    """A bucket, or what lies in it under a prefix. Credentials, region and endpoint are found as every AWS program finds them.

    A write asks the bucket to take it only if nothing stands there. Where something does, it is compared and replaced only if it
    differs; a bucket that knows no such condition replaces at once, which is right too, as a name has only one content.
    A large object goes up in parts. One that was cut is gone on with: parts that are up already, by MD5, are not sent again.
    A read that is cut goes on at the byte it had come to.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._bucket, _, prefix = url.partition("://")[2].partition("/")
        self._root = f"{prefix.strip('/')}/".lstrip("/")
        if not self._bucket:
            raise BadSettings(url, "a bucket must be named: s3://BUCKET/FOLDER")
        try:
            from s3fs import S3FileSystem
        except ImportError as problem:
            raise not_installed(url, "s3fs") from problem
        # One place tries again, and it is ours; a session that others closed or configured is not shared.
        self._files = S3FileSystem(config_kwargs={"retries": {"max_attempts": 0}}, skip_instance_cache=True, use_listings_cache=False)
        self._files.retries = 1
        self._patience = Patience(self.may_pass)

    def read(self, path: str) -> bytearray:
        from fsspec.asyn import sync

        data = bytearray()
        self._patience.call(lambda: sync(self._files.loop, self._read_on, path, data))
        return data

    def write(self, path: str, chunks: Sequence[memoryview]) -> None:
        in_parts = _size(chunks) > _PART
        put = self._put_parts if in_parts else self._put_whole
        try:
            put(path, chunks, {"IfNoneMatch": "*"})
        except OSError as problem:
            taken = _code(problem) in _TAKEN
            if not (taken or in_parts):  # of parts that fail, somebody else may have made the object meanwhile
                raise
            if self._holds(path, chunks):
                return
            if not taken:
                raise
            put(path, chunks, {})

    def size(self, path: str) -> int | None:
        try:
            return int(self._call("head_object", Key=self._root + path)["ContentLength"])
        except FileNotFoundError:
            return None

    def find(self, prefix: str) -> Iterator[Found]:
        for page in self._pages("list_objects_v2", Prefix=self._root + prefix):
            for item in page.get("Contents", ()):
                yield Found(item["Key"][len(self._root) :], item["Size"])

    def top(self) -> list[str]:
        try:
            page = self._call("list_objects_v2", Prefix=self._root, Delimiter="/")
        except FileNotFoundError as problem:
            raise Unavailable(self._url, self.reason(problem), passes=False) from problem
        keys = [item["Key"] for item in page.get("Contents", ())] + [item["Prefix"] for item in page.get("CommonPrefixes", ())]
        return [name for key in keys if (name := key[len(self._root) :].rstrip("/"))]

    def remove(self, path: str) -> None:
        self._call("delete_object", Key=self._root + path)

    def move(self, path: str, target: str) -> None:
        source = {"Bucket": self._bucket, "Key": self._root + path}
        self._call("copy_object", Key=self._root + target, CopySource=source)
        self.remove(path)

    def sweep(self) -> int:
        dead = [
            upload
            for page in self._pages("list_multipart_uploads", Prefix=self._root)
            for upload in page.get("Uploads", ())
            if time.time() - upload["Initiated"].timestamp() > FORGOTTEN_AFTER
        ]
        for upload in dead:
            self._abort(upload["Key"], upload["UploadId"])
        return len(dead)

    def may_pass(self, problem: Exception) -> bool:
        answer = _answer(problem)
        if answer:
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            return status in _PASSING_STATUS or _code(problem) in _PASSING_CODES
        return isinstance(problem, ConnectionError | TimeoutError) or is_kind(problem, *_PASSING_ERRORS)

    def reason(self, problem: Exception) -> str:
        if is_kind(problem, *_NO_CREDENTIALS):
            return (
                f"no credentials for it ({one_line(problem)}); set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile "
                "with AWS_PROFILE, or run `aws configure`"
            )
        if is_kind(problem, *_PASSING_ERRORS):
            return f"{one_line(problem)}; check the network, and AWS_ENDPOINT_URL if it is set"
        code = _code(problem)
        if code == "NoSuchBucket":
            return f"there is no bucket {self._bucket!r}; check the name, or make it with `aws s3 mb s3://{self._bucket}`"
        if isinstance(problem, PermissionError):
            return f"the credentials do not allow it ({code}: {one_line(problem)}); check AWS_PROFILE and the rights on {self._bucket!r}"
        return one_line(problem) if code in ("", None) else f"{code}: {one_line(problem)}"

    # requests

    def _call(self, method: str, **given: Any) -> Any:
        return self._patience.call(lambda: self._files.call_s3(method, Bucket=self._bucket, **given))

    def _pages(self, method: str, **given: Any) -> Iterator[Any]:
        """The pages of a listing, each of them asked for until it came whole."""
        while True:
            page = self._call(method, **given)
            yield page
            if not page.get("IsTruncated"):
                return
            for token, following in _TOKENS[method].items():
                given[token] = page[following]

    async def _read_on(self, path: str, data: bytearray) -> None:
        """Add to the data what it lacks of an object."""
        onwards = {"Range": f"bytes={len(data)}-"} if data else {}
        answer = await self._files._call_s3("get_object", Bucket=self._bucket, Key=self._root + path, **onwards)  # noqa: SLF001 - fsspec's face for coroutines
        if "ContentRange" not in answer:
            data.clear()  # it comes from its beginning, whatever was asked for
        whole = len(data) + answer["ContentLength"]
        async with answer["Body"] as body:
            while more := await body.read(_AT_ONCE):
                data += more
        if len(data) < whole:
            raise ConnectionError(errno.ECONNRESET, f"the connection ended after {len(data)} of {whole} bytes")

    def _put_whole(self, path: str, chunks: Sequence[memoryview], condition: Mapping[str, str]) -> None:
        self._call("put_object", Key=self._root + path, Body=b"".join(chunks), **condition)

    def _put_parts(self, path: str, chunks: Sequence[memoryview], condition: Mapping[str, str]) -> None:
        key, length = self._root + path, max(_PART, -(-_size(chunks) // _PARTS))
        upload, known = self._begun(key)
        parts = []
        for number, part in enumerate(_in_parts(chunks, length), 1):
            tag = f'"{hashlib.md5(part, usedforsecurity=False).hexdigest()}"'
            if known.get(number) != (tag, len(part)):
                tag = self._call("upload_part", Key=key, UploadId=upload, PartNumber=number, Body=part)["ETag"]
            parts.append({"PartNumber": number, "ETag": tag})
        try:
            self._call("complete_multipart_upload", Key=key, UploadId=upload, MultipartUpload={"Parts": parts}, **condition)
        except OSError as problem:
            if _code(problem) in _TAKEN:
                self._abort(key, upload)
            raise

    def _begun(self, key: str) -> tuple[str, dict[int, tuple[str, int]]]:
        """An upload of this key that was cut, and its parts by number; or a new one."""
        uploads = [
            (upload["Initiated"], upload["UploadId"])
            for page in self._pages("list_multipart_uploads", Prefix=key)
            for upload in page.get("Uploads", ())
            if upload["Key"] == key
        ]
        if not uploads:
            return self._call("create_multipart_upload", Key=key)["UploadId"], {}
        upload = max(uploads)[1]
        parts = (part for page in self._pages("list_parts", Key=key, UploadId=upload) for part in page.get("Parts", ()))
        return upload, {part["PartNumber"]: (part["ETag"], part["Size"]) for part in parts}

    def _abort(self, key: str, upload: str) -> None:
        try:
            self._call("abort_multipart_upload", Key=key, UploadId=upload)
        except FileNotFoundError:  # somebody finished or swept it
            return

    def _holds(self, path: str, chunks: Sequence[memoryview]) -> bool:
        """Whether these very bytes stand there."""
        if self.size(path) != _size(chunks):
            return False
        there, at = memoryview(self.read(path)), 0
        for chunk in chunks:
            if there[at : at + chunk.nbytes] != chunk:
                return False
            at += chunk.nbytes
        return True


_TOKENS: Mapping[str, Mapping[str, str]] = {
    "list_objects_v2": {"ContinuationToken": "NextContinuationToken"},
    "list_multipart_uploads": {"KeyMarker": "NextKeyMarker", "UploadIdMarker": "NextUploadIdMarker"},
    "list_parts": {"PartNumberMarker": "NextPartNumberMarker"},
}
"""How the next page of a listing is asked for, and where the last one said so."""


def _size(chunks: Sequence[memoryview]) -> int:
    return sum(chunk.nbytes for chunk in chunks)


def _in_parts(chunks: Sequence[memoryview], length: int) -> Iterator[bytes]:
    """The bytes of these chunks in pieces of one length; the last may be shorter."""
    part = bytearray()
    for chunk in chunks:
        at = 0
        while at < chunk.nbytes:
            piece = chunk[at : at + length - len(part)]
            part += piece
            at += piece.nbytes
            if len(part) == length:
                yield bytes(part)
                part.clear()
    if part:
        yield bytes(part)


def _answer(problem: BaseException | None) -> Mapping[str, Any]:
    """What the server said, in the error or in the one behind it; empty if it was not the server."""
    while problem is not None:
        response = getattr(problem, "response", None)
        if isinstance(response, dict) and "Error" in response:
            return response
        problem = problem.__cause__
    return {}


def _code(problem: BaseException) -> str:
    """S3's name for an error; empty if the error is not S3's."""
    return str(_answer(problem).get("Error", {}).get("Code", ""))
