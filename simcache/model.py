"""The nouns of the cache: names, blobs, entries, capabilities; frozen, and how an entry is written as JSON."""

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cache, lru_cache
from importlib import import_module
from itertools import product
from math import isfinite
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Literal, NoReturn, TypeAlias

from xxhash import xxh3_128, xxh3_128_hexdigest

from simcache.errors import Corrupt, FormatTooNew, Unavailable
from simcache.named_tuple import NamedTuple

FORMAT = 1
"""Of a store: which names stand where."""
ENTRY_FORMAT = 2
"""Of an entry. One that holds no bytes of a value is written in format 1 as before, which older readers know."""
INLINE = 1024
"""Up to so many bytes stand in the entry itself: a file of their own takes longer to write, list, check and send than all the rest."""

Buffer: TypeAlias = bytes | bytearray | memoryview
"""Bytes in memory or in a mapped file; everything that hashes, writes or decodes takes any of these."""

Json: TypeAlias = dict[str, Any]

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_HEX = b"0123456789abcdef"
_IN_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
# These forms are also what keeps a name inside its store: no name of either form can hold `..`, an absolute path or a NUL.
_ENTRY_NAME = re.compile(r"entries/(?!\.\.?/)([A-Za-z0-9._~%+=@,-]+)/([0-9a-f]{2})/(\2[0-9a-f]{30})\.([0-9a-f]{16})\.json")
_BLOB_NAME = re.compile(r"blobs/([0-9a-f]{2})/(\1[0-9a-f]{62})")
_POINTER = b"version https://git-lfs.github.com/spec/v1\n"
POINTER_AT_MOST = 1024
"""Bytes: a longer file is no Git LFS pointer."""
_FOLDER_LIMIT = 120
_FOREVER = 1e12
"""Seconds: a whole number in an entry may have a thousand digits, and no sum of times would hold it."""
_KEY_DIGITS, _SHA_DIGITS, _XXH3_DIGITS = 32, 64, 32
_IN_FOLDERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~+=@,")
"""What stands in a folder's name as it is; other bytes are written as %XX. (urllib's `quote` takes 3 ms to load.)"""


class Capabilities(NamedTuple):
    """What a kind of store can do, as data: nobody asks what class a store is."""

    writes: bool = True
    deletes: bool = True
    trusted: bool = False
    """Only this machine's users write here, so a pickle may be opened."""
    shared: bool = False
    """Other processes see the same bytes, so a computation must be locked against them."""
    quick: bool = False
    """A call takes no longer than a file or memory of this machine does, so that many at once take as long as one by one."""
    paged: bool = False
    """Its names are asked of another machine, page after page."""


class Blob(NamedTuple):
    """The names of some bytes: SHA-256 is the address, XXH3-128 is checked on every load."""

    sha256: str
    xxh3: str
    size: int

    @property
    def name(self) -> str:
        return blob_name(self.sha256)

    def check(self, data: Buffer) -> None:
        """Raise Corrupt unless these are the very bytes that were stored (at memory speed); Unavailable for an LFS pointer."""
        size = memoryview(data).nbytes
        if size != self.size and size <= POINTER_AT_MOST and pointer_oid(bytes(data)) == self.sha256:
            raise Unavailable(self.name, "only its Git LFS pointer is here; `git lfs pull` brings the content", passes=False)
        if size != self.size:
            raise Corrupt(self.name, f"{size} bytes, expected {self.size}")
        if xxh3_128_hexdigest(data) != self.xxh3:
            raise Corrupt(self.name, "the bytes differ from what was stored (XXH3-128)")


class Segment(NamedTuple):
    """Which items of a series an entry holds."""

    start: int
    length: int
    ended: bool
    every: int

    @property
    def stop(self) -> int:
        return self.start + self.length


class Made(NamedTuple):
    """Who made an entry, when, and on what: compared when two results differ, never part of the key."""

    at: str
    seconds: float
    host: str
    device: str
    python: str
    platform: str
    packages: Mapping[str, str]
    git: str | None
    simcache: str


class _Record(NamedTuple):
    """The fields of an entry; as a dataclass they would take 2 ms of every process that starts."""

    key: str
    function: str
    kind: Literal["value", "segment", "withdrawn"]
    made: Made
    code: str
    """The code version that went into the key."""
    parts: int | None = None
    """Which blob lists the functions behind the code version (JSON: part -> digest), for `why` and `diff`."""
    arguments: Mapping[str, Json] = MappingProxyType({})
    """Each argument: {"json": encoded}, or "blob" or "inline" as a value has them, where it can be rebuilt; else {"digest": …, "text": …}."""
    blobs: tuple[Blob, ...] = ()
    value: Json | None = None
    """How the value (or the items of a segment) is decoded: {"codec": name, "blobs": [index], …}, or "inline": base64 where it is small."""
    state: Json | None = None
    """How the state after a segment is decoded, in the same form; None where there is none."""
    segment: Segment | None = None
    withdraws: tuple[str, ...] = ()
    """A tombstone: the digests of the entries of this key that must not be served."""
    reason: str | None = None


class Entry(_Record):
    """A record that this key has this value, made by whom, when, from which code and arguments."""

    def to_bytes(self) -> bytes:
        """One canonical JSON line: sorted keys, no spaces, UTF-8, LF at the end."""
        made: Json = dict(zip(Made._fields, self.made, strict=True))
        made["packages"] = dict(self.made.packages)
        record: Json = {
            "format": 2 if any("inline" in held for held in (*self.arguments.values(), self.value or (), self.state or ())) else 1,
            "key": self.key,
            "function": self.function,
            "kind": self.kind,
            "code": self.code,
            "made": made,
            "blobs": self.blobs,
            "arguments": dict(self.arguments),
        }
        if self.parts is not None:
            record["parts"] = self.parts
        if self.value is not None:
            record["value"] = self.value
        if self.state is not None:
            record["state"] = self.state
        if self.segment is not None:
            record["segment"] = self.segment
        if self.withdraws:
            record["withdraws"] = self.withdraws
        if self.reason is not None:
            record["reason"] = self.reason
        return _ENCODER.encode(record).encode() + b"\n"

    def content(self, held: Json) -> Blob | bytes:
        """Where the bytes of its value, its state or an argument are: in a blob, or in the entry itself, which are these."""
        data = inline_in(held)
        return self.blobs[held["blob"] if "blob" in held else held["blobs"][0]] if data is None else data

    def named(self, held: Json) -> Blob:
        """The names of those bytes, wherever they are."""
        content = self.content(held)
        return content if isinstance(content, Blob) else blob_of([content])

    @property
    def digest(self) -> str:
        """The first 16 hex digits of the SHA-256 of the entry's own bytes; part of its file name."""
        if "_digest" not in self.__dict__:  # no cached_property: before Python 3.12 it has a lock, which a forked child may find taken
            self.__dict__["_digest"] = entry_digest(self.to_bytes())
        return str(self.__dict__["_digest"])

    @property
    def name(self) -> str:
        return f"{entry_prefix(self.function, self.key)}{self.digest}.json"

    @classmethod
    def from_bytes(cls, name: str, data: Buffer) -> "Entry":
        """Read and check an entry that was stored under `name`; Corrupt says what is wrong with it."""
        return cls.from_record(name, record_of(name, bytes(data)))

    @classmethod
    def from_record(cls, name: str, record: Json) -> "Entry":
        """The entry that a record, as `record_of` gives it, describes.

        Its digest is that of its file also where somebody else wrote the same in other bytes, or it could not be withdrawn.
        """
        segment = record.get("segment")
        entry = cls(
            key=record["key"],
            function=record["function"],
            kind=record["kind"],
            made=Made(*_OF_MADE(record["made"])),
            code=record["code"],
            parts=record.get("parts"),
            arguments=record["arguments"],
            blobs=tuple(Blob(*blob) for blob in record["blobs"]),
            value=record.get("value"),
            state=record.get("state"),
            segment=None if segment is None else Segment(*segment),
            withdraws=tuple(record.get("withdraws", ())),
            reason=record.get("reason"),
        )
        entry.__dict__["_digest"] = name[-21:-5]
        return entry


_MADE_TYPES: Mapping[str, tuple[type, ...]] = {
    "at": (str,),
    "seconds": (int, float),
    "host": (str,),
    "device": (str,),
    "python": (str,),
    "platform": (str,),
    "packages": (dict,),
    "git": (str, type(None)),
    "simcache": (str,),
}
"""The fields of Made in their order, and what an entry may hold for each."""
_TEXT = frozenset({str})
_SOUND_MADE = frozenset(product(*_MADE_TYPES.values()))
_OF_MADE = itemgetter(*_MADE_TYPES)


def record_of(name: str, data: bytes) -> Json:
    """The record of an entry that was stored under `name`, wholly checked: for whoever reads thousands and needs no objects."""
    match = _ENTRY_NAME.fullmatch(name)
    if match is None:
        raise Corrupt(name, "the name is not that of an entry")
    if entry_digest(data) != match[4]:
        raise Corrupt(name, "the content does not match the digest in the name")
    try:
        record = _parsed(str(data, "utf-8"))
        found = record["format"]
        if not isinstance(found, int):
            raise TypeError("the format is not a number")
        if found > ENTRY_FORMAT:
            raise FormatTooNew(name, found, ENTRY_FORMAT)
        _check_record(record)
        key, folder = record["key"], folder_of(record["function"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as problem:
        raise Corrupt(name, f"not an entry of format {ENTRY_FORMAT}: {problem!r}") from problem
    if key != match[3] or match[1] != folder:
        raise Corrupt(name, "the entry belongs to another key or function")
    return record


def _parsed(text: str) -> Json:
    """The object that stands in the text alone; `json.loads` looks for white space twice, which takes longer than a small object."""
    record: Json
    if text[:1] != "{":
        record = _DECODER.decode(text)
        return record
    record, end = _DECODER.raw_decode(text)
    if text[end:] != "\n" and text[end:].strip(" \t\n\r"):
        raise ValueError("something stands behind the object")
    if "\\u" in text:  # by which alone half a character can be written, and no file or terminal takes one
        _ENCODER.encode(record).encode()
    return record


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    number = float(text)
    return number if isfinite(number) else _no_number(text)


_DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)


def _check_record(record: Json) -> None:
    """Raise ValueError, KeyError, TypeError or AttributeError unless every field is what Entry says."""
    if record["kind"] not in ("value", "segment", "withdrawn"):
        raise ValueError(f"unknown kind {record['kind']!r}")
    code = record["code"]
    if len(code) != _KEY_DIGITS or code.encode().translate(None, _HEX):
        raise ValueError("the code version is not a digest")
    if not isinstance(record["function"], str):
        raise TypeError("the function has no name")
    made = record["made"]
    if tuple(map(type, _OF_MADE(made))) not in _SOUND_MADE:
        wrong = next(name for name, types in _MADE_TYPES.items() if type(made[name]) not in types)
        raise TypeError(f"made.{wrong} is {made[wrong]!r}")
    if not abs(made["seconds"]) < _FOREVER:
        raise ValueError("nothing takes so many seconds")
    blobs = record["blobs"]
    for sha, xxh3, size in blobs:
        if len(sha) != _SHA_DIGITS or len(xxh3) != _XXH3_DIGITS or (sha + xxh3).encode().translate(None, _HEX):
            raise ValueError(f"{[sha, xxh3]!r} does not name a blob")
        if type(size) is not int or size < 0:
            raise ValueError(f"{size!r} is not the size of a blob")
    if not {*map(type, made["packages"].values())} <= _TEXT:
        raise TypeError("the version of a package is no text")
    used = []
    oldest = 1
    for argument in record["arguments"].values():
        if "blob" in argument:
            used.append(argument["blob"])
            _check_codec(argument["describe"])
        elif _is_inline(argument):
            oldest = 2
            _check_codec(argument["describe"])
        elif "describe" in argument or ("json" not in argument and not {type(argument["digest"]), type(argument["text"])} <= _TEXT):
            raise ValueError("an argument without its bytes")
    for described in (record.get("value"), record.get("state")):
        if described is not None:
            if _is_inline(described):
                oldest = 2
            elif not described["blobs"]:
                raise ValueError("a value without its bytes")
            used += described.get("blobs", ())
            _check_codec(described)
    if record["format"] != oldest:
        raise ValueError(f"an entry of this content is of format {oldest}")
    if (parts := record.get("parts")) is not None:
        used.append(parts)
    for index in used:
        if type(index) is not int or not 0 <= index < len(blobs):
            raise ValueError("refers to a blob that it does not name")
    if (segment := record.get("segment")) is not None:
        start, length, ended, every = segment
        if _natural(start) < 0 or _natural(length) < 0 or _natural(every) < 0 or not isinstance(ended, bool):
            raise ValueError(f"{segment!r} is not the range of a segment")
    elif record["kind"] == "segment":
        raise ValueError("a segment without its range")
    if "withdraws" in record and not all(isinstance(digest, str) for digest in record["withdraws"]):
        raise TypeError("withdraws something that is no digest")
    if not isinstance(record.get("reason", ""), str):
        raise TypeError("the reason is no text")


def _check_codec(described: Json) -> None:
    if type(described["codec"]) is not str:
        raise TypeError("the codec has no name")


def blob_of(chunks: Sequence[Buffer]) -> Blob:
    """Both names of the bytes that these chunks make, one after the other."""
    from hashlib import sha256  # OpenSSL's, the fastest; loading it takes 4 ms, which a hit does without

    if len(chunks) == 1:
        return Blob(sha256(chunks[0]).hexdigest(), xxh3_128_hexdigest(chunks[0]), memoryview(chunks[0]).nbytes)
    strong, fast, size = sha256(), xxh3_128(), 0
    for chunk in chunks:
        strong.update(chunk)
        fast.update(chunk)
        size += memoryview(chunk).nbytes
    return Blob(strong.hexdigest(), fast.hexdigest(), size)


def inline(data: bytes) -> str:
    """Bytes as they stand in an entry."""
    return str(_base64()[0](data, newline=False), "ascii")


def inline_in(described: Json) -> bytes | None:
    """The bytes of a small value or argument, which stand in the entry itself; None if they do not. ValueError if they are damaged."""
    text = described.get("inline")
    return None if text is None else _base64()[1](text, strict_mode=True)


def _is_inline(described: Json) -> bool:
    """Whether the bytes stand in the entry itself. ValueError where `inline_in` could not read them, TypeError or AttributeError if they are no text.

    A tenth of the time of reading them, which each entry of a store is spared when all are looked at.
    """
    text = described.get("inline")
    if text is None:
        return False
    if len(text) % 4 or text.endswith("===") or bytes(text, "ascii").rstrip(b"=").translate(None, _IN_BASE64):
        raise ValueError("a value in the entry is not base64")
    return True


@cache
def _base64() -> "tuple[Callable[..., bytes], Callable[..., bytes]]":
    """To base64, and back: 0.4 ms to load, which a larger result does without."""
    from binascii import a2b_base64, b2a_base64

    return b2a_base64, a2b_base64


def held_in(record: Json) -> int:
    """How many bytes of its value and state an entry holds itself."""
    return sum(
        len(data) for held in (record.get("value"), record.get("state")) if held is not None and (data := inline_in(held)) is not None
    )


def form_of(described: Json | None) -> Json:
    """What a value is besides its bytes: its codec, and what that must know."""
    return {name: held for name, held in (described or {}).items() if name not in ("blobs", "inline")}


def pointer_oid(head: bytes) -> str:
    """The SHA-256 that a Git LFS pointer stands for; empty if these bytes are no pointer."""
    if not head.startswith(_POINTER):
        return ""
    lines = head.decode("utf-8", "replace").splitlines()
    return next((line.removeprefix("oid sha256:") for line in lines if line.startswith("oid sha256:")), "")


def blob_name(sha: str) -> str:
    return f"blobs/{sha[:2]}/{sha}"


def entry_digest(data: bytes) -> str:
    # Asked by name: another thread may be loading the module this very moment.
    made = getattr(sys.modules.get("hashlib"), "sha256", None) or _without_openssl()
    digest: str = made(data).hexdigest()
    return digest[:16]


@cache
def _without_openssl() -> Any:
    """A `sha256` for some hundred bytes: loading OpenSSL's takes longer than all else that a hit does."""
    with suppress(ImportError):
        # Looking for the one that is not there would go through every folder of the path.
        return import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256
    return import_module("hashlib").sha256


@lru_cache(maxsize=512)
def folder_of(function: str) -> str:
    """A function's name as one folder name that every file system takes."""
    folder = "".join(chr(byte) if byte in _IN_FOLDERS else f"%{byte:02X}" for byte in function.encode())
    if folder in (".", ".."):
        folder = folder.replace(".", "%2E")
    if len(folder) > _FOLDER_LIMIT:
        folder = f"{folder[: _FOLDER_LIMIT - 17]}-{xxh3_128_hexdigest(function.encode())[:16]}"
    return folder


def entry_prefix(function: str, key: str) -> str:
    """What the names of all entries of one key begin with."""
    return f"entries/{folder_of(function)}/{key[:2]}/{key}."


def digest_in_name(name: str) -> str:
    """The digest that an entry's or blob's own name promises; empty for any other name."""
    if name.startswith("blobs/"):
        match = _BLOB_NAME.fullmatch(name)
        return match[2] if match else ""
    match = _ENTRY_NAME.fullmatch(name)
    return match[4] if match else ""


def entry_leaves(folder: str, leaves: Iterable[str]) -> list[str]:
    """Of the files in a folder those that have the name of an entry: `digest_in_name` for whoever reads whole folders."""
    pair = folder[-2:]
    if not digest_in_name(f"{folder}/{pair:0<32}.{0:016}.json"):
        return []  # no folder that holds entries (`entries/FUNCTION/KK`)
    fits = _entry_leaf().fullmatch
    return [leaf for leaf in leaves if leaf.startswith(pair) and fits(leaf)]


@cache
def _entry_leaf() -> re.Pattern[str]:
    """Only who looks at whole folders compiles it."""
    return re.compile(r"[0-9a-f]{32}\.[0-9a-f]{16}\.json")


def check_name(name: str, data: Buffer) -> None:
    """Raise Corrupt unless the bytes are those that the name promises by SHA-256: asked wherever bytes cross a border."""
    promised = digest_in_name(name)
    if not promised:
        raise Corrupt(name, "the name is neither that of a blob nor of an entry")
    from hashlib import sha256

    if not sha256(data).hexdigest().startswith(promised):
        raise Corrupt(name, "the content does not match the digest in the name (SHA-256)")


def key_in_name(name: str) -> str:
    """The key that an entry's name holds; empty for any other name."""
    match = _ENTRY_NAME.fullmatch(name)
    return match[3] if match else ""


def _natural(number: object) -> int:
    if not isinstance(number, int) or isinstance(number, bool) or number < 0:
        raise ValueError(f"{number!r} is not a count")
    return number
