"""OSM as PBF: blocks of protocol-buffer messages, packed by zlib, read without any other package.

The format is that of the page `PBF Format` of OpenStreetMap's wiki.
"""

import lzma
import zlib
from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from arz.errors import Invalid
from arz.world.importers.draft import refused
from arz.world.importers.elements import unreadable
from arz.world.importers.osm_objects import OsmNode, OsmRelation, OsmWay

LARGEST_HEADER = 64 << 10
LARGEST_BLOCK = 32 << 20
"""The limits of the format, which also keep a small file from filling the memory."""
KNOWN_FEATURES = frozenset({b"OsmSchema-V0.6", b"DenseNodes", b"HistoricalInformation", b"LocationsOnWays"})
MEMBER_KINDS = ("node", "way", "relation")
GIGA = 1e9
"""Coordinates are whole billionths of a degree. Divided, not multiplied, they are the very numbers that XML spells out."""
MORE = 0x80
"""The bit of a byte that says that the number goes on in the next one."""
LONGEST_VARINT = 10
RAW, ZLIB, LZMA = 1, 3, 4
"""The fields of a blob that hold its bytes, packed or not."""

Message = dict[int, list[int | bytes]]
"""The fields of a message by number: an int for a varint, bytes for all else."""


class _Damaged(Exception):
    """The bytes are not what the format says."""


def ways_and_relations(path: str) -> Iterator[OsmWay | OsmRelation]:
    for block in _blocks(path):
        with _Watch(path, block.place):
            found: list[OsmWay | OsmRelation] = []
            for group in block.groups:
                found += [_way(block, _message(packed)) for packed in _bytes(group, 3)]
                found += [_relation(block, _message(packed)) for packed in _bytes(group, 4)]
        yield from found


def nodes(path: str, wanted: Container[int]) -> Iterator[OsmNode]:
    for block in _blocks(path):
        with _Watch(path, block.place):
            found: list[OsmNode] = []
            for group in block.groups:
                found += [node for packed in _bytes(group, 1) if (node := _node(block, _message(packed))).id in wanted]
                found += [node for packed in _bytes(group, 2) for node in _dense(block, _message(packed), wanted)]
        yield from found


class _Watch:
    """Turns what damaged bytes lead to into a refusal of the file."""

    def __init__(self, path: str, place: str) -> None:
        self._path = path
        self._place = place

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> None:
        if isinstance(error, (_Damaged, IndexError, ValueError, OverflowError, zlib.error, lzma.LZMAError)) and not isinstance(
            error, Invalid
        ):
            raise refused(self._path, self._place, f"the file is damaged ({error})", "fetch it again") from None


@dataclass(frozen=True, slots=True)
class _Block:
    """Some objects, with the texts that they share and the grid of their coordinates."""

    place: str
    texts: tuple[str, ...]
    groups: tuple[Message, ...]
    grid: int
    lon_offset: int
    lat_offset: int

    def lon(self, units: int) -> float:
        return (self.lon_offset + self.grid * units) / GIGA

    def lat(self, units: int) -> float:
        return (self.lat_offset + self.grid * units) / GIGA


def _blocks(path: str) -> Iterator[_Block]:
    """The blocks of objects, in the order of the file."""
    try:
        stream = open(path, "rb")  # noqa: SIM115 - closed below
    except OSError as error:
        raise unreadable(path, error) from None
    with stream:
        count = 0
        while (found := _blob(path, stream, f"block {count}")) is not None:
            kind, blob = found
            place = f"block {count}"
            if count == 0 and kind != b"OSMHeader":
                raise refused(path, place, "this is no OSM file in PBF", "check that it is the right file")
            with _Watch(path, place):
                content = _message(_unpacked(path, place, _message(blob))) if kind in (b"OSMHeader", b"OSMData") else {}
                if kind == b"OSMHeader":
                    _check_features(path, content)
                block = _block(place, content) if kind == b"OSMData" else None
            if block is not None:
                yield block
            count += 1
        if count == 0:
            raise refused(path, "", "the file is empty", "fetch it again")


def _blob(path: str, stream: BinaryIO, place: str) -> tuple[bytes, bytes] | None:
    """The kind and the bytes of the next blob; None at the end of the file."""
    start = stream.read(4)
    if not start:
        return None
    size = int.from_bytes(start, "big")
    if len(start) == 4 and size > LARGEST_HEADER:  # noqa: PLR2004 - as many as were read
        raise refused(path, place, "this is no OSM file in PBF, or damaged", "check that it is the right file, or fetch it again")
    with _Watch(path, place):
        header = _message(_whole(stream, size))
        kind, size = _bytes(header, 1)[0], _number(header, 3)
        if size > LARGEST_BLOCK:
            raise _Damaged("a block is larger than the format allows")
        return kind, _whole(stream, size)


def _whole(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise _Damaged("it is cut off")
    return data


def _unpacked(path: str, place: str, blob: Message) -> bytes:
    if RAW in blob:
        return _bytes(blob, RAW)[0]
    if ZLIB in blob:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(_bytes(blob, ZLIB)[0], LARGEST_BLOCK)
        if not unpacker.eof:
            raise _Damaged("a block is cut off, or larger than the format allows")
        return data
    if LZMA in blob:
        return lzma.LZMADecompressor().decompress(_bytes(blob, LZMA)[0], LARGEST_BLOCK)
    raise refused(path, place, "the blocks are packed in a way that is not known here", "write the extract again, packed by zlib")


def _check_features(path: str, header: Message) -> None:
    unknown = set(_bytes(header, 4)) - KNOWN_FEATURES
    if unknown:
        names = b", ".join(sorted(unknown)).decode(errors="replace")
        raise refused(path, "block 0", f"the file asks for {names}, which is not known here", "write the extract again without it")


def _block(place: str, content: Message) -> _Block:
    texts = tuple(text.decode() for text in _bytes(_message(_bytes(content, 1)[0]), 1))
    groups = tuple(_message(group) for group in _bytes(content, 2))
    return _Block(place, texts, groups, _number(content, 17, 100), _signed(_number(content, 20)), _signed(_number(content, 19)))


def _node(block: _Block, fields: Message) -> OsmNode:
    name, lat, lon = (_zigzag(_number(fields, field)) for field in (1, 8, 9))
    return OsmNode(name, block.lon(lon), block.lat(lat), _tags(block, fields), f"{block.place}, node {name}")


def _dense(block: _Block, fields: Message, wanted: Container[int]) -> Iterator[OsmNode]:
    """Nodes as columns of differences; the tags of all of them stand in one list, ended by a zero for each node."""
    ids, lats, lons = (np.cumsum(_signed_column(fields, field)).tolist() for field in (1, 8, 9))
    if not len(ids) == len(lats) == len(lons):
        raise _Damaged("columns of nodes differ in length")
    texts = iter(_column(fields, 10).tolist())
    for name, lat, lon in zip(ids, lats, lons, strict=True):
        tags = {}
        while (key := next(texts, 0)) != 0:
            tags[block.texts[key]] = block.texts[next(texts)]
        if name in wanted:
            yield OsmNode(name, block.lon(lon), block.lat(lat), tags, f"{block.place}, node {name}")


def _way(block: _Block, fields: Message) -> OsmWay:
    refs = np.cumsum(_signed_column(fields, 8)).tolist()
    return OsmWay(_signed(_number(fields, 1)), tuple(refs), _tags(block, fields))


def _relation(block: _Block, fields: Message) -> OsmRelation:
    refs = np.cumsum(_signed_column(fields, 9)).tolist()
    roles = [block.texts[role] for role in _column(fields, 8).tolist()]
    kinds = [MEMBER_KINDS[kind] for kind in _column(fields, 10).tolist()]
    return OsmRelation(_signed(_number(fields, 1)), tuple(zip(kinds, refs, roles, strict=True)), _tags(block, fields))


def _tags(block: _Block, fields: Message) -> dict[str, str]:
    keys, values = (_column(fields, field).tolist() for field in (2, 3))
    return {block.texts[key]: block.texts[value] for key, value in zip(keys, values, strict=True)}


def _message(data: bytes) -> Message:
    """The fields of a message, whatever they mean."""
    fields: Message = {}
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        wire = key & 7
        value: int | bytes
        if wire == 0:
            value, at = _varint(data, at)
        else:
            if wire == 2:  # noqa: PLR2004 - the number of the format for bytes that tell their length
                size, at = _varint(data, at)
            elif wire in (1, 5):
                size = 8 if wire == 1 else 4
            else:
                raise _Damaged(f"a field of the unknown kind {wire}")
            value, at = data[at : at + size], at + size
            if at > end:
                raise _Damaged("a field is cut off")
        fields.setdefault(key >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """The number that begins here, seven bits in each byte, and where the next thing begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & ~MORE) << shift
        if byte < MORE:
            return value, at
        shift += 7
        if shift >= 7 * LONGEST_VARINT:
            raise _Damaged("a number is too long")


def _bytes(fields: Message, field: int) -> list[bytes]:
    values = fields.get(field, [])
    if not all(isinstance(value, bytes) for value in values):
        raise _Damaged(f"field {field} is a number")
    return values  # type: ignore[return-value]


def _number(fields: Message, field: int, otherwise: int = 0) -> int:
    value = fields.get(field, [otherwise])[-1]
    if not isinstance(value, int):
        raise _Damaged(f"field {field} is no number")
    return value


def _column(fields: Message, field: int) -> NDArray[np.uint64]:
    """The numbers of a field, which may be packed into bytes."""
    values = fields.get(field, [])
    if values and isinstance(values[0], int):
        return np.array(values, dtype=np.uint64)
    data = np.frombuffer(b"".join(_bytes(fields, field)), dtype=np.uint8)
    ends = np.flatnonzero(data < MORE)
    if data.size == 0:
        return np.empty(0, dtype=np.uint64)
    if ends.size == 0 or ends[-1] != data.size - 1:
        raise _Damaged("a number is cut off")
    starts = np.concatenate(([0], ends[:-1] + 1))
    sizes = ends - starts + 1
    if sizes.max() > LONGEST_VARINT:
        raise _Damaged("a number is too long")
    place = np.arange(data.size) - np.repeat(starts, sizes)
    parts = (data & ~np.uint8(MORE)).astype(np.uint64) << (7 * place).astype(np.uint64)
    return np.add.reduceat(parts, starts)


def _signed_column(fields: Message, field: int) -> NDArray[np.int64]:
    values = _column(fields, field)
    return (values >> np.uint64(1)).astype(np.int64) ^ -(values & np.uint64(1)).astype(np.int64)


def _zigzag(value: int) -> int:
    """A signed number from its form that is short also for small negative ones: 0, -1, 1, -2, ..."""
    return (value >> 1) ^ -(value & 1)


def _signed(value: int) -> int:
    """A signed number from its form as 64 bits."""
    return value - (1 << 64) if value >> 63 else value
