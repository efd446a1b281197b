"""Plain data as JSON that a person can read, and that comes back with every type and every bit as it was.

What JSON has is written as itself: None, bool, str, int, finite float, list, and a dict whose keys are all str without a
`$` at the start (in its own order, which is part of the value). Everything else is an object with one key, the tag:

    $tuple, $set, $frozenset, $deque  [items…]; a set's are in the order of their own JSON; $deque is [[items…], maxlen]
    $dict, $ordereddict               [[key, value], …]; $ordereddict has a second part where it carries attributes
    $float                            "inf", "-inf", "nan", or 16 hex digits: the bits of another NaN
    $int                              "0x…": an int beyond ±2**1024
    $str, $bytes, $bytearray          base64; $str is of a text with lone surrogates (UTF-8, surrogates passed)
    $complex, $range, $slice          [real, imaginary], [start, stop, step]
    $date, $time, $datetime           ISO text, or [ISO text, fold, time zone]
    $timedelta, $timezone, $zone      [days, seconds, microseconds], [offset, name or null], "Area/City"
    $decimal, $uuid                   their text
    $path, $posixpath, $windowspath   a Path, PurePosixPath, PureWindowsPath: POSIX text
    $scalar                           [dtype, number, bytes or text]: a numpy scalar
    $enum, $flag                      ["module:Class", name], ["module:Class", number]
    $namedtuple                       ["module:Class", [items…]]
    $dataclass                        ["module:Class", {name: value, …}]
    $model                            ["module:Class", {field: value, …}, [fields that were set], extra, private]

and, in a tree (tree.py) only: $array, $raw, $tensor, $same, $axes, and of pandas (tables.py) $table, $column, $index, $values, $pandas. An object that is held twice is written twice, and comes back as two,
unless the value is a state that a series goes on from: then it is $same.
"""

from importlib import import_module
from typing import Any, Final

from simcache.codecs.base import Codec, Encoded
from simcache.codecs.reading import Reader, value_of
from simcache.codecs.writing import Writer, text_of
from simcache.errors import Unstorable
from simcache.model import Json

_ATOMS = frozenset((type(None), bool, int, float, str, complex, range))


class JsonCodec(Codec):
    """Values without arrays: the blob is the JSON described at the top of this file, in UTF-8."""

    name = "json"

    def takes(self, value: object) -> bool:
        return type(value) in _ATOMS

    def encode(self, value: Any, into: object = None) -> Encoded:
        return encoded(text_of(value, Writer(rarer, into)))

    def encode_state(self, value: Any, into: object = None) -> Encoded:
        plain = self.encode(value, into)
        if import_module("simcache.codecs.tree").CODEC.encode_state(value, into).describe != plain.describe:
            raise Unstorable("state", "it holds an object twice, which would come back as two: name no codec, or hold it once")
        return plain

    def decode(self, describe: Json, data: memoryview, into: object = None) -> Any:
        del describe
        return value_of(data, Reader(into))


def rarer(writer: Writer, value: object) -> Any:
    """The form of a value that is not of the basic types; loaded when there is one, as most plain data has none."""
    return import_module("simcache.codecs.others").form(writer, value)


def encoded(text: str) -> Encoded:
    """JSON that stands alone, as the json codec describes it."""
    return Encoded({"codec": JsonCodec.name}, [text.encode()])


CODEC: Final = JsonCodec()
