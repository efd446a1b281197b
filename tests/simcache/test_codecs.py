"""The contract of a codec, run over the registry: exact, deterministic, and safe against any bytes."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simcache.codecs import reading, registry
from simcache.codecs.base import Encoded
from simcache.codecs.file import File, Folder
from simcache.codecs.reach import name_of
from simcache.errors import BadSettings, Undecodable, Unstorable
from tests.simcache import makers
from tests.simcache.makers import Everything, identical

ROOT = Path(__file__).resolve().parents[2]


def joined(encoded: Encoded) -> bytes:
    return b"".join(bytes(chunk) for chunk in encoded.chunks)


def there_and_back(value: object, codec: str | None = None, into: object = Everything) -> Any:
    """The value as another process would get it: the description through JSON, the bytes from a file."""
    encoded = registry.encode(value, codec, into)
    describe = json.loads(json.dumps(encoded.describe))
    return registry.decode(describe, memoryview(bytearray(joined(encoded))), into)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "laid-out"
    monkeypatch.setenv("SIMCACHE_FILES", str(folder))
    return folder


# For each codec, values that it takes and one that it refuses.
TAKEN: dict[str, list[Any]] = {
    "array": [makers.samples["array"], makers.samples["fortran"], np.array(3.5), np.zeros((0, 3)), np.array(["a", "bcd"])],
    "json": [value for name, value in makers.samples.items() if name not in {"array", "fortran", "tree", "bytes"}],
    "tree": [*makers.samples.values()],
    "pickle": [*makers.samples.values()],
    "file": [],  # a File comes back as another path: see test_codec_file.py
}
REFUSED: dict[str, Any] = {"array": [1], "json": makers.samples["tree"], "tree": print, "pickle": lambda: 0, "file": 1}


@pytest.mark.parametrize("name", registry.codec_names())
class TestContract:
    """What every codec promises; a new one is tried by being registered."""

    def test_is_known_by_its_name(self, name: str) -> None:
        """A codec says the name that it is registered under."""
        assert name == registry.codec_named(name).name

    def test_brings_back_what_it_took(self, name: str) -> None:
        """Type and every bit come back."""
        for value in TAKEN[name]:
            back = there_and_back(value, name)

            assert identical(value, back), (value, back)

    def test_refuses_by_path(self, name: str) -> None:
        """What it cannot bring back is Unstorable, with a path and a reason."""
        with pytest.raises(Unstorable, match="value.* cannot be stored: ") as refused:
            registry.codec_named(name).encode(REFUSED[name])

        assert refused.value.reason

    def test_describes_itself(self, name: str) -> None:
        """The description is JSON, and names a codec that brings the value back."""
        for value in TAKEN[name]:
            describe = registry.encode(value, name, Everything).describe

            assert describe == json.loads(json.dumps(describe))
            assert describe["codec"] in {name, "json"}

    def test_is_deterministic(self, name: str) -> None:
        """The same value gives the same description and the same bytes."""
        for value in TAKEN[name]:
            first, second = (registry.encode(value, name, Everything) for _ in range(2))

            assert (first.describe, joined(first)) == (second.describe, joined(second))

    def test_survives_every_cut_and_every_flip(self, name: str) -> None:
        """Bytes cut short or changed give a value or Undecodable, never another error."""
        for value in TAKEN[name]:
            encoded = registry.encode(value, name, Everything)
            data = joined(encoded)
            for changed in damaged(data):
                try_decoding(encoded.describe, changed)

    def test_survives_every_description(self, name: str) -> None:
        """A description with a part gone or of another type gives a value or Undecodable, never another error."""
        for value in TAKEN[name]:
            encoded = registry.encode(value, name, Everything)
            data = joined(encoded)
            for describe in others_like(encoded.describe):
                try_decoding(describe, data)


def try_decoding(describe: Any, data: bytes) -> None:
    if describe.get("codec") == "pickle":
        return  # runs what it is given; that is why it is never loaded from elsewhere
    with suppress(Undecodable):
        registry.decode(describe, memoryview(bytearray(data)), Everything)


def damaged(data: bytes) -> Iterator[bytes]:
    step = max(1, len(data) // 40)
    for at in range(0, len(data), step):
        yield data[:at]
        yield data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :]
    yield data + b"\0"
    yield b""


ODD: list[Any] = [None, True, -1, 2**63, 1e300, "", "<f8", "O", [], [-1], [2**40, 2**40], [[]], {}, {"fields": [], "itemsize": 1}, ["a", 1]]


def others_like(describe: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for key in describe:
        yield {k: v for k, v in describe.items() if k != key}
        yield from ({**describe, key: odd} for odd in ODD)


@given(makers.values)
def test_hit_equals_recomputed(value: object) -> None:
    """Any nesting of any storable types comes back with the same types, bits and order."""
    back = there_and_back(value)

    assert identical(value, back), back


@given(makers.plain_values)
def test_plain_data_is_json(value: object) -> None:
    """What has no arrays and no long bytes is kept as one JSON text in UTF-8."""
    data = joined(registry.encode(value, "json", Everything))

    json.loads(data.decode())


@given(makers.values, st.data())
def test_hostile_bytes_are_undecodable(value: object, data: st.DataObject) -> None:
    """Random changes to the description and the bytes give a value or Undecodable."""
    encoded = registry.encode(value, None, Everything)
    blob = bytearray(joined(encoded))
    describe = dict(encoded.describe)
    for _ in range(data.draw(st.integers(1, 4))):
        if blob:
            at = data.draw(st.integers(0, len(blob) - 1))
            blob[at : at + data.draw(st.integers(0, 3))] = data.draw(
                st.binary(max_size=3) | st.sampled_from([b'"', b"[", b"9", b"-", b"$", b"{"])
            )
    if data.draw(st.booleans()):
        describe[data.draw(st.sampled_from(sorted(describe)))] = data.draw(_json)

    try_decoding(describe, bytes(blob))


_atoms = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_json = _atoms | st.lists(_atoms | st.lists(_atoms, max_size=3), max_size=5) | st.dictionaries(st.text(max_size=5), _atoms, max_size=3)
_class_names = st.sampled_from([name_of(kind) for kind in (makers.Colour, makers.Rights, makers.Point, makers.Road, makers.Settings)])
TAGS = [*reading._READ, *reading._LATE, "$array", "$raw", "$tensor", "$same", "$axes"]


@given(st.sampled_from(TAGS), _json | st.lists(_class_names | _json, max_size=5))
def test_hostile_tags_are_undecodable(tag: str, payload: object) -> None:
    """Any tag around anything gives a value or Undecodable."""
    text = json.dumps({tag: payload}).encode()

    try_decoding({"codec": "tree", "json": [0, len(text)]}, text)


def test_same_bytes_in_every_process() -> None:
    """PYTHONHASHSEED, and with it the order of sets, does not change a byte."""
    program = """
import hashlib
from simcache.codecs import registry
from tests.simcache import makers
for name, value in makers.samples.items():
    encoded = registry.encode(value, None, makers.Everything)
    print(name, encoded.describe, hashlib.sha256(b"".join(bytes(c) for c in encoded.chunks)).hexdigest())
"""
    answers = {
        subprocess.run(
            [sys.executable, "-c", program], cwd=ROOT, env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }

    assert 1 == len(answers)


def test_a_plain_hit_imports_little() -> None:
    """Decoding plain data loads neither numpy nor pydantic nor what only encoding needs."""
    program = """
import sys
from simcache.codecs import registry
assert registry.decode({"codec": "json"}, memoryview(b'{"a":{"$tuple":[1,2.5]}}')) == {"a": (1, 2.5)}
print(*sorted({"numpy", "pydantic", "torch", "zoneinfo", "uuid", "simcache.codecs.objects"} & sys.modules.keys()))
"""
    answer = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert "" == answer.strip()


def test_unknown_codec_of_a_person() -> None:
    """A person who names a codec that is not there is told which are."""
    with pytest.raises(BadSettings, match="'parquet'.*'array', 'file', 'json', 'tree', 'pickle'"):
        registry.encode(1, codec="parquet")


@pytest.mark.parametrize("describe", [{}, {"codec": "parquet"}, {"codec": None}, {"codec": ["json"]}])
def test_unknown_codec_of_an_entry(describe: dict[str, Any]) -> None:
    """An entry that names a codec that is not there cannot be decoded, and is no danger."""
    with pytest.raises(Undecodable, match="no codec"):
        registry.decode(describe, memoryview(b""))

    assert registry.is_safe(describe)


def test_only_pickle_is_unsafe() -> None:
    """Pickle says that it runs code, and is never chosen for a value."""
    assert ["pickle"] == [name for name in registry.codec_names() if not registry.is_safe({"codec": name})]
    with pytest.raises(Unstorable):
        registry.encode(object())


def test_a_damaged_pickle_is_undecodable() -> None:
    """Bytes that are no pickle are reported like any others."""
    with pytest.raises(Undecodable, match="pickle"):
        registry.decode({"codec": "pickle"}, memoryview(b"no pickle"))


def test_natural_codecs() -> None:
    """Each value goes to the simplest codec that holds it."""
    expected = {"array": "array", "fortran": "array", "tree": "tree", "bytes": "tree"}

    assert {name: expected.get(name, "json") for name in makers.samples} == {
        name: registry.encode(value, None, Everything).describe["codec"] for name, value in makers.samples.items()
    }


def test_files_are_natural_too(tmp_path: Path) -> None:
    """A File or a Folder goes to the file codec without being asked."""
    (tmp_path / "a.txt").write_text("x")

    assert "file" == registry.encode(File(tmp_path / "a.txt")).describe["codec"]
    assert "file" == registry.encode(Folder(tmp_path)).describe["codec"]


def test_the_specification_holds() -> None:
    """Every example of docs/spec/values.md is true, and every tag stands in it."""
    page = (ROOT / "docs" / "spec" / "values.md").read_text(encoding="utf-8")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)

    for example in examples:
        exec(example, {})
    assert 3 == len(examples)
    assert [] == [tag for tag in TAGS if f"`{tag}`" not in page]
