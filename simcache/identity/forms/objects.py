"""The canonical forms of instances: their class, its code version, and all the state they carry."""

from __future__ import annotations

import copyreg
import sys
import types
from collections import abc
from typing import TYPE_CHECKING, Any

from simcache.identity.forms import values
from simcache.identity.forms.attributes import attributes_of, found_in, has_own_key, is_compiled, is_model, is_text, methods_of_compiled
from simcache.identity.forms.base import DEEPEST, Refused, compound, counted, refuse, text
from simcache.identity.forms.generators import first_state, is_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simcache.identity.forms.base import Form, Walk

    Rows = list[tuple[bytes, str]]
    """The form of each attribute's name, and the name."""

# What functools.update_wrapper copies beside `__wrapped__`: it follows from the function inside.
_COPIED = frozenset("__annotate__ __annotations__ __doc__ __module__ __name__ __qualname__ __type_params__".split())

_PROTOCOL = 4
"""Of pickles; the newest that every Python knows, so that all tell the same."""

_WORKED_OUT = frozenset({"_cache", "_has_canonical_format", "_has_sorted_indices", "has_canonical_format"})

_REMEDY = "leave it out with ignore=(…), pass what it is made of, or give its class a `__cache_key__`"

# Each type that a class may build upon, and how to see the plain value inside, whatever the class has overridden.
_PLAIN: dict[tuple[str, str], Callable[[Any], object]] = {
    ("collections", "OrderedDict"): lambda value: _library("collections", "OrderedDict")(dict.items(value)),
    ("collections", "Counter"): lambda value: _library("collections", "Counter")(dict(dict.items(value))),
    ("collections", "defaultdict"): lambda value: _library("collections", "defaultdict")(value.default_factory, dict.items(value)),
    ("collections", "deque"): lambda value: _library("collections", "deque")(
        _library("collections", "deque").__iter__(value), value.maxlen
    ),
    ("builtins", "dict"): lambda value: dict(dict.items(value)),
    ("builtins", "list"): lambda value: list.__getitem__(value, slice(None)),
    ("builtins", "tuple"): lambda value: tuple.__getitem__(value, slice(None)),
    ("builtins", "set"): lambda value: set(set.__iter__(value)),
    ("builtins", "frozenset"): lambda value: frozenset(frozenset.__iter__(value)),
    ("builtins", "str"): str.__str__,
    ("builtins", "bytes"): lambda value: bytes.__getitem__(value, slice(None)),
    ("builtins", "bytearray"): lambda value: bytearray.__getitem__(value, slice(None)),
    ("builtins", "int"): int.__int__,
    ("builtins", "float"): float.__float__,
    ("builtins", "complex"): complex.__complex__,
    ("pathlib", "PurePath"): lambda value: _library("pathlib", "PurePath")(str(value)),
    ("types", "SimpleNamespace"): lambda _value: None,
}

_enum_parts = values.within("enum", "_name_", "_value_")
_flag_parts = values.within("flag", "_value_")


def _library(module: str, name: str) -> Any:
    return getattr(sys.modules.get(module), name, None)


def form_of(cls: type) -> Form:
    """How the instances of a class that is none of the known ones are written; it keeps no reference to the class."""
    if has_own_key(cls):
        return _keyed(_head(b"K", cls))
    if issubclass(cls, type):
        return values.code
    if cls.__name__ == "cython_function_or_method":
        return _of_cython
    if _derives(cls, "enum", "Flag"):
        return _member(_flag_parts)  # a name was given to combined flags only by some Python versions
    if _derives(cls, "enum", "Enum"):
        return _member(_enum_parts)
    if _derives(cls, "pathlib", "PurePath") and _is_outside(cls):
        return values.path
    if is_generator(cls):
        return _generator(cls)
    if is_model(cls):
        return _model(cls)
    if found_in(cls, "__dataclass_fields__") is not None:
        return _record(cls, _dataclass_fields(cls))
    if issubclass(cls, tuple) and _names(cls):
        return _named_tuple(cls)
    if _is_outside(cls) and cls is not types.SimpleNamespace and cls is not _library("argparse", "Namespace"):
        return _installed(_outside(cls), _record(cls, ()))
    return _record(cls, ())


def _installed(outside: Form, record: Form) -> Form:
    """The form of a class that an installed package has, which may be the project itself: there its instances are what they are in a checkout."""

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        return (record if walk.is_own(type(value)) else outside)(value, walk, depth)

    return form


def _is_outside(cls: type) -> bool:
    """Whether a class comes with Python or an installed package, so that its attributes are its own business."""
    module = cls.__module__
    if module in ("__main__", "__mp_main__"):
        return False  # also under pytest or in a notebook, whose own starter is an installed file
    if module.partition(".")[0] in sys.stdlib_module_names:
        return True
    file = getattr(sys.modules.get(module), "__file__", None) or ""
    return not {"site-packages", "dist-packages"}.isdisjoint(file.replace("\\", "/").split("/"))


def _shown(cls: type) -> str:
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def _derives(cls: type, module: str, name: str) -> bool:
    base = _library(module, name)
    return base is not None and issubclass(cls, base)


def _names(cls: type) -> tuple[str, ...]:
    names = found_in(cls, "_fields")
    return names if type(names) is tuple and all(type(name) is str for name in names) else ()


def _dataclass_fields(cls: Any) -> tuple[str, ...]:
    from dataclasses import fields

    return tuple(field.name for field in fields(cls))


def _head(tag: bytes, cls: type) -> bytes:
    return tag + text(b"s", values.home_of(cls)) + text(b"s", cls.__qualname__)


def _keyed(head: bytes) -> Form:
    """The form of a type that says itself what its key is."""

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        if depth > DEEPEST:
            raise Refused
        answer = value.__cache_key__()
        try:
            return head + walk.code_of_class(type(value)) + walk.forms[type(answer)](answer, walk, depth + 1)
        except Refused as refused:
            refused.inside(".__cache_key__()", value)
            raise

    return form


def _of_cython(value: Any, walk: Walk, depth: int) -> bytes:
    """A function of a compiled module (`rng.normal`) is its name, unless a call has made it: nobody can see what that gave it."""
    if "<locals>" in value.__qualname__:
        raise Refused(f"{value.__qualname__} was made by compiled code: {_REMEDY}")
    return values.code(value, walk, depth)


def _member(parts: Form) -> Form:
    def form(value: Any, walk: Walk, depth: int) -> bytes:
        cls = type(value)
        return _head(b"e", cls) + walk.code_of_class(cls) + parts(value, walk, depth)

    return form


def _generator(cls: type) -> Form:
    """What a module holds counts as it was when it was first met; an argument would be another one at each call."""
    name, own = _shown(cls), not _is_outside(cls)

    def form(value: Any, walk: Walk, _depth: int) -> bytes:
        if not walk.reduces:
            raise Refused(f"a {name} changes as it is used: pass a seed, and make the generator inside")
        code = walk.code_of_class(type(value)) if own else b""
        return compound("generator", text(b"s", type(value).__qualname__), text(b"s", first_state(value, walk)), code)

    return form


def _outside(cls: type) -> Form:
    name = _shown(cls)
    if _derives(cls, "io", "IOBase"):
        return refuse("an open file has no fixed content: pass File(path), which stands for what the file contains")
    if _derives(cls, "unittest.mock", "NonCallableMock"):  # taken apart it has no end
        return refuse("a mock has whatever attribute it is asked for: use a function or an object of your own")
    if found_in(cls, "__next__") is not None:
        return refuse("reading it uses it up: pass a list or tuple of its items, or leave it out with ignore=(…)")
    unknown = refuse(f"a {name} has no canonical form: {_REMEDY}")

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        # A compiled function (numba's dispatchers) is code like the function inside. Other wrappers may hold anything.
        if callable(value) and isinstance(getattr(value, "py_func", None), types.FunctionType):
            return values.code(value, walk, depth)
        return _reduced(value, walk, depth) if walk.reduces else unknown(value, walk, depth)

    return form


def _reduced(value: Any, walk: Walk, depth: int) -> bytes:
    """What a pickle would keep: how the instance is made again, and its state."""
    if depth > DEEPEST:
        raise Refused
    try:
        parts = kept(value)
    except Exception as problem:
        raise Refused(f"a {_shown(type(value))} cannot be taken apart ({problem})") from problem
    try:
        return compound("kept", *(walk.forms[type(part)](part, walk, depth + 1) for part in parts))
    except Refused as refused:
        refused.inside("", value)
        raise


def kept(value: Any) -> list[Any]:
    """What an instance is made of: its class and items if it is a mapping, which is the same in all versions of a package; else as for a pickle."""
    if _derives(type(value), "os", "_Environ"):
        raise ValueError("it is all of the environment: take what you need of it")
    if type(value).__module__.startswith("numba.typed"):
        held = [*value.items()] if isinstance(value, abc.Mapping) else [*value]
        return [_shown(type(value)), str(value._numba_type_) if held else "", held]
    if _derives(type(value), "collections", "ChainMap"):
        return [_shown(type(value)), value.maps]
    if _derives(type(value), "configparser", "RawConfigParser"):  # which may refuse to put together what it holds
        return [_shown(type(value)), [(name, value.items(name, raw=True)) for name in value.sections()], [*value.defaults().items()]]
    if isinstance(value, abc.Mapping) and not (
        _derives(type(value), "xarray", "Dataset") or _derives(type(value), "collections", "UserDict")
    ):
        # Those two have attributes and more.
        return [_shown(type(value)), [*(dict.items(value) if isinstance(value, dict) else value.items())]]
    if is_compiled(type(value)):
        return [_shown(type(value)), attributes_of(value), methods_of_compiled(type(value))]
    if _derives(type(value), "pandas", "DataFrame"):
        from simcache.identity.forms.tables import beside, columns_of

        more = {name: getattr(value, name, None) for name in getattr(value, "_metadata", ())}
        return [_shown(type(value)), columns_of(value), *beside(value), more]
    if type(value).__module__.partition(".")[0] == "pandas":
        from simcache.identity.forms.tables import parts_of

        if (parts := parts_of(value)) is not None:
            return [_shown(type(value)), *parts]
    registered = copyreg.dispatch_table.get(type(value))  # as of `int | str`
    kept = value.__reduce_ex__(_PROTOCOL) if registered is None else registered(value)
    if isinstance(kept, str):
        return [kept]
    maker, given, state, items, pairs = (*kept, None, None, None)[:5]
    if type(state) is dict:  # but for what it remembers of itself
        state = {name: held for name, held in state.items() if not (_is_note(name) or _remembered(type(value), name))}
    elif type(value).__module__.startswith("xarray.") and type(state) is tuple:  # of slots
        state = state[0], {name: held for name, held in state[1].items() if not (name == "_cache" or _is_nothing(held))}
    return [f"{maker.__module__}.{maker.__qualname__}", given, state, [] if items is None else [*items], [] if pairs is None else [*pairs]]


def _record(cls: type, declared: tuple[str, ...]) -> Form:
    """The form of an instance by its class and everything it holds: fields, other attributes, slots, what it builds upon."""
    place = next((place for place in _PLAIN if _derives(cls, *place)), None)
    base = _library(*place) if place else object
    if _hides_state(cls, base):
        name = _shown(cls)
        return refuse(f"a {name} holds state that cannot be seen from Python: {_REMEDY}")
    slots = tuple(_slots(cls, base))
    if place is None and cls.__dictoffset__ and not slots:
        return _attributes(b"o", cls, declared)
    head, defaults = _head(b"w", cls), frozenset(declared)
    plain = _PLAIN[place] if place else None

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        inner = None if plain is None else plain(value)
        state = _state(value, slots, defaults)
        try:
            inner_form = walk.forms[type(inner)](inner, walk, depth + 1)
        except Refused as refused:
            refused.inside("", value)
            raise
        if walk.reduces and not all(map(is_text, state)):  # an object that is its own dict
            return head + walk.code_of_class(type(value)) + inner_form + walk.forms[dict](state, walk, depth + 1)
        return head + walk.code_of_class(type(value)) + inner_form + _named(state, _rows(state), value, walk, depth)

    return form


def _attributes(tag: bytes, cls: type, declared: tuple[str, ...]) -> Form:
    """The usual instance: a `__dict__` and nothing else; the names of its fields are written once for all instances."""
    head, expected, defaults = _head(tag, cls), _rows(declared), frozenset(declared)

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        state, rows = value.__dict__, expected
        if tuple(state) != declared:
            state = _state(value, (), defaults)
            rows = _rows(state)
        return head + walk.code_of_class(type(value)) + _named(state, rows, value, walk, depth)

    return form


def _model(cls: type) -> Form:
    """A pydantic model: its fields (given or left at their default), what it takes beyond them, and its private attributes."""
    if own := [name for name, _ in _slots(cls, object) if not name.startswith("__pydantic_")]:
        return refuse(f"a model with slots of its own ({', '.join(own)}): make them fields or private attributes")
    fields = getattr(cls, "__pydantic_fields__", None) or getattr(cls, "model_fields", {})
    attributes = _attributes(b"m", cls, tuple(fields))

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        whole = attributes(value, walk, depth)
        extra, private = getattr(value, "__pydantic_extra__", None), getattr(value, "__pydantic_private__", None)
        if not extra and not private:
            return whole + b"NN"
        return whole + _beside(extra, value, walk, depth) + _beside(private, value, walk, depth)

    return form


def _beside(state: Mapping[str, Any] | None, value: object, walk: Walk, depth: int) -> bytes:
    return _named(state, _rows(state), value, walk, depth) if state else b"N"


def _named_tuple(cls: type) -> Form:
    head, names = _head(b"w", cls), _names(cls)

    def form(value: Any, walk: Walk, depth: int) -> bytes:
        items = tuple.__getitem__(value, slice(None))
        if len(items) != len(names):
            raise Refused(f"it has {len(items)} items for {len(names)} names")
        state = {**dict(zip(names, items, strict=True)), **_state(value, (), frozenset())}
        return head + walk.code_of_class(type(value)) + _named(state, _rows(state), value, walk, depth)

    return form


def _rows(names: Any) -> Rows:
    if any(not isinstance(name, str) for name in names):
        raise Refused("it has an attribute whose name is no text")
    return [(text(b"s", name), name) for name in sorted(names)]


def _named(state: Mapping[str, Any], rows: Rows, owner: object, walk: Walk, depth: int) -> bytes:
    if depth > DEEPEST:
        raise Refused
    forms, deeper = walk.forms, depth + 1
    parts = [counted(b"a", len(rows))]
    name = ""
    try:
        for name_form, name in rows:
            item = state[name]
            parts.append(name_form + forms[type(item)](item, walk, deeper))
    except Refused as refused:
        refused.inside("." + name, owner)
        raise
    return b"".join(parts)


def _state(value: Any, slots: tuple[tuple[str, Any], ...], declared: frozenset[str]) -> dict[str, Any]:
    """Every attribute that an instance carries; what a cached property remembers follows from the others."""
    cls = type(value)
    held: dict[str, Any] = value.__dict__ if cls.__dictoffset__ else {}  # its `__getattr__` may answer for whatever it is asked
    # How an instance was subscripted when it was made is a note for type checkers.
    notes = _COPIED if "__wrapped__" in held else ("__orig_class__",)
    state = {name: item for name, item in held.items() if name not in notes and (name in declared or not _remembered(cls, name))}
    for name, descriptor in reversed(slots):  # of two with one name, that of the derived class is seen
        try:
            state[name] = descriptor.__get__(value, cls)
        except AttributeError:
            continue
    for name in declared - state.keys():  # a field with a default that was never assigned: read from the class
        found = getattr(value, name, state)
        if found is not state:
            state[name] = found
    return state


def _is_note(name: object) -> bool:
    """Whether a package keeps what it has worked out under such a name (`__networkx_cache__`, `_has_sorted_indices` of scipy)."""
    return isinstance(name, str) and ((name.startswith("__") and name.endswith("cache__")) or name in _WORKED_OUT)


def _is_nothing(held: object) -> bool:
    """What xarray has of attributes and encodings before somebody asks for them, and afterwards."""
    return held is None or (type(held) is dict and not held)


def _remembered(cls: type, name: str) -> bool:
    cached_property = _library("functools", "cached_property")
    return any(isinstance(vars(base).get(name), cached_property) for base in cls.__mro__)


def _slots(cls: type, base: type) -> list[tuple[str, Any]]:
    """The slots that a class adds to what it builds upon."""
    return [
        (name, member)
        for layer in cls.__mro__
        if layer not in base.__mro__ and "__slots__" in vars(layer)
        for name, member in vars(layer).items()
        if isinstance(member, types.MemberDescriptorType)
    ]


def _hides_state(cls: type, base: type) -> bool:
    """Whether instances are larger than their attributes explain: then a base written in C keeps something of its own."""
    if base.__itemsize__:
        return False
    slots = [f"slot{number}" for number in range(len(_slots(cls, base)))]
    if cls.__dictoffset__ and not base.__dictoffset__:
        slots.append("__dict__")
    if cls.__weakrefoffset__ and not base.__weakrefoffset__:
        slots.append("__weakref__")
    explained = type("Explained", (base,), {"__slots__": tuple(slots)})
    return cls.__itemsize__ != 0 or cls.__basicsize__ > explained.__basicsize__
