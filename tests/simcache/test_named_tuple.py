"""Our quicker NamedTuple does what that of `typing` does."""

import copy
import inspect
import pickle
import typing
from typing import Any

import pytest

from simcache.named_tuple import NamedTuple


class Ours(NamedTuple):
    """Three fields, one of which may be left out."""

    name: str
    size: "int"
    more: tuple[int, ...] = (1, 2)

    @property
    def twice(self) -> int:
        return 2 * self.size


class Theirs(typing.NamedTuple):
    """The same."""

    name: str
    size: "int"
    more: tuple[int, ...] = (1, 2)

    @property
    def twice(self) -> int:
        return 2 * self.size


class Later(Ours):
    """A subclass adds no field."""

    note: str = "a class attribute"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("a", 1), {}),
        (("a", 1, ()), {}),
        (("a",), {"size": 1}),
        ((), {"more": (3,), "size": 1, "name": "a"}),
        ((), {}),
        (("a",), {}),
        (("a", 1, (), 4), {}),
        (("a", 1), {"name": "b"}),
        (("a", 1), {"other": 1}),
        (("a", 1, ()), {"more": ()}),
    ],
)
def test_arguments(given: tuple[Any, ...], named: dict[str, Any]) -> None:
    """Every way to give the fields makes the same tuple, or is refused as theirs is."""
    try:
        expected = Theirs(*given, **named)
    except TypeError:
        with pytest.raises(TypeError, match="Ours"):
            Ours(*given, **named)
        return
    made = Ours(*given, **named)

    assert tuple(expected) == made
    assert (expected.name, expected.size, expected.more, expected.twice) == (made.name, made.size, made.more, made.twice)
    assert hash(expected) == hash(made)
    assert repr(expected).replace("Theirs", "Ours") == repr(made)


def test_what_it_can_do() -> None:
    """It is replaced in part, taken apart, copied, pickled and matched; it has no room for another attribute."""
    made, theirs = Ours("a", 1), Theirs("a", 1)

    assert tuple(theirs._replace(size=5)) == made._replace(size=5)
    assert theirs._asdict() == made._asdict()
    assert tuple(Theirs._make(["a", 1, ()])) == Ours._make(["a", 1, ()])
    assert (Theirs._fields, Theirs.__match_args__) == (Ours._fields, Ours.__match_args__)
    assert Theirs._field_defaults == Ours._field_defaults
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(made, protocol))
        assert (Ours, made) == (type(again), again)
    assert (Ours, made) == (type(copy.deepcopy(made)), copy.copy(made))
    match made:
        case Ours(name, size=1):
            assert "a" == name
        case _:
            pytest.fail("it does not match")
    for name in ("size", "other"):
        with pytest.raises(AttributeError):
            setattr(made, name, 2)
    with pytest.raises(TypeError, match="other"):
        made._replace(other=1)  # type: ignore[call-arg]
    for row in (["a"], ["a", 1], ["a", 1, (), 4]):
        with pytest.raises(TypeError):
            Theirs._make(row)
        with pytest.raises(TypeError, match="3 fields"):
            Ours._make(row)


def test_a_person_is_told_its_arguments() -> None:
    """`help` shows the fields."""
    theirs, ours = inspect.signature(Theirs).parameters.values(), inspect.signature(Ours).parameters.values()

    assert [(one.name, one.kind, one.default) for one in theirs] == [(one.name, one.kind, one.default) for one in ours]
    assert inspect.signature(Ours) == inspect.signature(Later)


def test_a_subclass() -> None:
    """A class below has the fields of the one above, and room for what it keeps itself."""
    made = Later("a", 1)
    made.__dict__["kept"] = 5

    assert (Later, ("a", 1, (1, 2)), "a class attribute") == (type(made), tuple(made), made.note)
    assert isinstance(made._replace(size=2), Later)
