"""Source files as they are now and as they were loaded, and what their texts say."""

import contextlib
import functools
import marshal
import os
import sys
import time
import types
from _thread import get_ident
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from xxhash import xxh3_128_hexdigest

from simcache.errors import SourceChanged
from simcache.home import user_folder
from simcache.identity.process.began import BEGAN
from simcache.identity.process.bytecode import functions_within, may_be_patched, qualname_of, same_code
from simcache.identity.text.piece import NO_OUTLINE, Outline, Summary, digest_of
from simcache.named_tuple import NamedTuple

# What sysconfig calls stdlib and platstdlib; that module takes 3 ms to say so.
_LIBRARY = "Lib" if os.name == "nt" else os.path.join(sys.platlibdir, f"python{sys.version_info.major}.{sys.version_info.minor}")
_OUTSIDE_FOLDERS = tuple(
    os.path.normcase(os.path.realpath(path)) + os.sep
    for path in (os.path.dirname(os.__file__), *(os.path.join(prefix, _LIBRARY) for prefix in (sys.base_exec_prefix, sys.exec_prefix)))
)
_LIBRARY_FOLDER = os.path.dirname(os.__file__) + os.sep
_OWN_FOLDER = __file__.rpartition(f"{os.sep}identity{os.sep}")[0] + os.sep
_BYTECODE_HEADER = 16
_TICK = 20_000_000
"""Nanoseconds in which two times of a file system may be the same."""
_COARSE_CLOCK = 5
"""Linux's CLOCK_REALTIME_COARSE, which Python has no name for: the time of the last tick, by which files are dated."""
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_ELSEWHERE = (*_INSTALLED, os.pardir)
"""Parts of a path that lead out of the folder with which it begins, to where a link or an editable install may stand."""


_Found = TypeVar("_Found", Summary, Outline)


class Signature(NamedTuple):
    """What tells that a file was touched; the content decides."""

    changed: int
    modified: int
    size: int
    inode: int


class SourceFile(NamedTuple):
    """A file of Python source as it was read."""

    path: str
    signature: Signature
    content: bytes
    summary: Summary


class _Loaded(NamedTuple):
    """A file as it was just after a module was loaded from it."""

    module: str
    spec: object
    """Whoever loads a module again gives it another one."""
    namespace: dict[str, Any]
    """What was loaded into; the same file may be loaded again elsewhere."""
    content: bytes
    at: int
    """When somebody looked, by the clock of file systems."""
    names: dict[str, object]
    """What the names of the module stood for when they were first seen; nothing is added once it is loaded to its end."""
    whole: bool
    """Whether it was loaded to its end by then; nobody can tell that of a script."""
    ended: dict[str, object]
    """The same when it was loaded to its end, as soon as that is known."""
    codes: dict[str, tuple[list[types.CodeType], int]]
    """Under IPython, what their functions ran when that was last looked at, and how often it was other code than before."""


_files: dict[str, SourceFile] = {}
_loaded: dict[str, _Loaded] = {}
_unfinished: set[str] = set()
"""Those of which the module was still being loaded."""
_looked_at: set[str] = set()
_UNLISTED = ""
"""The name of a module that Python does not list."""
_reloaded: dict[str, list[bytes]] = {}
"""Files that were loaded again, and what they said each time before: there may be objects of then."""


def signature_of(path: str) -> Signature | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return Signature(found.st_ctime_ns, found.st_mtime_ns, found.st_size, found.st_ino)


def _bytes_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def read(path: str) -> SourceFile | None:
    """The file as it is now; None if it cannot be read or is no Python that this version reads."""
    before = signature_of(path)
    known = _files.get(path)
    if known is not None and known.signature == before:
        return known
    try:
        content = _bytes_of(path)
        summary = _remembered(content)
    except (OSError, SyntaxError, ValueError):
        return None
    after = signature_of(path)
    if before is None or after != before:
        return read(path) if after is not None else None
    _files[path] = SourceFile(path, after, content, summary)
    return _files[path]


def _remembered(content: bytes) -> Summary:
    """The summary of a text."""

    def made() -> Summary:
        from simcache.identity.text.source import summarise  # a text that was read before needs no reader

        return summarise(content)

    return _memo(content, ".json", Summary.from_json, made)


@functools.lru_cache(maxsize=4096)
def outlined(content: bytes) -> Outline:
    """What a text does to others as it is loaded; nothing, if it is no Python that this version reads."""

    def made() -> Outline:
        from simcache.identity.text.outline import outline

        return outline(content)

    try:
        return _memo(content, ".outline.json", Outline.from_json, made)
    except (SyntaxError, ValueError):
        return NO_OUTLINE


def _memo(content: bytes, kind: str, read_again: Callable[[str], _Found | None], made: Callable[[], _Found]) -> _Found:
    """What is known of a text: taken from the memo on disk, which is keyed by the content, or made and kept there."""
    folder = os.path.join(user_folder(), "code")
    memo = os.path.join(folder, f"{xxh3_128_hexdigest(content)}{kind}")
    with contextlib.suppress(OSError, ValueError, TypeError):
        check, _, text = _bytes_of(memo).decode("utf-8", "surrogatepass").partition("\n")
        if check == digest_of(text) and (known := read_again(text)) is not None:
            return known
    found = made()
    text = found.to_json()
    # The memo only saves time: where it cannot be written (a full or read-only disk), the next process reads the source again.
    with contextlib.suppress(OSError):
        os.makedirs(folder, exist_ok=True)
        unfinished = f"{memo}.{os.getpid()}-{get_ident()}"
        with open(unfinished, "wb") as file:
            file.write(f"{digest_of(text)}\n{text}".encode("utf-8", "surrogatepass"))
        os.replace(unfinished, memo)
    return found


_STARTED = BEGAN - 100_000_000  # clock ticks of the kernel and of file systems are coarse


def note_loaded() -> None:
    """Remember what the files of the project's modules say that were loaded since the last time: just read, most of them."""
    for known, seen in list(_loaded.items()):
        again = namespace_of(sys.modules.get(seen.module))
        if again and (again.get("__spec__") is not seen.spec or again is not seen.namespace):
            _looked_at.discard(seen.module)
            if _loaded.pop(known, None) is not None:  # no other thread has been here
                _reloaded.setdefault(known, []).append(seen.content)
        elif known in _unfinished:
            if getattr(seen.spec, "_initializing", False):
                new = {name: held for name, held in list(again.items()) if name not in seen.names}
                seen.names.update(new)
                seen.codes.update(_codes_now(new))
            else:
                _unfinished.discard(known)
    for name, module in list(sys.modules.items()):
        if name in _looked_at or type(module).__module__ == "importlib.util":  # it is loaded when somebody asks it for something
            continue
        _looked_at.add(name)
        namespace = namespace_of(module)
        path = namespace.get("__file__")
        if (
            isinstance(path, str)
            and path.endswith(".py")
            and not is_outside(path)
            and (path not in _loaded or _loaded[path].module == _UNLISTED)
        ):
            # A text that was followed before may be the one that was loaded, since which it may have been edited.
            followed = None if path in _reloaded else _files.get(path)
            with contextlib.suppress(OSError):  # it is gone already, and nothing is followed through it
                content = _bytes_of(path) if followed is None else followed.content
                names = dict(namespace)
                spec = namespace.get("__spec__")
                whole = spec is not None and not getattr(spec, "_initializing", False)
                _loaded[path] = _Loaded(name, spec, namespace, content, _file_time(), names, whole, {}, _codes_now(names))
                _unfinished.add(path)


def namespace_of(module: object) -> dict[str, Any]:
    """What a module holds, without asking it: it may be loaded by that, or something else may stand in its place."""
    try:
        found = object.__getattribute__(module, "__dict__")
    except Exception:  # whatever its class makes of being asked
        return {}
    return found if type(found) is dict else {}


def file_of(cls: type) -> str:
    """That of the module in which a class was made; of one without, some file of Python."""
    return namespace_of(sys.modules.get(cls.__module__)).get("__file__") or os.__file__


def note_held(path: str, namespace: dict[str, object]) -> None:
    """Remember what a file says of which a module was loaded that Python does not list: nobody has looked at it before."""
    if path not in _loaded:
        with contextlib.suppress(OSError):
            names = dict(namespace)
            _loaded[path] = _Loaded(
                _UNLISTED, namespace.get("__spec__"), namespace, _bytes_of(path), _file_time(), names, True, {}, _codes_now(names)
            )


def note_end(path: str) -> None:
    """What the names of its module stand for now is what they stood for at the end of its loading."""
    seen = _loaded.get(path)
    if seen is not None:
        seen.ended.update(seen.namespace)


def loaded_modules() -> Iterator[tuple[str, object, Mapping[str, object]]]:
    """The files of the project's modules that are known to be loaded, each with its module's specification (a script has none) and namespace."""
    return ((path, seen.spec, seen.namespace) for path, seen in _loaded.items())


def _codes_now(names: Mapping[str, object]) -> dict[str, tuple[list[types.CodeType], int]]:
    return {name: (codes, 0) for name, held in names.items() if (codes := _codes_in(held))} if may_be_patched() else {}


def _codes_in(held: object) -> list[types.CodeType]:
    return [function.__code__ for function in functions_within(held)]


@functools.lru_cache(maxsize=4096)
def is_outside(path: str) -> bool:
    """Whether a file belongs to Python, to an installed package, or to simcache, installed or not."""
    folder = os.path.dirname(path)
    if _all_outside(folder):
        return True
    return _is_folder_outside(os.path.dirname(os.path.realpath(path)) if os.path.islink(path) else folder)


@functools.lru_cache(maxsize=1024)
def _all_outside(folder: str) -> bool:
    """Whether each file of a folder is, wherever a link leads to: a link in a package that is installed leads to where its installer keeps it."""
    below = f"{folder}{os.sep}"
    if below.startswith((_OWN_FOLDER, _LIBRARY_FOLDER)) and not any(part in below for part in _ELSEWHERE):
        return True  # without asking the system about each: a program that loads numpy has loaded a hundred of them
    return os.path.basename(folder) not in _INSTALLED and _is_folder_outside(folder)


@functools.lru_cache(maxsize=1024)
def _is_folder_outside(folder: str) -> bool:
    """Remembered, because the system is asked about every folder above, and a program's files lie in few."""
    real = os.path.normcase(_real(folder))
    return not _INSTALLED.isdisjoint(real.split(os.sep)) or f"{real}{os.sep}".startswith(_OUTSIDE_FOLDERS)


@functools.lru_cache(maxsize=4096)
def _real(folder: str) -> str:
    """`os.path.realpath`, which asks the system about all folders above each one; packages lie in hundreds that have the same above them."""
    above, name = os.path.split(folder)
    if above == folder or name in ("", os.curdir, os.pardir) or os.path.islink(folder):
        return os.path.realpath(folder)
    return os.path.join(_real(above), name)


def is_of_others(problem: BaseException) -> bool:
    """Whether code that is not simcache's has raised this; what a dead weak reference stands for can only be asked by ours."""
    at = problem.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return isinstance(problem, ReferenceError) or (at is not None and not at.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER))


def is_new(file: SourceFile) -> bool:
    """Whether the file may have been written since the process began, so that the loaded code must be compared with it."""
    return BEGAN == 0 or file.signature.changed >= _STARTED


def came_since(file: SourceFile, path: str) -> bool:
    """Whether a file may have been written after the one of this path had been loaded, and is not loaded itself."""
    seen = _loaded.get(path)
    return seen is not None and file.signature.changed >= seen.at and file.path not in _loaded


def _file_time() -> int:
    """A time, in ns since the epoch, that no file which is written from now on is older than: file systems look at a clock that ticks."""
    try:
        return time.clock_gettime_ns(_COARSE_CLOCK) if sys.platform == "linux" else time.time_ns() - _TICK
    except OSError:
        return time.time_ns() - _TICK


@functools.lru_cache(maxsize=256)
def compiled(path: str, content: bytes) -> Mapping[str, tuple[types.CodeType, ...]]:
    return codes_within([compile(content, path, "exec", dont_inherit=True)])


def codes_within(codes: Iterable[types.CodeType]) -> Mapping[str, tuple[types.CodeType, ...]]:
    """These and all inside them, by their qualified names."""
    found: dict[str, tuple[types.CodeType, ...]] = {}
    queue = [*codes]
    while queue:
        code = queue.pop()
        found[code.co_qualname] = (*found.get(code.co_qualname, ()), code)
        queue.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return found


@functools.lru_cache(maxsize=256)
def compiled_one_by_one(content: bytes) -> Mapping[str, tuple[types.CodeType, ...]]:
    """As IPython compiles statements, and functions that were edited: what is asked of a module is other code without its import beside it."""
    import ast  # most functions are found in the text as a whole

    return codes_within(compile(ast.Module([one], []), "<statement>", "exec", dont_inherit=True) for one in ast.parse(content).body)


def codes_of(file: SourceFile) -> Mapping[str, tuple[types.CodeType, ...]]:
    return compiled(file.path, file.content)


def stands_in(file: SourceFile, function: types.FunctionType) -> bool:
    """Whether a function has the code that its file holds."""
    name, code = qualname_of(function), function.__code__
    return any(same_code(code, found) for found in codes_of(file).get(name, ())) or any(
        same_code(code, found) for found in compiled_one_by_one(file.content).get(name, ())
    )


def content_before(path: str) -> bytes | None:
    """What a file said when it was loaded, if this process has seen it then."""
    seen = _loaded.get(path)
    return None if seen is None else seen.content


def content_as_loaded(path: str) -> bytes | None:
    """The same, or else what the file says now; None if it cannot be read."""
    before = content_before(path)
    if before is None:
        with contextlib.suppress(OSError):
            return _bytes_of(path)
    return before


def was_noted(path: str) -> bool:
    """Whether this process has loaded what this file said."""
    return path in _loaded


def held_when_noted(file: SourceFile, namespace: Mapping[str, object], name: str, *, once: bool) -> object:
    """What a name stood for when this process first knew that its module was loaded; if it was not there yet, what it stood for at the end.

    So it is where several statements make it (not `once`) and a later one of them may have bound it: it was asked while the module was loaded.
    """
    seen = _loaded.get(file.path)
    now = namespace[name]
    if seen is None or seen.namespace is not namespace:
        return now
    ended = seen.ended.get(name, now)
    noted = seen.names.get(name, ended)
    if noted is ended:
        return noted
    if not (once or seen.whole):
        from simcache.identity.text.statements import is_bound_once  # few processes bind names anew

        once = is_bound_once(file.content, name)
    return noted if once or seen.whole else ended


def was_written(file: SourceFile) -> bool:
    """Whether a file may have been written since it was loaded; it may say the same again."""
    seen = _loaded.get(file.path)
    return seen is not None and file.signature.changed >= seen.at


def times_patched(path: str, held: Mapping[str, object], name: str) -> int:
    """How often functions of a name of a module were seen with other code than before: an edit that was taken back leaves no other trace."""
    seen = _loaded.get(path)
    if seen is None or seen.namespace is not held or name not in seen.codes:
        return 0
    was, times = seen.codes[name]
    if seen.names[name] is held.get(name) and [*map(id, now := _codes_in(held[name]))] != [*map(id, was)]:
        times += 1
        seen.codes[name] = now, times
    return times


def times_reloaded(path: str) -> int:
    """How often this process has loaded it again."""
    return len(_reloaded.get(path, ()))


def reads_as_before(file: SourceFile, name: str) -> bool:
    """Whether a name of a file, or all of it for "*", stood for the same text each time that the file was loaded."""
    for content in _reloaded.get(file.path, ()):
        try:
            before = _remembered(content)
        except (SyntaxError, ValueError):
            return False  # it was being saved as somebody looked
        if before.whole != file.summary.whole if name == "*" else before.names.get(name) != file.summary.names.get(name):
            return False
    return True


def text_before(file: SourceFile, namespace: object = None) -> Summary | None:
    """What the text said that was loaded (into a namespace), where the file holds another one now; None if it is the same, or nobody looked."""
    seen = _loaded.get(file.path)
    if seen is None or seen.content == file.content or (namespace is not None and seen.namespace is not namespace):
        return None
    try:
        return _remembered(seen.content)
    except (SyntaxError, ValueError) as problem:  # it was being saved as somebody looked
        raise SourceChanged(file.path) from problem


def check_bytecode(file: SourceFile, cached: str) -> None:
    """Raise SourceChanged if Python was fooled: it runs old bytecode (`cached`) when an edit keeps a file's size and time."""
    made = signature_of(cached)
    if made is None or file.signature.changed < made.modified - _TICK:
        return
    # What was edited under this process tells nothing of the text that Python saw when it passed bytecode over.
    modified = None if is_new(file) else file.signature.modified
    if not _is_bytecode_of(cached, made, file.path, file.content, modified):
        raise SourceChanged(file.path)


@functools.lru_cache(maxsize=256)
def _is_bytecode_of(cached: str, made: Signature, path: str, content: bytes, modified: int | None) -> bool:
    """Whether Python runs this text: its bytecode, or the text itself because the bytecode says that it is of another one."""
    del made  # it is here so that bytecode that was written anew is read anew
    try:
        held = _bytes_of(cached)
        if modified is not None and _says_of_another(held[:_BYTECODE_HEADER], modified, len(content)):
            return True
        found = marshal.loads(held[_BYTECODE_HEADER:])  # noqa: S302 - Python itself has just run it
        return isinstance(found, types.CodeType) and same_code(found, compile(content, path, "exec", dont_inherit=True))
    except (OSError, ValueError, EOFError, TypeError, SyntaxError):
        return True  # Python could not run it either, and has read the source


def _says_of_another(header: bytes, modified: int, size: int) -> bool:
    """Whether bytecode names another time or size of its text than this: PEP 552; none is named where a hash stands for both."""
    flags, second, length = (int.from_bytes(header[at : at + 4], "little") for at in (4, 8, 12))
    whole, rest = divmod(modified, 1_000_000_000)
    # Python takes the whole part of a float, which may be the next second.
    return flags == 0 and (second, length) != (int(whole + rest * 1e-9) & 0xFFFFFFFF, size & 0xFFFFFFFF)
