"""Tables, columns and indices of pandas as arguments and as results: one form each, and back exactly."""

import datetime as dt
import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xxhash import xxh3_128_hexdigest

from simcache import Cache, cached
from simcache.codecs import reading, registry
from simcache.errors import Undecodable, Unkeyable, Unstorable
from simcache.identity.forms.canonical import canonical

pd: Any = pytest.importorskip("pandas")
testing: Any = pytest.importorskip("pandas.testing")


class OwnZone(dt.tzinfo):
    """A zone that says it is one of those that have names."""

    def __init__(self, key: str) -> None:
        self.key = key

    def utcoffset(self, _moment: Any) -> dt.timedelta:
        """An hour."""
        return dt.timedelta(hours=1)

    def dst(self, _moment: Any) -> dt.timedelta:
        """None."""
        return dt.timedelta(0)

    def tzname(self, _moment: Any) -> str:
        """Its name."""
        return self.key


DAYS = pd.date_range("2026-01-01", periods=3, freq="D")
HOLIDAYS = pd.offsets.CustomBusinessDay(holidays=["2026-01-05"])


def objects(*items: object) -> Any:
    return pd.Series([*items], dtype=object)


def with_attributes(table: Any, **attributes: object) -> Any:
    table.attrs.update(attributes)
    return table


COLUMNS: dict[str, Any] = {
    **{dtype: np.array([1, 2, 0], dtype) for dtype in "bool int8 uint8 int64 float32 float64 complex128".split()},
    "a NaN and minus zero": [0.5, np.nan, -0.0],
    "texts": ["a", None, "ä€"],
    "texts that may be NA": pd.array(["a", None, "ä€"], dtype="string"),
    "texts as objects": objects("a", "b", "c"),
    "other texts as objects": objects("ab", "", "c"),
    "half a character": objects("\ud800", "b", "c"),
    "texts of numpy": pd.array([np.str_("a"), "b", "c"], dtype="str"),
    "objects": objects("a", None, 3.5),
    "lists": objects([1], [2, 3], (4,)),
    "arrays": objects(np.arange(3), None, {"k": 1}),
    "dates and decimals": objects(dt.date(2026, 1, 1), Decimal("1.0"), None),
    "moments and nothing": objects(pd.Timestamp("2026-01-01"), pd.NaT, pd.NA),
    "moments": DAYS.as_unit("us"),
    "nanoseconds": DAYS.as_unit("ns"),
    "seconds": DAYS.as_unit("s"),
    "moments in Lagos": DAYS.tz_localize("Africa/Lagos"),
    "moments in UTC": DAYS.tz_localize("UTC"),
    "moments with an offset": DAYS.tz_localize(dt.timezone(dt.timedelta(hours=1))),
    "durations": pd.to_timedelta([1, 2, None], unit="h"),
    "categories": pd.Categorical(["x", "y", "x"], categories=["y", "x", "z"], ordered=True),
    "categories without an order": pd.Categorical(["x", None, "x"]),
    "categories of moments": pd.Categorical(DAYS),
    "integers and NA": pd.array([1, None, 3], dtype="Int64"),
    "small integers and NA": pd.array([1, None, 3], dtype="UInt8"),
    "floats and NA": pd.array([1.5, None, 3], dtype="Float32"),
    "truths and NA": pd.array([True, None, False], dtype="boolean"),
    "months": pd.period_range("2026-01", periods=3, freq="M"),
    "intervals": pd.interval_range(0, 3),
    "intervals with a gap": pd.arrays.IntervalArray.from_tuples([(0.0, 1.0), None, (1.0, 2.0)]),
    "intervals of moments": pd.arrays.IntervalArray.from_breaks(pd.date_range("2026-01-01", periods=4), closed="left"),
}
INDICES: dict[str, Any] = {
    "a range": pd.RangeIndex(5, -1, -2, name="r"),
    "integers": pd.Index([0, 1, 2]),
    "integers with a name": pd.Index([0, 1, 2], name="node"),
    "floats": pd.Index([0.5, np.nan, 0.5]),
    "truths": pd.Index([True, False, True]),
    "texts": pd.Index(["a", "b", "a"]),
    "mixed": pd.Index([3, "a", (1, 2)], dtype=object),
    "integers or NA": pd.Index(pd.array([1, 2, None], dtype="Int64")),
    "categories": pd.CategoricalIndex(["a", "b", "a"]),
    "intervals": pd.interval_range(0.0, 3.0),
    "quarters": pd.period_range("2026", periods=3, freq="Q"),
    "hours": pd.timedelta_range("1h", periods=3, freq="h"),
    "days": DAYS,
    "days without steps": pd.DatetimeIndex(DAYS, freq=None),
    "days in Lagos": DAYS.tz_localize("Africa/Lagos"),
    "business days": pd.date_range("2026-01-01", periods=3, freq="2B"),
    "levels": pd.MultiIndex.from_tuples([("x", 1), ("y", 2), ("x", 2)], names=["k", None]),
    "levels of moments": pd.MultiIndex.from_product([DAYS, ["a"]], names=["day", "road"]),
    "levels that are said to be in order": pd.MultiIndex(levels=[["a", "b"], [1, 2]], codes=[[0, 0, 1], [0, 1, 0]], sortorder=2),
    "levels that nothing has": pd.MultiIndex.from_product([["a", "b"], [1, 2]])[:3],
}
TABLES: dict[str, Any] = {
    "nothing": pd.DataFrame(),
    "no rows": pd.DataFrame({"a": np.zeros(0), "t": pd.Series([], dtype=str)}),
    "no columns": pd.DataFrame(index=[3, 1, 2]),
    "one block": pd.DataFrame(np.arange(12.0).reshape(3, 4)),
    "labels that come twice": pd.DataFrame([[1, 2.0, "x"]], columns=["a", "a", "b"]),
    "labels of all kinds": pd.DataFrame({3: [1], "a": [2], None: [3], (1, 2): [4]}),
    "levels above and beside": pd.DataFrame({("a", 1): [1, 2], ("a", 2): [3, 4]}, index=INDICES["levels"][:2]),
    "a name above": pd.DataFrame({"v": [1, 2]}).rename_axis(columns="what"),
    "attributes": with_attributes(pd.DataFrame({"v": [1]}), unit={"v": "km/h"}, at=np.arange(3)),
    "flags": pd.DataFrame({"v": [1]}).set_flags(allows_duplicate_labels=False),
    "an index that comes twice": pd.DataFrame({"a": [1, 2], "o": objects([], {}).to_numpy()}, index=[0, 0]),
}
VALUES: dict[str, Any] = {
    **{f"a table of {name}": pd.DataFrame({"v": column}) for name, column in COLUMNS.items()},
    **{f"a column of {name}": pd.Series(column, name="v") for name, column in COLUMNS.items()},
    "a column with another name": pd.Series([1, 2, 0], name=("v", 1)),
    "a column with attributes": with_attributes(pd.Series([1, 2, 0]), unit="m"),
    **{f"an index of {name}": index for name, index in INDICES.items()},
    **{f"a table by {name}": pd.DataFrame({"v": [1, 2, 3]}, index=index) for name, index in INDICES.items()},
    **{f"a table with {name}": table for name, table in TABLES.items()},
    "a moment": pd.Timestamp("2026-01-01 12:00"),
    "a moment by nanoseconds": pd.Timestamp("2026-01-01 12:00").as_unit("ns"),
    "a moment in Lagos": pd.Timestamp("2026-01-01 12:00", tz="Africa/Lagos"),
    "a moment in UTC": pd.Timestamp("2026-01-01 11:00", tz="UTC"),
    "an hour that comes twice": pd.Timestamp("2026-10-25 00:30", tz="UTC").tz_convert("Europe/Paris"),
    "when it comes again": pd.Timestamp("2026-10-25 01:30", tz="UTC").tz_convert("Europe/Paris"),
    "a duration": pd.Timedelta(hours=1),
    "a duration by seconds": pd.Timedelta(hours=1).as_unit("s"),
    "a month": pd.Period("2026-01"),
    "an interval": pd.Interval(pd.Timestamp("2026-01-01"), pd.Timestamp("2026-01-02"), closed="left"),
    "no moment": pd.NaT,
    "nothing known": pd.NA,
}


def bytes_of(value: object) -> tuple[dict[str, Any], bytes]:
    encoded = registry.encode(value)
    return json.loads(json.dumps(encoded.describe)), b"".join(bytes(chunk) for chunk in encoded.chunks)


def there_and_back(value: object) -> Any:
    describe, data = bytes_of(value)
    return registry.decode(describe, memoryview(data))


def same(one: Any, other: Any) -> None:
    """Fails unless pandas cannot tell them apart."""
    assert type(one) is type(other)
    if isinstance(one, pd.DataFrame):
        testing.assert_frame_equal(one, other, check_exact=True, check_index_type="exact", check_column_type="exact")
        assert [*map(str, one.attrs)] == [*map(str, other.attrs)]
    elif isinstance(one, pd.Series):
        testing.assert_series_equal(one, other, check_exact=True, check_index_type="exact")
        assert one.attrs == other.attrs
    elif isinstance(one, pd.Index):
        testing.assert_index_equal(one, other, exact=True)
        assert getattr(one, "freq", None) == getattr(other, "freq", None)
    else:
        assert one is other or (repr(one), getattr(one, "unit", "")) == (repr(other), getattr(other, "unit", ""))


@pytest.mark.parametrize("name", VALUES)
def test_comes_back(name: str) -> None:
    """As it was, to the dtype, the steps of an index and the attributes; a second time in the same bytes."""
    value = VALUES[name]

    back = there_and_back(value)

    same(value, back)
    same(value, there_and_back({"a": [value]})["a"][0])
    assert canonical(value) == canonical(back)
    assert bytes_of(value) == bytes_of(back)


GOLDEN = {
    "a table of texts": "d0a38bb1729eb626a9e9d523f2aca004",
    "a table of float64": "4607ba4b6337869e33ecfc98b295e7da",
    "a table of moments in Lagos": "7f0119d66ae7c992bbe45f10fec5ca18",
    "a table of integers and NA": "e7325fc21515ec94e7d25835ca609b0f",
    "a table of categories": "22e54598a3030cf20d210147d9415c52",
    "a table by levels": "4572a464d78f4e998b07c1ca88707045",
    "a table with attributes": "3a9d104a5fcee472efb18f791b8e2459",
    "a column with another name": "590db9a6ab31c6f5fc7079d45a5119db",
    "a moment in UTC": "a9c183547deed0daf3526e3e877b7194",
    "a duration": "1c403ef6e1013d72f3fdc344ae718620",
}


def test_forms_are_golden() -> None:
    """A form that changes loses its users what they have stored."""
    assert GOLDEN == {name: xxh3_128_hexdigest(canonical(VALUES[name])) for name in GOLDEN}


def test_no_two_have_one_form() -> None:
    """Values that differ in anything have other keys."""
    forms = {name: canonical(value) for name, value in VALUES.items()}

    assert len(forms) == len({*forms.values()})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), pd.DataFrame(np.array([[1.0, 3.0], [2.0, 4.0]]), columns=["a", "b"])),
        (pd.DataFrame({"a": [1.0, 2.0]}), pd.DataFrame({"a": [0.0, 1.0, 5.0, 2.0]})[1::2].reset_index(drop=True)),
        (pd.DataFrame({"a": ["x"]}, dtype="str"), pd.DataFrame({"a": ["x"]}, dtype=pd.StringDtype("python", na_value=np.nan))),
        (pd.Series([1, None], dtype="Int64"), pd.Series(pd.arrays.IntegerArray(np.array([1, 99]), np.array([False, True])))),
    ],
    ids=["blocks", "steps in memory", "how texts are kept", "what lies under nothing"],
)
def test_what_cannot_be_seen_does_not_count(one: Any, other: Any) -> None:
    """How a table lies in memory is no part of its key."""
    assert canonical(one) == canonical(other)


def test_being_used_changes_no_form() -> None:
    """Neither what pandas remembers of an index, nor that it puts columns together."""
    table = pd.DataFrame({"road": ["a", "b", "a"], "v": [1.0, 2.0, 3.0]})
    table["w"] = 2 * table["v"]
    before = canonical(table)

    assert table.groupby("road").sum() is not None
    assert table.index.is_unique
    assert table.columns.get_loc("v") == 1
    assert table.to_numpy() is not None
    assert str(table)

    assert before == canonical(table) == canonical(table.copy())


class Own(pd.DataFrame):  # type: ignore[misc]
    """A table of one's own."""


def holding_itself() -> Any:
    table = pd.DataFrame({"a": [1]})
    table.attrs["me"] = table
    return table


REFUSED = {
    "sparse": (pd.DataFrame({"a": pd.arrays.SparseArray([0, 0, 1])}), r"value\['a'\]", "SparseArray", r"dtype Sparse.*astype"),
    "holidays": (pd.date_range("2026-01-01", periods=2, freq=HOLIDAYS), "value", "CustomBusinessDay", "more than its name"),
    "an hour beside a day": (
        pd.date_range("2026-01-01", periods=2, freq=pd.offsets.BDay(offset=dt.timedelta(hours=1))),
        "value",
        "BusinessDay",
        "its name",
    ),
    "steps without a name": (pd.date_range("2026-01-01", periods=2, freq=pd.DateOffset(months=1)), "value", "DateOffset", "its name"),
    "code": (pd.DataFrame({"a": [print]}), r"value\['a'\]\[0\]", "code", "code"),
    "an object": ([pd.DataFrame({"a": objects(1, object())})], r"value\[0\]\['a'\]\[1\]", "no canonical form", "bring a builtins.object"),
    "groups": (pd.DataFrame({"a": [1]}).groupby("a"), "value", "no canonical form", "bring a pandas.*GroupBy"),
    "rows": (pd.DataFrame({"a": [1]}).iterrows(), "value", "uses it up", "only once"),
    "one of one's own": (Own({"a": [1]}), "value", "no canonical form", "bring a .*Own"),
    "itself": (holding_itself(), "value", "itself", "holds itself|too deep"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_form_is_refused_by_its_path(name: str) -> None:
    """As an argument, and as a result."""
    value, path, unkeyable, unstorable = REFUSED[name]

    with pytest.raises(Unkeyable, match=f"^{path}.* cannot be part of a key: .*{unkeyable}"):
        canonical(value)
    with pytest.raises(Unstorable, match=f"^{path}.* cannot be stored: .*({unstorable})"):
        registry.encode(value)


def test_a_zone_of_ones_own_ends_no_call() -> None:
    """It says that it has a name, by which pandas knows nothing."""
    moments = [pd.Timestamp("2026-01-01", tz=OwnZone(name)) for name in ("Africa/Nowhere", "Africa/Elsewhere")]

    assert canonical(moments[0]) != canonical(moments[1])
    with pytest.raises(Unstorable, match=r"value\.tz cannot be stored: .*OwnZone"):
        registry.encode(moments[0])


def test_tables_are_no_state() -> None:
    """A series would go on from a table that lies in memory otherwise than the one it had."""
    with pytest.raises(Unstorable, match=r"^state\['a'\] cannot be stored: a table in a state .* columns as arrays"):
        registry.encode({"a": pd.DataFrame({"v": [1]})}, is_state=True)


def test_no_place_for_arrays() -> None:
    """Under the codec of plain JSON a table is refused, not its arrays."""
    with pytest.raises(Unstorable, match=r"value\[0\] cannot be stored: codec='json' has no place for the arrays of a table"):
        registry.encode([pd.DataFrame({"v": [1]})], "json")


@pytest.mark.parametrize(
    "of", [pd.DataFrame({"v": [1]}), pd.Series([1]), pd.Index([1, 2]), pd.RangeIndex(3), pd.MultiIndex.from_tuples([(1, 2)])]
)
def test_what_is_set_on_it_counts(of: Any) -> None:
    """An attribute that somebody gave it is told in a key, and would be lost in a result."""
    forms = [canonical(of)]
    for scale in (2, 3):
        held = of.copy()
        held.scale = scale
        forms.append(canonical(held))
        with pytest.raises(Unstorable, match=r"value\.scale cannot be stored: .* lost"):
            registry.encode(held)

    assert len({*forms}) == 3
    assert str(of.str if hasattr(of, "str") else of)
    assert forms[0] == canonical(of)


@pytest.mark.parametrize(
    "tree",
    [
        {"$column": [None, {"$index": ["RangeIndex", [None], 0, 10**9, 1]}, {"$index": ["RangeIndex", [None], 0, 10**9, 1]}, {}, True]},
        {"$values": ["categorical", {"$index": ["RangeIndex", [None], 0, 10**9, 1]}, {"$index": ["RangeIndex", [None], 0, 1, 1]}, True]},
        {
            "$values": [
                "intervals",
                {"$index": ["RangeIndex", [None], 0, 10**9, 1]},
                {"$index": ["RangeIndex", [None], 0, 10**9, 1]},
                "left",
            ]
        },
        {"$pandas": ["Timestamp", "now", "us", None]},
        {"$pandas": ["Timestamp", "2026-01-01T00:00:00", "us", "dateutil//etc/localtime"]},
        {"$pandas": ["Timedelta", 1, "Y"]},
    ],
    ids=["many rows", "many codes", "many intervals", "now", "a file", "years"],
)
def test_a_few_bytes_are_no_large_table(tree: Any) -> None:
    """Nothing is made of what is only told by how much of it there is, nor of the clock or of files."""
    text = json.dumps(tree).encode()

    with pytest.raises(Undecodable):
        registry.decode({"codec": "tree", "json": [0, len(text)]}, memoryview(text))


def others(tree: Any) -> Iterator[Any]:
    """The same JSON with one part gone, or of another type."""
    yield from (None, 1, "x", [], {})
    if isinstance(tree, list):
        for place, part in enumerate(tree):
            yield [*tree[:place], *tree[place + 1 :]]
            yield from ([*tree[:place], other, *tree[place + 1 :]] for other in others(part))
    elif isinstance(tree, dict):
        for name, part in tree.items():
            yield from ({**tree, name: other} for other in others(part))


@pytest.mark.parametrize(
    "name", ["a table of categories", "a table of integers and NA", "a table by levels of moments", "a column of intervals"]
)
def test_wrong_data_is_undecodable(name: str) -> None:
    """Whatever stands at a place of a table: a value, or Undecodable."""
    describe, data = bytes_of(VALUES[name])
    begin, length = describe["json"]
    for tree in others(json.loads(data[begin : begin + length])):
        text = json.dumps(tree).encode()
        with suppress(Undecodable):
            registry.decode({**describe, "json": [begin, len(text)]}, memoryview(data[:begin] + text))


@given(st.sampled_from(sorted(VALUES)), st.data())
def test_damaged_bytes_are_undecodable(name: str, draw: st.DataObject) -> None:
    """A byte that is another one: a value, or Undecodable."""
    describe, data = bytes_of(VALUES[name])
    if data:
        place = draw.draw(st.integers(0, len(data) - 1))
        with suppress(Undecodable):
            registry.decode(describe, memoryview(data[:place] + bytes([draw.draw(st.integers(0, 255))]) + data[place + 1 :]))


def test_without_pandas_it_is_undecodable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without pandas computes again, and is told why."""
    describe, data = bytes_of(pd.DataFrame({"v": [1]}))
    monkeypatch.setitem(reading._LATE, "$index", "pandas_that_is_not_here")
    monkeypatch.setattr(reading, "_READ", {tag: read for tag, read in reading._READ.items() if tag != "$index"})

    with pytest.raises(Undecodable, match="pandas_that_is_not_here, which is not here: install"):
        registry.decode(describe, memoryview(data))


def test_a_table_goes_in_and_another_comes_out(tmp_path: Path) -> None:
    """Computed once for one content; what a caller does with his table harms nobody."""
    runs = []

    @cached(cache=Cache(tmp_path))
    def totals(counts: Any) -> Any:
        runs.append(len(counts))
        return counts.groupby("road", as_index=False)["v"].sum()

    counts = pd.DataFrame({"road": ["a", "b", "a"], "v": [1.0, 2.0, 3.0]})
    first = totals(counts)
    again = totals(counts.copy())
    again.loc[0, "v"] = 99.0
    again["new"] = 1
    same(first, totals(counts))
    counts.loc[0, "v"] = 5.0

    assert [8.0, 2.0] == totals(counts)["v"].tolist()
    assert [3, 3] == runs


def test_the_column_that_differs_is_named(tmp_path: Path) -> None:
    """`explain` says which column of which argument is another one."""

    @cached(cache=Cache(tmp_path))
    def total(given: Any) -> float:
        return float(given["counts"]["v"].sum())

    def given(v: float, road: str = "b", days: int = 2) -> Any:
        index = pd.date_range("2026-01-01", periods=days, freq="D")[:2]
        return {"counts": pd.DataFrame({"road": ["a", road], "v": [1.0, v]}, index=index), "rates": np.arange(3.0)}

    total(given(2.0))
    found = {name: [*map(str, total.explain(other).differences)] for name, other in {"v": given(4.0), "road": given(2.0, "c")}.items()}

    assert ["given['counts']['v']: array float64 [2], first 1.0, mean 2.5, was array float64 [2], first 1.0, mean 1.5"] == found["v"]
    assert ["given['counts']['road'][1]: 'c', was 'b'"] == found["road"]


def test_infinities_are_told_without_a_warning(tmp_path: Path) -> None:
    """The mean of an infinity and its opposite is none, which is no concern of whoever asks."""

    @cached(cache=Cache(tmp_path))
    def total(counts: Any) -> float:
        return float(counts["v"].max())

    total(pd.DataFrame({"v": [np.inf, -np.inf]}))

    assert ["counts['v']: array float64 [2], first 1.0, mean nan, was array float64 [2], first inf, mean nan"] == [
        *map(str, total.explain(pd.DataFrame({"v": [1.0, np.nan]})).differences)
    ]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("f8"), st.lists(st.floats(width=64), min_size=2, max_size=2)),
            st.tuples(st.just("i4"), st.lists(st.integers(-5, 5), min_size=2, max_size=2)),
            st.tuples(st.just("str"), st.lists(st.sampled_from(["", "a", "ab", "b", None]), min_size=2, max_size=2)),
            st.tuples(st.just("object"), st.lists(st.sampled_from(["", "a", "ab", None, 1, (1,)]), min_size=2, max_size=2)),
        ),
        max_size=3,
    ),
    st.lists(st.sampled_from(["a", "b", "ab"]), min_size=3, max_size=3),
)
def test_any_table_comes_back(columns: list[tuple[str, list[Any]]], labels: list[str]) -> None:
    """Whatever columns it has, under whatever labels; and its key is that of what came back."""
    table = pd.DataFrame({number: pd.Series(held, dtype=dtype) for number, (dtype, held) in enumerate(columns)}, index=range(2))
    table.columns = labels[: len(columns)]

    back = there_and_back(table)

    same(table, back)
    assert canonical(table) == canonical(back)


def test_texts_are_the_same_under_versions_that_keep_them_as_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key, and what the one has stored the other reads as it keeps texts itself."""
    new = pd.DataFrame({"t": ["a", np.nan, "b"]})
    old = pd.DataFrame({"t": objects("a", np.nan, "b")}, columns=pd.Index(["t"], dtype=object))
    other = pd.DataFrame({"t": objects("a", None, "b")}, columns=pd.Index(["t"], dtype=object))
    form, (describe, data) = canonical(new), bytes_of(new)
    assert form != canonical(old)

    for module in ("simcache.codecs.tables", "simcache.identity.forms.tables"):
        monkeypatch.setattr(import_module(module), "keeps_texts_as_such", lambda: False)

    assert form == canonical(old) != canonical(other)
    same(old, registry.decode(describe, memoryview(data)))
    assert (describe, data) == bytes_of(old)
