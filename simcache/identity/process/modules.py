"""The modules of a project, found without importing them, and the plain functions inside wrappers."""

import contextlib
import functools
import importlib
import importlib.machinery
import inspect
import os
import sys
import types
from collections.abc import Callable
from typing import Any

from simcache.identity.process.bytecode import qualname_of
from simcache.identity.process.files import SourceFile, is_outside
from simcache.identity.text.link import taken_apart
from simcache.identity.text.piece import Summary
from simcache.named_tuple import NamedTuple

_AROUND_METHODS = (functools.cached_property, functools.singledispatchmethod)
MAIN = ("__main__", "__mp_main__")
"""What the module of a script is called, here and in its workers."""
_HOLD_NONE = frozenset({bool, int, float, complex, str, bytes, type(None), list, tuple, dict, set, frozenset})
_ROOT_MARKS = ("simcache.toml", "pyproject.toml", ".git")


class Module(NamedTuple):
    """A module of the project: its text, and its names if it is loaded."""

    name: str
    file: SourceFile
    package: str
    folder: tuple[str, ...]
    """Where its submodules lie, if it is a package."""
    namespace: dict[str, Any] | None
    as_written: bool = True
    """Its code was compiled from just its text; a test runner may have rewritten it before."""
    before: Summary | None = None
    """What the text said that was loaded, where the file was edited since."""

    def now(self) -> "Module":
        """The module with its names, if it has been loaded meanwhile."""
        loaded = sys.modules.get(self.name) if self.namespace is None else None
        return self if loaded is None else self._replace(namespace=vars(loaded))


def compiled_as_written(module: types.ModuleType | None) -> bool:
    """Whether a module was loaded by Python's own loader, which changes nothing in the code."""
    loader = getattr(getattr(module, "__spec__", None), "loader", None)
    return loader is None or type(loader) is importlib.machinery.SourceFileLoader


def target(module: Module, reach: str) -> tuple[str, list[str]]:
    """Where a link of a module leads: the absolute name of a module, and the chain of names that are asked of that."""
    return target_from(module.package, reach)


def target_from(package: str, reach: str) -> tuple[str, list[str]]:
    """The same of a link in a module of a package."""
    link = taken_apart(reach)
    if link.level == 0:
        return link.module, link.names
    base = package.split(".")
    base = base[: len(base) - (link.level - 1)]
    return ".".join([*base, link.module] if link.module else base), link.names


def is_of_python(top: str) -> bool:
    """Whether a name is that of one of Python's own modules, and of no module of the project that hides it (`profile.py`, `queue.py`)."""
    if top not in sys.stdlib_module_names:
        return False
    path, folders = locate(top)
    return all(map(is_outside, folders if path is None else (path,)))


def locate(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The source file and the submodule folders of a module, found without importing anything."""
    loaded = sys.modules.get(name)
    if loaded is not None:
        names = vars(loaded)  # asking the module itself could run its own `__getattr__`
        return names.get("__file__"), tuple(names.get("__path__", ()))
    parent, _, _ = name.rpartition(".")
    search = None
    if parent:
        search = list(locate(parent)[1])
        if not search:
            return None, ()
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        with contextlib.suppress(ImportError, AttributeError, ValueError):
            spec = find(name, search) if find else None
            if spec is not None:
                return spec.origin if spec.has_location else None, tuple(spec.submodule_search_locations or ())
    return None, ()


class NotLoaded(Exception):
    """A module is to be loaded before a closure can go on.

    Whoever takes closures holds a lock, and may not load anything under it: another thread may be in the middle of loading just that,
    and need a key to come to its end.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def is_bare(module: types.ModuleType) -> bool:
    """Whether a module was made of nothing, and filled by whoever made it; not those that an installed package makes of itself."""
    names = vars(module)
    if type(module) is not types.ModuleType or names.get("__spec__") is not None or names.get("__file__") is not None:
        return False
    path, _ = locate(module.__name__.partition(".")[0])
    return path is None or not is_outside(path)


def is_being_loaded(module: types.ModuleType | None) -> bool:
    """Whether somebody is in the middle of loading it: half of its names are there."""
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def load(name: str) -> None:
    """Load a module that the function would load itself; one that cannot be loaded here tells no more than its text."""
    with contextlib.suppress(Exception):
        importlib.import_module(name)


def may_load(name: str) -> bool:
    """Whether a module is still to be loaded; a script is never run for a key."""
    script = getattr(sys.modules.get("__main__"), "__file__", None)
    return name not in sys.modules and (script is None or locate(name)[0] != os.path.abspath(script))


def script_name(path: str) -> str:
    """A script's dotted name: its place below the project's root, so that moving the checkout does not change it."""
    name = os.path.splitext(os.path.abspath(path))[0]
    root = _marked(os.path.dirname(name))
    return os.path.basename(name) if root is None else os.path.relpath(name, root).replace(os.sep, ".")


def root_of(module: Module) -> str:
    """The folder of the checkout that a module belongs to: the project's root, or else where its package lies."""
    folder = os.path.dirname(os.path.abspath(module.file.path))
    if (root := _marked(folder)) is not None:
        return root
    for _ in filter(None, module.package.split(".")):
        folder = os.path.dirname(folder)
    return folder


def _marked(folder: str) -> str | None:
    """The nearest folder from this one upwards that says of itself that it is a project's root."""
    while not any(os.path.exists(os.path.join(folder, mark)) for mark in _ROOT_MARKS):
        if folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    return folder


def function_name(function: Callable[..., Any]) -> str:
    """The name under which a function's results are kept."""
    inner = underlying(function)
    qualname = getattr(inner, "__qualname__", type(inner).__qualname__)
    return f"{module_name(inner)}.{qualname.removesuffix('.__wrapped__')}"


def module_name(obj: object) -> str:
    name = getattr(obj, "__module__", None) or type(obj).__module__
    if name not in MAIN:
        return str(name)
    main = sys.modules.get("__main__")
    spec = getattr(main, "__spec__", None)
    own = own_function(obj)
    code = None if isinstance(own, type) else getattr(own, "__code__", None)  # a metaclass may answer for any name
    path = code.co_filename if code is not None else getattr(main, "__file__", None)
    if spec is not None and spec.origin == path:
        return str(spec.name).removesuffix(".__main__")
    return script_name(path) if path and os.path.isfile(path) else "__main__"


def place_in(cls: type) -> str:
    """Where a class stands in the project, as `module:name`."""
    return f"{module_name(cls)}:{cls.__qualname__}"


def own_function(obj: Any) -> Any:
    """The function that tells where an object's text is: a class of a script that was shipped to a worker has only its methods."""
    if not isinstance(obj, type):
        return obj
    for member in vars(obj).values():
        inner = underlying(member.func if isinstance(member, _AROUND_METHODS) else member)
        if isinstance(inner, types.FunctionType) and qualname_of(inner) == f"{obj.__qualname__}.{inner.__name__}":
            return inner
    return obj


def underlying(obj: Any) -> Any:
    """The plain function inside partials, decorators and jitted functions; the object itself if there is none."""
    if type(obj) is types.FunctionType and not obj.__dict__:
        return obj  # as most are, of the thousands that a closure asks for
    return layers(obj)[-1]


def layers(obj: Any) -> list[Any]:
    """An object, and what is inside it, down to a plain function."""
    found: dict[int, Any] = {}
    while id(obj) not in found:
        found[id(obj)] = obj
        kind = type(obj)  # what stands for something else may fail at being asked for its class
        if issubclass(kind, functools.partial):
            obj = obj.func
        elif issubclass(kind, (types.MethodType, staticmethod, classmethod)):
            obj = obj.__func__
        elif issubclass(kind, property) and obj.fget is not None:
            obj = obj.fget
        elif not issubclass(kind, type) and (inner := held_function(obj)) is not None:
            obj = inner
    return [*found.values()]


def is_named(obj: Any) -> bool:
    """Whether an object stands, maybe under decorators, under its name in its module: the text of that tells all of it."""
    found: Any = None if obj.__module__ in MAIN else sys.modules.get(obj.__module__)
    for name in obj.__qualname__.split("."):
        found = inspect.getattr_static(found, name, None)
    return any(one is obj for one in layers(found))


def held_function(obj: Any) -> Any:
    """The function that a wrapper or a compiled function was made from."""
    if type(obj) in _HOLD_NONE or (type(obj) is types.FunctionType and not obj.__dict__):
        return None  # the usual ones: they carry nothing, and a closure asks of thousands
    for name in ("py_func", "__wrapped__"):
        if inspect.getattr_static(obj, name, None) is not None and callable(inner := getattr(obj, name, None)):
            return inner
    # numba's vectorized functions keep theirs one deeper. Asked without running what the object has: some make up whatever is asked for.
    dispatcher = inspect.getattr_static(obj, "_dispatcher", None)
    inner = None if dispatcher is None else inspect.getattr_static(dispatcher, "py_func", None)
    if (stencil := inspect.getattr_static(obj, "kernel_ir", None)) is not None:
        inner = getattr(getattr(stencil, "func_id", None), "func", None)
    return inner if isinstance(inner, types.FunctionType) else None
