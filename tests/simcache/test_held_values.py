"""Objects that lie in code (captured, given to a partial, left as a default, kept by a class): two that do different things have two keys."""

import collections
import datetime as dt
import decimal
import functools
import itertools
import operator
import os
import re
import struct
import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simcache import cached
from simcache.errors import Unkeyable
from simcache.identity.fingerprint import fingerprint


@cached
def call(held: Any) -> Any:
    """Is given one thing."""
    return held


def law(held: Any = None) -> Any:
    return held


class Keeper:
    """Keeps something, and is called."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __call__(self) -> Any:
        return self.held


def captured(held: Any) -> Callable[[], Any]:
    return lambda: held


def left(held: Any) -> Callable[..., Any]:
    def inner(given: Any = held) -> Any:
        return given

    return inner


def made(held: Any) -> type:
    class Made:
        kept = held

        def of(self) -> Any:
            return self.kept

    return Made


def within(held: Any) -> Any:
    @cached
    def inner() -> Any:
        return held

    return inner


WAYS: dict[str, Callable[[Any], str]] = {
    "captured by a function that is given": lambda held: call.key(captured(held)),
    "a default of a function that is given": lambda held: call.key(left(held)),
    "in a class that is given": lambda held: call.key(made(held)),
    "captured": lambda held: str(within(held).key()),
    "in an object that is captured": lambda held: str(within(Keeper(held)).key()),
    "in a list that is captured": lambda held: str(within([held]).key()),
    "in a partial that is captured": lambda held: str(within(functools.partial(law, held)).key()),
}


def tensor(*numbers: float) -> Any:
    return pytest.importorskip("torch").tensor(numbers)


def network(*, trains: bool) -> Any:
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    return torch.nn.Linear(2, 2).train(trains)


def with_gradient(gradient: float) -> Any:
    held = tensor(1.0).requires_grad_()
    held.grad = tensor(gradient)
    return held


def dataset(**attributes: int) -> Any:
    return pytest.importorskip("xarray").Dataset({"flow": ("road", [1.0])}, attrs=attributes)


def typed(number: Any) -> Any:
    held = pytest.importorskip("numba").typed.List()
    held.append(number)
    return held


def compiled(*given: Any, **options: Any) -> Any:
    return pytest.importorskip("numba").njit(*given, **options)(law)


def stencil(factor: float, **options: Any) -> Any:
    def kernel(road: Any) -> Any:
        return factor * road[0]

    return pytest.importorskip("numba").stencil(**options)(kernel)


def space(high: float) -> Any:
    return pytest.importorskip("gymnasium").spaces.Box(-1, high)


def zone(name: str) -> Any:
    found = pytest.importorskip("dateutil.tz").gettz(name)
    return found or pytest.skip("this machine has no time zones")


def executed(text: str) -> Any:
    space: dict[str, Any] = {}
    exec(text, space)
    return space["f"]


def given_itself(scale: int) -> Callable[[], Any]:
    def inner() -> Any:
        return inner.scale  # type: ignore[attr-defined]

    inner.scale = scale  # type: ignore[attr-defined]
    return inner


def times(factor: int) -> Callable[[Any], Any]:
    def around(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*given: Any) -> Any:
            return function(*given) * factor

        return wrapper

    return around


def decorated(factor: int) -> type:
    class Decorated:
        @times(factor)
        def flow(self) -> int:
            return 1

    return Decorated


class Subarray(np.ndarray[Any, Any]):
    """Has attributes."""


def measured(dx: float) -> Any:
    held = np.ones(2).view(Subarray)
    held.dx = dx  # type: ignore[attr-defined]
    return held


DIFFERENT: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "a getter": (lambda: operator.itemgetter(0), lambda: operator.itemgetter(1)),
    "a context of decimals": (lambda: decimal.Context(prec=5), lambda: decimal.Context(prec=6)),
    "a struct": (lambda: struct.Struct("<d"), lambda: struct.Struct(">d")),
    "a method of a struct": (lambda: struct.Struct("<d").pack, lambda: struct.Struct(">d").pack),
    "a method of a dict": (lambda: {"a": 1}.get, lambda: {"a": 2}.get),
    "a method of a text": (lambda: "a,b".split, lambda: "a;b".split),
    "a method of a pattern": (lambda: re.compile("a").match, lambda: re.compile("b").match),
    "a method of an array": (lambda: np.ones(2).sum, lambda: np.zeros(2).sum),
    "a method of a ufunc": (lambda: np.add.reduce, lambda: np.multiply.reduce),
    "what hides in a chain": (lambda: collections.ChainMap({1: 1}, {1: 2}), lambda: collections.ChainMap({1: 1}, {1: 3})),
    "a union": (lambda: int | str, lambda: int | None),
    "a polynomial": (lambda: np.polynomial.Polynomial([1, 2]), lambda: np.polynomial.Polynomial([1, 3])),
    "an array with attributes": (lambda: measured(1.0), lambda: measured(2.0)),
    "a moment in a zone of a package": (
        lambda: dt.datetime(2026, 1, 5, tzinfo=zone("Europe/Paris")),
        lambda: dt.datetime(2026, 1, 5, tzinfo=zone("Africa/Algiers")),
    ),
    "a function of a text": (lambda: executed("def f(x): return x + 1"), lambda: executed("def f(x): return x + 2")),
    "a class of a text": (lambda: executed("class f:\n    a = 1"), lambda: executed("class f:\n    a = 2")),
    "a function that was given a value": (lambda: given_itself(1), lambda: given_itself(2)),
    "a class with a decorated method": (lambda: decorated(1), lambda: decorated(2)),
    "a network": (lambda: network(trains=True), lambda: network(trains=False)),
    "a gradient": (lambda: with_gradient(1.0), lambda: with_gradient(2.0)),
    "a method of a tensor": (lambda: tensor(1.0).add, lambda: tensor(2.0).add),
    "a dataset": (lambda: dataset(dt=1), lambda: dataset(dt=2)),
    "a typed list": (lambda: typed(1.0), lambda: typed(np.float32(1.0))),
    "a space": (lambda: space(1.0), lambda: space(2.0)),
    "a compiled function with one signature": (lambda: compiled("f8(f8)"), lambda: compiled("i8(i8)")),
    "a compiled function with other types": (lambda: compiled(locals={"held": _nb("f4")}), lambda: compiled(locals={"held": _nb("f8")})),
}


def _nb(name: str) -> Any:
    return getattr(pytest.importorskip("numba"), name)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(("one", "other"), DIFFERENT.values(), ids=DIFFERENT)
def test_objects_that_do_different_things_have_keys_of_their_own(one: Callable[[], Any], other: Callable[[], Any], way: Any) -> None:
    """A partial that held a schedule was its function alone, a method of a dict that of any dict; equal objects have one key."""
    assert way(one()) == way(one())
    assert way(one()) != way(other())


UNTOLD: dict[str, Callable[[], Any]] = {
    "an iterator": lambda: itertools.count(1),
    "a sparse tensor": lambda: tensor(1.0, 0.0).to_sparse(),
    "a ufunc of one's own": lambda: np.frompyfunc(law, 1, 1),
    "a long double": lambda: np.longdouble(1),
    "a key of an order": lambda: functools.cmp_to_key(operator.sub),
    "a view of a dict": {"a": 1}.values,
    "code": lambda: compile("1", "", "eval"),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", UNTOLD.values(), ids=UNTOLD)
def test_what_nobody_can_tell_is_refused(make: Callable[[], Any], way: Any) -> None:
    """It counted by its type: for a struct of another format the result of the first was served."""
    with pytest.raises(Unkeyable):
        way(make())


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize("make", [threading.Lock, object, threading.local], ids=str)
def test_locks_and_sentinels_are_all_alike(make: Callable[[], Any], way: Any) -> None:
    """A function does not compute with them."""
    assert way(make()) == way(make())


def test_a_method_of_a_generator_is_told_by_its_name_and_its_seed() -> None:
    """Numpy's methods are compiled functions, of which each was taken for any other."""
    keys = [within(getattr(np.random.default_rng(seed), name)).key() for seed in (1, 2, 1) for name in ("normal", "uniform")]
    assert keys[:2] == keys[4:]
    assert len(set(keys)) == 4


def test_a_stencil_that_is_captured_is_its_function_and_options() -> None:
    """To take it apart as a pickle would took minutes."""
    keys = [within(one).key() for one in (stencil(1.0), stencil(2.0), stencil(1.0, cval=2.0), stencil(1.0))]
    assert len(set(keys)) == 3
    assert keys[0] == keys[3]


def test_options_that_are_a_set_are_the_same_in_each_process() -> None:
    """`fastmath={"ninf", "nsz"}` was written in the order of its hashes."""
    from simcache.identity.process.live import compiled_with

    assert compiled_with(compiled(fastmath={"nsz", "ninf"})) == compiled_with(compiled(fastmath={"ninf", "nsz"}))
    assert "{'ninf', 'nsz'}" in compiled_with(compiled(fastmath={"nsz", "ninf"}))


def test_a_function_that_counts_its_calls_stays_warm() -> None:
    """What it sets itself is no value that somebody gave it."""

    def counts() -> int:
        counts.calls += 1  # type: ignore[attr-defined]
        return 1

    counts.calls = 0  # type: ignore[attr-defined]
    before = call.key(counts)
    counts()
    assert call.key(counts) == before


def test_a_value_that_is_given_to_a_function_later_counts() -> None:
    """Also between two calls."""
    function = given_itself(1)
    before = call.key(function)
    function.scale = 3  # type: ignore[attr-defined]
    assert call.key(function) == call.key(given_itself(3)) != before


class Open(dict[Any, Any]):
    """Is its own dict."""

    def __init__(self, **given: Any) -> None:
        super().__init__(given)
        self.__dict__ = self


def test_an_object_that_is_its_own_dict_is_captured() -> None:
    """It may have any keys for attributes."""
    one, other = Open(a=1), Open(a=1)
    one[1], other[1] = 1, 2
    assert within(one).key() != within(other).key()


@pytest.mark.parametrize("name", ["flow", "__call__"])
def test_the_methods_of_a_class_of_a_command_count(name: str, tmp_path: Path) -> None:
    """What `python -c` runs has the same name for a file as what a dataclass generates, so its methods were left out."""
    text = "from simcache import cached\nclass Law:\n    def {}(self): return {}\n@cached\ndef f(): return Law()\nprint(f.key())"
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    keys = [
        subprocess.run(
            [sys.executable, "-c", text.format(name, n)], capture_output=True, text=True, check=True, cwd=tmp_path, env=paths
        ).stdout
        for n in (1, 2, 1)
    ]
    assert keys[0] == keys[2] != keys[1]


def test_one_number_with_a_stride_is_a_tensor() -> None:
    """A call that was given `table[:1, 0]` ended in torch's own error."""
    table = tensor(1.0, 2.0, 3.0, 4.0).reshape(2, 2)
    assert call.key(table[:1, 0]) == call.key(tensor(1.0))
    assert call.key(types.SimpleNamespace(x=table[1:, 1])) != call.key(types.SimpleNamespace(x=table[:1, 0]))


def test_the_name_of_an_offset_is_not_a_zone() -> None:
    """An hour that was called `CET` was taken for the zone, which has a summer."""
    zoneinfo = pytest.importorskip("zoneinfo")
    if "CET" not in zoneinfo.available_timezones():
        pytest.skip("this machine has no time zones")
    zones = zoneinfo.ZoneInfo("CET"), dt.timezone(dt.timedelta(hours=1), "CET")
    assert len({call.key(dt.datetime(2026, 1, 5, tzinfo=one)) for one in zones}) == 2


def test_a_moment_at_one_offset_of_a_package_is_keyed() -> None:
    """`dateutil` reads `Z` as a zone of its own."""
    tz = pytest.importorskip("dateutil.tz")
    moments = [dt.datetime(2026, 1, 5, tzinfo=one) for one in (tz.tzutc(), tz.tzoffset(None, 3600), dt.UTC)]
    assert call.key(moments[0]) == call.key(moments[2]) != call.key(moments[1])
    with pytest.raises(Unkeyable, match="tzinfo"):
        call.key(dt.datetime(2026, 1, 5, tzinfo=zone("Europe/Paris")))


def test_what_a_class_calls_and_has_read_counts(tmp_path: Path) -> None:
    """Other attributes of a class did; one that is called, as schedules are, was left to the text."""
    (tmp_path / "law.py").write_text(
        "import os\nimport numpy as np\nfrom simcache import cached\n"
        "class Law:\n    flow = np.polynomial.Polynomial([float(os.environ['N'])])\n"
        "@cached\ndef f(): return Law.flow(1.0)\n"
    )
    paths = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", "import law; print(law.f.key())"]
    keys = [
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env={**paths, "N": number}).stdout
        for number in ("1", "2", "1")
    ]
    assert keys[0] == keys[2] != keys[1]


@pytest.mark.parametrize("kind", [types.GeneratorType, types.AsyncGeneratorType, types.CoroutineType, types.FunctionType, type(None)])
def test_types_of_python_that_have_no_name_in_builtins_are_told_by_their_own(kind: type) -> None:
    """They were taken for classes that `exec` had made, and what they hold was refused."""

    def made(of: type) -> Callable[[object], bool]:
        def f(x: object) -> bool:
            return isinstance(x, of)

        return f

    assert fingerprint(made(kind)).version != fingerprint(made(dict)).version
