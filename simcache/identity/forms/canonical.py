"""Arguments to canonical bytes: one form per type, the same in every process, and no two values share one.

A form begins with a tag and tells its own length, so forms can stand one after the other without being confused.
Large buffers stand in it as their size and XXH3-128. What has no form is refused with the path to it.
"""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import TYPE_CHECKING, NoReturn
from weakref import ref

from simcache.errors import Unkeyable
from simcache.identity.forms import values
from simcache.identity.forms.attributes import is_inert
from simcache.identity.forms.base import DEEPEST, SCALARS, Refused, Walk, compound, counted, text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import PurePath

    from simcache.identity.forms.base import Form


class _Forms(dict[type, "Form"]):
    """How each type is written. Types of users are remembered weakly: a class made in a loop or a notebook can go."""

    def __init__(self) -> None:
        super().__init__(values.FORMS)
        self._remembered: dict[ref[type], Form] = {}

    def __missing__(self, cls: type) -> Form:
        form = self._remembered.get(ref(cls))
        if form is None:
            if (known := _library_form(cls)) is not None:
                self[cls] = known
                return known
            from simcache.identity.forms import objects  # many calls have plain arguments only

            form = self._remembered[ref(cls, self._forget)] = objects.form_of(cls)
        return form

    def _forget(self, dead: ref[type]) -> None:
        self._remembered.pop(dead, None)


_FORMS = _Forms()


class _FormsBelow(dict[type, "Form"]):
    """The same forms, but that names of files in one folder are told from that folder on: a checkout may be moved."""

    def __init__(self, root: str) -> None:
        super().__init__()
        # Where a link leads to the checkout, its files are known by both names.
        self._roots = tuple(dict.fromkeys(name.replace("\\", "/").rstrip("/") + "/" for name in (root, os.path.realpath(root))))

    def __missing__(self, cls: type) -> Form:
        form = _FORMS[cls]
        if cls is str:
            form = self._text
        elif form is values.path:
            form = self._path
        self[cls] = form
        return form

    def _text(self, value: str, walk: Walk, depth: int) -> bytes:
        return values.string(self._below(value) if value[:1] == self._roots[0][:1] else value, walk, depth)

    def _path(self, value: PurePath, walk: Walk, depth: int) -> bytes:
        name = value.as_posix()
        below = self._below(name)
        return values.path(value if below == name else type(value)(below), walk, depth)

    def _below(self, name: str) -> str:
        root = next((root for root in self._roots if f"{name}/".startswith(root)), None)
        return name if root is None else f"./{name[len(root) :]}"


@cache
def _forms_below(root: str) -> _FormsBelow:
    """Found out once, for where links lead is asked of the disk."""
    return _FormsBelow(root)


class _FormsOfHeld(dict[type, "Form"]):
    """The forms for what a module holds, which may lead back to itself, and of which a part may have no form: that counts by its type."""

    def __init__(self, forms: Mapping[type, Form]) -> None:
        super().__init__()
        self.held = forms

    def __missing__(self, cls: type) -> Form:
        form = self.held[cls]
        self[cls] = form if cls in SCALARS else _forgiving(form)
        return self[cls]


def _forgiving(form: Form) -> Form:
    def forgiving(value: object, walk: Walk, depth: int) -> bytes:
        if id(value) in walk.met:
            return compound("met", values.integer(walk.met[id(value)][1], walk, depth))
        if type(value) is not tuple:  # equal ones of a text may be one object or two
            walk.met[id(value)] = value, len(walk.met)
            if depth >= DEEPEST:  # roads and junctions lead on and on
                walk.deeper.append(value)
                return compound("deeper", values.integer(len(walk.deeper), walk, depth))
        try:
            return form(value, walk, depth)
        except Refused:
            return _unknown(value, walk)

    return forgiving


def _unknown(value: object, walk: Walk) -> bytes:
    """What has no form, by its type: called where it is refused. Of generators that a process shares, statements tell the seed."""
    from simcache.identity.forms.generators import is_generator  # few values have no form

    if walk.whole and not (is_inert(type(value)) or is_generator(type(value))):
        raise  # noqa: PLE0704 - what the caller has caught
    return compound("unknown", text(b"s", type(value).__qualname__))


def _deeper(value: object, walk: Walk) -> bytes:
    """What stood too deep, from here on; that it was met is known already."""
    forms = walk.forms.held if isinstance(walk.forms, _FormsOfHeld) else walk.forms
    try:
        return forms[type(value)](value, walk, 0)
    except Refused:
        return _unknown(value, walk)


def canonical(
    value: object,
    path: str = "value",
    code_version: Callable[[object], str] | None = None,
    *,
    root: str | None = None,
    reduces: bool = False,
    whole: bool = False,
) -> bytes:
    """The canonical bytes of one value; Unkeyable names the part that has none, by its path from `path`.

    `code_version` tells the version of a function or class. Without it functions and classes are refused, and
    instances are told apart by the name of their class alone. Paths and texts that lead into the folder `root` count from
    there on; and with `reduces`, an instance that has no form is what a pickle would keep of it, or its type, unless all of
    it must be told (`whole`).
    """
    forms: Mapping[type, Form] = _FORMS if root is None else _forms_below(root)
    if reduces:
        forms = _FormsOfHeld(forms)
    walk = Walk(forms, code_version, reduces=reduces, whole=whole)
    try:
        parts = [forms[type(value)](value, walk, 0)]
        parts += (_deeper(one, walk) for one in walk.deeper)  # which grows meanwhile
        return b"".join(parts)
    except Refused as refused:
        raise refused.unkeyable(path) from None
    except RecursionError:
        too_deep(path)


def canonical_arguments(arguments: Mapping[str, object], code_version: Callable[[object], str] | None = None) -> bytes:
    """The canonical bytes of a call's arguments by name; each class's code version is asked for once."""
    walk = Walk(_FORMS, code_version)
    parts = [counted(b"A", len(arguments))]
    name = ""
    try:
        for name, value in sorted(arguments.items()) if len(arguments) > 1 else arguments.items():
            parts.append(text(b"s", name) + _FORMS[type(value)](value, walk, 0))
    except Refused as refused:
        raise refused.unkeyable(name) from None
    except RecursionError:
        too_deep(name)
    return b"".join(parts)


def _library_form(cls: type) -> Form | None:
    """The form of a type of the standard library, numpy, pandas or torch, none of which is loaded for it."""
    for (module, name), form in values.LIBRARY.items():
        if getattr(sys.modules.get(module), name, None) is cls:
            return form
    if "numpy" in sys.modules:
        from simcache.identity.forms import arrays

        if (known := arrays.form_of(cls)) is not None:
            return known
    if "pandas" in sys.modules:
        from simcache.identity.forms import tables

        if (known := tables.form_of(cls)) is not None:
            return known
    if "torch" in sys.modules:
        from simcache.identity.forms import tensors

        return tensors.form_of(cls)
    return None


def too_deep(path: str) -> NoReturn:
    raise Unkeyable(path, "it is nested deeper than the call stack has room for here") from None
