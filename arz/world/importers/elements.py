"""XML files read as a stream: the elements under the root, one at a time, with their lines."""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO, cast
from xml.parsers import expat

from arz.errors import Invalid
from arz.world.importers.draft import refused

CHUNK = 1 << 16
GZIP_MAGIC = b"\x1f\x8b"


@dataclass(slots=True)
class Element:
    """A tag with its attributes and the elements within it; text between tags is not kept."""

    tag: str
    attributes: dict[str, str]
    line: int
    within: list["Element"] = field(default_factory=list)


def opened(path: str) -> BinaryIO:
    """The bytes of a file, unpacked if it is packed by gzip; Invalid where there is no such file."""
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == GZIP_MAGIC
        return cast("BinaryIO", gzip.open(path)) if packed else open(path, "rb")
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: str, error: OSError) -> Invalid:
    return Invalid(path, f"cannot be read ({error.strerror or error})", "give the path of a file that is there and may be read")


PACKED_ERRORS = (EOFError, zlib.error, gzip.BadGzipFile)
"""What comes of a packed file that is cut off or damaged."""


def damaged(path: str, error: Exception) -> Invalid:
    return Invalid(path, f"the packed file is cut off or damaged ({error})", "fetch it again")


def elements(path: str, root: str) -> Iterator[Element]:
    """Each element directly under the root, complete. Invalid if the root has another name, and where the file is broken or cut off."""
    tree = _Tree(path, root)
    with opened(path) as stream:
        while True:
            chunk = _chunk(path, stream)
            tree.feed(chunk)
            yield from tree.taken()
            if not chunk:
                return


def _chunk(path: str, stream: BinaryIO) -> bytes:
    try:
        return stream.read(CHUNK)
    except PACKED_ERRORS as error:
        raise damaged(path, error) from None
    except OSError as error:
        raise unreadable(path, error) from None


class _Tree:
    """Makes elements of what the parser tells."""

    def __init__(self, path: str, root: str) -> None:
        self._path = path
        self._root = root
        self._open: list[Element] = []
        self._done: list[Element] = []
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity

    def feed(self, chunk: bytes) -> None:
        """The next bytes; none for the end."""
        try:
            self._parser.Parse(chunk, not chunk)
        except Invalid:
            raise
        except (LookupError, TypeError, ValueError) as error:
            raise refused(self._path, "line 1", f"its encoding cannot be read ({error})", "write the file again in UTF-8") from None
        except expat.ExpatError as error:
            line, problem = error.lineno, expat.ErrorString(error.code)
            if not chunk:
                raise refused(self._path, f"line {line}", f"the file is empty or cut off ({problem})", "fetch or write it again") from None
            raise refused(self._path, f"line {line}", f"this is no XML ({problem})", "check that it is the right file, and whole") from None

    def taken(self) -> list[Element]:
        done, self._done = self._done, []
        return done

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        element = Element(tag, attributes, self._parser.CurrentLineNumber)
        if not self._open and tag != self._root:
            problem = f"the file holds <{tag}>, not <{self._root}>"
            raise refused(self._path, f"line {element.line}", problem, "name the right kind, or leave the kind out")
        # The root would otherwise hold the whole file.
        if len(self._open) > 1:
            self._open[-1].within.append(element)
        self._open.append(element)

    def _end(self, _: str) -> None:
        element = self._open.pop()
        if len(self._open) == 1:
            self._done.append(element)

    def _entity(self, *_: object) -> None:
        raise refused(self._path, f"line {self._parser.CurrentLineNumber}", "it declares entities", "no map needs them: take them out")
