"""OSM files for the tests, written by hand: XML as text, PBF byte by byte."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

Tags = Mapping[str, str]
M_PER_DEGREE = 111_000.0
LAGOS = (3.42, 6.43)


@dataclass
class Extract:
    """A small extract: nodes by metres east and north of a place, ways, and rules for turning."""

    middle: tuple[float, float] = LAGOS
    nodes: dict[int, tuple[float, float, Tags]] = field(default_factory=dict)
    ways: list[tuple[int, Sequence[int], Tags]] = field(default_factory=list)
    rules: list[tuple[int, Sequence[tuple[str, int, str]], Tags]] = field(default_factory=list)

    def node(self, number: int, east_m: float, north_m: float, /, **tags: str) -> "Extract":
        lon, lat = self.middle
        self.nodes[number] = (lon + east_m / M_PER_DEGREE, lat + north_m / M_PER_DEGREE, tags)
        return self

    def way(self, number: int, refs: Sequence[int], highway: str = "residential", /, **tags: str) -> "Extract":
        """A way; `__` in the name of a tag is a colon."""
        self.ways.append((number, refs, {"highway": highway} | {key.replace("__", ":"): value for key, value in tags.items()}))
        return self

    def rule(self, restriction: str, start: int, via: int, end: int) -> "Extract":
        members = [("way", start, "from"), ("node", via, "via"), ("way", end, "to")]
        self.rules.append((len(self.rules) + 1, members, {"type": "restriction", "restriction": restriction}))
        return self

    def xml(self) -> str:
        lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<osm version="0.6" generator="by hand">']
        for node, (lon, lat, tags) in self.nodes.items():
            lines.append(f'<node id="{node}" lon="{lon:.7f}" lat="{lat:.7f}" version="1">{_tags(tags)}</node>')
        for way, refs, tags in self.ways:
            lines.append(f'<way id="{way}">{"".join(f"""<nd ref="{ref}"/>""" for ref in refs)}{_tags(tags)}</way>')
        for rule, members, tags in self.rules:
            inner = "".join(f'<member type="{kind}" ref="{ref}" role="{role}"/>' for kind, ref, role in members)
            lines.append(f'<relation id="{rule}">{inner}{_tags(tags)}</relation>')
        return "\n".join([*lines, "</osm>", ""])

    def pbf(self, *, dense: bool = True, pack: bool = True) -> bytes:
        features = [b"OsmSchema-V0.6", *([b"DenseNodes"] if dense else [])]
        header = b"".join(_bytes(4, feature) for feature in features)
        texts = _Texts()
        places = [(name, round(lon * 1e7), round(lat * 1e7), tags) for name, (lon, lat, tags) in self.nodes.items()]
        nodes = _dense(places, texts) if dense else b"".join(_bytes(1, _node(*place, texts)) for place in places)
        ways = b"".join(_bytes(3, _way(*way, texts)) for way in self.ways)
        rules = b"".join(_bytes(4, _relation(*rule, texts)) for rule in self.rules)
        blocks = [_bytes(1, texts.table()) + _bytes(2, group) for group in (nodes, ways, rules) if group]
        return _blob(b"OSMHeader", header, pack=pack) + b"".join(_blob(b"OSMData", block, pack=pack) for block in blocks)

    def write(self, path: Path) -> str:
        if path.suffix == ".pbf":
            path.write_bytes(self.pbf())
        else:
            path.write_text(self.xml(), encoding="utf-8")
        return str(path)


def _tags(tags: Tags) -> str:
    return "".join(f"<tag k={quoteattr(key)} v={quoteattr(value)}/>" for key, value in tags.items())


class _Texts:
    """The table of texts of a block; the first is empty."""

    def __init__(self) -> None:
        self.texts = [""]

    def index(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text)

    def table(self) -> bytes:
        return b"".join(_bytes(1, text.encode()) for text in self.texts)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])


def _zigzag(value: int) -> int:
    return value << 1 if value >= 0 else (-value << 1) - 1


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _packed(number: int, values: Iterable[int]) -> bytes:
    return _bytes(number, b"".join(map(_varint, values)))


def _differences(number: int, values: Iterable[int]) -> bytes:
    known = list(values)
    return _packed(number, [_zigzag(value - before) for before, value in zip([0, *known], known, strict=False)])


def _keys_and_values(tags: Tags, texts: _Texts) -> bytes:
    return _packed(2, map(texts.index, tags)) + _packed(3, map(texts.index, tags.values())) if tags else b""


def _node(name: int, lon: int, lat: int, tags: Tags, texts: _Texts) -> bytes:
    return _number(1, _zigzag(name)) + _keys_and_values(tags, texts) + _number(8, _zigzag(lat)) + _number(9, _zigzag(lon))


def _dense(places: Sequence[tuple[int, int, int, Tags]], texts: _Texts) -> bytes:
    words = []
    for *_, tags in places:
        words += [texts.index(word) for pair in tags.items() for word in pair] + [0]
    ids, lons, lats = ([name for name, *_ in places], [lon for _, lon, _, _ in places], [lat for _, _, lat, _ in places])
    return _bytes(2, _differences(1, ids) + _differences(8, lats) + _differences(9, lons) + _packed(10, words))


def _way(name: int, refs: Sequence[int], tags: Tags, texts: _Texts) -> bytes:
    return _number(1, name) + _keys_and_values(tags, texts) + _differences(8, refs)


def _relation(name: int, members: Sequence[tuple[str, int, str]], tags: Tags, texts: _Texts) -> bytes:
    kinds = ("node", "way", "relation")
    inner = _packed(8, [texts.index(role) for *_, role in members]) + _differences(9, [ref for _, ref, _ in members])
    return _number(1, name) + _keys_and_values(tags, texts) + inner + _packed(10, [kinds.index(kind) for kind, *_ in members])


def _blob(kind: bytes, data: bytes, *, pack: bool) -> bytes:
    blob = _number(2, len(data)) + _bytes(3, zlib.compress(data)) if pack else _bytes(1, data)
    header = _bytes(1, kind) + _number(3, len(blob))
    return len(header).to_bytes(4, "big") + header + blob
